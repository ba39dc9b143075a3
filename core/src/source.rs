//! Sources and spans: where in whose text something was written.
//!
//! In: the name and text of each file, document or stream the caller read.
//! Out: [`Span`]s (byte ranges) that every later stage carries along, and
//! [`Position`]s (line and column) computed from them when somebody looks.
//!
//! Nothing here reads files: the caller hands over text, the registry keeps it
//! so that a diagnostic can quote the line it speaks of.
//!
//! ```
//! use netverdict::source::{Sources, Span};
//!
//! let mut sources = Sources::new();
//! let id = sources.add("shop.yaml", "kind: Pod\n\u{1d11e}: here\n");
//! let source = sources.get(id).expect("just added");
//! assert_eq!(source.line(2), Some("\u{1d11e}: here"));
//! let place = source.line_start(2).expect("a second line") + 6;
//! // An editor counts UTF-16 units, and may come back with one.
//! let position = source.position(place);
//! assert_eq!((position.line, position.column, position.utf16_column), (2, 4, 5));
//! assert_eq!(source.offset_of_utf16(source.utf16_offset(place)), place);
//! assert_eq!(sources.locate(Span::new(id, place, place + 4)), "shop.yaml:2:4");
//! ```

use std::sync::Arc;

/// Index of a source within a [`Sources`] registry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u32);

/// A byte range in one source.
///
/// `start` and `end` are byte offsets into the source's text, `end` excluded.
/// Text longer than `u32::MAX` bytes is refused before spans are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The source the range lies in.
    pub source: SourceId,
    /// First byte of the range.
    pub start: u32,
    /// One past the last byte of the range.
    pub end: u32,
}

impl Span {
    /// A span over `start..end` of `source`.
    #[must_use]
    pub const fn new(source: SourceId, start: u32, end: u32) -> Self {
        Self { source, start, end }
    }

    /// The smallest span that covers both; `self` when the sources differ.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        if self.source != other.source {
            return self;
        }
        Self {
            source: self.source,
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }
}

/// A value together with the place it was written at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Pairs a value with its place.
    pub const fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }

    /// The same place with another value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned {
            value: f(self.value),
            span: self.span,
        }
    }
}

impl<T> std::ops::Deref for Spanned<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

/// A place as people and editors name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Line, counted from 1.
    pub line: u32,
    /// Column in Unicode scalar values, counted from 1.
    pub column: u32,
    /// Column in UTF-16 code units, counted from 1 (what browsers and the
    /// Language Server Protocol count, there from 0).
    pub utf16_column: u32,
}

/// One text with a name.
#[derive(Clone, Debug)]
pub struct Source {
    name: Arc<str>,
    text: Arc<str>,
    line_starts: Arc<[u32]>,
    /// How many characters, and UTF-16 units, stand before every [`STRIDE`]th
    /// byte: lines may be long.
    marks: Arc<[(u32, u32)]>,
}

const STRIDE: usize = 4096;

impl Source {
    fn new(name: Arc<str>, text: Arc<str>) -> Self {
        let mut starts = vec![0];
        for (i, b) in text.bytes().enumerate() {
            if b == b'\n' {
                starts.push(u32::try_from(i + 1).unwrap_or(u32::MAX));
            }
        }
        let mut marks = vec![(0, 0)];
        let (mut chars, mut units) = (0u32, 0u32);
        for block in text.as_bytes().chunks_exact(STRIDE) {
            for byte in block {
                // Characters are counted where they begin.
                chars += u32::from(byte & 0xC0 != 0x80);
                units += u32::from(byte & 0xC0 != 0x80) + u32::from(*byte >= 0xF0);
            }
            marks.push((chars, units));
        }
        Self {
            name,
            text,
            line_starts: starts.into(),
            marks: marks.into(),
        }
    }

