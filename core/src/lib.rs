//! netverdict: given these policies and these workloads, what happens to this
//! flow, and why?
//!
//! Data flows one way:
//! `object → rule → resolve → policy_map → compile → table → verdict`.
//! Texts become [`object`]s with their places, objects become [`rule`]s, the
//! rules of one subject are merged ([`resolve`]) and become entries of its
//! [`policy_map`]; a lookup there is the verdict, and [`explain`] says why. A
//! [`cluster::Cluster`] does all of it:
//!
//! ```
//! use netverdict::cluster::{Cluster, ClusterOptions, Flow};
//! use netverdict::{config::Config, object::load, source::SourceId};
//!
//! # let pod = |name: &str| format!("
//! # apiVersion: v1
//! # kind: Pod
//! # metadata: {{name: {name}, namespace: shop, labels: {{app: {name}}}}}
//! # ---");
//! # let yaml = pod("web") + &pod("db") + "
//! # apiVersion: networking.k8s.io/v1
//! # kind: NetworkPolicy
//! # metadata: {name: db, namespace: shop}
//! # spec:
//! #   podSelector: {matchLabels: {app: db}}
//! #   ingress: [{from: [{podSelector: {matchLabels: {app: api}}}]}]
//! # ";
//! let config = Config::default();
//! let loaded = load::load(SourceId(0), &yaml, &load::LoadOptions::new(&config));
//! assert!(loaded.diagnostics.is_empty());
//! let cluster = Cluster::build(config, ClusterOptions::default(), loaded.into_objects());
//! let (from, to) = (cluster.peer("shop/web")?, cluster.peer("shop/db")?);
//! let flow = Flow::new(&from, &to, 6, 5432);
//! let why = cluster.explain(&flow);
//! assert_eq!(why.answer.overall.to_string(), "default-deny");
//! assert!(why.ingress.unwrap().near_misses().next().is_some());
//! # Ok::<(), Box<netverdict::diagnostic::Diagnostic>>(())
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unreachable,
        clippy::todo,
        clippy::unimplemented,
        clippy::print_stdout,
        clippy::print_stderr,
        clippy::dbg_macro
    )
)]

pub mod cluster;
pub mod compile;
pub mod config;
pub mod diagnostic;
pub mod explain;
pub mod fqdn;
pub mod identity;
pub mod l7;
pub mod label;
pub mod listing;
pub mod object;
pub mod policy_map;
pub mod resolve;
pub mod rule;
pub mod scenario;
pub mod selector;
pub mod source;
pub mod verify;
pub mod yaml;

/// The examples of the front page of the package are tested, too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
