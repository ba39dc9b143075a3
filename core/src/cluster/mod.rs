//! The world that questions are asked of.
//!
//! In: loaded objects, the agent's options, and what only the caller knows
//! ([`ClusterOptions`]). Out: namespaces, endpoints with their identities,
//! services, addresses and the rules of every policy, kept up to date as
//! objects come and go; policies of endpoints, and answers for flows.
//!
//! Everything is derived from the set of objects: applying changes one by one
//! gives the same world as building it at once. Only the *numbers* of new
//! identities depend on the order, unless a saved state
//! ([`Cluster::identity_state`]) settles them.

mod address;
mod asked;
mod by_address;
mod check;
mod derive;
mod documents;
mod doubt;
mod endpoint;
mod explain;
mod flow;
mod flow_json;
mod forecast;
mod intent;
mod layer7;
mod layer7_json;
mod learned;
mod namespace;
mod peer;
mod policy;
mod published;
mod remembered;
mod roster;
mod service;
mod subject;
mod table;

pub use asked::{AskError, AskedFlow, FoundFlow};
pub use check::{
    ADDRESS_TWICE, EXHAUSTED, HOST_FIREWALL_OFF, MAX_COMPARISONS, MAX_LISTED, NAMED_PORT,
    NAMESPACE_LABELS, NO_CIDR_GROUP, NO_IDENTITY_LABEL, NO_NAMESPACE, NO_SERVICE, PEER_EMPTY,
    STALE_IDENTITY, SUBJECT_EMPTY,
};
pub use documents::{Documents, Incoming};
pub use endpoint::{DeclaredPort, Endpoint};
pub use explain::FlowExplanation;
pub use flow::{Decision, Flow, FlowAnswer, SideAnswer};
pub use flow_json::{JsonFlow, JsonKey, JsonRedirect, JsonSide};
pub use forecast::{Forecast, LabelForecast, MapForecast};
pub use intent::NAME_NOT_LEARNED;
pub use layer7::{Layer7, Layer7Answer, Layer7Outcome, Layer7Side, TriedLayer7};
pub use layer7_json::{JsonLayer7, JsonLayer7Side, JsonTried};
pub use peer::{AMBIGUOUS, NOT_A_PEER, NOT_FOUND, Peer, Target};
pub use policy::{ProxyRules, ResolvedPolicy};
pub use published::{ProxyPortsOf, PublishedCluster, PublishedSubject};
pub use table::{Table, TableSubject};

use crate::config::Config;
use crate::diagnostic::{Diagnostic, Severity};
use crate::identity::{
    AllocationError, Allocator, IdentityTable, IpCache, MemoryAllocator, NumericIdentity,
};
use crate::label::LabelFilter;
use crate::object::load::{LoadOptions, Loaded, Outcome, load};
use crate::object::{Object, ObjectRef};
use crate::policy_map::NamedPorts;
use crate::resolve::{Repository, ResourceId};
use crate::rule::{Service, Services};
use crate::source::SourceId;
use address::{Contributions, NamePatterns};
use by_address::PodsByAddress;
use derive::Moved;
use endpoint::{Given, given_identities};
use policy::PolicyCache;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// What an object is known by in a cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// `Pod`, `CiliumNetworkPolicy`, …
    pub kind: String,
    /// Empty for clusterwide objects.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

impl ObjectKey {
    /// The key of an object.
    #[must_use]
    pub fn of(object: &Object) -> Self {
        Self {
            kind: object.kind().to_owned(),
            namespace: object.namespace().to_owned(),
            name: object.name().to_owned(),
        }
    }
}

/// A change to the set of objects.
#[derive(Clone, Debug)]
pub enum Change {
    /// An object appears, or takes the place of the one with its key.
    Upsert(Box<Object>),
    /// An object disappears.
    Remove(ObjectKey),
}

/// What no object says.
#[derive(Clone, Debug, Default)]
pub struct ClusterOptions {
    /// Which labels of pods make identities.
    pub filter: LabelFilter,
    /// The node whose agent answers: its addresses are `host`, not
    /// `remote-node`. Without it every node is remote, except that pods on
    /// one node see each other's host as `host`.
    pub local_node: Option<String>,
    /// What DNS said: names, in any case, and their addresses.
    pub resolved_names: BTreeMap<String, Vec<IpAddr>>,
}

