//! Replays `testdata/cases` through the engine. `testdata/todo.txt` names the
//! cases that it does not get right yet, and only those.

use netverdict_compare::{Case, Outcome, case_files, diagnoses, differences};
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn every_case_comes_out_as_in_cilium() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/cases");
    let files = case_files(&folder).expect("testdata/cases");
    assert!(files.len() >= 300, "only {} cases", files.len());
    let todo = std::fs::read_to_string(folder.join("../todo.txt")).expect("testdata/todo.txt");
    let mut todo: BTreeSet<&str> = todo.lines().filter(|l| !l.starts_with('#')).collect();
    let mut wrong = Vec::new();
    for file in &files {
        let name = file.strip_prefix(&folder).expect("below the folder");
        let name = name.to_string_lossy().replace('\\', "/");
        let text = std::fs::read_to_string(file).expect("a readable file");
        let case = Case::parse(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        let outcome = Outcome::of(&case.scenario.answer()).without_plain_identities();
        let differences = differences(&case.expect, &outcome);
        if differences.is_empty() || todo.remove(name.as_str()) {
            continue;
        }
        let lines: Vec<String> = differences
            .iter()
            .take(5)
            .map(|d| format!("    {d}"))
            .collect();
        wrong.push(format!("{name}: {}\n{}", case.note, lines.join("\n")));
    }
    assert!(
        wrong.is_empty(),
        "{} of {} cases differ:\n{}",
        wrong.len(),
        files.len(),
        wrong.join("\n")
    );
    assert!(
        todo.is_empty(),
        "right or not there, so to be taken out of testdata/todo.txt: {todo:?}"
    );
}

/// Codes and places are netverdict's own; `cargo xtask testdata
/// --bless-diagnostics` writes them, for somebody to read.
#[test]
fn every_case_is_diagnosed_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/cases");
    let mut wrong = Vec::new();
    let (mut refused, mut diagnosed) = (0, 0);
    for file in case_files(&folder).expect("testdata/cases") {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let text = std::fs::read_to_string(&file).expect("a readable file");
        let case = Case::parse(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        let found = diagnoses(&case.scenario);
        assert_eq!(found.len(), case.expect.policies.len(), "{name}");
        for (i, (expected, found)) in case.expect.policies.iter().zip(found).enumerate() {
            if expected.diagnostics != found {
                let expected = &expected.diagnostics;
                wrong.push(format!(
                    "{name}[{i}]: expected {expected:?}, found {found:?}"
                ));
            }
            refused += usize::from(!expected.accepted);
            diagnosed += usize::from(!expected.accepted && !expected.diagnostics.is_empty());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(refused >= 100, "only {refused} documents are refused");
    assert_eq!(refused, diagnosed, "some refusals say nothing");
}
