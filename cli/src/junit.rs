//! JUnit's XML, which build servers read.
//!
//! In: findings by file. Out: a suite for each file, with a test that failed
//! for each finding that counts, and one that passed where nothing was found.

use netverdict::diagnostic::{Diagnostic, JsonDiagnostic, Severity};
use netverdict::source::Sources;
use std::io::{self, Write};

/// The findings of one file.
pub(crate) struct Suite<'d> {
    /// Name of the file.
    pub(crate) file: String,
    /// What was found in it.
    pub(crate) found: Vec<&'d Diagnostic>,
}

/// Writes the suites; findings from `threshold` on are failures.
pub(crate) fn write(
    out: &mut dyn Write,
    suites: &[Suite<'_>],
    threshold: Severity,
    sources: &Sources,
) -> io::Result<()> {
    let fails = |d: &&&Diagnostic| d.severity >= threshold;
    let tests = |s: &Suite<'_>| s.found.len().max(1);
    let failures = |s: &Suite<'_>| s.found.iter().filter(fails).count();
    writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(
        out,
        r#"<testsuites name="netverdict check" tests="{}" failures="{}">"#,
        suites.iter().map(tests).sum::<usize>(),
        suites.iter().map(failures).sum::<usize>(),
    )?;
    for suite in suites {
        let file = escaped(&suite.file);
        writeln!(
            out,
            r#"  <testsuite name="{file}" tests="{}" failures="{}">"#,
            tests(suite),
            failures(suite),
        )?;
        if suite.found.is_empty() {
            writeln!(out, r#"    <testcase classname="{file}" name="check"/>"#)?;
        }
        for finding in &suite.found {
            let failed = fails(&finding);
            test(out, &file, failed, &JsonDiagnostic::new(finding, sources))?;
        }
        writeln!(out, "  </testsuite>")?;
    }
    writeln!(out, "</testsuites>")
}

fn test(out: &mut dyn Write, file: &str, failed: bool, d: &JsonDiagnostic) -> io::Result<()> {
    let (line, column) = (d.span.line, d.span.column);
    let name = format!("{} at {line}:{column}", d.code);
    writeln!(out, r#"    <testcase classname="{file}" name="{name}">"#)?;
    let message = escaped(&d.message);
    let mut text = format!("{}[{}] {file}:{line}:{column}", d.severity, d.code);
    for (word, part) in [("in", &d.object), ("at", &d.path)] {
        if !part.is_empty() {
            text += &format!("\n{word} {}", escaped(part));
        }
    }
    if let Some(help) = &d.help {
        text += &format!("\nhelp: {}", escaped(help));
    }
    if failed {
        let kind = d.severity;
        writeln!(
            out,
            r#"      <failure type="{kind}" message="{message}">{text}</failure>"#
        )?;
    } else {
        writeln!(out, "      <system-out>{message}\n{text}</system-out>")?;
    }
    writeln!(out, "    </testcase>")
}

/// The text in XML; characters that XML does not have become `\u{FFFD}`.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        assert_eq!(
            escaped("a<b>&\"c\"\u{7}"),
            "a&lt;b&gt;&amp;&quot;c&quot;\u{fffd}"
        );
    }
}
