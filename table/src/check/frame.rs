//! What all subjects of an image share: the header's sections.

use super::{Checker, Result, ensure, value};
use crate::bytes::{get_u16, get_u32, get_u64};
use crate::layout::{EMPTY_SLOTS, PAGE_IDENTITIES, REGIONS, REMOVED, RULE_LEN, SLOTS};

impl Checker<'_> {
    pub(super) fn frame(&mut self) -> Result<()> {
        let h = self.h;
        let count = |n: u32| u64::from(n);
        self.section("subjects", h.subjects.at, count(h.subjects.count), 8)?;
        self.section("identities", h.identities.at, count(h.identities.count), 4)?;
        self.section("regions", h.regions.at, REGIONS as u64, 2)?;
        self.section("protocol slots", h.protocols, 256, 1)?;
        self.section("rules", h.rules.at, count(h.rules.count), RULE_LEN as u64)?;
        self.section("texts", h.texts.at, count(h.texts.count), 1)?;
        if h.origins != 0 {
            self.section("origins", h.origins, count(h.subjects.count), 8)?;
        }
        let bits_known = h.cluster_bits == 8 || h.cluster_bits == 9;
        ensure(bits_known, "bits of cluster ids", 0x1c, h.cluster_bits)?;
        let id_known = h.cluster_id < 1 << h.cluster_bits;
        ensure(id_known, "cluster id", 0x18, h.cluster_id)?;
        let whole = h.local_count.is_multiple_of(PAGE_IDENTITIES);
        ensure(whole, "local identities", 0x54, h.local_count)?;
        let whole = h.local_first.is_multiple_of(PAGE_IDENTITIES);
        ensure(whole, "first local identity", 0x50, h.local_first)?;
        self.slots()?;
        self.index("index of endpoints", h.endpoints.at, h.endpoints.count)?;
        let index = h.identity_index;
        self.index("index of identities", index.at, index.count)?;
        let mut last = None;
        for i in 0..h.identities.count as usize {
            let at = h.identities.at as usize + i * 4;
            let identity = get_u32(self.b, at);
            ensure(last < Some(identity), "identity", at, identity)?;
            last = Some(identity);
        }
        self.texts()
    }

    fn slots(&self) -> Result<()> {
        let h = self.h;
        let slots = h.regions.count;
        let enough = slots >= u32::from(EMPTY_SLOTS) && slots <= 1 << 13;
        ensure(enough, "root slots", 0x4c, slots)?;
        for i in 0..REGIONS {
            let at = h.regions.at as usize + i * 2;
            let slot = u32::from(get_u16(self.b, at));
            ensure(slot < slots, "region", at, slot)?;
        }
        for i in 0..256 {
            let at = h.protocols as usize + i;
            let slot = self.b.get(at).copied().unwrap_or(u8::MAX);
            ensure((slot as usize) < SLOTS, "protocol slot", at, slot)?;
        }
        Ok(())
    }

    fn index(&mut self, name: &'static str, at: u32, slots: u32) -> Result<()> {
        self.section(name, at, u64::from(slots), 8)?;
        ensure(slots == 0 || slots.is_power_of_two(), name, at, slots)?;
        let mut used = 0u32;
        for i in 0..slots as usize {
            let at = at as usize + i * 8;
            let word = get_u64(self.b, at);
            used += u32::from(word != 0);
            let subject = word as u32;
            let known = subject <= self.h.subjects.count || subject == REMOVED;
            ensure(known && (word == 0 || subject != 0), name, at, subject)?;
        }
        ensure(used <= slots / 2, name, at, used)
    }

    /// All texts are looked at together: rules may share them.
    fn texts(&self) -> Result<()> {
        let (texts, rules) = (self.h.texts, self.h.rules);
        let bytes = match texts.count {
            0 => Some(&[][..]),
            len => self.part(texts.at.into(), len as usize),
        };
        let Some(all) = bytes.and_then(|b| core::str::from_utf8(b).ok()) else {
            return value("texts", texts.at, texts.count);
        };
        for rule in 0..rules.count as usize {
            for text in 0..3 {
                let at = rules.at as usize + rule * RULE_LEN + text * 8;
                let (from, len) = (get_u32(self.b, at), get_u32(self.b, at + 4));
                let inside = from
                    .checked_add(len)
                    .and_then(|end| all.get(from as usize..end as usize));
                ensure(inside.is_some(), "text", at, from)?;
            }
        }
        Ok(())
    }
}
