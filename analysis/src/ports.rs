//! Protocols and ports as sets, and what differs from port to port.
//!
//! In: what holds for single protocols and ports. Out: [`PortMap`], which says
//! for every port of every protocol what holds there, and [`PortSet`]. Both are
//! kept in one form only: equal contents are equal values, so that comparing
//! two of them is a proof.

use netverdict::rule::protocol;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Protocols whose packets have a port, or an ICMP type, in the order they are
/// listed in.
pub const WITH_PORTS: [u8; 5] = [
    protocol::TCP,
    protocol::UDP,
    protocol::SCTP,
    protocol::ICMP,
    protocol::ICMPV6,
];

/// The first and the last port of a protocol: types for ICMP and ICMPv6. A
/// protocol without ports has port 0 alone.
#[must_use]
pub const fn ports_of(protocol: u8) -> (u16, u16) {
    match protocol {
        protocol::TCP | protocol::UDP | protocol::SCTP => (1, u16::MAX),
        protocol::ICMP | protocol::ICMPV6 => (0, 255),
        _ => (0, 0),
    }
}

/// Where something may begin to be different: ports by protocol.
pub type Cuts = BTreeMap<u8, BTreeSet<u16>>;

/// Ports in a row with the same value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch<'m, T> {
    /// The protocol; `None` stands for every one that is not listed.
    pub protocol: Option<u8>,
    /// The first port.
    pub first: u16,
    /// The last port.
    pub last: u16,
    /// What holds there.
    pub value: &'m T,
}

/// A value for each port of each protocol.
///
/// ```
/// use netverdict_analysis::ports::{PortMap, PortSet};
///
/// let web = PortSet::range(6, 80, 81);
/// let words: PortMap<&str> = web.marked().map(|open| if *open { "open" } else { "closed" });
/// assert_eq!((*words.at(6, 81), *words.at(17, 81)), ("open", "closed"));
/// assert!(words.any(|word| *word == "open"));
/// // Two maps become one, stretch by stretch.
/// let lengths = words.with(&PortMap::same(1), |word, one| word.len() + one);
/// assert_eq!(*lengths.at(6, 80), 5);
/// assert!(lengths.stretches().any(|s| (s.protocol, s.first, s.last) == (Some(6), 80, 81)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortMap<T> {
    /// By protocol: where values begin. Protocols that are like the others
    /// throughout are left out.
    named: BTreeMap<u8, Vec<(u16, T)>>,
    other: T,
}

impl<T: Clone + PartialEq> PortMap<T> {
    /// The same value everywhere.
    #[must_use]
    pub fn same(value: T) -> Self {
        Self {
            named: BTreeMap::new(),
            other: value,
        }
    }

    /// Asks once for each row of ports between cuts.
    #[must_use]
    pub fn ask(cuts: &Cuts, mut value: impl FnMut(u8, u16) -> T) -> Self {
        let known: BTreeSet<u8> = cuts.keys().copied().chain(WITH_PORTS).collect();
        // A protocol like all that nobody names; there are 256 of them.
        let unnamed = (1..=u8::MAX).rev().find(|p| !known.contains(p));
        let other = value(unnamed.unwrap_or(u8::MAX), 0);
        let mut named = BTreeMap::new();
        for protocol in known.into_iter().filter(|p| *p != 0) {
            let (first, last) = ports_of(protocol);
            let own = cuts.get(&protocol).into_iter().flatten().copied();
            let inside = own.filter(|p| *p > first && *p <= last);
            let starts = std::iter::once(first).chain(inside);
            let values = starts.map(|p| (p, value(protocol, p)));
            named.insert(protocol, values.collect());
        }
        Self { named, other }.reduced()
    }

    fn reduced(mut self) -> Self {
        for values in self.named.values_mut() {
            values.dedup_by(|after, before| after.1 == before.1);
        }
        let other = &self.other;
        self.named
            .retain(|_, values| !matches!(&**values, [(_, only)] if only == other));
        self
    }

