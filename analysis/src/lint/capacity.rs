//! Policy maps that fill up.
//!
//! In: a cluster. Out: findings about endpoints whose policy map is half full
//! and more: what does not fit is dropped at random.

use super::crowd::Crowd;
use netverdict::diagnostic::Severity::Warning;
use netverdict::diagnostic::{Code, Diagnostic};
use std::collections::BTreeMap;

/// More than half of a policy map is in use.
pub const FILLING_MAP: Code = Code::new(704, Warning, "policy map fills up");

pub(super) fn check(crowd: &Crowd<'_>) -> Vec<Diagnostic> {
    let room = usize::try_from(crowd.cluster.config().policy_map_max).unwrap_or(usize::MAX);
    let mut found = Vec::new();
    for group in crowd.groups() {
        let entries = group.policy.map.len();
        let Some(endpoint) = group.one().filter(|_| entries > room / 2) else {
            continue;
        };
        let percent = entries.saturating_mul(100) / room.max(1);
        // The rule that asks for most of them.
        let mut by_rule: BTreeMap<usize, usize> = BTreeMap::new();
        let rules = || {
            let subject = &group.policy.subject;
            subject.ingress.rules.iter().chain(&subject.egress.rules)
        };
        for (key, entry) in group.policy.map.entries() {
            let direction = group.policy.subject.direction(key.direction);
            for rule in direction.rules_of(&entry.origin) {
                let address = std::sync::Arc::as_ptr(rule) as usize;
                *by_rule.entry(address).or_default() += 1;
            }
        }
        let most = by_rule.iter().max_by_key(|(_, n)| **n);
        let rule = most.and_then(|(address, n)| {
            let mut all = rules();
            let rule = all.find(|r| std::sync::Arc::as_ptr(r) as usize == *address)?;
            Some((rule, *n))
        });
        let Some((rule, most)) = rule else { continue };
        let message = match entries > room {
            true => format!(
                "the policy map of `{endpoint}` has {entries} entries, and room for {room}: what does not fit is dropped"
            ),
            false => format!(
                "the policy map of `{endpoint}` is {percent} % full: {entries} of {room} entries"
            ),
        };
        found.push(
            Diagnostic::new(FILLING_MAP, rule.origin.span, message)
                .at(rule.origin.path.as_str())
                .of(rule.origin.object.to_string())
                .help(format!("{most} entries come from this rule: fewer ports, ranges instead of ports, or a wider selector take less; `netverdict forecast` shows more, Cilium's option `bpf-policy-map-max` makes room")),
        );
    }
    found
}
