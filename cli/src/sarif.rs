//! SARIF 2.1.0, which code hosts and editors read.
//!
//! In: findings and their sources. Out: one run of the tool as JSON, with what
//! each of its rules means.

use netverdict::diagnostic::{Diagnostic, JsonFix, JsonSpan, Severity};
use netverdict::source::{Sources, Span};
use netverdict_analysis::lint::{Explanation, catalogue};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
const PAGE: &str = concat!(
    env!("CARGO_PKG_REPOSITORY"),
    "/blob/main/docs/diagnostics.md"
);

/// The log of one run; `suppressed` are findings that a comment keeps quiet.
pub(crate) fn log(
    found: &[&Diagnostic],
    suppressed: &[(Diagnostic, String)],
    sources: &Sources,
) -> Value {
    let told = found.iter().copied();
    let codes = told.chain(suppressed.iter().map(|(d, _)| d));
    let codes: BTreeMap<String, Severity> = codes
        .map(|d| (d.code.to_string(), d.code.severity()))
        .collect();
    let known = catalogue();
    let rules: Vec<Value> = codes
        .iter()
        .map(|(code, severity)| rule(code, *severity, known.iter().find(|e| e.code == *code)))
        .collect();
    let index = |d: &Diagnostic| codes.keys().position(|c| *c == d.code.to_string());
    let mut results: Vec<Value> = found.iter().map(|d| result(d, index(d), sources)).collect();
    for (diagnostic, reason) in suppressed {
        let mut quiet = result(diagnostic, index(diagnostic), sources);
        quiet["suppressions"] = json!([{"kind": "inSource", "justification": reason}]);
        results.push(quiet);
    }
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "netverdict",
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

fn rule(code: &str, severity: Severity, known: Option<&Explanation>) -> Value {
    let uri = format!("{PAGE}#{code}");
    let mut rule = json!({
        "id": code,
        "helpUri": uri,
        "defaultConfiguration": {"level": level(severity)},
    });
    if let Some(known) = known {
        rule["shortDescription"] = json!({"text": known.title});
        rule["fullDescription"] = json!({"text": known.text});
        rule["help"] = json!({"text": plain_help(known), "markdown": markdown_help(known)});
    }
    rule
}

fn plain_help(known: &Explanation) -> String {
    match (&known.why, &known.fix) {
        (Some(why), Some(fix)) => format!("{why}\nTo mend it: {fix}"),
        _ => known.text.clone(),
    }
}

fn markdown_help(known: &Explanation) -> String {
    let mut text = plain_help(known).replace('\n', "\n\n");
    for (title, example) in [("Wrong", &known.wrong), ("Right", &known.right)] {
        if let Some(example) = example {
            text += &format!("\n\n{title}:\n\n```yaml\n{example}```");
        }
    }
    text
}

fn result(diagnostic: &Diagnostic, index: Option<usize>, sources: &Sources) -> Value {
    let message = match &diagnostic.help {
        Some(help) => format!("{}\nhelp: {help}", diagnostic.message),
        None => diagnostic.message.clone(),
    };
    let mut result = json!({
        "ruleId": diagnostic.code.to_string(),
        "level": level(diagnostic.severity),
        "message": {"text": message},
    });
    if let Some(index) = index {
        result["ruleIndex"] = json!(index);
    }
    if let Some(mut place) = location(diagnostic.span, sources) {
        if !diagnostic.object.is_empty() {
            let name = match diagnostic.path.as_str() {
                "" => diagnostic.object.clone(),
                path => format!("{}: {path}", diagnostic.object),
            };
            place["logicalLocations"] = json!([{"fullyQualifiedName": name}]);
        }
        result["locations"] = json!([place]);
    }
    let related: Vec<Value> = diagnostic
        .labels
        .iter()
        .filter_map(|label| {
            let mut place = location(label.span, sources)?;
            place["message"] = json!({"text": label.message});
            Some(place)
        })
        .collect();
    if !related.is_empty() {
        result["relatedLocations"] = json!(related);
    }
    let fixes = netverdict::diagnostic::JsonDiagnostic::new(diagnostic, sources).fixes;
    if !fixes.is_empty() {
        result["fixes"] = fixes.iter().map(fix).collect();
    }
    result
}

fn location(span: Span, sources: &Sources) -> Option<Value> {
    sources.get(span.source)?;
    let place = JsonSpan::new(span, sources);
    Some(json!({"physicalLocation": {
        "artifactLocation": {"uri": uri(&place.file)},
        "region": region(&place),
    }}))
}

fn region(place: &JsonSpan) -> Value {
    json!({
        "startLine": place.line,
        "startColumn": place.column,
        "endLine": place.end_line,
        "endColumn": place.end_column,
    })
}

fn fix(fix: &JsonFix) -> Value {
    let mut by_file: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for edit in &fix.edits {
        let replacement = json!({
            "deletedRegion": region(&edit.span),
            "insertedContent": {"text": edit.message},
        });
        by_file
            .entry(&edit.span.file)
            .or_default()
            .push(replacement);
    }
    let changes = by_file.into_iter().map(|(file, replacements)| {
        json!({"artifactLocation": {"uri": uri(file)}, "replacements": replacements})
    });
    json!({
        "description": {"text": fix.title},
        "artifactChanges": changes.collect::<Vec<_>>(),
    })
}

/// A path as a reference: relative ones stay relative.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    if path.starts_with('/') {
        uri.push_str("file://");
    }
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => {
                uri.push(char::from(byte));
            }
            b'\\' if cfg!(windows) => uri.push('/'),
            _ => uri += &format!("%{byte:02X}"),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_references() {
        assert_eq!(uri("a b/ä.yaml"), "a%20b/%C3%A4.yaml");
        assert_eq!(uri("/x/<y>.yaml"), "file:///x/%3Cy%3E.yaml");
    }
}
