//! The codes of this module and the problem they are reported with.

use crate::diagnostic::{Code, Diagnostic, MAX_OBJECT_DIAGNOSTICS, Severity};
use crate::source::{SourceId, Span};

/// The text is not YAML.
pub const SYNTAX: Code = Code::new(101, Severity::Error, "not valid YAML");
/// A scalar contradicts its tag, or JSON has no value for it.
pub const SCALAR: Code = Code::new(102, Severity::Error, "value JSON cannot carry");
/// A mapping key that cannot be a JSON key.
pub const KEY: Code = Code::new(103, Severity::Error, "mapping key JSON cannot carry");
/// A key stands twice in one mapping; the last one counts.
pub const DUPLICATE_KEY: Code = Code::new(104, Severity::Warning, "duplicate key");
/// An alias without its anchor, or inside it.
pub const ALIAS: Code = Code::new(105, Severity::Error, "alias that cannot be followed");
/// `<<` with something that is not a mapping.
pub const MERGE: Code = Code::new(
    106,
    Severity::Error,
    "merge of something that is no mapping",
);
/// A line that begins like a separator but is none.
pub const SEPARATOR: Code = Code::new(107, Severity::Error, "invalid document separator");
/// Bytes that are not text, or characters that YAML refuses.
pub const CHARACTER: Code = Code::new(108, Severity::Error, "unreadable character");
/// The text begins as JSON and is not JSON.
pub const JSON: Code = Code::new(109, Severity::Error, "not valid JSON");
/// Template markup that was not rendered stands where YAML should.
pub const TEMPLATE: Code = Code::new(110, Severity::Error, "unrendered template");
/// The text is YAML, and netverdict was built without its feature `yaml`: such
/// a build reads JSON alone.
pub const LEFT_OUT: Code = Code::new(111, Severity::Error, "YAML in a build that reads only JSON");

/// The text is longer than [`Limits::max_bytes`](super::Limits::max_bytes).
pub const MAX_BYTES: Code = Code::new(801, Severity::Error, "text too long");
/// Nesting exceeds [`Limits::max_depth`](super::Limits::max_depth).
pub const MAX_DEPTH: Code = Code::new(802, Severity::Error, "nesting too deep");
/// Values exceed [`Limits::max_nodes`](super::Limits::max_nodes).
pub const MAX_NODES: Code = Code::new(803, Severity::Error, "too many values");
/// Documents exceed [`Limits::max_documents`](super::Limits::max_documents).
pub const MAX_DOCUMENTS: Code = Code::new(804, Severity::Error, "too many documents");
/// Aliases make up more of a document than go-yaml allows.
pub const MAX_ALIASES: Code = Code::new(805, Severity::Error, "excessive aliasing");

/// Length of what a `%TAG` handle stands for, in bytes.
pub const MAX_TAG_PREFIX: usize = 1024;

/// Duplicate keys told per document.
pub const MAX_DUPLICATE_KEYS: usize = 100;

/// Tells a duplicate key; of very many, the first.
pub(super) fn warn_duplicate(warnings: &mut Vec<Diagnostic>, key: Span, earlier: Span) {
    if warnings.len() >= MAX_DUPLICATE_KEYS {
        if warnings.len() == MAX_DUPLICATE_KEYS {
            let message = format!(
                "further duplicate keys of this document are left out: {MAX_DUPLICATE_KEYS} is the limit"
            );
            warnings.push(Diagnostic::new(MAX_OBJECT_DIAGNOSTICS, key, message));
        }
        return;
    }
    let message = "this key stands twice in its mapping; the last one counts";
    let warning = Diagnostic::new(DUPLICATE_KEY, key, message)
        .label(earlier, "this one is ignored")
        .help("remove one of the two");
    warnings.push(warning);
}

/// A problem at a byte range of the text being read, before it is known where
/// that text stands in its source.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Problem(Box<Inner>);

#[derive(Clone, Debug, PartialEq)]
struct Inner {
    code: Code,
    start: usize,
    end: usize,
    message: String,
    help: Option<&'static str>,
}

impl Problem {
    pub(super) fn new(code: Code, start: usize, end: usize, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            code,
            start,
            end,
            message: message.into(),
            help: None,
        }))
    }

    pub(super) fn help(mut self, help: &'static str) -> Self {
        self.0.help = Some(help);
        self
    }

    pub(super) fn code(&self) -> Code {
        self.0.code
    }

    /// How many bytes it covers.
    #[cfg(feature = "yaml")]
    pub(super) fn len(&self) -> usize {
        self.0.end - self.0.start
    }

    pub(super) fn start(&self) -> usize {
        self.0.start
    }

    /// The diagnostic, given where the text begins and how long it is.
    pub(super) fn at(self, source: SourceId, base: usize, len: usize) -> Diagnostic {
        let Inner {
            code,
            start,
            end,
            message,
            help,
        } = *self.0;
        let start = start.min(len);
        let span = super::span(source, base + start, base + end.clamp(start, len));
        let diagnostic = Diagnostic::new(code, span, message);
        match help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        }
    }
}
