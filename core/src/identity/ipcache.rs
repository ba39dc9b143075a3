//! From addresses to identities.
//!
//! In: what policies, CIDR groups, DNS answers and nodes say of prefixes.
//! Out: one identity per known prefix, by the label rules of Cilium 1.20.2
//! pkg/ipcache/metadata.go, and longest-prefix lookup of addresses.

use super::{AllocationError, Allocator, NumericIdentity};
use crate::config::Config;
use crate::label::{Label, LabelSet, LabelSource, cidr_label, world_label};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// What one resource says of one prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrefixMetadata {
    /// Who says it; also breaks ties between equal priorities.
    pub resource: Arc<str>,
    /// Rank of the source, the best first: kube-apiserver 0, local 1, kvstore
    /// 2, custom-resource 3, k8s 4, clustermesh 5, directory 6, local API 7,
    /// generated 8, restored 9, unspecified 10 (pkg/source/source.go).
    pub priority: u8,
    /// The labels it gives the prefix.
    pub labels: LabelSet,
    /// The labels are final: nothing is merged into them.
    pub identity_override: bool,
}

impl PrefixMetadata {
    /// Rank of what the API server's own addresses say.
    pub const FROM_API_SERVER: u8 = 0;
    /// Rank of Cilium's own kinds.
    pub const FROM_CUSTOM_RESOURCE: u8 = 3;
    /// Rank of Kubernetes' kinds.
    pub const FROM_KUBERNETES: u8 = 4;
    /// Rank of what the agent derives: CIDR groups, DNS names.
    pub const FROM_GENERATED: u8 = 8;
}

/// A prefix with its identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpCacheEntry {
    /// The identity of addresses whose longest known prefix this is.
    pub id: NumericIdentity,
    /// The prefix's final labels.
    pub labels: LabelSet,
}

/// Known prefixes and their identities.
#[derive(Clone, Debug, Default)]
pub struct IpCache {
    metadata: BTreeMap<IpNet, Vec<PrefixMetadata>>,
    entries: BTreeMap<IpNet, IpCacheEntry>,
    /// Prefixes whose metadata changed since the last resolution.
    stale: BTreeSet<IpNet>,
}

impl IpCache {
    /// An empty cache.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Records what a resource says of a prefix, in place of what it said
    /// before. Host bits are cut. Takes effect with [`Self::resolve`].
    pub fn upsert(&mut self, prefix: IpNet, metadata: PrefixMetadata) {
        let prefix = prefix.trunc();
        let all = self.metadata.entry(prefix).or_default();
        all.retain(|m| m.resource != metadata.resource);
        all.push(metadata);
        all.sort_by(|a, b| (a.priority, &a.resource).cmp(&(b.priority, &b.resource)));
        self.stale.insert(prefix);
    }

    /// Forgets what a resource said of a prefix.
    pub fn remove(&mut self, prefix: IpNet, resource: &str) {
        let prefix = prefix.trunc();
        if let Some(all) = self.metadata.get_mut(&prefix) {
            all.retain(|m| &*m.resource != resource);
            if all.is_empty() {
                self.metadata.remove(&prefix);
            }
            self.stale.insert(prefix);
        }
    }

    /// Gives every prefix touched since the last call, and every known prefix
    /// inside one of those, the identity its labels ask for. Returns the
    /// prefixes whose identity or labels changed.
    ///
    /// # Errors
    /// When the allocator has no number left; what was resolved stays.
    pub fn resolve(
        &mut self,
        allocator: &mut impl Allocator,
        config: &Config,
    ) -> Result<Vec<IpNet>, AllocationError> {
        let stale = std::mem::take(&mut self.stale);
        let mut affected = BTreeSet::new();
        for prefix in &stale {
            affected.insert(*prefix);
            let last = IpNet::new(prefix.broadcast(), prefix.max_prefix_len()).unwrap_or(*prefix);
            affected.extend(
                self.metadata
                    .range(*prefix..=last)
                    .map(|(p, _)| *p)
                    .filter(|p| prefix.contains(p)),
            );
        }
        let mut changed = Vec::new();
        for prefix in affected {
            let labels = self
                .metadata
                .contains_key(&prefix)
                .then(|| self.labels(&prefix, config));
            let old = self.entries.get(&prefix).cloned();
            match labels {
                Some(labels) if old.as_ref().is_some_and(|o| o.labels == labels) => {}
                Some(labels) => {
                    let id = if labels.has_reserved("host") {
                        NumericIdentity::HOST
                    } else {
                        allocator.allocate(&labels)?
                    };
                    self.entries.insert(prefix, IpCacheEntry { id, labels });
                    if let Some(old) = old {
                        allocator.release(old.id);
                    }
                    changed.push(prefix);
                }
                None => {
                    if let Some(old) = self.entries.remove(&prefix) {
                        allocator.release(old.id);
                        changed.push(prefix);
                    }
                }
            }
        }
        Ok(changed)
    }

