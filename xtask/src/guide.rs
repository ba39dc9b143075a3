//! `cargo xtask guide`: the guide as a book.
//!
//! In: docs/guide. Out: target/guide, by mdBook; links of the documentation are
//! looked at first.

use crate::install::target_folder;
use crate::job::{self, Tally, cargo, root};
use crate::links;
use std::process::Command;

/// The version of mdBook: its pages are to be the same everywhere.
const MDBOOK: &str = "0.5.4";

/// Builds the book.
pub(crate) fn run() -> Result<Tally, String> {
    links::check()?;
    let mut tally = Tally::ONE;
    let folder = target_folder().join("tools");
    let program = folder.join("bin/mdbook");
    let has = || {
        let output = Command::new(&program).arg("--version").output();
        output.is_ok_and(|o| String::from_utf8_lossy(&o.stdout).contains(MDBOOK))
    };
    if !has() {
        let mut install = cargo(&[
            "install",
            "--quiet",
            "--locked",
            "--debug",
            "--version",
            MDBOOK,
        ]);
        // Neither a server nor a watch, and no search.
        install
            .args(["mdbook", "--no-default-features", "--root"])
            .arg(&folder);
        install.env("CARGO_PROFILE_DEV_DEBUG", "false");
        install.env("CARGO_TARGET_DIR", folder.join("build"));
        let done = job::run(&mut install).is_ok();
        let _ = std::fs::remove_dir_all(folder.join("build"));
        if !done || !has() {
            println!(
                "skipped: mdbook cannot be installed (cargo install mdbook --version {MDBOOK})"
            );
            tally.skipped += 1;
            return Ok(tally);
        }
    }
    let mut build = Command::new(&program);
    build.arg("build").arg(root().join("docs/guide"));
    build.arg("--dest-dir").arg(target_folder().join("guide"));
    tally += job::run(&mut build)?;
    Ok(tally)
}
