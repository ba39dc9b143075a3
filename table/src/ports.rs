//! Ports by class.
//!
//! In: a policy and a protocol. Out: [`PortRange`]s, each as long as it goes.

use crate::bytes::get_u16;
use crate::layout::{
    PORT_DIRECTORY_UNIT, PORT_DIRECTORY_WORDS, PORT_PAGE_PORTS, PORT_PAGE_UNIT, PORT_SLOTS,
    SLOT_PROTOCOLS, WIDE_PORTS,
};
use crate::view::PolicyView;
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

/// Ports in a row, of one protocol, that have one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    /// IP protocol number; in lists of all protocols 0 stands for every one
    /// without a slot of its own.
    pub protocol: u8,
    /// The first port; for ICMP and ICMPv6 types are ports.
    pub first: u16,
    /// The last port. Protocols without ports have all of them.
    pub last: u16,
    /// The port class.
    pub class: u32,
}

/// A protocol for each slot: all that tables tell apart, and 0 for the rest.
pub fn protocols() -> impl Iterator<Item = u8> {
    SLOT_PROTOCOLS.into_iter().chain([0])
}

impl PolicyView<'_> {
    /// The ports of a protocol, ascending. In time proportional to what is
    /// different about them, and the words of a directory.
    #[must_use]
    pub fn port_ranges(&self, protocol: u8) -> Vec<PortRange> {
        let range = |first, last, class| PortRange {
            protocol,
            first,
            last,
            class,
        };
        let (bytes, d) = (self.view.bytes, &self.descriptor);
        let slot_at = self.view.header.protocols as usize + usize::from(protocol);
        let slot = bytes.get(slot_at).copied().unwrap_or(u8::MAX);
        if slot >= PORT_SLOTS {
            let class = self.port_class(protocol, 0);
            return vec![range(0, u16::MAX, class)];
        }
        let directory = usize::from(get_u16(bytes, d.ports as usize + usize::from(slot) * 2));
        let directory = d.port_directories as usize + directory * PORT_DIRECTORY_UNIT;
        let mut pages: BTreeMap<u16, Vec<(u16, u32)>> = BTreeMap::new();
        let mut cuts: Vec<(u16, u32)> = Vec::new();
        for high in 0..PORT_DIRECTORY_WORDS as u16 {
            let word = usize::from(high.min(d.last_port_word));
            let page = get_u16(bytes, directory + word * 2);
            let first = usize::from(page) * PORT_PAGE_UNIT;
            let at = d.port_pages as usize;
            let starts = pages.entry(page).or_insert_with(|| {
                let mut starts: Vec<(u16, u32)> = Vec::new();
                for low in 0..PORT_PAGE_PORTS as u16 {
                    let i = first + usize::from(low);
                    let class = if d.flags & WIDE_PORTS == 0 {
                        bytes.get(at + i).map_or(0, |b| u32::from(*b))
                    } else {
                        get_u16(bytes, at + i * 2).into()
                    };
                    if starts.last().is_none_or(|(_, c)| *c != class) {
                        starts.push((low, class));
                    }
                }
                starts
            });
            for (low, class) in starts {
                if cuts.last().is_none_or(|(_, c)| c != class) {
                    cuts.push((high * PORT_PAGE_PORTS as u16 + *low, *class));
                }
            }
        }
        let ends = cuts.iter().skip(1).map(|(start, _)| start - 1);
        cuts.iter()
            .zip(ends.chain([u16::MAX]))
            .map(|((first, class), last)| range(*first, last, *class))
            .collect()
    }
}
