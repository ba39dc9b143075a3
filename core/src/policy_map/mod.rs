//! Cilium's eBPF policy map: the entries of one subject, byte for byte.
//!
//! In: a [`SubjectPolicy`](crate::resolve::SubjectPolicy), the identities its
//! selectors select, named ports and proxy ports. Out: a [`PolicyMap`]: 12-byte
//! keys and values as the Cilium 1.20.2 agent writes them, the rules behind
//! each entry, and the datapath's lookup over them.
//!
//! ```
//! use netverdict::cluster::Cluster;
//! use netverdict::identity::NumericIdentity;
//! use netverdict::policy_map::{
//!     Entry, L4Key, NamedPorts, PolicyMap, Precedence, Question, StandInProxyPorts, value_to_bytes,
//! };
//! use netverdict::rule::Direction;
//!
//! let cluster = Cluster::read(include_str!("../../examples/shop.yaml"))?;
//! let db = cluster.find_endpoint("shop/db")?;
//! let policy = cluster.repository().resolve(db.identity, &db.labels).expect("nothing contradicts");
//! let (selectors, ports) = (cluster.repository().selectors(), NamedPorts::new());
//! let map = PolicyMap::new(&policy, selectors, &|_, _| None, &ports, &mut StandInProxyPorts::default());
//!
//! // What the datapath says of a packet, and the entry that it finds.
//! let ask = |port| Question::new(Direction::Ingress, NumericIdentity(4711), 6, port);
//! let outcome = map.lookup(&ask(5432), cluster.config());
//! let (key, entry) = outcome.entry.expect("an entry for the port");
//! assert_eq!((outcome.code, key.l4), (0, L4Key::port(6, 5432)));
//! assert!(map.lookup(&ask(80), cluster.config()).entry.is_none());
//! // Its bytes, as the agent writes them, and back.
//! assert!(!Entry::from_bytes(&value_to_bytes(&key, entry)).is_deny());
//! assert!(map.entries().iter().any(|(k, _)| *k == key));
//! assert!(map.ingress.redirect_of(entry).is_none());
//!
//! // Ranges of ports are cut into prefixes; broader keys cover narrower ones.
//! let range: Vec<L4Key> = L4Key::range(6, 1024, 2047).collect();
//! assert_eq!((range.len(), range[0].last_port()), (1, 2047));
//! assert!(L4Key::port(6, 1500).ancestors().any(|k| k == range[0]));
//! assert!(range[0].covers(L4Key::port(6, 1500)));
//!
//! // Deny is stronger than allow, whichever comes first, at one priority.
//! assert!(Precedence::deny(0) > Precedence::allow(0, None));
//! assert!(Precedence::allow(0, Some(7)).merges_with(Precedence::allow(0, None)));
//!
//! // A name of a port means one port of an identity, or none.
//! let mut named = NamedPorts::new();
//! named.insert(NumericIdentity(4711), "web", 6, 8080);
//! assert_eq!(named.get(NumericIdentity(4711), &"web".into(), 6), Some(8080));
//! assert_eq!(named.changed_since(&NamedPorts::new()).len(), 1);
//! # Ok::<(), Box<netverdict::diagnostic::Diagnostic>>(())
//! ```

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
