//! Port directories and pages: protocol and port to class.
//!
//! In: per protocol slot the port classes in order. Out: where the descriptor
//! finds them.

use super::column::Interval;
use super::peers::{class_bytes, u16_bytes};
use super::pool::Pool;
use ahash::AHashMap;
use netverdict_table::layout::{PORT_DIRECTORY_LEN, PORT_PAGE_UNIT, PORT_SLOTS};

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
    known: AHashMap<(Vec<Vec<Interval>>, bool), PortPart>,
}

impl PortSections {
    pub(super) fn new() -> Self {
        Self {
            ports: Pool::new(64),
            directories: Pool::new(PORT_DIRECTORY_LEN),
            pages: Pool::new(PORT_PAGE_UNIT),
            known: AHashMap::new(),
        }
    }

    /// Puts a descriptor's ports.
    pub(super) fn put(&mut self, slots: &[Vec<Interval>], wide: bool) -> PortPart {
        let key = (slots.to_vec(), wide);
        if let Some(part) = self.known.get(&key) {
            return *part;
        }
        let with_ports = usize::from(PORT_SLOTS);
        let page_len = if wide { 2 } else { 1 } * PORT_PAGE_UNIT;
        // Every page may be another: 256 of each slot.
        let pages = self
            .pages
            .window(PORT_PAGE_UNIT, with_ports * 256 * page_len);
        let directories = self
            .directories
            .window(PORT_DIRECTORY_LEN, with_ports * PORT_DIRECTORY_LEN);
        let mut words = Vec::new();
        for (slot, intervals) in slots.iter().enumerate() {
            words.push(if slot < with_ports {
                self.directory(intervals, wide)
            } else {
                intervals.first().map_or(0, |(_, class)| *class as u16)
            });
        }
        let part = PortPart {
            ports: self.ports.put(&u16_bytes(&words)),
            directories,
            pages,
        };
        self.known.insert(key, part);
        part
    }

    fn directory(&mut self, intervals: &[Interval], wide: bool) -> u16 {
        let mut numbers = Vec::with_capacity(256);
        let mut uniform: Option<(u32, u16)> = None;
        for high in 0..=u8::MAX {
            let (first, last) = (u16::from(high) << 8, u16::from(high) << 8 | 0xff);
            let from = intervals.partition_point(|(start, _)| *start <= first);
            let to = intervals.partition_point(|(start, _)| *start <= last);
            let class = |i: usize| i.checked_sub(1).and_then(|i| intervals.get(i));
            let whole = class(from).map_or(0, |(_, c)| *c);
            if from == to
                && let Some((c, number)) = uniform
                && c == whole
            {
                numbers.push(number);
                continue;
            }
            let mut content = vec![whole; 256];
            for (start, c) in intervals.get(from..to).unwrap_or(&[]) {
                if let Some(rest) = content.get_mut(usize::from(*start & 0xff)..) {
                    rest.fill(*c);
                }
            }
            let at = self.pages.put(&class_bytes(content.into_iter(), wide));
            let number = self.pages.number(at, PORT_PAGE_UNIT);
            if from == to {
                uniform = Some((whole, number));
            }
            numbers.push(number);
        }
        let at = self.directories.put(&u16_bytes(&numbers));
        self.directories.number(at, PORT_DIRECTORY_LEN)
    }
}
