//! The JSON form of scenarios and answers.
//!
//! In: JSON text. Out: typed values, and back. Reading a scenario refuses
//! unknown fields and what no engine could make sense of; leaving a field out
//! means Cilium's default.

use crate::config::{AllowLocalhost, Config, Enforcement};
use crate::rule::{Direction, protocol};
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

/// Why a scenario has no meaning at all. What Cilium merely refuses is not an
/// error of the scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError(pub(super) String);

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ScenarioError {}

/// One question to a policy engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Scenario {
    /// Free text, echoed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Free text, echoed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Agent options.
    pub config: ScenarioConfig,
    /// Policies: raw text of one or more YAML or JSON documents each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
    /// Identities beside the reserved ones and those that prefixes of policies
    /// get.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<ScenarioIdentity>,
    /// Labels of namespaces.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<Namespace>,
    /// CIDR groups.
    #[serde(rename = "cidrGroups", skip_serializing_if = "Vec::is_empty")]
    pub cidr_groups: Vec<ScenarioCidrGroup>,
    /// Named ports of every endpoint that says nothing of its own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub named_ports: BTreeMap<String, NamedPort>,
    /// The subjects whose policy is resolved.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<ScenarioEndpoint>,
    /// The flows to judge.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub queries: Vec<Query>,
}

impl Scenario {
    /// Reads one scenario from JSON.
    ///
    /// # Errors
    /// On malformed JSON, unknown fields, and contradictions: an identity
    /// without a number or with both `cidr` and `ip`, text that is no prefix
    /// or address, a query without exactly one of `peer` and `peerIP`, both
    /// address families switched off.
    pub fn parse(json: &str) -> Result<Self, ScenarioError> {
        let scenario: Self =
            serde_json::from_str(json).map_err(|e| ScenarioError(e.to_string()))?;
        scenario.check()?;
        Ok(scenario)
    }

    fn check(&self) -> Result<(), ScenarioError> {
        if self.config.disable_ipv4 && self.config.disable_ipv6 {
            return Err(ScenarioError("config: both families are disabled".into()));
        }
        for (i, identity) in self.identities.iter().enumerate() {
            let wrong = |what: &str| ScenarioError(format!("identities[{i}]: {what}"));
            if identity.id == 0 {
                return Err(wrong("`id` is missing"));
            }
            if !identity.cidr.is_empty() && !identity.ip.is_empty() {
                return Err(wrong("`cidr` and `ip` together"));
            }
            if !(identity.cidr.is_empty() && identity.ip.is_empty()) && identity.prefix().is_none()
            {
                let text = format!("{}{}", identity.cidr, identity.ip);
                return Err(wrong(&format!("`{text}` is no prefix or address")));
            }
        }
        for (i, query) in self.queries.iter().enumerate() {
            if query.peer.is_some() != query.peer_ip.is_empty() {
                return Err(ScenarioError(format!(
                    "queries[{i}]: exactly one of `peer` and `peerIP` is needed"
                )));
            }
        }
        Ok(())
    }
}

