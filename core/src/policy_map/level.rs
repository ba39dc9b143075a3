//! The entries of one protocol and port, by identity.
//!
//! Most have few: those are searched one by one.

use super::state::Entry;
use crate::identity::NumericIdentity;
use ahash::AHashMap;

/// So many entries are kept in a list.
const FEW: usize = 12;

/// Entries that share protocol and port, by identity, in no particular order.
#[derive(Clone, Debug)]
pub(super) enum Level {
    Few(Vec<(NumericIdentity, Entry)>),
    Many(AHashMap<NumericIdentity, Entry>),
}

impl Default for Level {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Level {
    pub(super) fn get(&self, id: &NumericIdentity) -> Option<&Entry> {
        match self {
            Self::Few(list) => list.iter().find(|(i, _)| i == id).map(|(_, e)| e),
            Self::Many(map) => map.get(id),
        }
    }

    pub(super) fn get_mut(&mut self, id: &NumericIdentity) -> Option<&mut Entry> {
        match self {
            Self::Few(list) => list.iter_mut().find(|(i, _)| i == id).map(|(_, e)| e),
            Self::Many(map) => map.get_mut(id),
        }
    }

    pub(super) fn contains_key(&self, id: &NumericIdentity) -> bool {
        self.get(id).is_some()
    }

    /// Puts an entry in place of the identity's.
    pub(super) fn insert(&mut self, id: NumericIdentity, entry: Entry) {
        match self {
            Self::Few(list) => {
                if let Some((_, old)) = list.iter_mut().find(|(i, _)| *i == id) {
                    *old = entry;
                    return;
                }
                list.push((id, entry));
                if list.len() > FEW {
                    *self = Self::Many(list.drain(..).collect());
                }
            }
            Self::Many(map) => {
                map.insert(id, entry);
            }
        }
    }

    pub(super) fn remove(&mut self, id: &NumericIdentity) {
        match self {
            Self::Few(list) => list.retain(|(i, _)| i != id),
            Self::Many(map) => {
                map.remove(id);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Few(list) => list.len(),
            Self::Many(map) => map.len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&NumericIdentity, &Entry)> {
        let (few, many) = match self {
            Self::Few(list) => (list.as_slice(), None),
            Self::Many(map) => (&[][..], Some(map)),
        };
        few.iter()
            .map(|(i, e)| (i, e))
            .chain(many.into_iter().flatten())
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &NumericIdentity> {
        self.iter().map(|(id, _)| id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy_map::Precedence;
    use crate::resolve::Origin;

    fn entry(auth: u8) -> Entry {
        Entry {
            precedence: Precedence::allow(0, None),
            proxy_port: 0,
            auth,
            invalid: false,
            redirect: 0,
            passes: None,
            origin: Origin::of(0),
        }
    }

    /// Lists and maps behave alike, and a list becomes a map in between.
    #[test]
    fn entries_come_and_go() {
        let mut level = Level::default();
        for n in 0..40u8 {
            let id = NumericIdentity(u32::from(n));
            assert!(!level.contains_key(&id));
            level.insert(id, entry(0));
            level.insert(id, entry(n));
            assert_eq!(level.len(), usize::from(n) + 1);
            let all: Vec<u8> = (0..=n)
                .filter_map(|n| Some(level.get(&NumericIdentity(u32::from(n)))?.auth))
                .collect();
            assert_eq!(all, (0..=n).collect::<Vec<u8>>());
        }
        assert!(matches!(level, Level::Many(_)));
        if let Some(entry) = level.get_mut(&NumericIdentity(7)) {
            entry.auth = 99;
        }
        assert_eq!(level.iter().filter(|(_, e)| e.auth == 99).count(), 1);
        for n in 0..40 {
            level.remove(&NumericIdentity(n));
        }
        assert!(level.is_empty());
    }
}
