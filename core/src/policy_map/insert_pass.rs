//! Insertion where some rule passes.
//!
//! A pass is not an entry of the datapath but a note beside a key: traffic of
//! the key skips the rest of the tier, and entries of lower tiers are lifted
//! to right after the pass. Lifted entries are needed for every intersection
//! of the new key with a pass above it (Cilium 1.20.2 pkg/policy/mapstate.go
//! insertWithPasses).

use super::key::L4Key;
use super::pass::{Pass, collect, lifted};
use super::precedence::Precedence;
use super::state::{Entry, MapState};
use crate::identity::NumericIdentity;
use std::collections::{BTreeSet, VecDeque};

type IdKey = (NumericIdentity, L4Key);

/// Keys still to be lifted, each at most once.
#[derive(Default)]
struct Pending {
    queue: VecDeque<IdKey>,
    done: BTreeSet<IdKey>,
}

impl Pending {
    fn push(&mut self, key: IdKey) {
        if self.done.insert(key) {
            self.queue.push_back(key);
        }
    }
}

/// What stands above a key.
#[derive(Default)]
struct Above {
    /// The highest covering pass of each higher tier, the lowest tier first.
    passes: Vec<Pass>,
    /// Intersections with passes that do not cover the key.
    intersections: BTreeSet<IdKey>,
    /// The highest entry of a higher tier that decides the key's traffic.
    bail: Precedence,
    /// An entry or pass of the same tier decides all of the key's traffic.
    decided: bool,
}

impl MapState {
    pub(super) fn insert_with_passes(
        &mut self,
        tier_max: Precedence,
        id: NumericIdentity,
        l4: L4Key,
        entry: Entry,
    ) {
        if let [pass] = entry.passes() {
            self.insert_pass(tier_max, *pass, id, l4, &entry);
            return;
        }
        let mut pending = Pending::default();
        let above = self.above((id, l4), &entry, tier_max, true, &mut pending.done);
        if above.decided {
            return;
        }
        for key in &above.intersections {
            pending.push(*key);
        }
        let mut bail = above.bail > Precedence::default();

        let aggregate = self.aggregate(id);
        for (k_id, k_l4) in self.narrower(id, l4) {
            let Some(v) = self.get(k_id, k_l4).cloned() else {
                continue;
            };
            let covered = id == aggregate || k_id == id;
            if !bail && covered {
                self.prune_covered((k_id, k_l4), &v, (id, l4), &entry, entry.precedence);
            }
            // The narrower identity may be on either key.
            let met = (if k_id == aggregate { id } else { k_id }, k_l4);
            if met != (id, l4) && v.passes().iter().any(|p| p.precedence > tier_max) {
                pending.push(met);
            }
        }
        if self.lift((id, l4), &entry, &above) {
            bail = true;
        }
        if !bail {
            self.add(id, l4, entry.clone());
        }
        while let Some(key) = pending.queue.pop_front() {
            let above = self.above(key, &entry, tier_max, false, &mut pending.done);
            for inner in &above.intersections {
                pending.push(*inner);
            }
            self.lift_always(key, &entry, &above);
        }
    }

    fn insert_pass(
        &mut self,
        tier_max: Precedence,
        pass: Pass,
        id: NumericIdentity,
        l4: L4Key,
        entry: &Entry,
    ) {
        let decided = self.covering(id, l4).any(|(_, _, v)| {
            let by_entry = !v.invalid && tier_max >= v.precedence && v.precedence > pass.precedence;
            by_entry
                || v.passes()
                    .iter()
                    .any(|p| p.tier_min == pass.tier_min && p.precedence >= pass.precedence)
        });
        if decided {
            return;
        }
        for (k_id, k_l4) in self.covered(id, l4) {
            if let Some(v) = self.get(k_id, k_l4).cloned() {
                self.prune_covered((k_id, k_l4), &v, (id, l4), entry, pass.precedence);
            }
        }
        self.add(id, l4, entry.clone());
    }

