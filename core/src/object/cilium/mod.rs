//! `CiliumNetworkPolicy`, `CiliumClusterwideNetworkPolicy` (cilium.io/v2) and
//! `CiliumCIDRGroup` as written.
//!
//! Field names follow Cilium 1.20.2 pkg/policy/api/*.go and
//! pkg/k8s/apis/cilium.io/v2. `Option<Vec<_>>` keeps "absent" and "present but
//! empty" apart where Cilium does.

mod decode;
mod icmp;

pub use decode::{ICMP_TYPE, REMOVED_FIELD, RULE_LABEL};
pub use icmp::{IcmpFamily, icmp_type_number};

use super::{LabelSelector, ObjectMeta};
use crate::source::{Span, Spanned};

/// A CNP or CCNP.
#[derive(Clone, Debug, PartialEq)]
pub struct CiliumPolicy {
    /// The whole object.
    pub span: Span,
    /// True for `CiliumClusterwideNetworkPolicy`, and for a CNP without a
    /// namespace when the caller asked for that reading.
    pub clusterwide: bool,
    /// Name, namespace, labels.
    pub meta: ObjectMeta,
    /// `spec` followed by `specs`.
    pub specs: Vec<PolicySpec>,
    /// `spec` or `specs` was written, if only as an empty list.
    pub has_rules: bool,
    /// The elements of `specs` that are `null`, by path: the agent crashes on
    /// them. They are not in `specs`.
    pub null_specs: Vec<Spanned<String>>,
}

/// One rule: `spec`, or an element of `specs` (Go: `api.Rule`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PolicySpec {
    /// Where it stands.
    pub span: Span,
    /// Its field path: `spec` or `specs[2]`.
    pub path: String,
    /// `endpointSelector`; present when the key is, even as `{}` or `null`.
    pub endpoint_selector: Option<LabelSelector>,
    /// `nodeSelector`, likewise.
    pub node_selector: Option<LabelSelector>,
    /// `ingress` members.
    pub ingress: Vec<PolicyMember>,
    /// `ingressDeny` members.
    pub ingress_deny: Vec<PolicyMember>,
    /// `egress` members.
    pub egress: Vec<PolicyMember>,
    /// `egressDeny` members.
    pub egress_deny: Vec<PolicyMember>,
    /// Those of the four lists that are there and empty, as `[]`: they do
    /// nothing.
    pub empty_lists: Vec<Spanned<String>>,
    /// `labels`: (source, key, value); an absent source is empty.
    pub labels: Vec<RuleLabel>,
    /// `enableDefaultDeny.ingress` as written.
    pub default_deny_ingress: Option<Spanned<bool>>,
    /// `enableDefaultDeny.egress` as written.
    pub default_deny_egress: Option<Spanned<bool>>,
    /// `description`.
    pub description: Option<Spanned<String>>,
    /// `log.value`; empty when absent.
    pub log: Spanned<String>,
}

/// A label of `labels` in a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleLabel {
    /// Where it stands.
    pub span: Span,
    /// Label source; empty when none was given.
    pub source: String,
    /// Label key.
    pub key: String,
    /// Label value; may be empty.
    pub value: String,
}

/// One element of `ingress`, `ingressDeny`, `egress` or `egressDeny`.
///
/// The same struct serves the four lists; fields that a list does not have
/// stay empty (`from…` and `to…` spellings are one field here).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PolicyMember {
    /// Where it stands.
    pub span: Span,
    /// Its field path: `spec.ingress[0]`.
    pub path: String,
    /// `fromEndpoints` / `toEndpoints`.
    pub endpoints: Option<Vec<LabelSelector>>,
    /// `fromNodes` / `toNodes`.
    pub nodes: Option<Vec<LabelSelector>>,
    /// `fromEntities` / `toEntities`.
    pub entities: Option<Vec<Spanned<String>>>,
    /// `fromCIDR` / `toCIDR`.
    pub cidrs: Option<Vec<Spanned<String>>>,
    /// `fromCIDRSet` / `toCIDRSet`.
    pub cidr_sets: Option<Vec<CidrRule>>,
    /// `fromGroups` / `toGroups`.
    pub groups: Vec<Group>,
    /// `toServices`.
    pub services: Vec<ServiceRef>,
    /// `toFQDNs`.
    pub fqdns: Vec<FqdnSelector>,
    /// Fields of the last three that are there and empty, which Cilium takes
    /// for absent.
    pub absent_lists: Vec<Spanned<String>>,
    /// `toPorts`.
    pub to_ports: Vec<PortRule>,
    /// `icmps`.
    pub icmps: Vec<IcmpRule>,
    /// `authentication.mode`; allow members only.
    pub authentication: Option<Spanned<String>>,
}

/// An element of `fromCIDRSet` / `toCIDRSet`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CidrRule {
    /// Where it stands.
    pub span: Span,
    /// `cidr` as written; empty when absent.
    pub cidr: Spanned<String>,
    /// `cidrGroupRef`; empty when absent.
    pub cidr_group_ref: Spanned<String>,
    /// `cidrGroupSelector`.
    pub cidr_group_selector: Option<LabelSelector>,
    /// `except`, as written.
    pub except: Vec<Spanned<String>>,
}

/// An element of `fromGroups` / `toGroups`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    /// Where it stands.
    pub span: Span,
    /// `aws`, when given.
    pub aws: Option<AwsGroup>,
}

/// `aws` of a group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AwsGroup {
    /// `labels`, in the order written.
    pub labels: Vec<(Spanned<String>, Spanned<String>)>,
    /// `securityGroupsIds`.
    pub security_groups_ids: Vec<String>,
    /// `securityGroupsNames`.
    pub security_groups_names: Vec<String>,
    /// `region`.
    pub region: String,
}

