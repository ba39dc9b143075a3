//! The identities of a scenario.
//!
//! In: a scenario and the prefixes its policies name. Out: every identity with
//! its final labels, which addresses have them, and who calls which port what.

use super::format::{
    IdentityAnswer, NamedPort, Namespace, Scenario, ScenarioEndpoint, ScenarioIdentity,
};
use crate::config::Config;
use crate::identity::{
    IdentityTable, IpCache, NumericIdentity, PrefixMetadata, ReservedLookup, Scope,
    reserved_identities, reserved_lookup, scope_for_labels,
};
use crate::label::{
    Label, LabelSet, LabelSource, group_labels, keys, named_prefix_labels, world_label,
};
use crate::object::port::is_service_name;
use crate::policy_map::NamedPorts;
use crate::rule::protocol;
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

/// A CIDR group.
pub(super) struct Group {
    pub name: String,
    pub labels: Vec<(String, String)>,
    pub prefixes: Vec<IpNet>,
}

/// Prefixes that a policy names, as the ipcache hears of them.
pub(super) struct PolicyPrefixes {
    pub resource: Arc<str>,
    pub kubernetes: bool,
    pub prefixes: BTreeSet<IpNet>,
}

/// What somebody calls which port, by name and protocol.
pub(super) type Ports = BTreeMap<(String, u8), u16>;

pub(super) struct World {
    pub identities: IdentityTable,
    pub answers: Vec<IdentityAnswer>,
    pub peer_ports: NamedPorts,
    own_ports: HashMap<u32, Arc<Ports>>,
    /// Those of endpoints that say nothing of their own.
    common_ports: Arc<Ports>,
    /// Numbers whose answer is still that of a reserved identity.
    reserved: BTreeSet<NumericIdentity>,
    prefixes: BTreeMap<IpNet, NumericIdentity>,
}

impl World {
    pub(super) fn new(
        scenario: &Scenario,
        config: &Config,
        policies: &[PolicyPrefixes],
        groups: &[Group],
    ) -> Self {
        let cache = fill_cache(scenario, config, policies, groups);
        let mut world = Self {
            identities: IdentityTable::default(),
            answers: Vec::new(),
            peer_ports: NamedPorts::new(),
            own_ports: HashMap::new(),
            common_ports: ports_of(&scenario.named_ports),
            reserved: BTreeSet::new(),
            prefixes: BTreeMap::new(),
        };
        for (id, labels) in reserved_identities(config) {
            world.add(id, labels, "reserved", None);
            world.reserved.insert(id);
        }
        let mut namespaces: BTreeMap<&str, Vec<&Namespace>> = BTreeMap::new();
        for namespace in &scenario.namespaces {
            let named = namespaces.entry(&namespace.name).or_default();
            named.push(namespace);
        }
        let host = host_labels(&cache, config);
        let mut by_set: HashMap<String, NumericIdentity> = HashMap::new();
        for given in &scenario.identities {
            let id = NumericIdentity(given.id);
            let prefix = given.prefix();
            let labels = match prefix {
                Some(p) if !is_pod(given) => final_labels(&cache, &p, &host, config),
                _ => pod_labels(&namespaces, given, &cache, config),
            };
            if let Some(p) = prefix {
                world.prefixes.insert(p, id);
                by_set.entry(labels.canonical()).or_insert(id);
            }
            world.add(id, labels, "scenario", prefix);
        }
        let mut next = [Scope::Local.base() + 1, Scope::RemoteNode.base() + 1];
        for prefix in cache.prefixes() {
            if world.prefixes.contains_key(prefix) {
                continue;
            }
            let labels = final_labels(&cache, prefix, &host, config);
            let key = labels.canonical();
            let id = match (reserved_lookup(&labels, config), by_set.get(&key)) {
                (ReservedLookup::Is(id), _) => id,
                (ReservedLookup::Allocate, Some(id)) => *id,
                (ReservedLookup::Allocate, None) => {
                    let [local, remote_node] = &mut next;
                    let next = match scope_for_labels(&labels) {
                        Scope::RemoteNode => remote_node,
                        Scope::Local | Scope::Global => local,
                    };
                    while world.identities.get(NumericIdentity(*next)).is_some() {
                        *next += 1;
                    }
                    let id = NumericIdentity(*next);
                    *next += 1;
                    by_set.insert(key, id);
                    id
                }
            };
            world.add(id, labels, "derived", Some(*prefix));
            world.prefixes.insert(*prefix, id);
        }
        for given in &scenario.identities {
            if let Some(ports) = &given.named_ports {
                world.own_ports.insert(given.id, ports_of(ports));
                for (name, proto, port) in valid_ports(ports) {
                    world
                        .peer_ports
                        .insert(NumericIdentity(given.id), &name, proto, port);
                }
            }
        }
        world.answers.sort_by(|a, b| {
            let prefix = |i: &IdentityAnswer| i.prefix.parse::<IpNet>().ok();
            (a.id, prefix(a)).cmp(&(b.id, prefix(b)))
        });
        world
    }

