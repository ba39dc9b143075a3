//! The reader of tables under tools that see what tests cannot.
//!
//! In: a nightly compiler, if there is one. Out: the tests of
//! `netverdict-table` with AddressSanitizer, and in Miri. Where the compiler
//! or the component is missing the step is skipped and counted.

use crate::job::{Tally, cargo_test_line, command, run_tests, skip};
use std::process::{Command, Stdio};

/// Every test of the reader, but for examples in its documentation.
const TESTS: [&str; 5] = [
    "-p",
    "netverdict-table",
    "--all-features",
    "--lib",
    "--tests",
];

/// The tests with AddressSanitizer.
pub(crate) fn address() -> Result<Tally, String> {
    let Some(host) = host() else {
        return Ok(skip(
            "no nightly compiler: rustup toolchain install nightly",
        ));
    };
    let mut test = nightly(&["cargo", "test", "--target", &host]);
    test.args(TESTS);
    test.env("RUSTFLAGS", "-Zsanitizer=address");
    run_tests(&mut test, cargo_test_line)
}

/// The tests in Miri.
pub(crate) fn miri() -> Result<Tally, String> {
    // Its library is built on first use, from sources that must be there.
    if !works(nightly(&["cargo", "miri", "setup"])) {
        let why = "no Miri: rustup component add --toolchain nightly miri rust-src";
        return Ok(skip(why));
    }
    let mut test = nightly(&["cargo", "miri", "test", "-p", "netverdict-table"]);
    test.args(["--lib", "--test", "hostile"]);
    run_tests(&mut test, cargo_test_line)
}

/// `cargo test` with a nightly compiler that has the sources of its library,
/// and its machine.
pub(crate) fn nightly_test() -> Option<(Command, String)> {
    let host = host()?;
    let output = nightly(&["rustc", "--print", "sysroot"]).output().ok()?;
    let sysroot = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let sources = std::path::Path::new(&sysroot).join("lib/rustlib/src/rust/library/Cargo.toml");
    sources
        .exists()
        .then(|| (nightly(&["cargo", "test"]), host))
}

fn nightly(arguments: &[&str]) -> Command {
    let mut command = command("rustup", &["run", "nightly"]);
    command.args(arguments);
    // What `cargo run` set is about another toolchain.
    command.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO");
    command
}

/// The nightly compiler's machine.
fn host() -> Option<String> {
    let output = nightly(&["rustc", "-vV"]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|l| l.strip_prefix("host: "))?;
    output.status.success().then(|| host.to_owned())
}

fn works(mut command: Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|s| s.success())
}
