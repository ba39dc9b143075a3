//! Directories, roots, blocks and pages: identity to class.
//!
//! In: the classes of a direction. Out: where its directory and root stand.

use super::CompileError;
use super::class::{ClassId, Classes, FIRST_LISTED, unlisted_class};
use super::listed::Page;
use super::pool::Pool;
use crate::config::Config;
use crate::identity::NumericIdentity;
use ahash::AHashMap;
use netverdict_table::layout::{
    BLOCK_LEN, BLOCK_PAGES, Descriptor, EMPTY_SLOTS, PAGE_IDENTITIES, PAGE_UNIT, PART_ALIGN,
    REGIONS, SLOT_BLOCKS, WIDE_PEERS, region,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Which identities stand where: the same for all descriptors of an image.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) local_first: u32,
    pub(super) local_count: u32,
    /// Slot by region.
    pub(super) regions: Vec<u16>,
    /// The region of each slot from [`EMPTY_SLOTS`] on.
    slot_regions: Vec<u32>,
    config: Config,
}

/// Pages that a direction may need beside those with listed identities.
const SPARE_PAGES: usize = 16;

/// Directories of one level are kept up to this many bytes in all.
const DIRECTORY_BYTES: usize = 4 << 20;

impl Plan {
    /// The plan for so many descriptors: with local directories as long as
    /// they stay small together. `spare` local identities may yet come.
    pub(super) fn fitting<I: Iterator<Item = NumericIdentity>>(
        identities: impl Fn() -> I,
        config: &Config,
        descriptors: usize,
        spare: u32,
    ) -> Self {
        let mut flat = Self::new(identities(), config, false);
        if flat.local_count != 0 && spare != 0 {
            let most = 1 << (24 - cluster_bits(config));
            let more = (flat.local_count + spare).next_multiple_of(PAGE_IDENTITIES);
            flat.local_count = more.min(most);
        }
        let per_directory = flat.local_count as usize / 32;
        if per_directory * descriptors > DIRECTORY_BYTES {
            return Self::new(identities(), config, true);
        }
        flat
    }

    /// `rooted`: local identities go through roots, too.
    pub(super) fn new(
        identities: impl Iterator<Item = NumericIdentity>,
        config: &Config,
        rooted: bool,
    ) -> Self {
        let number_bits = 24 - cluster_bits(config);
        let local_first = config.cluster_id << number_bits;
        let local = |id: u32| id >> number_bits == config.cluster_id;
        let identities: Vec<u32> = identities.map(|id| id.0).collect();
        let last = identities.iter().filter(|id| local(**id)).max();
        let local_count = match last {
            Some(last) if !rooted => (last - local_first + 1).next_multiple_of(PAGE_IDENTITIES),
            _ => 0,
        };
        let listed = |id: u32| id.wrapping_sub(local_first) >= local_count && id >> 24 <= 2;
        let mut used: BTreeSet<u32> = identities
            .iter()
            .filter(|id| listed(**id))
            .map(|id| id >> 15)
            .collect();
        // Reserved identities are below 100, and no aggregate's.
        if local_first != 0 || local_count < 100 {
            used.insert(0);
        }
        let local_region = |r: u32| local((r & 511) << 15);
        let mut regions: Vec<u16> = (0u32..)
            .take(REGIONS)
            .map(|r| match r >> 9 {
                1 => 1,
                2 => 2,
                // Undefined scopes: to the datapath, other clusters.
                3 => 0,
                _ if local_region(r) => 3,
                _ => 0,
            })
            .collect();
        for (slot, r) in (EMPTY_SLOTS..).zip(&used) {
            if let Some(word) = regions.get_mut(*r as usize) {
                *word = slot;
            }
        }
        Self {
            local_first,
            local_count,
            regions,
            slot_regions: used.into_iter().collect(),
            config: config.clone(),
        }
    }

    /// How many slots every root has.
    pub(super) fn slots(&self) -> usize {
        usize::from(EMPTY_SLOTS) + self.slot_regions.len()
    }

    /// True when tables of this plan can give an identity a class of its own.
    pub(super) fn can_list(&self, id: NumericIdentity) -> bool {
        let slot = || self.regions.get(region(id.0));
        self.is_local(id) || (id.0 >> 24 <= 2 && slot().is_some_and(|s| *s >= EMPTY_SLOTS))
    }

