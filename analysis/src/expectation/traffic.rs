//! Ports, types and requests as expectations name them.

use super::Expectation;
use netverdict::cluster::Endpoint;
use netverdict::l7::Request;
use netverdict::object::cilium::{IcmpFamily, icmp_type_number};
use netverdict::rule::protocol;

/// What a packet opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packet {
    /// IP protocol number.
    pub protocol: u8,
    /// Destination port, or ICMP type.
    pub port: u16,
    /// ICMP code.
    pub code: Option<u8>,
}

impl std::fmt::Display for Packet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = protocol::name(self.protocol);
        let name = name.map_or_else(|| self.protocol.to_string(), str::to_owned);
        match self.protocol {
            protocol::ICMP | protocol::ICMPV6 => write!(f, "{name} type {}", self.port),
            protocol::TCP | protocol::UDP | protocol::SCTP => write!(f, "{}/{name}", self.port),
            _ => f.write_str(&name),
        }
    }
}

/// Reads a port: `80`, `53/UDP`, `http` as the receiver calls it, or a
/// protocol without ports.
pub(super) fn packet(text: &str, to: Option<&Endpoint>) -> Result<Packet, String> {
    let (port, name) = match text.split_once('/') {
        Some((port, name)) => (port, Some(name)),
        None => (text, None),
    };
    let by_name = |name: &str| protocol::number(name).filter(|n| *n != protocol::ANY);
    let given = match name {
        None => None,
        Some(name) => Some(by_name(name).ok_or_else(|| format!("`{name}` is no protocol"))?),
    };
    let of = |protocol, port| Packet {
        protocol,
        port,
        code: None,
    };
    if let Ok(number) = port.parse::<u16>() {
        return match number {
            0 => Err(format!("`{text}` is no port")),
            n => Ok(of(given.unwrap_or(protocol::TCP), n)),
        };
    }
    let declared = to.and_then(|e| {
        let fits = |p: &&_| given.is_none_or(|g| g == declared_protocol(p));
        let mut ports = e.ports.iter().filter(|p| p.name == port);
        ports.find(fits)
    });
    if let Some(p) = declared {
        return Ok(of(p.protocol, p.port));
    }
    match by_name(port) {
        Some(protocol::ICMP | protocol::ICMPV6) => {
            Err("ICMP has types, not ports: write `icmp: EchoRequest`".to_owned())
        }
        Some(number) if given.is_none() => Ok(of(number, 0)),
        _ => Err(match to {
            Some(e) => format!("`{e}` has no port `{port}`"),
            None => format!("`{text}` is no port"),
        }),
    }
}

fn declared_protocol(port: &netverdict::cluster::DeclaredPort) -> u8 {
    port.protocol
}

/// Reads an ICMP type by number or name, and its code.
pub(super) fn icmp(text: &str, family: IcmpFamily) -> Result<Packet, String> {
    let wrong = || format!("`{text}` is no ICMP type");
    let (kind, code) = match text.split_once('/') {
        Some((kind, code)) => (kind, Some(code.parse::<u8>().map_err(|_| wrong())?)),
        None => (text, None),
    };
    let number = kind.parse::<u8>().ok();
    let number = number.or_else(|| icmp_type_number(family, kind));
    Ok(Packet {
        protocol: match family {
            IcmpFamily::V4 => protocol::ICMP,
            IcmpFamily::V6 => protocol::ICMPV6,
        },
        port: u16::from(number.ok_or_else(wrong)?),
        code,
    })
}

/// The HTTP request of an expectation.
pub(super) fn request(expectation: &Expectation) -> Result<Option<Request>, String> {
    let Some(text) = &expectation.http else {
        return Ok(None);
    };
    let wrong = || {
        let text = &text.value;
        format!("`{text}` is no request: write `GET /path`, perhaps with `host=name`")
    };
    let mut request = Request::from_words(&text.value).ok_or_else(wrong)?;
    for header in &expectation.headers {
        let (name, value) = header
            .value
            .split_once(':')
            .ok_or_else(|| format!("header `{}` has no colon", header.value))?;
        request.add(name.trim(), value.trim());
    }
    Ok(Some(request))
}
