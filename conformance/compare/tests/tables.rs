//! Replays the scenarios of `testdata/cases` and `examples/` through verdict
//! tables: each compiles, is shown to say what the policy maps say, and answers
//! the queries as Cilium does.

use netverdict::scenario::Scenario;
use netverdict_compare::{Case, Outcome, case_files, differences};
use netverdict_table::View;
use std::path::{Path, PathBuf};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(name)
}

/// What is wrong with a scenario's table; how many queries it answered.
fn replay(scenario: &Scenario, expected: &Outcome) -> Result<usize, String> {
    let prepared = scenario.prepare();
    let image = prepared
        .compile()
        .map_err(|(subject, e)| format!("subject {subject}: {e}"))?;
    let proven = prepared.verify(&image).map_err(|e| e.to_string())?;
    if proven.subjects != prepared.maps().count() as u64 {
        return Err(format!("only {proven:?}"));
    }
    let view = View::new(&image).map_err(|e| e.to_string())?;
    let mut answer = prepared.answer();
    answer.queries = prepared.answer_by(&view);
    let found = Outcome::of(&answer);
    let wrong: Vec<String> = expected_queries(expected, &found);
    if wrong.is_empty() {
        Ok(answer.queries.len())
    } else {
        Err(wrong.join("\n"))
    }
}

fn expected_queries(expected: &Outcome, found: &Outcome) -> Vec<String> {
    // Only the queries are the table's.
    let mut only = found.clone();
    only.queries.clone_from(&expected.queries);
    only.unstable.clone_from(&expected.unstable);
    differences(&only, found)
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn every_case_is_answered_by_its_table() {
    let (mut queries, mut wrong) = (0, Vec::new());
    for file in case_files(&folder("testdata/cases")).expect("testdata/cases") {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let text = std::fs::read_to_string(&file).expect("a readable file");
        let case = Case::parse(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        match replay(&case.scenario, &case.expect) {
            Ok(n) => queries += n,
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(queries > 500, "only {queries} queries");
}

#[test]
fn every_example_is_answered_by_its_table() {
    let mut queries = 0;
    for entry in std::fs::read_dir(folder("examples")).expect("examples/") {
        let example = entry.expect("an entry").path();
        let Ok(question) = std::fs::read_to_string(example.join("scenario.json")) else {
            continue;
        };
        let answer = std::fs::read_to_string(example.join("answer.json")).expect("an answer");
        let scenario = Scenario::parse(&question).expect("a scenario");
        let expected = Outcome::of(&serde_json::from_str(&answer).expect("an answer"));
        let replayed = replay(&scenario, &expected);
        queries += replayed.unwrap_or_else(|e| panic!("{}: {e}", example.display()));
    }
    assert!(queries > 5, "only {queries} queries");
}
