//! Who may be at one end of a connection.
//!
//! In: a cluster. Out: its [`Peer`]s in the order of their names: workloads,
//! entities, prefixes that policies or nodes name, and DNS names. Every address
//! belongs to the longest prefix among them, or to `entity:world`.
//!
//! ```
//! use netverdict::cluster::Cluster;
//! use netverdict_analysis::connectivity::{Connectivity, Options};
//! use netverdict_analysis::peer::{Peer, learn_stand_ins};
//!
//! let shop = include_str!("../../core/examples/shop.yaml");
//! let names = "{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: out, namespace: shop},
//!  spec: {endpointSelector: {matchLabels: {app: web}}, egress: [{toFQDNs: [{matchName: api.example.com}]}]}}";
//! let mut cluster = Cluster::read(&format!("{shop}---\n{names}"))?;
//! // Nobody knows the addresses of that name: some stand for it.
//! learn_stand_ins(&mut cluster);
//! let all = Connectivity::new(&cluster, &Options::default());
//! let peer = |name: &str| -> &Peer { &all.peers()[all.choose(name)[0]] };
//! let web = peer("shop/web");
//! assert_eq!((web.namespace(), web.templated()), (Some("shop"), None));
//! assert_eq!(web.seen_from(&web.nodes).len(), 1);
//! assert!(all.peers().iter().any(|p| p.name.contains("api.example.com")));
//! # Ok::<(), Box<netverdict::diagnostic::Diagnostic>>(())
//! ```

use ipnet::IpNet;
use netverdict::cluster::{Cluster, Endpoint, ObjectKey};
use netverdict::identity::{NumericIdentity, Reserved, world_identity};
use netverdict::label::LabelSource;
use netverdict::selector::SelectorKind;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// What workloads are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grouping {
    /// Each pod is one of its own.
    Pod,
    /// All pods of one owner that policies cannot tell apart.
    #[default]
    Workload,
}

/// What a peer is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerKind {
    /// Pods.
    Workload,
    /// A reserved entity.
    Entity(&'static str),
    /// Addresses that no longer prefix among the peers has.
    Prefix(IpNet),
    /// The addresses of a DNS name, or of a pattern of names.
    Name(String),
}

/// One end of connections.
#[derive(Clone, Debug)]
pub struct Peer {
    /// `namespace/name[Kind]`, `entity:…`, `cidr:…` or `fqdn:…`.
    pub name: String,
    /// What it is.
    pub kind: PeerKind,
    /// The pods of a workload, or the workload that stands for its pods.
    pub endpoints: Vec<Arc<Endpoint>>,
    /// The nodes these run on, as far as known.
    pub nodes: BTreeSet<String>,
    /// Its identities: an identity, and the node from which it is seen as
    /// `host` instead.
    pub identities: Vec<(NumericIdentity, String)>,
    /// It is no pod that exists, but any that might.
    pub imagined: bool,
}

impl Peer {
    /// True for pods.
    #[must_use]
    pub fn is_workload(&self) -> bool {
        self.kind == PeerKind::Workload
    }

    /// The namespace of a workload.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.endpoints.first().map(|e| e.namespace.as_str())
    }

    /// True when there may be several pods, which talk to each other.
    #[must_use]
    pub fn is_many(&self) -> bool {
        match &*self.endpoints {
            [] => false,
            [one] => one.kind != "Pod" && one.kind != "CiliumEndpoint",
            _ => true,
        }
    }

    /// A variable nobody has filled in, on which its identity depends.
    #[must_use]
    pub fn templated(&self) -> Option<&str> {
        self.endpoints.first()?.templated.as_deref()
    }

    /// True when a text names it, see
    /// [`Connectivity::choose`](crate::connectivity::Connectivity::choose).
    pub(crate) fn is_named(&self, text: &str) -> bool {
        let name = self.name.as_str();
        let bare = name.rsplit_once('[').map_or(name, |(stem, _)| stem);
        let unmarked = name.split_once(':').map(|(_, rest)| rest);
        if name == text || bare == text || unmarked == Some(text) || self.namespace() == Some(text)
        {
            return true;
        }
        let (namespace, rest) = text
            .split_once('/')
            .map_or((None, text), |(ns, rest)| (Some(ns), rest));
        if !self.is_workload() || namespace.is_some_and(|ns| self.namespace() != Some(ns)) {
            return false;
        }
        if rest == "*" {
            return true;
        }
        if rest.contains('=') {
            return rest.split(',').all(|label| {
                let (key, value) = label.split_once('=').unwrap_or((label, ""));
                let labels = self.endpoints.first().map(|e| &e.labels);
                labels
                    .and_then(|l| l.get(key))
                    .is_some_and(|l| l.value() == value)
            });
        }
        self.endpoints
            .iter()
            .any(|e| e.name == rest || e.workloads.iter().any(|(_, name)| name == rest))
            && namespace.is_some()
    }

    /// The identities it has, seen from pods on these nodes.
    #[must_use]
    pub fn seen_from(&self, nodes: &BTreeSet<String>) -> Vec<NumericIdentity> {
        let mut seen = Vec::new();
        for (identity, node) in &self.identities {
            let near = !node.is_empty() && nodes.contains(node);
            let far = !near || nodes.len() > 1;
            if near && !seen.contains(&NumericIdentity::HOST) {
                seen.push(NumericIdentity::HOST);
            }
            if far && !seen.contains(identity) {
                seen.push(*identity);
            }
        }
        seen
    }
}

