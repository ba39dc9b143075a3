//! Whom policies select.
//!
//! In: endpoints. Out: for a rule, the label sets of the endpoints it selects,
//! found through an index: many policies times many pods are too many to test
//! one by one.

use super::Endpoint;
use crate::config::Config;
use crate::identity::{IdentityTable, NumericIdentity};
use crate::rule::Rule;
use crate::selector::SelectorIndex;
use ahash::AHashMap;
use roaring::RoaringBitmap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Endpoints with one identity in one namespace.
#[derive(Clone, Debug)]
pub(super) struct SubjectSet {
    /// One of the endpoints, the first.
    pub endpoint: Arc<Endpoint>,
    /// One with their labels.
    labelled: Arc<Endpoint>,
    /// Place of the first endpoint among all.
    pub place: usize,
}

impl SubjectSet {
    fn namespace(&self) -> &str {
        &self.endpoint.namespace
    }
}

/// Label sets of subjects, each once for each namespace, numbered in order.
#[derive(Debug)]
pub(super) struct Subjects {
    sets: Vec<SubjectSet>,
    index: SelectorIndex,
    /// What each subject selector selects, by its key.
    known: AHashMap<Arc<str>, RoaringBitmap>,
}

/// Selectors whose subjects are remembered.
const MAX_KNOWN: usize = 1 << 12;

impl Subjects {
    /// Those of the endpoints that have an identity of their own.
    pub(super) fn of_pods(endpoints: &[Arc<Endpoint>], config: &Config) -> Self {
        let mut sets: BTreeMap<(&str, NumericIdentity), SubjectSet> = BTreeMap::new();
        let own = endpoints
            .iter()
            .enumerate()
            .filter(|(_, e)| !e.host_network);
        for (place, endpoint) in own {
            let set = || SubjectSet {
                endpoint: Arc::clone(endpoint),
                labelled: Arc::clone(endpoint),
                place,
            };
            // Of several with one number the labels of the last count.
            sets.entry((&endpoint.namespace, endpoint.identity))
                .or_insert_with(set)
                .labelled = Arc::clone(endpoint);
        }
        Self::new(sets.into_values().collect(), config)
    }

    /// Those of the endpoints on the network of their node, each on its own.
    pub(super) fn on_hosts(endpoints: &[Arc<Endpoint>], config: &Config) -> Self {
        let on_host = endpoints.iter().enumerate().filter(|(_, e)| e.host_network);
        let sets = on_host.map(|(place, endpoint)| SubjectSet {
            endpoint: Arc::clone(endpoint),
            labelled: Arc::clone(endpoint),
            place,
        });
        Self::new(sets.collect(), config)
    }

    fn new(sets: Vec<SubjectSet>, config: &Config) -> Self {
        let mut table = IdentityTable::default();
        for (number, set) in (0..).zip(&sets) {
            table.insert(NumericIdentity(number), set.labelled.labels.clone());
        }
        Self {
            sets,
            index: SelectorIndex::new(config.clone(), table),
            known: AHashMap::new(),
        }
    }

    /// One of them.
    pub(super) fn get(&self, number: u32) -> Option<&SubjectSet> {
        self.sets.get(number as usize)
    }

    /// The numbers of those that a rule selects, its namespace considered.
    pub(super) fn selected(&mut self, rule: &Rule) -> RoaringBitmap {
        let Self { sets, index, known } = self;
        let subject = &rule.subject;
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
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
                s.namespace() < &*rule.namespace || after && s.namespace() == &*rule.namespace
            });
            u32::try_from(n).unwrap_or(u32::MAX)
        };
        let mut inside = RoaringBitmap::new();
        inside.insert_range(place(false)..place(true));
        selected & &inside
    }
}
