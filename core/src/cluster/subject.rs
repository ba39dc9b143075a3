//! Whom policies select.
//!
//! In: endpoints. Out: for a rule, the label sets of the endpoints it selects,
//! found through an index: many policies times many pods are too many to test
//! one by one.

use super::Endpoint;
use crate::config::Config;
use crate::identity::{IdentityTable, NumericIdentity};
use crate::label::LabelSet;
use crate::rule::Rule;
use crate::selector::SelectorIndex;
use ahash::AHashMap;
use roaring::RoaringBitmap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Endpoints with one identity in one namespace.
#[derive(Clone, Copy, Debug)]
pub(super) struct SubjectSet<'c> {
    pub namespace: &'c str,
    /// One of the endpoints, the first.
    pub endpoint: &'c Endpoint,
    pub labels: &'c LabelSet,
    /// Place of that endpoint among all.
    pub place: usize,
}

/// Label sets of subjects, each once for each namespace, numbered in order.
pub(super) struct Subjects<'c> {
    sets: Vec<SubjectSet<'c>>,
    index: SelectorIndex,
    /// What each subject selector selects, by its key.
    known: AHashMap<Arc<str>, RoaringBitmap>,
}

impl<'c> Subjects<'c> {
    /// Those of the endpoints that have an identity of their own.
    pub(super) fn of_pods(endpoints: &'c [Arc<Endpoint>], config: &Config) -> Self {
        let mut sets: BTreeMap<(&str, NumericIdentity), SubjectSet<'c>> = BTreeMap::new();
        let own = endpoints
            .iter()
            .enumerate()
            .filter(|(_, e)| !e.host_network);
        for (place, endpoint) in own {
            let set = SubjectSet {
                namespace: &endpoint.namespace,
                endpoint,
                labels: &endpoint.labels,
                place,
            };
            // Of several with one number the labels of the last count.
            sets.entry((&endpoint.namespace, endpoint.identity))
                .or_insert(set)
                .labels = &endpoint.labels;
        }
        Self::new(sets.into_values().collect(), config)
    }

    /// Those of the endpoints on the network of their node, each on its own.
    pub(super) fn on_hosts(endpoints: &'c [Arc<Endpoint>], config: &Config) -> Self {
        let on_host = endpoints.iter().enumerate().filter(|(_, e)| e.host_network);
        let sets = on_host.map(|(place, endpoint)| SubjectSet {
            namespace: &endpoint.namespace,
            endpoint,
            labels: &endpoint.labels,
            place,
        });
        Self::new(sets.collect(), config)
    }

    fn new(sets: Vec<SubjectSet<'c>>, config: &Config) -> Self {
        let mut table = IdentityTable::default();
        for (number, set) in (0..).zip(&sets) {
            table.insert(NumericIdentity(number), set.labels.clone());
        }
        Self {
            sets,
            index: SelectorIndex::new(config.clone(), table),
            known: AHashMap::new(),
        }
    }

    /// One of them.
    pub(super) fn get(&self, number: u32) -> Option<&SubjectSet<'c>> {
        self.sets.get(number as usize)
    }

    /// The numbers of those that a rule selects, its namespace considered.
    pub(super) fn selected(&mut self, rule: &Rule) -> RoaringBitmap {
        let Self { sets, index, known } = self;
        let subject = &rule.subject;
        if !known.contains_key(subject.key()) {
            known.insert(subject.key().into(), index.select(subject));
        }
        let Some(selected) = known.get(subject.key()) else {
            return RoaringBitmap::new();
        };
        if rule.namespace.is_empty() {
            return selected.clone();
        }
        // They are in order of their namespaces.
        let place = |after: bool| {
            let n = sets.partition_point(|s| {
                s.namespace < &*rule.namespace || after && s.namespace == &*rule.namespace
            });
            u32::try_from(n).unwrap_or(u32::MAX)
        };
        let mut inside = RoaringBitmap::new();
        inside.insert_range(place(false)..place(true));
        selected & &inside
    }
}
