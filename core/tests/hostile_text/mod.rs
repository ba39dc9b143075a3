//! Long texts, made of pieces.
#![allow(dead_code)] // Each test file uses its part of them.

use netverdict::cluster::{Cluster, ClusterOptions};
use netverdict::config::Config;
use netverdict::diagnostic::Code;
use netverdict::object::load::{self, LoadOptions, Loaded};
use netverdict::source::SourceId;

/// The pieces for 0 to `n`, one after the other.
pub(crate) fn list(n: usize, piece: impl Fn(usize) -> String) -> String {
    (0..n).map(piece).collect()
}

/// A CiliumNetworkPolicy with these lines in its `spec`.
pub(crate) fn cnp(spec: &str) -> String {
    format!(
        "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {{name: a, namespace: p}}\n\
         spec:\n  endpointSelector: {{}}\n{spec}"
    )
}

/// Loads a text.
pub(crate) fn load(text: &str, options: &LoadOptions<'_>) -> Loaded {
    load::load(SourceId(0), text, options)
}

/// Loads a text with options that a test changes.
pub(crate) fn load_with(text: &str, change: impl FnOnce(&mut LoadOptions<'_>)) -> Loaded {
    let config = Config::default();
    let mut options = LoadOptions::new(&config);
    change(&mut options);
    load(text, &options)
}

/// Loads a text with the default options.
pub(crate) fn load_yaml(text: &str) -> Loaded {
    load_with(text, |_| {})
}

/// The codes of what is told.
pub(crate) fn codes(loaded: &Loaded) -> Vec<Code> {
    loaded.diagnostics.iter().map(|d| d.code).collect()
}

/// The cluster of what a text holds, none of which is refused.
pub(crate) fn build(text: &str) -> Cluster {
    let loaded = load_yaml(text);
    assert!(!loaded.refused_any(), "{:?}", loaded.diagnostics.first());
    Cluster::build(
        Config::default(),
        ClusterOptions::default(),
        loaded.into_objects(),
    )
}

/// The address of that number.
pub(crate) fn ip(i: usize) -> String {
    format!("10.{}.{}.{}", i >> 16 & 255, i >> 8 & 255, i & 255)
}

/// The pod of that number.
pub(crate) fn pod(i: usize) -> String {
    format!(
        "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p{i}, namespace: p, labels: {{app: a{i}}}}}\n\
         spec: {{containers: [{{name: c, image: i, ports: [{{name: h{i}, containerPort: 80}}]}}]}}\n\
         status: {{phase: Running, podIP: {}}}\n",
        ip(i)
    )
}
