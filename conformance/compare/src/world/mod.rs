//! The cases of `testdata/worlds`.
//!
//! In: one JSON file: Kubernetes objects, options, and questions about them.
//! Out: a [`WorldCase`] with the answers every engine must come to. These
//! cases are about what scenarios cannot say: services, nodes, workloads,
//! fixed identities, fragments. The format is described in
//! `testdata/README.md`.

mod play;
mod scenario;

use crate::case::{CaseError, Text, join_lines};
use crate::layout::lay_out;
use crate::outcome::EntryOutcome;
use netverdict::scenario::ScenarioConfig;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// One case.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldCase {
    /// Unique within its folder; the file is named after it.
    pub name: String,
    /// The rule it pins down.
    pub note: String,
    /// Where that rule is written: a file of Cilium.
    pub source: String,
    /// What the cluster consists of.
    pub world: World,
    /// What is asked.
    pub flows: Vec<WorldFlow>,
    /// Endpoints whose policy map is asked for, `host` for the host's.
    #[serde(default)]
    pub maps: Vec<String>,
    /// Endpoints, addresses or entities whose identity is asked for.
    #[serde(default)]
    pub identities: Vec<String>,
    /// Policies to ask Cilium's engine about in place of those of the world:
    /// what the agent makes of services is written out in them.
    #[serde(default)]
    pub translated: Vec<String>,
    /// The answers.
    #[serde(default)]
    pub expect: WorldOutcome,
}

/// Objects, and what no object says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct World {
    /// Agent options, as in a scenario.
    pub config: ScenarioConfig,
    /// `allow-icmp-frag-needed` is off.
    #[serde(
        rename = "disableICMPFragNeeded",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub disable_icmp_frag_needed: bool,
    /// `enable-k8s-cluster-network-policy` is off.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disable_cluster_network_policy: bool,
    /// `enable-well-known-identities` is on.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub well_known_identities: bool,
    /// `fixed-identity-mapping`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fixed_identities: BTreeMap<u32, String>,
    /// `labels`: which labels make identities.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub identity_labels: Vec<String>,
    /// The node whose agent answers.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub local_node: String,
    /// What DNS said.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, Vec<IpAddr>>,
    /// Texts of objects, one or more documents each.
    #[serde(skip_serializing)]
    pub objects: Vec<String>,
}

/// A question.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorldFlow {
    /// Who sends: `namespace/name`, an address, an entity, a DNS name.
    pub from: String,
    /// Who receives.
    pub to: String,
    /// `443/TCP`, or a protocol without ports.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub port: String,
    /// ICMP type, or type and code: `3/4`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub icmp: String,
    /// The same of ICMPv6.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub icmpv6: String,
    /// A fragment whose first part was not seen.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub fragment: bool,
}

/// The answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorldOutcome {
    /// What there is to say about the objects: `NV0612@2:7:3` for code, text
    /// (from 0), line and column.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<String>,
    /// Per flow, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub flows: Vec<Flow>,
    /// Per map asked for, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub maps: Vec<MapOutcome>,
    /// Per identity asked for, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<NamedIdentity>,
}

/// What happens to a flow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Flow {
    /// Both sides together: `allow`, `deny`, `default-deny`, `redirect`,
    /// `auth-required` or `unknown`.
    pub verdict: String,
    /// The sender's side, when it has a policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub egress: Option<SideOutcome>,
    /// The receiver's side, when it has a policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress: Option<SideOutcome>,
}

/// What the policy of one side says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SideOutcome {
    /// As of the whole flow.
    pub verdict: String,
    /// The identity the other side is judged by: the name of a reserved one, a
    /// number that configuration or an object gives, else an endpoint or the
    /// first prefix that has it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub peer: String,
    /// Match type of the deciding entry.
    #[serde(rename = "match", skip_serializing_if = "String::is_empty")]
    pub match_type: String,
    /// Its key: peer, protocol, port/prefix length.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// The datapath's return code when it drops.
    #[serde(skip_serializing_if = "is_zero")]
    pub code: i16,
    /// The proxy's parser.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub parser: String,
    /// Authentication type.
    #[serde(skip_serializing_if = "is_zero")]
    pub auth: i16,
    /// The deciding rules: `Kind/namespace/name@line` of the member.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_zero(n: &i16) -> bool {
    *n == 0
}

