//! Questions about layer 7 through Cilium's own code and through netverdict.
//!
//! In: how many of each kind and a seed. Out: every question to which the two
//! answer differently, each with a file to try it again.

use crate::job::{Tally, root};
use crate::oracle::answer_lines;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

/// Each history is run this often by Cilium's code: which of several addresses
/// that are alike goes first is up to chance there.
const REPEAT: u32 = 16;
/// As often again when netverdict says something else: with two addresses the
/// less likely order comes once in eight times.
const SECOND_LOOK: u32 = 256;
/// Differing questions that are shown.
const SHOWN: usize = 3;

/// Kinds, and of 100 questions how many are of each. Every question about
/// rules has ten inputs. Scenarios whose policies for Envoy are compared come to these.
const KINDS: [(&str, u64); 4] = [("dns", 40), ("http", 40), ("sni", 20), ("fqdn", 7)];

/// What came of a kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Compared {
    pub(crate) kind: &'static str,
    pub(crate) questions: u64,
    /// Inputs, or steps of histories.
    pub(crate) inputs: u64,
    /// Those allowed, matched or known.
    pub(crate) positive: u64,
    /// Steps left out because Cilium's runs differ from there on.
    pub(crate) by_chance: u64,
    pub(crate) differing: u64,
}

/// Asks `hundreds` times the mixture of [`KINDS`].
pub(crate) fn compare(hundreds: u64, seed: u64) -> Result<Vec<Compared>, String> {
    let kinds = KINDS.into_iter();
    let mut all = kinds
        .map(|(kind, share)| compare_kind(kind, share * hundreds, seed))
        .collect::<Result<Vec<_>, _>>()?;
    all.push(compare_proxy(5 * hundreds, seed)?);
    Ok(all)
}

/// Questions as passed and failed.
pub(crate) fn tally(all: &[Compared]) -> Tally {
    let failed = all.iter().map(|c| c.differing).sum();
    let asked: u64 = all.iter().map(|c| c.questions).sum();
    Tally {
        passed: asked - failed,
        failed,
        skipped: 0,
    }
}

fn theirs(kind: &str, questions: &[String], repeat: u32) -> Result<Vec<Value>, String> {
    let program = root().join("conformance/cilium/bin/cilium-l7");
    let repeat = repeat.to_string();
    read(&answer_lines(
        Command::new(program).args(["-repeat", &repeat, kind]),
        questions,
    )?)
}

fn compare_kind(kind: &'static str, count: u64, seed: u64) -> Result<Compared, String> {
    let generated = Command::new(super::conformance::program("netverdict-generate"))
        .args(["--l7", kind, "--count", &count.to_string()])
        .args(["--seed", &seed.to_string()])
        .output()
        .map_err(|e| format!("netverdict-generate: {e}"))?;
    let generated = String::from_utf8(generated.stdout).map_err(|e| e.to_string())?;
    let questions: Vec<String> = generated.lines().map(str::to_owned).collect();
    if questions.len() as u64 != count {
        return Err(format!("{} questions generated", questions.len()));
    }
    let scenario = super::conformance::program("netverdict-scenario");
    let (expected, found) = std::thread::scope(|scope| {
        let expected = scope.spawn(|| theirs(kind, &questions, REPEAT));
        let found = answer_lines(Command::new(&scenario).args(["--l7", kind]), &questions);
        (expected.join(), found)
    });
    let expected = expected.map_err(|_| "Cilium's side panicked")??;
    let found = read(&found?)?;
    let mut compared = Compared {
        kind,
        questions: count,
        ..Compared::default()
    };
    for ((question, mut expected), found) in questions.iter().zip(expected).zip(found) {
        let mut same = agree(&expected, &found);
        if !same && kind == "fqdn" {
            let again = theirs(kind, std::slice::from_ref(question), SECOND_LOOK)?;
            expected = again.into_iter().next().unwrap_or_default();
            same = agree(&expected, &found);
        }
        compared.count(&expected);
        if !same {
            compared.differing += 1;
            let shown = compared.differing <= SHOWN as u64;
            let file = keep(kind, question)?;
            if shown {
                println!("{kind}: {question}\n  try it: {}", file.display());
                show(&expected, &found);
            }
        }
    }
    Ok(compared)
}

