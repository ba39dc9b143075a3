//! What could be written at a place.

use super::cursor::{At, Cursor, unlisted};
use crate::imagined;
use netverdict::cluster::{Cluster, Endpoint};
use netverdict::label::{LabelSource, keys};
use netverdict::object::Object;
use netverdict::object::schema::Shape;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

/// What a proposal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProposalKind {
    /// A field of an object, or the key of a label.
    Key,
    /// A value.
    Value,
}

/// Something that could be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// What to show.
    pub text: String,
    /// What to write: with the colon of a key unless it is there, with quotes
    /// where YAML would read something other than a text.
    pub insert: String,
    /// What it is.
    pub kind: ProposalKind,
    /// What it is for, or who has it.
    pub doc: String,
}

/// What could be written, and in place of what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proposals {
    /// The bytes that a proposal takes the place of.
    pub place: Range<usize>,
    /// In order.
    pub all: Vec<Proposal>,
}

/// Labels that exist: values, and who has them.
type Labels = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// Everything that could be written at a place.
///
/// ```
/// use netverdict_analysis::editor;
/// use netverdict::cluster::Cluster;
///
/// let cluster = Cluster::read(include_str!("../../../core/examples/shop.yaml")).unwrap();
/// let text = "kind: NetworkPolicy\napiVersion: networking.k8s.io/v1\nspec:\n  pod";
/// let proposals = editor::complete(&cluster, text, text.len());
/// assert!(proposals.all.iter().any(|p| p.text == "podSelector"));
/// ```
#[must_use]
pub fn complete(cluster: &Cluster, text: &str, offset: usize) -> Proposals {
    let Some(cursor) = Cursor::new(text, offset) else {
        return Proposals::default();
    };
    let mut all = proposals(cluster, &cursor);
    // `port:|` and `-|`, with no blank yet.
    let before = text.get(..cursor.word.start).unwrap_or_default();
    let close = match cursor.at {
        At::Value { .. } => before.ends_with(':'),
        At::Key(_) | At::Bare(_) => before.ends_with('-'),
    };
    for proposal in &mut all {
        if proposal.kind == ProposalKind::Key && !cursor.colon {
            proposal.insert += ": ";
        }
        if close {
            proposal.insert.insert(0, ' ');
        }
    }
    Proposals {
        place: cursor.word,
        all,
    }
}

fn proposals(cluster: &Cluster, cursor: &Cursor<'_>) -> Vec<Proposal> {
    let last = cursor.path.last().copied().unwrap_or_default();
    match cursor.at {
        At::Key(_) | At::Bare(_) if last == "matchLabels" => {
            keys_of(&labels(cluster), ProposalKind::Key)
        }
        At::Key(_) => fields(cursor),
        At::Bare(_) => {
            let mut all = fields(cursor);
            if let Some(shape) = cursor.inside() {
                all.extend(values_of(shape));
            }
            if last == "cidrGroupRef" {
                all.extend(groups(cluster));
            }
            all
        }
        At::Value { key, .. } => values(cluster, cursor, last, key),
    }
}

fn proposal(text: impl Into<String>, kind: ProposalKind, doc: impl Into<String>) -> Proposal {
    let text = text.into();
    Proposal {
        insert: text.clone(),
        text,
        kind,
        doc: doc.into(),
    }
}

/// A text as YAML reads it back.
pub(super) fn quoted(value: &str) -> String {
    let plain = !value.is_empty()
        && value.starts_with(|c: char| c.is_ascii_alphabetic())
        && !matches!(
            &*value.to_ascii_lowercase(),
            "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
        );
    match plain {
        true => value.to_owned(),
        false => format!("\"{value}\""),
    }
}

fn fields(cursor: &Cursor<'_>) -> Vec<Proposal> {
    match cursor.inside().map(unlisted) {
        Some(Shape::Object { fields, .. }) => fields
            .iter()
            .map(|f| proposal(f.name, ProposalKind::Key, f.doc))
            .collect(),
        _ => Vec::new(),
    }
}

