//! Checking an image: everything a lookup relies on, once.
//!
//! In: bytes from anywhere. Out: a header whose image can be read without
//! further checks, or what is wrong. Shared parts are looked at once, and an
//! image whose parts overlap more than any compiler would have it is refused:
//! the work, and the memory it takes, is in proportion to the bytes.

mod cells;
mod descriptor;
mod frame;
mod origin;

use crate::bytes::get_u16;
use crate::image::{Info, hash};
use crate::layout::{ALIGN, FROZEN, HEADER_LEN, Header, PART_ALIGN};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

/// Why bytes are no table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TableError {
    /// There are fewer bytes than the image says, or than a header has.
    TooShort {
        /// How many there are.
        bytes: usize,
        /// How many there should be.
        need: usize,
    },
    /// The bytes do not begin with the magic number.
    Magic,
    /// The image is of a format that is not read here: for later readers, or
    /// older than any that was released.
    Version {
        /// The format version a reader must know.
        oldest_reader: u16,
    },
    /// A section lies outside the image, or is not aligned.
    Section {
        /// Its name in the format's description.
        name: &'static str,
        /// Its offset.
        at: u32,
    },
    /// A number in a section is out of its range.
    Value {
        /// What number.
        name: &'static str,
        /// Where it stands.
        at: u64,
        /// What it is.
        value: u64,
    },
    /// The verdict bitsets say something else than the cells.
    Bitsets {
        /// Offset of the descriptor.
        descriptor: u32,
        /// The port class.
        row: u32,
    },
    /// The content is not what the hash was computed of.
    Hash,
    /// Parts overlap more than any compiler would have it.
    Overlap,
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { bytes, need } => {
                write!(
                    f,
                    "{bytes} bytes, where {need} are needed: is the file cut off?"
                )
            }
            Self::Magic => f.write_str("this is no verdict table: it does not begin with NVTABLE"),
            Self::Version { oldest_reader } => write!(
                f,
                "the table needs a reader of format {oldest_reader}; this one reads format {}",
                crate::layout::VERSION
            ),
            Self::Section { name, at } => {
                write!(f, "{name} at {at} lie outside the table or are not aligned")
            }
            Self::Value { name, at, value } => {
                write!(f, "{name} at {at} is {value}, which is out of range")
            }
            Self::Bitsets { descriptor, row } => write!(
                f,
                "bitsets of port class {row} of the policy at {descriptor} differ from its cells"
            ),
            Self::Hash => f.write_str("the content was changed after it was written"),
            Self::Overlap => f.write_str("parts of the table overlap too much"),
        }
    }
}

impl core::error::Error for TableError {}

type Result<T> = core::result::Result<T, TableError>;

/// Checks an image and returns its header.
pub(crate) fn check(bytes: &[u8]) -> Result<Header> {
    let h = Info::read(bytes)?.header;
    let length = h.length as usize;
    let image = bytes.get(..length).ok_or(TableError::TooShort {
        bytes: bytes.len(),
        need: length,
    })?;
    if length < HEADER_LEN {
        return Err(TableError::TooShort {
            bytes: length,
            need: HEADER_LEN,
        });
    }
    if h.flags & FROZEN != 0 && hash(image) != h.hash {
        return Err(TableError::Hash);
    }
    let mut c = Checker {
        b: image,
        h,
        left: WORK_PER_BYTE * image.len() as u64 + WORK_AT_LEAST,
        known: Known::default(),
    };
    c.frame()?;
    c.subjects()?;
    c.origins()?;
    Ok(h)
}

/// How much is looked at for each byte of an image. Parts that a compiler
/// wrote are looked at once or twice, so that this is never met.
const WORK_PER_BYTE: u64 = 16;
/// How much is looked at in any case.
const WORK_AT_LEAST: u64 = 1 << 16;
/// What finding a part again costs, compared with looking at a byte.
const FIND: u64 = 8;

struct Checker<'a> {
    b: &'a [u8],
    h: Header,
    left: u64,
    known: Known,
}

/// What was found about parts, by all that decides what they mean. The
/// numbers of every kind are packed alike: a map of another type is as much
/// code again, and browsers load it.
type Found<const N: usize> = BTreeMap<[u64; N], u32>;

