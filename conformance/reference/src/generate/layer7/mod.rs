//! Questions about layer 7: rules, and inputs close to what they match.
//!
//! In: a kind and a seed. Out: one question in the exchange format. Inputs are
//! made from the rules themselves, by filling their stars and repetitions, and
//! then damaged a little; some of both are hostile.

mod expression;
mod history;
mod name;

use super::dice::Dice;
use serde_json::{Value, json};

/// What a question is about, by its name in the exchange format.
pub const KINDS: [&str; 4] = ["dns", "http", "sni", "fqdn"];

/// A question of a kind, the same for a seed on every platform; `None` for an
/// unknown kind.
#[must_use]
pub fn layer7(kind: &str, seed: u64) -> Option<Value> {
    let mut dice = Dice::new(seed);
    let mut question = match kind {
        "dns" => dns(&mut dice),
        "http" => http(&mut dice),
        "sni" => sni(&mut dice),
        "fqdn" => history::history(&mut dice),
        _ => return None,
    };
    question["id"] = json!(format!("{kind}-{seed}"));
    Some(question)
}

/// How many inputs each question has.
const INPUTS: u32 = 10;

fn dns(dice: &mut Dice) -> Value {
    let mut texts = Vec::new();
    let rules: Vec<Value> = (0..dice.below(5))
        .map(|_| {
            let mut rule = json!({});
            let kind = dice.weighted(&[4, 8, 1, 1]);
            if matches!(kind, 0 | 2) {
                let text = name::name(dice);
                rule["matchName"] = json!(text);
                texts.push(text);
            }
            if matches!(kind, 1 | 2) {
                let text = name::pattern(dice);
                rule["matchPattern"] = json!(text);
                texts.push(text);
            }
            rule
        })
        .collect();
    let asked = (0..INPUTS).map(|_| json!({"name": name::near(dice, &texts)}));
    json!({"rules": rules, "q": asked.collect::<Vec<_>>()})
}

fn sni(dice: &mut Dice) -> Value {
    let texts: Vec<String> = (0..dice.between(1, 3))
        .map(|_| {
            if dice.chance(70) {
                name::pattern(dice)
            } else {
                name::name(dice)
            }
        })
        .collect();
    let asked = (0..INPUTS).map(|_| {
        let near = name::near(dice, &texts);
        let dotless = near.strip_suffix('.').filter(|_| dice.chance(90));
        json!({"sni": dotless.unwrap_or(&near)})
    });
    let asked: Vec<Value> = asked.collect();
    json!({"serverNames": texts, "q": asked})
}

const HEADERS: [&str; 6] = ["X-A", "x-a", "X-Bee", "Content-Type", "Host", ":method"];
const VALUES: [&str; 5] = ["1", "2", "", "application/grpc", "1,2"];

fn http(dice: &mut Dice) -> Value {
    let (mut paths, mut methods, mut hosts) = (Vec::new(), Vec::new(), Vec::new());
    let acting = dice.chance(40);
    let rules: Vec<Value> = (0..dice.between(1, 6))
        .map(|_| {
            let mut rule = json!({});
            if dice.chance(75) {
                let text = expression::path(dice);
                rule["path"] = json!(text);
                paths.push(text);
            }
            if dice.chance(50) {
                let text = expression::method(dice);
                rule["method"] = json!(text);
                methods.push(text);
            }
            if dice.chance(30) {
                let text = expression::host(dice);
                rule["host"] = json!(text);
                hosts.push(text);
            }
            if dice.chance(20) {
                rule["headers"] = json!(
                    (0..dice.between(1, 2))
                        .map(|_| header_text(dice))
                        .collect::<Vec<_>>()
                );
            }
            if acting && dice.chance(60) {
                rule["headerMatches"] = json!(
                    (0..dice.between(1, 2))
                        .map(|_| header_match(dice))
                        .collect::<Vec<_>>()
                );
            }
            rule
        })
        .collect();
    let asked = (0..INPUTS).map(|_| {
        let headers: Vec<[&str; 2]> = (0..dice.below(4))
            .map(|_| [dice.pick(&HEADERS[..4]), dice.pick(&VALUES)])
            .collect();
        json!({
            "method": expression::near(dice, &methods, "GET"),
            "host": expression::near(dice, &hosts, "a.io"),
            "path": expression::near(dice, &paths, "/"),
            "headers": headers,
        })
    });
    let asked: Vec<Value> = asked.collect();
    let mut question = json!({"rules": rules, "q": asked});
    if dice.chance(60) {
        question["secretMode"] = json!(dice.pick(&["sds", "inline"]));
        question["secrets"] = json!({"ns/one/key": "1", "ns/two/a": "1", "ns/two/b": "2"});
    }
    question
}

fn header_text(dice: &mut Dice) -> String {
    let (name, value) = (dice.pick(&HEADERS), dice.pick(&VALUES));
    match dice.weighted(&[5, 2, 2, 1, 1]) {
        0 => format!("{name}: {value}"),
        1 => format!("{name} {value}"),
        2 => name.to_owned(),
        3 => format!("{name}::  {value}"),
        _ => format!("{name}:{value}"),
    }
}

fn header_match(dice: &mut Dice) -> Value {
    let mut wanted = json!({"name": dice.pick(&HEADERS)});
    if dice.chance(70) {
        wanted["value"] = json!(dice.pick(&VALUES));
    }
    if dice.chance(80) {
        wanted["mismatch"] = json!(dice.pick(&["LOG", "ADD", "DELETE", "REPLACE"]));
    }
    if dice.chance(25) {
        let name = dice.pick(&["one", "two", "none"]);
        wanted["secret"] = json!({"namespace": "ns", "name": name});
    }
    if dice.chance(1) {
        wanted["mismatch"] = json!("IGNORE");
    }
    wanted
}
