//! An image walked from end to end.
//!
//! In: the bytes of a checked image and a descriptor. Out: the class of every
//! identity, and of every protocol and port, as stretches in ascending order.
//! Read from the format's description; lookups have no part in it.

use ahash::AHashMap;
use netverdict_table::layout::{
    BLOCK_LEN, BLOCK_PAGES, Descriptor, Header, PAGE_UNIT, PORT_SLOTS, SLOT_BLOCKS, Section,
    WIDE_PEERS, WIDE_PORTS,
};
use std::ops::Range;
use std::sync::Arc;

/// Identities in a row that have one class each region through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PeerStretch {
    pub(super) first: u32,
    pub(super) last: u32,
    /// Where a class begins, from the start of every region that the stretch
    /// has a part in.
    cuts: Cuts,
}

impl PeerStretch {
    /// The classes among identities of the stretch, each with the first and
    /// the last of those in a row that have it. All that there are, though not
    /// everywhere they are.
    pub(super) fn classes(&self, first: u32, last: u32) -> Vec<(u32, u32, u32)> {
        if let [(_, class)] = *self.cuts {
            return vec![(class, first, last)];
        }
        // A region's length has them all.
        let last = last.min(first.saturating_add(REGION - 1));
        let mut all = Vec::new();
        let mut next = Some(first);
        while let Some(from) = next
            && from <= last
        {
            let within = from % REGION;
            let i = self.cuts.partition_point(|(start, _)| *start <= within);
            let class = i.checked_sub(1).and_then(|i| self.cuts.get(i));
            let end = self.cuts.get(i).map_or(REGION, |(start, _)| *start);
            let to = last.min(from + (end - 1 - within));
            all.push((class.map_or(0, |(_, class)| *class), from, to));
            next = to.checked_add(1);
        }
        all
    }
}

/// Ports in a row, of one protocol, that have one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PortStretch {
    pub(super) protocol: u8,
    pub(super) first: u16,
    pub(super) last: u16,
    pub(super) class: u32,
}

/// Regions in a row that have one slot.
#[derive(Clone, Copy, Debug)]
struct Regions {
    first: u32,
    last: u32,
    slot: u16,
}

/// First places of classes, relative to where a part begins.
type Cuts = Arc<[(u32, u32)]>;

/// What the walk of identities depends on.
type PeerKey = (u32, u32, u32, u32, bool);
/// What the walk of ports depends on.
type PortKey = (u32, u32, u32, u16, bool);

/// Identities of a region.
const REGION: u32 = 1 << 15;
/// Regions of scopes that are defined.
const DEFINED: u32 = 3 * SCOPE;
/// Regions of a scope.
const SCOPE: u32 = 1 << 9;

