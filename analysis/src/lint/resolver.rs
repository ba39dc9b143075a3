//! Who may ask for names.
//!
//! In: the endpoints of a cluster with their policies. Out: findings about
//! those whose queries reach no DNS server.

use super::crowd::{Crowd, is_of_pods};
use netverdict::cluster::Endpoint;
use netverdict::diagnostic::Severity::{Info, Warning};
use netverdict::diagnostic::{Code, Diagnostic};
use netverdict::rule::{Direction, PortProtocol, Rule, RulePort, RuleVerdict, protocol};
use std::collections::BTreeSet;
use std::sync::Arc;

/// DNS rules for the cluster's servers, while pods ask a cache on their node.
pub const NODE_CACHE: Code = Code::new(633, Warning, "DNS cache on the node is not allowed");
/// A pod may connect to others, and not to any DNS server. A warning when the
/// input has a DNS server.
pub const NO_DNS: Code = Code::new(634, Info, "no DNS is allowed");

pub(super) fn check(crowd: &Crowd<'_>) -> Vec<Diagnostic> {
    let label = |e: &Endpoint, value: &str| {
        e.labels.k8s_value("k8s-app") == Some(value)
            || e.other_labels.k8s_value("k8s-app") == Some(value)
    };
    let endpoints = crowd.cluster.endpoints();
    let server = endpoints.iter().any(|e| label(e, "kube-dns"));
    let cache = endpoints
        .iter()
        .find(|e| e.host_network && label(e, "node-local-dns"));
    let mut found = Vec::new();
    let mut told = BTreeSet::new();
    for group in crowd.groups() {
        let Some(endpoint) = group.one() else {
            continue;
        };
        let egress = group.policy.subject.direction(Direction::Egress);
        if !egress.enforced || !egress.default_deny || crowd.cluster.has_open_input() {
            continue;
        }
        let allows: Vec<&Arc<Rule>> = egress
            .rules
            .iter()
            .filter(|r| r.verdict != RuleVerdict::Deny && matches_some(r))
            .collect();
        let dns: Vec<&&Arc<Rule>> = allows.iter().filter(|r| for_dns(r)).collect();
        // Whoever is only told addresses needs no names.
        let names = allows.iter().find(|r| {
            let peers = r.peers.iter().flatten();
            let mut peers = peers.filter(|p| is_of_pods(p) || p.fqdn_label().is_some());
            peers.next().is_some()
        });
        if dns.is_empty()
            && let Some(rule) = names
            && told.insert((rule.origin.span, NO_DNS.number()))
        {
            let mut finding = finding_at(
                rule,
                NO_DNS,
                format!(
                    "`{endpoint}` may connect to others, and may not ask any DNS server for their names"
                ),
            );
            if server {
                finding.severity = Warning;
            }
            found.push(finding.help("allow egress to the DNS server on port 53, for UDP and TCP"));
        }
        if let Some(cache) = cache
            && let Some(rule) = dns.first()
            && dns.iter().all(|r| only_pods(r))
            && told.insert((rule.origin.span, NODE_CACHE.number()))
        {
            let finding = finding_at(
                rule,
                NODE_CACHE,
                format!("pods ask `{cache}` on their node for names, and `{endpoint}` may not"),
            );
            found.push(finding.label(cache.span, "it runs on the network of the node").help(
                "with a cache on the node, allow port 53 to `toEntities: [host]`, or to the cache's address 169.254.20.10/32",
            ));
        }
    }
    found
}

fn matches_some(rule: &Rule) -> bool {
    let peers = rule.peers.as_ref();
    !rule.origin.is_synthesized() && peers.is_some_and(|p| !p.is_empty() || !rule.ports.is_empty())
}

fn only_pods(rule: &Rule) -> bool {
    let peers = rule.peers.as_ref();
    peers.is_some_and(|p| !p.is_empty() && p.iter().all(|p| is_of_pods(p)))
}

/// True for a rule under which DNS may pass.
fn for_dns(rule: &Rule) -> bool {
    let fits = |p: &PortProtocol| {
        let protocol = matches!(p.protocol, protocol::ANY | protocol::UDP | protocol::TCP);
        protocol
            && match &p.port {
                RulePort::Number(0) | RulePort::Name(_) => true,
                // Resolvers often listen elsewhere behind their service.
                RulePort::Number(n) => {
                    let last = p.end_port.max(*n);
                    [53, 5353, 853, 1053, 8053, 9053]
                        .iter()
                        .any(|p| n <= p && *p <= last)
                }
            }
    };
    rule.ports.is_empty() || rule.ports.iter().flat_map(|p| &p.ports).any(fits)
}

fn finding_at(rule: &Rule, code: Code, message: String) -> Diagnostic {
    Diagnostic::new(code, rule.origin.span, message)
        .at(rule.origin.path.as_str())
        .of(rule.origin.object.to_string())
}
