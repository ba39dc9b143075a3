//! Value trees → Cilium's policy types.
//!
//! In: the tree of a CNP, CCNP or CIDR group. Out: the types of this module.
//! Field names and types: Cilium 1.20.2 pkg/policy/api and
//! pkg/k8s/apis/cilium.io/v2; how Go decodes them is told in
//! [`crate::object::decode`]. Selectors, ICMP fields and labels decode
//! themselves there, hence with names in any case and `null` as a value.

mod icmp;
mod ports;
#[cfg(test)]
mod tests;

use super::*;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::object::decode::{Decode, Decoder, Fields};
use crate::object::meta;
use crate::yaml::{Node, Value};

/// A field that Cilium 1.20 no longer has, or has without effect.
pub const REMOVED_FIELD: Code = Code::new(206, Severity::Warning, "removed field");
/// An ICMP type that its family does not have, or none at all
/// (pkg/policy/api/icmp.go, `ICMPField.UnmarshalJSON`).
pub const ICMP_TYPE: Code = Code::new(207, Severity::Error, "unknown ICMP type");
/// A rule label that is neither text nor has a key
/// (pkg/labels/labels.go, `Label.UnmarshalJSON`).
pub const RULE_LABEL: Code = Code::new(208, Severity::Error, "malformed rule label");

const PORTS_OF_MEMBER: &str =
    "ports, and `rules` beside them, stand in an element of the member's `toPorts`";
const FROM_PORTS: &str = "ports are always those of the destination: `toPorts`, on ingress too";
const TO_PEERS: &[&str] = &[
    "toEndpoints",
    "toEntities",
    "toCIDR",
    "toCIDRSet",
    "toNodes",
    "toGroups",
    "toServices",
];
const FROM_PEERS: &[&str] = &[
    "fromEndpoints",
    "fromEntities",
    "fromCIDR",
    "fromCIDRSet",
    "fromNodes",
    "fromGroups",
];

impl Decode for CiliumPolicy {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            let kind: String = f.get("kind");
            f.free_text("apiVersion");
            let meta: ObjectMeta = f.get("metadata");
            let spec: Option<PolicySpec> = f.get("spec");
            let has_specs = f.entry("specs").is_some_and(|e| !e.node.is_null());
            let mut null_specs = Vec::new();
            let elements: Vec<Option<PolicySpec>> = f
                .with("specs", |node, d| {
                    d.list(node, |item, d| {
                        if item.is_null() {
                            null_specs.push(Spanned::new(d.path().to_owned(), item.span));
                        }
                        d.decode(item)
                    })
                })
                .unwrap_or_default();
            f.with("status", policy_status);
            Self {
                span: f.span(),
                clusterwide: kind == "CiliumClusterwideNetworkPolicy",
                meta,
                has_rules: spec.is_some() || has_specs,
                specs: spec
                    .into_iter()
                    .chain(elements.into_iter().flatten())
                    .collect(),
                null_specs,
            }
        })
    }
}

/// Nothing depends on the status, but a malformed one refuses the object.
fn policy_status(node: &Node, decoder: &mut Decoder) {
    decoder.fields(node, |f| {
        f.with("conditions", |n, d| {
            d.list(n, |n, d| d.fields(n, meta::condition))
        });
        f.with("derivativePolicies", |n, d| {
            d.map(n, |entry, d| {
                d.fields(&entry.node, |f| {
                    f.get::<bool>("ok");
                    f.free_text("error");
                    f.time("lastUpdated");
                    f.get::<u64>("localPolicyRevision");
                    f.get::<bool>("enforcing");
                    f.with("annotations", |n, d| d.free_text_map(n));
                });
            })
        });
    });
}

impl Decode for PolicySpec {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            let (default_deny_ingress, default_deny_egress) = f
                .with("enableDefaultDeny", |n, d| {
                    d.fields(n, |f| (f.get("ingress"), f.get("egress")))
                })
                .unwrap_or_default();
            Self {
                span: f.span(),
                path: f.path().to_owned(),
                endpoint_selector: f.with("endpointSelector", self_decoding),
                node_selector: f.with("nodeSelector", self_decoding),
                ingress: members(f, "ingress", ingress_member),
                ingress_deny: members(f, "ingressDeny", ingress_deny_member),
                egress: members(f, "egress", egress_member),
                egress_deny: members(f, "egressDeny", egress_deny_member),
                empty_lists: empty_lists(f, &["ingress", "ingressDeny", "egress", "egressDeny"]),
                labels: f.get("labels"),
                default_deny_ingress,
                default_deny_egress,
                description: f.free_text("description"),
                log: f
                    .with("log", |n, d| d.fields(n, |f| f.get("value")))
                    .unwrap_or_default(),
            }
        })
    }
}

/// An `EndpointSelector`: `null` makes it present and empty.
fn self_decoding(node: &Node, decoder: &mut Decoder) -> LabelSelector {
    decoder.in_any_case(|d| d.decode(node))
}

