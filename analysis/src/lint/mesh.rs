//! Peers in other clusters of a mesh.
//!
//! In: policies that speak of other clusters, and those beside them. Out:
//! findings about peers that are of the own cluster alone.

use super::member::Member;
use netverdict::cluster::Cluster;
use netverdict::diagnostic::Severity::Info;
use netverdict::diagnostic::{Code, Diagnostic, Findings};
use netverdict::label::keys;
use netverdict::object::{LabelSelector, Object, SelectorOperator};
use netverdict::source::Span;
use std::collections::BTreeMap;

/// The entity `cluster`, where policies of the same namespace speak of other
/// clusters: it is the own one alone.
pub const OWN_CLUSTER: Code = Code::new(1036, Info, "peers of the own cluster alone");

pub(super) fn check(objects: &[&Object], cluster: &Cluster) -> Vec<Diagnostic> {
    let own = cluster.config().cluster_name.as_str();
    let mut speaking: BTreeMap<&str, Span> = BTreeMap::new();
    for object in objects {
        if let Some(span) = names_other(object, own) {
            speaking.entry(object.namespace()).or_insert(span);
        }
    }
    let mut found = Findings::default();
    for member in objects.iter().flat_map(|o| Member::of(o)) {
        // Who speaks of them in the same namespace, or for all namespaces.
        let beside = [member.object.namespace(), ""];
        let Some(foreign) = beside.iter().find_map(|ns| speaking.get(ns)) else {
            continue;
        };
        let entities = member.own.entities.iter().flatten();
        for entity in entities.filter(|e| e.value == "cluster") {
            let message = format!("`cluster` is cluster `{own}` alone, not the mesh");
            let finding = member
                .finding(OWN_CLUSTER, entity.span, message)
                .label(*foreign, "another cluster is spoken of here")
                .help("everybody in every cluster is the entity `cluster-mesh`");
            found.push(finding);
        }
    }
    found.finish()
}

/// Where a policy speaks of a cluster other than its own.
fn names_other(object: &Object, own: &str) -> Option<Span> {
    let of = |selector: &LabelSelector| {
        let plain = |key: &str| {
            let key = key.strip_prefix("k8s:").unwrap_or(key);
            key.strip_prefix("any:").unwrap_or(key) == keys::CLUSTER
        };
        let labels = selector.match_labels.iter();
        let mut labels = labels.filter(|(key, value)| plain(&key.value) && value.value != own);
        if let Some((key, _)) = labels.next() {
            return Some(key.span);
        }
        let mut expressions = selector.match_expressions.iter().filter(|e| {
            let others = e.values.iter().any(|v| v.value != own);
            plain(&e.key.value)
                && match e.operator.value {
                    Some(SelectorOperator::In) => others,
                    Some(SelectorOperator::NotIn | SelectorOperator::Exists) => true,
                    _ => false,
                }
        });
        expressions.next().map(|e| e.key.span)
    };
    let mut selectors = Member::of(object).flat_map(|m| m.own.endpoints.iter().flatten());
    selectors.find_map(of)
}
