//! Names that were looked up, and the addresses they have.
//!
//! In: DNS answers as they pass, the time of each, and which connections are
//! alive. Out: the addresses behind names, the names behind addresses, the
//! selectors (`toFQDNs`) whose label an address carries, and what changed.
//! Follows Cilium 1.20.2 pkg/fqdn/cache.go, pkg/fqdn/namemanager and
//! pkg/fqdn/messagehandler.
//!
//! The caller tells the time: nothing here reads a clock, and nothing expires
//! but in [`Names::collect`], which Cilium's agent calls once a minute.
//!
//! ```
//! use netverdict::fqdn::{EndpointNames, Names, NamesConfig};
//!
//! let mut names = Names::new(NamesConfig::default());
//! names.register("*.example.com");
//! let address = "192.0.2.7".parse()?;
//! // Endpoint 1 learns it at second 10, for 30 seconds.
//! names.answer(1, "api.example.com", &[address], 30, 10_000)?;
//! assert_eq!(names.selectors_of(&address), ["*.example.com".into()]);
//! let learned: &EndpointNames = names.endpoint(1).expect("it has learned one");
//! assert_eq!((learned.answers().len(), learned.living_zombies().len()), (1, 0));
//! // Expired by the next collection, but a connection may still be there:
//! // it goes with the second end of a conntrack collection after that.
//! names.collect(60_000);
//! assert!(!names.selectors_of(&address).is_empty());
//! for second in [70, 90] {
//!     names.end_of_conntrack_collection(1, second * 1000);
//! }
//! names.collect(120_000);
//! assert!(names.selectors_of(&address).is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cache;
mod names;
mod zombie;

pub use cache::CachedAnswer;
pub use names::{EndpointNames, Learned, NameChange, Names, NamesConfig, NamesFull};
pub use zombie::Zombie;

/// Milliseconds since any moment the caller likes.
pub type Millis = u64;
