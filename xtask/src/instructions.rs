//! Instructions per lookup: what a busy machine does not change.
//!
//! In: `table/examples/lookups.rs` and `table/tests/c/lookups.c`, and Valgrind.
//! Out: how many instructions each way of asking takes, against the most that
//! it may, and in C against Rust. Each program runs twice, once with twice as many rounds: the
//! difference is the lookups and nothing else, and the same in every run with
//! one compiler. Skipped, and counted as such, without Valgrind or a C compiler,
//! and on processors for which no bounds are recorded.

use crate::job::{Tally, cargo, command, root, run as run_command};
use netverdict::scenario::{Scenario, ScenarioEndpoint, ScenarioIdentity};
use serde_json::json;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A way to ask, the questions, and the most instructions it may take for one:
/// those measured with Rust 1.95 and GCC 12, and a tenth more.
struct Way {
    language: Language,
    way: &'static str,
    questions: &'static str,
    most: f64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Language {
    Rust,
    C,
}

const fn way(language: Language, way: &'static str, questions: &'static str, most: f64) -> Way {
    Way {
        language,
        way,
        questions,
        most,
    }
}

use Language::{C, Rust};

/// `local`: identities of the cluster, through a directory. `prefixes`: through
/// roots.
const WAYS: [Way; 13] = [
    way(Rust, "policy", "local", 47.0),
    way(Rust, "policy", "prefixes", 67.0),
    way(Rust, "policy-batch", "local", 51.0),
    way(Rust, "table", "local", 125.0),
    way(Rust, "table", "prefixes", 145.0),
    way(Rust, "table-batch", "local", 121.0),
    way(Rust, "live-policy", "local", 130.0),
    way(Rust, "live-table", "local", 253.0),
    way(Rust, "live-table", "prefixes", 294.0),
    way(C, "policy", "local", 53.0),
    way(C, "policy", "prefixes", 77.0),
    way(C, "table", "local", 123.0),
    way(C, "table", "prefixes", 147.0),
];

/// What C may take of the instructions that Rust takes for the same lookup.
const MOST_OF_RUST: f64 = 1.15;

/// Rounds over all questions; the second run has twice as many.
const TIMES: u32 = 20;
const QUESTIONS: u32 = 1024;
const PODS: u32 = 300;
const FIRST_POD: u32 = 1024;
const PREFIXES: u32 = 40;
const FIRST_PREFIX: u32 = 1 << 24 | 1;
const PORTS: [u16; 6] = [80, 443, 8080, 5432, 9090, 31_337];

/// What each way took.
pub(crate) struct Count {
    pub(crate) name: String,
    pub(crate) instructions: f64,
    most: f64,
}

/// Counts, and compares with the bounds.
pub(crate) fn check() -> Result<Tally, String> {
    let counts = match count()? {
        Ok(counts) => counts,
        Err(why) => {
            println!("skipped: {why}");
            return Ok(Tally {
                skipped: WAYS.len() as u64,
                ..Tally::default()
            });
        }
    };
    let mut tally = Tally::default();
    for Count {
        name,
        instructions,
        most,
    } in &counts
    {
        let over = instructions > most;
        let verdict = if over { "TOO MANY" } else { "fine" };
        println!("{name:<32}{instructions:>8.1}, at most {most:>6.1}: {verdict}");
        tally += Tally {
            passed: u64::from(!over),
            failed: u64::from(over),
            skipped: 0,
        };
    }
    for way in WAYS.iter().filter(|w| w.language == C) {
        let of = |language: Language| {
            let name = name(language, way.way, way.questions);
            counts.iter().find(|c| c.name == name)
        };
        let (Some(c), Some(rust)) = (of(C), of(Rust)) else {
            continue;
        };
        let more = c.instructions / rust.instructions;
        let over = more > MOST_OF_RUST;
        let verdict = if over { "TOO MANY" } else { "fine" };
        println!(
            "{:<32}{:>7.1} %, at most {:.1} %: {verdict}",
            format!("{} beside Rust", c.name),
            100.0 * more,
            100.0 * MOST_OF_RUST
        );
        tally += Tally {
            passed: u64::from(!over),
            failed: u64::from(over),
            skipped: 0,
        };
    }
    Ok(tally)
}

/// What a way is called.
fn name(language: Language, way: &str, questions: &str) -> String {
    let before = if language == Rust { "" } else { "C: " };
    format!("{before}{way}, {questions}")
}

/// The counts as lines of a table in Markdown; why not, where they cannot be
/// had.
pub(crate) fn page() -> Result<String, String> {
    let counts = match count()? {
        Ok(counts) => counts,
        Err(why) => return Ok(format!("Not counted: {why}.\n")),
    };
    let mut text = String::from("| asked | instructions |\n|---|--:|\n");
    for c in counts {
        let _ = writeln!(text, "| {} | {:.1} |", c.name, c.instructions);
    }
    Ok(text)
}

/// Counts every way; the inner error is why nothing can be counted here.
pub(crate) fn count() -> Result<Result<Vec<Count>, String>, String> {
    if std::env::consts::ARCH != "x86_64" {
        let why = format!("no bounds are recorded for {}", std::env::consts::ARCH);
        return Ok(Err(why));
    }
    if !works("valgrind") {
        return Ok(Err("no valgrind".into()));
    }
    if !works("cc") {
        return Ok(Err("no C compiler".into()));
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root().join("target"), PathBuf::from);
    let out = target.join("instructions");
    std::fs::create_dir_all(&out).map_err(|e| format!("{}: {e}", out.display()))?;
    let (rust, c) = build(&target, &out)?;
    let image = out.join("table.nvt");
    write(&image, &table()?)?;
    write(&out.join("local"), &questions(FIRST_POD, PODS, 0))?;
    write(&out.join("prefixes"), &questions(FIRST_PREFIX, PREFIXES, 1))?;
    let mut counts = Vec::new();
    for way in WAYS {
        let program = if way.language == Rust { &rust } else { &c };
        let collected = |times: u32| {
            let mut run = command("valgrind", &["--tool=callgrind"]);
            // What is collected is printed; the file would only say where.
            run.arg("--callgrind-out-file=/dev/null");
            run.arg(program).arg(way.way).arg(&image);
            run.arg(out.join(way.questions)).arg(times.to_string());
            instructions(&mut run)
        };
        let (once, twice) = (collected(TIMES)?, collected(2 * TIMES)?);
        let lookups = f64::from(TIMES * QUESTIONS);
        counts.push(Count {
            name: name(way.language, way.way, way.questions),
            instructions: (twice - once) as f64 / lookups,
            most: way.most,
        });
    }
    Ok(Ok(counts))
}

fn works(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .output()
        .is_ok_and(|o| o.status.success())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    std::fs::write(path, bytes).map_err(|e| format!("{}: {e}", path.display()))
}

/// Builds both programs.
fn build(target: &Path, out: &Path) -> Result<(PathBuf, PathBuf), String> {
    run_command(&mut cargo(&[
        "build",
        "--quiet",
        "--release",
        "--package=netverdict-table",
        "--features=publish",
        "--example=lookups",
    ]))?;
    let c = out.join("lookups-c");
    let mut compile = command("cc", &["-std=c99", "-O2", "-Itable/include"]);
    compile.arg("table/tests/c/lookups.c").arg("-o").arg(&c);
    run_command(&mut compile)?;
    Ok((target.join("release/examples/lookups"), c))
}

/// What callgrind says it collected.
fn instructions(run: &mut Command) -> Result<u64, String> {
    let output = run.output().map_err(|e| format!("valgrind: {e}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("valgrind: {}\n{text}", output.status));
    }
    text.lines()
        .find_map(|l| l.split_once("Collected : ")?.1.trim().parse().ok())
        .ok_or_else(|| format!("valgrind did not say what it collected:\n{text}"))
}

/// A table of one subject, with rules for pods and for prefixes.
fn table() -> Result<Vec<u8>, String> {
    let pod = |i: u32| ScenarioIdentity {
        id: FIRST_POD + i,
        labels: [
            ("k8s:app".to_owned(), format!("app-{}", i % 12)),
            ("k8s:io.kubernetes.pod.namespace".to_owned(), "shop".into()),
        ]
        .into(),
        ..ScenarioIdentity::default()
    };
    let prefix = |i: u32| ScenarioIdentity {
        id: FIRST_PREFIX + i,
        cidr: format!("172.16.{i}.0/24"),
        ..ScenarioIdentity::default()
    };
    let policy = |i: usize, port: u16| {
        let ports = json!([{"ports": [{"port": port.to_string(), "protocol": "TCP"}]}]);
        let app = format!("app-{i}");
        json!({
            "apiVersion": "cilium.io/v2",
            "kind": "CiliumNetworkPolicy",
            "metadata": {"name": app, "namespace": "shop"},
            "spec": {
                "endpointSelector": {"matchLabels": {"app": "app-0"}},
                "ingress": [{
                    "fromEndpoints": [{"matchLabels": {"app": app}}],
                    "toPorts": ports,
                }],
                "egress": [{"toCIDR": [format!("172.16.{i}.0/24")], "toPorts": ports}],
            },
        })
        .to_string()
    };
    let scenario = Scenario {
        policies: PORTS
            .iter()
            .enumerate()
            .map(|(i, p)| policy(i, *p))
            .collect(),
        identities: (0..PODS)
            .map(pod)
            .chain((0..PREFIXES).map(prefix))
            .collect(),
        endpoints: vec![ScenarioEndpoint {
            id: FIRST_POD,
            ..ScenarioEndpoint::default()
        }],
        ..Scenario::default()
    };
    let compiled = scenario.prepare().compile();
    compiled.map_err(|(_, error)| error.to_string())
}

/// Questions of eight bytes: identity, port, protocol, direction.
fn questions(first: u32, count: u32, direction: u8) -> Vec<u8> {
    let of = |i: u32| {
        let identity = first + i.wrapping_mul(0x9e37_79b1) % count;
        let port = match i % 4 {
            0 => i.wrapping_mul(40_503) as u16,
            _ => PORTS[i as usize % PORTS.len()],
        };
        let [i0, i1, i2, i3] = identity.to_le_bytes();
        let [p0, p1] = port.to_le_bytes();
        [i0, i1, i2, i3, p0, p1, 6, direction]
    };
    (0..QUESTIONS).flat_map(of).collect()
}
