//! Putting an image together.
//!
//! In: cells and classes of each direction of each subject. Out: the bytes of
//! an image, as `docs/table-format.md` describes them. Offsets are relative to
//! their sections until the end.

use super::CompileError;
use super::class::Classes;
use super::column::Cells;
use super::origin::{OriginBases, OriginSections};
use super::peers::{PeerSections, class_bytes, cluster_bits, u16_bytes};
use super::pool::Pool;
use super::ports::PortSections;
use crate::config::Config;
use crate::resolve::DirectionPolicy;
use crate::rule::Direction;
use ahash::AHashMap;
use netverdict_table::Plane;
use netverdict_table::layout::{
    self, ALIGN, DESCRIPTOR_LEN, Descriptor, ENTRY_LEN, HEADER_LEN, Header, PART_ALIGN, Section,
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
    /// Ingress and egress of every subject; `None` for a number in no use.
    pub(super) subjects: &'a [Option<[Compiled; 2]>],
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
    pub(super) fn new(peers: PeerSections) -> Self {
        Self {
            peers,
            ports: PortSections::new(),
            cells: Pool::new(PART_ALIGN),
            entries: Pool::new(ENTRY_LEN),
            bitsets: Pool::new(PART_ALIGN),
            descriptors: Vec::new(),
            by_descriptor: AHashMap::new(),
            origins: OriginSections::new(),
        }
    }

    /// Puts a direction's descriptor and all it leads to; returns its number.
    ///
    /// # Errors
    /// When the direction lists identities in too many pages.
    pub(super) fn put(
        &mut self,
        policy: &DirectionPolicy,
        classes: &Classes,
        cells: &Cells,
    ) -> Result<u32, CompileError> {
        let wide = |count: usize, spare: usize| count + spare > 256;
        let wide_peers = wide(classes.count() as usize, SPARE);
        let wide_ports = wide(cells.rows, SPARE);
        let wide_cells = wide(cells.entries.len(), 0);
        let peers = self.peers.put(classes, wide_peers)?;
        let ports = self.ports.put(&cells.ports, wide_ports);
        let mut entries = Vec::with_capacity(cells.entries.len() * ENTRY_LEN);
        for entry in &cells.entries {
            entries.extend_from_slice(&entry.to_bytes());
        }
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
            cells: self.cells.put(&class_bytes(&cells.cells, wide_cells)),
            entries: self.entries.put(&entries),
            bitsets: self.bitsets.put(&bitsets(cells, classes.count())),
            stride: classes.count(),
            flags: flags.iter().filter(|(on, _)| *on).map(|(_, bit)| bit).sum(),
            peer_classes: classes.count(),
            port_classes: count(cells.rows),
            entry_count: count(cells.entries.len()),
            last_port_word: ports.last_word,
        };
        let descriptors = &mut self.descriptors;
        let number = self.by_descriptor.entry(descriptor).or_insert_with(|| {
            descriptors.push(descriptor);
            count(descriptors.len() - 1)
        });
        Ok(*number)
    }

    /// The bytes of a frozen image.
    pub(super) fn finish(&self, frame: &Frame<'_>) -> Result<Vec<u8>, CompileError> {
        let layout = Layout::new(&self.sizes(frame), |size, _| size)?;
        let mut out = self.bytes(frame, &layout, layout::FROZEN);
        let hash = netverdict_table::hash(&out);
        write(&mut out, layout::HASH_AT, &hash.to_le_bytes());
        Ok(out)
    }

    /// How many bytes each part has.
    pub(super) fn sizes(&self, frame: &Frame<'_>) -> [usize; Part::COUNT] {
        let mut sizes = [0; Part::COUNT];
        let words = frame.subjects.len() * 8;
        let mut set = |part: Part, size: usize| {
            if let Some(slot) = sizes.get_mut(part as usize) {
                *slot = size;
            }
        };
        set(Part::Subjects, words);
        set(Part::Endpoints, index_slots(frame.endpoints.len()) * 8);
        let identity_slots = index_slots(frame.identity_index.len());
        set(Part::IdentityIndex, identity_slots * 8);
        set(Part::Regions, layout::REGIONS * 2);
        set(Part::Protocols, 256);
        set(Part::Identities, frame.identities.len() * 4);
        set(Part::Descriptors, self.descriptors.len() * DESCRIPTOR_LEN);
        for (part, pool) in self.pools() {
            set(part, pool.len());
        }
        if frame.with_origins {
            let [blocks, sets, lists] = self.origins.lens();
            set(Part::Origins, words);
            set(Part::OriginBlocks, blocks);
            set(Part::OriginSets, sets);
            set(Part::OriginLists, lists);
            set(Part::Rules, self.origins.rules.len());
            set(Part::Texts, self.origins.texts.len());
        }
        sizes
    }

    /// The parts that are one pool each.
    pub(super) fn pools(&self) -> [(Part, &Pool); 10] {
        [
            (Part::Directories, &self.peers.directories),
            (Part::Roots, &self.peers.roots),
            (Part::Blocks, &self.peers.blocks),
            (Part::Pages, &self.peers.pages),
            (Part::Ports, &self.ports.ports),
            (Part::PortDirectories, &self.ports.directories),
            (Part::PortPages, &self.ports.pages),
            (Part::Cells, &self.cells),
            (Part::Entries, &self.entries),
            (Part::Bitsets, &self.bitsets),
        ]
    }

    /// How many descriptors there are.
    pub(super) fn descriptors(&self) -> usize {
        self.descriptors.len()
    }

    /// A descriptor, relative to the sections.
    pub(super) fn descriptor(&self, number: u32) -> Descriptor {
        let d = self.descriptors.get(number as usize).copied();
        d.unwrap_or_default()
    }

    /// A descriptor with its offsets made absolute.
    pub(super) fn placed(&self, number: u32, layout: &Layout) -> Descriptor {
        let d = self.descriptor(number);
        let base = |relative: u32, part: Part| relative + layout.at(part);
        Descriptor {
            directory: base(d.directory, Part::Directories),
            root: base(d.root, Part::Roots),
            pages: base(d.pages, Part::Pages),
            blocks: base(d.blocks, Part::Blocks),
            ports: base(d.ports, Part::Ports),
            port_directories: base(d.port_directories, Part::PortDirectories),
            port_pages: base(d.port_pages, Part::PortPages),
            cells: base(d.cells, Part::Cells),
            entries: base(d.entries, Part::Entries),
            bitsets: base(d.bitsets, Part::Bitsets),
            ..d
        }
    }

    /// The image in a layout.
    pub(super) fn bytes(&self, frame: &Frame<'_>, layout: &Layout, flags: u32) -> Vec<u8> {
        let mut out = vec![0; layout.length as usize];
        write(&mut out, 0, &self.header(frame, layout, flags).to_bytes());
        let both = |s: &Option<[Compiled; 2]>, f: &dyn Fn(Compiled) -> u32| -> [u32; 2] {
            s.map_or([0; 2], |s| s.map(f))
        };
        let subjects = frame.subjects.iter();
        let words = subjects.flat_map(|s| both(s, &|c| layout.descriptor(c.descriptor)));
        let mut put = |part: Part, bytes: &[u8]| write(&mut out, layout.at(part) as usize, bytes);
        put(Part::Subjects, &u32s(words));
        put(
            Part::Endpoints,
            &index(frame.endpoints, layout.slots(Part::Endpoints)),
        );
        let slots = layout.slots(Part::IdentityIndex);
        put(Part::IdentityIndex, &index(frame.identity_index, slots));
        put(Part::Regions, &u16_bytes(&self.peers.plan.regions));
        let protocols: Vec<u8> = (0..=u8::MAX).map(layout::protocol_slot).collect();
        put(Part::Protocols, &protocols);
        put(Part::Identities, &u32s(frame.identities.iter().copied()));
        let descriptors =
            (0..count(self.descriptors.len())).flat_map(|n| self.placed(n, layout).to_bytes());
        put(Part::Descriptors, &descriptors.collect::<Vec<u8>>());
        for (part, pool) in self.pools() {
            put(part, pool.bytes());
        }
        if frame.with_origins {
            let bases = OriginBases {
                blocks: layout.at(Part::OriginBlocks),
                sets: layout.at(Part::OriginSets),
                lists: layout.at(Part::OriginLists),
            };
            let block = |c: Compiled| match c.origins.checked_sub(1) {
                Some(relative) => bases.blocks + relative,
                None => 0,
            };
            put(
                Part::Origins,
                &u32s(frame.subjects.iter().flat_map(|s| both(s, &block))),
            );
            let [blocks, sets, lists] = self.origins.placed(bases);
            put(Part::OriginBlocks, &blocks);
            put(Part::OriginSets, &sets);
            put(Part::OriginLists, &lists);
            put(Part::Rules, self.origins.rules.bytes());
            put(Part::Texts, self.origins.texts.bytes());
        }
        out
    }

    fn header(&self, frame: &Frame<'_>, layout: &Layout, flags: u32) -> Header {
        let section = |part: Part, count: u32| Section {
            at: if count == 0 { 0 } else { layout.at(part) },
            count,
        };
        let size = |part: Part| layout.size(part);
        let config = frame.config;
        let plan = &self.peers.plan;
        let options = [
            (config.icmp_rules, layout::ICMP_TYPES),
            (config.allow_icmp_frag_needed, layout::FRAGMENTATION_NEEDED),
        ];
        let options: u32 = options
            .iter()
            .filter(|(on, _)| *on)
            .map(|(_, bit)| bit)
            .sum();
        let rule_count = size(Part::Rules) / count(layout::RULE_LEN);
        Header {
            version: layout::VERSION,
            oldest_reader: layout::VERSION,
            flags: options | flags,
            length: layout.length,
            semantics: layout::SEMANTICS,
            cluster_id: config.cluster_id,
            cluster_bits: cluster_bits(config),
            hash: 0,
            revision: frame.revision,
            subjects: section(Part::Subjects, size(Part::Subjects) / 8),
            endpoints: section(Part::Endpoints, layout.slots(Part::Endpoints)),
            identity_index: section(Part::IdentityIndex, layout.slots(Part::IdentityIndex)),
            regions: Section {
                at: layout.at(Part::Regions),
                count: count(plan.slots()),
            },
            local_first: plan.local_first,
            local_count: plan.local_count,
            protocols: layout.at(Part::Protocols),
            identities: section(Part::Identities, count(frame.identities.len())),
            origins: match frame.with_origins {
                true => layout.at(Part::Origins),
                false => 0,
            },
            rules: section(Part::Rules, rule_count),
            texts: section(Part::Texts, size(Part::Texts)),
        }
    }
}

