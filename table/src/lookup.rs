//! The lookup: identity and port to a verdict entry.
//!
//! In: a descriptor of a checked image. Out: a cell's entry. Six or seven
//! loads, none of which depends on a verdict.

use crate::layout::{
    BLOCK_LEN, Descriptor, ENTRY_LEN, Header, PAGE_UNIT, PORT_DIRECTORY_LEN, PORT_PAGE_UNIT,
    PORT_SLOTS, SLOT_BLOCKS, WIDE_CELLS, WIDE_PEERS, WIDE_PORTS, region,
};
use crate::question::Answer;

/// Memory that an image is read from.
pub(crate) trait Memory: Copy {
    /// The byte at an offset.
    fn u8(self, at: usize) -> u32;
    /// The 16 bits at an offset, which do not change any more.
    fn u16(self, at: usize) -> u32;
    /// The 16 bits at an offset, which a writer may change: what they lead to
    /// was written before.
    fn changing_u16(self, at: usize) -> u32;
    /// The verdict entry at an offset.
    fn entry(self, at: usize) -> [u8; ENTRY_LEN];

    /// Number `i` of an array of 8 or 16 bits.
    #[inline(always)]
    fn either(self, wide: bool, at: usize, i: usize) -> u32 {
        if wide {
            self.u16(at + i * 2)
        } else {
            self.u8(at + i)
        }
    }
}

/// Where everything of one descriptor stands.
///
/// For [`Checked`](crate::bytes::Checked) memory: the offsets come from a
/// descriptor of the image, and classes and rows from the functions below or
/// from below the descriptor's counts. Every access then lies where `check`
/// looked.
#[derive(Clone, Copy)]
pub(crate) struct Lookup<M> {
    bytes: M,
    local_first: u32,
    local_count: u32,
    directory: usize,
    pages: usize,
    root: usize,
    regions: usize,
    blocks: usize,
    protocols: usize,
    ports: usize,
    port_directories: usize,
    port_pages: usize,
    cells: usize,
    entries: usize,
    stride: usize,
    wide_peers: bool,
    wide_ports: bool,
    wide_cells: bool,
}

impl<M: Memory> Lookup<M> {
    pub(crate) fn new(bytes: M, h: &Header, d: &Descriptor) -> Self {
        Self {
            bytes,
            local_first: h.local_first,
            local_count: h.local_count,
            directory: d.directory as usize,
            pages: d.pages as usize,
            root: d.root as usize,
            regions: h.regions.at as usize,
            blocks: d.blocks as usize,
            protocols: h.protocols as usize,
            ports: d.ports as usize,
            port_directories: d.port_directories as usize,
            port_pages: d.port_pages as usize,
            cells: d.cells as usize,
            entries: d.entries as usize,
            stride: d.stride as usize,
            wide_peers: d.flags & WIDE_PEERS != 0,
            wide_ports: d.flags & WIDE_PORTS != 0,
            wide_cells: d.flags & WIDE_CELLS != 0,
        }
    }

    /// The class of an identity.
    #[inline(always)]
    pub(crate) fn class(&self, identity: u32) -> u32 {
        let x = identity.wrapping_sub(self.local_first);
        let page = if x < self.local_count {
            let word = self.directory + (x >> 6) as usize * 2;
            self.bytes.changing_u16(word)
        } else {
            self.rooted_page(identity)
        };
        let at = self.pages + page as usize * PAGE_UNIT;
        self.bytes
            .either(self.wide_peers, at, (identity & 63) as usize)
    }

    /// The page of an identity that the local directory does not cover.
    #[inline(always)]
    fn rooted_page(&self, identity: u32) -> u32 {
        let region = self.regions + region(identity) * 2;
        let slot = self.bytes.changing_u16(region) as usize;
        let word = slot * SLOT_BLOCKS + (identity >> 12 & 7) as usize;
        let block = self.bytes.changing_u16(self.root + word * 2) as usize;
        let at = self.blocks + block * BLOCK_LEN;
        self.bytes.u16(at + (identity >> 6 & 63) as usize * 2)
    }

    /// The class of a protocol and port.
    #[inline(always)]
    pub(crate) fn row(&self, protocol: u8, port: u16) -> u32 {
        let slot = self.bytes.u8(self.protocols + protocol as usize);
        let first = self.bytes.u16(self.ports + slot as usize * 2);
        if slot >= u32::from(PORT_SLOTS) {
            return first;
        }
        let directory = self.port_directories + first as usize * PORT_DIRECTORY_LEN;
        let page = self.bytes.u16(directory + (port >> 8) as usize * 2);
        let at = self.port_pages + page as usize * PORT_PAGE_UNIT;
        self.bytes
            .either(self.wide_ports, at, (port & 255) as usize)
    }

    /// The entry of a pair of classes.
    #[inline(always)]
    pub(crate) fn cell(&self, row: u32, class: u32) -> Answer {
        // Only a damaged image could make this overflow.
        let i = (row as usize)
            .wrapping_mul(self.stride)
            .wrapping_add(class as usize);
        let cell = self.bytes.either(self.wide_cells, self.cells, i) as usize;
        Answer::from_bytes(self.bytes.entry(self.entries + cell * ENTRY_LEN))
    }

    /// The verdict of a packet.
    #[inline(always)]
    pub(crate) fn verdict(&self, identity: u32, protocol: u8, port: u16) -> Answer {
        let class = self.class(identity);
        let row = self.row(protocol, port);
        self.cell(row, class)
    }
}
