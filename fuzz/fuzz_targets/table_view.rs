//! Damaged verdict tables.
//!
//! The first byte chooses a table: one written by hand, or one that was
//! compiled from a scenario. Every six further bytes are a change of it: to
//! the header, to a descriptor, to a word that leads somewhere, or to any byte;
//! values are small, at the edges, or what another word holds. The content hash
//! is made to fit. Checked: the table is refused with an error that can be
//! told, or it answers everything, tells origins, sets and lists, and can be
//! walked from end to end, without a load outside of its bytes.
#![no_main]

#[path = "../../table/tests/image/mod.rs"]
mod image;

use std::sync::Mutex;

use image::{exercise, questions, rehash, sound};
use libfuzzer_sys::fuzz_target;
use netverdict::scenario::{Prepared, Scenario};
use netverdict_reference::generate::{Profile, generate, wide};
use netverdict_table::layout::{DESCRIPTOR_LEN, HEADER_LEN};
use netverdict_table::{Direction, Question, View};

/// A table that is sound.
struct Seed {
    image: Vec<u8>,
    /// Where its descriptors are.
    descriptors: Vec<usize>,
    questions: Vec<Question>,
    /// What it was compiled from; `None` for one written by hand.
    prepared: Option<Prepared<'static>>,
}

impl Seed {
    fn new(image: Vec<u8>, prepared: Option<Prepared<'static>>) -> Self {
        let view = View::new(&image).expect("a sound table");
        let words = view.header().subjects;
        let from = words.at as usize;
        let words = image[from..from + words.count as usize * 8].chunks_exact(4);
        let mut descriptors: Vec<usize> = words
            .map(|w| u32::from_le_bytes([w[0], w[1], w[2], w[3]]) as usize)
            .filter(|at| *at != 0)
            .collect();
        descriptors.sort_unstable();
        descriptors.dedup();
        let known = view.identities().enumerate().filter(|(i, _)| i % 7 == 0);
        let mut questions = questions();
        for (_, identity) in known {
            for direction in Direction::BOTH {
                questions.push(Question::new(0, direction, identity, 6, 80));
            }
        }
        Self {
            image,
            descriptors,
            questions,
            prepared,
        }
    }

    fn compiled(scenario: Scenario) -> Option<Self> {
        let scenario: &'static Scenario = Box::leak(Box::new(scenario));
        KEPT.lock().expect("one thread").push(scenario);
        let prepared = scenario.prepare();
        let image = prepared.compile().ok()?;
        Some(Self::new(image, Some(prepared)))
    }

    /// Makes one change.
    fn change(&self, image: &mut [u8], change: [u8; 6]) {
        let [kind, place, place_high, how, value, value_high] = change;
        let place = usize::from(u16::from_le_bytes([place, place_high]));
        let raw = u16::from_le_bytes([value, value_high]);
        let words = image.len() / 4;
        let at = match kind % 5 {
            0 => 8 + place % (HEADER_LEN - 8) / 4 * 4,
            1 | 2 if !self.descriptors.is_empty() => {
                let n = place / 16 % self.descriptors.len();
                self.descriptors[n] + place % (DESCRIPTOR_LEN / 4) * 4
            }
            // Small parts stand anywhere: scaled, and from either end.
            3 => words * place / 65_536 * 4,
            4 => (image.len() - 4).saturating_sub(place) / 4 * 4,
            _ => (HEADER_LEN + place).min(image.len() - 4) / 4 * 4,
        };
        let Some(old) = image.get(at..).and_then(|b| b.first_chunk::<4>().copied()) else {
            return;
        };
        let number = u32::from_le_bytes(old);
        let other = |n: u16| {
            let at = self
                .descriptors
                .get(usize::from(n) / 16 % self.descriptors.len().max(1));
            let at = at.map_or(HEADER_LEN, |at| at + usize::from(n % 16) * 4);
            image
                .get(at..)
                .and_then(|b| b.first_chunk().copied())
                .map_or(0, u32::from_le_bytes)
        };
        let new = match how % 8 {
            0 => u32::from(raw),
            1 => number ^ 1 << (raw % 32),
            2 => number.wrapping_add(u32::from(raw) * 64),
            3 => number.wrapping_sub(u32::from(raw) * 64),
            4 => [0, 1, 255, 256, 65_535, 65_536, 1 << 31, u32::MAX][usize::from(raw % 8)],
            5 => other(raw),
            6 => u32::from(raw) * 64,
            _ => u32::from_le_bytes([old[0], old[1], value, value_high]),
        };
        image[at..at + 4].copy_from_slice(&new.to_le_bytes());
    }
}

fn seeds() -> Vec<Seed> {
    let scenarios = (0..12).map(|seed| {
        let profile = if seed % 3 == 0 {
            Profile::Simple
        } else {
            Profile::Full
        };
        generate(seed, profile)
    });
    let compiled = scenarios.chain([wide(260)]).filter_map(Seed::compiled);
    std::iter::once(Seed::new(sound().finish(), None))
        .chain(compiled)
        .collect()
}

/// Scenarios live as long as the process: one that nothing reaches any more
/// would be a leak to the sanitizer.
static KEPT: Mutex<Vec<&'static Scenario>> = Mutex::new(Vec::new());

thread_local! {
    static SEEDS: Vec<Seed> = seeds();
}

fuzz_target!(|data: &[u8]| {
    let Some((first, changes)) = data.split_first() else {
        return;
    };
    SEEDS.with(|seeds| {
        let seed = &seeds[usize::from(*first) % seeds.len()];
        let mut image = seed.image.clone();
        for change in changes.as_chunks::<6>().0.iter().take(64) {
            seed.change(&mut image, *change);
        }
        rehash(&mut image);
        let untouched = image == seed.image;
        match View::new(&image) {
            Ok(view) => {
                exercise(&view, &seed.questions);
                if let Some(prepared) = &seed.prepared {
                    let verified = prepared.verify(&image);
                    assert!(!untouched || verified.is_ok(), "{verified:?}");
                    if let Err(fault) = verified {
                        assert!(!fault.to_string().is_empty());
                    }
                }
            }
            Err(error) => assert!(!untouched && !error.to_string().is_empty(), "{error}"),
        }
    });
});