    /// What holds for a port.
    #[must_use]
    pub fn at(&self, protocol: u8, port: u16) -> &T {
        let Some(values) = self.named.get(&protocol) else {
            return &self.other;
        };
        let after = values.partition_point(|(start, _)| *start <= port);
        let found = values.get(after.saturating_sub(1));
        found.map_or(&self.other, |(_, value)| value)
    }

    /// Every port of every protocol once: those with ports first, the others
    /// last.
    pub fn stretches(&self) -> impl Iterator<Item = Stretch<'_, T>> {
        let more = self.named.keys().filter(|p| !WITH_PORTS.contains(p));
        let protocols = WITH_PORTS.into_iter().chain(more.copied());
        let rest = Stretch {
            protocol: None,
            first: 0,
            last: 0,
            value: &self.other,
        };
        protocols
            .flat_map(|p| self.stretches_of(p))
            .chain(std::iter::once(rest))
    }

    fn stretches_of(&self, protocol: u8) -> Vec<Stretch<'_, T>> {
        let (first, last) = ports_of(protocol);
        let row = |first, last, value| Stretch {
            protocol: Some(protocol),
            first,
            last,
            value,
        };
        let Some(values) = self.named.get(&protocol) else {
            return vec![row(first, last, &self.other)];
        };
        let ends = values.iter().skip(1).map(|(start, _)| start - 1);
        let ends = ends.chain([last]);
        let rows = values.iter().zip(ends);
        rows.map(|((first, value), last)| row(*first, last, value))
            .collect()
    }

    /// Another value in place of each.
    #[must_use]
    pub fn map<U: Clone + PartialEq>(&self, mut f: impl FnMut(&T) -> U) -> PortMap<U> {
        let named = self.named.iter().map(|(protocol, values)| {
            let values = values.iter().map(|(start, value)| (*start, f(value)));
            (*protocol, values.collect())
        });
        let named = named.collect();
        let other = f(&self.other);
        PortMap { named, other }.reduced()
    }

    /// What two maps say together.
    #[must_use]
    pub fn with<U: Clone + PartialEq, V: Clone + PartialEq>(
        &self,
        that: &PortMap<U>,
        mut f: impl FnMut(&T, &U) -> V,
    ) -> PortMap<V> {
        let mut cuts = Cuts::new();
        self.add_cuts(&mut cuts);
        that.add_cuts(&mut cuts);
        let mut named = BTreeMap::new();
        for (protocol, starts) in cuts {
            let values = starts
                .into_iter()
                .map(|p| (p, f(self.at(protocol, p), that.at(protocol, p))));
            named.insert(protocol, values.collect());
        }
        let other = f(&self.other, &that.other);
        PortMap { named, other }.reduced()
    }

    fn add_cuts(&self, cuts: &mut Cuts) {
        for (protocol, values) in &self.named {
            let starts = values.iter().map(|(start, _)| *start);
            cuts.entry(*protocol).or_default().extend(starts);
        }
    }

    /// Where something holds.
    #[must_use]
    pub fn set(&self, holds: impl FnMut(&T) -> bool) -> PortSet {
        PortSet(self.map(holds))
    }

    /// True when something holds anywhere.
    #[must_use]
    pub fn any(&self, mut holds: impl FnMut(&T) -> bool) -> bool {
        let mut named = self.named.values().flatten();
        holds(&self.other) || named.any(|(_, value)| holds(value))
    }
}

/// A set of ports of protocols.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortSet(PortMap<bool>);

/// A protocol, `None` for all that are not listed, and the ranges of its ports.
pub type Ranges = (Option<u8>, Vec<(u16, u16)>);

impl PortSet {
    /// Every port of every protocol.
    #[must_use]
    pub fn all() -> Self {
        Self(PortMap::same(true))
    }

    /// No port.
    #[must_use]
    pub fn none() -> Self {
        Self(PortMap::same(false))
    }

