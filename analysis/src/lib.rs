//! Questions that people ask about a [`Cluster`](netverdict::cluster::Cluster)
//! as a whole.
//!
//! In: a cluster, sometimes two, and what somebody wants to know. Out: values
//! that a command, an editor or a program can show. Every answer comes from
//! the resolved policy maps of `netverdict`; nothing here decides a verdict by
//! itself, reads files, looks at a clock or prints.
//!
//! What a policy closes, by comparing the cluster with it and without:
//!
//! ```
//! use netverdict::cluster::{Cluster, ClusterOptions};
//! use netverdict::{config::Config, object::load, source::SourceId};
//! use netverdict_analysis::connectivity::{Connectivity, Options};
//! use netverdict_analysis::difference::{ChangeKind, Difference};
//!
//! let pods = "
//! {apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}}
//! ---
//! {apiVersion: v1, kind: Pod, metadata: {name: db, namespace: shop, labels: {app: db}}}
//! ---";
//! let policy = "
//! {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: db, namespace: shop},
//!  spec: {podSelector: {matchLabels: {app: db}}}}
//! ";
//! let cluster = |text: &str| {
//!     let config = Config::default();
//!     let loaded = load::load(SourceId(0), text, &load::LoadOptions::new(&config));
//!     Cluster::build(config, ClusterOptions::default(), loaded.into_objects())
//! };
//! let (before, after) = (cluster(pods), cluster(&format!("{pods}{policy}")));
//! let options = Options { all_entities: true, ..Options::default() };
//! let (before, after) = (Connectivity::new(&before, &options), Connectivity::new(&after, &options));
//! let difference = Difference::new(&before, &after);
//! assert!(difference.has(ChangeKind::Closed) && !difference.has(ChangeKind::Opened));
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod connection;
pub mod connectivity;
pub mod coverage;
pub mod difference;
pub mod editor;
pub mod expectation;
pub mod exposure;
pub mod following;
pub mod generate;
mod imagined;
pub mod json;
pub mod lint;
pub mod peer;
pub mod ports;
pub mod reason;
pub mod recorded;
pub mod remedy;
mod subject;
