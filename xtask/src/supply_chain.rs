//! `cargo xtask supply-chain`: what others' code is part of netverdict.
//!
//! In: Cargo.lock and deny.toml, the lock files of npm and Go, the requirements of
//! Python. Out: licences, bans and sources by cargo-deny and by the lock files; known
//! vulnerabilities where their lists can be reached. What cannot be had is named, and
//! counted as skipped.

use crate::bindings;
use crate::ffi::there;
use crate::job::{self, Job, Tally, command, root, skip};
use crate::locks;
use crate::packages::printed;
use crate::tool::Tool;
use std::path::PathBuf;
use std::process::Command;

/// The version of cargo-deny: its findings are to be the same everywhere.
const CARGO_DENY: Tool = Tool {
    name: "cargo-deny",
    version: "0.20.2",
    default_features: true,
};

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
    job.step("supply chain: npm, lock files", npm_locks);
    job.step("supply chain: npm, advisories", npm);
    job.step("supply chain: Python", python);
    job.step("supply chain: Python, advisories", python_advisories);
    job.step("supply chain: Go", go);
}

fn licences() -> Result<Tally, String> {
    let Some(program) = CARGO_DENY.get() else {
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
    let Some(program) = CARGO_DENY.get() else {
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

/// A file without complaints passes, another fails with all of them.
fn judged(file: &str, wrong: &[String]) -> Tally {
    println!(
        "{file}: {}",
        if wrong.is_empty() {
            "as it should be"
        } else {
            "wrong"
        }
    );
    for complaint in wrong {
        println!("  {complaint}");
    }
    Tally {
        passed: u64::from(wrong.is_empty()),
        failed: u64::from(!wrong.is_empty()),
        skipped: 0,
    }
}

/// Versions, sums, registries and licences of npm's lock files.
fn npm_locks() -> Result<Tally, String> {
    let mut tally = Tally::default();
    for (file, wrong) in locks::npm()? {
        tally += judged(&file, &wrong);
    }
    Ok(tally)
}

/// What an environment of Python has: name, version, licence.
const INSTALLED: &str = "\
import importlib.metadata as m
for d in m.distributions():
    said = d.metadata
    print(said['Name'], d.version, said['License-Expression'] or said['License'], sep='\\t')
";

/// Versions, sums and licences of what Python's package is built with.
fn python() -> Result<Tally, String> {
    let mut tally = judged(locks::REQUIREMENTS, &locks::python()?);
    // pip compares the sums of what it installs.
    let Some(maturin) = bindings::maturin()? else {
        tally += skip("no Python 3.11 or later with venv, or its tools cannot be installed");
        return Ok(tally);
    };
    let mut ask = Command::new(maturin.with_file_name("python"));
    let installed = printed(ask.args(["-c", INSTALLED]))?;
    let requirements = locks::requirements()?;
    tally += judged(
        "what is installed",
        &locks::wrong_installed(&requirements, &installed)?,
    );
    Ok(tally)
}

/// Vulnerabilities that Python's registry knows of a version; status 3 when it
/// does not answer.
const KNOWN: &str = "\
import json, sys, urllib.request
try:
    with urllib.request.urlopen(f'https://pypi.org/pypi/{sys.argv[1]}/{sys.argv[2]}/json', timeout=30) as answer:
        known = json.load(answer)['vulnerabilities']
except (OSError, ValueError, KeyError):
    sys.exit(3)
for one in known:
    print(one['id'], one.get('summary') or '')
sys.exit(bool(known))
";

fn python_advisories() -> Result<Tally, String> {
    let mut tally = Tally::default();
    for (name, version, _) in locks::required(&locks::requirements()?) {
        let mut ask = Command::new("python3");
        let status = ask.args(["-c", KNOWN, &name, &version]).status();
        match status.ok().and_then(|s| s.code()) {
            Some(0) => tally.passed += 1,
            Some(1) => tally.failed += 1,
            _ => {
                tally += skip(&format!(
                    "what is known of {name} {version} cannot be reached"
                ));
            }
        }
    }
    Ok(tally)
}

/// Packages of npm with a lock file: known vulnerabilities of what is shipped.
fn npm() -> Result<Tally, String> {
    if !there("npm") {
        return Ok(skip("no npm"));
    }
    let listed = printed(&mut command("git", &["ls-files", "*package-lock.json"]))?;
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