    /// The labels of the local host: `reserved:host` and whatever all its
    /// prefixes carry.
    #[must_use]
    pub fn host_labels(&self) -> LabelSet {
        self.entries
            .values()
            .filter(|e| e.id == NumericIdentity::HOST)
            .flat_map(|e| e.labels.iter().cloned())
            .chain([Label::reserved("host")])
            .collect()
    }

    /// Known prefixes in order, IPv4 first.
    pub fn iter(&self) -> impl Iterator<Item = (&IpNet, &IpCacheEntry)> {
        self.entries.iter()
    }

    /// The entry of exactly that prefix.
    #[must_use]
    pub fn get(&self, prefix: &IpNet) -> Option<&IpCacheEntry> {
        self.entries.get(&prefix.trunc())
    }

    /// The longest known prefix that covers an address.
    #[must_use]
    pub fn longest_match(&self, addr: &IpAddr) -> Option<(IpNet, &IpCacheEntry)> {
        self.longest_cover(&IpNet::from(canonical(*addr)))
    }

    /// The longest known prefix that covers all of a prefix.
    #[must_use]
    pub fn longest_cover(&self, prefix: &IpNet) -> Option<(IpNet, &IpCacheEntry)> {
        covering(*prefix).find_map(|p| self.entries.get(&p).map(|e| (p, e)))
    }

    /// The identity of an address: that of its longest known prefix, else the
    /// world's.
    #[must_use]
    pub fn identity_of(&self, addr: &IpAddr, config: &Config) -> NumericIdentity {
        self.longest_match(addr)
            .map_or_else(|| world_identity(addr, config), |(_, e)| e.id)
    }

    /// Every prefix somebody says something of, IPv4 first, then by address and
    /// length.
    pub fn prefixes(&self) -> impl Iterator<Item = &IpNet> {
        self.metadata.keys()
    }

    /// What is said of a prefix and of the prefixes around it, the longest
    /// first; at most one prefix label.
    fn merged(&self, prefix: &IpNet) -> BTreeMap<String, Label> {
        let mut labels: BTreeMap<String, Label> = BTreeMap::new();
        let mut has_cidr = false;
        for p in covering(*prefix) {
            let Some(all) = self.metadata.get(&p) else {
                continue;
            };
            let mut cidr_here = false;
            for label in all.iter().flat_map(|m| m.labels.iter()) {
                if label.source() == &LabelSource::Cidr {
                    if has_cidr {
                        continue;
                    }
                    cidr_here = true;
                }
                labels
                    .entry(label.key().to_owned())
                    .or_insert_with(|| label.clone());
            }
            has_cidr |= cidr_here;
        }
        labels
    }

    /// The labels a workload has of an address in match mode `pods`: the
    /// prefix and group labels that policies and groups give the address, and
    /// without any of a prefix one for every address of the family
    /// (pkg/endpoint/endpoint.go).
    #[must_use]
    pub fn workload_labels(&self, addr: &IpAddr) -> Vec<Label> {
        let mut labels: Vec<Label> = self
            .merged(&IpNet::from(canonical(*addr)))
            .into_values()
            .filter(|l| matches!(l.source(), LabelSource::Cidr | LabelSource::CidrGroup))
            .collect();
        if !labels.iter().any(|l| l.source() == &LabelSource::Cidr) {
            let everything = match addr {
                IpAddr::V4(_) => "0.0.0.0/0",
                IpAddr::V6(_) => "::/0",
            };
            labels.push(Label::new(LabelSource::Cidr, everything, ""));
        }
        labels
    }

