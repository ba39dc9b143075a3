//! Where two outcomes differ.
//!
//! In: two [`Outcome`]s. Out: [`Difference`]s by path. Map entries go by their
//! keys, identities by name and prefix, everything else by position.

use crate::outcome::Outcome;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// One value that two engines do not agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// `endpoints[0].map[egress 1001 6 80/16].auth`; the whole of a map entry
    /// or identity when one side lacks it.
    pub path: String,
    /// What was expected; `None` for nothing.
    pub expected: Option<String>,
    /// What was found; `None` for nothing.
    pub found: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |side: &Option<String>| side.clone().unwrap_or_else(|| "nothing".to_owned());
        write!(
            f,
            "{}: expected {}, found {}",
            self.path,
            show(&self.expected),
            show(&self.found)
        )
    }
}

/// Every difference, sorted by path. What either side lists as unstable is
/// left out.
#[must_use]
pub fn differences(expected: &Outcome, found: &Outcome) -> Vec<Difference> {
    let (left, right) = (objects(expected), objects(found));
    let unstable: BTreeSet<&str> = expected
        .unstable
        .iter()
        .chain(&found.unstable)
        .map(String::as_str)
        .collect();
    let names: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    let mut list = Vec::new();
    for name in names {
        if unstable.contains(name.as_str()) {
            continue;
        }
        match (left.get(name), right.get(name)) {
            (Some(a), Some(b)) => compare_fields(name, a, b, &unstable, &mut list),
            (a, b) => list.push(Difference {
                path: name.clone(),
                expected: a.map(show),
                found: b.map(show),
            }),
        }
    }
    list
}

type Fields = BTreeMap<String, Value>;

fn compare_fields(
    name: &str,
    expected: &Fields,
    found: &Fields,
    unstable: &BTreeSet<&str>,
    list: &mut Vec<Difference>,
) {
    let keys: BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    for key in keys {
        let (a, b) = (expected.get(key), found.get(key));
        let path = format!("{name}.{key}");
        if a != b && !unstable.contains(path.as_str()) {
            list.push(Difference {
                path,
                expected: a.map(ToString::to_string),
                found: b.map(ToString::to_string),
            });
        }
    }
}

fn show(fields: &Fields) -> String {
    let parts: Vec<String> = fields.iter().map(|(k, v)| format!("{k}={v}")).collect();
    parts.join(" ")
}

/// Every object of an outcome by its path.
fn objects(outcome: &Outcome) -> BTreeMap<String, Fields> {
    let mut all = Objects::default();
    for (i, document) in outcome.policies.iter().enumerate() {
        let mut document = document.clone();
        if !document.accepted {
            // An engine that refuses a document need not know what it is.
            document.object.clear();
        }
        all.add(format!("policies[{i}]"), &document);
    }
    for identity in &outcome.identities {
        let name = format!("{} {}", identity.peer.name(), identity.cidr);
        all.add(format!("identities[{}]", name.trim()), identity);
    }
    for (i, endpoint) in outcome.endpoints.iter().enumerate() {
        all.add(format!("endpoints[{i}]"), endpoint);
        for e in &endpoint.map {
            let name = e.peer.name();
            let key = format!("{} {name} {} {}/{}", e.dir, e.proto, e.port, e.plen);
            all.add(format!("endpoints[{i}].map[{key}]"), e);
        }
    }
    for (i, query) in outcome.queries.iter().enumerate() {
        all.add(format!("queries[{i}]"), query);
    }
    all.0
}

#[derive(Default)]
struct Objects(BTreeMap<String, Fields>);

