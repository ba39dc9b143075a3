//! The prefixes that a selector leaves out.
//!
//! In: the prefixes of an `except`. Out: whether a label set has one of them,
//! found by the prefixes around its own: a list of exceptions may be long, and
//! each of them has an identity that the selector is asked about.

use super::Requirement;
use crate::label::{Label, LabelSet};
use ahash::AHashSet;
use ipnet::IpNet;

/// What a selector leaves out.
#[derive(Clone, Debug, Default)]
pub(super) struct Exceptions {
    prefixes: AHashSet<IpNet>,
    /// Conditions of those that are everything: each world label once.
    worlds: Vec<Requirement>,
}

impl Exceptions {
    /// Leaves a prefix out; `absent` is that as a condition.
    pub(super) fn add(&mut self, prefix: &IpNet, absent: &Requirement) {
        if prefix.prefix_len() > 0 {
            self.prefixes.insert(prefix.trunc());
        } else if !self.worlds.contains(absent) {
            self.worlds.push(absent.clone());
        }
    }

    /// Conditions that name no prefix; there are at most three.
    pub(super) fn worlds(&self) -> impl Iterator<Item = &Requirement> {
        self.worlds.iter()
    }

    /// True when a label's prefix is inside one left out.
    pub(super) fn has_any(&self, labels: &LabelSet) -> bool {
        !self.prefixes.is_empty()
            && labels
                .iter()
                .filter_map(Label::prefix)
                .any(|p| self.covers(p))
    }

    fn covers(&self, prefix: &IpNet) -> bool {
        (0..=prefix.prefix_len())
            .filter_map(|bits| IpNet::new(prefix.addr(), bits).ok())
            .any(|wider| self.prefixes.contains(&wider.trunc()))
    }
}