fn selectors(f: &mut Fields<'_, '_>, name: &'static str) -> Option<Vec<LabelSelector>> {
    f.with(name, |node, d| {
        (!node.is_null()).then(|| d.list(node, self_decoding))
    })
    .flatten()
}

fn members(
    f: &mut Fields<'_, '_>,
    name: &'static str,
    member: fn(&mut Fields<'_, '_>) -> PolicyMember,
) -> Vec<PolicyMember> {
    f.with(name, |node, d| d.list(node, |n, d| d.fields(n, member)))
        .unwrap_or_default()
}

fn ingress_peers(f: &mut Fields<'_, '_>) -> PolicyMember {
    removed_requires(f, "fromRequires");
    PolicyMember {
        span: f.span(),
        path: f.path().to_owned(),
        endpoints: selectors(f, "fromEndpoints"),
        nodes: selectors(f, "fromNodes"),
        entities: f.get("fromEntities"),
        cidrs: f.get("fromCIDR"),
        cidr_sets: f.get("fromCIDRSet"),
        groups: f.get("fromGroups"),
        absent_lists: empty_lists(f, &["fromGroups"]),
        icmps: f.get("icmps"),
        ..PolicyMember::default()
    }
}

fn egress_peers(f: &mut Fields<'_, '_>) -> PolicyMember {
    removed_requires(f, "toRequires");
    PolicyMember {
        span: f.span(),
        path: f.path().to_owned(),
        endpoints: selectors(f, "toEndpoints"),
        nodes: selectors(f, "toNodes"),
        entities: f.get("toEntities"),
        cidrs: f.get("toCIDR"),
        cidr_sets: f.get("toCIDRSet"),
        groups: f.get("toGroups"),
        services: f.get("toServices"),
        absent_lists: empty_lists(f, &["toGroups", "toServices"]),
        icmps: f.get("icmps"),
        ..PolicyMember::default()
    }
}

fn ingress_member(f: &mut Fields<'_, '_>) -> PolicyMember {
    f.foreign(
        TO_PEERS,
        "members of `ingress` name their peers in `from…` fields; without one, every peer is meant",
    );
    f.foreign(&["toFQDNs"], "names select peers of egress only");
    f.foreign(&["fromPorts"], FROM_PORTS);
    f.foreign(&["rules", "ports"], PORTS_OF_MEMBER);
    PolicyMember {
        to_ports: f.get("toPorts"),
        authentication: authentication(f),
        ..ingress_peers(f)
    }
}

fn ingress_deny_member(f: &mut Fields<'_, '_>) -> PolicyMember {
    f.foreign(TO_PEERS, "members of `ingressDeny` name their peers in `from…` fields; without one, every peer is meant");
    f.foreign(&["toFQDNs", "authentication"], "deny rules do not have it");
    f.foreign(&["fromPorts"], FROM_PORTS);
    PolicyMember {
        to_ports: deny_ports(f),
        ..ingress_peers(f)
    }
}

fn egress_member(f: &mut Fields<'_, '_>) -> PolicyMember {
    f.foreign(
        FROM_PEERS,
        "members of `egress` name their peers in `to…` fields; without one, every peer is meant",
    );
    f.foreign(&["fromPorts"], FROM_PORTS);
    f.foreign(&["rules", "ports"], PORTS_OF_MEMBER);
    let mut member = egress_peers(f);
    member.to_ports = f.get("toPorts");
    member.fqdns = f.get("toFQDNs");
    member.absent_lists.extend(empty_lists(f, &["toFQDNs"]));
    member.authentication = authentication(f);
    member
}

fn egress_deny_member(f: &mut Fields<'_, '_>) -> PolicyMember {
    f.foreign(FROM_PEERS, "members of `egressDeny` name their peers in `to…` fields; without one, every peer is meant");
    f.foreign(&["toFQDNs", "authentication"], "deny rules do not have it");
    f.foreign(&["fromPorts"], FROM_PORTS);
    PolicyMember {
        to_ports: deny_ports(f),
        ..egress_peers(f)
    }
}

