//! Addresses and prefixes as Go's net/netip reads them.
//!
//! In: text. Out: an [`IpAddr`] or an [`IpNet`] with its host bits as written
//! (`trunc()` masks them). No leading zeros anywhere; IPv4 inside IPv6
//! (`::ffff:1.2.3.4`) stays IPv6.
//!
//! ```
//! use netverdict::object::cidr::{
//!     covers, has_host_bits, parse_addr, parse_exception, parse_prefix, parse_prefix_or_addr,
//! };
//!
//! let office = parse_prefix("192.0.2.0/24")?;
//! assert!(covers(&office, &parse_prefix_or_addr("192.0.2.7")?));
//! assert!(!has_host_bits(&office) && has_host_bits(&parse_exception("192.0.2.1/24")?));
//! assert!(parse_addr("192.0.2.007").is_err());
//! # Ok::<(), netverdict::object::cidr::CidrError>(())
//! ```

use ipnet::IpNet;
use std::net::IpAddr;

/// Why a text is no address or prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CidrError {
    /// The part before the slash, or all of it, is no address.
    Address,
    /// There is no slash.
    NoLength,
    /// What follows the slash is no number.
    LengthSyntax,
    /// The length exceeds 32 (IPv4) or 128 (IPv6).
    LengthRange,
    /// The address has a zone (`fe80::1%eth0`).
    Zone,
}

/// `netip.ParseAddr`, except that a zone is an error: where Cilium parses
/// addresses of policies with a zone it crashes on them later.
///
/// # Errors
///
/// [`CidrError::Zone`] or [`CidrError::Address`].
pub fn parse_addr(text: &str) -> Result<IpAddr, CidrError> {
    if let Some((address, zone)) = text.split_once('%') {
        let zoned = matches!(address.parse(), Ok(IpAddr::V6(_))) && !zone.is_empty();
        return Err(if zoned {
            CidrError::Zone
        } else {
            CidrError::Address
        });
    }
    text.parse().map_err(|_| CidrError::Address)
}

/// `netip.ParsePrefix`.
///
/// # Errors
///
/// The first thing that is wrong.
pub fn parse_prefix(text: &str) -> Result<IpNet, CidrError> {
    let (address, length) = text.rsplit_once('/').ok_or(CidrError::NoLength)?;
    let address = parse_addr(address)?;
    let digits = !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
    if !digits || length.len() > 1 && length.starts_with('0') {
        return Err(CidrError::LengthSyntax);
    }
    let length = length.parse().map_err(|_| CidrError::LengthRange)?;
    IpNet::new(address, length).map_err(|_| CidrError::LengthRange)
}

/// A prefix, or an address as the prefix of its full length
/// (Cilium 1.20.2 pkg/labels/cidr.go, `IPStringToLabel`).
///
/// # Errors
///
/// As [`parse_prefix`], without [`CidrError::NoLength`].
pub fn parse_prefix_or_addr(text: &str) -> Result<IpNet, CidrError> {
    if text.contains('/') {
        parse_prefix(text)
    } else {
        parse_addr(text).map(IpNet::from)
    }
}

/// An exception as [`parse_prefix_or_addr`] reads it, save that the zone of an
/// address is dropped there (`IPStringToLabel` takes the address's prefix,
/// which has none).
///
/// # Errors
///
/// As [`parse_prefix_or_addr`]; [`CidrError::Zone`] only of a prefix.
pub fn parse_exception(text: &str) -> Result<IpNet, CidrError> {
    match parse_prefix_or_addr(text) {
        Err(CidrError::Zone) if !text.contains('/') => {
            let (address, _) = text.split_once('%').unwrap_or((text, ""));
            parse_addr(address).map(IpNet::from)
        }
        other => other,
    }
}

/// True when `outer` covers `inner`: the same family, no longer, and
/// containing its address.
#[must_use]
pub fn covers(outer: &IpNet, inner: &IpNet) -> bool {
    outer.prefix_len() <= inner.prefix_len() && outer.contains(&inner.addr())
}

/// True when the address has bits beyond the prefix's length.
#[must_use]
pub fn has_host_bits(prefix: &IpNet) -> bool {
    prefix.addr() != prefix.network()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_as_netip_parses_them() {
        for (text, error) in [
            ("10.0.0.0/8", None),
            ("10.1.2.3/8", None),
            ("0.0.0.0/0", None),
            ("::/0", None),
            ("::ffff:1.2.3.4/96", None),
            ("1::1.2.3.4/128", None),
            ("1:2:3:4:5:6:7::/64", None),
            ("10.0.0.0", Some(CidrError::NoLength)),
            ("", Some(CidrError::NoLength)),
            ("010.0.0.0/8", Some(CidrError::Address)),
            ("172.224.3/32", Some(CidrError::Address)),
            ("1.2.3.4.5/8", Some(CidrError::Address)),
            ("1:2:3:4:5:6:7:8::/64", Some(CidrError::Address)),
            ("1:2:3:4:5:6::1.2.3.4/64", Some(CidrError::Address)),
            ("12345::/64", Some(CidrError::Address)),
            (" 10.0.0.0/8", Some(CidrError::Address)),
            ("10.0.0.0/33", Some(CidrError::LengthRange)),
            ("10.0.0.0/999999", Some(CidrError::LengthRange)),
            ("10.0.0.0/08", Some(CidrError::LengthSyntax)),
            ("10.0.0.0/+8", Some(CidrError::LengthSyntax)),
            ("10.0.0.0/", Some(CidrError::LengthSyntax)),
            ("10.0.0.0/255.0.0.0", Some(CidrError::LengthSyntax)),
            ("10.0.0.0/8 ", Some(CidrError::LengthSyntax)),
            ("fe80::1%eth0/64", Some(CidrError::Zone)),
            ("1.2.3.4%eth0/8", Some(CidrError::Address)),
            ("::/129", Some(CidrError::LengthRange)),
        ] {
            assert_eq!(parse_prefix(text).err(), error, "{text}");
        }
        assert_eq!(parse_addr("fe80::1%eth0"), Err(CidrError::Zone));
        assert_eq!(parse_addr("fe80::1%"), Err(CidrError::Address));
        assert_eq!(parse_prefix_or_addr("::1").unwrap().prefix_len(), 128);
        let exception = |text| parse_exception(text).map(|p| p.to_string());
        assert_eq!(exception("fe80::1%eth0"), Ok("fe80::1/128".to_owned()));
        assert_eq!(exception("fe80::1%"), Err(CidrError::Address));
        assert_eq!(exception("fe80::1%eth0/64"), Err(CidrError::Zone));
    }

    #[test]
    fn covering_needs_the_same_family() {
        let p = |text| parse_prefix(text).unwrap();
        assert!(covers(&p("10.0.0.0/8"), &p("10.1.0.0/16")));
        assert!(covers(&p("10.0.0.0/8"), &p("10.0.0.0/8")));
        assert!(covers(&p("10.9.9.9/8"), &p("10.1.0.0/16")));
        assert!(!covers(&p("10.1.0.0/16"), &p("10.0.0.0/8")));
        assert!(!covers(&p("::/0"), &p("10.0.0.0/8")));
        assert!(!covers(&p("0.0.0.0/0"), &p("::ffff:1.2.3.4/128")));
        assert!(has_host_bits(&p("10.1.0.0/8")));
    }
}
