//! The rules of one port as Envoy applies them.
//!
//! In: a direction of a [`NetworkPolicy`](super::NetworkPolicy), a port, and
//! the identity of the peer. Out: whether a connection with a server name, and
//! a request on it, is let through, by which rule, and which rules were tried.
//! Follows cilium/network_policy.cc of github.com/cilium/proxy
//! (`PortNetworkPolicyRules`).

use super::http::{HttpDecision, HttpRules, RefusedExpression, TriedRule};
use super::network_policy::{PortNetworkPolicy, ProxyRule, ProxyVerdict};
use super::request::Request;
use super::secret::Secrets;
use super::server_name::ServerNames;
use crate::identity::NumericIdentity;
use std::sync::Arc;

/// Who opens a connection, and where it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection<'n> {
    /// The identity of the other side.
    pub peer: NumericIdentity,
    /// The proxy port of the custom listener it came to; 0 for none.
    pub proxy_id: u16,
    /// The server name of its TLS handshake.
    pub server_name: Option<&'n str>,
}

/// The rules of one port, compiled.
#[derive(Debug, Default)]
pub struct PortPolicy {
    rules: Vec<PortRule>,
    /// Envoy has rules, or freedom, for the port at all.
    known: bool,
    has_http: bool,
    all_rules_tried: bool,
}

#[derive(Debug)]
struct PortRule {
    rule: ProxyRule,
    names: ServerNames,
    http: Option<HttpRules>,
    /// Where the search goes on after a pass.
    next: usize,
}

/// A rule of the port that is about the peer, with what became of it.
#[derive(Clone, Debug)]
pub struct TriedProxyRule<'p> {
    /// The rule.
    pub rule: &'p ProxyRule,
    /// The server name matches one of its own, or it has none.
    pub server_name_matches: bool,
    /// Its HTTP rules, and what of each does not match; empty without any.
    pub http: Vec<TriedRule>,
}

impl PortPolicy {
    /// The rules that apply to a port: its own and those of ranges around it,
    /// then those of every port.
    #[must_use]
    pub fn new(ports: &[PortNetworkPolicy], port: u16, secrets: &Secrets) -> Self {
        let mut own: Option<Vec<ProxyRule>> = None;
        let mut every: Option<Vec<ProxyRule>> = None;
        for policy in ports {
            let last = policy.end_port.max(policy.port);
            let rules = policy.rules.iter().cloned();
            if policy.port == 0 {
                merge(&mut every, rules.collect(), true);
            } else if (policy.port..=last).contains(&port) {
                merge(&mut own, rules.collect(), last == policy.port);
            }
        }
        let passes_only = |rules: &Vec<ProxyRule>| {
            let pass = |r: &ProxyRule| matches!(r.verdict, ProxyVerdict::Pass(_));
            !rules.is_empty() && rules.iter().all(pass)
        };
        if let (Some(own), Some(every)) = (&mut own, &every) {
            let mut both = Some(std::mem::take(own));
            merge(&mut both, every.clone(), false);
            *own = both.unwrap_or_default();
        }
        let own = own.filter(|rules| !passes_only(rules));
        let found = own.or_else(|| every.filter(|rules| !passes_only(rules)));
        found.map_or_else(Self::default, |rules| Self::compile(rules, secrets))
    }

    fn compile(mut rules: Vec<ProxyRule>, secrets: &Secrets) -> Self {
        for rule in &mut rules {
            // Envoy tells a pass by this number alone.
            if rule.verdict == ProxyVerdict::Pass(0) {
                rule.verdict = ProxyVerdict::Allow;
            }
        }
        let rank = |v: ProxyVerdict| match v {
            ProxyVerdict::Deny => 0,
            ProxyVerdict::Allow => 1,
            ProxyVerdict::Pass(_) => 2,
        };
        rules.sort_by(|a, b| {
            let by_verdict = rank(a.verdict).cmp(&rank(b.verdict));
            b.precedence.cmp(&a.precedence).then(by_verdict)
        });
        let below = |i: usize, precedence: u32| {
            let later = rules.iter().enumerate().skip(i + 1);
            let mut later = later.filter(|(_, r)| r.precedence < precedence);
            later.next().map_or(rules.len(), |(i, _)| i)
        };
        let next: Vec<usize> = rules
            .iter()
            .enumerate()
            .map(|(i, rule)| match rule.verdict {
                ProxyVerdict::Pass(last) => below(i, last),
                _ => i + 1,
            })
            .collect();
        let rules: Vec<PortRule> = rules
            .into_iter()
            .zip(next)
            .map(|(rule, next)| PortRule {
                names: ServerNames::new(&rule.server_names),
                http: rule.http.as_ref().map(|http| HttpRules::new(http, secrets)),
                rule,
                next,
            })
            .collect();
        let has_http = |r: &PortRule| r.http.as_ref().is_some_and(|h| !h.is_empty());
        let acts = |r: &PortRule| r.http.as_ref().is_some_and(HttpRules::has_actions);
        Self {
            known: true,
            has_http: rules.iter().any(has_http),
            all_rules_tried: rules.iter().any(acts),
            rules,
        }
    }