/// Policies for Envoy, of random scenarios.
fn compare_proxy(count: u64, seed: u64) -> Result<Compared, String> {
    let generated = Command::new(super::conformance::program("netverdict-generate"))
        .args(["--count", &count.to_string(), "--seed", &seed.to_string()])
        .args(["--profile", "stable"])
        .output()
        .map_err(|e| format!("netverdict-generate: {e}"))?;
    let generated = String::from_utf8(generated.stdout).map_err(|e| e.to_string())?;
    let questions: Vec<String> = generated.lines().map(str::to_owned).collect();
    let oracle = crate::oracle::path();
    let expected = answer_lines(Command::new(oracle).args(["--lines", "-proxy"]), &questions)?;
    let scenario = super::conformance::program("netverdict-scenario");
    let found = answer_lines(Command::new(scenario).args(["--l7", "proxy"]), &questions)?;
    let mut compared = Compared {
        kind: "proxy",
        questions: count,
        ..Compared::default()
    };
    for ((question, expected), found) in questions.iter().zip(read(&expected)?).zip(read(&found)?) {
        let (theirs, ours) = (policies(&expected), policies(&found));
        compared.inputs += theirs.len() as u64;
        let with_rules = |p: &&Value| p.to_string().contains("httpRules");
        compared.positive += theirs.iter().filter(with_rules).count() as u64;
        if theirs != ours {
            compared.differing += 1;
            let number = compared.differing;
            let file = keep_as(&format!("proxy-{number}"), question)?;
            if number <= SHOWN as u64 {
                println!("proxy: try it: {}", file.display());
                if let Some((a, b)) = theirs.iter().zip(&ours).find(|(a, b)| a != b) {
                    println!("  Cilium: {a}\n  here:   {b}");
                }
            }
        }
    }
    Ok(compared)
}

/// The policies of an answer in a form in which equal ones are equal: peers by
/// their labels, rules and ports in an order of their own.
fn policies(answer: &Value) -> Vec<Value> {
    let all = answer["identities"].as_array().into_iter().flatten();
    let labels: BTreeMap<u64, String> = all
        .filter_map(|i| Some((i["id"].as_u64()?, i["labels"].to_string())))
        .collect();
    let endpoints = answer["endpoints"].as_array().into_iter().flatten();
    endpoints.map(|e| canonical(&e["proxy"], &labels)).collect()
}

fn canonical(value: &Value, labels: &BTreeMap<u64, String>) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| {
                let value = match (name.as_str(), value) {
                    ("remotePolicies", Value::Array(ids)) => {
                        let label = |id: &Value| {
                            let id = id.as_u64().unwrap_or_default();
                            labels.get(&id).cloned().unwrap_or_else(|| id.to_string())
                        };
                        let mut all: Vec<String> = ids.iter().map(label).collect();
                        all.sort_unstable();
                        Value::from(all)
                    }
                    _ => canonical(value, labels),
                };
                (name.clone(), value)
            });
            Value::Object(fields.collect())
        }
        Value::Array(all) => {
            let mut all: Vec<Value> = all.iter().map(|v| canonical(v, labels)).collect();
            all.sort_by_key(ToString::to_string);
            Value::Array(all)
        }
        other => other.clone(),
    }
}

fn read(lines: &[String]) -> Result<Vec<Value>, String> {
    let parse = |line: &String| serde_json::from_str(line).map_err(|e| e.to_string());
    lines.iter().map(parse).collect()
}

