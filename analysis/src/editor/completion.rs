//! What could be written at a place.

use super::cursor::{At, Cursor, unlisted};
use crate::imagined;
use netverdict::cluster::{Cluster, Endpoint};
use netverdict::label::{LabelSource, keys};
use netverdict::object::Object;
use netverdict::object::schema::Shape;
use std::collections::{BTreeMap, BTreeSet};
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
    /// What to show, and to write, but for the colon of a key.
    pub text: String,
    /// What it is.
    pub kind: ProposalKind,
    /// What it is for, or who has it.
    pub doc: String,
}

/// Labels that exist: values, and who has them.
type Labels = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// Everything that could be written at a place, in order.
#[must_use]
pub fn complete(cluster: &Cluster, text: &str, offset: usize) -> Vec<Proposal> {
    let Some(cursor) = Cursor::new(text, offset) else {
        return Vec::new();
    };
    let last = cursor.path.last().copied().unwrap_or_default();
    match cursor.at {
        At::Key(_) | At::Bare(_) if last == "matchLabels" => {
            keys_of(&labels(cluster), ProposalKind::Key)
        }
        At::Key(_) => fields(&cursor),
        At::Bare(_) => {
            let mut all = fields(&cursor);
            if let Some(shape) = cursor.inside() {
                all.extend(values_of(shape));
            }
            if last == "cidrGroupRef" {
                all.extend(groups(cluster));
            }
            all
        }
        At::Value { key, .. } => values(cluster, &cursor, last, key),
    }
}

fn proposal(text: impl Into<String>, kind: ProposalKind, doc: impl Into<String>) -> Proposal {
    Proposal {
        text: text.into(),
        kind,
        doc: doc.into(),
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
            proposal(value, ProposalKind::Value, had_by(who))
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
