//! The targets of `fuzz/`, each for a while.
//!
//! In: how long, and which targets. Out: one result per target: passed when
//! no input broke it, failed with the input that did, skipped where there is
//! no nightly compiler or no cargo-fuzz and neither can be installed. What is
//! found on the way is kept in the target folder, so that the next run goes on
//! from there; the committed corpus is only read.

use crate::job::{self, Job, Tally, command, root};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Seconds for each target unless `--seconds` says otherwise.
const SECONDS: u64 = 60;

/// An input that takes longer than this many seconds is a failure: work is
/// meant to be bounded.
const SLOWEST: u64 = 20;

/// Lines of a failed run that are shown.
const SHOWN: usize = 120;

/// What to fuzz.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    seconds: u64,
    /// Empty for all of them.
    targets: Vec<String>,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            seconds: SECONDS,
            targets: Vec::new(),
        }
    }
}

/// Reads `[--seconds N] [target…]`.
pub(crate) fn options<'a>(mut arguments: impl Iterator<Item = &'a str>) -> Result<Run, String> {
    let mut run = Run::default();
    while let Some(argument) = arguments.next() {
        match argument {
            "--seconds" => {
                let value = arguments.next().ok_or("--seconds needs a value")?;
                run.seconds = value
                    .parse()
                    .ok()
                    // Zero is no limit to libFuzzer.
                    .filter(|s| *s > 0)
                    .ok_or_else(|| format!("--seconds: `{value}` is no number of seconds"))?;
            }
            option if option.starts_with('-') => {
                return Err(format!("unknown option `{option}`"));
            }
            target => run.targets.push(target.to_owned()),
        }
    }
    Ok(run)
}

/// The job.
pub(crate) fn run(run: &Run) -> Result<bool, String> {
    let mut job = Job::default();
    steps(&mut job, run)?;
    Ok(job.finish())
}

/// A step for the tools and one for each target.
pub(crate) fn steps(job: &mut Job, run: &Run) -> Result<(), String> {
    let known = targets()?;
    if let Some(unknown) = run.targets.iter().find(|t| !known.contains(t)) {
        return Err(format!(
            "there is no target `{unknown}` in fuzz/; there are {}",
            known.join(", ")
        ));
    }
    let wanted = if run.targets.is_empty() {
        &known
    } else {
        &run.targets
    };
    let mut unavailable = None;
    job.step("fuzzing: tools", || {
        unavailable = tools().err();
        if let Some(why) = &unavailable {
            println!("SKIPPED: {why}");
        }
        Ok(passed_or_skipped(unavailable.is_none()))
    });
    for target in wanted {
        job.step(&format!("fuzz {target}: {} s", run.seconds), || {
            if unavailable.is_some() {
                println!("SKIPPED: see the step before");
                return Ok(passed_or_skipped(false));
            }
            fuzz(target, run.seconds)
        });
    }
    Ok(())
}

fn passed_or_skipped(passed: bool) -> Tally {
    Tally {
        passed: u64::from(passed),
        skipped: u64::from(!passed),
        ..Tally::default()
    }
}

/// The targets there are, by name.
fn targets() -> Result<Vec<String>, String> {
    let folder = root().join("fuzz/fuzz_targets");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))? {
        let path = entry.map_err(|e| e.to_string())?.path();
        if path.extension().is_some_and(|e| e == "rs") {
            names.extend(path.file_stem().map(|s| s.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

/// Cargo of the nightly toolchain.
fn nightly(arguments: &[&str]) -> Command {
    let mut all = vec!["run", "nightly", "cargo"];
    all.extend(arguments);
    command("rustup", &all)
}

fn works(mut command: Command) -> bool {
    let silent = command.stdout(Stdio::null()).stderr(Stdio::null());
    silent.status().is_ok_and(|s| s.success())
}

/// Sees to a nightly compiler and cargo-fuzz.
fn tools() -> Result<(), String> {
    if !works(command("rustup", &["--version"])) {
        return Err("no rustup, and so no nightly compiler: https://rustup.rs".into());
    }
    if !works(nightly(&["--version"])) {
        println!("installing a nightly compiler");
        let arguments = ["toolchain", "install", "nightly", "--profile", "minimal"];
        job::run(&mut command("rustup", &arguments))
            .map_err(|e| format!("no nightly compiler: {e}"))?;
    }
    if !works(nightly(&["fuzz", "--version"])) {
        println!("installing cargo-fuzz");
        job::run(&mut command(
            "cargo",
            &["install", "cargo-fuzz", "--locked"],
        ))
        .map_err(|e| format!("no cargo-fuzz: {e}"))?;
    }
    Ok(())
}

/// Where inputs are collected that reach something new.
fn found(target: &str) -> PathBuf {
    let folder =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    root().join(folder).join("fuzz-corpus").join(target)
}

fn fuzz(target: &str, seconds: u64) -> Result<Tally, String> {
    job::run(&mut nightly(&["fuzz", "build", target]))?;
    let found = found(target);
    std::fs::create_dir_all(&found).map_err(|e| format!("{}: {e}", found.display()))?;
    let seeds = root().join("fuzz/corpus").join(target);
    let mut fuzz = nightly(&["fuzz", "run", target]);
    fuzz.arg(&found);
    if seeds.is_dir() {
        fuzz.arg(&seeds);
    }
    fuzz.arg("--");
    fuzz.arg(format!("-max_total_time={seconds}"));
    fuzz.arg(format!("-timeout={SLOWEST}"));
    // Progress is of no use in a log; it is shown when something breaks.
    let output = fuzz
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .map_err(|e| format!("cannot start rustup: {e}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    let summary = text.lines().rev().find(|l| l.starts_with("Done "));
    if let (true, Some(summary)) = (output.status.success(), summary) {
        println!("{target}: {summary}");
        return Ok(Tally::ONE);
    }
    let lines: Vec<&str> = text.lines().collect();
    for line in lines.iter().skip(lines.len().saturating_sub(SHOWN)) {
        println!("{line}");
    }
    Err(format!("fuzz {target}: {}", output.status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_seconds_and_targets() {
        let read = |text: &str| options(text.split_whitespace());
        assert_eq!(read(""), Ok(Run::default()));
        let run = Run {
            seconds: 5,
            targets: vec!["a".into(), "b".into()],
        };
        assert_eq!(read("a --seconds 5 b"), Ok(run));
        assert!(read("--seconds").is_err());
        assert!(read("--seconds 0").is_err());
        assert!(read("--count 5").is_err());
    }

    #[test]
    fn every_target_is_declared_and_documented() {
        let manifest = std::fs::read_to_string(root().join("fuzz/Cargo.toml")).expect("readable");
        let readme = std::fs::read_to_string(root().join("fuzz/README.md")).expect("readable");
        let targets = targets().expect("there are targets");
        assert!(!targets.is_empty());
        for target in targets {
            assert!(
                manifest.contains(&format!("name = \"{target}\"")),
                "{target}"
            );
            assert!(readme.contains(&format!("| `{target}` |")), "{target}");
        }
    }
}