    /// The ports of one protocol from `first` to `last`; all of them from 0.
    ///
    /// ```
    /// use netverdict_analysis::ports::PortSet;
    ///
    /// let some = PortSet::range(6, 8000, 8999).difference(&PortSet::range(6, 8080, 8080));
    /// assert!(some.contains(6, 8000) && !some.contains(6, 8080) && !some.contains(17, 8000));
    /// assert_eq!(some.ranges().len(), 1);
    /// ```
    #[must_use]
    pub fn range(protocol: u8, first: u16, last: u16) -> Self {
        let (low, high) = ports_of(protocol);
        let (first, last) = match (first, last) {
            (0, 0) if protocol != protocol::ICMP && protocol != protocol::ICMPV6 => (low, high),
            other => other,
        };
        let mut cuts = Cuts::new();
        let starts = cuts.entry(protocol).or_default();
        starts.insert(first);
        starts.extend(last.checked_add(1));
        Self(PortMap::ask(&cuts, |p, port| {
            p == protocol && (first..=last).contains(&port)
        }))
    }

    /// True without ports.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::none()
    }

    /// True for every port of every protocol.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Self::all()
    }

    /// True when the port is one of them.
    #[must_use]
    pub fn contains(&self, protocol: u8, port: u16) -> bool {
        *self.0.at(protocol, port)
    }

    /// What is in either.
    #[must_use]
    pub fn union(&self, that: &Self) -> Self {
        Self(self.0.with(&that.0, |a, b| *a || *b))
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(&self, that: &Self) -> Self {
        Self(self.0.with(&that.0, |a, b| *a && *b))
    }

    /// What is in this and not in the other.
    #[must_use]
    pub fn difference(&self, that: &Self) -> Self {
        Self(self.0.with(&that.0, |a, b| *a && !*b))
    }

    /// All others.
    #[must_use]
    pub fn complement(&self) -> Self {
        Self(self.0.map(|a| !a))
    }

    /// True when the other has all of them, too.
    #[must_use]
    pub fn is_subset(&self, that: &Self) -> bool {
        self.difference(that).is_empty()
    }

    /// For each port whether it is one of them.
    #[must_use]
    pub const fn marked(&self) -> &PortMap<bool> {
        &self.0
    }

    /// Protocols and ranges, as they are listed.
    #[must_use]
    pub fn ranges(&self) -> Vec<Ranges> {
        let mut all: Vec<Ranges> = Vec::new();
        for stretch in self.0.stretches().filter(|s| *s.value) {
            let range = (stretch.first, stretch.last);
            match all.last_mut() {
                Some((protocol, ranges)) if *protocol == stretch.protocol => ranges.push(range),
                _ => all.push((stretch.protocol, vec![range])),
            }
        }
        all
    }

    /// The only one of them: protocol and port.
    #[must_use]
    pub fn single(&self) -> Option<(u8, u16)> {
        match &*self.ranges() {
            [(Some(protocol), ranges)] => match &**ranges {
                [(first, last)] if first == last => Some((*protocol, *first)),
                _ => None,
            },
            _ => None,
        }
    }

    /// One of them, to ask about: protocol and port. Of protocols that are not
    /// listed it is one that nobody names.
    #[must_use]
    pub fn example(&self) -> Option<(u8, u16)> {
        let stretch = self.0.stretches().find(|s| *s.value)?;
        let named = &self.0.named;
        let unnamed = || {
            let free = |p: &u8| !named.contains_key(p) && !WITH_PORTS.contains(p);
            (1..=u8::MAX).rev().find(free)
        };
        Some((stretch.protocol.or_else(unnamed)?, stretch.first))
    }
}

/// What a protocol is called; `other protocols` for those that are not listed.
///
/// ```
/// use netverdict_analysis::ports::protocol_name;
///
/// assert_eq!(protocol_name(Some(17)), "UDP");
/// assert_eq!(protocol_name(None), "other protocols");
/// ```
#[must_use]
pub fn protocol_name(protocol: Option<u8>) -> String {
    match protocol {
        None => "other protocols".to_owned(),
        Some(number) => {
            protocol::name(number).map_or_else(|| format!("protocol {number}"), str::to_owned)
        }
    }
}

