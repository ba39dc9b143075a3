//! Rules with how often something exercised them.

use crate::columns::{self, cell};
use crate::report;
use crate::style::{self, count};
use netverdict::explain::JsonPlace;
use netverdict::source::Sources;
use netverdict_analysis::coverage::Exercised;
use serde_json::{Value, json};
use std::io::{self, Write};

/// Writes the rules that were not exercised, or all; and how many were.
pub(crate) fn write(
    out: &mut dyn Write,
    rules: &[Exercised],
    sources: &Sources,
    all: bool,
) -> io::Result<()> {
    let untouched = |r: &Exercised| r.exercise.decided == 0;
    let rows = rules.iter().filter(|r| all || untouched(r)).map(|r| {
        let (what, look) = match (r.exercise.decided, r.exercise.matched) {
            (0, 0) => ("never matched".to_owned(), style::WARNING),
            (0, n) => (format!("matched {n}, decided none"), style::INFO),
            (n, _) => (format!("decided {n}"), style::GOOD),
        };
        let origin = &r.rule.origin;
        vec![
            (what, look),
            cell(format!("{}, {}", origin.object, origin.path)),
            (report::place(sources, origin.span), style::FAINT),
        ]
    });
    let rows: Vec<_> = rows.collect();
    columns::write(out, &rows)?;
    let exercised = rules.iter().filter(|r| !untouched(r)).count();
    writeln!(
        out,
        "{} of {} exercised",
        exercised,
        count(rules.len(), "rule")
    )
}

/// The same for programs: every rule.
pub(crate) fn json(rules: &[Exercised], sources: &Sources) -> Value {
    let one = |r: &Exercised| {
        json!({
            "rule": JsonPlace::new(&r.rule, sources),
            "decided": r.exercise.decided,
            "matched": r.exercise.matched,
        })
    };
    rules.iter().map(one).collect()
}
