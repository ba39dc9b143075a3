//! Verdict tables against the policy maps they are compiled from, in every
//! field.
//!
//! In: a prepared scenario and its image. Out: the questions worth asking, and
//! the first one that the table answers otherwise than the map.

use netverdict::identity::NumericIdentity;
use netverdict::policy_map::{Key, L4Key, PolicyMap, Question, value_to_bytes};
use netverdict::resolve::SubjectPolicy;
use netverdict::rule::Direction;
use netverdict::scenario::Prepared;
use netverdict_table::{self as table, OriginRecord, View};
use std::collections::BTreeSet;

/// Identities that nobody has heard of, in every scope.
const UNHEARD: [u32; 22] = [
    0,
    11,
    12,
    13,
    14,
    15,
    99,
    100,
    255,
    4095,
    0xffff,
    0x1_0001,
    0x7_1234,
    0x12_8000,
    0x100_0000,
    0x1ff_ffff,
    0x200_0000,
    0x2ab_cdef,
    0x300_0401,
    0x380_0001,
    0xff00_0007,
    u32::MAX,
];

/// Every protocol with a slot of its own, and two without.
const PROTOCOLS: [u8; 14] = [0, 1, 2, 4, 6, 17, 41, 47, 50, 51, 58, 112, 132, 253];

const DIRECTIONS: [(Direction, table::Direction); 2] = [
    (Direction::Ingress, table::Direction::Ingress),
    (Direction::Egress, table::Direction::Egress),
];

/// Every port at which some entry begins or ends, and its neighbours.
fn ports(map: &PolicyMap, direction: Direction) -> Vec<u16> {
    let mut ports = BTreeSet::from([0, 1, 3, 80, 443, u16::MAX]);
    for (_, l4, _) in map.direction(direction).iter() {
        for edge in [l4.port, l4.last_port()] {
            ports.extend([edge, edge.saturating_sub(1), edge.saturating_add(1)]);
        }
    }
    ports.into_iter().collect()
}

/// What to ask of the table of a scenario: every subject, all identities there
/// are and some that are not, and the edges of what its map says of ports.
pub fn table_questions(prepared: &Prepared<'_>) -> impl Iterator<Item = table::Question> {
    let known = prepared.identities().iter().map(|(id, _)| id.0);
    let identities: BTreeSet<u32> = known.chain(UNHEARD).collect();
    let subjects: Vec<[Vec<u16>; 2]> = prepared
        .maps()
        .map(|(_, _, map)| DIRECTIONS.map(|(direction, _)| ports(map, direction)))
        .collect();
    let ports = (0u32..).zip(subjects).flat_map(|(subject, ports)| {
        let both = table::Direction::BOTH.into_iter().zip(ports);
        both.map(move |(direction, ports)| (subject, direction, ports))
    });
    ports.flat_map(move |(subject, direction, ports)| {
        let identities = identities.clone();
        identities.into_iter().flat_map(move |identity| {
            let ports = ports.clone();
            PROTOCOLS.into_iter().flat_map(move |protocol| {
                let plain =
                    move |port| table::Question::new(subject, direction, identity, protocol, port);
                let fragment = table::Question {
                    untracked_fragment: true,
                    ..plain(80)
                };
                let needed = table::Question {
                    icmp_code: 4,
                    ..plain(3)
                };
                let others = [fragment, needed];
                ports.clone().into_iter().map(plain).chain(others)
            })
        })
    })
}

/// Asks a table every `step`th question, and its subject's policy map the
/// same; returns how many were asked.
///
/// # Errors
/// The first difference, in words.
pub fn table_disagreement(
    prepared: &Prepared<'_>,
    image: &[u8],
    step: usize,
) -> Result<u64, String> {
    let view = View::new(image).map_err(|e| e.to_string())?;
    let maps: Vec<_> = prepared.maps().collect();
    for (id, ..) in &maps {
        if view.subject_of_identity(id.0).is_none() || view.subject_of_endpoint(id.0).is_none() {
            return Err(format!("identity {id} is no subject"));
        }
    }
    let mut asked = 0;
    for question in table_questions(prepared).step_by(step) {
        let (_, policy, map) = maps
            .get(question.subject as usize)
            .ok_or("a question about no subject")?;
        answer_differs(prepared, &view, policy, map, &question)?;
        asked += 1;
    }
    Ok(asked)
}

fn answer_differs(
    prepared: &Prepared<'_>,
    view: &View<'_>,
    policy: &SubjectPolicy,
    map: &PolicyMap,
    question: &table::Question,
) -> Result<(), String> {
    let direction = match question.direction {
        table::Direction::Ingress => Direction::Ingress,
        table::Direction::Egress => Direction::Egress,
    };
    let peer = NumericIdentity(question.identity);
    let mut q = Question::new(direction, peer, question.protocol, question.port);
    q.untracked_fragment = question.untracked_fragment;
    q.icmp_code = Some(question.icmp_code);
    let expected = map.lookup(&q, prepared.config());
    let origin = view.origin(question).ok_or("no such subject")?;
    let answer = origin.answer;
    if view.verdict(question) != Some(answer) {
        return Err(format!("{question:?}: origins have another answer"));
    }
    let same = answer.code() == expected.code
        && answer.proxy_port() == expected.proxy_port
        && answer.auth_type() == expected.auth_type
        && answer.match_type() as u8 == expected.match_type as u8
        && answer.is_deny() == expected.entry.is_some_and(|(_, e)| e.is_deny());
    let winner = expected.entry.map(|(key, entry)| {
        let rules = policy.direction(direction).rules_of(&entry.origin);
        let rules = rules.map(|r| format!("{}{}", r.origin.id(), r.origin.path));
        (key, value_to_bytes(&key, entry), sorted(rules))
    });
    let found = origin.winner.map(|w| {
        let rules = w.rules().map(|r| format!("{}{}", r.object, r.path));
        (key_of(&w, direction), w.value, sorted(rules))
    });
    if !same || winner != found {
        return Err(format!(
            "{question:?}:\n{expected:?}\n{answer:?}\n{winner:?}\n{found:?}"
        ));
    }
    if answer.auth_donor().is_some() != origin.donor.is_some() {
        return Err(format!("{question:?}: the donor is lost"));
    }
    Ok(())
}

fn key_of(record: &OriginRecord<'_>, direction: Direction) -> Key {
    Key {
        direction,
        identity: NumericIdentity(record.identity),
        l4: L4Key {
            protocol: record.protocol,
            port: record.port,
            port_prefix: record.prefix_len.saturating_sub(8),
        },
    }
}

fn sorted(rules: impl Iterator<Item = String>) -> Vec<String> {
    let mut rules: Vec<String> = rules.collect();
    rules.sort();
    rules.dedup();
    rules
}
