//! The engine, and Cilium's own where it is at hand, on generated scenarios.
//!
//! `NETVERDICT_CASES` says how many scenarios to try (200), `NETVERDICT_SEED`
//! where to begin (0). The test that asks Cilium's engine is ignored unless
//! asked for, as `cargo xtask ci` does: it wants the path of `cilium-oracle` in
//! `NETVERDICT_ORACLE`. A failing scenario is cut down to the policies it needs.

use netverdict::scenario::{Answer, Scenario};
use netverdict_reference::generate::{Profile, generate};
use netverdict_reference::judge::disagreements;
use std::io::Write;
use std::process::{Command, Stdio};

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// Leaves out every policy without which the disagreement stays.
fn shrink(scenario: &Scenario, fails: &dyn Fn(&Scenario) -> bool) -> Scenario {
    let mut small = scenario.clone();
    let mut n = 0;
    while n < small.policies.len() {
        let mut fewer = small.clone();
        fewer.policies.remove(n);
        if fails(&fewer) {
            small = fewer;
        } else {
            n += 1;
        }
    }
    small
}

fn engine_agrees(profile: Profile) {
    let exact = profile != Profile::Full;
    let judged = |s: &Scenario| disagreements(s, &s.answer(), exact);
    let first = number("NETVERDICT_SEED", 0);
    for seed in first..first + number("NETVERDICT_CASES", 200) {
        let scenario = generate(seed, profile);
        if judged(&scenario).is_empty() {
            continue;
        }
        let small = shrink(&scenario, &|s| !judged(s).is_empty());
        panic!(
            "{}\n{:?}\n{}\n{}",
            small.name,
            small.config,
            small.policies.join("---\n"),
            judged(&small).join("\n"),
        );
    }
}

#[test]
fn the_engine_agrees_on_simple_scenarios() {
    engine_agrees(Profile::Simple);
}

#[test]
fn the_engine_agrees_on_stable_scenarios() {
    engine_agrees(Profile::Stable);
}

#[test]
fn the_engine_agrees_on_what_gets_through() {
    engine_agrees(Profile::Full);
}

/// Beside `all` the other entities of a rule do not count, so that another
/// rule for one of them is no conflict. Cilium 1.20.2 answers the same.
#[test]
fn other_selectors_do_not_count_beside_the_wildcard() {
    let policy = |name: &str, entities: &str, rules: &str| {
        format!(
            r#"{{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy,
            metadata: {{name: {name}, namespace: default}},
            spec: {{endpointSelector: {{}}, egress: [{{toEntities: {entities},
            toPorts: [{{ports: [{{port: "80", protocol: TCP}}], rules: {rules}}}]}}]}}}}"#
        )
    };
    let scenario = |first: &str| {
        let policies = serde_json::json!([
            policy("one", first, "{http: [{method: GET}]}"),
            policy("two", "[host]", "{dns: [{matchName: a.b}]}"),
        ]);
        let text = serde_json::json!({
            "policies": policies,
            "identities": [{"id": 20001, "labels": {"k8s:io.kubernetes.pod.namespace": "default"}}],
            "endpoints": [{"id": 20001}],
            "queries": [
                {"direction": "egress", "endpoint": 20001, "peer": 1, "proto": "TCP", "port": 80},
            ],
        });
        Scenario::parse(&text.to_string()).unwrap()
    };
    for (entities, verdict, parser) in [
        ("[host, all]", "redirect", "http"),
        ("[all]", "redirect", "http"),
        ("[host]", "error", ""),
    ] {
        let scenario = scenario(entities);
        let answer = scenario.answer();
        let query = &answer.queries[0];
        assert_eq!(
            (query.verdict.as_str(), query.parser.as_str()),
            (verdict, parser)
        );
        assert_eq!(disagreements(&scenario, &answer, true), [""; 0]);
    }
}

fn oracle(path: &str, scenarios: &[Scenario]) -> Vec<Answer> {
    let mut oracle = Command::new(path)
        .args(["--lines", "-repeat", "4"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = oracle.stdin.take().unwrap();
    let lines: String = scenarios
        .iter()
        .map(|s| serde_json::to_string(s).unwrap() + "\n")
        .collect();
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = oracle.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
#[ignore = "asks Cilium's engine, whose path is in NETVERDICT_ORACLE: `cargo xtask ci` builds it and runs this"]
fn cilium_agrees_with_the_naive_evaluator() {
    let path = std::env::var("NETVERDICT_ORACLE").unwrap();
    let first = number("NETVERDICT_SEED", 0);
    let mut failed = Vec::new();
    for profile in [Profile::Simple, Profile::Stable, Profile::Full] {
        let scenarios: Vec<Scenario> = (first..first + number("NETVERDICT_CASES", 200))
            .map(|seed| generate(seed, profile))
            .collect();
        let answers = oracle(&path, &scenarios);
        assert_eq!(answers.len(), scenarios.len());
        for (scenario, answer) in scenarios.iter().zip(&answers) {
            let chance = answer
                .unstable
                .iter()
                .any(|path| path.starts_with("queries"));
            let found = disagreements(scenario, answer, profile != Profile::Full);
            if !chance && !found.is_empty() {
                failed.push(format!("{}\n  {}", scenario.name, found.join("\n  ")));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