    /// Expressions that make Envoy refuse the policy.
    pub fn refused(&self) -> impl Iterator<Item = &RefusedExpression> {
        let http = self.rules.iter().filter_map(|r| r.http.as_ref());
        http.flat_map(HttpRules::refused)
    }

    /// Server names that make Envoy refuse the policy.
    pub fn refused_server_names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.rules.iter().flat_map(|r| r.names.refused())
    }

    /// True when requests on the port are looked at.
    #[must_use]
    pub const fn has_http_rules(&self) -> bool {
        self.has_http
    }

    /// Whether a connection is let through, before any request.
    #[must_use]
    pub fn connects(&self, connection: &Connection<'_>) -> bool {
        if !self.known {
            return false;
        }
        if self.rules.is_empty() {
            return true;
        }
        self.search(true, |rule| {
            rule.names
                .allows(connection.server_name)
                .then_some(rule.rule.verdict)
                .filter(|_| rule.is_about(connection))
        }) == Some(ProxyVerdict::Allow)
    }

    /// Whether a request on a connection is let through, and what becomes of
    /// its headers. Without HTTP rules everything is.
    pub fn request(&self, connection: &Connection<'_>, request: &mut Request) -> HttpDecision {
        let mut all = HttpDecision::default();
        if !self.has_http || self.rules.is_empty() {
            all.allowed = true;
            return all;
        }
        let verdict = self.search(!self.all_rules_tried, |rule| {
            if !rule.is_about(connection) {
                return None;
            }
            let http = rule.http.as_ref().filter(|h| !h.is_empty());
            let Some(http) = http.filter(|_| rule.rule.verdict == ProxyVerdict::Allow) else {
                return Some(rule.rule.verdict);
            };
            let decision = http.decide(request);
            all.missing.extend(decision.missing);
            all.rejected.extend(decision.rejected);
            if all.by.is_none() {
                all.by = decision.by;
            }
            decision.allowed.then_some(ProxyVerdict::Allow)
        });
        all.allowed = verdict == Some(ProxyVerdict::Allow);
        all
    }

    /// The rules that are about a peer, in the order they are asked, with what
    /// of a request does not match them. Nothing is changed.
    #[must_use]
    pub fn tried(
        &self,
        connection: &Connection<'_>,
        request: Option<&Request>,
    ) -> Vec<TriedProxyRule<'_>> {
        let about = self.rules.iter().filter(|r| r.is_about(connection));
        about
            .map(|r| TriedProxyRule {
                rule: &r.rule,
                server_name_matches: r.names.allows(connection.server_name),
                http: match (&r.http, request) {
                    (Some(http), Some(request)) => http.tried(request),
                    _ => Vec::new(),
                },
            })
            .collect()
    }

    /// Asks rule by rule: the highest precedence decides, unless it passes.
    fn search(
        &self,
        first_ends: bool,
        mut ask: impl FnMut(&PortRule) -> Option<ProxyVerdict>,
    ) -> Option<ProxyVerdict> {
        let mut found: Option<(ProxyVerdict, u32)> = None;
        let mut i = 0;
        while let Some(rule) = self.rules.get(i) {
            let precedence = rule.rule.precedence;
            if found.is_some_and(|(_, own)| precedence < own) {
                break;
            }
            let verdict = ask(rule);
            if matches!(verdict, Some(ProxyVerdict::Pass(_))) {
                if found.is_none_or(|(_, own)| own < precedence) {
                    i = rule.next;
                    continue;
                }
            } else if let Some(verdict) = verdict {
                found = Some((verdict, precedence));
                if verdict == ProxyVerdict::Deny || first_ends {
                    return Some(verdict);
                }
            }
            i += 1;
        }
        found.map(|(verdict, _)| verdict)
    }
}

