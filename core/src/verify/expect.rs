//! What a map's entries tell apart, and what they decide.
//!
//! In: one direction of a policy map. Out: [`Groups`]: all identities by the
//! entries they have and the aggregate they fall back to, all protocols and
//! ports by the keys that match them, and the answer where two such groups
//! meet, by the rules of Cilium 1.20.2 bpf/lib/policy.h.

use super::Longest;
use super::fault::Winner;
use crate::config::Config;
use crate::policy_map::{Entry, L4Key, MapState};
use ahash::{AHashMap, AHashSet};
use netverdict_table::{Answer, MatchType};
use std::collections::BTreeMap;

/// Identities in a row with the same entries and the same aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ColumnStretch {
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) column: usize,
}

/// Where answers for an identity come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Column {
    /// The set of its own entries.
    pub(super) own: usize,
    /// The key of its aggregate, unless it is that itself.
    pub(super) wide: Option<u32>,
    /// True for identity 0, behind which nothing comes.
    last: bool,
}

impl Column {
    /// The key asked when neither of the others has an entry.
    pub(super) const fn anyone(&self) -> Option<u32> {
        if self.last { None } else { Some(0) }
    }
}

/// Ports in a row, of one protocol, that the same keys match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) first: u16,
    pub(super) last: u16,
    pub(super) point: usize,
}

/// What the answer must be, and the entry behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome {
    pub(super) answer: Answer,
    pub(super) winner: Option<Winner>,
}

/// Protocols whose packets have a port, or an ICMP type. Those of others have
/// port 0, and a key with a port matches none of them.
const PORTS: [u8; 5] = [1, 6, 17, 58, 132];

/// What makes two entries the same.
type Content = (L4Key, u32, u16, u8, Vec<u32>);

/// One direction of a map, grouped.
#[derive(Debug)]
pub(super) struct Groups<'m> {
    /// Distinct entries with their keys' protocol and port.
    entries: Vec<(L4Key, &'m Entry)>,
    /// Distinct sets of entries, each by protocol, port and prefix; the first
    /// is empty.
    sets: Vec<Vec<u32>>,
    /// Identities with entries, and their set.
    set_of: BTreeMap<u32, usize>,
    stretches: Vec<ColumnStretch>,
    columns: Vec<Column>,
    /// Protocols with keys of their own.
    protocols: BTreeMap<u8, Vec<Point>>,
    /// All others.
    plain: Vec<Point>,
    /// By point: the keys that match, the longest first.
    points: Vec<Vec<L4Key>>,
}

impl<'m> Groups<'m> {
    pub(super) fn new(map: &'m MapState, config: &Config) -> Self {
        let mut groups = Self {
            entries: Vec::new(),
            sets: vec![Vec::new()],
            set_of: BTreeMap::new(),
            stretches: Vec::new(),
            columns: Vec::new(),
            protocols: BTreeMap::new(),
            plain: Vec::new(),
            points: Vec::new(),
        };
        let keys = groups.put_entries(map);
        groups.put_points(&keys);
        groups.put_columns(config);
        groups
    }

    fn put_entries(&mut self, map: &'m MapState) -> AHashSet<L4Key> {
        let mut keys = AHashSet::new();
        let mut numbers: AHashMap<Content, u32> = AHashMap::new();
        let mut of_identity: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (identity, l4, entry) in map.iter() {
            if entry.invalid || (l4.port_prefix != 0 && !PORTS.contains(&l4.protocol)) {
                continue;
            }
            keys.insert(l4);
            let content = (
                l4,
                entry.precedence.0,
                entry.proxy_port,
                entry.auth,
                entry.origin.iter().collect(),
            );
            let entries = &mut self.entries;
            let number = *numbers.entry(content).or_insert_with(|| {
                entries.push((l4, entry));
                u32::try_from(entries.len() - 1).unwrap_or(u32::MAX)
            });
            of_identity.entry(identity.0).or_default().push(number);
        }
        let mut known: AHashMap<Vec<u32>, usize> = AHashMap::new();
        for (identity, set) in of_identity {
            let sets = &mut self.sets;
            let number = *known.entry(set).or_insert_with_key(|set| {
                sets.push(set.clone());
                sets.len() - 1
            });
            self.set_of.insert(identity, number);
        }
        keys
    }

