//! Where a thing is written that a place names.

use super::cursor::{At, Cursor};
use crate::imagined;
use netverdict::cluster::{Cluster, ObjectKey};
use netverdict::label::keys;
use netverdict::source::Span;
use std::collections::BTreeSet;

/// At most this many places are given.
const MOST: usize = 50;

/// The CIDR group that is named, or the workloads with a label.
///
/// ```
/// use netverdict::cluster::Cluster;
/// use netverdict_analysis::editor;
///
/// let cluster = Cluster::read(include_str!("../../../core/examples/shop.yaml"))?;
/// let text = "\
/// apiVersion: networking.k8s.io/v1
/// kind: NetworkPolicy
/// metadata: {name: x, namespace: shop}
/// spec:
///   podSelector:
///     matchLabels:
///       app: web
/// ";
/// let place = text.find("app: web").expect("it is there") + 1;
/// // Where the pod is written that has this label.
/// assert_eq!(editor::definition(&cluster, text, place).len(), 1);
/// # Ok::<(), Box<netverdict::diagnostic::Diagnostic>>(())
/// ```
#[must_use]
pub fn definition(cluster: &Cluster, text: &str, offset: usize) -> Vec<Span> {
    let Some(cursor) = Cursor::new(text, offset) else {
        return Vec::new();
    };
    let last = cursor.path.last().copied().unwrap_or_default();
    let group = match cursor.at {
        At::Value {
            key: "cidrGroupRef",
            value,
        } => Some(value),
        _ => None,
    };
    if let Some(group) = group {
        let key = ObjectKey {
            kind: "CiliumCIDRGroup".to_owned(),
            namespace: String::new(),
            name: group.trim_matches(['"', '\'']).to_owned(),
        };
        return cluster
            .object(&key)
            .map(|o| vec![o.span()])
            .unwrap_or_default();
    }
    if last != "matchLabels" {
        return Vec::new();
    }
    let (key, value) = match cursor.at {
        At::Value { key, value } => (key, Some(value)),
        // The label's line holds the value, too.
        At::Key(key) => (key, value_of(text, cursor.begins)),
        At::Bare(_) => return Vec::new(),
    };
    let Some(value) = value.map(|v| v.trim_matches(['"', '\''])) else {
        return Vec::new();
    };
    let key = ["k8s:", "any:"]
        .iter()
        .find_map(|p| key.strip_prefix(p))
        .unwrap_or(key);
    if key == keys::POD_NAMESPACE {
        let namespace = ObjectKey {
            kind: "Namespace".to_owned(),
            namespace: String::new(),
            name: value.to_owned(),
        };
        let known = cluster.object(&namespace);
        return known.map(|o| vec![o.span()]).unwrap_or_default();
    }
    let has = cluster.endpoints().iter().filter(|e| {
        let of = |set: &netverdict::label::LabelSet| set.k8s_value(key) == Some(value);
        !imagined::is_imagined(e) && (of(&e.labels) || of(&e.other_labels))
    });
    let places: BTreeSet<Span> = has.map(|e| e.span).collect();
    places.into_iter().take(MOST).collect()
}

fn value_of(text: &str, begins: usize) -> Option<&str> {
    let line = text.get(begins..)?.lines().next()?;
    line.split_once(": ").map(|(_, value)| value.trim())
}
