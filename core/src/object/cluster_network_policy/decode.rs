//! Value tree → [`ClusterNetworkPolicy`], as sigs.k8s.io/network-policy-api
//! v0.2.0 declares it in apis/v1alpha2.

use super::{
    ClusterNetworkPolicy, ClusterPolicyKind, ClusterPolicyPeer, ClusterPolicyProtocol,
    ClusterPolicyRule, DestinationPort, NamespacedPods, Transport,
};
use crate::object::decode::{Decode, Decoder, Fields};
use crate::object::{LabelSelector, meta};
use crate::source::{Span, Spanned};
use crate::yaml::Node;

impl Decode for ClusterNetworkPolicy {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            f.ignore(&["apiVersion", "kind"]);
            f.with("status", policy_status);
            let meta = f.get("metadata");
            let spec: Spec = f.get("spec");
            Self {
                span: node.span,
                kind: ClusterPolicyKind::ClusterNetworkPolicy,
                meta,
                tier: spec.tier,
                priority: spec.priority,
                subject_span: spec.subject.span.unwrap_or(node.span),
                subject_namespaces: spec.subject.namespaces,
                subject_pods: spec.subject.pods,
                ingress: spec.ingress,
                egress: spec.egress,
            }
        })
    }
}

/// Nothing depends on the status, but a malformed one refuses the object.
pub(super) fn policy_status(node: &Node, decoder: &mut Decoder) {
    decoder.fields(node, |f| {
        f.with("conditions", |n, d| {
            d.list(n, |n, d| {
                d.fields(n, |f| {
                    meta::condition(f);
                    f.get::<i64>("observedGeneration");
                });
            })
        });
    });
}

#[derive(Default)]
struct Spec {
    tier: Spanned<String>,
    priority: Spanned<i32>,
    subject: Subject,
    ingress: Vec<ClusterPolicyRule>,
    egress: Vec<ClusterPolicyRule>,
}

impl Decode for Spec {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            tier: f.get("tier"),
            priority: f.get("priority"),
            subject: f.get("subject"),
            ingress: f
                .with("ingress", |n, d| d.list(n, ingress_rule))
                .unwrap_or_default(),
            egress: f
                .with("egress", |n, d| d.list(n, egress_rule))
                .unwrap_or_default(),
        })
    }
}

/// `spec.subject`.
#[derive(Default)]
pub(super) struct Subject {
    pub(super) span: Option<Span>,
    pub(super) namespaces: Option<LabelSelector>,
    pub(super) pods: Option<NamespacedPods>,
}

impl Decode for Subject {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            span: Some(f.span()),
            namespaces: f.with("namespaces", namespaces).flatten(),
            pods: f.get("pods"),
        })
    }
}

fn ingress_rule(node: &Node, decoder: &mut Decoder) -> ClusterPolicyRule {
    rule(node, decoder, ("from", ingress_peer), |f| {
        f.get("protocols")
    })
}

fn egress_rule(node: &Node, decoder: &mut Decoder) -> ClusterPolicyRule {
    rule(node, decoder, ("to", egress_peer), |f| f.get("protocols"))
}

/// An element of `ingress` or `egress`: the field of its peers and what is read
/// of each, and how its ports are read.
pub(super) fn rule(
    node: &Node,
    decoder: &mut Decoder,
    (peers, peer): (&'static str, fn(&Node, &mut Decoder) -> ClusterPolicyPeer),
    protocols: impl FnOnce(&mut Fields<'_, '_>) -> Vec<ClusterPolicyProtocol>,
) -> ClusterPolicyRule {
    decoder.fields(node, |f| ClusterPolicyRule {
        span: f.span(),
        path: f.path().to_owned(),
        name: f.free_text("name").unwrap_or_default().value,
        action: f.get("action"),
        peers: f.with(peers, |n, d| d.list(n, peer)).unwrap_or_default(),
        protocols: protocols(f),
    })
}

/// A selector of namespaces. Drafts of the API had it one level deeper, and
/// what still has it there selects every namespace.
fn namespaces(node: &Node, decoder: &mut Decoder) -> Option<LabelSelector> {
    let selector = |decoder: &mut Decoder| {
        decoder.fields(node, |f| {
            f.foreign(
                &["namespaceSelector", "sameLabels", "notSameLabels"],
                "so every namespace is selected; the label selector stands directly under `namespaces`",
            );
            LabelSelector {
                span: f.span(),
                match_labels: f.string_map("matchLabels"),
                match_expressions: f.get("matchExpressions"),
            }
        })
    };
    (!node.is_null()).then(|| selector(decoder))
}

/// An element of `from`.
pub(super) fn ingress_peer(node: &Node, decoder: &mut Decoder) -> ClusterPolicyPeer {
    decoder.fields(node, |f| ClusterPolicyPeer {
        span: f.span(),
        namespaces: f.with("namespaces", namespaces).flatten(),
        pods: f.get("pods"),
        ..ClusterPolicyPeer::default()
    })
}

/// An element of `to`.
pub(super) fn egress_peer(node: &Node, decoder: &mut Decoder) -> ClusterPolicyPeer {
    decoder.fields(node, |f| ClusterPolicyPeer {
        span: f.span(),
        namespaces: f.with("namespaces", namespaces).flatten(),
        pods: f.get("pods"),
        nodes: f.get("nodes"),
        networks: f.get("networks"),
        domain_names: f.get("domainNames"),
    })
}

impl Decode for NamespacedPods {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            span: f.span(),
            namespace_selector: f.get("namespaceSelector"),
            pod_selector: f.get("podSelector"),
        })
    }
}

impl Decode for ClusterPolicyProtocol {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            let tcp: Option<Ports> = f.get("tcp");
            let udp: Option<Ports> = f.get("udp");
            let sctp: Option<Ports> = f.get("sctp");
            // With several, the agent takes the first of this order.
            let transport = tcp
                .map(|p| (Transport::Tcp, p.destination))
                .or_else(|| udp.map(|p| (Transport::Udp, p.destination)))
                .or_else(|| sctp.map(|p| (Transport::Sctp, p.destination)));
            Self {
                span: f.span(),
                transport,
                destination_named_port: f.get("destinationNamedPort"),
            }
        })
    }
}

/// What stands under `tcp`, `udp` or `sctp`.
struct Ports {
    destination: Option<DestinationPort>,
}

impl Decode for Ports {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            destination: f.get("destinationPort"),
        })
    }
}

impl Decode for DestinationPort {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            span: f.span(),
            number: f.get("number"),
            range: f.get::<Option<Range>>("range").map(|r| (r.0, r.1)),
        })
    }
}

struct Range(i32, i32);

impl Decode for Range {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self(f.get("start"), f.get("end")))
    }
}
