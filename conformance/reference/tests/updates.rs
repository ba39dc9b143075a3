//! Tables that are kept up to date, against tables compiled anew.
//!
//! A world of random policies and identities changes step by step. After each
//! step the published image, the policy maps to which the changes were
//! applied, and a map and a table made from nothing have to say the same.

use netverdict::compile::{
    Compiler, IdentityChange, MapChange, Publisher, Subject, SubjectChange, Update,
};
use netverdict::config::Config;
use netverdict::identity::{IdentityTable, NumericIdentity};
use netverdict::label::{Label, LabelSet};
use netverdict::object::Object;
use netverdict::object::load::{LoadOptions, Outcome, load};
use netverdict::policy_map::{
    Key, NamedPorts, PolicyMap, Question, StandInProxyPorts, value_to_bytes,
};
use netverdict::resolve::Repository;
use netverdict::rule::{
    Direction, Rule, Translator, cilium_resource, cluster_policy_resource, network_policy_resource,
};
use netverdict::source::SourceId;
use netverdict_reference::generate::{Profile, generate};
use netverdict_table::{self as table, Live, View, Write};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Numbers that look random and are the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n.max(1)
    }
}

/// Rules of one policy, by the name they are filed under.
type Policy = (Arc<str>, Vec<Rule>);

struct World {
    repository: Repository,
    ports: NamedPorts,
    policies: Vec<Policy>,
    labels: Vec<LabelSet>,
    /// Subjects by number.
    subjects: BTreeMap<u32, NumericIdentity>,
    /// The maps that updates were applied to.
    maps: BTreeMap<u32, BTreeMap<Key, [u8; 12]>>,
}

const NAMES: [&str; 3] = ["http", "dns", "metrics"];

impl World {
    fn new(seed: u64) -> Self {
        let mut policies = Vec::new();
        let mut labels = Vec::new();
        let mut config = Config::default();
        for s in 0..3 {
            let scenario = generate(seed * 3 + s, Profile::Full);
            if s == 0 {
                config = Config::from(&scenario.config);
            }
            let translator = Translator::new(&config);
            for text in &scenario.policies {
                for document in load(SourceId(0), text, &LoadOptions::new(&config)).documents {
                    let Outcome::Accepted(object) = document.outcome else {
                        continue;
                    };
                    policies.extend(match &*object {
                        Object::CiliumPolicy(p) => {
                            Some((cilium_resource(p), translator.cilium_policy(p)))
                        }
                        Object::NetworkPolicy(p) => {
                            Some((network_policy_resource(p), translator.network_policy(p)))
                        }
                        Object::ClusterNetworkPolicy(p) => Some((
                            cluster_policy_resource(p),
                            translator.cluster_network_policy(p),
                        )),
                        _ => None,
                    });
                }
            }
            labels.extend(scenario.identities.iter().map(|i| -> LabelSet {
                i.labels
                    .iter()
                    .map(|(k, v)| Label::parse(&format!("{k}={v}")))
                    .collect()
            }));
        }
        let mut repository = Repository::new(config.clone(), IdentityTable::new(&config));
        for (name, rules) in &policies {
            repository.replace(name, rules.clone());
        }
        for (id, labels) in (1000..).zip(&labels) {
            repository.add_identity(NumericIdentity(id), labels.clone());
        }
        Self {
            repository,
            ports: NamedPorts::new(),
            policies,
            labels,
            subjects: BTreeMap::new(),
            maps: BTreeMap::new(),
        }
    }

