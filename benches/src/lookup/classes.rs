//! Other forms of the same table: compressed bitmaps, bits per identity, and
//! classes kept in other ways.
//!
//! In: an image. Out: the forms that were not chosen, so that the choice can
//! be seen. Ports are found as in the image unless said otherwise.

use super::{Ask, Tables, answer_bits};
use netverdict_table::layout::{UNLISTED_CLASSES, protocol_slot};
use netverdict_table::{Direction, PolicyView, View};
use roaring::RoaringBitmap;
use std::collections::{BTreeMap, HashMap};

const DIRECTIONS: [Direction; 2] = Direction::BOTH;

/// The policy of each subject in each direction.
///
/// # Panics
/// When a subject has none.
#[must_use]
pub fn policies<'a>(view: &View<'a>) -> Vec<[PolicyView<'a>; 2]> {
    let of = |subject| DIRECTIONS.map(|d| view.policy(subject, d).expect("a policy"));
    (0..view.subjects()).map(of).collect()
}

/// Numbers the identities of an image without gaps between scopes.
#[derive(Clone, Copy, Debug)]
struct Slots {
    local: u32,
    prefixes: u32,
}

impl Slots {
    fn new(view: &View<'_>) -> Self {
        let last = |scope: u32| {
            let mine = view.identities().filter(|id| id >> 24 == scope);
            mine.map(|id| (id & 0xff_ffff) + 1).max().unwrap_or(0)
        };
        Self {
            local: last(0),
            prefixes: last(1),
        }
    }

    const fn count(self) -> usize {
        (self.local + self.prefixes) as usize
    }

    /// The slot of an identity that there is.
    #[inline(always)]
    const fn of(self, identity: u32) -> usize {
        let prefix = (identity >> 24) * self.local;
        (prefix + (identity & 0xff_ffff)) as usize
    }
}

/// A compressed bitmap of identities for each verdict of each port class.
#[derive(Debug)]
pub struct Bitmaps<'v, 'a> {
    policies: &'v [[PolicyView<'a>; 2]],
    rows: Vec<[Vec<Row>; 2]>,
    view: &'v View<'a>,
}

#[derive(Debug)]
struct Row {
    /// The largest first.
    verdicts: Vec<(RoaringBitmap, u64)>,
    unlisted: [u64; UNLISTED_CLASSES as usize],
}

impl<'v, 'a> Bitmaps<'v, 'a> {
    /// Expands the classes of an image.
    #[must_use]
    pub fn new(view: &'v View<'a>, policies: &'v [[PolicyView<'a>; 2]]) -> Self {
        let row = |policy: &PolicyView<'_>, row: u32| {
            let mut verdicts: BTreeMap<u64, RoaringBitmap> = BTreeMap::new();
            for id in view.identities() {
                let class = policy.peer_class(id);
                if class >= UNLISTED_CLASSES {
                    let answer = answer_bits(policy.cell(row, class).expect("a cell"));
                    verdicts.entry(answer).or_default().insert(id);
                }
            }
            let mut verdicts: Vec<_> = verdicts.into_iter().map(|(a, ids)| (ids, a)).collect();
            verdicts.sort_by_key(|(ids, _)| std::cmp::Reverse(ids.len()));
            let unlisted = std::array::from_fn(|class| {
                answer_bits(policy.cell(row, class as u32).expect("a cell"))
            });
            Row { verdicts, unlisted }
        };
        let rows = policies.iter().map(|both| {
            both.each_ref()
                .map(|p| (0..p.classes().1).map(|r| row(p, r)).collect())
        });
        Self {
            policies,
            rows: rows.collect(),
            view,
        }
    }

    /// Bytes of the bitmaps, as they would be stored.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let rows = self.rows.iter().flatten().flatten();
        rows.flat_map(|r| &r.verdicts)
            .map(|(ids, _)| ids.serialized_size())
            .sum()
    }
}

impl Tables for Bitmaps<'_, '_> {
    #[inline(always)]
    fn ask(&self, ask: &Ask) -> u64 {
        let (subject, side) = (ask.subject as usize, usize::from(ask.egress));
        let row = self.policies[subject][side].port_class(ask.protocol, ask.port);
        let row = &self.rows[subject][side][row as usize];
        let found = row
            .verdicts
            .iter()
            .find(|(ids, _)| ids.contains(ask.identity));
        match found {
            Some((_, answer)) => *answer,
            None => row.unlisted[usize::from(self.view.header().unlisted_class(ask.identity))],
        }
    }
}

