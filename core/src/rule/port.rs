//! Ports and protocols of rules.

use super::{L7Rules, Listener, TlsContext};
use crate::source::Span;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// IP protocol numbers a rule can name.
pub mod protocol {
    use crate::object::port::Protocol;

    /// Every protocol (in policy maps: no port either).
    pub const ANY: u8 = Protocol::Any.number();
    /// ICMP for IPv4.
    pub const ICMP: u8 = Protocol::Icmp.number();
    /// TCP.
    pub const TCP: u8 = Protocol::Tcp.number();
    /// UDP.
    pub const UDP: u8 = Protocol::Udp.number();
    /// ICMP for IPv6.
    pub const ICMPV6: u8 = Protocol::Icmpv6.number();
    /// SCTP.
    pub const SCTP: u8 = Protocol::Sctp.number();

    /// The name Cilium prints for a number (pkg/u8proto).
    #[must_use]
    pub fn name(number: u8) -> Option<&'static str> {
        Protocol::of_number(number).map(Protocol::printed)
    }

    /// The number of a name, in any case.
    ///
    /// ```
    /// use netverdict::rule::protocol;
    ///
    /// assert_eq!(protocol::number("sctp"), Some(protocol::SCTP));
    /// assert_eq!(protocol::name(protocol::SCTP), Some("SCTP"));
    /// ```
    #[must_use]
    pub fn number(name: &str) -> Option<u8> {
        let named = |p: &Protocol| p.as_str().eq_ignore_ascii_case(name);
        Protocol::ALL.into_iter().find(named).map(Protocol::number)
    }
}

/// A port as a rule names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RulePort {
    /// A number; 0 is every port of the protocol. For ICMP the type.
    Number(u16),
    /// A named port, looked up on the subject (ingress) or on each peer
    /// (egress).
    Name(Arc<str>),
}

/// A port with its protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortProtocol {
    /// The port, or the first of a range.
    pub port: RulePort,
    /// The last port of a range; not above the first means there is none.
    pub end_port: u16,
    /// IP protocol number; [`protocol::ANY`] stands for TCP, UDP and SCTP.
    pub protocol: u8,
    /// Where it is written.
    pub span: Span,
}

/// Ports that share their layer-7 treatment.
#[derive(Clone, Debug, Default)]
pub struct PortRule {
    /// The ports. Without any the rule matches nothing.
    pub ports: Vec<PortProtocol>,
    /// HTTP or DNS rules; `None` without any.
    pub l7: Option<L7Rules>,
    /// TLS terminated for the client.
    pub terminating_tls: Option<Arc<TlsContext>>,
    /// TLS originated to the server.
    pub originating_tls: Option<Arc<TlsContext>>,
    /// TLS server names, as written.
    pub server_names: BTreeSet<Arc<str>>,
    /// A custom listener to redirect to.
    pub listener: Option<Listener>,
    /// Where it is written.
    pub span: Span,
}

impl fmt::Display for PortProtocol {
    /// `80/TCP`, `8000-8080/TCP`, `http/TCP`, `53/ANY`, `ICMP type 8`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = protocol::name(self.protocol);
        if matches!(self.protocol, protocol::ICMP | protocol::ICMPV6) {
            f.write_str(name.unwrap_or("ICMP"))?;
            return match self.port {
                RulePort::Number(0) => Ok(()),
                RulePort::Number(n) => write!(f, " type {n}"),
                RulePort::Name(ref n) => write!(f, " type {n}"),
            };
        }
        match &self.port {
            RulePort::Number(0) => f.write_str("*")?,
            RulePort::Number(n) if self.end_port > *n => write!(f, "{n}-{}", self.end_port)?,
            RulePort::Number(n) => write!(f, "{n}")?,
            RulePort::Name(n) => f.write_str(n)?,
        }
        match name {
            Some(name) => write!(f, "/{name}"),
            None => write!(f, "/{}", self.protocol),
        }
    }
}
