//! What is built at the side of other steps: most of them leave a core idle.
//!
//! In: commands. Out: what each printed and how it ended, when a step asks.

use crate::job::Tally;
use std::process::{Command, Output};
use std::sync::mpsc::{Receiver, channel};

/// A command that runs, or will, or has run.
pub(crate) struct Beside(Receiver<Result<Output, String>>);

/// Runs commands one after the other, from now on.
pub(crate) fn start<const N: usize>(commands: [Command; N]) -> [Beside; N] {
    let pairs = commands.map(|command| {
        let (told, asked) = channel();
        ((command, told), Beside(asked))
    });
    let mut running = Vec::new();
    let asked = pairs.map(|(run, beside)| {
        running.push(run);
        beside
    });
    std::thread::spawn(move || {
        for (mut command, told) in running {
            let name = command.get_program().to_string_lossy().into_owned();
            let output = command.output().map_err(|e| format!("{name}: {e}"));
            // Nobody asks any more: the job has ended.
            let _ = told.send(output);
        }
    });
    asked
}

impl Beside {
    /// Waits for its end, and prints what it printed.
    pub(crate) fn finish(self) -> Result<Tally, String> {
        let output = self.0.recv().map_err(|e| e.to_string())??;
        let said = String::from_utf8_lossy(&output.stdout);
        print!("{said}{}", String::from_utf8_lossy(&output.stderr));
        let counted = said.lines().next_back().and_then(counts);
        match (output.status.success(), counted) {
            (true, counted) => Ok(counted.unwrap_or(Tally::ONE)),
            (false, Some(counted)) if counted.failed > 0 => Ok(counted),
            (false, _) => Err(output.status.to_string()),
        }
    }
}

/// The last line of a job.
fn counts(line: &str) -> Option<Tally> {
    let mut parts = line.split(", ");
    let mut count = |what| parts.next()?.strip_suffix(what)?.parse().ok();
    Some(Tally {
        passed: count(" passed")?,
        failed: count(" failed")?,
        skipped: count(" skipped")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]);
        shell
    }

    #[test]
    fn counts_and_failures_are_told() {
        let [jobs, plain, failed, wrong] = start([
            shell("echo building; echo '3 passed, 0 failed, 2 skipped'"),
            shell("echo anything"),
            shell("echo '3 passed, 1 failed, 0 skipped'; exit 1"),
            shell("echo '3 passed, 0 failed, 0 skipped'; exit 2"),
        ]);
        let tally = |passed, failed, skipped| Tally {
            passed,
            failed,
            skipped,
        };
        assert_eq!(jobs.finish(), Ok(tally(3, 0, 2)));
        assert_eq!(plain.finish(), Ok(Tally::ONE));
        assert_eq!(failed.finish(), Ok(tally(3, 1, 0)));
        assert!(wrong.finish().is_err());
    }
}
