//! Origins: the entries and rules behind each class's verdicts.
//!
//! In: the entries of a direction, made for one identity of each class. Out:
//! a block per subject and direction, relative to the section.

use super::class::{Classes, UNLISTED};
use super::column::effective;
use super::pool::Pool;
use crate::identity::NumericIdentity;
use crate::policy_map::{Entry, Key, L4Key, MapState, value_to_bytes};
use crate::resolve::DirectionPolicy;
use crate::rule::Rule;
use crate::source::{Sources, Span};
use ahash::AHashMap;
use netverdict_table::layout::{ORIGIN_LEN, RULE_LEN};
use std::sync::Arc;

/// Where a rule is written, for the image.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RulePlace {
    /// File; empty when unknown.
    pub file: String,
    /// Line, from 1; 0 when unknown.
    pub line: u32,
    /// Column, from 1; 0 when unknown.
    pub column: u32,
}

impl RulePlace {
    /// The place of a rule among sources.
    #[must_use]
    pub fn of(rule: &Rule, sources: &Sources) -> Self {
        let span = rule.origin.span;
        match sources.get(span.source) {
            Some(source) if span != Span::default() => {
                let position = source.position(span.start);
                Self {
                    file: source.name().to_owned(),
                    line: position.line,
                    column: position.column,
                }
            }
            _ => Self::default(),
        }
    }
}

/// Blocks, sets, lists of rules, rules and texts. Offsets between them are
/// relative to their sections until the image is put together, and one more
/// than they are: 0 says "none".
#[derive(Debug)]
pub(super) struct OriginSections {
    blocks: Pool,
    sets: Pool,
    lists: Pool,
    pub(super) rules: Pool,
    pub(super) texts: Pool,
    /// Numbers by address of the rule, which is kept alive beside them.
    numbers: AHashMap<usize, (u32, Arc<Rule>)>,
}

/// Where the three relative sections begin in an image.
#[derive(Clone, Copy, Debug)]
pub(super) struct OriginBases {
    pub(super) blocks: u32,
    pub(super) sets: u32,
    pub(super) lists: u32,
}

impl OriginSections {
    pub(super) fn new() -> Self {
        Self {
            blocks: Pool::new(4),
            sets: Pool::new(4),
            lists: Pool::new(4),
            rules: Pool::new(RULE_LEN),
            texts: Pool::new(1),
            numbers: AHashMap::new(),
        }
    }

    /// Puts a direction's block; returns its offset + 1.
    pub(super) fn put(
        &mut self,
        policy: &DirectionPolicy,
        state: &MapState,
        classes: &Classes,
        place: &dyn Fn(&Rule) -> RulePlace,
    ) -> u32 {
        let mut by_identity: AHashMap<NumericIdentity, Vec<(L4Key, &Entry)>> = AHashMap::new();
        for (id, l4, entry) in effective(state) {
            by_identity.entry(id).or_default().push((l4, entry));
        }
        let mut block = classes.count().to_le_bytes().to_vec();
        for id in UNLISTED.iter().chain(classes.representatives()) {
            let set = by_identity
                .get(id)
                .map_or(0, |entries| self.put_set(policy, *id, entries, place));
            block.extend(set.to_le_bytes());
        }
        self.blocks.put(&block) + 1
    }

    fn put_set(
        &mut self,
        policy: &DirectionPolicy,
        identity: NumericIdentity,
        entries: &[(L4Key, &Entry)],
        place: &dyn Fn(&Rule) -> RulePlace,
    ) -> u32 {
        let mut set = u32_bytes(entries.len());
        for (l4, entry) in entries {
            let key = Key {
                direction: policy.direction,
                identity,
                l4: *l4,
            };
            set.extend([l4.protocol, l4.prefix_len()]);
            set.extend(l4.port.to_le_bytes());
            set.extend(value_to_bytes(&key, entry));
            let mut list = Vec::new();
            for rule in policy.rules_of(&entry.origin) {
                list.extend(self.rule(rule, place).to_le_bytes());
            }
            let mut counted = u32_bytes(list.len() / 4);
            counted.extend(list);
            let at = self.lists.put(&counted) + 1;
            set.extend(at.to_le_bytes());
        }
        self.sets.put(&set) + 1
    }

    fn rule(&mut self, rule: &Arc<Rule>, place: &dyn Fn(&Rule) -> RulePlace) -> u32 {
        let address = Arc::as_ptr(rule) as usize;
        if let Some((number, _)) = self.numbers.get(&address) {
            return *number;
        }
        let RulePlace { file, line, column } = place(rule);
        let mut record = Vec::with_capacity(RULE_LEN);
        for text in [&rule.origin.id(), &rule.origin.path, &file] {
            let at = self.texts.put(text.as_bytes());
            record.extend(at.to_le_bytes());
            record.extend(u32_bytes(text.len()));
        }
        record.extend(line.to_le_bytes());
        record.extend(column.to_le_bytes());
        let number = self.rules.put(&record) / u32::try_from(RULE_LEN).unwrap_or(1);
        self.numbers.insert(address, (number, Arc::clone(rule)));
        number
    }

    /// Lengths of blocks, sets and lists.
    pub(super) fn lens(&self) -> [usize; 3] {
        [self.blocks.len(), self.sets.len(), self.lists.len()]
    }

    /// The three relative sections with their offsets made absolute.
    pub(super) fn placed(&self, bases: OriginBases) -> [Vec<u8>; 3] {
        let mut blocks = self.blocks.bytes().to_vec();
        let mut at = 0;
        while let Some(count) = word(&blocks, at) {
            for i in 1..=count as usize {
                rebase(&mut blocks, at + i * 4, bases.sets);
            }
            at += 4 + count as usize * 4;
        }
        let mut sets = self.sets.bytes().to_vec();
        let mut at = 0;
        while let Some(count) = word(&sets, at) {
            for i in 0..count as usize {
                rebase(&mut sets, at + 4 + i * ORIGIN_LEN + 16, bases.lists);
            }
            at += 4 + count as usize * ORIGIN_LEN;
        }
        [blocks, sets, self.lists.bytes().to_vec()]
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*word))
}

/// Turns an offset within a section, plus 1, into one within the image.
fn rebase(bytes: &mut [u8], at: usize, base: u32) {
    let Some(to) = bytes.get_mut(at..).and_then(|b| b.first_chunk_mut::<4>()) else {
        return;
    };
    if let Some(relative) = u32::from_le_bytes(*to).checked_sub(1) {
        *to = (base + relative).to_le_bytes();
    }
}

fn u32_bytes(n: usize) -> Vec<u8> {
    u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes().to_vec()
}
