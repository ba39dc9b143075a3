//! What the YAML tests share: cases, the Go program, and the comparison.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use netverdict::source::SourceId;
use netverdict::yaml::{self, Limits, Node, Number, Value};
use serde_json::{Value as Json, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

/// One text with what sigs.k8s.io/yaml makes of it.
pub struct Case {
    pub name: String,
    pub text: String,
    pub docs: Vec<Json>,
}

pub fn path() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/yaml/cases.json")
}

pub fn cases() -> Vec<Case> {
    let text = std::fs::read_to_string(path()).expect("testdata/yaml/cases.json");
    let all: Vec<Json> = serde_json::from_str(&text).expect("cases are JSON");
    all.into_iter()
        .map(|c| Case {
            name: c["name"].as_str().expect("name").to_owned(),
            text: c["text"].as_str().expect("text").to_owned(),
            docs: c["docs"].as_array().expect("docs").clone(),
        })
        .collect()
}

/// Our reading in the oracle's shape: no null documents, nothing after a
/// broken separator, errors without their words.
pub fn ours(text: &str) -> Vec<Json> {
    let mut docs = Vec::new();
    for document in yaml::read(SourceId(0), text, &Limits::default()) {
        match document.result {
            Ok(node) if node.is_null() => {}
            Ok(node) => docs.push(json!({ "json": to_json(&node) })),
            Err(e) => {
                docs.push(json!({ "error": e.message }));
                if e.code == yaml::SEPARATOR {
                    break;
                }
            }
        }
    }
    docs
}

fn to_json(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(b) => json!(b),
        Value::Number(Number::Int(i)) => json!(i),
        Value::Number(Number::UInt(u)) => json!(u),
        Value::Number(Number::Float(f)) => json!(f),
        Value::String(s) => json!(s),
        Value::List(items) => items.iter().map(to_json).collect(),
        Value::Map(entries) => entries
            .iter()
            .map(|e| (e.key.clone(), to_json(&e.node)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}

/// Whether both readings agree.
pub fn agree(ours: &[Json], theirs: &[Json]) -> bool {
    ours.len() == theirs.len()
        && ours
            .iter()
            .zip(theirs)
            .all(|(a, b)| match (a.get("json"), b.get("json")) {
                (Some(a), Some(b)) => same(a, b),
                (None, None) => true,
                _ => false,
            })
}

fn same(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(x), Json::Number(y)) => {
            // The reader of the expectation rounds floats by a last bit.
            x == y
                || !(x.is_i64() && y.is_i64() || x.is_u64() && y.is_u64())
                    && matches!((x.as_f64(), y.as_f64()), (Some(x), Some(y))
                        if (x - y).abs() <= x.abs() * 1e-15)
        }
        (Json::Array(x), Json::Array(y)) => {
            x.len() == y.len() && x.iter().zip(y).all(|(a, b)| same(a, b))
        }
        (Json::Object(x), Json::Object(y)) => {
            x.len() == y.len() && x.iter().all(|(k, a)| y.get(k).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

/// Asks the program that `NETVERDICT_YAML_ORACLE` names; `None` without one.
/// It takes lines `{"text": …}` and answers `{"docs": [{"json"|"error": …}]}`.
pub fn ask(texts: &[String]) -> Option<Vec<Vec<Json>>> {
    let program = std::env::var_os("NETVERDICT_YAML_ORACLE")?;
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the oracle starts");
    let mut input = child.stdin.take().expect("stdin");
    let output = BufReader::new(child.stdout.take().expect("stdout"));
    let answers = std::thread::scope(|scope| {
        scope.spawn(move || {
            for text in texts {
                writeln!(input, "{}", json!({ "text": text })).expect("the oracle reads");
            }
        });
        output
            .lines()
            .map(|line| {
                let line = line.expect("the oracle answers");
                let answer: Json = serde_json::from_str(&line).expect("an answer is JSON");
                answer["docs"].as_array().cloned().unwrap_or_default()
            })
            .collect::<Vec<_>>()
    });
    child.wait().expect("the oracle ends");
    assert_eq!(answers.len(), texts.len(), "one answer per text");
    Some(answers)
}

/// Whether kubectl tries a JSON decoder on the text before sigs.k8s.io/yaml, so
/// that the outcome can be another: it begins with a JSON object, or with a
/// brace after white space. `NETVERDICT_YAML_KUBECTL` says that the program
/// does the same.
pub fn begins_as_json(text: &str) -> bool {
    let trimmed = text.trim_start();
    std::env::var_os("NETVERDICT_YAML_KUBECTL").is_none()
        && trimmed.starts_with('{')
        && (trimmed.len() < text.len()
            || text.len() < 4
            || serde_json::Deserializer::from_str(text)
                .into_iter::<serde::de::IgnoredAny>()
                .next()
                .is_some_and(|first| first.is_ok()))
}
