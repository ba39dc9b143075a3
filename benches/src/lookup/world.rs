//! Subjects to ask about: tables, the policy maps they come from, and
//! questions.
//!
//! In: which workload. Out: a [`World`].

use super::Ask;
use super::maps::{self, Entries};
use crate::one::{self, Loaded, Shape};
use crate::random::{Random, Zipf};
use crate::{cluster, compile};
use netverdict::cluster::Cluster;
use netverdict::compile::{Compiler, Subject};
use netverdict::config::Config;
use netverdict::policy_map::{PolicyMap, StandInProxyPorts};
use netverdict::rule::Direction;
use netverdict_table::View;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// A few subjects.
#[derive(Debug)]
pub struct World {
    /// What they are.
    pub name: String,
    /// Their table.
    pub image: Vec<u8>,
    /// Distinct policies.
    pub maps: Vec<PolicyMap>,
    /// Which of these each subject has.
    pub of: Vec<u32>,
    /// The agent's options.
    pub config: Config,
}

/// How questions are spread over subjects and identities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// All alike.
    Uniform,
    /// Some more than others: number `i` in proportion to `1 / i`.
    Zipf,
}

impl World {
    /// One endpoint that so many policies select.
    #[must_use]
    pub fn one(policies: usize, identities: usize) -> Self {
        let loaded = Loaded::new(&one::scenario(Shape::Dense, policies, identities));
        let mut repository = loaded.repository();
        one::file(&mut repository, loaded.policies.clone());
        let subject = compile::subject(&loaded, &repository);
        Self {
            name: format!("1 subject, {policies} policies, {identities} identities"),
            image: compile::table(&repository, std::slice::from_ref(&subject)),
            maps: vec![compile::policy_map(&repository, &subject)],
            of: vec![0],
            config: loaded.config,
        }
    }

    /// So many pods of a cluster, as a node has them in a table of its own.
    ///
    /// # Panics
    /// When the policies do not fit into a table, which those of the workload
    /// do.
    #[must_use]
    pub fn of_cluster(cluster: &Cluster, subjects: usize) -> Self {
        let all = cluster.compile(None).expect("it fits").subjects;
        let subjects = subjects.min(all.len());
        let chosen: Vec<_> = (0..subjects)
            .map(|i| &all[i * all.len() / subjects])
            .collect();
        let inputs: Vec<Subject> = chosen
            .iter()
            .map(|s| Subject {
                identity: s.identity,
                endpoints: s.endpoint_numbers.clone(),
                policy: Arc::clone(&s.policy),
                named_ports: Vec::new(),
                proxy_ports: None,
            })
            .collect();
        let compiler = Compiler {
            selectors: cluster.repository().selectors(),
            named_ports: cluster.named_ports(),
            revision: 1,
            places: None,
        };
        let mut known: HashMap<usize, u32> = HashMap::new();
        let mut maps = Vec::new();
        let of = chosen.iter().map(|s| {
            *known
                .entry(Arc::as_ptr(&s.policy) as usize)
                .or_insert_with(|| {
                    maps.push(PolicyMap::new(
                        &s.policy,
                        cluster.repository().selectors(),
                        &|_, _| None,
                        cluster.named_ports(),
                        &mut StandInProxyPorts::default(),
                    ));
                    u32::try_from(maps.len() - 1).expect("few policies")
                })
        });
        let of = of.collect();
        let identities = cluster.identities().iter().count();
        Self {
            name: format!("{subjects} subjects, {identities} identities"),
            image: compiler.compile(&inputs).expect("it fits"),
            maps,
            of,
            config: cluster.config().clone(),
        }
    }

    /// The cluster of 10,000 pods.
    #[must_use]
    pub fn cluster() -> Cluster {
        compile::cluster(cluster::objects(cluster::Size::TEN_THOUSAND))
    }

    /// Its table.
    ///
    /// # Panics
    /// Never: the compiler's images are sound.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View::new(&self.image).expect("a sound image")
    }

    /// The entries of its policy maps.
    #[must_use]
    pub fn entries(&self) -> Vec<Entries> {
        self.maps
            .iter()
            .map(|map| maps::entries(map.entries()))
            .collect()
    }

    /// Questions about its subjects. Three of four ports are named by some
    /// policy; every identity exists.
    #[must_use]
    pub fn asks(&self, count: usize, spread: Spread, directions: &[Direction]) -> Vec<Ask> {
        let ports: BTreeSet<(u8, u16)> = self
            .maps
            .iter()
            .take(200)
            .flat_map(PolicyMap::entries)
            .map(|(key, _)| (key.l4.protocol, key.l4.port))
            .filter(|(protocol, _)| *protocol != 0)
            .collect();
        let ports: Vec<(u8, u16)> = ports.into_iter().collect();
        let identities: Vec<u32> = self.view().identities().collect();
        let exponent = match spread {
            Spread::Uniform => 0.0,
            Spread::Zipf => 1.0,
        };
        let subjects = Zipf::new(self.of.len(), exponent);
        let peers = Zipf::new(identities.len(), exponent);
        let mut random = Random(11);
        // So that the frequent ones are not neighbours.
        let mixed = |i: usize, n: usize| i.wrapping_mul(0x9e37_79b1) % n.max(1);
        (0..count)
            .map(|_| {
                let subject = mixed(subjects.pick(&mut random), self.of.len());
                let peer = mixed(peers.pick(&mut random), identities.len());
                let (protocol, port) = match random.below(4) {
                    0 => (6, random.bits() as u16),
                    _ => *random.of(&ports),
                };
                Ask {
                    subject: u32::try_from(subject).expect("few subjects"),
                    identity: identities[peer],
                    port,
                    protocol,
                    egress: *random.of(directions) == Direction::Egress,
                }
            })
            .collect()
    }
}
