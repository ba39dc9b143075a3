//! Value trees of `AdminNetworkPolicy` and `BaselineAdminNetworkPolicy` →
//! [`ClusterNetworkPolicy`], as sigs.k8s.io/network-policy-api v0.2.0 declares
//! them in apis/v1alpha1.
//!
//! What was renamed gets its new name: `ports` becomes `protocols`, a
//! `portNumber` or `portRange` the port of its protocol, `namedPort`
//! `destinationNamedPort`. Actions keep their text (`Allow`).

use super::decode::{Subject, egress_peer, ingress_peer, policy_status, rule};
use super::{
    ClusterNetworkPolicy, ClusterPolicyKind, ClusterPolicyProtocol, ClusterPolicyRule,
    DestinationPort, Transport,
};
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::object::decode::{Decode, Decoder, Fields};
use crate::source::Spanned;
use crate::yaml::Node;

/// A v1alpha1 policy was read as its successor.
pub const PREDECESSOR: Code = Code::new(530, Severity::Info, "predecessor of ClusterNetworkPolicy");
/// `protocol` of a v1alpha1 port is none that a port can have.
pub const PORT_PROTOCOL: Code = Code::new(533, Severity::Error, "port without such a protocol");

impl ClusterNetworkPolicy {
    /// Decodes an `AdminNetworkPolicy`: tier Admin.
    #[must_use]
    pub fn decode_admin(node: &Node, decoder: &mut Decoder) -> Self {
        decode(node, decoder, ClusterPolicyKind::AdminNetworkPolicy)
    }

    /// Decodes a `BaselineAdminNetworkPolicy`: tier Baseline, priority 0, as
    /// there is but one in a cluster.
    #[must_use]
    pub fn decode_baseline(node: &Node, decoder: &mut Decoder) -> Self {
        decode(node, decoder, ClusterPolicyKind::BaselineAdminNetworkPolicy)
    }
}

fn decode(node: &Node, decoder: &mut Decoder, kind: ClusterPolicyKind) -> ClusterNetworkPolicy {
    let tier = if kind == ClusterPolicyKind::AdminNetworkPolicy {
        "Admin"
    } else {
        "Baseline"
    };
    let policy = decoder.fields(node, |f| {
        f.ignore(&["apiVersion", "kind"]);
        f.with("status", policy_status);
        let meta = f.get("metadata");
        let spec = f.with("spec", |n, d| spec(n, d, kind)).unwrap_or_default();
        ClusterNetworkPolicy {
            span: node.span,
            kind,
            meta,
            tier: Spanned::new(tier.to_owned(), node.span),
            priority: spec.priority,
            subject_span: spec.subject.span.unwrap_or(node.span),
            subject_namespaces: spec.subject.namespaces,
            subject_pods: spec.subject.pods,
            ingress: spec.ingress,
            egress: spec.egress,
        }
    });
    let message = format!("Cilium 1.20 ignores {}", kind.as_str());
    let help = format!(
        "it is read here as a ClusterNetworkPolicy of tier `{tier}`; rewrite it as policy.networking.k8s.io/v1alpha2 for Cilium to apply it"
    );
    let at = node.get("kind").map_or(node.span, |kind| kind.span);
    decoder.report(Diagnostic::new(PREDECESSOR, at, message).help(help));
    policy
}

#[derive(Default)]
struct Spec {
    priority: Spanned<i32>,
    subject: Subject,
    ingress: Vec<ClusterPolicyRule>,
    egress: Vec<ClusterPolicyRule>,
}

fn spec(node: &Node, decoder: &mut Decoder, kind: ClusterPolicyKind) -> Spec {
    decoder.fields(node, |f| Spec {
        priority: match kind {
            ClusterPolicyKind::AdminNetworkPolicy => f.get("priority"),
            _ => Spanned::new(0, node.span),
        },
        subject: f.get("subject"),
        ingress: f
            .with("ingress", |n, d| d.list(n, ingress_rule))
            .unwrap_or_default(),
        egress: f
            .with("egress", |n, d| d.list(n, egress_rule))
            .unwrap_or_default(),
    })
}

fn ingress_rule(node: &Node, decoder: &mut Decoder) -> ClusterPolicyRule {
    rule(node, decoder, ("from", ingress_peer), ports)
}

fn egress_rule(node: &Node, decoder: &mut Decoder) -> ClusterPolicyRule {
    rule(node, decoder, ("to", egress_peer), ports)
}

fn ports(f: &mut Fields<'_, '_>) -> Vec<ClusterPolicyProtocol> {
    f.with("ports", |n, d| d.list(n, port)).unwrap_or_default()
}

/// An element of `ports`.
fn port(node: &Node, decoder: &mut Decoder) -> ClusterPolicyProtocol {
    decoder.fields(node, |f| {
        let number = f.get::<Option<PortNumber>>("portNumber").map(|p| p.0);
        let range = f.get::<Option<PortRange>>("portRange").map(|p| p.0);
        ClusterPolicyProtocol {
            span: f.span(),
            transport: number.or(range).map(|(t, port)| (t, Some(port))),
            destination_named_port: f.get("namedPort"),
        }
    })
}

struct PortNumber((Transport, DestinationPort));

impl Decode for PortNumber {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            let transport = transport(&f.get("protocol"), f.decoder());
            let port = DestinationPort {
                span: f.span(),
                number: f.get("port"),
                range: None,
            };
            Self((transport, port))
        })
    }
}

struct PortRange((Transport, DestinationPort));

impl Decode for PortRange {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            let transport = transport(&f.get("protocol"), f.decoder());
            let port = DestinationPort {
                span: f.span(),
                number: 0,
                range: Some((f.get("start"), f.get("end"))),
            };
            Self((transport, port))
        })
    }
}

/// The protocol of a port; TCP when it says none.
fn transport(written: &Spanned<String>, decoder: &mut Decoder) -> Transport {
    match written.as_str() {
        "" | "TCP" => Transport::Tcp,
        "UDP" => Transport::Udp,
        "SCTP" => Transport::Sctp,
        other => {
            let message = format!("no port has the protocol `{other}`");
            let at = written.span;
            decoder.in_field("protocol", |d| {
                d.report(
                    Diagnostic::new(PORT_PROTOCOL, at, message).help("use `TCP`, `UDP` or `SCTP`"),
                );
            });
            Transport::Tcp
        }
    }
}
