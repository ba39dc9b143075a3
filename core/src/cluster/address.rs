//! What the objects say of addresses.
//!
//! Policies name prefixes, CIDR groups label them, nodes have addresses, DNS
//! answers label them by the selectors that match the name, and the backends
//! of the service `default/kubernetes` are the API server
//! (Cilium 1.20.2 pkg/node/manager, pkg/policy/k8s/cilium_cidr_group.go,
//! pkg/fqdn/namemanager, pkg/ipcache/cell/apiserver_watcher.go).

use super::{Cluster, Endpoint, ObjectKey};
use crate::config::Config;
use crate::identity::{IpCache, NamePattern, PrefixMetadata};
use crate::label::{
    Label, LabelSet, LabelSource, cidr_label, group_labels, keys, named_prefix_labels, world_label,
};
use crate::object::Object;
use crate::object::cidr::{parse_addr, parse_prefix};
use crate::object::cilium::CidrGroup;
use crate::object::workload::{Node, NodeKind};
use crate::rule::resource_id;
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// Who says what of which prefix.
pub(super) type Contributions = BTreeMap<(IpNet, Arc<str>), PrefixMetadata>;

/// Everything the objects and the caller say of prefixes.
pub(super) fn contributions(cluster: &Cluster) -> Contributions {
    let mut told = Told {
        config: &cluster.config,
        all: Contributions::new(),
    };
    for rule in cluster.repository.rules() {
        let rank = if rule.resource.starts_with("netpol/") {
            PrefixMetadata::FROM_KUBERNETES
        } else {
            PrefixMetadata::FROM_CUSTOM_RESOURCE
        };
        for prefix in rule.peers.iter().flatten().flat_map(|s| s.prefixes()) {
            // A /0 is the world, not a prefix, and never among these.
            told.cidr(*prefix, &rule.resource, rank);
        }
    }
    for object in cluster.objects.values() {
        match object {
            Object::CidrGroup(group) => told.cidr_group(group),
            Object::Node(node) => {
                let local = cluster.options.local_node.as_deref() == Some(object.name());
                told.node(node, local);
            }
            _ => {}
        }
    }
    told.api_server(&cluster.objects);
    for (name, addresses) in &cluster.options.resolved_names {
        told.name(name, addresses, &cluster.name_patterns);
    }
    told.all
}

/// Addresses of nodes.
pub(super) fn nodes(objects: &BTreeMap<ObjectKey, Object>) -> BTreeMap<IpAddr, String> {
    let mut all = BTreeMap::new();
    for object in objects.values() {
        if let Object::Node(node) = object {
            for ip in node_addresses(node) {
                all.entry(ip).or_insert_with(|| object.name().to_owned());
            }
        }
    }
    all
}

/// In match mode `pods` a pod carries the prefix and group labels of its
/// addresses, or a label for every address of the family
/// (pkg/endpoint/endpoint.go).
pub(super) fn add_prefix_labels(endpoint: &mut Endpoint, cache: &IpCache) {
    let mut labels: Vec<Label> = endpoint.labels.iter().cloned().collect();
    labels.extend(
        endpoint
            .addresses
            .iter()
            .flat_map(|ip| cache.workload_labels(ip)),
    );
    endpoint.labels = labels.into_iter().collect();
}

/// Host names among the addresses are passed over.
fn node_addresses(node: &Node) -> impl Iterator<Item = IpAddr> {
    node.addresses
        .iter()
        .filter_map(|a| parse_addr(&a.address).ok())
        .map(|ip| ip.to_canonical())
}

struct Told<'c> {
    config: &'c Config,
    all: Contributions,
}

