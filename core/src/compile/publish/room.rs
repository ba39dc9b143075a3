//! Room: bringing what was put into the image, or making a larger one.
//!
//! In: what the pools of the image have grown by. Out: writes, or a whole new
//! image with room to grow.

use super::super::image::{Compiled, Frame, Image, Layout, Part};
use super::super::peers::{PeerSections, Plan};
use super::super::{CompileError, Compiler};
use super::{Placed, Publisher, Work, config, count, identities};
use netverdict_table::Write;
use netverdict_table::layout;

/// Local identities that may come before a table has to be built anew.
pub(super) const SPARE_IDENTITIES: u32 = 1024;
/// Bytes that every part may at least grow by.
const ROOM: usize = 64 << 10;

impl Publisher {
    /// Publishes what was put since the last time, then the words; false when
    /// there is no room.
    pub(super) fn flush(&mut self, work: &mut Work) -> bool {
        let mut writes = Vec::new();
        let pools = self.image.pools();
        for ((part, pool), flushed) in pools.iter().zip(&self.flushed) {
            if pool.len() > self.layout.size(*part) as usize {
                return false;
            }
            if let Some(new @ [_, ..]) = pool.bytes().get(*flushed..) {
                writes.push(Write::Bytes {
                    at: self.layout.at(*part) + count(*flushed),
                    bytes: new.to_vec(),
                });
            }
        }
        let descriptors = count(self.image.descriptors());
        let room = self.layout.size(Part::Descriptors) / count(layout::DESCRIPTOR_LEN);
        if descriptors > room {
            return false;
        }
        if descriptors > self.flushed_descriptors {
            let new = self.flushed_descriptors..descriptors;
            let bytes = new.flat_map(|n| self.image.placed(n, &self.layout).to_bytes());
            writes.push(Write::Bytes {
                at: self.layout.descriptor(self.flushed_descriptors),
                bytes: bytes.collect(),
            });
        }
        writes.append(&mut work.words);
        for write in &writes {
            write.apply(&mut self.bytes);
        }
        work.update.writes = writes;
        for (part, more) in work.used.drain() {
            *self.used.entry(part).or_default() += more;
        }
        self.note_flushed();
        true
    }

    fn note_flushed(&mut self) {
        self.flushed = self.image.pools().iter().map(|(_, p)| p.len()).collect();
        self.flushed_descriptors = count(self.image.descriptors());
    }

    /// A whole new image, with room to grow.
    pub(super) fn rebuild(&mut self, compiler: &Compiler<'_>) -> Result<(), CompileError> {
        let units = self.units.iter().flatten().count();
        let ids = || identities(compiler);
        let spare = SPARE_IDENTITIES + count(ids().count()) / 4;
        let plan = Plan::fitting(ids, config(compiler), units * 2, spare);
        self.image = Image::new(PeerSections::changing(plan));
        for number in 0..self.units.len() {
            let Some(unit) = self.units.get(number).and_then(Option::as_ref) else {
                continue;
            };
            let subject = unit.subject.clone();
            let made = compiler.make(&subject, &mut self.pages)?;
            self.file(number, false);
            let sides = self.put(&subject, made)?;
            if let Some(unit) = self.units.get_mut(number).and_then(Option::as_mut) {
                unit.sides = sides;
            }
            self.file(number, true);
        }
        let compiled: Vec<Option<[Compiled; 2]>> = self
            .subjects
            .iter()
            .map(|s| self.compiled(s.as_ref()))
            .collect();
        let placed = || {
            (0u32..)
                .zip(&self.subjects)
                .filter_map(|(i, p)| Some((i, p.as_ref()?)))
        };
        let mut endpoints: Vec<(u32, u32)> = placed()
            .flat_map(|(i, p)| p.endpoints.iter().map(move |e| (*e, i)))
            .collect();
        let mut by_identity: Vec<(u32, u32)> = placed().map(|(i, p)| (p.identity, i)).collect();
        for pairs in [&mut endpoints, &mut by_identity] {
            pairs.sort_unstable();
            pairs.dedup_by_key(|(key, _)| *key);
        }
        let frame = Frame {
            config: config(compiler),
            revision: compiler.revision,
            subjects: &compiled,
            endpoints: &endpoints,
            identity_index: &by_identity,
            identities: &[],
            with_origins: false,
        };
        let is_index = |i| i == Part::Endpoints as usize || i == Part::IdentityIndex as usize;
        self.layout = Layout::new(&self.image.sizes(&frame), |size, part| {
            if is_index(part) {
                (size * 2).next_power_of_two().max(512)
            } else if size == 0 {
                0
            } else {
                (size + size / 2 + ROOM).next_multiple_of(layout::ALIGN)
            }
        })?;
        self.bytes = self.image.bytes(&frame, &self.layout, 0);
        self.note_flushed();
        for part in [Part::Endpoints, Part::IdentityIndex] {
            self.used.insert(part as usize, self.count_used(part));
        }
        self.stale = false;
        Ok(())
    }

    fn compiled(&self, placed: Option<&Placed>) -> Option<[Compiled; 2]> {
        let unit = self.units.get(placed?.unit)?.as_ref()?;
        let [ingress, egress] = &unit.sides;
        Some([ingress, egress].map(|side| Compiled {
            descriptor: side.descriptor,
            origins: 0,
        }))
    }
}
