//! From the selectors of an identity to its classes.
//!
//! In: which directions of which units ask for which selectors. Out: for one
//! identity, where it belongs in each direction that a change of it concerns.
//! What an identity has to do with other directions is not looked at.

use super::super::member::{Members, Stand};
use crate::selector::SelectorId;
use ahash::AHashMap;

/// The node of unlisted identities of the local cluster.
const LOCAL_ROOT: u32 = 1;

/// One direction of a unit, as a number: twice the unit's, and one more for
/// egress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot(u32);

impl Slot {
    pub(super) fn new(unit: usize, side: usize) -> Self {
        Self(super::count(unit) << 1 | u32::from(side != 0))
    }

    pub(super) const fn unit(self) -> usize {
        (self.0 >> 1) as usize
    }

    pub(super) const fn side(self) -> usize {
        (self.0 & 1) as usize
    }

    const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A direction that asks for a selector.
#[derive(Clone, Copy, Debug)]
struct Asker {
    slot: Slot,
    criterion: u32,
    /// Where the step leads that most identities take: from the root of those
    /// of the local cluster.
    first: Stand,
}

/// Who asks for which selectors.
#[derive(Debug, Default)]
pub(super) struct Askers {
    by_selector: AHashMap<SelectorId, Vec<Asker>>,
    /// Those who ask for names of ports.
    by_port: Vec<Slot>,
}

impl Askers {
    /// Files a direction under what it depends on.
    pub(super) fn insert(&mut self, slot: Slot, members: &Members) {
        for (criterion, selector) in members.selectors() {
            let asker = Asker {
                slot,
                criterion,
                first: members.step(LOCAL_ROOT, (criterion, 0)),
            };
            let askers = self.by_selector.entry(selector).or_default();
            let place = askers.partition_point(|a| a.slot < slot);
            askers.insert(place, asker);
        }
        if members.asks_ports() {
            let place = self.by_port.partition_point(|s| *s < slot);
            self.by_port.insert(place, slot);
        }
    }

    /// Takes a direction out again.
    pub(super) fn remove(&mut self, slot: Slot, members: &Members) {
        for (_, selector) in members.selectors() {
            if let Some(askers) = self.by_selector.get_mut(&selector) {
                if let Ok(place) = askers.binary_search_by_key(&slot, |a| a.slot) {
                    askers.remove(place);
                }
                if askers.is_empty() {
                    self.by_selector.remove(&selector);
                }
            }
        }
        if let Ok(place) = self.by_port.binary_search(&slot) {
            self.by_port.remove(place);
        }
    }

    fn of(&self, selector: SelectorId) -> &[Asker] {
        self.by_selector.get(&selector).map_or(&[], Vec::as_slice)
    }
}

/// The way of one identity through all directions at once.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// By slot; [`UNTOUCHED`] where nothing changed.
    at: Vec<Stand>,
    touched: Vec<Slot>,
}

const UNTOUCHED: Stand = Stand {
    node: u32::MAX - 1,
    class: 0,
};

impl Walk {
    /// Begins in every direction that a change concerns: that of selectors,
    /// and maybe that of named ports.
    pub(super) fn begin(
        &mut self,
        askers: &Askers,
        root: u32,
        changed: &[SelectorId],
        ports: bool,
        slots: usize,
    ) {
        self.at.resize(slots, UNTOUCHED);
        let start = Stand {
            node: root,
            class: 0,
        };
        let of_selectors = changed.iter().flat_map(|s| askers.of(*s));
        let of_ports = askers.by_port.iter().filter(|_| ports);
        for slot in of_selectors.map(|a| a.slot).chain(of_ports.copied()) {
            if let Some(at) = self.at.get_mut(slot.index())
                && *at == UNTOUCHED
            {
                *at = start;
                self.touched.push(slot);
            }
        }
    }

    /// Takes the steps of a selector that selects the identity. Selectors come
    /// in ascending order. `members` knows the steps of a direction.
    pub(super) fn select<'m>(
        &mut self,
        askers: &Askers,
        selector: SelectorId,
        members: impl Fn(Slot) -> Option<&'m Members>,
    ) {
        for asker in askers.of(selector) {
            let Some(at) = self.at.get_mut(asker.slot.index()) else {
                continue;
            };
            *at = match at.node {
                _ if *at == UNTOUCHED => continue,
                LOCAL_ROOT => asker.first,
                node => members(asker.slot).map_or(Stand::NOWHERE, |members| {
                    members.step(node, (asker.criterion, 0))
                }),
            };
        }
    }

    /// Where it has come to, direction by direction; the walk is over then.
    pub(super) fn end(&mut self) -> Vec<(Slot, Stand)> {
        let touched = std::mem::take(&mut self.touched).into_iter();
        let ends = touched.filter_map(|slot| {
            let at = self.at.get_mut(slot.index())?;
            Some((slot, std::mem::replace(at, UNTOUCHED)))
        });
        ends.collect()
    }
}
