//! A table kept up to date.
//!
//! In: an image's subjects, and what changes about them and about identities.
//! Out: [`Update`]s: the writes that bring an image up to date while others
//! read it, in the order they have to happen, and the changes to each subject's
//! policy map.
//!
//! An identity that joins a class there is moves by one word per policy that
//! names it. Whatever needs a class there is not, and every change of a policy,
//! makes a new descriptor, published by one word per subject.

mod index;
mod room;
mod side;
mod unit;

use super::class::Belongs;
use super::image::{Image, Layout, Part};
use super::peers::{ChangedWord, PeerSections, Plan};
use super::refine::SelectedPages;
use super::{CompileError, Compiler, SharedKey, Subject};
use crate::identity::NumericIdentity;
use crate::policy_map::{Key, L4Key};
use crate::rule::Direction;
use crate::selector::SelectorId;
use ahash::{AHashMap, AHashSet};
use netverdict_table::Write;
use netverdict_table::layout::{Descriptor, WIDE_PEERS};
use room::SPARE_IDENTITIES;
use side::compare;
use std::collections::BTreeSet;
use unit::Unit;

/// An identity that came, went, got other labels or other named ports.
#[derive(Clone, Debug)]
pub struct IdentityChange {
    /// Its number.
    pub identity: NumericIdentity,
    /// The selectors that gained or lost it, as
    /// [`Repository::add_identity`](crate::resolve::Repository::add_identity)
    /// says.
    pub selectors: Vec<SelectorId>,
    /// Its named ports changed.
    pub ports: bool,
}

/// A subject that came, changed or went.
#[derive(Clone, Debug)]
pub enum SubjectChange {
    /// A new one; its number is in [`Update::added`].
    Add(Subject),
    /// Another policy, other ports or other endpoints.
    Replace(u32, Subject),
    /// It is gone. Its number is given to another only after
    /// [`Publisher::end_grace_period`].
    Remove(u32),
}

/// What an update did.
#[derive(Clone, Debug, Default)]
pub struct Update {
    /// Writes to the image, in order.
    pub writes: Vec<Write>,
    /// Changes to policy maps.
    pub maps: Vec<MapUpdate>,
    /// Numbers of added subjects, in the order they were given.
    pub added: Vec<u32>,
    /// The table begins anew and may have given subjects other numbers: maps
    /// are to be loaded whole ([`Self::maps`] adds every entry). The update
    /// before this one failed, or identities had to change their numbers.
    pub whole: bool,
}

/// Changes to the policy maps of subjects that share a policy.
#[derive(Clone, Debug)]
pub struct MapUpdate {
    /// The subjects.
    pub subjects: Vec<u32>,
    /// What is to be done to the map of each.
    pub changes: Vec<MapChange>,
}

/// A change to a policy map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapChange {
    /// A key that was not there, with its value's bytes.
    Add(Key, [u8; 12]),
    /// A key that was there gets another value.
    Update(Key, [u8; 12]),
    /// A key goes.
    Delete(Key),
}

/// A subject's place.
#[derive(Clone, Debug)]
struct Placed {
    unit: usize,
    identity: u32,
    endpoints: Vec<u32>,
}

/// Writes a table and keeps it up to date.
#[derive(Debug)]
pub struct Publisher {
    image: Image,
    layout: Layout,
    /// The image as it is published.
    bytes: Vec<u8>,
    /// How much of each pool, and of the descriptors, is published.
    flushed: Vec<usize>,
    flushed_descriptors: u32,
    units: Vec<Option<Unit>>,
    /// Numbers of units that are in no use.
    free_units: BTreeSet<usize>,
    by_key: AHashMap<SharedKey, usize>,
    by_selector: AHashMap<SelectorId, BTreeSet<(usize, usize)>>,
    by_port: BTreeSet<(usize, usize)>,
    subjects: Vec<Option<Placed>>,
    free: Vec<u32>,
    waiting: Vec<u32>,
    /// Words of each index that are not 0, by part.
    used: AHashMap<usize, u32>,
    /// An update failed half way: the next one starts anew.
    stale: bool,
}

impl Publisher {
    /// Compiles subjects; subject `i` has number `i`.
    ///
    /// # Errors
    /// When a policy does not fit into a table.
    pub fn new(compiler: &Compiler<'_>, subjects: Vec<Subject>) -> Result<Self, CompileError> {
        let plan = Plan::fitting(
            || identities(compiler),
            config(compiler),
            0,
            SPARE_IDENTITIES,
        );
        let mut publisher = Self {
            image: Image::new(PeerSections::changing(plan)),
            layout: Layout::new(&[0; Part::COUNT], |_, _| 0)?,
            bytes: Vec::new(),
            flushed: Vec::new(),
            flushed_descriptors: 0,
            units: Vec::new(),
            free_units: BTreeSet::new(),
            by_key: AHashMap::new(),
            by_selector: AHashMap::new(),
            by_port: BTreeSet::new(),
            subjects: Vec::new(),
            free: Vec::new(),
            waiting: Vec::new(),
            used: AHashMap::new(),
            stale: true,
        };
        let mut pages = SelectedPages::default();
        for subject in subjects {
            let number = publisher.subjects.len();
            publisher.subjects.push(None);
            publisher.place(compiler, number, subject, &mut pages)?;
        }
        publisher.rebuild(compiler)?;
        Ok(publisher)
    }

