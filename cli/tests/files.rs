//! What the program does to files: which it reads, what it writes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const POLICY: &str = "\
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: web, namespace: a}
spec:
  endpointSelector: {matchLabels: {app: web}}
  ingress:
  - fromEndpoints: [{matchLabels: {app: client}}]
    toPorts:
    - ports:
      - {port: 80, protocol: TCP}
";

fn pod(name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: a, labels: {{app: {name}}}}}\n"
    )
}

/// An empty folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn netverdict(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_netverdict"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn certain_fixes_are_written_and_nothing_else_changes() {
    let folder = folder("fix");
    fs::write(folder.join("policy.yaml"), POLICY).unwrap();
    let before = netverdict(&folder, &["check"]);
    assert_eq!(before.status.code(), Some(3), "{}", stdout(&before));
    let fixed = netverdict(&folder, &["check", "--fix"]);
    assert_eq!(fixed.status.code(), Some(0), "{}", stdout(&fixed));
    let text = fs::read_to_string(folder.join("policy.yaml")).unwrap();
    assert_eq!(text, POLICY.replace("port: 80,", "port: \"80\","));
    let files: Vec<_> = fs::read_dir(&folder).unwrap().collect();
    assert_eq!(files.len(), 1);
}

#[test]
fn standard_input_is_not_fixed() {
    use std::io::Write;
    use std::process::Stdio;
    let mut child = Command::new(env!("CARGO_BIN_EXE_netverdict"))
        .args(["check", "--fix", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(POLICY.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("standard input"));
}

#[test]
fn folders_give_what_is_neither_hidden_nor_ignored() {
    let folder = folder("walk");
    for name in [
        "a.yaml",
        "b.yml",
        "c.json",
        "d.txt",
        ".hidden.yaml",
        "ignored.yaml",
    ] {
        fs::write(folder.join(name), pod(&name.replace('.', "-"))).unwrap();
    }
    fs::write(folder.join(".gitignore"), "ignored.yaml\n").unwrap();
    fs::create_dir(folder.join("sub")).unwrap();
    fs::write(folder.join("sub/e.yaml"), pod("e")).unwrap();
    let files = |arguments: &[&str]| -> Vec<String> {
        let output = netverdict(&folder, arguments);
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let documents = json["documents"].as_array().unwrap().iter();
        documents
            .map(|d| d["file"].as_str().unwrap().to_owned())
            .collect()
    };
    let check = ["check", "-o", "json"];
    let with = |paths: &[&str]| files(&[&check[..], paths].concat());
    assert_eq!(with(&[]), ["a.yaml", "b.yml", "c.json", "sub/e.yaml"]);
    assert_eq!(with(&["**/*.yaml"]), ["a.yaml", "sub/e.yaml"]);
    assert_eq!(with(&["*.y*ml"]), ["a.yaml", "b.yml"]);
    assert_eq!(with(&["d.txt", "ignored.yaml"]), ["d.txt", "ignored.yaml"]);
    assert_eq!(
        with(&["sub", ".", "sub/e.yaml"]),
        ["sub/e.yaml", "a.yaml", "b.yml", "c.json"]
    );
}

#[test]
fn identities_keep_their_numbers_in_a_state_file() {
    let folder = folder("state");
    let identities = || -> Vec<(u64, String)> {
        let output = netverdict(&folder, &["identities", "-o", "json", "--state", "numbers"]);
        assert!(output.status.success(), "{output:?}");
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let one = |i: &serde_json::Value| {
            let who = i["endpoints"][0].as_str().unwrap().to_owned();
            (i["id"].as_u64().unwrap(), who)
        };
        json.as_array().unwrap().iter().map(one).collect()
    };
    fs::write(folder.join("m.yaml"), pod("m")).unwrap();
    let first = identities();
    assert_eq!(first.len(), 1);
    // Sorts before the other and would get its number.
    fs::write(folder.join("b.yaml"), pod("b")).unwrap();
    let second = identities();
    assert_eq!(second.len(), 2);
    assert_eq!(second.iter().find(|i| i.1 == "a/m"), first.first());
    assert_eq!(identities(), second);
    fs::write(folder.join("numbers"), "nonsense").unwrap();
    let output = netverdict(&folder, &["identities", "--state", "numbers"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(fs::read(folder.join("numbers")).unwrap(), b"nonsense");
}

#[test]
fn options_come_from_a_file_and_flags_count_more() {
    let folder = folder("config");
    fs::write(
        folder.join("pods.yaml"),
        format!("{}---\n{}", pod("front"), pod("back")),
    )
    .unwrap();
    let plain = "enable-policy: always\npolicy-cidr-match-mode: [nodes]\n";
    fs::write(folder.join("plain.conf"), plain).unwrap();
    let map =
        "apiVersion: v1\nkind: ConfigMap\ndata: {enable-policy: always, tunnel-protocol: vxlan}\n";
    fs::write(folder.join("map.conf"), map).unwrap();
    fs::write(folder.join("typo.conf"), "enable-polcy: always\n").unwrap();
    let verdict = |more: &[&str]| {
        let question = [
            "verdict", "--from", "a/front", "--to", "a/back", "--port", "80",
        ];
        netverdict(&folder, &[&question[..], more].concat())
    };
    assert_eq!(verdict(&[]).status.code(), Some(0));
    assert_eq!(verdict(&["--config", "plain.conf"]).status.code(), Some(2));
    assert_eq!(verdict(&["--config", "map.conf"]).status.code(), Some(2));
    let over = ["--config", "map.conf", "--enable-policy=never"];
    assert_eq!(verdict(&over).status.code(), Some(0));
    let typo = verdict(&["--config", "typo.conf"]);
    assert_eq!(typo.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&typo.stderr).contains("did you mean `enable-policy`?"));
}

#[test]
fn every_shell_gets_its_completions() {
    let folder = folder("completions");
    for shell in ["bash", "zsh", "fish"] {
        let output = netverdict(&folder, &["completions", shell]);
        assert!(output.status.success());
        let script = stdout(&output);
        assert!(
            script.contains("explain") && script.contains("enable-policy"),
            "{shell}"
        );
    }
}

#[test]
fn colour_is_only_there_when_asked_for() {
    let folder = folder("color");
    fs::write(folder.join("policy.yaml"), POLICY).unwrap();
    let plain = stdout(&netverdict(&folder, &["check"]));
    assert!(!plain.contains('\u{1b}'));
    let coloured = stdout(&netverdict(&folder, &["check", "--color=always"]));
    assert!(coloured.contains('\u{1b}'));
}

#[test]
fn input_that_is_no_text_is_told_and_hides_nothing() {
    let folder = folder("bytes");
    fs::write(folder.join("a.yaml"), b"kind: \xff\n").unwrap();
    fs::write(folder.join("b.yaml"), pod("b")).unwrap();
    let output = netverdict(&folder, &["check"]);
    assert_eq!(output.status.code(), Some(3));
    let text = stdout(&output);
    assert!(
        text.contains("byte 0xff is not UTF-8") && text.contains("1 accepted"),
        "{text}"
    );
}

#[test]
fn a_map_that_is_too_full_is_told() {
    use std::fmt::Write;
    let folder = folder("overflow");
    let mut text = pod("web")
        + "---\napiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: p, namespace: a}\nspec:\n  endpointSelector: {}\n  ingress:\n  - fromCIDR:\n";
    for i in 0..150 {
        writeln!(text, "    - 10.0.{i}.0/24").unwrap();
    }
    text.push_str("    toPorts:\n");
    for part in 0..3 {
        text.push_str("    - ports:\n");
        for i in 0..38 {
            let port = 1000 + 2 * (part * 38 + i);
            writeln!(text, "      - {{port: \"{port}\", protocol: TCP}}").unwrap();
        }
    }
    fs::write(folder.join("all.yaml"), text).unwrap();
    let said = |arguments: &[&str]| {
        let output = netverdict(
            &folder,
            &[&["map", "a/web", "-o", "hex"], arguments].concat(),
        );
        assert_eq!(output.status.code(), Some(0));
        let entries = stdout(&output).lines().count();
        assert!(entries > 16_384, "{entries}");
        let said = String::from_utf8(output.stderr).unwrap();
        said.replace(&entries.to_string(), "N")
    };
    assert_eq!(
        said(&[]),
        "error: N entries of at most 16384 (`bpf-policy-map-max`): Cilium cannot write them all, \
         and drops what the missing ones allow\n"
    );
    assert_eq!(
        said(&["--bpf-policy-map-max", "18000"]),
        "warning: N entries of at most 18000 (`bpf-policy-map-max`): over nine tenths\n"
    );
    assert_eq!(said(&["--bpf-policy-map-max", "65536"]), "");
}

#[test]
fn a_forecast_of_a_map_that_overflows_is_a_finding() {
    let folder = folder("forecast");
    let mut pods = String::new();
    for i in 0..30 {
        pods += &format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: client-{i}, namespace: a, \
             labels: {{app: client, revision: r{i}}}}}\n"
        );
    }
    fs::write(folder.join("pods.yaml"), pods + "---\n" + &pod("web")).unwrap();
    let ports: Vec<String> = (0..20)
        .map(|i| format!("{{port: \"{}\", protocol: TCP}}", 9000 + 2 * i))
        .collect();
    let policy = POLICY.replace(
        "      - {port: 80, protocol: TCP}",
        &format!("        [{}]", ports.join(", ")),
    );
    fs::write(folder.join("policy.yaml"), policy).unwrap();
    // 30 identities and 20 ports, of one policy and for one selector.
    let full = ["forecast", "--bpf-policy-map-max", "512"];
    let found = netverdict(&folder, &full);
    let text = stdout(&found);
    assert_eq!(found.status.code(), Some(3), "{text}");
    assert!(text.contains("600 by CiliumNetworkPolicy/a/web"), "{text}");
    assert!(text.contains("600 for app=client"), "{text}");
    assert!(text.contains("k8s:revision "), "{text}");
    let roomy = netverdict(&folder, &["forecast", "-o", "json", "--pods", "31"]);
    assert_eq!(roomy.status.code(), Some(0));
    let json: serde_json::Value = serde_json::from_str(&stdout(&roomy)).unwrap();
    assert_eq!(
        (&json["mapSize"], &json["mapSizeMost"]),
        (&16_384.into(), &65_536.into())
    );
    let map = &json["maps"][0];
    assert_eq!(map["endpoints"], serde_json::json!(["a/web"]));
    let (now, later) = (
        map["entries"].as_u64().unwrap(),
        map["entriesWithMorePods"].as_u64().unwrap(),
    );
    assert!(now > 600 && later == now + 600, "{now} {later}");
    // No number of pods breaks it.
    let most = netverdict(&folder, &["forecast", "--pods", "18446744073709551615"]);
    assert_eq!(most.status.code(), Some(0), "{}", stdout(&most));
}
