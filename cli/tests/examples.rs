//! Asks the program what `expect.yaml` of every example says it answers.
//!
//! `cases` are questions about flows: the verdict, and for each side the
//! verdict, the match type and the lines of the deciding rules, or of those
//! that switched default deny on; with `http`, `dns` or `sni` also what becomes
//! of what is sent (`layer7`). `findings` are what `check` says of a file:
//! every one of them, and no other.

use netverdict::source::SourceId;
use netverdict::yaml::{self, Node};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The examples, each with what is expected of it.
fn examples() -> Vec<(PathBuf, Node)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut found: Vec<(PathBuf, Node)> = fs::read_dir(&root)
        .expect("the examples")
        .map(|entry| entry.expect("an entry").path())
        .filter(|folder| folder.join("expect.yaml").is_file())
        .map(|folder| {
            let text = fs::read_to_string(folder.join("expect.yaml")).expect("UTF-8");
            let mut documents = yaml::read(SourceId(0), &text, &yaml::Limits::default());
            let node = documents.remove(0).result.expect("YAML");
            (folder, node)
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

fn list<'n>(node: &'n Node, key: &str) -> &'n [Node] {
    node.get(key).map(Node::items).unwrap_or_default()
}

fn text<'n>(node: &'n Node, key: &str) -> &'n str {
    let value = node.get(key).and_then(Node::as_str);
    value.unwrap_or_else(|| panic!("no text `{key}` in {node:?}"))
}

fn strings(nodes: &[Node]) -> Vec<&str> {
    let mut all: Vec<&str> = nodes.iter().filter_map(Node::as_str).collect();
    assert_eq!(all.len(), nodes.len(), "all are texts");
    all.sort_unstable();
    all
}

/// Runs the program in a folder and reads the JSON it prints.
fn ask(folder: &Path, arguments: &[&str]) -> (Value, i32) {
    let output = Command::new(env!("CARGO_BIN_EXE_netverdict"))
        .args(arguments)
        .args(["-o", "json"])
        .current_dir(folder)
        .output()
        .expect("the program runs");
    let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| {
        let complaint = String::from_utf8_lossy(&output.stderr);
        panic!("{}: {arguments:?}: {e}\n{complaint}", folder.display())
    });
    (json, output.status.code().expect("it ends by itself"))
}

/// `file:line` of the rules that decide a side.
fn deciding_lines(side: &Value) -> Vec<String> {
    let rules = match side["verdict"].as_str() {
        Some("default-deny") => &side["defaultDenyBy"],
        _ => &side["rules"],
    };
    let mut lines: Vec<String> = rules
        .as_array()
        .into_iter()
        .flatten()
        // What Cilium adds itself is written nowhere.
        .filter_map(|rule| rule["at"].as_str())
        .map(|at| at.rsplit_once(':').map_or(at, |(line, _)| line).to_owned())
        .collect();
    lines.sort_unstable();
    lines
}

