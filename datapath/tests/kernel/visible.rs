//! How soon a program that runs sees what is published.
//!
//! In: a table in force, a question, and two writes between which its answer
//! changes. Out: for each of many publications the nanoseconds from before the
//! call to after the first new answer, on the clock that both sides read.

use crate::batch::{Batch, packet};
use netverdict_datapath::TableMap;
use netverdict_table::Write;
use std::time::{Duration, Instant};

/// Publications.
const ROUNDS: usize = 401;
/// Where `struct watched` has its fields.
const ASKED: usize = 0;
const FIRST: usize = 8;
const SEEN: usize = 16;
/// Questions after which a program gives up: a fifth of a second.
const PATIENCE: u64 = 1 << 22;

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

/// Sorted. The table must be as the second of the writes leaves it.
pub(crate) fn times(
    table: &mut TableMap,
    batch: &Batch,
    question: [u8; 16],
    [one, other]: [[Write; 1]; 2],
) -> Result<Vec<u64>, Box<dyn std::error::Error>> {
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
        let writes = if round % 2 == 0 { &one } else { &other };
        batch.load_watch(question, PATIENCE);
        watched.write(0, &[0; 24]);
        let before = std::thread::scope(|scope| {
            let run = scope.spawn(|| program.test_run(&packet, 1));
            let began = Instant::now();
            while word(ASKED) < 1000 && began.elapsed() < Duration::from_secs(1) {
                std::hint::spin_loop();
            }
            let before = now();
            let published = table.publish(writes);
            run.join().map_err(|_| "the program's thread ended")??;
            published?;
            Ok::<u64, Box<dyn std::error::Error>>(before)
        })?;
        match word(SEEN) {
            // Others had the processor until the program gave up.
            0 => {}
            seen => times.push(seen.saturating_sub(before)),
        }
    }
    if times.len() < ROUNDS / 2 {
        let first = word(FIRST) as i64;
        return Err(format!("the answer stayed {first} in most rounds").into());
    }
    times.sort_unstable();
    Ok(times)
}