    /// True when the local directory covers an identity.
    pub(super) fn is_local(&self, id: NumericIdentity) -> bool {
        id.0.wrapping_sub(self.local_first) < self.local_count
    }

    /// First identity of a slot's region; any, where the slot lists nobody.
    fn slot_first(&self, slot: usize) -> u32 {
        let listed = slot.checked_sub(usize::from(EMPTY_SLOTS));
        let r = listed.and_then(|i| self.slot_regions.get(i));
        r.map_or(0, |r| r << 15)
    }

    /// Class of an unlisted identity of a slot.
    fn default_class(&self, slot: usize, id: u32) -> ClassId {
        match slot {
            0 => 2,
            1 => 3,
            2 => 4,
            3 => 1,
            _ => unlisted_class(NumericIdentity(id), &self.config),
        }
    }
}

/// Bits of a cluster id within an identity.
pub(super) fn cluster_bits(config: &Config) -> u32 {
    (config.max_connected_clusters + 1).trailing_zeros()
}

/// Where a descriptor finds classes of identities, relative to the sections.
#[derive(Clone, Copy, Debug)]
pub(super) struct PeerPart {
    pub(super) directory: u32,
    pub(super) root: u32,
    pub(super) pages: u32,
    pub(super) blocks: u32,
}

/// The words of one descriptor that change.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    directory: Vec<u16>,
    root: Vec<u16>,
    pages: u32,
    blocks: u32,
    wide: bool,
    /// The words of one that lists nobody.
    empty: Option<Arc<Empty>>,
}

impl Words {
    /// Classes in its pages have 16 bits.
    pub(super) const fn wide(&self) -> bool {
        self.wide
    }

    const fn page_len(&self) -> usize {
        if self.wide { 2 * PAGE_UNIT } else { PAGE_UNIT }
    }
}

/// Pages in which one identity moved to another class: base and number of the
/// page, identity and class lead to the number of the copy. Most descriptors
/// have their pages in common.
pub(super) type Copies = AHashMap<(u32, u16, NumericIdentity, ClassId, bool), u16>;

/// A word that is to be stored: its place, and its value.
#[derive(Clone, Copy, Debug)]
pub(super) enum ChangedWord {
    Directory(usize, u16),
    Root(usize, u16),
}

/// The sections that lead from identities to classes.
#[derive(Clone, Debug)]
pub(super) struct PeerSections {
    pub(super) plan: Plan,
    pub(super) directories: Pool,
    pub(super) roots: Pool,
    pub(super) pages: Pool,
    pub(super) blocks: Pool,
    /// Directory and root of a descriptor that lists nobody, by width, for
    /// the windows they were made in.
    empty: [Option<Arc<Empty>>; 2],
    /// Every descriptor has its own directory and root, whose words may
    /// change.
    own: bool,
}

#[derive(Clone, Debug)]
struct Empty {
    pages: u32,
    blocks: u32,
    directory: Vec<u16>,
    root: Vec<u16>,
    /// Page numbers of every block of the root.
    in_blocks: Vec<[u16; BLOCK_PAGES]>,
}

impl PeerSections {
    pub(super) fn new(plan: Plan) -> Self {
        Self {
            plan,
            directories: Pool::new(PART_ALIGN),
            roots: Pool::new(PART_ALIGN),
            pages: Pool::new(PAGE_UNIT),
            blocks: Pool::new(BLOCK_LEN),
            empty: [None, None],
            own: false,
        }
    }

    /// Sections of an image that is to change: directories and roots are not
    /// shared.
    pub(super) fn changing(plan: Plan) -> Self {
        Self {
            own: true,
            ..Self::new(plan)
        }
    }