/// A part by a place, another number, and its width.
const fn place(at: u64, with: u32, wide: bool) -> [u64; 2] {
    [at, (with as u64) << 1 | wide as u64]
}

/// Parts already looked at. Each kind has a map of its own: one offset may be
/// taken for two kinds.
#[derive(Default)]
struct Known {
    descriptors: Found<2>,
    /// Greatest class of a page, by base, number and width.
    pages: Found<2>,
    /// Greatest class behind a block, by its place and its pages.
    blocks: Found<2>,
    /// Greatest class behind a local directory, by its pages.
    directories: Found<2>,
    /// Greatest class behind a root, by its pages and blocks.
    roots: Found<2>,
    /// Greatest class of a port page, by its place.
    port_pages: Found<2>,
    /// Greatest class behind a port directory, by its place, last word and
    /// pages.
    port_directories: Found<2>,
    /// Number of the list of planes of verdict entries, by place and count.
    entries: Found<2>,
    /// Lists of planes, numbered.
    planes: BTreeMap<Vec<u8>, u32>,
    /// Greatest cell, by place, rows, classes, stride and width.
    cells: Found<4>,
    /// Cells and bitsets that agree, by number of planes.
    agreed: Found<4>,
    origin_blocks: Found<2>,
    origin_sets: Found<2>,
    rule_lists: Found<2>,
}

/// Notes that a part was looked at; false when it was known.
fn is_new(known: &mut Found<2>, at: u32) -> bool {
    known.insert([at.into(), 0], 0).is_none()
}

impl<'a> Checker<'a> {
    /// Counts work before it is done.
    fn spend(&mut self, units: u64) -> Result<()> {
        self.left = self.left.checked_sub(units).ok_or(TableError::Overlap)?;
        Ok(())
    }

    /// `count` elements of `size` bytes at `at` lie within the image.
    fn section(&self, name: &'static str, at: u32, count: u64, size: u64) -> Result<()> {
        self.aligned(name, at, count * size, ALIGN)
    }

    /// The same of what a descriptor names.
    fn below(&self, name: &'static str, at: u32, count: u64, size: u64) -> Result<()> {
        self.aligned(name, at, count * size, PART_ALIGN)
    }

    fn aligned(&self, name: &'static str, at: u32, len: u64, align: usize) -> Result<()> {
        let end = u64::from(at) + len;
        let aligned = (at as usize).is_multiple_of(align);
        if len != 0 && (end > self.b.len() as u64 || !aligned || at < HEADER_LEN as u32) {
            return Err(TableError::Section { name, at });
        }
        Ok(())
    }

    /// `len` bytes at `at`, behind the header.
    fn part(&self, at: u64, len: usize) -> Option<&'a [u8]> {
        if at < HEADER_LEN as u64 {
            return None;
        }
        let at = usize::try_from(at).ok()?;
        self.b.get(at..at.checked_add(len)?)
    }

    /// The greatest of so many classes; `None` when they lie outside.
    fn greatest(&mut self, at: u64, wide: bool, count: usize) -> Result<Option<u32>> {
        self.spend(count as u64)?;
        let len = if wide { count * 2 } else { count };
        let classes = self.part(at, len).map(|bytes| {
            if wide {
                let wide = bytes.as_chunks::<2>().0;
                wide.iter().map(|c| u32::from(u16::from_le_bytes(*c))).max()
            } else {
                bytes.iter().map(|c| u32::from(*c)).max()
            }
        });
        Ok(classes.map(Option::unwrap_or_default))
    }
}

/// The `u16` numbers of a part.
fn numbers(part: &[u8]) -> impl Iterator<Item = u16> + '_ {
    (0..part.len() / 2).map(|i| get_u16(part, i * 2))
}

fn ensure(
    good: bool,
    name: &'static str,
    at: impl TryInto<u64>,
    found: impl Into<u64>,
) -> Result<()> {
    if good { Ok(()) } else { value(name, at, found) }
}

fn value<T>(name: &'static str, at: impl TryInto<u64>, value: impl Into<u64>) -> Result<T> {
    Err(TableError::Value {
        name,
        at: at.try_into().unwrap_or(u64::MAX),
        value: value.into(),
    })
}
