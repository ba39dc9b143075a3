//! A world as Cilium's engine can be asked about it.
//!
//! In: a [`WorldCase`]. Out: a [`Scenario`] with the identities, ports and
//! policies that the world comes down to, a query for each side of each flow,
//! and what netverdict says to each. Cilium's engine then resolves, distils
//! and looks up by itself; how objects become identities and how services
//! become peers is not part of it.

use super::WorldCase;
use super::play::Played;
use crate::case::CaseError;
use netverdict::cluster::{Endpoint, FlowAnswer, Peer, SideAnswer, Target};
use netverdict::config::Config;
use netverdict::identity::NumericIdentity;
use netverdict::label::Label;
use netverdict::object::Object;
use netverdict::object::load::{LoadOptions, load};
use netverdict::policy_map::Verdict;
use netverdict::rule::Direction;
use netverdict::scenario::{
    Answer, NamedPort, Proto, Query, QueryAnswer, Scenario, ScenarioEndpoint, ScenarioIdentity,
};
use netverdict::source::SourceId;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Numbers from here on are given out by the engine itself.
const FIRST_LOCAL: u32 = 1 << 24;

impl WorldCase {
    /// The scenario to ask Cilium's engine, and per query which side of which
    /// flow it is.
    ///
    /// # Errors
    /// As [`WorldCase::play`].
    pub fn scenario(&self) -> Result<(Scenario, Vec<String>), CaseError> {
        let played = Played::new(self)?;
        let mut scenario = Scenario {
            config: self.world.config.clone(),
            policies: self.policies(),
            identities: identities(&played),
            endpoints: endpoints(&played),
            ..Scenario::default()
        };
        let mut sides = Vec::new();
        for (i, asked) in self.flows.iter().enumerate() {
            let (proto, port, code) = asked.packet()?;
            if asked.fragment || code.is_some() {
                continue;
            }
            let (from, to) = (played.peer(&asked.from)?, played.peer(&asked.to)?);
            let FlowAnswer {
                egress, ingress, ..
            } = played.ask(asked)?;
            for (side, own, other) in [(egress, &from, &to), (ingress, &to, &from)] {
                let Some(side) = side else { continue };
                if let Some(query) = query(&side, own, other, proto, port) {
                    scenario.queries.push(query);
                    sides.push(format!("flows[{i}].{}", side.direction));
                }
            }
        }
        Ok((scenario, sides))
    }

    /// Where an answer of Cilium's engine to [`WorldCase::scenario`] differs
    /// from what the case expects.
    ///
    /// # Errors
    /// As [`WorldCase::play`].
    pub fn contradictions(&self, answer: &Answer) -> Result<Vec<String>, CaseError> {
        let (_, sides) = self.scenario()?;
        let mut lines = Vec::new();
        for (name, found) in sides.iter().zip(&answer.queries) {
            let (i, direction) = name.split_once("].").unwrap_or_default();
            let i: usize = i.trim_start_matches("flows[").parse().unwrap_or_default();
            let flow = self.expect.flows.get(i).cloned().unwrap_or_default();
            let side = match direction {
                "egress" => flow.egress,
                _ => flow.ingress,
            };
            let side = side.unwrap_or_default();
            let port = side.key.split_once(' ').map_or("", |(_, port)| port);
            let expected = [&*side.verdict, &*side.match_type, port, &*side.parser].join(" ");
            let found = said(found);
            if expected != found {
                lines.push(format!("{name}: expected {expected}, Cilium says {found}"));
            }
        }
        Ok(lines)
    }

    /// The policies of the world, as far as Cilium's engine reads them.
    fn policies(&self) -> Vec<String> {
        if !self.translated.is_empty() {
            return self.translated.clone();
        }
        let config = self.world.config();
        let is_asked = |text: &&String| {
            let loaded = load(SourceId(0), text, &LoadOptions::new(&config));
            loaded.refused_any() || loaded.objects().any(|o| in_force(o, &config))
        };
        self.world
            .objects
            .iter()
            .filter(is_asked)
            .cloned()
            .collect()
    }
}

/// Cilium's engine reads it, and no option switches it off.
fn in_force(object: &Object, config: &Config) -> bool {
    match object {
        Object::ClusterNetworkPolicy(_) => config.cluster_network_policy,
        Object::CidrGroup(_) => true,
        other => other.is_policy(),
    }
}

/// What Cilium's engine said, in the words of a world's answer.
fn said(query: &QueryAnswer) -> String {
    let verdict = match (&*query.verdict, &*query.reason) {
        ("denied", "no-match") => Verdict::DefaultDeny,
        ("denied", _) => Verdict::Deny,
        ("redirect", _) => Verdict::Redirect,
        ("auth", _) => Verdict::AuthRequired,
        ("allowed", _) => Verdict::Allow,
        (other, reason) => return format!("{other} {reason}"),
    };
    let key = query.key.as_ref();
    let port = key.map(|k| format!("{} {}/{}", k.proto, k.port, k.port_prefix_len));
    let match_type = match &*query.match_type {
        "All" => "all",
        other => other,
    };
    [
        verdict.as_str(),
        match_type,
        &port.unwrap_or_default(),
        &query.parser,
    ]
    .join(" ")
}

