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
use std::hash::Hash;
use std::ops::Range;

/// A first port and the port class from there to the next.
pub(super) type Interval = (u16, u32);

/// The verdicts of one descriptor.
#[derive(Clone, Debug)]
pub(super) struct Cells {
    /// Distinct verdict entries; the first is "nothing matches".
    pub(super) entries: Vec<Answer>,
    /// Per port class the entry number of each peer class, row after row.
    pub(super) cells: Vec<u32>,
    /// How many port classes there are.
    pub(super) rows: usize,
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

/// Things by number, in the order they were met.
struct Numbered<T> {
    all: Vec<T>,
    /// Once there are more than [`FEW`], which are searched one by one.
    numbers: AHashMap<T, u32>,
}

/// So many things are searched one by one.
const FEW: usize = 12;

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            numbers: AHashMap::new(),
        }
    }
}

impl<T: Copy + Eq + Hash> Numbered<T> {
    fn number(&mut self, thing: T) -> u32 {
        let next = len(&self.all);
        let known = if self.all.len() <= FEW {
            let place = self.all.iter().position(|known| *known == thing);
            place.map_or(next, |place| place as u32)
        } else {
            *self.numbers.entry(thing).or_insert(next)
        };
        if known == next {
            self.all.push(thing);
            if self.all.len() == FEW + 1 {
                self.numbers = self.all.iter().copied().zip(0..).collect();
            }
        }
        known
    }
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
        let slots = 0..u8::try_from(layout::SLOTS).unwrap_or(u8::MAX);
        let mut cuts: Vec<(u8, u16)> = Vec::with_capacity(slots.len() + 2 * keys.len());
        cuts.extend(slots.clone().map(|slot| (slot, 0)));
        for key in keys {
            let slot = layout::protocol_slot(key.protocol);
            if key.protocol == 0 {
                continue;
            }
            if slot == layout::OTHER_SLOT {
                return Err(CompileError::NoSuchKey { key: *key });
            }
            // Slots without ports are one place.
            if slot < layout::PORT_SLOTS {
                cuts.push((slot, key.port));
                cuts.extend(key.last_port().checked_add(1).map(|next| (slot, next)));
            }
        }
        cuts.sort_unstable();
        cuts.dedup();
        let mut places = Self {
            starts: Vec::with_capacity(cuts.len()),
            slots: Vec::with_capacity(slots.len() + 1),
        };
        places.slots.push(0);
        let mut rest = cuts.as_slice();
        for slot in slots {
            let own = rest.partition_point(|(s, _)| *s == slot);
            let (own, others) = rest.split_at(own);
            places.starts.extend(own.iter().map(|(_, start)| *start));
            places.slots.push(places.starts.len());
            rest = others;
        }
        Ok(places)
    }

    fn slot(&self, slot: usize) -> Range<usize> {
        let at = |i: usize| self.slots.get(i).copied().unwrap_or(0);
        at(slot)..at(slot + 1)
    }

    /// The places a key covers.
    fn covered(&self, key: L4Key) -> Range<usize> {
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
/// Within a key they come in no particular order.
pub(super) fn effective(
    state: &MapState,
) -> impl Iterator<Item = (NumericIdentity, L4Key, &Entry)> {
    state.levels().flat_map(|(l4, entries)| {
        let slot = layout::protocol_slot(l4.protocol);
        let no_ports = slot >= layout::PORT_SLOTS && slot != layout::OTHER_SLOT;
        let unmatched = no_ports && l4.port_prefix != 0;
        let matched = entries.filter(move |(_, entry)| !(unmatched || entry.invalid));
        matched.map(move |(id, entry)| (id, l4, entry))
    })
}

/// The longest match of each identity with a key of its own, at each place.
struct Matches {
    /// Ascending, with the identity's row.
    rows: Vec<(NumericIdentity, usize)>,
    matches: Vec<u32>,
    width: usize,
}

impl Matches {
    /// Without any matches, for one identity of each class and the aggregates.
    fn new(classes: &Classes, width: usize) -> Self {
        let ids = UNLISTED.iter().chain(classes.representatives()).copied();
        let mut rows: Vec<(NumericIdentity, usize)> = ids.map(|id| (id, 0)).collect();
        rows.sort_unstable();
        rows.dedup();
        for (i, (_, row)) in rows.iter_mut().enumerate() {
            *row = i;
        }
        let matches = vec![NO_ENTRY; rows.len() * width];
        Self {
            rows,
            matches,
            width,
        }
    }

    fn start(&self, id: NumericIdentity) -> Option<usize> {
        let at = self.rows.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        self.rows.get(at).map(|(_, row)| row * self.width)
    }

    fn row(&self, id: NumericIdentity) -> &[u32] {
        let row = self.start(id);
        let row = row.and_then(|start| self.matches.get(start..start + self.width));
        row.unwrap_or(&[])
    }

    fn put(&mut self, id: NumericIdentity, places: &Range<usize>, entry: u32) {
        let Some(start) = self.start(id) else {
            return;
        };
        let places = start + places.start..start + places.end;
        if let Some(covered) = self.matches.get_mut(places) {
            covered.fill(entry);
        }
    }
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
        let mut keys: Vec<L4Key> = effective(state).map(|(_, l4, _)| l4).collect();
        keys.dedup();
        let places = Places::new(&keys)?;
        let width = places.starts.len();

        // Keys come broadest first, so narrower ones overwrite.
        let mut seen: Numbered<Seen> = Numbered::default();
        let mut matches = Matches::new(classes, width);
        let mut last: Option<(Seen, u32)> = None;
        let mut covered: Option<(L4Key, Range<usize>)> = None;
        for (id, l4, entry) in effective(state) {
            let what = Seen {
                precedence: entry.precedence,
                prefix_len: l4.prefix_len(),
                proxy_port: entry.proxy_port,
                auth: entry.auth,
            };
            let n = match last {
                Some((known, n)) if known == what => n,
                _ => seen.number(what),
            };
            last = Some((what, n));
            let places = match &covered {
                Some((key, places)) if *key == l4 => places,
                _ => &covered.insert((l4, places.covered(l4))).1,
            };
            matches.put(id, places, n);
        }

        let stride = classes.count() as usize;
        let mut verdicts = Verdicts::new(&seen.all);
        let mut by_place = vec![0; width * stride];
        for class in 0..classes.count() {
            verdicts.column(class, classes, &matches, config, &mut by_place);
        }
        Self::of_places(&by_place, stride, &places, verdicts.entries.all)
    }

    fn of_places(
        by_place: &[u32],
        stride: usize,
        places: &Places,
        entries: Vec<Answer>,
    ) -> Result<Self, CompileError> {
        let mut cells: Vec<u32> = Vec::new();
        let mut rows = 0u32;
        let mut numbers: AHashMap<&[u32], u32> = AHashMap::new();
        let mut ports = Vec::with_capacity(layout::SLOTS);
        let mut all = places.starts.iter().zip(by_place.chunks_exact(stride));
        let mut last: Option<(&[u32], u32)> = None;
        for slot in 0..layout::SLOTS {
            let mut intervals: Vec<Interval> = Vec::new();
            for (start, row) in all.by_ref().take(places.slot(slot).len()) {
                let n = match last {
                    Some((known, n)) if known == row => n,
                    _ => *numbers.entry(row).or_insert_with(|| {
                        cells.extend_from_slice(row);
                        rows += 1;
                        rows - 1
                    }),
                };
                last = Some((row, n));
                if intervals.last().is_none_or(|(_, last)| *last != n) {
                    intervals.push((*start, n));
                }
            }
            ports.push(intervals);
        }
        let rows = rows as usize;
        if rows > 1 << 16 {
            return Err(CompileError::TooManyPortClasses { count: rows });
        }
        if entries.len() > 1 << 16 {
            return Err(CompileError::TooManyEntries {
                count: entries.len(),
            });
        }
        Ok(Self {
            entries,
            cells,
            rows,
            ports,
        })
    }

    /// The entry numbers of each port class.
    pub(super) fn each_row(&self) -> impl Iterator<Item = &[u32]> {
        let stride = self.cells.len() / self.rows.max(1);
        self.cells.chunks_exact(stride.max(1))
    }
}