    /// Puts a direction's directory and root.
    ///
    /// # Errors
    /// When the direction lists identities in more pages than numbers reach.
    pub(super) fn put(&mut self, classes: &Classes, wide: bool) -> Result<PeerPart, CompileError> {
        let listed = classes.listed.pages();
        let page_len = if wide { 2 } else { 1 } * PAGE_UNIT;
        let most = (listed.len() + SPARE_PAGES) * page_len;
        if most > PAGE_UNIT << 16 {
            let count = listed.len();
            return Err(CompileError::TooManyPages { count });
        }
        let pages = self.pages.window(PAGE_UNIT, most);
        let words = self.plan.slots() * SLOT_BLOCKS;
        let blocks = self.blocks.window(BLOCK_LEN, words * BLOCK_LEN);
        let empty = self.empty(wide, pages, blocks);
        let (mut directory, mut root) = (empty.directory.clone(), empty.root.clone());
        // Pages come in ascending order, so those of a block together.
        let mut open: Option<(usize, [u16; BLOCK_PAGES])> = None;
        for page in listed {
            let number = self.listed_page(page, wide);
            let first = page.first();
            if self.plan.is_local(first) {
                let x = first.0.wrapping_sub(self.plan.local_first) >> 6;
                if let Some(word) = directory.get_mut(x as usize) {
                    *word = number;
                }
                continue;
            }
            let slot = self.plan.regions.get(region(first.0)).copied().unwrap_or(0);
            let block = usize::from(slot) * SLOT_BLOCKS + (first.0 >> 12 & 7) as usize;
            let mut content = match open.take() {
                Some((last, content)) if last == block => content,
                other => {
                    self.close(other, &mut root);
                    let content = empty.in_blocks.get(block);
                    content.copied().unwrap_or([0; BLOCK_PAGES])
                }
            };
            if let Some(word) = content.get_mut((first.0 >> 6 & 63) as usize) {
                *word = number;
            }
            open = Some((block, content));
        }
        self.close(open, &mut root);
        let (directory, root) = (u16_bytes(&directory), u16_bytes(&root));
        let (directory, root) = if self.own {
            (
                self.directories.append(&directory),
                self.roots.append(&root),
            )
        } else {
            (self.directories.put(&directory), self.roots.put(&root))
        };
        Ok(PeerPart {
            directory,
            root,
            pages,
            blocks,
        })
    }

    /// Puts a block and leads its word of the root there.
    fn close(&mut self, block: Option<(usize, [u16; BLOCK_PAGES])>, root: &mut [u16]) {
        if let Some((i, content)) = block {
            let number = self.block(&content);
            if let Some(word) = root.get_mut(i) {
                *word = number;
            }
        }
    }

    /// Moves identities of one page of a descriptor to other classes: a copy
    /// of the page (and block), and the word that is to lead there. `None`
    /// when the descriptor's windows are full. `copies` are those of single
    /// identities in other descriptors.
    pub(super) fn reclass(
        &mut self,
        words: &mut Words,
        moving: impl ExactSizeIterator<Item = (NumericIdentity, ClassId)> + Clone,
        copies: &mut Copies,
    ) -> Option<ChangedWord> {
        let (id, _) = moving.clone().next()?;
        if self.plan.is_local(id) {
            let i = (id.0.wrapping_sub(self.plan.local_first) >> 6) as usize;
            let old = *words.directory.get(i)?;
            let new = self.with_classes(words, old, moving, copies)?;
            *words.directory.get_mut(i)? = new;
            return Some(ChangedWord::Directory(i, new));
        }
        let slot = usize::from(*self.plan.regions.get(region(id.0))?);
        let i = slot * SLOT_BLOCKS + (id.0 >> 12 & 7) as usize;
        let old = *words.root.get(i)?;
        let mut content = self.block_content(words, old)?;
        let word = content.get_mut((id.0 >> 6 & 63) as usize)?;
        *word = self.with_classes(words, *word, moving, copies)?;
        if self.blocks.window(BLOCK_LEN, BLOCK_LEN) != words.blocks {
            return None;
        }
        let new = self.block(&content);
        *words.root.get_mut(i)? = new;
        Some(ChangedWord::Root(i, new))
    }

    fn block_content(&self, words: &Words, number: u16) -> Option<[u16; BLOCK_PAGES]> {
        let at = words.blocks as usize + usize::from(number) * BLOCK_LEN;
        let block = self.blocks.bytes().get(at..at + BLOCK_LEN)?;
        let mut content = [0; BLOCK_PAGES];
        for (to, from) in content.iter_mut().zip(block.as_chunks::<2>().0) {
            *to = u16::from_le_bytes(*from);
        }
        Some(content)
    }

