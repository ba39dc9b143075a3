//! Rules that might decide otherwise if the input were complete.
//!
//! In: a verdict and what was asked. Out: why it may be wrong: a rule that
//! would change it contains a variable nobody has filled in, or names a port
//! of a pod whose containers the input does not list.

use super::{Cluster, Endpoint};
use crate::identity::NumericIdentity;
use crate::label::LabelSet;
use crate::object::template;
use crate::policy_map::{Question, Verdict};
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

/// A rule with an unresolved variable in what it selects.
#[derive(Clone, Debug)]
pub(super) struct TemplatedRule {
    rule: Arc<Rule>,
    /// The first variable.
    variable: Arc<str>,
    /// There is one in the subject.
    in_subject: bool,
}

/// The rules with an unresolved variable in what they select.
pub(super) fn templated_rules(repository: &Repository) -> Vec<TemplatedRule> {
    let mut of_subject: OfSubject<'_, Option<Arc<str>>> = OfSubject::default();
    let mut found = Vec::new();
    for rule in repository.rules() {
        let subject = of_subject.of(rule, |s| selector_variable(s).map(Into::into));
        let in_subject = subject.is_some();
        if let Some(variable) = subject.or_else(|| variable(rule).map(Into::into)) {
            found.push(TemplatedRule {
                rule: Arc::clone(rule),
                variable,
                in_subject,
            });
        }
    }
    found
}

/// What was last found out of a subject: the rules of an object share theirs,
/// which may be large.
struct OfSubject<'r, T>(Option<(&'r Arc<Selector>, T)>);

impl<T> Default for OfSubject<'_, T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'r, T: Clone> OfSubject<'r, T> {
    fn of(&mut self, rule: &'r Rule, find: impl FnOnce(&Selector) -> T) -> T {
        match &self.0 {
            Some((subject, known)) if Arc::ptr_eq(subject, &rule.subject) => known.clone(),
            _ => {
                let found = find(&rule.subject);
                self.0 = Some((&rule.subject, found.clone()));
                found
            }
        }
    }
}

fn selector_variable(selector: &Selector) -> Option<&str> {
    selector
        .requirements()
        .iter()
        .find_map(requirement_variable)
}

/// The first variable of a rule, its subject left out.
fn variable(rule: &Rule) -> Option<&str> {
    let mut peers = rule.peers.iter().flatten();
    let in_selectors = peers.find_map(|s| selector_variable(s));
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
    /// Some policy has variables that nobody has filled in.
    #[must_use]
    pub fn has_open_input(&self) -> bool {
        !self.templated().is_empty() || !self.open_policies.is_empty()
    }

    /// Whether an answer for a subject may be open because the input is not
    /// complete. `subject` is `None` for the host.
    #[must_use]
    pub fn may_be_unsettled(
        &self,
        subject: Option<&Endpoint>,
        policy: &SubjectPolicy,
        direction: Direction,
    ) -> bool {
        let nameless = match direction {
            Direction::Ingress => subject.is_some_and(|e| !e.names_ports),
            Direction::Egress => self
                .endpoints
                .iter()
                .any(|e| !e.host_network && !e.names_ports),
        };
        let named = |r: &Arc<Rule>| {
            let mut ports = r.ports.iter().flat_map(|p| &p.ports);
            ports.any(|p| matches!(p.port, RulePort::Name(_)))
        };
        self.has_open_input() || nameless && policy.direction(direction).rules.iter().any(named)
    }

    /// Protocols and ranges of ports at whose ends an answer may become open,
    /// beside those that policy maps tell apart.
    #[must_use]
    pub fn unsettled_ports(&self) -> Vec<(u8, u16, u16)> {
        let mut found = Vec::new();
        let rules = self.templated().iter().flat_map(|t| &t.rule.ports);
        for port in rules.flat_map(|p| &p.ports) {
            let protocols: &[u8] = match port.protocol {
                protocol::ANY => &[protocol::TCP, protocol::UDP, protocol::SCTP],
                _ => std::slice::from_ref(&port.protocol),
            };
            let numbers: Vec<(u16, u16)> = match &port.port {
                RulePort::Number(n) => vec![(*n, port.end_port.max(*n))],
                RulePort::Name(name) => {
                    let named = self
                        .endpoints
                        .iter()
                        .filter_map(|e| e.named_ports.get(name));
                    named.map(|(_, n)| (*n, *n)).collect()
                }
            };
            for protocol in protocols {
                found.extend(
                    numbers
                        .iter()
                        .map(|(first, last)| (*protocol, *first, *last)),
                );
            }
        }
        found
    }

    /// Why a verdict that a policy map gives may be wrong, because the input is
    /// not complete; empty when it is settled. `subject` is `None` for the host.
    #[must_use]
    pub fn unsettled(
        &self,
        subject: Option<&Endpoint>,
        policy: &SubjectPolicy,
        question: &Question,
        verdict: Verdict,
    ) -> Vec<String> {
        let asked = Asked {
            direction: question.direction,
            subject,
            peer: question.peer,
            protocol: question.protocol,
            port: if question.untracked_fragment {
                0
            } else {
                question.port
            },
            verdict,
        };
        self.doubts(&asked, policy)
    }

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
        let mut selects = OfSubject::default();
        for templated in self.templated() {
            let TemplatedRule { rule, variable, .. } = templated;
            if rule.direction == asked.direction
                && may_apply(rule, asked, subject)
                && selects.of(rule, |s| may_select(s, subject, self))
                && self.could_change(templated, asked, peer, policy)
            {
                why.push(format!(
                    "{} of `{}` depends on `{variable}`, which is not filled in",
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
        templated: &TemplatedRule,
        asked: &Asked<'_>,
        peer: &LabelSet,
        policy: &SubjectPolicy,
    ) -> bool {
        let rule = &templated.rule;
        // It might switch on default deny.
        let subject_open = templated.in_subject || template::find(&rule.namespace).is_some();
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

/// True for a rule of the subject's kind and namespace.
fn may_apply(rule: &Rule, asked: &Asked<'_>, subject: &LabelSet) -> bool {
    let namespace = subject.namespace().unwrap_or("");
    let in_namespace = rule.namespace.is_empty()
        || *rule.namespace == *namespace
        || template::find(&rule.namespace).is_some();
    let for_host = asked.subject.is_none();
    rule.selects_nodes == for_host && in_namespace
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
