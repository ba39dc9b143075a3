//! Descriptors: identities to classes, and ports to classes.

use super::{Checker, FIND, Result, ensure, is_new, numbers, place, value};
use crate::bytes::{fixed, get_u16, get_u32};
use crate::layout::{
    BLOCK_LEN, BLOCK_PAGES, DESCRIPTOR_LEN, Descriptor, PAGE_IDENTITIES, PAGE_UNIT,
    PORT_DIRECTORY_UNIT, PORT_DIRECTORY_WORDS, PORT_END_AT, PORT_PAGE_PORTS, PORT_PAGE_UNIT,
    PORT_SLOTS, SLOT_BLOCKS, SLOTS, UNLISTED_CLASSES, WIDE_CELLS, WIDE_PEERS, WIDE_PORTS,
};

impl Checker<'_> {
    pub(super) fn subjects(&mut self) -> Result<()> {
        for i in 0..self.h.subjects.count as usize {
            let at = self.h.subjects.at as usize + i * 8;
            for descriptor in [get_u32(self.b, at), get_u32(self.b, at + 4)] {
                if descriptor != 0 && is_new(&mut self.known.descriptors, descriptor) {
                    self.descriptor(descriptor)?;
                }
            }
        }
        Ok(())
    }

    fn descriptor(&mut self, at: u32) -> Result<()> {
        self.section("descriptor", at, 1, DESCRIPTOR_LEN as u64)?;
        let raw = fixed::<DESCRIPTOR_LEN>(self.b, at as usize);
        let d = raw.as_ref().map(Descriptor::read).unwrap_or_default();
        let wide = |flag| d.flags & flag != 0;
        let fits = |n: u32, flag| n <= if wide(flag) { 1 << 16 } else { 1 << 8 };
        let peers = d.peer_classes;
        let peers_fit = peers >= UNLISTED_CLASSES && fits(peers, WIDE_PEERS);
        ensure(peers_fit, "peer classes", at, peers)?;
        let rows = d.port_classes;
        let rows_fit = rows >= 1 && fits(rows, WIDE_PORTS);
        ensure(rows_fit, "port classes", at, rows)?;
        let entries = d.entry_count;
        let entries_fit = entries >= 1 && fits(entries, WIDE_CELLS);
        ensure(entries_fit, "verdict entries", at, entries)?;
        let stride_fits = d.stride >= peers && d.stride <= 1 << 17;
        ensure(stride_fits, "stride", at, d.stride)?;

        let last = d.last_port_word;
        let last_fits = usize::from(last) < PORT_DIRECTORY_WORDS;
        ensure(last_fits, "last word of port directories", at, last)?;
        // Lookups take the end from where it stands.
        let end = get_u16(self.b, at as usize + PORT_END_AT);
        ensure(end == d.port_end(), "end of ports", at, end)?;

        let greatest = self.peer_class(&d, wide(WIDE_PEERS))?;
        ensure(greatest < peers, "peer class", at, greatest)?;
        let greatest = self.port_class(&d, wide(WIDE_PORTS))?;
        ensure(greatest < rows, "port class", at, greatest)?;
        self.cells(at, &d)
    }

    /// The greatest class that a lookup can find.
    fn peer_class(&mut self, d: &Descriptor, wide: bool) -> Result<u32> {
        let words = (self.h.local_count / PAGE_IDENTITIES) as usize;
        self.below("local directory", d.directory, words as u64, 2)?;
        let key = place(d.directory.into(), d.pages, wide);
        let local = match self.known.directories.get(&key) {
            Some(class) => *class,
            None => {
                let directory = match words {
                    0 => &[][..],
                    _ => self.part(d.directory.into(), words * 2).unwrap_or(&[]),
                };
                let class = self.pages(d.pages, wide, directory)?;
                self.known.directories.insert(key, class);
                class
            }
        };
        let words = self.h.regions.count as usize * SLOT_BLOCKS;
        self.below("root", d.root, words as u64, 2)?;
        let parts = u64::from(d.root) << 32 | u64::from(d.pages);
        let key = place(parts, d.blocks, wide);
        if let Some(rooted) = self.known.roots.get(&key) {
            return Ok(local.max(*rooted));
        }
        self.spend(FIND * words as u64)?;
        let root = self.part(d.root.into(), words * 2).unwrap_or(&[]);
        let mut rooted = 0;
        for block in numbers(root) {
            rooted = rooted.max(self.block(d, block, wide)?);
        }
        self.known.roots.insert(key, rooted);
        Ok(local.max(rooted))
    }

    fn block(&mut self, d: &Descriptor, block: u16, wide: bool) -> Result<u32> {
        let at = u64::from(d.blocks) + u64::from(block) * BLOCK_LEN as u64;
        let key = place(at, d.pages, wide);
        if let Some(class) = self.known.blocks.get(&key) {
            return Ok(*class);
        }
        let Some(pages) = self.part(at, BLOCK_PAGES * 2) else {
            return value("block", d.blocks, block);
        };
        let greatest = self.pages(d.pages, wide, pages)?;
        self.known.blocks.insert(key, greatest);
        Ok(greatest)
    }

    /// The greatest class of the pages that a directory or a block names.
    fn pages(&mut self, base: u32, wide: bool, named: &[u8]) -> Result<u32> {
        let mut greatest = 0;
        let mut last = None;
        self.spend(named.len() as u64)?;
        for page in numbers(named) {
            // Most neighbours are nobody's.
            if last != Some(page) {
                greatest = greatest.max(self.page(base, wide, page)?);
                last = Some(page);
            }
        }
        Ok(greatest)
    }

    fn page(&mut self, base: u32, wide: bool, page: u16) -> Result<u32> {
        self.spend(FIND)?;
        let key = place(base.into(), page.into(), wide);
        if let Some(class) = self.known.pages.get(&key) {
            return Ok(*class);
        }
        let at = u64::from(base) + u64::from(page) * PAGE_UNIT as u64;
        let Some(greatest) = self.greatest(at, wide, PAGE_IDENTITIES as usize)? else {
            return value("page", base, page);
        };
        self.known.pages.insert(key, greatest);
        Ok(greatest)
    }

    fn port_class(&mut self, d: &Descriptor, wide: bool) -> Result<u32> {
        self.below("ports", d.ports, SLOTS as u64, 2)?;
        let words = self.part(d.ports.into(), SLOTS * 2).unwrap_or(&[]);
        let (directories, classes) = words.split_at(words.len().min(PORT_SLOTS as usize * 2));
        let mut greatest = numbers(classes).max().map_or(0, u32::from);
        for directory in numbers(directories) {
            greatest = greatest.max(self.port_directory(d, directory, wide)?);
        }
        Ok(greatest)
    }

    /// The greatest class of a protocol's ports.
    fn port_directory(&mut self, d: &Descriptor, number: u16, wide: bool) -> Result<u32> {
        self.spend(FIND)?;
        let at = u64::from(d.port_directories) + u64::from(number) * PORT_DIRECTORY_UNIT as u64;
        let key = place(at << 16 | u64::from(d.last_port_word), d.port_pages, wide);
        if let Some(class) = self.known.port_directories.get(&key) {
            return Ok(*class);
        }
        let words = usize::from(d.last_port_word) + 1;
        let Some(directory) = self.part(at, words * 2) else {
            return value("port directory", d.port_directories, number);
        };
        self.spend(directory.len() as u64)?;
        let mut greatest = 0;
        let mut last = None;
        for page in numbers(directory) {
            if last != Some(page) {
                greatest = greatest.max(self.port_page(d.port_pages, page, wide)?);
                last = Some(page);
            }
        }
        self.known.port_directories.insert(key, greatest);
        Ok(greatest)
    }

    fn port_page(&mut self, base: u32, page: u16, wide: bool) -> Result<u32> {
        self.spend(FIND)?;
        let unit = if wide { 2 } else { 1 } * PORT_PAGE_UNIT as u64;
        let at = u64::from(base) + u64::from(page) * unit;
        let key = place(at, 0, wide);
        if let Some(class) = self.known.port_pages.get(&key) {
            return Ok(*class);
        }
        let Some(class) = self.greatest(at, wide, PORT_PAGE_PORTS)? else {
            return value("port page", base, page);
        };
        self.known.port_pages.insert(key, class);
        Ok(class)
    }
}
