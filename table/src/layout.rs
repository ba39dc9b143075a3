//! The layout of format 2: where everything stands, as `docs/table-format.md`
//! says. In: bytes. Out: numbers, and back. Nothing is checked here.
//!
//! ```
//! use netverdict_table::layout::{
//!     DESCRIPTOR_LEN, Descriptor, HEADER_LEN, Header, index_start, protocol_slot, region,
//! };
//!
//! # mod tiny { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tiny/mod.rs")); }
//! # let (bytes, _) = tiny::image(8, 8);
//! // What stands first, and back into bytes.
//! let first: &[u8; HEADER_LEN] = bytes[..HEADER_LEN].try_into().expect("a header");
//! let header = Header::read(first);
//! assert_eq!(header.to_bytes(), *first);
//! assert_eq!(header.unlisted_class(2), header.unlisted_class(2));
//! let zero = Descriptor::read(&[0; DESCRIPTOR_LEN]);
//! assert_eq!(zero.to_bytes(), [0; DESCRIPTOR_LEN]);
//! // Where a lookup begins.
//! assert_ne!(protocol_slot(6), protocol_slot(17));
//! assert_ne!(region(300), region(0x0100_0001));
//! assert!(index_start(4711, 64) < 64);
//! ```

use crate::bytes::{get_u16, get_u32, get_u64, put};

/// First bytes of an image.
pub const MAGIC: [u8; 8] = *b"NVTABLE\0";
/// The format written and read here.
pub const VERSION: u16 = 2;
/// The first format that is read here.
pub const OLDEST_VERSION: u16 = 2;
/// Bytes of the header.
pub const HEADER_LEN: usize = 128;
/// Where the content hash stands in the header.
pub const HASH_AT: usize = 0x20;
/// Bytes of a descriptor.
pub const DESCRIPTOR_LEN: usize = 64;
/// Where a descriptor says from which port on all are in the last pages, and
/// behind it which word of port directories is the last.
pub(crate) const PORT_END_AT: usize = 0x3c;
pub(crate) const LAST_PORT_WORD_AT: usize = PORT_END_AT + 2;
/// Bytes of a verdict entry.
pub const ENTRY_LEN: usize = 16;
/// Bytes of an origin record.
pub const ORIGIN_LEN: usize = 20;
/// Bytes of a rule.
pub const RULE_LEN: usize = 32;
/// What sections and descriptors are aligned to.
pub const ALIGN: usize = 64;
/// What the parts that a descriptor names are aligned to: no number in them
/// has more bytes.
pub const PART_ALIGN: usize = 8;
/// The semantics tables are compiled for: Cilium 1.20.
pub const SEMANTICS: u32 = 1 << 16 | 20;
/// Identities of a page.
pub const PAGE_IDENTITIES: u32 = 64;
/// Bytes that a page number counts.
pub const PAGE_UNIT: usize = 64;
/// Pages of a block.
pub const BLOCK_PAGES: usize = 64;
/// Bytes of a block.
pub const BLOCK_LEN: usize = BLOCK_PAGES * 2;
/// Blocks of a root slot.
pub const SLOT_BLOCKS: usize = 8;
/// Words of the region table.
pub const REGIONS: usize = 2048;
/// Regions of scopes that are defined; the rest are for undefined ones.
pub const DEFINED_REGIONS: u32 = 1536;
/// Root slots that list nobody: mesh, local prefixes, remote nodes, the local
/// cluster.
pub const EMPTY_SLOTS: u16 = 4;
/// Ports of a port page.
pub const PORT_PAGE_PORTS: usize = 512;
/// Words of a port directory that leaves nothing out.
pub const PORT_DIRECTORY_WORDS: usize = (1 << 16) / PORT_PAGE_PORTS;
/// Bytes that a port directory number counts.
pub const PORT_DIRECTORY_UNIT: usize = 8;
/// Classes that a port page number counts.
pub const PORT_PAGE_UNIT: usize = 8;
/// Classes of identities that are not listed, by aggregate 0, 11, 12, 13, 14.
pub const UNLISTED_CLASSES: u32 = 5;
/// Protocol slots with ports.
pub const PORT_SLOTS: u8 = 5;
/// The slot of every protocol that has none of its own.
pub const OTHER_SLOT: u8 = 12;
/// Protocol slots.
pub const SLOTS: usize = 13;
/// IP protocol numbers by slot, without the last.
pub const SLOT_PROTOCOLS: [u8; SLOTS - 1] = [6, 17, 132, 1, 58, 112, 2, 47, 4, 41, 50, 51];
/// Prefix length of an entry that inherited no authentication.
pub const NOT_INHERITED: u8 = 255;

