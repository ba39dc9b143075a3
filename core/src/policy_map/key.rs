//! Keys of the policy map.

use crate::identity::NumericIdentity;
use crate::rule::Direction;
use std::fmt;

/// Protocol and port prefix: what an entry matches above the identity.
///
/// Ordered so that everything a prefix covers follows it directly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct L4Key {
    /// IP protocol number; 0 covers all, and then there is no port.
    pub protocol: u8,
    /// First port covered, host byte order.
    pub port: u16,
    /// How many leading bits of the port count: 0 covers all ports.
    pub port_prefix: u8,
}

impl L4Key {
    /// A single port, or all ports when it is 0.
    #[must_use]
    pub const fn port(protocol: u8, port: u16) -> Self {
        Self {
            protocol,
            port,
            port_prefix: if port == 0 { 0 } else { 16 },
        }
    }

    /// Length of the prefix among protocol and port: 0, 8, or 9 to 24 bits.
    #[must_use]
    pub const fn prefix_len(self) -> u8 {
        if self.protocol == 0 && self.port == 0 {
            0
        } else {
            8 + self.port_prefix
        }
    }

    /// The last port covered.
    #[must_use]
    pub const fn last_port(self) -> u16 {
        self.port | !mask(self.port_prefix)
    }

    /// True when every packet `other` matches is also matched by this.
    #[must_use]
    pub const fn covers(self, other: Self) -> bool {
        self.protocol == 0
            || (self.protocol == other.protocol
                && self.port_prefix <= other.port_prefix
                && (self.port ^ other.port) & mask(self.port_prefix) == 0)
    }

    /// This key and every key that covers it, the broadest first.
    pub fn ancestors(self) -> impl DoubleEndedIterator<Item = Self> {
        let every = (self.protocol != 0).then_some(Self::default());
        every
            .into_iter()
            .chain((0..=self.port_prefix).map(move |bits| Self {
                protocol: self.protocol,
                port: self.port & mask(bits),
                port_prefix: bits,
            }))
    }

    /// The greatest key in order that this one can cover.
    #[must_use]
    pub const fn last_covered(self) -> Self {
        if self.protocol == 0 {
            return Self {
                protocol: u8::MAX,
                port: u16::MAX,
                port_prefix: 16,
            };
        }
        Self {
            protocol: self.protocol,
            port: self.last_port(),
            port_prefix: 16,
        }
    }

    /// The fewest prefixes that cover exactly `first..=last`, as Cilium cuts
    /// ranges (pkg/policy/portrange.go): a range that is not ascending is its
    /// first port, and port 0 is every port.
    pub fn range(protocol: u8, first: u16, last: u16) -> impl Iterator<Item = Self> {
        let single = first == 0 || last <= first;
        let mut next = if single { None } else { Some(first) };
        let blocks = std::iter::from_fn(move || {
            let port = next?;
            let left = u32::from(last) - u32::from(port) + 1;
            // As wide as alignment and what is left allow.
            let bits = port.trailing_zeros().min(31 - left.leading_zeros()).min(15);
            next = u16::try_from(u32::from(port) + (1 << bits))
                .ok()
                .filter(|p| *p <= last);
            Some(Self {
                protocol,
                port,
                port_prefix: 16 - u8::try_from(bits).unwrap_or(0),
            })
        });
        single
            .then(|| Self::port(protocol, first))
            .into_iter()
            .chain(blocks)
    }
}

/// The mask of a port prefix.
pub(super) const fn mask(bits: u8) -> u16 {
    match bits {
        0 => 0,
        1..=15 => u16::MAX << (16 - bits),
        _ => u16::MAX,
    }
}

/// A key of the policy map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Ingress or egress of the subject.
    pub direction: Direction,
    /// The peer's identity, or an aggregate.
    pub identity: NumericIdentity,
    /// Protocol and port.
    pub l4: L4Key,
}

impl fmt::Display for Key {
    /// `ingress 1001 80/16 protocol 6`, for messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {} {}/{}",
            self.direction, self.identity, self.l4.protocol, self.l4.port, self.l4.port_prefix
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: u16, last: u16) -> Vec<(u16, u8)> {
        L4Key::range(6, first, last)
            .map(|k| (k.port, k.port_prefix))
            .collect()
    }

    #[test]
    fn ranges_are_cut_into_aligned_blocks() {
        assert_eq!(range(80, 0), [(80, 16)]);
        assert_eq!(range(90, 80), [(90, 16)]);
        assert_eq!(range(0, 90), [(0, 0)]);
        assert_eq!(range(8080, 8090), [(8080, 13), (8088, 15), (8090, 16)]);
        assert_eq!(range(80, 95), [(80, 12)]);
        assert_eq!(
            range(1, 1023).iter().map(|b| b.1).collect::<Vec<_>>(),
            [16, 15, 14, 13, 12, 11, 10, 9, 8, 7]
        );
        assert_eq!(range(1, u16::MAX).last(), Some(&(32768, 1)));
        assert_eq!(range(32768, u16::MAX), [(32768, 1)]);
        assert_eq!(range(u16::MAX, u16::MAX), [(u16::MAX, 16)]);
    }

    #[test]
    fn every_range_is_covered_exactly_once() {
        for (first, last) in [
            (1, 65535),
            (443, 8443),
            (7, 9),
            (1024, 2047),
            (65534, 65535),
        ] {
            let mut next = u32::from(first);
            for k in L4Key::range(17, first, last) {
                assert_eq!(u32::from(k.port), next);
                next = u32::from(k.last_port()) + 1;
            }
            assert_eq!(next, u32::from(last) + 1);
        }
    }

    #[test]
    fn ancestors_cover() {
        let k = L4Key::port(6, 8080);
        let all: Vec<_> = k.ancestors().collect();
        assert_eq!(all.len(), 18);
        assert!(all.iter().all(|a| a.covers(k)));
        assert_eq!(all.first(), Some(&L4Key::default()));
        assert_eq!(all.last(), Some(&k));
        assert_eq!(L4Key::default().ancestors().count(), 1);
        assert_eq!(L4Key::port(6, 0).prefix_len(), 8);
        assert!(!L4Key::port(6, 0).covers(L4Key::port(17, 0)));
    }
}
