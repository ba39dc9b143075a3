//! Value trees → Cilium's policy types.
//!
//! In: the tree of a CNP, CCNP or CIDR group. Out: the types of this module.
//! Field names and types: Cilium 1.20.2 pkg/policy/api and
//! pkg/k8s/apis/cilium.io/v2; how Go decodes them is told in
//! [`super::super::decode`]. Selectors, ICMP fields and labels decode
//! themselves there, hence with names in any case and `null` as a value.

use super::*;
use crate::diagnostic::{Code, Diagnostic, Severity, suggest};
use crate::object::decode::{Decode, Decoder, Fields};
use crate::object::network_policy::IntOrString;
use crate::object::template;
use crate::yaml::{Node, Value};

/// A field that Cilium 1.20 no longer has, or has without effect.
pub const REMOVED_FIELD: Code = Code::new(206, Severity::Warning, "removed field");
/// An ICMP type that its family does not have, or none at all
/// (pkg/policy/api/icmp.go, `ICMPField.UnmarshalJSON`).
pub const ICMP_TYPE: Code = Code::new(207, Severity::Error, "unknown ICMP type");
/// A rule label that is neither text nor has a key
/// (pkg/labels/labels.go, `Label.UnmarshalJSON`).
pub const RULE_LABEL: Code = Code::new(208, Severity::Error, "malformed rule label");

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
            d.list(n, |n, d| {
                d.fields(n, |f| {
                    for name in ["type", "status", "reason", "message"] {
                        f.free_text(name);
                    }
                    f.time("lastTransitionTime");
                });
            })
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
    PolicyMember {
        to_ports: f.get("toPorts"),
        fqdns: f.get("toFQDNs"),
        authentication: authentication(f),
        ..egress_peers(f)
    }
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
        decoder.fields(node, |f| Self {
            span: f.span(),
            match_name: f.get("matchName"),
            match_pattern: f.get("matchPattern"),
        })
    }
}

impl Decode for PortRule {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            f.foreign(
                &["port", "protocol", "endPort"],
                "ports stand one level deeper: `toPorts: [{ports: [{port: …, protocol: …}]}]`",
            );
            f.foreign(&["http", "dns"], "layer-7 rules stand in `rules`");
            Self {
                span: f.span(),
                ports: f.get("ports"),
                terminating_tls: f.get("terminatingTLS"),
                originating_tls: f.get("originatingTLS"),
                server_names: f.get("serverNames"),
                listener: f.get("listener"),
                rules: f.get("rules"),
            }
        })
    }
}

impl Decode for PortProtocol {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            span: f.span(),
            port: f.get("port"),
            end_port: f.get("endPort"),
            protocol: f.get("protocol"),
        })
    }
}

impl Decode for TlsContext {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            span: f.span(),
            secret: f.get("secret"),
            trusted_ca: f.get("trustedCA"),
            certificate: f.get("certificate"),
            private_key: f.get("privateKey"),
        })
    }
}

impl Decode for Secret {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            namespace: f.get("namespace"),
            name: f.get("name"),
        })
    }
}

impl Decode for Listener {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            span: f.span(),
            envoy_config: f.get("envoyConfig"),
            name: f.get("name"),
            priority: f.get("priority"),
        })
    }
}

impl Decode for EnvoyConfigRef {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            kind: f.get("kind"),
            name: f.get("name"),
        })
    }
}

impl Decode for L7Rules {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            let removed: Vec<_> = ["kafka", "l7proto", "l7"]
                .into_iter()
                .filter_map(|name| f.entry(name))
                .map(|e| Spanned::new(e.key.clone(), e.key_span))
                .collect();
            let rules = Self {
                span: f.span(),
                http: f.get("http"),
                dns: f.get("dns"),
                removed,
            };
            let alone = rules.http.is_none() && rules.dns.is_none();
            for key in &rules.removed {
                let help = if alone {
                    "the agent drops it, which leaves the whole port allowed; the API server refuses `rules` without `http` or `dns`"
                } else {
                    "the agent drops it; `http` and `dns` are what is left"
                };
                let message = format!("`{}` rules were removed in Cilium 1.20", key.value);
                let d = Diagnostic::new(REMOVED_FIELD, key.span, message).help(help);
                f.decoder().in_field(&key.value, |decoder| decoder.report(d));
            }
            rules
        })
    }
}

impl Decode for HttpRule {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            span: f.span(),
            path: f.get("path"),
            method: f.get("method"),
            host: f.get("host"),
            headers: f.get("headers"),
            header_matches: f.get("headerMatches"),
        })
    }
}

impl Decode for HeaderMatch {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            span: f.span(),
            mismatch: f.get("mismatch"),
            name: f.get("name"),
            secret: f.get("secret"),
            value: f.get("value"),
        })
    }
}

impl Decode for IcmpRule {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            span: f.span(),
            fields: f.get("fields"),
        })
    }
}

