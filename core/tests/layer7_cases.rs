//! The questions of testdata/layer7, which Cilium's own code has answered.

use netverdict::scenario::Layer7Kind;
use serde_json::Value;
use std::path::Path;

#[test]
fn questions_have_the_answers_of_cilium() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/layer7");
    for (kind, least) in [("dns", 40), ("http", 40), ("sni", 30), ("fqdn", 11)] {
        let text = std::fs::read_to_string(folder.join(format!("{kind}.jsonl"))).unwrap();
        let mut asked = 0;
        for line in text.lines() {
            let expected: Value = serde_json::from_str(line).unwrap();
            let found = Layer7Kind::parse(kind).unwrap().answer(line).unwrap();
            let found: Value = serde_json::from_str(&found).unwrap();
            assert_eq!(found, expected, "{kind}: {}", expected["id"]);
            asked += 1;
        }
        assert!(asked >= least, "{kind}: {asked} questions");
    }
}
