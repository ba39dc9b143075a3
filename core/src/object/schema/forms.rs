//! The patterns and formats of the schemas, as tests of texts.

use crate::object::cidr::parse_prefix;
use crate::object::label_syntax::is_subdomain;
use ipnet::IpNet;
use std::net::{Ipv4Addr, Ipv6Addr};

fn dotted(text: &str, star: bool) -> bool {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || star && c == '*' || c == '.';
    !text.is_empty() && text.chars().all(plain) && !text.starts_with('.') && !text.contains("..")
}

/// `^([-a-zA-Z0-9_]+[.]?)+$`
pub(super) fn dns_name(text: &str) -> bool {
    dotted(text, false)
}

/// `^([-a-zA-Z0-9_*]+[.]?)+$`
pub(super) fn dns_pattern(text: &str) -> bool {
    dotted(text, true)
}

/// `^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.…)*$`; the length is limited apart.
pub(super) fn subdomain(text: &str) -> bool {
    is_subdomain(text) || text.len() > 253 && text.split('.').all(is_subdomain)
}

/// `^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$`; the length is limited
/// apart.
pub(super) fn label_value(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let end = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.is_empty() || bytes.iter().all(|b| inner(*b)) && end(bytes.first()) && end(bytes.last())
}

/// `^(6553[0-5]|…|[0-9]{1,4})|([a-zA-Z0-9]-?)*[a-zA-Z](-?[a-zA-Z0-9])*$`.
///
/// The anchors bind stronger than the bar: what starts with a digit passes,
/// and so does what ends in a service name of any length.
pub(super) fn port(text: &str) -> bool {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return true;
    }
    // The longest tail of letters, digits and single inner dashes needs a
    // letter, and must not end in a dash.
    let mut tail = 0;
    let mut letter = false;
    let mut dash = true;
    for b in text.bytes().rev() {
        match b {
            b'-' if dash => break,
            b'-' => dash = true,
            b if b.is_ascii_alphanumeric() => {
                dash = false;
                letter |= b.is_ascii_alphabetic();
                tail += 1;
            }
            _ => break,
        }
    }
    tail > 0 && letter
}

/// `^\PC*$`: no character of Unicode's categories Cc, Cf, Cs and Co.
pub(super) fn printable(text: &str) -> bool {
    !text.chars().any(|c| {
        c.is_control()
            || matches!(c,
                '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
                | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}'
                | '\u{e000}'..='\u{f8ff}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{110bd}'
                | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}' | '\u{e0001}' | '\u{e0020}'..='\u{e007f}'
                | '\u{f0000}'..='\u{ffffd}' | '\u{100000}'..='\u{10fffd}')
    })
}

/// The format `cidr`: a prefix as Go parsed it before version 1.17, leading
/// zeros included (k8s.io/utils/net, `ParseCIDRSloppy`).
pub(super) fn cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else {
        return false;
    };
    let bits = match (sloppy_v4(address), sloppy_v6(address)) {
        (Some(_), _) => 32,
        (None, Some(_)) => 128,
        (None, None) => return false,
    };
    let length = decimal(length, 0x00ff_ffff);
    length.is_some_and(|length| length <= bits)
}

/// Digits of a number below a limit, any number of leading zeros before it.
fn decimal(text: &str, limit: u32) -> Option<u32> {
    if text.is_empty() {
        return None;
    }
    text.bytes().try_fold(0u32, |n, b| {
        let n = n * 10 + u32::from(b.is_ascii_digit().then(|| b - b'0')?);
        (n < limit).then_some(n)
    })
}

fn sloppy_v4(text: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u8> = text
        .split('.')
        .map(|part| u8::try_from(decimal(part, 0x00ff_ffff)?).ok())
        .collect::<Option<_>>()?;
    <[u8; 4]>::try_from(parts).ok().map(Ipv4Addr::from)
}

fn sloppy_v6(text: &str) -> Option<Ipv6Addr> {
    let groups: Vec<String> = text
        .split(':')
        .map(|group| match sloppy_v4(group) {
            Some(embedded) => embedded.to_string(),
            None if group.len() > 4 => {
                let short = group.trim_start_matches('0');
                if short.is_empty() { "0" } else { short }.to_owned()
            }
            None => group.to_owned(),
        })
        .collect();
    groups.join(":").parse().ok()
}

/// The format `date-time` (k8s.io/kube-openapi pkg/validation/strfmt,
/// `IsDateTime`): RFC 3339 with the separators in either case.
pub(super) fn date_time(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    crate::object::decode::is_rfc3339(&upper) && !upper.contains(',')
}

/// CEL's `isCIDR`: a prefix with its length, no IPv4 address within IPv6.
pub(super) fn cel_cidr(text: &str) -> bool {
    let mapped = |prefix: &IpNet| match prefix {
        IpNet::V4(_) => false,
        IpNet::V6(p) => p.addr().to_ipv4_mapped().is_some(),
    };
    parse_prefix(text).is_ok_and(|prefix| !mapped(&prefix))
}

/// The pattern of `DomainName`:
/// `^(\*\.)?([a-zA-z0-9]([-a-zA-Z0-9_]*[a-zA-Z0-9])?\.)+[a-zA-z0-9]([-a-zA-Z0-9_]*[a-zA-Z0-9])?\.?$`
/// (`A-z` as upstream has it: it takes `[ \ ] ^ _` and the backquote too).
pub(super) fn domain_name(text: &str) -> bool {
    let text = text.strip_prefix("*.").unwrap_or(text);
    let text = text.strip_suffix('.').unwrap_or(text);
    let first = |b: u8| b.is_ascii_digit() || (b'A'..=b'z').contains(&b);
    let part = |part: &str| {
        let bytes = part.as_bytes();
        match bytes.split_first() {
            None => false,
            Some((&b, [])) => first(b),
            Some((&b, rest)) => {
                first(b)
                    && rest.last().is_some_and(u8::is_ascii_alphanumeric)
                    && rest
                        .iter()
                        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
            }
        }
    };
    text.contains('.') && text.split('.').all(part)
}

/// The `reason` of a condition: `^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$`
pub(super) fn condition_reason(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b',' | b':');
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(inner)
        && !text.ends_with([',', ':'])
}

/// The `type` of a condition: a word such as `Accepted`, with or without a
/// domain before it: `example.org/Accepted`.
pub(super) fn condition_type(text: &str) -> bool {
    let (domain, word) = match text.split_once('/') {
        Some((domain, word)) => (Some(domain), word),
        None => (None, text),
    };
    !word.is_empty() && label_value(word) && domain.is_none_or(subdomain)
}