    /// A copy of a page in which identities have other classes.
    fn with_classes(
        &mut self,
        words: &Words,
        page: u16,
        moving: impl ExactSizeIterator<Item = (NumericIdentity, ClassId)> + Clone,
        copies: &mut Copies,
    ) -> Option<u16> {
        let alone = moving.clone().next().filter(|_| moving.len() == 1);
        let key = alone.map(|(id, class)| (words.pages, page, id, class, words.wide));
        if let Some(number) = key.and_then(|key| copies.get(&key)) {
            return Some(*number);
        }
        let len = words.page_len();
        if self.pages.window(PAGE_UNIT, len) != words.pages {
            return None;
        }
        let mut copy = [0; 2 * PAGE_UNIT];
        let content = copy.get_mut(..len)?;
        content.copy_from_slice(self.page_bytes(words, page)?);
        let width = len / PAGE_UNIT;
        for (id, class) in moving {
            let i = (id.0 & 63) as usize * width;
            let to = content.get_mut(i..i + width)?;
            to.copy_from_slice(class.to_le_bytes().get(..width)?);
        }
        let at = self.pages.put(content);
        let number = self.pages.number(at, PAGE_UNIT);
        if let Some(key) = key {
            copies.insert(key, number);
        }
        Some(number)
    }

    fn page_bytes(&self, words: &Words, number: u16) -> Option<&[u8]> {
        let at = words.pages as usize + usize::from(number) * PAGE_UNIT;
        self.pages.bytes().get(at..at + words.page_len())
    }

    /// The class of an identity, if it is listed.
    pub(super) fn listed_class(&self, words: &Words, id: NumericIdentity) -> Option<ClassId> {
        let page = if self.plan.is_local(id) {
            let i = id.0.wrapping_sub(self.plan.local_first) >> 6;
            *words.directory.get(i as usize)?
        } else {
            let slot = usize::from(*self.plan.regions.get(region(id.0))?);
            let block = slot * SLOT_BLOCKS + (id.0 >> 12 & 7) as usize;
            let content = self.block_content(words, *words.root.get(block)?)?;
            *content.get((id.0 >> 6 & 63) as usize)?
        };
        let page = self.page_bytes(words, page)?;
        listed_in(page, words.wide, (id.0 & 63) as usize)
    }

