//! Ports and protocols as Cilium reads their text.
//!
//! In: the text of `port` and `protocol`. Out: a number or a name, and a
//! protocol. Rules: Cilium 1.20.2 pkg/policy/api/rule_validation.go
//! (`PortProtocol.sanitize`), pkg/iana/svcname.go, pkg/policy/api/utils.go
//! (`ParseL4Proto`), and Go's strconv.ParseUint with base 0 and 16 bits.
//!
//! ```
//! use netverdict::object::port::{Protocol, is_service_name, parse_number, parse_port, unchecked_port};
//!
//! // A number that fits, or a name with a letter in it.
//! assert_eq!(parse_number("5432"), Ok(5432));
//! assert!(parse_port("65536").is_err());
//! assert!(is_service_name("pg-main") && !is_service_name("5432"));
//! assert_eq!(unchecked_port("http"), parse_port("http").expect("a name"));
//! assert_eq!(Protocol::of_number(6), Protocol::parse("tcp"));
//! ```

/// A port of a policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Port {
    /// A number; 0 means every port.
    Number(u16),
    /// A name, in lower case: Cilium compares port names without case.
    Name(String),
}

/// Why a text is no port number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PortError {
    /// It is not a number.
    Syntax,
    /// It is a number above 65535.
    Range,
}

/// True for a service name by RFC 6335: 1 to 15 letters, digits and single
/// inner dashes, with at least one letter. `0x50` is one.
#[must_use]
pub fn is_service_name(text: &str) -> bool {
    text.len() <= 15
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && text.bytes().any(|b| b.is_ascii_alphabetic())
        && !text.starts_with('-')
        && !text.ends_with('-')
        && !text.contains("--")
}

/// Reads a number: decimal, octal after `0` or `0o`, hexadecimal after `0x`,
/// binary after `0b`; underscores may separate digits.
///
/// # Errors
///
/// What is wrong first, reading from the left.
pub fn parse_number(text: &str) -> Result<u16, PortError> {
    let prefix = |letters: [char; 2]| {
        let digits = text.strip_prefix('0')?.strip_prefix(letters)?;
        (!digits.is_empty()).then_some(digits)
    };
    let (base, digits) = if let Some(digits) = prefix(['b', 'B']) {
        (2, digits)
    } else if let Some(digits) = prefix(['o', 'O']) {
        (8, digits)
    } else if let Some(digits) = prefix(['x', 'X']) {
        (16, digits)
    } else if let Some(digits) = text.strip_prefix('0') {
        (8, digits)
    } else if text.is_empty() {
        return Err(PortError::Syntax);
    } else {
        (10, text)
    };
    let mut value = 0u32;
    for c in digits.chars() {
        if c == '_' {
            continue;
        }
        value = value * base + c.to_digit(base).ok_or(PortError::Syntax)?;
        if value > 0xffff {
            return Err(PortError::Range);
        }
    }
    if !underscores_fit(text) {
        return Err(PortError::Syntax);
    }
    u16::try_from(value).map_err(|_| PortError::Range)
}

/// Underscores stand between digits, or between a base prefix and a digit.
fn underscores_fit(text: &str) -> bool {
    let body = text
        .strip_prefix('0')
        .filter(|rest| rest.starts_with(['b', 'B', 'o', 'O', 'x', 'X']));
    let body = body.and_then(|rest| rest.get(1..)).unwrap_or(text);
    let prefixed = body.len() < text.len();
    (prefixed || !body.starts_with('_')) && !body.ends_with('_') && !body.contains("__")
}

/// Reads the port of a policy: a service name is a named port, anything else
/// must be a number.
///
/// # Errors
///
/// Why it is no number; the empty text is [`PortError::Syntax`].
pub fn parse_port(text: &str) -> Result<Port, PortError> {
    if is_service_name(text) {
        return Ok(Port::Name(text.to_ascii_lowercase()));
    }
    parse_number(text).map(Port::Number)
}

/// The port a rule gets from text that nobody validated, as an ICMP type: no
/// number is 0, a number too large is 65535, and a name stays as it is
/// (Cilium 1.20.2 pkg/policy/l4.go, `createL4Filter`).
#[must_use]
pub fn unchecked_port(text: &str) -> Port {
    if is_service_name(text) {
        return Port::Name(text.to_owned());
    }
    Port::Number(match parse_number(text) {
        Ok(number) => number,
        Err(PortError::Range) => u16::MAX,
        Err(PortError::Syntax) => 0,
    })
}

/// A protocol that policies can name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// `ANY`, or nothing: with ports TCP, UDP and SCTP.
    #[default]
    Any,
    /// `ICMP`, 1; not in `toPorts`.
    Icmp,
    /// `IGMP`, 2.
    Igmp,
    /// `IPIP`, 4.
    Ipip,
    /// `TCP`, 6.
    Tcp,
    /// `UDP`, 17.
    Udp,
    /// `IPV6`, 41.
    Ipv6,
    /// `GRE`, 47.
    Gre,
    /// `ESP`, 50.
    Esp,
    /// `AH`, 51.
    Ah,
    /// `ICMPV6`, 58; not in `toPorts`.
    Icmpv6,
    /// `VRRP`, 112.
    Vrrp,
    /// `SCTP`, 132.
    Sctp,
}

