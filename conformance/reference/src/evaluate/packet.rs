//! The verdict on one packet.
//!
//! In: the grants of one direction and a packet. Out: a [`Decision`]. The
//! verdict itself needs nothing but the grants that match: of the first tier
//! that has any, the strongest decides, and a Pass hands over to the next
//! tier. What the datapath says besides, which authentication is needed and
//! how much of the packet was looked at, depends on the keys that the matching
//! grants have in the policy map; those are in [`Entry`].

use super::merge::{Grant, Parser};
use super::{DirectionGrants, Subject, World};
use netverdict::identity::NumericIdentity;
use netverdict::policy_map::{MatchType, Question, Verdict};
use netverdict::rule::{Direction, RulePort, RuleVerdict, Tier, protocol};
use std::cmp::Ordering;

/// What happens to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The verdict.
    pub verdict: Verdict,
    /// The packet goes to a proxy, once authenticated.
    pub redirect: bool,
    /// Authentication type; 0 for none.
    pub auth: u8,
    /// What the datapath reports of the deciding entry. `None` where that
    /// depends on how Pass rules are cut into entries, or on the order in which
    /// Cilium inserts equally strong entries of an identity and its aggregate.
    pub match_type: Option<MatchType>,
    /// Whether authentication is needed also depends on that order, or on Pass
    /// rules, beside which Cilium calls authentication unsupported.
    pub auth_by_chance: bool,
}

impl Decision {
    fn plain(verdict: Verdict, match_type: MatchType) -> Self {
        Self {
            verdict,
            redirect: false,
            auth: 0,
            match_type: Some(match_type),
            auth_by_chance: false,
        }
    }
}

/// How strong a grant is: tier, then priority, then what it does.
#[derive(Clone, Copy, Debug)]
struct Rank {
    tier: u8,
    priority: f64,
    class: u8,
}

impl Rank {
    fn of(grant: &Grant) -> Self {
        let class = match (grant.verdict, grant.parser) {
            (RuleVerdict::Deny, _) => 255,
            (RuleVerdict::Allow, Parser::None) => 1,
            (RuleVerdict::Allow, _) if grant.listener_priority == 0 => 2,
            (RuleVerdict::Allow, _) => 255 - grant.listener_priority.min(126),
            (RuleVerdict::Pass, _) => 0,
        };
        Self {
            tier: grant.tier.0,
            priority: grant.priority,
            class,
        }
    }

    /// Greater is stronger.
    fn cmp(self, other: Self) -> Ordering {
        (other.tier.cmp(&self.tier))
            .then(other.priority.total_cmp(&self.priority))
            .then(self.class.cmp(&other.class))
    }
}

/// What the grants that match a packet have in the policy map under one key.
#[derive(Clone, Debug)]
struct Entry {
    /// Under the peer's own number, not that of its aggregate.
    own: bool,
    /// Bits of protocol and port that are matched: 0, 8, or 9 to 24.
    bits: u8,
    rank: Rank,
    /// First port and listener of a redirect: equal ones share a proxy port.
    proxy: Option<(u16, String)>,
    /// Authentication that a rule for exactly this key asks for.
    explicit: Option<u8>,
}

impl Entry {
    fn denies(&self) -> bool {
        self.rank.class == 255
    }
}

pub(super) fn decide(
    world: &World<'_>,
    subject: &Subject<'_>,
    policy: &DirectionGrants,
    q: &Question,
) -> Decision {
    let config = world.config;
    // Path MTU discovery works against every rule.
    if config.allow_icmp_frag_needed
        && (q.protocol, q.port, q.icmp_code) == (protocol::ICMP, 3, Some(4))
    {
        return Decision::plain(Verdict::Allow, MatchType::None);
    }
    let aggregate = q.peer.aggregate(config);
    if !policy.enforced {
        let own = aggregate == q.peer;
        return Decision::plain(Verdict::Allow, match_type(own, 0));
    }
    let icmp = matches!(q.protocol, protocol::ICMP | protocol::ICMPV6);
    let port = if q.untracked_fragment || (icmp && !config.icmp_rules) {
        0
    } else {
        q.port
    };

    let mut matching: Vec<(&Grant, Entry)> = Vec::new();
    for grant in &policy.grants {
        for own in [true, false] {
            let identity = if own { q.peer } else { aggregate };
            if !own && aggregate == q.peer {
                continue; // it is its own aggregate
            }
            if !selects(world, grant, q.direction, identity) {
                continue;
            }
            if let Some((bits, first)) = port_bits(world, subject, grant, q, port, identity) {
                let redirects = grant.verdict == RuleVerdict::Allow && grant.parser != Parser::None;
                let entry = Entry {
                    own,
                    bits,
                    rank: Rank::of(grant),
                    proxy: redirects.then(|| (first, grant.listener.clone())),
                    explicit: explicit_authentication(grant),
                };
                matching.push((grant, entry));
            }
        }
    }
    let Some(winner) = winner(&matching) else {
        return Decision::plain(Verdict::DefaultDeny, MatchType::None);
    };
    let has_pass = policy.grants.iter().any(|g| g.verdict == RuleVerdict::Pass);
    let authenticates = policy
        .grants
        .iter()
        .any(|g| explicit_authentication(g).is_some());
    let entries: Vec<Entry> = if has_pass {
        // Only what is as strong as the winner has a say.
        matching
            .iter()
            .filter(|(_, e)| e.rank.cmp(Rank::of(winner)).is_eq())
            .map(|(_, e)| e.clone())
            .collect()
    } else {
        matching.iter().map(|(_, e)| e.clone()).collect()
    };
    let by_chance = ties_with_aggregate(&entries, authenticates);
    let (auth, own, bits) = deciding_entry(entries, policy.first, authenticates && !has_pass);
    let deny = winner.verdict == RuleVerdict::Deny;
    let redirect = !deny && winner.parser != Parser::None;
    let auth = if deny { 0 } else { auth };
    let verdict = match (deny, auth, redirect) {
        (true, ..) => Verdict::Deny,
        (_, 1.., _) => Verdict::AuthRequired,
        (_, 0, true) => Verdict::Redirect,
        (_, 0, false) => Verdict::Allow,
    };
    Decision {
        verdict,
        redirect,
        auth,
        match_type: (!has_pass && !by_chance).then(|| match_type(own, bits)),
        auth_by_chance: authenticates && (by_chance || has_pass),
    }
}

