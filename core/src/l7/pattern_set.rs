//! Many expressions, matched at once.
//!
//! In: expressions of policies. Out: for a text, which of them match all of
//! it. Plain texts are looked up; the others are one automaton, so that a
//! thousand cost about as much as one. Matching takes time linear in the text.

use super::expression::Expression;
use crate::object::regex::RegexError;
use ahash::AHashMap;
use regex::bytes::{RegexSet, RegexSetBuilder};
use smallvec::SmallVec;

/// Memory of one automaton, in bytes, as its engine counts it.
const AUTOMATON: usize = 4 << 20;
/// Automata of a set. What does not fit is refused.
const AUTOMATA: usize = 16;
/// How often building one may fail before the rest is refused: finding one
/// expression among a thousand that is too large takes ten.
const FAILURES: u32 = 48;

/// The number of an expression in its set: equal texts share one.
pub(super) type PatternId = u32;

/// The expressions that match a text.
pub(super) type Matched = SmallVec<[PatternId; 8]>;

/// Why an expression takes no part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is none that RE2 takes.
    Syntax(RegexError),
    /// It, or all of them together, would take too much memory.
    TooLarge,
}

#[derive(Debug, Default)]
pub(super) struct PatternSet {
    ids: AHashMap<String, PatternId>,
    refused: Vec<(PatternId, Refusal)>,
    plain: AHashMap<String, SmallVec<[PatternId; 2]>>,
    patterns: Vec<(PatternId, String)>,
    automata: Vec<(RegexSet, Vec<PatternId>)>,
}

impl PatternSet {
    /// Adds an expression; [`Self::build`] makes it count.
    pub(super) fn add(&mut self, text: &str) -> PatternId {
        if let Some(known) = self.ids.get(text) {
            return *known;
        }
        let id = u32::try_from(self.ids.len()).unwrap_or(u32::MAX);
        self.ids.insert(text.to_owned(), id);
        match Expression::new(text) {
            Ok(Expression::Literal(literal)) => self.plain.entry(literal).or_default().push(id),
            Ok(Expression::Pattern(pattern)) => self.patterns.push((id, pattern)),
            Err(error) => self.refused.push((id, Refusal::Syntax(error))),
        }
        id
    }

    /// Compiles what was added.
    pub(super) fn build(&mut self) {
        let patterns = std::mem::take(&mut self.patterns);
        let mut open = vec![patterns.as_slice()];
        let mut failures = 0;
        while let Some(part) = open.pop() {
            if part.is_empty() {
                continue;
            }
            let tries = self.automata.len() < AUTOMATA && failures < FAILURES;
            let set = tries.then(|| {
                RegexSetBuilder::new(part.iter().map(|(_, text)| text))
                    .size_limit(AUTOMATON)
                    .dfa_size_limit(AUTOMATON)
                    .build()
            });
            match set {
                Some(Ok(set)) => {
                    let ids = part.iter().map(|(id, _)| *id).collect();
                    self.automata.push((set, ids));
                }
                Some(Err(_)) if part.len() > 1 => {
                    failures += 1;
                    let (left, right) = part.split_at(part.len() / 2);
                    open.extend([right, left]);
                }
                _ => {
                    failures += 1;
                    let all = part.iter().map(|(id, _)| (*id, Refusal::TooLarge));
                    self.refused.extend(all);
                }
            }
        }
    }

    /// The number of an expression that was added.
    pub(super) fn id(&self, text: &str) -> Option<PatternId> {
        self.ids.get(text).copied()
    }

    /// Which expressions take no part, and why.
    pub(super) fn refused(&self) -> &[(PatternId, Refusal)] {
        &self.refused
    }

    /// The expressions that match all of a text, in no order.
    pub(super) fn matches(&self, text: &[u8]) -> Matched {
        let mut matched = Matched::new();
        if let Ok(text) = std::str::from_utf8(text)
            && let Some(ids) = self.plain.get(text)
        {
            matched.extend(ids.iter().copied());
        }
        for (set, ids) in &self.automata {
            let found = set.matches(text);
            matched.extend(found.iter().filter_map(|i| ids.get(i).copied()));
        }
        matched
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_match_are_found() {
        let mut set = PatternSet::default();
        let ids: Vec<u32> = ["/a", "/a.*", "/b", "/.", "/a", r"/\x61", "("]
            .iter()
            .map(|t| set.add(t))
            .collect();
        set.build();
        assert_eq!(ids, [0, 1, 2, 3, 0, 4, 5]);
        let sorted = |text: &str| {
            let mut found = set.matches(text.as_bytes()).to_vec();
            found.sort_unstable();
            found
        };
        assert_eq!(sorted("/a"), [0, 1, 3, 4]);
        assert_eq!(sorted("/ab"), [1]);
        assert_eq!(sorted("/b"), [2, 3]);
        assert!(sorted("").is_empty());
        assert!(set.matches(b"/\xff").is_empty(), "no character");
        assert!(matches!(set.refused(), [(5, Refusal::Syntax(_))]));
    }

    #[test]
    fn what_is_too_large_is_refused_and_the_rest_is_not() {
        let mut set = PatternSet::default();
        let small = set.add("/a.*");
        // Many classes of many ranges: far more than a proxy would take.
        let large: Vec<u32> = ["x", "y"]
            .iter()
            .map(|c| set.add(&format!(r"[\pL\pN{c}]{{1000}}")))
            .collect();
        set.build();
        assert_eq!(set.matches(b"/ab").as_slice(), [small]);
        let refused: Vec<u32> = set.refused().iter().map(|(id, _)| *id).collect();
        assert!(large.iter().all(|id| refused.contains(id)));
    }
}
