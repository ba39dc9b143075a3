//! Putting an entry in its place among those already there
//! (Cilium 1.20.2 pkg/policy/mapstate.go insertWithChanges).

use super::key::L4Key;
use super::precedence::Precedence;
use super::state::{Entry, MapState};
use super::walk::shortest_first;
use crate::identity::NumericIdentity;
use crate::resolve::Features;

impl MapState {
    /// Inserts an entry. `tier_max` is the deny precedence of its tier's first
    /// priority.
    pub(super) fn insert(
        &mut self,
        tier_max: Precedence,
        id: NumericIdentity,
        l4: L4Key,
        entry: Entry,
        features: Features,
    ) {
        let aggregate = self.aggregate(id);
        if aggregate != id
            && self
                .get(aggregate, l4)
                .is_some_and(|a| self.equivalent(a, &entry))
        {
            return;
        }
        if features.pass {
            self.insert_with_passes(tier_max, id, l4, entry);
            return;
        }
        if entry.is_deny() {
            let covered = self.covering(id, l4).any(|(k_id, k_l4, v)| {
                !v.invalid
                    && (v.precedence > entry.precedence
                        || (v.precedence == entry.precedence && (k_id, k_l4) != (id, l4)))
            });
            if covered {
                return;
            }
            self.delete_covered(id, l4, |k_id, k_l4, v| {
                v.precedence < entry.precedence
                    || (v.precedence == entry.precedence && (k_id, k_l4) != (id, l4))
            });
        } else if features.authentication {
            self.insert_with_authentication(id, l4, entry);
            return;
        } else if features.precedence {
            // Without any of these features nothing can be overridden, and
            // redundant narrower keys are kept.
            let covered = self
                .covering(id, l4)
                .any(|(_, _, v)| !v.invalid && v.precedence > entry.precedence);
            if covered {
                return;
            }
            self.delete_covered(id, l4, |_, _, v| v.precedence < entry.precedence);
        }
        self.prune_aggregated(id, l4, &entry);
        self.add(id, l4, entry);
    }

    /// Entries with the same or a broader port and the identity or its
    /// aggregate.
    pub(super) fn covering(
        &self,
        id: NumericIdentity,
        l4: L4Key,
    ) -> impl Iterator<Item = (NumericIdentity, L4Key, &Entry)> {
        let aggregate = self.aggregate(id);
        // Where there are fewer keys than prefixes all of them are looked at.
        // Both ways the broadest comes first.
        let few = self.levels.len() <= usize::from(l4.port_prefix) + 2;
        let scanned = few.then(|| self.levels.range(..=l4));
        let scanned = scanned.into_iter().flatten().map(|(k, level)| (*k, level));
        let searched = (!few).then(|| l4.ancestors()).into_iter().flatten();
        let searched = searched.filter_map(|k| self.levels.get(&k).map(|level| (k, level)));
        scanned
            .filter(move |(k, _)| k.covers(l4))
            .chain(searched)
            .flat_map(move |(k, level)| {
                let own = (aggregate != id).then_some(id);
                [Some(aggregate), own]
                    .into_iter()
                    .flatten()
                    .filter_map(move |i| level.get(&i).map(|e| (i, k, e)))
            })
    }

    /// Keys with the same or a narrower port, and the same identity or, for an
    /// aggregate, one of its identities.
    pub(super) fn covered(&self, id: NumericIdentity, l4: L4Key) -> Vec<(NumericIdentity, L4Key)> {
        let is_aggregate = self.aggregate(id) == id;
        let mut keys = Vec::new();
        for (k, level) in self.levels.range(l4..=l4.last_covered()) {
            if !l4.covers(*k) {
                continue;
            }
            if is_aggregate {
                keys.extend(
                    level
                        .keys()
                        .filter(|child| self.aggregates(id, **child))
                        .map(|child| (*child, *k)),
                );
            }
            if level.contains_key(&id) {
                keys.push((id, *k));
            }
        }
        keys
    }

    fn delete_covered(
        &mut self,
        id: NumericIdentity,
        l4: L4Key,
        condition: impl Fn(NumericIdentity, L4Key, &Entry) -> bool,
    ) {
        for (k_id, k_l4) in self.covered(id, l4) {
            if self
                .get(k_id, k_l4)
                .is_some_and(|v| condition(k_id, k_l4, v))
            {
                self.delete(k_id, k_l4);
            }
        }
    }

    /// Deletes entries of the same port that the aggregate's new entry makes
    /// redundant. Only at the same prefix length: in between another entry
    /// could decide.
    fn prune_aggregated(&mut self, id: NumericIdentity, l4: L4Key, entry: &Entry) {
        if self.aggregate(id) != id {
            return;
        }
        let Some(level) = self.levels.get(&l4) else {
            return;
        };
        let redundant: Vec<NumericIdentity> = level
            .iter()
            .filter(|(child, v)| self.aggregates(id, **child) && self.equivalent(v, entry))
            .map(|(child, _)| *child)
            .collect();
        for child in redundant {
            self.delete(child, l4);
        }
    }

    /// Inserts an allow where some rule says authentication explicitly: the
    /// type of a broader entry holds for narrower ones that say nothing
    /// (mapstate.go authPreferredInsert). Only entries of the same identity
    /// interact; the datapath sees to the aggregate.
    fn insert_with_authentication(&mut self, id: NumericIdentity, l4: L4Key, mut entry: Entry) {
        let explicit = entry.auth_explicit();
        let as_given = entry.clone();
        let mut derived = false;
        for k in l4.ancestors().rev() {
            let Some(v) = self.get(id, k) else { continue };
            if v.precedence > entry.precedence {
                if v.is_deny() || !explicit {
                    return;
                }
                entry.redirect_as(v);
                break;
            }
            if !derived
                && !explicit
                && k != l4
                && v.auth_explicit()
                && v.precedence.as_plain_allow() >= entry.precedence.as_plain_allow()
            {
                entry.auth = v.auth_type();
                derived = true;
            }
        }

        let below = self.levels.range(l4..=l4.last_covered());
        let mut narrower: Vec<L4Key> = below.map(|(k, _)| *k).filter(|k| l4.covers(*k)).collect();
        narrower.sort_by_key(|k| (k.protocol, k.port, k.prefix_len()));
        let narrower = shortest_first(&narrower);
        let mut propagated = false;
        for k in narrower {
            let Some(v) = self.levels.get_mut(&k).and_then(|level| level.get_mut(&id)) else {
                continue;
            };
            if v.precedence < entry.precedence {
                if !v.auth_explicit() {
                    self.delete(id, k);
                    continue;
                }
                v.redirect_as(&entry);
            }
            if !propagated && explicit && k != l4 {
                if v.is_deny() || v.auth_explicit() {
                    propagated = true;
                    continue;
                }
                v.auth = entry.auth_type();
            }
        }
        self.add(id, l4, entry);
        self.prune_aggregated(id, l4, &as_given);
    }
}