/// The grant that decides: tier by tier, the strongest one; a Pass leaves it to
/// the next tier.
fn winner<'a>(matching: &[(&'a Grant, Entry)]) -> Option<&'a Grant> {
    let mut tiers: Vec<u8> = matching.iter().map(|(g, _)| g.tier.0).collect();
    tiers.sort_unstable();
    tiers.dedup();
    for tier in tiers {
        let strongest = matching
            .iter()
            .map(|(grant, _)| *grant)
            .filter(|grant| grant.tier.0 == tier)
            .max_by(|a, b| Rank::of(a).cmp(Rank::of(b)))?;
        if strongest.verdict != RuleVerdict::Pass {
            return Some(strongest);
        }
    }
    None
}

/// Does the grant have entries under this number?
fn selects(
    world: &World<'_>,
    grant: &Grant,
    direction: Direction,
    identity: NumericIdentity,
) -> bool {
    if grant.selector.is_wildcard() {
        let named = matches!(grant.port, RulePort::Name(_));
        if named && direction == Direction::Egress {
            // Written under every identity that has the name.
            return true;
        }
        return identity.is_aggregate();
    }
    world
        .identities
        .get(identity)
        .is_some_and(|labels| grant.selector.matches(labels, world.config))
}

/// How many bits of protocol and port the grant's key for this packet matches,
/// and the first port of the grant. `None` when it does not match.
fn port_bits(
    world: &World<'_>,
    subject: &Subject<'_>,
    grant: &Grant,
    q: &Question,
    port: u16,
    identity: NumericIdentity,
) -> Option<(u8, u16)> {
    if grant.protocol == protocol::ANY {
        return Some((0, 0));
    }
    if grant.protocol != q.protocol {
        return None;
    }
    let (first, last) = match (&grant.port, q.direction) {
        (RulePort::Number(first), _) => (*first, grant.end_port),
        (RulePort::Name(name), Direction::Ingress) => {
            let first = (subject.port)(name, grant.protocol).filter(|p| *p != 0)?;
            (first, grant.end_port)
        }
        // A range does not count here.
        (RulePort::Name(name), Direction::Egress) => {
            ((world.peer_port)(identity, name, grant.protocol)?, 0)
        }
    };
    if first == 0 {
        return Some((8, 0));
    }
    let last = last.max(first);
    // A range is cut into aligned blocks: the largest one around the port
    // that fits.
    (0..=16_u32)
        .find(|length| {
            let mask = u16::MAX.checked_shr(*length).unwrap_or(0);
            let (low, high) = (port & !mask, port | mask);
            first <= low && high <= last
        })
        .map(|length| (8 + length as u8, first))
}

/// The type of authentication a grant asks for, 0 when it asks for none to be
/// needed.
fn explicit_authentication(grant: &Grant) -> Option<u8> {
    let requirement = grant.authentication.as_ref()?.requirement();
    (requirement & 0x80 != 0).then_some(requirement & 0x7f)
}

