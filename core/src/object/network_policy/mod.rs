//! `NetworkPolicy` (networking.k8s.io/v1) as written.

pub mod agent;
mod decode;
pub mod schema;
#[cfg(test)]
mod tests;

pub use agent::check_agent;
pub(in crate::object) use agent::unknown_operator;
pub use schema::check_schema;

use super::decode::{Decode, Decoder};
use super::{LabelSelector, ObjectMeta};
use crate::source::{Span, Spanned};
use crate::yaml::{Node, Value};

/// A Kubernetes NetworkPolicy.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkPolicy {
    /// The whole object.
    pub span: Span,
    /// Name, namespace, labels.
    pub meta: ObjectMeta,
    /// `spec.podSelector`.
    pub pod_selector: LabelSelector,
    /// `spec.ingress`; absent and empty are the same.
    pub ingress: Vec<NetworkPolicyRule>,
    /// `spec.egress`; likewise.
    pub egress: Vec<NetworkPolicyRule>,
    /// `spec.policyTypes` as written.
    pub policy_types: Vec<Spanned<String>>,
}

/// An element of `ingress` or `egress`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NetworkPolicyRule {
    /// Where it stands.
    pub span: Span,
    /// `spec.ingress[0]`.
    pub path: String,
    /// `from` / `to`; empty and absent both mean everybody.
    pub peers: Vec<NetworkPolicyPeer>,
    /// `ports`; empty and absent both mean everything.
    pub ports: Vec<NetworkPolicyPort>,
}

/// An element of `from` or `to`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NetworkPolicyPeer {
    /// Where it stands.
    pub span: Span,
    /// `podSelector`.
    pub pod_selector: Option<LabelSelector>,
    /// `namespaceSelector`.
    pub namespace_selector: Option<LabelSelector>,
    /// `ipBlock`.
    pub ip_block: Option<IpBlock>,
}

/// `ipBlock`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IpBlock {
    /// Where it stands.
    pub span: Span,
    /// `cidr` as written.
    pub cidr: Spanned<String>,
    /// `except` as written.
    pub except: Vec<Spanned<String>>,
}

/// An element of `ports`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NetworkPolicyPort {
    /// Where it stands.
    pub span: Span,
    /// `protocol` as written; `None` when absent.
    pub protocol: Option<Spanned<String>>,
    /// `port`.
    pub port: Option<Spanned<IntOrString>>,
    /// `endPort`.
    pub end_port: Option<Spanned<i32>>,
}

/// `intstr.IntOrString`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IntOrString {
    /// A JSON number.
    Int(i32),
    /// A JSON string.
    String(String),
}

impl Default for IntOrString {
    fn default() -> Self {
        Self::Int(0)
    }
}

impl Decode for IntOrString {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        match node.value {
            Value::String(_) => Self::String(decoder.decode(node)),
            Value::Number(_) | Value::Null => Self::Int(decoder.decode(node)),
            _ => {
                decoder.wrong_type(node, "a number or a string");
                Self::default()
            }
        }
    }
}