/// Agent options a scenario may change; the rest of [`Config`] has its
/// default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ScenarioConfig {
    /// `enable-policy`.
    #[serde(with = "enforcement", skip_serializing_if = "is_default")]
    pub enforcement: Enforcement,
    /// `allow-localhost`.
    #[serde(with = "allow_localhost", skip_serializing_if = "is_default")]
    pub allow_localhost: AllowLocalhost,
    /// `cluster-name`; empty for `default`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cluster_name: String,
    /// `cluster-id`.
    #[serde(rename = "clusterID", skip_serializing_if = "is_default")]
    pub cluster_id: u32,
    /// `policy-default-local-cluster` is off.
    #[serde(skip_serializing_if = "is_default")]
    pub any_cluster: bool,
    /// `enable-ipv4` is off.
    #[serde(rename = "disableIPv4", skip_serializing_if = "is_default")]
    pub disable_ipv4: bool,
    /// `enable-ipv6` is off.
    #[serde(rename = "disableIPv6", skip_serializing_if = "is_default")]
    pub disable_ipv6: bool,
    /// `enable-l7-proxy` is off.
    #[serde(rename = "disableL7Proxy", skip_serializing_if = "is_default")]
    pub disable_l7_proxy: bool,
    /// `enable-non-default-deny-policies` is off.
    #[serde(skip_serializing_if = "is_default")]
    pub disable_non_default_deny: bool,
    /// `enable-icmp-rules` is off.
    #[serde(rename = "disableICMPRules", skip_serializing_if = "is_default")]
    pub disable_icmp_rules: bool,
    /// `enable-extended-ip-protocols` is on.
    #[serde(rename = "extendedIPProtocols", skip_serializing_if = "is_default")]
    pub extended_ip_protocols: bool,
    /// `enable-node-selector-labels` is on.
    #[serde(skip_serializing_if = "is_default")]
    pub node_selector_labels: bool,
    /// `enable-host-firewall` is on.
    #[serde(skip_serializing_if = "is_default")]
    pub host_firewall: bool,
    /// `policy-cidr-match-mode`.
    #[serde(rename = "policyCIDRMatchMode", skip_serializing_if = "Vec::is_empty")]
    pub policy_cidr_match_mode: Vec<CidrMatchMode>,
    /// Documents that the object's CRD schema refuses are refused.
    #[serde(skip_serializing_if = "is_default")]
    pub enforce_schema: bool,
}

impl From<&ScenarioConfig> for Config {
    fn from(c: &ScenarioConfig) -> Self {
        let default = Self::default();
        Self {
            enforcement: c.enforcement,
            allow_localhost: c.allow_localhost,
            cluster_name: if c.cluster_name.is_empty() {
                default.cluster_name.clone()
            } else {
                c.cluster_name.clone()
            },
            cluster_id: c.cluster_id,
            default_local_cluster: !c.any_cluster,
            ipv4: !c.disable_ipv4,
            ipv6: !c.disable_ipv6,
            l7_proxy: !c.disable_l7_proxy,
            non_default_deny: !c.disable_non_default_deny,
            icmp_rules: !c.disable_icmp_rules,
            extended_ip_protocols: c.extended_ip_protocols,
            node_selector_labels: c.node_selector_labels,
            host_firewall: c.host_firewall,
            cidr_matches_nodes: c.policy_cidr_match_mode.contains(&CidrMatchMode::Nodes),
            cidr_matches_pods: c.policy_cidr_match_mode.contains(&CidrMatchMode::Pods),
            cluster_network_policy: true,
            ..default
        }
    }
}

/// An element of `policy-cidr-match-mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CidrMatchMode {
    /// Prefixes also match nodes.
    Nodes,
    /// Prefixes also match pods.
    Pods,
}

/// An identity with a fixed number: with labels of its own, that of a prefix,
/// or that of an address, which also takes over what its prefix inherits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ScenarioIdentity {
    /// Its number.
    pub id: u32,
    /// `source:key` to value.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The prefix it stands for, or empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cidr: String,
    /// The address it stands for, or empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ip: String,
    /// Its named ports; `None` leaves a subject those of the scenario.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub named_ports: Option<BTreeMap<String, NamedPort>>,
}

impl ScenarioIdentity {
    /// The prefix it stands for, host bits cut.
    #[must_use]
    pub fn prefix(&self) -> Option<IpNet> {
        if self.ip.is_empty() {
            self.cidr.parse::<IpNet>().ok().map(|p| p.trunc())
        } else {
            self.ip.parse::<IpAddr>().ok().map(IpNet::from)
        }
    }
}

/// A namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// Its labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// A CIDR group, as a `CiliumCIDRGroup` object would define it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScenarioCidrGroup {
    /// Its name.
    pub name: String,
    /// Its labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Its prefixes, as text; those that are none are ignored.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cidrs: Vec<String>,
}

/// The value of a named container port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NamedPort {
    /// The number.
    pub port: u16,
    /// The protocol; left out for TCP.
    #[serde(skip_serializing_if = "is_default")]
    pub proto: Proto,
}

