//! Port directories and pages: protocol and port to class.
//!
//! In: per protocol slot the port classes in order. Out: where the descriptor
//! finds them.

use super::column::Interval;
use super::peers::{class_bytes, u16_bytes};
use super::pool::Pool;
use ahash::AHashMap;
use netverdict_table::layout::{PORT_DIRECTORY_LEN, PORT_PAGE_UNIT, PORT_SLOTS, SLOTS};

/// Where a descriptor finds classes of ports, relative to the sections.
#[derive(Clone, Copy, Debug)]
pub(super) struct PortPart {
    pub(super) ports: u32,
    pub(super) directories: u32,
    pub(super) pages: u32,
}

/// The sections that lead from ports to classes.
#[derive(Clone, Debug)]
pub(super) struct PortSections {
    pub(super) ports: Pool,
    pub(super) directories: Pool,
    pub(super) pages: Pool,
    /// The windows that the numbers below count from.
    windows: (u32, u32),
    /// Numbers of pages of one class.
    uniform: AHashMap<(u32, bool), u16>,
    /// Numbers of directories; most slots have one of few.
    known: AHashMap<(Vec<Interval>, bool), u16>,
}

impl PortSections {
    pub(super) fn new() -> Self {
        Self {
            ports: Pool::new(64),
            directories: Pool::new(PORT_DIRECTORY_LEN),
            pages: Pool::new(PORT_PAGE_UNIT),
            windows: (0, 0),
            uniform: AHashMap::new(),
            known: AHashMap::new(),
        }
    }

    /// Puts a descriptor's ports.
    pub(super) fn put(&mut self, slots: &[Vec<Interval>], wide: bool) -> PortPart {
        let with_ports = usize::from(PORT_SLOTS);
        let page_len = if wide { 2 } else { 1 } * PORT_PAGE_UNIT;
        // Every page may be another: 256 of each slot.
        let pages = self
            .pages
            .window(PORT_PAGE_UNIT, with_ports * 256 * page_len);
        let directories = self
            .directories
            .window(PORT_DIRECTORY_LEN, with_ports * PORT_DIRECTORY_LEN);
        if self.windows != (pages, directories) {
            self.windows = (pages, directories);
            self.uniform.clear();
            self.known.clear();
        }
        let mut words = [0; SLOTS];
        for (slot, (intervals, word)) in slots.iter().zip(&mut words).enumerate() {
            *word = if slot < with_ports {
                self.directory(intervals, wide)
            } else {
                intervals.first().map_or(0, |(_, class)| *class as u16)
            };
        }
        PortPart {
            ports: self.ports.put(&u16_bytes(&words)),
            directories,
            pages,
        }
    }

    fn directory(&mut self, intervals: &[Interval], wide: bool) -> u16 {
        let key = (intervals.to_vec(), wide);
        if let Some(number) = self.known.get(&key) {
            return *number;
        }
        let mut numbers = [0; 256];
        let mut rest = intervals.iter().copied().peekable();
        let mut whole = 0;
        for (high, number) in (0u16..).zip(&mut numbers) {
            let mut content = None;
            while let Some((start, class)) = rest.next_if(|(start, _)| start >> 8 == high) {
                if start & 0xff == 0 {
                    whole = class;
                    continue;
                }
                let content = content.get_or_insert([whole; 256]);
                if let Some(rest) = content.get_mut(usize::from(start & 0xff)..) {
                    rest.fill(class);
                }
                whole = class;
            }
            *number = match content {
                Some(content) => self.page(&content, wide),
                None => match self.uniform.get(&(whole, wide)) {
                    Some(number) => *number,
                    None => {
                        let number = self.page(&[whole; 256], wide);
                        self.uniform.insert((whole, wide), number);
                        number
                    }
                },
            };
        }
        let at = self.directories.put(&u16_bytes(&numbers));
        let number = self.directories.number(at, PORT_DIRECTORY_LEN);
        self.known.insert(key, number);
        number
    }

    fn page(&mut self, content: &[u32; 256], wide: bool) -> u16 {
        let at = self.pages.put(&class_bytes(content, wide));
        self.pages.number(at, PORT_PAGE_UNIT)
    }
}
