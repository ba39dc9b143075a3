//! A table that one writer changes while others read it.
//!
//! In: an image, and [`Write`]s from the compiler. Out: verdicts in any number
//! of threads, each that of the image before or after a write, never a mixture.
//!
//! **Publication.** All that a write leads to is written before it and never
//! changed after; the word itself is one store with release ordering, and
//! readers load such words with acquire ordering. Readers take no lock, do not
//! wait and do not try again.
//!
//! **Memory.** An image lives in words of 64 bits, each an atomic: whatever a
//! writer does, readers stay within the image and read whole words. What the
//! writer appends is never used again within an image. A new image takes the
//! place of the old one by one store; the old one is freed when every reader
//! has since said, by [`Reader::renew`], that it holds nothing of it (quiescent
//! states: saying so is a load and a store, reading says nothing).

mod arena;
mod grace;

use crate::check::TableError;
use crate::layout::{HEADER_LEN, Header, Section};
use crate::lookup::{Frame, Lookup, Memory};
use crate::question::{Answer, Direction, Question};
use crate::view::View;
use crate::write::Write;
use alloc::sync::Arc;
use arena::{Arena, Words};
use core::fmt;
use grace::{Grace, Pass};

/// Why a write was refused. Readers go on with the last good table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublishError {
    /// It lies outside the image, or is not aligned.
    Outside {
        /// Where it was to go.
        at: u32,
    },
    /// A new image is not one.
    Image(TableError),
    /// So many images wait for readers that have not renewed.
    ReadersBehind {
        /// How many.
        images: usize,
    },
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outside { at } => write!(f, "a write at {at} lies outside the table"),
            Self::Image(error) => error.fmt(f),
            Self::ReadersBehind { images } => write!(
                f,
                "{images} old tables wait for readers that have not renewed since"
            ),
        }
    }
}

impl core::error::Error for PublishError {}

/// The writer's side of a table. There is one.
///
/// ```
/// use netverdict_table::{Answer, Direction, Live, LivePolicy, Question, Reader, Write};
///
/// # mod tiny { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tiny/mod.rs")); }
/// # let (bytes, at) = tiny::image(8, 8);
/// # let directory = at.directory;
/// let mut live = Live::new(&bytes)?;
/// let mut reader: Reader = live.reader();
/// let question = Question::new(0, Direction::Ingress, 9, 6, 80);
/// assert_eq!(reader.verdict(&question), Some(Answer::DROP));
///
/// // What `netverdict::compile::Publisher` says has changed: here, one word.
/// live.publish(&[Write::Word16 { at: directory, value: 7 }])?;
/// let policy: LivePolicy<'_> = reader.policy(0, Direction::Ingress).expect("the first subject");
/// assert_eq!(policy.ask(&question).proxy_port(), 7);
/// let mut answers = [Answer::DROP; 1];
/// reader.verdict_batch(&[question], &mut answers);
/// assert_eq!(Some(answers[0]), reader.verdict(&question));
/// assert_eq!(reader.subject_of_endpoint(9), None);
///
/// // A whole image takes the place of the one before, which goes when nobody reads it.
/// live.write(&Write::Replace { image: bytes })?;
/// live.begin_grace_period();
/// assert!(!live.grace_period_over());
/// reader.renew();
/// assert!(live.grace_period_over());
/// assert_eq!(live.reclaim(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Live {
    grace: Arc<Grace<Table>>,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").finish_non_exhaustive()
    }
}

/// An image with its header at hand.
struct Table {
    header: Header,
    frame: Frame,
    arena: Arena,
}

/// So many old images may wait for readers.
const MOST_WAITING: usize = 16;

impl Live {
    /// Takes an image, which is checked.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(image: &[u8]) -> Result<Self, TableError> {
        Ok(Self {
            grace: Arc::new(Grace::new(Table::new(image)?)),
        })
    }

    /// A reader, to be given to a thread.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader {
            pass: Grace::enter(&self.grace),
        }
    }

    /// Does one write.
    ///
    /// # Errors
    /// When it is refused; nothing is changed then.
    pub fn write(&mut self, write: &Write) -> Result<(), PublishError> {
        if let Write::Replace { image } = write {
            let waiting = self.grace.reclaim();
            if waiting >= MOST_WAITING {
                return Err(PublishError::ReadersBehind { images: waiting });
            }
            let table = Table::new(image).map_err(PublishError::Image)?;
            self.grace.replace(table);
            return Ok(());
        }
        self.grace.with_current(|table| table.write(write))
    }

    /// Does writes in their order.
    ///
    /// # Errors
    /// When one is refused; those before it are done, and each leaves a table
    /// that is whole.
    pub fn publish<'w>(
        &mut self,
        writes: impl IntoIterator<Item = &'w Write>,
    ) -> Result<(), PublishError> {
        writes.into_iter().try_for_each(|w| self.write(w))
    }

    /// Frees images that no reader can hold any more; returns how many still
    /// wait.
    pub fn reclaim(&mut self) -> usize {
        self.grace.reclaim()
    }

    /// True when every reader has renewed since the last call of
    /// [`Self::begin_grace_period`].
    #[must_use]
    pub fn grace_period_over(&self) -> bool {
        self.grace.is_over()
    }

    /// Begins a grace period: see [`Self::grace_period_over`].
    pub fn begin_grace_period(&mut self) {
        self.grace.begin();
    }
}

