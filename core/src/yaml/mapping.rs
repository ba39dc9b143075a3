//! Mappings under construction, where keys come twice and merge keys add more.

use super::codes::Problem;
use super::node::Entry;
use crate::source::Span;
use std::collections::{BTreeMap, HashMap};

/// Mappings shorter than this are searched key by key.
const INDEXED_FROM: usize = 16;

/// The entries of a mapping under construction.
#[derive(Default)]
pub(super) struct Keys {
    pub(super) entries: Vec<Entry>,
    /// What else is known of the entry of an index; nothing of most.
    written: BTreeMap<usize, Written>,
    /// Once there are [`INDEXED_FROM`] entries.
    index: Option<HashMap<String, usize, ahash::RandomState>>,
    /// The first key that JSON does not have.
    #[cfg_attr(
        not(feature = "yaml"),
        allow(dead_code, reason = "JSON has no such keys")
    )]
    pub(super) refused: Option<Problem>,
}

#[derive(Default)]
pub(super) struct Written {
    /// It came from a `<<`.
    pub(super) merged: bool,
    /// Why JSON cannot carry its value.
    pub(super) unfit: Option<Problem>,
}

impl Keys {
    /// Puts the entry in; when the key was there, the new one replaces it and
    /// the place of the old one and whether it was merged come back.
    pub(super) fn insert(&mut self, entry: Entry, written: Written) -> Option<(Span, bool)> {
        let known = self.position(&entry.key);
        let place = known.unwrap_or(self.entries.len());
        let was = if written.merged || written.unfit.is_some() {
            self.written.insert(place, written)
        } else {
            self.written.remove(&place)
        };
        if known.is_some() {
            let old = self.entries.get_mut(place)?;
            let old = std::mem::replace(old, entry);
            return Some((old.key_span, was.is_some_and(|was| was.merged)));
        }
        if let Some(index) = &mut self.index {
            index.insert(entry.key.clone(), place);
        }
        self.entries.push(entry);
        if self.entries.len() == INDEXED_FROM {
            let keys = self.entries.iter().map(|e| e.key.clone());
            self.index = Some(keys.zip(0..).collect());
        }
        None
    }

    fn position(&self, key: &str) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(key).copied(),
            None => self.entries.iter().position(|e| e.key == key),
        }
    }

    /// Why JSON cannot carry the mapping.
    #[cfg(feature = "yaml")]
    pub(super) fn unfit(&mut self) -> Option<Problem> {
        let value = self.written.values_mut().find_map(|w| w.unfit.take());
        self.refused.take().or(value)
    }
}
