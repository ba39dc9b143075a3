//! The engine against the naive evaluator, on rules.
//!
//! `NETVERDICT_CASES` says how many cases to try (400), `NETVERDICT_SEED`
//! where to begin (0). A failing case is cut down to the rules it needs.

use netverdict::identity::NumericIdentity;
use netverdict::policy_map::{
    NamedPorts, PolicyMap, Question, StandInProxyPorts, Verdict, key_to_bytes, value_to_bytes,
};
use netverdict::resolve::Repository;
use netverdict::rule::Rule;
use netverdict_reference::evaluate::{Evaluator, Subject, World, lookup};
use netverdict_reference::generate::{Profile, RuleCase, rule_case};
use std::sync::Arc;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// The map the engine makes, or why it makes none.
fn engine(case: &RuleCase, rules: &[Rule]) -> Result<PolicyMap, String> {
    let mut repository = Repository::new(case.config.clone(), case.identities.clone());
    for rule in rules {
        repository.replace(&rule.resource, vec![rule.clone()]);
    }
    let labels = case.identities.get(case.subject).unwrap();
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

/// The first question on which the two disagree, and how.
fn disagreement(case: &RuleCase, rules: &[Rule], profile: Profile) -> Option<String> {
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
        labels: case.identities.get(case.subject).unwrap(),
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

/// Leaves out every rule without which the disagreement stays.
fn shrink(case: &RuleCase, profile: Profile) -> Vec<Rule> {
    let mut rules = case.rules.clone();
    let mut n = 0;
    while n < rules.len() {
        let mut fewer = rules.clone();
        fewer.remove(n);
        if disagreement(case, &fewer, profile).is_some() {
            rules = fewer;
        } else {
            n += 1;
        }
    }
    rules
}

fn show(rule: &Rule) -> String {
    let peers: Option<Vec<String>> = rule
        .peers
        .as_ref()
        .map(|p| p.iter().map(ToString::to_string).collect());
    let ports: Vec<String> = rule
        .ports
        .iter()
        .map(|p| {
            let ports: Vec<String> = p.ports.iter().map(ToString::to_string).collect();
            format!(
                "{ports:?} l7 {} names {:?} listener {:?}",
                p.l7.is_some(),
                p.server_names,
                p.listener
            )
        })
        .collect();
    format!(
        "{} {} {} {:?} nodes {} default-deny {} auth {:?} peers {peers:?} ports {ports:?}",
        rule.resource,
        rule.direction,
        rule.tier,
        (rule.priority, rule.verdict),
        rule.selects_nodes,
        rule.default_deny,
        rule.authentication,
    )
}

fn compare(profile: Profile) {
    let first = number("NETVERDICT_SEED", 0);
    for seed in first..first + number("NETVERDICT_CASES", 400) {
        let case = rule_case(seed, profile);
        if disagreement(&case, &case.rules, profile).is_some() {
            let rules = shrink(&case, profile);
            let how = disagreement(&case, &rules, profile).unwrap();
            let rules: Vec<String> = rules.iter().map(show).collect();
            panic!(
                "{profile:?} seed {seed}, subject {}, {:?}\n{}\nports {:?} {:?}\n{how}",
                case.subject,
                case.config,
                rules.join("\n"),
                case.subject_ports,
                case.peer_ports,
            );
        }
    }
}

#[test]
fn simple_rules_agree() {
    compare(Profile::Simple);
}

#[test]
fn stable_rules_agree() {
    compare(Profile::Stable);
}

/// With Pass rules and authentication of all sorts: what is let through must
/// agree; whether after authentication depends on chance in Cilium.
#[test]
fn all_rules_agree_on_what_gets_through() {
    compare(Profile::Full);
}
