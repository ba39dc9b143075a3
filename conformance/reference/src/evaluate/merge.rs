//! Rules for the same selector and the same ports become one.
//!
//! In: the rules of one direction of a subject, in evaluation order. Out: a
//! list of [`Grant`]s, one per tier, ports and selector, or a [`Conflict`]
//! (Cilium 1.20.2 pkg/policy/rule.go mergePortProto, l4.go createL4Filter).

use super::Conflict;
use netverdict::label::LabelSet;
use netverdict::rule::{
    Authentication, Listener, ListenerKind, PortProtocol, PortRule, Rule, RulePort, RuleVerdict,
    Tier, TlsContext, protocol,
};
use netverdict::selector::Selector;
use netverdict::source::Span;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What the rules of one tier say of one selector and one port.
#[derive(Clone, Debug)]
pub(super) struct Grant {
    pub(super) tier: Tier,
    pub(super) priority: f64,
    pub(super) verdict: RuleVerdict,
    pub(super) selector: Arc<Selector>,
    pub(super) protocol: u8,
    pub(super) port: RulePort,
    /// Not above the port: there is no range.
    pub(super) end_port: u16,
    pub(super) parser: Parser,
    /// Qualified name of a custom listener, or empty.
    pub(super) listener: String,
    pub(super) listener_priority: u8,
    pub(super) authentication: Option<Authentication>,
    terminating_tls: Option<Arc<TlsContext>>,
    originating_tls: Option<Arc<TlsContext>>,
    server_names: BTreeSet<Arc<str>>,
    has_l7_rules: bool,
}

/// Who looks at redirected traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parser {
    None,
    Tls,
    Http,
    Dns,
    Crd,
}

/// All grants of one direction.
pub(super) fn grants(rules: &[Rule], subject: &LabelSet) -> Result<Vec<Grant>, Conflict> {
    let mut all: Vec<Grant> = Vec::new();
    for rule in rules {
        for grant in grants_of(rule, subject)? {
            add(&mut all, grant)?;
        }
    }
    Ok(all)
}

/// The grants of one rule.
fn grants_of(rule: &Rule, subject: &LabelSet) -> Result<Vec<Grant>, Conflict> {
    let Some(peers) = &rule.peers else {
        return Ok(Vec::new()); // selects nothing
    };
    if peers.is_empty() && rule.ports.is_empty() {
        return Ok(Vec::new()); // says nothing but "default deny"
    }
    let everyone = [Arc::new(Selector::wildcard(Span::default()))];
    // Beside the wildcard the other selectors of a rule do not count.
    let selectors = if peers.is_empty() || peers.iter().any(|s| s.is_wildcard()) {
        &everyone[..]
    } else {
        peers
    };
    let all_ports = Arc::new(PortRule {
        ports: vec![PortProtocol {
            port: RulePort::Number(0),
            end_port: 0,
            protocol: protocol::ANY,
            span: Span::default(),
        }],
        ..PortRule::default()
    });
    let (port_rules, whole) = if rule.ports.is_empty() {
        (vec![all_ports], true)
    } else {
        (rule.ports.clone(), false)
    };
    let mut grants = Vec::new();
    for port_rule in &port_rules {
        for port in &port_rule.ports {
            let protocols = match port.protocol {
                protocol::ANY if !whole => vec![protocol::TCP, protocol::UDP, protocol::SCTP],
                one => vec![one],
            };
            for number in protocols {
                let template = grant(rule, port_rule, port, number, subject)?;
                // A selector named twice in one rule counts once.
                let mut seen: Vec<&str> = Vec::new();
                for selector in selectors {
                    if seen.contains(&selector.key()) {
                        continue;
                    }
                    seen.push(selector.key());
                    grants.push(Grant {
                        selector: Arc::clone(selector),
                        ..template.clone()
                    });
                }
            }
        }
    }
    Ok(grants)
}

/// What a rule says of one port; the selector is a stand-in.
fn grant(
    rule: &Rule,
    port_rule: &PortRule,
    port: &PortProtocol,
    number: u8,
    subject: &LabelSet,
) -> Result<Grant, Conflict> {
    let http = port_rule.l7.as_ref().is_some_and(|l7| !l7.http.is_empty());
    let dns = port_rule.l7.as_ref().is_some_and(|l7| !l7.dns.is_empty());
    let tls = port_rule.terminating_tls.is_some()
        || port_rule.originating_tls.is_some()
        || !port_rule.server_names.is_empty();
    let parser = if port_rule.listener.is_some() {
        Parser::Crd
    } else if dns {
        Parser::Dns
    } else if http && number == protocol::TCP {
        Parser::Http
    } else if tls {
        Parser::Tls
    } else {
        Parser::None
    };
    let mut listener_priority = match parser {
        Parser::None => 0,
        Parser::Http => 101,
        Parser::Tls => 116,
        Parser::Dns => 121,
        Parser::Crd => 126,
    };
    let mut listener = String::new();
    if let Some(custom) = &port_rule.listener {
        listener = qualified_name(custom, subject.namespace().unwrap_or(""))?;
        if custom.priority != 0 {
            listener_priority = custom.priority;
        }
    }
    Ok(Grant {
        tier: rule.tier,
        priority: rule.priority,
        verdict: rule.verdict,
        selector: Arc::new(Selector::wildcard(Span::default())),
        protocol: number,
        port: port.port.clone(),
        end_port: port.end_port,
        parser,
        listener,
        listener_priority,
        authentication: rule.authentication.clone(),
        terminating_tls: port_rule.terminating_tls.clone(),
        originating_tls: port_rule.originating_tls.clone(),
        server_names: port_rule.server_names.clone(),
        has_l7_rules: http || dns,
    })
}

