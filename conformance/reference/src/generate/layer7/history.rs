//! Histories of DNS answers: what is learned, expires, and stays in use.

use super::super::dice::Dice;
use serde_json::{Value, json};

const NAMES: [&str; 5] = ["a.io", "b.a.io.", "C.IO", "d.example.com", "a"];
const SELECTORS: [(&str, &str); 6] = [
    ("matchName", "a.io"),
    ("matchName", "A.io."),
    ("matchPattern", "*.a.io"),
    ("matchPattern", "*"),
    ("matchPattern", "**.com"),
    ("matchPattern", "c.*"),
];

pub(super) fn history(dice: &mut Dice) -> Value {
    let endpoints = dice.between(1, 3);
    let limit = dice.one(&[0, 0, 1, 2, 3]);
    let config = json!({
        "minTTL": dice.one(&[0, 0, 5, 60]),
        "maxIPsPerHost": limit,
        "maxZombies": dice.one(&[0, 0, 0, 2, 4]),
        "graceMs": dice.one(&[0, 0, 30_000]),
        "endpoints": endpoints,
    });
    let selector = |dice: &mut Dice| {
        let (field, text) = dice.one(&SELECTORS);
        json!({field: text})
    };
    let selectors: Vec<Value> = (0..dice.below(4)).map(|_| selector(dice)).collect();
    // Seconds; the fraction is the step's own, so that no two expire at once.
    let mut seconds = 0;
    let steps: Vec<Value> = (0..dice.between(5, 40))
        .map(|i| {
            seconds += dice.one(&[0, 0, 1, 1, 2, 5, 30, 61, 200]);
            let fraction = if dice.chance(90) { i * 7 + 1 } else { 0 };
            let mut step = json!({"ms": seconds * 1000 + fraction, "ep": dice.below(endpoints)});
            let kind = dice.weighted(&[12, 6, 4, 4, 1, 1, 1, 1]);
            let kinds = [
                "update",
                "gc",
                "ctgc",
                "alive",
                "lookup",
                "leave",
                "register",
                "unregister",
            ];
            step["op"] = json!(kinds[kind]);
            let addresses = |dice: &mut Dice, most: u32| -> Vec<String> {
                (0..dice.between(1, most)).map(|_| address(dice)).collect()
            };
            match kind {
                0 => {
                    step["name"] = json!(dice.pick(&NAMES));
                    step["ttl"] = json!(dice.one(&[0, 1, 2, 10, 60, 300, 86_400]));
                    step["ips"] = json!(addresses(dice, if limit == 0 { 4 } else { 2 }));
                }
                3 => step["ips"] = json!(addresses(dice, 3)),
                6 | 7 => step["selector"] = selector(dice),
                _ => {}
            }
            step
        })
        .collect();
    json!({"config": config, "selectors": selectors, "steps": steps})
}

fn address(dice: &mut Dice) -> String {
    match dice.below(6) {
        0 => format!("2001:db8::{}", dice.between(1, 2)),
        n => format!("192.0.2.{n}"),
    }
}
