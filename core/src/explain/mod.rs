//! Why a packet passes or not.
//!
//! In: a subject's policy and map, and a question. Out: an [`Explanation`]:
//! the verdict of the same lookup the datapath makes, every rule that was a
//! candidate with what became of it, what switched default deny on, and the
//! smallest change that would turn the verdict round.
//!
//! The verdict is never worked out a second time here: the winner is whatever
//! [`PolicyMap::lookup`] finds, and the rest says how the other rules relate
//! to it.
//!
//! ```
//! use netverdict::cluster::{Cluster, Flow};
//! use netverdict::explain::{Candidate, Explanation};
//!
//! let cluster = Cluster::read(include_str!("../../examples/shop.yaml"))?;
//! let (from, to) = (cluster.peer("shop/web")?, cluster.peer("shop/db")?);
//! let ask = |port| cluster.explain(&Flow::new(&from, &to, 6, port)).ingress.expect("db has a policy");
//! let open: Explanation = ask(5432);
//! let deciding: Vec<String> = open.deciding().map(|rule| rule.origin.id()).collect();
//! assert_eq!(deciding, ["NetworkPolicy/shop/db"]);
//! // The rule is about somebody else's packet, and says which part was in the way.
//! let closed = ask(80);
//! let miss: &Candidate = closed.near_misses().next().expect("a rule that nearly did");
//! assert!(miss.reason().contains("5432"));
//! # Ok::<(), Box<netverdict::diagnostic::Diagnostic>>(())
//! ```

mod change;
mod json;
mod matching;

pub use crate::rule::JsonPlace;
pub use change::{Change, ChangeKind};
pub use json::{JsonCandidate, JsonChange, JsonExplanation};
pub use matching::{Miss, PeerMatch, PortMatch};

use crate::config::Config;
use crate::identity::NumericIdentity;
use crate::label::LabelSet;
use crate::policy_map::{Entry, Key, MatchType, PolicyMap, Question, Verdict};
use crate::resolve::{DirectionPolicy, SubjectPolicy};
use crate::rule::{Direction, Rule, RuleVerdict, Tier};
use crate::selector::SelectorIndex;
use matching::Matcher;
use std::sync::Arc;

/// Everything an explanation looks at.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The resolved policy.
    pub policy: &'a SubjectPolicy,
    /// The map distilled from it.
    pub map: &'a PolicyMap,
    /// The selectors the map was distilled with.
    pub selectors: &'a SelectorIndex,
    /// The subject's labels.
    pub labels: &'a LabelSet,
    /// The peer's labels; `None` for an identity nobody knows.
    pub peer: Option<&'a LabelSet>,
    /// What a port name and protocol mean for this question: on ingress to the
    /// subject, on egress to the peer.
    pub named_port: &'a dyn Fn(&Arc<str>, u8) -> Option<u16>,
}

/// One side of a flow, explained.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// Seen from the subject.
    pub direction: Direction,
    /// The subject's identity.
    pub subject: NumericIdentity,
    /// What was asked.
    pub question: Question,
    /// What happens.
    pub verdict: Verdict,
    /// How much the deciding entry looks at.
    pub match_type: MatchType,
    /// The datapath's return code.
    pub code: i16,
    /// Where a redirect leads; 0 for nowhere.
    pub proxy_port: u16,
    /// The key of the deciding entry.
    pub key: Option<Key>,
    /// Whether the direction is enforced, and by what.
    pub enforcement: Enforcement,
    /// Every rule that selects the subject in this direction, tier by tier, in
    /// evaluation order; those Cilium adds come last.
    pub candidates: Vec<Candidate>,
    /// The smallest change that would turn the verdict round.
    pub change: Option<Change>,
}

/// Whether a direction is enforced.
#[derive(Clone, Debug)]
pub enum Enforcement {
    /// No rule selects the subject in this direction: everything passes.
    Off,
    /// Rules apply, but none of them makes the rest denied.
    AllowByDefault,
    /// What no rule allows is denied: these rules switched that on. Empty when
    /// the agent enforces always.
    DenyByDefault(Vec<Arc<Rule>>),
}

/// A rule with what became of it.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The rule.
    pub rule: Arc<Rule>,
    /// Its flattened priority.
    pub priority: u32,
    /// How the rule relates to the packet's peer.
    pub peer: PeerMatch,
    /// How it relates to the packet's port.
    pub port: PortMatch,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// The deciding entry derives from it.
    Decides,
    /// It says what authentication the deciding entry wants.
    Authenticates,
    /// It matches and passes the packet on to the tiers below.
    Passed,
    /// It does not match the packet.
    NoMatch,
    /// It wants the same; the deciding entry is there without it.
    Agrees,
    /// A rule of a higher tier decides.
    HigherTier,
    /// A rule of a stronger priority of the same tier decides.
    StrongerPriority,
    /// At equal priority a deny beats an allow.
    DenyWins,
    /// At equal priority a redirect beats a plain allow, and the redirect of a
    /// stronger listener another one.
    RedirectWins,
    /// At equal precedence the entry with the longer port prefix decides, then
    /// the one of the peer itself.
    MoreSpecific,
    /// It matches but left no entry: a name nobody defines, a proxy that is
    /// not there.
    NoEntry,
}

