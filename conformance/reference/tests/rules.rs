//! The engine against the naive evaluator, on rules.
//!
//! `NETVERDICT_CASES` says how many cases to try (400), `NETVERDICT_SEED`
//! where to begin (0). A failing case is cut down to the rules it needs.

use netverdict::rule::Rule;
use netverdict_reference::generate::{Profile, RuleCase, rule_case};
use netverdict_reference::judge::rule_disagreement;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// Leaves out every rule without which the disagreement stays.
fn shrink(case: &RuleCase, profile: Profile) -> Vec<Rule> {
    let mut rules = case.rules.clone();
    let mut n = 0;
    while n < rules.len() {
        let mut fewer = rules.clone();
        fewer.remove(n);
        if rule_disagreement(case, &fewer, profile).is_some() {
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
        if rule_disagreement(&case, &case.rules, profile).is_some() {
            let rules = shrink(&case, profile);
            let how = rule_disagreement(&case, &rules, profile).unwrap();
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
