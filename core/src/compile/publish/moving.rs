//! Identities on their way to other classes.
//!
//! In: identities that came, went or changed. Out: what changes in policy
//! maps; for each direction copies of the pages in which somebody moves, one
//! for all who do, and the words that lead there. A direction without a class
//! for somebody gets a new descriptor.

use super::super::class::{ClassId, root, unlisted_class};
use super::super::member::{Belongs, Stand};
use super::super::peers::Copies;
use super::super::{CompileError, Compiler};
use super::side::{Side, compare};
use super::walk::Slot;
use super::{IdentityChange, MapUpdate, Publisher, Work, config, key, store};
use crate::identity::NumericIdentity;
use crate::rule::Direction;
use ahash::AHashMap;
use std::collections::{BTreeMap, BTreeSet};

/// An identity and the class that it moves to in one direction; `None` for
/// that of its aggregate.
#[derive(Clone, Copy, Debug)]
struct Move {
    slot: Slot,
    id: NumericIdentity,
    class: Option<ClassId>,
}

impl Publisher {
    /// Identities may belong to other classes now.
    pub(super) fn identities(
        &mut self,
        compiler: &Compiler<'_>,
        changes: &[IdentityChange],
        work: &mut Work,
    ) -> Result<(), CompileError> {
        let mut by_identity: BTreeMap<NumericIdentity, Vec<&IdentityChange>> = BTreeMap::new();
        for change in changes {
            let of_identity = by_identity.entry(change.identity).or_default();
            of_identity.push(change);
        }
        let mut moves = Vec::new();
        let mut recompiled = BTreeSet::new();
        for (id, changes) in by_identity {
            let root = root(id, config(compiler));
            for (slot, stand) in self.walk(compiler, id, root, &changes) {
                let Some(side) = self.side(slot) else {
                    continue;
                };
                let class = match self.belongs(compiler, side, id, stand, root) {
                    Belongs::Unlisted => None,
                    Belongs::Class(class) => Some(class),
                    Belongs::New => {
                        recompiled.insert(slot.unit());
                        continue;
                    }
                };
                moves.push(Move { slot, id, class });
            }
        }
        for unit in &recompiled {
            self.recompile(compiler, *unit, work)?;
        }
        if !recompiled.is_empty() {
            moves.retain(|m| !recompiled.contains(&m.slot.unit()));
        }
        self.change_maps(&mut moves, work);
        self.apply(compiler, moves, work)
    }

    fn side(&self, slot: Slot) -> Option<&Side> {
        let unit = self.units.get(slot.unit())?.as_ref()?;
        unit.sides.get(slot.side())
    }

    /// How far an identity comes in every direction that its changes concern.
    fn walk(
        &mut self,
        compiler: &Compiler<'_>,
        id: NumericIdentity,
        root: u32,
        changes: &[&IdentityChange],
    ) -> Vec<(Slot, Stand)> {
        let mut walk = std::mem::take(&mut self.walk);
        let slots = 2 * self.units.len();
        for change in changes {
            walk.begin(&self.askers, root, &change.selectors, change.ports, slots);
        }
        for selector in compiler.selectors.selecting(id) {
            walk.select(&self.askers, selector, |slot| {
                self.side(slot).map(|side| &side.members)
            });
        }
        let ends = walk.end();
        self.walk = walk;
        ends
    }

    fn belongs(
        &self,
        compiler: &Compiler<'_>,
        side: &Side,
        id: NumericIdentity,
        stand: Stand,
        root: u32,
    ) -> Belongs {
        let (selectors, ports) = (compiler.selectors, compiler.named_ports);
        let belongs = match side.members.asks_more() {
            true => side.members.belongs(id, selectors, ports),
            false => stand.belongs(root),
        };
        if belongs == Belongs::Unlisted && id.is_aggregate() {
            // It has a class of its own when it has entries of its own.
            let listed = side.listed_class(id, &self.image.peers);
            return listed.map_or(Belongs::New, Belongs::Class);
        }
        belongs
    }

