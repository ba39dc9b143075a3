//! The datapath's lookup.
//!
//! In: a map and a packet's peer, protocol and port. Out: the verdict with the
//! entry that gave it. The algorithm is that of Cilium 1.20.2
//! bpf/lib/policy.h `__policy_can_access`; entries marked invalid are skipped.

use super::distil::PolicyMap;
use super::key::{Key, L4Key};
use super::precedence::Precedence;
use super::state::{Entry, MapState};
use crate::config::Config;
use crate::identity::NumericIdentity;
use crate::rule::{Direction, protocol};

/// What is asked of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Question {
    /// Traffic to or from the subject.
    pub direction: Direction,
    /// The other side.
    pub peer: NumericIdentity,
    /// IP protocol number.
    pub protocol: u8,
    /// Destination port; for ICMP and ICMPv6 the type. 0 for fragments that
    /// are not tracked and for protocols without ports.
    pub port: u16,
    /// ICMP code; only "fragmentation needed" (type 3, code 4) matters.
    pub icmp_code: Option<u8>,
    /// A fragment whose first part was not seen.
    pub untracked_fragment: bool,
}

impl Question {
    /// A question about a plain packet.
    #[must_use]
    pub const fn new(direction: Direction, peer: NumericIdentity, protocol: u8, port: u16) -> Self {
        Self {
            direction,
            peer,
            protocol,
            port,
            icmp_code: None,
            untracked_fragment: false,
        }
    }
}

/// How much of a packet the deciding entry looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum MatchType {
    /// No entry matched.
    #[default]
    None = 0,
    /// The peer.
    L3Only = 1,
    /// Peer, protocol and port.
    L3L4 = 2,
    /// Protocol and port.
    L4Only = 3,
    /// Nothing.
    All = 4,
    /// Peer and protocol.
    L3Proto = 5,
    /// Protocol.
    ProtoOnly = 6,
}

impl MatchType {
    /// All of them, in the order of their numbers.
    pub const EVERY: [Self; 7] = [
        Self::None,
        Self::L3Only,
        Self::L3L4,
        Self::L4Only,
        Self::All,
        Self::L3Proto,
        Self::ProtoOnly,
    ];

    /// As Hubble prints it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::L3Only => "L3-Only",
            Self::L3L4 => "L3-L4",
            Self::L4Only => "L4-Only",
            Self::All => "all",
            Self::L3Proto => "L3-Proto",
            Self::ProtoOnly => "Proto-Only",
        }
    }
}

/// What happens to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It passes.
    Allow,
    /// A rule denies it (drop reason 181).
    Deny,
    /// No rule allows it (drop reason 133, or 157 for an untracked fragment).
    DefaultDeny,
    /// It goes to the proxy, which decides.
    Redirect,
    /// It passes once the peers have authenticated each other (drop reason
    /// 189 until then).
    AuthRequired,
}

impl Verdict {
    /// True when the packet gets through, be it by way of a proxy.
    #[must_use]
    pub const fn is_allowed(self) -> bool {
        matches!(self, Self::Allow | Self::Redirect)
    }

    /// One word for people and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::DefaultDeny => "default-deny",
            Self::Redirect => "redirect",
            Self::AuthRequired => "auth-required",
        }
    }
}

/// A verdict with what led to it.
#[derive(Clone, Copy, Debug)]
pub struct Outcome<'a> {
    /// What happens.
    pub verdict: Verdict,
    /// How much the deciding entry looks at.
    pub match_type: MatchType,
    /// The deciding entry.
    pub entry: Option<(Key, &'a Entry)>,
    /// The entry of the other lookup, if it found one.
    pub other: Option<(Key, &'a Entry)>,
    /// Where a redirect leads; 0 for nowhere.
    pub proxy_port: u16,
    /// The authentication type required; 0 for none.
    pub auth_type: u8,
    /// The datapath's return code: 0 or a negative drop reason.
    pub code: i16,
}

impl Outcome<'_> {
    const fn plain(verdict: Verdict, code: i16) -> Self {
        Self {
            verdict,
            match_type: MatchType::None,
            entry: None,
            other: None,
            proxy_port: 0,
            auth_type: 0,
            code,
        }
    }
}

