//! What to show beside a place.

use super::cursor::{At, Cursor};
use crate::imagined;
use netverdict::cluster::{Cluster, Endpoint};
use netverdict::label::LabelSource;
use netverdict::selector::{Selector, SelectorKind};
use netverdict::source::SourceId;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::ops::Range;

/// Names that are listed; more are counted.
const LISTED: usize = 12;

/// What there is to show about a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hover {
    /// Markdown.
    pub text: String,
    /// The bytes it is about.
    pub place: Range<usize>,
}

/// The doc of a place's field, and whom a selector there selects. `None` when
/// there is nothing to say.
///
/// ```
/// use netverdict_analysis::editor;
/// use netverdict::cluster::Cluster;
///
/// let cluster = Cluster::read(include_str!("../../../core/examples/shop.yaml")).unwrap();
/// let text = "kind: NetworkPolicy\napiVersion: networking.k8s.io/v1\nspec:\n  podSelector: {}\n";
/// let place = text.find("podSelector").unwrap();
/// let hover = editor::hover(&cluster, netverdict::source::SourceId(0), text, place).expect("a known field");
/// assert!(hover.text.contains("the pods the policy applies to"));
/// ```
#[must_use]
pub fn hover(cluster: &Cluster, source: SourceId, text: &str, offset: usize) -> Option<Hover> {
    let cursor = Cursor::new(text, offset)?;
    let mut shown = String::new();
    let key = match cursor.at {
        At::Key(key) | At::Value { key, .. } => key,
        At::Bare(_) => "",
    };
    if let Some(field) = cursor.field(key) {
        let _ = write!(shown, "**{}**: {}", field.name, field.doc);
        if field.required {
            shown += " (required)";
        }
        if let Some(default) = field.default {
            let _ = write!(shown, " (default `{default}`)");
        }
    }
    // On a key the selector is what follows it.
    let on_key = matches!(cursor.at, At::Key(_));
    if let Some(said) = selected(
        cluster,
        source,
        offset,
        on_key.then(|| key_end(text, offset)),
    ) {
        if !shown.is_empty() {
            shown += "\n\n";
        }
        shown += &said;
    }
    (!shown.is_empty()).then_some(Hover {
        text: shown,
        place: cursor.word,
    })
}

/// The first byte after a key's colon and the blanks that follow it.
fn key_end(text: &str, offset: usize) -> usize {
    let rest = text.get(offset..).unwrap_or_default();
    let colon = rest.find(':').map_or(0, |n| n + 1);
    let after = rest.get(colon..).unwrap_or_default();
    let blank = after.len() - after.trim_start_matches([' ', '\n', '\r', '-']).len();
    offset + colon + blank
}

fn selected(
    cluster: &Cluster,
    source: SourceId,
    offset: usize,
    after_key: Option<usize>,
) -> Option<String> {
    let at = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let mut found: Option<(&Selector, Option<&str>, u32)> = None;
    for rule in cluster.repository().rules() {
        let subject = (&*rule.subject, Some(&*rule.namespace));
        let peers = rule.peers.iter().flatten().map(|p| (&**p, None));
        for (selector, namespace) in std::iter::once(subject).chain(peers) {
            let span = selector.span();
            if span.source != source || selector.kind() != SelectorKind::Labels {
                continue;
            }
            let inside = span.start <= at(offset) && at(offset) <= span.end;
            let follows = after_key.is_some_and(|n| span.start == at(n));
            let length = span.end - span.start;
            if (inside || follows) && found.is_none_or(|(_, _, known)| length < known) {
                found = Some((selector, namespace, length));
            }
        }
    }
    let (selector, namespace, _) = found?;
    let about_pods =
        |r: &netverdict::selector::Requirement| *r.key.source() != LabelSource::Reserved;
    if !selector.requirements().iter().all(about_pods) {
        return None;
    }
    let is_selected = |e: &Endpoint| {
        !e.host_network
            && !imagined::is_imagined(e)
            && namespace.is_none_or(|ns| ns.is_empty() || e.namespace == ns)
            && selector.matches(&e.labels, cluster.config())
    };
    let names: BTreeSet<String> = cluster
        .endpoints()
        .iter()
        .filter(|e| is_selected(e))
        .map(|e| match e.workload() {
            Some((_, name)) => format!("`{}/{name}`", e.namespace),
            None => format!("`{e}`"),
        })
        .collect();
    if names.is_empty() {
        return Some("selects no pod of the workspace".to_owned());
    }
    let listed: Vec<&str> = names.iter().take(LISTED).map(String::as_str).collect();
    let more = match names.len().saturating_sub(LISTED) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let s = if names.len() == 1 { "" } else { "s" };
    Some(format!(
        "selects {} workload{s}: {}{more}",
        names.len(),
        listed.join(", ")
    ))
}