    /// The identity of an address: its longest known prefix, else the world.
    pub(super) fn identity_of(&self, addr: IpAddr, config: &Config) -> NumericIdentity {
        let addr = addr.to_canonical();
        let host = IpNet::from(addr);
        (0..=host.prefix_len())
            .rev()
            .filter_map(|bits| IpNet::new(addr, bits).ok())
            .find_map(|p| self.prefixes.get(&p.trunc()).copied())
            .unwrap_or_else(|| crate::identity::world_identity(&addr, config))
    }

    /// Named ports of a subject: its own, those of its identity, or those of
    /// the scenario.
    pub(super) fn subject_ports(&self, endpoint: &ScenarioEndpoint) -> Arc<Ports> {
        if let Some(ports) = &endpoint.named_ports {
            return ports_of(ports);
        }
        let of_identity = self.own_ports.get(&endpoint.id);
        Arc::clone(of_identity.unwrap_or(&self.common_ports))
    }

    fn add(&mut self, id: NumericIdentity, labels: LabelSet, source: &str, prefix: Option<IpNet>) {
        if source != "derived" || self.identities.get(id).is_none() {
            self.identities.insert(id, labels);
        }
        if source == "scenario" && self.reserved.remove(&id) {
            self.answers
                .retain(|a| a.id != id.0 || a.source != "reserved");
        }
        let mut texts: Vec<String> = self
            .identities
            .get(id)
            .into_iter()
            .flatten()
            .map(Label::to_string)
            .collect();
        texts.sort();
        self.answers.push(IdentityAnswer {
            id: id.0,
            labels: texts,
            prefix: prefix.map(|p| p.to_string()).unwrap_or_default(),
            source: source.to_owned(),
        });
    }
}

fn ports_of(ports: &BTreeMap<String, NamedPort>) -> Arc<Ports> {
    let ports = valid_ports(ports).map(|(name, proto, port)| ((name, proto), port));
    Arc::new(ports.collect())
}

/// What the agent would take of a pod's ports.
fn valid_ports(
    ports: &BTreeMap<String, NamedPort>,
) -> impl Iterator<Item = (String, u8, u16)> + '_ {
    ports
        .iter()
        .filter(|(name, p)| is_service_name(name) && p.port != 0)
        .map(|(name, p)| {
            let proto = match p.proto.0 {
                protocol::ANY => protocol::TCP,
                other => other,
            };
            (name.to_ascii_lowercase(), proto, p.port)
        })
}

