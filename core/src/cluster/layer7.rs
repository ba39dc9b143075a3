//! What happens to a request, a query or a TLS connection behind a redirect.
//!
//! In: a flow with its answer, and what is sent on it. Out: whether it gets
//! through, what the sender sees if not, and every rule that was tried, with
//! its place.

use super::{Cluster, Endpoint, Flow, FlowAnswer, Peer, ResolvedPolicy, SideAnswer, Target};
use crate::identity::PodPorts;
use crate::l7::{
    Connection, DnsRules, HttpDecision, NetworkPolicy, PortPolicy, Request, Secrets, Translation,
    dns_rule_allows,
};
use crate::resolve::{DirectionPolicy, Parser, ResolveError};
use crate::rule::{Direction, HttpRule, Rule, RuleVerdict};
use crate::source::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// What is sent on a flow.
#[derive(Clone, Debug, Default)]
pub struct Layer7<'a> {
    /// The server name of the TLS handshake.
    pub server_name: Option<&'a str>,
    /// An HTTP request, seen in the clear by proxies that terminate TLS and
    /// on connections without it.
    pub request: Option<Request>,
    /// The name of a DNS query.
    pub query: Option<&'a str>,
}

impl fmt::Display for Layer7<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let request = self.request.iter();
        let request = request.map(|r| format!("{} {}", r.method(), r.path()));
        let query = self.query.iter().map(|name| format!("a query for {name}"));
        let names = self.server_name.iter();
        let names = names.map(|name| format!("TLS to {name}"));
        let what: Vec<String> = request.chain(query).chain(names).collect();
        f.write_str(&what.join(", "))
    }
}

/// What becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layer7Outcome {
    /// No proxy looks at it: it goes on as it is.
    NotInspected,
    /// A proxy lets it through.
    Forwarded,
    /// The proxy answers 403.
    Forbidden,
    /// The DNS proxy answers *refused*.
    Refused,
    /// The proxy closes the connection.
    Dropped,
    /// The input leaves it open.
    Unknown(String),
}

impl Layer7Outcome {
    /// True when it gets through.
    #[must_use]
    pub const fn passes(&self) -> bool {
        matches!(self, Self::NotInspected | Self::Forwarded)
    }

    /// A word for programs.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::NotInspected => "not-inspected",
            Self::Forwarded => "forwarded",
            Self::Forbidden => "403",
            Self::Refused => "refused",
            Self::Dropped => "dropped",
            Self::Unknown(_) => "unknown",
        }
    }
}

impl fmt::Display for Layer7Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(why) => write!(f, "unknown: {why}"),
            other => f.write_str(other.as_str()),
        }
    }
}

/// A rule that a proxy tried.
#[derive(Clone, Debug)]
pub struct TriedLayer7 {
    /// The rules it is written in.
    pub rules: Vec<Arc<Rule>>,
    /// What it asks for, in words: `GET /docs`, `*.example.com`.
    pub wanted: String,
    /// Where exactly it is written, if it is known.
    pub span: Span,
    /// Why it does not match; `None` when it does.
    pub miss: Option<String>,
}

/// What one proxy makes of it.
#[derive(Clone, Debug)]
pub struct Layer7Side {
    /// Whose proxy.
    pub direction: Direction,
    /// What it does.
    pub outcome: Layer7Outcome,
    /// The rules about this peer, in the order they were tried.
    pub tried: Vec<TriedLayer7>,
    /// What HTTP rules log.
    pub http: HttpDecision,
}

/// What becomes of it on its way.
#[derive(Clone, Debug)]
pub struct Layer7Answer {
    /// At the sender's proxy; `None` when the flow does not get that far.
    pub egress: Option<Layer7Side>,
    /// At the receiver's proxy.
    pub ingress: Option<Layer7Side>,
    /// The request as it arrives.
    pub request: Option<Request>,
    /// All together; `None` when the flow itself does not pass.
    pub outcome: Option<Layer7Outcome>,
}

impl Cluster {
    /// What becomes of what is sent on a flow, given the flow's answer. The
    /// values of secrets that header matches name are given by the caller.
    #[must_use]
    pub fn layer7(
        &self,
        flow: &Flow<'_>,
        answer: &FlowAnswer,
        sent: &Layer7<'_>,
        secrets: &Secrets,
    ) -> Layer7Answer {
        let mut result = Layer7Answer {
            egress: None,
            ingress: None,
            request: sent.request.clone(),
            outcome: None,
        };
        if !answer.overall.is_allowed() {
            return result;
        }
        let mut outcome = Layer7Outcome::NotInspected;
        let sides = [
            (&answer.egress, flow.from, Direction::Egress),
            (&answer.ingress, flow.to, Direction::Ingress),
        ];
        for (side, own, direction) in sides {
            let Some(side) = side else { continue };
            let mut on_the_way = Layer7 {
                request: result.request.clone(),
                ..sent.clone()
            };
            let found = self.layer7_side(flow, side, own, &mut on_the_way, secrets);
            result.request = on_the_way.request;
            if found.outcome != Layer7Outcome::NotInspected {
                outcome = found.outcome.clone();
            }
            let place = match direction {
                Direction::Egress => &mut result.egress,
                Direction::Ingress => &mut result.ingress,
            };
            let stops = !found.outcome.passes();
            *place = Some(found);
            if stops {
                break;
            }
        }
        result.outcome = Some(outcome);
        result
    }