    fn compiler(&self) -> Compiler<'_> {
        Compiler {
            selectors: self.repository.selectors(),
            named_ports: &self.ports,
            revision: self.repository.revision(),
            places: None,
        }
    }

    /// The subject of an identity as it is now; `None` when rules contradict
    /// each other.
    fn subject(&self, id: NumericIdentity) -> Option<Subject> {
        let labels = self.repository.selectors().identities().get(id)?;
        let policy = self.repository.resolve(id, labels).ok()?;
        Some(Subject {
            identity: id,
            endpoints: vec![id.0],
            policy: Arc::new(policy),
            named_ports: vec![("http".into(), 6, 8080), ("dns".into(), 17, 53)],
            proxy_ports: None,
        })
    }

    fn fresh_map(&self, id: NumericIdentity) -> PolicyMap {
        let subject = self.subject(id).unwrap();
        let own = |name: &Arc<str>, protocol: u8| match (&**name, protocol) {
            ("http", 6) => Some(8080),
            ("dns", 17) => Some(53),
            _ => None,
        };
        PolicyMap::new(
            &subject.policy,
            self.repository.selectors(),
            &own,
            &self.ports,
            &mut StandInProxyPorts::default(),
        )
    }

    fn apply(&mut self, update: &Update) {
        for changed in &update.maps {
            for subject in &changed.subjects {
                let map = self.maps.entry(*subject).or_default();
                for change in &changed.changes {
                    match *change {
                        MapChange::Add(key, value) => {
                            assert!(map.insert(key, value).is_none(), "{key} was there");
                        }
                        MapChange::Update(key, value) => {
                            assert!(map.insert(key, value).is_some(), "{key} was not there");
                        }
                        MapChange::Delete(key) => {
                            assert!(map.remove(&key).is_some(), "{key} was not there");
                        }
                    }
                }
            }
        }
    }

    /// Everything agrees with what is made from nothing.
    fn check(&self, publisher: &Publisher, published: &[u8]) {
        assert_eq!(publisher.image(), published, "the writes make the image");
        let view = View::new(published).unwrap();
        let config = self.repository.config();
        let known = self.repository.selectors().identities().iter();
        let mut ids: Vec<u32> = known.map(|(id, _)| id.0).collect();
        ids.extend([0, 99, 4000, 0x2_0001, 0x100_0777, 0x200_0777, 0x300_0001]);
        for (number, id) in &self.subjects {
            let map = self.fresh_map(*id);
            let expected: BTreeMap<Key, [u8; 12]> = map
                .entries()
                .into_iter()
                .filter(|(_, e)| !e.invalid)
                .map(|(key, entry)| (key, value_to_bytes(&key, entry)))
                .collect();
            let kept: BTreeMap<Key, [u8; 12]> = publisher.entries(*number).into_iter().collect();
            assert_eq!(kept, expected, "entries of subject {number}");
            let empty = BTreeMap::new();
            let changed = self.maps.get(number).unwrap_or(&empty);
            assert_eq!(*changed, expected, "changes of subject {number}");
            assert_eq!(view.subject_of_endpoint(id.0), Some(*number));
            for (direction, side) in [
                (Direction::Ingress, table::Direction::Ingress),
                (Direction::Egress, table::Direction::Egress),
            ] {
                for peer in &ids {
                    for (protocol, port) in [
                        (6, 80),
                        (6, 443),
                        (6, 8080),
                        (6, 8085),
                        (17, 53),
                        (1, 8),
                        (132, 5),
                        (47, 0),
                    ] {
                        let q = Question::new(direction, NumericIdentity(*peer), protocol, port);
                        let expected = map.lookup(&q, config);
                        let q = table::Question::new(*number, side, *peer, protocol, port);
                        let found = view.verdict(&q).unwrap();
                        assert_eq!(
                            (found.code(), found.proxy_port(), found.auth_type()),
                            (expected.code, expected.proxy_port, expected.auth_type),
                            "{q:?}"
                        );
                        assert_eq!(
                            found.match_type() as u8,
                            expected.match_type as u8,
                            "{q:?} {expected:?} {}",
                            view.policy(*number, side).unwrap().peer_class(*peer)
                        );
                    }
                }
            }
        }
    }

    /// One random change; what the publisher has to be told.
    fn change(&mut self, dice: &mut Dice) -> (Vec<IdentityChange>, Vec<SubjectChange>) {
        if self.subjects.len() < 3
            && let Some(subject) = self.subject(NumericIdentity(1000 + dice.below(20) as u32))
            && !self.subjects.values().any(|s| *s == subject.identity)
        {
            return (Vec::new(), vec![SubjectChange::Add(subject)]);
        }
        let id = NumericIdentity(match dice.below(8) {
            0 => 0x100_0000 + dice.below(300) as u32,
            1 => 0x200_0000 + dice.below(10) as u32,
            2 => 0x7_0000 + dice.below(10) as u32,
            3 => 1000 + dice.below(3000) as u32,
            _ => 1000 + dice.below(30) as u32,
        });
        match dice.below(10) {
            0..=4 => {
                let labels = self.labels[dice.below(self.labels.len())].clone();
                let selectors = self.repository.add_identity(id, labels);
                let mut changes = vec![IdentityChange {
                    identity: id,
                    selectors,
                    ports: false,
                }];
                if dice.below(3) == 0 {
                    let name = NAMES[dice.below(NAMES.len())];
                    let port = [80, 53, 8080, 9090][dice.below(4)];
                    self.ports.insert(id, name, [6, 17][dice.below(2)], port);
                    changes[0].ports = true;
                }
                let subjects = self.subjects_of(id);
                (changes, subjects)
            }
            5 => {
                if self.subjects.values().any(|s| *s == id) {
                    return (Vec::new(), Vec::new());
                }
                let selectors = self.repository.remove_identity(id);
                let change = IdentityChange {
                    identity: id,
                    selectors,
                    ports: false,
                };
                (vec![change], Vec::new())
            }
            6 | 7 if !self.policies.is_empty() => {
                let (name, rules) = &self.policies[dice.below(self.policies.len())];
                let name = Arc::clone(name);
                if dice.below(3) == 0 {
                    self.repository.remove(&name);
                } else {
                    let rules = rules.clone();
                    self.repository.replace(&name, rules);
                }
                let ids: Vec<NumericIdentity> = self.subjects.values().copied().collect();
                let subjects = ids.into_iter().flat_map(|id| self.subjects_of(id));
                (Vec::new(), subjects.collect())
            }
            8 => {
                let known = self.subjects.values().any(|s| *s == id);
                match self.subject(id) {
                    Some(subject) if !known => (Vec::new(), vec![SubjectChange::Add(subject)]),
                    _ => (Vec::new(), Vec::new()),
                }
            }
            _ => {
                let Some(number) = self.subjects.keys().nth(dice.below(self.subjects.len())) else {
                    return (Vec::new(), Vec::new());
                };
                (Vec::new(), vec![SubjectChange::Remove(*number)])
            }
        }
    }

    /// What has to be said of the subjects of an identity.
    fn subjects_of(&self, id: NumericIdentity) -> Vec<SubjectChange> {
        let of = self.subjects.iter().filter(|(_, i)| **i == id);
        of.map(|(number, _)| match self.subject(id) {
            Some(subject) => SubjectChange::Replace(*number, subject),
            None => SubjectChange::Remove(*number),
        })
        .collect()
    }
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

