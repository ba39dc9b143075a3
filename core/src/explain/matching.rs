//! How a rule relates to a packet: which part of it matches, and the nearest
//! thing that does not.

use super::Subject;
use crate::config::Config;
use crate::identity::NumericIdentity;
use crate::label::{Label, LabelSet, keys};
use crate::object::SelectorOperator;
use crate::policy_map::{L4Key, Question};
use crate::rule::{Direction, PortProtocol, Rule, RulePort, protocol};
use crate::selector::{Requirement, Selector, SelectorIndex};
use std::fmt;
use std::sync::Arc;

/// How a rule's peers relate to the packet's.
#[derive(Clone, Debug)]
pub enum PeerMatch {
    /// The rule does not restrict peers.
    Everybody,
    /// This selector selects the peer.
    Selected(Arc<Selector>),
    /// This selector selects the peer's aggregate, which decides by number:
    /// `cluster`, `world` and `remote-node` reach every identity of theirs,
    /// whatever its labels.
    Aggregate(Arc<Selector>),
    /// The rule selects nobody: an empty peer list, or a member without peers
    /// and ports.
    Nobody,
    /// No selector matches; what the nearest one misses.
    Missed {
        /// The nearest selector.
        selector: Arc<Selector>,
        /// What it asks for that the peer lacks.
        misses: Vec<Miss>,
    },
}

impl PeerMatch {
    /// True when the peer is among the rule's.
    #[must_use]
    pub const fn matches(&self) -> bool {
        matches!(
            self,
            Self::Everybody | Self::Selected(_) | Self::Aggregate(_)
        )
    }
}

/// How a rule's ports relate to the packet's.
#[derive(Clone, Debug)]
pub enum PortMatch {
    /// The rule does not restrict ports.
    Every,
    /// This one covers the packet's.
    Matched(PortProtocol),
    /// A port rule without ports matches nothing.
    NoPorts,
    /// None covers the packet's port; the nearest one.
    Missed {
        /// The nearest port.
        port: PortProtocol,
        /// What a named port resolves to here, if it does.
        resolved: Option<u16>,
    },
}

impl PortMatch {
    /// True when the packet's port is among the rule's.
    #[must_use]
    pub const fn matches(&self) -> bool {
        matches!(self, Self::Every | Self::Matched(_))
    }
}

/// A condition the peer does not meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miss {
    /// The condition.
    pub wanted: Requirement,
    /// What the peer has under that key.
    pub found: Option<Label>,
}

impl Miss {
    fn new(wanted: &Requirement, labels: &LabelSet) -> Self {
        let key = wanted.key.key();
        let found = labels
            .find(&wanted.key)
            .or_else(|| labels.get(key))
            .cloned();
        Self {
            wanted: wanted.clone(),
            found,
        }
    }
}

impl fmt::Display for Miss {
    /// `namespace is "a", not "b"`; `label app=web is missing`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.wanted.key.key();
        let what = match key {
            keys::POD_NAMESPACE => "namespace",
            keys::CLUSTER => "cluster",
            keys::SERVICE_ACCOUNT => "service account",
            other => other,
        };
        let values = self
            .wanted
            .values
            .iter()
            .map(|v| format!("`{v}`"))
            .collect::<Vec<_>>()
            .join(" or ");
        match (self.wanted.operator, &self.found) {
            (SelectorOperator::In, Some(l)) if l.value().is_empty() && values == "``" => {
                write!(
                    f,
                    "label `{l}` has another source than `{}`",
                    self.wanted.key
                )
            }
            (SelectorOperator::In, Some(l)) => {
                write!(f, "{what} is `{}`, not {values}", l.value())
            }
            (SelectorOperator::In, None) if values == "``" => {
                write!(f, "it is not `{}`", self.wanted.key)
            }
            (SelectorOperator::In, None) => write!(f, "{what} is missing, {values} is wanted"),
            (SelectorOperator::NotIn, Some(l)) => {
                write!(f, "{what} is `{}`, which is excluded", l.value())
            }
            (SelectorOperator::Exists, _) if self.wanted.key.prefix().is_some() => {
                write!(f, "its address is not known to be in {key}")
            }
            (SelectorOperator::Exists, _) => write!(f, "{what} is missing"),
            (SelectorOperator::DoesNotExist, Some(l)) => {
                write!(f, "it has `{l}`, which is excluded")
            }
            (SelectorOperator::NotIn | SelectorOperator::DoesNotExist, None) => {
                write!(f, "{what} is excluded")
            }
        }
    }
}

