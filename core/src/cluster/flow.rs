//! What happens to a flow.
//!
//! In: two [`Peer`]s, a protocol and a port. Out: what the policy of either
//! side says, and what becomes of the flow: both sides have to let it through.

use super::doubt::Asked;
use super::{Cluster, Endpoint, Peer, ProxyRules, ResolvedPolicy, Target};
use crate::identity::NumericIdentity;
use crate::policy_map::{Entry, Key, MatchType, Question, Verdict};
use crate::rule::{Direction, Rule};
use std::fmt;
use std::sync::Arc;

/// A flow to ask about: the first packet of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Flow<'p> {
    /// Who sends it.
    pub from: &'p Peer,
    /// Who is to receive it.
    pub to: &'p Peer,
    /// IP protocol number.
    pub protocol: u8,
    /// Destination port, or ICMP type.
    pub port: u16,
    /// ICMP code.
    pub icmp_code: Option<u8>,
    /// It is a fragment whose first part was not seen: its port is unknown.
    pub untracked_fragment: bool,
}

impl<'p> Flow<'p> {
    /// The first packet of a connection to a port; of ICMP, a message of that
    /// type and any code.
    #[must_use]
    pub const fn new(from: &'p Peer, to: &'p Peer, protocol: u8, port: u16) -> Self {
        Self {
            from,
            to,
            protocol,
            port,
            icmp_code: None,
            untracked_fragment: false,
        }
    }

    /// What one side is asked about it, given the identity of the other.
    pub(super) fn question(&self, direction: Direction, peer: NumericIdentity) -> Question {
        Question {
            icmp_code: self.icmp_code,
            untracked_fragment: self.untracked_fragment,
            ..Question::new(direction, peer, self.protocol, self.port)
        }
    }
}

/// A verdict, as far as the input settles one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is settled.
    Verdict(Verdict),
    /// The input leaves it open.
    Unknown {
        /// What is missing, a sentence each.
        why: Vec<String>,
    },
}

impl Decision {
    /// True when the flow surely gets through, be it by way of a proxy.
    #[must_use]
    pub const fn is_allowed(&self) -> bool {
        matches!(self, Self::Verdict(v) if v.is_allowed())
    }

    /// The verdict, if it is settled.
    #[must_use]
    pub const fn verdict(&self) -> Option<Verdict> {
        match self {
            Self::Verdict(v) => Some(*v),
            Self::Unknown { .. } => None,
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verdict(v) => f.write_str(v.as_str()),
            Self::Unknown { why } => write!(f, "unknown: {}", why.join("; ")),
        }
    }
}

/// What the policy of one side says.
#[derive(Clone, Debug)]
pub struct SideAnswer {
    /// Egress of the sender or ingress of the receiver.
    pub direction: Direction,
    /// Whose policy it is: `namespace/name`, or `host`.
    pub subject: String,
    /// The identity the other side was judged by; `None` when it is unknown.
    pub peer: Option<NumericIdentity>,
    /// What the policy says.
    pub decision: Decision,
    /// How much of the packet the deciding entry looks at.
    pub match_type: MatchType,
    /// The deciding entry.
    pub entry: Option<(Key, Entry)>,
    /// The rules behind it.
    pub rules: Vec<Arc<Rule>>,
    /// Where a redirect leads; 0 for nowhere.
    pub proxy_port: u16,
    /// What the proxy there decides by; `None` without a redirect.
    pub proxy_rules: Option<ProxyRules>,
    /// The authentication type required; 0 for none.
    pub auth_type: u8,
    /// The datapath's return code: 0 or a negative drop reason.
    pub code: i16,
    /// The policy; `None` when there is none to be had.
    pub policy: Option<Arc<ResolvedPolicy>>,
}

/// What happens to a flow.
#[derive(Clone, Debug)]
pub struct FlowAnswer {
    /// The sender's side; `None` for senders without a policy.
    pub egress: Option<SideAnswer>,
    /// The receiver's side; `None` for receivers without a policy.
    pub ingress: Option<SideAnswer>,
    /// Both together.
    pub overall: Decision,
}

/// Whose policy is asked.
enum Subject<'p> {
    Endpoint(&'p Endpoint),
    Host,
}

impl Cluster {
    /// What happens to a flow. A side has a policy when it is a pod or a
    /// workload, or the host with the host firewall on.
    ///
    /// ```
    /// use netverdict::cluster::{Cluster, Flow};
    ///
    /// let cluster = Cluster::read(include_str!("../../examples/shop.yaml"))?;
    /// let (from, to) = (cluster.peer("shop/web")?, cluster.peer("shop/db")?);
    /// let ask = |port| cluster.flow(&Flow::new(&from, &to, 6, port));
    /// assert!(ask(5432).overall.is_allowed());
    /// assert!(!ask(80).overall.is_allowed());
    /// # Ok::<(), Box<netverdict::diagnostic::Diagnostic>>(())
    /// ```
    #[must_use]
    pub fn flow(&self, flow: &Flow<'_>) -> FlowAnswer {
        let egress = self.side(Direction::Egress, flow.from, flow.to, flow);
        let ingress = self.side(Direction::Ingress, flow.to, flow.from, flow);
        let overall = both(
            [&egress, &ingress]
                .into_iter()
                .flatten()
                .map(|s| &s.decision),
        );
        FlowAnswer {
            egress,
            ingress,
            overall,
        }
    }

