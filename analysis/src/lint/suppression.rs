//! Comments that keep findings quiet.
//!
//! In: the text of a source, and findings. Out: the findings that no comment
//! is about, those that one is about, and a finding for each comment that is
//! about none.
//!
//! `# netverdict: ignore NV1001 reason` at the end of a line is about what is
//! found on it; above a line, about that line and what belongs to it; above the
//! first line of a document, about the document.
//!
//! ```
//! use netverdict::diagnostic::Diagnostic;
//! use netverdict::source::{Sources, Span};
//! use netverdict_analysis::lint::{NEAR_LABEL, suppression};
//!
//! let mut sources = Sources::new();
//! let text = "spec: {}  # netverdict: ignore NV0625 it comes later\n";
//! let id = sources.add("a.yaml", text);
//! let found = vec![Diagnostic::new(NEAR_LABEL, Span::new(id, 0, 4), "nobody has the label")];
//! let sifted = suppression::sift(found, &sources, [id].into_iter());
//! assert!(sifted.found.is_empty());
//! assert_eq!(sifted.suppressed[0].1, "it comes later");
//! ```

use netverdict::diagnostic::Severity::{Info, Warning};
use netverdict::diagnostic::{Code, Diagnostic};
use netverdict::source::{SourceId, Sources, Span};
use std::ops::Range;

/// A comment, or an entry of `netverdict.yaml`, keeps nothing quiet.
pub const UNUSED: Code = Code::new(1101, Warning, "suppression of nothing");
/// A comment that begins like a suppression and names no code.
pub const MALFORMED: Code = Code::new(1102, Warning, "suppression without a code");

/// One code that a comment keeps quiet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// The code.
    pub code: u16,
    /// Where the code stands in the comment.
    pub span: Span,
    /// What the comment says beside codes.
    pub reason: String,
    /// The bytes of its source that it is about.
    scope: Range<u32>,
}

/// What comments make of findings.
#[derive(Clone, Debug, Default)]
pub struct Sifted {
    /// What is left to tell, what there is to say of the comments included.
    pub found: Vec<Diagnostic>,
    /// What was kept quiet, each with the reason the comment gives.
    pub suppressed: Vec<(Diagnostic, String)>,
}

/// Takes out the findings that comments are about.
#[must_use]
pub fn sift(
    found: Vec<Diagnostic>,
    sources: &Sources,
    ids: impl Iterator<Item = SourceId>,
) -> Sifted {
    let mut all: Vec<(Suppression, bool)> = Vec::new();
    let mut sifted = Sifted::default();
    for id in ids {
        let Some(source) = sources.get(id) else {
            continue;
        };
        let (own, malformed) = read(id, source.text());
        all.extend(own.into_iter().map(|s| (s, false)));
        sifted.found.extend(malformed);
    }
    if all.is_empty() {
        sifted.found.extend(found);
        return sifted;
    }
    // By source, then by place: a finding looks at those of its source only.
    all.sort_by_key(|(s, _)| (s.span.source, s.span.start));
    for finding in found {
        let source = finding.span.source;
        let from = all.partition_point(|(s, _)| s.span.source < source);
        let own = all.iter_mut().skip(from);
        let mut own = own.take_while(|(s, _)| s.span.source == source);
        let about = own.find(|(s, _)| {
            s.code == finding.code.number() && s.scope.contains(&finding.span.start)
        });
        match about {
            Some((suppression, used)) => {
                *used = true;
                let reason = suppression.reason.clone();
                sifted.suppressed.push((finding, reason));
            }
            None => sifted.found.push(finding),
        }
    }
    let unused = all.iter().filter(|(_, used)| !used);
    sifted.found.extend(unused.map(|(s, _)| s.unused()));
    sifted
}

impl Suppression {
    fn unused(&self) -> Diagnostic {
        let message = format!("NV{:04} is not found here", self.code);
        unused(self.code, self.span, message)
    }
}

/// The finding for a suppression of nothing.
pub(super) fn unused(code: u16, span: Span, message: String) -> Diagnostic {
    let mut finding =
        Diagnostic::new(UNUSED, span, message).help("remove the code, or the whole suppression");
    // What other files decide may be found when they are given, too.
    let depends = matches!(
        code,
        225 | 1006 | 1013 | 1014 | 1020 | 1021 | 1031 | 1033..=1035
    );
    if depends || matches!(code / 100, 6 | 7) {
        finding.severity = Info;
    }
    finding
}

