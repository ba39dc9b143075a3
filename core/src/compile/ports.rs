//! Port directories and pages: protocol and port to class.
//!
//! In: per protocol slot the port classes in order. Out: where the descriptor
//! finds them.

use super::column::Interval;
use super::peers::{class_bytes, u16_bytes};
use super::pool::Pool;
use ahash::AHashMap;
use netverdict_table::layout::{
    PART_ALIGN, PORT_DIRECTORY_UNIT, PORT_DIRECTORY_WORDS, PORT_PAGE_PORTS, PORT_PAGE_UNIT,
    PORT_SLOTS, SLOTS,
};

/// Ports of a page.
const PAGE: u16 = PORT_PAGE_PORTS as u16;
/// What pages are aligned to: what their numbers count where classes are wide.
const PAGE_ALIGN: usize = PORT_PAGE_UNIT * 2;

/// Where a descriptor finds classes of ports, relative to the sections.
#[derive(Clone, Copy, Debug)]
pub(super) struct PortPart {
    pub(super) ports: u32,
    pub(super) directories: u32,
    pub(super) pages: u32,
    pub(super) last_word: u16,
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
    /// Numbers of directories by what they say and their last word; most slots
    /// have one of few.
    known: AHashMap<(Vec<Interval>, u16, bool), u16>,
}

impl PortSections {
    pub(super) fn new() -> Self {
        Self {
            ports: Pool::new(PART_ALIGN),
            directories: Pool::new(PORT_DIRECTORY_UNIT),
            pages: Pool::new(PAGE_ALIGN),
            windows: (0, 0),
            uniform: AHashMap::new(),
            known: AHashMap::new(),
        }
    }

    /// Puts a descriptor's ports.
    pub(super) fn put(&mut self, slots: &[Vec<Interval>], wide: bool) -> PortPart {
        let with_ports = usize::from(PORT_SLOTS);
        let (directed, rest) = slots.split_at(with_ports.min(slots.len()));
        let last_word = directed.iter().map(|s| last_word(s)).max().unwrap_or(0);
        let width = if wide { 2 } else { 1 };
        // An interval begins one page, and is all of another's.
        let most = |s: &Vec<Interval>| (s.len() * 2).min(usize::from(last_word) + 1);
        let most: usize = directed.iter().map(most).sum();
        let pages = self
            .pages
            .window(PORT_PAGE_UNIT * width, most * PORT_PAGE_PORTS * width);
        let directories = self
            .directories
            .window(PORT_DIRECTORY_UNIT, with_ports * PORT_DIRECTORY_WORDS * 2);
        if self.windows != (pages, directories) {
            self.windows = (pages, directories);
            self.uniform.clear();
            self.known.clear();
        }
        let mut words = Vec::with_capacity(SLOTS);
        for intervals in directed {
            words.push(self.directory(intervals, last_word, wide));
        }
        let class = |s: &Vec<Interval>| s.first().map_or(0, |(_, class)| *class as u16);
        words.extend(rest.iter().map(class));
        PortPart {
            ports: self.ports.put(&u16_bytes(&words)),
            directories,
            pages,
            last_word,
        }
    }

    fn directory(&mut self, intervals: &[Interval], last_word: u16, wide: bool) -> u16 {
        let key = (intervals.to_vec(), last_word, wide);
        if let Some(number) = self.known.get(&key) {
            return *number;
        }
        let mut numbers = Vec::with_capacity(PORT_DIRECTORY_WORDS);
        let mut rest = intervals.iter().copied().peekable();
        let mut whole = 0;
        for high in 0..=last_word {
            let mut content = None;
            while let Some((start, class)) = rest.next_if(|(start, _)| start / PAGE == high) {
                let within = usize::from(start % PAGE);
                if within == 0 {
                    whole = class;
                    continue;
                }
                let content = content.get_or_insert([whole; PORT_PAGE_PORTS]);
                if let Some(rest) = content.get_mut(within..) {
                    rest.fill(class);
                }
                whole = class;
            }
            numbers.push(match content {
                Some(content) => self.page(&content, wide),
                None => match self.uniform.get(&(whole, wide)) {
                    Some(number) => *number,
                    None => {
                        let number = self.page(&[whole; PORT_PAGE_PORTS], wide);
                        self.uniform.insert((whole, wide), number);
                        number
                    }
                },
            });
        }
        if let [page, others @ ..] = numbers.as_slice()
            && others.iter().all(|other| other == page)
        {
            // One for descriptors of every last word.
            let page = *page;
            numbers.resize(PORT_DIRECTORY_WORDS, page);
        }
        let at = self.directories.put(&u16_bytes(&numbers));
        let number = self.directories.number(at, PORT_DIRECTORY_UNIT);
        self.known.insert(key, number);
        number
    }

    fn page(&mut self, content: &[u32; PORT_PAGE_PORTS], wide: bool) -> u16 {
        let at = self.pages.put(&class_bytes(content, wide));
        let unit = PORT_PAGE_UNIT * if wide { 2 } else { 1 };
        self.pages.number(at, unit)
    }
}

/// The first page all of whose ports, and all ports behind it, are alike.
fn last_word(intervals: &[Interval]) -> u16 {
    let last = intervals.last().map_or(0, |(start, _)| *start);
    last.div_ceil(PAGE).min(PORT_DIRECTORY_WORDS as u16 - 1)
}
