//! Tests that ask the running kernel.
//!
//! In: a kernel that lets us load BPF programs, and the objects that `cargo
//! xtask bpf` builds. Out: a line for each test, as `cargo test` prints them.
//! Where bpf(2) is refused all count as skipped, loudly, unless
//! `NETVERDICT_REQUIRE_KERNEL` is 1: then they fail.
#![cfg(target_os = "linux")]

mod batch;
mod bench;
mod conformance;
mod fault;
mod follow;
mod lab;
mod packets;
mod traffic;
mod visible;

use std::process::{Command, ExitCode};

/// What a test says when it is done.
type Outcome = Result<String, Box<dyn std::error::Error>>;

/// A test and its name.
type Test = (&'static str, fn() -> Outcome);

const TESTS: &[Test] = &[
    ("conformance", conformance::agreement),
    ("planted faults", fault::all_are_found),
    ("tables that follow a cluster", follow::tables),
    ("policy maps that follow a cluster", follow::policy_maps),
    ("refusals", follow::refusals),
    ("packets", packets::verdicts),
    ("packets: swaps under traffic", packets::swaps),
    ("packets: a table that outgrows its map", packets::grows),
    ("bookinfo for real", packets::bookinfo),
];

/// Why nothing can be tested here.
fn refused() -> Option<String> {
    if let Err(error) = netverdict_datapath::probe() {
        return Some(error.to_string());
    }
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let built = Command::new(cargo).args(["xtask", "bpf"]).output();
    match built {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Some(format!("cargo xtask bpf: {error}")),
    }
}

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    let required = std::env::var("NETVERDICT_REQUIRE_KERNEL").is_ok_and(|v| v == "1");
    let refused = refused();
    let [mut passed, mut failed, mut ignored] = [0; 3];
    // Only when asked for by name: it takes a quiet machine.
    let bench: &[Test] = &[("bench", bench::run)];
    let bench = if wanted.iter().any(|w| w == "bench") {
        bench
    } else {
        &[]
    };
    for (name, test) in TESTS.iter().chain(bench) {
        if !wanted.is_empty() && !wanted.iter().any(|w| name.contains(w.as_str())) {
            continue;
        }
        if let Some(why) = &refused {
            if required {
                failed += 1;
                println!("test {name} ... FAILED\n{why}");
            } else {
                ignored += 1;
                println!("test {name} ... ignored, SKIPPED: no kernel to test: {why}");
            }
            continue;
        }
        match test() {
            Ok(note) => {
                passed += 1;
                println!("test {name} ... ok, {note}");
            }
            Err(error) => {
                failed += 1;
                println!("test {name} ... FAILED\n{error}");
            }
        }
    }
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "test result: {word}. {passed} passed; {failed} failed; {ignored} ignored; 0 measured; 0 filtered out"
    );
    ExitCode::from(u8::from(failed != 0))
}
