//! The same bytes from another folder.
//!
//! In: dist/, and the commit that is checked out. Out: a file of `SHA256SUMS` by
//! file, whether a build from a clone of that commit has the same bytes.

use super::folder;
use crate::install::target_folder;
use crate::job::{self, Tally, command, root, skip};
use crate::packages::printed;
use std::fs;
use std::process::Command;

/// Clones the repository elsewhere, builds everything there with nothing that was
/// built before, and compares the sums. What differs is named.
pub(crate) fn again() -> Result<Tally, String> {
    let before = fs::read_to_string(folder().join("SHA256SUMS"))
        .map_err(|e| format!("dist/SHA256SUMS: {e}"))?;
    let changed = printed(&mut command("git", &["status", "--porcelain"]))?;
    if !changed.is_empty() {
        return Ok(skip(&format!(
            "a clone would not have what is not committed:\n{changed}"
        )));
    }
    let clone = target_folder().join("again");
    let _ = fs::remove_dir_all(&clone);
    let mut git = Command::new("git");
    git.args(["clone", "--quiet", "--shared"]);
    job::run(git.arg(root()).arg(&clone))?;
    let mut dist = Command::new("cargo");
    dist.args(["xtask", "dist"]).current_dir(&clone);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        // `cargo run` has set these for this program.
        if name.starts_with("CARGO") && name != "CARGO_HOME" {
            dist.env_remove(name);
        }
    }
    job::run(&mut dist)?;
    let after = fs::read_to_string(clone.join("dist/SHA256SUMS"))
        .map_err(|e| format!("the clone's dist/SHA256SUMS: {e}"))?;
    let tally = compared(&before, &after);
    // A build of everything is large; what differs is kept to be looked at.
    let _ = fs::remove_dir_all(clone.join("target"));
    Ok(tally)
}

fn compared(before: &str, after: &str) -> Tally {
    let mut tally = Tally::default();
    for line in before.lines() {
        if after.lines().any(|l| l == line) {
            tally.passed += 1;
        } else {
            tally.failed += 1;
            println!("differs: {}", line.rsplit("  ").next().unwrap_or(line));
        }
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::compared;

    #[test]
    fn a_file_that_differs_or_is_missing_fails() {
        let tally = compared("00  a\n11  b\n22  c\n", "00  a\n12  b\n");
        assert_eq!((tally.passed, tally.failed), (1, 2));
    }
}
