//! `ClusterNetworkPolicy` (policy.networking.k8s.io/v1alpha2) as written, and
//! its predecessors `AdminNetworkPolicy` and `BaselineAdminNetworkPolicy`
//! (v1alpha1), which decode into the same shape.

pub mod agent;
mod decode;
pub mod predecessor;
#[cfg(test)]
mod tests;

pub use agent::check_agent;

use super::{LabelSelector, ObjectMeta};
use crate::source::{Span, Spanned};

/// Which kind a [`ClusterNetworkPolicy`] was written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClusterPolicyKind {
    /// `ClusterNetworkPolicy` v1alpha2.
    ClusterNetworkPolicy,
    /// `AdminNetworkPolicy` v1alpha1: tier Admin. Cilium 1.20 has no parser
    /// for it; it is translated to its successor.
    AdminNetworkPolicy,
    /// `BaselineAdminNetworkPolicy` v1alpha1: tier Baseline, likewise.
    BaselineAdminNetworkPolicy,
}

impl ClusterPolicyKind {
    /// The kind as Kubernetes spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClusterNetworkPolicy => "ClusterNetworkPolicy",
            Self::AdminNetworkPolicy => "AdminNetworkPolicy",
            Self::BaselineAdminNetworkPolicy => "BaselineAdminNetworkPolicy",
        }
    }
}

/// A ClusterNetworkPolicy.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterNetworkPolicy {
    /// The whole object.
    pub span: Span,
    /// The kind it was written as.
    pub kind: ClusterPolicyKind,
    /// Name and labels.
    pub meta: ObjectMeta,
    /// `spec.tier` as written (`Admin`, `Baseline`).
    pub tier: Spanned<String>,
    /// `spec.priority`, 0–1000.
    pub priority: Spanned<i32>,
    /// `spec.subject`, or the whole object without one.
    pub subject_span: Span,
    /// `spec.subject.namespaces`.
    pub subject_namespaces: Option<LabelSelector>,
    /// `spec.subject.pods`.
    pub subject_pods: Option<NamespacedPods>,
    /// `spec.ingress`.
    pub ingress: Vec<ClusterPolicyRule>,
    /// `spec.egress`.
    pub egress: Vec<ClusterPolicyRule>,
}

/// `pods`: a namespace selector and a pod selector, both required to match.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NamespacedPods {
    /// Where it stands.
    pub span: Span,
    /// `namespaceSelector`.
    pub namespace_selector: LabelSelector,
    /// `podSelector`.
    pub pod_selector: LabelSelector,
}

/// An element of `ingress` or `egress`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterPolicyRule {
    /// Where it stands.
    pub span: Span,
    /// `spec.ingress[0]`.
    pub path: String,
    /// `name`.
    pub name: String,
    /// `action` as written: `Accept`, `Deny`, `Pass` (`Allow` in v1alpha1).
    pub action: Spanned<String>,
    /// `from` / `to`.
    pub peers: Vec<ClusterPolicyPeer>,
    /// `protocols` (`ports` in v1alpha1).
    pub protocols: Vec<ClusterPolicyProtocol>,
}

/// An element of `from` or `to`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterPolicyPeer {
    /// Where it stands.
    pub span: Span,
    /// `namespaces`.
    pub namespaces: Option<LabelSelector>,
    /// `pods`.
    pub pods: Option<NamespacedPods>,
    /// `nodes` (egress only).
    pub nodes: Option<LabelSelector>,
    /// `networks` (egress only), as written.
    pub networks: Option<Vec<Spanned<String>>>,
    /// `domainNames` (egress only), as written.
    pub domain_names: Option<Vec<Spanned<String>>>,
}

/// An element of `protocols`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterPolicyProtocol {
    /// Where it stands.
    pub span: Span,
    /// `tcp`, `udp` or `sctp` with what stands under it.
    pub transport: Option<(Transport, Option<DestinationPort>)>,
    /// `destinationNamedPort`; empty when absent.
    pub destination_named_port: Spanned<String>,
}

/// The protocol key of a [`ClusterPolicyProtocol`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// `tcp`.
    Tcp,
    /// `udp`.
    Udp,
    /// `sctp`.
    Sctp,
}

/// `destinationPort`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DestinationPort {
    /// Where it stands.
    pub span: Span,
    /// `number`.
    pub number: i32,
    /// `range` as start and end.
    pub range: Option<(i32, i32)>,
}
