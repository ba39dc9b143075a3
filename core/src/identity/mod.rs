//! Security identities: the numbers that label sets are known by.
//!
//! In: label sets and prefixes. Out: [`NumericIdentity`]s, the set of all
//! identities in force ([`IdentityTable`]), their allocation, and the map from
//! addresses to identities. Follows Cilium 1.20.2 pkg/identity, pkg/ipcache
//! and bpf/lib/identity.h.
//!
//! ```
//! use netverdict::config::Config;
//! use netverdict::identity::{
//!     IdentityTable, IpCache, LocalAllocator, MemoryAllocator, NumericIdentity, PodMetadata,
//!     PrefixMetadata, Reserved, Scope,
//! };
//! use netverdict::label::{Label, LabelFilter, LabelSet, named_prefix_labels};
//!
//! let config = Config::default();
//! let one = |label| -> LabelSet { [label].into_iter().collect() };
//!
//! // Numbers that everybody knows, and those that a lookup falls back to.
//! let world = Reserved::by_name("world").expect("reserved");
//! assert_eq!(Reserved::by_id(world.id).map(|r| r.name), Some("world"));
//! let pod = NumericIdentity(1234);
//! assert!(pod.aggregate(&config).is_aggregate());
//!
//! // What is in force: reserved ones, and those that are added.
//! let mut table = IdentityTable::new(&config);
//! table.insert(pod, one(Label::k8s("app", "web")));
//! assert!(table.get(pod).is_some());
//!
//! // One scope hands out numbers; what is withheld is left alone.
//! let mut numbers = LocalAllocator::new(Scope::Global, 256, 260);
//! numbers.withhold([NumericIdentity(256)]);
//! let id = numbers.allocate(&one(Label::k8s("app", "db")), None)?;
//! assert_eq!(id, NumericIdentity(257));
//! assert!(numbers.release(id));
//!
//! // A prefix that a policy names has an identity, and so have the addresses in it.
//! let mut cache = IpCache::new();
//! let prefix = "192.0.2.0/24".parse()?;
//! cache.upsert(prefix, PrefixMetadata {
//!     resource: "cnp/shop/db".into(),
//!     priority: PrefixMetadata::FROM_GENERATED,
//!     labels: named_prefix_labels(&prefix, &config),
//!     identity_override: false,
//! });
//! let mut allocator = MemoryAllocator::new(&config);
//! assert_eq!(cache.resolve(&mut allocator, &config)?, [prefix]);
//! let address = "192.0.2.7".parse()?;
//! assert_eq!(cache.longest_match(&address).map(|(p, _)| p), Some(prefix));
//! assert_eq!(cache.identity_of(&address, &config).scope(), Scope::Local);
//! assert_ne!(cache.identity_of(&"198.51.100.1".parse()?, &config), cache.identity_of(&address, &config));
//!
//! // The labels of a pod that make its identity, and those that do not.
//! let metadata = PodMetadata {
//!     namespace: "shop",
//!     labels: vec![("app", "web"), ("controller-revision-hash", "7d")],
//!     ..PodMetadata::default()
//! };
//! let (identity, other) = metadata.identity_labels(&LabelFilter::default(), &config);
//! assert!(identity.get("app").is_some() && other.get("controller-revision-hash").is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod allocator;
mod fqdn;
mod ipcache;
mod numeric;
mod pod;
mod reserved;
mod table;

pub use allocator::{AllocationError, Allocator, LocalAllocator, LocalState, MemoryAllocator};
pub use fqdn::{NamePattern, canonical_name};
pub use ipcache::world_identity;
pub use ipcache::{IpCache, IpCacheEntry, PrefixMetadata};
pub use numeric::{AGGREGATES, NumericIdentity, Scope};
pub use pod::{DEFAULT_SERVICE_ACCOUNT, PodMetadata, PodPorts, named_port, named_port_labels};
pub use reserved::{
    Reserved, ReservedLookup, reserved_identities, reserved_lookup, scope_for_labels,
};
pub use table::{Identity, IdentityTable};
