//! Origins: the entries and rules behind a verdict.
//!
//! In: a question. Out: the winning entry of the subject's policy map with its
//! bytes and rules, and the entry authentication was inherited from. Off the
//! hot path: nothing here is unchecked.

use crate::bytes::{fixed, get_u16, get_u32, get_u64};
use crate::layout::{AGGREGATES, ORIGIN_LEN, RULE_LEN, UNLISTED_CLASSES};
use crate::question::{Answer, Direction, MatchType, Question};
use crate::view::View;

/// What stands behind a verdict.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The verdict.
    pub answer: Answer,
    /// The entry that won; `None` when nothing matched.
    pub winner: Option<OriginRecord<'a>>,
    /// The entry that authentication was inherited from.
    pub donor: Option<OriginRecord<'a>>,
}

/// An entry of a policy map with the rules behind it.
///
/// ```
/// use netverdict_table::{Direction, OriginRecord, Question, View};
///
/// # mod tiny { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tiny/mod.rs")); }
/// # let (bytes, _) = tiny::image(8, 8);
/// let view = View::new(&bytes)?;
/// // Of a table that was compiled with its rules; this one was not.
/// let said = |winner: &OriginRecord<'_>| -> Vec<String> {
///     let rules = winner.rules().map(|r| format!("{} {}:{}", r.object, r.file, r.line));
///     rules.chain([format!("precedence {}", winner.precedence())]).collect()
/// };
/// let origin = view.origin(&Question::new(0, Direction::Ingress, 9, 6, 80));
/// assert_eq!(origin.and_then(|o| o.winner).as_ref().map(said), None);
/// # Ok::<(), netverdict_table::TableError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct OriginRecord<'a> {
    view: View<'a>,
    /// Identity of the key.
    pub identity: u32,
    /// Protocol of the key; 0 for all.
    pub protocol: u8,
    /// Port of the key.
    pub port: u16,
    /// Length of the prefix among protocol and port.
    pub prefix_len: u8,
    /// The value as in Cilium's policy map.
    pub value: [u8; 12],
    rules: u32,
}

/// A rule, and where it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleRef<'a> {
    /// `CiliumNetworkPolicy/shop/db`.
    pub object: &'a str,
    /// Path of the rule within it.
    pub path: &'a str,
    /// File; empty when unknown.
    pub file: &'a str,
    /// Line, from 1; 0 when unknown.
    pub line: u32,
    /// Column, from 1; 0 when unknown.
    pub column: u32,
}

impl OriginRecord<'_> {
    /// Precedence of the entry.
    #[must_use]
    pub const fn precedence(&self) -> u32 {
        let [.., a, b, c, d, _, _, _, _] = self.value;
        u32::from_le_bytes([a, b, c, d])
    }
}

impl<'a> OriginRecord<'a> {
    /// The rules behind it.
    pub fn rules(&self) -> impl Iterator<Item = RuleRef<'a>> + 'a {
        let (view, at) = (self.view, self.rules as usize);
        let count = if at == 0 { 0 } else { get_u32(view.bytes, at) };
        (1..=count as usize).filter_map(move |i| view.rule(get_u32(view.bytes, at + i * 4)))
    }
}