/// Tests rules against one question.
pub(super) struct Matcher<'a> {
    selectors: &'a SelectorIndex,
    subject: &'a Subject<'a>,
    question: Question,
    aggregate: NumericIdentity,
    no_labels: LabelSet,
}

impl<'a> Matcher<'a> {
    pub(super) fn new(subject: &'a Subject<'a>, question: &Question, config: &Config) -> Self {
        Self {
            selectors: subject.selectors,
            subject,
            question: *question,
            aggregate: question.peer.aggregate(config),
            no_labels: LabelSet::default(),
        }
    }

    pub(super) fn test(&self, rule: &Rule) -> (PeerMatch, PortMatch) {
        (self.peer(rule), self.port(rule))
    }

    fn peer(&self, rule: &Rule) -> PeerMatch {
        let Some(peers) = &rule.peers else {
            return PeerMatch::Nobody;
        };
        if peers.is_empty() {
            return if rule.ports.is_empty() {
                PeerMatch::Nobody
            } else {
                PeerMatch::Everybody
            };
        }
        let selects = |s: &Selector, id: NumericIdentity| {
            self.selectors
                .find(s)
                .and_then(|i| self.selectors.selections(i))
                .is_some_and(|ids| ids.contains(id.0))
        };
        if peers.iter().any(|s| s.is_wildcard()) {
            return PeerMatch::Everybody;
        }
        if let Some(s) = peers.iter().find(|s| selects(s, self.question.peer)) {
            return PeerMatch::Selected(Arc::clone(s));
        }
        if let Some(s) = peers.iter().find(|s| selects(s, self.aggregate)) {
            return PeerMatch::Aggregate(Arc::clone(s));
        }
        let labels = self.subject.peer.unwrap_or(&self.no_labels);
        peers
            .iter()
            .map(|selector| {
                let misses: Vec<Miss> = selector
                    .requirements()
                    .iter()
                    .filter(|r| !r.matches(labels))
                    .map(|r| Miss::new(r, labels))
                    .collect();
                (selector, misses)
            })
            .min_by_key(|(_, misses)| misses.len())
            .map_or(PeerMatch::Nobody, |(selector, misses)| PeerMatch::Missed {
                selector: Arc::clone(selector),
                misses,
            })
    }

    fn port(&self, rule: &Rule) -> PortMatch {
        if rule.ports.is_empty() {
            return PortMatch::Every;
        }
        let all = || rule.ports.iter().flat_map(|p| &p.ports);
        if let Some(p) = all().find(|p| self.covers(p)) {
            return PortMatch::Matched(p.clone());
        }
        // The same protocol is nearer than the same number.
        all()
            .min_by_key(|p| !self.same_protocol(p))
            .map_or(PortMatch::NoPorts, |p| PortMatch::Missed {
                port: p.clone(),
                resolved: self.number(p),
            })
    }

    fn same_protocol(&self, port: &PortProtocol) -> bool {
        port.protocol == self.question.protocol
            || (port.protocol == protocol::ANY
                && matches!(
                    self.question.protocol,
                    protocol::TCP | protocol::UDP | protocol::SCTP
                ))
    }

    fn covers(&self, port: &PortProtocol) -> bool {
        if !self.same_protocol(port) {
            return false;
        }
        let Some(first) = self.number(port) else {
            return false;
        };
        let asked = L4Key {
            protocol: self.question.protocol,
            port: if self.question.untracked_fragment {
                0
            } else {
                self.question.port
            },
            port_prefix: 16,
        };
        let named = matches!(port.port, RulePort::Name(_));
        let last = if named && self.question.direction == Direction::Egress {
            0
        } else {
            port.end_port
        };
        L4Key::range(self.question.protocol, first, last).any(|k| k.covers(asked))
    }

    /// The port's number; a name's from the entries that came of it.
    fn number(&self, port: &PortProtocol) -> Option<u16> {
        match &port.port {
            RulePort::Number(n) => Some(*n),
            RulePort::Name(name) => {
                (self.subject.named_port)(name, self.question.protocol).filter(|n| *n != 0)
            }
        }
    }
}