/// Header flag: ICMP types count as ports.
pub const ICMP_TYPES: u32 = 1;
/// Header flag: "fragmentation needed" passes before any lookup.
pub const FRAGMENTATION_NEEDED: u32 = 2;
/// Header flag: nothing changes, the hash is valid.
pub const FROZEN: u32 = 4;

/// Descriptor flag: peer classes have 16 bits.
pub const WIDE_PEERS: u32 = 1;
/// Descriptor flag: port classes have 16 bits.
pub const WIDE_PORTS: u32 = 2;
/// Descriptor flag: cells have 16 bits.
pub const WIDE_CELLS: u32 = 4;
/// Descriptor flag: what no rule allows is dropped; informational.
pub const DEFAULT_DENY: u32 = 8;
/// Descriptor flag: egress; informational.
pub const EGRESS: u32 = 16;
/// Descriptor flag: rules apply at all; informational.
pub const ENFORCED: u32 = 32;

/// A part of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// Offset from the start of the image; 0 when there is none.
    pub at: u32,
    /// How many elements; what they are depends on the section.
    pub count: u32,
}

/// The low half of an index word whose key was removed.
pub const REMOVED: u32 = u32::MAX;

impl Section {
    /// Searches an index of subjects, whose words are loaded by `load`.
    pub(crate) fn find(self, key: u32, load: impl Fn(usize) -> u64) -> Option<u32> {
        if self.count == 0 {
            return None;
        }
        let mut i = index_start(key, self.count);
        for _ in 0..self.count {
            let word = load(self.at as usize + i as usize * 8);
            if word == 0 {
                return None;
            }
            let subject = word as u32;
            if (word >> 32) as u32 == key && subject != REMOVED {
                return subject.checked_sub(1);
            }
            i = (i + 1) & (self.count - 1);
        }
        None
    }
}

/// The header, decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Format version.
    pub version: u16,
    /// Lowest version of readers that can read the image.
    pub oldest_reader: u16,
    /// Flags of the image.
    pub flags: u32,
    /// Bytes of the image.
    pub length: u32,
    /// Semantics compiled for.
    pub semantics: u32,
    /// The local cluster's id.
    pub cluster_id: u32,
    /// Bits of a cluster id within an identity.
    pub cluster_bits: u32,
    /// Hash of the content; 0 unless frozen.
    pub hash: u64,
    /// Revision of what was compiled.
    pub revision: u64,
    /// A word per subject.
    pub subjects: Section,
    /// Endpoint number to subject, in slots.
    pub endpoints: Section,
    /// Identity to subject, in slots.
    pub identity_index: Section,
    /// Region table; the count is that of slots in every root.
    pub regions: Section,
    /// First identity of the local directories.
    pub local_first: u32,
    /// Identities of the local directories.
    pub local_count: u32,
    /// Protocol to slot, 256 bytes.
    pub protocols: u32,
    /// Every identity there is, ascending.
    pub identities: Section,
    /// A word per subject; 0 without origins.
    pub origins: u32,
    /// Rules.
    pub rules: Section,
    /// Texts; the count is that of bytes.
    pub texts: Section,
}

impl Header {
    /// Reads a header without checking it.
    #[must_use]
    pub fn read(b: &[u8; HEADER_LEN]) -> Self {
        let section = |at| Section {
            at: get_u32(b, at),
            count: get_u32(b, at + 4),
        };
        Self {
            version: get_u16(b, 0x08),
            oldest_reader: get_u16(b, 0x0a),
            flags: get_u32(b, 0x0c),
            length: get_u32(b, 0x10),
            semantics: get_u32(b, 0x14),
            cluster_id: get_u32(b, 0x18),
            cluster_bits: get_u32(b, 0x1c),
            hash: get_u64(b, 0x20),
            revision: get_u64(b, 0x28),
            subjects: section(0x30),
            endpoints: section(0x38),
            identity_index: section(0x40),
            regions: section(0x48),
            local_first: get_u32(b, 0x50),
            local_count: get_u32(b, 0x54),
            protocols: get_u32(b, 0x58),
            identities: section(0x60),
            origins: get_u32(b, 0x68),
            rules: section(0x70),
            texts: section(0x78),
        }
    }

