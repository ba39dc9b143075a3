//! What people write: Kubernetes objects, typed, with the place of every part.
//!
//! In: the value trees of [`crate::yaml`]. Out: typed objects as their API
//! declares them, every field with its span, and diagnostics for whatever an
//! API server or Cilium's agent would refuse. Nothing is normalised here:
//! selectors, ports and prefixes keep the text they were written with, because
//! Cilium decides by text whether two selectors are the same.

pub mod cilium;
pub mod cluster_network_policy;
pub mod network_policy;
mod selector;

pub use selector::{LabelSelector, SelectorOperator, SelectorRequirement};

use crate::source::{Span, Spanned};

/// The metadata every object has, as far as policy depends on it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObjectMeta {
    /// `metadata.name`; empty when absent.
    pub name: Spanned<String>,
    /// `metadata.namespace` as written.
    pub namespace: Option<Spanned<String>>,
    /// `metadata.labels`, in the order written.
    pub labels: Vec<(Spanned<String>, Spanned<String>)>,
    /// `metadata.annotations`, in the order written.
    pub annotations: Vec<(Spanned<String>, Spanned<String>)>,
    /// `metadata.uid`; empty when absent.
    pub uid: String,
    /// `metadata.creationTimestamp` as written; empty when absent.
    pub creation_timestamp: String,
}

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
        write!(f, "{}/", self.kind)?;
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)
    }
}