    /// The image as it is after the last update.
    #[must_use]
    pub fn image(&self) -> &[u8] {
        &self.bytes
    }

    /// Every entry of a subject's policy map, by key; entries left behind by a
    /// pass excepted.
    #[must_use]
    pub fn entries(&self, subject: u32) -> Vec<(Key, [u8; 12])> {
        let placed = self.subjects.get(subject as usize).and_then(Option::as_ref);
        let unit = placed.and_then(|p| self.units.get(p.unit)?.as_ref());
        let mut all: Vec<(Key, [u8; 12])> = Vec::new();
        for (side, direction) in unit.iter().flat_map(|u| &u.sides).zip(Direction::BOTH) {
            for (identity, class) in side.classes.listed.iter() {
                let entries = side.entries_of(Some(class));
                all.extend(
                    entries
                        .iter()
                        .map(|(l4, value)| (key(direction, identity, *l4), *value)),
                );
            }
        }
        all.sort_unstable_by_key(|(key, _)| *key);
        all
    }

    /// Numbers of removed subjects may be given to others: every reader has
    /// passed a grace period that began after the removal was published.
    pub fn end_grace_period(&mut self) {
        self.free.append(&mut self.waiting);
    }

    /// Brings the table up to date with changes that the compiler's selectors
    /// and named ports have already seen.
    ///
    /// # Errors
    /// When a policy does not fit into a table. Nothing is published then; the
    /// last good table stays in force, and the next update starts anew from
    /// what the subjects are then.
    pub fn update(
        &mut self,
        compiler: &Compiler<'_>,
        identities: &[IdentityChange],
        subjects: Vec<SubjectChange>,
    ) -> Result<Update, CompileError> {
        let mut work = Work::default();
        let done = self.try_update(compiler, identities, subjects, &mut work);
        if done.is_err() {
            self.stale = true;
        }
        done?;
        Ok(work.update)
    }

    fn try_update(
        &mut self,
        compiler: &Compiler<'_>,
        identities: &[IdentityChange],
        subjects: Vec<SubjectChange>,
        work: &mut Work,
    ) -> Result<(), CompileError> {
        for change in identities {
            self.identity(compiler, change, work)?;
        }
        for change in subjects {
            self.subject(compiler, change, work)?;
        }
        // Only now that every endpoint leads to its new subject may the old
        // ones go: none is ever without.
        for (number, old) in std::mem::take(&mut work.departures) {
            self.depart(number, &old, work);
        }
        let anew = self.stale || work.anew || !self.flush(work);
        if anew {
            self.rebuild(compiler)?;
            let image = self.bytes.clone();
            work.update.writes = vec![Write::Replace { image }];
        }
        Ok(())
    }

    /// An identity may belong to other classes now.
    fn identity(
        &mut self,
        compiler: &Compiler<'_>,
        change: &IdentityChange,
        work: &mut Work,
    ) -> Result<(), CompileError> {
        let mut touched: Vec<(usize, usize)> = Vec::new();
        for selector in &change.selectors {
            touched.extend(self.by_selector.get(selector).into_iter().flatten());
        }
        if change.ports {
            touched.extend(&self.by_port);
        }
        touched.sort_unstable();
        touched.dedup();
        let id = change.identity;
        let mut recompiled = AHashSet::new();
        for (unit, side) in touched {
            if recompiled.contains(&unit) {
                continue;
            }
            if !self.reclass(compiler, (unit, side), id, work) {
                recompiled.insert(unit);
                self.recompile(compiler, unit, work)?;
            }
        }
        Ok(())
    }

    /// Moves an identity to the class it belongs to; false when that takes a
    /// new descriptor.
    fn reclass(
        &mut self,
        compiler: &Compiler<'_>,
        (number, direction): (usize, usize),
        id: NumericIdentity,
        work: &mut Work,
    ) -> bool {
        let Some(unit) = self.units.get_mut(number).and_then(Option::as_mut) else {
            return true;
        };
        let Some(side) = unit.sides.get_mut(direction) else {
            return true;
        };
        let before = side.classes.listed_class(id);
        let after = match side
            .classes
            .belongs(id, compiler.selectors, compiler.named_ports)
        {
            Belongs::New => return false,
            Belongs::Unlisted if id.is_aggregate() => return before.is_some(),
            Belongs::Unlisted => None,
            Belongs::Class(class) => Some(class),
        };
        if before == after {
            return true;
        }
        if !self.image.peers.plan.can_list(id) {
            work.anew = true;
        }
        let d = self.image.descriptor(side.descriptor);
        let wide = d.flags & WIDE_PEERS != 0;
        let class = after.unwrap_or_else(|| super::unlisted_class(id, config(compiler)));
        if !work.anew && !self.stale {
            let Some(word) = self.image.peers.reclass(&mut side.words, id, class, wide) else {
                return false;
            };
            let placed = self.image.placed(side.descriptor, &self.layout);
            work.words.push(store(&placed, word));
        }
        let (old, new) = (side.entries_of(before), side.entries_of(after));
        let mut changes = Vec::new();
        let way = Direction::BOTH.get(direction).copied();
        compare(&old, &new, |l4, change| {
            changes.push(change.of(key(way.unwrap_or(Direction::Ingress), id, l4)));
        });
        side.classes.relist(id, after);
        if !changes.is_empty() {
            let subjects = unit.subjects.clone();
            work.update.maps.push(MapUpdate { subjects, changes });
        }
        true
    }

