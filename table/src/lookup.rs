//! The lookup: identity and port to a verdict entry.
//!
//! In: a descriptor of a checked image. Out: a cell's entry. Eight or nine
//! loads, at most four of which wait for each other (six through roots), and
//! none of which depends on a verdict.

use crate::layout::{
    BLOCK_LEN, ENTRY_LEN, Header, LAST_PORT_WORD_AT, PAGE_UNIT, PORT_DIRECTORY_UNIT, PORT_END_AT,
    PORT_PAGE_PORTS, PORT_PAGE_UNIT, PORT_SLOTS, SLOT_BLOCKS, WIDE_CELLS, WIDE_PEERS, WIDE_PORTS,
    region,
};
use crate::question::{Answer, Direction, Question};
use core::hint::select_unpredictable;

/// Numbers of a descriptor that lookups need: its first words, and where ports
/// end.
pub(crate) const WORDS: usize = 14;

/// Memory that an image is read from.
pub(crate) trait Memory: Copy {
    /// The byte at an offset.
    fn u8(self, at: usize) -> u32;
    /// The 16 bits at an offset, which do not change any more.
    fn u16(self, at: usize) -> u32;
    /// The 32 bits at an offset, which do not change any more.
    fn u32(self, at: usize) -> u32;
    /// The 16 bits at an offset, which a writer may change: what they lead to
    /// was written before.
    fn changing_u16(self, at: usize) -> u32;
    /// The 64 bits at an offset, likewise.
    fn changing_u64(self, at: usize) -> u64;
    /// What lookups need of the descriptor at an offset. Spelled out: what makes
    /// arrays is not always inlined, and then all of it goes through memory.
    #[inline(always)]
    fn descriptor(self, at: usize) -> [u32; WORDS] {
        [
            self.u32(at),
            self.u32(at + 4),
            self.u32(at + 8),
            self.u32(at + 12),
            self.u32(at + 16),
            self.u32(at + 20),
            self.u32(at + 24),
            self.u32(at + 28),
            self.u32(at + 32),
            self.u32(at + 36),
            self.u32(at + 40),
            self.u32(at + 44),
            self.u16(at + PORT_END_AT),
            self.u16(at + LAST_PORT_WORD_AT),
        ]
    }
    /// The verdict entry at an offset.
    fn entry(self, at: usize) -> [u8; ENTRY_LEN];

    /// The byte at the sum of three offsets. `later` is the one that is known
    /// last: where it can, the processor adds it as it loads.
    #[inline(always)]
    fn u8_of(self, at: usize, early: usize, later: usize) -> u32 {
        self.u8(at.wrapping_add(early).wrapping_add(later))
    }

    /// Number `early + later` of an array of 8 or 16 bits.
    #[inline(always)]
    fn either(self, wide: bool, at: usize, early: usize, later: usize) -> u32 {
        if wide {
            self.u16(at.wrapping_add(early.wrapping_add(later).wrapping_mul(2)))
        } else {
            self.u8_of(at, early, later)
        }
    }
}

/// What lookups need of a header.
#[derive(Clone, Copy)]
pub(crate) struct Frame {
    subjects: u32,
    subject_count: u32,
    regions: u32,
    local_first: u32,
    local_count: u32,
    protocols: u32,
    flags: u32,
}

impl Frame {
    pub(crate) const fn new(h: &Header) -> Self {
        Self {
            subjects: h.subjects.at,
            subject_count: h.subjects.count,
            regions: h.regions.at,
            local_first: h.local_first,
            local_count: h.local_count,
            protocols: h.protocols,
            flags: h.flags,
        }
    }

    /// Where the descriptor of a subject stands; `None` when there is no such
    /// subject.
    #[inline(always)]
    pub(crate) fn descriptor<M: Memory>(
        &self,
        bytes: M,
        subject: u32,
        direction: Direction,
    ) -> Option<u32> {
        if subject >= self.subject_count {
            return None;
        }
        let word = bytes.changing_u64(self.subjects as usize + subject as usize * 8);
        let descriptor = (word >> (direction as u32 * 32)) as u32;
        (descriptor != 0).then_some(descriptor)
    }

