//! Texts whose reading by sigs.k8s.io/yaml 1.6.0 is recorded in
//! `testdata/yaml/cases.json`, read again here.

mod yaml_oracle;

use yaml_oracle::{agree, ask, begins_as_json, cases, ours, path};

#[test]
fn recorded_readings() {
    let mut failures = String::new();
    let all = cases();
    for case in &all {
        let ours = ours(&case.text);
        if !agree(&ours, &case.docs) && !begins_as_json(&case.text) {
            failures += &format!(
                "{}: {:?}\n  ours   {}\n  theirs {}\n",
                case.name,
                case.text,
                serde_json::Value::from(ours),
                serde_json::Value::from(case.docs.clone()),
            );
        }
    }
    assert!(failures.is_empty(), "{failures}");
    assert!(all.len() > 800, "the cases are there");
}

/// Checks the record against the Go library, or with `NETVERDICT_YAML_RECORD`
/// set writes it anew.
#[test]
fn record_is_current() {
    let mut all = cases();
    let texts: Vec<String> = all.iter().map(|c| c.text.clone()).collect();
    let Some(answers) = ask(&texts) else {
        eprintln!("SKIPPED: set NETVERDICT_YAML_ORACLE to the yaml-oracle program");
        return;
    };
    if std::env::var_os("NETVERDICT_YAML_RECORD").is_none() {
        for (case, docs) in all.iter().zip(&answers) {
            assert!(
                agree(docs, &case.docs),
                "the record of `{}` is old",
                case.name
            );
        }
        return;
    }
    for (case, docs) in all.iter_mut().zip(answers) {
        case.docs = docs;
    }
    let lines: Vec<String> = all
        .iter()
        .map(|c| serde_json::json!({"name": c.name, "text": c.text, "docs": c.docs}).to_string())
        .collect();
    std::fs::write(path(), format!("[\n{}\n]\n", lines.join(",\n"))).expect("written");
}
