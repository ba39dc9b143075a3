//! The lookup: identity and port to a verdict entry.
//!
//! In: a descriptor of a checked image. Out: a cell's entry. Six or seven
//! loads, none of which depends on a verdict.

use crate::bytes::Bytes;
use crate::layout::{
    BLOCK_LEN, Descriptor, ENTRY_LEN, Header, PAGE_UNIT, PORT_DIRECTORY_LEN, PORT_PAGE_UNIT,
    PORT_SLOTS, WIDE_CELLS, WIDE_PEERS, WIDE_PORTS, region,
};
use crate::question::Answer;

/// Where everything of one descriptor stands.
///
/// Invariant, from which every access below takes its right: the offsets come
/// from a descriptor of an image that `check` accepted (or that the caller of
/// `View::new_unchecked` vouches for) and that nobody writes to.
#[derive(Clone, Copy)]
pub(crate) struct Lookup<'a> {
    bytes: Bytes<'a>,
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

impl<'a> Lookup<'a> {
    pub(crate) const fn new(bytes: Bytes<'a>, h: &Header, d: &Descriptor) -> Self {
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
            // SAFETY: the check found `local_count / 64` words there.
            unsafe { self.bytes.u16(self.directory + (x >> 6) as usize * 2) }
        } else {
            self.rooted_page(identity)
        };
        let at = self.pages + page as usize * PAGE_UNIT;
        // SAFETY: the check looked at every page that a directory or a block
        // names, all 64 classes of it.
        unsafe {
            self.bytes
                .either(self.wide_peers, at, (identity & 63) as usize)
        }
    }

    /// The page of an identity that the local directory does not cover.
    #[inline(always)]
    fn rooted_page(&self, identity: u32) -> u32 {
        // SAFETY: the check found 2,048 regions, a slot in every root for
        // each of them, and whole blocks for all words of every root.
        unsafe {
            let slot = self.bytes.u16(self.regions + region(identity) * 2) as usize;
            let word = slot * 8 + (identity >> 12 & 7) as usize;
            let block = self.bytes.u16(self.root + word * 2) as usize;
            let at = self.blocks + block * BLOCK_LEN;
            self.bytes.u16(at + (identity >> 6 & 63) as usize * 2)
        }
    }

    /// The class of a protocol and port.
    #[inline(always)]
    pub(crate) fn row(&self, protocol: u8, port: u16) -> u32 {
        // SAFETY: the check found 256 slots below 13, 13 words of ports, a
        // whole directory for each of the first five, and looked at every
        // page that a directory names.
        unsafe {
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
    }

    /// The entry of a pair of classes that the two functions above gave, or
    /// that are below the descriptor's counts.
    #[inline(always)]
    pub(crate) fn cell(&self, row: u32, class: u32) -> Answer {
        // SAFETY: the check found every class below the stride's count and
        // every row below the count of rows, all cells of them there, and
        // every cell below the count of entries, which are there too.
        unsafe {
            let i = row as usize * self.stride + class as usize;
            let cell = self.bytes.either(self.wide_cells, self.cells, i) as usize;
            Answer::from_bytes(self.bytes.load(self.entries + cell * ENTRY_LEN))
        }
    }

    /// The verdict of a packet.
    #[inline(always)]
    pub(crate) fn verdict(&self, identity: u32, protocol: u8, port: u16) -> Answer {
        let class = self.class(identity);
        let row = self.row(protocol, port);
        self.cell(row, class)
    }
}
