//! `cargo xtask packages`: the crates as strangers get them.
//!
//! In: the workspace and `samples/rust`. Out: each crate packed, unpacked
//! elsewhere and used by programs of another workspace; each set of features
//! built by itself; a reader without a standard library; the oldest compiler.

use crate::install::target_folder;
use crate::job::{self, Job, Tally, cargo, command, copy_folder, root, skip};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The crates that are for others, in the order in which they build on each
/// other.
pub(crate) const CRATES: [&str; 6] = [
    "netverdict-table",
    "netverdict",
    "netverdict-analysis",
    "netverdict-datapath",
    "netverdict-ffi",
    "netverdict-cli",
];

/// Sets of features that somebody may ask for, by what they want.
const FEATURES: [(&str, &str, &[&str]); 8] = [
    ("lookup only", "netverdict-table", &[]),
    (
        "a table that changes",
        "netverdict-table",
        &["--features=publish"],
    ),
    (
        "compile without YAML",
        "netverdict",
        &["--no-default-features"],
    ),
    ("everything", "netverdict", &[]),
    ("questions", "netverdict-analysis", &[]),
    (
        "views of tables in C",
        "netverdict-ffi",
        &["--no-default-features"],
    ),
    ("the engine in C", "netverdict-ffi", &[]),
    (
        "commands without a kernel",
        "netverdict-cli",
        &["--no-default-features"],
    ),
];

/// A target without an operating system.
const BARE_TARGET: &str = "thumbv7em-none-eabi";

/// Runs the job. True when nothing failed.
pub(crate) fn run() -> Result<bool, String> {
    let mut job = Job::default();
    steps(&mut job);
    Ok(job.finish())
}

/// The steps of the job.
pub(crate) fn steps(job: &mut Job) {
    job.step("crates: packed", || pack().map(|_| Tally::ONE));
    job.step("crates: used by strangers", strangers);
    job.step("crates: no standard library", bare);
    job.step("crates: each set of features", features);
    job.step("crates: the oldest compiler", oldest);
}

/// Where strangers work.
fn folder() -> PathBuf {
    target_folder().join("strangers")
}

/// Packs every crate as for a registry; returns the archives.
pub(crate) fn pack() -> Result<Vec<PathBuf>, String> {
    let mut package = cargo(&["package", "--quiet", "--no-verify", "--allow-dirty"]);
    for name in CRATES {
        package.args(["--package", name]);
    }
    job::run(&mut package)?;
    let version = env!("CARGO_PKG_VERSION");
    let made = target_folder().join("package");
    let files = CRATES.map(|name| made.join(format!("{name}-{version}.crate")));
    for file in &files {
        if !file.exists() {
            return Err(format!("{}: not made", file.display()));
        }
    }
    Ok(files.into())
}

/// Unpacks the archives afresh; returns where they are.
fn unpacked() -> Result<PathBuf, String> {
    let to = folder().join("crates");
    let _ = fs::remove_dir_all(&to);
    fs::create_dir_all(&to).map_err(|e| format!("{}: {e}", to.display()))?;
    for name in CRATES {
        let version = env!("CARGO_PKG_VERSION");
        let archive = target_folder().join(format!("package/{name}-{version}.crate"));
        let mut tar = Command::new("tar");
        job::run(tar.arg("xzf").arg(&archive).arg("-C").arg(&to))?;
        fs::rename(to.join(format!("{name}-{version}")), to.join(name))
            .map_err(|e| format!("{name}: {e}"))?;
    }
    Ok(to)
}

/// What puts the unpacked crates in the place of a registry's.
fn patch(crates: &Path) -> String {
    CRATES
        .iter()
        .fold(String::from("\n[patch.crates-io]\n"), |mut text, name| {
            let path = crates.join(name);
            text.push_str(&format!(
                "{name} = {{ path = {:?} }}\n",
                path.display().to_string()
            ));
            text
        })
}

/// Copies a sample beside its data, against the unpacked crates.
fn sample(name: &str, crates: &Path) -> Result<PathBuf, String> {
    let (from, to) = (root().join("samples/rust").join(name), folder().join(name));
    let _ = fs::remove_dir_all(&to);
    copy_folder(&from, &to)?;
    for data in ["shop.yaml", "shop.json"] {
        fs::copy(root().join("samples").join(data), to.join(data))
            .map_err(|e| format!("{data}: {e}"))?;
    }
    let manifest = to.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).map_err(|e| e.to_string())? + &patch(crates);
    fs::write(&manifest, text).map_err(|e| e.to_string())?;
    // The versions that everything else is tested with.
    fs::copy(root().join("Cargo.lock"), to.join("Cargo.lock")).map_err(|e| e.to_string())?;
    Ok(to)
}

/// `cargo` of a stranger, in `at`. Their workspace is another one; what does
/// not differ in theirs, such as most dependencies, is built only once.
fn their_cargo(at: &Path, arguments: &[&str]) -> Command {
    let mut command = cargo(arguments);
    command.current_dir(at);
    command.env("CARGO_TARGET_DIR", target_folder());
    command.env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only");
    command
}

/// What a command printed.
pub(crate) fn printed(command: &mut Command) -> Result<String, String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("cannot start {command:?}: {e}"))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|e| e.to_string())
}

