//! What of an answer two engines must agree on.
//!
//! In: an [`Answer`]. Out: an [`Outcome`]: texts of errors reduced to whether
//! there is one, proxy ports to whether there is one, and identities that an
//! engine numbers by itself named by their prefix.

use netverdict::rule::Direction;
use netverdict::scenario::{Answer, MapEntry, MapKey, PolicyAnswer, QueryAnswer};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The comparable part of an answer, and the form in which `testdata/` keeps
/// expected answers. Fields that are zero, false or empty are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Outcome {
    /// Per document, in order.
    pub policies: Vec<DocumentOutcome>,
    /// Identities that are not reserved.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<IdentityOutcome>,
    /// Per endpoint, in the scenario's order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<EndpointOutcome>,
    /// Per query, in the scenario's order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub queries: Vec<QueryOutcome>,
    /// Written by hand where a case is about it: the first endpoint's filters
    /// with rules for a proxy, `{dir, proto, port, http, serverNames}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filters: Option<Vec<serde_json::Value>>,
    /// Paths of values that differ between runs of Cilium and are therefore
    /// not compared.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unstable: Vec<String>,
}

/// What became of one document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DocumentOutcome {
    /// `Kind/namespace/name`, or `Kind/name`; as much of it as was readable.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub object: String,
    /// It is in force.
    pub accepted: bool,
    /// Where it was refused: `yaml`, `decode`, `schema` or `parse`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stage: String,
    /// Number of rules it became.
    #[serde(skip_serializing_if = "is_default")]
    pub entries: usize,
    /// Prefixes it names, sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prefixes: Vec<String>,
    /// What netverdict says about it, as `NV0202@3:5` (code, line, column of
    /// its text). Cilium has no such thing; see
    /// [`diagnoses`](crate::diagnoses).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<String>,
}

/// An identity: by its number, or by its prefix when engines may number it as
/// they like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Peer {
    /// The number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<u32>,
    /// The first prefix that has this identity.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub prefix: String,
}

impl Peer {
    /// A short name for paths.
    pub(crate) fn name(&self) -> String {
        self.id
            .map_or_else(|| self.prefix.clone(), |id| id.to_string())
    }
}

/// The labels of one identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IdentityOutcome {
    /// The prefix it stands for.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cidr: String,
    /// Who it is.
    #[serde(flatten)]
    pub peer: Peer,
    /// `source:key=value`, sorted.
    pub labels: Vec<String>,
}

/// The policy of one endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct EndpointOutcome {
    /// Its security identity.
    pub id: u32,
    /// Ingress is enforced.
    pub ingress_enabled: bool,
    /// Egress is enforced.
    pub egress_enabled: bool,
    /// Its policy cannot be resolved.
    #[serde(skip_serializing_if = "is_default")]
    pub error: bool,
    /// The policy map.
    pub map: Vec<EntryOutcome>,
}

/// One entry of a policy map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EntryOutcome {
    /// `ingress` or `egress`.
    pub dir: String,
    /// Identity or aggregate.
    #[serde(flatten)]
    pub peer: Peer,
    /// IP protocol; 0 for all.
    pub proto: u8,
    /// First port it matches.
    pub port: u16,
    /// Bits of the port that count.
    pub plen: u8,
    /// Prefix length in the key of the BPF map.
    #[serde(rename = "bpf_plen")]
    pub bpf_plen: u8,
    /// The precedence word.
    pub prec: u32,
    /// The flattened priority in it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub prio: u32,
    /// The listener priority in it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub lprio: u8,
    /// It denies.
    #[serde(default, skip_serializing_if = "is_default")]
    pub deny: bool,
    /// It has a proxy port.
    #[serde(default, skip_serializing_if = "is_default")]
    pub redirect: bool,
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
    /// What a Pass rule left behind.
    #[serde(default, skip_serializing_if = "is_default")]
    pub invalid: bool,
    /// `Kind/namespace/name` of the rules behind it, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
}

/// The verdict on one flow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct QueryOutcome {
    /// `allowed`, `denied`, `redirect`, `auth` or `error`.
    pub verdict: String,
    /// Why it is denied: `deny` or `no-match`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The other side.
    #[serde(flatten)]
    pub peer: Peer,
    /// Match type of the winning entry.
    #[serde(rename = "match", skip_serializing_if = "String::is_empty")]
    pub match_type: String,
    /// Key of the winning entry: identity, protocol, port/prefix length.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// The proxy's parser.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub parser: String,
    /// The custom listener.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub listener: String,
    /// Authentication type.
    #[serde(skip_serializing_if = "is_default")]
    pub auth: u8,
}

/// Numbers from here on are given out by the engine itself (local scopes).
const FIRST_LOCAL: u32 = 1 << 24;

/// Names identities by number or, where the number means nothing, by prefix.
pub(crate) struct Names(pub(crate) BTreeMap<u32, String>);

