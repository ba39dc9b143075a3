//! Rows and cells: what each class gets on each port.
//!
//! In: the entries made for one identity of each class. Out: [`Cells`]: port
//! classes, the cells of each, and the distinct verdict entries. The outcome of
//! a cell is worked out by the datapath's rules (Cilium 1.20.2
//! bpf/lib/policy.h), from the longest matches of the class and of its
//! aggregate.

use super::CompileError;
use super::class::{Classes, UNLISTED, unlisted_class};
use crate::config::Config;
use crate::identity::NumericIdentity;
use crate::policy_map::{Entry, L4Key, MapState, MatchType, Precedence};
use ahash::AHashMap;
use netverdict_table::{Answer, layout};

/// A first port and the port class from there to the next.
pub(super) type Interval = (u16, u32);

/// The verdicts of one descriptor.
#[derive(Clone, Debug)]
pub(super) struct Cells {
    /// Distinct verdict entries; the first is "nothing matches".
    pub(super) entries: Vec<Answer>,
    /// Per port class, the entry number of each peer class.
    pub(super) rows: Vec<Vec<u32>>,
    /// Per protocol slot, the port classes in ascending order of ports; slots
    /// without ports have one interval.
    pub(super) ports: Vec<Vec<Interval>>,
}

const NO_ENTRY: u32 = u32::MAX;

/// An entry as the lookup sees it: entries that differ in their rules only are
/// one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Seen {
    precedence: Precedence,
    prefix_len: u8,
    proxy_port: u16,
    auth: u8,
}

/// The ports that some key cuts out, slot by slot, in one row of places.
struct Places {
    /// First port of each place.
    starts: Vec<u16>,
    /// Where each slot begins among the places; one more at the end.
    slots: Vec<usize>,
}

impl Places {
    fn new(keys: &[L4Key]) -> Result<Self, CompileError> {
        let mut cuts: Vec<Vec<u16>> = vec![vec![0]; layout::SLOTS];
        for key in keys {
            let slot = layout::protocol_slot(key.protocol);
            if key.protocol == 0 {
                continue;
            }
            if slot == layout::OTHER_SLOT {
                return Err(CompileError::NoSuchKey { key: *key });
            }
            if let Some(cuts) = cuts.get_mut(usize::from(slot)) {
                cuts.push(key.port);
                cuts.extend(key.last_port().checked_add(1));
            }
        }
        let mut places = Self {
            starts: Vec::new(),
            slots: vec![0],
        };
        for (slot, mut cuts) in (0u8..).zip(cuts) {
            if slot >= layout::PORT_SLOTS {
                cuts.truncate(1);
            }
            cuts.sort_unstable();
            cuts.dedup();
            places.starts.extend(cuts);
            places.slots.push(places.starts.len());
        }
        Ok(places)
    }

    fn slot(&self, slot: usize) -> std::ops::Range<usize> {
        let at = |i: usize| self.slots.get(i).copied().unwrap_or(0);
        at(slot)..at(slot + 1)
    }

    /// The places a key covers.
    fn covered(&self, key: L4Key) -> std::ops::Range<usize> {
        if key.protocol == 0 {
            return 0..self.starts.len();
        }
        let slot = self.slot(usize::from(layout::protocol_slot(key.protocol)));
        let starts = self.starts.get(slot.clone()).unwrap_or(&[]);
        let from = starts.partition_point(|s| *s < key.port);
        let to = starts.partition_point(|s| *s <= key.last_port());
        slot.start + from..slot.start + to
    }
}

/// The entries that decide about packets: not those marked invalid, and not
/// those for a port of a protocol without ports, whose packets have port 0.
pub(super) fn effective(
    state: &MapState,
) -> impl Iterator<Item = (NumericIdentity, L4Key, &Entry)> {
    state.iter().filter(|(_, l4, entry)| {
        let slot = layout::protocol_slot(l4.protocol);
        let no_ports = slot >= layout::PORT_SLOTS && slot != layout::OTHER_SLOT;
        let unmatched = no_ports && l4.port_prefix != 0;
        !(entry.invalid || unmatched)
    })
}

