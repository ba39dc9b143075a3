//! What an image says of itself, without loading it.

use crate::bytes::{fixed, get_u64};
use crate::check::TableError;
use crate::layout::{FROZEN, HASH_AT, HEADER_LEN, Header, MAGIC, OLDEST_VERSION, VERSION};

/// The header's news, checked for nothing but that the bytes begin an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Info {
    /// The header.
    pub header: Header,
    /// True when nothing will change and the hash is valid.
    pub frozen: bool,
}

impl Info {
    /// Reads the first 128 bytes of an image.
    ///
    /// # Errors
    /// When they are no header, or one for earlier or later readers.
    pub fn read(bytes: &[u8]) -> Result<Self, TableError> {
        let header: [u8; HEADER_LEN] = fixed(bytes, 0).ok_or(TableError::TooShort {
            bytes: bytes.len(),
            need: HEADER_LEN,
        })?;
        if !header.starts_with(&MAGIC) {
            return Err(TableError::Magic);
        }
        let header = Header::read(&header);
        if header.oldest_reader > VERSION || header.version < OLDEST_VERSION {
            return Err(TableError::Version {
                oldest_reader: header.oldest_reader,
            });
        }
        Ok(Self {
            header,
            frozen: header.flags & FROZEN != 0,
        })
    }
}

/// The content hash of an image: over its bytes, with the hash itself as 0.
///
/// ```
/// use netverdict_table::hash;
///
/// # mod tiny { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tiny/mod.rs")); }
/// # let (bytes, _) = tiny::image(8, 8);
/// let mut other = bytes.clone();
/// other[100] ^= 1;
/// assert_ne!(hash(&bytes), hash(&other));
/// ```
#[must_use]
pub fn hash(image: &[u8]) -> u64 {
    let mut h = 0xcbf2_9ce4_8422_2325u64;
    let mut at = 0;
    while at < image.len() {
        let word = if at == HASH_AT {
            0
        } else if at + 8 <= image.len() {
            get_u64(image, at)
        } else {
            let mut last = [0; 8];
            for (to, from) in last.iter_mut().zip(image.iter().skip(at)) {
                *to = *from;
            }
            u64::from_le_bytes(last)
        };
        h = (h ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(29);
        at += 8;
    }
    h
}
