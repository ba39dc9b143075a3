//! One direction of a policy that is published: its classes and their entries.
//!
//! In: what was made of a direction. Out: entries by class, and what changes
//! in policy maps from one state of it to another.

use super::super::class::{ClassId, FIRST_LISTED};
use super::super::listed::{Listed, Page};
use super::super::member::Members;
use super::super::peers::{PeerSections, Words, listed_in};
use super::super::{Made, UNLISTED, unlisted_class};
use super::{MapChange, key};
use crate::config::Config;
use crate::identity::NumericIdentity;
use crate::policy_map::{Key, L4Key, MapState, value_to_bytes};
use crate::rule::Direction;
use ahash::AHashSet;
use std::sync::Arc;

/// Entries of a class, by key.
type ClassEntries = Arc<[(L4Key, [u8; 12])]>;

/// Lists of entries, of which classes of many policies have the same: each
/// stands once, so that equal ones are at one address.
#[derive(Debug, Default)]
pub(super) struct EntryLists {
    known: AHashSet<ClassEntries>,
    /// How many were in use when it was last looked.
    used: usize,
}

/// So many lists may be out of use in any case.
const SPARE_LISTS: usize = 1024;

impl EntryLists {
    /// Forgets lists that are in no use, once those are many. Not during an
    /// update, which knows lists by their addresses.
    pub(super) fn sweep(&mut self) {
        if self.known.len() > 2 * self.used + SPARE_LISTS {
            self.known.retain(|list| Arc::strong_count(list) > 1);
            self.used = self.known.len();
        }
    }

    fn put(&mut self, list: &[(L4Key, [u8; 12])]) -> ClassEntries {
        if let Some(known) = self.known.get(list) {
            return Arc::clone(known);
        }
        let list: ClassEntries = list.into();
        self.known.insert(Arc::clone(&list));
        list
    }

    /// The entries of each class of a direction.
    pub(super) fn of_classes(&mut self, direction: Direction, made: &Made) -> Vec<ClassEntries> {
        let state: &MapState = &made.state;
        let entries = state.levels().flat_map(|(l4, entries)| {
            let valid = entries.filter(|(_, entry)| !entry.invalid);
            valid.map(move |(id, entry)| {
                let value = value_to_bytes(&key(direction, id, l4), entry);
                (id, (l4, value))
            })
        });
        let mut all: Vec<(NumericIdentity, (L4Key, [u8; 12]))> = entries.collect();
        all.sort_unstable_by_key(|(id, (l4, _))| (*id, *l4));
        let (ids, entries): (Vec<NumericIdentity>, Vec<(L4Key, [u8; 12])>) =
            all.into_iter().unzip();
        let classes = UNLISTED.iter().chain(made.classes.representatives());
        let lists = classes.map(|id| {
            let from = ids.partition_point(|i| i < id);
            let to = ids.partition_point(|i| i <= id);
            self.put(entries.get(from..to).unwrap_or(&[]))
        });
        lists.collect()
    }
}

/// One direction of a unit.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) members: Members,
    /// By class.
    pub(super) entries: Vec<ClassEntries>,
    pub(super) descriptor: u32,
    pub(super) words: Words,
    /// Who is listed, where the image does not say: it has no place for this
    /// direction, or for an identity that moved.
    pub(super) listed: Option<Listed>,
}

impl Side {
    /// The entries of the identities of a class; of those that are not listed
    /// a map has none.
    pub(super) fn entries_of(&self, class: Option<ClassId>) -> &[(L4Key, [u8; 12])] {
        let entries = class.and_then(|c| self.entries.get(c as usize));
        entries.map_or(&[], |list| list)
    }

    /// By class, where its list of entries stands.
    fn addresses(&self) -> Vec<usize> {
        let addresses = self.entries.iter().map(|list| list.as_ptr() as usize);
        addresses.collect()
    }

    /// The class of an identity, if it is listed.
    pub(super) fn listed_class(
        &self,
        id: NumericIdentity,
        sections: &PeerSections,
    ) -> Option<ClassId> {
        match &self.listed {
            Some(listed) => listed.class(id),
            None => sections.listed_class(&self.words, id),
        }
    }

