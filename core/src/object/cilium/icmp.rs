//! Names of ICMP types (Cilium 1.20.2 pkg/policy/api/icmp.go).

/// The family an ICMP type belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IcmpFamily {
    /// ICMP for IPv4, protocol 1.
    V4,
    /// ICMPv6, protocol 58.
    V6,
}

impl IcmpFamily {
    /// The family of a `family` text: everything but `IPv6` counts as IPv4.
    #[must_use]
    pub fn of(text: &str) -> Self {
        if text == "IPv6" { Self::V6 } else { Self::V4 }
    }

    /// The type names of the family with their numbers.
    #[must_use]
    pub const fn types(self) -> &'static [(&'static str, u8)] {
        match self {
            Self::V4 => V4,
            Self::V6 => V6,
        }
    }
}

/// The number of a type's name in a family; names are case-sensitive.
///
/// ```
/// use netverdict::object::cilium::{IcmpFamily, icmp_type_number};
///
/// assert_eq!(icmp_type_number(IcmpFamily::V4, "EchoRequest"), Some(8));
/// assert_eq!(icmp_type_number(IcmpFamily::V6, "EchoRequest"), Some(128));
/// ```
#[must_use]
pub fn icmp_type_number(family: IcmpFamily, name: &str) -> Option<u8> {
    let found = family.types().iter().find(|(n, _)| *n == name);
    found.map(|(_, number)| *number)
}

const V4: &[(&str, u8)] = &[
    ("EchoReply", 0),
    ("DestinationUnreachable", 3),
    ("Redirect", 5),
    ("Echo", 8),
    ("EchoRequest", 8),
    ("RouterAdvertisement", 9),
    ("RouterSelection", 10),
    ("TimeExceeded", 11),
    ("ParameterProblem", 12),
    ("Timestamp", 13),
    ("TimestampReply", 14),
    ("Photuris", 40),
    ("ExtendedEchoRequest", 42),
    ("ExtendedEchoReply", 43),
];

const V6: &[(&str, u8)] = &[
    ("DestinationUnreachable", 1),
    ("PacketTooBig", 2),
    ("TimeExceeded", 3),
    ("ParameterProblem", 4),
    ("EchoRequest", 128),
    ("EchoReply", 129),
    ("MulticastListenerQuery", 130),
    ("MulticastListenerReport", 131),
    ("MulticastListenerDone", 132),
    ("RouterSolicitation", 133),
    ("RouterAdvertisement", 134),
    ("NeighborSolicitation", 135),
    ("NeighborAdvertisement", 136),
    ("RedirectMessage", 137),
    ("RouterRenumbering", 138),
    ("ICMPNodeInformationQuery", 139),
    ("ICMPNodeInformationResponse", 140),
    ("InverseNeighborDiscoverySolicitation", 141),
    ("InverseNeighborDiscoveryAdvertisement", 142),
    ("HomeAgentAddressDiscoveryRequest", 144),
    ("HomeAgentAddressDiscoveryReply", 145),
    ("MobilePrefixSolicitation", 146),
    ("MobilePrefixAdvertisement", 147),
    ("DuplicateAddressRequestCodeSuffix", 157),
    ("DuplicateAddressConfirmationCodeSuffix", 158),
    ("ExtendedEchoRequest", 160),
    ("ExtendedEchoReply", 161),
];
