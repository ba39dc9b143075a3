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
mod moving;
mod room;
mod side;
mod unit;
mod walk;

use super::image::{Image, Layout, Part};
use super::peers::{ChangedWord, PeerSections, Plan};
use super::refine::SelectedPages;
use super::{CompileError, Compiler, SharedKey, Subject};
use crate::identity::NumericIdentity;
use crate::policy_map::{Key, L4Key};
use crate::rule::Direction;
use crate::selector::SelectorId;
use ahash::AHashMap;
use netverdict_table::Write;
use netverdict_table::layout::Descriptor;
use room::SPARE_IDENTITIES;
use side::EntryLists;
use std::collections::BTreeSet;
use unit::Unit;
use walk::{Askers, Walk};

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
    askers: Askers,
    walk: Walk,
    lists: EntryLists,
    /// What selectors select; follows every change.
    pages: SelectedPages,
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
            askers: Askers::default(),
            walk: Walk::default(),
            lists: EntryLists::default(),
            pages: SelectedPages::default(),
            subjects: Vec::new(),
            free: Vec::new(),
            waiting: Vec::new(),
            used: AHashMap::new(),
            stale: true,
        };
        for subject in subjects {
            let number = publisher.subjects.len();
            publisher.subjects.push(None);
            publisher.place(compiler, number, subject)?;
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
            for (identity, class) in side.listing(&self.image.peers) {
                let entries = side.entries_of(Some(class)).iter();
                all.extend(entries.map(|(l4, value)| (key(direction, identity, *l4), *value)));
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
        self.lists.sweep();
        let mut work = Work::default();
        let mut done = self.changes_of(compiler, identities, subjects, &mut work);
        // Only now that every endpoint leads to its new subject may the old
        // ones go: none is ever without.
        for (number, old) in std::mem::take(&mut work.departures) {
            self.depart(number, &old, &mut work);
        }
        done = done.and_then(|()| self.publish(compiler, &mut work));
        if done.is_err() {
            self.stale = true;
            self.pages = SelectedPages::default();
        }
        done?;
        Ok(work.update)
    }

    fn changes_of(
        &mut self,
        compiler: &Compiler<'_>,
        identities: &[IdentityChange],
        subjects: Vec<SubjectChange>,
        work: &mut Work,
    ) -> Result<(), CompileError> {
        for change in identities {
            for selector in &change.selectors {
                let selected = compiler.selectors.selections(*selector);
                let selected = selected.is_some_and(|ids| ids.contains(change.identity.0));
                self.pages.follow(*selector, change.identity, selected);
            }
        }
        self.identities(compiler, identities, work)?;
        for change in subjects {
            self.subject(compiler, change, work)?;
        }
        Ok(())
    }

    fn publish(&mut self, compiler: &Compiler<'_>, work: &mut Work) -> Result<(), CompileError> {
        let anew = self.stale || work.anew || !self.flush(work);
        if anew {
            self.rebuild(compiler)?;
            let image = self.bytes.clone();
            work.update.writes = vec![Write::Replace { image }];
        }
        Ok(())
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
                self.place(compiler, number, subject)?;
                work.update.added.push(count(number));
                self.publish_subject(number, work);
                self.all_entries(number, work, MapChange::Add);
            }
            SubjectChange::Replace(number, subject) => {
                let number = number as usize;
                let old = self.subjects.get_mut(number).and_then(Option::take);
                self.place(compiler, number, subject)?;
                self.publish_subject(number, work);
                match old {
                    Some(old) => {
                        self.follow(number, old.unit, work);
                        work.departures.push((number, old));
                    }
                    None => self.all_entries(number, work, MapChange::Add),
                }
            }
            SubjectChange::Remove(number) => {
                let number = number as usize;
                self.all_entries(number, work, |key, _| MapChange::Delete(key));
                if let Some(old) = self.subjects.get_mut(number).and_then(Option::take) {
                    self.waiting.push(count(number));
                    work.departures.push((number, old));
                }
            }
        }
        Ok(())
    }

    /// A subject's map follows it from one unit to another.
    fn follow(&self, number: usize, old: usize, work: &mut Work) {
        let placed = self.subjects.get(number).and_then(Option::as_ref);
        let Some(new) = placed.map(|p| p.unit).filter(|new| *new != old) else {
            return;
        };
        let maps = &mut work.update.maps;
        let place = *work.followed.entry((old, new)).or_insert_with(|| {
            let sides = |unit: usize| Some(&self.units.get(unit)?.as_ref()?.sides);
            let both = sides(old).zip(sides(new));
            let changes = both.map_or_else(Vec::new, |(old, new)| self.changes(old, new));
            if changes.is_empty() {
                return usize::MAX;
            }
            let subjects = Vec::new();
            maps.push(MapUpdate { subjects, changes });
            maps.len() - 1
        });
        if let Some(map) = maps.get_mut(place) {
            map.subjects.push(count(number));
        }
    }

    /// What a subject was is taken away.
    fn depart(&mut self, number: usize, old: &Placed, work: &mut Work) {
        self.leave(old.unit, number);
        self.unindex(number, old, work);
        if self.subjects.get(number).is_some_and(Option::is_none) {
            let at = self.layout.at(Part::Subjects) + count(number) * 8;
            work.store(at, 0);
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
    /// The words of 64 bits among them, by offset.
    stored: AHashMap<u32, u64>,
    /// Index words that will be used, by part.
    used: AHashMap<usize, u32>,
    /// What subjects were before they changed or went.
    departures: Vec<(usize, Placed)>,
    /// Only a whole new image will do.
    anew: bool,
    /// By the units that a subject left and came to: which of the maps'
    /// updates says what changes.
    followed: AHashMap<(usize, usize), usize>,
}

impl Work {
    fn maps(&mut self, subject: usize, changes: Vec<MapChange>) {
        if !changes.is_empty() {
            let subjects = vec![count(subject)];
            self.update.maps.push(MapUpdate { subjects, changes });
        }
    }

    fn store(&mut self, at: u32, value: u64) {
        self.words.push(Write::Word64 { at, value });
        self.stored.insert(at, value);
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