    /// The labels a prefix would have now: what is said of it and what it
    /// inherits from the prefixes around it.
    #[must_use]
    pub fn labels(&self, prefix: &IpNet, config: &Config) -> LabelSet {
        let own = self.metadata.get(prefix).map_or(&[][..], Vec::as_slice);
        if let Some(fixed) = own.iter().find(|m| m.identity_override) {
            return fixed.labels.clone();
        }
        let mut labels = self.merged(prefix);
        let reserved = |labels: &BTreeMap<String, Label>, key: &str| labels.contains_key(key);
        let node = reserved(&labels, "host") || reserved(&labels, "remote-node");
        let in_cluster = node || reserved(&labels, "health") || reserved(&labels, "ingress");
        if in_cluster {
            labels.retain(|_, l| {
                !(l.source() == &LabelSource::Reserved
                    && matches!(l.key(), "world" | "world-ipv4" | "world-ipv6"))
            });
            if !(node && config.cidr_matches_nodes) {
                labels.retain(|_, l| {
                    !matches!(
                        l.source(),
                        LabelSource::Cidr | LabelSource::Fqdn | LabelSource::CidrGroup
                    )
                });
            }
        }
        if !(node && config.node_selector_labels) {
            labels.retain(|_, l| l.source() != &LabelSource::Node);
        }
        if labels.is_empty() {
            let label = cidr_label(prefix, config);
            labels.insert(label.key().to_owned(), label);
        }
        if !in_cluster {
            let world = world_label(&prefix.addr(), config);
            labels.insert(world.key().to_owned(), world);
        }
        labels.into_values().collect()
    }
}

/// The world identity of an address that no known prefix covers: by family
/// when both are enabled, else 2.
#[must_use]
pub fn world_identity(addr: &IpAddr, config: &Config) -> NumericIdentity {
    match canonical(*addr) {
        _ if !(config.ipv4 && config.ipv6) => NumericIdentity::WORLD,
        IpAddr::V4(_) => NumericIdentity::WORLD_IPV4,
        IpAddr::V6(_) => NumericIdentity::WORLD_IPV6,
    }
}

/// IPv4-mapped IPv6 addresses are their IPv4 address.
fn canonical(addr: IpAddr) -> IpAddr {
    addr.to_canonical()
}

/// A prefix and all shorter ones that cover it, the longest first.
fn covering(prefix: IpNet) -> impl Iterator<Item = IpNet> {
    let addr = prefix.addr();
    (0..=prefix.prefix_len())
        .rev()
        .filter_map(move |bits| IpNet::new(addr, bits).ok())
        .map(|p| p.trunc())
}

#[cfg(test)]
mod tests {
    use super::super::MemoryAllocator;
    use super::*;

    fn meta(resource: &str, labels: &[&str]) -> PrefixMetadata {
        PrefixMetadata {
            resource: resource.into(),
            priority: 8,
            labels: labels.iter().map(|l| Label::parse(l)).collect(),
            identity_override: false,
        }
    }

    struct World {
        config: Config,
        cache: IpCache,
        allocator: MemoryAllocator,
    }

    impl World {
        fn new() -> Self {
            let config = Config::default();
            Self {
                allocator: MemoryAllocator::new(&config),
                config,
                cache: IpCache::new(),
            }
        }

        fn policy(&mut self, prefix: &str) {
            let net: IpNet = prefix.parse().unwrap();
            let labels = [
                cidr_label(&net, &self.config),
                world_label(&net.addr(), &self.config),
            ];
            self.cache.upsert(
                net,
                PrefixMetadata {
                    labels: labels.into_iter().collect(),
                    ..meta("policy", &[])
                },
            );
        }

        fn says(&mut self, prefix: &str, resource: &str, labels: &[&str]) {
            self.cache
                .upsert(prefix.parse().unwrap(), meta(resource, labels));
        }

        fn check(&mut self, prefix: &str, labels: &str) -> NumericIdentity {
            self.cache
                .resolve(&mut self.allocator, &self.config)
                .unwrap();
            let e = self.cache.get(&prefix.parse().unwrap()).unwrap();
            assert_eq!(e.labels.canonical(), labels, "{prefix}");
            e.id
        }
    }

