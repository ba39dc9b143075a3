//! Which identity an address has, in the layout of Cilium's `cilium_ipcache_v2`
//! (bpf/lib/eps.h).
//!
//! Key, 24 bytes: `u32` prefix length (32 + the prefix among the address), `u16`
//! cluster id, a byte of padding, the family (1 IPv4, 2 IPv6), 16 bytes of
//! address. Value, 24 bytes: `u32` identity, 16 bytes of tunnel endpoint, and
//! four bytes about tunnels and keys that are 0 here.
//!
//! ```
//! use netverdict::cluster::Cluster;
//! use netverdict_datapath::{Addresses, ipcache_key, ipcache_value};
//!
//! let cluster = Cluster::read("{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}},
//!  status: {podIPs: [{ip: 10.0.0.7}]}}")?;
//! let addresses = Addresses::of(&cluster);
//! let pod = "10.0.0.7/32".parse().expect("a prefix");
//! assert_eq!(addresses.prefixes.get(&pod), Some(&cluster.find_endpoint("shop/web")?.identity.0));
//! // As they stand in Cilium's map; the longest prefix wins there.
//! let (key, value) = (ipcache_key(pod), ipcache_value(addresses.prefixes[&pod]));
//! assert_eq!((key.len(), value.len()), (24, 24));
//! # Ok::<(), Box<netverdict::diagnostic::Diagnostic>>(())
//! ```

use ipnet::IpNet;
use netverdict::cluster::Cluster;
use netverdict::identity::{NumericIdentity, world_identity};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The name of the map.
pub(crate) const NAME: &str = "cilium_ipcache_v2";

/// The bytes of a key.
#[must_use]
pub fn ipcache_key(prefix: IpNet) -> [u8; 24] {
    let prefix = prefix.trunc();
    let mut key = [0; 24];
    let bits = 32 + u32::from(prefix.prefix_len());
    let (length, rest) = key.split_at_mut(4);
    length.copy_from_slice(&bits.to_ne_bytes());
    let (head, address) = rest.split_at_mut(4);
    match prefix.network() {
        IpAddr::V4(ip) => {
            head.copy_from_slice(&[0, 0, 0, 1]);
            address[..4].copy_from_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            head.copy_from_slice(&[0, 0, 0, 2]);
            address.copy_from_slice(&ip.octets());
        }
    }
    key
}

/// The bytes of a value.
#[must_use]
pub fn ipcache_value(identity: u32) -> [u8; 24] {
    let mut value = [0; 24];
    value[..4].copy_from_slice(&identity.to_ne_bytes());
    value
}

/// Every prefix and address of a cluster with its identity, and who has the
/// rest of the world.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// Identities by prefix.
    pub prefixes: BTreeMap<IpNet, u32>,
    /// The identity of IPv4 addresses in no prefix.
    pub world_ipv4: u32,
    /// The identity of IPv6 addresses in no prefix.
    pub world_ipv6: u32,
}

impl Addresses {
    /// What a node knows of a cluster; with a node's name, its own addresses
    /// are the host's.
    #[must_use]
    pub fn of(cluster: &Cluster) -> Self {
        let config = cluster.config();
        let prefixes = cluster.ipcache().iter().map(|(p, entry)| (*p, entry.id.0));
        let mut prefixes: BTreeMap<IpNet, u32> = prefixes.collect();
        for endpoint in cluster.endpoints() {
            let own = |ip: &IpAddr| cluster.identity_at(*ip, None);
            let addresses = endpoint.addresses.iter();
            prefixes.extend(addresses.map(|ip| (IpNet::from(ip.to_canonical()), own(ip).0)));
        }
        let world = |ip: IpAddr| -> NumericIdentity { world_identity(&ip, config) };
        Self {
            prefixes,
            world_ipv4: world(Ipv4Addr::UNSPECIFIED.into()).0,
            world_ipv6: world(Ipv6Addr::UNSPECIFIED.into()).0,
        }
    }

    /// As the map has them.
    pub(crate) fn entries(&self) -> BTreeMap<[u8; 24], [u8; 24]> {
        let entries = self.prefixes.iter();
        entries
            .map(|(prefix, identity)| (ipcache_key(*prefix), ipcache_value(*identity)))
            .collect()
    }
}
