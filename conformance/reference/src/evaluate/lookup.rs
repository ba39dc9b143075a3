//! The datapath's lookup over the bytes of a policy map.
//!
//! In: keys and values as they are in the map, in any order, and a packet.
//! Out: what `policy_can_access` returns (Cilium 1.20.2 bpf/lib/policy.h).
//! A longest-prefix match is a walk over the list that compares bits.

use netverdict::config::Config;
use netverdict::identity::NumericIdentity;
use netverdict::policy_map::{MatchType, Question};
use netverdict::rule::{Direction, protocol};

/// What the datapath makes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// 0, or a negative drop reason.
    pub code: i16,
    /// Host byte order; 0 for none.
    pub proxy_port: u16,
    /// Authentication type; 0 for none.
    pub auth: u8,
    /// What it reports.
    pub match_type: MatchType,
}

/// A value of the map, taken apart.
#[derive(Clone, Copy)]
struct Value {
    proxy_port: u16,
    deny: bool,
    l4_bits: u8,
    auth: u8,
    explicit: bool,
    precedence: u32,
}

impl Value {
    fn read(v: &[u8; 12]) -> Self {
        Self {
            proxy_port: u16::from_be_bytes([v[0], v[1]]),
            deny: v[2] & 1 != 0,
            l4_bits: v[2] >> 3,
            auth: v[3] & 0x7f,
            explicit: v[3] & 0x80 != 0,
            precedence: u32::from_le_bytes([v[4], v[5], v[6], v[7]]),
        }
    }
}

/// Looks a packet up. The entries are taken as they are: whoever does not want
/// those marked invalid leaves them out.
#[must_use]
pub fn lookup(entries: &[([u8; 12], [u8; 12])], q: &Question, config: &Config) -> Found {
    let mut found = Found {
        code: 0,
        proxy_port: 0,
        auth: 0,
        match_type: MatchType::None,
    };
    if config.allow_icmp_frag_needed
        && (q.protocol, q.port, q.icmp_code) == (protocol::ICMP, 3, Some(4))
    {
        return found;
    }
    let icmp = matches!(q.protocol, protocol::ICMP | protocol::ICMPV6);
    let port = if q.untracked_fragment || (icmp && !config.icmp_rules) {
        0
    } else {
        q.port
    };
    let longest = |identity: NumericIdentity| longest_match(entries, q, port, identity);

    let own = longest(q.peer);
    let mut wide = None;
    if own.is_none_or(|v| v.precedence != u32::MAX) {
        let aggregate = q.peer.aggregate(config);
        if aggregate != q.peer {
            wide = longest(aggregate);
        }
        if own.is_none() && wide.is_none() && aggregate.0 != 0 {
            wide = longest(NumericIdentity(0));
        }
    }
    let (chosen, other, specific) = match (own, wide) {
        (None, None) => {
            found.code = if q.untracked_fragment { -157 } else { -133 };
            return found;
        }
        (Some(own), None) => (own, None, true),
        (None, Some(wide)) => (wide, None, false),
        (Some(own), Some(wide)) => {
            let longer = wide.precedence == own.precedence && wide.l4_bits > own.l4_bits;
            if wide.precedence > own.precedence || longer {
                (wide, Some(own), false)
            } else {
                (own, Some(wide), true)
            }
        }
    };
    found.match_type = match (specific, chosen.l4_bits) {
        (true, 0) => MatchType::L3Only,
        (true, 1..=8) => MatchType::L3Proto,
        (true, _) => MatchType::L3L4,
        (false, 0) => MatchType::All,
        (false, 1..=8) => MatchType::ProtoOnly,
        (false, _) => MatchType::L4Only,
    };
    if chosen.deny {
        found.code = -181;
        return found;
    }
    found.proxy_port = chosen.proxy_port;
    found.auth = chosen.auth;
    if let Some(other) = other
        && other.precedence == chosen.precedence
        && !chosen.explicit
    {
        found.auth = found.auth.max(other.auth);
    }
    if found.auth != 0 {
        found.code = -189;
    }
    found
}

fn longest_match(
    entries: &[([u8; 12], [u8; 12])],
    q: &Question,
    port: u16,
    identity: NumericIdentity,
) -> Option<Value> {
    let mut wanted = [0; 12];
    wanted[4..8].copy_from_slice(&identity.0.to_le_bytes());
    wanted[8] = u8::from(q.direction == Direction::Egress);
    wanted[9] = q.protocol;
    wanted[10..].copy_from_slice(&port.to_be_bytes());
    entries
        .iter()
        .filter(|(key, _)| {
            let bits = prefix_length(key);
            (0..bits).all(|bit| bit_at(&key[4..], bit) == bit_at(&wanted[4..], bit))
        })
        .max_by_key(|(key, _)| prefix_length(key))
        .map(|(_, value)| Value::read(value))
}

fn prefix_length(key: &[u8; 12]) -> usize {
    u32::from_le_bytes([key[0], key[1], key[2], key[3]]) as usize
}

/// Bits are counted from the high end of the first byte.
fn bit_at(bytes: &[u8], bit: usize) -> bool {
    bytes[bit / 8] & (0x80 >> (bit % 8)) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: u32 = 0xffff_ff01;

    /// An entry: identity, protocol, port (with 16 bits), deny, precedence.
    fn entry(id: u32, proto: u8, port: u16, deny: bool, prec: u32) -> ([u8; 12], [u8; 12]) {
        let l4_bits = match (proto, port) {
            (0, _) => 0,
            (_, 0) => 8,
            _ => 24,
        };
        let (mut key, mut value) = ([0; 12], [0; 12]);
        key[..4].copy_from_slice(&(40 + u32::from(l4_bits)).to_le_bytes());
        key[4..8].copy_from_slice(&id.to_le_bytes());
        key[9] = proto;
        key[10..].copy_from_slice(&port.to_be_bytes());
        value[2] = (l4_bits << 3) | u8::from(deny);
        value[4..8].copy_from_slice(&prec.to_le_bytes());
        (key, value)
    }

    /// The worked table of the datapath's lookup: TCP port 80.
    #[test]
    fn worked_lookups() {
        use MatchType::{All, L3L4, L3Only, L4Only, ProtoOnly};
        let any = |id, prec| entry(id, 0, 0, false, prec);
        let http = |id, prec| entry(id, 6, 80, false, prec);
        for (entries, peer, code, matched) in [
            (vec![http(1234, P), http(11, P)], 1234, 0, L3L4),
            (vec![any(1234, P), http(11, P)], 1234, 0, L4Only),
            (vec![any(1234, P), http(11, P - 1)], 1234, 0, L3Only),
            (vec![any(11, P)], 1234, 0, All),
            (vec![entry(0, 6, 0, false, P)], 1234, 0, ProtoOnly),
            (
                vec![entry(0, 0, 0, true, u32::MAX), any(11, P)],
                1234,
                0,
                All,
            ),
            (vec![http(0, P)], 2, 0, L4Only),
            (vec![http(13, P)], 2, -133, MatchType::None),
            (vec![any(13, P)], 0x0100_0001, 0, All),
            (vec![any(14, P)], 6, -133, MatchType::None),
            (vec![any(0, P)], 0, 0, L3Only),
            (
                vec![any(0, P), entry(1234, 6, 80, true, u32::MAX)],
                1234,
                -181,
                L3L4,
            ),
        ] {
            let q = Question::new(Direction::Ingress, NumericIdentity(peer), 6, 80);
            let found = lookup(&entries, &q, &Config::default());
            assert_eq!(
                (found.code, found.match_type),
                (code, matched),
                "{peer} {entries:?}"
            );
        }
    }
}
