//! Putting an image together.
//!
//! In: cells and classes of each direction of each subject. Out: the bytes of
//! an image, as `docs/table-format.md` describes them. Offsets are relative to
//! their sections until the end.

use super::CompileError;
use super::class::Classes;
use super::column::Cells;
use super::origin::{OriginBases, OriginSections};
use super::peers::{PeerSections, Plan, class_bytes, cluster_bits, u16_bytes};
use super::pool::Pool;
use super::ports::PortSections;
use crate::config::Config;
use crate::resolve::DirectionPolicy;
use crate::rule::Direction;
use ahash::AHashMap;
use netverdict_table::Plane;
use netverdict_table::layout::{
    self, ALIGN, DESCRIPTOR_LEN, Descriptor, HEADER_LEN, Header, Section,
};

/// Spare classes that are left before a table's numbers get 16 bits.
const SPARE: usize = 8;

/// A direction of a subject: its descriptor's number, and its origin block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Compiled {
    pub(super) descriptor: u32,
    pub(super) origins: u32,
}

/// An image while it grows.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) peers: PeerSections,
    ports: PortSections,
    cells: Pool,
    entries: Pool,
    bitsets: Pool,
    descriptors: Vec<Descriptor>,
    by_descriptor: AHashMap<Descriptor, u32>,
    pub(super) origins: OriginSections,
}

/// What an image says beside its subjects' policies.
pub(super) struct Frame<'a> {
    pub(super) config: &'a Config,
    pub(super) revision: u64,
    /// Ingress and egress of every subject.
    pub(super) subjects: &'a [[Compiled; 2]],
    /// Endpoint number to subject.
    pub(super) endpoints: &'a [(u32, u32)],
    /// Identity to subject.
    pub(super) identity_index: &'a [(u32, u32)],
    /// Every identity, ascending.
    pub(super) identities: &'a [u32],
    /// Whether origins are written.
    pub(super) with_origins: bool,
}

impl Image {
    pub(super) fn new(plan: Plan) -> Self {
        Self {
            peers: PeerSections::new(plan),
            ports: PortSections::new(),
            cells: Pool::new(ALIGN),
            entries: Pool::new(ALIGN),
            bitsets: Pool::new(ALIGN),
            descriptors: Vec::new(),
            by_descriptor: AHashMap::new(),
            origins: OriginSections::new(),
        }
    }

    /// Puts a direction's descriptor and all it leads to; returns its number.
    pub(super) fn put(
        &mut self,
        policy: &DirectionPolicy,
        classes: &Classes,
        cells: &Cells,
    ) -> u32 {
        let wide = |count: usize, spare: usize| count + spare > 256;
        let wide_peers = wide(classes.count() as usize, SPARE);
        let wide_ports = wide(cells.rows.len(), SPARE);
        let wide_cells = wide(cells.entries.len(), 0);
        let peers = self.peers.put(classes, wide_peers);
        let ports = self.ports.put(&cells.ports, wide_ports);
        let flat = cells.rows.iter().flatten().copied();
        let entries: Vec<u8> = cells.entries.iter().flat_map(|e| e.to_bytes()).collect();
        let flags = [
            (wide_peers, layout::WIDE_PEERS),
            (wide_ports, layout::WIDE_PORTS),
            (wide_cells, layout::WIDE_CELLS),
            (policy.default_deny, layout::DEFAULT_DENY),
            (policy.direction == Direction::Egress, layout::EGRESS),
            (policy.enforced, layout::ENFORCED),
        ];
        let descriptor = Descriptor {
            directory: peers.directory,
            root: peers.root,
            pages: peers.pages,
            blocks: peers.blocks,
            ports: ports.ports,
            port_directories: ports.directories,
            port_pages: ports.pages,
            cells: self.cells.put(&class_bytes(flat, wide_cells)),
            entries: self.entries.put(&entries),
            bitsets: self.bitsets.put(&bitsets(cells, classes.count())),
            stride: classes.count(),
            flags: flags.iter().filter(|(on, _)| *on).map(|(_, bit)| bit).sum(),
            peer_classes: classes.count(),
            port_classes: count(cells.rows.len()),
            entry_count: count(cells.entries.len()),
        };
        let descriptors = &mut self.descriptors;
        *self.by_descriptor.entry(descriptor).or_insert_with(|| {
            descriptors.push(descriptor);
            count(descriptors.len() - 1)
        })
    }