#[test]
fn any_sequence_of_updates_equals_a_fresh_compile() {
    let mut replaced = 0;
    let mut moved = 0;
    for seed in 0..number("NETVERDICT_CASES", 3) {
        let mut world = World::new(seed);
        let mut dice = Dice(seed * 7919 + 1);
        let mut publisher = Publisher::new(&world.compiler(), Vec::new()).unwrap();
        let mut image = publisher.image().to_vec();
        let mut live = Live::new(&image).unwrap();
        let mut reader = live.reader();
        for step in 0..120 {
            let (identities, subjects) = world.change(&mut dice);
            let added: Vec<NumericIdentity> = subjects
                .iter()
                .filter_map(|s| match s {
                    SubjectChange::Add(s) => Some(s.identity),
                    _ => None,
                })
                .collect();
            for s in &subjects {
                if let SubjectChange::Remove(number) = s {
                    world.subjects.remove(number);
                }
            }
            let update = publisher
                .update(&world.compiler(), &identities, subjects)
                .unwrap();
            for (number, id) in update.added.iter().zip(added) {
                world.subjects.insert(*number, id);
            }
            for write in &update.writes {
                write.apply(&mut image);
                live.write(write).unwrap();
                match write {
                    Write::Replace { .. } => replaced += 1,
                    Write::Word16 { .. } => moved += 1,
                    _ => {}
                }
            }
            reader.renew();
            if step % 7 == 0 {
                publisher.end_grace_period();
            }
            world.apply(&update);
            world.check(&publisher, &image);
            let view = View::new(&image).unwrap();
            for (number, id) in &world.subjects {
                for peer in [1000, 1005, id.0, 0x100_0001, 2] {
                    let q = table::Question::new(*number, table::Direction::Ingress, peer, 6, 80);
                    assert_eq!(reader.verdict(&q), view.verdict(&q));
                }
            }
        }
    }
    assert!(moved > 20, "identities moved {moved} times only");
    assert!(replaced > 0, "no image was ever replaced");
}
