//! What an agent knows of names: of each endpoint, and of all together.

use super::Millis;
use super::cache::{Cache, CachedAnswer, Status};
use super::zombie::{Zombie, Zombies};
use crate::identity::{NamePattern, canonical_name};
use ahash::AHashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// Agent options about names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamesConfig {
    /// `tofqdns-min-ttl`, in seconds.
    pub min_ttl: u32,
    /// `tofqdns-endpoint-max-ip-per-hostname`; 0 for no limit.
    pub max_addresses_per_name: usize,
    /// `tofqdns-max-deferred-connection-deletes`.
    pub max_zombies: usize,
    /// `tofqdns-idle-connection-grace-period`, in milliseconds.
    pub idle_grace: Millis,
    /// Answers are refused when this many pairs of name and address are held,
    /// counting each endpoint's and what is noted to expire them. Cilium
    /// has no such limit.
    pub max_held: usize,
}

impl Default for NamesConfig {
    fn default() -> Self {
        Self {
            min_ttl: 0,
            max_addresses_per_name: 1000,
            max_zombies: 10_000,
            idle_grace: 0,
            max_held: 4_000_000,
        }
    }
}

/// What an answer changed in the agent's cache.
pub type Learned = Status;

/// No more is learned until some of what is held expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamesFull;

impl fmt::Display for NamesFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too many names and addresses are held")
    }
}

impl std::error::Error for NamesFull {}

/// A name gained or lost an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NameChange {
    /// In lower case, with a final dot.
    pub name: Arc<str>,
    /// The address.
    pub address: IpAddr,
    /// It has it now.
    pub known: bool,
}

/// What is known of an endpoint's names.
#[derive(Debug)]
pub struct EndpointNames {
    history: Cache,
    zombies: Zombies,
}

impl EndpointNames {
    fn size(&self) -> usize {
        self.history.size() + self.zombies.size()
    }

    /// Addresses that did not expire, with their names.
    #[must_use]
    pub fn addresses(&self) -> BTreeMap<IpAddr, Vec<Arc<str>>> {
        by_address(&self.history)
    }

    /// Answers that count for at least one address.
    #[must_use]
    pub fn answers(&self) -> Vec<&CachedAnswer> {
        self.history.answers()
    }

    /// Addresses that expired and may be in use.
    pub fn zombies(&self) -> impl Iterator<Item = (&IpAddr, &Zombie)> {
        self.zombies.iter()
    }

    /// Those of them that are alive.
    #[must_use]
    pub fn living_zombies(&self) -> BTreeSet<IpAddr> {
        self.zombies.living()
    }
}

/// Names, addresses and selectors of one agent.
#[derive(Debug)]
pub struct Names {
    config: NamesConfig,
    /// What policy is made of.
    all: Cache,
    endpoints: BTreeMap<u64, EndpointNames>,
    /// Endpoints that added to `all` since it was last put together.
    contributed: BTreeSet<u64>,
    /// Histories of endpoints that did, and are gone.
    left: Vec<Cache>,
    selectors: BTreeMap<Arc<str>, NamePattern>,
    /// Selectors of names, as far as asked for.
    selected: AHashMap<Arc<str>, Vec<Arc<str>>>,
    changes: BTreeMap<(Arc<str>, IpAddr), bool>,
    held: usize,
}

/// How long an address that is alive by a connection counts, in seconds: two
/// collections.
const LIVING_TTL: u32 = 120;

impl Names {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(config: NamesConfig) -> Self {
        Self {
            all: Cache::lasting(config.min_ttl),
            config,
            endpoints: BTreeMap::new(),
            contributed: BTreeSet::new(),
            left: Vec::new(),
            selectors: BTreeMap::new(),
            selected: AHashMap::new(),
            changes: BTreeMap::new(),
            held: 0,
        }
    }