/// The suppressions of a text, and what is wrong with some.
#[must_use]
pub fn read(source: SourceId, text: &str) -> (Vec<Suppression>, Vec<Diagnostic>) {
    let (mut all, mut malformed) = (Vec::new(), Vec::new());
    if !text.contains("netverdict:") {
        return (all, malformed);
    }
    let lines = Lines::new(text);
    for (number, line) in lines.all.iter().enumerate() {
        let Some((at, words)) = comment(line.text) else {
            continue;
        };
        let offset = |n: usize| u32::try_from(line.start + n).unwrap_or(u32::MAX);
        let scope = match line.text.get(..at).is_some_and(|t| t.trim().is_empty()) {
            true => lines.below(number),
            false => line.start..line.start + line.text.len(),
        };
        let scope = Range {
            start: u32::try_from(scope.start).unwrap_or(u32::MAX),
            end: u32::try_from(scope.end).unwrap_or(u32::MAX),
        };
        let base = line.text.len() - words.len();
        let mut codes = Vec::new();
        let mut rest = words;
        while let Some((code, after)) = first_code(rest) {
            let start = base + words.len() - rest.trim_start_matches([' ', ',', '\t']).len();
            codes.push((code, Span::new(source, offset(start), offset(start + 6))));
            rest = after;
        }
        let reason = rest.trim_matches([' ', ',', ':', '-', '\t']).to_owned();
        if codes.is_empty() {
            let span = Span::new(source, offset(at), offset(line.text.trim_end().len()));
            malformed.push(
                Diagnostic::new(MALFORMED, span, "the comment names no code to ignore")
                    .help("write `# netverdict: ignore NV1001 and why`"),
            );
        }
        all.extend(codes.into_iter().map(|(code, span)| Suppression {
            code,
            span,
            reason: reason.clone(),
            scope: scope.clone(),
        }));
    }
    (all, malformed)
}

/// Where a comment of ours begins, and what it says after `ignore`.
fn comment(line: &str) -> Option<(usize, &str)> {
    for (at, _) in line.match_indices('#') {
        let before = line.get(..at)?;
        let after = line.get(at + 1..)?;
        let words = after.trim_start().strip_prefix("netverdict:");
        if let Some(words) = words.filter(|_| before.is_empty() || before.ends_with([' ', '\t'])) {
            let words = words.trim_start();
            return Some((at, words.strip_prefix("ignore").unwrap_or("")));
        }
    }
    None
}

/// The code that a text begins with, and what follows.
fn first_code(text: &str) -> Option<(u16, &str)> {
    let text = text.trim_start_matches([' ', ',', '\t']);
    let digits = text.strip_prefix("NV")?.get(..4)?;
    let code = digits.bytes().all(|b| b.is_ascii_digit());
    let code = code.then(|| digits.parse().ok())??;
    let after = text.get(6..)?;
    let ends = !after.starts_with(|c: char| c.is_alphanumeric());
    ends.then_some((code, after))
}

struct Line<'t> {
    start: usize,
    text: &'t str,
}

impl Line<'_> {
    /// Neither empty nor a comment alone.
    fn is_content(&self) -> bool {
        let text = self.text.trim();
        !text.is_empty() && !text.starts_with('#')
    }

    fn is_separator(&self) -> bool {
        self.text.starts_with("---") || self.text.starts_with("...")
    }

    fn indent(&self) -> usize {
        self.text.len() - self.text.trim_start_matches(' ').len()
    }
}

struct Lines<'t> {
    all: Vec<Line<'t>>,
    end: usize,
}

impl<'t> Lines<'t> {
    fn new(text: &'t str) -> Self {
        let mut start = 0;
        let mut all = Vec::new();
        for line in text.split_inclusive('\n') {
            all.push(Line {
                start,
                text: line.trim_end_matches(['\n', '\r']),
            });
            start += line.len();
        }
        Self {
            all,
            end: text.len(),
        }
    }