    fn put_points(&mut self, keys: &AHashSet<L4Key>) {
        let mut known: AHashMap<Vec<L4Key>, usize> = AHashMap::new();
        let mut starts: BTreeMap<u8, Vec<u16>> = BTreeMap::new();
        for key in keys {
            let starts = starts.entry(key.protocol).or_insert_with(|| vec![0]);
            starts.push(key.port);
            starts.extend(key.last_port().checked_add(1));
        }
        // A protocol that no key names; there are 256 of them, and keys of
        // protocol 0 match them all.
        let unnamed = (0..=u8::MAX).find(|p| *p != 0 && !starts.contains_key(p));
        let mut points = |protocol: u8, starts: &[u16]| -> Vec<Point> {
            let ends = starts.iter().skip(1).map(|start| start - 1);
            let pairs = starts.iter().zip(ends.chain([u16::MAX]));
            let mut all: Vec<Point> = Vec::new();
            for (first, last) in pairs {
                let matching = matching(keys, protocol, *first);
                let of_point = &mut self.points;
                let point = *known.entry(matching).or_insert_with_key(|matching| {
                    of_point.push(matching.clone());
                    of_point.len() - 1
                });
                match all.last_mut() {
                    Some(before) if before.point == point => before.last = last,
                    _ => all.push(Point {
                        first: *first,
                        last,
                        point,
                    }),
                }
            }
            all
        };
        for (protocol, mut starts) in starts {
            starts.sort_unstable();
            starts.dedup();
            self.protocols.insert(protocol, points(protocol, &starts));
        }
        self.plain = points(unnamed.unwrap_or(u8::MAX), &[0]);
    }

    fn put_columns(&mut self, config: &Config) {
        let mut known: AHashMap<Column, usize> = AHashMap::new();
        let mut put = |groups: &mut Self, first: u32, last: u32, own: usize| {
            let mut first = Some(first);
            while let Some(from) = first
                && from <= last
            {
                let (to, aggregate) = aggregate_from(from, config);
                let column = Column {
                    own,
                    wide: (aggregate != from).then_some(aggregate),
                    last: from == 0,
                };
                let columns = &mut groups.columns;
                let column = *known.entry(column).or_insert_with(|| {
                    columns.push(column);
                    columns.len() - 1
                });
                groups.stretches.push(ColumnStretch {
                    first: from,
                    last: to.min(last),
                    column,
                });
                first = to.checked_add(1);
            }
        };
        let mut next = Some(0);
        for (identity, set) in self.set_of.clone() {
            if let Some(from) = next
                && from < identity
            {
                put(self, from, identity - 1, 0);
            }
            put(self, identity, identity, set);
            next = identity.checked_add(1);
        }
        if let Some(from) = next {
            put(self, from, u32::MAX, 0);
        }
    }

    /// All identities, ascending.
    pub(super) fn columns(&self) -> &[ColumnStretch] {
        &self.stretches
    }

    pub(super) fn column(&self, column: usize) -> &Column {
        const NONE: &Column = &Column {
            own: 0,
            wide: None,
            last: true,
        };
        self.columns.get(column).unwrap_or(NONE)
    }

    /// All ports of a protocol, ascending.
    pub(super) fn points(&self, protocol: u8) -> &[Point] {
        self.protocols.get(&protocol).unwrap_or(&self.plain)
    }

    /// The set of an identity's entries.
    pub(super) fn set_of(&self, identity: Option<u32>) -> usize {
        let set = identity.and_then(|id| self.set_of.get(&id));
        set.copied().unwrap_or(0)
    }

    /// The entries of a set, by protocol, port and prefix.
    pub(super) fn entries(&self, set: usize) -> impl Iterator<Item = (L4Key, &'m Entry)> {
        let set = self.sets.get(set).into_iter().flatten();
        set.filter_map(|n| self.entries.get(*n as usize).copied())
    }

    /// By point: the entry of a set with the longest prefix that matches.
    pub(super) fn longest(&self, set: usize) -> Longest {
        let numbers = self.sets.get(set).into_iter().flatten();
        let of_key: AHashMap<L4Key, u32> = numbers
            .filter_map(|n| Some((self.entries.get(*n as usize)?.0, *n)))
            .collect();
        let longest = |keys: &Vec<L4Key>| keys.iter().find_map(|k| of_key.get(k).copied());
        self.points.iter().map(longest).collect()
    }

