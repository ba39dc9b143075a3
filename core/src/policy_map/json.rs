//! Entries of a policy map as JSON.

use super::{Entry, Key, PolicyMap, key_to_bytes, value_to_bytes};
use crate::resolve::SubjectPolicy;
use crate::rule::JsonPlace;
use crate::source::Sources;
use serde::Serialize;

/// An entry, as `netverdict map -o json` prints it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JsonEntry {
    /// `ingress` or `egress`.
    pub direction: &'static str,
    /// The peer's identity; 0 for all.
    pub identity: u32,
    /// IP protocol number; 0 for all.
    pub protocol: u8,
    /// First port of the range.
    pub port: u16,
    /// How many leading bits of the port count: 16 for one port, 0 for all.
    pub port_prefix: u8,
    /// It denies.
    pub deny: bool,
    /// Where a redirect leads; 0 for nowhere.
    pub proxy_port: u16,
    /// Authentication type; 0 for none.
    pub auth_type: u8,
    /// The type comes from a rule, and not from a wider entry.
    pub auth_explicit: bool,
    /// Precedence of the value.
    pub precedence: u32,
    /// A leftover of a pass rule, which Cilium's datapath never sees.
    pub invalid: bool,
    /// The 12 bytes of the key, in hexadecimal.
    pub key: String,
    /// The 12 bytes of the value.
    pub value: String,
    /// The rules behind it.
    pub rules: Vec<JsonPlace>,
}

impl JsonEntry {
    /// Resolves the places of an entry's rules.
    #[must_use]
    pub fn new(key: &Key, entry: &Entry, subject: &SubjectPolicy, sources: &Sources) -> Self {
        let direction = subject.direction(key.direction);
        let rules = direction.rules_of(&entry.origin);
        Self {
            direction: key.direction.as_str(),
            identity: key.identity.0,
            protocol: key.l4.protocol,
            port: key.l4.port,
            port_prefix: key.l4.port_prefix,
            deny: entry.is_deny(),
            proxy_port: entry.proxy_port,
            auth_type: entry.auth_type(),
            auth_explicit: entry.auth_explicit(),
            precedence: entry.precedence.0,
            invalid: entry.invalid,
            key: hex(&key_to_bytes(key)),
            value: hex(&value_to_bytes(key, entry)),
            rules: rules.map(|r| JsonPlace::new(r, sources)).collect(),
        }
    }

    /// All entries of a map, in the order of [`PolicyMap::entries`].
    #[must_use]
    pub fn all(map: &PolicyMap, subject: &SubjectPolicy, sources: &Sources) -> Vec<Self> {
        let entries = map.entries().into_iter();
        entries
            .map(|(key, entry)| Self::new(&key, entry, subject, sources))
            .collect()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
