//! The fewest labels that tell a workload from its neighbours.

use netverdict::cluster::{Cluster, Endpoint};
use netverdict::label::{LabelSource, keys};

/// Those that people use, the best first.
const KNOWN: [&str; 9] = [
    "app.kubernetes.io/name",
    "app.kubernetes.io/component",
    "app.kubernetes.io/instance",
    "app",
    "k8s-app",
    "name",
    "component",
    "tier",
    "role",
];

/// Labels that select the endpoint, and in its namespace no other workload if
/// that can be.
pub(super) fn telling(cluster: &Cluster, endpoint: &Endpoint) -> Vec<(String, String)> {
    let mut own: Vec<(&str, &str)> = endpoint
        .labels
        .iter()
        .filter(|l| {
            *l.source() == LabelSource::K8s
                && l.key() != keys::POD_NAMESPACE
                && !l.key().starts_with(keys::CILIUM_PREFIX)
        })
        .map(|l| (l.key(), l.value()))
        .collect();
    let rank = |key: &str| KNOWN.iter().position(|k| *k == key).unwrap_or(KNOWN.len());
    own.sort_by_key(|(key, _)| (rank(key), *key));
    let same = |e: &Endpoint| {
        e.identity == endpoint.identity
            || (e.workload().is_some() && e.workload() == endpoint.workload())
    };
    let mut others: Vec<&Endpoint> = cluster
        .endpoints()
        .iter()
        .map(AsRef::as_ref)
        .filter(|e| e.namespace == endpoint.namespace && !e.host_network && !same(e))
        .collect();
    let mut chosen: Vec<(String, String)> = Vec::new();
    for (key, value) in own {
        let left: Vec<&Endpoint> = others
            .iter()
            .copied()
            .filter(|e| e.labels.k8s_value(key) == Some(value))
            .collect();
        if chosen.is_empty() || left.len() < others.len() {
            chosen.push((key.to_owned(), value.to_owned()));
            others = left;
        }
    }
    chosen.sort_unstable();
    chosen
}
