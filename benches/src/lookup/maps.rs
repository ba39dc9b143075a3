//! Policy maps as others keep them: hash maps and longest-prefix tries.
//!
//! In: entries of policy maps. Out: verdicts by the algorithm of Cilium 1.20.2
//! bpf/lib/policy.h: the identity's longest match and that of its aggregate,
//! of which the higher precedence decides.

use super::{Ask, Tables};
use netverdict::policy_map::{Entry, Key};
use netverdict::rule::Direction;
use std::collections::HashMap;
use std::hash::BuildHasher;

/// What a verdict needs of an entry.
#[derive(Clone, Copy, Debug, Default)]
pub struct Value {
    precedence: u32,
    proxy_port: u16,
    auth: u8,
    prefix: u8,
}

/// The entries of one subject.
pub type Entries = Vec<(Key, Value)>;

/// Takes from entries what verdicts need.
#[must_use]
pub fn entries<'e>(all: impl IntoIterator<Item = (Key, &'e Entry)>) -> Entries {
    let kept = all.into_iter().filter(|(_, e)| !e.invalid);
    kept.map(|(key, e)| {
        let value = Value {
            precedence: e.precedence.0,
            proxy_port: e.proxy_port,
            auth: e.auth,
            prefix: key.l4.prefix_len(),
        };
        (key, value)
    })
    .collect()
}

const DENY_PRECEDENCE: u32 = 0xff;
const NO_MATCH: u64 = answer(-133, 0, 0, false, 0);

const fn answer(code: i16, match_type: u8, proxy_port: u16, deny: bool, auth: u8) -> u64 {
    let [p0, p1] = proxy_port.to_be_bytes();
    let [c0, c1] = code.to_le_bytes();
    u64::from_le_bytes([p0, p1, deny as u8, auth, c0, c1, match_type, 255])
}

/// The key under which wildcards for an identity are, in cluster 0.
#[inline(always)]
const fn aggregate(identity: u32) -> u32 {
    match identity {
        0 | 11..=14 => identity,
        1..=99 => 0,
        _ => match identity >> 24 {
            1 => 13,
            2 => 14,
            _ if identity >> 16 & 0xff == 0 => 11,
            _ => 12,
        },
    }
}

/// The verdict, given how the longest match of an identity is found.
#[inline(always)]
fn verdict(identity: u32, find: impl Fn(u32) -> Option<Value>) -> u64 {
    let specific = find(identity);
    let mut wider = None;
    if specific.is_none_or(|v| v.precedence != u32::MAX) {
        let key = aggregate(identity);
        if key != identity {
            wider = find(key);
        }
        if wider.is_none() && specific.is_none() && key != 0 {
            wider = find(0);
        }
    }
    let rank = |v: &Value| (v.precedence, v.prefix);
    let (chosen, other, kinds) = match (specific, wider) {
        (None, None) => return NO_MATCH,
        (s, Some(w)) if s.is_none_or(|s| rank(&w) > rank(&s)) => (w, s, [4, 6, 3]),
        (Some(s), w) => (s, w, [1, 5, 2]),
        (None, Some(w)) => (w, None, [4, 6, 3]),
    };
    let [any, protocol, port] = kinds;
    let match_type = match chosen.prefix {
        0 => any,
        1..=8 => protocol,
        _ => port,
    };
    if chosen.precedence & 0xff == DENY_PRECEDENCE {
        return answer(-181, match_type, 0, true, 0);
    }
    let mut auth = chosen.auth & 0x7f;
    if let Some(o) = other
        && o.precedence == chosen.precedence
        && chosen.auth & 0x80 == 0
    {
        auth = auth.max(o.auth & 0x7f);
    }
    let code = if auth == 0 { 0 } else { -189 };
    answer(code, match_type, chosen.proxy_port, false, auth)
}

/// One direction of a policy in a hash map.
#[derive(Debug)]
struct HashSide<S> {
    map: HashMap<u64, Value, S>,
    /// The prefix lengths there are, the longest first: each is a probe.
    lengths: Vec<u8>,
}

/// Policies in hash maps, one per subject and direction.
#[derive(Debug)]
pub struct HashMaps<'w, S> {
    sides: Vec<[HashSide<S>; 2]>,
    of: &'w [u32],
}

#[inline(always)]
const fn hash_key(identity: u32, protocol: u8, port: u16, length: u8) -> u64 {
    let l4 = match length {
        0 => 0,
        _ => {
            let bits = length as u32 - 8;
            let mask = (0xffff_0000u32 >> bits) as u16;
            (protocol as u32) << 16 | (port & mask) as u32
        }
    };
    (identity as u64) << 32 | (l4 as u64) << 8 | length as u64
}

impl<'w, S: BuildHasher + Default> HashMaps<'w, S> {
    /// Fills the maps; subject `i` has the policy number `of[i]`.
    #[must_use]
    pub fn new(policies: &[Entries], of: &'w [u32]) -> Self {
        let side = |entries: &Entries, direction: Direction| {
            let mine = entries.iter().filter(|(k, _)| k.direction == direction);
            let mut lengths: Vec<u8> = mine.clone().map(|(_, v)| v.prefix).collect();
            lengths.sort_unstable_by(|a, b| b.cmp(a));
            lengths.dedup();
            let map = mine.map(|(k, v)| {
                let key = hash_key(k.identity.0, k.l4.protocol, k.l4.port, v.prefix);
                (key, *v)
            });
            HashSide {
                map: map.collect(),
                lengths,
            }
        };
        let sides = policies
            .iter()
            .map(|entries| Direction::BOTH.map(|d| side(entries, d)));
        Self {
            sides: sides.collect(),
            of,
        }
    }