/// The parts of an image, each looked at once.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    image: &'a [u8],
    header: Header,
    regions: Vec<Regions>,
    pages: AHashMap<(usize, u32, bool), Cuts>,
    slots: AHashMap<(PeerKey, u16), Cuts>,
    peers: AHashMap<PeerKey, Arc<[PeerStretch]>>,
    ports: AHashMap<PortKey, Arc<[PortStretch]>>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(image: &'a [u8], header: Header) -> Self {
        let mut walk = Self {
            image,
            header,
            regions: Vec::new(),
            pages: AHashMap::new(),
            slots: AHashMap::new(),
            peers: AHashMap::new(),
            ports: AHashMap::new(),
        };
        walk.put_regions(0..DEFINED);
        let defined = walk.regions.len();
        walk.put_regions(DEFINED..DEFINED + SCOPE);
        // The rest repeats itself, once per undefined scope.
        let scope = walk.regions.get(defined..).unwrap_or(&[]).to_vec();
        let mut shift = SCOPE;
        while DEFINED + shift <= u32::MAX / REGION {
            walk.regions.extend(scope.iter().map(|r| Regions {
                first: r.first + shift,
                last: r.last + shift,
                slot: r.slot,
            }));
            shift += SCOPE;
        }
        walk
    }

    /// Puts these regions, whose slots stand at words of the same numbers.
    fn put_regions(&mut self, regions: Range<u32>) {
        let start = regions.start;
        for region in regions {
            let slot = self.u16(self.header.regions.at as usize + region as usize * 2);
            match self.regions.last_mut() {
                Some(last) if last.slot == slot && last.first >= start => last.last = region,
                _ => self.regions.push(Regions {
                    first: region,
                    last: region,
                    slot,
                }),
            }
        }
    }

    fn u8(&self, at: usize) -> u32 {
        self.image.get(at).map_or(0, |b| u32::from(*b))
    }

    fn u16(&self, at: usize) -> u16 {
        let bytes = self.image.get(at..).and_then(|b| b.first_chunk());
        bytes.map_or(0, |b| u16::from_le_bytes(*b))
    }

    /// The keys that an index has words for.
    pub(super) fn index(&self, section: Section) -> Vec<u32> {
        let words = (0..section.count as usize).filter_map(|i| {
            let word = self.image.get(section.at as usize + i * 8..)?;
            Some(u64::from_le_bytes(*word.first_chunk()?))
        });
        words
            .filter(|word| word & u64::from(u32::MAX) != 0)
            .map(|word| (word >> 32) as u32)
            .collect()
    }

    /// The class of every identity.
    pub(super) fn peers(&mut self, d: &Descriptor) -> Arc<[PeerStretch]> {
        let wide = d.flags & WIDE_PEERS != 0;
        let key = (d.directory, d.root, d.pages, d.blocks, wide);
        if let Some(known) = self.peers.get(&key) {
            return Arc::clone(known);
        }
        let rooted = self.rooted(key);
        let local = self.local(key);
        let all: Arc<[PeerStretch]> = overlay(&rooted, &local).into();
        self.peers.insert(key, Arc::clone(&all));
        all
    }

    /// What the roots say of every identity, local or not.
    fn rooted(&mut self, key: PeerKey) -> Vec<PeerStretch> {
        let mut all = Vec::new();
        for i in 0..self.regions.len() {
            let Some(regions) = self.regions.get(i).copied() else {
                continue;
            };
            let cuts = self.slot(key, regions.slot);
            let first = regions.first * REGION;
            let last = regions.last * REGION + (REGION - 1);
            push(&mut all, first, last, &cuts);
        }
        all
    }

    /// What the local directory says of the identities it covers.
    fn local(&mut self, (directory, _, base, _, wide): PeerKey) -> Vec<PeerStretch> {
        let mut all = Vec::new();
        for page in 0..self.header.local_count / 64 {
            let page_first = self.header.local_first.wrapping_add(page * 64);
            let number = self.u16(directory as usize + page as usize * 2);
            let cuts = self.page(base, number, wide);
            let ends = cuts.iter().skip(1).map(|(start, _)| start - 1);
            for ((start, class), end) in cuts.iter().zip(ends.chain([63])) {
                let (first, last) = (page_first + start, page_first + end);
                push(&mut all, first, last, &Cuts::from([(0, *class)]));
            }
        }
        all.sort_unstable_by_key(|s| s.first);
        all
    }

    /// The classes of a slot's 32,768 identities.
    fn slot(&mut self, key: PeerKey, slot: u16) -> Cuts {
        if let Some(known) = self.slots.get(&(key, slot)) {
            return Arc::clone(known);
        }
        let (_, root, pages, blocks, wide) = key;
        let mut cuts: Vec<(u32, u32)> = Vec::new();
        let mut first = 0;
        for block in 0..SLOT_BLOCKS {
            let word = root as usize + (usize::from(slot) * SLOT_BLOCKS + block) * 2;
            let at = blocks as usize + usize::from(self.u16(word)) * BLOCK_LEN;
            for page in 0..BLOCK_PAGES {
                let number = self.u16(at + page * 2);
                for (start, class) in self.page(pages, number, wide).iter() {
                    cut(&mut cuts, first + start, *class);
                }
                first += 64;
            }
        }
        let cuts: Cuts = cuts.into();
        self.slots.insert((key, slot), Arc::clone(&cuts));
        cuts
    }

    /// The classes of a page's 64 identities.
    fn page(&mut self, base: u32, number: u16, wide: bool) -> Cuts {
        let at = base as usize + usize::from(number) * PAGE_UNIT;
        self.classes(at, 64, wide)
    }

    fn classes(&mut self, at: usize, count: u32, wide: bool) -> Cuts {
        if let Some(known) = self.pages.get(&(at, count, wide)) {
            return Arc::clone(known);
        }
        let mut cuts = Vec::new();
        for i in 0..count {
            let class = match wide {
                true => u32::from(self.u16(at + i as usize * 2)),
                false => self.u8(at + i as usize),
            };
            cut(&mut cuts, i, class);
        }
        let cuts: Cuts = cuts.into();
        self.pages.insert((at, count, wide), Arc::clone(&cuts));
        cuts
    }

    /// The class of every port of every protocol.
    pub(super) fn ports(&mut self, d: &Descriptor) -> Arc<[PortStretch]> {
        let wide = d.flags & WIDE_PORTS != 0;
        let key = (
            d.ports,
            d.port_directories,
            d.port_pages,
            d.last_port_word,
            wide,
        );
        if let Some(known) = self.ports.get(&key) {
            return Arc::clone(known);
        }
        let mut all = Vec::new();
        for protocol in 0..=u8::MAX {
            let slot = self.u8(self.header.protocols as usize + usize::from(protocol));
            let word = self.u16(d.ports as usize + slot as usize * 2);
            let cuts = if slot < u32::from(PORT_SLOTS) {
                self.port_directory(d, word, wide)
            } else {
                vec![(0, u32::from(word))]
            };
            let ends = cuts.iter().skip(1).map(|(start, _)| start - 1);
            let ends = ends.chain([u32::from(u16::MAX)]);
            all.extend(
                cuts.iter()
                    .zip(ends)
                    .map(|((first, class), last)| PortStretch {
                        protocol,
                        first: u16::try_from(*first).unwrap_or(u16::MAX),
                        last: u16::try_from(last).unwrap_or(u16::MAX),
                        class: *class,
                    }),
            );
        }
        let all: Arc<[PortStretch]> = all.into();
        self.ports.insert(key, Arc::clone(&all));
        all
    }

    /// The classes of a protocol's ports: 128 pages of 512, of which those
    /// behind the last word are all that word's.
    fn port_directory(&mut self, d: &Descriptor, number: u16, wide: bool) -> Vec<(u32, u32)> {
        let directory = d.port_directories as usize + usize::from(number) * 8;
        let unit = if wide { 16 } else { 8 };
        let mut cuts = Vec::new();
        for high in 0..128 {
            let word = usize::from(d.last_port_word).min(high as usize);
            let page = usize::from(self.u16(directory + word * 2));
            let page = d.port_pages as usize + page * unit;
            for (start, class) in self.classes(page, 512, wide).iter() {
                cut(&mut cuts, high * 512 + start, *class);
            }
        }
        cuts
    }
}