impl Decode for IcmpField {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.in_any_case(|d| {
            d.fields(node, |f| {
                let family: Spanned<String> = f.get("family");
                let written: Option<Spanned<IntOrString>> = f.get("type");
                let icmp_type = icmp_type(f, &family, written);
                Self {
                    span: f.span(),
                    family,
                    icmp_type,
                }
            })
        })
    }
}

/// The text of the port that a type becomes. A text counts as a number when
/// Go's strconv.Atoi reads something other than zero from it.
fn icmp_type(
    f: &mut Fields<'_, '_>,
    family: &Spanned<String>,
    written: Option<Spanned<IntOrString>>,
) -> Spanned<String> {
    let Some(Spanned { value, span }) = written else {
        let d = Diagnostic::new(ICMP_TYPE, f.span(), "an ICMP field needs a `type`");
        f.decoder()
            .report(d.help("the agent crashes without one; write one field per type"));
        return Spanned::new(String::new(), f.span());
    };
    let text = match value {
        IntOrString::Int(number) => return Spanned::new(number.to_string(), span),
        IntOrString::String(text) => text,
    };
    if text == "0" || is_nonzero_number(&text) {
        return Spanned::new(text, span);
    }
    let wanted = IcmpFamily::of(&family.value);
    if let Some(number) = icmp_type_number(wanted, &text) {
        return Spanned::new(number.to_string(), span);
    }
    let d = unknown_icmp_type(wanted, &text, span);
    f.decoder().in_field("type", |decoder| decoder.report(d));
    Spanned::new(text, span)
}

fn unknown_icmp_type(wanted: IcmpFamily, text: &str, span: Span) -> Diagnostic {
    let (name, other, other_name) = match wanted {
        IcmpFamily::V4 => ("IPv4", IcmpFamily::V6, "IPv6"),
        IcmpFamily::V6 => ("IPv6", IcmpFamily::V4, "IPv4"),
    };
    let message = format!("{name} has no ICMP type `{text}`");
    let d = Diagnostic::new(ICMP_TYPE, span, message);
    let close = suggest(text, wanted.types().iter().map(|(n, _)| *n));
    if let Some(variable) = template::find(text) {
        d.help(format!(
            "`{variable}` is not resolved; as it stands the object is refused"
        ))
    } else if icmp_type_number(other, text).is_some() {
        d.help(format!(
            "it is a type of {other_name}: set `family: {other_name}`"
        ))
    } else if let Some(close) = close {
        d.help(format!("did you mean `{close}`?")).fix(
            format!("write `{close}`"),
            span,
            close,
            false,
        )
    } else {
        d.help("give the number of the type, or its name in CamelCase such as `EchoRequest`")
    }
}

