//! Mappings under construction, where keys come twice and merge keys add more.

use super::codes::Problem;
use super::node::Entry;
use crate::source::Span;
use std::collections::HashMap;

/// Mappings shorter than this are searched key by key.
const INDEXED_FROM: usize = 16;

/// The entries of a mapping under construction.
#[derive(Default)]
pub(super) struct Keys {
    pub(super) entries: Vec<Entry>,
    /// What else is known of the entry of the same index.
    written: Vec<Written>,
    index: HashMap<String, usize, ahash::RandomState>,
    /// The first key that JSON does not have.
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
        match self.position(&entry.key) {
            Some(i) => {
                let old = self.entries.get_mut(i)?;
                let was = std::mem::replace(self.written.get_mut(i)?, written);
                Some((std::mem::replace(old, entry).key_span, was.merged))
            }
            None => {
                if self.entries.len() >= INDEXED_FROM {
                    self.index.insert(entry.key.clone(), self.entries.len());
                }
                self.entries.push(entry);
                self.written.push(written);
                if self.entries.len() == INDEXED_FROM {
                    let keys = self.entries.iter().map(|e| e.key.clone());
                    self.index = keys.zip(0..).collect();
                }
                None
            }
        }
    }

    fn position(&self, key: &str) -> Option<usize> {
        if self.entries.len() < INDEXED_FROM {
            return self.entries.iter().position(|e| e.key == key);
        }
        self.index.get(key).copied()
    }

    /// Why JSON cannot carry the mapping.
    pub(super) fn unfit(&mut self) -> Option<Problem> {
        let value = self.written.iter_mut().find_map(|w| w.unfit.take());
        self.refused.take().or(value)
    }
}
