//! What there is to say, told once.
//!
//! In: all diagnostics, as often as somebody asks. Out: numbers for them, and
//! those that the JavaScript does not have yet: an edit changes few of many.

use crate::place::Range;
use crate::session::Edit;
use netverdict::diagnostic::{Diagnostic, Severity};
use netverdict::source::{SourceId, Sources, Span};
use serde::Serialize;
use std::collections::HashMap;

/// All diagnostics in their order, by numbers, and those that are new.
#[derive(Debug, Serialize)]
pub(crate) struct JsDiagnostics {
    all: Vec<u32>,
    fresh: Vec<(u32, JsDiagnostic)>,
}

/// Something to say about a document.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct JsDiagnostic {
    code: String,
    severity: Severity,
    message: String,
    range: Option<Range>,
    path: String,
    object: String,
    help: Option<String>,
    related: Vec<Related>,
    fixes: Vec<JsFix>,
}

#[derive(Debug, Serialize)]
struct Related {
    message: String,
    range: Option<Range>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct JsFix {
    title: String,
    certain: bool,
    edits: Vec<Edit>,
}

/// The diagnostics that were told last.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// By place and code.
    known: HashMap<(Span, u16), Vec<(u32, Diagnostic)>>,
    last: u32,
}

impl JsDiagnostic {
    fn new(diagnostic: &Diagnostic, sources: &Sources) -> Self {
        let range = |span| Range::new(span, sources);
        Self {
            code: diagnostic.code.to_string(),
            severity: diagnostic.severity,
            message: diagnostic.message.clone(),
            range: range(diagnostic.span),
            path: diagnostic.path.clone(),
            object: diagnostic.object.clone(),
            help: diagnostic.help.clone(),
            related: diagnostic
                .labels
                .iter()
                .map(|label| Related {
                    message: label.message.clone(),
                    range: range(label.span),
                })
                .collect(),
            fixes: diagnostic
                .fixes
                .iter()
                .map(|fix| JsFix {
                    title: fix.title.clone(),
                    certain: fix.machine_applicable,
                    edits: fix
                        .edits
                        .iter()
                        .map(|(span, text)| Edit {
                            range: range(*span),
                            text: text.clone(),
                        })
                        .collect(),
                })
                .collect(),
        }
    }
}

/// Every place that a diagnostic speaks of.
fn places(diagnostic: &Diagnostic) -> impl Iterator<Item = Span> {
    let labels = diagnostic.labels.iter().map(|l| l.span);
    let edits = diagnostic.fixes.iter().flat_map(|f| &f.edits);
    let edits = edits.map(|(span, _)| *span);
    std::iter::once(diagnostic.span).chain(labels).chain(edits)
}

impl Told {
    /// A text changes: lines and columns are others.
    pub(crate) fn forget(&mut self, source: Option<SourceId>) {
        let stays = |d: &Diagnostic| places(d).all(|span| Some(span.source) != source);
        self.known.retain(|_, known| {
            known.retain(|(_, d)| stays(d));
            !known.is_empty()
        });
    }

    pub(crate) fn tell(
        &mut self,
        diagnostics: impl Iterator<Item = Diagnostic>,
        sources: &Sources,
    ) -> JsDiagnostics {
        let mut before = std::mem::take(&mut self.known);
        let mut told = JsDiagnostics {
            all: Vec::new(),
            fresh: Vec::new(),
        };
        for diagnostic in diagnostics {
            let key = (diagnostic.span, diagnostic.code.number());
            let here = self.known.entry(key).or_default();
            if let Some((number, _)) = here.iter().find(|(_, d)| *d == diagnostic) {
                told.all.push(*number);
                continue;
            }
            let known = before.get_mut(&key).and_then(|old| {
                let at = old.iter().position(|(_, d)| *d == diagnostic)?;
                Some(old.swap_remove(at))
            });
            let one = known.unwrap_or_else(|| {
                self.last = self.last.wrapping_add(1);
                told.fresh
                    .push((self.last, JsDiagnostic::new(&diagnostic, sources)));
                (self.last, diagnostic)
            });
            told.all.push(one.0);
            here.push(one);
        }
        told
    }
}