    /// Puts an identity into another class while the image cannot.
    pub(super) fn relist(
        &mut self,
        id: NumericIdentity,
        class: Option<ClassId>,
        sections: &PeerSections,
        config: &Config,
    ) {
        let unlisted = |id| unlisted_class(id, config);
        if self.listed.is_none() {
            let mut listed = Listed::default();
            for (id, class) in self.listing(sections) {
                listed.set(id, Some(class), unlisted);
            }
            self.listed = Some(listed);
        }
        if let Some(listed) = &mut self.listed {
            listed.set(id, class, unlisted);
        }
    }

    /// Every listed identity with its class, ascending.
    pub(super) fn listing<'a>(
        &'a self,
        sections: &'a PeerSections,
    ) -> impl Iterator<Item = (NumericIdentity, ClassId)> {
        self.pages(sections).into_iter().flat_map(|(number, page)| {
            (number << 6..).zip(0..64).filter_map(move |(id, i)| {
                let class = page.class(i)?;
                Some((NumericIdentity(id), class))
            })
        })
    }

    /// The pages with listed identities, ascending.
    fn pages<'a>(&'a self, sections: &'a PeerSections) -> Vec<(u32, Content<'a>)> {
        match &self.listed {
            Some(listed) => {
                let pages = listed.pages().iter();
                let all = pages.map(|page| (page.first().0 >> 6, Content::Listed(page)));
                all.collect()
            }
            None => {
                let pages = sections.listed_pages(&self.words).into_iter();
                let wide = self.words.wide();
                let all = pages.map(|(number, page)| (number, Content::Placed(page, wide)));
                all.collect()
            }
        }
    }
}

/// Sixty-four neighbouring identities, some of them listed.
#[derive(Clone, Copy)]
enum Content<'a> {
    Placed(&'a [u8], bool),
    Listed(&'a Page),
}

impl Content<'_> {
    fn class(self, i: usize) -> Option<ClassId> {
        match self {
            Content::Placed(page, wide) => listed_in(page, wide, i),
            Content::Listed(page) => {
                let class = page.classes().get(i).copied().map(ClassId::from);
                class.filter(|c| *c >= FIRST_LISTED)
            }
        }
    }

    fn all(self) -> [Option<ClassId>; 64] {
        std::array::from_fn(|i| self.class(i))
    }

    /// Pages at one address are alike.
    fn address(self) -> usize {
        match self {
            Content::Placed(page, _) => page.as_ptr() as usize,
            Content::Listed(page) => std::ptr::from_ref(page) as usize,
        }
    }
}

/// Whom and what [`side_changes`] is about.
pub(super) struct Sides<'a> {
    pub(super) old: &'a Side,
    pub(super) new: &'a Side,
    pub(super) direction: Direction,
    pub(super) sections: &'a PeerSections,
}

/// What changes from one side to another for every identity that either lists.
pub(super) fn side_changes(of: &Sides<'_>, changes: &mut Vec<MapChange>) {
    let (old, new) = (of.old.pages(of.sections), of.new.pages(of.sections));
    let (mut old, mut new) = (old.into_iter().peekable(), new.into_iter().peekable());
    // Lists at one address are one list.
    let before_by_class = of.old.addresses();
    let after_by_class = of.new.addresses();
    // Many pages are alike, and so are most pairs of them.
    let mut alike: AHashSet<[Option<usize>; 2]> = AHashSet::new();
    loop {
        let next = [old.peek(), new.peek()];
        let next = next.into_iter().flatten().map(|(number, _)| *number).min();
        let Some(number) = next else {
            return;
        };
        let before = old.next_if(|(n, _)| *n == number).map(|(_, page)| page);
        let after = new.next_if(|(n, _)| *n == number).map(|(_, page)| page);
        let pair = [before, after].map(|page| page.map(Content::address));
        if alike.contains(&pair) {
            continue;
        }
        let count = changes.len();
        let before = before.map_or([None; 64], Content::all);
        let after = after.map_or([None; 64], Content::all);
        let address = |by_class: &[usize], class: Option<ClassId>| {
            class.map_or(0, |c| by_class.get(c as usize).copied().unwrap_or(0))
        };
        for ((id, before), after) in (number << 6..).zip(before).zip(after) {
            if address(&before_by_class, before) == address(&after_by_class, after) {
                continue;
            }
            let (before, after) = (of.old.entries_of(before), of.new.entries_of(after));
            compare(before, after, |l4, change| {
                changes.push(change.of(key(of.direction, NumericIdentity(id), l4)));
            });
        }
        if changes.len() == count {
            alike.insert(pair);
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
