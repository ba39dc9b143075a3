//! Steps of a job: run one after the other, counted and timed.
//!
//! In: commands and functions. Out: their output as it comes, a table of
//! times, and one last line `N passed, N failed, N skipped`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::ops::AddAssign;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a step has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Tally {
    /// A step without anything to count in it.
    pub(crate) const ONE: Self = Self {
        passed: 1,
        failed: 0,
        skipped: 0,
    };
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// The steps of a job so far.
#[derive(Default)]
pub(crate) struct Job {
    steps: Vec<(String, Duration, Tally)>,
}

impl Job {
    /// Runs a step. One that fails does not keep later ones from running.
    pub(crate) fn step(&mut self, name: &str, run: impl FnOnce() -> Result<Tally, String>) {
        println!("\n── {name}");
        let start = Instant::now();
        let tally = run().unwrap_or_else(|message| {
            println!("failed: {message}");
            Tally {
                failed: 1,
                ..Tally::default()
            }
        });
        let elapsed = start.elapsed();
        println!(
            "── {name}: {} passed, {} failed, {} skipped in {:.1} s",
            tally.passed,
            tally.failed,
            tally.skipped,
            elapsed.as_secs_f64()
        );
        self.steps.push((name.to_owned(), elapsed, tally));
    }

    /// Prints the table and the last line; true when nothing failed.
    pub(crate) fn finish(self) -> bool {
        let mut total = Tally::default();
        println!(
            "\n{:<34}{:>9}{:>9}{:>9}{:>10}",
            "step", "seconds", "passed", "failed", "skipped"
        );
        for (name, elapsed, tally) in &self.steps {
            println!(
                "{name:<34}{:>9.1}{:>9}{:>9}{:>10}",
                elapsed.as_secs_f64(),
                tally.passed,
                tally.failed,
                tally.skipped
            );
            total += *tally;
        }
        let (p, f, s) = (total.passed, total.failed, total.skipped);
        println!("\n{p} passed, {f} failed, {s} skipped");
        f == 0
    }
}

/// A part that cannot run here: said aloud, and counted.
pub(crate) fn skip(why: &str) -> Tally {
    println!("skipped: {why}");
    Tally {
        skipped: 1,
        ..Tally::default()
    }
}

/// Copies a folder with all that is in it.
pub(crate) fn copy_folder(from: &Path, to: &Path) -> Result<(), String> {
    let message = |e| format!("{}: {e}", from.display());
    fs::create_dir_all(to).map_err(message)?;
    for entry in fs::read_dir(from).map_err(message)? {
        let entry = entry.map_err(message)?;
        let (here, there) = (entry.path(), to.join(entry.file_name()));
        if here.is_dir() {
            copy_folder(&here, &there)?;
        } else {
            fs::copy(&here, &there).map_err(message)?;
        }
    }
    Ok(())
}

/// The top of the repository.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// A command that runs at the top of the repository.
pub(crate) fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    command
}

/// `cargo` with arguments. What `cargo run` set for this program is not meant
/// for the programs it builds.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let program = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    command(&program, arguments)
}

/// Runs a command whose output goes to the terminal.
pub(crate) fn run(command: &mut Command) -> Result<Tally, String> {
    let status = command.status().map_err(|e| cannot_start(command, &e))?;
    if status.success() {
        Ok(Tally::ONE)
    } else {
        Err(format!("{}: {status}", name(command)))
    }
}

/// Runs a command that prints test results, and counts them.
///
/// `count` sees every line of its standard output and says what it adds, and
/// whether the line is worth showing.
pub(crate) fn run_tests(
    command: &mut Command,
    count: impl Fn(&str) -> (Tally, bool),
) -> Result<Tally, String> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| cannot_start(command, &e))?;
    let mut tally = Tally::default();
    if let Some(out) = child.stdout.take() {
        for line in BufReader::new(out).lines() {
            let line = line.map_err(|e| e.to_string())?;
            let (found, show) = count(&line);
            tally += found;
            if show {
                println!("{line}");
            }
        }
    }
    let status = child.wait().map_err(|e| e.to_string())?;
    if !status.success() && tally.failed == 0 {
        return Err(format!("{}: {status}", name(command)));
    }
    Ok(tally)
}

/// Counts a line of `cargo test`.
pub(crate) fn cargo_test_line(line: &str) -> (Tally, bool) {
    let Some(rest) = line.strip_prefix("test result: ") else {
        let uninteresting = line.is_empty() || line == "running 0 tests";
        return (Tally::default(), !uninteresting);
    };
    let number = |unit: &str| {
        let words: Vec<&str> = rest
            .split([' ', ';', '.'])
            .filter(|w| !w.is_empty())
            .collect();
        let found = words.windows(2).find(|w| w[1] == unit);
        found.and_then(|w| w[0].parse().ok()).unwrap_or(0)
    };
    let tally = Tally {
        passed: number("passed"),
        failed: number("failed"),
        skipped: number("ignored"),
    };
    (tally, tally != Tally::default())
}

/// Counts a line of `go test -v`.
pub(crate) fn go_test_line(line: &str) -> (Tally, bool) {
    let mut tally = Tally::default();
    let text = line.trim_start();
    if text.starts_with("--- PASS") {
        tally.passed = 1;
    } else if text.starts_with("--- FAIL") {
        tally.failed = 1;
    } else if text.starts_with("--- SKIP") {
        tally.skipped = 1;
    }
    let quiet = tally.passed == 1
        || text.starts_with("=== ")
        || text == "PASS"
        || text.ends_with("[no test files]");
    (tally, !quiet)
}

fn name(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy()];
    words.extend(command.get_args().map(|a| a.to_string_lossy()));
    words.join(" ")
}

fn cannot_start(command: &Command, error: &std::io::Error) -> String {
    format!("cannot start {}: {error}", name(command))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_cargo_test_are_counted() {
        let line = "test result: FAILED. 9 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.09s";
        let tally = Tally {
            passed: 9,
            failed: 1,
            skipped: 2,
        };
        assert_eq!(cargo_test_line(line), (tally, true));
        assert_eq!(cargo_test_line("running 3 tests"), (Tally::default(), true));
        assert_eq!(
            cargo_test_line("running 0 tests"),
            (Tally::default(), false)
        );
    }

    #[test]
    fn results_of_go_test_are_counted() {
        assert_eq!(go_test_line("    --- PASS: TestX/a (0.00s)").0.passed, 1);
        assert_eq!(go_test_line("--- FAIL: TestX (0.00s)").0.failed, 1);
        assert_eq!(go_test_line("--- SKIP: TestX (0.00s)").0.skipped, 1);
        assert_eq!(go_test_line("=== RUN   TestX"), (Tally::default(), false));
        assert_eq!(
            go_test_line("    x_test.go:9: bad"),
            (Tally::default(), true)
        );
    }
}
