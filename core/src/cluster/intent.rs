//! Rules that cannot do what they are there for.
//!
//! In: a cluster. Out: diagnostics about names in `toFQDNs` whose addresses
//! Cilium never learns: it takes them from answers that pass its DNS proxy,
//! and only `dns` rules send queries there (Cilium 1.20.2
//! pkg/fqdn/namemanager).

use super::Cluster;
use crate::diagnostic::Severity::Warning;
use crate::diagnostic::{Code, Diagnostic};
use crate::identity::NumericIdentity;
use crate::label::LabelSet;
use crate::object::template;
use crate::rule::{Direction, Rule, RuleVerdict};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// `toFQDNs` for pods whose DNS queries pass no proxy.
pub const NAME_NOT_LEARNED: Code = Code::new(1006, Warning, "`toFQDNs` without a DNS rule");

/// Label sets of subjects, each once, by namespace.
pub(super) type Subjects<'c> = BTreeMap<&'c str, BTreeMap<NumericIdentity, &'c LabelSet>>;

/// Names whose addresses are never learned.
pub(super) fn check(cluster: &Cluster, subjects: &Subjects<'_>) -> Vec<Diagnostic> {
    let egress = cluster
        .repository
        .rules()
        .filter(|r| r.direction == Direction::Egress && r.verdict == RuleVerdict::Allow)
        .filter(|r| !r.selects_nodes);
    let (mut by_name, mut with_dns) = (Vec::new(), Vec::new());
    for rule in egress {
        if rule
            .peers
            .iter()
            .flatten()
            .any(|p| p.fqdn_label().is_some())
        {
            by_name.push(rule);
        }
        if has_dns_rules(rule) {
            with_dns.push(rule);
        }
    }
    // Several rules of an object often share their subject.
    let mut decided: BTreeMap<(Arc<str>, String), Option<String>> = BTreeMap::new();
    let mut found = Vec::new();
    for rule in by_name {
        let key = (Arc::clone(&rule.namespace), rule.subject.key().to_owned());
        let whom = decided
            .entry(key)
            .or_insert_with(|| without_dns(cluster, rule, &with_dns, subjects));
        if let Some(whom) = whom {
            found.push(not_learned(rule, whom));
        }
    }
    found
}

fn has_dns_rules(rule: &Rule) -> bool {
    let mut l7 = rule.ports.iter().filter_map(|p| p.l7.as_ref());
    l7.any(|l7| !l7.dns.is_empty())
}

/// Whose queries nobody sees, of those a rule selects.
fn without_dns(
    cluster: &Cluster,
    rule: &Rule,
    with_dns: &[&Arc<Rule>],
    subjects: &Subjects<'_>,
) -> Option<String> {
    let selects = |r: &Rule, namespace: &str, labels: &LabelSet| {
        (r.namespace.is_empty() || *r.namespace == *namespace)
            && r.subject.matches(labels, &cluster.config)
    };
    let mut anybody = false;
    let mut unseen = BTreeSet::new();
    for (namespace, sets) in subjects {
        for (id, labels) in sets.iter().filter(|(_, l)| selects(rule, namespace, l)) {
            anybody = true;
            if !with_dns.iter().any(|r| selects(r, namespace, labels)) {
                unseen.insert(*id);
            }
        }
    }
    // Numbers of identities depend on history, names of endpoints do not.
    let mut endpoints = cluster.endpoints.iter();
    if let Some(whom) = endpoints.find(|e| !e.host_network && unseen.contains(&e.identity)) {
        return Some(format!("`{whom}`"));
    }
    // Of pods that are not in the input, only what surely holds is said.
    let for_them = |r: &&Arc<Rule>| {
        r.namespace.is_empty()
            || rule.namespace.is_empty()
            || r.namespace == rule.namespace
            || template::find(&r.namespace).is_some()
    };
    (!anybody && !with_dns.iter().any(for_them)).then(|| format!("`{}`", rule.subject))
}

fn not_learned(rule: &Rule, whom: &str) -> Diagnostic {
    let name = rule
        .peers
        .iter()
        .flatten()
        .find(|p| p.fqdn_label().is_some());
    let (name, span) = name.map_or(("", rule.origin.span), |p| {
        (p.fqdn_label().unwrap_or_default(), p.span())
    });
    Diagnostic::new(
        NAME_NOT_LEARNED,
        span,
        format!("`{name}` never gets an address: no DNS rule in the input is for {whom}"),
    )
    .at(format!("{}.toFQDNs", rule.origin.path))
    .of(rule.origin.object.to_string())
    .help(
        "Cilium learns addresses from answers that pass its DNS proxy: allow egress to the DNS server on port 53 with `rules: {dns: [{matchPattern: \"*\"}]}`",
    )
}