    fn subject(
        &mut self,
        compiler: &Compiler<'_>,
        change: SubjectChange,
        work: &mut Work,
    ) -> Result<(), CompileError> {
        match change {
            SubjectChange::Add(subject) => {
                let number = self.free.pop().map_or(self.subjects.len(), |n| n as usize);
                if number == self.subjects.len() {
                    self.subjects.push(None);
                }
                self.place(compiler, number, subject, &mut work.pages)?;
                work.update.added.push(count(number));
                self.publish_subject(number, work);
                self.all_entries(number, work, MapChange::Add);
            }
            SubjectChange::Replace(number, subject) => {
                let number = number as usize;
                let before: Vec<(Key, [u8; 12])> = self.entries(count(number));
                let old = self.subjects.get_mut(number).and_then(Option::take);
                self.place(compiler, number, subject, &mut work.pages)?;
                if let Some(old) = &old {
                    self.leave(old.unit, number);
                }
                self.publish_subject(number, work);
                work.departures.extend(old.map(|old| (number, old)));
                let after = self.entries(count(number));
                let mut changes = Vec::new();
                compare(&before, &after, |key, change| changes.push(change.of(key)));
                work.maps(number, changes);
            }
            SubjectChange::Remove(number) => {
                let number = number as usize;
                self.all_entries(number, work, |key, _| MapChange::Delete(key));
                if let Some(old) = self.subjects.get_mut(number).and_then(Option::take) {
                    self.leave(old.unit, number);
                    self.waiting.push(count(number));
                    work.departures.push((number, old));
                }
            }
        }
        Ok(())
    }

    /// What a subject was is taken away.
    fn depart(&mut self, number: usize, old: &Placed, work: &mut Work) {
        self.unindex(number, old, work);
        if self.subjects.get(number).is_some_and(Option::is_none) {
            let at = self.layout.at(Part::Subjects) + count(number) * 8;
            work.words.push(Write::Word64 { at, value: 0 });
        }
    }

    fn all_entries(&self, number: usize, work: &mut Work, f: impl Fn(Key, [u8; 12]) -> MapChange) {
        let entries = self.entries(count(number)).into_iter();
        work.maps(number, entries.map(|(key, value)| f(key, value)).collect());
    }
}

/// An update under way.
#[derive(Default)]
struct Work {
    update: Update,
    /// Stores that follow all bytes.
    words: Vec<Write>,
    /// Index words that will be used, by part.
    used: AHashMap<usize, u32>,
    /// What subjects were before they changed or went.
    departures: Vec<(usize, Placed)>,
    /// Only a whole new image will do.
    anew: bool,
    /// What selectors select does not change during an update.
    pages: SelectedPages,
}

impl Work {
    fn maps(&mut self, subject: usize, changes: Vec<MapChange>) {
        if !changes.is_empty() {
            let subjects = vec![count(subject)];
            self.update.maps.push(MapUpdate { subjects, changes });
        }
    }

    /// The word that will be at an offset, if one is to be stored there.
    fn index_word(&self, offset: u32) -> Option<u64> {
        self.words.iter().rev().find_map(|w| match w {
            Write::Word64 { at, value } if *at == offset => Some(*value),
            _ => None,
        })
    }
}

fn store(d: &Descriptor, word: ChangedWord) -> Write {
    let (base, i, value) = match word {
        ChangedWord::Directory(i, value) => (d.directory, i, value),
        ChangedWord::Root(i, value) => (d.root, i, value),
    };
    Write::Word16 {
        at: base + count(i) * 2,
        value,
    }
}

const fn key(direction: Direction, identity: NumericIdentity, l4: L4Key) -> Key {
    Key {
        direction,
        identity,
        l4,
    }
}

fn identities<'c>(compiler: &'c Compiler<'_>) -> impl Iterator<Item = NumericIdentity> + 'c {
    compiler.selectors.identities().iter().map(|(id, _)| id)
}

fn config<'c>(compiler: &'c Compiler<'_>) -> &'c crate::config::Config {
    compiler.selectors.config()
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