    /// The bytes of a header.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; HEADER_LEN] {
        let mut b = [0; HEADER_LEN];
        put(&mut b, 0x00, &MAGIC);
        put(&mut b, 0x08, &self.version.to_le_bytes());
        put(&mut b, 0x0a, &self.oldest_reader.to_le_bytes());
        let words = [
            (0x0c, self.flags),
            (0x10, self.length),
            (0x14, self.semantics),
            (0x18, self.cluster_id),
            (0x1c, self.cluster_bits),
            (0x50, self.local_first),
            (0x54, self.local_count),
            (0x58, self.protocols),
            (0x68, self.origins),
        ];
        for (at, word) in words {
            put(&mut b, at, &word.to_le_bytes());
        }
        put(&mut b, 0x20, &self.hash.to_le_bytes());
        put(&mut b, 0x28, &self.revision.to_le_bytes());
        let sections = [
            (0x30, self.subjects),
            (0x38, self.endpoints),
            (0x40, self.identity_index),
            (0x48, self.regions),
            (0x60, self.identities),
            (0x70, self.rules),
            (0x78, self.texts),
        ];
        for (at, section) in sections {
            put(&mut b, at, &section.at.to_le_bytes());
            put(&mut b, at + 4, &section.count.to_le_bytes());
        }
        b
    }

    /// The class of an identity that is not listed (Cilium 1.20.2
    /// bpf/lib/identity.h `aggregate_for_identity`).
    #[must_use]
    pub const fn unlisted_class(&self, identity: u32) -> u16 {
        match identity {
            11..=14 => (identity - 10) as u16,
            0..=99 => 0,
            _ => match identity >> 24 {
                1 => 3,
                2 => 4,
                _ => {
                    // With the scope's byte above it: what has an undefined
                    // scope is in no local cluster.
                    if identity >> (24 - self.cluster_bits) == self.cluster_id {
                        1
                    } else {
                        2
                    }
                }
            },
        }
    }
}

/// The keys under which wildcards are written, by unlisted class.
pub const AGGREGATES: [u32; UNLISTED_CLASSES as usize] = [0, 11, 12, 13, 14];

/// The region of an identity: an index into the region table.
#[must_use]
pub const fn region(identity: u32) -> usize {
    let region = identity >> 15;
    if region < DEFINED_REGIONS {
        region as usize
    } else {
        (DEFINED_REGIONS + (region & 511)) as usize
    }
}

/// A descriptor, decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Descriptor {
    /// Local directory.
    pub directory: u32,
    /// Root.
    pub root: u32,
    /// Base of pages.
    pub pages: u32,
    /// Base of blocks.
    pub blocks: u32,
    /// A word per protocol slot.
    pub ports: u32,
    /// Base of port directories.
    pub port_directories: u32,
    /// Base of port pages.
    pub port_pages: u32,
    /// Cells.
    pub cells: u32,
    /// Verdict entries.
    pub entries: u32,
    /// Verdict bitsets.
    pub bitsets: u32,
    /// Cells from one port class to the next.
    pub stride: u32,
    /// Flags of the descriptor.
    pub flags: u32,
    /// How many peer classes.
    pub peer_classes: u32,
    /// How many port classes.
    pub port_classes: u32,
    /// How many verdict entries.
    pub entry_count: u32,
    /// The last word of every port directory, which is that of all ports from
    /// [`port_end`](Self::port_end) on.
    pub last_port_word: u16,
}

impl Descriptor {
    /// Reads a descriptor without checking it.
    #[must_use]
    pub fn read(b: &[u8; DESCRIPTOR_LEN]) -> Self {
        let word = |i: usize| get_u32(b, i * 4);
        Self {
            directory: word(0),
            root: word(1),
            pages: word(2),
            blocks: word(3),
            ports: word(4),
            port_directories: word(5),
            port_pages: word(6),
            cells: word(7),
            entries: word(8),
            bitsets: word(9),
            stride: word(10),
            flags: word(11),
            peer_classes: word(12),
            port_classes: word(13),
            entry_count: word(14),
            last_port_word: get_u16(b, LAST_PORT_WORD_AT),
        }
    }

