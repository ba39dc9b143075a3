//! An answer to a scenario against the naive evaluator.
//!
//! In: a scenario, and the answer of any engine. Out: the queries whose verdict
//! the naive evaluator disagrees with. Which documents were accepted and which
//! identities there are is taken from the answer; what follows from them is
//! not.

mod bytes;
mod rules;
mod table;

pub use bytes::byte_disagreements;
pub use rules::rule_disagreement;
pub use table::{table_disagreement, table_questions};

use crate::evaluate::{Decision, Evaluator, Subject, World};
use netverdict::config::Config;
use netverdict::identity::{IdentityTable, NumericIdentity};
use netverdict::label::{Label, LabelSet};
use netverdict::object::Object;
use netverdict::object::load::{LoadOptions, load};
use netverdict::policy_map::{Question, Verdict};
use netverdict::rule::{
    Rule, Translator, cilium_resource, cluster_policy_resource, network_policy_resource, protocol,
};
use netverdict::scenario::{Answer, NamedPort, QueryAnswer, Scenario};
use netverdict::source::Sources;
use std::collections::BTreeMap;

/// What differs, one line each. `exact` also compares authentication, which
/// needs a scenario of the stable profile.
#[must_use]
pub fn disagreements(scenario: &Scenario, answer: &Answer, exact: bool) -> Vec<String> {
    let config = Config::from(&scenario.config);
    let rules = rules_in_force(scenario, &config);
    let identities = identities_of(answer);
    let peer_port = |id: NumericIdentity, name: &str, proto: u8| {
        let given = scenario.identities.iter().rfind(|i| i.id == id.0)?;
        port_of(given.named_ports.as_ref()?, name, proto)
    };
    let world = World {
        config: &config,
        identities: &identities,
        rules: &rules,
        peer_port: &peer_port,
    };
    let mut found = Vec::new();
    for (n, endpoint) in scenario.endpoints.iter().enumerate() {
        let id = NumericIdentity(endpoint.id);
        let Some(labels) = identities.get(id) else {
            continue;
        };
        let own = scenario.identities.iter().rfind(|i| i.id == endpoint.id);
        let ports = endpoint
            .named_ports
            .as_ref()
            .or_else(|| own.and_then(|i| i.named_ports.as_ref()))
            .unwrap_or(&scenario.named_ports);
        let port = |name: &str, proto| port_of(ports, name, proto);
        let subject = Subject {
            id,
            labels,
            port: &port,
        };
        let error = answer.endpoints.get(n).map(|e| e.error.clone());
        match (Evaluator::new(world, subject), error.unwrap_or_default()) {
            (Err(_), error) if !error.is_empty() => {}
            (Ok(evaluator), error) if error.is_empty() => {
                for (q, theirs) in scenario.queries.iter().zip(&answer.queries) {
                    if q.endpoint != endpoint.id {
                        continue;
                    }
                    let peer = NumericIdentity(theirs.peer);
                    let question = Question::new(q.direction, peer, q.proto.0, q.port);
                    let ours = evaluator.decide(&question);
                    if !same(&ours, theirs, exact) {
                        found.push(format!("{question:?}: {ours:?}, not {theirs:?}"));
                    }
                }
            }
            (ours, theirs) => {
                found.push(format!("endpoint {id}: {:?}, not `{theirs}`", ours.err()));
            }
        }
    }
    found
}

fn same(ours: &Decision, theirs: &QueryAnswer, exact: bool) -> bool {
    let verdict = match (ours.verdict, theirs.reason.as_str()) {
        (Verdict::Deny, reason) => theirs.verdict == "denied" && reason == "deny",
        (Verdict::DefaultDeny, reason) => theirs.verdict == "denied" && reason == "no-match",
        _ if !exact || ours.auth_by_chance => theirs.verdict != "denied",
        (Verdict::Allow, _) => theirs.verdict == "allowed",
        (Verdict::Redirect, _) => theirs.verdict == "redirect",
        (Verdict::AuthRequired, _) => theirs.verdict == "auth" && theirs.auth == ours.auth,
    };
    verdict && ours.redirect == (theirs.proxy_port != 0)
}

/// The rules of the accepted documents; of those with the same resource the
/// last one is in force.
fn rules_in_force(scenario: &Scenario, config: &Config) -> Vec<Rule> {
    let translator = Translator::new(config);
    let mut sources = Sources::new();
    let mut all = Vec::new();
    for text in &scenario.policies {
        let source = sources.add("policy", text.as_str());
        for object in load(source, text, &LoadOptions::new(config)).into_objects() {
            let (resource, rules) = match &object {
                Object::CiliumPolicy(p) => (cilium_resource(p), translator.cilium_policy(p)),
                Object::NetworkPolicy(p) => {
                    (network_policy_resource(p), translator.network_policy(p))
                }
                Object::ClusterNetworkPolicy(p) => (
                    cluster_policy_resource(p),
                    translator.cluster_network_policy(p),
                ),
                _ => continue,
            };
            all.retain(|(other, _)| *other != resource);
            all.push((resource, rules));
        }
    }
    all.into_iter().flat_map(|(_, rules)| rules).collect()
}

fn identities_of(answer: &Answer) -> IdentityTable {
    let mut identities = IdentityTable::default();
    for known in &answer.identities {
        let labels: LabelSet = known.labels.iter().map(|l| Label::parse(l)).collect();
        identities.insert(NumericIdentity(known.id), labels);
    }
    identities
}

/// Names are lower case in pods, and a port without a protocol is TCP's.
fn port_of(ports: &BTreeMap<String, NamedPort>, name: &str, proto: u8) -> Option<u16> {
    ports
        .iter()
        .filter(|(own, _)| own.to_ascii_lowercase() == name)
        .find(|(_, p)| match p.proto.0 {
            protocol::ANY => proto == protocol::TCP,
            own => own == proto,
        })
        .map(|(_, p)| p.port)
}