fn is_nonzero_number(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    digits.bytes().all(|b| b.is_ascii_digit()) && digits.bytes().any(|b| b != b'0')
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceId;
    use crate::yaml;

    fn decode<T: Decode>(text: &str) -> (T, Vec<Diagnostic>) {
        let mut documents = yaml::read(SourceId(0), text, &yaml::Limits::default());
        let mut decoder = Decoder::new("object");
        let value = decoder.decode(&documents.remove(0).result.unwrap());
        (value, decoder.finish())
    }

    fn found(diagnostics: &[Diagnostic]) -> Vec<String> {
        let found = diagnostics.iter();
        found.map(|d| format!("{} {}", d.code, d.path)).collect()
    }

    #[test]
    fn a_policy_with_every_field() {
        let (policy, diagnostics) = decode::<CiliumPolicy>(
            r#"
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: web, namespace: shop, labels: {team: a}}
spec:
  description: "${X} is fine here"
  endpointSelector: {matchLabels: {app: web}}
  enableDefaultDeny: {ingress: false}
  labels: [{key: k, value: v}, "src:a=b", "$=host", plain]
  log: {value: hello}
  ingress:
  - fromEndpoints: [null, {matchExpressions: [{key: env, operator: In, values: [prod]}]}]
    authentication: {mode: required}
    toPorts:
    - ports: [{port: "80", endPort: 90, protocol: TCP}]
      serverNames: [a.io]
      terminatingTLS: {secret: {name: s, namespace: ns}, trustedCA: ca}
      originatingTLS: {secret: null}
      rules:
        http: [{path: /, method: GET, host: h, headers: [X], headerMatches: [{name: h, mismatch: LOG, secret: {name: s}}]}]
  - icmps: [{fields: [{type: 8}, {family: IPv6, type: EchoRequest}, {type: "+9"}, {type: Redirect}]}]
  ingressDeny: [{fromCIDR: [1.2.3.4]}, null]
  egress:
  - toFQDNs: [{matchName: a.io}, {matchPattern: "*.b.io"}]
  - toServices: [{k8sService: {serviceName: s, namespace: ns}}, {k8sServiceSelector: {selector: {matchLabels: {a: b}}}}]
  - toCIDRSet: [{cidr: 10.0.0.0/8, except: [10.1.0.0/16]}, {cidrGroupRef: g}, {cidrGroupSelector: null}]
  - toGroups: [{aws: {labels: {a: b}, securityGroupsIds: [x], region: r}}]
  - toPorts: [{ports: [{port: "1"}], listener: {name: l, priority: 7, envoyConfig: {kind: CiliumEnvoyConfig, name: e}}}]
  egressDeny:
  - toEntities: []
    toPorts: [{ports: [{port: "2"}]}]
specs:
- nodeSelector: null
status: {conditions: [{type: Valid, lastTransitionTime: "2024-05-01T00:00:00Z"}]}
"#,
        );
        assert!(diagnostics.is_empty(), "{:?}", found(&diagnostics));
        assert_eq!(policy.specs.len(), 2);
        let spec = &policy.specs[0];
        assert!(!spec.default_deny_ingress.unwrap().value);
        let labels: Vec<_> = spec
            .labels
            .iter()
            .map(|l| (&*l.source, &*l.key, &*l.value))
            .collect();
        assert_eq!(
            labels,
            [
                ("", "k", "v"),
                ("src", "a", "b"),
                ("reserved", "host", ""),
                ("unspec", "plain", "")
            ]
        );
        let types: Vec<_> = spec.ingress[1].icmps[0]
            .fields
            .iter()
            .map(|f| &*f.icmp_type.value)
            .collect();
        assert_eq!(types, ["8", "128", "+9", "5"]);
        assert_eq!(spec.ingress[0].endpoints.as_ref().unwrap().len(), 2);
        assert_eq!(spec.ingress[0].to_ports[0].ports[0].end_port.value, 90);
        assert_eq!(
            spec.egress[2].cidr_sets.as_ref().unwrap()[2]
                .cidr_group_selector
                .as_ref()
                .unwrap()
                .match_labels,
            []
        );
        assert_eq!(spec.egress_deny[0].entities.as_deref(), Some(&[][..]));
        assert_eq!(spec.egress_deny[0].path, "spec.egressDeny[0]");
        assert_eq!(spec.ingress_deny.len(), 2);
        assert!(policy.specs[1].node_selector.is_some());
        assert_eq!(policy.specs[1].path, "specs[0]");
    }

    #[test]
    fn mistakes_are_named_where_they_are() {
        let (_, diagnostics) = decode::<CiliumPolicy>(
            r#"
kind: CiliumNetworkPolicy
metadata: {name: x}
spec:
  endpointSelector: {matchLabels: {a: 1}}
  ingress:
  - toEndpoints: [{}]
    fromPorts: []
    fromRequires: [{matchLabels: {}}]
    toPorts: [{port: "1", ports: [{port: 80, endPort: "${P}"}], rules: {kafka: []}}]
    icmps: [{fields: [{type: PacketTooBig}, {}, null, {type: "00"}]}]
  egressDeny:
  - toPorts: [{rules: {}}]
    toFQDNs: []
  egress: {}
  labels: ["", {value: v}, 5]
"#,
        );
        assert_eq!(
            found(&diagnostics),
            [
                "NV0201 spec.endpointSelector.matchLabels.a",
                "NV0201 spec.ingress[0].toPorts[0].ports[0].port",
                "NV0201 spec.ingress[0].toPorts[0].ports[0].endPort",
                "NV0206 spec.ingress[0].toPorts[0].rules.kafka",
                "NV0202 spec.ingress[0].toPorts[0].port",
                "NV0201 spec.ingress[0].fromRequires[0]",
                "NV0206 spec.ingress[0].fromRequires",
                "NV0207 spec.ingress[0].icmps[0].fields[0].type",
                "NV0207 spec.ingress[0].icmps[0].fields[1]",
                "NV0207 spec.ingress[0].icmps[0].fields[2]",
                "NV0207 spec.ingress[0].icmps[0].fields[3].type",
                "NV0202 spec.ingress[0].toEndpoints",
                "NV0202 spec.ingress[0].fromPorts",
                "NV0201 spec.egress",
                "NV0202 spec.egressDeny[0].toPorts[0].rules",
                "NV0202 spec.egressDeny[0].toFQDNs",
                "NV0208 spec.labels[0]",
                "NV0208 spec.labels[1]",
                "NV0201 spec.labels[2]"
            ]
        );
    }

    #[test]
    fn cidr_groups() {
        let (group, diagnostics) = decode::<CidrGroup>(
            "apiVersion: cilium.io/v2alpha1\nkind: CiliumCIDRGroup\nmetadata: {name: g, labels: {a: b}}\nspec: {externalCIDRs: [10.0.0.0/8, 1.1.1.1]}\n",
        );
        assert!(diagnostics.is_empty());
        assert_eq!(group.external_cidrs[1].value, "1.1.1.1");
    }
}
