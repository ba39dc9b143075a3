//! A cluster of 20,000 policies and 60,000 identities, from files to verdicts.
//!
//! In: nothing. Out: time and peak memory of the release build answering one
//! question and compiling a table, as budgets name them.

use crate::job::{cargo, root, run};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

const NAMESPACES: usize = 200;
const POLICIES: usize = 20_000;
const IDENTITIES: usize = 60_000;
/// Apps of a namespace; an identity is an app with a revision.
const APPS: usize = 50;

/// Writes the cluster's files; returns how many bytes they have.
fn generate(dir: &Path) -> Result<u64, String> {
    let mut bytes = 0;
    let mut put = |name: String, text: &str| {
        bytes += text.len() as u64;
        let path = dir.join(name);
        std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))
    };
    for ns in 0..NAMESPACES {
        put(format!("ns-{ns:03}-policies.yaml"), &policies(ns))?;
        put(format!("ns-{ns:03}-identities.yaml"), &identities(ns))?;
        put(format!("ns-{ns:03}-pods.yaml"), &pods(ns))?;
    }
    Ok(bytes)
}

fn policies(ns: usize) -> String {
    let mut text = String::new();
    let count = POLICIES / NAMESPACES;
    for p in 0..count {
        let (subject, peer) = (p % APPS, (p * 7 + ns) % APPS);
        let port = [80, 443, 5432, 6379, 8080, 9090][p % 6];
        let _ = write!(
            text,
            "---\napiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata:\n  name: allow-{p}\n  \
             namespace: ns-{ns}\nspec:\n  endpointSelector:\n    matchLabels:\n      app: app-{subject}\n"
        );
        let member = match p % 5 {
            0..=2 => format!(
                "  ingress:\n  - fromEndpoints:\n    - matchLabels:\n        app: app-{peer}\n    toPorts:\n    \
                 - ports:\n      - port: \"{port}\"\n        protocol: TCP\n"
            ),
            3 => format!(
                "  egress:\n  - toEndpoints:\n    - matchLabels:\n        app: app-{peer}\n        \
                 k8s:io.kubernetes.pod.namespace: ns-{}\n    toPorts:\n    - ports:\n      - port: \"{port}\"\n        protocol: TCP\n",
                (ns + p) % NAMESPACES
            ),
            _ => format!(
                "  egress:\n  - toCIDRSet:\n    - cidr: 10.{ns}.0.0/16\n      except:\n      - 10.{ns}.{}.0/24\n",
                p % 250
            ),
        };
        text.push_str(&member);
    }
    text
}

fn identities(ns: usize) -> String {
    let mut text = String::new();
    let count = IDENTITIES / NAMESPACES;
    for i in 0..count {
        let number = 1000 + ns * count + i;
        let (app, revision) = (i % APPS, i / APPS);
        let _ = write!(
            text,
            "---\napiVersion: cilium.io/v2\nkind: CiliumIdentity\nmetadata:\n  name: \"{number}\"\n  labels:\n    \
             io.kubernetes.pod.namespace: ns-{ns}\nsecurity-labels:\n  k8s:app: app-{app}\n  k8s:pod-template-hash: r{revision}\n  \
             k8s:tier: tier-{}\n  k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name: ns-{ns}\n  \
             k8s:io.cilium.k8s.policy.cluster: default\n  k8s:io.cilium.k8s.policy.serviceaccount: default\n  \
             k8s:io.kubernetes.pod.namespace: ns-{ns}\n",
            app % 3
        );
    }
    text
}

/// A pod of each of two apps, so that there is somebody to ask about.
fn pods(ns: usize) -> String {
    let mut text = format!("---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: ns-{ns}}}\n");
    for app in 0..2 {
        let _ = write!(
            text,
            "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: app-{app}\n  namespace: ns-{ns}\n  \
             labels: {{app: app-{app}, tier: tier-{app}}}\nspec: {{containers: [{{name: c, image: i}}]}}\n\
             status: {{podIP: 10.{ns}.{app}.1}}\n"
        );
    }
    text
}

/// Runs a command to its end: seconds, and peak memory in MiB where the system
/// tells.
fn measure(program: &Path, arguments: &[&str]) -> Result<(f64, Option<u64>), String> {
    let start = Instant::now();
    let time = Path::new("/usr/bin/time");
    let mut command = if time.exists() {
        let mut c = Command::new(time);
        c.args(["-f", "peak %M"]).arg(program);
        c
    } else {
        Command::new(program)
    };
    let output = command
        .args(arguments)
        .output()
        .map_err(|e| format!("{}: {e}", program.display()))?;
    let seconds = start.elapsed().as_secs_f64();
    let errors = String::from_utf8_lossy(&output.stderr);
    let fine = matches!(output.status.code(), Some(0 | 2));
    if !fine {
        return Err(errors.into_owned());
    }
    println!(
        "{}",
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .next()
            .unwrap_or("")
    );
    let peak = errors
        .lines()
        .find_map(|l| l.strip_prefix("peak ")?.parse::<u64>().ok());
    Ok((seconds, peak.map(|kib| kib / 1024)))
}

/// Generates the cluster, then asks and compiles.
pub(crate) fn scale() -> Result<bool, String> {
    run(&mut cargo(&[
        "build",
        "--release",
        "--quiet",
        "--package=netverdict-cli",
    ]))?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let dir = target.join("scale");
    std::fs::create_dir_all(&dir).map_err(|e| e.to_string())?;
    let bytes = generate(&dir)?;
    println!(
        "{POLICIES} policies, {IDENTITIES} identities, {} MiB of YAML",
        bytes >> 20
    );
    let program = target.join("release/netverdict");
    let path = dir.to_string_lossy().into_owned();
    let image = dir.join("policy.nvt").to_string_lossy().into_owned();
    let question = [
        "verdict",
        "-f",
        &path,
        "--from",
        "ns-7/app-1",
        "--to",
        "ns-7/app-0",
        "--port",
        "80/TCP",
    ];
    let compile = ["compile", "-f", &path, "-o", &image];
    for (name, arguments) in [("a verdict", &question[..]), ("a table", &compile[..])] {
        let (seconds, peak) = measure(&program, arguments)?;
        let peak = peak.map_or_else(|| "unknown".to_owned(), |mib| format!("{mib} MiB"));
        println!("{name}: {seconds:.1} s, peak memory {peak}");
    }
    Ok(true)
}
