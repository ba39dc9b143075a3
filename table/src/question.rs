//! What is asked of a table, and what it answers.

use crate::layout::{ENTRY_LEN, FRAGMENTATION_NEEDED, ICMP_TYPES, NOT_INHERITED};
use core::fmt;

/// Code of "fragmentation needed" among ICMP's "unreachable", type 3.
const FRAGMENTATION_NEEDED_CODE: u8 = 4;

/// Traffic to the subject or from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Direction {
    /// To the subject.
    Ingress = 0,
    /// From the subject.
    Egress = 1,
}

impl Direction {
    /// Both, ingress first.
    pub const BOTH: [Self; 2] = [Self::Ingress, Self::Egress];
}

/// A packet without a connection yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// Whose policy: an index of the image's subjects.
    pub subject: u32,
    /// The other side's security identity.
    pub identity: u32,
    /// Destination port; for ICMP and ICMPv6 the type.
    pub port: u16,
    /// IP protocol number.
    pub protocol: u8,
    /// Which way.
    pub direction: Direction,
    /// Code of an ICMP message; only "fragmentation needed" (3, 4) matters.
    pub icmp_code: u8,
    /// A fragment whose first part was not seen: the port is not known.
    pub untracked_fragment: bool,
}

impl Question {
    /// A question about a plain packet.
    #[must_use]
    pub const fn new(
        subject: u32,
        direction: Direction,
        identity: u32,
        protocol: u8,
        port: u16,
    ) -> Self {
        Self {
            subject,
            identity,
            port,
            protocol,
            direction,
            icmp_code: 0,
            untracked_fragment: false,
        }
    }
}

impl Question {
    /// The port under which it is looked up: ICMP types count only if the
    /// image says so, and fragments have no port. Without a branch.
    #[inline(always)]
    pub(crate) const fn lookup_port(&self, flags: u32) -> u16 {
        let icmp = (self.protocol == 1) | (self.protocol == 58);
        let none = self.untracked_fragment | (icmp & (flags & ICMP_TYPES == 0));
        self.port & (none as u16).wrapping_sub(1)
    }

    /// True when the packet passes before any lookup: path MTU discovery works
    /// against every rule.
    #[inline]
    pub(crate) const fn passes(&self, flags: u32) -> bool {
        flags & FRAGMENTATION_NEEDED != 0
            && self.protocol == 1
            && self.port == 3
            && self.icmp_code == FRAGMENTATION_NEEDED_CODE
    }

    /// The answer, given what the lookup of [`Self::lookup_port`] says.
    #[inline(always)]
    pub(crate) fn answer(&self, flags: u32, found: Answer) -> Answer {
        // One branch for nearly all packets.
        if !self.untracked_fragment & (self.icmp_code != FRAGMENTATION_NEEDED_CODE) {
            return found;
        }
        self.answer_rarely(flags, found)
    }

    /// A call, so that nothing around lookups is made for it: else answers are
    /// taken apart and put together again.
    #[cold]
    #[inline(never)]
    fn answer_rarely(&self, flags: u32, found: Answer) -> Answer {
        if self.passes(flags) {
            Answer::PASS
        } else if self.untracked_fragment {
            found.of_fragment()
        } else {
            found
        }
    }
}

/// How much of a packet the deciding entry looks at (Cilium 1.20.2
/// bpf/lib/common.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum MatchType {
    /// No entry matched.
    None = 0,
    /// The peer.
    L3Only = 1,
    /// Peer, protocol and port.
    L3L4 = 2,
    /// Protocol and port.
    L4Only = 3,
    /// Nothing.
    All = 4,
    /// Peer and protocol.
    L3Proto = 5,
    /// Protocol.
    ProtoOnly = 6,
}

impl MatchType {
    /// The one with a number, as tables and the datapath's events have it;
    /// `None` for numbers that mean nothing.
    #[must_use]
    #[inline]
    pub const fn by_number(number: u8) -> Self {
        match number {
            1 => Self::L3Only,
            2 => Self::L3L4,
            3 => Self::L4Only,
            4 => Self::All,
            5 => Self::L3Proto,
            6 => Self::ProtoOnly,
            _ => Self::None,
        }
    }
}

/// What becomes of a packet: a verdict entry of the table.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Answer([u8; ENTRY_LEN]);

/// The datapath's return codes.
pub(crate) mod code {
    pub(crate) const POLICY: i16 = -133;
    pub(crate) const FRAGMENT: i16 = -157;
    pub(crate) const DENY: i16 = -181;
    pub(crate) const AUTH_REQUIRED: i16 = -189;
}