/// A policy map.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct MapOutcome {
    /// Whose it is.
    pub subject: String,
    /// Ingress is enforced.
    pub ingress_enabled: bool,
    /// Egress is enforced.
    pub egress_enabled: bool,
    /// Its rules contradict each other.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub error: bool,
    /// The entries; `prefix` names whatever has an engine's own number.
    pub map: Vec<EntryOutcome>,
}

/// An identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NamedIdentity {
    /// Whose it is, as asked.
    pub of: String,
    /// Its number, unless engines may number it as they like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<u32>,
    /// `source:key=value`, sorted.
    pub labels: Vec<String>,
}

#[derive(Serialize)]
struct WorldCaseFile<'a> {
    name: &'a str,
    note: &'a str,
    source: &'a str,
    world: WorldFile<'a>,
    flows: &'a [WorldFlow],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    maps: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    identities: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    translated: Vec<Text<'a>>,
    expect: &'a WorldOutcome,
}

#[derive(Serialize)]
struct WorldFile<'a> {
    objects: Vec<Text<'a>>,
    #[serde(flatten)]
    rest: &'a World,
}

impl WorldCase {
    /// Reads a case.
    ///
    /// # Errors
    /// When it is no JSON or has unknown fields.
    pub fn parse(json: &str) -> Result<Self, CaseError> {
        let mut raw: Value = serde_json::from_str(json).map_err(|e| CaseError(e.to_string()))?;
        for texts in ["/world/objects", "/translated"] {
            if let Some(Value::Array(texts)) = raw.pointer_mut(texts) {
                texts.iter_mut().for_each(join_lines);
            }
        }
        serde_json::from_value(raw).map_err(|e| CaseError(e.to_string()))
    }

    /// The text of the file.
    ///
    /// # Errors
    /// Only if a case holds what JSON cannot carry, which none does.
    pub fn to_json(&self) -> Result<String, CaseError> {
        let texts = |list: &'_ [String]| -> Vec<String> { list.to_vec() };
        let (objects, translated) = (texts(&self.world.objects), texts(&self.translated));
        let file = WorldCaseFile {
            name: &self.name,
            note: &self.note,
            source: &self.source,
            world: WorldFile {
                objects: objects.iter().map(|t| Text::new(t)).collect(),
                rest: &self.world,
            },
            flows: &self.flows,
            maps: &self.maps,
            identities: &self.identities,
            translated: translated.iter().map(|t| Text::new(t)).collect(),
            expect: &self.expect,
        };
        let compact = serde_json::to_string(&file).map_err(|e| CaseError(e.to_string()))?;
        Ok(lay_out(&compact))
    }
}

/// Where two outcomes differ, a line each.
#[must_use]
pub fn world_differences(expected: &WorldOutcome, found: &WorldOutcome) -> Vec<String> {
    let value = |o: &WorldOutcome| serde_json::to_value(o).unwrap_or_default();
    let mut lines = Vec::new();
    compare("", &value(expected), &value(found), &mut lines);
    lines
}

fn compare(path: &str, expected: &Value, found: &Value, lines: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let side = |of: &serde_json::Map<String, Value>| of.get(key).cloned();
                let (a, b) = (side(a).unwrap_or_default(), side(b).unwrap_or_default());
                compare(&format!("{path}.{key}"), &a, &b, lines);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&format!("{path}[{i}]"), a, b, lines);
            }
        }
        _ if expected == found => {}
        _ => lines.push(format!(
            "{}: expected {expected}, found {found}",
            path.trim_start_matches('.')
        )),
    }
}
