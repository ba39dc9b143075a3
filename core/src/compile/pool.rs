//! Parts of an image that are shared when equal.
//!
//! In: byte strings. Out: where each stands within its section; equal strings
//! stand once.

use ahash::{AHashMap, RandomState};
use std::collections::BTreeMap;

/// A section in which equal strings stand once.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    bytes: Vec<u8>,
    align: usize,
    hasher: RandomState,
    /// By hash: offset and length.
    known: AHashMap<u64, (u32, u32)>,
    /// Strings whose hash another string has.
    collided: BTreeMap<Vec<u8>, u32>,
    /// Strings before this offset are not shared any more.
    window: usize,
}

impl Pool {
    /// An empty section whose strings start at multiples of `align`.
    pub(super) fn new(align: usize) -> Self {
        Self {
            bytes: Vec::new(),
            align,
            hasher: RandomState::new(),
            known: AHashMap::new(),
            collided: BTreeMap::new(),
            window: 0,
        }
    }

    /// Where the string stands, from the start of the section.
    pub(super) fn put(&mut self, string: &[u8]) -> u32 {
        let hash = self.hasher.hash_one(string);
        let at = match self.known.get(&hash) {
            Some(&(at, len)) if self.at(at, len) == string => return at,
            Some(_) => {
                if let Some(at) = self.collided.get(string) {
                    return *at;
                }
                let at = self.append(string);
                self.collided.insert(string.to_vec(), at);
                return at;
            }
            None => self.append(string),
        };
        let len = u32::try_from(string.len()).unwrap_or(u32::MAX);
        self.known.insert(hash, (at, len));
        at
    }

    /// Where a string stands that is shared with no other.
    pub(super) fn append(&mut self, string: &[u8]) -> u32 {
        let at = self.bytes.len().next_multiple_of(self.align);
        self.bytes.resize(at, 0);
        self.bytes.extend_from_slice(string);
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    fn at(&self, at: u32, len: u32) -> &[u8] {
        let at = at as usize;
        self.bytes.get(at..at + len as usize).unwrap_or(&[])
    }

    /// The base from which numbers of `unit` bytes reach everything that will
    /// be put until the next call, given that it is at most `most` bytes. Opens
    /// a new window, which shares nothing with what came before, when the
    /// present one is too full.
    pub(super) fn window(&mut self, unit: usize, most: usize) -> u32 {
        let end = self.bytes.len().next_multiple_of(self.align);
        if end + most - self.window > unit << 16 {
            self.window = end;
            self.known.clear();
            self.collided.clear();
        }
        u32::try_from(self.window).unwrap_or(u32::MAX)
    }

    /// The number of a string that was just put, counted from the window.
    pub(super) fn number(&self, at: u32, unit: usize) -> u16 {
        let from = (at as usize).saturating_sub(self.window);
        u16::try_from(from / unit).unwrap_or(u16::MAX)
    }

    /// The section.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many bytes there are.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_strings_stand_once() {
        let mut pool = Pool::new(4);
        assert_eq!(pool.put(b"abc"), 0);
        assert_eq!(pool.put(b"abcd"), 4);
        assert_eq!(pool.put(b"abc"), 0);
        assert_eq!(pool.len(), 8);
    }

    #[test]
    fn a_full_window_is_followed_by_another() {
        let mut pool = Pool::new(1);
        assert_eq!(pool.window(1, 4), 0);
        pool.put(b"abcd");
        pool.put(&vec![7; (1 << 16) - 6]);
        assert_eq!(pool.window(1, 2), 0);
        let base = pool.window(1, 4);
        assert_eq!(base, (1 << 16) - 2);
        let at = pool.put(b"abcd");
        assert_eq!(at, base);
        assert_eq!(pool.number(at, 1), 0);
    }
}