    /// Adds a `toFQDNs` selector: its `matchName`, else its `matchPattern`.
    /// False for one that Cilium would not register either.
    pub fn register(&mut self, selector: &str) -> bool {
        let Some(pattern) = NamePattern::new(selector) else {
            return false;
        };
        self.selectors.insert(selector.into(), pattern);
        self.selected.clear();
        true
    }

    /// Removes a selector; true if it was there.
    pub fn unregister(&mut self, selector: &str) -> bool {
        self.selected.clear();
        self.selectors.remove(selector).is_some()
    }

    /// An answer came by: this name has these addresses for so many seconds.
    /// The name is the one that was asked for, whatever names the records
    /// have, and the time to live the shortest of all records.
    ///
    /// # Errors
    /// [`NamesFull`]: nothing was learned, and the addresses are not allowed.
    pub fn answer(
        &mut self,
        endpoint: u64,
        name: &str,
        addresses: &[IpAddr],
        ttl: u32,
        at: Millis,
    ) -> Result<Learned, NamesFull> {
        if addresses.is_empty() {
            return Ok(Learned::default());
        }
        // Of each address a pair here, one there, and a note.
        if self.held.saturating_add(3 * addresses.len()) > self.config.max_held {
            return Err(NamesFull);
        }
        let name: Arc<str> = canonical_name(name).into();
        let addresses: Arc<[IpAddr]> = addresses.into();
        let own = own(&mut self.endpoints, &self.config, endpoint);
        let before = own.history.size() + self.all.size();
        if own.history.update(at, &name, &addresses, ttl).upserted {
            let zombies = own.zombies.size();
            own.zombies.revive(at, &name, &addresses);
            self.held -= zombies - own.zombies.size();
        }
        let new: Vec<IpAddr> = addresses
            .iter()
            .filter(|ip| !self.all.has(ip, &name))
            .copied()
            .collect();
        let learned = self.all.update(at, &name, &addresses, ttl);
        self.held = self.held + own.history.size() + self.all.size() - before;
        self.contributed.insert(endpoint);
        for ip in new {
            self.changes.insert((Arc::clone(&name), ip), true);
        }
        Ok(learned)
    }

    /// A connection of the endpoint to this address was seen alive.
    pub fn alive(&mut self, endpoint: u64, address: &IpAddr, at: Millis) {
        if let Some(own) = self.endpoints.get_mut(&endpoint) {
            own.zombies.mark_alive(at, address);
        }
    }

    /// All connections of the endpoint have been looked through; that began at
    /// this time, and those alive were named by [`Self::alive`].
    pub fn end_of_conntrack_collection(&mut self, endpoint: u64, at: Millis) {
        let own = own(&mut self.endpoints, &self.config, endpoint);
        own.zombies.end_of_conntrack_collection(at);
    }

    /// The endpoint is gone. Its names count until the next collection.
    pub fn remove_endpoint(&mut self, endpoint: u64) {
        if let Some(own) = self.endpoints.remove(&endpoint) {
            self.held -= own.size();
            if self.contributed.remove(&endpoint) {
                self.held += own.history.size();
                self.left.push(own.history);
            }
        }
    }

