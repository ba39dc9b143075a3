//! Faults, each of which the questions of [`crate::conformance`] have to find.
//!
//! In: what is written to Cilium's map, Cilium's options, or our image, with a
//! mistake in it. Out: a disagreement, or the test fails.

use crate::Outcome;
use crate::batch::Options;
use crate::conformance::{Bench, scenarios};

/// A key and a value of Cilium's policy map.
pub(crate) type Entry = ([u8; 12], [u8; 12]);

/// Where a mistake is made.
pub(crate) enum Fault {
    /// In the entries of the policy map.
    Entries(fn(&mut Vec<Entry>)),
    /// In what Cilium's code is told.
    Options(fn(&mut Options)),
    /// In the verdict entries of the image.
    Image(fn(&mut [u8])),
}

fn identity(entry: &Entry) -> u32 {
    u32::from_le_bytes([entry.0[4], entry.0[5], entry.0[6], entry.0[7]])
}

fn each(entries: &mut [Entry], change: impl Fn(&mut Entry)) {
    entries.iter_mut().for_each(change);
}

const FAULTS: &[(&str, Fault)] = &[
    (
        "byte order of ports",
        Fault::Entries(|e| each(e, |(k, _)| k.swap(10, 11))),
    ),
    (
        "byte order of proxy ports",
        Fault::Entries(|e| each(e, |(_, v)| v.swap(0, 1))),
    ),
    (
        "byte order of identities",
        Fault::Entries(|e| each(e, |(k, _)| k[4..8].reverse())),
    ),
    (
        "byte order of precedences",
        Fault::Entries(|e| each(e, |(_, v)| v[4..8].reverse())),
    ),
    (
        "low bytes of precedences",
        Fault::Entries(|e| each(e, |(_, v)| v.swap(4, 5))),
    ),
    ("direction", Fault::Entries(|e| each(e, |(k, _)| k[8] ^= 1))),
    (
        "length of the prefix in the key",
        Fault::Entries(|e| each(e, |(k, _)| k[0] = k[0].max(56))),
    ),
    (
        "length of the prefix on ties",
        Fault::Entries(|e| {
            // Protocols without ports and all protocols look alike then.
            each(e, |(_, v)| {
                v[2] = v[2] & 7 | (v[2] >> 3).saturating_sub(8) << 3;
            });
        }),
    ),
    ("denial", Fault::Entries(|e| each(e, |(_, v)| v[2] &= 0xf8))),
    (
        "type of authentication",
        Fault::Entries(|e| each(e, |(_, v)| v[3] &= 0x80)),
    ),
    (
        "explicit authentication",
        Fault::Entries(|e| each(e, |(_, v)| v[3] &= 0x7f)),
    ),
    ("cookie", Fault::Entries(|e| each(e, |(_, v)| v[8] ^= 1))),
    (
        "no entries for identity 0",
        Fault::Entries(|e| e.retain(|e| identity(e) != 0)),
    ),
    (
        "no entries for the cluster",
        Fault::Entries(|e| e.retain(|e| identity(e) != 11)),
    ),
    (
        "no entries for the mesh",
        Fault::Entries(|e| e.retain(|e| identity(e) != 12)),
    ),
    (
        "no entries for the world",
        Fault::Entries(|e| e.retain(|e| identity(e) != 13)),
    ),
    (
        "no entries for remote nodes",
        Fault::Entries(|e| e.retain(|e| identity(e) != 14)),
    ),
    (
        "bits of the cluster id",
        Fault::Options(|o| o.cluster_bits = 17 - o.cluster_bits),
    ),
    ("cluster id", Fault::Options(|o| o.cluster_id += 1)),
    (
        "types of ICMP",
        Fault::Options(|o| o.icmp_rules = !o.icmp_rules),
    ),
    (
        "fragmentation needed",
        Fault::Options(|o| o.frag_needed = !o.frag_needed),
    ),
    (
        "authentication is not inherited",
        Fault::Entries(|e| each(e, |(_, v)| v[3] |= 0x80)),
    ),
    (
        "match type",
        Fault::Image(|entry| {
            if entry[6] == 4 {
                entry[6] = 6;
            }
        }),
    ),
];

/// Scenarios until a fault has to be found.
const SCENARIOS: usize = 700;

/// Every fault is found.
pub(crate) fn all_are_found() -> Outcome {
    let mut latest = (0, "");
    for (name, fault) in FAULTS {
        let mut bench = Bench::new()?;
        let mut found = None;
        for (n, scenario) in scenarios()?.take(SCENARIOS) {
            if bench.scenario(&scenario, n, Some(fault))?.is_some() {
                found = Some(bench.tally.questions);
                break;
            }
        }
        let Some(questions) = found else {
            return Err(format!("not found: {name}").into());
        };
        latest = latest.max((questions, *name));
    }
    let (questions, name) = latest;
    Ok(format!(
        "{} faults found, the last ({name}) after {questions} questions that agree",
        FAULTS.len()
    ))
}