/// Those of these lists that are there and empty.
fn empty_lists(f: &mut Fields<'_, '_>, names: &[&'static str]) -> Vec<Spanned<String>> {
    let entries = names
        .iter()
        .filter_map(|name| Some((*name, f.entry(name)?)));
    entries
        .filter(|(_, entry)| matches!(&entry.node.value, Value::List(items) if items.is_empty()))
        .map(|(name, entry)| Spanned::new(name.to_owned(), entry.node.span))
        .collect()
}

fn authentication(f: &mut Fields<'_, '_>) -> Option<Spanned<String>> {
    f.with("authentication", |node, d| {
        (!node.is_null()).then(|| {
            d.fields(node, |f| {
                let span = f.span();
                f.present("mode")
                    .unwrap_or_else(|| Spanned::new(String::new(), span))
            })
        })
    })
    .flatten()
}

/// `fromRequires` and `toRequires`: lists of strings without any effect.
fn removed_requires(f: &mut Fields<'_, '_>, name: &'static str) {
    let Some(entry) = f.entry(name) else { return };
    f.get::<Vec<String>>(name);
    if entry.node.items().is_empty() {
        return;
    }
    let d = Diagnostic::new(
        REMOVED_FIELD,
        entry.key_span,
        format!("`{name}` has no effect"),
    );
    f.decoder().in_field(name, |decoder| {
        decoder.report(d.help(
            "Cilium dropped it: the API server wants it empty, and the agent refuses selectors in it; add the requirement to each peer selector instead",
        ));
    });
}

/// `toPorts` of a deny member: ports and nothing else.
fn deny_ports(f: &mut Fields<'_, '_>) -> Vec<PortRule> {
    f.with("toPorts", |node, d| {
        d.list(node, |node, d| {
            d.fields(node, |f| {
                f.foreign(
                    &[
                        "rules",
                        "terminatingTLS",
                        "originatingTLS",
                        "serverNames",
                        "listener",
                    ],
                    "deny rules have no layer-7 part: it is dropped, and the whole port is denied",
                );
                PortRule {
                    span: f.span(),
                    ports: f.get("ports"),
                    ..PortRule::default()
                }
            })
        })
    })
    .unwrap_or_default()
}

impl Decode for CidrRule {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            f.foreign(
                &["exceptCIDRs", "excepts", "exclude"],
                "exceptions are listed in `except`",
            );
            Self {
                span: f.span(),
                cidr: f.get("cidr"),
                cidr_group_ref: f.get("cidrGroupRef"),
                cidr_group_selector: f.with("cidrGroupSelector", self_decoding),
                except: f.get("except"),
            }
        })
    }
}

impl Decode for Group {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            span: f.span(),
            aws: f.get("aws"),
        })
    }
}

impl Decode for AwsGroup {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            labels: f.string_map("labels"),
            security_groups_ids: f.get("securityGroupsIds"),
            security_groups_names: f.get("securityGroupsNames"),
            region: f.get("region"),
        })
    }
}

impl Decode for ServiceRef {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            span: f.span(),
            name: f.get("k8sService"),
            selector: f.get("k8sServiceSelector"),
        })
    }
}

impl Decode for NamedService {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            service_name: f.get("serviceName"),
            namespace: f.get("namespace"),
        })
    }
}

impl Decode for SelectedService {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            // Not an EndpointSelector in Go: it does not decode itself.
            selector: f.get("selector"),
            namespace: f.get("namespace"),
        })
    }
}

impl Decode for FqdnSelector {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            f.foreign(&["rules", "ports", "toPorts"], PORTS_OF_MEMBER);
            Self {
                span: f.span(),
                match_name: f.get("matchName"),
                match_pattern: f.get("matchPattern"),
            }
        })
    }
}

impl Decode for RuleLabel {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.in_any_case(|d| rule_label(node, d))
    }
}

/// A label as an object, or as text: `[source:]key[=value]`.
fn rule_label(node: &Node, decoder: &mut Decoder) -> RuleLabel {
    if let Value::String(text) = &node.value {
        if text.is_empty() {
            decoder.report(Diagnostic::new(
                RULE_LABEL,
                node.span,
                "a label cannot be empty",
            ));
        }
        let text: String = decoder.decode(node);
        return RuleLabel {
            span: node.span,
            ..parse_rule_label(&text)
        };
    }
    let label = decoder.fields(node, |f| RuleLabel {
        span: f.span(),
        source: f.get("source"),
        key: f.get("key"),
        value: f.get("value"),
    });
    if label.key.is_empty() && matches!(node.value, Value::Map(_) | Value::Null) {
        decoder.report(
            Diagnostic::new(RULE_LABEL, node.span, "a label needs a `key`")
                .help("write it as `key=value`, or as a mapping with `key`, `value` and `source`"),
        );
    }
    label
}

/// pkg/labels/labels.go, `ParseLabel`.
fn parse_rule_label(text: &str) -> RuleLabel {
    let (source, rest) = match text.strip_prefix('$') {
        Some(rest) => ("reserved", rest),
        None => text.split_once(':').unwrap_or(("", text)),
    };
    let (key, value) = match rest.split_once('=') {
        Some(("", key)) if source == "reserved" => (key, ""),
        Some(pair) => pair,
        None => (rest, ""),
    };
    RuleLabel {
        span: Span::default(),
        source: if source.is_empty() { "unspec" } else { source }.to_owned(),
        key: key.to_owned(),
        value: value.to_owned(),
    }
}

impl Decode for CidrGroup {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            f.free_text("apiVersion");
            f.free_text("kind");
            Self {
                span: f.span(),
                meta: f.get("metadata"),
                external_cidrs: f
                    .with("spec", |n, d| d.fields(n, |f| f.get("externalCIDRs")))
                    .unwrap_or_default(),
            }
        })
    }
}