    /// The lookup of a subject; `None` when there is no such subject.
    #[inline(always)]
    pub(crate) fn lookup<M: Memory>(
        &self,
        bytes: M,
        subject: u32,
        direction: Direction,
    ) -> Option<Lookup<M>> {
        let descriptor = self.descriptor(bytes, subject, direction)?;
        Some(Lookup::at(bytes, self, descriptor))
    }
}

/// Questions whose loads are made together.
pub(crate) const TOGETHER: usize = 16;

/// Answers up to [`TOGETHER`] questions in stages: each stage's loads are those
/// of all questions, wait for none of each other, and are what the next stage
/// waits for. Worth it where tables are in no near cache.
#[inline(always)]
pub(crate) fn together<M: Memory>(
    frame: &Frame,
    bytes: M,
    questions: &[Question],
    answers: &mut [Answer],
) {
    let mut descriptors = [None; TOGETHER];
    for (q, descriptor) in questions.iter().zip(&mut descriptors) {
        *descriptor = frame.descriptor(bytes, q.subject, q.direction);
    }
    let mut places = [(0, 0); TOGETHER];
    for ((q, descriptor), place) in questions.iter().zip(descriptors).zip(&mut places) {
        if let Some(descriptor) = descriptor {
            let lookup = Lookup::at(bytes, frame, descriptor);
            let row = lookup.row(q.protocol, q.lookup_port(frame.flags));
            *place = (lookup.page(q.identity), row);
        }
    }
    let mut cells = [0; TOGETHER];
    for (((q, descriptor), (page, row)), cell) in questions
        .iter()
        .zip(descriptors)
        .zip(places)
        .zip(&mut cells)
    {
        if let Some(descriptor) = descriptor {
            let lookup = Lookup::at(bytes, frame, descriptor);
            let wide = lookup.flags & WIDE_PEERS != 0;
            let class = lookup.class_in(wide, page, q.identity);
            *cell = lookup.cell_number(lookup.flags & WIDE_CELLS != 0, row, class);
        }
    }
    let each = questions.iter().zip(descriptors).zip(cells).zip(answers);
    for (((q, descriptor), cell), answer) in each {
        *answer = match descriptor {
            None => Answer::DROP,
            Some(descriptor) => {
                let lookup = Lookup::at(bytes, frame, descriptor);
                q.answer(frame.flags, lookup.entry(cell))
            }
        };
    }
}

/// Where everything of one descriptor stands.
///
/// For [`Checked`](crate::bytes::Checked) memory: the descriptor is that of a
/// subject, and classes and rows come from the functions below or from below
/// the descriptor's counts. Every access then lies where `check` looked.
#[derive(Clone, Copy)]
pub(crate) struct Lookup<M> {
    bytes: M,
    frame: Frame,
    directory: u32,
    root: u32,
    pages: u32,
    blocks: u32,
    ports: u32,
    port_directories: u32,
    port_pages: u32,
    cells: u32,
    entries: u32,
    stride: u32,
    flags: u32,
    port_end: u32,
    last_port_word: u32,
}

impl<M: Memory> Lookup<M> {
    /// Takes the descriptor at an offset in hand. Words that the lookup does
    /// not come to need not be loaded.
    #[inline(always)]
    pub(crate) fn at(bytes: M, frame: &Frame, descriptor: u32) -> Self {
        let [
            directory,
            root,
            pages,
            blocks,
            ports,
            port_directories,
            port_pages,
            cells,
            entries,
            _bitsets,
            stride,
            flags,
            port_end,
            last_port_word,
        ] = bytes.descriptor(descriptor as usize);
        Self {
            bytes,
            frame: *frame,
            directory,
            root,
            pages,
            blocks,
            ports,
            port_directories,
            port_pages,
            cells,
            entries,
            stride,
            flags,
            port_end,
            last_port_word,
        }
    }

    /// True when something has 16 bits.
    #[inline(always)]
    pub(crate) const fn is_wide(&self) -> bool {
        self.flags & (WIDE_PEERS | WIDE_PORTS | WIDE_CELLS) != 0
    }

    /// The class of an identity.
    #[inline(always)]
    pub(crate) fn class(&self, identity: u32) -> u32 {
        self.class_of(self.flags & WIDE_PEERS != 0, identity)
    }

    #[inline(always)]
    fn class_of(&self, wide: bool, identity: u32) -> u32 {
        self.class_in(wide, self.page(identity), identity)
    }