impl<'a> View<'a> {
    /// A rule of the image by number.
    #[must_use]
    pub fn rule(&self, number: u32) -> Option<RuleRef<'a>> {
        let rules = self.header.rules;
        if number >= rules.count {
            return None;
        }
        let at = rules.at as usize + number as usize * RULE_LEN;
        let word = |i: usize| get_u32(self.bytes, at + i * 4);
        Some(RuleRef {
            object: self.text(word(0), word(1))?,
            path: self.text(word(2), word(3))?,
            file: self.text(word(4), word(5))?,
            line: word(6),
            column: word(7),
        })
    }

    fn text(&self, at: u32, len: u32) -> Option<&'a str> {
        let texts = self.header.texts;
        let end = at.checked_add(len).filter(|end| *end <= texts.count)?;
        let all = texts.at as usize;
        let bytes = self.bytes.get(all + at as usize..all + end as usize)?;
        core::str::from_utf8(bytes).ok()
    }

    /// What stands behind the answer to a question; `None` when there is no
    /// such subject or the image has no origins.
    #[must_use]
    pub fn origin(&self, q: &Question) -> Option<Origin<'a>> {
        let policy = self.policy(q.subject, q.direction)?;
        let answer = policy.ask(q);
        let block = self.origin_block(q.subject, q.direction)?;
        if q.passes(self.header.flags) || answer.match_type() == MatchType::None {
            return Some(Origin {
                answer,
                winner: None,
                donor: None,
            });
        }
        let port = q.lookup_port(self.header.flags);
        let find = |class: u32, identity: u32| {
            self.longest(self.origin_set(block, class)?, identity, q.protocol, port)
        };
        let class = policy.peer_class(q.identity);
        let specific = if class >= UNLISTED_CLASSES {
            find(class, q.identity)
        } else {
            None
        };
        let aggregate = u32::from(self.header.unlisted_class(q.identity));
        let key = AGGREGATES.get(aggregate as usize).copied().unwrap_or(0);
        let wider = if key == q.identity {
            None
        } else {
            find(aggregate, key)
        };
        let wider = match (&specific, wider) {
            (None, None) if q.identity != 0 => find(0, 0),
            (_, wider) => wider,
        };
        let (winner, other) = match answer.match_type() {
            MatchType::L3Only | MatchType::L3L4 | MatchType::L3Proto => (specific, wider),
            _ => (wider, specific),
        };
        let donor = other.filter(|d| answer.auth_donor() == Some(d.prefix_len));
        Some(Origin {
            answer,
            winner,
            donor,
        })
    }

    /// Every entry of a subject's policy map in one direction, class by class:
    /// the class and the entry. The identity is that of the key for classes 0
    /// to 4, and 0 for others, which stand for all identities of the class.
    pub fn origins(
        &self,
        subject: u32,
        direction: Direction,
    ) -> impl Iterator<Item = (u32, OriginRecord<'a>)> + 'a {
        let view = *self;
        let block = view.origin_block(subject, direction);
        let classes = block.map_or(0, |b| get_u32(view.bytes, b));
        (0..classes).flat_map(move |class| {
            let set = block.and_then(|b| view.origin_set(b, class));
            let identity = AGGREGATES.get(class as usize).copied().unwrap_or(0);
            let count = set.map_or(0, |s| get_u32(view.bytes, s));
            (0..count).filter_map(move |i| Some((class, view.record(set?, i, identity)?)))
        })
    }

    fn origin_block(&self, subject: u32, direction: Direction) -> Option<usize> {
        if self.header.origins == 0 || subject >= self.header.subjects.count {
            return None;
        }
        let word = get_u64(
            self.bytes,
            self.header.origins as usize + subject as usize * 8,
        );
        let block = match direction {
            Direction::Ingress => word as u32,
            Direction::Egress => (word >> 32) as u32,
        };
        (block != 0).then_some(block as usize)
    }

    fn origin_set(&self, block: usize, class: u32) -> Option<usize> {
        if class >= get_u32(self.bytes, block) {
            return None;
        }
        let set = get_u32(self.bytes, block + 4 + class as usize * 4);
        (set != 0).then_some(set as usize)
    }

    fn longest(
        &self,
        set: usize,
        identity: u32,
        protocol: u8,
        port: u16,
    ) -> Option<OriginRecord<'a>> {
        (0..get_u32(self.bytes, set))
            .filter_map(|i| self.record(set, i, identity))
            .filter(|r| r.matches(protocol, port))
            .max_by_key(|r| r.prefix_len)
    }

    fn record(&self, set: usize, i: u32, identity: u32) -> Option<OriginRecord<'a>> {
        let raw = fixed::<ORIGIN_LEN>(self.bytes, set + 4 + i as usize * ORIGIN_LEN)?;
        Some(OriginRecord {
            view: *self,
            identity,
            protocol: raw[0],
            prefix_len: raw[1],
            port: get_u16(&raw, 2),
            value: fixed(&raw, 4)?,
            rules: get_u32(&raw, 16),
        })
    }
}

impl OriginRecord<'_> {
    fn matches(&self, protocol: u8, port: u16) -> bool {
        let port_bits = u32::from(self.prefix_len.saturating_sub(8).min(16));
        let mask = !(0xffff_u32 >> port_bits) & 0xffff;
        self.prefix_len == 0
            || (self.protocol == protocol && u32::from(port ^ self.port) & mask == 0)
    }
}
