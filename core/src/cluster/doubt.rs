//! Rules that might decide otherwise if the input were complete.
//!
//! In: a verdict and what was asked. Out: why it may be wrong: a rule that
//! would change it contains a variable nobody has filled in, or names a port
//! of a pod whose containers the input does not list.

use super::{Cluster, Endpoint};
use crate::identity::NumericIdentity;
use crate::label::LabelSet;
use crate::object::template;
use crate::policy_map::Verdict;
use crate::resolve::{Repository, SubjectPolicy};
use crate::rule::{Direction, PortProtocol, Rule, RulePort, RuleVerdict, Tier, protocol};
use crate::selector::{Requirement, Selector};
use std::sync::Arc;

/// A question with its answer so far.
pub(super) struct Asked<'a> {
    pub direction: Direction,
    /// `None` for the host.
    pub subject: Option<&'a Endpoint>,
    pub peer: NumericIdentity,
    pub protocol: u8,
    pub port: u16,
    pub verdict: Verdict,
}

/// The rules with an unresolved variable in what they select.
pub(super) fn templated_rules(repository: &Repository) -> Vec<Arc<Rule>> {
    repository
        .rules()
        .filter(|r| variable(r).is_some())
        .cloned()
        .collect()
}

/// The first variable of a rule.
fn variable(rule: &Rule) -> Option<&str> {
    let selectors = std::iter::once(&rule.subject).chain(rule.peers.iter().flatten());
    let in_selectors = selectors
        .flat_map(|s| s.requirements())
        .find_map(requirement_variable);
    let names = rule.ports.iter().flat_map(|p| &p.ports);
    let in_ports = names.filter_map(|p| match &p.port {
        RulePort::Name(name) => Some(&**name),
        RulePort::Number(_) => None,
    });
    in_selectors
        .or_else(|| template::find(&rule.namespace))
        .or_else(|| in_ports.into_iter().find_map(template::find))
}

fn requirement_variable(r: &Requirement) -> Option<&str> {
    template::find(r.key.key()).or_else(|| r.values.iter().find_map(|v| template::find(v)))
}

/// True when the selector selects the labels, or would if its variables were
/// filled in suitably.
fn may_select(selector: &Selector, labels: &LabelSet, cluster: &Cluster) -> bool {
    let certain = |r: &&Requirement| requirement_variable(r).is_none();
    if selector.requirements().iter().all(|r| certain(&r)) {
        return selector.matches(labels, &cluster.config);
    }
    // What is known of it as a selector of its own.
    let known: Vec<Requirement> = selector
        .requirements()
        .iter()
        .filter(certain)
        .cloned()
        .collect();
    let known = Selector::new(selector.key(), selector.kind(), known, selector.span());
    known.matches(labels, &cluster.config)
}

impl Cluster {
    /// Why the verdict may be wrong; empty when it is settled.
    pub(super) fn doubts(&self, asked: &Asked<'_>, policy: &SubjectPolicy) -> Vec<String> {
        let mut why = Vec::new();
        let identities = self.identities();
        let none = LabelSet::default();
        let peer = identities.get(asked.peer).unwrap_or(&none);
        let subject = match asked.subject {
            Some(endpoint) => &endpoint.labels,
            None => identities.get(NumericIdentity::HOST).unwrap_or(&none),
        };
        for rule in &self.templated {
            if rule.direction == asked.direction
                && self.may_apply(rule, asked, subject)
                && self.could_change(rule, asked, peer, policy)
            {
                let name = variable(rule).unwrap_or_default();
                why.push(format!(
                    "{} of `{}` depends on `{name}`, which is not filled in",
                    rule.origin.path, rule.origin.object
                ));
            }
        }
        let namespace = asked.subject.map_or("", |e| e.namespace.as_str());
        for open in &self.open_policies {
            let for_it = open.namespace.is_empty()
                || (!namespace.is_empty() && open.namespace == namespace)
                || template::find(&open.namespace).is_some();
            if for_it && asked.verdict != Verdict::Deny {
                why.push(format!(
                    "`{open}` is not in force while variables in it are not filled in"
                ));
            }
        }
        let direction = policy.direction(asked.direction);
        for rule in direction.rules.iter().filter(|r| changes(r, asked.verdict)) {
            if !peers_may_match(rule, peer, self) {
                continue;
            }
            for port in rule.ports.iter().flat_map(|p| &p.ports) {
                let RulePort::Name(name) = &port.port else {
                    continue;
                };
                if template::find(name).is_none()
                    && protocol_fits(port, asked.protocol)
                    && self.port_of(name, asked).is_none()
                    && let Some(pod) = self.nameless(asked)
                {
                    why.push(format!(
                        "{} of `{}` names the port `{name}`, and the input does not list the containers of `{pod}`",
                        rule.origin.path, rule.origin.object
                    ));
                }
            }
        }
        why.dedup();
        why
    }

