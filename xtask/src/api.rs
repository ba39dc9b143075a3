//! `cargo xtask api`: what the crates offer, written down.
//!
//! In: rustdoc's JSON of the crates that others build on. Out: api/CRATE.txt, a
//! line for each public item, or the lines that are gone and those that came.
//! Lines that go break somebody's program.

use crate::install::target_folder;
use crate::job::{self, Tally, cargo, command, root, skip};
use std::fs;
use std::process::{Command, Stdio};

/// Libraries. What C sees of `netverdict-ffi` is its header, too, which has a check
/// of its own.
const LIBRARIES: [&str; 5] = [
    "netverdict-table",
    "netverdict",
    "netverdict-analysis",
    "netverdict-datapath",
    "netverdict-ffi",
];

/// The reader does not know what this compiler writes.
const OTHER_FORMAT: i32 = 3;

/// Compares, or with `bless` writes.
pub(crate) fn run(bless: bool) -> Result<Tally, String> {
    let mut nightly = command("cargo", &["+nightly", "--version"]);
    nightly.env_remove("RUSTUP_TOOLCHAIN").stderr(Stdio::null());
    if !nightly.output().is_ok_and(|o| o.status.success()) {
        return Ok(skip("rustdoc writes JSON with a nightly compiler only"));
    }
    let tools = target_folder().join("public-api");
    let mut build = cargo(&[
        "build",
        "--quiet",
        "--locked",
        "--manifest-path=xtask/public-api/Cargo.toml",
    ]);
    job::run(build.env("CARGO_TARGET_DIR", &tools))?;
    let mut tally = Tally::default();
    for name in LIBRARIES {
        let Some(now) = listing(name, &tools)? else {
            return Ok(skip(
                "the nightly compiler writes another form of JSON than is read",
            ));
        };
        let path = root().join(format!("api/{name}.txt"));
        let before = fs::read_to_string(&path).unwrap_or_default();
        if bless {
            fs::write(&path, &now).map_err(|e| format!("{}: {e}", path.display()))?;
            tally.passed += 1;
            continue;
        }
        let gone = before.lines().filter(|l| !now.lines().any(|n| n == *l));
        let came = now.lines().filter(|l| !before.lines().any(|n| n == *l));
        let mut same = true;
        for line in gone
            .map(|l| format!("- {l}"))
            .chain(came.map(|l| format!("+ {l}")))
        {
            println!("{name}: {line}");
            same = false;
        }
        tally.passed += u64::from(same);
        tally.failed += u64::from(!same);
    }
    if tally.failed > 0 {
        println!("`cargo xtask api --bless` writes it down; RELEASE.md says what may change when");
    }
    Ok(tally)
}

/// The listing of a crate; `None` when its JSON cannot be read.
fn listing(name: &str, tools: &std::path::Path) -> Result<Option<String>, String> {
    let folder = target_folder().join("api");
    let mut doc = command(
        "cargo",
        &[
            "+nightly",
            "rustdoc",
            "--quiet",
            "--lib",
            "--all-features",
            "--package",
            name,
        ],
    );
    // `cargo run` has set these for this program.
    for variable in ["RUSTUP_TOOLCHAIN", "RUSTC", "RUSTDOC", "CARGO"] {
        doc.env_remove(variable);
    }
    doc.args([
        "--",
        "-Zunstable-options",
        "--output-format=json",
        "--cap-lints=allow",
    ]);
    job::run(doc.env("CARGO_TARGET_DIR", &folder))?;
    let json = folder.join(format!("doc/{}.json", name.replace('-', "_")));
    let output = Command::new(tools.join("debug/netverdict-public-api"))
        .arg(&json)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("netverdict-public-api: {e}"))?;
    match output.status.code() {
        Some(0) => String::from_utf8(output.stdout)
            .map(Some)
            .map_err(|e| e.to_string()),
        Some(OTHER_FORMAT) => Ok(None),
        _ => Err(format!("{name}: {}", output.status)),
    }
}
