//! Questions about sets, put to tables of generated scenarios, against asking
//! one flow after the other.

use netverdict::scenario::Scenario;
use netverdict_reference::generate::{Profile, generate};
use netverdict_table::{
    Answer, Direction, FieldChange, Plane, PolicyView, View, difference, protocols,
};
use std::collections::{BTreeMap, BTreeSet};

const SEEDS: u64 = 4;

fn image(scenario: &Scenario) -> Vec<u8> {
    scenario.prepare().compile().expect("a table")
}

/// Identities, unlisted ones of every aggregate among them.
fn identities(view: &View<'_>) -> Vec<u32> {
    let strangers = [50, 0xfffe, 0xff_1234, 0x1ff_fffe, 0x2ff_fffe];
    let listed: BTreeSet<u32> = view.identities().collect();
    assert!(strangers.iter().all(|s| !listed.contains(s)));
    listed.into_iter().chain(strangers).collect()
}

/// The name under which an unlisted identity goes: its aggregate.
fn aggregate(view: &View<'_>, identity: u32) -> u32 {
    let class = view.header().unlisted_class(identity);
    netverdict_table::layout::AGGREGATES[usize::from(class)]
}

/// Ports at which the class changes, by looking at each of them.
fn ports(policies: &[PolicyView<'_>], protocol: u8) -> Vec<u16> {
    if ![1, 6, 17, 58, 132].contains(&protocol) {
        return vec![0];
    }
    let rows = |port| -> Vec<u32> {
        let rows = policies.iter().map(|p| p.port_class(protocol, port));
        rows.collect()
    };
    let mut last = None;
    let mut ports = Vec::new();
    for port in 0..=u16::MAX {
        let rows = Some(rows(port));
        if rows != last {
            ports.push(port);
            last = rows;
        }
    }
    ports
}

#[test]
fn reach_is_what_flows_say_one_by_one() {
    let mut answers = 0;
    for seed in 0..SEEDS {
        let image = image(&generate(seed, Profile::Full));
        let view = View::new(&image).unwrap();
        let all: Vec<u32> = view.identities().collect();
        for (subject, direction) in
            (0..view.subjects()).flat_map(|s| Direction::BOTH.map(|d| (s, d)))
        {
            let policy = view.policy(subject, direction).unwrap();
            for planes in [&Plane::PASSING[..], &[Plane::Deny], &Plane::ALL] {
                let mut reached = BTreeSet::new();
                for reach in policy.reach(planes) {
                    for range in &reach.ports {
                        let within = ports(&[policy], range.protocol).into_iter();
                        for port in within.filter(|p| range.first <= *p && *p <= range.last) {
                            for identity in reach.peers.identities(&view) {
                                reached.insert((range.protocol, port, identity));
                            }
                        }
                    }
                    let same = policy.peers(reach.ports[0].protocol, reach.ports[0].first, planes);
                    assert_eq!(reach.peers, same);
                }
                let mut expected = BTreeSet::new();
                for protocol in protocols() {
                    for port in ports(&[policy], protocol) {
                        answers += 1;
                        for identity in &all {
                            let answer = policy.verdict(*identity, protocol, port);
                            if Plane::of(&answer).is_some_and(|p| planes.contains(&p)) {
                                expected.insert((protocol, port, *identity));
                            }
                        }
                    }
                }
                assert_eq!(reached, expected, "seed {seed}, {direction:?} of {subject}");
            }
        }
    }
    assert!(answers > 400, "only {answers}");
}

/// An answer that changes: what the verdict was and what it is, and which
/// fields change if it stays.
type Changed = (Option<Plane>, Option<Plane>, Vec<FieldChange>);

/// What changes between two answers, worked out in another way than the table
/// does: byte by byte.
fn changed(a: &Answer, b: &Answer) -> Changed {
    let planes = (Plane::of(a), Plane::of(b));
    let (x, y) = (a.to_bytes(), b.to_bytes());
    let mut fields = Vec::new();
    let differs =
        |range: std::ops::Range<usize>| planes.0 == planes.1 && x[range.clone()] != y[range];
    if differs(0..2) {
        fields.push(FieldChange::ProxyPort(a.proxy_port(), b.proxy_port()));
    }
    if differs(3..4) {
        fields.push(FieldChange::AuthType(x[3], y[3]));
    }
    if differs(7..8) {
        let donor = |byte| (byte != 255).then_some(byte);
        fields.push(FieldChange::AuthDonor(donor(x[7]), donor(y[7])));
    }
    if differs(8..12) {
        fields.push(FieldChange::Cookie(a.cookie(), b.cookie()));
    }
    if differs(6..7) {
        fields.push(FieldChange::MatchType(a.match_type(), b.match_type()));
    }
    (planes.0, planes.1, fields)
}

#[test]
fn differences_are_what_flows_say_one_by_one() {
    let (mut answers, mut opened, mut closed, mut fields) = (0, 0, 0, 0);
    for seed in 0..SEEDS {
        let before = generate(seed, Profile::Full);
        let mut after = before.clone();
        // The first policy goes.
        after.policies.remove(0);
        let images = [image(&before), image(&after)];
        let [a, b] = [0, 1].map(|i| View::new(&images[i]).unwrap());
        assert!(difference(&a, &a).is_empty());
        let difference = difference(&a, &b);
        let mut found: BTreeMap<_, Changed> = BTreeMap::new();
        for subject in &difference.changed {
            for change in subject.changes.iter() {
                opened += u32::from(change.opens());
                closed += u32::from(change.closes());
                fields += u32::from(change.before == change.after);
                assert_eq!(change.fields.is_empty(), change.before != change.after);
                let peers = change.peers.listed.iter().map(|id| (*id, true));
                let others = change.peers.unlisted.iter().map(|id| (*id, false));
                for (peer, listed) in peers.chain(others) {
                    for r in &change.ports {
                        for port in [r.first, r.last] {
                            let key = (subject.before, subject.direction, r.protocol, port);
                            let both = (change.before, change.after, change.fields.clone());
                            found.insert((key, peer, listed), both);
                        }
                    }
                }
            }
        }
        let mut expected = BTreeMap::new();
        let everybody: BTreeSet<u32> = identities(&a).into_iter().chain(identities(&b)).collect();
        let listed: BTreeSet<u32> = a.identities().chain(b.identities()).collect();
        for (identity, x) in a.subject_identities() {
            let Some(y) = b.subject_of_identity(identity) else {
                assert!(difference.removed.contains(&x));
                continue;
            };
            for direction in Direction::BOTH {
                let policies = [a.policy(x, direction), b.policy(y, direction)].map(Option::unwrap);
                for protocol in protocols() {
                    for port in ports(&policies, protocol) {
                        for id in &everybody {
                            let [p, q] = policies.map(|policy| policy.verdict(*id, protocol, port));
                            if p == q {
                                continue;
                            }
                            let known = listed.contains(id);
                            let name = if known { *id } else { aggregate(&a, *id) };
                            let key = (x, direction, protocol, port);
                            expected.insert((key, name, known), changed(&p, &q));
                        }
                    }
                }
            }
        }
        answers += expected.len();
        for (key, both) in &expected {
            let told = difference.changed.iter().any(|s| {
                let ((subject, direction, protocol, port), peer, listed) = *key;
                s.before == subject
                    && s.direction == direction
                    && s.changes.iter().any(|c| {
                        let peers = if listed {
                            &c.peers.listed
                        } else {
                            &c.peers.unlisted
                        };
                        let at = |r: &netverdict_table::PortRange| {
                            r.protocol == protocol && r.first <= port && port <= r.last
                        };
                        (c.before, c.after, c.fields.clone()) == *both
                            && peers.contains(&peer)
                            && c.ports.iter().any(at)
                    })
            });
            assert!(told, "seed {seed}: {key:?} {both:?} is not told");
        }
        for (((subject, direction, protocol, port), peer, listed), both) in &found {
            if !listed {
                continue;
            }
            let x = a.policy(*subject, *direction).unwrap();
            let pairs: BTreeMap<u32, u32> = a.subject_identities().map(|(i, s)| (s, i)).collect();
            let y = b.subject_of_identity(pairs[subject]).unwrap();
            let y = b.policy(y, *direction).unwrap();
            let [p, q] = [x, y].map(|v| v.verdict(*peer, *protocol, *port));
            assert_eq!(changed(&p, &q), *both, "seed {seed}");
        }
    }
    assert!(
        answers > 100 && opened > 0 && closed > 0 && fields > 0,
        "{answers} {opened} {closed} {fields}"
    );
}