    fn side(
        &self,
        direction: Direction,
        own: &Peer,
        other: &Peer,
        flow: &Flow<'_>,
    ) -> Option<SideAnswer> {
        let subject = match &own.target {
            Target::Endpoint(e) if !e.host_network => Subject::Endpoint(e),
            Target::Endpoint(_) | Target::Entity("host") if self.config.host_firewall => {
                Subject::Host
            }
            Target::Address(ip) => Subject::Endpoint(self.pods_by_address.get(ip)?),
            _ => return None,
        };
        let (viewer, name) = match (&subject, &own.target) {
            (Subject::Endpoint(e), _) => (Some(*e), e.to_string()),
            (Subject::Host, Target::Endpoint(e)) => (Some(e.as_ref()), "host".to_owned()),
            (Subject::Host, _) => (None, "host".to_owned()),
        };
        let unknown = |why: String, peer| SideAnswer {
            direction,
            subject: name.clone(),
            peer,
            decision: Decision::Unknown { why: vec![why] },
            match_type: MatchType::None,
            entry: None,
            rules: Vec::new(),
            proxy_port: 0,
            proxy_rules: None,
            auth_type: 0,
            code: 0,
            policy: None,
        };
        if let Subject::Endpoint(e) = &subject
            && let Some(variable) = &e.templated
        {
            return Some(unknown(
                format!("the identity of `{e}` depends on `{variable}`, which is not filled in"),
                None,
            ));
        }
        let policy = match &subject {
            Subject::Endpoint(e) => self.policy(e),
            Subject::Host => self.host_policy(),
        };
        let policy = match policy {
            Ok(policy) => policy,
            Err(error) => {
                let why = format!(
                    "`{name}` has no policy of these rules, Cilium keeps the one before: {error}"
                );
                return Some(unknown(why, None));
            }
        };
        let possible = match self.identities_of(&other.target, viewer) {
            Ok(possible) => possible,
            // Whoever it is, everything is allowed.
            Err(_) if !policy.subject.direction(direction).enforced => {
                vec![(String::new(), NumericIdentity::WORLD)]
            }
            Err(why) => {
                return Some(SideAnswer {
                    policy: Some(policy),
                    ..unknown(why, None)
                });
            }
        };
        let mut answers: Vec<(String, SideAnswer)> = possible
            .into_iter()
            .map(|(part, id)| {
                let answer = self.ask(direction, &subject, &name, &policy, id, flow);
                (part, answer)
            })
            .collect();
        let differ = answers
            .windows(2)
            .any(|w| matches!(w, [a, b] if a.1.decision != b.1.decision));
        if differ {
            let parts: Vec<String> = answers
                .iter()
                .map(|(part, a)| format!("{part} → {}", a.decision))
                .collect();
            let why = format!("`{other}` is not treated alike: {}", parts.join(", "));
            return Some(SideAnswer {
                policy: Some(policy),
                ..unknown(why, None)
            });
        }
        match answers.is_empty() {
            true => Some(unknown(format!("`{other}` has no identity"), None)),
            false => Some(answers.swap_remove(0).1),
        }
    }

    fn ask(
        &self,
        direction: Direction,
        subject: &Subject<'_>,
        name: &str,
        policy: &Arc<ResolvedPolicy>,
        peer: NumericIdentity,
        flow: &Flow<'_>,
    ) -> SideAnswer {
        let outcome = policy
            .map
            .lookup(&flow.question(direction, peer), &self.config);
        let rules = outcome.entry.map_or_else(Vec::new, |(_, entry)| {
            let direction = policy.subject.direction(direction);
            direction.rules_of(&entry.origin).cloned().collect()
        });
        let asked = Asked {
            direction,
            subject: match subject {
                Subject::Endpoint(e) => Some(e),
                Subject::Host => None,
            },
            peer,
            protocol: flow.protocol,
            port: if flow.untracked_fragment {
                0
            } else {
                flow.port
            },
            verdict: outcome.verdict,
        };
        let why = self.doubts(&asked, &policy.subject);
        let decision = if why.is_empty() {
            Decision::Verdict(outcome.verdict)
        } else {
            Decision::Unknown { why }
        };
        let redirected = outcome.entry.filter(|_| outcome.proxy_port != 0);
        let proxy_rules = redirected.and_then(|(key, entry)| {
            policy.proxy_rules(&key, entry, peer, self.repository.selectors())
        });
        SideAnswer {
            direction,
            subject: name.to_owned(),
            peer: Some(peer),
            proxy_rules,
            decision,
            match_type: outcome.match_type,
            entry: outcome.entry.map(|(key, entry)| (key, entry.clone())),
            rules,
            proxy_port: outcome.proxy_port,
            auth_type: outcome.auth_type,
            code: outcome.code,
            policy: Some(Arc::clone(policy)),
        }
    }
}

/// A flow passes when every side lets it; one that surely drops it settles
/// the matter.
fn both<'d>(sides: impl Iterator<Item = &'d Decision>) -> Decision {
    let mut worst = Verdict::Allow;
    let mut open = Vec::new();
    for side in sides {
        match side {
            Decision::Unknown { why } => open.extend(why.iter().cloned()),
            Decision::Verdict(v) if severity(*v) > severity(worst) => worst = *v,
            Decision::Verdict(_) => {}
        }
    }
    let dropped = matches!(worst, Verdict::Deny | Verdict::DefaultDeny);
    if open.is_empty() || dropped {
        Decision::Verdict(worst)
    } else {
        Decision::Unknown { why: open }
    }
}

/// What stops a flow the most decides what is said of it.
const fn severity(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Allow => 0,
        Verdict::Redirect => 1,
        Verdict::AuthRequired => 2,
        Verdict::DefaultDeny => 3,
        Verdict::Deny => 4,
    }
}
