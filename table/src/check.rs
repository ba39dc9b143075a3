//! Checking an image: everything a lookup relies on, once.
//!
//! In: bytes from anywhere. Out: a header whose image can be read without
//! further checks, or what is wrong. Shared parts are looked at once, and an
//! image whose parts overlap more than any compiler would have it is refused:
//! the work is in proportion to the bytes.

use crate::bits::Plane;
use crate::bytes::{fixed, get_u16, get_u32, get_u64};
use crate::image::{Info, hash};
use crate::layout::{
    ALIGN, BLOCK_LEN, BLOCK_PAGES, DESCRIPTOR_LEN, Descriptor, EMPTY_SLOTS, ENTRY_LEN, FROZEN,
    HEADER_LEN, Header, ORIGIN_LEN, PAGE_IDENTITIES, PAGE_UNIT, PORT_DIRECTORY_LEN, PORT_PAGE_UNIT,
    PORT_SLOTS, REGIONS, REMOVED, RULE_LEN, SLOT_BLOCKS, SLOTS, UNLISTED_CLASSES, WIDE_CELLS,
    WIDE_PEERS, WIDE_PORTS,
};
use crate::question::Answer;
use alloc::collections::{BTreeMap, BTreeSet};
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
    /// The image is for later readers.
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
        work: 0,
        pages: BTreeMap::new(),
        blocks: BTreeMap::new(),
        directories: BTreeMap::new(),
        port_pages: BTreeMap::new(),
        cells: BTreeSet::new(),
        seen: BTreeSet::new(),
    };
    c.sections()?;
    c.subjects()?;
    c.origins()?;
    Ok(h)
}

struct Checker<'a> {
    b: &'a [u8],
    h: Header,
    work: u64,
    /// Greatest class of a page, by base, width and number.
    pages: BTreeMap<(u32, bool, u16), u32>,
    /// Greatest class behind a block, by its place and its pages.
    blocks: BTreeMap<(u64, u32, bool), u32>,
    /// Greatest class behind a local directory or a root.
    directories: BTreeMap<(u32, u32, u32, bool), u32>,
    /// Greatest class of a port page, and behind a port directory.
    port_pages: BTreeMap<(u64, u32, bool), u32>,
    /// Groups of cells, entries and bitsets already compared.
    cells: BTreeSet<[u32; 8]>,
    /// Origin blocks and sets already looked at.
    seen: BTreeSet<u32>,
}

