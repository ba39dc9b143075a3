//! `cargo xtask supply-chain`: what others' code is part of netverdict.
//!
//! In: Cargo.lock and deny.toml, and the lock files of npm and Go. Out: licences,
//! bans and sources by cargo-deny, known vulnerabilities where their lists can be
//! reached. What cannot be had is named, and counted as skipped.

use crate::ffi::there;
use crate::install::target_folder;
use crate::job::{self, Job, Tally, cargo, command, root};
use std::path::PathBuf;
use std::process::Command;

/// The version of cargo-deny: its findings are to be the same everywhere.
const CARGO_DENY: &str = "0.20.2";

fn skip(why: &str) -> Tally {
    println!("skipped: {why}");
    Tally {
        skipped: 1,
        ..Tally::default()
    }
}

/// Runs the job. True when nothing failed.
pub(crate) fn run() -> Result<bool, String> {
    let mut job = Job::default();
    steps(&mut job);
    Ok(job.finish())
}

/// The steps of the job.
pub(crate) fn steps(job: &mut Job) {
    job.step("supply chain: licences, bans, sources", licences);
    job.step("supply chain: advisories", advisories);
    job.step("supply chain: npm", npm);
    job.step("supply chain: Go", go);
}

/// cargo-deny, installed beside what is built; `None` when it cannot be had.
fn cargo_deny() -> Option<PathBuf> {
    let folder = target_folder().join("tools");
    let program = folder.join("bin/cargo-deny");
    let version = format!("cargo-deny {CARGO_DENY}");
    let has = |p: &PathBuf| {
        let output = Command::new(p).arg("--version").output();
        output.is_ok_and(|o| String::from_utf8_lossy(&o.stdout).trim() == version)
    };
    if has(&program) {
        return Some(program);
    }
    let mut install = cargo(&[
        "install",
        "--quiet",
        "--locked",
        "--debug",
        "--version",
        CARGO_DENY,
    ]);
    install.args(["cargo-deny", "--root"]).arg(&folder);
    install.env("CARGO_PROFILE_DEV_DEBUG", "false");
    install.env("CARGO_TARGET_DIR", folder.join("build"));
    let done = job::run(&mut install).is_ok();
    let _ = std::fs::remove_dir_all(folder.join("build"));
    (done && has(&program)).then_some(program)
}

fn licences() -> Result<Tally, String> {
    let Some(program) = cargo_deny() else {
        return Ok(skip("cargo-deny cannot be installed"));
    };
    let mut deny = Command::new(program);
    deny.current_dir(root());
    job::run(deny.args([
        "--log-level",
        "error",
        "check",
        "licenses",
        "bans",
        "sources",
    ]))
}

fn advisories() -> Result<Tally, String> {
    let Some(program) = cargo_deny() else {
        return Ok(skip("cargo-deny cannot be installed"));
    };
    let mut fetch = Command::new(&program);
    fetch
        .current_dir(root())
        .args(["--log-level", "off", "fetch", "db"]);
    if !fetch.status().is_ok_and(|s| s.success()) {
        return Ok(skip("the list of advisories cannot be reached"));
    }
    let mut deny = Command::new(&program);
    deny.current_dir(root());
    job::run(deny.args(["check", "--disable-fetch", "advisories"]))
}

/// Packages of npm with a lock file: known vulnerabilities of what is shipped.
fn npm() -> Result<Tally, String> {
    if !there("npm") {
        return Ok(skip("no npm"));
    }
    let listed =
        crate::packages::printed(&mut command("git", &["ls-files", "*package-lock.json"]))?;
    let mut tally = Tally::default();
    for lock in listed.lines() {
        let folder = root().join(lock);
        let folder = folder.parent().map(PathBuf::from).unwrap_or_default();
        println!("{lock}");
        let mut audit = Command::new("npm");
        audit.args([
            "audit",
            "--package-lock-only",
            "--omit=dev",
            "--audit-level=moderate",
        ]);
        let output = audit
            .current_dir(folder)
            .output()
            .map_err(|e| format!("npm: {e}"))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let wrong = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            tally.passed += 1;
        } else if wrong.contains("audit endpoint")
            || wrong.contains("ENOTFOUND")
            || wrong.contains("E404")
        {
            tally += skip("npm's registry answers no questions about vulnerabilities");
        } else {
            println!("{said}{wrong}");
            tally.failed += 1;
        }
    }
    if tally == Tally::default() {
        return Ok(skip("no package of npm has dependencies"));
    }
    Ok(tally)
}

/// Go's modules are those that go.sum names.
fn go() -> Result<Tally, String> {
    let mut tally = Tally::default();
    for folder in ["bindings/go", "conformance/cilium"] {
        let mut verify = Command::new("go");
        verify
            .args(["mod", "verify"])
            .current_dir(root().join(folder));
        tally += job::run(&mut verify)?;
    }
    Ok(tally)
}
