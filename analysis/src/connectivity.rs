//! Who may talk to whom, for all of a cluster.
//!
//! In: a cluster. Out: its [`Peer`]s, and a [`Connection`] for any two of them.
//! Nothing is computed per pair of pods: pods with the same rules and ports
//! share one policy map, identities that a map cannot tell apart share one
//! [`Side`], and two sides are put together once.

use crate::connection::{Connection, Side};
use crate::peer::{self, Grouping, Peer, PeerKind, StandIns};
use crate::subject::{Columns, Compiler, Memory, SideId, SubjectClass};
use ahash::{AHashMap, AHashSet};
use ipnet::IpNet;
use netverdict::cluster::{Cluster, Endpoint, Target};
use netverdict::config::Config;
use netverdict::identity::NumericIdentity;
use netverdict::rule::Direction;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// How to look at a cluster.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What workloads are.
    pub grouping: Grouping,
    /// Addresses that stand for names nobody has resolved, from
    /// [`learn_stand_ins`](crate::peer::learn_stand_ins).
    pub stand_ins: StandIns,
    /// Pods of the cluster that stand for such as might come, by namespace and
    /// name, with what they are called. See [`exposure`](crate::exposure).
    pub imagined: BTreeMap<(String, String), String>,
    /// Entities that no rule names are peers, too.
    pub all_entities: bool,
}

/// A peer with the classes of its policy and identity.
struct Entry {
    peer: Peer,
    /// Which class of subjects it belongs to; `None` without a policy.
    class: Option<usize>,
    /// Its identity, unless that depends on who looks.
    identity: Option<NumericIdentity>,
}

/// A peer as policies see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Seen {
    pub(crate) identity: NumericIdentity,
    /// Its identity depends on a variable.
    pub(crate) unknown: bool,
}

impl Seen {
    /// What columns say of it.
    pub(crate) fn side(self, columns: &Columns, config: &Config) -> SideId {
        match self.unknown {
            true => columns.templated(self.identity),
            false => columns.of(self.identity, config),
        }
    }
}

/// Sides that were put together before.
type Joined = AHashMap<[Option<SideId>; 2], Arc<Connection>>;

/// All connections of a cluster.
pub struct Connectivity<'c> {
    cluster: &'c Cluster,
    entries: Vec<Entry>,
    peers: Vec<Peer>,
    classes: Vec<Arc<[Columns; 2]>>,
    memory: Memory,
    joined: Mutex<Joined>,
}

impl<'c> Connectivity<'c> {
    /// Looks at a cluster.
    ///
    /// ```
    /// use netverdict_analysis::connectivity::{Connectivity, Options};
    /// use netverdict::cluster::Cluster;
    ///
    /// let cluster = Cluster::read(include_str!("../../core/examples/shop.yaml")).unwrap();
    /// let connectivity = Connectivity::new(&cluster, &Options::default());
    /// let number = |workload| connectivity.choose(workload)[0];
    /// let (web, db) = (number("shop/web"), number("shop/db"));
    /// let open = connectivity.connection(web, db).expect("something passes").open();
    /// assert!(open.contains(6, 5432) && !open.contains(6, 80));
    /// ```
    #[must_use]
    pub fn new(cluster: &'c Cluster, options: &Options) -> Self {
        Self::with_progress(cluster, options, &mut |_, _| ())
    }