    /// Says what changes in maps, and keeps those moves that lead elsewhere.
    fn change_maps(&self, moves: &mut Vec<Move>, work: &mut Work) {
        // Many directions have the same entries for an identity: by direction
        // and the entries before and after, which update says what changes.
        let mut known: AHashMap<(usize, usize, usize), usize> = AHashMap::new();
        let mut last = None;
        let maps = &mut work.update.maps;
        moves.retain(|&Move { slot, id, class }| {
            let unit = self.units.get(slot.unit()).and_then(Option::as_ref);
            let Some((unit, side)) = unit.and_then(|u| Some((u, u.sides.get(slot.side())?))) else {
                return false;
            };
            let before = side.listed_class(id, &self.image.peers);
            if before == class {
                return false;
            }
            if last.replace(id) != Some(id) {
                known.clear();
            }
            let (old, new) = (side.entries_of(before), side.entries_of(class));
            let alike = (slot.side(), old.as_ptr() as usize, new.as_ptr() as usize);
            let place = *known.entry(alike).or_insert_with(|| {
                let direction = match slot.side() {
                    0 => Direction::Ingress,
                    _ => Direction::Egress,
                };
                let mut changes = Vec::new();
                compare(old, new, |l4, change| {
                    changes.push(change.of(key(direction, id, l4)));
                });
                if changes.is_empty() {
                    return usize::MAX;
                }
                let subjects = Vec::new();
                maps.push(MapUpdate { subjects, changes });
                maps.len() - 1
            });
            if let Some(map) = maps.get_mut(place) {
                map.subjects.extend_from_slice(&unit.subjects);
            }
            true
        });
    }

    /// Carries moves out.
    fn apply(
        &mut self,
        compiler: &Compiler<'_>,
        mut moves: Vec<Move>,
        work: &mut Work,
    ) -> Result<(), CompileError> {
        let plan = &self.image.peers.plan;
        work.anew |= moves.iter().any(|m| !plan.can_list(m.id));
        if work.anew || self.stale {
            for to in &moves {
                self.relist(compiler, to);
            }
            return Ok(());
        }
        moves.sort_by_key(|m| (m.slot, m.id));
        work.words.reserve(moves.len());
        let mut copies = Copies::default();
        let mut rest = moves.as_slice();
        while let Some(first) = rest.first() {
            let page = |m: &Move| (m.slot, m.id.0 >> 6);
            let in_page = rest.iter().take_while(|m| page(m) == page(first)).count();
            let (moving, after) = rest.split_at(in_page);
            if self.turn_page(compiler, moving, &mut copies, work) {
                rest = after;
                continue;
            }
            // The windows of the descriptor are full.
            let unit = first.slot.unit();
            let of_unit = rest.iter().take_while(|m| m.slot.unit() == unit).count();
            let (moving, after) = rest.split_at(of_unit);
            for to in moving {
                self.relist(compiler, to);
            }
            self.recompile(compiler, unit, work)?;
            rest = after;
        }
        Ok(())
    }

    fn relist(&mut self, compiler: &Compiler<'_>, to: &Move) {
        let unit = self.units.get_mut(to.slot.unit()).and_then(Option::as_mut);
        if let Some(side) = unit.and_then(|u| u.sides.get_mut(to.slot.side())) {
            side.relist(to.id, to.class, &self.image.peers, config(compiler));
        }
    }

    /// Moves identities of one page in one direction; false when the
    /// descriptor's windows are full.
    fn turn_page(
        &mut self,
        compiler: &Compiler<'_>,
        moving: &[Move],
        copies: &mut Copies,
        work: &mut Work,
    ) -> bool {
        let Some(slot) = moving.first().map(|m| m.slot) else {
            return true;
        };
        let unit = self.units.get_mut(slot.unit()).and_then(Option::as_mut);
        let Some(side) = unit.and_then(|u| u.sides.get_mut(slot.side())) else {
            return true;
        };
        let classes = moving.iter().map(|m| {
            let unlisted = || unlisted_class(m.id, config(compiler));
            (m.id, m.class.unwrap_or_else(unlisted))
        });
        let sections = &mut self.image.peers;
        let Some(word) = sections.reclass(&mut side.words, classes, copies) else {
            return false;
        };
        let placed = self.image.placed(side.descriptor, &self.layout);
        work.words.push(store(&placed, word));
        true
    }
}
