//! Replays `testdata/worlds` through the engine.

use netverdict_compare::{WorldCase, case_files, world_differences};
use std::path::Path;

#[test]
fn every_world_is_judged_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/worlds");
    let files = case_files(&folder).expect("testdata/worlds");
    assert!(files.len() >= 25, "only {} worlds", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let text = std::fs::read_to_string(&file).expect("a readable file");
        let case = WorldCase::parse(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(
            case.flows.len(),
            case.expect.flows.len(),
            "{name}: an answer to each flow"
        );
        let found = case.play().unwrap_or_else(|e| panic!("{name}: {e}"));
        for line in world_differences(&case.expect, &found) {
            wrong.push(format!("{name}: {line}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