    /// Expires what is expired. Addresses stay allowed while connections to
    /// them are alive. Cilium does this once a minute.
    pub fn collect(&mut self, at: Millis) {
        let mut touched: BTreeSet<Arc<str>> = BTreeSet::new();
        let leaked = self.all.names();
        let known = |name: &Arc<str>| self.endpoints.values().any(|e| e.history.has_name(name));
        let leaked: Vec<Arc<str>> = leaked.filter(|n| !known(n)).cloned().collect();
        let mut living = Cache::lasting(LIVING_TTL);
        for own in self.endpoints.values_mut() {
            let before = own.size();
            let (names, gone) = own.history.collect(at);
            touched.extend(names);
            for (ip, answer) in gone {
                let due = answer.expires.max(at);
                own.zombies.upsert(due, ip, Arc::clone(&answer.name));
            }
            let (alive, dead) = own.zombies.collect();
            for (ip, zombie) in alive {
                for name in zombie.names {
                    living.update(at, &name, &[ip].into(), LIVING_TTL);
                    touched.insert(name);
                }
            }
            touched.extend(dead.into_iter().flat_map(|(_, zombie)| zombie.names));
            self.held = self.held + own.size() - before;
        }
        touched.extend(leaked);
        if touched.is_empty() {
            return;
        }
        let before = self.all.size();
        // Nothing new is learned here: only what was known is put together
        // again.
        let had = self.all.take(&touched);
        self.all.restore(&living, &touched, &had);
        let histories = self.endpoints.values().map(|e| &e.history);
        for history in histories.chain(&self.left) {
            self.all.restore(history, &touched, &had);
        }
        self.held = self.held + self.all.size() - before;
        self.held -= self.left.drain(..).map(|c| c.size()).sum::<usize>();
        self.contributed.clear();
        for (ip, name) in had {
            if !self.all.has(&ip, &name) {
                self.changes.insert((name, ip), false);
            }
        }
        self.selected.retain(|name, _| self.all.has_name(name));
    }

    /// What changed since the last call: pairs that are new, and pairs that
    /// are gone.
    pub fn take_changes(&mut self) -> Vec<NameChange> {
        let changes = std::mem::take(&mut self.changes);
        changes
            .into_iter()
            .map(|((name, address), known)| NameChange {
                name,
                address,
                known,
            })
            .collect()
    }

    /// Names with an address, in no order.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.all.names()
    }

    /// The addresses of a name, ascending. That they expired plays no part
    /// until a collection.
    pub fn addresses(&self, name: &str) -> Vec<IpAddr> {
        self.all.addresses(&canonical_name(name)).collect()
    }

    /// The names of an address, ascending.
    #[must_use]
    pub fn names_of(&self, address: &IpAddr) -> Vec<Arc<str>> {
        self.all.names_of(address).cloned().collect()
    }

    /// Every address with its names.
    #[must_use]
    pub fn all_addresses(&self) -> BTreeMap<IpAddr, Vec<Arc<str>>> {
        by_address(&self.all)
    }

    /// The selectors that select a name.
    pub fn selectors_of_name(&mut self, name: &Arc<str>) -> &[Arc<str>] {
        let selectors = &self.selectors;
        self.selected.entry(Arc::clone(name)).or_insert_with(|| {
            let all = selectors.iter();
            let selecting = all.filter(|(_, pattern)| pattern.matches(name));
            selecting.map(|(text, _)| Arc::clone(text)).collect()
        })
    }

    /// The selectors whose label an address carries, ascending: those of all
    /// its names.
    pub fn selectors_of(&mut self, address: &IpAddr) -> Vec<Arc<str>> {
        let mut all = BTreeSet::new();
        for name in self.names_of(address) {
            all.extend(self.selectors_of_name(&name).iter().cloned());
        }
        all.into_iter().collect()
    }

    /// What an endpoint has looked up.
    #[must_use]
    pub fn endpoint(&self, endpoint: u64) -> Option<&EndpointNames> {
        self.endpoints.get(&endpoint)
    }

    /// How much is held, to be compared with [`NamesConfig::max_held`].
    #[must_use]
    pub const fn held(&self) -> usize {
        self.held
    }
}

/// An endpoint, which appears when it is first told of.
fn own<'e>(
    endpoints: &'e mut BTreeMap<u64, EndpointNames>,
    config: &NamesConfig,
    endpoint: u64,
) -> &'e mut EndpointNames {
    let per_name = config.max_addresses_per_name;
    endpoints.entry(endpoint).or_insert_with(|| EndpointNames {
        history: Cache::expiring(config.min_ttl, per_name),
        zombies: Zombies::new(config.max_zombies, per_name, config.idle_grace),
    })
}

fn by_address(cache: &Cache) -> BTreeMap<IpAddr, Vec<Arc<str>>> {
    let all = cache.all_addresses();
    all.map(|ip| (*ip, cache.names_of(ip).cloned().collect()))
        .collect()
}
