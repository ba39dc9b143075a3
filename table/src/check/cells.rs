//! Cells name entries that are there, entries are such as a compiler writes,
//! and the bitsets say the same.

use super::{Checker, Result, TableError, ensure, value};
use crate::bits::Plane;
use crate::bytes::{fixed, get_u16, get_upto_u64};
use crate::layout::{Descriptor, ENTRY_LEN, WIDE_CELLS};
use crate::question::Answer;
use alloc::vec::Vec;

/// Cells, by all that says which they are.
#[derive(Clone, Copy)]
pub(super) struct Cells {
    at: u32,
    rows: u32,
    classes: u32,
    stride: u32,
    wide: bool,
}

impl Cells {
    /// As parts are known by, with two numbers more.
    const fn key(self, [a, b]: [u32; 2]) -> [u64; 4] {
        [
            (self.at as u64) << 32 | self.rows as u64,
            (self.classes as u64) << 32 | self.stride as u64,
            (a as u64) << 32 | self.wide as u64,
            b as u64,
        ]
    }

    /// How many bytes they take, spare ones between rows included.
    fn count(self) -> u64 {
        u64::from(self.rows) * u64::from(self.stride)
    }
}

/// The plane of an entry that has none.
const NO_PLANE: u8 = u8::MAX;

impl Checker<'_> {
    pub(super) fn cells(&mut self, at: u32, d: &Descriptor) -> Result<()> {
        let cells = Cells {
            at: d.cells,
            rows: d.port_classes,
            classes: d.peer_classes,
            stride: d.stride,
            wide: d.flags & WIDE_CELLS != 0,
        };
        let size = if cells.wide { 2 } else { 1 };
        self.below("cells", d.cells, cells.count(), size)?;
        let greatest = match self.known.cells.get(&cells.key([0, 0])) {
            Some(greatest) => *greatest,
            None => {
                self.spend(cells.count())?;
                let greatest = self.greatest_cell(cells);
                self.known.cells.insert(cells.key([0, 0]), greatest);
                greatest
            }
        };
        ensure(greatest < d.entry_count, "cell", d.cells, greatest)?;
        let entry_count = u64::from(d.entry_count);
        self.below("verdict entries", d.entries, entry_count, ENTRY_LEN as u64)?;
        let planes = self.planes(d)?;
        let plane = u64::from(d.plane_bytes());
        let bitsets = u64::from(d.port_classes) * Plane::ALL.len() as u64 * plane;
        self.below("bitsets", d.bitsets, bitsets, 1)?;
        // Tables that differ in proxy ports alone have the same planes.
        let agreed = cells.key([planes, d.bitsets]);
        if self.known.agreed.contains_key(&agreed) {
            return Ok(());
        }
        self.spend(cells.count() + bitsets + entry_count)?;
        self.bitsets(at, d, cells)?;
        self.known.agreed.insert(agreed, 0);
        Ok(())
    }

    fn cell(&self, cells: Cells, row: u32, class: u32) -> u32 {
        let i = row as usize * cells.stride as usize + class as usize;
        let at = cells.at as usize;
        if cells.wide {
            u32::from(get_u16(self.b, at + i * 2))
        } else {
            self.b.get(at + i).copied().map_or(u32::MAX, u32::from)
        }
    }

    fn greatest_cell(&self, cells: Cells) -> u32 {
        let row = |row| (0..cells.classes).map(move |class| self.cell(cells, row, class));
        (0..cells.rows).flat_map(row).max().unwrap_or(0)
    }

    fn entry_planes(&self, d: &Descriptor) -> Vec<u8> {
        let plane = |number: u32| {
            let at = d.entries as usize + number as usize * ENTRY_LEN;
            let entry = fixed(self.b, at).map_or(Answer::DROP, Answer::from_bytes);
            Plane::of(&entry).map_or(NO_PLANE, |p| p as u8)
        };
        (0..d.entry_count).map(plane).collect()
    }

    /// Checks verdict entries; the number of the list of their planes.
    fn planes(&mut self, d: &Descriptor) -> Result<u32> {
        let key = [d.entries.into(), d.entry_count.into()];
        if let Some(number) = self.known.entries.get(&key) {
            return Ok(*number);
        }
        self.spend(u64::from(d.entry_count) * ENTRY_LEN as u64)?;
        for number in 0..d.entry_count {
            let at = d.entries as usize + number as usize * ENTRY_LEN;
            let entry = fixed(self.b, at).map(Answer::from_bytes);
            let good = match entry {
                Some(entry) => entry.is_valid() && (number != 0 || entry == Answer::DROP),
                None => false,
            };
            if !good {
                return value("verdict entry", d.entries, number);
            }
        }
        let next = u32::try_from(self.known.planes.len()).unwrap_or(u32::MAX);
        let planes = self.entry_planes(d);
        let number = *self.known.planes.entry(planes).or_insert(next);
        self.known.entries.insert(key, number);
        Ok(number)
    }

    fn bitsets(&self, at: u32, d: &Descriptor, cells: Cells) -> Result<()> {
        let planes = self.entry_planes(d);
        let bytes = d.plane_bytes() as usize;
        for row in 0..cells.rows {
            for byte in (0..bytes).step_by(8) {
                let mut bits = [0u64; Plane::ALL.len()];
                let first = byte as u32 * 8;
                for class in first..cells.classes.min(first + 64) {
                    let cell = self.cell(cells, row, class) as usize;
                    let plane = planes.get(cell).copied().unwrap_or(NO_PLANE);
                    if let Some(bits) = bits.get_mut(plane as usize) {
                        *bits |= 1 << (class % 64);
                    }
                }
                let row_at = d.bitsets as usize + row as usize * bits.len() * bytes;
                for (plane, bits) in bits.into_iter().enumerate() {
                    let word_at = row_at + plane * bytes + byte;
                    if get_upto_u64(self.b, word_at, bytes - byte) != bits {
                        return Err(TableError::Bitsets {
                            descriptor: at,
                            row,
                        });
                    }
                }
            }
        }
        Ok(())
    }
}
