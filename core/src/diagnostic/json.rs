//! The JSON form of diagnostics: positions resolved, nothing to look up.

use super::{Diagnostic, Fix, Severity};
use crate::source::{Sources, Span};
use serde::Serialize;

/// A diagnostic as `netverdict check -o json` prints it.
#[derive(Clone, Debug, Serialize)]
pub struct JsonDiagnostic {
    /// `NV0401`.
    pub code: String,
    /// `error`, `warning` or `info`.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// The primary place.
    #[serde(flatten)]
    pub span: JsonSpan,
    /// Field path within the object.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// `Kind/namespace/name`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub object: String,
    /// What to do instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Further places.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<JsonLabel>,
    /// Changes that would mend it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fixes: Vec<JsonFix>,
}

/// A place: file, and 1-based lines and columns (Unicode scalar values), the
/// end excluded.
#[derive(Clone, Debug, Serialize)]
pub struct JsonSpan {
    /// Name of the source.
    pub file: String,
    /// First line.
    pub line: u32,
    /// First column.
    pub column: u32,
    /// Last line.
    #[serde(rename = "endLine")]
    pub end_line: u32,
    /// One past the last column.
    #[serde(rename = "endColumn")]
    pub end_column: u32,
}

/// A secondary place.
#[derive(Clone, Debug, Serialize)]
pub struct JsonLabel {
    /// Where.
    #[serde(flatten)]
    pub span: JsonSpan,
    /// Why it is shown.
    pub message: String,
}

/// A fix with its edits.
#[derive(Clone, Debug, Serialize)]
pub struct JsonFix {
    /// What the change does.
    pub title: String,
    /// May be applied unasked.
    #[serde(rename = "machineApplicable")]
    pub machine_applicable: bool,
    /// Ranges and the texts to put in their place.
    pub edits: Vec<JsonLabel>,
}

impl JsonSpan {
    /// Resolves a span to lines and columns.
    #[must_use]
    pub fn new(span: Span, sources: &Sources) -> Self {
        match sources.get(span.source) {
            Some(source) => {
                let (start, end) = (source.position(span.start), source.position(span.end));
                Self {
                    file: source.name().to_owned(),
                    line: start.line,
                    column: start.column,
                    end_line: end.line,
                    end_column: end.column,
                }
            }
            None => Self {
                file: String::new(),
                line: 0,
                column: 0,
                end_line: 0,
                end_column: 0,
            },
        }
    }
}

impl JsonDiagnostic {
    /// Resolves every span of a diagnostic.
    #[must_use]
    pub fn new(diagnostic: &Diagnostic, sources: &Sources) -> Self {
        let fix = |f: &Fix| JsonFix {
            title: f.title.clone(),
            machine_applicable: f.machine_applicable,
            edits: f
                .edits
                .iter()
                .map(|(span, text)| JsonLabel {
                    span: JsonSpan::new(*span, sources),
                    message: text.clone(),
                })
                .collect(),
        };
        Self {
            code: diagnostic.code.to_string(),
            severity: diagnostic.severity,
            message: diagnostic.message.clone(),
            span: JsonSpan::new(diagnostic.span, sources),
            path: diagnostic.path.clone(),
            object: diagnostic.object.clone(),
            help: diagnostic.help.clone(),
            labels: diagnostic
                .labels
                .iter()
                .map(|l| JsonLabel {
                    span: JsonSpan::new(l.span, sources),
                    message: l.message.clone(),
                })
                .collect(),
            fixes: diagnostic.fixes.iter().map(fix).collect(),
        }
    }
}
