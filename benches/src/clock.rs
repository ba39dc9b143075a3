//! Time, and the middle of many measurements.

use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Processor time of this process so far, user and system.
#[must_use]
pub fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        u64::try_from(now.tv_sec).unwrap_or(0),
        u32::try_from(now.tv_nsec).unwrap_or(0),
    )
}

/// Processor time of this thread so far, user and system.
#[must_use]
pub fn thread() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(now.tv_sec).unwrap_or(0),
        u32::try_from(now.tv_nsec).unwrap_or(0),
    )
}

/// Processor time that a function takes, in nanoseconds. What it returns is
/// dropped after.
pub fn cpu_of<T>(f: impl FnOnce() -> T) -> f64 {
    let start = cpu();
    let made = std::hint::black_box(f());
    let took = cpu() - start;
    drop(made);
    took.as_nanos() as f64
}

/// Sorted measurements.
#[derive(Clone, Debug, Default)]
pub struct Sample(Vec<f64>);

impl Sample {
    /// Sorts measurements.
    #[must_use]
    pub fn new(mut all: Vec<f64>) -> Self {
        all.sort_by(f64::total_cmp);
        Self(all)
    }

    /// The value below which a share of the measurements is; 0 without any.
    #[must_use]
    pub fn quantile(&self, share: f64) -> f64 {
        let last = self.0.len().saturating_sub(1);
        let i = (last as f64 * share).round() as usize;
        self.0.get(i).copied().unwrap_or(0.0)
    }

    /// The one in the middle.
    #[must_use]
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }
}

/// Something to measure, by name: each call measures once.
pub type Measured<'a> = (String, Box<dyn FnMut() -> f64 + 'a>);

/// Measures several things in turn, `rounds` times, so that what else the
/// machine does meets all alike.
pub fn interleaved(rounds: usize, things: &mut [Measured<'_>]) -> Vec<(String, Sample)> {
    let mut found: Vec<Vec<f64>> = vec![Vec::new(); things.len()];
    for _ in 0..rounds {
        for ((_, measure), found) in things.iter_mut().zip(&mut found) {
            found.push(measure());
        }
    }
    let names = things.iter().map(|(name, _)| name.clone());
    names.zip(found.into_iter().map(Sample::new)).collect()
}