impl Objects {
    /// Adds an object; a second one of the same name is kept apart, so that a
    /// map with a key twice differs from one with it once.
    fn add(&mut self, mut name: String, object: &impl Serialize) {
        let fields = match serde_json::to_value(object) {
            Ok(Value::Object(fields)) => fields,
            _ => serde_json::Map::new(),
        };
        // Entries have names of their own, and diagnostics are not Cilium's.
        let fields = fields
            .into_iter()
            .filter(|(key, _)| key != "map" && key != "diagnostics")
            .collect();
        while self.0.contains_key(&name) {
            name.push_str(" (again)");
        }
        self.0.insert(name, fields);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use netverdict::scenario::Answer;

    fn outcome(json: &str) -> Outcome {
        let answer: Answer = serde_json::from_str(json).expect("an answer");
        Outcome::of(&answer)
    }

    fn paths(expected: &Outcome, found: &Outcome) -> Vec<String> {
        differences(expected, found)
            .into_iter()
            .map(|d| d.path)
            .collect()
    }

    const ENTRY: &str = r#""dir": "egress", "proto": 6, "port": 80, "plen": 16, "bpf_plen": 64,
        "deny": false, "prec": 4294967041, "prio": 0, "lprio": 0, "rules": ["CNP/ns/p"]"#;

    fn with_derived(id: u32, extra: &str, unstable: &str) -> Outcome {
        outcome(&format!(
            r#"{{"identities": [{{"id": {id}, "prefix": "10.0.0.0/8", "source": "derived", "labels": ["l"]}}],
                "endpoints": [{{"id": 1000, "egressEnabled": true,
                    "map": [{{"id": {id}, {ENTRY} {extra}}}]}}],
                "queries": [{{"verdict": "allowed", "peer": {id}, "match": "L3-L4"}}],
                "unstable": [{unstable}]}}"#
        ))
    }

    #[test]
    fn derived_numbers_do_not_count() {
        let (a, b) = (
            with_derived(16_777_217, "", ""),
            with_derived(16_777_230, "", ""),
        );
        assert_eq!(paths(&a, &b), Vec::<String>::new());
        assert_eq!(a.endpoints[0].map[0].peer.prefix, "10.0.0.0/8");
    }

    #[test]
    fn scenario_numbers_count() {
        let map = |id: u32| {
            outcome(&format!(
                r#"{{"endpoints": [{{"id": 1000, "map": [{{"id": {id}, {ENTRY}}}]}}]}}"#
            ))
        };
        assert_eq!(
            paths(&map(1001), &map(1002)),
            [
                "endpoints[0].map[egress 1001 6 80/16]",
                "endpoints[0].map[egress 1002 6 80/16]"
            ]
        );
    }

    #[test]
    fn a_proxy_port_counts_but_not_its_number() {
        let a = with_derived(16_777_217, r#", "proxy": 10001"#, "");
        let b = with_derived(16_777_217, r#", "proxy": 10009"#, "");
        let none = with_derived(16_777_217, "", "");
        assert!(paths(&a, &b).is_empty());
        assert_eq!(
            paths(&a, &none),
            ["endpoints[0].map[egress 10.0.0.0/8 6 80/16].redirect"]
        );
    }

    #[test]
    fn texts_of_errors_do_not_count() {
        let refused = |stage: &str, error: &str| {
            outcome(&format!(
                r#"{{"policies": [{{"kind": "K", "accepted": false, "stage": "{stage}", "error": "{error}"}}]}}"#
            ))
        };
        assert!(paths(&refused("parse", "a"), &refused("parse", "b")).is_empty());
        assert_eq!(
            paths(&refused("parse", "a"), &refused("decode", "a")),
            ["policies[0].stage"]
        );
    }

    #[test]
    fn names_of_refused_documents_do_not_count() {
        let document = |accepted: bool, name: &str| {
            outcome(&format!(
                r#"{{"policies": [{{"kind": "K", "name": "{name}", "accepted": {accepted}}}]}}"#
            ))
        };
        assert!(paths(&document(false, "a"), &document(false, "b")).is_empty());
        assert_eq!(
            paths(&document(true, "a"), &document(true, "b")),
            ["policies[0].object"]
        );
    }

    #[test]
    fn what_is_unstable_is_not_compared() {
        let plain = with_derived(16_777_217, "", "");
        let field = with_derived(
            16_777_218,
            r#", "auth": 1"#,
            r#""endpoints[0].map[egress 16777218 6 80/16].auth""#,
        );
        assert!(paths(&plain, &field).is_empty());
        let entry = with_derived(
            16_777_218,
            r#", "auth": 1, "invalid": true"#,
            r#""endpoints[0].map[egress 16777218 6 80/16]""#,
        );
        assert!(paths(&plain, &entry).is_empty());
        let other = with_derived(16_777_218, r#", "auth": 1"#, r#""queries[0].verdict""#);
        assert_eq!(
            paths(&plain, &other),
            ["endpoints[0].map[egress 10.0.0.0/8 6 80/16].auth"]
        );
    }

    #[test]
    fn an_entry_twice_is_a_difference() {
        let once = outcome(&format!(
            r#"{{"endpoints": [{{"id": 1, "map": [{{"id": 2, {ENTRY}}}]}}]}}"#
        ));
        let twice = outcome(&format!(
            r#"{{"endpoints": [{{"id": 1, "map": [{{"id": 2, {ENTRY}}}, {{"id": 2, {ENTRY}}}]}}]}}"#
        ));
        assert_eq!(
            paths(&once, &twice),
            ["endpoints[0].map[egress 2 6 80/16] (again)"]
        );
    }
}
