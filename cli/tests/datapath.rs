//! `netverdict datapath` from load to unload, in the running kernel.
//!
//! Skipped, and said so, where bpf(2) is refused; failing instead when
//! `NETVERDICT_REQUIRE_KERNEL` is 1.

fn main() -> std::process::ExitCode {
    #[cfg(all(feature = "datapath", target_os = "linux"))]
    {
        if std::env::args().nth(1).as_deref() == Some("serve") {
            linux::serve();
            return std::process::ExitCode::SUCCESS;
        }
        linux::run()
    }
    #[cfg(not(all(feature = "datapath", target_os = "linux")))]
    {
        println!("test result: ok. 0 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out");
        std::process::ExitCode::SUCCESS
    }
}

#[cfg(all(feature = "datapath", target_os = "linux"))]
mod linux {
    use std::io::{BufRead, BufReader};
    use std::net::{TcpListener, TcpStream};
    use std::path::{Path, PathBuf};
    use std::process::{Child, Command, ExitCode, Output, Stdio};
    use std::time::Duration;

    type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

    const PODS: &str = "
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
status: {podIPs: [{ip: 10.99.0.2}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - from: [{ipBlock: {cidr: 10.99.0.0/24}}]
    ports: [{port: 80, protocol: TCP}]
";

    pub(crate) fn run() -> ExitCode {
        let required = std::env::var("NETVERDICT_REQUIRE_KERNEL").is_ok_and(|v| v == "1");
        let (passed, failed, ignored) = match netverdict_datapath::probe() {
            Err(error) if !required => {
                println!("test datapath ... ignored, SKIPPED: no kernel to test: {error}");
                (0, 0, 1)
            }
            _ => match Stage::new().and_then(|stage| {
                story(&stage)?;
                documented(&stage)
            }) {
                Ok(()) => {
                    println!("test datapath ... ok");
                    (1, 0, 0)
                }
                Err(error) => {
                    println!("test datapath ... FAILED\n{error}");
                    (0, 1, 0)
                }
            },
        };
        let word = if failed == 0 { "ok" } else { "FAILED" };
        println!(
            "test result: {word}. {passed} passed; {failed} failed; {ignored} ignored; 0 measured; 0 filtered out"
        );
        ExitCode::from(u8::from(failed != 0))
    }

    /// A namespace with a pod in it, a BPF file system, and files.
    struct Stage {
        folder: PathBuf,
        namespace: String,
        interface: String,
    }

    fn ip(arguments: &str) -> Result<()> {
        let output = Command::new("ip").args(arguments.split(' ')).output()?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!(
            "ip {arguments}: {}",
            String::from_utf8_lossy(&output.stderr)
        )
        .into())
    }

    impl Stage {
        fn new() -> Result<Self> {
            let number = std::process::id();
            let stage = Self {
                folder: std::env::temp_dir().join(format!("netverdict-datapath-{number}")),
                namespace: format!("nvlab{number}-cli"),
                interface: format!("nvc{number}"),
            };
            let bpf = stage.folder.join("bpf");
            std::fs::create_dir_all(&bpf)?;
            std::fs::write(stage.folder.join("pods.yaml"), PODS)?;
            let mounted = Command::new("mount")
                .args(["-t", "bpf", "bpf"])
                .arg(&bpf)
                .status()?;
            if !mounted.success() {
                return Err("mount -t bpf failed".into());
            }
            let (ns, side) = (&stage.namespace, &stage.interface);
            ip(&format!("netns add {ns}"))?;
            ip(&format!(
                "link add {side} type veth peer name eth0 netns {ns}"
            ))?;
            ip(&format!("-n {ns} link set lo up"))?;
            ip(&format!("-n {ns} link set eth0 up"))?;
            ip(&format!("-n {ns} addr add 10.99.0.2/24 dev eth0"))?;
            ip(&format!("link set {side} up"))?;
            ip(&format!("addr add 10.99.0.1/24 dev {side}"))?;
            Ok(stage)
        }

        fn pins(&self) -> PathBuf {
            self.folder.join("bpf/netverdict")
        }

        fn netverdict(&self, pins: &Path, arguments: &[&str]) -> Result<Output> {
            let mut command = Command::new(env!("CARGO_BIN_EXE_netverdict"));
            command
                .arg("datapath")
                .args(arguments)
                .arg("--pins")
                .arg(pins);
            Ok(command.output()?)
        }

        /// A command that has to work; what it prints.
        fn works(&self, arguments: &[&str]) -> Result<String> {
            let output = self.netverdict(&self.pins(), arguments)?;
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            if output.status.success() {
                return Ok(text);
            }
            let error = String::from_utf8_lossy(&output.stderr);
            Err(format!("{arguments:?}: {}\n{text}{error}", output.status).into())
        }

        /// A command that has to fail, with these words.
        fn fails(&self, pins: &Path, arguments: &[&str], with: &str) -> Result<()> {
            let output = self.netverdict(pins, arguments)?;
            let error = String::from_utf8_lossy(&output.stderr);
            if output.status.code() == Some(1) && error.contains(with) {
                return Ok(());
            }
            Err(format!(
                "{arguments:?}: {}, without `{with}`: {error}",
                output.status
            )
            .into())
        }
    }

    impl Drop for Stage {
        fn drop(&mut self) {
            let _ = ip(&format!("netns del {}", self.namespace));
            let _ = ip(&format!("link del {}", self.interface));
            let _ = Command::new("umount").arg(self.folder.join("bpf")).status();
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }

    fn reaches(port: u16) -> bool {
        let to = ([10, 99, 0, 2], port).into();
        TcpStream::connect_timeout(&to, Duration::from_millis(600)).is_ok()
    }

    /// Accepts connections in the pod: this program once more, in its namespace.
    pub(crate) fn serve() {
        let accept = |port| {
            let listener = TcpListener::bind(("10.99.0.2", port)).expect("the pod's address");
            std::thread::spawn(move || while listener.accept().is_ok() {})
        };
        let [one, other] = [80, 81].map(accept);
        println!("ready");
        let _ = (one.join(), other.join());
    }

    /// A server that ends with the test.
    struct Server(Child);

    impl Server {
        fn new(namespace: &str) -> Result<Self> {
            let mut server = Command::new("ip")
                .args(["netns", "exec", namespace])
                .arg(std::env::current_exe()?)
                .arg("serve")
                .stdout(Stdio::piped())
                .spawn()?;
            let mut line = String::new();
            let out = server.stdout.take().ok_or("no output")?;
            let server = Self(server);
            BufReader::new(out).read_line(&mut line)?;
            if line.trim() != "ready" {
                return Err("no server in the pod".into());
            }
            Ok(server)
        }
    }

    impl Drop for Server {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn story(stage: &Stage) -> Result<()> {
        let _server = Server::new(&stage.namespace)?;
        let pods = stage.folder.join("pods.yaml");
        let pods = pods.to_str().ok_or("a path")?;
        stage.fails(&stage.pins(), &["status"], "is not loaded")?;
        let elsewhere = stage.folder.join("plain");
        stage.fails(
            &elsewhere,
            &["load", "-f", pods],
            "is on no BPF file system",
        )?;
        let loaded = stage.works(&["load", "-f", pods])?;
        if !loaded.contains("loaded: a table of") {
            return Err(loaded.into());
        }
        if !(reaches(80) && reaches(81)) {
            return Err("something is dropped before anything is attached".into());
        }
        let nobody = ["attach", &stage.interface, "shop/nobody"];
        stage.fails(&stage.pins(), &nobody, "has no endpoint")?;
        stage.works(&["attach", &stage.interface, "shop/web"])?;
        if !reaches(80) || reaches(81) {
            return Err("the gate does not decide as the policy says".into());
        }
        let status: serde_json::Value =
            serde_json::from_str(&stage.works(&["status", "-o", "json"])?)?;
        if status["interfaces"][0]["endpoint"] != "shop/web" || status["replies"] == 0 {
            return Err(format!("{status}").into());
        }
        let seen = stage.works(&["observe", "--timeout", "0", "-f", pods])?;
        for wanted in [
            "-> shop/web:80 (ID:",
            "policy-verdict:L3-L4 INGRESS ALLOWED (TCP Flags: SYN)",
            "<> shop/web:81 (ID:",
            "policy-verdict:none INGRESS DENIED (TCP Flags: SYN)",
        ] {
            if !seen.contains(wanted) {
                return Err(format!("no `{wanted}` in\n{seen}").into());
            }
        }
        // Another table, in which the endpoint has another number.
        let more = PODS.replace("port: 80", "port: 81").replace(
            "---\n",
            "---\napiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: a}\n\
             status: {podIPs: [{ip: 10.99.0.3}]}\n---\n",
        );
        std::fs::write(pods, more)?;
        stage.works(&["load", "-f", pods])?;
        if reaches(80) || !reaches(81) {
            return Err("the new table is not in force".into());
        }
        let flows = stage.works(&["observe", "--timeout", "0", "-o", "json"])?;
        // The kernel's own packets (neighbour discovery, multicast reports)
        // pass the gate whenever they like: only the test's own count.
        let mut port = None;
        for line in flows.lines() {
            let flow: serde_json::Value = serde_json::from_str(line)?;
            let tcp = &flow["flow"]["l4"]["TCP"]["destination_port"];
            port = tcp.as_u64().or(port);
        }
        if port != Some(81) {
            return Err(format!("the last connection is not to port 81:\n{flows}").into());
        }
        stage.works(&["detach", &stage.interface])?;
        if !reaches(80) {
            return Err("something is dropped after detaching".into());
        }
        stage.works(&["unload"])?;
        if stage.pins().exists() {
            return Err("pins are left".into());
        }
        Ok(())
    }

    /// The workloads of docs/datapath.md: `api` may open 80 of `web`.
    const SHOP: &str = "
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
status: {podIPs: [{ip: 10.99.0.2}]}
---
apiVersion: v1
kind: Pod
metadata: {name: api, namespace: shop, labels: {app: api}}
status: {podIPs: [{ip: 10.99.0.1}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - from: [{podSelector: {matchLabels: {app: api}}}]
    ports: [{port: 80, protocol: TCP}]
";

    /// A line without what differs each time: times, ports, sizes.
    fn shape(line: &str) -> String {
        let said = match line.find("shop/") {
            Some(at) if line.contains("policy-verdict") => &line[at..],
            _ => line,
        };
        let mut shape = String::new();
        for c in said.chars() {
            match c {
                '0'..='9' if shape.ends_with('0') => {}
                '0'..='9' => shape.push('0'),
                ' ' if shape.ends_with(' ') => {}
                c => shape.push(c),
            }
        }
        shape.trim_end().to_owned()
    }

    /// The transcript of docs/datapath.md, command by command, prints what the
    /// page shows.
    fn documented(stage: &Stage) -> Result<()> {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/datapath.md");
        let page = std::fs::read_to_string(page)?;
        let block = page.split("```text\n").nth(1);
        let block = block
            .and_then(|b| b.split("```").next())
            .ok_or("no block")?;
        let shop = stage.folder.join("shop");
        std::fs::create_dir_all(&shop)?;
        std::fs::write(shop.join("shop.yaml"), SHOP)?;
        let shop = shop.to_str().ok_or("a path")?;
        let pins = stage.pins().display().to_string();
        let _server = Server::new(&stage.namespace)?;
        let mut commands = 0;
        for part in block.split("# netverdict datapath ").skip(1) {
            let (command, shown) = part.split_once('\n').ok_or("no command")?;
            let interface = command.split(' ').find(|w| w.starts_with("veth"));
            let mut words: Vec<&str> = command.split(' ').collect();
            for word in &mut words {
                match *word {
                    "shop/" => *word = shop,
                    w if w.starts_with("veth") => *word = &stage.interface,
                    _ => {}
                }
            }
            if words[0] == "observe" {
                // What the page shows, and then no more is waited for.
                reaches(80);
                reaches(81);
                words.extend(["--timeout", "0"]);
            }
            let printed = stage
                .works(&words)?
                .replace(&pins, "/sys/fs/bpf/netverdict");
            let printed = printed.replace(&stage.interface, interface.unwrap_or("veth3f2a"));
            // The kernel's own packets pass when they like.
            let ours = |l: &&str| match words[0] {
                "observe" => l.contains("(TCP Flags: SYN)"),
                _ => !l.contains(" packets ") || l.contains("ingress of shop/web"),
            };
            let said: Vec<String> = printed.lines().filter(ours).map(shape).collect();
            let wanted: Vec<String> = shown.lines().map(shape).collect();
            if said != wanted {
                return Err(format!("docs/datapath.md: `{command}` prints\n{printed}").into());
            }
            commands += 1;
        }
        match commands {
            6 => Ok(()),
            n => Err(format!("docs/datapath.md has {n} commands").into()),
        }
    }
}
