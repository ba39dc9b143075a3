//! Fills and checks the expected answers of `testdata/cases`.
//!
//! In: case files. Out: the same files with what Cilium's own engine answers,
//! or a list of where they say something else. The answers never come from
//! netverdict; only the diagnostics do, which Cilium does not have.

use crate::job::{self, root};
use crate::{oracle, worlds};
use netverdict::scenario::Answer;
use netverdict_compare::{Case, Difference, Outcome, case_files, diagnoses, differences};
use std::path::{Path, PathBuf};
use std::process::Command;

/// How often Cilium answers a case, to find what is left to chance.
const REPEAT: u32 = 12;

/// Compares every case with Cilium's answer, or writes that answer into it.
pub(crate) fn run(bless: bool) -> Result<(), String> {
    job::run(&mut oracle::build())?;
    let mut tally = compare(bless)?;
    if !bless {
        tally += worlds::compare()?;
    }
    println!("{} cases right, {} wrong", tally.passed, tally.failed);
    if tally.failed == 0 {
        Ok(())
    } else {
        Err(
            "expected answers differ from Cilium's; `cargo xtask testdata --bless` takes them over"
                .into(),
        )
    }
}

/// Replays the cases through any engine that speaks the scenario format: a
/// command that reads scenarios and writes answers, one a line.
pub(crate) fn replay(engine: &str) -> Result<(), String> {
    let mut words = engine.split_whitespace();
    let program = words.next().ok_or("--engine needs a command")?;
    let cases = load()?;
    let questions = questions(&cases)?;
    let answers = oracle::answer_lines(Command::new(program).args(words), &questions)?;
    let mut tally = job::Tally::default();
    for ((path, case), answer) in cases.iter().zip(answers) {
        let name = path.strip_prefix(root()).unwrap_or(path).display();
        let outcome = outcome(&answer).map_err(|e| format!("{name}: {e}"))?;
        tally += tell(&name, &differences(&case.expect, &outcome));
    }
    println!("{} cases right, {} wrong", tally.passed, tally.failed);
    match tally.failed {
        0 => Ok(()),
        _ => Err(format!("`{engine}` differs from Cilium")),
    }
}

fn questions(cases: &[(PathBuf, Case)]) -> Result<Vec<String>, String> {
    let text = |case: &Case| serde_json::to_string(&case.scenario).map_err(|e| e.to_string());
    cases.iter().map(|(_, case)| text(case)).collect()
}

fn outcome(answer: &str) -> Result<Outcome, String> {
    let answer: Answer = serde_json::from_str(answer).map_err(|e| format!("answer: {e}"))?;
    Ok(Outcome::of(&answer).without_plain_identities())
}

/// Prints the first differences of a case, and counts it.
fn tell(name: &impl std::fmt::Display, wrong: &[Difference]) -> job::Tally {
    for difference in wrong.iter().take(5) {
        println!("{name}: {difference}");
    }
    let right = wrong.is_empty();
    job::Tally {
        passed: u64::from(right),
        failed: u64::from(!right),
        skipped: 0,
    }
}

/// The same with an oracle that is already built.
pub(crate) fn compare(bless: bool) -> Result<job::Tally, String> {
    let cases = load()?;
    let questions = questions(&cases)?;
    let answers = oracle::ask(&questions, REPEAT)?;
    let mut tally = job::Tally::default();
    for ((path, mut case), answer) in cases.into_iter().zip(answers) {
        let name = path.strip_prefix(root()).unwrap_or(&path).display();
        let outcome = outcome(&answer).map_err(|e| format!("{name}: {e}"))?;
        let mut wrong = differences(&case.expect, &outcome);
        if bless {
            keep_diagnostics(&mut case.expect, outcome);
            write(&path, &case)?;
            wrong.clear();
        }
        tally += tell(&name, &wrong);
    }
    Ok(tally)
}

/// Writes netverdict's diagnostics into the cases, for somebody to read.
pub(crate) fn bless_diagnostics() -> Result<(), String> {
    for (path, mut case) in load()? {
        let found = diagnoses(&case.scenario);
        if found.len() != case.expect.policies.len() {
            return Err(format!(
                "{}: {} documents, {} expected; `--bless` first",
                path.display(),
                found.len(),
                case.expect.policies.len()
            ));
        }
        for (document, found) in case.expect.policies.iter_mut().zip(found) {
            document.diagnostics = found;
        }
        write(&path, &case)?;
    }
    Ok(())
}

fn write(path: &Path, case: &Case) -> Result<(), String> {
    let name = path.strip_prefix(root()).unwrap_or(path).display();
    let text = case.to_json().map_err(|e| format!("{name}: {e}"))?;
    if std::fs::read_to_string(path).ok().as_ref() != Some(&text) {
        println!("{name}: written");
        std::fs::write(path, text).map_err(|e| format!("{name}: {e}"))?;
    }
    Ok(())
}

/// Replaces everything but what was written by hand.
fn keep_diagnostics(expect: &mut Outcome, mut fresh: Outcome) {
    for (new, old) in fresh.policies.iter_mut().zip(&mut expect.policies) {
        new.diagnostics = std::mem::take(&mut old.diagnostics);
    }
    fresh.filters = expect.filters.take();
    *expect = fresh;
}

fn load() -> Result<Vec<(PathBuf, Case)>, String> {
    let folder = root().join("testdata/cases");
    let files = case_files(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut cases = Vec::new();
    for path in files {
        let text =
            std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let case = Case::parse(&text).map_err(|e| format!("{}: {e}", path.display()))?;
        cases.push((path, case));
    }
    Ok(cases)
}