fn ports(endpoint: &Endpoint) -> BTreeMap<String, NamedPort> {
    let ports = endpoint.named_ports.iter();
    ports
        .map(|(name, (proto, port))| {
            let port = NamedPort {
                port: *port,
                proto: Proto(*proto),
            };
            (name.to_string(), port)
        })
        .collect()
}

/// What all endpoints of an identity that know a name call so. A scenario has
/// no names that stand for two ports, and Cilium leaves them out.
fn settled_ports(endpoints: &[&Endpoint]) -> BTreeMap<String, NamedPort> {
    let known = || endpoints.iter().flat_map(|e| ports(e));
    known()
        .filter(|(name, port)| known().all(|(n, p)| n != *name || p == *port))
        .collect()
}

fn texts<'l>(labels: impl IntoIterator<Item = &'l Label>) -> BTreeMap<String, String> {
    let pair = |l: &Label| {
        (
            format!("{}:{}", l.source().as_str(), l.key()),
            l.value().to_owned(),
        )
    };
    labels.into_iter().map(pair).collect()
}

/// Endpoints, and addresses of which more is known than their prefixes.
fn identities(played: &Played<'_>) -> Vec<ScenarioIdentity> {
    let cluster = &played.cluster;
    let mut all = BTreeMap::new();
    let mut several: BTreeMap<NumericIdentity, Vec<&Endpoint>> = BTreeMap::new();
    for endpoint in cluster.endpoints().iter().filter(|e| !e.host_network) {
        several.entry(endpoint.identity).or_default().push(endpoint);
    }
    for (id, endpoints) in several {
        let identity = ScenarioIdentity {
            id: id.0,
            labels: texts(cluster.identities().get(id).into_iter().flatten()),
            named_ports: Some(settled_ports(&endpoints)),
            ..ScenarioIdentity::default()
        };
        all.insert(id, identity);
    }
    for (prefix, entry) in cluster.ipcache().iter() {
        let address = prefix.prefix_len() == prefix.max_prefix_len();
        let told = entry.labels.iter().any(|l| {
            matches!(l.source().as_str(), "fqdn" | "node")
                || l.key() == "kube-apiserver"
                || l.key() == "ingress"
        });
        if entry.id.0 >= FIRST_LOCAL && address && told {
            all.entry(entry.id).or_insert_with(|| ScenarioIdentity {
                id: entry.id.0,
                labels: texts(&entry.labels),
                ip: prefix.addr().to_string(),
                ..ScenarioIdentity::default()
            });
        }
    }
    all.into_values().collect()
}

fn endpoints(played: &Played<'_>) -> Vec<ScenarioEndpoint> {
    let mut all: BTreeMap<NumericIdentity, ScenarioEndpoint> = BTreeMap::new();
    for endpoint in played.cluster.endpoints() {
        if !endpoint.host_network {
            all.entry(endpoint.identity)
                .or_insert_with(|| ScenarioEndpoint {
                    id: endpoint.identity.0,
                    named_ports: Some(ports(endpoint)),
                });
        }
    }
    if played.cluster.config().host_firewall {
        all.insert(
            NumericIdentity::HOST,
            ScenarioEndpoint {
                id: NumericIdentity::HOST.0,
                named_ports: None,
            },
        );
    }
    all.into_values().collect()
}

/// A side as a query; `None` when it is not settled.
fn query(side: &SideAnswer, own: &Peer, other: &Peer, proto: u8, port: u16) -> Option<Query> {
    let peer = side.peer?;
    side.decision.verdict()?;
    let endpoint = match &own.target {
        Target::Endpoint(e) if !e.host_network => e.identity,
        Target::Endpoint(_) | Target::Entity("host") => NumericIdentity::HOST,
        _ => return None,
    };
    let address: Option<IpAddr> = match &other.target {
        Target::Address(ip) => Some(*ip),
        Target::Prefix(prefix) => Some(prefix.network()),
        _ => None,
    };
    // Numbers of prefixes are each engine's own.
    let by_address = peer.0 >= FIRST_LOCAL && address.is_some();
    Some(Query {
        direction: match side.direction {
            Direction::Ingress => Direction::Ingress,
            Direction::Egress => Direction::Egress,
        },
        endpoint: endpoint.0,
        peer: (!by_address).then_some(peer.0),
        peer_ip: address
            .filter(|_| by_address)
            .map(|ip| ip.to_string())
            .unwrap_or_default(),
        proto: Proto(proto),
        port,
    })
}
