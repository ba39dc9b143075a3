//! Security identities: the numbers that label sets are known by.
//!
//! In: label sets and prefixes. Out: [`NumericIdentity`]s, the set of all
//! identities in force ([`IdentityTable`]), their allocation, and the map from
//! addresses to identities. Follows Cilium 1.20.2 pkg/identity, pkg/ipcache
//! and bpf/lib/identity.h.

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