impl fmt::Display for PortSet {
    /// `80/TCP, 8000-8080/TCP, UDP`, `every port`, `every port but 22/TCP`,
    /// `nothing`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing");
        }
        if self.is_all() {
            return f.write_str("every port");
        }
        let ranges = self.ranges();
        if matches!(ranges.last(), Some((None, _))) {
            return write!(f, "every port but {}", self.complement());
        }
        let mut between = "";
        for (protocol, ranges) in ranges {
            let name = protocol_name(protocol);
            let whole = protocol.map_or((0, 0), ports_of);
            let icmp = matches!(protocol, Some(protocol::ICMP | protocol::ICMPV6));
            for (first, last) in ranges {
                f.write_str(between)?;
                between = ", ";
                match (first, last) {
                    range if range == whole => f.write_str(&name)?,
                    (first, last) if icmp && first == last => write!(f, "{name} type {first}")?,
                    (first, last) if icmp => write!(f, "{name} types {first}-{last}")?,
                    (first, last) if first == last => write!(f, "{first}/{name}")?,
                    (first, last) => write!(f, "{first}-{last}/{name}")?,
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(first: u16, last: u16) -> PortSet {
        PortSet::range(6, first, last)
    }

    #[test]
    fn equal_sets_are_equal_values_however_they_came_about() {
        let odd = tcp(1, 79).union(&tcp(81, 65535));
        let even = tcp(0, 0).difference(&tcp(80, 80));
        assert_eq!(odd, even);
        assert_eq!(odd.union(&tcp(80, 80)), tcp(0, 0));
        let mut all = tcp(0, 0).complement();
        for (first, last) in [(1, 1000), (1001, 65535)] {
            all = all.union(&tcp(first, last));
        }
        assert_eq!(all, PortSet::all());
        assert!(all.difference(&PortSet::all()).is_empty());
    }

    #[test]
    fn sets_agree_with_single_ports() {
        let sets = [
            tcp(80, 80),
            tcp(8000, 8080).union(&PortSet::range(17, 53, 53)),
            PortSet::range(1, 8, 8).complement(),
            PortSet::range(50, 0, 0),
            PortSet::all(),
            PortSet::none(),
        ];
        for a in &sets {
            for b in &sets {
                let (either, both, one) = (a.union(b), a.intersection(b), a.difference(b));
                for protocol in [1, 6, 17, 47, 50, 58, 132] {
                    let (first, last) = ports_of(protocol);
                    for port in first..=last {
                        let (x, y) = (a.contains(protocol, port), b.contains(protocol, port));
                        assert_eq!(either.contains(protocol, port), x || y);
                        assert_eq!(both.contains(protocol, port), x && y);
                        assert_eq!(one.contains(protocol, port), x && !y);
                    }
                }
                let example = a.difference(b).example();
                assert_eq!(example.is_none(), a.is_subset(b));
                if let Some((protocol, port)) = example {
                    assert!(a.contains(protocol, port) && !b.contains(protocol, port));
                }
            }
        }
    }

    #[test]
    fn sets_are_said_briefly() {
        let said = |set: PortSet| set.to_string();
        assert_eq!(said(PortSet::all()), "every port");
        assert_eq!(said(PortSet::none()), "nothing");
        assert_eq!(said(tcp(22, 22).complement()), "every port but 22/TCP");
        assert_eq!(said(tcp(0, 0)), "TCP");
        let mixed = tcp(80, 80).union(&tcp(8000, 8080));
        let mixed = mixed.union(&PortSet::range(1, 8, 8));
        let mixed = mixed.union(&PortSet::range(50, 0, 0));
        assert_eq!(
            said(mixed),
            "80/TCP, 8000-8080/TCP, ICMP type 8, ESP".replace("ESP", &protocol_name(Some(50)))
        );
    }
}