/// The entry the datapath decides with: its authentication, whether it is the
/// peer's own, and its bits.
fn deciding_entry(
    matching: Vec<Entry>,
    first: Option<(Tier, f64)>,
    authenticates: bool,
) -> (u8, bool, u8) {
    let entries = without_twins(by_key(without_twins(matching)));
    let entries = surviving(entries, authenticates);
    let longest = |own| {
        entries
            .iter()
            .filter(|e| e.own == own)
            .max_by_key(|e| e.bits)
    };
    // Without one of its own an entry takes over the type of the next wider
    // one that has it.
    let auth_of = |e: &Entry| {
        let wider = entries
            .iter()
            .filter(|w| authenticates && w.own == e.own && w.bits < e.bits)
            .filter(|w| w.explicit.is_some() && !w.denies())
            .max_by_key(|w| w.bits);
        e.explicit.or(wider.and_then(|w| w.explicit)).unwrap_or(0)
    };
    let (chosen, other) = match (longest(true), longest(false)) {
        (None, None) => return (0, false, 0),
        (Some(one), None) | (None, Some(one)) => (one, None),
        // Nothing is stronger, so the datapath does not look further.
        (Some(own), _)
            if own.denies() && first == Some((Tier(own.rank.tier), own.rank.priority)) =>
        {
            (own, None)
        }
        (Some(own), Some(aggregate)) => {
            let order = aggregate
                .rank
                .cmp(own.rank)
                .then(aggregate.bits.cmp(&own.bits));
            if order.is_gt() {
                (aggregate, Some(own))
            } else {
                (own, Some(aggregate))
            }
        }
    };
    let mut auth = auth_of(chosen);
    if let Some(other) = other
        && chosen.explicit.is_none()
        && other.rank.cmp(chosen.rank).is_eq()
    {
        auth = auth.max(auth_of(other));
    }
    (auth, chosen.own, chosen.bits)
}

/// Is there an entry of the peer's own that is as strong as one of the same
/// size of its aggregate, but differs, or may differ for a while, in proxy or
/// authentication? Rules are inserted one by one, and Cilium leaves out what
/// equals its aggregate's at that moment.
fn ties_with_aggregate(matching: &[Entry], authenticates: bool) -> bool {
    let twins = |e: &&Entry| {
        matching
            .iter()
            .any(|a| !a.own && e.own && a.bits == e.bits && a.rank.cmp(e.rank).is_eq())
    };
    matching.iter().filter(twins).any(|e| {
        let mut same_key = matching.iter().filter(|other| other.bits == e.bits);
        authenticates
            || same_key.any(|other| other.proxy != e.proxy || other.explicit != e.explicit)
    })
}

/// One entry per key: the strongest, with the strongest authentication that
/// any of them asks for.
fn by_key(matching: Vec<Entry>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for new in matching {
        let Some(old) = entries
            .iter_mut()
            .find(|e| e.own == new.own && e.bits == new.bits)
        else {
            entries.push(new);
            continue;
        };
        let explicit = old.explicit.max(new.explicit);
        if new.rank.cmp(old.rank).is_gt() {
            *old = new;
        }
        old.explicit = if old.denies() { None } else { explicit };
    }
    entries
}

/// Without the peer's own entries that equal one of its aggregate.
fn without_twins(entries: Vec<Entry>) -> Vec<Entry> {
    let has_twin = |e: &Entry| {
        entries.iter().any(|a| {
            !a.own
                && e.own
                && a.bits == e.bits
                && a.rank.cmp(e.rank).is_eq()
                && a.proxy == e.proxy
                && a.explicit == e.explicit
        })
    };
    entries.iter().filter(|e| !has_twin(e)).cloned().collect()
}

/// Without the entries that Cilium leaves out because a wider one is stronger.
/// An allow with authentication of its own stays, as strong as the wider one.
fn surviving(entries: Vec<Entry>, authenticates: bool) -> Vec<Entry> {
    let mut kept = Vec::new();
    for e in &entries {
        let covers = |c: &&Entry| {
            let same_key = c.own == e.own && c.bits == e.bits;
            let same_identity = c.own == e.own;
            let looks_at_aggregates = e.denies() || !authenticates;
            !same_key && c.bits <= e.bits && (same_identity || (!c.own && looks_at_aggregates))
        };
        let stronger = entries
            .iter()
            .filter(covers)
            .filter(|c| c.rank.cmp(e.rank).is_gt() || (e.denies() && c.rank.cmp(e.rank).is_eq()))
            .max_by_key(|c| c.bits);
        match stronger {
            None => kept.push(e.clone()),
            Some(c) if authenticates && e.explicit.is_some() && !c.denies() => {
                kept.push(Entry {
                    rank: c.rank,
                    ..e.clone()
                });
            }
            Some(_) => {}
        }
    }
    kept
}

fn match_type(own: bool, bits: u8) -> MatchType {
    match (own, bits) {
        (true, 0) => MatchType::L3Only,
        (true, 1..=8) => MatchType::L3Proto,
        (true, _) => MatchType::L3L4,
        (false, 0) => MatchType::All,
        (false, 1..=8) => MatchType::ProtoOnly,
        (false, _) => MatchType::L4Only,
    }
}