/// A cluster as far as policies depend on it.
#[derive(Debug)]
pub struct Cluster {
    config: Config,
    options: ClusterOptions,
    objects: BTreeMap<ObjectKey, Object>,
    /// When each of the objects came or changed last.
    ages: BTreeMap<ObjectKey, u64>,
    namespaces: BTreeMap<String, namespace::Namespace>,
    allocator: MemoryAllocator,
    /// References held on behalf of endpoints and CiliumIdentity objects.
    held: Vec<NumericIdentity>,
    /// Numbers that objects give to label sets.
    given: Given,
    contributions: Contributions,
    /// The `toFQDNs` selectors of the rules.
    name_patterns: NamePatterns,
    cache: IpCache,
    repository: Repository,
    /// What the rules of each policy object are filed under.
    resources: BTreeMap<ObjectKey, ResourceId>,
    endpoints: Vec<Arc<Endpoint>>,
    pods_by_address: PodsByAddress,
    nodes_by_address: BTreeMap<IpAddr, String>,
    services: Services,
    named_ports: NamedPorts,
    /// Worked out when somebody asks.
    templated: OnceLock<Vec<doubt::TemplatedRule>>,
    open_policies: Vec<ObjectRef>,
    policies: PolicyCache,
    population: u64,
    /// How many objects were ever set.
    changes: u64,
    moved: Moved,
    /// How often everything was built anew: numbers of selectors are others
    /// then.
    rebuilt: u64,
    /// Numbers that the last update did not get.
    exhausted: Vec<Diagnostic>,
    /// Worked out when somebody asks.
    diagnostics: OnceLock<Vec<Diagnostic>>,
    /// What makes them cheap the next time.
    remarks: Mutex<remembered::Memory>,
    /// Nothing is derived from the objects yet.
    new: bool,
}

impl Cluster {
    /// A cluster without objects.
    #[must_use]
    pub fn new(config: Config, options: ClusterOptions) -> Self {
        let mut cluster = Self {
            allocator: MemoryAllocator::new(&config),
            repository: Repository::new(config.clone(), IdentityTable::new(&config)),
            config,
            options,
            objects: BTreeMap::new(),
            ages: BTreeMap::new(),
            changes: 0,
            namespaces: BTreeMap::new(),
            held: Vec::new(),
            given: Given::new(),
            contributions: Contributions::new(),
            name_patterns: NamePatterns::new(),
            cache: IpCache::new(),
            resources: BTreeMap::new(),
            endpoints: Vec::new(),
            pods_by_address: PodsByAddress::default(),
            nodes_by_address: BTreeMap::new(),
            services: Services::default(),
            named_ports: NamedPorts::new(),
            templated: OnceLock::new(),
            open_policies: Vec::new(),
            policies: PolicyCache::default(),
            population: 0,
            moved: Moved::default(),
            rebuilt: 0,
            exhausted: Vec::new(),
            diagnostics: OnceLock::new(),
            remarks: Mutex::default(),
            new: true,
        };
        cluster.update(&BTreeSet::new(), true);
        cluster
    }

    /// The cluster that a text describes, as an agent sees it that nobody has
    /// configured: for small programs, tests and examples. [`load`]
    /// and [`Self::build`] are for options and for all findings,
    /// [`Documents`] for many texts that change.
    ///
    /// ```
    /// use netverdict::cluster::Cluster;
    ///
    /// let cluster = Cluster::read(include_str!("../../examples/shop.yaml"))?;
    /// assert_eq!(cluster.endpoints().len(), 2);
    /// let refused = Cluster::read("{apiVersion: v1, kind: Pod, metadata: 1}");
    /// assert_eq!(refused.err().map(|d| d.code.to_string()).as_deref(), Some("NV0201"));
    /// # Ok::<(), Box<netverdict::diagnostic::Diagnostic>>(())
    /// ```
    ///
    /// # Errors
    /// The first thing in it that is refused.
    pub fn read(text: &str) -> Result<Self, Box<Diagnostic>> {
        let config = Config::default();
        let mut loaded = load(SourceId(0), text, &LoadOptions::new(&config));
        let mut found = loaded.diagnostics.drain(..);
        if let Some(first) = found.find(|d| d.severity == Severity::Error) {
            return Err(Box::new(first));
        }
        drop(found);
        let objects = loaded.into_objects();
        Ok(Self::build(config, ClusterOptions::default(), objects))
    }

    /// A cluster of these objects. Of several with one key the last counts.
    #[must_use]
    pub fn build(
        config: Config,
        options: ClusterOptions,
        objects: impl IntoIterator<Item = Object>,
    ) -> Self {
        let mut cluster = Self::new(config, options);
        cluster.apply(objects.into_iter().map(|o| Change::Upsert(Box::new(o))));
        cluster
    }

    /// Another cluster of the same objects, to try something with. Numbers of
    /// identities may be others.
    #[must_use]
    pub fn rebuilt(&self) -> Self {
        let objects = self.objects().cloned();
        let mut cluster = Self::build(self.config.clone(), self.options.clone(), objects);
        cluster.set_open_policies(self.open_policies.clone());
        cluster
    }