/// Compares with the answer that every sample gives, in whichever language.
pub(crate) fn expect_answer(said: &str) -> Result<Tally, String> {
    let wanted =
        fs::read_to_string(root().join("samples/answer.txt")).map_err(|e| e.to_string())?;
    // Rust says that a flow is `allowed`, JSON has the verdict `allow`.
    let said = said.replace(": allowed\n", ": allow\n");
    if said == wanted {
        return Ok(Tally::ONE);
    }
    Err(format!("the answer is\n{said}instead of\n{wanted}"))
}

fn strangers() -> Result<Tally, String> {
    let crates = unpacked()?;
    let mut tally = Tally::default();
    for name in ["everything", "json"] {
        let at = sample(name, &crates)?;
        println!("{name}");
        tally += expect_answer(&printed(&mut their_cargo(&at, &["run", "--quiet"]))?)?;
    }
    // The table that the first of them wrote, read without the engine.
    let at = sample("lookup", &crates)?;
    let table = folder().join("everything/shop.nvt");
    let mut run = their_cargo(&at, &["run", "--quiet", "--"]);
    run.arg(table).args(identities()?);
    println!("lookup");
    tally += expect_answer(&printed(&mut run)?)?;
    // What no sample uses is complete, too.
    for name in ["netverdict-analysis", "netverdict-ffi", "netverdict-cli"] {
        let at = crates.join(name);
        let manifest = at.join("Cargo.toml");
        let text = fs::read_to_string(&manifest).map_err(|e| e.to_string())?;
        let text = format!("{text}\n[workspace]\n{}", patch(&crates));
        fs::write(&manifest, text).map_err(|e| e.to_string())?;
        fs::copy(root().join("Cargo.lock"), at.join("Cargo.lock")).map_err(|e| e.to_string())?;
        println!("{name}");
        tally += job::run(&mut their_cargo(&at, &["check", "--quiet"]))?;
    }
    Ok(tally)
}

/// Identities of the shop's database, api and web: what the command says of
/// them.
pub(crate) fn identities() -> Result<[String; 3], String> {
    let mut ask = cargo(&[
        "run",
        "--quiet",
        "--package=netverdict-cli",
        "--bin=netverdict",
        "--",
    ]);
    ask.args(["identities", "-o", "json", "-f", "samples/shop.yaml"]);
    let said = printed(&mut ask)?;
    identities_in(&said)
}

/// The same from what `netverdict identities -o json` printed.
pub(crate) fn identities_in(said: &str) -> Result<[String; 3], String> {
    let value: serde_json::Value =
        serde_json::from_str(said).map_err(|e| format!("identities: {e}"))?;
    let found = |app: &str| {
        let wanted = format!("k8s:app={app}");
        let list = value
            .as_array()
            .or_else(|| value["identities"].as_array())?;
        let one = list.iter().find(|i| {
            let labels = i["labels"].as_array();
            labels.is_some_and(|l| l.iter().any(|l| *l == *wanted))
        })?;
        Some(one["id"].as_u64()?.to_string())
    };
    match (found("db"), found("api"), found("web")) {
        (Some(db), Some(api), Some(web)) => Ok([db, api, web]),
        _ => Err(format!("identities of the shop are missing in {said}")),
    }
}

/// A consumer without a standard library, built for a machine that has none.
fn bare() -> Result<Tally, String> {
    let crates = unpacked()?;
    let at = sample("bare", &crates)?;
    let installed = printed(&mut command(
        "rustc",
        &["--print=target-libdir", "--target", BARE_TARGET],
    ));
    let there = installed.is_ok_and(|path| Path::new(path.trim()).exists());
    if there {
        return job::run(&mut their_cargo(
            &at,
            &["build", "--quiet", "--target", BARE_TARGET],
        ));
    }
    println!(
        "{BARE_TARGET} is not installed (rustup target add {BARE_TARGET}): `#![no_std]` for this machine instead"
    );
    let mut tally = job::run(&mut their_cargo(&at, &["build", "--quiet"]))?;
    tally.skipped += 1;
    Ok(tally)
}

fn features() -> Result<Tally, String> {
    let mut tally = Tally::default();
    for (want, name, features) in FEATURES {
        println!("{want}: {name} {}", features.join(" "));
        let mut check = cargo(&["clippy", "--quiet", "--package", name]);
        tally += job::run(check.args(features).args(["--", "-D", "warnings"]))?;
    }
    Ok(tally)
}

/// The compiler that `rust-version` names builds every crate that is for others.
fn oldest() -> Result<Tally, String> {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).map_err(|e| e.to_string())?;
    let version = manifest
        .lines()
        .find_map(|l| l.strip_prefix("rust-version = \"")?.strip_suffix('"'))
        .ok_or("Cargo.toml: no rust-version")?;
    let toolchain = format!("+{version}.0");
    let mut probe = command("cargo", &[&toolchain, "--version"]);
    probe.env_remove("RUSTUP_TOOLCHAIN").stderr(Stdio::null());
    if !probe.output().is_ok_and(|o| o.status.success()) {
        return Ok(skip(&format!(
            "rustup toolchain install {version}.0 --profile minimal"
        )));
    }
    let mut check = command("cargo", &[&toolchain, "check", "--quiet"]);
    // `cargo run` has set these for this program.
    for name in ["RUSTUP_TOOLCHAIN", "RUSTC", "RUSTDOC", "CARGO"] {
        check.env_remove(name);
    }
    for name in CRATES {
        check.args(["--package", name]);
    }
    check.env("CARGO_TARGET_DIR", target_folder().join("oldest"));
    job::run(&mut check)
}
