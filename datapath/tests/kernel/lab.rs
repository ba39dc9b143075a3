//! Network namespaces and veth pairs, made by the tests and taken away again.
//!
//! In: names and addresses of pods. Out: a namespace for each, and one for the
//! node that routes between them; the thread that makes the lab moves into the
//! node's. Dropping the lab deletes the namespaces, and with them everything in
//! them.

use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The beginning of all names, so that what a killed test left is recognised.
const PREFIX: &str = "nvlab";

/// Pods behind a node.
pub(crate) struct Lab {
    prefix: String,
    /// The namespace this thread was in.
    home: File,
    pods: Vec<String>,
}

fn ip(arguments: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(arguments).output()?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("ip {}: {text}", arguments.join(" ")).into())
}

/// Does many commands of `ip` in one namespace.
fn batch(namespace: &str, commands: &str) -> Result<()> {
    let mut child = Command::new("ip")
        .args(["-n", namespace, "-batch", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut input = child.stdin.take().ok_or("no input")?;
    input.write_all(commands.as_bytes())?;
    drop(input);
    let output = child.wait_with_output()?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("ip -n {namespace}: {text}\n{commands}").into())
}

/// Moves this thread into a namespace.
fn enter(namespace: &File) -> Result<()> {
    // SAFETY: an open descriptor, and a call that touches no memory of ours.
    let done = unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) };
    if done == 0 {
        return Ok(());
    }
    Err(std::io::Error::last_os_error().into())
}

fn open(namespace: &str) -> Result<File> {
    Ok(File::open(format!("/var/run/netns/{namespace}"))?)
}

/// Deletes what tests left that are not there any more.
fn sweep() {
    let Ok(entries) = std::fs::read_dir("/var/run/netns") else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(rest) = name.strip_prefix(PREFIX) else {
            continue;
        };
        let process = rest.split('-').next().unwrap_or_default();
        if !std::path::Path::new(&format!("/proc/{process}")).exists() {
            let _ = ip(&["netns", "del", &name]);
        }
    }
}

impl Lab {
    /// Makes a node and pods with these addresses.
    pub(crate) fn new(pods: &[(&str, Vec<IpAddr>)]) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        sweep();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut lab = Self {
            prefix: format!("{PREFIX}{}-{number}", std::process::id()),
            home: File::open("/proc/thread-self/ns/net")?,
            pods: Vec::new(),
        };
        let node = lab.namespace("node");
        ip(&["netns", "add", &node])?;
        enter(&open(&node)?)?;
        for (file, value) in [
            ("ipv4/ip_forward", "1"),
            ("ipv6/conf/all/forwarding", "1"),
            ("ipv6/conf/all/accept_dad", "0"),
            ("ipv6/conf/default/accept_dad", "0"),
        ] {
            std::fs::write(format!("/proc/sys/net/{file}"), value)?;
        }
        let mut on_node = String::from("link set lo up\naddr add 169.254.1.1/32 dev lo\n");
        for (i, (name, addresses)) in pods.iter().enumerate() {
            let namespace = lab.namespace(name);
            ip(&["netns", "add", &namespace])?;
            lab.pods.push((*name).to_owned());
            let side = interface(i);
            let veth = [
                "link", "add", &side, "type", "veth", "peer", "name", "eth0", "netns",
            ];
            ip(&[&veth[..], &[namespace.as_str()]].concat())?;
            on_node += &format!("link set {side} up\naddr add fe80::1/64 dev {side} nodad\n");
            let mut inside = String::from("link set lo up\nlink set eth0 up\n");
            for address in addresses {
                match address {
                    IpAddr::V4(_) => {
                        on_node += &format!("route add {address}/32 dev {side}\n");
                        inside += &format!("addr add {address}/32 dev eth0\n");
                    }
                    IpAddr::V6(_) => {
                        on_node += &format!("route add {address}/128 dev {side}\n");
                        inside += &format!("addr add {address}/128 dev eth0 nodad\n");
                    }
                }
            }
            inside += "route add 169.254.1.1 dev eth0\nroute add default via 169.254.1.1 dev eth0\n\
                       route add default via fe80::1 dev eth0\n";
            batch(&namespace, &inside)?;
        }
        batch(&node, &on_node)?;
        Ok(lab)
    }

    fn namespace(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    /// Ends IPv6 on every interface: the kernel sends its own multicast
    /// reports and router questions whenever it likes, and a test that counts
    /// packets counts them too.
    pub(crate) fn only_ipv4(&self) -> Result<()> {
        const OFF: &str = "/proc/sys/net/ipv6/conf/all/disable_ipv6";
        for pod in &self.pods {
            self.within(pod, || std::fs::write(OFF, "1"))?;
        }
        Ok(std::fs::write(OFF, "1")?)
    }

    /// The node's side of a pod's interface.
    pub(crate) fn interface(&self, pod: &str) -> String {
        let i = self.pods.iter().position(|p| p == pod);
        interface(i.expect("a pod of this lab"))
    }

    /// Runs something in a pod, in a thread of its own. Sockets opened there
    /// stay there.
    pub(crate) fn inside<T: Send + 'static>(
        &self,
        pod: &str,
        run: impl FnOnce() -> T + Send + 'static,
    ) -> std::thread::JoinHandle<T> {
        let namespace = open(&self.namespace(pod)).expect("the pod's namespace");
        std::thread::spawn(move || {
            enter(&namespace).expect("the pod's namespace");
            run()
        })
    }

    /// The same, waited for.
    pub(crate) fn within<T: Send + 'static>(
        &self,
        pod: &str,
        run: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        self.inside(pod, run).join().expect("no panic in a pod")
    }
}

fn interface(i: usize) -> String {
    format!("nvpod{i}")
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = enter(&self.home);
        for name in self.pods.iter().map(String::as_str).chain(["node"]) {
            let _ = ip(&["netns", "del", &self.namespace(name)]);
        }
    }
}