    /// As [`Self::build`], with the numbers identities had before.
    ///
    /// # Errors
    /// [`AllocationError::State`] when the bytes are no state.
    pub fn restore(
        config: Config,
        options: ClusterOptions,
        objects: impl IntoIterator<Item = Object>,
        state: &[u8],
    ) -> Result<Self, AllocationError> {
        let mut cluster = Self::new(config, options);
        for object in objects {
            cluster.put(ObjectKey::of(&object), object);
        }
        cluster.rebuild(state)?;
        Ok(cluster)
    }

    fn put(&mut self, key: ObjectKey, object: Object) {
        self.changes += 1;
        self.ages.insert(key.clone(), self.changes);
        self.objects.insert(key, object);
    }

    /// Applies changes and brings everything up to date once.
    pub fn apply(&mut self, changes: impl IntoIterator<Item = Change>) {
        let mut touched = BTreeSet::new();
        for change in changes {
            match change {
                Change::Upsert(object) => {
                    let key = ObjectKey::of(&object);
                    self.put(key.clone(), *object);
                    touched.insert(key);
                }
                Change::Remove(key) => {
                    self.objects.remove(&key);
                    self.ages.remove(&key);
                    touched.insert(key);
                }
            }
        }
        let gives = |key: &ObjectKey| derive::GIVING.contains(&key.kind.as_str());
        if touched.iter().any(gives) && self.numbers_collide(&given_identities(&self.objects)) {
            let state = self.allocator.to_bytes();
            // The state is this allocator's own; what cannot be restored of
            // it is drawn anew.
            if self.rebuild(&state).is_ok() {
                return;
            }
        }
        self.update(&touched, false);
    }

    /// Adds an object or puts it in place of the one with its key.
    ///
    /// ```
    /// use netverdict::object::load::{self, LoadOptions};
    /// use netverdict::{cluster::{Cluster, ClusterOptions}, config::Config, source::SourceId};
    ///
    /// let config = Config::default();
    /// let mut cluster = Cluster::new(config.clone(), ClusterOptions::default());
    /// let text = "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop}}";
    /// for object in load::load(SourceId(0), text, &LoadOptions::new(&config)).into_objects() {
    ///     cluster.upsert(object);
    /// }
    /// assert_eq!(cluster.endpoints().len(), 1);
    /// ```
    pub fn upsert(&mut self, object: Object) {
        self.apply([Change::Upsert(Box::new(object))]);
    }

    /// Removes an object; true if it was there.
    pub fn remove(&mut self, key: &ObjectKey) -> bool {
        let known = self.objects.contains_key(key);
        if known {
            self.apply([Change::Remove(key.clone())]);
        }
        known
    }

    /// Puts other answers of DNS in place of those known.
    pub fn set_resolved_names(&mut self, names: BTreeMap<String, Vec<IpAddr>>) {
        self.options.resolved_names = names;
        self.update(&BTreeSet::new(), true);
    }

    /// The policies that [`Self::set_open_policies`] named.
    #[must_use]
    pub fn open_policies(&self) -> &[ObjectRef] {
        &self.open_policies
    }

    /// Says which policies could not be taken because variables in them are
    /// not filled in: answers they might change are then unknown. See
    /// [`open_policies`].
    pub fn set_open_policies(&mut self, policies: Vec<ObjectRef>) {
        self.open_policies = policies;
    }

    /// The numbers of identities as bytes, for [`Self::restore`].
    #[must_use]
    pub fn identity_state(&self) -> Vec<u8> {
        self.allocator.to_bytes()
    }

    /// The agent's options.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// What the caller said beside the objects.
    #[must_use]
    pub const fn options(&self) -> &ClusterOptions {
        &self.options
    }

