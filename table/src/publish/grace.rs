//! Grace periods: when nobody can hold what was replaced any more.
//!
//! In: values put in each other's place by one writer. Out: the current value
//! for readers, by one load; old values freed when every reader has passed a
//! quiescent state since.
//!
//! The argument: a reader that says at epoch `e` that it holds nothing loads the
//! current value anew after that. The writer replaces a value, then raises the
//! epoch to `e`. A reader whose last word is `e` or more has loaded the epoch
//! that the writer stored after replacing (release and acquire), so it will
//! find the new value, and what it read before happened before its word.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use sync::{AtomicPtr, AtomicU64, Mutex, Ordering, PoisonError};

/// Atomics, or the ones that a model checker watches.
pub(super) mod sync {
    extern crate std;
    #[cfg(loom)]
    pub(crate) use loom::sync::Mutex;
    #[cfg(loom)]
    pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
    #[cfg(not(loom))]
    pub(crate) use std::sync::Mutex;
    pub(crate) use std::sync::PoisonError;
    #[cfg(not(loom))]
    pub(crate) use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
}

/// A value with its old versions and its readers.
pub(super) struct Grace<T> {
    current: AtomicPtr<T>,
    epoch: AtomicU64,
    /// Locked by the writer, and by readers only when they come and go.
    books: Mutex<Books<T>>,
}

struct Books<T> {
    readers: Vec<Arc<AtomicU64>>,
    /// Old values with the epoch that every reader has to reach.
    waiting: Vec<(u64, Box<T>)>,
    /// The epoch at which the last grace period began.
    period: u64,
}

impl<T> Grace<T> {
    pub(super) fn new(value: T) -> Self {
        Self {
            current: AtomicPtr::new(Box::into_raw(Box::new(value))),
            epoch: AtomicU64::new(1),
            books: Mutex::new(Books {
                readers: Vec::new(),
                waiting: Vec::new(),
                period: 1,
            }),
        }
    }

    fn books<R>(&self, f: impl FnOnce(&mut Books<T>) -> R) -> R {
        let books = self.books.lock();
        f(&mut books.unwrap_or_else(PoisonError::into_inner))
    }

    /// A reader comes.
    pub(super) fn enter(this: &Arc<Self>) -> Pass<T> {
        let seen = this.books(|books| {
            let seen = Arc::new(AtomicU64::new(this.epoch.load(Ordering::Acquire)));
            books.readers.push(Arc::clone(&seen));
            seen
        });
        Pass {
            grace: Arc::clone(this),
            seen,
        }
    }

    /// Puts a value in place of the current one. Only the writer calls this.
    pub(super) fn replace(&self, value: T) {
        let new = Box::into_raw(Box::new(value));
        let old = self.current.swap(new, Ordering::AcqRel);
        // SAFETY: every value of `current` comes from `Box::into_raw`, and the
        // swap gave this one to nobody else. Readers may still read it, so it
        // is kept until `reclaim` finds that none can.
        let old = unsafe { Box::from_raw(old) };
        let epoch = self.epoch.fetch_add(1, Ordering::AcqRel) + 1;
        self.books(|books| books.waiting.push((epoch, old)));
    }

    /// Frees what nobody can hold; returns how many values still wait.
    pub(super) fn reclaim(&self) -> usize {
        self.books(|books| {
            let reached = books.reached();
            books.waiting.retain(|(epoch, _)| *epoch > reached);
            books.waiting.len()
        })
    }

    pub(super) fn begin(&self) {
        let epoch = self.epoch.fetch_add(1, Ordering::AcqRel) + 1;
        self.books(|books| books.period = epoch);
    }

    pub(super) fn is_over(&self) -> bool {
        self.books(|books| books.reached() >= books.period)
    }

    /// The writer's look at the current value.
    pub(super) fn with_current<R>(&self, f: impl FnOnce(&T) -> R) -> R {
        let current = self.current.load(Ordering::Acquire);
        // SAFETY: the value is freed only after it was replaced, which only
        // the writer does, and it is busy here: `Live` calls this and
        // `replace` through `&mut self`.
        f(unsafe { &*current })
    }
}

impl<T> Books<T> {
    /// The epoch that every reader has reached.
    fn reached(&self) -> u64 {
        let seen = self.readers.iter().map(|r| r.load(Ordering::Acquire));
        seen.min().unwrap_or(u64::MAX)
    }
}

impl<T> Drop for Grace<T> {
    fn drop(&mut self) {
        let current = self.current.load(Ordering::Acquire);
        // SAFETY: `&mut self` is the last use: no pass is left, each of which
        // holds an `Arc` of this.
        drop(unsafe { Box::from_raw(current) });
    }
}

// SAFETY: the raw pointer stands for a `Box<T>` that readers share and the
// writer frees, from whatever thread: `T` has to be both `Send` and `Sync`.
unsafe impl<T: Send + Sync> Send for Grace<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Grace<T> {}

/// A reader's right to the current value.
pub(super) struct Pass<T> {
    grace: Arc<Grace<T>>,
    seen: Arc<AtomicU64>,
}

impl<T> Pass<T> {
    /// The current value.
    #[inline(always)]
    pub(super) fn current(&self) -> &T {
        let current = self.grace.current.load(Ordering::Acquire);
        // SAFETY: a value is freed only when every reader has said, after it
        // was replaced, that it holds nothing. This reader says so in `renew`,
        // which takes `&mut self` and so ends every borrow given out here.
        unsafe { &*current }
    }

    /// Says that nothing is held.
    pub(super) fn renew(&mut self) {
        let epoch = self.grace.epoch.load(Ordering::Acquire);
        self.seen.store(epoch, Ordering::Release);
    }
}

impl<T> Drop for Pass<T> {
    fn drop(&mut self) {
        self.grace
            .books(|books| books.readers.retain(|r| !Arc::ptr_eq(r, &self.seen)));
    }
}
