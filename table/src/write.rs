//! Writes to an image that others read.
//!
//! In: what a compiler changed. Out: [`Write`]s in the order they have to
//! happen, for whatever memory the image lives in: a [`Live`](crate::Live)
//! table, a BPF map, a shared file.

use crate::bytes::put;
use alloc::vec::Vec;

/// One step of bringing an image up to date.
///
/// ```
/// use netverdict_table::Write;
///
/// let mut image = vec![0; 16];
/// let write = Write::Word64 { at: 8, value: 7 };
/// write.apply(&mut image);
/// assert_eq!((image[8], write.range()), (7, Some(8..16)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Bytes that nothing leads to yet. Readers cannot see them before a word
    /// that follows is stored.
    Bytes {
        /// Offset from the start of the image.
        at: u32,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// A word of a local directory, a root or the region table: one aligned
    /// store of 16 bits that happens after everything before it.
    Word16 {
        /// Offset from the start of the image, a multiple of 2.
        at: u32,
        /// The number.
        value: u16,
    },
    /// A word of the subjects or of an index: one aligned store of 64 bits
    /// that happens after everything before it.
    Word64 {
        /// Offset from the start of the image, a multiple of 8.
        at: u32,
        /// The number.
        value: u64,
    },
    /// A whole new image in place of the present one.
    Replace {
        /// Its bytes.
        image: Vec<u8>,
    },
}

impl Write {
    /// The range of bytes it changes; `None` for a whole new image.
    #[must_use]
    pub fn range(&self) -> Option<core::ops::Range<u32>> {
        let (at, len) = match self {
            Self::Bytes { at, bytes } => (*at, bytes.len() as u32),
            Self::Word16 { at, .. } => (*at, 2),
            Self::Word64 { at, .. } => (*at, 8),
            Self::Replace { .. } => return None,
        };
        Some(at..at.saturating_add(len))
    }

    /// Does it to bytes that nobody reads meanwhile.
    pub fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Self::Bytes { at, bytes } => put(image, *at as usize, bytes),
            Self::Word16 { at, value } => put(image, *at as usize, &value.to_le_bytes()),
            Self::Word64 { at, value } => put(image, *at as usize, &value.to_le_bytes()),
            Self::Replace { image: new } => image.clone_from(new),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_beyond_all_images_ends_at_the_last_number() {
        let write = Write::Word64 {
            at: u32::MAX - 3,
            value: 0,
        };
        assert_eq!(write.range(), Some(u32::MAX - 3..u32::MAX));
    }
}
