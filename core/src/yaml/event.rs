//! The events of one YAML document.

use crate::yaml::codes::{self, Problem};
use std::borrow::Cow;
use std::io::Cursor;

/// One event with the byte range it was written in, counted from the start of
/// the text that was parsed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Event<'a> {
    pub(super) kind: Kind<'a>,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// What an event says. An anchor or a tag that was not written is empty.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind<'a> {
    Alias {
        name: Cow<'a, str>,
    },
    Scalar {
        anchor: Cow<'a, str>,
        tag: Cow<'a, str>,
        text: Cow<'a, str>,
        /// Written without quotes and without a tag.
        plain: bool,
    },
    ListStart {
        anchor: Cow<'a, str>,
    },
    MapStart {
        anchor: Cow<'a, str>,
    },
    /// The end of a list or mapping.
    End,
    /// The end of the document or of the text.
    DocumentEnd,
}

/// A pull parser over one text; reads its first document.
pub(super) struct Parser<'a> {
    inner: libyaml_safer::Parser<Cursor<&'a [u8]>>,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let mut inner = libyaml_safer::Parser::new();
        inner.set_input(Cursor::new(text.as_bytes()));
        inner.set_encoding(libyaml_safer::Encoding::Utf8);
        Self { inner }
    }

    pub(super) fn next(&mut self) -> Result<Event<'a>, Problem> {
        use libyaml_safer::{EventData as E, ScalarStyle};
        let text = |s: Option<String>| Cow::Owned(s.unwrap_or_default());
        loop {
            let event = self.inner.parse().map_err(|e| {
                let at = e.problem_mark().map_or(0, |m| m.index as usize);
                Problem::new(codes::SYNTAX, at, at, e.problem())
            })?;
            let kind = match event.data {
                E::StreamStart { .. } | E::DocumentStart { .. } => continue,
                E::StreamEnd | E::DocumentEnd { .. } => Kind::DocumentEnd,
                E::Alias { anchor } => Kind::Alias {
                    name: anchor.into(),
                },
                E::Scalar {
                    anchor,
                    tag,
                    value,
                    style,
                    ..
                } => Kind::Scalar {
                    plain: tag.is_none() && style == ScalarStyle::Plain,
                    anchor: text(anchor),
                    tag: text(tag),
                    text: value.into(),
                },
                E::SequenceStart { anchor, .. } => Kind::ListStart {
                    anchor: text(anchor),
                },
                E::MappingStart { anchor, .. } => Kind::MapStart {
                    anchor: text(anchor),
                },
                E::SequenceEnd | E::MappingEnd => Kind::End,
            };
            return Ok(Event {
                kind,
                start: event.start_mark.index as usize,
                end: event.end_mark.index as usize,
            });
        }
    }
}