fn qualified_name(listener: &Listener, namespace: &str) -> Result<String, Conflict> {
    let namespace = match listener.kind {
        ListenerKind::Clusterwide => "",
        ListenerKind::Namespaced if namespace.is_empty() => {
            return Err(Conflict(format!(
                "listener `{}` needs a subject with a namespace",
                listener.name
            )));
        }
        ListenerKind::Namespaced | ListenerKind::Unspecified => namespace,
    };
    Ok(format!("{namespace}/{}/{}", listener.config, listener.name))
}

/// Puts a grant into the list, into the one of the same tier, ports and
/// selector if there is one.
fn add(all: &mut Vec<Grant>, new: Grant) -> Result<(), Conflict> {
    // The last port of a named port is no part of the name: the first rule
    // that uses the name says what it is.
    let same_port = |g: &Grant| {
        g.tier == new.tier
            && g.protocol == new.protocol
            && g.port == new.port
            && (matches!(g.port, RulePort::Name(_)) || g.end_port == new.end_port)
    };
    let end_port = all
        .iter()
        .find(|g| same_port(g))
        .map_or(new.end_port, |g| g.end_port);
    let Some(old) = all
        .iter_mut()
        .find(|g| same_port(g) && g.selector.key() == new.selector.key())
    else {
        all.push(Grant { end_port, ..new });
        return Ok(());
    };
    if old.selector.is_none() {
        return Ok(());
    }
    // The earlier priority wins, then Deny, then Allow, then Pass.
    let strength = |g: &Grant| match g.verdict {
        RuleVerdict::Deny => 2,
        RuleVerdict::Allow => 1,
        RuleVerdict::Pass => 0,
    };
    let order = new
        .priority
        .total_cmp(&old.priority)
        .then(strength(old).cmp(&strength(&new)));
    if order.is_gt() {
        return Ok(());
    }
    if order.is_lt() {
        *old = Grant { end_port, ..new };
        return Ok(());
    }
    if old.verdict == RuleVerdict::Allow {
        merge_allows(old, new)?;
    }
    Ok(())
}

/// Two rules allow the same: both hold, where that is possible.
fn merge_allows(old: &mut Grant, new: Grant) -> Result<(), Conflict> {
    let parser = merge_parsers(old.parser, new.parser)?;
    if parser != old.parser {
        old.parser = parser;
        old.listener_priority = new.listener_priority;
    }
    merge_listeners(old, &new)?;
    old.authentication = one_of(
        old.authentication.take(),
        new.authentication,
        "authentication",
    )?;
    old.terminating_tls = one_of(old.terminating_tls.take(), new.terminating_tls, "TLS")?;
    old.originating_tls = one_of(old.originating_tls.take(), new.originating_tls, "TLS")?;
    old.server_names.extend(new.server_names);
    // Only the rules of the side that was there first are looked at.
    if !old.server_names.is_empty() && old.has_l7_rules && old.terminating_tls.is_none() {
        return Err(Conflict(
            "server names and layer-7 rules without TLS termination".to_owned(),
        ));
    }
    old.has_l7_rules |= new.has_l7_rules;
    Ok(())
}

fn merge_parsers(a: Parser, b: Parser) -> Result<Parser, Conflict> {
    match (a, b) {
        _ if a == b => Ok(a),
        (Parser::None, other) | (other, Parser::None) => Ok(other),
        (Parser::Tls, Parser::Http) | (Parser::Http, Parser::Tls) => Ok(Parser::Http),
        _ => Err(Conflict(format!("layer-7 parsers {a:?} and {b:?}"))),
    }
}

/// A listener of a lower priority number wins; 0 is the weakest.
fn merge_listeners(old: &mut Grant, new: &Grant) -> Result<(), Conflict> {
    let stronger = |a: u8, b: u8| a != b && (a != 0 && (b == 0 || a < b));
    if new.listener.is_empty()
        || (new.listener == old.listener && new.listener_priority == old.listener_priority)
        || stronger(old.listener_priority, new.listener_priority)
    {
        return Ok(());
    }
    if old.listener.is_empty() || stronger(new.listener_priority, old.listener_priority) {
        old.listener.clone_from(&new.listener);
        old.listener_priority = new.listener_priority;
        return Ok(());
    }
    Err(Conflict(format!(
        "listeners `{}` and `{}` of one priority",
        old.listener, new.listener
    )))
}

/// The one that is given, when both are the same one.
fn one_of<T: PartialEq>(a: Option<T>, b: Option<T>, what: &str) -> Result<Option<T>, Conflict> {
    match (a, b) {
        (Some(a), Some(b)) if a != b => Err(Conflict(format!("contradicting {what}"))),
        (a, b) => Ok(a.or(b)),
    }
}
