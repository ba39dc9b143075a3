//! The identities in force.

use super::NumericIdentity;
use crate::label::LabelSet;
use std::collections::BTreeMap;

/// An identity with its labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its number.
    pub id: NumericIdentity,
    /// Its labels.
    pub labels: LabelSet,
}

/// Every identity that traffic may carry or a policy may select, by number.
#[derive(Clone, Debug, Default)]
pub struct IdentityTable {
    by_id: BTreeMap<NumericIdentity, LabelSet>,
}

impl IdentityTable {
    /// A table with the reserved identities of a configuration.
    #[must_use]
    pub fn new(config: &crate::config::Config) -> Self {
        Self {
            by_id: super::reserved_identities(config).into_iter().collect(),
        }
    }

    /// Adds an identity or replaces its labels; returns the old labels.
    pub fn insert(&mut self, id: NumericIdentity, labels: LabelSet) -> Option<LabelSet> {
        self.by_id.insert(id, labels)
    }

    /// Removes an identity.
    pub fn remove(&mut self, id: NumericIdentity) -> Option<LabelSet> {
        self.by_id.remove(&id)
    }

    /// The labels of an identity.
    #[must_use]
    pub fn get(&self, id: NumericIdentity) -> Option<&LabelSet> {
        self.by_id.get(&id)
    }

    /// All identities, by number.
    pub fn iter(&self) -> impl Iterator<Item = (NumericIdentity, &LabelSet)> {
        self.by_id.iter().map(|(id, labels)| (*id, labels))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// True without any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}