impl PortRule {
    fn is_about(&self, connection: &Connection<'_>) -> bool {
        let rule = &self.rule;
        let listener = rule.proxy_id == 0 || rule.proxy_id == connection.proxy_id;
        listener && (rule.remotes.is_empty() || rule.remotes.contains(&connection.peer.0))
    }
}

/// Rules of one more entry: those of single ports come first. An entry without
/// rules allows everything, and goes on doing so beside one that has some.
fn merge(known: &mut Option<Vec<ProxyRule>>, rules: Vec<ProxyRule>, first: bool) {
    let Some(known) = known else {
        *known = Some(rules);
        return;
    };
    if known.is_empty() != rules.is_empty() {
        known.push(ProxyRule::default());
    }
    if first {
        known.splice(0..0, rules);
    } else {
        known.extend(rules);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::HttpRule;

    fn rule(precedence: u32, verdict: ProxyVerdict, remotes: &[u32], path: &str) -> ProxyRule {
        let http = HttpRule {
            path: path.into(),
            ..HttpRule::default()
        };
        ProxyRule {
            precedence,
            verdict,
            remotes: remotes.to_vec(),
            http: (!path.is_empty()).then(|| vec![Arc::new(http)]),
            ..ProxyRule::default()
        }
    }

    fn ports(all: &[(u16, u16, Vec<ProxyRule>)]) -> Vec<PortNetworkPolicy> {
        let all = all.iter().cloned();
        all.map(|(port, end_port, rules)| PortNetworkPolicy {
            port,
            end_port,
            rules,
        })
        .collect()
    }

    fn allowed(ports: &[PortNetworkPolicy], port: u16, peer: u32, path: &str) -> bool {
        let policy = PortPolicy::new(ports, port, &Secrets::default());
        let connection = Connection {
            peer: NumericIdentity(peer),
            proxy_id: 0,
            server_name: None,
        };
        let mut request = Request::new("GET", "", path);
        policy.connects(&connection) && policy.request(&connection, &mut request).allowed
    }

    use ProxyVerdict::{Allow, Deny, Pass};

    #[test]
    fn the_first_precedence_with_a_verdict_decides() {
        let all = ports(&[(
            80,
            0,
            vec![
                rule(300, Allow, &[1], "/a"),
                rule(200, Deny, &[2], ""),
                rule(100, Allow, &[], "/b"),
            ],
        )]);
        assert!(allowed(&all, 80, 1, "/a"));
        assert!(allowed(&all, 80, 1, "/b"), "a weaker rule may still allow");
        assert!(!allowed(&all, 80, 1, "/c"));
        assert!(!allowed(&all, 80, 2, "/b"));
        assert!(allowed(&all, 80, 3, "/b") && !allowed(&all, 80, 3, "/a"));
        assert!(
            !allowed(&all, 81, 3, "/b"),
            "Envoy knows nothing of the port"
        );
    }

    #[test]
    fn a_pass_goes_on_below_its_tier() {
        let all = ports(&[(
            80,
            0,
            vec![
                rule(300, Pass(200), &[1], ""),
                rule(250, Deny, &[], ""),
                rule(100, Allow, &[], ""),
                rule(90, Allow, &[9], "/x"),
            ],
        )]);
        assert!(
            allowed(&all, 80, 1, "/"),
            "the denial is of the tier passed"
        );
        assert!(!allowed(&all, 80, 2, "/"));
        let only = ports(&[(80, 0, vec![rule(300, Pass(200), &[1], "")])]);
        assert!(!allowed(&only, 80, 1, "/"));
    }

    #[test]
    fn ranges_and_every_port_are_put_together() {
        let all = ports(&[
            (0, 0, vec![rule(10, Allow, &[5], "")]),
            (80, 90, vec![rule(10, Allow, &[], "/range")]),
            (85, 0, vec![rule(10, Allow, &[], "/one")]),
        ]);
        for (port, peer, path, expected) in [
            (85, 1, "/one", true),
            (85, 1, "/range", true),
            (84, 1, "/one", false),
            (85, 5, "/any", true),
            (70, 5, "/any", true),
            (70, 1, "/any", false),
        ] {
            assert_eq!(
                allowed(&all, port, peer, path),
                expected,
                "{port} {peer} {path}"
            );
        }
        // Freedom beside rules stays freedom.
        let free = ports(&[(80, 0, vec![]), (80, 0, vec![rule(10, Allow, &[], "/a")])]);
        assert!(allowed(&free, 80, 1, "/b"));
    }
}