/// Names whose addresses nobody has said, each with an address that stands for
/// those it will have.
pub type StandIns = BTreeMap<IpAddr, String>;

/// Gives every `toFQDNs` selector of the rules a name with an address, unless
/// DNS has said one it selects. These are not real: they say what an address
/// may do once Cilium has learned it.
pub fn learn_stand_ins(cluster: &mut Cluster) -> StandIns {
    let patterns = name_patterns(cluster);
    let mut names = cluster.options().resolved_names.clone();
    let mut found = StandIns::new();
    let mut next = 0;
    for pattern in patterns {
        let name = pattern.replace("**", "any.any").replace('*', "any");
        let name = name.trim_matches('.').to_owned();
        let name = if name.is_empty() {
            "any".to_owned()
        } else {
            name
        };
        if names.contains_key(&name) {
            continue;
        }
        let Some(address) = free_address(cluster, &mut next) else {
            continue;
        };
        names.insert(name, vec![address]);
        found.insert(address, pattern);
    }
    if !found.is_empty() {
        cluster.set_resolved_names(names);
    }
    found
}

/// What `toFQDNs` selectors of the rules say.
pub(crate) fn name_patterns(cluster: &Cluster) -> BTreeSet<String> {
    let peers = cluster.repository().rules();
    let peers = peers.flat_map(|r| r.peers.iter().flatten());
    peers
        .filter_map(|s| s.fqdn_label().map(str::to_owned))
        .collect()
}

/// True when the addresses of stand-ins are still of blocks that nobody uses.
pub(crate) fn stand_ins_hold(cluster: &Cluster, stand_ins: &StandIns) -> bool {
    let mut prefixes = cluster.ipcache().iter().map(|(prefix, _)| prefix);
    !prefixes.any(|p| {
        p.prefix_len() != 0
            && stand_ins
                .keys()
                .any(|ip| p.contains(ip) && *p != IpNet::from(*ip))
    })
}

/// An address of a block that nobody uses and no rule singles out.
fn free_address(cluster: &Cluster, next: &mut u32) -> Option<IpAddr> {
    const TRIES: u32 = 1 << 20;
    let plain = |ip: &IpAddr| {
        let prefix = cluster.ipcache().longest_match(ip);
        prefix.is_none_or(|(p, _)| p.prefix_len() == 0)
    };
    let last = next.saturating_add(TRIES);
    while *next < last {
        *next += 1;
        let n = *next;
        let address = if cluster.config().ipv4 {
            // Class E, from its end.
            IpAddr::V4(Ipv4Addr::from(u32::MAX - 1 - n))
        } else {
            // The discard-only prefix 100::/64.
            let low = u128::from(n);
            IpAddr::V6(Ipv6Addr::from((0x0100_u128 << 112) | low))
        };
        if plain(&address) {
            return Some(address);
        }
    }
    None
}

/// Entities that are always peers; others are when a rule names them.
const ALWAYS: [&str; 3] = ["host", "kube-apiserver", "remote-node"];
const WHEN_NAMED: [&str; 4] = ["health", "ingress", "init", "unmanaged"];