    fn layer7_side(
        &self,
        flow: &Flow<'_>,
        side: &SideAnswer,
        own: &Peer,
        sent: &mut Layer7<'_>,
        secrets: &Secrets,
    ) -> Layer7Side {
        let mut found = Layer7Side {
            direction: side.direction,
            outcome: Layer7Outcome::NotInspected,
            tried: Vec::new(),
            http: HttpDecision::default(),
        };
        let (Some(policy), Some((_, entry))) = (&side.policy, &side.entry) else {
            return found;
        };
        let redirect = policy.map.direction(side.direction).redirect_of(entry);
        let Some(redirect) = redirect.filter(|_| side.proxy_port != 0) else {
            return found;
        };
        let unknown = |why: &str| Layer7Outcome::Unknown(why.to_owned());
        match redirect.parser {
            Parser::None => {}
            Parser::Crd => {
                found.outcome = unknown("a custom listener decides by its own configuration");
            }
            Parser::Dns => match sent.query {
                Some(name) => self.query(side, policy, name, &mut found),
                None => found.outcome = unknown("the DNS proxy takes nothing but queries"),
            },
            Parser::Http | Parser::Tls if sent.query.is_some() => {
                found.outcome = unknown("the proxy of this port does not speak DNS");
            }
            Parser::Http | Parser::Tls => {
                let reads_http = redirect.parser == Parser::Http;
                self.connection(
                    flow, side, policy, own, sent, secrets, reads_http, &mut found,
                );
            }
        }
        found
    }

    /// The policy of an endpoint as Cilium sends it to Envoy. Custom listeners
    /// have stand-ins for their ports, from 20001 on.
    ///
    /// # Errors
    /// As [`Self::policy`].
    pub fn network_policy(
        &self,
        endpoint: &Endpoint,
        secrets: &Secrets,
    ) -> Result<NetworkPolicy, ResolveError> {
        let policy = self.policy(endpoint)?;
        let subject = &policy.subject;
        let own_ports = (!endpoint.host_network).then_some(&endpoint.named_ports);
        let listeners = listeners([&subject.ingress, &subject.egress]);
        let mut found = self.translated(own_ports, &listeners, secrets, |t| t.policy(subject));
        let mut addresses = endpoint.addresses.clone();
        addresses.sort_by_key(|ip| (ip.is_ipv4(), *ip));
        found.endpoint_ips = addresses.iter().map(ToString::to_string).collect();
        Ok(found)
    }