/// A subject whose policy is resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ScenarioEndpoint {
    /// Its security identity.
    pub id: u32,
    /// Its named ports; `None` takes those of its identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub named_ports: Option<BTreeMap<String, NamedPort>>,
}

/// A flow to judge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Query {
    /// Seen from the endpoint.
    #[serde(with = "direction")]
    pub direction: Direction,
    /// The subject's security identity.
    #[serde(default)]
    pub endpoint: u32,
    /// The other side's identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<u32>,
    /// The other side's address, in place of its identity.
    #[serde(rename = "peerIP", default, skip_serializing_if = "String::is_empty")]
    pub peer_ip: String,
    /// The protocol.
    #[serde(default)]
    pub proto: Proto,
    /// The destination port; for ICMP the type.
    #[serde(default, skip_serializing_if = "is_default")]
    pub port: u16,
}

/// An IP protocol number, written as a name or a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Proto(pub u8);

impl Serialize for Proto {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.0, protocol::name(self.0)) {
            (protocol::ANY, _) | (_, None) => serializer.serialize_u8(self.0),
            (_, Some(name)) => serializer.serialize_str(name),
        }
    }
}

impl<'de> Deserialize<'de> for Proto {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl serde::de::Visitor<'_> for Visitor {
            type Value = Proto;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a protocol name or a number below 256")
            }

            fn visit_u64<E: serde::de::Error>(self, n: u64) -> Result<Proto, E> {
                u8::try_from(n)
                    .map(Proto)
                    .map_err(|_| E::invalid_value(serde::de::Unexpected::Unsigned(n), &self))
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Proto, E> {
                if name.is_empty() {
                    return Ok(Proto(protocol::TCP));
                }
                name.parse()
                    .ok()
                    .or_else(|| protocol::number(name))
                    .map(Proto)
                    .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(name), &self))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

/// What an engine makes of a scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Answer {
    /// As in the scenario.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// As in the scenario.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Per document, in order.
    pub policies: Vec<PolicyAnswer>,
    /// Every identity in force, by number.
    pub identities: Vec<IdentityAnswer>,
    /// Per endpoint, in the scenario's order.
    pub endpoints: Vec<EndpointAnswer>,
    /// Per query, in the scenario's order.
    pub queries: Vec<QueryAnswer>,
    /// Paths of values that differed between repeated runs of Cilium.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unstable: Vec<String>,
}

/// What became of one document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PolicyAnswer {
    /// Position among all documents.
    pub index: usize,
    /// The object's kind.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// The object's namespace.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// The object's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// It is in force.
    pub accepted: bool,
    /// Where it was refused: `yaml`, `decode`, `schema` or `parse`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stage: String,
    /// Why it was refused.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error: String,
    /// What the API's schema says; empty when fine.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub schema: String,
    /// Number of rules it became.
    pub entries: usize,
    /// Prefixes it names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prefixes: Vec<String>,
}

/// One identity in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IdentityAnswer {
    /// Its number.
    pub id: u32,
    /// Its labels as `source:key=value`, sorted.
    pub labels: Vec<String>,
    /// The prefix it stands for.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// `reserved`, `scenario` or `derived`.
    pub source: String,
}

/// The resolved policy of one subject.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct EndpointAnswer {
    /// Its security identity.
    pub id: u32,
    /// Ingress is enforced.
    pub ingress_enabled: bool,
    /// Egress is enforced.
    pub egress_enabled: bool,
    /// Why it has no policy, e.g. contradicting layer-7 rules.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error: String,
    /// The policy map, by direction (ingress first) and key.
    pub map: Vec<MapEntry>,
}

/// The key of a policy-map entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapKey {
    /// The direction.
    #[serde(rename = "dir", with = "direction")]
    pub direction: Direction,
    /// Identity or aggregate.
    pub id: u32,
    /// IP protocol; 0 for all.
    pub proto: u8,
    /// First port it matches.
    pub port: u16,
    /// Bits of the port that count.
    #[serde(rename = "plen")]
    pub port_prefix_len: u8,
    /// Prefix length in the key of the BPF map.
    #[serde(rename = "bpf_plen")]
    pub bpf_prefix_len: u8,
}