    /// As [`Self::new`]; `progress` is told how many classes of subjects are
    /// done, and how many there are.
    #[must_use]
    pub fn with_progress(
        cluster: &'c Cluster,
        options: &Options,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Self {
        Self::remembering(cluster, options, Memory::default(), progress)
    }

    /// As [`Self::with_progress`], with what an earlier look at the cluster
    /// left in memory.
    pub(crate) fn remembering(
        cluster: &'c Cluster,
        options: &Options,
        memory: Memory,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Self {
        let mut classes: Vec<SubjectClass> = Vec::new();
        let mut numbers = AHashMap::new();
        let mut class_of = |subject: Option<&Arc<Endpoint>>| {
            let class = SubjectClass::new(cluster, subject);
            *numbers.entry(class.key.clone()).or_insert_with(|| {
                classes.push(class);
                classes.len() - 1
            })
        };
        let mut entries = workloads(cluster, options, &mut class_of);
        for peer in peer::outside(cluster, &options.stand_ins, options.all_entities) {
            let is_host = peer.kind == PeerKind::Entity("host");
            let class = (is_host && cluster.config().host_firewall).then(|| class_of(None));
            entries.push(Entry::new(peer, class));
        }
        let identities: BTreeSet<NumericIdentity> = entries
            .iter()
            .flat_map(|e| e.peer.identities.iter().map(|(id, _)| *id))
            .chain([NumericIdentity::HOST, NumericIdentity::WORLD])
            .collect();
        let mut compiler = Compiler::new(cluster, identities, memory);
        let all = classes.len();
        let columns = classes.iter().enumerate().map(|(n, class)| {
            progress(n, all);
            compiler.columns(class)
        });
        let classes: Vec<Arc<[Columns; 2]>> = columns.collect();
        let memory = compiler.into_memory();
        let mut all = Self {
            cluster,
            entries,
            peers: Vec::new(),
            classes,
            memory,
            joined: Mutex::new(AHashMap::new()),
        };
        if options.grouping == Grouping::Workload {
            all.merge_alike();
        }
        all.join_world();
        all.tell_apart();
        all.entries.sort_by(|a, b| a.peer.name.cmp(&b.peer.name));
        all.peers = all.entries.iter().map(|e| e.peer.clone()).collect();
        all
    }

    /// The cluster.
    #[must_use]
    pub const fn cluster(&self) -> &'c Cluster {
        self.cluster
    }

    /// Every peer, by name.
    #[must_use]
    pub fn peers(&self) -> &[Peer] {
        &self.peers
    }

    /// The number of a peer among [`Self::peers`].
    #[must_use]
    pub fn find(&self, name: &str) -> Option<usize> {
        self.peers
            .binary_search_by(|p| p.name.as_str().cmp(name))
            .ok()
    }

    /// The number of the peer that an endpoint is part of.
    #[must_use]
    pub fn peer_of(&self, endpoint: &Endpoint) -> Option<usize> {
        self.peers.iter().position(|p| {
            let same = |e: &Arc<Endpoint>| {
                (&e.namespace, &e.name, e.kind)
                    == (&endpoint.namespace, &endpoint.name, endpoint.kind)
            };
            p.endpoints.iter().any(same)
        })
    }

    /// What one peer, by its number, may say to another. `None` when neither
    /// has a policy of its own or pods, and for a single pod and itself:
    /// nothing that a policy could see.
    #[must_use]
    pub fn connection(&self, from: usize, to: usize) -> Option<Arc<Connection>> {
        let (from, to) = (self.entries.get(from)?, self.entries.get(to)?);
        self.relevant(from, to).then(|| self.between(from, to))
    }

    /// Whom a peer may talk to, with what it may say, in order; with `denied`
    /// all others, too.
    pub fn row(
        &self,
        from: usize,
        denied: bool,
    ) -> impl Iterator<Item = (usize, Arc<Connection>)> + '_ {
        let from = self.entries.get(from);
        let admitting = from.filter(|_| !denied).and_then(|f| self.admitting(f));
        let targets = from.into_iter().flat_map(move |from| {
            self.entries
                .iter()
                .enumerate()
                .map(move |(n, to)| (from, n, to))
        });
        targets
            .filter(move |(_, _, to)| {
                let known = to.identity.and(to.class).zip(admitting.as_deref());
                known.is_none_or(|(class, all)| all.get(class).copied().unwrap_or(true))
            })
            .filter(|(from, _, to)| self.relevant(from, to))
            .filter(move |(from, _, to)| denied || self.may_pass(from, to))
            .map(|(from, n, to)| (n, self.between(from, to)))
    }

    /// For each class of subjects whether its ingress lets a sender in: there
    /// are fewer of them than receivers. `None` when that depends on who looks.
    fn admitting(&self, from: &Entry) -> Option<Vec<bool>> {
        let sender = from.identity?;
        let classes = self.classes.iter();
        let admits = |c| self.side_of(c, Direction::Ingress, &from.peer, sender);
        Some(classes.map(|c| self.passing(Some(admits(c)))).collect())
    }