    /// The worked table of the specification, computed with Cilium's code.
    #[test]
    fn worked_prefixes() {
        let mut w = World::new();
        w.policy("10.0.0.0/8");
        w.policy("10.1.0.0/16");
        w.says("10.1.2.3/32", "fqdn", &["fqdn:*.a.io"]);
        w.check("10.1.0.0/16", "cidr:10.1.0.0/16=;reserved:world-ipv4=;");
        w.check(
            "10.1.2.3/32",
            "fqdn:*.a.io=;cidr:10.1.0.0/16=;reserved:world-ipv4=;",
        );
        // The /8 joins a group: everything below gains its label.
        w.says("10.0.0.0/8", "group", &["cidrgroup:role=db"]);
        let ids: BTreeSet<_> = [
            w.check(
                "10.0.0.0/8",
                "cidr:10.0.0.0/8=;cidrgroup:role=db;reserved:world-ipv4=;",
            ),
            w.check(
                "10.1.0.0/16",
                "cidr:10.1.0.0/16=;cidrgroup:role=db;reserved:world-ipv4=;",
            ),
            w.check(
                "10.1.2.3/32",
                "fqdn:*.a.io=;cidr:10.1.0.0/16=;cidrgroup:role=db;reserved:world-ipv4=;",
            ),
        ]
        .into();
        assert_eq!(ids.len(), 3);
        w.says("10.20.0.0/24", "node pod range", &["reserved:world-ipv4"]);
        assert_eq!(
            w.check(
                "10.20.0.0/24",
                "cidr:10.0.0.0/8=;cidrgroup:role=db;reserved:world-ipv4=;"
            ),
            w.check(
                "10.0.0.0/8",
                "cidr:10.0.0.0/8=;cidrgroup:role=db;reserved:world-ipv4=;"
            ),
        );

        let mut w = World::new();
        w.says("1.1.1.1/32", "a", &["fqdn:*.a.io"]);
        w.says("1.1.1.2/32", "a", &["fqdn:*.a.io"]);
        w.says("1.1.1.2/32", "b", &["fqdn:b.io"]);
        w.policy("0.0.0.0/0");
        let one = w.check("1.1.1.1/32", "fqdn:*.a.io=;reserved:world-ipv4=;");
        let two = w.check(
            "1.1.1.2/32",
            "fqdn:*.a.io=;fqdn:b.io=;reserved:world-ipv4=;",
        );
        assert_ne!(one, two);
        assert_eq!(w.check("0.0.0.0/0", "reserved:world-ipv4=;").0, 9);

        let mut w = World::new();
        w.policy("192.168.0.0/16");
        w.policy("192.168.0.1/32");
        w.says("192.168.0.1/32", "node", &["reserved:remote-node"]);
        assert_eq!(w.check("192.168.0.1/32", "reserved:remote-node=;").0, 6);
        w.says("192.168.0.1/32", "apiserver", &["reserved:kube-apiserver"]);
        assert_eq!(
            w.check(
                "192.168.0.1/32",
                "reserved:kube-apiserver=;reserved:remote-node=;"
            )
            .0,
            7
        );
        w.policy("fd00::/8");
        w.says("fd00::5/128", "host", &["reserved:host"]);
        assert_eq!(w.check("fd00::5/128", "reserved:host=;").0, 1);

        let mut w = World::new();
        w.says("8.8.8.8/32", "apiserver", &["reserved:kube-apiserver"]);
        w.check(
            "8.8.8.8/32",
            "reserved:kube-apiserver=;reserved:world-ipv4=;",
        );
        w.policy("8.8.8.0/24");
        w.check(
            "8.8.8.8/32",
            "cidr:8.8.8.0/24=;reserved:kube-apiserver=;reserved:world-ipv4=;",
        );
    }

    #[test]
    fn addresses_fall_back_to_shorter_prefixes_and_the_world() {
        let mut w = World::new();
        w.policy("10.0.0.0/8");
        w.policy("10.1.0.0/16");
        w.cache.resolve(&mut w.allocator, &w.config).unwrap();
        let of = |w: &World, ip: &str| w.cache.identity_of(&ip.parse().unwrap(), &w.config).0;
        assert_eq!(of(&w, "10.1.2.3"), 0x0100_0002);
        assert_eq!(of(&w, "::ffff:10.2.2.3"), 0x0100_0001);
        assert_eq!(of(&w, "11.0.0.1"), 9);
        assert_eq!(of(&w, "::1"), 10);
        w.cache.remove("10.1.0.0/16".parse().unwrap(), "policy");
        w.cache.resolve(&mut w.allocator, &w.config).unwrap();
        assert_eq!(of(&w, "10.1.2.3"), 0x0100_0001);
    }
}
