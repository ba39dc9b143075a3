//! Which rules apply to a subject.
//!
//! In: all rules. Out: those that select the subject in one direction, in the
//! order they are evaluated, with those that Cilium adds itself
//! (Cilium 1.20.2 pkg/policy/repository.go).

use super::{Subject, World};
use netverdict::config::Enforcement;
use netverdict::identity::NumericIdentity;
use netverdict::rule::{Direction, Rule, RuleOrigin, RuleVerdict, Tier};
use netverdict::selector::Selector;
use netverdict::source::Span;
use std::sync::Arc;

/// The rules of one direction of a subject.
pub(super) struct Applied {
    /// Without enforcement everything is allowed.
    pub(super) enforced: bool,
    pub(super) rules: Vec<Rule>,
}

pub(super) fn rules_for(world: &World<'_>, subject: &Subject<'_>, direction: Direction) -> Applied {
    let config = world.config;
    let is_host = subject.id == NumericIdentity::HOST;
    if config.enforcement == Enforcement::Never || (is_host && !config.host_firewall) {
        return Applied {
            enforced: false,
            rules: Vec::new(),
        };
    }
    let mut rules: Vec<Rule> = world
        .rules
        .iter()
        .filter(|rule| rule.direction == direction)
        .filter(|rule| rule.selects_nodes == is_host)
        .filter(|rule| {
            rule.namespace.is_empty() || subject.labels.namespace() == Some(&*rule.namespace)
        })
        .filter(|rule| rule.subject.matches(subject.labels, config))
        .cloned()
        .collect();
    rules.sort_by(Rule::evaluation_order);

    // A label with the key `init` does it, whatever its source.
    let always = config.enforcement == Enforcement::Always || subject.labels.get("init").is_some();
    let default_deny = always || rules.iter().any(|rule| rule.default_deny);
    let enforced = always || !rules.is_empty();
    if !rules.is_empty() {
        let passes = rules.iter().any(|rule| rule.verdict == RuleVerdict::Pass);
        let everything = || Selector::wildcard(Span::default());
        let host = || Selector::reserved("host", Span::default());
        let mut added = Vec::new();
        if !default_deny {
            added.push((everything(), RuleVerdict::Allow));
        } else {
            let ingress = direction == Direction::Ingress;
            if ingress && config.always_allows_localhost() && !is_host {
                added.push((host(), RuleVerdict::Allow));
            }
            // A Pass needs something to pass on to.
            if passes {
                added.push((everything(), RuleVerdict::Deny));
            }
        }
        for (number, (peer, verdict)) in (0_u32..).zip(added) {
            rules.push(default_rule(direction, number, peer, verdict));
        }
    }
    Applied { enforced, rules }
}

/// A rule of the lowest tier.
fn default_rule(direction: Direction, number: u32, peer: Selector, verdict: RuleVerdict) -> Rule {
    Rule {
        tier: Tier::DEFAULT,
        priority: f64::from(number),
        verdict,
        direction,
        subject: Arc::new(Selector::wildcard(Span::default())),
        selects_nodes: false,
        namespace: "".into(),
        peers: Some(vec![Arc::new(peer)]),
        ports: Vec::new(),
        default_deny: false,
        authentication: None,
        origin: Arc::new(RuleOrigin::synthesized("default")),
        resource: "".into(),
        index: number,
    }
}