/// What two bits can say of an answer: nothing matches, allowed, denied,
/// redirected.
#[must_use]
pub const fn two_bits(answer: u64) -> u64 {
    match (answer >> 48 & 0xff, answer >> 16 & 1, answer & 0xffff) {
        (0, ..) => 0,
        (_, 1, _) => 2,
        (.., 0) => 1,
        _ => 3,
    }
}

/// Two bits for each identity, port class, subject and direction.
#[derive(Debug)]
pub struct Bits<'v, 'a> {
    policies: &'v [[PolicyView<'a>; 2]],
    slots: Slots,
    words_of_row: usize,
    /// Where the rows of a subject and direction begin.
    starts: Vec<[usize; 2]>,
    words: Vec<u64>,
}

impl<'v, 'a> Bits<'v, 'a> {
    /// Expands the classes of an image.
    #[must_use]
    pub fn new(view: &View<'a>, policies: &'v [[PolicyView<'a>; 2]]) -> Self {
        let slots = Slots::new(view);
        let words_of_row = slots.count().div_ceil(32);
        let mut words: Vec<u64> = Vec::new();
        let mut starts = Vec::new();
        for both in policies {
            starts.push(both.each_ref().map(|policy| {
                let start = words.len();
                for row in 0..policy.classes().1 {
                    let begin = words.len();
                    words.resize(begin + words_of_row, 0);
                    for id in view.identities() {
                        let answer = policy.cell(row, policy.peer_class(id)).expect("a cell");
                        let slot = slots.of(id);
                        words[begin + slot / 32] |=
                            two_bits(answer_bits(answer)) << (slot % 32 * 2);
                    }
                }
                start
            }));
        }
        Self {
            policies,
            slots,
            words_of_row,
            starts,
            words,
        }
    }

    /// Bytes of the bits.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.words.len() * 8
    }
}

impl Tables for Bits<'_, '_> {
    #[inline(always)]
    fn ask(&self, ask: &Ask) -> u64 {
        let (subject, side) = (ask.subject as usize, usize::from(ask.egress));
        let row = self.policies[subject][side].port_class(ask.protocol, ask.port) as usize;
        let slot = self.slots.of(ask.identity);
        let word = self.starts[subject][side] + row * self.words_of_row + slot / 32;
        self.words[word] >> (slot % 32 * 2) & 3
    }
}

/// How ports are found.
pub trait Ports {
    /// The row of a protocol and port in a policy.
    fn row(&self, policy: usize, protocol: u8, port: u16) -> usize;
    /// Bytes.
    fn bytes(&self) -> usize;
}

/// One map from protocol and port to a class for all policies, and one from
/// class to row for each.
#[derive(Debug)]
pub struct SharedPorts {
    classes: Vec<u16>,
    rows: Vec<u16>,
    count: usize,
}

/// Protocol slots that have a map of their own here; the others share one.
const MAPPED: usize = 3;

#[inline(always)]
const fn mapped(protocol: u8) -> usize {
    match protocol {
        6 => 0,
        17 => 1,
        _ => 2,
    }
}

const MAPPED_PROTOCOLS: [u8; MAPPED] = [6, 17, 255];

impl SharedPorts {
    fn new(policies: &[PolicyView<'_>]) -> Self {
        let mut known: HashMap<Vec<u16>, u16> = HashMap::new();
        let mut classes = Vec::with_capacity(MAPPED << 16);
        for protocol in MAPPED_PROTOCOLS {
            for port in 0..=u16::MAX {
                let rows = policies.iter();
                let rows: Vec<u16> = rows.map(|p| p.port_class(protocol, port) as u16).collect();
                let next = u16::try_from(known.len()).expect("few classes");
                classes.push(*known.entry(rows).or_insert(next));
            }
        }
        let count = known.len();
        let mut rows = vec![0; policies.len() * count];
        for (of_class, class) in known {
            for (policy, row) in of_class.into_iter().enumerate() {
                rows[policy * count + usize::from(class)] = row;
            }
        }
        Self {
            classes,
            rows,
            count,
        }
    }
}

impl Ports for SharedPorts {
    #[inline(always)]
    fn row(&self, policy: usize, protocol: u8, port: u16) -> usize {
        let class = self.classes[mapped(protocol) << 16 | usize::from(port)];
        usize::from(self.rows[policy * self.count + usize::from(class)])
    }

