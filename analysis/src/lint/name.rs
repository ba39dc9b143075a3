//! DNS names in policies.
//!
//! In: members with `toFQDNs` and DNS rules. Out: findings about names that
//! stand for more or less than they seem to, or are never resolved.

use super::member::Member;
use netverdict::cluster::Cluster;
use netverdict::diagnostic::Severity::{Info, Warning};
use netverdict::diagnostic::{Code, Diagnostic, Findings};
use netverdict::l7::{DnsRule, DnsRules, dns_rule_allows};
use netverdict::object::{Object, template};
use netverdict::rule::{Direction, PortRule, Rule, RulePort, RuleVerdict, protocol};
use std::collections::BTreeSet;
use std::sync::Arc;

/// `matchPattern: "*"` in `toFQDNs`: every address that any name has.
pub const ANY_NAME: Code = Code::new(1010, Warning, "`toFQDNs` for every name");
/// `toFQDNs` without `toPorts`.
pub const NAMES_ON_EVERY_PORT: Code = Code::new(1011, Info, "names on every port");
/// `*.example.com`, in which the star is one label: neither `example.com` nor
/// `a.b.example.com`.
pub const ONE_LABEL: Code = Code::new(1012, Info, "star that stands for one label");
/// A name in `toFQDNs` that the DNS rules of the same pods do not let through.
pub const NAME_REFUSED: Code = Code::new(1013, Warning, "name that DNS rules refuse");
/// A name that more than ten `toFQDNs` selectors match.
pub const MANY_NAMES: Code = Code::new(1014, Warning, "name in very many selectors");

/// Selectors that may match one name before it is worth a word.
const MANY: usize = 10;

/// Names compared with patterns, in all of one check.
const MAX_COMPARISONS: usize = 1_000_000;

pub(super) fn check(object: &Object, found: &mut Findings) {
    for member in Member::of(object) {
        if member.own.fqdns.is_empty() || member.deny {
            continue;
        }
        patterns(&member, found);
        if member.own.to_ports.is_empty()
            && let Some(first) = member.own.fqdns.first()
        {
            let finding = member.finding(
                NAMES_ON_EVERY_PORT,
                first.span,
                "the names are allowed on every port and protocol",
            );
            found.push(finding.help("name the port in `toPorts`, for instance 443/TCP"));
        }
    }
}

fn patterns(member: &Member<'_>, found: &mut Findings) {
    for name in &member.own.fqdns {
        let text = &name.match_pattern;
        let pattern = text.value.trim();
        if !pattern.is_empty() && pattern.chars().all(|c| c == '*') {
            let finding = member.finding(
                ANY_NAME,
                text.span,
                format!("`{pattern}` is every name, and so every address that a name has"),
            );
            found.push(finding.help(
                "the star belongs into the DNS rule; here write the names that are needed, or `toEntities: [world]`, which costs nothing",
            ));
            continue;
        }
        let rest = pattern.strip_prefix("*.").unwrap_or_default();
        if !rest.is_empty() && !rest.contains('*') && template::find(rest).is_none() {
            let own = &member.own.fqdns;
            let apex = own
                .iter()
                .any(|n| n.match_name.value.eq_ignore_ascii_case(rest));
            let deep = own.iter().any(|n| {
                n.match_pattern.value == format!("*.*.{rest}")
                    || n.match_pattern.value == format!("**.{rest}")
            });
            if !apex && !deep {
                let finding = member.finding(
                    ONE_LABEL,
                    text.span,
                    format!("`{pattern}` is one label before `{rest}`: neither `{rest}` itself nor `a.b.{rest}`"),
                );
                found.push(finding.help(format!(
                    "`**.{rest}` stands for any number of labels, `matchName: {rest}` for the name itself"
                )));
            }
        }
    }
}

/// What takes the rules of several objects to see.
pub(super) fn check_together(cluster: &Cluster) -> Vec<Diagnostic> {
    let rules = cluster.repository().rules();
    let rules = rules.filter(|r| {
        r.direction == Direction::Egress && r.verdict == RuleVerdict::Allow && !r.selects_nodes
    });
    let rules: Vec<&Arc<Rule>> = rules.collect();
    let mut found = refused_names(&rules);
    found.extend(names_in_many(&rules));
    found
}

/// The names without stars that a rule has.
fn names(rule: &Rule) -> impl Iterator<Item = (&str, netverdict::source::Span)> {
    let peers = rule.peers.iter().flatten();
    let names = peers.filter_map(|p| Some((p.fqdn_label()?, p.span())));
    names.filter(|(n, _)| !n.contains('*') && template::find(n).is_none())
}