    /// The pages in which somebody is listed, ascending: the number of the
    /// identities without their last six bits, and the page.
    pub(super) fn listed_pages<'a>(&'a self, words: &Words) -> Vec<(u32, &'a [u8])> {
        let Some(empty) = &words.empty else {
            return Vec::new();
        };
        let mut all = Vec::new();
        let mut add = |number: u32, word: u16| {
            let page = self.page_bytes(words, word);
            all.extend(page.map(|page| (number, page)));
        };
        let local = words.directory.iter().zip(&empty.directory);
        for (number, (word, default)) in (self.plan.local_first >> 6..).zip(local) {
            if word != default {
                add(number, *word);
            }
        }
        let blocks = words.root.iter().zip(&empty.root).zip(&empty.in_blocks);
        for (i, ((block, default), defaults)) in blocks.enumerate() {
            let slot = self.plan.slot_first(i / SLOT_BLOCKS);
            let first = slot + ((i % SLOT_BLOCKS) << 12) as u32;
            let content = (block != default).then(|| self.block_content(words, *block));
            let pages = content.flatten().into_iter().flatten().zip(defaults);
            for (number, (word, default)) in (first >> 6..).zip(pages) {
                if word != *default {
                    add(number, word);
                }
            }
        }
        all.sort_unstable_by_key(|(number, _)| *number);
        all
    }

    /// The words of a descriptor's directory and root that was just put.
    pub(super) fn words(&self, d: &Descriptor) -> Words {
        let read = |pool: &Pool, at: u32, count: usize| -> Vec<u16> {
            let at = at as usize;
            let bytes = pool.bytes().get(at..at + count * 2).unwrap_or(&[]);
            let words = bytes.as_chunks::<2>().0.iter();
            words.map(|w| u16::from_le_bytes(*w)).collect()
        };
        let local = (self.plan.local_count / PAGE_IDENTITIES) as usize;
        let wide = d.flags & WIDE_PEERS != 0;
        let empty = self.empty.get(usize::from(wide)).and_then(Option::as_ref);
        Words {
            directory: read(&self.directories, d.directory, local),
            root: read(&self.roots, d.root, self.plan.slots() * SLOT_BLOCKS),
            pages: d.pages,
            blocks: d.blocks,
            wide,
            empty: empty.map(Arc::clone),
        }
    }

    fn listed_page(&mut self, page: &Page, wide: bool) -> u16 {
        let mut bytes = [0; 2 * PAGE_UNIT];
        let (narrow, _) = bytes.split_at_mut(PAGE_UNIT);
        let at = if wide {
            for (to, class) in bytes.as_chunks_mut::<2>().0.iter_mut().zip(page.classes()) {
                *to = class.to_le_bytes();
            }
            self.pages.put(&bytes)
        } else {
            for (to, class) in narrow.iter_mut().zip(page.classes()) {
                *to = *class as u8;
            }
            self.pages.put(narrow)
        };
        self.pages.number(at, PAGE_UNIT)
    }

    fn page(&mut self, content: &[ClassId], wide: bool) -> u16 {
        let at = self.pages.put(&class_bytes(content, wide));
        self.pages.number(at, PAGE_UNIT)
    }

    fn block(&mut self, content: &[u16; BLOCK_PAGES]) -> u16 {
        let at = self.blocks.put(&u16_bytes(content));
        self.blocks.number(at, BLOCK_LEN)
    }

    fn empty(&mut self, wide: bool, pages: u32, blocks: u32) -> Arc<Empty> {
        let made = self.empty.get(usize::from(wide)).and_then(Option::as_ref);
        if let Some(made) = made
            && made.pages == pages
            && made.blocks == blocks
        {
            return Arc::clone(made);
        }
        let mut uniform = AHashMap::new();
        let local_pages = self.plan.local_count / PAGE_IDENTITIES;
        let mut directory = Vec::new();
        for page in 0..local_pages {
            let first = self.plan.local_first + page * PAGE_IDENTITIES;
            directory.push(self.default_page(3 + 1, first, wide, &mut uniform));
        }
        let mut root = Vec::new();
        let mut in_blocks = Vec::new();
        for slot in 0..self.plan.slots() {
            let first = self.plan.slot_first(slot);
            for block in (0u32..).take(SLOT_BLOCKS) {
                let mut content = [0; BLOCK_PAGES];
                for (page, word) in (0u32..).zip(&mut content) {
                    let id = first + (block << 12) + (page << 6);
                    *word = self.default_page(slot, id, wide, &mut uniform);
                }
                root.push(self.block(&content));
                in_blocks.push(content);
            }
        }
        let made = Arc::new(Empty {
            pages,
            blocks,
            directory,
            root,
            in_blocks,
        });
        if let Some(slot) = self.empty.get_mut(usize::from(wide)) {
            *slot = Some(Arc::clone(&made));
        }
        made
    }

    /// The page of unlisted identities from `first` on. `uniform` has the
    /// pages of one class that were made before.
    fn default_page(
        &mut self,
        slot: usize,
        first: u32,
        wide: bool,
        uniform: &mut AHashMap<ClassId, u16>,
    ) -> u16 {
        let class = |id| self.plan.default_class(slot, id);
        // Reserved identities are below 100, and fall back to others.
        let alike = (first >= 128).then(|| class(first));
        if let Some(number) = alike.and_then(|class| uniform.get(&class)) {
            return *number;
        }
        let content: Vec<ClassId> = (first..).take(64).map(class).collect();
        let number = self.page(&content, wide);
        if let Some(class) = alike {
            uniform.insert(class, number);
        }
        number
    }
}

/// The class of the `i`th identity of a page, if it is listed.
pub(super) fn listed_in(page: &[u8], wide: bool, i: usize) -> Option<ClassId> {
    let class = if wide {
        page.as_chunks().0.get(i).map(|c| u16::from_le_bytes(*c))
    } else {
        page.get(i).map(|c| u16::from(*c))
    };
    class.map(ClassId::from).filter(|c| *c >= FIRST_LISTED)
}

/// Classes as a page has them.
pub(super) fn class_bytes(classes: &[u32], wide: bool) -> Vec<u8> {
    if !wide {
        return classes.iter().map(|c| *c as u8).collect();
    }
    let mut bytes = vec![0; classes.len() * 2];
    for (to, class) in bytes.as_chunks_mut::<2>().0.iter_mut().zip(classes) {
        *to = (*class as u16).to_le_bytes();
    }
    bytes
}

/// Numbers as an image has them.
pub(super) fn u16_bytes(words: &[u16]) -> Vec<u8> {
    let mut bytes = vec![0; words.len() * 2];
    for (to, word) in bytes.as_chunks_mut::<2>().0.iter_mut().zip(words) {
        *to = word.to_le_bytes();
    }
    bytes
}
