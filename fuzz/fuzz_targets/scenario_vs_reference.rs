//! Scenarios the fuzzer chooses, answered by the engine and by the naive
//! evaluator.
//!
//! The first byte chooses the profile and whether rules or whole scenarios are
//! made; every further byte is a choice of the generator. Checked: both agree
//! on every query; so does the datapath's lookup over the bytes of the policy
//! maps; explanations have the verdict of the lookup; and scenario and answer
//! survive their JSON forms.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netverdict::explain::JsonExplanation;
use netverdict::scenario::{Answer, Scenario};
use netverdict_reference::generate::{Profile, generate_by, rule_case_by};
use netverdict_reference::judge::{byte_disagreements, disagreements, rule_disagreement};

const PROFILES: [Profile; 3] = [Profile::Simple, Profile::Full, Profile::Stable];

fuzz_target!(|data: &[u8]| {
    let Some((first, choices)) = data.split_first() else {
        return;
    };
    let profile = PROFILES[usize::from(first >> 1) % PROFILES.len()];
    if first & 1 == 0 {
        scenario(&generate_by(choices, profile), profile != Profile::Full);
    } else {
        let case = rule_case_by(choices, profile);
        let how = rule_disagreement(&case, &case.rules, profile);
        assert!(how.is_none(), "{profile:?}\n{}", how.unwrap_or_default());
    }
});

fn scenario(scenario: &Scenario, exact: bool) {
    let json = serde_json::to_string(scenario).expect("a scenario has a JSON form");
    assert_eq!(Scenario::parse(&json).as_ref(), Ok(scenario));

    let prepared = scenario.prepare();
    let answer = prepared.answer();
    let text = serde_json::to_string(&answer).expect("an answer has a JSON form");
    let back: Answer = serde_json::from_str(&text).expect("its JSON form can be read");
    assert_eq!(back, answer);

    let mut wrong = disagreements(scenario, &answer, exact);
    wrong.extend(byte_disagreements(scenario, &answer));
    for (query, given) in scenario.queries.iter().zip(&answer.queries) {
        let Some(explained) = prepared.explain(query) else {
            if given.verdict != "error" {
                wrong.push(format!("{query:?}: {given:?} without an explanation"));
            }
            continue;
        };
        let word = match explained.verdict.as_str() {
            "default-deny" | "deny" => "denied",
            "allow" => "allowed",
            "auth-required" => "auth",
            other => other,
        };
        if (word, explained.proxy_port) != (&*given.verdict, given.proxy_port) {
            wrong.push(format!(
                "{query:?}: {given:?}, explained as {:?}",
                explained.verdict
            ));
        }
        let form = JsonExplanation::new(&explained, prepared.sources());
        serde_json::to_string(&form).expect("an explanation has a JSON form");
    }
    assert!(
        wrong.is_empty(),
        "{:?}\n{}\n{}",
        scenario.config,
        scenario.policies.join("---\n"),
        wrong.join("\n")
    );
}
