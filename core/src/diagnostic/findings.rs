//! The problems of one object, no more than anybody reads.
//!
//! In: diagnostics in the order found, however many. Out: the first
//! [`MAX_FINDINGS`] of them, an error among them if there was one, and one
//! that says how many were left out.

use super::{Code, Diagnostic, Severity};
use crate::source::Span;

/// More diagnostics about one object, from one stage of its way, than
/// [`MAX_FINDINGS`].
pub const MAX_OBJECT_DIAGNOSTICS: Code = Code::new(
    808,
    Severity::Info,
    "further diagnostics of an object left out",
);

/// Diagnostics kept of what one stage finds in one object.
pub const MAX_FINDINGS: usize = 1000;

/// Collects the problems that one stage finds in one object.
///
/// ```
/// use netverdict::diagnostic::{Code, Diagnostic, Findings, MAX_FINDINGS, Severity};
/// use netverdict::source::Span;
///
/// const ODD: Code = Code::new(9999, Severity::Warning, "odd");
/// let mut findings = Findings::default();
/// for _ in 0..MAX_FINDINGS + 5 {
///     findings.push(Diagnostic::new(ODD, Span::default(), "once more"));
/// }
/// assert!(!findings.refused());
/// let told = findings.finish();
/// assert_eq!(told.len(), MAX_FINDINGS + 1);
/// assert!(told.last().is_some_and(|d| d.message.contains('5')));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Findings {
    kept: Vec<Diagnostic>,
    refused: bool,
    left_out: usize,
    /// The first place that is not told of.
    since: Span,
}

impl Findings {
    /// Adds a problem, if there is room for it. The first error always has
    /// room, in place of the last that is none: whoever refuses an object
    /// says why.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let first_error = diagnostic.severity == Severity::Error && !self.refused;
        self.refused |= first_error;
        if self.kept.len() < MAX_FINDINGS {
            self.kept.push(diagnostic);
            return;
        }
        if self.left_out == 0 {
            self.since = diagnostic.span;
        }
        self.left_out += 1;
        if first_error && let Some(last) = self.kept.last_mut() {
            *last = diagnostic;
        }
    }

    /// True when an error was among them, which refuses the object.
    #[must_use]
    pub fn refused(&self) -> bool {
        self.refused
    }

    /// True without problems.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The latest problem that was kept, unless some were left out since.
    pub(crate) fn last_mut(&mut self) -> Option<&mut Diagnostic> {
        if self.left_out > 0 {
            return None;
        }
        self.kept.last_mut()
    }

    /// What was kept, and last how many were left out.
    #[must_use]
    pub fn finish(self) -> Vec<Diagnostic> {
        let Self {
            mut kept,
            left_out,
            since,
            ..
        } = self;
        if left_out > 0 {
            let message = format!(
                "{left_out} further diagnostics of this object are left out: {MAX_FINDINGS} is the limit"
            );
            let object = kept.first().map_or("", |d| &d.object).to_owned();
            kept.push(
                Diagnostic::new(MAX_OBJECT_DIAGNOSTICS, since, message)
                    .of(object)
                    .help("mend those told and check again"),
            );
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REMARK: Code = Code::new(1, Severity::Info, "remark");
    const ERROR: Code = Code::new(2, Severity::Error, "error");

    fn collect(codes: impl IntoIterator<Item = Code>) -> Vec<Diagnostic> {
        let mut findings = Findings::default();
        for code in codes {
            findings.push(Diagnostic::new(code, Span::default(), "x"));
        }
        findings.finish()
    }

    #[test]
    fn nothing_is_said_of_what_fits() {
        let told = collect(std::iter::repeat_n(REMARK, MAX_FINDINGS));
        assert_eq!(told.len(), MAX_FINDINGS);
        assert!(told.iter().all(|d| d.code == REMARK));
    }

    #[test]
    fn the_rest_is_counted_and_the_first_error_kept() {
        let remarks = std::iter::repeat_n(REMARK, MAX_FINDINGS + 4);
        let told = collect(remarks.chain([ERROR, ERROR]));
        assert_eq!(told.len(), MAX_FINDINGS + 1);
        assert_eq!(told[MAX_FINDINGS - 1].code, ERROR);
        let last = &told[MAX_FINDINGS];
        assert_eq!(last.code, MAX_OBJECT_DIAGNOSTICS);
        assert!(last.message.starts_with("6 further"), "{}", last.message);
    }
}