    fn may_apply(&self, rule: &Rule, asked: &Asked<'_>, subject: &LabelSet) -> bool {
        let namespace = subject.namespace().unwrap_or("");
        let in_namespace = rule.namespace.is_empty()
            || *rule.namespace == *namespace
            || template::find(&rule.namespace).is_some();
        let for_host = asked.subject.is_none();
        rule.selects_nodes == for_host && in_namespace && may_select(&rule.subject, subject, self)
    }

    fn ports_may_match(&self, rule: &Rule, asked: &Asked<'_>) -> bool {
        rule.ports.is_empty()
            || rule.ports.iter().flat_map(|p| &p.ports).any(|port| {
                protocol_fits(port, asked.protocol)
                    && match &port.port {
                        RulePort::Name(name) => {
                            template::find(name).is_some()
                                || self.port_of(name, asked) == Some(asked.port)
                        }
                        RulePort::Number(0) => true,
                        RulePort::Number(n) => {
                            asked.port == *n || (*n..=port.end_port).contains(&asked.port)
                        }
                    }
            })
    }

    /// A pod that port names would be looked up at, and of which the input
    /// does not say what its ports are called. Only pods name ports.
    fn nameless(&self, asked: &Asked<'_>) -> Option<String> {
        if asked.direction == Direction::Ingress {
            return asked
                .subject
                .filter(|e| !e.names_ports)
                .map(ToString::to_string);
        }
        let mut known = false;
        for endpoint in self.endpoints.iter().filter(|e| !e.host_network) {
            if endpoint.identity == asked.peer {
                if !endpoint.names_ports {
                    return Some(endpoint.to_string());
                }
                known = true;
            }
        }
        let labels = self.identities().get(asked.peer)?;
        (!known && labels.namespace().is_some()).then(|| format!("identity {}", asked.peer))
    }

    /// What a port name means where the rule looks it up.
    fn port_of(&self, name: &Arc<str>, asked: &Asked<'_>) -> Option<u16> {
        match asked.direction {
            Direction::Egress => self.named_ports.get(asked.peer, name, asked.protocol),
            Direction::Ingress => {
                let (protocol, port) = asked.subject?.named_ports.get(name)?;
                (*protocol == asked.protocol).then_some(*port)
            }
        }
    }

    fn could_change(
        &self,
        rule: &Rule,
        asked: &Asked<'_>,
        peer: &LabelSet,
        policy: &SubjectPolicy,
    ) -> bool {
        // It might switch on default deny.
        let subject_open = rule
            .subject
            .requirements()
            .iter()
            .any(|r| requirement_variable(r).is_some())
            || template::find(&rule.namespace).is_some();
        if subject_open
            && rule.default_deny
            && asked.verdict.is_allowed()
            && !policy.direction(asked.direction).default_deny
        {
            return true;
        }
        changes(rule, asked.verdict)
            && peers_may_match(rule, peer, self)
            && self.ports_may_match(rule, asked)
    }
}

/// True when a rule that matched after all could change the verdict.
fn changes(rule: &Rule, verdict: Verdict) -> bool {
    match (rule.verdict, verdict) {
        (RuleVerdict::Allow, Verdict::DefaultDeny) => true,
        (RuleVerdict::Allow, Verdict::Deny) => rule.tier < Tier::NORMAL,
        (RuleVerdict::Allow, _) => false,
        (RuleVerdict::Deny, v) => v.is_allowed() || v == Verdict::AuthRequired,
        (RuleVerdict::Pass, _) => true,
    }
}

fn peers_may_match(rule: &Rule, peer: &LabelSet, cluster: &Cluster) -> bool {
    match &rule.peers {
        None => false,
        Some(peers) if peers.is_empty() => !rule.ports.is_empty(),
        Some(peers) => peers.iter().any(|s| may_select(s, peer, cluster)),
    }
}

fn protocol_fits(port: &PortProtocol, asked: u8) -> bool {
    port.protocol == asked
        || (port.protocol == protocol::ANY
            && matches!(asked, protocol::TCP | protocol::UDP | protocol::SCTP))
}
