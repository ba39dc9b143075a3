//! One direction of a policy that is published: its classes and their entries.
//!
//! In: what was made of a direction. Out: entries by class, and what changes
//! in policy maps from one state of it to another.

use super::super::class::{ClassId, Classes};
use super::super::peers::Words;
use super::super::{Made, Subject, UNLISTED};
use super::{MapChange, key};
use crate::identity::NumericIdentity;
use crate::policy_map::{Key, L4Key, MapState, value_to_bytes};
use crate::rule::Direction;
use ahash::AHashMap;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The entries of a class, by key.
pub(super) type ClassEntries = Arc<[(L4Key, [u8; 12])]>;

/// One direction of a unit.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) classes: Classes,
    /// By class.
    pub(super) entries: Vec<ClassEntries>,
    pub(super) descriptor: u32,
    pub(super) words: Words,
}

impl Side {
    pub(super) fn entries_of(&self, class: Option<ClassId>) -> ClassEntries {
        let entries = class.and_then(|c| self.entries.get(c as usize));
        entries.cloned().unwrap_or_else(|| Arc::new([]))
    }
}

/// Sides that have no place in an image yet.
pub(super) fn unplaced(subject: &Subject, made: [Made; 2]) -> [Side; 2] {
    let policies = [&subject.policy.ingress, &subject.policy.egress];
    let mut policies = policies.into_iter();
    made.map(|made| {
        let direction = policies.next().map_or(Direction::Ingress, |p| p.direction);
        Side {
            entries: class_entries(direction, &made),
            classes: made.classes,
            descriptor: 0,
            words: Words::default(),
        }
    })
}

pub(super) fn class_entries(direction: Direction, made: &Made) -> Vec<ClassEntries> {
    let mut by_identity: AHashMap<NumericIdentity, Vec<(L4Key, [u8; 12])>> = AHashMap::new();
    let state: &MapState = &made.state;
    for (id, l4, entry) in state.iter().filter(|(_, _, e)| !e.invalid) {
        let value = value_to_bytes(&key(direction, id, l4), entry);
        by_identity.entry(id).or_default().push((l4, value));
    }
    UNLISTED
        .iter()
        .chain(made.classes.representatives())
        .map(|id| {
            let mut entries = by_identity.get(id).cloned().unwrap_or_default();
            entries.sort_unstable_by_key(|(l4, _)| *l4);
            entries.into()
        })
        .collect()
}

/// What changes from one side to another for every identity that either lists.
pub(super) fn side_changes(
    old: &Side,
    new: &Side,
    direction: Direction,
    changes: &mut Vec<MapChange>,
) {
    let both = old.classes.listed.iter().chain(new.classes.listed.iter());
    let ids: BTreeSet<NumericIdentity> = both.map(|(id, _)| id).collect();
    let mut alike: AHashMap<(Option<ClassId>, Option<ClassId>), bool> = AHashMap::new();
    for id in ids {
        let (before, after) = (old.classes.listed_class(id), new.classes.listed_class(id));
        let same = alike
            .entry((before, after))
            .or_insert_with(|| old.entries_of(before) == new.entries_of(after));
        if !*same {
            compare(
                &old.entries_of(before),
                &new.entries_of(after),
                |l4, change| {
                    changes.push(change.of(key(direction, id, l4)));
                },
            );
        }
    }
}

/// A difference under some key.
#[derive(Clone, Copy)]
pub(super) enum Difference {
    Add([u8; 12]),
    Update([u8; 12]),
    Delete,
}

impl Difference {
    pub(super) const fn of(self, key: Key) -> MapChange {
        match self {
            Self::Add(value) => MapChange::Add(key, value),
            Self::Update(value) => MapChange::Update(key, value),
            Self::Delete => MapChange::Delete(key),
        }
    }
}

/// Differences between two lists in ascending order of keys.
pub(super) fn compare<K: Ord + Copy>(
    old: &[(K, [u8; 12])],
    new: &[(K, [u8; 12])],
    mut found: impl FnMut(K, Difference),
) {
    let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
    loop {
        match (old.peek(), new.peek()) {
            (None, None) => return,
            (Some((key, _)), other) if other.is_none_or(|(n, _)| key < n) => {
                found(*key, Difference::Delete);
                old.next();
            }
            (other, Some((key, value))) if other.is_none_or(|(o, _)| key < o) => {
                found(*key, Difference::Add(*value));
                new.next();
            }
            (Some((_, before)), Some((key, after))) => {
                if before != after {
                    found(*key, Difference::Update(*after));
                }
                old.next();
                new.next();
            }
            _ => return,
        }
    }
}
