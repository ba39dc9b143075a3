//! Checks the expected answers of `testdata/worlds`.
//!
//! In: case files. Out: where netverdict answers something else, and where
//! Cilium's own engine does, asked about the same identities, policies and
//! flows as a scenario. How objects become identities, what the agent makes
//! of services, and fragments are outside of that engine: the cases say in
//! which file of Cilium those rules are written.

use crate::job::{self, Tally, root};
use crate::oracle;
use netverdict::scenario::Answer;
use netverdict_compare::{WorldCase, case_files, world_differences};
use std::path::{Path, PathBuf};

/// How often Cilium answers a case.
const REPEAT: u32 = 4;

/// Compares every case with netverdict and, with an oracle that is built, with
/// Cilium.
pub(crate) fn compare() -> Result<Tally, String> {
    let mut tally = Tally::default();
    for (name, case, answer) in ask(load()?)? {
        let found = case.play().map_err(|e| format!("{name}: {e}"))?;
        let mut wrong = world_differences(&case.expect, &found);
        wrong.extend(contradictions(&name, &case, &answer)?);
        for line in wrong.iter().take(5) {
            println!("{name}: {line}");
        }
        if wrong.is_empty() {
            tally.passed += 1;
        } else {
            tally.failed += 1;
        }
    }
    Ok(tally)
}

/// Writes what netverdict answers, for somebody to read, unless Cilium's
/// engine contradicts.
pub(crate) fn bless() -> Result<(), String> {
    job::run(&mut oracle::build())?;
    let mut cases = load()?;
    for (path, case) in &mut cases {
        case.expect = case
            .play()
            .map_err(|e| format!("{}: {e}", path.display()))?;
    }
    let paths: Vec<PathBuf> = cases.iter().map(|(path, _)| path.clone()).collect();
    let mut refused = false;
    for (path, (name, case, answer)) in paths.iter().zip(ask(cases)?) {
        let wrong = contradictions(&name, &case, &answer)?;
        if wrong.is_empty() {
            write(path, &name, &case)?;
        }
        for line in wrong {
            println!("{name}: {line}");
            refused = true;
        }
    }
    match refused {
        true => Err("Cilium's engine says otherwise; those cases are not written".into()),
        false => Ok(()),
    }
}

fn write(path: &Path, name: &str, case: &WorldCase) -> Result<(), String> {
    let text = case.to_json().map_err(|e| format!("{name}: {e}"))?;
    if std::fs::read_to_string(path).ok().as_ref() != Some(&text) {
        println!("{name}: written");
        std::fs::write(path, text).map_err(|e| format!("{name}: {e}"))?;
    }
    Ok(())
}

fn contradictions(name: &str, case: &WorldCase, answer: &str) -> Result<Vec<String>, String> {
    let answer: Answer =
        serde_json::from_str(answer).map_err(|e| format!("{name}: answer: {e}"))?;
    case.contradictions(&answer)
        .map_err(|e| format!("{name}: {e}"))
}

/// Every case with its name and Cilium's answer.
fn ask(cases: Vec<(PathBuf, WorldCase)>) -> Result<Vec<(String, WorldCase, String)>, String> {
    let mut questions = Vec::new();
    let mut named = Vec::new();
    for (path, case) in cases {
        let name = path.strip_prefix(root()).unwrap_or(&path);
        let name = name.display().to_string();
        let (scenario, _) = case.scenario().map_err(|e| format!("{name}: {e}"))?;
        questions.push(serde_json::to_string(&scenario).map_err(|e| e.to_string())?);
        named.push((name, case));
    }
    let answers = oracle::ask(&questions, REPEAT)?;
    let all = named.into_iter().zip(answers);
    Ok(all
        .map(|((name, case), answer)| (name, case, answer))
        .collect())
}

fn load() -> Result<Vec<(PathBuf, WorldCase)>, String> {
    let folder = root().join("testdata/worlds");
    let files = case_files(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut cases = Vec::new();
    for path in files {
        let text =
            std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let case = WorldCase::parse(&text).map_err(|e| format!("{}: {e}", path.display()))?;
        cases.push((path, case));
    }
    Ok(cases)
}
