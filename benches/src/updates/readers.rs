//! A thread that looks verdicts up while a table changes.
//!
//! In: a live table. Out: how many lookups there were.

use netverdict_table::{Direction, Live, Question};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The thread.
pub(super) struct Readers {
    asked: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// Lookups from one quiescent state to the next.
const BATCH: u64 = 1024;

impl Readers {
    pub(super) fn start(live: &Live, subjects: usize) -> Self {
        let (asked, stop) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let mut reader = live.reader();
        let (count, end) = (Arc::clone(&asked), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let mut random = crate::random::Random(1);
            let mut allowed = 0u64;
            while !end.load(Ordering::Relaxed) {
                for _ in 0..BATCH {
                    let bits = random.bits();
                    let subject = (((bits & 0xffff_ffff) * subjects as u64) >> 32) as u32;
                    let identity = 256 + (bits >> 32) as u32 % 10_000;
                    let q = Question::new(subject, Direction::Ingress, identity, 6, 80);
                    allowed += u64::from(reader.verdict(&q).is_some_and(|a| a.is_allowed()));
                }
                reader.renew();
                count.fetch_add(BATCH, Ordering::Relaxed);
            }
            std::hint::black_box(allowed);
        });
        Self {
            asked,
            stop,
            thread,
        }
    }

    pub(super) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// Lookups per second while nothing changes.
    pub(super) fn rate(&self) -> f64 {
        let (before, start) = (self.asked(), Instant::now());
        std::thread::sleep(Duration::from_secs(1));
        (self.asked() - before) as f64 / start.elapsed().as_secs_f64()
    }

    pub(super) fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        assert!(self.thread.join().is_ok(), "the reader panicked");
    }
}
