//! What people write: Kubernetes objects, typed, with the place of every part.
//!
//! In: the value trees of [`crate::yaml`]. Out: typed objects as their API
//! declares them, every field with its span, and diagnostics for whatever an
//! API server or Cilium's agent would refuse. Nothing is normalised here:
//! selectors, ports and prefixes keep the text they were written with, because
//! Cilium decides by text whether two selectors are the same.
//!
//! ```
//! use netverdict::object::{Object, load, load::DocumentReport};
//! use netverdict::{config::Config, source::SourceId};
//!
//! let text = "
//! {apiVersion: v1, kind: Service, metadata: {name: db, namespace: shop}, spec: {clusterIP: None}}
//! ---
//! {apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: db-1, namespace: shop,
//!  ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: db, uid: u, controller: true}]}}
//! ---
//! {apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: db, namespace: shop}, spec: {}}
//! ";
//! let config = Config::default();
//! let loaded = load::load(SourceId(0), text, &load::LoadOptions::new(&config));
//! // Who refuses the last one, and why: a policy must select somebody.
//! let refused: Option<&DocumentReport> = loaded.documents.iter().find(|d| d.object().is_none());
//! assert!(loaded.refused_any() && refused.is_some_and(|d| d.name == "db"));
//! let objects: Vec<&Object> = loaded.objects().collect();
//! let [Object::Service(service), Object::Controller(replica_set), ..] = objects[..] else {
//!     panic!("{objects:?}");
//! };
//! assert!(service.is_headless());
//! assert!(replica_set.controller().is_some_and(|owner| owner.name == "db"));
//! assert_eq!(objects[0].object_ref().to_string(), "Service/shop/db");
//! assert_eq!((objects[0].kind(), objects[0].namespace(), objects[0].name()), ("Service", "shop", "db"));
//! ```

mod any;
pub mod cidr;
pub mod cilium;
pub mod cluster_network_policy;
pub mod decode;
pub mod fqdn;
pub mod label_syntax;
pub mod load;
mod meta;
pub mod network_policy;
pub mod port;
pub mod regex;
pub mod registry;
pub mod schema;
mod selector;
pub mod template;
pub mod validate;
pub mod workload;

pub use any::Object;
pub use meta::{Head, MAX_NAME, ObjectMeta};
pub use selector::{LabelSelector, SelectorOperator, SelectorRequirement};

use crate::source::Span;

/// Who an object is and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    /// `CiliumNetworkPolicy`, `NetworkPolicy`, …
    pub kind: String,
    /// Empty for clusterwide objects.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// The whole object in its source.
    pub span: Span,
}

impl std::fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let head = Head {
            kind: &self.kind,
            namespace: &self.namespace,
            name: &self.name,
            ..Head::default()
        };
        head.fmt(f)
    }
}