impl Protocol {
    /// Every protocol, by number.
    pub const ALL: [Self; 13] = [
        Self::Any,
        Self::Icmp,
        Self::Igmp,
        Self::Ipip,
        Self::Tcp,
        Self::Udp,
        Self::Ipv6,
        Self::Gre,
        Self::Esp,
        Self::Ah,
        Self::Icmpv6,
        Self::Vrrp,
        Self::Sctp,
    ];

    /// The protocols that `toPorts` takes, in the order Cilium lists them.
    pub const IN_PORTS: [Self; 11] = [
        Self::Any,
        Self::Tcp,
        Self::Udp,
        Self::Sctp,
        Self::Vrrp,
        Self::Igmp,
        Self::Gre,
        Self::Ipip,
        Self::Ipv6,
        Self::Esp,
        Self::Ah,
    ];

    /// The protocol of a `protocol` text in `toPorts`: empty is
    /// [`Protocol::Any`], case does not count, ICMP is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::Any);
        }
        let upper = text.to_uppercase();
        Self::IN_PORTS.into_iter().find(|p| p.as_str() == upper)
    }

    /// The IANA number; 0 for any.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Any => 0,
            Self::Icmp => 1,
            Self::Igmp => 2,
            Self::Ipip => 4,
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Ipv6 => 41,
            Self::Gre => 47,
            Self::Esp => 50,
            Self::Ah => 51,
            Self::Icmpv6 => 58,
            Self::Vrrp => 112,
            Self::Sctp => 132,
        }
    }

    /// The protocol of an IANA number.
    #[must_use]
    pub fn of_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.number() == number)
    }

    /// The name as Cilium prints it for the datapath (pkg/u8proto).
    #[must_use]
    pub const fn printed(self) -> &'static str {
        match self {
            Self::Ipv6 => "IPv6",
            Self::Icmpv6 => "ICMPv6",
            _ => self.as_str(),
        }
    }

    /// The name as policies have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Any => "ANY",
            Self::Icmp => "ICMP",
            Self::Igmp => "IGMP",
            Self::Ipip => "IPIP",
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Ipv6 => "IPV6",
            Self::Gre => "GRE",
            Self::Esp => "ESP",
            Self::Ah => "AH",
            Self::Icmpv6 => "ICMPV6",
            Self::Vrrp => "VRRP",
            Self::Sctp => "SCTP",
        }
    }

    /// True for protocols without ports that Cilium matches only with
    /// `enable-extended-ip-protocols`.
    #[must_use]
    pub const fn is_extended(self) -> bool {
        matches!(
            self,
            Self::Vrrp | Self::Igmp | Self::Gre | Self::Ipip | Self::Ipv6 | Self::Esp | Self::Ah
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_names_or_numbers_in_any_base() {
        let name = |n: &str| Ok(Port::Name(n.to_owned()));
        for (text, port) in [
            ("80", Ok(Port::Number(80))),
            ("0", Ok(Port::Number(0))),
            ("010", Ok(Port::Number(8))),
            ("00", Ok(Port::Number(0))),
            ("1_0", Ok(Port::Number(10))),
            ("0_7", Ok(Port::Number(7))),
            ("0x_5_0", Ok(Port::Number(0x50))),
            ("0b_1", Ok(Port::Number(1))),
            ("0o1_7", Ok(Port::Number(15))),
            ("0x50", name("0x50")),
            ("HTTP", name("http")),
            ("1a", name("1a")),
            ("a-b-c-d-e-f", name("a-b-c-d-e-f")),
            ("65535", Ok(Port::Number(65535))),
            ("65536", Err(PortError::Range)),
            ("99999x!", Err(PortError::Range)),
            ("08", Err(PortError::Syntax)),
            ("", Err(PortError::Syntax)),
            ("1__0", Err(PortError::Syntax)),
            ("_1", Err(PortError::Syntax)),
            ("1_", Err(PortError::Syntax)),
            ("0x_", Err(PortError::Syntax)),
            ("+80", Err(PortError::Syntax)),
            ("80 ", Err(PortError::Syntax)),
            ("6581-6586", Err(PortError::Syntax)),
            ("a--b", Err(PortError::Syntax)),
            ("-a", Err(PortError::Syntax)),
            ("abcdefghijklmnop", Err(PortError::Syntax)),
            ("é", Err(PortError::Syntax)),
        ] {
            assert_eq!(parse_port(text), port, "{text}");
        }
        assert_eq!(unchecked_port("+8"), Port::Number(0));
        assert_eq!(unchecked_port("70000"), Port::Number(65535));
        assert_eq!(unchecked_port("300"), Port::Number(300));
    }

    #[test]
    fn protocols_of_ports() {
        assert_eq!(Protocol::parse("tcp"), Some(Protocol::Tcp));
        assert_eq!(Protocol::parse(""), Some(Protocol::Any));
        assert_eq!(Protocol::parse("IpIp"), Some(Protocol::Ipip));
        for text in ["ICMP", "ICMPv6", "6", "HTTP", " TCP"] {
            assert_eq!(Protocol::parse(text), None, "{text}");
        }
        for p in Protocol::IN_PORTS {
            assert_eq!(Protocol::parse(p.as_str()), Some(p));
        }
        for p in Protocol::ALL {
            assert_eq!(Protocol::of_number(p.number()), Some(p));
            assert!(p.printed().eq_ignore_ascii_case(p.as_str()));
        }
        assert_eq!(Protocol::of_number(3), None);
    }
}
