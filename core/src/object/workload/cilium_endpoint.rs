//! `CiliumEndpoint` (cilium.io/v2): what an agent recorded about one pod.

use super::node::address_pair;
use crate::object::ObjectMeta;
use crate::object::decode::{Decode, Decoder};
use crate::source::{Span, Spanned};
use crate::yaml::Node;

/// An endpoint as its agent published it.
#[derive(Clone, Debug, PartialEq)]
pub struct CiliumEndpoint {
    /// The whole object.
    pub span: Span,
    /// Name and namespace: those of the pod.
    pub meta: ObjectMeta,
    /// `status.id`: the endpoint's number on its node.
    pub endpoint_id: Option<Spanned<i64>>,
    /// `status.identity.id`.
    pub identity: Option<Spanned<i64>>,
    /// `status.identity.labels`: `source:key=value` as written.
    pub identity_labels: Vec<Spanned<String>>,
    /// `status.networking.addressing[].ipv4` and `.ipv6`, as written.
    pub ips: Vec<Spanned<String>>,
    /// `status.networking.node`: address of the node; empty when absent.
    pub node_ip: Spanned<String>,
    /// `status.named-ports`.
    pub named_ports: Vec<NamedPort>,
}

/// An element of `status.named-ports`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedPort {
    /// Where it stands.
    pub span: Span,
    /// `name`.
    pub name: Spanned<String>,
    /// `port`.
    pub port: Spanned<u16>,
    /// `protocol` as written.
    pub protocol: Spanned<String>,
}

impl Decode for CiliumEndpoint {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            f.partial();
            let meta = f.get("metadata");
            let status: Status = f.get("status");
            Self {
                span: f.span(),
                meta,
                endpoint_id: status.id,
                identity: status.identity.id,
                identity_labels: status.identity.labels,
                ips: status.networking.ips,
                node_ip: status.networking.node_ip,
                named_ports: status.named_ports,
            }
        })
    }
}

#[derive(Default)]
struct Status {
    id: Option<Spanned<i64>>,
    identity: Identity,
    networking: Networking,
    named_ports: Vec<NamedPort>,
}

impl Decode for Status {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            f.partial();
            Self {
                id: f.get("id"),
                identity: f.get("identity"),
                networking: f.get("networking"),
                named_ports: f.get("named-ports"),
            }
        })
    }
}

#[derive(Default)]
struct Identity {
    id: Option<Spanned<i64>>,
    labels: Vec<Spanned<String>>,
}

impl Decode for Identity {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            id: f.get("id"),
            labels: f.get("labels"),
        })
    }
}

#[derive(Default)]
struct Networking {
    ips: Vec<Spanned<String>>,
    node_ip: Spanned<String>,
}

impl Decode for Networking {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            let pairs = f.with("addressing", |n, d| d.list(n, address_pair));
            Self {
                ips: pairs.unwrap_or_default().into_iter().flatten().collect(),
                node_ip: f.get("node"),
            }
        })
    }
}

impl Decode for NamedPort {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            span: f.span(),
            name: f.get("name"),
            port: f.get("port"),
            protocol: f.get("protocol"),
        })
    }
}
