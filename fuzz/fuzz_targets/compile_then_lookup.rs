//! Scenarios the fuzzer chooses, compiled into verdict tables.
//!
//! The first byte chooses the profile, how thoroughly lookups are compared, and
//! seldom a scenario that needs 16 bits for everything; every further byte is a
//! choice of the generator. Checked: the table is proven equal to the policy
//! maps; lookups answer, in every field, as the maps do; so do the scenario's
//! own queries by the naive evaluator; and the same input gives the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netverdict::compile::CompileError;
use netverdict::scenario::Answer;
use netverdict_reference::generate::{Profile, generate_by, wide};
use netverdict_reference::judge::{disagreements, table_disagreement};
use netverdict_table::View;

const PROFILES: [Profile; 3] = [Profile::Simple, Profile::Full, Profile::Stable];

/// Lookups are compared at every so many-th question: without a factor in
/// common with how questions are made.
const STEPS: [usize; 4] = [211, 503, 1009, 2003];

fuzz_target!(|data: &[u8]| {
    let Some((first, choices)) = data.split_first() else {
        return;
    };
    let profile = PROFILES[usize::from(*first) % PROFILES.len()];
    let step = STEPS[usize::from(first >> 2) % STEPS.len()];
    let scenario = match (first >> 4, choices) {
        (15, [count, ..]) => wide(200 + u16::from(*count)),
        _ => generate_by(choices, profile),
    };
    let prepared = scenario.prepare();
    let image = match prepared.compile() {
        Ok(image) => image,
        // A generated identity may be one that no allocator gives.
        Err((_, CompileError::UndefinedScope { .. })) => return,
        Err((subject, error)) => panic!("subject {subject}: {error}"),
    };
    let mut wrong = Vec::new();
    if let Err(fault) = prepared.verify(&image) {
        wrong.push(fault.to_string());
    }
    wrong.extend(table_disagreement(&prepared, &image, step).err());
    match View::new(&image) {
        Ok(view) => {
            let answer = Answer {
                queries: prepared.answer_by(&view),
                ..prepared.answer()
            };
            wrong.extend(disagreements(&scenario, &answer, profile != Profile::Full));
        }
        Err(error) => wrong.push(error.to_string()),
    }
    if scenario.prepare().compile().as_ref() != Ok(&image) {
        wrong.push("the same input gives other bytes".into());
    }
    assert!(
        wrong.is_empty(),
        "{:?}\n{}\n{}",
        scenario.config,
        scenario.policies.join("---\n"),
        wrong.join("\n")
    );
});