fn dns_of(rule: &Rule) -> Vec<DnsRule> {
    let l7 = rule.ports.iter().filter_map(|p| p.l7.as_ref());
    l7.flat_map(|l7| l7.dns.iter().cloned()).collect()
}

/// True for a rule under which queries may pass without DNS rules.
fn passes_queries(rule: &Rule) -> bool {
    let port_53 = |ports: &Arc<PortRule>| {
        ports.l7.as_ref().is_none_or(|l7| l7.dns.is_empty())
            && ports.ports.iter().any(|p| {
                let fits = matches!(p.protocol, protocol::ANY | protocol::TCP | protocol::UDP);
                fits && match &p.port {
                    RulePort::Number(n) => *n == 0 || (*n..=p.end_port.max(*n)).contains(&53),
                    RulePort::Name(_) => true,
                }
            })
    };
    let of_names = |r: &Rule| r.peers.iter().flatten().all(|p| p.fqdn_label().is_some());
    let some_peers = rule.peers.as_ref().is_some_and(|p| !p.is_empty());
    (some_peers && rule.ports.is_empty() && !of_names(rule)) || rule.ports.iter().any(port_53)
}

fn refused_names(rules: &[&Arc<Rule>]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut left = MAX_COMPARISONS;
    for rule in rules.iter().filter(|r| names(r).next().is_some()) {
        let may_apply = |r: &&&Arc<Rule>| {
            r.namespace == rule.namespace
                || r.namespace.is_empty()
                || rule.namespace.is_empty()
                || template::find(&r.namespace).is_some()
        };
        left = left.saturating_sub(rules.len());
        if left == 0 {
            break;
        }
        let around: Vec<&&Arc<Rule>> = rules.iter().filter(may_apply).collect();
        // Other rules of the same pods have to say which names there are.
        let with_dns = |r: &&&&Arc<Rule>| !dns_of(r).is_empty();
        let own = |r: &&&Arc<Rule>| {
            r.namespace == rule.namespace && r.subject.key() == rule.subject.key()
        };
        if !around.iter().filter(with_dns).any(own) || around.iter().any(|r| passes_queries(r)) {
            continue;
        }
        let all: Vec<DnsRule> = around.iter().flat_map(|r| dns_of(r)).collect();
        if all
            .iter()
            .any(|(n, p)| template::find(n).or(template::find(p)).is_some())
        {
            continue;
        }
        let allowed = DnsRules::new(&all);
        for (name, span) in names(rule).filter(|(n, _)| !allowed.allows(n)) {
            found.push(
                Diagnostic::new(
                    NAME_REFUSED,
                    span,
                    format!("queries for `{name}` are refused: no DNS rule for these pods lets them through"),
                )
                .at(format!("{}.toFQDNs", rule.origin.path))
                .of(rule.origin.object.to_string())
                .help(format!("add `matchName: {name}` to the `rules.dns` of the rule for the DNS server")),
            );
        }
    }
    found
}

fn names_in_many(rules: &[&Arc<Rule>]) -> Vec<Diagnostic> {
    let peers = || rules.iter().flat_map(|r| r.peers.iter().flatten());
    let mut selectors: BTreeSet<(&str, &str)> = BTreeSet::new();
    for peer in peers() {
        if let Some(text) = peer.fqdn_label() {
            selectors.insert((peer.key(), text));
        }
    }
    if selectors.len() <= MANY {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut told = BTreeSet::new();
    let mut left = MAX_COMPARISONS;
    for rule in rules {
        for (name, span) in names(rule) {
            if !told.insert(name) {
                continue;
            }
            left = left.saturating_sub(selectors.len());
            if left == 0 {
                return found;
            }
            let matches = |text: &str| {
                let rule = match text.contains('*') {
                    true => ("".into(), text.into()),
                    false => (text.into(), "".into()),
                };
                dns_rule_allows(&rule, name)
            };
            let many = selectors.iter().filter(|(_, text)| matches(text)).count();
            if many > MANY {
                found.push(
                    Diagnostic::new(
                        MANY_NAMES,
                        span,
                        format!("{many} different `toFQDNs` selectors match `{name}`"),
                    )
                    .at(format!("{}.toFQDNs", rule.origin.path))
                    .of(rule.origin.object.to_string())
                    .help("addresses get an identity for each set of selectors that match them, up to 2ⁿ−1 of n: spell names the same way everywhere, and use fewer patterns"),
                );
            }
        }
    }
    found
}