/// The parts of an image, in the order they stand in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Subjects,
    Origins,
    Endpoints,
    IdentityIndex,
    Regions,
    Protocols,
    Identities,
    Descriptors,
    Directories,
    Roots,
    Blocks,
    Pages,
    Ports,
    PortDirectories,
    PortPages,
    Cells,
    Entries,
    Bitsets,
    OriginBlocks,
    OriginSets,
    OriginLists,
    Rules,
    Texts,
}

impl Part {
    pub(super) const COUNT: usize = Self::Texts as usize + 1;
}

/// Where each part of an image stands, and how much room it has.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    parts: [(u32, u32); Part::COUNT],
    pub(super) length: u32,
}

impl Layout {
    /// Places parts one behind the other. `room` says how many bytes to keep
    /// for a part of a size, which is given by its place among the parts.
    pub(super) fn new(
        sizes: &[usize; Part::COUNT],
        room: impl Fn(usize, usize) -> usize,
    ) -> Result<Self, CompileError> {
        let mut parts = [(0, 0); Part::COUNT];
        let mut end = HEADER_LEN;
        for (i, (part, size)) in parts.iter_mut().zip(sizes).enumerate() {
            let start = end.next_multiple_of(ALIGN);
            let room = room(*size, i);
            end = start + room;
            *part = (offset(start), count(room));
        }
        if end > u32::MAX as usize - ALIGN {
            return Err(CompileError::TooLarge { bytes: end });
        }
        Ok(Self {
            parts,
            length: offset(end),
        })
    }

