//! The words that lead to subjects.
//!
//! In: a subject's unit, endpoints and identity. Out: the stores that make its
//! descriptors the ones in force, and those of the two indices.

use super::super::image::Part;
use super::side::Side;
use super::{Placed, Publisher, Work, count};
use ahash::AHashMap;
use netverdict_table::layout::{self, index_start};

impl Publisher {
    /// The words that make a subject's descriptors the ones in force, then
    /// those that lead to the subject.
    pub(super) fn publish_subject(&mut self, number: usize, work: &mut Work) {
        let Some(placed) = self.subjects.get(number).and_then(Option::as_ref) else {
            return;
        };
        let Some(unit) = self.units.get(placed.unit).and_then(Option::as_ref) else {
            return;
        };
        if count(number) * 8 >= self.layout.size(Part::Subjects) {
            work.anew = true;
            return;
        }
        let [ingress, egress] = &unit.sides;
        let at = |side: &Side| u64::from(self.layout.descriptor(side.descriptor));
        let value = at(ingress) | at(egress) << 32;
        let word = self.layout.at(Part::Subjects) + count(number) * 8;
        work.store(word, value);
        let placed = placed.clone();
        for endpoint in &placed.endpoints {
            self.index(Part::Endpoints, *endpoint, Some(number), work);
        }
        self.index(Part::IdentityIndex, placed.identity, Some(number), work);
    }

    /// Takes away what still leads to what a subject was.
    pub(super) fn unindex(&mut self, number: usize, old: &Placed, work: &mut Work) {
        let now = self.subjects.get(number).and_then(Option::as_ref).cloned();
        for endpoint in &old.endpoints {
            if !now.as_ref().is_some_and(|n| n.endpoints.contains(endpoint)) {
                let other = self.other(number, |p| p.endpoints.contains(endpoint));
                self.index(Part::Endpoints, *endpoint, other, work);
            }
        }
        if now.is_none_or(|n| n.identity != old.identity) {
            let other = self.other(number, |p| p.identity == old.identity);
            self.index(Part::IdentityIndex, old.identity, other, work);
        }
    }

    fn other(&self, number: usize, is: impl Fn(&Placed) -> bool) -> Option<usize> {
        let mut others = self.subjects.iter().enumerate();
        others
            .find(|(i, p)| *i != number && p.as_ref().is_some_and(&is))
            .map(|(i, _)| i)
    }

    /// Stores a word of an index.
    fn index(&mut self, part: Part, key: u32, subject: Option<usize>, work: &mut Work) {
        let slots = self.layout.size(part) / 8;
        if slots == 0 || work.anew || self.stale {
            work.anew = true;
            return;
        }
        let low = subject.map_or(layout::REMOVED, |s| count(s) + 1);
        let value = u64::from(key) << 32 | u64::from(low);
        let mut i = index_start(key, slots);
        for _ in 0..slots {
            let at = self.layout.at(part) + i * 8;
            let word = work
                .stored
                .get(&at)
                .copied()
                .unwrap_or_else(|| self.word(at));
            if word == 0 {
                if subject.is_none() {
                    return;
                }
                *work.used.entry(part as usize).or_default() += 1;
                break;
            }
            if (word >> 32) as u32 == key {
                // Of several subjects of one identity the first counts.
                let rival = subject.is_some() && part == Part::IdentityIndex;
                let earlier = rival && (word as u32) < low;
                let stays = earlier && self.leads_to(word as u32 - 1, key);
                if word == value || stays {
                    return;
                }
                break;
            }
            i = (i + 1) % slots;
        }
        let used = |all: &AHashMap<usize, u32>| all.get(&(part as usize)).copied().unwrap_or(0);
        if used(&self.used) + used(&work.used) > slots / 2 {
            work.anew = true;
            return;
        }
        let at = self.layout.at(part) + i * 8;
        work.store(at, value);
    }

    fn leads_to(&self, subject: u32, identity: u32) -> bool {
        let placed = self.subjects.get(subject as usize).and_then(Option::as_ref);
        placed.is_some_and(|p| p.identity == identity)
    }

    fn word(&self, at: u32) -> u64 {
        let word = self.bytes.get(at as usize..).and_then(|b| b.first_chunk());
        word.map_or(0, |w| u64::from_le_bytes(*w))
    }

    /// Words of an index that are not 0.
    pub(super) fn count_used(&self, part: Part) -> u32 {
        let at = self.layout.at(part) as usize;
        let words = self.bytes.get(at..at + self.layout.size(part) as usize);
        let words = words.unwrap_or(&[]).as_chunks::<8>().0;
        count(words.iter().filter(|w| **w != [0; 8]).count())
    }
}
