//! Verdict tables against the policy maps they are compiled from, in every
//! field, on generated scenarios.

use netverdict::identity::NumericIdentity;
use netverdict::policy_map::{Key, L4Key, PolicyMap, Question, value_to_bytes};
use netverdict::rule::Direction;
use netverdict::scenario::Prepared;
use netverdict_reference::generate::{Profile, generate};
use netverdict_table as table;
use netverdict_table::View;
use std::collections::BTreeSet;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// Identities worth asking about: all there are, the aggregates, and some that
/// nobody has heard of, in every scope.
fn identities(prepared: &Prepared<'_>) -> Vec<u32> {
    let known = prepared.identities().iter().map(|(id, _)| id.0);
    let unheard = [
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
        0xff00_0007,
        u32::MAX,
    ];
    let all: BTreeSet<u32> = known.chain(unheard).collect();
    all.into_iter().collect()
}

/// Every port at which some entry begins or ends, and its neighbours.
fn ports(map: &PolicyMap, direction: Direction) -> Vec<u16> {
    let mut ports = BTreeSet::from([0, 1, 80, 443, u16::MAX]);
    for (_, l4, _) in map.direction(direction).iter() {
        for edge in [l4.port, l4.last_port()] {
            ports.extend([edge, edge.saturating_sub(1), edge.saturating_add(1)]);
        }
    }
    ports.into_iter().collect()
}

const PROTOCOLS: [u8; 14] = [0, 1, 2, 4, 6, 17, 41, 47, 50, 51, 58, 112, 132, 253];

fn check(prepared: &Prepared<'_>) -> Result<u64, String> {
    let image = prepared
        .compile()
        .map_err(|(i, e)| format!("subject {i}: {e}"))?;
    let view = View::new(&image).map_err(|e| e.to_string())?;
    let ids = identities(prepared);
    let mut asked = 0;
    for (subject, (id, policy, map)) in (0u32..).zip(prepared.maps()) {
        if view.subject_of_identity(id.0).is_none() || view.subject_of_endpoint(id.0).is_none() {
            return Err(format!("identity {id} is no subject"));
        }
        for (direction, side) in [
            (Direction::Ingress, table::Direction::Ingress),
            (Direction::Egress, table::Direction::Egress),
        ] {
            let ports = ports(map, direction);
            for peer in &ids {
                for protocol in PROTOCOLS {
                    for port in &ports {
                        for fragment in [false, true] {
                            if fragment && *port != 80 {
                                continue;
                            }
                            asked += 1;
                            let mut q =
                                Question::new(direction, NumericIdentity(*peer), protocol, *port);
                            q.untracked_fragment = fragment;
                            let expected = map.lookup(&q, prepared.config());
                            let mut t = table::Question::new(subject, side, *peer, protocol, *port);
                            t.untracked_fragment = fragment;
                            let origin = view.origin(&t).ok_or("no such subject")?;
                            let a = origin.answer;
                            let same = a.code() == expected.code
                                && a.proxy_port() == expected.proxy_port
                                && a.auth_type() == expected.auth_type
                                && a.match_type() as u8 == expected.match_type as u8
                                && a.is_deny() == expected.entry.is_some_and(|(_, e)| e.is_deny());
                            let winner = expected.entry.map(|(key, entry)| {
                                let mut rules: Vec<String> = policy
                                    .direction(direction)
                                    .rules_of(&entry.origin)
                                    .map(|r| format!("{}{}", r.origin.id(), r.origin.path))
                                    .collect();
                                rules.sort();
                                rules.dedup();
                                (key, value_to_bytes(&key, entry), rules)
                            });
                            let found = origin.winner.map(|w| {
                                let l4 = L4Key {
                                    protocol: w.protocol,
                                    port: w.port,
                                    port_prefix: w.prefix_len.saturating_sub(8),
                                };
                                let key = Key {
                                    direction,
                                    identity: NumericIdentity(w.identity),
                                    l4,
                                };
                                let mut rules: Vec<String> = w
                                    .rules()
                                    .map(|r| format!("{}{}", r.object, r.path))
                                    .collect();
                                rules.sort();
                                rules.dedup();
                                (key, w.value, rules)
                            });
                            if !same || winner != found {
                                return Err(format!(
                                    "{direction} of {id}, peer {peer}, protocol {protocol}, port {port}, \
                                     fragment {fragment}:\n{expected:?}\n{a:?}\n{winner:?}\n{found:?}",
                                ));
                            }
                            let donated = a.auth_donor().is_some();
                            if donated != origin.donor.is_some() {
                                return Err(format!("donor of {q:?} is lost"));
                            }
                        }
                    }
                }
            }
        }
    }
    Ok(asked)
}

fn tables_agree(profile: Profile) {
    let first = number("NETVERDICT_SEED", 0);
    let mut asked = 0;
    for seed in first..first + number("NETVERDICT_CASES", 12) {
        let scenario = generate(seed, profile);
        let prepared = scenario.prepare();
        match check(&prepared) {
            Ok(n) => asked += n,
            Err(error) => panic!(
                "{}\n{:?}\n{}\n{error}",
                scenario.name,
                scenario.config,
                scenario.policies.join("---\n")
            ),
        }
        assert_eq!(
            prepared.compile().unwrap(),
            scenario.prepare().compile().unwrap(),
            "the same input gives the same bytes"
        );
    }
    assert!(asked > 20_000, "only {asked} questions were asked");
}

#[test]
fn tables_agree_with_maps_on_simple_scenarios() {
    tables_agree(Profile::Simple);
}

#[test]
fn tables_agree_with_maps_on_full_scenarios() {
    tables_agree(Profile::Full);
}