    fn bytes(&self) -> usize {
        (self.classes.len() + self.rows.len()) * 2
    }
}

/// Two levels for each policy, as in the image.
#[derive(Debug)]
pub struct OwnPorts<'v, 'a>(&'v [PolicyView<'a>]);

impl Ports for OwnPorts<'_, '_> {
    #[inline(always)]
    fn row(&self, policy: usize, protocol: u8, port: u16) -> usize {
        self.0[policy].port_class(protocol, port) as usize
    }

    fn bytes(&self) -> usize {
        0
    }
}

/// Classes in one array of identities for each policy, without pages.
#[derive(Debug)]
pub struct Flat<P> {
    slots: Slots,
    /// By policy and slot.
    classes: Vec<u16>,
    /// Where the cells of a policy begin, and how many a row has.
    cells_of: Vec<(usize, usize)>,
    cells: Vec<u16>,
    entries: Vec<u64>,
    ports: P,
}

/// Both directions of every subject, one after the other.
#[must_use]
pub fn both<'a>(policies: &[[PolicyView<'a>; 2]]) -> Vec<PolicyView<'a>> {
    policies.iter().flatten().copied().collect()
}

impl Flat<SharedPorts> {
    /// With one port map for all policies.
    #[must_use]
    pub fn shared(view: &View<'_>, policies: &[PolicyView<'_>]) -> Self {
        Self::new(view, policies, SharedPorts::new(policies))
    }
}

impl<'v, 'a> Flat<OwnPorts<'v, 'a>> {
    /// With a port map for each policy.
    #[must_use]
    pub fn own(view: &View<'a>, policies: &'v [PolicyView<'a>]) -> Self {
        Self::new(view, policies, OwnPorts(policies))
    }
}

impl<P: Ports> Flat<P> {
    fn new(view: &View<'_>, policies: &[PolicyView<'_>], ports: P) -> Self {
        assert_eq!(
            protocol_slot(255),
            protocol_slot(254),
            "protocols share a map"
        );
        let slots = Slots::new(view);
        let mut classes = vec![0; policies.len() * slots.count()];
        let (mut cells_of, mut cells) = (Vec::new(), Vec::new());
        let mut entries: Vec<u64> = Vec::new();
        for (number, policy) in policies.iter().enumerate() {
            for id in view.identities() {
                let class = u16::try_from(policy.peer_class(id)).expect("few classes");
                classes[number * slots.count() + slots.of(id)] = class;
            }
            let (peers, rows) = policy.classes();
            cells_of.push((cells.len(), peers as usize));
            for (row, class) in (0..rows).flat_map(|r| (0..peers).map(move |c| (r, c))) {
                let answer = answer_bits(policy.cell(row, class).expect("a cell"));
                let known = entries.iter().position(|e| *e == answer);
                let entry = known.unwrap_or(entries.len());
                if known.is_none() {
                    entries.push(answer);
                }
                cells.push(u16::try_from(entry).expect("few entries"));
            }
        }
        Self {
            slots,
            classes,
            cells_of,
            cells,
            entries,
            ports,
        }
    }

    /// Bytes of classes, cells, entries and, if they are not the image's,
    /// ports.
    #[must_use]
    pub fn bytes(&self) -> usize {
        (self.classes.len() + self.cells.len()) * 2 + self.entries.len() * 8 + self.ports.bytes()
    }
}

impl<P: Ports> Tables for Flat<P> {
    #[inline(always)]
    fn ask(&self, ask: &Ask) -> u64 {
        let policy = ask.subject as usize * 2 + usize::from(ask.egress);
        let row = self.ports.row(policy, ask.protocol, ask.port);
        let class = self.classes[policy * self.slots.count() + self.slots.of(ask.identity)];
        let (start, stride) = self.cells_of[policy];
        let cell = self.cells[start + row * stride + usize::from(class)];
        self.entries[usize::from(cell)]
    }
}
