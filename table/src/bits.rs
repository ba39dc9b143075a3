//! Verdict bitsets: who gets a verdict, as sets.
//!
//! In: a policy, a protocol and a port. Out: a [`ClassSet`] of the policy's
//! own peer classes, or an [`IdentitySet`] of the image's identities, which can
//! be compared with those of any other policy of the image.

use crate::bytes::get_upto_u64;
use crate::layout::UNLISTED_CLASSES;
use crate::question::{Answer, code};
use crate::view::PolicyView;
use alloc::vec;
use alloc::vec::Vec;

/// A verdict that a set is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Plane {
    /// A rule denies.
    Deny = 0,
    /// Authentication is required first.
    AuthRequired = 1,
    /// It goes to a proxy.
    Redirect = 2,
    /// It passes.
    Allow = 3,
}

impl Plane {
    /// All of them, in the order they stand in an image.
    pub const ALL: [Self; 4] = [Self::Deny, Self::AuthRequired, Self::Redirect, Self::Allow];
    /// The planes of packets that get through, be it by way of a proxy.
    pub const PASSING: [Self; 2] = [Self::Redirect, Self::Allow];

    /// The plane of an entry; `None` when nothing matched.
    #[must_use]
    pub const fn of(answer: &Answer) -> Option<Self> {
        match answer.code() {
            code::DENY => Some(Self::Deny),
            code::AUTH_REQUIRED => Some(Self::AuthRequired),
            0 if answer.proxy_port() != 0 => Some(Self::Redirect),
            0 => Some(Self::Allow),
            _ => None,
        }
    }
}

/// Peer classes of one policy.
#[derive(Clone, Copy)]
pub struct ClassSet<'a> {
    image: &'a [u8],
    at: usize,
    bytes: usize,
}

impl core::fmt::Debug for ClassSet<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.words()).finish()
    }
}

impl<'a> ClassSet<'a> {
    pub(crate) fn of(policy: &PolicyView<'a>, row: u32, plane: Plane) -> Self {
        let bytes = policy.descriptor.plane_bytes() as usize;
        let at = policy.descriptor.bitsets as usize
            + (row as usize * Plane::ALL.len() + plane as usize) * bytes;
        Self {
            image: policy.view.bytes,
            at,
            bytes,
        }
    }

    /// The set as words: bit `c % 64` of word `c / 64` is class `c`.
    pub fn words(&self) -> impl Iterator<Item = u64> + 'a {
        let (image, at, bytes) = (self.image, self.at, self.bytes);
        (0..bytes)
            .step_by(8)
            .map(move |i| get_upto_u64(image, at + i, bytes - i))
    }

    /// True when a class is in it.
    #[must_use]
    pub fn contains(&self, class: u32) -> bool {
        let byte = class as usize / 8;
        byte < self.bytes && get_upto_u64(self.image, self.at + byte, 1) >> (class % 8) & 1 != 0
    }

    /// How many classes are in it.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.words().map(u64::count_ones).sum()
    }
}

/// Identities of an image: one bit per place in its list, and five for those
/// that nobody listed, by aggregate 0, 11, 12, 13, 14.
///
/// Sets of one image can be combined; places mean other identities in another
/// image.
///
/// ```
/// use netverdict_table::{ClassSet, Direction, IdentitySet, Plane, View};
///
/// # mod tiny { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tiny/mod.rs")); }
/// # let (bytes, _) = tiny::image(8, 8);
/// let view = View::new(&bytes)?;
/// let policy = view.policy(0, Direction::Ingress).expect("the first subject");
/// let redirected: IdentitySet = policy.peers(6, 80, &[Plane::Redirect]);
/// let all = redirected.or(&policy.peers(6, 443, &[Plane::Redirect]));
/// // Every port is alike here.
/// assert!(all.xor(&redirected).is_empty() && all.and_not(&redirected).is_empty());
/// assert_eq!(redirected.and(&all).count(), redirected.count());
/// assert_eq!(redirected.places().count(), redirected.identities(&view).count());
/// let classes: ClassSet<'_> = policy.plane(6, 80, Plane::Redirect);
/// assert_eq!(classes.words().map(u64::count_ones).sum::<u32>(), classes.count());
/// # Ok::<(), netverdict_table::TableError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentitySet {
    words: Vec<u64>,
    unlisted: u8,
}

