//! Programs that jobs use and machines need not have: pinned, and installed
//! beside what is built.
//!
//! In: name and version of a crate. Out: where its program is.

use crate::install::target_folder;
use crate::job::{self, cargo};
use std::path::PathBuf;
use std::process::Command;

/// A program out of crates.io.
pub(crate) struct Tool {
    /// The name of the crate, and of its program.
    pub(crate) name: &'static str,
    /// The one version that is used.
    pub(crate) version: &'static str,
    /// With what the crate has by default.
    pub(crate) default_features: bool,
}

impl Tool {
    /// The program, installed if need be; `None` when it cannot be had.
    pub(crate) fn get(&self) -> Option<PathBuf> {
        let folder = target_folder().join("tools");
        let program = folder.join("bin").join(self.name);
        if self.is(&program) {
            return Some(program);
        }
        let mut install = cargo(&["install", "--quiet", "--locked", "--debug"]);
        install.args(["--version", self.version, self.name]);
        if !self.default_features {
            install.arg("--no-default-features");
        }
        install.arg("--root").arg(&folder);
        install.env("CARGO_PROFILE_DEV_DEBUG", "false");
        install.env("CARGO_TARGET_DIR", folder.join("build"));
        let done = job::run(&mut install).is_ok();
        let _ = std::fs::remove_dir_all(folder.join("build"));
        (done && self.is(&program)).then_some(program)
    }

    /// Whether a program is of the version: it says `name 1.2.3`, with a `v`
    /// before the number or without.
    fn is(&self, program: &PathBuf) -> bool {
        let output = Command::new(program).arg("--version").output();
        output.is_ok_and(|o| {
            let text = String::from_utf8_lossy(&o.stdout);
            let mut words = text.split_whitespace();
            words.any(|word| word.trim_start_matches('v') == self.version)
        })
    }
}