    /// Offset of a part.
    pub(super) fn at(&self, part: Part) -> u32 {
        self.parts.get(part as usize).map_or(0, |(at, _)| *at)
    }

    /// Room of a part in bytes.
    pub(super) fn size(&self, part: Part) -> u32 {
        self.parts.get(part as usize).map_or(0, |(_, size)| *size)
    }

    /// Slots of an index.
    fn slots(&self, part: Part) -> u32 {
        self.size(part) / 8
    }

    /// Offset of a descriptor.
    pub(super) fn descriptor(&self, number: u32) -> u32 {
        self.at(Part::Descriptors) + number * count(DESCRIPTOR_LEN)
    }
}

fn write(out: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(to) = out.get_mut(at..at + bytes.len()) {
        to.copy_from_slice(bytes);
    }
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn u32s(words: impl Iterator<Item = u32>) -> Vec<u8> {
    words.flat_map(u32::to_le_bytes).collect()
}

/// Slots of an index of so many keys: at most half of them are used.
fn index_slots(keys: usize) -> usize {
    match keys {
        0 => 0,
        n => (n * 2).next_power_of_two(),
    }
}

/// An index of keys and subjects.
fn index(pairs: &[(u32, u32)], slots: u32) -> Vec<u8> {
    let mut words = vec![0u64; slots as usize];
    for (key, subject) in pairs {
        let mut i = layout::index_start(*key, slots) as usize;
        while let Some(word) = words.get_mut(i) {
            if *word == 0 {
                *word = u64::from(*key) << 32 | u64::from(subject + 1);
                break;
            }
            i = (i + 1) % slots as usize;
        }
    }
    words.into_iter().flat_map(u64::to_le_bytes).collect()
}

/// Four planes per row, exclusive, one bit per peer class.
fn bitsets(cells: &Cells, peer_classes: u32) -> Vec<u8> {
    let planes: Vec<Option<Plane>> = cells.entries.iter().map(Plane::of).collect();
    let bytes = (peer_classes as usize).div_ceil(8);
    let mut out = vec![0; cells.rows * bytes * Plane::ALL.len()];
    let of_rows = out.chunks_exact_mut((bytes * Plane::ALL.len()).max(1));
    for (row, bits) in cells.each_row().zip(of_rows) {
        for (class, cell) in row.iter().enumerate() {
            let plane = planes.get(*cell as usize).copied().flatten();
            let byte = plane.and_then(|p| bits.get_mut(p as usize * bytes + class / 8));
            if let Some(byte) = byte {
                *byte |= 1 << (class % 8);
            }
        }
    }
    out
}
