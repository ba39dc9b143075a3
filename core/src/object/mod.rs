//! What people write: Kubernetes objects, typed, with the place of every part.
//!
//! In: the value trees of [`crate::yaml`]. Out: typed objects as their API
//! declares them, every field with its span, and diagnostics for whatever an
//! API server or Cilium's agent would refuse. Nothing is normalised here:
//! selectors, ports and prefixes keep the text they were written with, because
//! Cilium decides by text whether two selectors are the same.

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