    /// Bytes that the slots of the maps take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let maps = self.sides.iter().flatten();
        // A control byte and at most 7/8 of the slots in use.
        maps.map(|s| (s.map.capacity() * 8 / 7).next_power_of_two() * 17)
            .sum()
    }
}

impl<S: BuildHasher> Tables for HashMaps<'_, S> {
    #[inline(always)]
    fn ask(&self, ask: &Ask) -> u64 {
        let policy = self.of[ask.subject as usize] as usize;
        let side = &self.sides[policy][usize::from(ask.egress)];
        verdict(ask.identity, |identity| {
            side.lengths.iter().find_map(|length| {
                let key = hash_key(identity, ask.protocol, ask.port, *length);
                side.map.get(&key).copied()
            })
        })
    }
}

/// A node of a trie.
#[derive(Clone, Copy, Debug)]
struct Node {
    key: u64,
    children: [u32; 2],
    value: Value,
    length: u8,
    /// False for nodes that only part ways.
    entry: bool,
}

const NONE: u32 = u32::MAX;
/// Bits above protocol and port: identity and direction.
const STATIC_BITS: u8 = 40;

/// A binary trie with the shape and the search of the kernel's
/// `BPF_MAP_TYPE_LPM_TRIE`, without its locks.
#[derive(Clone, Debug, Default)]
struct Trie {
    nodes: Vec<Node>,
}

const fn bit(key: u64, at: u8) -> usize {
    (key << at >> 63) as usize
}

impl Trie {
    fn leaf(&mut self, key: u64, length: u8, value: Option<Value>) -> u32 {
        let number = u32::try_from(self.nodes.len()).expect("fewer nodes");
        self.nodes.push(Node {
            key,
            children: [NONE; 2],
            value: value.unwrap_or_default(),
            length,
            entry: value.is_some(),
        });
        number
    }

    /// Node 0 is the root, of length 0.
    fn insert(&mut self, key: u64, length: u8, value: Value) {
        if self.nodes.is_empty() {
            self.leaf(0, 0, None);
        }
        let mut parent = 0usize;
        loop {
            let way = bit(key, self.nodes[parent].length);
            let child = self.nodes[parent].children[way];
            if child == NONE {
                let new = self.leaf(key, length, Some(value));
                self.nodes[parent].children[way] = new;
                return;
            }
            let node = self.nodes[child as usize];
            let common = common_bits(&node, key).min(length);
            if common == node.length && node.length == length {
                let node = &mut self.nodes[child as usize];
                (node.value, node.entry) = (value, true);
                return;
            }
            if common == node.length {
                parent = child as usize;
                continue;
            }
            let between = if common == length {
                self.leaf(key, length, Some(value))
            } else {
                let fork = self.leaf(key, common, None);
                let new = self.leaf(key, length, Some(value));
                self.nodes[fork as usize].children[bit(key, common)] = new;
                fork
            };
            self.nodes[between as usize].children[bit(node.key, common)] = child;
            self.nodes[parent].children[way] = between;
            return;
        }
    }

    #[inline(always)]
    fn find(&self, key: u64) -> Option<Value> {
        let mut found = None;
        let mut number = 0u32;
        while let Some(node) = self.nodes.get(number as usize) {
            let common = common_bits(node, key);
            if common < node.length {
                break;
            }
            if node.entry {
                found = Some(node.value);
            }
            if node.length == 64 {
                break;
            }
            number = node.children[bit(key, node.length)];
        }
        found
    }
}

#[inline(always)]
fn common_bits(node: &Node, key: u64) -> u8 {
    let same = (node.key ^ key).leading_zeros() as u8;
    same.min(node.length)
}

/// Policies as Cilium keeps them: a longest-prefix trie per subject.
#[derive(Debug)]
pub struct Tries<'w> {
    tries: Vec<Trie>,
    of: &'w [u32],
}

#[inline(always)]
const fn trie_key(identity: u32, egress: bool, protocol: u8, port: u16) -> u64 {
    (identity as u64) << 32 | (egress as u64) << 24 | (protocol as u64) << 16 | port as u64
}

impl<'w> Tries<'w> {
    /// Fills the tries; subject `i` has the policy number `of[i]`.
    #[must_use]
    pub fn new(policies: &[Entries], of: &'w [u32]) -> Self {
        let tries = policies.iter().map(|entries| {
            let mut trie = Trie::default();
            for (k, v) in entries {
                let egress = k.direction == Direction::Egress;
                let key = trie_key(k.identity.0, egress, k.l4.protocol, k.l4.port);
                trie.insert(key, STATIC_BITS + v.prefix, *v);
            }
            trie
        });
        Self {
            tries: tries.collect(),
            of,
        }
    }

    /// Bytes of all nodes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let nodes: usize = self.tries.iter().map(|t| t.nodes.len()).sum();
        nodes * size_of::<Node>()
    }
}

impl Tables for Tries<'_> {
    #[inline(always)]
    fn ask(&self, ask: &Ask) -> u64 {
        let trie = &self.tries[self.of[ask.subject as usize] as usize];
        verdict(ask.identity, |identity| {
            trie.find(trie_key(identity, ask.egress, ask.protocol, ask.port))
        })
    }
}
