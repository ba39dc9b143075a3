//! Answers for programs.
//!
//! In: clusters, and what was found in them. Out: what `netverdict reach`,
//! `diff`, `policies`, `fix` and `flows replay` print with `-o json`, and what
//! the C ABI and the npm package give.

mod generated;
mod policies;
mod remedy;
mod replay;

pub use generated::{JsonGenerated, JsonOpened, JsonUnmet};
pub use policies::{JsonDirection, JsonPolicies, JsonRule, ports_of_rule, verdict_of_rule};
pub use remedy::{JsonEffect, JsonRemedy, JsonStep};
pub use replay::{JsonReplay, JsonReplayed};

use crate::connection::{Allowed, Connection, Terms};
use crate::connectivity::{Connectivity, Options};
use crate::difference::{Difference, PairChange, PortChange, learn_same_names};
use crate::exposure;
use crate::peer::{Grouping, learn_stand_ins};
use crate::ports::{ports_of, protocol_name};
use crate::reason::{SideChange, sides};
use netverdict::cluster::Cluster;
use netverdict::source::Sources;
use serde::Serialize;

/// Ports of a protocol that are open on like terms.
#[derive(Clone, Debug, Serialize)]
pub struct JsonPorts {
    /// `TCP`, a number, or `other` for all that rules name nowhere.
    pub protocol: String,
    /// First and last ports; ICMP types.
    pub ports: Vec<[u16; 2]>,
    /// The proxy that looks: `http`, `dns`, …
    pub l7: Option<&'static str>,
    /// Authentication comes first.
    pub auth: bool,
    /// What proxies let through; left out when they restrict nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<String>,
}

impl JsonPorts {
    fn new(allowed: &Allowed) -> Self {
        let protocol = allowed.protocol;
        Self {
            protocol: protocol.map_or_else(|| "other".to_owned(), |p| protocol_name(Some(p))),
            ports: allowed.ports.iter().map(|(a, b)| [*a, *b]).collect(),
            l7: allowed.terms.layer7(),
            auth: allowed.terms.authenticated(),
            requests: allowed.terms.requests(),
        }
    }

    /// What is open in a connection.
    #[must_use]
    pub fn all(connection: &Connection) -> Vec<Self> {
        connection.allowed().iter().map(Self::new).collect()
    }
}

/// What one peer may say to another.
#[derive(Clone, Debug, Serialize)]
pub struct JsonConnection<'n> {
    /// Who sends.
    pub from: &'n str,
    /// Who receives.
    pub to: &'n str,
    /// What is open; nothing else is.
    pub allowed: Vec<JsonPorts>,
    /// What the input leaves open; left out when that is nothing.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub unknown: String,
    /// `allowed`, `default` (no rule selects that side) or `denied`.
    pub egress: &'static str,
    /// The same of the receiver.
    pub ingress: &'static str,
    /// True when not all members of groups may say it; else left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub some: bool,
}

impl<'n> JsonConnection<'n> {
    /// A connection between two peers of these names.
    #[must_use]
    pub fn new(from: &'n str, to: &'n str, connection: &Connection, some: bool) -> Self {
        let unknown = connection.unknown();
        Self {
            from,
            to,
            allowed: JsonPorts::all(connection),
            unknown: match unknown.is_empty() {
                true => String::new(),
                false => unknown.to_string(),
            },
            egress: connection.egress_state().as_str(),
            ingress: connection.ingress_state().as_str(),
            some,
        }
    }
}

/// Ports of a protocol.
#[derive(Clone, Debug, Serialize)]
pub struct JsonRanges {
    /// As [`JsonPorts::protocol`].
    pub protocol: String,
    /// First and last ports; empty for protocols without ports.
    pub ports: Vec<[u16; 2]>,
}

/// On which terms something is open.
#[derive(Clone, Debug, Serialize)]
pub struct JsonTerms {
    /// The proxy that looks.
    pub l7: Option<&'static str>,
    /// Authentication comes first.
    pub auth: bool,
    /// What proxies let through.
    pub requests: Vec<String>,
}

impl JsonTerms {
    fn new(terms: &Terms) -> Self {
        Self {
            l7: terms.layer7(),
            auth: terms.authenticated(),
            requests: terms.requests(),
        }
    }
}

/// Ports between two peers that are not as they were.
#[derive(Debug, Serialize)]
pub struct JsonChange<'d> {
    /// `opened`, `closed`, `changed` or `unsettled`.
    pub kind: &'static str,
    /// Who sends.
    pub from: &'d str,
    /// Who receives.
    pub to: &'d str,
    /// Which ports.
    pub ports: Vec<JsonRanges>,
    /// Terms before; `null` when closed.
    pub before: Option<JsonTerms>,
    /// Terms now.
    pub after: Option<JsonTerms>,
    /// The sides that say something else now, with the rules that decide.
    pub sides: Vec<SideChange>,
}