    /// Looks at every entry with the same or a broader port. `whole` is true
    /// for the key that is inserted, false for an intersection, where entries
    /// of the same tier no longer matter.
    fn above(
        &self,
        (id, l4): IdKey,
        entry: &Entry,
        tier_max: Precedence,
        whole: bool,
        done: &mut BTreeSet<IdKey>,
    ) -> Above {
        let mut above = Above::default();
        let aggregate = self.aggregate(id);
        for k in l4.ancestors() {
            let Some(level) = self.levels.get(&k) else {
                continue;
            };
            for (k_id, v) in level.iter() {
                let relevant = *k_id == aggregate
                    || *k_id == id
                    || (id == aggregate && self.aggregates(aggregate, *k_id));
                if !relevant {
                    continue;
                }
                let covers = id != aggregate || *k_id == aggregate;
                for pass in v.passes() {
                    if pass.tier_min > entry.precedence {
                        if !covers {
                            above.intersections.insert((*k_id, l4));
                            break;
                        }
                        collect(&mut above.passes, *pass);
                    } else if whole && covers && pass.precedence > entry.precedence {
                        above.decided = true;
                        return above;
                    }
                }
                let outranked = !v.invalid
                    && (v.precedence > entry.precedence
                        || (entry.is_deny()
                            && v.precedence == entry.precedence
                            && (*k_id, k) != (id, l4)));
                if !outranked {
                    continue;
                }
                let same_tier = v.precedence <= tier_max;
                if covers {
                    if same_tier && whole {
                        above.decided = true;
                        return above;
                    }
                    if !same_tier {
                        above.bail = above.bail.max(v.precedence);
                    }
                } else if same_tier {
                    done.insert((*k_id, l4));
                }
            }
        }
        above
    }

    /// Adds the entry lifted past the passes that cover its key, unless there
    /// are none or something above decides first. True when it was added.
    fn lift(&mut self, key: IdKey, entry: &Entry, above: &Above) -> bool {
        !above.passes.is_empty() && self.lift_always(key, entry, above)
    }

    fn lift_always(&mut self, (id, l4): IdKey, entry: &Entry, above: &Above) -> bool {
        let precedence = lifted(entry.precedence, &above.passes);
        if precedence <= above.bail {
            return false;
        }
        for (k_id, k_l4) in self.covered(id, l4) {
            if let Some(v) = self.get(k_id, k_l4).cloned() {
                self.prune_covered((k_id, k_l4), &v, (id, l4), entry, precedence);
            }
        }
        let mut passed = entry.clone();
        passed.precedence = precedence;
        self.add(id, l4, passed);
        true
    }

    /// Keys with the same or a narrower port that share packets with a key:
    /// for a specific identity also its aggregate's.
    fn narrower(&self, id: NumericIdentity, l4: L4Key) -> Vec<IdKey> {
        let aggregate = self.aggregate(id);
        let mut keys = self.covered(id, l4);
        if aggregate != id {
            keys.extend(
                self.levels
                    .range(l4..=l4.last_covered())
                    .filter(|(k, level)| l4.covers(**k) && level.contains_key(&aggregate))
                    .map(|(k, _)| (aggregate, *k)),
            );
        }
        keys
    }

    /// Takes from the entry `v` at `k` whatever the new entry at `key` decides
    /// for it: its verdict, its passes, or both.
    fn prune_covered(
        &mut self,
        k: IdKey,
        v: &Entry,
        key: IdKey,
        entry: &Entry,
        precedence: Precedence,
    ) {
        let passes: Vec<Pass> = v
            .passes()
            .iter()
            .copied()
            .filter(|p| p.survives(precedence))
            .collect();
        let same_port_child = key.1 == k.1 && self.aggregates(key.0, k.0);
        let delete = v.invalid
            || v.precedence < precedence
            || (v.is_deny() && v.precedence == precedence && k != key)
            || (same_port_child && self.equivalent(v, entry));
        if passes.is_empty() && delete {
            self.delete(k.0, k.1);
            return;
        }
        let mut kept = v.clone();
        if passes.len() != v.passes().len() || (passes.is_empty() && v.passes.is_some()) {
            kept.passes = (!passes.is_empty()).then(|| passes.into());
        }
        kept.invalid |= delete;
        self.set(k.0, k.1, kept);
    }
}