    /// What to ask [`Cluster::flow`] about in place of a peer: one of its pods,
    /// or one of its addresses. `None` when no address is the peer's own.
    #[must_use]
    pub fn target(&self, peer: usize) -> Option<Target> {
        let entry = self.entries.get(peer)?;
        let peer = &entry.peer;
        let (identity, _) = peer.identities.first()?;
        let own = |ip: &IpAddr| self.cluster.identity_at(*ip, None) == *identity;
        match &peer.kind {
            PeerKind::Workload => peer.endpoints.first().cloned().map(Target::Endpoint),
            PeerKind::Entity("world") => [
                IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            ]
            .into_iter()
            .find(own)
            .map(Target::Address)
            .or(Some(Target::Entity("world-ipv4"))),
            PeerKind::Entity(name) => Some(Target::Entity(name)),
            PeerKind::Prefix(prefix) => self.address_in(prefix).filter(own).map(Target::Address),
            PeerKind::Name(_) => {
                let names = &self.cluster.options().resolved_names;
                names
                    .values()
                    .flatten()
                    .copied()
                    .find(own)
                    .map(Target::Address)
            }
        }
    }

    /// An address of a prefix that no longer prefix of the cluster has.
    fn address_in(&self, prefix: &IpNet) -> Option<IpAddr> {
        let cache = self.cluster.ipcache();
        let mut at = prefix.network();
        loop {
            let inner = cache.longest_match(&at).map(|(p, _)| p);
            let inner = inner.filter(|p| p.prefix_len() > prefix.prefix_len());
            let Some(inner) = inner else {
                return Some(at);
            };
            at = match inner.broadcast() {
                IpAddr::V4(last) => IpAddr::V4(u32::from(last).checked_add(1)?.into()),
                IpAddr::V6(last) => IpAddr::V6(u128::from(last).checked_add(1)?.into()),
            };
            if !prefix.contains(&at) {
                return None;
            }
        }
    }

    /// The peers that a text means: the name of a peer with or without its
    /// kind, `namespace/name` of a pod, a namespace, an entity, an address or
    /// prefix, a DNS name, or labels (`namespace/app=web`, `app=web`).
    #[must_use]
    pub fn choose(&self, text: &str) -> Vec<usize> {
        if let Ok(address) = text.parse::<IpAddr>() {
            let here = |p: &Peer| p.endpoints.iter().any(|e| e.addresses.contains(&address));
            let pods = self.numbers(here);
            return if pods.is_empty() {
                let found = longest(&self.peers, &IpNet::from(address));
                let name = found.map(|p| p.name.clone());
                name.and_then(|n| self.find(&n)).into_iter().collect()
            } else {
                pods
            };
        }
        let exact = self.numbers(|p| p.is_named(text));
        if exact.is_empty()
            && let Ok(prefix) = text.parse::<IpNet>()
        {
            return self
                .numbers(|p| matches!(&p.kind, PeerKind::Prefix(own) if prefix.contains(own)));
        }
        exact
    }

    fn numbers(&self, wanted: impl Fn(&Peer) -> bool) -> Vec<usize> {
        let all = self.peers.iter().enumerate();
        all.filter(|(_, p)| wanted(p)).map(|(n, _)| n).collect()
    }

    fn relevant(&self, from: &Entry, to: &Entry) -> bool {
        if std::ptr::eq(from, to) {
            return from.peer.is_many();
        }
        from.peer.is_workload()
            || to.peer.is_workload()
            || from.class.is_some()
            || to.class.is_some()
    }

    /// The side of a subject towards an identity.
    fn side(
        &self,
        entry: &Entry,
        direction: Direction,
        peer: &Peer,
        id: NumericIdentity,
    ) -> Option<SideId> {
        let columns = self.classes.get(entry.class?)?;
        Some(self.side_of(columns, direction, peer, id))
    }

    /// The side of a class of subjects towards an identity.
    fn side_of(
        &self,
        columns: &[Columns; 2],
        direction: Direction,
        peer: &Peer,
        id: NumericIdentity,
    ) -> SideId {
        let [ingress, egress] = columns;
        let columns = match direction {
            Direction::Ingress => ingress,
            Direction::Egress => egress,
        };
        let seen = Seen {
            identity: id,
            unknown: peer.templated().is_some() && peer.is_workload(),
        };
        seen.side(columns, self.cluster.config())
    }