    /// Every object, by kind, namespace and name.
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.objects.values()
    }

    /// Every object, in the same order, with a number that it has only until
    /// it is changed.
    pub fn versions(&self) -> impl Iterator<Item = (&Object, u64)> {
        // Both have the same keys.
        self.objects.values().zip(self.ages.values().copied())
    }

    /// One object.
    #[must_use]
    pub fn object(&self, key: &ObjectKey) -> Option<&Object> {
        self.objects.get(key)
    }

    /// Names of the namespaces that have an object or an endpoint.
    pub fn namespaces(&self) -> impl Iterator<Item = &str> {
        self.namespaces.keys().map(String::as_str)
    }

    /// Every endpoint, by namespace, name and kind.
    #[must_use]
    pub fn endpoints(&self) -> &[Arc<Endpoint>] {
        &self.endpoints
    }

    /// Whether its endpoints are these very ones: none came, went or changed.
    #[must_use]
    pub fn has_endpoints(&self, known: &[Arc<Endpoint>]) -> bool {
        let same = |(a, b)| Arc::ptr_eq(a, b);
        known.len() == self.endpoints.len() && known.iter().zip(&self.endpoints).all(same)
    }

    /// The services that `toServices` can name, by namespace and name.
    #[must_use]
    pub fn services(&self) -> &[Service] {
        self.services.as_slice()
    }

    /// All rules, and the identities their selectors select.
    #[must_use]
    pub const fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The identities in force.
    #[must_use]
    pub fn identities(&self) -> &IdentityTable {
        self.repository.selectors().identities()
    }

    /// Grows when endpoints, identities or the names of their ports come, change
    /// or go.
    #[must_use]
    pub const fn population(&self) -> u64 {
        self.population
    }

    /// Prefixes and their identities. Addresses of pods are not among them.
    #[must_use]
    pub const fn ipcache(&self) -> &IpCache {
        &self.cache
    }

    /// What each identity calls its ports.
    #[must_use]
    pub const fn named_ports(&self) -> &NamedPorts {
        &self.named_ports
    }

    /// What is worth knowing about how the objects fit together. None of it
    /// refuses anything.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        self.diagnostics.get_or_init(|| {
            let mut all = self.exhausted.clone();
            let memory = self.remarks.lock();
            let mut memory = memory.unwrap_or_else(PoisonError::into_inner);
            all.extend(check::check(self, &mut memory));
            all
        })
    }

    /// The rules with a variable that nobody has filled in.
    fn templated(&self) -> &[doubt::TemplatedRule] {
        let find = || doubt::templated_rules(&self.repository);
        self.templated.get_or_init(find)
    }

    /// True when an object gives a number that something else has here.
    fn numbers_collide(&self, given: &Given) -> bool {
        given.iter().any(|(id, labels)| {
            let other_set = self.allocator.labels(*id).is_some_and(|l| l != labels);
            let other_number = self
                .allocator
                .lookup(labels)
                .is_some_and(|n| n != *id && !given.contains_key(&n));
            other_set || other_number
        })
    }

    /// Builds everything anew: numbers that objects give first, then those of
    /// a saved state as far as they are still free.
    fn rebuild(&mut self, state: &[u8]) -> Result<(), AllocationError> {
        let mut fresh = Self::new(self.config.clone(), self.options.clone());
        fresh.rebuilt = self.rebuilt + 1;
        fresh.population = self.population + 1;
        let given = given_identities(&self.objects);
        let mut first = Vec::new();
        for (id, labels) in endpoint::by_age(&given, &self.objects) {
            first.push(fresh.allocator.allocate_as(labels, id)?);
        }
        let restored = fresh.allocator.restore(state)?;
        fresh.objects = std::mem::take(&mut self.objects);
        fresh.ages = std::mem::take(&mut self.ages);
        fresh.changes = self.changes;
        fresh.open_policies = std::mem::take(&mut self.open_policies);
        let all = fresh.objects.keys().cloned().collect();
        fresh.update(&all, false);
        fresh
            .allocator
            .end_restore(first.into_iter().chain(restored).collect());
        *self = fresh;
        Ok(())
    }
}

/// The policies among loaded documents that were refused while variables in
/// them are not filled in, for [`Cluster::set_open_policies`].
///
/// ```
/// use netverdict::cluster::{Cluster, ClusterOptions, open_policies};
/// use netverdict::{config::Config, object::load, source::SourceId};
///
/// let text = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: db, namespace: shop},
///  spec: {podSelector: {}, ingress: [{ports: [{port: 5432, protocol: '${PROTOCOL}'}]}]}}";
/// let config = Config::default();
/// let loaded = load::load(SourceId(0), text, &load::LoadOptions::new(&config));
/// let open = open_policies(&loaded);
/// assert_eq!(open.len(), 1);
/// let mut cluster = Cluster::new(config, ClusterOptions::default());
/// cluster.set_open_policies(open);
/// assert_eq!(cluster.open_policies()[0].name, "db");
/// ```
#[must_use]
pub fn open_policies(loaded: &Loaded) -> Vec<ObjectRef> {
    let open = loaded.documents.iter().filter(|d| {
        d.templated && d.kind.ends_with("Policy") && matches!(d.outcome, Outcome::Refused(_))
    });
    open.map(|d| ObjectRef {
        kind: d.kind.clone(),
        namespace: d.namespace.clone(),
        name: d.name.clone(),
        span: d.span,
    })
    .collect()
}

#[cfg(test)]
mod tests;
