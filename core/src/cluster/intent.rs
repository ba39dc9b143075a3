//! Rules that cannot do what they are there for.
//!
//! In: a cluster. Out: diagnostics about names in `toFQDNs` whose addresses
//! Cilium never learns: it takes them from answers that pass its DNS proxy,
//! and only `dns` rules send queries there (Cilium 1.20.2
//! pkg/fqdn/namemanager).

use super::Cluster;
use super::subject::Subjects;
use crate::diagnostic::Severity::Warning;
use crate::diagnostic::{Code, Diagnostic};
use crate::object::template;
use crate::rule::{Direction, Rule, RuleVerdict};
use roaring::RoaringBitmap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// `toFQDNs` for pods whose DNS queries pass no proxy.
pub const NAME_NOT_LEARNED: Code = Code::new(1006, Warning, "`toFQDNs` without a DNS rule");

/// Names whose addresses are never learned.
pub(super) fn check(cluster: &Cluster, subjects: &mut Subjects) -> Vec<Diagnostic> {
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
    if by_name.is_empty() {
        return Vec::new();
    }
    let mut seen = Seen::default();
    for rule in with_dns {
        seen.add(rule, subjects);
    }
    // Several rules of an object often share their subject.
    let mut decided: BTreeMap<(Arc<str>, String), Option<String>> = BTreeMap::new();
    let mut found = Vec::new();
    for rule in by_name {
        let key = (Arc::clone(&rule.namespace), rule.subject.key().to_owned());
        let whom = decided
            .entry(key)
            .or_insert_with(|| seen.nobody_of(rule, subjects));
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

/// Whose queries pass the proxy.
#[derive(Default)]
struct Seen {
    /// Numbers among the subjects.
    subjects: RoaringBitmap,
    /// Namespaces of DNS rules.
    namespaces: BTreeSet<Arc<str>>,
    /// Some DNS rule may be for any namespace.
    anywhere: bool,
}

impl Seen {
    fn add(&mut self, rule: &Rule, subjects: &mut Subjects) {
        self.subjects |= subjects.selected(rule);
        self.anywhere |= rule.namespace.is_empty() || template::find(&rule.namespace).is_some();
        self.namespaces.insert(Arc::clone(&rule.namespace));
    }

    /// Whose queries nobody sees, of those a rule selects.
    fn nobody_of(&self, rule: &Rule, subjects: &mut Subjects) -> Option<String> {
        let selected = subjects.selected(rule);
        let unseen = &selected - &self.subjects;
        // Numbers of identities depend on history, names of endpoints do not.
        let unseen = unseen.iter().filter_map(|n| subjects.get(n));
        if let Some(whom) = unseen.min_by_key(|s| s.place) {
            return Some(format!("`{}`", whom.endpoint));
        }
        // Of pods that are not in the input, only what surely holds is said.
        let for_them = self.anywhere
            || self.namespaces.contains(&rule.namespace)
            || rule.namespace.is_empty() && !self.namespaces.is_empty();
        (selected.is_empty() && !for_them).then(|| format!("`{}`", rule.subject))
    }
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
