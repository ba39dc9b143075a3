//! Keys and values as the bytes of Cilium's map (`cilium_policy_v3_…`).
//!
//! Key, 12 bytes: `u32` LPM prefix length (40 + the prefix among protocol and
//! port), `u32` identity, one byte with bit 0 set for egress, protocol, `be16`
//! port. Value, 12 bytes: `be16` proxy port, flags (bit 0 deny, bits 3–7 the
//! prefix among protocol and port), authentication (bits 0–6 type, bit 7
//! explicit), `u32` precedence, `u32` cookie. The `u32`s are little-endian, as
//! on every host Cilium supports (bpf/lib/policy.h, pkg/maps/policymap).
//!
//! ```
//! use netverdict::identity::NumericIdentity;
//! use netverdict::policy_map::{Key, L4Key, key_from_bytes, key_to_bytes};
//! use netverdict::rule::Direction;
//!
//! let key = Key { direction: Direction::Ingress, identity: NumericIdentity(4711), l4: L4Key::port(6, 80) };
//! let bytes = key_to_bytes(&key);
//! // The port stands there as it does in a packet.
//! assert_eq!(bytes[10..], [0, 80]);
//! assert_eq!(key_from_bytes(&bytes), Ok(key));
//! ```

use super::key::{Key, L4Key, mask};
use super::precedence::Precedence;
use super::state::Entry;
use crate::identity::NumericIdentity;
use crate::resolve::Origin;
use crate::rule::Direction;
use std::fmt;

/// Bytes of a key.
pub const KEY_LEN: usize = 12;
/// Bytes of a value.
pub const VALUE_LEN: usize = 12;

/// Identity and direction are always matched.
const STATIC_PREFIX_BITS: u32 = 40;