    /// The bytes that a comment on a line of its own is about.
    fn below(&self, comment: usize) -> Range<usize> {
        let before = self.all.iter().take(comment).rev().find(|l| l.is_content());
        let rest = || self.all.iter().skip(comment + 1);
        let Some(first) = rest().find(|l| l.is_content()) else {
            return self.end..self.end;
        };
        let heads = before.is_none_or(Line::is_separator) || first.is_separator();
        if heads {
            let next = rest().filter(|l| l.start > first.start);
            let end = { next }
                .find(|l| l.is_separator())
                .map_or(self.end, |l| l.start);
            return first.start..end;
        }
        let indent = first.indent();
        // The items of a list may stand below their key.
        let key = !first.text.trim_start().starts_with("- ");
        let belongs = |l: &Line<'_>| {
            l.indent() > indent
                || (key && l.indent() == indent && l.text.trim_start().starts_with("- "))
        };
        let mut next = rest().filter(|l| l.start > first.start && l.is_content());
        let end = next.find(|l| !belongs(l)).map_or(self.end, |l| l.start);
        first.start..end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Code = Code::new(1001, Warning, "one");
    const TWO: Code = Code::new(1002, Warning, "two");

    /// Which of the findings at `@1` and `@2` are kept quiet, and what is said
    /// of the comments.
    fn sifted(text: &str) -> (Vec<String>, Vec<String>) {
        let mut sources = Sources::default();
        let id = sources.add("x.yaml", text);
        let mut found = Vec::new();
        for (mark, code) in [("@1", ONE), ("@2", TWO)] {
            for (at, _) in text.match_indices(mark) {
                let at = u32::try_from(at).unwrap();
                found.push(Diagnostic::new(code, Span::new(id, at, at + 2), "x"));
            }
        }
        let sifted = sift(found, &sources, [id].into_iter());
        let quiet = sifted.suppressed.iter().map(|(d, reason)| {
            let line = sources.get(id).unwrap().position(d.span.start).line;
            format!("{}:{line} {reason}", d.code.number())
                .trim()
                .to_owned()
        });
        let told = sifted.found.iter().map(|d| {
            let line = sources.get(id).unwrap().position(d.span.start).line;
            format!("{}:{line}", d.code.number())
        });
        (quiet.collect(), told.collect())
    }

    #[test]
    fn comments_keep_quiet_what_they_are_about() {
        for (text, quiet, told) in [
            // On the line.
            (
                "a: @1 # netverdict: ignore NV1001 wanted\nb: @1\n",
                &["1001:1 wanted"][..],
                &["1001:2"][..],
            ),
            // Above a line: what is below it in the tree.
            (
                "z: 1\na:\n# netverdict: ignore NV1001\n- b: @1\n  c: @1 @2\n- d: @1\n",
                &["1001:4", "1001:5"],
                &["1001:6", "1002:5"],
            ),
            (
                "z: 1\n#netverdict: ignore NV1001\na:\n- b: @1\nc: @1\n",
                &["1001:4"],
                &["1001:5"],
            ),
            // Above a document.
            (
                "# netverdict: ignore NV1001, NV1002: generated\na: @1\nb: @2\n---\nc: @1\n",
                &["1001:2 generated", "1002:3 generated"],
                &["1001:5"],
            ),
            (
                "x: @1\n---\n# About it.\n# netverdict: ignore NV1001\n\na: 1\nb: @1\n",
                &["1001:7"],
                &["1001:1"],
            ),
            // About nothing, and without a code.
            (
                "a: @1 # netverdict: ignore NV1002\n",
                &[],
                &["1001:1", "1101:1"],
            ),
            (
                "a: @1 # netverdict: ignore it\n",
                &[],
                &["1102:1", "1001:1"],
            ),
            (
                "a: @1 # netverdict: ignore NV10012\n",
                &[],
                &["1102:1", "1001:1"],
            ),
            ("a: '@1#netverdict: ignore NV1001'\n", &[], &["1001:1"]),
            (
                "a: @1\n# netverdict: ignore NV1001",
                &[],
                &["1001:1", "1101:2"],
            ),
        ] {
            assert_eq!(
                sifted(text),
                (
                    quiet.iter().map(|s| (*s).to_owned()).collect(),
                    told.iter().map(|s| (*s).to_owned()).collect()
                ),
                "{text}"
            );
        }
    }
}
