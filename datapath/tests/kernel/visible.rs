//! How soon a program that runs sees what is published.
//!
//! In: a table in force, a question, and two publications between which its
//! answer changes. Out: for many publications in turn, on the clock that both
//! sides read, when it was called, when it returned, when the last question
//! began that still got the old answer, and when the first new one was there.

use crate::batch::{Batch, packet};
use netverdict_datapath::TableMap;
use std::time::{Duration, Instant};

/// Publications.
const ROUNDS: usize = 401;
/// Where `struct watched` has its fields.
const ASKED: usize = 0;
const FIRST: usize = 8;
const STALE: usize = 16;
const SEEN: usize = 24;
/// Questions after which a program gives up: a fifth of a second.
const PATIENCE: u64 = 1 << 22;

/// One publication: nanoseconds since it was called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Publication {
    /// The call returned, and the clock was read.
    pub(crate) returned: i64,
    /// A question began that still got the old answer: the last.
    pub(crate) stale: i64,
    /// The first new answer was there, and the clock was read.
    pub(crate) seen: i64,
}

/// The monotonic clock, which BPF programs read, too.
fn now() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the clock exists, and the time is written to where we say.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// What two readings of the clock, one after the other, are apart: the median.
pub(crate) fn clock() -> u64 {
    let mut apart: Vec<u64> = (0..ROUNDS)
        .map(|_| {
            let before = now();
            now() - before
        })
        .collect();
    apart.sort_unstable();
    apart[ROUNDS / 2]
}

/// Publishes by turns what the number of the round says. The answer in force
/// at first must be that of odd rounds.
pub(crate) fn times(
    table: &mut TableMap,
    batch: &Batch,
    question: [u8; 16],
    mut publish: impl FnMut(&mut TableMap, usize) -> Result<(), netverdict_datapath::Error>,
) -> Result<Vec<Publication>, Box<dyn std::error::Error>> {
    let watched = batch.map("watched")?.memory()?;
    let word = |at| {
        let mut bytes = [0; 8];
        watched.read(at, &mut bytes);
        u64::from_ne_bytes(bytes)
    };
    let program = batch.program("table_watch")?;
    let packet = packet();
    let mut times = Vec::with_capacity(ROUNDS);
    for round in 0..ROUNDS {
        batch.load_watch(question, PATIENCE);
        watched.write(0, &[0; 32]);
        let (before, after) = std::thread::scope(|scope| {
            let run = scope.spawn(|| program.test_run(&packet, 1));
            let began = Instant::now();
            while word(ASKED) < 1000 && began.elapsed() < Duration::from_secs(1) {
                std::hint::spin_loop();
            }
            let before = now();
            let published = publish(table, round);
            let after = now();
            run.join().map_err(|_| "the program's thread ended")??;
            published?;
            Ok::<_, Box<dyn std::error::Error>>((before, after))
        })?;
        // A whole image may be replaced once nobody reads the one before.
        table.wait_for_readers()?;
        let since = |time: u64| time.wrapping_sub(before) as i64;
        match word(SEEN) {
            // Others had the processor until the program gave up.
            0 => {}
            seen => times.push(Publication {
                returned: since(after),
                stale: since(word(STALE)),
                seen: since(seen),
            }),
        }
    }
    if times.len() < ROUNDS / 2 {
        let first = word(FIRST) as i64;
        return Err(format!("the answer stayed {first} in most rounds").into());
    }
    Ok(times)
}