    /// The bytes of the image.
    pub(super) fn finish(&self, frame: &Frame<'_>) -> Result<Vec<u8>, CompileError> {
        let plan = &self.peers.plan;
        let subject_count = frame.subjects.len();
        let identities: Vec<u8> = u32s(frame.identities.iter().copied());
        let endpoints = index(frame.endpoints);
        let identity_index = index(frame.identity_index);
        let protocols: Vec<u8> = (0..=u8::MAX).map(layout::protocol_slot).collect();
        let mut place = Placer { end: HEADER_LEN };
        let subjects_at = place.take(subject_count * 8);
        let origins_at = match frame.with_origins {
            true => place.take(subject_count * 8),
            false => 0,
        };
        let endpoints_at = place.take(endpoints.len());
        let identity_index_at = place.take(identity_index.len());
        let regions = u16_bytes(&plan.regions);
        let regions_at = place.take(regions.len());
        let protocols_at = place.take(protocols.len());
        let identities_at = place.take(identities.len());
        let descriptors_at = place.take(self.descriptors.len() * DESCRIPTOR_LEN);
        let [directories_at, roots_at, blocks_at, pages_at] = [
            &self.peers.directories,
            &self.peers.roots,
            &self.peers.blocks,
            &self.peers.pages,
        ]
        .map(|pool| place.take(pool.len()));
        let [ports_at, port_directories_at, port_pages_at] = [
            &self.ports.ports,
            &self.ports.directories,
            &self.ports.pages,
        ]
        .map(|pool| place.take(pool.len()));
        let [cells_at, entries_at, bitsets_at] =
            [&self.cells, &self.entries, &self.bitsets].map(|pool| place.take(pool.len()));
        let (mut origin_bytes, mut bases) = (
            [Vec::new(), Vec::new(), Vec::new()],
            OriginBases {
                blocks: 0,
                sets: 0,
                lists: 0,
            },
        );
        let (mut rules, mut texts) = (&[][..], &[][..]);
        let [mut rules_at, mut texts_at] = [0, 0];
        if frame.with_origins {
            let [blocks, sets, lists] = self.origins.lens().map(|len| place.take(len));
            bases = OriginBases {
                blocks: at(blocks),
                sets: at(sets),
                lists: at(lists),
            };
            origin_bytes = self.origins.placed(bases);
            rules = self.origins.rules.bytes();
            texts = self.origins.texts.bytes();
            rules_at = place.take(rules.len());
            texts_at = place.take(texts.len());
        }
        let length = place.end;
        if length > u32::MAX as usize - ALIGN {
            return Err(CompileError::TooLarge { bytes: length });
        }
        let mut out = vec![0; length];
        let section = |at_: usize, n: usize| Section {
            at: if n == 0 { 0 } else { at(at_) },
            count: count(n),
        };
        let config = frame.config;
        let flags = [
            (config.icmp_rules, layout::ICMP_TYPES),
            (config.allow_icmp_frag_needed, layout::FRAGMENTATION_NEEDED),
            (true, layout::FROZEN),
        ];
        let mut header = Header {
            version: layout::VERSION,
            oldest_reader: layout::VERSION,
            flags: flags.iter().filter(|(on, _)| *on).map(|(_, bit)| bit).sum(),
            length: at(length),
            semantics: layout::SEMANTICS,
            cluster_id: config.cluster_id,
            cluster_bits: cluster_bits(config),
            hash: 0,
            revision: frame.revision,
            subjects: section(subjects_at, subject_count),
            endpoints: section(endpoints_at, endpoints.len() / 8),
            identity_index: section(identity_index_at, identity_index.len() / 8),
            regions: Section {
                at: at(regions_at),
                count: count(plan.slots()),
            },
            local_first: plan.local_first,
            local_count: plan.local_count,
            protocols: at(protocols_at),
            identities: section(identities_at, frame.identities.len()),
            origins: at(origins_at),
            rules: section(rules_at, rules.len() / layout::RULE_LEN),
            texts: section(texts_at, texts.len()),
        };
        let descriptor_at = |n: u32| at(descriptors_at) + n * count(DESCRIPTOR_LEN);
        let words = frame
            .subjects
            .iter()
            .flat_map(|s| s.map(|c| descriptor_at(c.descriptor)));
        write(&mut out, subjects_at, &u32s(words));
        if frame.with_origins {
            let block = |c: Compiled| match c.origins.checked_sub(1) {
                Some(relative) => bases.blocks + relative,
                None => 0,
            };
            let words = frame.subjects.iter().flat_map(|s| s.map(block));
            write(&mut out, origins_at, &u32s(words));
        }
        for (d, n) in self.descriptors.iter().zip(0..) {
            let base = |relative: u32, section: usize| relative + at(section);
            let placed = Descriptor {
                directory: base(d.directory, directories_at),
                root: base(d.root, roots_at),
                pages: base(d.pages, pages_at),
                blocks: base(d.blocks, blocks_at),
                ports: base(d.ports, ports_at),
                port_directories: base(d.port_directories, port_directories_at),
                port_pages: base(d.port_pages, port_pages_at),
                cells: base(d.cells, cells_at),
                entries: base(d.entries, entries_at),
                bitsets: base(d.bitsets, bitsets_at),
                ..*d
            };
            write(&mut out, descriptor_at(n) as usize, &placed.to_bytes());
        }
        let [origin_blocks, origin_sets, origin_lists] = &origin_bytes;
        let sections: [(usize, &[u8]); 20] = [
            (endpoints_at, &endpoints),
            (identity_index_at, &identity_index),
            (regions_at, &regions),
            (protocols_at, &protocols),
            (identities_at, &identities),
            (directories_at, self.peers.directories.bytes()),
            (roots_at, self.peers.roots.bytes()),
            (blocks_at, self.peers.blocks.bytes()),
            (pages_at, self.peers.pages.bytes()),
            (ports_at, self.ports.ports.bytes()),
            (port_directories_at, self.ports.directories.bytes()),
            (port_pages_at, self.ports.pages.bytes()),
            (cells_at, self.cells.bytes()),
            (entries_at, self.entries.bytes()),
            (bitsets_at, self.bitsets.bytes()),
            (bases.blocks as usize, origin_blocks),
            (bases.sets as usize, origin_sets),
            (bases.lists as usize, origin_lists),
            (rules_at, rules),
            (texts_at, texts),
        ];
        for (at, bytes) in sections {
            write(&mut out, at, bytes);
        }
        write(&mut out, 0, &header.to_bytes());
        header.hash = netverdict_table::hash(&out);
        write(&mut out, 0, &header.to_bytes());
        Ok(out)
    }
}

