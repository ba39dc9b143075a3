//! Explanations as JSON, places resolved.

use super::{Candidate, ChangeKind, Enforcement, Explanation, Fate, PeerMatch, PortMatch};
use crate::rule::{JsonPlace, Rule, RuleVerdict, protocol};
use crate::selector::SelectorKind;
use crate::source::Sources;
use serde::Serialize;

/// An explanation as `netverdict explain -o json` prints it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JsonExplanation {
    /// `ingress` or `egress` of the subject.
    pub direction: &'static str,
    /// The subject's identity.
    pub subject: u32,
    /// The peer's identity.
    pub peer: u32,
    /// `TCP`, or a number.
    pub protocol: String,
    /// Destination port, or ICMP type.
    pub port: u16,
    /// `allow`, `deny`, `default-deny`, `redirect` or `auth-required`.
    pub verdict: &'static str,
    /// As Hubble prints it.
    pub match_type: &'static str,
    /// The datapath's return code.
    pub code: i16,
    /// `off`, `allow-by-default` or `deny-by-default`.
    pub enforcement: &'static str,
    /// The rules that switched default deny on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub default_deny_by: Vec<JsonPlace>,
    /// Every rule that selects the subject.
    pub candidates: Vec<JsonCandidate>,
    /// The smallest change that turns the verdict round.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<JsonChange>,
}

/// A candidate with its fate.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JsonCandidate {
    /// The rule.
    #[serde(flatten)]
    pub place: JsonPlace,
    /// `Normal`, `Admin`, …
    pub tier: String,
    /// Flattened priority.
    pub priority: u32,
    /// `allow`, `deny` or `pass`.
    pub verdict: &'static str,
    /// What became of it: `decides`, `no-match`, …
    pub fate: &'static str,
    /// The same in words.
    pub reason: String,
}

/// A change.
#[derive(Clone, Debug, Serialize)]
pub struct JsonChange {
    /// One sentence.
    pub summary: String,
    /// The list a member is to be added to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list: Option<&'static str>,
    /// The member to add.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// A whole policy with that member.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Rules to take away or narrow.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<JsonPlace>,
}

impl Fate {
    /// A word for machines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Decides => "decides",
            Self::Authenticates => "authenticates",
            Self::Passed => "passed",
            Self::NoMatch => "no-match",
            Self::Agrees => "agrees",
            Self::HigherTier => "higher-tier",
            Self::StrongerPriority => "stronger-priority",
            Self::DenyWins => "deny-wins",
            Self::RedirectWins => "redirect-wins",
            Self::MoreSpecific => "more-specific",
            Self::NoEntry => "no-entry",
        }
    }
}

impl Candidate {
    /// Why it does not decide, or that it does, in words.
    #[must_use]
    pub fn reason(&self) -> String {
        if self.fate != Fate::NoMatch {
            return match &self.peer {
                PeerMatch::Aggregate(s) if self.fate == Fate::Decides => {
                    format!("it decides: `{s}` also reaches the peer by its number")
                }
                _ => self.fate.reason().to_owned(),
            };
        }
        let mut reasons = Vec::new();
        match &self.peer {
            PeerMatch::Nobody => reasons.push("it selects nobody".to_owned()),
            PeerMatch::Missed { selector, misses } => {
                let prefix = matches!(
                    selector.kind(),
                    SelectorKind::Cidr | SelectorKind::CidrGroup
                );
                if prefix && misses.is_empty() {
                    reasons.push("prefixes match neither pods nor nodes".to_owned());
                }
                reasons.extend(misses.iter().map(ToString::to_string));
                if reasons.is_empty() {
                    reasons.push(format!("its peer is `{selector}`"));
                }
            }
            _ => {}
        }
        match &self.port {
            PortMatch::NoPorts => reasons.push("its port list is empty".to_owned()),
            PortMatch::Missed { port, resolved } => reasons.push(match (&port.port, resolved) {
                (crate::rule::RulePort::Name(name), None) => {
                    format!("nobody here calls a port `{name}`")
                }
                (crate::rule::RulePort::Name(name), Some(n)) => {
                    format!("its port is `{name}`, which is {n} here")
                }
                _ => format!("its port is {port}"),
            }),
            _ => {}
        }
        reasons.join("; ")
    }
}

impl JsonExplanation {
    /// Resolves an explanation's places.
    #[must_use]
    pub fn new(e: &Explanation, sources: &Sources) -> Self {
        let place = |r: &Rule| JsonPlace::new(r, sources);
        let (enforcement, by) = match &e.enforcement {
            Enforcement::Off => ("off", &[][..]),
            Enforcement::AllowByDefault => ("allow-by-default", &[][..]),
            Enforcement::DenyByDefault(by) => ("deny-by-default", by.as_slice()),
        };
        Self {
            direction: e.direction.as_str(),
            subject: e.subject.0,
            peer: e.question.peer.0,
            protocol: protocol::name(e.question.protocol)
                .map_or_else(|| e.question.protocol.to_string(), str::to_owned),
            port: e.question.port,
            verdict: e.verdict.as_str(),
            match_type: e.match_type.as_str(),
            code: e.code,
            enforcement,
            default_deny_by: by.iter().map(|r| place(r)).collect(),
            candidates: e
                .candidates
                .iter()
                .map(|c| JsonCandidate {
                    place: place(&c.rule),
                    tier: c.rule.tier.to_string(),
                    priority: c.priority,
                    verdict: match c.rule.verdict {
                        RuleVerdict::Allow => "allow",
                        RuleVerdict::Deny => "deny",
                        RuleVerdict::Pass => "pass",
                    },
                    fate: c.fate.as_str(),
                    reason: c.reason(),
                })
                .collect(),
            change: e.change.as_ref().map(|c| {
                let mut change = JsonChange {
                    summary: c.summary.clone(),
                    list: None,
                    member: None,
                    policy: None,
                    remove: Vec::new(),
                };
                match &c.kind {
                    ChangeKind::Add {
                        list,
                        member,
                        policy,
                        ..
                    } => {
                        change.list = Some(list);
                        change.member = Some(member.clone());
                        change.policy = Some(policy.clone());
                    }
                    ChangeKind::Remove(rules) => {
                        change.remove = rules.iter().map(|r| place(r)).collect();
                    }
                }
                change
            }),
        }
    }
}
