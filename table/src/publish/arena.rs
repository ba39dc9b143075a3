//! An image in memory that one thread writes and others read.
//!
//! In: bytes. Out: loads and stores of whole words, each of which is atomic.
//! All accesses have one size, so none can tear, and no byte that a reader asks
//! for can lie outside.

use super::grace::sync::{AtomicU64, Ordering};
use crate::lookup::{Memory, WORDS};
use alloc::boxed::Box;

/// The words of an image.
pub(super) struct Arena {
    words: Box<[AtomicU64]>,
}

impl Arena {
    pub(super) fn new(image: &[u8]) -> Self {
        let words = image.chunks(8).map(|chunk| {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            AtomicU64::new(u64::from_le_bytes(word))
        });
        Self {
            words: words.collect(),
        }
    }

    pub(super) fn words(&self) -> Words<'_> {
        Words(&self.words)
    }

    /// Writes bytes that no reader is led to. Bytes beside them in a word may
    /// be read meanwhile: only the writer stores, so they keep their value, and
    /// what they lead to is still published by the store that readers see.
    pub(super) fn fill(&self, at: usize, bytes: &[u8]) {
        let mut at = at;
        let mut left = bytes;
        while !left.is_empty() {
            let shift = at % 8;
            let take = left.len().min(8 - shift);
            let (now, later) = left.split_at(take);
            let order = match take {
                8 => Ordering::Relaxed,
                _ => Ordering::Release,
            };
            self.merge(at / 8, order, |word| {
                if let Some(to) = word.get_mut(shift..shift + take) {
                    to.copy_from_slice(now);
                }
            });
            at += take;
            left = later;
        }
    }

    /// Publishes a word of 16 bits.
    pub(super) fn store_u16(&self, at: usize, value: u16) {
        let shift = at % 8;
        self.merge(at / 8, Ordering::Release, |word| {
            if let Some(to) = word.get_mut(shift..shift + 2) {
                to.copy_from_slice(&value.to_le_bytes());
            }
        });
    }

    /// Publishes a word of 64 bits.
    pub(super) fn store_u64(&self, at: usize, value: u64) {
        if let Some(word) = self.words.get(at / 8) {
            word.store(value, Ordering::Release);
        }
    }

    fn merge(&self, i: usize, order: Ordering, change: impl FnOnce(&mut [u8; 8])) {
        if let Some(word) = self.words.get(i) {
            let mut bytes = word.load(Ordering::Relaxed).to_le_bytes();
            change(&mut bytes);
            word.store(u64::from_le_bytes(bytes), order);
        }
    }
}

/// The words of an image, to be read. What lies outside reads as 0.
#[derive(Clone, Copy)]
pub(super) struct Words<'a>(&'a [AtomicU64]);

impl Words<'_> {
    #[inline(always)]
    fn word(self, at: usize, order: Ordering) -> u64 {
        self.0.get(at / 8).map_or(0, |w| w.load(order))
    }

    #[inline(always)]
    fn part(self, at: usize, order: Ordering) -> u64 {
        self.word(at, order) >> (at % 8 * 8)
    }
}

impl Memory for Words<'_> {
    #[inline(always)]
    fn u8(self, at: usize) -> u32 {
        self.part(at, Ordering::Relaxed) as u32 & 0xff
    }

    #[inline(always)]
    fn u16(self, at: usize) -> u32 {
        self.part(at, Ordering::Relaxed) as u32 & 0xffff
    }

    #[inline(always)]
    fn u32(self, at: usize) -> u32 {
        self.part(at, Ordering::Relaxed) as u32
    }

    #[inline(always)]
    fn changing_u16(self, at: usize) -> u32 {
        self.part(at, Ordering::Acquire) as u32 & 0xffff
    }

    #[inline(always)]
    fn changing_u64(self, at: usize) -> u64 {
        self.word(at, Ordering::Acquire)
    }

    #[inline(always)]
    fn descriptor(self, at: usize) -> [u32; WORDS] {
        let first = at / 8;
        // One look at the length for all of them.
        let words = self.0.get(first..).and_then(|w| w.first_chunk());
        let Some([a, b, c, d, e, f, _, last]) = words else {
            return [0; WORDS];
        };
        let both = |word: &AtomicU64| {
            let word = word.load(Ordering::Relaxed);
            (word as u32, (word >> 32) as u32)
        };
        let ((a, b), (c, d), (e, f)) = ((both(a), both(b)), (both(c), both(d)), (both(e), both(f)));
        let (_, ports) = both(last);
        let (end, last) = (ports & 0xffff, ports >> 16);
        [
            a.0, a.1, b.0, b.1, c.0, c.1, d.0, d.1, e.0, e.1, f.0, f.1, end, last,
        ]
    }

    #[inline(always)]
    fn entry(self, at: usize) -> [u8; 16] {
        let low = u128::from(self.word(at, Ordering::Relaxed));
        let high = u128::from(self.word(at + 8, Ordering::Relaxed));
        (low | high << 64).to_le_bytes()
    }
}