    /// The name the caller gave it, usually a path; `<stdin>` for a stream.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Line and column of a byte offset; offsets past the end are the end.
    #[must_use]
    pub fn position(&self, offset: u32) -> Position {
        let offset = offset.min(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
        let line = self.line_starts.partition_point(|&s| s <= offset).max(1);
        let start = self.line_starts.get(line - 1).copied().unwrap_or(0) as usize;
        let mut end = offset as usize;
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let (chars, units) = self.before(end);
        let (chars_before_line, units_before_line) = self.before(start);
        Position {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: chars.saturating_sub(chars_before_line).saturating_add(1),
            utf16_column: units.saturating_sub(units_before_line).saturating_add(1),
        }
    }

    /// How many UTF-16 units stand before a byte offset, which is how browsers
    /// count places in a text; offsets past the end are the end.
    #[must_use]
    pub fn utf16_offset(&self, offset: u32) -> u32 {
        let mut at = (offset as usize).min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        self.before(at).1
    }

    /// The byte offset of so many UTF-16 units; within a character its start,
    /// past the end the end.
    #[must_use]
    pub fn offset_of_utf16(&self, units: u32) -> u32 {
        let block = self.marks.partition_point(|&(_, u)| u <= units).max(1) - 1;
        let mut at = block * STRIDE;
        // A character that began in the block before was counted there.
        while !self.text.is_char_boundary(at) {
            at += 1;
        }
        let mut left = units - self.marks.get(block).map_or(0, |m| m.1).min(units);
        for c in self.text.get(at..).unwrap_or_default().chars() {
            let width = c.len_utf16() as u32;
            if left < width {
                break;
            }
            left -= width;
            at += c.len_utf8();
        }
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    /// How many characters and UTF-16 units begin before a byte.
    fn before(&self, at: usize) -> (u32, u32) {
        let block = at / STRIDE;
        let (mut chars, mut units) = self.marks.get(block).copied().unwrap_or_default();
        let rest = self.text.as_bytes().get(block * STRIDE..at);
        for byte in rest.unwrap_or_default() {
            chars += u32::from(byte & 0xC0 != 0x80);
            units += u32::from(byte & 0xC0 != 0x80) + u32::from(*byte >= 0xF0);
        }
        (chars, units)
    }

    /// The byte offset at which a line (counted from 1) begins.
    #[must_use]
    pub fn line_start(&self, line: u32) -> Option<u32> {
        self.line_starts
            .get((line as usize).checked_sub(1)?)
            .copied()
    }

    /// The text of a line (counted from 1) without its line ending.
    #[must_use]
    pub fn line(&self, line: u32) -> Option<&str> {
        let start = self.line_start(line)? as usize;
        let end = self
            .line_starts
            .get(line as usize)
            .map_or(self.text.len(), |&e| e as usize);
        self.text
            .get(start..end)
            .map(|l| l.trim_end_matches(['\n', '\r']))
    }
}

/// All texts of one run, by [`SourceId`].
#[derive(Clone, Debug, Default)]
pub struct Sources {
    all: Vec<Source>,
}

impl Sources {
    /// An empty registry.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a text and returns its id.
    pub fn add(&mut self, name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> SourceId {
        let id = SourceId(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        self.all.push(Source::new(name.into(), text.into()));
        id
    }

    /// Puts another text in the place of one that nothing refers to any more;
    /// false when there is no such id.
    pub fn replace(
        &mut self,
        id: SourceId,
        name: impl Into<Arc<str>>,
        text: impl Into<Arc<str>>,
    ) -> bool {
        let slot = self.all.get_mut(id.0 as usize);
        let known = slot.is_some();
        if let Some(slot) = slot {
            *slot = Source::new(name.into(), text.into());
        }
        known
    }

    /// The source of that id.
    #[must_use]
    pub fn get(&self, id: SourceId) -> Option<&Source> {
        self.all.get(id.0 as usize)
    }

    /// Every source, in order of registration.
    pub fn iter(&self) -> impl Iterator<Item = (SourceId, &Source)> {
        (0u32..).map(SourceId).zip(&self.all)
    }

    /// `file:line:column` of where a span starts, as tools print it.
    #[must_use]
    pub fn locate(&self, span: Span) -> String {
        self.get(span.source).map_or_else(
            || "<unknown>".to_owned(),
            |s| {
                let p = s.position(span.start);
                format!("{}:{}:{}", s.name(), p.line, p.column)
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf16_units_and_bytes_lead_to_each_other() {
        let mut sources = Sources::new();
        let long = "añ😀\n".repeat(2000);
        for text in ["", "plain", "a😀b", &long] {
            let source = sources.add("t", text);
            let source = sources.get(source).expect("it is there");
            let mut units = 0;
            for (at, c) in text.char_indices() {
                let at = at as u32;
                assert_eq!(source.utf16_offset(at), units);
                assert_eq!(source.offset_of_utf16(units), at);
                units += c.len_utf16() as u32;
                if c.len_utf16() == 2 {
                    assert_eq!(source.offset_of_utf16(units - 1), at);
                }
            }
            let end = text.len() as u32;
            assert_eq!(source.utf16_offset(end + 9), units);
            assert_eq!(source.offset_of_utf16(units), end);
            assert_eq!(source.offset_of_utf16(u32::MAX), end);
        }
    }

    #[test]
    fn positions_count_scalars_and_utf16_units() {
        let mut sources = Sources::new();
        let id = sources.add("a.yaml", "a: 1\nb: \u{1F600}x\n");
        let src = sources.get(id).unwrap();
        let x = u32::try_from(src.text().find('x').unwrap()).unwrap();
        assert_eq!(
            src.position(x),
            Position {
                line: 2,
                column: 5,
                utf16_column: 6
            }
        );
        assert_eq!(src.position(0).line, 1);
        assert_eq!(src.position(10_000).line, 3);
        assert_eq!(src.line(2), Some("b: \u{1F600}x"));
        assert_eq!(sources.locate(Span::new(id, x, x + 1)), "a.yaml:2:5");
    }

    #[test]
    fn a_text_takes_the_place_of_another() {
        let mut sources = Sources::new();
        let id = sources.add("a.yaml", "a\nb\n");
        let other = sources.add("other.yaml", "x");
        assert!(sources.replace(id, "b.yaml", "\n\n\nc"));
        assert_eq!(sources.locate(Span::new(id, 3, 4)), "b.yaml:4:1");
        assert_eq!(sources.get(other).unwrap().text(), "x");
        assert!(!sources.replace(SourceId(2), "c.yaml", ""));
    }
}
