//! The subjects of a published table.
//!
//! In: what a cluster's last update changed. Out: which subjects come, change
//! and go. Only those are looked at that have other endpoints, or that a rule
//! selects which came or went.

use super::{Cluster, Endpoint};
use crate::compile::SubjectChange;
use crate::identity::{NumericIdentity, PodPorts};
use crate::label::LabelSet;
use crate::resolve::{Applying, ResolveError, SubjectPolicy};
use crate::rule::Rule;
use ahash::AHashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Endpoints share a subject when they share these.
pub(super) type SubjectKey = (NumericIdentity, PodPorts);

/// `namespace/name`, and kind.
type Name = (String, &'static str);

/// A subject: of whom it is, and as what it was published.
#[derive(Debug, Default)]
struct Known {
    /// Its number; `None` without a policy, because rules contradict each other.
    number: Option<u32>,
    policy: Option<Arc<SubjectPolicy>>,
    endpoints: Vec<u32>,
    /// In order; the host comes first.
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    number: u32,
    /// `None` is the host.
    endpoint: Option<Arc<Endpoint>>,
}

impl Member {
    fn place(&self) -> Option<(&str, &str, &str)> {
        self.endpoint.as_ref().map(|e| e.place())
    }
}

/// A subject as it is to be.
pub(super) struct Wanted<'a> {
    pub(super) key: &'a SubjectKey,
    pub(super) policy: &'a Arc<SubjectPolicy>,
    pub(super) endpoints: &'a [u32],
}

/// What is to be done to a table.
#[derive(Debug, Default)]
pub(super) struct Roll {
    pub(super) changes: Vec<SubjectChange>,
    /// Who the added ones are, in order.
    added: Vec<SubjectKey>,
}

/// All subjects.
#[derive(Debug, Default)]
pub(super) struct Roster {
    subjects: BTreeMap<SubjectKey, Known>,
    /// Numbers of endpoints.
    numbers: BTreeMap<Name, u32>,
    /// Numbers that no endpoint has, up to the highest one had.
    free: BTreeSet<u32>,
    highest: u32,
    policies: AHashMap<Applying, Result<Arc<SubjectPolicy>, ResolveError>>,
}

/// So many policies in no use are kept in any case.
const SPARE_POLICIES: usize = 64;

