//! Units: what subjects with one policy share.
//!
//! In: subjects that come, and units whose classes changed. Out: units, put into
//! the image and filed under what they depend on.

use super::super::peers::Words;
use super::super::{CompileError, Compiler, Made, SharedKey, Subject, shared_key};
use super::side::{Side, Sides, side_changes};
use super::walk::Slot;
use super::{MapChange, MapUpdate, Placed, Publisher, Work, count};
use crate::resolve::DirectionPolicy;
use crate::rule::Direction;

/// What subjects with one policy share.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) subject: Subject,
    pub(super) key: Option<SharedKey>,
    pub(super) sides: [Side; 2],
    pub(super) subjects: Vec<u32>,
}

impl Publisher {
    /// Gives a subject a unit: one there is, or a new one.
    pub(super) fn place(
        &mut self,
        compiler: &Compiler<'_>,
        number: usize,
        subject: Subject,
    ) -> Result<(), CompileError> {
        let key = shared_key(&subject);
        let placed = |unit| Placed {
            unit,
            identity: subject.identity.0,
            endpoints: subject.endpoints.clone(),
        };
        let known = key.as_ref().and_then(|k| self.by_key.get(k)).copied();
        let unit = match known {
            Some(unit) => unit,
            None => {
                let made = compiler.make(&subject, &mut self.pages)?;
                let sides = self.put(&subject, made)?;
                let unit = self.free_units.pop_first().unwrap_or(self.units.len());
                if let Some(key) = &key {
                    self.by_key.insert(key.clone(), unit);
                }
                let made = Unit {
                    subject: subject.clone(),
                    key,
                    sides,
                    subjects: Vec::new(),
                };
                match self.units.get_mut(unit) {
                    Some(slot) => *slot = Some(made),
                    None => self.units.push(Some(made)),
                }
                self.file(unit, true);
                unit
            }
        };
        if let Some(unit) = self.units.get_mut(unit).and_then(Option::as_mut) {
            unit.subjects.push(count(number));
        }
        if let Some(slot) = self.subjects.get_mut(number) {
            *slot = Some(placed(unit));
        }
        Ok(())
    }

    /// Puts what was made of a subject into the image.
    pub(super) fn put(
        &mut self,
        subject: &Subject,
        made: [Made; 2],
    ) -> Result<[Side; 2], CompileError> {
        let plan = &self.image.peers.plan;
        let mut pages = made.iter().flat_map(|side| side.classes.listed.pages());
        if pages.any(|p| !plan.can_list(p.first())) {
            // The image has no place for some identity: the next one will.
            self.stale = true;
            return Ok(self.unplaced(subject, made));
        }
        let [ingress, egress] = made;
        let mut side = |policy: &DirectionPolicy, made: Made| {
            let descriptor = self.image.put(policy, &made.classes, &made.cells)?;
            let words = self.image.peers.words(&self.image.descriptor(descriptor));
            Ok(Side {
                entries: self.lists.of_classes(policy.direction, &made),
                members: made.classes.members(),
                descriptor,
                words,
                listed: None,
            })
        };
        Ok([
            side(&subject.policy.ingress, ingress)?,
            side(&subject.policy.egress, egress)?,
        ])
    }

    /// Sides that have no place in an image yet: it is made anew.
    fn unplaced(&mut self, subject: &Subject, made: [Made; 2]) -> [Side; 2] {
        let policies = [&subject.policy.ingress, &subject.policy.egress];
        let mut policies = policies.into_iter();
        made.map(|made| {
            let direction = policies.next().map_or(Direction::Ingress, |p| p.direction);
            Side {
                entries: self.lists.of_classes(direction, &made),
                members: made.classes.members(),
                descriptor: 0,
                words: Words::default(),
                listed: Some(made.classes.listed),
            }
        })
    }

    /// Files a unit under what it depends on, or takes it out again.
    pub(super) fn file(&mut self, number: usize, enter: bool) {
        let Some(unit) = self.units.get(number).and_then(Option::as_ref) else {
            return;
        };
        for (i, side) in unit.sides.iter().enumerate() {
            let slot = Slot::new(number, i);
            if enter {
                self.askers.insert(slot, &side.members);
            } else {
                self.askers.remove(slot, &side.members);
            }
        }
    }

    /// What changes in a map from some sides to others.
    pub(super) fn changes(&self, old: &[Side; 2], new: &[Side; 2]) -> Vec<MapChange> {
        let mut changes = Vec::new();
        for ((old, new), direction) in old.iter().zip(new).zip(Direction::BOTH) {
            let sides = Sides {
                old,
                new,
                direction,
                sections: &self.image.peers,
            };
            side_changes(&sides, &mut changes);
        }
        changes
    }

    /// A subject leaves its unit, which goes with the last one.
    pub(super) fn leave(&mut self, number: usize, subject: usize) {
        let Some(unit) = self.units.get_mut(number).and_then(Option::as_mut) else {
            return;
        };
        // It may have come back meanwhile.
        if let Some(place) = unit.subjects.iter().position(|s| *s as usize == subject) {
            unit.subjects.remove(place);
        }
        if unit.subjects.is_empty() {
            if let Some(key) = &unit.key {
                self.by_key.remove(key);
            }
            self.file(number, false);
            if let Some(slot) = self.units.get_mut(number) {
                *slot = None;
                self.free_units.insert(number);
            }
        }
    }

    /// Makes a unit anew, with new descriptors.
    pub(super) fn recompile(
        &mut self,
        compiler: &Compiler<'_>,
        number: usize,
        work: &mut Work,
    ) -> Result<(), CompileError> {
        let Some(unit) = self.units.get(number).and_then(Option::as_ref) else {
            return Ok(());
        };
        let subject = unit.subject.clone();
        let made = compiler.make(&subject, &mut self.pages)?;
        for side in &made {
            let mut pages = side.classes.listed.pages().iter();
            work.anew |= pages.any(|p| !self.image.peers.plan.can_list(p.first()));
        }
        work.anew |= self.stale;
        let new = if work.anew {
            // The rebuild to come places it; only what changes in maps counts.
            self.unplaced(&subject, made)
        } else {
            self.put(&subject, made)?
        };
        self.file(number, false);
        let Some(unit) = self.units.get_mut(number).and_then(Option::as_mut) else {
            return Ok(());
        };
        let old = std::mem::replace(&mut unit.sides, new);
        let subjects = unit.subjects.clone();
        let unit = self.units.get(number).and_then(Option::as_ref);
        let changes = unit.map_or_else(Vec::new, |unit| self.changes(&old, &unit.sides));
        for subject in &subjects {
            self.publish_subject(*subject as usize, work);
        }
        if !changes.is_empty() {
            work.update.maps.push(MapUpdate { subjects, changes });
        }
        self.file(number, true);
        Ok(())
    }
}