fn fill_cache(
    scenario: &Scenario,
    config: &Config,
    policies: &[PolicyPrefixes],
    groups: &[Group],
) -> IpCache {
    let mut cache = IpCache::new();
    let mut say = |prefix: IpNet, resource: &str, priority, labels: LabelSet| {
        cache.upsert(
            prefix,
            PrefixMetadata {
                resource: resource.into(),
                priority,
                labels,
                identity_override: false,
            },
        );
    };
    let named = |prefix: &IpNet| named_prefix_labels(prefix, config);
    for policy in policies {
        let rank = if policy.kubernetes {
            PrefixMetadata::FROM_KUBERNETES
        } else {
            PrefixMetadata::FROM_CUSTOM_RESOURCE
        };
        for prefix in &policy.prefixes {
            say(*prefix, &policy.resource, rank, named(prefix));
        }
    }
    for group in groups {
        for prefix in &group.prefixes {
            let own = group.labels.iter().map(|(k, v)| (k.as_str(), v.as_str()));
            let labels = group_labels(&group.name, own)
                .into_iter()
                .chain([world_label(&prefix.addr(), config)])
                .collect();
            say(
                *prefix,
                &format!("cidrgroup//{}", group.name),
                PrefixMetadata::FROM_GENERATED,
                labels,
            );
        }
    }
    for given in &scenario.identities {
        let Some(prefix) = given.prefix().filter(|_| !is_pod(given)) else {
            continue;
        };
        let resource = format!("daemon/scenario/{prefix}");
        let own: LabelSet = own_labels(given).collect();
        if given.cidr.is_empty() {
            say(prefix, &resource, PrefixMetadata::FROM_GENERATED, own);
        } else if own.is_empty() {
            say(
                prefix,
                &resource,
                PrefixMetadata::FROM_CUSTOM_RESOURCE,
                named(&prefix),
            );
        } else {
            // One resource says both; its own labels were there first.
            let both = named(&prefix);
            let labels = own.iter().chain(both.iter()).cloned().collect();
            say(
                prefix,
                &resource,
                PrefixMetadata::FROM_CUSTOM_RESOURCE,
                labels,
            );
        }
    }
    cache
}

/// The labels of a prefix. All prefixes of the host share the one host
/// identity, which has the labels of them all.
fn final_labels(cache: &IpCache, prefix: &IpNet, host: &LabelSet, config: &Config) -> LabelSet {
    let labels = cache.labels(prefix, config);
    if labels.get("host").is_none() {
        return labels;
    }
    host.clone()
}

/// The labels of all prefixes of the host.
fn host_labels(cache: &IpCache, config: &Config) -> LabelSet {
    cache
        .prefixes()
        .map(|p| cache.labels(p, config))
        .filter(|l| l.get("host").is_some())
        .flat_map(|l| l.iter().cloned().collect::<Vec<_>>())
        .chain([Label::reserved("host")])
        .collect()
}

/// An address belongs to a workload when it has labels of other sources than
/// prefixes have.
fn is_pod(given: &ScenarioIdentity) -> bool {
    !given.ip.is_empty()
        && own_labels(given).any(|l| {
            !matches!(
                l.source(),
                LabelSource::Cidr
                    | LabelSource::CidrGroup
                    | LabelSource::Fqdn
                    | LabelSource::Reserved
                    | LabelSource::Node
            )
        })
}

fn own_labels(given: &ScenarioIdentity) -> impl Iterator<Item = Label> + '_ {
    given.labels.iter().map(|(key, value)| {
        let (source, key) = key.split_once(':').unwrap_or(("unspec", key));
        Label::new(LabelSource::new(source), key, value.as_str())
    })
}

fn pod_labels(
    namespaces: &BTreeMap<&str, Vec<&Namespace>>,
    given: &ScenarioIdentity,
    cache: &IpCache,
    config: &Config,
) -> LabelSet {
    let own: LabelSet = own_labels(given).collect();
    let namespace = own.get(keys::POD_NAMESPACE).map(Label::value);
    let inherited = namespace
        .and_then(|name| namespaces.get(name))
        .into_iter()
        .flatten()
        .flat_map(|ns| &ns.labels)
        .map(|(key, value)| {
            Label::k8s(format!("{}.{key}", keys::NAMESPACE_LABELS), value.as_str())
        });
    // Own labels win over inherited ones, those of prefixes over both.
    let mut labels: Vec<Label> = inherited.chain(own.iter().cloned()).collect();
    if let Some(prefix) = given
        .prefix()
        .filter(|_| is_pod(given) && config.cidr_matches_pods)
    {
        labels.extend(cache.workload_labels(&prefix.addr()));
    }
    labels.into_iter().collect()
}