/// The peers outside of pods, in no order. The world comes apart into one
/// part for each family.
pub(crate) fn outside(cluster: &Cluster, stand_ins: &StandIns, all_entities: bool) -> Vec<Peer> {
    let config = cluster.config();
    let peer = |name: String, kind: PeerKind, identity: NumericIdentity, node: &str| Peer {
        name,
        kind,
        endpoints: Vec::new(),
        nodes: BTreeSet::new(),
        identities: vec![(identity, node.to_owned())],
        imagined: false,
    };
    let mut peers = Vec::new();
    let mut known = BTreeSet::new();
    for name in ALWAYS.into_iter().chain(WHEN_NAMED) {
        if WHEN_NAMED.contains(&name) && !all_entities && !names_entity(cluster, name) {
            continue;
        }
        let Some(reserved) = Reserved::by_name(name) else {
            continue;
        };
        let mut identity = reserved.id;
        if name == "kube-apiserver" {
            let mut entries = cluster.ipcache().iter().map(|(_, e)| e);
            let own = entries.find(|e| e.labels.has_reserved(name));
            identity = own.map_or(identity, |e| e.id);
        }
        known.insert(identity);
        peers.push(peer(
            format!("entity:{name}"),
            PeerKind::Entity(reserved.name),
            identity,
            "",
        ));
    }
    let pods: BTreeSet<IpAddr> = pod_addresses(cluster);
    let nodes = cluster.node_addresses();
    let names = addresses_of_names(cluster, stand_ins);
    let mut named = BTreeSet::new();
    for (prefix, entry) in cluster.ipcache().iter() {
        let single = prefix.prefix_len() == prefix.max_prefix_len();
        let node = nodes.get(&prefix.network()).filter(|_| single);
        if known.contains(&entry.id) && (node.is_none() || !entry.labels.has_world()) {
            continue;
        }
        if single && (pods.contains(&prefix.network()) || stand_ins.contains_key(&prefix.network()))
        {
            continue;
        }
        let name = names.get(&prefix.network()).filter(|_| single);
        let (text, kind) = match name {
            // Addresses of a name that are alike are one.
            Some(name) if named.contains(&(*name, entry.id)) => continue,
            Some(name) if named.iter().any(|(known, _)| known == name) => (
                format!("fqdn:{name}@{}", prefix.network()),
                PeerKind::Name((*name).to_owned()),
            ),
            Some(name) => (format!("fqdn:{name}"), PeerKind::Name((*name).to_owned())),
            None => (format!("cidr:{prefix}"), PeerKind::Prefix(*prefix)),
        };
        named.extend(name.map(|name| (*name, entry.id)));
        peers.push(peer(text, kind, entry.id, node.map_or("", String::as_str)));
    }
    for (address, pattern) in stand_ins {
        peers.push(peer(
            format!("fqdn:{pattern}"),
            PeerKind::Name(pattern.clone()),
            cluster.identity_at(*address, None),
            "",
        ));
    }
    for (on, all) in [
        (config.ipv4, IpNet::from(IpAddr::V4(Ipv4Addr::UNSPECIFIED))),
        (config.ipv6, IpNet::from(IpAddr::V6(Ipv6Addr::UNSPECIFIED))),
    ] {
        let all = IpNet::new(all.addr(), 0).unwrap_or(all);
        if on && cluster.ipcache().get(&all).is_none() {
            let identity = world_identity(&all.addr(), config);
            peers.push(peer(
                format!("cidr:{all}"),
                PeerKind::Prefix(all),
                identity,
                "",
            ));
        }
    }
    peers
}

/// What DNS said of single addresses.
fn addresses_of_names<'c>(cluster: &'c Cluster, stand_ins: &StandIns) -> BTreeMap<IpAddr, &'c str> {
    let mut found = BTreeMap::new();
    for (name, addresses) in &cluster.options().resolved_names {
        for address in addresses.iter().map(IpAddr::to_canonical) {
            if !stand_ins.contains_key(&address) {
                found.entry(address).or_insert(name.as_str());
            }
        }
    }
    found
}

fn pod_addresses(cluster: &Cluster) -> BTreeSet<IpAddr> {
    let pods = cluster.endpoints().iter().filter(|e| !e.host_network);
    pods.flat_map(|e| e.addresses.iter().copied()).collect()
}

fn names_entity(cluster: &Cluster, entity: &str) -> bool {
    let mut peers = cluster
        .repository()
        .rules()
        .filter(|r| !r.origin.is_synthesized())
        .flat_map(|r| r.peers.iter().flatten());
    peers.any(|s| {
        s.kind() == SelectorKind::Labels
            && s.requirements()
                .iter()
                .any(|r| r.key.source() == &LabelSource::Reserved && r.key.key() == entity)
    })
}

/// Who owns a pod, as its peer is called: the farthest owner that is in the
/// input, else the one that the pod names.
pub(crate) fn owner(
    cluster: &Cluster,
    endpoint: &Endpoint,
    grouping: Grouping,
) -> (String, String) {
    let own = || (endpoint.kind.to_owned(), endpoint.name.clone());
    if grouping == Grouping::Pod || endpoint.workloads.is_empty() {
        return own();
    }
    let there = |(kind, name): &&(String, String)| {
        let key = ObjectKey {
            kind: kind.clone(),
            namespace: endpoint.namespace.clone(),
            name: name.clone(),
        };
        cluster.object(&key).is_some()
    };
    let mut above = endpoint.workloads.iter().rev();
    let found = above.find(there).or(endpoint.workloads.first());
    match found {
        // Static pods belong to their node and have nothing else in common.
        Some((kind, _)) if kind == "Node" => own(),
        // An owner without a kind.
        Some((kind, name)) if kind.is_empty() => ("Pod".to_owned(), name.clone()),
        Some((kind, name)) => (kind.clone(), name.clone()),
        None => own(),
    }
}