impl IdentitySet {
    pub(crate) fn of(policy: &PolicyView<'_>, protocol: u8, port: u16, planes: &[Plane]) -> Self {
        let row = policy.port_class(protocol, port);
        let class_words = policy.descriptor.peer_classes.div_ceil(64) as usize;
        let mut classes = vec![0u64; class_words];
        for plane in planes {
            for (to, word) in classes
                .iter_mut()
                .zip(ClassSet::of(policy, row, *plane).words())
            {
                *to |= word;
            }
        }
        let has = |class: u32| {
            let word = classes.get(class as usize / 64).copied().unwrap_or(0);
            word >> (class % 64) & 1 != 0
        };
        let mut unlisted = 0;
        for class in 0..UNLISTED_CLASSES {
            unlisted |= u8::from(has(class)) << class;
        }
        let count = policy.view.header.identities.count as usize;
        let mut words = vec![0u64; count.div_ceil(64)];
        for (i, identity) in policy.view.identities().enumerate() {
            if has(policy.peer_class(identity))
                && let Some(word) = words.get_mut(i / 64)
            {
                *word |= 1 << (i % 64);
            }
        }
        Self { words, unlisted }
    }

    /// Nobody, of a list of so many.
    pub(crate) fn none(identities: u32) -> Self {
        Self {
            words: vec![0; (identities as usize).div_ceil(64)],
            unlisted: 0,
        }
    }

    pub(crate) fn insert(&mut self, place: usize) {
        if let Some(word) = self.words.get_mut(place / 64) {
            *word |= 1 << (place % 64);
        }
    }

    pub(crate) fn insert_unlisted(&mut self, class: u32) {
        self.unlisted |= 1 << class;
    }

    /// True when identities that nobody listed and whose aggregate is number
    /// `class` of 0, 11, 12, 13, 14 are in it.
    #[must_use]
    pub const fn contains_unlisted(&self, class: u8) -> bool {
        self.unlisted >> class & 1 != 0
    }

    /// The places in the image's list that are in it, ascending.
    pub fn places(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(i, word)| {
            let mut left = *word;
            core::iter::from_fn(move || {
                let bit = left.trailing_zeros() as usize;
                left &= left.wrapping_sub(1);
                (bit < 64).then_some(i * 64 + bit)
            })
        })
    }

    /// The identities in it, ascending.
    pub fn identities<'s>(&'s self, view: &crate::View<'s>) -> impl Iterator<Item = u32> + 's {
        let view = *view;
        let list = view.header.identities;
        self.places()
            .map(move |i| crate::bytes::get_u32(view.bytes, list.at as usize + i * 4))
    }

    /// How many identities of the list are in it.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.words.iter().map(|w| w.count_ones()).sum()
    }

    /// True when nobody is in it, listed or not.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.unlisted == 0 && self.words.iter().all(|w| *w == 0)
    }

    /// Those in both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        self.with(other, |a, b| a & b)
    }

    /// Those in either.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        self.with(other, |a, b| a | b)
    }

    /// Those in this one and not in the other.
    #[must_use]
    pub fn and_not(&self, other: &Self) -> Self {
        self.with(other, |a, b| a & !b)
    }

    /// Those in exactly one.
    #[must_use]
    pub fn xor(&self, other: &Self) -> Self {
        self.with(other, |a, b| a ^ b)
    }

    fn with(&self, other: &Self, f: impl Fn(u64, u64) -> u64) -> Self {
        let len = self.words.len().max(other.words.len());
        let word = |s: &Self, i: usize| s.words.get(i).copied().unwrap_or(0);
        Self {
            words: (0..len).map(|i| f(word(self, i), word(other, i))).collect(),
            unlisted: f(self.unlisted.into(), other.unlisted.into()) as u8,
        }
    }
}
