//! Origins: blocks, sets of records, lists of rules.

use super::{Checker, Result, ensure, is_new};
use crate::bytes::get_u32;
use crate::layout::ORIGIN_LEN;

impl Checker<'_> {
    pub(super) fn origins(&mut self) -> Result<()> {
        if self.h.origins == 0 {
            return Ok(());
        }
        for i in 0..self.h.subjects.count as usize * 2 {
            let block = get_u32(self.b, self.h.origins as usize + i * 4);
            if block == 0 || !is_new(&mut self.known.origin_blocks, block) {
                continue;
            }
            let classes = self.list("origins", block, 4)?;
            for class in 0..classes as usize {
                let set = get_u32(self.b, block as usize + 4 + class * 4);
                if set != 0 && is_new(&mut self.known.origin_sets, set) {
                    self.origin_set(set)?;
                }
            }
        }
        Ok(())
    }

    fn origin_set(&mut self, set: u32) -> Result<()> {
        let count = self.list("origin set", set, ORIGIN_LEN)?;
        for i in 0..count as usize {
            let at = set as usize + 4 + i * ORIGIN_LEN;
            let prefix = self.b.get(at + 1).copied().unwrap_or(u8::MAX);
            let known = prefix == 0 || (8..=24).contains(&prefix);
            ensure(known, "origin prefix", at, prefix)?;
            let rules = get_u32(self.b, at + 16);
            if rules == 0 || !is_new(&mut self.known.rule_lists, rules) {
                continue;
            }
            let count = self.list("origin rules", rules, 4)?;
            for r in 1..=count as usize {
                let rule = get_u32(self.b, rules as usize + r * 4);
                ensure(rule < self.h.rules.count, "rule", rules, rule)?;
            }
        }
        Ok(())
    }

    /// The count at the head of a list of elements of `size` bytes, which lie
    /// within the image.
    fn list(&mut self, name: &'static str, at: u32, size: usize) -> Result<u32> {
        let count = self.part(at.into(), 4).map_or(u32::MAX, |b| get_u32(b, 0));
        let end = u64::from(at) + 4 + u64::from(count) * size as u64;
        ensure(end <= self.b.len() as u64, name, at, count)?;
        self.spend(u64::from(count) * size as u64)?;
        Ok(count)
    }
}