    fn passing(&self, side: Option<SideId>) -> bool {
        side.is_none_or(|s| self.memory.passes(s))
    }

    /// False when one side surely lets nothing through.
    fn may_pass(&self, from: &Entry, to: &Entry) -> bool {
        match (from.identity, to.identity) {
            (Some(sender), Some(receiver)) => {
                self.passing(self.side(from, Direction::Egress, &to.peer, receiver))
                    && self.passing(self.side(to, Direction::Ingress, &from.peer, sender))
            }
            _ => true,
        }
    }

    /// What is worth knowing the next time.
    pub(crate) fn into_memory(self) -> Memory {
        self.memory
    }

    /// What the policy of a peer says of others; `None` without one.
    pub(crate) fn columns(&self, peer: usize) -> Option<&Arc<[Columns; 2]>> {
        self.classes.get(self.entries.get(peer)?.class?)
    }

    /// A peer as policies see it; `None` where that depends on who looks.
    pub(crate) fn seen(&self, peer: usize) -> Option<Seen> {
        let entry = self.entries.get(peer)?;
        let unknown = entry.peer.templated().is_some() && entry.peer.is_workload();
        entry.identity.map(|identity| Seen { identity, unknown })
    }

    /// Every pair of sides that pods of two peers have, wherever they run.
    pub(crate) fn wherever(&self, from: usize, to: usize) -> Vec<[Option<SideId>; 2]> {
        let ends = (self.entries.get(from), self.entries.get(to));
        match ends {
            (Some(from), Some(to)) => self.sides_wherever(from, to),
            _ => Vec::new(),
        }
    }

    fn sides_wherever(&self, from: &Entry, to: &Entry) -> Vec<[Option<SideId>; 2]> {
        let mut all = Vec::new();
        for receiver in to.peer.seen_from(&from.peer.nodes) {
            for sender in from.peer.seen_from(&to.peer.nodes) {
                all.push([
                    self.side(from, Direction::Egress, &to.peer, receiver),
                    self.side(to, Direction::Ingress, &from.peer, sender),
                ]);
            }
        }
        all
    }

    /// The sides of two peers, by their numbers; `None` where nodes matter, or
    /// nothing that a policy could see.
    pub(crate) fn sides_between(&self, from: usize, to: usize) -> Option<[Option<SideId>; 2]> {
        let (from, to) = (self.entries.get(from)?, self.entries.get(to)?);
        if !self.relevant(from, to) {
            return None;
        }
        Some([
            self.side(from, Direction::Egress, &to.peer, to.identity?),
            self.side(to, Direction::Ingress, &from.peer, from.identity?),
        ])
    }

    /// For each side its number among those of another cluster, if it is there,
    /// too.
    pub(crate) fn sides_in(&self, other: &Self) -> Vec<Option<SideId>> {
        let numbers: AHashMap<&Arc<Side>, usize> = other
            .memory
            .sides()
            .iter()
            .enumerate()
            .map(|(n, s)| (s, n))
            .collect();
        let number = |side: &Arc<Side>| u32::try_from(*numbers.get(side)?).ok().map(SideId);
        self.memory.sides().iter().map(number).collect()
    }

    fn between(&self, from: &Entry, to: &Entry) -> Arc<Connection> {
        if let (Some(sender), Some(receiver)) = (from.identity, to.identity) {
            return self.joined(
                self.side(from, Direction::Egress, &to.peer, receiver),
                self.side(to, Direction::Ingress, &from.peer, sender),
            );
        }
        // Pods on nodes are seen differently from different nodes: what any
        // pod of one may say to any of the other.
        let mut all: Option<Arc<Connection>> = None;
        for [egress, ingress] in self.sides_wherever(from, to) {
            let one = self.joined(egress, ingress);
            all = Some(match all {
                None => one,
                Some(known) if known == one => known,
                Some(known) => Arc::new(known.or(&one)),
            });
        }
        all.unwrap_or_else(|| self.joined(None, None))
    }