impl Told<'_> {
    fn say(&mut self, prefix: IpNet, resource: &Arc<str>, priority: u8, labels: LabelSet) {
        let key = (prefix.trunc(), Arc::clone(resource));
        let metadata = PrefixMetadata {
            resource: Arc::clone(resource),
            priority,
            labels,
            identity_override: false,
        };
        self.all.insert(key, metadata);
    }

    fn cidr(&mut self, prefix: IpNet, resource: &Arc<str>, rank: u8) {
        let labels = named_prefix_labels(&prefix, self.config);
        self.say(prefix, resource, rank, labels);
    }

    fn cidr_group(&mut self, group: &CidrGroup) {
        let resource = resource_id("cidrgroup", "", &group.meta.name);
        let own = group.meta.labels.iter();
        let own = own.map(|(k, v)| (k.value.as_str(), v.value.as_str()));
        let labels = group_labels(&group.meta.name.value, own);
        for prefix in group
            .external_cidrs
            .iter()
            .filter_map(|c| parse_prefix(c).ok())
        {
            let world = world_label(&prefix.addr(), self.config);
            let labels = labels.iter().cloned().chain([world]).collect();
            self.say(prefix, &resource, PrefixMetadata::FROM_GENERATED, labels);
        }
    }

    fn node(&mut self, node: &Node, local: bool) {
        let (kind, rank) = match node.kind {
            NodeKind::CiliumNode => ("ciliumnode", PrefixMetadata::FROM_CUSTOM_RESOURCE),
            NodeKind::Node => ("node", PrefixMetadata::FROM_KUBERNETES),
        };
        let resource = resource_id(kind, "", &node.meta.name);
        let mut labels = vec![Label::reserved(if local { "host" } else { "remote-node" })];
        if self.config.node_selector_labels {
            let own = node.meta.labels.iter();
            labels.extend(
                own.map(|(k, v)| Label::new(LabelSource::Node, k.value.as_str(), v.as_str())),
            );
            labels.push(Label::k8s(keys::CLUSTER, self.config.cluster_name.as_str()));
        }
        for ip in node_addresses(node) {
            let prefix = IpNet::from(ip);
            let cidr = self
                .config
                .cidr_matches_nodes
                .then(|| cidr_label(&prefix, self.config));
            let labels = labels.iter().cloned().chain(cidr).collect();
            self.say(prefix, &resource, rank, labels);
        }
        if !local {
            // Addresses of pods nobody has told of: the way to them is known,
            // who they are is not.
            for prefix in node.pod_cidrs.iter().filter_map(|c| parse_prefix(c).ok()) {
                let world = world_label(&prefix.addr(), self.config);
                self.say(prefix, &resource, rank, [world].into_iter().collect());
            }
        }
        for (texts, name) in [(&node.health_ips, "health"), (&node.ingress_ips, "ingress")] {
            for ip in texts.iter().filter_map(|t| parse_addr(t).ok()) {
                let labels = [Label::reserved(name)].into_iter().collect();
                self.say(IpNet::from(ip.to_canonical()), &resource, rank, labels);
            }
        }
    }

    fn api_server(&mut self, objects: &BTreeMap<ObjectKey, Object>) {
        let resource = resource_id("endpoints", "default", "kubernetes");
        let backends = super::service::backends(objects);
        let addresses: &BTreeSet<IpAddr> = match backends.get(&("default", "kubernetes")) {
            Some(addresses) => addresses,
            None => return,
        };
        for ip in addresses {
            let labels = [Label::reserved("kube-apiserver")].into_iter().collect();
            self.say(
                IpNet::from(*ip),
                &resource,
                PrefixMetadata::FROM_API_SERVER,
                labels,
            );
        }
    }

    fn name(&mut self, name: &str, addresses: &[IpAddr], patterns: &NamePatterns) {
        for ip in addresses {
            if let Some((prefix, metadata)) = name_contribution(name, *ip, patterns) {
                let key = (prefix, Arc::clone(&metadata.resource));
                self.all.insert(key, metadata);
            }
        }
    }
}

/// The texts of `toFQDNs` selectors, and what they match.
pub(super) type NamePatterns = Vec<(Arc<str>, NamePattern)>;

/// Every `toFQDNs` selector of the rules.
pub(super) fn name_patterns(cluster: &Cluster) -> NamePatterns {
    let peers = cluster
        .repository
        .rules()
        .flat_map(|r| r.peers.iter().flatten());
    let texts: BTreeSet<&str> = peers.filter_map(|s| s.fqdn_label()).collect();
    let patterns = texts.into_iter();
    patterns
        .filter_map(|text| Some((text.into(), NamePattern::new(text)?)))
        .collect()
}

/// What it says of an address that a name has it; `None` when no selector
/// selects the name.
pub(super) fn name_contribution(
    name: &str,
    address: IpAddr,
    patterns: &NamePatterns,
) -> Option<(IpNet, PrefixMetadata)> {
    let matching = patterns.iter().filter(|(_, p)| p.matches(name));
    let labels: LabelSet = matching
        .map(|(text, _)| Label::new(LabelSource::Fqdn, &**text, ""))
        .collect();
    if labels.is_empty() {
        return None;
    }
    let metadata = PrefixMetadata {
        resource: resource_id("fqdn", "", &name.to_lowercase()),
        priority: PrefixMetadata::FROM_GENERATED,
        labels,
        identity_override: false,
    };
    Some((IpNet::from(address.to_canonical()), metadata))
}
