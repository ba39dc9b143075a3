//! Places as editors count them.
//!
//! In: spans. Out: UTF-16 units from the start of a text, and lines and columns
//! from 1, columns in UTF-16 units.

use netverdict::source::{Source, Sources, Span};
use serde::Serialize;

/// One end of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Point {
    /// UTF-16 units from the start of the text.
    pub(crate) offset: u32,
    /// From 1.
    pub(crate) line: u32,
    /// In UTF-16 units, from 1.
    pub(crate) column: u32,
}

impl Point {
    fn new(source: &Source, at: u32) -> Self {
        let position = source.position(at);
        Self {
            offset: source.utf16_offset(at),
            line: position.line,
            column: position.utf16_column,
        }
    }
}

/// A stretch of a text; its end is excluded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Range {
    /// Name of the document.
    pub(crate) document: String,
    pub(crate) start: Point,
    pub(crate) end: Point,
}

impl Range {
    /// `None` for places that are in no document.
    pub(crate) fn new(span: Span, sources: &Sources) -> Option<Self> {
        let source = sources.get(span.source)?;
        Some(Self {
            document: source.name().to_owned(),
            start: Point::new(source, span.start),
            end: Point::new(source, span.end),
        })
    }
}
