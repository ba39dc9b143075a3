//! What became of expectations, in the forms people and programs read.

use crate::excerpt::{self, Mark};
use crate::junit::escaped;
use crate::report::place;
use crate::style::{self, clean, count};
use netverdict::explain::JsonPlace;
use netverdict::source::{SourceId, Sources, Span};
use netverdict_analysis::expectation::{Checked, Failed, Problem};
use serde_json::{Value, json};
use std::io::{self, Write};

/// Lines about one expectation; more are counted.
const LISTED: usize = 8;

/// An expectation, or something wrong with its file.
pub(super) struct Test {
    /// Its file.
    pub(super) file: String,
    /// The line it begins in.
    pub(super) line: u32,
    /// And the column.
    pub(super) column: u32,
    /// What it is called.
    pub(super) title: String,
    /// How many questions it asked.
    asked: usize,
    /// What is wrong; empty when it holds.
    pub(super) lines: Vec<String>,
    span: Span,
    json: Vec<Value>,
}

/// All of them.
pub(super) struct Report<'s> {
    tests: Vec<Test>,
    sources: &'s Sources,
}

/// A file, and what became of its expectations or is wrong with it.
pub(super) type FileResult<'r, 'e> = (SourceId, Result<Vec<Checked<'e>>, &'r [Problem]>);

impl<'s> Report<'s> {
    /// Gathers them.
    pub(super) fn new(results: &[FileResult<'_, '_>], sources: &'s Sources) -> Self {
        let mut tests = Vec::new();
        for (source, result) in results {
            match result {
                Ok(checked) => tests.extend(checked.iter().map(|c| test(c, sources))),
                Err(problems) => {
                    let of = |p: &Problem| {
                        let mut test = at(p.span, "the file is not understood".to_owned(), sources);
                        test.lines.push(p.message.clone());
                        test.json.push(json!({ "problem": p.message }));
                        test
                    };
                    tests.extend(problems.iter().map(of));
                    if problems.is_empty() {
                        tests.push(at(Span::new(*source, 0, 0), String::new(), sources));
                    }
                }
            }
        }
        Self { tests, sources }
    }

    /// Each of them.
    pub(super) fn tests(&self) -> &[Test] {
        &self.tests
    }

    /// How many do not hold.
    pub(super) fn failures(&self) -> usize {
        self.tests.iter().filter(|t| !t.lines.is_empty()).count()
    }

    /// For people.
    pub(super) fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        for test in self.tests.iter().filter(|t| !t.lines.is_empty()) {
            let (red, strong, faint) = (style::ERROR, style::STRONG, style::FAINT);
            let title = clean(&test.title);
            writeln!(out, "{red}failed{red:#}{strong}: {title}{strong:#}")?;
            if let Some(source) = self.sources.get(test.span.source) {
                let mark = Mark {
                    span: test.span,
                    text: "",
                    style: red,
                    sign: '^',
                };
                let gutter = excerpt::gutter(source, &[mark]);
                let place = place(self.sources, test.span);
                writeln!(out, "{:gutter$}{faint}-->{faint:#} {place}", "")?;
                excerpt::write(out, source, &[mark], gutter)?;
            }
            for line in &test.lines {
                writeln!(out, "  {}", clean(line))?;
            }
            writeln!(out)?;
        }
        let failed = self.failures();
        let asked: usize = self.tests.iter().map(|t| t.asked).sum();
        writeln!(
            out,
            "{}: {} hold, {failed} failed; {}",
            count(self.tests.len(), "expectation"),
            self.tests.len() - failed,
            count(asked, "question")
        )
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let one = |t: &Test| {
            json!({
                "title": t.title,
                "file": t.file,
                "line": t.line,
                "column": t.column,
                "holds": t.lines.is_empty(),
                "asked": t.asked,
                "failed": t.json,
            })
        };
        json!({
            "failed": self.failures(),
            "expectations": self.tests.iter().map(one).collect::<Vec<_>>(),
        })
    }

    /// For CI systems.
    pub(super) fn junit(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
        writeln!(
            out,
            "<testsuites tests=\"{}\" failures=\"{}\">",
            self.tests.len(),
            self.failures()
        )?;
        let mut files: Vec<&str> = self.tests.iter().map(|t| t.file.as_str()).collect();
        files.dedup();
        for file in files {
            let own = || self.tests.iter().filter(|t| t.file == file);
            writeln!(
                out,
                "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\">",
                escaped(file),
                own().count(),
                own().filter(|t| !t.lines.is_empty()).count()
            )?;
            for test in own() {
                write!(
                    out,
                    "    <testcase name=\"{}\" classname=\"{}\" file=\"{}\" line=\"{}\"",
                    escaped(&test.title),
                    escaped(file),
                    escaped(file),
                    test.line
                )?;
                let Some(first) = test.lines.first() else {
                    writeln!(out, "/>")?;
                    continue;
                };
                writeln!(out, ">")?;
                writeln!(
                    out,
                    "      <failure message=\"{}\">{}</failure>",
                    escaped(first),
                    escaped(&test.lines.join("\n"))
                )?;
                writeln!(out, "    </testcase>")?;
            }
            writeln!(out, "  </testsuite>")?;
        }
        writeln!(out, "</testsuites>")
    }
}

