//! The cases of `testdata/`.
//!
//! In: one JSON file. Out: a [`Case`]: a scenario and the outcome that every
//! engine must come to. The format is described in `testdata/README.md`.

use crate::layout::lay_out;
use crate::outcome::Outcome;
use netverdict::scenario::Scenario;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::path::{Path, PathBuf};

/// One case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Unique within its folder; the file is named after it.
    pub name: String,
    /// The rule it pins down.
    pub note: String,
    /// Where that rule is written: a file of Cilium, a golden case.
    pub source: String,
    /// The question. Its own `name` and `note` are empty.
    pub scenario: Scenario,
    /// The answer, as far as engines must agree on it.
    pub expect: Outcome,
}

/// Why a case cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseError(pub(crate) String);

impl fmt::Display for CaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CaseError {}

/// Text of a document: lines, each ended by a line break, or byte for byte.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Text<'a> {
    Lines(Vec<&'a str>),
    Exact(&'a str),
}

impl<'a> Text<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        match text.strip_suffix('\n') {
            Some(lines) if !text.contains('\r') => Self::Lines(lines.split('\n').collect()),
            _ => Self::Exact(text),
        }
    }
}

#[derive(Serialize)]
struct CaseFile<'a> {
    name: &'a str,
    note: &'a str,
    source: &'a str,
    scenario: ScenarioFile<'a>,
    expect: &'a Outcome,
}

#[derive(Serialize)]
struct ScenarioFile<'a> {
    policies: Vec<Text<'a>>,
    #[serde(flatten)]
    rest: Scenario,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCase {
    name: String,
    note: String,
    source: String,
    scenario: Value,
    expect: Outcome,
}

impl Case {
    /// Reads a case.
    ///
    /// # Errors
    /// When it is no JSON, has unknown fields, or a scenario without meaning.
    pub fn parse(json: &str) -> Result<Self, CaseError> {
        let mut raw: RawCase = serde_json::from_str(json).map_err(|e| CaseError(e.to_string()))?;
        if let Some(Value::Array(policies)) = raw.scenario.get_mut("policies") {
            policies.iter_mut().for_each(join_lines);
        }
        let scenario =
            Scenario::parse(&raw.scenario.to_string()).map_err(|e| CaseError(e.to_string()))?;
        Ok(Self {
            name: raw.name,
            note: raw.note,
            source: raw.source,
            scenario,
            expect: raw.expect,
        })
    }

    /// The text of the file.
    ///
    /// # Errors
    /// Only if a scenario holds what JSON cannot carry, which none does.
    pub fn to_json(&self) -> Result<String, CaseError> {
        let mut rest = self.scenario.clone();
        rest.policies.clear();
        rest.name.clear();
        rest.note.clear();
        let file = CaseFile {
            name: &self.name,
            note: &self.note,
            source: &self.source,
            scenario: ScenarioFile {
                policies: self
                    .scenario
                    .policies
                    .iter()
                    .map(|p| Text::new(p))
                    .collect(),
                rest,
            },
            expect: &self.expect,
        };
        let compact = serde_json::to_string(&file).map_err(|e| CaseError(e.to_string()))?;
        Ok(lay_out(&compact))
    }
}

pub(crate) fn join_lines(policy: &mut Value) {
    if let Value::Array(lines) = policy {
        let text = lines
            .iter()
            .filter_map(Value::as_str)
            .flat_map(|line| [line, "\n"])
            .collect();
        *policy = Value::String(text);
    }
}

/// The case files below a folder, sorted.
///
/// # Errors
/// When a folder cannot be read.
pub fn case_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "json") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_survives_writing() {
        let json = r#"{"name": "n", "note": "why", "source": "s",
            "scenario": {"policies": [["a: 1", "", "b: 2"], "c: 3"],
                "endpoints": [{"id": 1000}],
                "queries": [{"direction": "ingress", "endpoint": 1000, "peer": 0, "proto": "UDP", "port": 53}]},
            "expect": {"policies": [{"accepted": false, "stage": "decode", "diagnostics": ["NV0201@1:1"]}]}}"#;
        let case = Case::parse(json).expect("a case");
        assert_eq!(case.scenario.policies, ["a: 1\n\nb: 2\n", "c: 3"]);
        let again = Case::parse(&case.to_json().expect("text")).expect("the same case");
        assert_eq!(again, case);
    }

    #[test]
    fn unknown_fields_are_refused() {
        for (part, field) in [("expect", "expect"), ("scenario", "scenario")] {
            let json = format!(
                r#"{{"name": "n", "note": "", "source": "", "scenario": {}, "expect": {}}}"#,
                if part == "scenario" {
                    r#"{"polices": []}"#
                } else {
                    "{}"
                },
                if part == "expect" {
                    r#"{"verdict": 1}"#
                } else {
                    "{}"
                },
            );
            assert!(Case::parse(&json).is_err(), "{field}");
        }
    }
}