    fn translated<T>(
        &self,
        own_ports: Option<&PodPorts>,
        listeners: &BTreeMap<String, u16>,
        secrets: &Secrets,
        translate: impl FnOnce(&Translation<'_>) -> T,
    ) -> T {
        translate(&Translation {
            selectors: self.repository.selectors(),
            own_port: &|name, protocol| {
                let (own, port) = own_ports?.get(name)?;
                (*own == protocol).then_some(*port)
            },
            named_ports: &self.named_ports,
            listener_port: &|name| listeners.get(name).copied().unwrap_or(0),
            secrets,
        })
    }

    /// A query at the DNS proxy: one selector of the port that selects the
    /// server and allows the name is enough.
    fn query(
        &self,
        side: &SideAnswer,
        policy: &ResolvedPolicy,
        name: &str,
        found: &mut Layer7Side,
    ) {
        let (Some((key, entry)), Some(peer)) = (&side.entry, side.peer) else {
            return;
        };
        let direction = policy.subject.direction(side.direction);
        let Some(filter) = policy.redirect_filter(key, entry) else {
            return;
        };
        found.outcome = Layer7Outcome::Refused;
        for (i, (selector, own)) in filter.policies.iter().enumerate() {
            let selected = self.repository.selectors().selections(*selector);
            let selects =
                filter.wildcard == Some(i) || selected.is_some_and(|s| s.contains(peer.0));
            if !selects || own.verdict != RuleVerdict::Allow {
                continue;
            }
            if DnsRules::new(&own.l7.dns).allows(name) {
                found.outcome = Layer7Outcome::Forwarded;
            }
            let rules: Vec<Arc<Rule>> = direction.rules_of(&own.origin).cloned().collect();
            let tried = |wanted: &str, allows: bool, rules: Vec<Arc<Rule>>| TriedLayer7 {
                span: rules.first().map_or_else(Span::default, |r| r.origin.span),
                rules,
                wanted: wanted.to_owned(),
                miss: (!allows).then(|| format!("`{name}` does not match")),
            };
            if own.l7.dns.is_empty() {
                found.tried.push(tried("every name", true, rules.clone()));
            }
            for rule in &own.l7.dns {
                let wanted = match &rule.0 {
                    n if n.is_empty() => &rule.1,
                    n => n,
                };
                let has = |r: &&Arc<Rule>| {
                    let mut ports = r.ports.iter().filter_map(|p| p.l7.as_ref());
                    ports.any(|l7| l7.dns.contains(rule))
                };
                let from: Vec<Arc<Rule>> = rules.iter().filter(has).cloned().collect();
                found
                    .tried
                    .push(tried(wanted, dns_rule_allows(rule, name), from));
            }
        }
    }

    /// A connection at Envoy, and a request on it.
    #[allow(clippy::too_many_arguments)] // all of one question
    fn connection(
        &self,
        flow: &Flow<'_>,
        side: &SideAnswer,
        policy: &ResolvedPolicy,
        own: &Peer,
        sent: &mut Layer7<'_>,
        secrets: &Secrets,
        reads_http: bool,
        found: &mut Layer7Side,
    ) {
        let Some(peer) = side.peer else { return };
        let direction = policy.subject.direction(side.direction);
        let own_ports = match &own.target {
            Target::Endpoint(e) if !e.host_network => Some(&e.named_ports),
            Target::Address(ip) => self
                .pods_by_address
                .get(&ip.to_canonical())
                .map(|e| &e.named_ports),
            _ => None,
        };
        let listeners = listeners([direction]);
        let rules = self.translated(own_ports, &listeners, secrets, |t| t.direction(direction));
        let rules = PortPolicy::new(&rules, flow.port, secrets);
        let connection = Connection {
            peer,
            proxy_id: 0,
            server_name: sent.server_name,
        };
        let refused = rules.refused().map(ToString::to_string);
        let names = rules.refused_server_names();
        let mut refused =
            refused.chain(names.map(|n| format!("the proxy refuses server name `{n}`")));
        if let Some(first) = refused.next() {
            let why = format!("{first}; with it, the whole policy, and keeps the one before");
            found.outcome = Layer7Outcome::Unknown(why);
            return;
        }
        found.tried = tried(&rules, &connection, sent.request.as_ref(), direction);
        if !rules.connects(&connection) {
            found.outcome = Layer7Outcome::Dropped;
            return;
        }
        found.outcome = Layer7Outcome::Forwarded;
        if !reads_http {
            return;
        }
        match &mut sent.request {
            Some(request) => {
                found.http = rules.request(&connection, request);
                if !found.http.allowed {
                    found.outcome = Layer7Outcome::Forbidden;
                }
            }
            None if rules.has_http_rules() => {
                let why = "the proxy decides by the HTTP request";
                found.outcome = Layer7Outcome::Unknown(why.to_owned());
            }
            None => {}
        }
    }
}

/// Stand-ins for the proxy ports of custom listeners, in order of their names.
fn listeners<const N: usize>(directions: [&DirectionPolicy; N]) -> BTreeMap<String, u16> {
    let tiers = directions.into_iter().flat_map(|d| &d.tiers);
    let filters = tiers.flat_map(|t| &t.filters);
    let named = filters.flat_map(|f| &f.policies).map(|(_, p)| &p.listener);
    let names: BTreeSet<&Arc<str>> = named.filter(|name| !name.is_empty()).collect();
    names
        .into_iter()
        .zip(20_001..)
        .map(|(name, port)| (name.to_string(), port))
        .collect()
}

fn tried(
    rules: &PortPolicy,
    connection: &Connection<'_>,
    request: Option<&Request>,
    direction: &DirectionPolicy,
) -> Vec<TriedLayer7> {
    let mut all = Vec::new();
    for tried in rules.tried(connection, request) {
        let origin: Vec<Arc<Rule>> = direction.rules_of(&tried.rule.origin).cloned().collect();
        let first = origin.first().map_or_else(Span::default, |r| r.origin.span);
        if !tried.server_name_matches {
            let names: Vec<&str> = tried.rule.server_names.iter().map(|n| &**n).collect();
            let miss = match connection.server_name {
                Some(name) => format!("the server name is `{name}`"),
                None => "the connection names no server".to_owned(),
            };
            all.push(TriedLayer7 {
                rules: origin,
                wanted: format!("TLS for {}", names.join(", ")),
                span: first,
                miss: Some(miss),
            });
            continue;
        }
        if tried.http.is_empty() {
            all.push(TriedLayer7 {
                rules: origin,
                wanted: match tried.rule.server_names.is_empty() {
                    true => "everything".to_owned(),
                    false => "the server name".to_owned(),
                },
                span: first,
                miss: None,
            });
            continue;
        }
        for http in tried.http {
            let has = |r: &&Arc<Rule>| {
                let mut ports = r.ports.iter().filter_map(|p| p.l7.as_ref());
                ports.any(|l7| l7.http.contains(&http.rule))
            };
            let rules: Vec<Arc<Rule>> = origin.iter().filter(has).cloned().collect();
            let own = rules.first().map_or(first, |r| r.origin.span);
            all.push(TriedLayer7 {
                rules,
                wanted: http.rule.to_string(),
                span: place(&http.rule).unwrap_or(own),
                miss: http.miss.map(|m| m.to_string()),
            });
        }
    }
    all
}

/// Where a rule is written; `None` for those that Cilium adds.
fn place(rule: &HttpRule) -> Option<Span> {
    Some(rule.place.0).filter(|span| *span != Span::default())
}
