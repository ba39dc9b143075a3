//! Places in documents: what to show, to propose, and where else to look.
//!
//! In: a document and UTF-16 units from its start, or a place as answers name
//! it. Out: values that become JSON.

use crate::place::Range;
use crate::session::Session;
use netverdict::source::{Source, Span};
use netverdict_analysis::editor::{self, ProposalKind};
use serde::Serialize;

/// What to show.
#[derive(Debug, Serialize)]
pub(crate) struct Hover {
    range: Option<Range>,
    text: String,
}

/// Something that could be written.
#[derive(Debug, Serialize)]
pub(crate) struct Completion {
    label: String,
    kind: &'static str,
    detail: String,
    insert: String,
    range: Option<Range>,
}

/// A place in the bytes of a document.
struct At<'s> {
    session: &'s Session,
    source: &'s Source,
    span: Span,
}

impl<'s> At<'s> {
    fn new(session: &'s Session, document: &str, offset: u32) -> Option<Self> {
        let documents = session.documents();
        let id = documents.source(&document.to_owned())?;
        let source = documents.sources().get(id)?;
        let byte = source.offset_of_utf16(offset);
        Some(Self {
            session,
            source,
            span: Span::new(id, byte, byte),
        })
    }

    fn byte(&self) -> usize {
        self.span.start as usize
    }

    fn range(&self, place: &std::ops::Range<usize>) -> Option<Range> {
        let [start, end] = [place.start, place.end].map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        let span = Span::new(self.span.source, start, end);
        Range::new(span, self.session.documents().sources())
    }
}

pub(crate) fn hover(session: &Session, document: &str, offset: u32) -> Option<Hover> {
    let at = At::new(session, document, offset)?;
    let text = at.source.text();
    let shown = editor::hover(session.cluster(), at.span.source, text, at.byte())?;
    Some(Hover {
        range: at.range(&shown.place),
        text: shown.text,
    })
}

pub(crate) fn complete(session: &Session, document: &str, offset: u32) -> Vec<Completion> {
    let Some(at) = At::new(session, document, offset) else {
        return Vec::new();
    };
    let proposals = editor::complete(session.cluster(), at.source.text(), at.byte());
    let range = at.range(&proposals.place);
    let all = proposals.all.into_iter();
    all.map(|p| Completion {
        label: p.text,
        kind: match p.kind {
            ProposalKind::Key => "key",
            ProposalKind::Value => "value",
        },
        detail: p.doc,
        insert: p.insert,
        range: range.clone(),
    })
    .collect()
}

pub(crate) fn definitions(session: &Session, document: &str, offset: u32) -> Vec<Range> {
    let Some(at) = At::new(session, document, offset) else {
        return Vec::new();
    };
    let spans = editor::definition(session.cluster(), at.source.text(), at.byte()).into_iter();
    let sources = session.documents().sources();
    spans.filter_map(|span| Range::new(span, sources)).collect()
}

/// All of the rule at `document:line:column`.
pub(crate) fn locate(session: &Session, at: &str) -> Option<Range> {
    let (rest, column) = at.rsplit_once(':')?;
    let (document, line) = rest.rsplit_once(':')?;
    let (line, column): (u32, u32) = (line.parse().ok()?, column.parse().ok()?);
    let documents = session.documents();
    let id = documents.source(&document.to_owned())?;
    let source = documents.sources().get(id)?;
    let here = |span: Span| {
        let position = source.position(span.start);
        span.source == id && (position.line, position.column) == (line, column)
    };
    let rules = session.cluster().repository().rules();
    let spans = rules.map(|r| r.origin.span).filter(|span| here(*span));
    Range::new(spans.max_by_key(|span| span.end)?, documents.sources())
}