impl Cells {
    /// Works out every cell.
    ///
    /// # Errors
    /// When a key has no place in a table, or there are too many classes or
    /// entries.
    pub(super) fn new(
        state: &MapState,
        classes: &Classes,
        config: &Config,
    ) -> Result<Self, CompileError> {
        let levels: Vec<(NumericIdentity, L4Key, &Entry)> = effective(state).collect();
        let mut keys: Vec<L4Key> = levels.iter().map(|(_, l4, _)| *l4).collect();
        keys.dedup();
        let places = Places::new(&keys)?;
        let width = places.starts.len();

        // The longest match of each key's identity at each place: keys come
        // broadest first, so narrower ones overwrite.
        let mut seen: Vec<Seen> = Vec::new();
        let mut number: AHashMap<Seen, u32> = AHashMap::new();
        let mut matches: AHashMap<NumericIdentity, Vec<u32>> = AHashMap::new();
        for (id, l4, entry) in &levels {
            let what = Seen {
                precedence: entry.precedence,
                prefix_len: l4.prefix_len(),
                proxy_port: entry.proxy_port,
                auth: entry.auth,
            };
            let n = *number.entry(what).or_insert_with(|| {
                seen.push(what);
                len(&seen) - 1
            });
            let row = matches.entry(*id).or_insert_with(|| vec![NO_ENTRY; width]);
            if let Some(covered) = row.get_mut(places.covered(*l4)) {
                covered.fill(n);
            }
        }
        let mut verdicts = Verdicts::new(&seen);
        let columns: Vec<Vec<u32>> = (0..classes.count())
            .map(|class| verdicts.column(class, classes, &matches, width, config))
            .collect();
        Self::of_columns(&columns, &places, verdicts.entries)
    }

    fn of_columns(
        columns: &[Vec<u32>],
        places: &Places,
        entries: Vec<Answer>,
    ) -> Result<Self, CompileError> {
        let mut rows: Vec<Vec<u32>> = Vec::new();
        let mut row_number: AHashMap<Vec<u32>, u32> = AHashMap::new();
        let mut ports = Vec::new();
        for slot in 0..layout::SLOTS {
            let mut intervals: Vec<Interval> = Vec::new();
            for place in places.slot(slot) {
                let row: Vec<u32> = columns
                    .iter()
                    .map(|c| c.get(place).copied().unwrap_or(0))
                    .collect();
                let n = match row_number.get(&row) {
                    Some(n) => *n,
                    None => {
                        let n = len(&rows);
                        row_number.insert(row.clone(), n);
                        rows.push(row);
                        n
                    }
                };
                if intervals.last().is_none_or(|(_, last)| *last != n) {
                    let start = places.starts.get(place).copied().unwrap_or(0);
                    intervals.push((start, n));
                }
            }
            ports.push(intervals);
        }
        if rows.len() > 1 << 16 {
            return Err(CompileError::TooManyPortClasses { count: rows.len() });
        }
        if entries.len() > 1 << 16 {
            return Err(CompileError::TooManyEntries {
                count: entries.len(),
            });
        }
        Ok(Self {
            entries,
            rows,
            ports,
        })
    }
}

/// Distinct outcomes, by the pair of entries they come from.
struct Verdicts<'a> {
    seen: &'a [Seen],
    by_pair: AHashMap<(u32, u32), u32>,
    by_answer: AHashMap<Answer, u32>,
    entries: Vec<Answer>,
}

impl<'a> Verdicts<'a> {
    fn new(seen: &'a [Seen]) -> Self {
        let mut verdicts = Self {
            seen,
            by_pair: AHashMap::new(),
            by_answer: AHashMap::new(),
            entries: Vec::new(),
        };
        verdicts.intern(Answer::DROP);
        verdicts
    }

    fn intern(&mut self, answer: Answer) -> u32 {
        let entries = &mut self.entries;
        *self.by_answer.entry(answer).or_insert_with(|| {
            entries.push(answer);
            len(entries) - 1
        })
    }

