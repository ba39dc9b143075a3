//! Identity numbers, their scopes and aggregates.

use crate::config::Config;
use std::fmt;

/// A security identity: the 32-bit number the datapath compares.
///
/// Bits 31–24 are the [`Scope`]; in the global scope the bits below hold the
/// cluster id and the number within that cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NumericIdentity(pub u32);

/// What the top byte of an identity says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Reserved numbers and identities shared by the cluster mesh.
    Global,
    /// Local to this node: prefixes and names.
    Local,
    /// Local to this node: other nodes.
    RemoteNode,
}

impl Scope {
    /// The number whose top byte this scope is.
    #[must_use]
    pub const fn base(self) -> u32 {
        match self {
            Self::Global => 0,
            Self::Local => 0x0100_0000,
            Self::RemoteNode => 0x0200_0000,
        }
    }
}

/// The keys a full wildcard is written under, in Cilium's order: identity 0
/// and the four aggregates (pkg/policy/aggregate.go).
pub const AGGREGATES: [NumericIdentity; 5] = [
    NumericIdentity::UNKNOWN,
    NumericIdentity::AGGREGATE_REMOTE_NODE,
    NumericIdentity::AGGREGATE_WORLD,
    NumericIdentity::AGGREGATE_CLUSTER,
    NumericIdentity::AGGREGATE_CLUSTER_MESH,
];

impl NumericIdentity {
    /// No identity; in a policy map the wildcard.
    pub const UNKNOWN: Self = Self(0);
    /// The local node.
    pub const HOST: Self = Self(1);
    /// Everything outside, when only one address family is enabled.
    pub const WORLD: Self = Self(2);
    /// Endpoints Cilium does not manage.
    pub const UNMANAGED: Self = Self(3);
    /// Cilium's own health endpoints.
    pub const HEALTH: Self = Self(4);
    /// Endpoints whose labels are not known yet.
    pub const INIT: Self = Self(5);
    /// Any other node.
    pub const REMOTE_NODE: Self = Self(6);
    /// A node that runs the API server.
    pub const KUBE_APISERVER: Self = Self(7);
    /// Cilium's ingress.
    pub const INGRESS: Self = Self(8);
    /// Everything outside, by IPv4.
    pub const WORLD_IPV4: Self = Self(9);
    /// Everything outside, by IPv6.
    pub const WORLD_IPV6: Self = Self(10);
    /// Aggregate of the local cluster's identities.
    pub const AGGREGATE_CLUSTER: Self = Self(11);
    /// Aggregate of other clusters' identities.
    pub const AGGREGATE_CLUSTER_MESH: Self = Self(12);
    /// Aggregate of local prefix identities.
    pub const AGGREGATE_WORLD: Self = Self(13);
    /// Aggregate of remote-node identities.
    pub const AGGREGATE_REMOTE_NODE: Self = Self(14);

    /// The scope by the top byte; undefined bytes count as global, as in
    /// Cilium's aggregation.
    #[must_use]
    pub const fn scope(self) -> Scope {
        match self.0 & 0xff00_0000 {
            0x0100_0000 => Scope::Local,
            0x0200_0000 => Scope::RemoteNode,
            _ => Scope::Global,
        }
    }

    /// The cluster a global identity belongs to.
    #[must_use]
    pub const fn cluster_id(self, max_connected_clusters: u32) -> u32 {
        (self.0 >> cluster_shift(max_connected_clusters)) & max_connected_clusters
    }

    /// The identity whose policy-map entries also apply to this one
    /// (pkg/policy/aggregate.go, bpf/lib/identity.h).
    ///
    /// Identities below 100 have no aggregate but 0; 0 and the four
    /// aggregates are their own. Where the two files differ, which is in numbers
    /// that no allocator gives, the datapath counts.
    #[must_use]
    pub fn aggregate(self, config: &Config) -> Self {
        match self.0 {
            0 | 11..=14 => self,
            1..=99 => Self::UNKNOWN,
            _ => match self.scope() {
                Scope::RemoteNode => Self::AGGREGATE_REMOTE_NODE,
                Scope::Local => Self::AGGREGATE_WORLD,
                Scope::Global => {
                    // As the datapath takes it, with the scope's byte above it:
                    // what has an undefined scope is in no local cluster.
                    let cluster = self.0 >> cluster_shift(config.max_connected_clusters);
                    if cluster == config.cluster_id {
                        Self::AGGREGATE_CLUSTER
                    } else {
                        Self::AGGREGATE_CLUSTER_MESH
                    }
                }
            },
        }
    }

    /// True for identity 0 and the four aggregates.
    #[must_use]
    pub const fn is_aggregate(self) -> bool {
        matches!(self.0, 0 | 11..=14)
    }
}

/// How far the cluster id is shifted: 16 bits for 255 clusters, 15 for 511.
#[must_use]
pub(super) const fn cluster_shift(max_connected_clusters: u32) -> u32 {
    24 - (max_connected_clusters + 1).trailing_zeros()
}

impl fmt::Display for NumericIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<u32> for NumericIdentity {
    fn from(n: u32) -> Self {
        Self(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aggregates_follow_scope_and_cluster() {
        let local = Config::default();
        let three = Config {
            cluster_id: 3,
            ..Config::default()
        };
        let agg = |n: u32, c: &Config| NumericIdentity(n).aggregate(c).0;
        for n in [0, 11, 12, 13, 14] {
            assert_eq!(agg(n, &local), n);
        }
        assert_eq!(agg(2, &local), 0);
        assert_eq!(agg(99, &local), 0);
        assert_eq!(agg(102, &local), 11);
        assert_eq!(agg(102, &three), 12);
        assert_eq!(agg(1234, &local), 11);
        assert_eq!(agg((3 << 16) | 5, &three), 11);
        assert_eq!(agg((3 << 16) | 5, &local), 12);
        assert_eq!(agg(0x0100_0001, &local), 13);
        assert_eq!(agg(0x0200_0001, &local), 14);
        // An undefined scope makes the cluster id too large for any cluster.
        assert_eq!(agg(0x0300_0001, &local), 12);
        assert_eq!(agg(0x0403_0005, &three), 12);
    }

    #[test]
    fn cluster_bits() {
        assert_eq!(cluster_shift(255), 16);
        assert_eq!(cluster_shift(511), 15);
    }
}
