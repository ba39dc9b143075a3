//! The engine against the naive evaluator and the datapath's lookup, on rules.
//!
//! In: a case and some of its rules. Out: the first question whose answers
//! differ.

use crate::evaluate::{Evaluator, Subject, World, lookup};
use crate::generate::{Profile, RuleCase};
use netverdict::identity::NumericIdentity;
use netverdict::policy_map::{
    NamedPorts, PolicyMap, Question, StandInProxyPorts, Verdict, key_to_bytes, value_to_bytes,
};
use netverdict::resolve::Repository;
use netverdict::rule::Rule;
use std::sync::Arc;

/// The map the engine makes, or why it makes none.
fn engine(case: &RuleCase, rules: &[Rule]) -> Result<PolicyMap, String> {
    let mut repository = Repository::new(case.config.clone(), case.identities.clone());
    for rule in rules {
        repository.replace(&rule.resource, vec![rule.clone()]);
    }
    let labels = case
        .identities
        .get(case.subject)
        .ok_or("a subject without labels")?;
    let policy = repository
        .resolve(case.subject, labels)
        .map_err(|e| e.to_string())?;
    let mut peer_ports = NamedPorts::new();
    for (id, name, proto, port) in &case.peer_ports {
        peer_ports.insert(*id, name, *proto, *port);
    }
    let subject_ports = |name: &Arc<str>, proto| subject_port(case, name, proto);
    Ok(PolicyMap::new(
        &policy,
        repository.selectors(),
        &subject_ports,
        &peer_ports,
        &mut StandInProxyPorts::default(),
    ))
}

fn subject_port(case: &RuleCase, name: &str, proto: u8) -> Option<u16> {
    let mut ports = case.subject_ports.iter();
    ports
        .find(|(n, p, _)| *n == name && *p == proto)
        .map(|(.., port)| *port)
}

/// The first question on which engine and naive evaluator disagree over some of
/// a case's rules, and how; the datapath's lookup over the map's bytes has to
/// agree as well.
#[must_use]
pub fn rule_disagreement(case: &RuleCase, rules: &[Rule], profile: Profile) -> Option<String> {
    let peer_port = |id: NumericIdentity, name: &str, proto: u8| {
        let mut ports = case.peer_ports.iter();
        ports
            .find(|(i, n, p, _)| *i == id && *n == name && *p == proto)
            .map(|(.., port)| *port)
    };
    let port = |name: &str, proto| subject_port(case, name, proto);
    let world = World {
        config: &case.config,
        identities: &case.identities,
        rules,
        peer_port: &peer_port,
    };
    let subject = Subject {
        id: case.subject,
        labels: case.identities.get(case.subject)?,
        port: &port,
    };
    let (map, reference) = match (engine(case, rules), Evaluator::new(world, subject)) {
        (Ok(map), Ok(reference)) => (map, reference),
        (Err(_), Err(_)) => return None,
        (map, reference) => {
            return Some(format!(
                "engine {:?}, reference {:?}",
                map.err(),
                reference.err()
            ));
        }
    };
    let bytes: Vec<_> = map
        .entries()
        .into_iter()
        .filter(|(_, entry)| !entry.invalid)
        .map(|(key, entry)| (key_to_bytes(&key), value_to_bytes(&key, entry)))
        .collect();
    // Several rules that ask for authentication may have keys under each
    // other: what narrower ones inherit is chance.
    let by_chance = |q: &Question| {
        let asks = |r: &&Rule| r.direction == q.direction && r.authentication.is_some();
        profile == Profile::Full && rules.iter().any(|r| asks(&r))
    };
    case.questions
        .iter()
        .find_map(|q| on_one_question(case, &map, &reference, &bytes, q, by_chance(q)))
}

fn on_one_question(
    case: &RuleCase,
    map: &PolicyMap,
    reference: &Evaluator<'_>,
    bytes: &[([u8; 12], [u8; 12])],
    q: &Question,
    by_chance: bool,
) -> Option<String> {
    let found = map.lookup(q, &case.config);
    let datapath = lookup(bytes, q, &case.config);
    if (
        found.code,
        found.proxy_port,
        found.auth_type,
        found.match_type,
    ) != (
        datapath.code,
        datapath.proxy_port,
        datapath.auth,
        datapath.match_type,
    ) {
        return Some(format!("{q:?}\nlookup {found:?}\nbytes {datapath:?}"));
    }
    let decision = reference.decide(q);
    let match_type = decision.match_type.unwrap_or(found.match_type);
    let same = if by_chance || decision.auth_by_chance {
        let lets_through = |v| !matches!(v, Verdict::Deny | Verdict::DefaultDeny);
        lets_through(found.verdict) == lets_through(decision.verdict)
    } else {
        (found.verdict, found.auth_type, found.match_type)
            == (decision.verdict, decision.auth, match_type)
            && (found.proxy_port != 0) == decision.redirect
    };
    (!same).then(|| format!("{q:?}\nengine {found:?}\nreference {decision:?}"))
}
