//! Value tree → [`NetworkPolicy`], as Cilium's own copy of the type declares
//! it (Cilium 1.20.2 pkg/k8s/slim/k8s/api/networking/v1).

use super::{IpBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicyRule};
use crate::object::decode::{Decode, Decoder};
use crate::object::{LabelSelector, ObjectMeta};
use crate::source::Spanned;
use crate::yaml::Node;

impl Decode for NetworkPolicy {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            f.ignore(&["apiVersion", "kind", "status"]);
            let meta = f
                .with("metadata", ObjectMeta::decode_slim)
                .unwrap_or_default();
            let spec: Spec = f.get("spec");
            Self {
                span: node.span,
                meta,
                pod_selector: spec.pod_selector,
                ingress: spec.ingress,
                egress: spec.egress,
                policy_types: spec.policy_types,
            }
        })
    }
}

#[derive(Default)]
struct Spec {
    pod_selector: LabelSelector,
    ingress: Vec<NetworkPolicyRule>,
    egress: Vec<NetworkPolicyRule>,
    policy_types: Vec<Spanned<String>>,
}

impl Decode for Spec {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            pod_selector: f.get("podSelector"),
            ingress: f
                .with("ingress", |n, d| d.list(n, |n, d| rule(n, d, "from")))
                .unwrap_or_default(),
            egress: f
                .with("egress", |n, d| d.list(n, |n, d| rule(n, d, "to")))
                .unwrap_or_default(),
            policy_types: f.get("policyTypes"),
        })
    }
}

fn rule(node: &Node, decoder: &mut Decoder, peers: &'static str) -> NetworkPolicyRule {
    decoder.fields(node, |f| NetworkPolicyRule {
        span: f.span(),
        path: f.path().to_owned(),
        peers: f.get(peers),
        ports: f.get("ports"),
    })
}

impl Decode for NetworkPolicyPeer {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            span: f.span(),
            pod_selector: f.get("podSelector"),
            namespace_selector: f.get("namespaceSelector"),
            ip_block: f.get("ipBlock"),
        })
    }
}

impl Decode for IpBlock {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            span: f.span(),
            cidr: f.get("cidr"),
            except: f.get("except"),
        })
    }
}

impl Decode for NetworkPolicyPort {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            span: f.span(),
            protocol: f.get("protocol"),
            port: f.get("port"),
            end_port: f.get("endPort"),
        })
    }
}
