//! Cutting a text into documents, as Kubernetes' readers do.
//!
//! In: the text of a source. Out: the byte range of each document. Rules:
//! k8s.io/apimachinery 0.36.4 `pkg/util/yaml/decoder.go` (`YAMLReader`).

use std::ops::Range;

/// One stretch of text between separators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    /// Text for the YAML parser.
    Yaml(Range<usize>),
    /// A line that begins with `---` but goes on with something that is not a
    /// comment: `range` is all that is lost with it, `line` the line itself.
    BadSeparator {
        /// The unread text up to and including the line.
        range: Range<usize>,
        /// The line without its break.
        line: Range<usize>,
    },
}

/// The documents of `text[from..]`.
pub(super) fn split(text: &str, from: usize) -> impl Iterator<Item = Chunk> + '_ {
    let mut at = from;
    std::iter::from_fn(move || next_chunk(text, &mut at))
}

fn next_chunk(text: &str, at: &mut usize) -> Option<Chunk> {
    let start = *at;
    loop {
        let rest = text.get(*at..).filter(|r| !r.is_empty());
        let Some(rest) = rest else {
            return (start < *at).then_some(Chunk::Yaml(start..*at));
        };
        let line = *at;
        let len = rest.find('\n').map_or(rest.len(), |i| i + 1);
        *at += len;
        let Some(tail) = rest.get(..len).and_then(|l| l.strip_prefix("---")) else {
            continue;
        };
        let tail = tail.trim();
        if !tail.is_empty() && !tail.starts_with('#') {
            let end = line + rest.get(..len).map_or(len, |l| l.trim_end().len());
            return Some(Chunk::BadSeparator {
                range: start..*at,
                line: line..end,
            });
        }
        // A separator before anything was read belongs to the document.
        if line > start {
            return Some(Chunk::Yaml(start..line));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(text: &str) -> Vec<&str> {
        split(text, 0)
            .map(|c| match c {
                Chunk::Yaml(r) => &text[r],
                Chunk::BadSeparator { line, .. } => &text[line],
            })
            .collect()
    }

    #[test]
    fn separators_split_and_lead() {
        assert_eq!(chunks("a\n---\nb\n"), ["a\n", "b\n"]);
        assert_eq!(chunks("---\na\n--- # c\nb"), ["---\na\n", "b"]);
        assert_eq!(chunks("---\n---\na"), ["---\n", "a"]);
        assert_eq!(chunks("a\n---\n"), ["a\n"]);
        assert_eq!(chunks("a\n----\nb"), ["----", "b"]);
        assert_eq!(chunks(" ---\na"), [" ---\na"]);
        assert!(chunks("").is_empty());
    }
}