/// Gives out places, one behind the other.
struct Placer {
    end: usize,
}

impl Placer {
    fn take(&mut self, len: usize) -> usize {
        let at = self.end.next_multiple_of(ALIGN);
        self.end = at + len;
        at
    }
}

fn write(out: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(to) = out.get_mut(at..at + bytes.len()) {
        to.copy_from_slice(bytes);
    }
}

fn at(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn u32s(words: impl Iterator<Item = u32>) -> Vec<u8> {
    words.flat_map(u32::to_le_bytes).collect()
}

/// An index of keys and subjects, at most half full.
fn index(pairs: &[(u32, u32)]) -> Vec<u8> {
    if pairs.is_empty() {
        return Vec::new();
    }
    let slots = (pairs.len() * 2).next_power_of_two();
    let mut words = vec![0u64; slots];
    for (key, subject) in pairs {
        let mut i = layout::index_start(*key, count(slots)) as usize;
        while let Some(word) = words.get_mut(i) {
            if *word == 0 {
                *word = u64::from(*key) << 32 | u64::from(subject + 1);
                break;
            }
            i = (i + 1) % slots;
        }
    }
    words.into_iter().flat_map(u64::to_le_bytes).collect()
}

/// Four planes per row, exclusive, one bit per peer class.
fn bitsets(cells: &Cells, peer_classes: u32) -> Vec<u8> {
    let planes: Vec<Option<Plane>> = cells.entries.iter().map(Plane::of).collect();
    let words = (peer_classes as usize).div_ceil(64);
    let mut out = Vec::with_capacity(cells.rows.len() * words * 32);
    for row in &cells.rows {
        let mut bits = vec![0u64; words * Plane::ALL.len()];
        for (class, cell) in row.iter().enumerate() {
            let plane = planes.get(*cell as usize).copied().flatten();
            let word = plane.and_then(|p| bits.get_mut(p as usize * words + class / 64));
            if let Some(word) = word {
                *word |= 1 << (class % 64);
            }
        }
        out.extend(bits.into_iter().flat_map(u64::to_le_bytes));
    }
    out
}