fn at(span: Span, title: String, sources: &Sources) -> Test {
    let source = sources.get(span.source);
    let position = source.map(|s| s.position(span.start));
    Test {
        file: source.map_or_else(String::new, |s| s.name().to_owned()),
        line: position.map_or(0, |p| p.line),
        column: position.map_or(0, |p| p.column),
        title,
        asked: 0,
        lines: Vec::new(),
        span,
        json: Vec::new(),
    }
}

fn test(checked: &Checked<'_>, sources: &Sources) -> Test {
    let mut test = at(
        checked.expectation.span,
        checked.expectation.title(),
        sources,
    );
    test.asked = checked.asked;
    for problem in &checked.problems {
        let place = place(sources, problem.span);
        test.lines.push(format!("{}  {place}", problem.message));
        test.json
            .push(json!({ "problem": problem.message, "at": place }));
    }
    for failed in checked.failed.iter().take(LISTED) {
        lines(&mut test.lines, failed, sources);
    }
    let more = checked.failed.len().saturating_sub(LISTED);
    if more > 0 {
        test.lines.push(format!("and {more} more"));
    }
    test.json.extend(checked.failed.iter().map(|f| {
        let rules = f.rules.iter().map(|(direction, rule)| {
            json!({
                "direction": direction.as_str(),
                "rule": JsonPlace::new(rule, sources),
            })
        });
        json!({
            "from": f.from,
            "to": f.to,
            "traffic": f.what,
            "found": f.found,
            "why": f.why,
            "rules": rules.collect::<Vec<_>>(),
        })
    }));
    test
}

fn lines(lines: &mut Vec<String>, failed: &Failed, sources: &Sources) {
    const RULES: usize = 3;
    let Failed {
        from,
        to,
        what,
        found,
        ..
    } = failed;
    lines.push(format!("{from} → {to} {what}: {found}"));
    lines.extend(failed.why.iter().map(|w| format!("  {w}")));
    if !failed.why.is_empty() {
        return;
    }
    if failed.rules.is_empty() {
        lines.push("  no policy decides".to_owned());
    }
    for (direction, rule) in failed.rules.iter().take(RULES) {
        let origin = &rule.origin;
        let place = place(sources, origin.span);
        let (object, path) = (&origin.object, &origin.path);
        lines.push(format!("  {direction}: {object}, {path}  {place}"));
    }
    if failed.rules.len() > RULES {
        lines.push(format!("  and {} more", failed.rules.len() - RULES));
    }
}