const DROP_POLICY: i16 = -133;
const DROP_FRAG_NOSUPPORT: i16 = -157;
const DROP_POLICY_DENY: i16 = -181;
const DROP_POLICY_AUTH_REQUIRED: i16 = -189;

impl PolicyMap {
    /// What happens to a packet.
    #[must_use]
    pub fn lookup(&self, q: &Question, config: &Config) -> Outcome<'_> {
        // Path MTU discovery works against every rule.
        if config.allow_icmp_frag_needed
            && q.protocol == protocol::ICMP
            && q.port == 3
            && q.icmp_code == Some(4)
        {
            return Outcome::plain(Verdict::Allow, 0);
        }
        let icmp = matches!(q.protocol, protocol::ICMP | protocol::ICMPV6);
        let port = if q.untracked_fragment || (icmp && !config.icmp_rules) {
            0
        } else {
            q.port
        };
        let state = self.direction(q.direction);
        let find = |identity| {
            longest_match(state, identity, q.protocol, port).map(|(l4, entry)| {
                let key = Key {
                    direction: q.direction,
                    identity,
                    l4,
                };
                (key, entry)
            })
        };
        let specific = find(q.peer);
        let mut wider = None;
        if specific.is_none_or(|(_, e)| e.precedence != Precedence::MAX) {
            let aggregate = q.peer.aggregate(config);
            if aggregate != q.peer {
                wider = find(aggregate);
            }
            if wider.is_none() && specific.is_none() && aggregate != NumericIdentity::UNKNOWN {
                wider = find(NumericIdentity::UNKNOWN);
            }
        }
        let rank = |(k, e): &(Key, &Entry)| (e.precedence, k.l4.prefix_len());
        match (specific, wider) {
            (None, None) if q.untracked_fragment => {
                Outcome::plain(Verdict::DefaultDeny, DROP_FRAG_NOSUPPORT)
            }
            (None, None) => Outcome::plain(Verdict::DefaultDeny, DROP_POLICY),
            (s, Some(w)) if s.as_ref().is_none_or(|s| rank(&w) > rank(s)) => {
                let match_type = match w.0.l4.prefix_len() {
                    0 => MatchType::All,
                    1..=8 => MatchType::ProtoOnly,
                    _ => MatchType::L4Only,
                };
                decide(w, s, match_type)
            }
            (Some(s), w) => {
                let match_type = match s.0.l4.prefix_len() {
                    0 => MatchType::L3Only,
                    1..=8 => MatchType::L3Proto,
                    _ => MatchType::L3L4,
                };
                decide(s, w, match_type)
            }
            (None, Some(w)) => decide(w, None, MatchType::None),
        }
    }
}

fn longest_match(
    state: &MapState,
    identity: NumericIdentity,
    protocol: u8,
    port: u16,
) -> Option<(L4Key, &Entry)> {
    let full = L4Key {
        protocol,
        port,
        port_prefix: 16,
    };
    full.ancestors().rev().find_map(|l4| {
        state
            .get(identity, l4)
            .filter(|e| !e.invalid)
            .map(|e| (l4, e))
    })
}

fn decide<'a>(
    chosen: (Key, &'a Entry),
    other: Option<(Key, &'a Entry)>,
    match_type: MatchType,
) -> Outcome<'a> {
    let (_, entry) = chosen;
    let mut outcome = Outcome {
        match_type,
        entry: Some(chosen),
        other,
        ..Outcome::plain(Verdict::Allow, 0)
    };
    if entry.is_deny() {
        outcome.verdict = Verdict::Deny;
        outcome.code = DROP_POLICY_DENY;
        return outcome;
    }
    outcome.proxy_port = entry.proxy_port;
    outcome.auth_type = entry.auth_type();
    if let Some((_, o)) = other
        && o.precedence == entry.precedence
        && !entry.auth_explicit()
    {
        outcome.auth_type = outcome.auth_type.max(o.auth_type());
    }
    if outcome.auth_type != 0 {
        outcome.verdict = Verdict::AuthRequired;
        outcome.code = DROP_POLICY_AUTH_REQUIRED;
    } else if entry.proxy_port != 0 {
        outcome.verdict = Verdict::Redirect;
    }
    outcome
}