/// Begins a new class, unless it is the one before.
fn cut(cuts: &mut Vec<(u32, u32)>, start: u32, class: u32) {
    if cuts.last().is_none_or(|(_, last)| *last != class) {
        cuts.push((start, class));
    }
}

fn push(all: &mut Vec<PeerStretch>, first: u32, last: u32, cuts: &Cuts) {
    match all.last_mut() {
        Some(before) if before.cuts == *cuts && before.last.checked_add(1) == Some(first) => {
            before.last = last;
        }
        _ => all.push(PeerStretch {
            first,
            last,
            cuts: Arc::clone(cuts),
        }),
    }
}

/// What `upper` says, and `lower` where it says nothing.
fn overlay(lower: &[PeerStretch], upper: &[PeerStretch]) -> Vec<PeerStretch> {
    let mut all = Vec::with_capacity(lower.len() + upper.len());
    let mut upper = upper.iter().peekable();
    for stretch in lower {
        let mut first = Some(stretch.first);
        while let Some(from) = first
            && from <= stretch.last
        {
            match upper.peek() {
                Some(over) if over.last < from => {
                    upper.next();
                }
                Some(over) if over.first <= from => {
                    push(&mut all, from, over.last.min(stretch.last), &over.cuts);
                    first = over.last.checked_add(1);
                }
                over => {
                    let before = over.map_or(u32::MAX, |o| o.first - 1);
                    push(&mut all, from, before.min(stretch.last), &stretch.cuts);
                    first = before.checked_add(1);
                }
            }
        }
    }
    all
}
