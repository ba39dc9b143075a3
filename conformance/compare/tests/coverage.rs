//! Every rule of `testdata/rules.json` has a case, and every case a rule.

use netverdict_compare::case_files;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::Path;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    about: String,
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    rule: String,
    source: String,
    cases: Vec<String>,
    #[serde(default)]
    tests: Vec<String>,
}

#[test]
fn every_rule_has_a_case_and_every_case_a_rule() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = std::fs::read_to_string(root.join("testdata/rules.json")).expect("rules.json");
    let rules: Rules = serde_json::from_str(&text).expect("the list of rules");
    let mut cases = BTreeSet::new();
    for folder in ["testdata/cases", "testdata/worlds"] {
        let folder = root.join(folder);
        // `schema/cidr`, `worlds/host-policy`
        let above = match folder.ends_with("cases") {
            true => folder.clone(),
            false => root.join("testdata"),
        };
        for file in case_files(&folder).expect("a folder of cases") {
            let name = file.strip_prefix(&above).expect("below the folder");
            let name = name.with_extension("").to_string_lossy().replace('\\', "/");
            cases.insert(name);
        }
    }
    let mut wrong = Vec::new();
    let mut names = BTreeSet::new();
    let mut without = cases.clone();
    for (about, rule) in rules
        .groups
        .iter()
        .flat_map(|g| g.rules.iter().map(move |r| (&g.about, r)))
    {
        let name = format!("{about}: {}", rule.rule);
        if rule.cases.is_empty() && rule.tests.is_empty() {
            wrong.push(format!("{name}: no case"));
        }
        if rule.source.is_empty() || !names.insert(rule.rule.clone()) {
            wrong.push(format!("{name}: without source, or twice"));
        }
        for case in &rule.cases {
            without.remove(case);
            if !cases.contains(case) {
                wrong.push(format!("{name}: there is no case `{case}`"));
            }
        }
        for test in &rule.tests {
            if !root.join(test).is_file() {
                wrong.push(format!("{name}: there is no `{test}`"));
            }
        }
    }
    for case in without {
        wrong.push(format!(
            "`{case}` belongs to no rule of testdata/rules.json"
        ));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(names.len() >= 140, "only {} rules", names.len());
}