/// Why bytes are no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// The prefix length is none that a key can have.
    PrefixLength(u32),
    /// Bits beyond the prefix are set, or pad bits are.
    StrayBits,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PrefixLength(n) => write!(f, "{n} is no prefix length of a policy key"),
            Self::StrayBits => f.write_str("bits beyond the prefix are set"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// The LPM prefix length of a key, as stored in its first four bytes. Port
/// bits count only over a non-zero port.
#[must_use]
fn prefix_bits(l4: L4Key) -> u32 {
    let bits = match (l4.protocol, l4.port) {
        (0, 0) => 0,
        (_, 0) => 8,
        _ => 8 + u32::from(l4.port_prefix),
    };
    STATIC_PREFIX_BITS + bits
}

/// The bytes of a key.
#[must_use]
pub fn key_to_bytes(key: &Key) -> [u8; KEY_LEN] {
    let [p0, p1, p2, p3] = prefix_bits(key.l4).to_le_bytes();
    let [i0, i1, i2, i3] = key.identity.0.to_le_bytes();
    let egress = u8::from(key.direction == Direction::Egress);
    let [h, l] = key.l4.port.to_be_bytes();
    [
        p0,
        p1,
        p2,
        p3,
        i0,
        i1,
        i2,
        i3,
        egress,
        key.l4.protocol,
        h,
        l,
    ]
}

/// Reads a key.
///
/// # Errors
/// When the bytes are none Cilium would write.
pub fn key_from_bytes(bytes: &[u8; KEY_LEN]) -> Result<Key, DecodeError> {
    let [p0, p1, p2, p3, i0, i1, i2, i3, direction, protocol, h, l] = *bytes;
    let prefix = u32::from_le_bytes([p0, p1, p2, p3]);
    let l4_bits = match prefix.checked_sub(STATIC_PREFIX_BITS) {
        Some(bits) if bits == 0 || (8..=24).contains(&bits) => bits,
        _ => return Err(DecodeError::PrefixLength(prefix)),
    };
    let port = u16::from_be_bytes([h, l]);
    let port_prefix = u8::try_from(l4_bits.saturating_sub(8)).unwrap_or(0);
    let stray_protocol = l4_bits == 0 && protocol != 0;
    if direction > 1 || stray_protocol || port & !mask(port_prefix) != 0 {
        return Err(DecodeError::StrayBits);
    }
    Ok(Key {
        direction: if direction == 1 {
            Direction::Egress
        } else {
            Direction::Ingress
        },
        identity: NumericIdentity(u32::from_le_bytes([i0, i1, i2, i3])),
        l4: L4Key {
            protocol,
            port,
            port_prefix,
        },
    })
}

/// The bytes of an entry's value. An entry marked invalid is written as Cilium
/// would write it: a deny.
#[must_use]
pub fn value_to_bytes(key: &Key, entry: &Entry) -> [u8; VALUE_LEN] {
    let [ph, pl] = entry.proxy_port.to_be_bytes();
    let prefix = u8::try_from(prefix_bits(key.l4) - STATIC_PREFIX_BITS).unwrap_or(0);
    let flags = u8::from(entry.is_deny()) | (prefix << 3);
    let [a, b, c, d] = entry.precedence.0.to_le_bytes();
    [ph, pl, flags, entry.auth, a, b, c, d, 0, 0, 0, 0]
}

impl Entry {
    /// Reads a value back; which rules it derives from is not in the bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; VALUE_LEN]) -> Self {
        let [ph, pl, _, auth, a, b, c, d, ..] = *bytes;
        Self {
            precedence: Precedence(u32::from_le_bytes([a, b, c, d])),
            proxy_port: u16::from_be_bytes([ph, pl]),
            auth,
            invalid: false,
            redirect: 0,
            passes: None,
            origin: Origin::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// Examples produced with Cilium's encoder.
    #[test]
    fn bytes_of_the_specification() {
        use Direction::{Egress, Ingress};
        let cases = [
            (
                Ingress,
                1234,
                17,
                0,
                0,
                0xffff_ff01,
                0,
                0,
                "30000000d204000000110000",
                "0000400001ffffff00000000",
            ),
            (
                Egress,
                65793,
                6,
                8080,
                12,
                0xffff_ff99,
                10000,
                0x81,
                "3c0000000101010001061f90",
                "2710a08199ffffff00000000",
            ),
            (
                Ingress,
                2,
                1,
                8,
                16,
                0xffff_ff01,
                0,
                0,
                "400000000200000000010008",
                "0000c00001ffffff00000000",
            ),
            (
                Ingress,
                0,
                58,
                128,
                16,
                0xffff_ff01,
                0,
                0,
                "4000000000000000003a0080",
                "0000c00001ffffff00000000",
            ),
            (
                Egress,
                13,
                132,
                1024,
                6,
                0xffff_ff01,
                0,
                0,
                "360000000d00000001840400",
                "0000700001ffffff00000000",
            ),
            (
                Egress,
                0x0100_0001,
                6,
                443,
                16,
                0xffff_ff01,
                0,
                0,
                "400000000100000101 0601bb",
                "0000c00001ffffff00000000",
            ),
            (
                Ingress,
                11,
                0,
                0,
                0,
                0xffff_ffff,
                0,
                0,
                "280000000b00000000000000",
                "00000100ffffffff00000000",
            ),
        ];
        for (direction, id, protocol, port, port_prefix, precedence, proxy_port, auth, k, v) in
            cases
        {
            let key = Key {
                direction,
                identity: NumericIdentity(id),
                l4: L4Key {
                    protocol,
                    port,
                    port_prefix,
                },
            };
            let entry = Entry {
                precedence: Precedence(precedence),
                proxy_port,
                auth,
                invalid: false,
                redirect: 0,
                passes: None,
                origin: Origin::default(),
            };
            let bytes = key_to_bytes(&key);
            assert_eq!(hex(&bytes), k.replace(' ', ""));
            assert_eq!(key_from_bytes(&bytes), Ok(key));
            let value = value_to_bytes(&key, &entry);
            assert_eq!(hex(&value), v);
            assert_eq!(Entry::from_bytes(&value), entry);
        }
    }

    #[test]
    fn foreign_bytes_are_refused() {
        let mut bytes = [0u8; KEY_LEN];
        assert_eq!(key_from_bytes(&bytes), Err(DecodeError::PrefixLength(0)));
        bytes[0] = 40;
        assert!(key_from_bytes(&bytes).is_ok());
        bytes[9] = 6;
        assert_eq!(key_from_bytes(&bytes), Err(DecodeError::StrayBits));
    }
}