impl Checker<'_> {
    /// Counts work; a compiler shares parts, but never makes readers look at
    /// each byte hundreds of times.
    fn spend(&mut self, units: usize) -> Result<()> {
        self.work += units as u64;
        if self.work > 512 * self.b.len() as u64 + (1 << 20) {
            return Err(TableError::Overlap);
        }
        Ok(())
    }

    /// `count` elements of `size` bytes at `at` lie within the image.
    fn section(&self, name: &'static str, at: u32, count: u64, size: u64) -> Result<()> {
        let end = u64::from(at) + count * size;
        let aligned = (at as usize).is_multiple_of(ALIGN);
        if count != 0 && (end > self.b.len() as u64 || !aligned || at < HEADER_LEN as u32) {
            return Err(TableError::Section { name, at });
        }
        Ok(())
    }

    fn sections(&mut self) -> Result<()> {
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
        for rule in 0..h.rules.count as usize {
            for text in 0..3 {
                let at = h.rules.at as usize + rule * RULE_LEN + text * 8;
                self.text(at)?;
            }
        }
        Ok(())
    }

    fn text(&mut self, at: usize) -> Result<()> {
        let (from, len) = (get_u32(self.b, at), get_u32(self.b, at + 4));
        self.spend(len as usize)?;
        let texts = self.h.texts;
        let inside = u64::from(from) + u64::from(len) <= u64::from(texts.count);
        let start = texts.at as usize + from as usize;
        let text = self.b.get(start..start.saturating_add(len as usize));
        let good = inside && (len == 0 || text.is_some_and(|t| core::str::from_utf8(t).is_ok()));
        ensure(good, "text", at, from)
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

    fn subjects(&mut self) -> Result<()> {
        let mut known = BTreeSet::new();
        for i in 0..self.h.subjects.count as usize {
            let at = self.h.subjects.at as usize + i * 8;
            for descriptor in [get_u32(self.b, at), get_u32(self.b, at + 4)] {
                if descriptor != 0 && known.insert(descriptor) {
                    self.descriptor(descriptor)?;
                }
            }
        }
        Ok(())
    }

    fn descriptor(&mut self, at: u32) -> Result<()> {
        self.section("descriptor", at, 1, DESCRIPTOR_LEN as u64)?;
        let raw = fixed::<DESCRIPTOR_LEN>(self.b, at as usize);
        let d = raw.as_ref().map(Descriptor::read).unwrap_or_default();
        let wide = |flag| d.flags & flag != 0;
        let fits = |n: u32, flag| n <= if wide(flag) { 1 << 16 } else { 1 << 8 };
        let peers = d.peer_classes;
        let peers_fit = peers >= UNLISTED_CLASSES && fits(peers, WIDE_PEERS);
        ensure(peers_fit, "peer classes", at, peers)?;
        let rows = d.port_classes;
        ensure(
            rows >= 1 && fits(rows, WIDE_PORTS),
            "port classes",
            at,
            rows,
        )?;
        let entries = d.entry_count;
        let entries_fit = entries >= 1 && fits(entries, WIDE_CELLS);
        ensure(entries_fit, "verdict entries", at, entries)?;
        let stride_fits = d.stride >= peers && d.stride <= 1 << 17;
        ensure(stride_fits, "stride", at, d.stride)?;

        let greatest = self.peer_class(&d, wide(WIDE_PEERS))?;
        ensure(greatest < peers, "peer class", at, greatest)?;
        let greatest = self.port_class(&d, wide(WIDE_PORTS))?;
        ensure(greatest < rows, "port class", at, greatest)?;
        self.cells(at, &d)
    }

    /// The greatest class that a lookup can find.
    fn peer_class(&mut self, d: &Descriptor, wide: bool) -> Result<u32> {
        let words = u64::from(self.h.local_count / PAGE_IDENTITIES);
        self.section("local directory", d.directory, words, 2)?;
        let key = (d.directory, d.pages, 0, wide);
        let local = match self.directories.get(&key) {
            Some(class) => *class,
            None => {
                let mut greatest = 0;
                for i in 0..words as usize {
                    let page = get_u16(self.b, d.directory as usize + i * 2);
                    greatest = greatest.max(self.page(d.pages, wide, page)?);
                }
                self.spend(words as usize)?;
                self.directories.insert(key, greatest);
                greatest
            }
        };
        let words = self.h.regions.count as usize * SLOT_BLOCKS;
        self.section("root", d.root, words as u64, 2)?;
        let key = (d.root, d.pages, d.blocks, wide);
        if let Some(rooted) = self.directories.get(&key) {
            return Ok(local.max(*rooted));
        }
        let mut rooted = 0;
        for i in 0..words {
            let block = get_u16(self.b, d.root as usize + i * 2);
            rooted = rooted.max(self.block(d, block, wide)?);
        }
        self.spend(words)?;
        self.directories.insert(key, rooted);
        Ok(local.max(rooted))
    }

    fn block(&mut self, d: &Descriptor, block: u16, wide: bool) -> Result<u32> {
        let at = u64::from(d.blocks) + u64::from(block) * BLOCK_LEN as u64;
        let key = (at, d.pages, wide);
        if let Some(class) = self.blocks.get(&key) {
            return Ok(*class);
        }
        if at < HEADER_LEN as u64 || at + BLOCK_LEN as u64 > self.b.len() as u64 {
            return value("block", d.blocks, block);
        }
        let mut greatest = 0;
        for i in 0..BLOCK_PAGES {
            let page = get_u16(self.b, at as usize + i * 2);
            greatest = greatest.max(self.page(d.pages, wide, page)?);
        }
        self.spend(BLOCK_PAGES)?;
        self.blocks.insert(key, greatest);
        Ok(greatest)
    }

    fn page(&mut self, base: u32, wide: bool, page: u16) -> Result<u32> {
        if let Some(class) = self.pages.get(&(base, wide, page)) {
            return Ok(*class);
        }
        let at = base as usize + page as usize * PAGE_UNIT;
        let Some(greatest) = self.greatest(at, wide, PAGE_UNIT)? else {
            return value("page", base, page);
        };
        self.pages.insert((base, wide, page), greatest);
        Ok(greatest)
    }

    /// The greatest of `count` classes; `None` when they lie outside.
    fn greatest(&mut self, at: usize, wide: bool, count: usize) -> Result<Option<u32>> {
        self.spend(count)?;
        let len = if wide { count * 2 } else { count };
        if at < HEADER_LEN {
            return Ok(None);
        }
        let Some(bytes) = self.b.get(at..at.saturating_add(len)) else {
            return Ok(None);
        };
        let greatest = if wide {
            let wide = bytes.as_chunks::<2>().0;
            wide.iter().map(|c| u32::from(u16::from_le_bytes(*c))).max()
        } else {
            bytes.iter().map(|c| u32::from(*c)).max()
        };
        Ok(Some(greatest.unwrap_or(0)))
    }

    fn port_class(&mut self, d: &Descriptor, wide: bool) -> Result<u32> {
        self.section("ports", d.ports, SLOTS as u64, 2)?;
        let mut greatest = 0;
        for slot in 0..SLOTS {
            let word = get_u16(self.b, d.ports as usize + slot * 2);
            let class = if slot < PORT_SLOTS as usize {
                self.port_directory(d, word, wide)?
            } else {
                u32::from(word)
            };
            greatest = greatest.max(class);
        }
        self.spend(SLOTS)?;
        Ok(greatest)
    }

    fn port_directory(&mut self, d: &Descriptor, number: u16, wide: bool) -> Result<u32> {
        let at = u64::from(d.port_directories) + u64::from(number) * PORT_DIRECTORY_LEN as u64;
        // Directories and pages are told apart by the base that follows.
        let key = (at, d.port_pages, wide);
        if let Some(class) = self.port_pages.get(&key) {
            return Ok(*class);
        }
        if at < HEADER_LEN as u64 || at + PORT_DIRECTORY_LEN as u64 > self.b.len() as u64 {
            return value("port directory", d.port_directories, number);
        }
        let mut greatest = 0;
        for i in 0..PORT_DIRECTORY_LEN / 2 {
            let page = get_u16(self.b, at as usize + i * 2);
            let page_at = d.port_pages as usize + page as usize * PORT_PAGE_UNIT;
            let key = (page_at as u64, u32::MAX, wide);
            let class = match self.port_pages.get(&key) {
                Some(class) => *class,
                None => {
                    let Some(class) = self.greatest(page_at, wide, 256)? else {
                        return value("port page", d.port_pages, page);
                    };
                    self.port_pages.insert(key, class);
                    class
                }
            };
            greatest = greatest.max(class);
        }
        self.spend(PORT_DIRECTORY_LEN / 2)?;
        self.port_pages.insert(key, greatest);
        Ok(greatest)
    }

    /// Cells name entries that are there, entries are such as a compiler
    /// writes, and the bitsets say the same.
    fn cells(&mut self, at: u32, d: &Descriptor) -> Result<()> {
        let wide = d.flags & WIDE_CELLS != 0;
        let key = [
            d.cells,
            d.entries,
            d.bitsets,
            d.stride,
            d.peer_classes,
            d.port_classes,
            d.entry_count,
            u32::from(wide),
        ];
        if !self.cells.insert(key) {
            return Ok(());
        }
        let cells = u64::from(d.port_classes) * u64::from(d.stride);
        self.section("cells", d.cells, cells, if wide { 2 } else { 1 })?;
        let entry_count = u64::from(d.entry_count);
        self.section("verdict entries", d.entries, entry_count, ENTRY_LEN as u64)?;
        let words = d.plane_words() as usize;
        let row_words = Plane::ALL.len() * words;
        let bitset_words = u64::from(d.port_classes) * row_words as u64;
        self.section("bitsets", d.bitsets, bitset_words, 8)?;
        self.spend(cells as usize + d.entry_count as usize * ENTRY_LEN)?;
        let entry = |number: usize| {
            let at = d.entries as usize + number * ENTRY_LEN;
            fixed(self.b, at).map_or(Answer::DROP, Answer::from_bytes)
        };
        for number in 0..d.entry_count as usize {
            if !entry(number).is_valid() || (number == 0 && entry(0) != Answer::DROP) {
                return value("verdict entry", d.entries, number as u32);
            }
        }
        for row in 0..d.port_classes {
            for word in 0..words {
                let mut planes = [0u64; Plane::ALL.len()];
                let first = word as u32 * 64;
                for class in first..d.peer_classes.min(first + 64) {
                    let i = row as usize * d.stride as usize + class as usize;
                    let cell = if wide {
                        usize::from(get_u16(self.b, d.cells as usize + i * 2))
                    } else {
                        let byte = self.b.get(d.cells as usize + i);
                        usize::from(byte.copied().unwrap_or(u8::MAX))
                    };
                    if cell >= d.entry_count as usize {
                        return value("cell", d.cells, cell as u32);
                    }
                    if let Some(plane) = Plane::of(&entry(cell))
                        && let Some(bits) = planes.get_mut(plane as usize)
                    {
                        *bits |= 1 << (class % 64);
                    }
                }
                for (plane, bits) in planes.into_iter().enumerate() {
                    let i = row as usize * row_words + plane * words + word;
                    if get_u64(self.b, d.bitsets as usize + i * 8) != bits {
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

    fn origins(&mut self) -> Result<()> {
        if self.h.origins == 0 {
            return Ok(());
        }
        for i in 0..self.h.subjects.count as usize * 2 {
            let block = get_u32(self.b, self.h.origins as usize + i * 4);
            if block == 0 || !self.seen.insert(block) {
                continue;
            }
            let classes = get_u32(self.b, block as usize);
            let end = u64::from(block) + 4 + u64::from(classes) * 4;
            ensure(end <= self.b.len() as u64, "origins", block, classes)?;
            self.spend(classes as usize)?;
            for class in 0..classes as usize {
                let set = get_u32(self.b, block as usize + 4 + class * 4);
                if set != 0 && self.seen.insert(set) {
                    self.origin_set(set)?;
                }
            }
        }
        Ok(())
    }

    fn origin_set(&mut self, set: u32) -> Result<()> {
        let count = get_u32(self.b, set as usize);
        let end = u64::from(set) + 4 + u64::from(count) * ORIGIN_LEN as u64;
        ensure(end <= self.b.len() as u64, "origin set", set, count)?;
        for i in 0..count as usize {
            let at = set as usize + 4 + i * ORIGIN_LEN;
            let prefix = self.b.get(at + 1).copied().unwrap_or(u8::MAX);
            let known = prefix == 0 || (8..=24).contains(&prefix);
            ensure(known, "origin prefix", at, prefix)?;
            let rules = get_u32(self.b, at + 16);
            let count = if rules == 0 {
                0
            } else {
                get_u32(self.b, rules as usize)
            };
            let end = u64::from(rules) + 4 + u64::from(count) * 4;
            ensure(end <= self.b.len() as u64, "origin rules", at, rules)?;
            self.spend(ORIGIN_LEN + count as usize)?;
            for r in 1..=count as usize {
                let rule = get_u32(self.b, rules as usize + r * 4);
                ensure(rule < self.h.rules.count, "rule", rules, rule)?;
            }
        }
        Ok(())
    }
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