/// So many pairs of entries have their outcome in a table.
const PAIRS: usize = 1 << 12;

/// Distinct outcomes, by the pair of entries they come from.
struct Verdicts<'a> {
    seen: &'a [Seen],
    /// Outcome of each pair, if they are few; [`NO_ENTRY`] while it is unknown.
    table: Vec<u32>,
    by_pair: AHashMap<(u32, u32), u32>,
    entries: Numbered<Answer>,
}

impl<'a> Verdicts<'a> {
    fn new(seen: &'a [Seen]) -> Self {
        let pairs = (seen.len() + 1) * (seen.len() + 1);
        let mut verdicts = Self {
            seen,
            table: vec![NO_ENTRY; if pairs <= PAIRS { pairs } else { 0 }],
            by_pair: AHashMap::new(),
            entries: Numbered::default(),
        };
        verdicts.entries.number(Answer::DROP);
        verdicts
    }

    /// Writes the entry numbers of a class at every place.
    fn column(
        &mut self,
        class: u32,
        classes: &Classes,
        matches: &Matches,
        config: &Config,
        by_place: &mut [u32],
    ) {
        let (specific, aggregate) = match class.checked_sub(super::class::FIRST_LISTED) {
            None => (None, UNLISTED.get(class as usize).copied()),
            Some(i) => {
                let id = classes.representatives().get(i as usize).copied();
                let own = id.map(|id| unlisted_class(id, config));
                let aggregate = own.and_then(|c| UNLISTED.get(c as usize).copied());
                (id, aggregate.filter(|a| Some(*a) != id))
            }
        };
        let row = |id: Option<NumericIdentity>| id.map_or(&[][..], |id| matches.row(id));
        let (own, wide) = (row(specific), row(aggregate));
        let anyone = matches.row(NumericIdentity::UNKNOWN);
        let at = |row: &[u32], i: usize| row.get(i).copied().unwrap_or(NO_ENTRY);
        let stride = classes.count() as usize;
        let cells = by_place.iter_mut().skip(class as usize).step_by(stride);
        for (i, cell) in cells.enumerate() {
            let own = at(own, i);
            let mut other = at(wide, i);
            if own == NO_ENTRY && other == NO_ENTRY {
                other = at(anyone, i);
            }
            *cell = self.outcome(own, other);
        }
    }

    fn outcome(&mut self, own: u32, wide: u32) -> u32 {
        // Numbers from 1; 0 is no entry.
        let (a, b) = (own.wrapping_add(1) as usize, wide.wrapping_add(1) as usize);
        let place = a * (self.seen.len() + 1) + b;
        let known = match self.table.get(place) {
            Some(n) => Some(*n).filter(|n| *n != NO_ENTRY),
            None => self.by_pair.get(&(own, wide)).copied(),
        };
        if let Some(n) = known {
            return n;
        }
        let entry = |n: u32| self.seen.get(n as usize).copied();
        let answer = decide(entry(own), entry(wide));
        let n = self.entries.number(answer);
        match self.table.get_mut(place) {
            Some(known) => *known = n,
            None => {
                self.by_pair.insert((own, wide), n);
            }
        }
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