/// The inputs of a question with their answers, as far as Cilium's are the
/// same in every run.
fn inputs(answer: &Value) -> &[Value] {
    let all = answer["q"].as_array().or(answer["steps"].as_array());
    let all = all.map(Vec::as_slice).unwrap_or_default();
    let stable = answer["unstable"].as_u64();
    let stable = stable.map_or(all.len(), |n| all.len().min(n as usize));
    &all[..stable]
}

fn agree(expected: &Value, found: &Value) -> bool {
    let stable = inputs(expected);
    expected["valid"] == found["valid"]
        && expected["sent"] == found["sent"]
        && Some(stable) == inputs(found).get(..stable.len())
}

impl Compared {
    fn count(&mut self, answer: &Value) {
        let stable = inputs(answer);
        let all = answer["steps"].as_array().map_or(stable.len(), Vec::len);
        self.inputs += stable.len() as u64;
        self.by_chance += (all - stable.len()) as u64;
        let positive = |input: &&Value| {
            ["l7", "allowed", "match"].iter().any(|f| input[*f] == true)
                || input["state"]["names"]
                    .as_object()
                    .is_some_and(|n| !n.is_empty())
        };
        self.positive += stable.iter().filter(positive).count() as u64;
    }
}

fn keep(kind: &str, question: &str) -> Result<PathBuf, String> {
    let id: Value = serde_json::from_str(question).map_err(|e| e.to_string())?;
    keep_as(id["id"].as_str().unwrap_or(kind), question)
}

fn keep_as(name: &str, question: &str) -> Result<PathBuf, String> {
    let folder = root().join("target/conformance");
    std::fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
    let file = folder.join(format!("{name}.json"));
    std::fs::write(&file, question).map_err(|e| e.to_string())?;
    Ok(file)
}

fn show(expected: &Value, found: &Value) {
    for field in ["valid", "sent"] {
        if expected[field] != found[field] {
            println!(
                "  {field}: {} by Cilium, {} here",
                expected[field], found[field]
            );
        }
    }
    let both = inputs(expected).iter().zip(inputs(found));
    if let Some((theirs, ours)) = both.into_iter().find(|(a, b)| a != b) {
        println!("  Cilium: {theirs}\n  here:   {ours}");
    }
}

/// Prints the figures.
pub(crate) fn print(all: &[Compared]) {
    for c in all {
        println!(
            "layer 7, {}: {} questions, {} inputs ({} positive, {} left to chance), {} differ",
            c.kind, c.questions, c.inputs, c.positive, c.by_chance, c.differing
        );
    }
}

/// The figures as a table of the page about conformance.
pub(crate) fn table(all: &[Compared]) -> String {
    let mut text = String::from(
        "| layer 7 | questions | inputs or steps | of them positive | left to chance | questions that differ |\n\
         | --- | --- | --- | --- | --- | --- |\n",
    );
    for c in all {
        let what = match c.kind {
            "dns" => "DNS rules and `toFQDNs`",
            "http" => "HTTP rules",
            "sni" => "TLS server names",
            "fqdn" => "name cache and zombies",
            _ => "policies for Envoy, of endpoints (positive: with HTTP rules)",
        };
        text += &format!(
            "| {what} | {} | {} | {} | {} | {} |\n",
            c.questions, c.inputs, c.positive, c.by_chance, c.differing
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{agree, inputs};
    use serde_json::json;

    #[test]
    fn steps_after_chance_are_not_compared() {
        let theirs = json!({"steps": [1, 2, 3], "unstable": 1});
        assert_eq!(inputs(&theirs).len(), 1);
        assert!(agree(&theirs, &json!({"steps": [1, 5, 3]})));
        assert!(!agree(&theirs, &json!({"steps": [2, 2, 3]})));
        assert!(!agree(&json!({"q": [1]}), &json!({"q": []})));
        assert!(!agree(&json!({"valid": true}), &json!({"valid": false})));
    }
}
