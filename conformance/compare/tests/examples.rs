//! Replays `examples/`: each scenario must have the answer beside it.

use netverdict::scenario::Scenario;
use netverdict_compare::{Outcome, differences};
use std::path::Path;

#[test]
fn the_examples_come_out_as_in_cilium() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut examples = 0;
    for entry in std::fs::read_dir(folder).expect("examples/") {
        let example = entry.expect("an entry").path();
        let Ok(question) = std::fs::read_to_string(example.join("scenario.json")) else {
            continue;
        };
        let answer = std::fs::read_to_string(example.join("answer.json")).expect("an answer");
        let scenario = Scenario::parse(&question).expect("a scenario");
        let expected = Outcome::of(&serde_json::from_str(&answer).expect("an answer"));
        let found = Outcome::of(&scenario.answer());
        let wrong: Vec<String> = differences(&expected, &found)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert!(
            wrong.is_empty(),
            "{}:\n{}",
            example.display(),
            wrong.join("\n")
        );
        examples += 1;
    }
    assert!(examples > 0);
}