impl Table {
    fn new(image: &[u8]) -> Result<Self, TableError> {
        let view = View::new(image)?;
        Ok(Self {
            header: *view.header(),
            frame: Frame::new(view.header()),
            arena: Arena::new(view.image()),
        })
    }

    fn find(&self, index: Section, key: u32) -> Option<u32> {
        let words = self.arena.words();
        index.find(key, |at| words.changing_u64(at))
    }

    fn write(&self, write: &Write) -> Result<(), PublishError> {
        let inside = |at: u32, len: usize, align: u32| {
            let end = u64::from(at) + len as u64;
            let good = at >= HEADER_LEN as u32
                && end <= u64::from(self.header.length)
                && at.is_multiple_of(align);
            good.then_some(at as usize)
                .ok_or(PublishError::Outside { at })
        };
        match write {
            Write::Bytes { at, bytes } => self.arena.fill(inside(*at, bytes.len(), 1)?, bytes),
            Write::Word16 { at, value } => self.arena.store_u16(inside(*at, 2, 2)?, *value),
            Write::Word64 { at, value } => self.arena.store_u64(inside(*at, 8, 8)?, *value),
            Write::Replace { .. } => {}
        }
        Ok(())
    }
}

/// A reader's side of a table, one per thread.
///
/// Lookups only load. [`Self::renew`] tells the writer that nothing read
/// before is still held: call it between batches, or the writer keeps old
/// images.
pub struct Reader {
    pass: Pass<Table>,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

impl Reader {
    /// Says that nothing of the table is held any more.
    pub fn renew(&mut self) {
        self.pass.renew();
    }

    /// The subject of an endpoint's number.
    #[must_use]
    pub fn subject_of_endpoint(&self, endpoint: u32) -> Option<u32> {
        let table = self.pass.current();
        table.find(table.header.endpoints, endpoint)
    }

    /// The subject of an identity.
    #[must_use]
    pub fn subject_of_identity(&self, identity: u32) -> Option<u32> {
        let table = self.pass.current();
        table.find(table.header.identity_index, identity)
    }

    /// A subject's policy in one direction. It follows identities that move,
    /// but not a change of the policy itself: take it anew for each batch.
    #[must_use]
    #[inline]
    pub fn policy(&self, subject: u32, direction: Direction) -> Option<LivePolicy<'_>> {
        let table = self.pass.current();
        let lookup = table
            .frame
            .lookup(table.arena.words(), subject, direction)?;
        Some(LivePolicy { lookup })
    }

    /// What becomes of a packet; `None` when there is no such subject, which
    /// is to be treated as a drop.
    #[must_use]
    #[inline]
    pub fn verdict(&self, q: &Question) -> Option<Answer> {
        Some(self.policy(q.subject, q.direction)?.ask(q))
    }

    /// Answers many questions; see [`View::verdict_batch`].
    pub fn verdict_batch(&self, questions: &[Question], answers: &mut [Answer]) {
        for (q, a) in questions.iter().zip(answers) {
            *a = self.verdict(q).unwrap_or(Answer::DROP);
        }
    }
}

/// One subject's policy in one direction, of a table that may change.
#[derive(Clone, Copy)]
pub struct LivePolicy<'a> {
    lookup: Lookup<Words<'a>>,
}

impl fmt::Debug for LivePolicy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LivePolicy").finish_non_exhaustive()
    }
}

impl LivePolicy<'_> {
    /// As [`PolicyView::verdict`](crate::PolicyView::verdict).
    #[must_use]
    #[inline]
    pub fn verdict(&self, identity: u32, protocol: u8, port: u16) -> Answer {
        self.lookup.verdict(identity, protocol, port)
    }

    /// As [`PolicyView::ask`](crate::PolicyView::ask).
    #[must_use]
    #[inline]
    pub fn ask(&self, q: &Question) -> Answer {
        self.lookup.ask(q)
    }
}
