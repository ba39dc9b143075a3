//! The entries and rules that a table has behind its verdicts.
//!
//! In: which classes met which groups of identities. Out: how many records
//! were compared; or the first that differs. The winner of a verdict is the
//! longest match among these records, so equal sets have equal winners.

use super::expect::Groups;
use super::fault::Fault;
use super::{Expected, Flow, side};
use crate::identity::NumericIdentity;
use crate::policy_map::{Entry, Key, L4Key, value_to_bytes};
use crate::rule::{Direction, Rule};
use crate::source::Span;
use ahash::{AHashMap, AHashSet};
use netverdict_table::layout::{AGGREGATES, UNLISTED_CLASSES};
use netverdict_table::{OriginRecord, View};

/// An origin record in a form that can be compared and shown.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Record {
    l4: L4Key,
    value: [u8; 12],
    /// Object, path, file, line and column of each rule; empty where nobody
    /// says what they should be.
    rules: Vec<(String, String, String, u32, u32)>,
}

impl Record {
    fn show(&self) -> String {
        let hex: String = self.value.iter().map(|b| format!("{b:02x}")).collect();
        let rules: Vec<String> = self
            .rules
            .iter()
            .map(|(object, path, file, line, column)| {
                format!("{object} {path} at {file}:{line}:{column}")
            })
            .collect();
        format!(
            "protocol {} port {}/{} with {hex} by {}",
            self.l4.protocol,
            self.l4.port,
            self.l4.port_prefix,
            rules.join(" and ")
        )
    }
}

/// Where the origins of a subject stand; 0 for nowhere.
pub(super) fn block(view: &View<'_>, subject: u32, direction: Direction) -> u32 {
    let origins = view.header().origins as usize;
    let half = usize::from(direction == Direction::Egress);
    let at = origins + subject as usize * 8 + half * 4;
    let word = view.image().get(at..).and_then(|b| b.first_chunk());
    match (origins, word) {
        (0, _) | (_, None) => 0,
        (_, Some(word)) => u32::from_le_bytes(*word),
    }
}

/// Compares the set of each class with the entries of the identities in it.
pub(super) fn compare(
    view: &View<'_>,
    flow: Flow,
    groups: &Groups<'_>,
    meetings: &[(u32, usize, u32)],
    expected: &Expected<'_>,
) -> Result<u64, Fault> {
    let mut found: AHashMap<u32, Vec<Record>> = AHashMap::new();
    for (class, record) in view.origins(flow.subject, side(flow.direction)) {
        found
            .entry(class)
            .or_default()
            .push(record_of(&record, expected));
    }
    let empty = Vec::new();
    let mut compared = 0;
    let mut check = |class: u32, set: usize, identity: u32| {
        let found = found.get(&class).unwrap_or(&empty);
        let expected: Vec<Record> = groups
            .entries(set)
            .map(|(l4, entry)| expected_record(flow, identity, l4, entry, expected))
            .collect();
        compared += expected.len() as u64;
        if &expected == found {
            return Ok(());
        }
        let differs = (0..expected.len().max(found.len()))
            .find(|i| expected.get(*i) != found.get(*i))
            .unwrap_or(0);
        Err(Fault::Origin {
            subject: flow.subject,
            direction: flow.direction,
            identity,
            expected: expected.get(differs).map(Record::show),
            found: found.get(differs).map(Record::show),
        })
    };
    for (class, key) in (0..UNLISTED_CLASSES).zip(AGGREGATES) {
        check(class, groups.set_of(Some(key)), key)?;
    }
    let mut seen = AHashSet::new();
    for (class, column, identity) in meetings {
        let own = groups.column(*column).own;
        if !seen.insert((*class, own)) {
            continue;
        }
        if *class >= UNLISTED_CLASSES {
            check(*class, own, *identity)?;
        } else if let Some((l4, entry)) = groups.entries(own).next() {
            // Nobody who has entries may be unlisted.
            let record = expected_record(flow, *identity, l4, entry, expected);
            return Err(Fault::Origin {
                subject: flow.subject,
                direction: flow.direction,
                identity: *identity,
                expected: Some(record.show()),
                found: None,
            });
        }
    }
    Ok(compared)
}

fn record_of(record: &OriginRecord<'_>, expected: &Expected<'_>) -> Record {
    let l4 = L4Key {
        protocol: record.protocol,
        port: record.port,
        port_prefix: record.prefix_len.saturating_sub(8),
    };
    let mut rules = Vec::new();
    if expected.policy.is_some() {
        for rule in record.rules() {
            let (file, line, column) = match expected.sources {
                Some(_) => (rule.file.to_owned(), rule.line, rule.column),
                None => Default::default(),
            };
            let (object, path) = (rule.object.to_owned(), rule.path.to_owned());
            rules.push((object, path, file, line, column));
        }
    }
    rules.sort();
    rules.dedup();
    Record {
        l4,
        value: record.value,
        rules,
    }
}

fn expected_record(
    flow: Flow,
    identity: u32,
    l4: L4Key,
    entry: &Entry,
    expected: &Expected<'_>,
) -> Record {
    let key = Key {
        direction: flow.direction,
        identity: NumericIdentity(identity),
        l4,
    };
    let mut rules = Vec::new();
    if let Some(policy) = expected.policy {
        let policy = policy.direction(flow.direction);
        for rule in policy.rules_of(&entry.origin) {
            let (file, line, column) = place(rule, expected);
            let (object, path) = (rule.origin.id(), rule.origin.path.clone());
            rules.push((object, path, file, line, column));
        }
    }
    rules.sort();
    rules.dedup();
    Record {
        l4,
        value: value_to_bytes(&key, entry),
        rules,
    }
}

fn place(rule: &Rule, expected: &Expected<'_>) -> (String, u32, u32) {
    let span = rule.origin.span;
    let source = expected.sources.and_then(|s| s.get(span.source));
    match source {
        Some(source) if span != Span::default() => {
            let position = source.position(span.start);
            (source.name().to_owned(), position.line, position.column)
        }
        _ => Default::default(),
    }
}
