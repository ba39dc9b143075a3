//! `Node` (v1) and `CiliumNode` (cilium.io/v2), in one shape.

use crate::object::ObjectMeta;
use crate::object::decode::{Decode, Decoder};
use crate::source::{Span, Spanned};
use crate::yaml;

/// Which kind a [`Node`] was written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeKind {
    /// v1 `Node`.
    Node,
    /// cilium.io/v2 `CiliumNode`.
    CiliumNode,
}

/// A node.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The whole object.
    pub span: Span,
    /// The kind it was written as.
    pub kind: NodeKind,
    /// Name and labels.
    pub meta: ObjectMeta,
    /// `status.addresses`, or `spec.addresses` of a CiliumNode.
    pub addresses: Vec<NodeAddress>,
    /// `spec.podCIDRs` else `spec.podCIDR`, or `spec.ipam.podCIDRs` of a
    /// CiliumNode; as written.
    pub pod_cidrs: Vec<Spanned<String>>,
    /// `spec.health.ipv4` and `.ipv6` of a CiliumNode: addresses of its health
    /// endpoint.
    pub health_ips: Vec<Spanned<String>>,
    /// `spec.ingress.ipv4` and `.ipv6` of a CiliumNode: addresses its Envoy
    /// speaks from for Ingress and Gateway API.
    pub ingress_ips: Vec<Spanned<String>>,
}

/// One address of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeAddress {
    /// `InternalIP`, `ExternalIP`, `Hostname`, `CiliumInternalIP`, …
    pub address_type: Spanned<String>,
    /// The address, as written.
    pub address: Spanned<String>,
}

impl Node {
    /// Decodes a v1 `Node`.
    #[must_use]
    pub fn decode(node: &yaml::Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            f.partial();
            let meta = f.get("metadata");
            let pod_cidrs = f.with("spec", pod_cidrs).unwrap_or_default();
            let addresses = |node: &yaml::Node, decoder: &mut Decoder| {
                decoder.fields(node, |f| {
                    f.partial();
                    let list = |n: &yaml::Node, d: &mut Decoder| {
                        d.list(n, |n, d| address(n, d, "address"))
                    };
                    f.with("addresses", list).unwrap_or_default()
                })
            };
            Self {
                span: f.span(),
                kind: NodeKind::Node,
                meta,
                addresses: f.with("status", addresses).unwrap_or_default(),
                pod_cidrs,
                health_ips: Vec::new(),
                ingress_ips: Vec::new(),
            }
        })
    }

    /// Decodes a cilium.io/v2 `CiliumNode`.
    #[must_use]
    pub fn decode_cilium(node: &yaml::Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            f.partial();
            let meta = f.get("metadata");
            let spec: CiliumSpec = f.get("spec");
            Self {
                span: f.span(),
                kind: NodeKind::CiliumNode,
                meta,
                addresses: spec.addresses,
                pod_cidrs: spec.pod_cidrs,
                health_ips: spec.health_ips,
                ingress_ips: spec.ingress_ips,
            }
        })
    }
}

fn pod_cidrs(node: &yaml::Node, decoder: &mut Decoder) -> Vec<Spanned<String>> {
    decoder.fields(node, |f| {
        f.partial();
        let one: Spanned<String> = f.get("podCIDR");
        let all: Vec<Spanned<String>> = f.get("podCIDRs");
        if all.is_empty() && !one.is_empty() {
            vec![one]
        } else {
            all
        }
    })
}

/// One address; what it is called differs between the two kinds.
fn address(node: &yaml::Node, decoder: &mut Decoder, name: &'static str) -> NodeAddress {
    decoder.fields(node, |f| NodeAddress {
        address_type: f.get("type"),
        address: f.get(name),
    })
}

#[derive(Default)]
struct CiliumSpec {
    addresses: Vec<NodeAddress>,
    pod_cidrs: Vec<Spanned<String>>,
    health_ips: Vec<Spanned<String>>,
    ingress_ips: Vec<Spanned<String>>,
}

impl Decode for CiliumSpec {
    fn decode(node: &yaml::Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            f.partial();
            Self {
                addresses: f
                    .with("addresses", |n, d| d.list(n, |n, d| address(n, d, "ip")))
                    .unwrap_or_default(),
                pod_cidrs: f.with("ipam", pod_cidrs).unwrap_or_default(),
                health_ips: f.with("health", address_pair).unwrap_or_default(),
                ingress_ips: f.with("ingress", address_pair).unwrap_or_default(),
            }
        })
    }
}

/// `ipv4` and `ipv6` of a mapping, as far as they are given.
pub(super) fn address_pair(node: &yaml::Node, decoder: &mut Decoder) -> Vec<Spanned<String>> {
    decoder.fields(node, |f| {
        let pair: [Spanned<String>; 2] = [f.get("ipv4"), f.get("ipv6")];
        pair.into_iter().filter(|ip| !ip.is_empty()).collect()
    })
}
