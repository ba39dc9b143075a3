//! Answers to queries against the datapath's lookup over the answered map.
//!
//! In: a scenario and an answer to it. Out: the queries that the bytes of the
//! answer's own policy maps decide otherwise.

use crate::evaluate::lookup;
use netverdict::config::Config;
use netverdict::identity::NumericIdentity;
use netverdict::policy_map::{MatchType, Question};
use netverdict::rule::Direction;
use netverdict::scenario::{Answer, MapEntry, Scenario};

/// What differs, one line each.
#[must_use]
pub fn byte_disagreements(scenario: &Scenario, answer: &Answer) -> Vec<String> {
    let config = Config::from(&scenario.config);
    let maps: Vec<(u32, Vec<_>)> = answer
        .endpoints
        .iter()
        .filter(|e| e.error.is_empty())
        .map(|e| {
            (
                e.id,
                e.map.iter().filter(|m| !m.invalid).map(bytes_of).collect(),
            )
        })
        .collect();
    let mut found = Vec::new();
    for (q, theirs) in scenario.queries.iter().zip(&answer.queries) {
        let Some((_, map)) = maps.iter().find(|(id, _)| *id == q.endpoint) else {
            continue;
        };
        if theirs.verdict == "error" {
            continue;
        }
        let question = Question::new(q.direction, NumericIdentity(theirs.peer), q.proto.0, q.port);
        let ours = lookup(map, &question, &config);
        let verdict = match (ours.code, ours.proxy_port) {
            (0, 0) => "allowed",
            (0, _) => "redirect",
            (-189, _) => "auth",
            _ => "denied",
        };
        let match_type = match ours.match_type {
            MatchType::All => "All",
            other => other.as_str(),
        };
        let same = verdict == theirs.verdict
            && (ours.code == -181) == (theirs.reason == "deny")
            && (ours.proxy_port, ours.auth) == (theirs.proxy_port, theirs.auth)
            && match_type == theirs.match_type;
        if !same {
            found.push(format!("{question:?}: {ours:?}, not {theirs:?}"));
        }
    }
    found
}

fn bytes_of(entry: &MapEntry) -> ([u8; 12], [u8; 12]) {
    let (mut key, mut value) = ([0; 12], [0; 12]);
    let bits = entry.key.bpf_prefix_len;
    key[..4].copy_from_slice(&u32::from(bits).to_le_bytes());
    key[4..8].copy_from_slice(&entry.key.id.to_le_bytes());
    key[8] = u8::from(entry.key.direction == Direction::Egress);
    key[9] = entry.key.proto;
    key[10..].copy_from_slice(&entry.key.port.to_be_bytes());
    value[..2].copy_from_slice(&entry.proxy_port.to_be_bytes());
    value[2] = bits.saturating_sub(40) << 3 | u8::from(entry.deny);
    value[3] = entry.auth | u8::from(entry.auth_explicit) << 7;
    value[4..8].copy_from_slice(&entry.precedence.to_le_bytes());
    (key, value)
}