    /// The bytes of a descriptor.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; DESCRIPTOR_LEN] {
        let words = [
            self.directory,
            self.root,
            self.pages,
            self.blocks,
            self.ports,
            self.port_directories,
            self.port_pages,
            self.cells,
            self.entries,
            self.bitsets,
            self.stride,
            self.flags,
            self.peer_classes,
            self.port_classes,
            self.entry_count,
        ];
        let mut b = [0; DESCRIPTOR_LEN];
        for (i, word) in words.into_iter().enumerate() {
            put(&mut b, i * 4, &word.to_le_bytes());
        }
        put(&mut b, PORT_END_AT, &self.port_end().to_le_bytes());
        let last = self.last_port_word.to_le_bytes();
        put(&mut b, LAST_PORT_WORD_AT, &last);
        b
    }

    /// The first port of the last page of every port directory.
    #[must_use]
    pub const fn port_end(&self) -> u16 {
        self.last_port_word.wrapping_mul(PORT_PAGE_PORTS as u16)
    }

    /// Bytes of one plane of a bitset row.
    #[must_use]
    pub const fn plane_bytes(&self) -> u32 {
        self.peer_classes.div_ceil(8)
    }
}

/// The slot of a protocol.
#[must_use]
pub const fn protocol_slot(protocol: u8) -> u8 {
    let mut slot = 0;
    while slot < OTHER_SLOT {
        if SLOT_PROTOCOLS[slot as usize] == protocol {
            return slot;
        }
        slot += 1;
    }
    OTHER_SLOT
}

/// Where the search of an index starts. `slots` is a power of two.
#[must_use]
pub const fn index_start(key: u32, slots: u32) -> u32 {
    let bits = slots.trailing_zeros();
    if bits == 0 {
        return 0;
    }
    key.wrapping_mul(0x9e37_79b1) >> (32 - bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_descriptors_survive_bytes() {
        let header = Header {
            version: 2,
            oldest_reader: 2,
            flags: 5,
            length: 4096,
            semantics: SEMANTICS,
            cluster_id: 3,
            cluster_bits: 8,
            hash: 0x0102_0304_0506_0708,
            revision: 9,
            subjects: Section { at: 128, count: 2 },
            endpoints: Section { at: 192, count: 4 },
            identity_index: Section { at: 256, count: 8 },
            regions: Section { at: 320, count: 6 },
            local_first: 0x30000,
            local_count: 640,
            protocols: 448,
            identities: Section { at: 512, count: 3 },
            origins: 576,
            rules: Section { at: 640, count: 1 },
            texts: Section { at: 704, count: 11 },
        };
        assert_eq!(Header::read(&header.to_bytes()), header);
        let mut words = [0u8; DESCRIPTOR_LEN];
        for (i, b) in words.iter_mut().enumerate().take(60) {
            *b = u8::try_from(i).unwrap();
        }
        // Port 4608 is the first of page 9.
        words[60..].copy_from_slice(&[0, 18, 9, 0]);
        assert_eq!(Descriptor::read(&words).to_bytes(), words);
    }

    #[test]
    fn unlisted_classes_follow_aggregates() {
        let header = Header {
            cluster_id: 3,
            cluster_bits: 8,
            ..Header::default()
        };
        let class = |id| header.unlisted_class(id);
        assert_eq!([0, 1, 10, 15, 99].map(class), [0; 5]);
        assert_eq!([11, 12, 13, 14].map(class), [1, 2, 3, 4]);
        assert_eq!([100, 255, 1024, 0x20001, 0x40001].map(class), [2; 5]);
        assert_eq!(class(0x30001), 1);
        assert_eq!([0x0303_0001, 0xff03_1234].map(class), [2; 2]);
        assert_eq!(class(0x0100_0001), 3);
        assert_eq!(class(0x0200_0001), 4);
        // Nine bits of cluster id leave fifteen for the number.
        let nine = Header {
            cluster_id: 300,
            cluster_bits: 9,
            ..Header::default()
        };
        assert_eq!(nine.unlisted_class(300 << 15 | 7), 1);
        assert_eq!(nine.unlisted_class(301 << 15 | 7), 2);
    }

    #[test]
    fn slots_of_protocols() {
        for (slot, protocol) in (0u8..).zip(SLOT_PROTOCOLS) {
            assert_eq!(protocol_slot(protocol), slot);
        }
        assert_eq!(protocol_slot(0), OTHER_SLOT);
        assert_eq!(protocol_slot(255), OTHER_SLOT);
    }

    #[test]
    fn regions_cover_every_identity() {
        assert_eq!(region(0), 0);
        assert_eq!(region(0x02ff_ffff), 1535);
        assert_eq!(region(0x0300_0000), 1536);
        assert_eq!(region(u32::MAX), REGIONS - 1);
    }
}