impl<'d> JsonChange<'d> {
    /// A change, with its reasons.
    #[must_use]
    pub fn new(pair: &'d PairChange, change: &PortChange, sides: Vec<SideChange>) -> Self {
        let ranges = change.ports.ranges().into_iter();
        let ports = ranges.map(|(protocol, ranges)| JsonRanges {
            protocol: protocol.map_or_else(|| "other".to_owned(), |p| protocol_name(Some(p))),
            ports: match ports_of(protocol.unwrap_or(0)) {
                (0, 0) => Vec::new(),
                _ => ranges.into_iter().map(|(a, b)| [a, b]).collect(),
            },
        });
        Self {
            kind: change.kind.as_str(),
            from: &pair.from,
            to: &pair.to,
            ports: ports.collect(),
            before: change.before.as_ref().map(JsonTerms::new),
            after: change.after.as_ref().map(JsonTerms::new),
            sides,
        }
    }
}

/// All connections of a cluster, by workload or, with `pods`, by pod; with
/// `denied` also pairs between which nothing is open, with `exposure` also pods
/// that do not exist yet.
///
/// ```
/// use netverdict::cluster::Cluster;
/// use netverdict_analysis::json;
///
/// let cluster = Cluster::read(include_str!("../../../core/examples/shop.yaml")).unwrap();
/// let text = json::connectivity(&cluster, false, false, false)?;
/// let value: serde_json::Value = serde_json::from_str(&text)?;
/// let connections = value["connections"].as_array().expect("a list");
/// assert!(connections.iter().any(|c| c["from"] == "shop/web[Pod]" && c["to"] == "shop/db[Pod]"));
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// # Errors
/// What the serializer says.
pub fn connectivity(
    cluster: &Cluster,
    pods: bool,
    denied: bool,
    exposure: bool,
) -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct All<'n> {
        workloads: Vec<&'n str>,
        peers: Vec<&'n str>,
        connections: Vec<JsonConnection<'n>>,
    }
    let mut cluster = cluster.rebuilt();
    let imagined = match exposure {
        true => exposure::imagine(&mut cluster),
        false => exposure::Imagined::new(),
    };
    let options = Options {
        grouping: grouping(pods),
        stand_ins: learn_stand_ins(&mut cluster),
        imagined,
        ..Options::default()
    };
    let all = Connectivity::new(&cluster, &options);
    let name = |n: usize| all.peers().get(n).map_or("", |p| p.name.as_str());
    let named = |workload: bool| {
        let peers = all.peers().iter();
        let peers = peers.filter(|p| p.is_workload() == workload);
        peers.map(|p| p.name.as_str()).collect()
    };
    let connections = (0..all.peers().len()).flat_map(|from| {
        let row = all.row(from, denied);
        row.map(move |(to, connection)| (from, to, connection))
    });
    let connections = connections
        .map(|(from, to, c)| JsonConnection::new(name(from), name(to), &c, false))
        .filter(|c| denied || !c.allowed.is_empty() || !c.unknown.is_empty());
    serde_json::to_string(&All {
        workloads: named(true),
        peers: named(false),
        connections: connections.collect(),
    })
}

/// Exactly what is different between two clusters, with the rules behind it.
///
/// # Errors
/// What the serializer says.
pub fn difference(
    [old, new]: [&Cluster; 2],
    sources: [&Sources; 2],
    pods: bool,
) -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct All<'d> {
        compared: usize,
        appeared: &'d [String],
        disappeared: &'d [String],
        changes: Vec<JsonChange<'d>>,
    }
    let (mut old, mut new) = (old.rebuilt(), new.rebuilt());
    let [stand_ins, _] = learn_same_names(&mut old, &mut new);
    let options = Options {
        grouping: grouping(pods),
        stand_ins,
        all_entities: true,
        ..Options::default()
    };
    let [old, new] = [&old, &new].map(|cluster| Connectivity::new(cluster, &options));
    let difference = Difference::new(&old, &new);
    let pairs = difference.pairs.iter();
    let changes = pairs.flat_map(|pair| {
        let (old, new) = (&old, &new);
        pair.ports.iter().map(move |change| {
            let reason = pair.reason(change, old, new);
            let sides = reason.map_or_else(Vec::new, |r| sides(&r, sources));
            JsonChange::new(pair, change, sides)
        })
    });
    serde_json::to_string(&All {
        compared: difference.compared,
        appeared: &difference.appeared,
        disappeared: &difference.disappeared,
        changes: changes.collect(),
    })
}

const fn grouping(pods: bool) -> Grouping {
    match pods {
        true => Grouping::Pod,
        false => Grouping::Workload,
    }
}