/// An element of `toServices`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceRef {
    /// Where it stands.
    pub span: Span,
    /// `k8sService`.
    pub name: Option<NamedService>,
    /// `k8sServiceSelector`; wins when both are given.
    pub selector: Option<SelectedService>,
}

/// `k8sService`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NamedService {
    /// `serviceName`.
    pub service_name: Spanned<String>,
    /// `namespace`; empty matches every namespace.
    pub namespace: Spanned<String>,
}

/// `k8sServiceSelector`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SelectedService {
    /// `selector`: label source prefixes are ignored when it matches.
    pub selector: LabelSelector,
    /// `namespace`; empty matches every namespace.
    pub namespace: Spanned<String>,
}

/// An element of `toFQDNs`, or a DNS rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FqdnSelector {
    /// Where it stands.
    pub span: Span,
    /// `matchName` as written; empty when absent.
    pub match_name: Spanned<String>,
    /// `matchPattern` as written; empty when absent.
    pub match_pattern: Spanned<String>,
}

/// An element of `toPorts`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PortRule {
    /// Where it stands.
    pub span: Span,
    /// `ports`.
    pub ports: Vec<PortProtocol>,
    /// `terminatingTLS`.
    pub terminating_tls: Option<TlsContext>,
    /// `originatingTLS`.
    pub originating_tls: Option<TlsContext>,
    /// `serverNames`.
    pub server_names: Vec<Spanned<String>>,
    /// `listener`.
    pub listener: Option<Listener>,
    /// `rules`.
    pub rules: Option<L7Rules>,
}

/// An element of `ports`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortProtocol {
    /// Where it stands.
    pub span: Span,
    /// `port` as written; empty when absent.
    pub port: Spanned<String>,
    /// `endPort`; 0 when absent.
    pub end_port: Spanned<i32>,
    /// `protocol` as written; empty when absent.
    pub protocol: Spanned<String>,
}

/// `terminatingTLS` or `originatingTLS`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsContext {
    /// Where it stands.
    pub span: Span,
    /// `secret`; the schema requires it, the agent does not.
    pub secret: Option<Secret>,
    /// `trustedCA`: item of the secret.
    pub trusted_ca: String,
    /// `certificate`: item of the secret.
    pub certificate: String,
    /// `privateKey`: item of the secret.
    pub private_key: String,
}

/// A reference to a Kubernetes secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Secret {
    /// `namespace`.
    pub namespace: String,
    /// `name`.
    pub name: String,
}

/// `listener`: a custom Envoy listener to redirect to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listener {
    /// Where it stands.
    pub span: Span,
    /// `envoyConfig`; required.
    pub envoy_config: Option<EnvoyConfigRef>,
    /// `name` of the listener.
    pub name: Spanned<String>,
    /// `priority`: 0 is the default of the parser, 1 the strongest. The schema
    /// allows 1–100, the agent any `u8`.
    pub priority: u8,
}

/// `listener.envoyConfig`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvoyConfigRef {
    /// `kind`: `CiliumEnvoyConfig`, `CiliumClusterwideEnvoyConfig` or empty.
    pub kind: Spanned<String>,
    /// `name`.
    pub name: Spanned<String>,
}

/// `rules`: layer-7 rules of a port. Absent keys and empty lists differ for
/// validation only.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct L7Rules {
    /// Where it stands.
    pub span: Span,
    /// `http`.
    pub http: Option<Vec<HttpRule>>,
    /// `dns`.
    pub dns: Option<Vec<FqdnSelector>>,
    /// Keys of `kafka`, `l7` and `l7proto`: gone since Cilium 1.20, and
    /// dropped by the agent.
    pub removed: Vec<Spanned<String>>,
}

/// An element of `rules.http`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpRule {
    /// Where it stands.
    pub span: Span,
    /// `path`: regular expression, matched in full; empty = any.
    pub path: Spanned<String>,
    /// `method`, likewise.
    pub method: Spanned<String>,
    /// `host`, likewise.
    pub host: Spanned<String>,
    /// `headers`, as written.
    pub headers: Vec<Spanned<String>>,
    /// `headerMatches`; the agent crashes on an element that is `null`.
    pub header_matches: Vec<Option<HeaderMatch>>,
}

/// An element of `headerMatches`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderMatch {
    /// Where it stands.
    pub span: Span,
    /// `mismatch`: empty, `LOG`, `ADD`, `DELETE` or `REPLACE`.
    pub mismatch: Spanned<String>,
    /// `name` of the header.
    pub name: Spanned<String>,
    /// `secret`.
    pub secret: Option<Secret>,
    /// `value`.
    pub value: String,
}

/// An element of `icmps`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IcmpRule {
    /// Where it stands.
    pub span: Span,
    /// `fields`.
    pub fields: Vec<IcmpField>,
}

/// An element of `icmps[].fields`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IcmpField {
    /// Where it stands.
    pub span: Span,
    /// `family` as written; empty = IPv4.
    pub family: Spanned<String>,
    /// `type` as the text of the port Cilium makes of it: names are resolved
    /// to digits, everything else stays as written (`300`, `+8`).
    pub icmp_type: Spanned<String>,
}

/// A `CiliumCIDRGroup` (cilium.io/v2).
#[derive(Clone, Debug, PartialEq)]
pub struct CidrGroup {
    /// The whole object.
    pub span: Span,
    /// Name and labels.
    pub meta: ObjectMeta,
    /// `spec.externalCIDRs` as written.
    pub external_cidrs: Vec<Spanned<String>>,
}
