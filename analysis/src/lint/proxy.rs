//! Layer-7 rules that do not restrict, or restrict more than they seem to.
//!
//! In: members with layer-7 rules, and the rules of all policies. Out: findings
//! about those whose requests pass anyway.

use super::member::Member;
use netverdict::cluster::Cluster;
use netverdict::diagnostic::Severity::{Info, Warning};
use netverdict::diagnostic::{Code, Diagnostic, Findings};
use netverdict::object::Object;
use netverdict::object::cilium::{FqdnSelector, HttpRule, L7Rules};
use netverdict::rule::{Direction, PortProtocol, PortRule, Rule, RuleVerdict, protocol};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Layer-7 rules where `enableDefaultDeny` is off: what they do not match
/// passes all the same.
pub const OPEN_LAYER_7: Code = Code::new(1030, Warning, "layer-7 rules that restrict nothing");
/// A rule allows the port of another's layer-7 rules to the same peers without
/// any: every request passes.
pub const VOID_LAYER_7: Code = Code::new(1031, Warning, "layer-7 rules made void");
/// `GET` without `HEAD`, which many clients ask with first.
pub const GET_ALONE: Code = Code::new(1032, Info, "`GET` without `HEAD`");

/// Ports compared with others, in all of one check.
const MAX_COMPARISONS: usize = 1_000_000;

pub(super) fn check(object: &Object, found: &mut Findings) {
    for member in Member::of(object).filter(|m| !m.deny) {
        let flag = match member.direction {
            Direction::Ingress => &member.spec.default_deny_ingress,
            Direction::Egress => &member.spec.default_deny_egress,
        };
        for rules in member.own.to_ports.iter().filter_map(|p| p.rules.as_ref()) {
            if let Some(flag) = flag.as_ref().filter(|f| !f.value)
                && restricts(rules)
            {
                let finding = member.finding(
                    OPEN_LAYER_7,
                    rules.span,
                    "what these rules do not match passes all the same: default deny is off",
                );
                found.push(
                    finding
                        .label(flag.span, "switched off here")
                        .help("to restrict, leave `enableDefaultDeny` out; to watch only, match everything: `http: [{}]`, `dns: [{matchPattern: \"*\"}]`"),
                );
            }
            get_alone(&member, rules, found);
        }
    }
}

/// True for rules that do not match everything.
fn restricts(rules: &L7Rules) -> bool {
    let any_request = |r: &HttpRule| {
        r.path.value.is_empty()
            && r.method.value.is_empty()
            && r.host.value.is_empty()
            && r.headers.is_empty()
            && r.header_matches.is_empty()
    };
    let any_name = |n: &FqdnSelector| n.match_pattern.value.trim() == "*";
    let http = rules.http.as_deref().unwrap_or_default();
    let dns = rules.dns.as_deref().unwrap_or_default();
    let none = http.is_empty() && dns.is_empty();
    let all = http.iter().any(any_request) || dns.iter().any(any_name);
    !none && !all
}

fn get_alone(member: &Member<'_>, rules: &L7Rules, found: &mut Findings) {
    let http = rules.http.as_deref().unwrap_or_default();
    let heads = |r: &HttpRule| r.method.value.is_empty() || r.method.value.contains("HEAD");
    let get = http.iter().find(|r| r.method.value == "GET");
    if let Some(get) = get.filter(|_| !http.iter().any(heads)) {
        let finding = member.finding(
            GET_ALONE,
            get.method.span,
            "`HEAD` is another method: it is answered with 403",
        );
        found.push(
            finding.help("health checks and download tools ask with `HEAD`: `method: GET|HEAD`"),
        );
    }
}

/// Rules of one port that others without layer 7 make void.
pub(super) fn check_together(cluster: &Cluster) -> Vec<Diagnostic> {
    // Rules for the same pods, as far as their selectors are spelled alike.
    let mut groups: BTreeMap<(&str, Direction, &str), Vec<&Arc<Rule>>> = BTreeMap::new();
    for rule in cluster.repository().rules() {
        let matches_some = rule.peers.is_some() && rule.verdict == RuleVerdict::Allow;
        if matches_some && !rule.ports.is_empty() {
            let key = (&*rule.namespace, rule.direction, rule.subject.key());
            groups.entry(key).or_default().push(rule);
        }
    }
    let mut found = Vec::new();
    let mut left = MAX_COMPARISONS;
    for rules in groups.values() {
        let open: Vec<(&Arc<Rule>, &Arc<PortRule>)> = rules
            .iter()
            .flat_map(|r| r.ports.iter().map(move |p| (*r, p)))
            .filter(|(_, p)| is_open(p))
            .collect();
        for rule in rules {
            for ports in rule.ports.iter().filter(|p| filters(p)) {
                left = left.saturating_sub(open.len());
                if left == 0 {
                    return found;
                }
                let voids = |(other, p): &&(&Arc<Rule>, &Arc<PortRule>)| {
                    same_ports(ports, p) && same_peers(rule, other)
                };
                if let Some((other, _)) = open.iter().find(voids) {
                    found.push(void(rule, ports, other));
                }
            }
        }
    }
    found
}

fn is_open(ports: &PortRule) -> bool {
    ports
        .l7
        .as_ref()
        .is_none_or(netverdict::rule::L7Rules::is_empty)
        && ports.server_names.is_empty()
        && ports.listener.is_none()
        && !ports.ports.is_empty()
}

/// True for ports whose rules let through some requests and not others.
fn filters(ports: &PortRule) -> bool {
    ports.l7.as_ref().is_some_and(|l7| {
        let any_request = |r: &Arc<netverdict::rule::HttpRule>| {
            r.path.is_empty()
                && r.method.is_empty()
                && r.host.is_empty()
                && r.headers.is_empty()
                && r.header_matches.is_empty()
        };
        !l7.is_empty()
            && !l7.http.iter().any(any_request)
            && !l7.dns.iter().any(|(_, pattern)| &**pattern == "*")
    })
}

/// Every port of the one is a port of the other, spelled alike.
fn same_ports(ports: &PortRule, open: &PortRule) -> bool {
    let same = |a: &PortProtocol, b: &PortProtocol| {
        let three = [protocol::TCP, protocol::UDP, protocol::SCTP];
        let protocol = a.protocol == b.protocol
            || (b.protocol == protocol::ANY && three.contains(&a.protocol));
        a.port == b.port && a.end_port == b.end_port && protocol
    };
    ports
        .ports
        .iter()
        .all(|a| open.ports.iter().any(|b| same(a, b)))
}

fn same_peers(rule: &Rule, open: &Rule) -> bool {
    let (Some(own), Some(others)) = (&rule.peers, &open.peers) else {
        return false;
    };
    let everybody = others.is_empty() || others.iter().any(|o| o.is_wildcard());
    let among = |p: &Arc<netverdict::selector::Selector>| others.iter().any(|o| o.key() == p.key());
    everybody || (!own.is_empty() && own.iter().all(among))
}

fn void(rule: &Rule, ports: &PortRule, other: &Rule) -> Diagnostic {
    Diagnostic::new(
        VOID_LAYER_7,
        ports.span,
        "these layer-7 rules restrict nothing: another rule allows the port to the same peers without any",
    )
    .at(rule.origin.path.as_str())
    .of(rule.origin.object.to_string())
    .label(other.origin.span, "every request passes by this one")
    .help("rules of one port are added up, and one without layer-7 rules lets everything through: remove it, or name other peers there")
}