    #[inline(always)]
    fn class_in(&self, wide: bool, page: u32, identity: u32) -> u32 {
        let at = self.pages as usize + page as usize * PAGE_UNIT;
        self.bytes.either(wide, at, (identity & 63) as usize, 0)
    }

    /// The page of an identity.
    #[inline(always)]
    fn page(&self, identity: u32) -> u32 {
        let x = identity.wrapping_sub(self.frame.local_first);
        if x < self.frame.local_count {
            let word = self.directory as usize + (x >> 6) as usize * 2;
            return self.bytes.changing_u16(word);
        }
        let region = self.frame.regions as usize + region(identity) * 2;
        let slot = self.bytes.changing_u16(region) as usize;
        let word = slot * SLOT_BLOCKS + (identity >> 12 & 7) as usize;
        let block = self.bytes.changing_u16(self.root as usize + word * 2) as usize;
        let at = self.blocks as usize + block * BLOCK_LEN;
        self.bytes.u16(at + (identity >> 6 & 63) as usize * 2)
    }

    /// The class of a protocol and port.
    #[inline(always)]
    pub(crate) fn row(&self, protocol: u8, port: u16) -> u32 {
        self.row_of(self.flags & WIDE_PORTS != 0, protocol, port)
    }

    #[inline(always)]
    fn row_of(&self, wide: bool, protocol: u8, port: u16) -> u32 {
        let slot = self
            .bytes
            .u8(self.frame.protocols as usize + protocol as usize);
        let word = self.bytes.u16(self.ports as usize + slot as usize * 2);
        if slot >= u32::from(PORT_SLOTS) {
            return word;
        }
        let port = port as usize;
        // The end is loaded instead of worked out of the last word, so that
        // the comparison does not wait for the shift.
        let last = self.last_port_word as usize;
        let i = select_unpredictable(port >= self.port_end as usize, last, port / PORT_PAGE_PORTS);
        let directory = self.port_directories as usize + word as usize * PORT_DIRECTORY_UNIT;
        let page = self.bytes.u16(directory + i * 2) as usize;
        let pages = self.port_pages as usize;
        let (within, first) = (port % PORT_PAGE_PORTS, page * PORT_PAGE_UNIT);
        self.bytes.either(wide, pages, within, first)
    }

    /// The entry of a pair of classes.
    #[inline(always)]
    pub(crate) fn cell(&self, row: u32, class: u32) -> Answer {
        self.cell_of(self.flags & WIDE_CELLS != 0, row, class)
    }

    #[inline(always)]
    fn cell_of(&self, wide: bool, row: u32, class: u32) -> Answer {
        self.entry(self.cell_number(wide, row, class))
    }

    /// The number of the entry of a pair of classes.
    #[inline(always)]
    fn cell_number(&self, wide: bool, row: u32, class: u32) -> u32 {
        // Only a damaged image could make this overflow.
        let first = (row as usize).wrapping_mul(self.stride as usize);
        let cells = self.cells as usize;
        self.bytes.either(wide, cells, class as usize, first)
    }

    #[inline(always)]
    fn entry(&self, cell: u32) -> Answer {
        let at = self.entries as usize + cell as usize * ENTRY_LEN;
        Answer::from_bytes(self.bytes.entry(at))
    }

    /// The verdict of a packet where nothing is wide.
    #[inline(always)]
    pub(crate) fn narrow_verdict(&self, identity: u32, protocol: u8, port: u16) -> Answer {
        let class = self.class_of(false, identity);
        let row = self.row_of(false, protocol, port);
        self.cell_of(false, row, class)
    }

    /// The verdict of a packet.
    #[inline(always)]
    pub(crate) fn verdict(&self, identity: u32, protocol: u8, port: u16) -> Answer {
        // One branch for most policies instead of three.
        if self.is_wide() {
            let class = self.class(identity);
            let row = self.row(protocol, port);
            return self.cell(row, class);
        }
        self.narrow_verdict(identity, protocol, port)
    }

    /// What becomes of a packet; see
    /// [`PolicyView::ask`](crate::PolicyView::ask).
    #[inline(always)]
    pub(crate) fn ask(&self, q: &Question) -> Answer {
        // One lookup, even for packets that pass without: a branch around it
        // would be in everybody's way.
        let port = q.lookup_port(self.frame.flags);
        let found = self.verdict(q.identity, q.protocol, port);
        q.answer(self.frame.flags, found)
    }
}