fn check_case(folder: &Path, case: &Node) -> usize {
    let files = list(case, "files").iter().filter_map(Node::as_str);
    let mut world: Vec<String> = files.flat_map(|f| ["-f".into(), f.into()]).collect();
    for entry in case.get("resolve").map(Node::entries).unwrap_or_default() {
        let addresses = strings(entry.node.items()).join(",");
        world.extend(["--resolve".into(), format!("{}={addresses}", entry.key)]);
    }
    let questions = list(case, "questions");
    assert!(!questions.is_empty(), "{}: no questions", folder.display());
    for question in questions {
        let mut arguments = vec!["verdict", "--from", text(question, "from")];
        arguments.extend(["--to", text(question, "to")]);
        arguments.extend(match question.get("icmp") {
            Some(_) => ["--icmp", text(question, "icmp")],
            None => ["--port", text(question, "port")],
        });
        for (key, flag) in [("http", "--http"), ("dns", "--dns"), ("sni", "--sni")] {
            if question.get(key).is_some() {
                arguments.extend([flag, text(question, key)]);
            }
        }
        arguments.extend(world.iter().map(String::as_str));
        let (answer, exit) = ask(folder, &arguments);
        let shown = format!("{}: netverdict {}", folder.display(), arguments.join(" "));
        let verdict = text(question, "verdict");
        assert_eq!(answer["verdict"], verdict, "{shown}");
        let mut passes = matches!(verdict, "allow" | "redirect");
        if question.get("layer7").is_some() {
            let outcome = text(question, "layer7");
            assert_eq!(answer["layer7"]["outcome"], outcome, "{shown}");
            passes &= outcome == "forwarded";
        }
        assert_eq!(exit, if passes { 0 } else { 2 }, "{shown}");
        for direction in ["egress", "ingress"] {
            let side = &answer[direction];
            let Some(expected) = question.get(direction) else {
                assert!(side.is_null(), "{shown}: {direction} has a policy");
                continue;
            };
            let shown = format!("{shown}: {direction}");
            assert_eq!(side["verdict"], text(expected, "verdict"), "{shown}");
            assert_eq!(side["matchType"], text(expected, "match"), "{shown}");
            let lines = deciding_lines(side);
            assert_eq!(lines, strings(list(expected, "rules")), "{shown}");
        }
    }
    questions.len()
}

#[test]
fn flows_of_the_examples() {
    let mut asked = 0;
    for (folder, expected) in examples() {
        for case in list(&expected, "cases") {
            asked += check_case(&folder, case);
        }
    }
    assert!(asked > 50, "only {asked} questions");
}

#[test]
fn findings_of_the_examples() {
    let mut seen = 0;
    for (folder, expected) in examples() {
        for finding in list(&expected, "findings") {
            let file = text(finding, "file");
            let (report, exit) = ask(&folder, &["check", file]);
            let found = report["diagnostics"].as_array().expect("a list");
            let [found] = found.as_slice() else {
                panic!("{file}: not one finding: {found:#?}");
            };
            let at = format!("{}:{}", found["line"], found["column"]);
            assert_eq!(at, text(finding, "at"), "{file}");
            assert_eq!(found["code"], text(finding, "code"), "{file}");
            let severity = text(finding, "severity");
            assert_eq!(found["severity"], severity, "{file}");
            assert_eq!(exit, if severity == "error" { 3 } else { 0 }, "{file}");
            let help = found["help"].as_str().unwrap_or_default();
            let says = text(finding, "says");
            assert!(help.contains(says), "{file}: `{help}` lacks `{says}`");
            seen += 1;
        }
    }
    assert!(seen > 10, "only {seen} findings");
}

/// Every policy of an example is one that Cilium takes, unless it is there to
/// be refused.
#[test]
fn examples_without_findings_have_none() {
    for (folder, expected) in examples() {
        if !list(&expected, "findings").is_empty() {
            continue;
        }
        for case in list(&expected, "cases") {
            let mut arguments = vec!["check", "--strict"];
            arguments.extend(list(case, "files").iter().filter_map(Node::as_str));
            let (report, exit) = ask(&folder, &arguments);
            assert_eq!(exit, 0, "{}: {report:#}", folder.display());
        }
    }
}

/// A mistake without an expectation would go unnoticed.
#[test]
fn every_file_of_the_mistakes_is_expected() {
    for (folder, expected) in examples() {
        let findings = list(&expected, "findings");
        if findings.is_empty() {
            continue;
        }
        let named: Vec<&str> = findings.iter().map(|f| text(f, "file")).collect();
        for entry in fs::read_dir(&folder).expect("the folder") {
            let name = entry.expect("an entry").file_name();
            let name = name.to_str().expect("UTF-8");
            let manifest = name.ends_with(".yaml") && name != "expect.yaml";
            // That one belongs to the page on the command line.
            if manifest && name != "policies.yaml" {
                assert!(named.contains(&name), "{name} is not in expect.yaml");
            }
        }
    }
}