impl Fate {
    /// In words, after "because".
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Decides => "it decides",
            Self::Authenticates => "it says which authentication the deciding rule needs",
            Self::Passed => "it passes the packet to the next tier",
            Self::NoMatch => "it does not match",
            Self::Agrees => "it agrees with the deciding rule",
            Self::HigherTier => "a rule of a higher tier decides",
            Self::StrongerPriority => "a rule of a stronger priority decides",
            Self::DenyWins => "deny wins at equal priority",
            Self::RedirectWins => "a redirect to a proxy wins at equal priority",
            Self::MoreSpecific => "a more specific entry of equal precedence decides",
            Self::NoEntry => "it matches but yields no entry",
        }
    }
}

impl Explanation {
    /// Explains one side of a flow.
    #[must_use]
    pub fn new(subject: &Subject<'_>, question: &Question, config: &Config) -> Self {
        let outcome = subject.map.lookup(question, config);
        let policy = subject.policy.direction(question.direction);
        let matcher = Matcher::new(subject, question, config);
        let decided = Decided {
            entry: outcome.entry,
            donor: outcome
                .other
                .filter(|_| outcome.auth_type != 0)
                .filter(|(_, o)| o.auth_type() == outcome.auth_type)
                .filter(|_| {
                    outcome
                        .entry
                        .is_some_and(|(_, e)| e.auth_type() != outcome.auth_type)
                }),
            policy,
        };
        let candidates = (0u32..)
            .zip(policy.rules.iter().zip(&policy.priorities))
            .map(|(number, (rule, priority))| {
                let (peer, port) = matcher.test(rule);
                let matches = peer.matches() && port.matches();
                Candidate {
                    rule: Arc::clone(rule),
                    priority: *priority,
                    fate: decided.fate(number, rule, *priority, matches),
                    peer,
                    port,
                }
            })
            .collect();
        let mut explanation = Self {
            direction: question.direction,
            subject: subject.policy.subject,
            question: *question,
            verdict: outcome.verdict,
            match_type: outcome.match_type,
            code: outcome.code,
            proxy_port: outcome.proxy_port,
            key: outcome.entry.map(|(key, _)| key),
            enforcement: enforcement(policy),
            candidates,
            change: None,
        };
        explanation.change = change::smallest(&explanation, subject);
        explanation
    }

    /// The rules the deciding entry derives from.
    pub fn deciding(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.candidates
            .iter()
            .filter(|c| c.fate == Fate::Decides)
            .map(|c| &c.rule)
    }

    /// Rules that nearly match: the peer or the port fits, not both.
    pub fn near_misses(&self) -> impl Iterator<Item = &Candidate> {
        self.candidates.iter().filter(|c| {
            c.fate == Fate::NoMatch
                && (c.peer.matches() || c.port.matches())
                && !c.rule.origin.is_synthesized()
        })
    }
}

fn enforcement(policy: &DirectionPolicy) -> Enforcement {
    if !policy.enforced {
        return Enforcement::Off;
    }
    if !policy.default_deny {
        return Enforcement::AllowByDefault;
    }
    let by = policy.rules.iter().filter(|r| r.default_deny);
    Enforcement::DenyByDefault(by.cloned().collect())
}

/// The deciding entry, against which the other rules are held.
struct Decided<'a> {
    entry: Option<(Key, &'a Entry)>,
    donor: Option<(Key, &'a Entry)>,
    policy: &'a DirectionPolicy,
}

impl Decided<'_> {
    fn fate(&self, number: u32, rule: &Rule, priority: u32, matches: bool) -> Fate {
        let derives =
            |e: Option<(Key, &Entry)>| e.is_some_and(|(_, e)| e.origin.iter().any(|i| i == number));
        if derives(self.entry) {
            return Fate::Decides;
        }
        if derives(self.donor) {
            return Fate::Authenticates;
        }
        if !matches {
            return Fate::NoMatch;
        }
        let Some((_, entry)) = self.entry else {
            return if rule.verdict == RuleVerdict::Pass {
                Fate::Passed
            } else {
                Fate::NoEntry
            };
        };
        let winner = entry
            .origin
            .iter()
            .next()
            .and_then(|i| self.policy.rules.get(i as usize).map(|r| (i, r)));
        let Some((index, winner)) = winner else {
            return Fate::NoEntry;
        };
        let won_at = self.policy.priorities.get(index as usize).copied();
        if rule.verdict == RuleVerdict::Pass {
            return if winner.tier > rule.tier || rule.tier == Tier::DEFAULT {
                Fate::Passed
            } else {
                Fate::StrongerPriority
            };
        }
        if winner.tier < rule.tier {
            return Fate::HigherTier;
        }
        if winner.tier == rule.tier && won_at.is_some_and(|p| p < priority) {
            return Fate::StrongerPriority;
        }
        match (winner.verdict, rule.verdict) {
            (RuleVerdict::Deny, RuleVerdict::Allow) => Fate::DenyWins,
            (RuleVerdict::Allow, RuleVerdict::Allow) if entry.proxy_port != 0 => {
                if redirects(rule) {
                    Fate::Agrees
                } else {
                    Fate::RedirectWins
                }
            }
            (w, r) if w == r => Fate::Agrees,
            _ => Fate::MoreSpecific,
        }
    }
}

/// True when some port of a rule goes to a proxy.
fn redirects(rule: &Rule) -> bool {
    rule.ports.iter().any(|p| {
        p.l7.is_some()
            || p.listener.is_some()
            || !p.server_names.is_empty()
            || p.terminating_tls.is_some()
            || p.originating_tls.is_some()
    })
}