impl Roster {
    /// The number, identity and endpoints of every subject.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, NumericIdentity, &[u32])> {
        let subjects = self.subjects.iter();
        subjects.filter_map(|((id, _), known)| Some((known.number?, *id, &*known.endpoints)))
    }

    /// The number of an endpoint.
    pub(super) fn endpoint_number(&self, name: &str, kind: &'static str) -> Option<u32> {
        self.numbers.get(&(name.to_owned(), kind)).copied()
    }

    /// Begins anew; endpoints keep their numbers.
    pub(super) fn clear(&mut self) {
        self.subjects.clear();
        self.policies.clear();
    }

    /// Follows a cluster. `anew`: from nothing; `every` subject changes.
    /// `wanted` makes a subject.
    pub(super) fn follow(
        &mut self,
        cluster: &Cluster,
        anew: bool,
        every: bool,
        make: impl Fn(&Wanted<'_>) -> crate::compile::Subject,
    ) -> Roll {
        let mut dirty = self.members(cluster, anew);
        self.selected(cluster, &cluster.moved.rules, &mut dirty);
        if every {
            dirty.extend(self.subjects.keys().cloned());
        }
        let mut roll = Roll::default();
        let mut gone = Vec::new();
        for key in dirty {
            let policy = self.policy(cluster, &key);
            let Some(known) = self.subjects.get_mut(&key) else {
                continue;
            };
            let Some(policy) = policy else {
                // Rules that contradict each other: no subject, and a datapath
                // drops.
                gone.extend(known.number.take());
                known.policy = None;
                if known.members.is_empty() {
                    self.subjects.remove(&key);
                }
                continue;
            };
            let endpoints: Vec<u32> = known.members.iter().map(|m| m.number).collect();
            let same = known
                .policy
                .as_ref()
                .is_some_and(|p| Arc::ptr_eq(p, &policy));
            if known.number.is_some() && same && known.endpoints == endpoints && !every {
                continue;
            }
            let subject = make(&Wanted {
                key: &key,
                policy: &policy,
                endpoints: &endpoints,
            });
            known.policy = Some(policy);
            known.endpoints = endpoints;
            match known.number {
                Some(number) => roll.changes.push(SubjectChange::Replace(number, subject)),
                None => {
                    roll.changes.push(SubjectChange::Add(subject));
                    roll.added.push(key);
                }
            }
        }
        // Last, so that an endpoint that goes from one subject to another is
        // never without.
        let gone = gone.into_iter().map(SubjectChange::Remove);
        roll.changes.extend(gone);
        self.forget_policies();
        roll
    }

    /// Subjects got their numbers, in the order of the roll.
    pub(super) fn added(&mut self, roll: Vec<SubjectKey>, numbers: &[u32]) {
        for (key, number) in roll.iter().zip(numbers) {
            if let Some(known) = self.subjects.get_mut(key) {
                known.number = Some(*number);
            }
        }
    }

    /// Endpoints go and come; returns whose subjects they are.
    fn members(&mut self, cluster: &Cluster, anew: bool) -> BTreeSet<SubjectKey> {
        let mut dirty = BTreeSet::new();
        // Numbers of those that may come back.
        let mut left: BTreeMap<Name, u32> = BTreeMap::new();
        let moved = &cluster.moved;
        if anew {
            left = std::mem::take(&mut self.numbers);
        }
        let gone = moved.gone.iter().filter(|e| !anew && !e.host_network);
        for endpoint in gone {
            let key = key(endpoint);
            if let Some(known) = self.subjects.get_mut(&key) {
                known
                    .members
                    .retain(|m| m.place() != Some(endpoint.place()));
            }
            dirty.insert(key);
            let name = (endpoint.to_string(), endpoint.kind);
            left.extend(self.numbers.remove_entry(&name));
        }
        if cluster.config.host_firewall {
            let key = (NumericIdentity::HOST, PodPorts::new());
            let known = self.subjects.entry(key.clone()).or_default();
            if known.members.first().is_none_or(|m| m.endpoint.is_some()) {
                let host = Member {
                    number: 0,
                    endpoint: None,
                };
                known.members.insert(0, host);
            }
            dirty.insert(key);
        }
        let come = if anew {
            &cluster.endpoints
        } else {
            &moved.come
        };
        for endpoint in come.iter().filter(|e| !e.host_network) {
            let name = (endpoint.to_string(), endpoint.kind);
            let number = left.remove(&name).unwrap_or_else(|| self.draw());
            self.numbers.insert(name, number);
            let key = key(endpoint);
            let known = self.subjects.entry(key.clone()).or_default();
            let member = Member {
                number,
                endpoint: Some(Arc::clone(endpoint)),
            };
            let place = known
                .members
                .partition_point(|m| m.place() < member.place());
            known.members.insert(place, member);
            dirty.insert(key);
        }
        self.free.extend(left.into_values());
        dirty
    }

    /// The lowest number that no endpoint has.
    fn draw(&mut self) -> u32 {
        self.free.pop_first().unwrap_or_else(|| {
            self.highest = self.highest.saturating_add(1);
            self.highest
        })
    }

    /// Adds the subjects that some of the rules select.
    fn selected(&self, cluster: &Cluster, rules: &[Arc<Rule>], dirty: &mut BTreeSet<SubjectKey>) {
        // Rules of an object mostly share their subject.
        let mut subjects: Vec<&Rule> = Vec::new();
        for rule in rules.iter().filter(|r| !r.selects_nodes) {
            let alike =
                |r: &&Rule| Arc::ptr_eq(&r.subject, &rule.subject) && r.namespace == rule.namespace;
            if !subjects.iter().any(alike) {
                subjects.push(rule);
            }
        }
        if subjects.is_empty() {
            return;
        }
        for (key, known) in &self.subjects {
            let first = known.members.first().and_then(|m| m.endpoint.as_ref());
            let Some(endpoint) = first else { continue };
            let namespace = endpoint.labels.namespace();
            let selects = |rule: &&Rule| {
                (rule.namespace.is_empty() || namespace == Some(&*rule.namespace))
                    && rule.subject.matches(&endpoint.labels, &cluster.config)
            };
            if subjects.iter().any(selects) {
                dirty.insert(key.clone());
            }
        }
    }

    /// The policy of a subject, if it has one. Rules that did not change keep
    /// their policy.
    fn policy(&mut self, cluster: &Cluster, key: &SubjectKey) -> Option<Arc<SubjectPolicy>> {
        let member = self.subjects.get(key)?.members.first()?;
        let host: LabelSet;
        let labels = match &member.endpoint {
            Some(endpoint) => &endpoint.labels,
            None => {
                host = cluster.cache.host_labels();
                &host
            }
        };
        let repository = &cluster.repository;
        let applying = repository.applying(key.0, labels);
        let known = self.policies.get(&applying).cloned();
        let policy = known.unwrap_or_else(|| {
            let resolved = repository.resolve_applying(key.0, applying.clone());
            let resolved = resolved.map(Arc::new);
            self.policies.insert(applying, resolved.clone());
            resolved
        });
        policy.ok()
    }

    /// Forgets policies that no subject has, once they are many.
    fn forget_policies(&mut self) {
        if self.policies.len() > 2 * self.subjects.len() + SPARE_POLICIES {
            let used = |p: &Result<Arc<SubjectPolicy>, _>| {
                p.as_ref().is_ok_and(|p| Arc::strong_count(p) > 1)
            };
            self.policies.retain(|_, policy| used(policy));
        }
    }
}

impl Roll {
    /// What is to be done, and who the added ones are.
    pub(super) fn into_parts(self) -> (Vec<SubjectChange>, Vec<SubjectKey>) {
        (self.changes, self.added)
    }
}

fn key(endpoint: &Endpoint) -> SubjectKey {
    (endpoint.identity, endpoint.named_ports.clone())
}