fn values_of(shape: &'static Shape) -> Vec<Proposal> {
    match unlisted(shape) {
        Shape::Text(text) => text
            .values
            .iter()
            .map(|v| proposal(*v, ProposalKind::Value, ""))
            .collect(),
        Shape::Boolean => ["true", "false"]
            .map(|v| proposal(v, ProposalKind::Value, ""))
            .to_vec(),
        _ => Vec::new(),
    }
}

fn values(cluster: &Cluster, cursor: &Cursor<'_>, last: &str, key: &str) -> Vec<Proposal> {
    if last == "matchLabels" {
        let plain = ["k8s:", "any:", "k8s."]
            .iter()
            .find_map(|p| key.strip_prefix(p))
            .unwrap_or(key);
        let labels = labels(cluster);
        let Some(values) = labels.get(plain) else {
            return Vec::new();
        };
        let of = |(value, who): (&String, &BTreeSet<String>)| {
            let mut of = proposal(value, ProposalKind::Value, had_by(who));
            of.insert = quoted(value);
            of
        };
        return values.iter().map(of).collect();
    }
    match (last, key) {
        ("matchExpressions", "key") => keys_of(&labels(cluster), ProposalKind::Value),
        ("metadata", "namespace") => cluster
            .namespaces()
            .map(|ns| proposal(ns, ProposalKind::Value, "a namespace"))
            .collect(),
        ("ports", "port") => ports(cluster),
        (_, "cidrGroupRef") => groups(cluster),
        _ => cursor
            .field(key)
            .map(|f| values_of(f.shape))
            .unwrap_or_default(),
    }
}

fn pods(cluster: &Cluster) -> impl Iterator<Item = &Arc<Endpoint>> {
    let own = cluster.endpoints().iter();
    own.filter(|e| !imagined::is_imagined(e))
}

fn labels(cluster: &Cluster) -> Labels {
    let mut all = Labels::new();
    for endpoint in pods(cluster) {
        let own = endpoint.labels.iter();
        let own = own.filter(|l| *l.source() == LabelSource::K8s);
        for label in own.filter(|l| !l.key().starts_with(keys::CILIUM_PREFIX)) {
            let values = all.entry(label.key().to_owned()).or_default();
            let who = values.entry(label.value().to_owned()).or_default();
            who.insert(endpoint.to_string());
        }
    }
    all
}

fn keys_of(labels: &Labels, kind: ProposalKind) -> Vec<Proposal> {
    let of = |(key, values): (&String, &BTreeMap<String, BTreeSet<String>>)| {
        let some: Vec<&str> = values.keys().take(5).map(String::as_str).collect();
        proposal(key, kind, format!("values: {}", some.join(", ")))
    };
    labels.iter().map(of).collect()
}

fn had_by(who: &BTreeSet<String>) -> String {
    const LISTED: usize = 5;
    let listed: Vec<&str> = who.iter().take(LISTED).map(String::as_str).collect();
    let more = match who.len().saturating_sub(LISTED) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    format!("{}{more}", listed.join(", "))
}

/// Ports that containers declare, by number and by name.
fn ports(cluster: &Cluster) -> Vec<Proposal> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for endpoint in pods(cluster) {
        for port in &endpoint.ports {
            let number = format!("\"{}\"", port.port);
            let named = (!port.name.is_empty()).then(|| port.name.clone());
            for text in [Some(number), named].into_iter().flatten() {
                all.entry(text).or_default().insert(endpoint.to_string());
            }
        }
    }
    let of =
        |(port, who): (String, BTreeSet<String>)| proposal(port, ProposalKind::Value, had_by(&who));
    all.into_iter().map(of).collect()
}

fn groups(cluster: &Cluster) -> Vec<Proposal> {
    let groups = cluster
        .objects()
        .filter(|o| matches!(o, Object::CidrGroup(_)));
    groups
        .map(|o| proposal(o.name(), ProposalKind::Value, "a CIDR group"))
        .collect()
}