    /// The answer, from the longest matches of an identity, of its aggregate,
    /// and of everybody.
    pub(super) fn decide(
        &self,
        own: Option<u32>,
        wide: Option<u32>,
        anyone: Option<u32>,
        identity: u32,
        column: &Column,
    ) -> Outcome {
        let entry = |n: Option<u32>| n.and_then(|n| self.entries.get(n as usize).copied());
        let own = entry(own).map(|e| (identity, e));
        let wide_key = column.wide.unwrap_or(0);
        let wide = match (own, entry(wide)) {
            // Nothing stands above the highest precedence: it is not asked.
            (Some((_, (_, o))), _) if o.precedence.0 == u32::MAX => None,
            (_, Some(wide)) => Some((wide_key, wide)),
            (None, None) => entry(anyone).map(|e| (0, e)),
            (Some(_), None) => None,
        };
        let rank = |(_, (l4, e)): &Found<'_>| (e.precedence.0, l4.prefix_len());
        match (own, wide) {
            (None, None) => Outcome {
                answer: Answer::DROP,
                winner: None,
            },
            (Some(own), Some(wide)) if rank(&wide) > rank(&own) => {
                outcome(wide, Some(own), WILDCARD)
            }
            (Some(own), wide) => outcome(own, wide, SPECIFIC),
            (None, Some(wide)) => outcome(wide, None, WILDCARD),
        }
    }
}

/// The identity of a key, its protocol and port, and its entry.
type Found<'m> = (u32, (L4Key, &'m Entry));

/// Match types of an identity's own entries: for all protocols, for one, for
/// ports.
const SPECIFIC: [MatchType; 3] = [MatchType::L3Only, MatchType::L3Proto, MatchType::L3L4];
/// Match types of an aggregate's entries.
const WILDCARD: [MatchType; 3] = [MatchType::All, MatchType::ProtoOnly, MatchType::L4Only];

fn outcome(chosen: Found<'_>, other: Option<Found<'_>>, types: [MatchType; 3]) -> Outcome {
    let (identity, (l4, entry)) = chosen;
    let [all, protocol, port] = types;
    let match_type = match l4.prefix_len() {
        0 => all,
        8 => protocol,
        _ => port,
    };
    let winner = Some(Winner {
        identity,
        l4,
        precedence: entry.precedence,
    });
    // The lowest byte of a precedence is 255 for denials and nothing else.
    if entry.precedence.0 & 0xff == 0xff {
        let answer = Answer::new(-181, match_type, true, 0, 0, None, 0);
        return Outcome { answer, winner };
    }
    let (mut auth, mut donor) = (entry.auth & 0x7f, None);
    if let Some((_, (l4, other))) = other
        && entry.auth & 0x80 == 0
        && other.precedence == entry.precedence
        && other.auth & 0x7f > auth
    {
        auth = other.auth & 0x7f;
        donor = Some(l4.prefix_len());
    }
    let code = if auth == 0 { 0 } else { -189 };
    let proxy_port = entry.proxy_port;
    let answer = Answer::new(code, match_type, false, proxy_port, auth, donor, 0);
    Outcome { answer, winner }
}

/// The keys that match a protocol and port, the longest first.
fn matching(keys: &AHashSet<L4Key>, protocol: u8, port: u16) -> Vec<L4Key> {
    let of_protocol = (0..=16u8).rev().map(|bits| L4Key {
        protocol,
        port: if bits == 0 {
            0
        } else {
            port >> (16 - bits) << (16 - bits)
        },
        port_prefix: bits,
    });
    let every = (protocol != 0).then(L4Key::default);
    of_protocol
        .chain(every)
        .filter(|key| keys.contains(key))
        .collect()
}

/// The aggregate of an identity, and how far it is that of all that follow
/// (Cilium 1.20.2 bpf/lib/identity.h).
fn aggregate_from(identity: u32, config: &Config) -> (u32, u32) {
    match identity {
        0 => (0, 0),
        1..=10 => (10, 0),
        11..=14 => (identity, identity),
        15..=99 => (99, 0),
        0x0100_0000..=0x01ff_ffff => (0x01ff_ffff, 13),
        0x0200_0000..=0x02ff_ffff => (0x02ff_ffff, 14),
        _ => {
            let bits = if config.max_connected_clusters > 255 {
                15
            } else {
                16
            };
            let local = config.cluster_id << bits;
            let local_last = local | ((1 << bits) - 1);
            if identity > 0x00ff_ffff {
                // The scope's byte is a part of the cluster id there, and no
                // cluster has such an id.
                (identity | 0x00ff_ffff, 12)
            } else if identity < local {
                (local - 1, 12)
            } else if identity <= local_last {
                (local_last, 11)
            } else {
                (0x00ff_ffff, 12)
            }
        }
    }
}