impl Names {
    fn new(answer: &Answer) -> Self {
        let mut prefixes = BTreeMap::new();
        for identity in &answer.identities {
            if identity.source == "derived" && identity.id >= FIRST_LOCAL {
                prefixes
                    .entry(identity.id)
                    .or_insert_with(|| identity.prefix.clone());
            }
        }
        Self(prefixes)
    }

    pub(crate) fn peer(&self, id: u32) -> Peer {
        match self.0.get(&id) {
            Some(prefix) => Peer {
                id: None,
                prefix: prefix.clone(),
            },
            None => Peer {
                id: Some(id),
                prefix: String::new(),
            },
        }
    }

    /// A path of [`Answer::unstable`] with its identity renamed:
    /// `endpoints[0].map[egress 16777217 6 80/16].auth`.
    fn path(&self, path: &str) -> String {
        let renamed = || {
            let (head, rest) = path.split_once(".map[")?;
            let (dir, rest) = rest.split_once(' ')?;
            let (id, rest) = rest.split_once(' ')?;
            let name = self.peer(id.parse().ok()?).name();
            Some(format!("{head}.map[{dir} {name} {rest}"))
        };
        let path = renamed().unwrap_or_else(|| path.to_owned());
        match path.strip_suffix(".proxy") {
            Some(head) => format!("{head}.redirect"),
            None => path,
        }
    }
}

impl Outcome {
    /// The comparable part of an answer.
    #[must_use]
    pub fn of(answer: &Answer) -> Self {
        let names = Names::new(answer);
        Self {
            policies: answer.policies.iter().map(document).collect(),
            identities: answer
                .identities
                .iter()
                .filter(|i| i.source != "reserved")
                .map(|i| IdentityOutcome {
                    cidr: i.prefix.clone(),
                    peer: names.peer(i.id),
                    labels: i.labels.clone(),
                })
                .collect(),
            endpoints: answer
                .endpoints
                .iter()
                .map(|e| EndpointOutcome {
                    id: e.id,
                    ingress_enabled: e.ingress_enabled,
                    egress_enabled: e.egress_enabled,
                    error: !e.error.is_empty(),
                    map: e.map.iter().map(|m| entry(m, &names)).collect(),
                })
                .collect(),
            queries: answer.queries.iter().map(|q| query(q, &names)).collect(),
            filters: None,
            unstable: answer.unstable.iter().map(|p| names.path(p)).collect(),
        }
    }

    /// The same without identities that a scenario gives in full.
    #[must_use]
    pub fn without_plain_identities(mut self) -> Self {
        self.identities.retain(|i| !i.cidr.is_empty());
        self
    }
}

fn document(policy: &PolicyAnswer) -> DocumentOutcome {
    let parts = [&policy.kind, &policy.namespace, &policy.name];
    let parts: Vec<&str> = parts
        .into_iter()
        .map(String::as_str)
        .filter(|p| !p.is_empty())
        .collect();
    DocumentOutcome {
        object: parts.join("/"),
        accepted: policy.accepted,
        stage: policy.stage.clone(),
        entries: policy.entries,
        prefixes: policy.prefixes.clone(),
        diagnostics: Vec::new(),
    }
}

pub(crate) fn entry(entry: &MapEntry, names: &Names) -> EntryOutcome {
    let MapKey {
        direction,
        id,
        proto,
        port,
        port_prefix_len,
        bpf_prefix_len,
    } = entry.key.clone();
    EntryOutcome {
        dir: direction_name(direction).to_owned(),
        peer: names.peer(id),
        proto,
        port,
        plen: port_prefix_len,
        bpf_plen: bpf_prefix_len,
        prec: entry.precedence,
        prio: entry.priority,
        lprio: entry.listener_priority,
        deny: entry.deny,
        redirect: entry.proxy_port != 0,
        parser: entry.parser.clone(),
        listener: entry.listener.clone(),
        auth: entry.auth,
        auth_explicit: entry.auth_explicit,
        cookie: entry.cookie,
        invalid: entry.invalid,
        rules: entry.rules.clone(),
    }
}

fn query(query: &QueryAnswer, names: &Names) -> QueryOutcome {
    let key = query.key.as_ref().map(|k| {
        let peer = names.peer(k.id).name();
        format!("{peer} {} {}/{}", k.proto, k.port, k.port_prefix_len)
    });
    QueryOutcome {
        verdict: query.verdict.clone(),
        reason: match query.verdict.as_str() {
            "denied" => query.reason.clone(),
            _ => String::new(),
        },
        peer: names.peer(query.peer),
        match_type: query.match_type.clone(),
        key: key.unwrap_or_default(),
        parser: query.parser.clone(),
        listener: query.listener.clone(),
        auth: query.auth,
    }
}

const fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "ingress",
        Direction::Egress => "egress",
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