/// One entry of a policy map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MapEntry {
    /// Its key.
    #[serde(flatten)]
    pub key: MapKey,
    /// It denies.
    pub deny: bool,
    /// The precedence word.
    #[serde(rename = "prec")]
    pub precedence: u32,
    /// The flattened priority in the precedence word.
    #[serde(rename = "prio")]
    pub priority: u32,
    /// The listener priority in the precedence word, as Cilium reads it.
    #[serde(rename = "lprio")]
    pub listener_priority: u8,
    /// A proxy port; any number but 0 means a redirect.
    #[serde(rename = "proxy", default, skip_serializing_if = "is_default")]
    pub proxy_port: u16,
    /// The proxy's parser.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub parser: String,
    /// The custom listener.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub listener: String,
    /// Authentication type.
    #[serde(default, skip_serializing_if = "is_default")]
    pub auth: u8,
    /// A rule for exactly this key asked for that type.
    #[serde(default, skip_serializing_if = "is_default")]
    pub auth_explicit: bool,
    /// The policy log cookie.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cookie: u32,
    /// What a Pass rule left behind; lookups skip it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub invalid: bool,
    /// `Kind/namespace/name` of the rules behind it, sorted.
    #[serde(default)]
    pub rules: Vec<String>,
}

/// The verdict on one flow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct QueryAnswer {
    /// `allowed`, `denied`, `redirect`, `auth` or `error`.
    pub verdict: String,
    /// Why denied (`deny`, `no-match`) or what went wrong.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The other side's identity.
    pub peer: u32,
    /// Match type of the winning entry.
    #[serde(rename = "match", skip_serializing_if = "String::is_empty")]
    pub match_type: String,
    /// Key of the winning entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<MapKey>,
    /// The proxy's parser.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub parser: String,
    /// The custom listener.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub listener: String,
    /// A proxy port; any number but 0 means a redirect.
    #[serde(rename = "proxy", skip_serializing_if = "is_default")]
    pub proxy_port: u16,
    /// Authentication type.
    #[serde(skip_serializing_if = "is_default")]
    pub auth: u8,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Reads and writes an enumeration by its texts, the first of a value being
/// the one written.
macro_rules! texts {
    ($module:ident: $type:ty { $($text:literal => $value:expr),+ $(,)? }) => {
        mod $module {
            use super::{Deserialize, Deserializer, Serializer};

            #[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
            pub(super) fn serialize<S: Serializer>(
                value: &$type,
                serializer: S,
            ) -> Result<S::Ok, S::Error> {
                for (text, known) in [$(($text, $value)),+] {
                    if known == *value {
                        return serializer.serialize_str(text);
                    }
                }
                Err(serde::ser::Error::custom("a value without a text"))
            }

            pub(super) fn deserialize<'de, D: Deserializer<'de>>(
                deserializer: D,
            ) -> Result<$type, D::Error> {
                const EXPECTED: &[&str] = &[$($text),+];
                let text = String::deserialize(deserializer)?;
                match text.as_str() {
                    $($text => Ok($value),)+
                    other => Err(serde::de::Error::unknown_variant(other, EXPECTED)),
                }
            }
        }
    };
}

texts!(direction: crate::rule::Direction {
    "ingress" => crate::rule::Direction::Ingress,
    "egress" => crate::rule::Direction::Egress,
});

texts!(enforcement: crate::config::Enforcement {
    "default" => crate::config::Enforcement::Default,
    "always" => crate::config::Enforcement::Always,
    "never" => crate::config::Enforcement::Never,
    "" => crate::config::Enforcement::Default,
});

texts!(allow_localhost: crate::config::AllowLocalhost {
    "auto" => crate::config::AllowLocalhost::Auto,
    "always" => crate::config::AllowLocalhost::Always,
    "policy" => crate::config::AllowLocalhost::Policy,
    "" => crate::config::AllowLocalhost::Auto,
});

#[cfg(test)]
mod tests;