    fn joined(&self, egress: Option<SideId>, ingress: Option<SideId>) -> Arc<Connection> {
        let mut known = self.joined.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.entry([egress, ingress]).or_insert_with(|| {
            let side = |id: Option<SideId>| self.memory.side(id?).cloned();
            Arc::new(Connection::new(side(egress), side(ingress)))
        });
        Arc::clone(found)
    }

    /// What every policy says of an identity.
    fn treatment(&self, identity: NumericIdentity) -> Vec<SideId> {
        let config = self.cluster.config();
        let both = self.classes.iter().flat_map(|c| c.iter());
        both.map(|c| c.of(identity, config)).collect()
    }

    /// Makes one peer of the pods of an owner whom no policy tells apart
    /// although their labels differ.
    fn merge_alike(&mut self) {
        let mut by_name: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
        for entry in std::mem::take(&mut self.entries) {
            by_name
                .entry(entry.peer.name.clone())
                .or_default()
                .push(entry);
        }
        for (_, group) in by_name {
            let mut merged: Vec<Entry> = Vec::new();
            for entry in group {
                let alike = |known: &&mut Entry| {
                    known.class == entry.class
                        && match (known.identity, entry.identity) {
                            (Some(a), Some(b)) => a == b || self.treatment(a) == self.treatment(b),
                            _ => known.peer.identities == entry.peer.identities,
                        }
                        && known.peer.templated() == entry.peer.templated()
                };
                match merged.iter_mut().find(alike) {
                    Some(known) => {
                        known.peer.endpoints.extend(entry.peer.endpoints);
                        known.peer.nodes.extend(entry.peer.nodes);
                    }
                    None => merged.push(entry),
                }
            }
            self.entries.append(&mut merged);
        }
    }

    /// Makes `entity:world` of both families when no policy tells them apart.
    fn join_world(&mut self) {
        let is_all = |e: &Entry| {
            matches!(&e.peer.kind, PeerKind::Prefix(p) if p.prefix_len() == 0)
                && e.identity.is_some_and(|id| {
                    matches!(
                        id,
                        NumericIdentity::WORLD
                            | NumericIdentity::WORLD_IPV4
                            | NumericIdentity::WORLD_IPV6
                    )
                })
        };
        let both: Vec<Vec<SideId>> = self
            .entries
            .iter()
            .filter(|e| is_all(e))
            .filter_map(|e| e.identity)
            .map(|id| self.treatment(id))
            .collect();
        if both.is_empty() || both.windows(2).any(|w| matches!(w, [a, b] if a != b)) {
            return;
        }
        let mut first = true;
        self.entries.retain_mut(|e| {
            if !is_all(e) {
                return true;
            }
            e.peer.name = "entity:world".to_owned();
            e.peer.kind = PeerKind::Entity("world");
            std::mem::replace(&mut first, false)
        });
    }

    /// Gives peers of one name the labels that tell them apart.
    fn tell_apart(&mut self) {
        let mut count: AHashMap<String, usize> = AHashMap::new();
        for entry in &self.entries {
            *count.entry(entry.peer.name.clone()).or_default() += 1;
        }
        let twice = |name: &String| count.get(name).is_some_and(|n| *n > 1);
        let labels: Vec<(String, Vec<String>)> = self
            .entries
            .iter()
            .filter(|e| twice(&e.peer.name))
            .map(|e| (e.peer.name.clone(), label_texts(&e.peer)))
            .collect();
        let mut taken = AHashSet::new();
        for entry in &mut self.entries {
            if !twice(&entry.peer.name) {
                continue;
            }
            let same = labels.iter().filter(|(name, _)| *name == entry.peer.name);
            let all: Vec<&Vec<String>> = same.map(|(_, l)| l).collect();
            let own = label_texts(&entry.peer);
            let apart = own
                .into_iter()
                .filter(|l| !all.iter().all(|o| o.contains(l)));
            let apart: Vec<String> = apart.collect();
            let (stem, kind) = entry
                .peer
                .name
                .rsplit_once('[')
                .map_or((entry.peer.name.as_str(), ""), |(s, k)| (s, k));
            let first = entry.peer.endpoints.first().map_or("", |e| e.name.as_str());
            let mut name = format!("{stem}{{{}}}[{kind}", apart.join(","));
            if apart.is_empty() || taken.contains(&name) {
                name = format!("{stem}{{{first}}}[{kind}");
            }
            taken.insert(name.clone());
            entry.peer.name = name;
        }
    }
}

