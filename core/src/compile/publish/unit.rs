//! Units: what subjects with one policy share.
//!
//! In: subjects that come, and units whose classes changed. Out: units, put into
//! the image and filed under what they depend on.

use super::super::refine::SelectedPages;
use super::super::{CompileError, Compiler, Made, SharedKey, Subject, shared_key};
use super::side::{Side, class_entries, side_changes, unplaced};
use super::{MapUpdate, Placed, Publisher, Work, count};
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
        pages: &mut SelectedPages,
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
                let made = compiler.make(&subject, pages)?;
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
            return Ok(unplaced(subject, made));
        }
        let [ingress, egress] = made;
        let mut side = |policy: &DirectionPolicy, made: Made| {
            let descriptor = self.image.put(policy, &made.classes, &made.cells)?;
            let words = self.image.peers.words(&self.image.descriptor(descriptor));
            Ok(Side {
                entries: class_entries(policy.direction, &made),
                classes: made.classes,
                descriptor,
                words,
            })
        };
        Ok([
            side(&subject.policy.ingress, ingress)?,
            side(&subject.policy.egress, egress)?,
        ])
    }

    /// Files a unit under what it depends on, or takes it out again.
    pub(super) fn file(&mut self, number: usize, enter: bool) {
        let Some(unit) = self.units.get(number).and_then(Option::as_ref) else {
            return;
        };
        for (i, side) in unit.sides.iter().enumerate() {
            for selector in side.classes.selectors() {
                let filed = self.by_selector.entry(selector).or_default();
                if enter {
                    filed.insert((number, i));
                } else {
                    filed.remove(&(number, i));
                }
            }
            if enter && side.classes.asks_ports() {
                self.by_port.insert((number, i));
            } else if !enter {
                self.by_port.remove(&(number, i));
            }
        }
    }

    /// A subject leaves its unit, which goes with the last one.
    pub(super) fn leave(&mut self, number: usize, subject: usize) {
        let Some(unit) = self.units.get_mut(number).and_then(Option::as_mut) else {
            return;
        };
        unit.subjects.retain(|s| *s as usize != subject);
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
        let made = compiler.make(&subject, &mut work.pages)?;
        for side in &made {
            let mut pages = side.classes.listed.pages().iter();
            work.anew |= pages.any(|p| !self.image.peers.plan.can_list(p.first()));
        }
        if work.anew || self.stale {
            // The rebuild to come places it; only what changes in maps counts.
            work.anew = true;
        }
        let new = match work.anew {
            true => None,
            false => Some(self.put(&subject, made)?),
        };
        let new = match new {
            Some(sides) => sides,
            None => unplaced(&subject, compiler.make(&subject, &mut work.pages)?),
        };
        self.file(number, false);
        let Some(unit) = self.units.get_mut(number).and_then(Option::as_mut) else {
            return Ok(());
        };
        let old = std::mem::replace(&mut unit.sides, new);
        let mut changes = Vec::new();
        for ((old, new), direction) in old.iter().zip(&unit.sides).zip(Direction::BOTH) {
            side_changes(old, new, direction, &mut changes);
        }
        let subjects = unit.subjects.clone();
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
