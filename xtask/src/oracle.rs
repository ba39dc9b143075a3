//! Cilium's own engine (`conformance/cilium`), built and asked.

use crate::job::{command, root};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Where a built oracle is.
pub(crate) fn path() -> PathBuf {
    root().join("conformance/cilium/bin/cilium-oracle")
}

/// The command that builds it. Go decides whether anything is to be done.
pub(crate) fn build() -> Command {
    let mut go = command("go", &["build", "-o", "bin/", "./cmd/..."]);
    go.current_dir(root().join("conformance/cilium"));
    go
}

/// Answers JSON lines with a program that reads and writes them; one answer
/// per question, in order.
pub(crate) fn answer_lines(
    program: &mut Command,
    questions: &[String],
) -> Result<Vec<String>, String> {
    let name = program.get_program().to_string_lossy().into_owned();
    let mut child = program
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("cannot start {name}: {e}"))?;
    let mut input = child.stdin.take().ok_or("no standard input")?;
    let output = std::thread::scope(|scope| {
        scope.spawn(move || {
            for question in questions {
                // A program that dies early is noticed by its exit status.
                if writeln!(input, "{question}").is_err() {
                    return;
                }
            }
        });
        child.wait_with_output()
    })
    .map_err(|e| format!("{name}: {e}"))?;
    let text = String::from_utf8(output.stdout).map_err(|e| format!("{name}: {e}"))?;
    let answers: Vec<String> = text.lines().map(str::to_owned).collect();
    if !output.status.success() || answers.len() != questions.len() {
        return Err(format!(
            "{name}: {}, {} answers to {} questions",
            output.status,
            answers.len(),
            questions.len()
        ));
    }
    Ok(answers)
}

/// Asks Cilium's engine. With `repeat` above 1 it also tells what differs
/// between that many runs.
pub(crate) fn ask(questions: &[String], repeat: u32) -> Result<Vec<String>, String> {
    let repeat = repeat.to_string();
    answer_lines(
        Command::new(path()).args(["--lines", "-repeat", &repeat]),
        questions,
    )
}