impl Answer {
    /// Nothing matches: dropped.
    pub const DROP: Self = Self::of(code::POLICY, MatchType::None);
    /// It passes before any lookup.
    pub const PASS: Self = Self::of(0, MatchType::None);

    const fn of(code: i16, match_type: MatchType) -> Self {
        let [c0, c1] = code.to_le_bytes();
        let m = match_type as u8;
        Self([0, 0, 0, 0, c0, c1, m, NOT_INHERITED, 0, 0, 0, 0, 0, 0, 0, 0])
    }

    /// The verdict of an entry whose fields are these; see the accessors.
    #[must_use]
    pub const fn new(
        code: i16,
        match_type: MatchType,
        deny: bool,
        proxy_port: u16,
        auth_type: u8,
        auth_donor: Option<u8>,
        cookie: u32,
    ) -> Self {
        let mut b = Self::of(code, match_type).0;
        [b[0], b[1]] = proxy_port.to_be_bytes();
        b[2] = deny as u8;
        b[3] = auth_type;
        if let Some(donor) = auth_donor {
            b[7] = donor;
        }
        [b[8], b[9], b[10], b[11]] = cookie.to_le_bytes();
        Self(b)
    }

    /// A verdict entry as it stands in an image.
    #[must_use]
    #[inline]
    pub const fn from_bytes(bytes: [u8; ENTRY_LEN]) -> Self {
        Self(bytes)
    }

    /// The verdict entry's bytes.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; ENTRY_LEN] {
        self.0
    }

    /// 0 when the packet passes (be it by way of a proxy), else minus the drop
    /// reason: 133 no rule allows it, 157 likewise for an untracked fragment,
    /// 181 a rule denies it, 189 authentication is required first.
    #[must_use]
    #[inline]
    pub const fn code(&self) -> i16 {
        i16::from_le_bytes([self.0[4], self.0[5]])
    }

    /// True when the packet passes, be it by way of a proxy.
    #[must_use]
    #[inline]
    pub const fn is_allowed(&self) -> bool {
        self.code() == 0
    }

    /// True when a rule denies.
    #[must_use]
    #[inline]
    pub const fn is_deny(&self) -> bool {
        self.0[2] & 1 != 0
    }

    /// The proxy's port, host byte order; 0 for none.
    #[must_use]
    #[inline]
    pub const fn proxy_port(&self) -> u16 {
        u16::from_be_bytes([self.0[0], self.0[1]])
    }

    /// Authentication type in effect; 0 for none.
    #[must_use]
    #[inline]
    pub const fn auth_type(&self) -> u8 {
        self.0[3]
    }

    /// Prefix length (protocol and port) of the entry that authentication was
    /// inherited from.
    #[must_use]
    pub const fn auth_donor(&self) -> Option<u8> {
        match self.0[7] {
            NOT_INHERITED => None,
            bits => Some(bits),
        }
    }

    /// How much of the packet the deciding entry looks at.
    #[must_use]
    #[inline]
    pub const fn match_type(&self) -> MatchType {
        MatchType::by_number(self.0[6])
    }

    /// The policy log cookie; 0 for none.
    #[must_use]
    #[inline]
    pub const fn cookie(&self) -> u32 {
        u32::from_le_bytes([self.0[8], self.0[9], self.0[10], self.0[11]])
    }

    /// The same for a fragment whose ports are not known.
    #[must_use]
    pub(crate) const fn of_fragment(self) -> Self {
        match self.match_type() {
            MatchType::None => Self::of(code::FRAGMENT, MatchType::None),
            _ => self,
        }
    }

    /// True when the bytes are an entry that a compiler could have written.
    pub(crate) fn is_valid(&self) -> bool {
        let none = self.0[6] == 0;
        let denied = self.is_deny();
        let code = match (none, denied, self.auth_type()) {
            (true, ..) => code::POLICY,
            (_, true, _) => code::DENY,
            (.., 0) => 0,
            _ => code::AUTH_REQUIRED,
        };
        let empty = self.proxy_port() == 0 && self.auth_type() == 0;
        self.code() == code
            && self.0[6] <= 6
            && self.0[2] <= 1
            && self.0[3] <= 0x7f
            && (empty || !(none || denied))
            && (self.0[7] == NOT_INHERITED || (self.auth_type() != 0 && self.0[7] <= 24))
            && self.0[12..] == [0; 4]
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("code", &self.code())
            .field("match_type", &self.match_type())
            .field("proxy_port", &self.proxy_port())
            .field("auth_type", &self.auth_type())
            .field("auth_donor", &self.auth_donor())
            .field("cookie", &self.cookie())
            .finish()
    }
}