    /// The entry numbers of a class at every place.
    fn column(
        &mut self,
        class: u32,
        classes: &Classes,
        matches: &AHashMap<NumericIdentity, Vec<u32>>,
        width: usize,
        config: &Config,
    ) -> Vec<u32> {
        let (specific, aggregate) = match class.checked_sub(super::class::FIRST_LISTED) {
            None => (None, UNLISTED.get(class as usize).copied()),
            Some(i) => {
                let id = classes.representatives().get(i as usize).copied();
                let own = id.map(|id| unlisted_class(id, config));
                let aggregate = own.and_then(|c| UNLISTED.get(c as usize).copied());
                (id, aggregate.filter(|a| Some(*a) != id))
            }
        };
        let row = |id: Option<NumericIdentity>| id.and_then(|id| matches.get(&id));
        let at = |row: Option<&Vec<u32>>, i: usize| {
            row.and_then(|r| r.get(i)).copied().unwrap_or(NO_ENTRY)
        };
        let (own, wide) = (row(specific), row(aggregate));
        let anyone = row(Some(NumericIdentity::UNKNOWN));
        (0..width)
            .map(|i| {
                let own = at(own, i);
                let mut other = at(wide, i);
                if own == NO_ENTRY && other == NO_ENTRY {
                    other = at(anyone, i);
                }
                self.outcome(own, other)
            })
            .collect()
    }

    fn outcome(&mut self, own: u32, wide: u32) -> u32 {
        if let Some(n) = self.by_pair.get(&(own, wide)) {
            return *n;
        }
        let entry = |n: u32| self.seen.get(n as usize).copied();
        let answer = decide(entry(own), entry(wide));
        let n = self.intern(answer);
        self.by_pair.insert((own, wide), n);
        n
    }
}

/// What the datapath makes of the longest match of an identity and that of its
/// aggregate.
fn decide(own: Option<Seen>, wide: Option<Seen>) -> Answer {
    // An entry of the highest precedence is not even compared.
    let wide = wide.filter(|_| own.is_none_or(|o| o.precedence != Precedence::MAX));
    let rank = |s: &Seen| (s.precedence, s.prefix_len);
    let (winner, other, match_type) = match (own, wide) {
        (None, None) => return Answer::DROP,
        (own, Some(w)) if own.is_none_or(|o| rank(&w) > rank(&o)) => {
            let match_type = match w.prefix_len {
                0 => MatchType::All,
                1..=8 => MatchType::ProtoOnly,
                _ => MatchType::L4Only,
            };
            (w, own, match_type)
        }
        (Some(o), wide) => {
            let match_type = match o.prefix_len {
                0 => MatchType::L3Only,
                1..=8 => MatchType::L3Proto,
                _ => MatchType::L3L4,
            };
            (o, wide, match_type)
        }
        (None, Some(_)) => return Answer::DROP,
    };
    let match_type = table_match_type(match_type);
    if winner.precedence.is_deny() {
        return Answer::new(-181, match_type, true, 0, 0, None, 0);
    }
    let own_auth = winner.auth & 0x7f;
    let explicit = winner.auth & 0x80 != 0;
    let inherited = other
        .filter(|o| o.precedence == winner.precedence && !explicit)
        .filter(|o| o.auth & 0x7f > own_auth);
    let auth = inherited.map_or(own_auth, |o| o.auth & 0x7f);
    let donor = inherited.map(|o| o.prefix_len);
    let code = if auth == 0 { 0 } else { -189 };
    Answer::new(code, match_type, false, winner.proxy_port, auth, donor, 0)
}

fn table_match_type(m: MatchType) -> netverdict_table::MatchType {
    use netverdict_table::MatchType as T;
    match m {
        MatchType::None => T::None,
        MatchType::L3Only => T::L3Only,
        MatchType::L3L4 => T::L3L4,
        MatchType::L4Only => T::L4Only,
        MatchType::All => T::All,
        MatchType::L3Proto => T::L3Proto,
        MatchType::ProtoOnly => T::ProtoOnly,
    }
}

fn len<T>(list: &[T]) -> u32 {
    u32::try_from(list.len()).unwrap_or(u32::MAX)
}
