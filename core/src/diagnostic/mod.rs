//! Diagnostics: every problem as a value with a stable code, a place and advice.
//!
//! In: what any stage found wrong. Out: [`Diagnostic`]s that renderers turn
//! into terminal text, JSON, SARIF or editor marks. This module renders JSON
//! only; colours and files belong to the callers.

mod findings;
mod json;

pub use findings::{Findings, MAX_FINDINGS, MAX_OBJECT_DIAGNOSTICS};
pub use json::{JsonDiagnostic, JsonFix, JsonLabel, JsonSpan};

use crate::source::Span;
use std::fmt;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Info,
    /// Accepted, but probably not what the author meant.
    Warning,
    /// Refused by the API server or by Cilium, or unreadable.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// A stable diagnostic code: `NV0401`.
///
/// Codes are never reused. Hundreds: 01 reading YAML, 02 decoding objects,
/// 03 what the API server's schema refuses, 04 what Cilium's agent refuses in
/// its own kinds, 05 Kubernetes policy kinds, 06 workloads, 07 rules and
/// resolution, 08 limits, 09 input that cannot be known (templates), 10 what
/// is accepted and hardly meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code {
    number: u16,
    severity: Severity,
    title: &'static str,
}

impl Code {
    /// Declares a code. `title` says what is wrong in a few lower-case words.
    #[must_use]
    pub const fn new(number: u16, severity: Severity, title: &'static str) -> Self {
        Self {
            number,
            severity,
            title,
        }
    }

    /// The number without its prefix.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.number
    }

    /// The severity a diagnostic of this code has unless it says otherwise.
    #[must_use]
    pub const fn severity(self) -> Severity {
        self.severity
    }

    /// What is wrong, in a few words, without the particulars.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.title
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NV{:04}", self.number)
    }
}

/// A secondary place with what it has to do with the problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// Why it is shown.
    pub message: String,
}

/// A change that would mend the problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// What the change does, as an order: "quote the port".
    pub title: String,
    /// Texts to put in place of ranges; the ranges do not overlap.
    pub edits: Vec<(Span, String)>,
    /// True when the intention is certain and a tool may apply it unasked.
    pub machine_applicable: bool,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The stable code.
    pub code: Code,
    /// How bad; usually [`Code::severity`].
    pub severity: Severity,
    /// What is wrong: lower case, no final period, input in backticks.
    pub message: String,
    /// The primary place.
    pub span: Span,
    /// Where in the object: `spec.ingress[0].fromCIDR[1]`; empty when outside.
    pub path: String,
    /// The object, as `Kind/namespace/name`; empty when unknown.
    pub object: String,
    /// Further places.
    pub labels: Vec<Label>,
    /// What to do instead, in one or two sentences.
    pub help: Option<String>,
    /// Changes that would mend it.
    pub fixes: Vec<Fix>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Diagnostic {}

impl Diagnostic {
    /// A diagnostic with the code's own severity and nothing but a message.
    #[must_use]
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: code.severity(),
            message: message.into(),
            span,
            path: String::new(),
            object: String::new(),
            labels: Vec::new(),
            help: None,
            fixes: Vec::new(),
        }
    }

    /// Adds the field path.
    #[must_use]
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Adds the object's name.
    #[must_use]
    pub fn of(mut self, object: impl Into<String>) -> Self {
        self.object = object.into();
        self
    }

    /// Adds advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds a secondary place.
    #[must_use]
    pub fn label(mut self, span: Span, message: impl Into<String>) -> Self {
        self.labels.push(Label {
            span,
            message: message.into(),
        });
        self
    }

    /// Adds a single-edit fix.
    #[must_use]
    pub fn fix(
        mut self,
        title: impl Into<String>,
        span: Span,
        replacement: impl Into<String>,
        machine_applicable: bool,
    ) -> Self {
        self.fixes.push(Fix {
            title: title.into(),
            edits: vec![(span, replacement.into())],
            machine_applicable,
        });
        self
    }
}

/// Characters of a word for which a similar one is looked for: comparing two
/// takes time by the product of their lengths.
pub const MAX_SUGGESTED: usize = 253;

/// The closest of `candidates` to `word` by edit distance, when close enough
/// to be what was meant: at most a third of the word's letters differ, and no
/// more than three.
///
/// ```
/// use netverdict::diagnostic::suggest;
///
/// assert_eq!(suggest("ingres", ["ingress", "egress"]), Some("ingress"));
/// assert_eq!(suggest("toPorts", ["ingress", "egress"]), None);
/// ```
#[must_use]
pub fn suggest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    if length > MAX_SUGGESTED {
        return None;
    }
    let limit = (length / 3).clamp(1, 3);
    let word: Vec<char> = word.to_lowercase().chars().collect();
    candidates
        .into_iter()
        // No nearer than their lengths are; and long words cost nothing.
        .filter(|c| c.chars().count().abs_diff(length) <= limit)
        .filter_map(|c| {
            let letters: Vec<char> = c.to_lowercase().chars().collect();
            let distance = edit_distance(&word, &letters);
            (distance <= limit).then_some((distance, c))
        })
        .min()
        .map(|(_, c)| c)
}

/// How many letters must be added, left out or replaced.
fn edit_distance(a: &[char], b: &[char]) -> usize {
    // What both begin and end with plays no part.
    let begin = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let (a, b) = (a.split_at(begin).1, b.split_at(begin).1);
    let pairs = a.iter().rev().zip(b.iter().rev());
    let end = pairs.take_while(|(a, b)| a == b).count();
    let a = a.split_at(a.len() - end).0;
    let b = b.split_at(b.len() - end).0;
    // How far what was seen of `a` is from each beginning of `b`.
    let mut row: Vec<usize> = (0..=b.len()).collect();
    let mut next = Vec::with_capacity(row.len());
    for (i, ca) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        next.clear();
        next.push(left);
        for (&up, cb) in row.iter().skip(1).zip(b) {
            left = (diagonal + usize::from(ca != cb)).min(up + 1).min(left + 1);
            diagonal = up;
            next.push(left);
        }
        std::mem::swap(&mut row, &mut next);
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions_are_close_or_absent() {
        let fields = ["toPorts", "toEndpoints", "toEntities", "except"];
        assert_eq!(suggest("toPort", fields), Some("toPorts"));
        assert_eq!(suggest("toEndpionts", fields), Some("toEndpoints"));
        assert_eq!(suggest("exceptCIDRs", fields), None);
        assert_eq!(suggest("zzz", fields), None);
        assert_eq!(suggest("longhorn-system", ["vendor-system"]), None);
        for (a, b, distance) in [
            ("kitten", "sitting", 3),
            ("", "abc", 3),
            ("abc", "abc", 0),
            ("aaa", "aa", 1),
            ("xabcy", "abc", 2),
            ("ab", "ba", 2),
            ("axb", "ab", 1),
        ] {
            let letters = |text: &str| text.chars().collect::<Vec<char>>();
            assert_eq!(edit_distance(&letters(a), &letters(b)), distance, "{a} {b}");
            assert_eq!(edit_distance(&letters(b), &letters(a)), distance, "{b} {a}");
        }
    }
}