/// Labels of a pod that its manifest has, `key=value`.
fn label_texts(peer: &Peer) -> Vec<String> {
    let first = peer.endpoints.first();
    let labels = first.into_iter().flat_map(|e| e.labels.iter());
    let own = labels
        .filter(|l| !l.key().starts_with("io.cilium.") && !l.key().starts_with("io.kubernetes."));
    own.map(|l| format!("{}={}", l.key(), l.value())).collect()
}

impl Entry {
    fn new(peer: Peer, class: Option<usize>) -> Self {
        let identity = match &*peer.identities {
            [(id, node)] if node.is_empty() => Some(*id),
            _ => None,
        };
        Self {
            peer,
            class,
            identity,
        }
    }
}

/// The peers that pods are.
fn workloads(
    cluster: &Cluster,
    options: &Options,
    class_of: &mut impl FnMut(Option<&Arc<Endpoint>>) -> usize,
) -> Vec<Entry> {
    type Key = (
        String,
        Option<usize>,
        Option<NumericIdentity>,
        Option<String>,
    );
    let mut groups: BTreeMap<Key, Peer> = BTreeMap::new();
    for endpoint in cluster.endpoints() {
        let place = (endpoint.namespace.clone(), endpoint.name.clone());
        let imagined = options.imagined.get(&place);
        let name = imagined.cloned().unwrap_or_else(|| {
            let (kind, name) = peer::owner(cluster, endpoint, options.grouping);
            format!("{}/{name}[{kind}]", endpoint.namespace)
        });
        let class = if !endpoint.host_network {
            Some(class_of(Some(endpoint)))
        } else {
            cluster.config().host_firewall.then(|| class_of(None))
        };
        let own = (!endpoint.host_network).then_some(endpoint.identity);
        let key = (name.clone(), class, own, endpoint.templated.clone());
        let peer = groups.entry(key).or_insert_with(|| Peer {
            name,
            kind: PeerKind::Workload,
            endpoints: Vec::new(),
            nodes: BTreeSet::new(),
            identities: Vec::new(),
            imagined: imagined.is_some(),
        });
        let node = if endpoint.host_network {
            endpoint.node.clone()
        } else {
            String::new()
        };
        let identity = (endpoint.identity, node);
        if !peer.identities.contains(&identity) {
            peer.identities.push(identity);
        }
        if !endpoint.node.is_empty() {
            peer.nodes.insert(endpoint.node.clone());
        }
        peer.endpoints.push(Arc::clone(endpoint));
    }
    let groups = groups.into_iter();
    groups
        .map(|((_, class, ..), peer)| Entry::new(peer, class))
        .collect()
}

/// The longest of the prefixes among peers that an address has.
///
/// ```
/// use netverdict::cluster::Cluster;
/// use netverdict_analysis::connectivity::{Connectivity, Options, longest};
///
/// let cluster = Cluster::read(include_str!("../../core/examples/shop.yaml"))?;
/// let all = Connectivity::new(&cluster, &Options { all_entities: true, ..Options::default() });
/// let prefix = "192.0.2.7/32".parse().expect("a prefix");
/// // No policy names a prefix around it: it is the world's.
/// assert_eq!(longest(all.peers(), &prefix).map(|peer| &*peer.name), Some("entity:world"));
/// # Ok::<(), Box<netverdict::diagnostic::Diagnostic>>(())
/// ```
#[must_use]
pub fn longest<'p>(peers: &'p [Peer], prefix: &IpNet) -> Option<&'p Peer> {
    let prefixes = peers.iter().filter_map(|p| match &p.kind {
        PeerKind::Prefix(own) if own.contains(prefix) => Some((own.prefix_len(), p)),
        PeerKind::Entity("world") => Some((0, p)),
        _ => None,
    });
    prefixes.max_by_key(|(len, _)| *len).map(|(_, p)| p)
}
