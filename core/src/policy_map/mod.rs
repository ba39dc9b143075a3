//! Cilium's eBPF policy map: the entries of one subject, byte for byte.
//!
//! In: a [`SubjectPolicy`](crate::resolve::SubjectPolicy), the identities its
//! selectors select, named ports and proxy ports. Out: a [`PolicyMap`]: 12-byte
//! keys and values as the Cilium 1.20.2 agent writes them, the rules behind
//! each entry, and the datapath's lookup over them.

mod bytes;
mod distil;
mod insert;
mod insert_pass;
mod json;
mod key;
mod level;
mod lookup;
mod named_ports;
mod pass;
mod precedence;
mod redirect;
mod state;
mod walk;

pub use bytes::{DecodeError, KEY_LEN, VALUE_LEN, key_from_bytes, key_to_bytes, value_to_bytes};
pub use distil::PolicyMap;
pub(crate) use distil::{Peers, Surroundings};
pub use json::JsonEntry;
pub use key::{Key, L4Key};
pub use lookup::{MatchType, Outcome, Question, Verdict};
pub use named_ports::NamedPorts;
pub use precedence::Precedence;
pub use redirect::{ProxyPorts, RedirectKey, StandInProxyPorts};
pub use state::{Entry, MapState};
