//! Addresses that expired and may still be in use.
//!
//! In: what expired, which connections are alive, and when connections were
//! looked through. Out: which addresses are still to be allowed, and which are
//! dead (Cilium 1.20.2 pkg/fqdn/cache.go `DNSZombieMappings`).

use super::Millis;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// An address that expired. It is dead when connections were looked through
/// after it was due, none was found alive, and that happened twice at least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zombie {
    /// The names that had it.
    pub names: BTreeSet<Arc<str>>,
    /// When a connection to it was last known or taken to be alive.
    pub alive_at: Option<Millis>,
    /// When it was to be deleted.
    pub due: Millis,
    /// How often connections had been looked through when it expired.
    revision: u64,
}

#[derive(Debug, Default)]
pub(super) struct Zombies {
    all: BTreeMap<IpAddr, Zombie>,
    conntrack_collected: Option<Millis>,
    revision: u64,
    max: usize,
    per_name: usize,
    grace: Millis,
}

impl Zombies {
    pub(super) fn new(max: usize, per_name: usize, grace: Millis) -> Self {
        Self {
            max,
            per_name,
            grace,
            ..Self::default()
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&IpAddr, &Zombie)> {
        self.all.iter()
    }

    /// Names held, over all addresses.
    pub(super) fn size(&self) -> usize {
        self.all.values().map(|z| z.names.len()).sum()
    }

    pub(super) fn upsert(&mut self, due: Millis, ip: IpAddr, name: Arc<str>) {
        let zombie = self.all.entry(ip).or_insert_with(|| Zombie {
            names: BTreeSet::new(),
            alive_at: self.conntrack_collected,
            due,
            revision: self.revision,
        });
        zombie.names.insert(name);
        zombie.due = zombie.due.max(due);
        zombie.alive_at = zombie.alive_at.max(self.conntrack_collected);
    }

    /// A connection to the address is alive.
    pub(super) fn mark_alive(&mut self, at: Millis, ip: &IpAddr) {
        if let Some(zombie) = self.all.get_mut(ip) {
            zombie.alive_at = Some(at);
        }
    }

    /// Connections have been looked through, beginning at this time.
    pub(super) fn end_of_conntrack_collection(&mut self, at: Millis) {
        self.conntrack_collected = Some(at);
        self.revision += 1;
    }

    /// The name has these addresses anew.
    pub(super) fn revive(&mut self, at: Millis, name: &str, addresses: &[IpAddr]) {
        for ip in addresses {
            let Some(zombie) = self.all.get_mut(ip).filter(|z| z.due <= at) else {
                continue;
            };
            zombie.names.remove(name);
            if zombie.names.is_empty() {
                self.all.remove(ip);
            }
        }
    }

    fn has_connection(&self, zombie: &Zombie) -> bool {
        let Some(collected) = self.conntrack_collected else {
            return true;
        };
        collected <= zombie.due.saturating_add(self.grace)
            || zombie.alive_at.is_some_and(|alive| collected <= alive)
            || self.revision < zombie.revision + 2
    }

    /// Names with a connection to one of their addresses, and all zombies of
    /// those.
    fn living_names(&self) -> BTreeMap<&Arc<str>, Vec<IpAddr>> {
        let mut living: BTreeMap<&Arc<str>, Vec<IpAddr>> = BTreeMap::new();
        for zombie in self.all.values().filter(|z| self.has_connection(z)) {
            for name in &zombie.names {
                living.entry(name).or_default();
            }
        }
        for (ip, zombie) in &self.all {
            for name in &zombie.names {
                if let Some(list) = living.get_mut(name) {
                    list.push(*ip);
                }
            }
        }
        living
    }

    /// Zombies that are alive: by a connection, or by that of another address
    /// of one of their names.
    pub(super) fn living(&self) -> BTreeSet<IpAddr> {
        let names = self.living_names();
        let alive =
            |z: &Zombie| self.has_connection(z) || z.names.iter().any(|n| names.contains_key(n));
        let all = self.all.iter();
        all.filter(|(_, z)| alive(z)).map(|(ip, _)| *ip).collect()
    }

    /// Takes the dead out. Of names with too many addresses, and of all when
    /// there are too many, those least in use go. Returns those that live and
    /// those that are gone.
    #[allow(clippy::type_complexity)] // two lists of one kind
    pub(super) fn collect(&mut self) -> (Vec<(IpAddr, Zombie)>, Vec<(IpAddr, Zombie)>) {
        let names = self.living_names();
        let mut alive: BTreeSet<IpAddr> = BTreeSet::new();
        let mut dead: BTreeSet<IpAddr> = BTreeSet::new();
        let crowded = |list: &Vec<IpAddr>| self.per_name > 0 && list.len() > self.per_name;
        for (ip, zombie) in &self.all {
            let lists = || zombie.names.iter().filter_map(|n| names.get(n));
            if lists().any(crowded) {
                // Decided with its name.
            } else if self.has_connection(zombie) || lists().next().is_some() {
                alive.insert(*ip);
            } else {
                dead.insert(*ip);
            }
        }
        let mut perhaps: BTreeSet<IpAddr> = BTreeSet::new();
        let mut expelled: BTreeSet<IpAddr> = BTreeSet::new();
        for list in names.values().filter(|list| crowded(list)) {
            let mut list = list.clone();
            self.least_used_first(&mut list);
            let (out, kept) = list.split_at(list.len().saturating_sub(self.per_name));
            expelled.extend(out);
            perhaps.extend(kept);
        }
        alive.extend(perhaps.difference(&expelled));
        dead.extend(expelled);
        let mut order: Vec<IpAddr> = alive.into_iter().collect();
        if order.len() > self.max {
            self.least_used_first(&mut order);
            let over = order.len() - self.max;
            dead.extend(order.drain(..over));
        }
        let of = |ip: &IpAddr| Some((*ip, self.all.get(ip)?.clone()));
        let alive = order.iter().filter_map(of).collect();
        let dead: Vec<(IpAddr, Zombie)> = dead.iter().filter_map(of).collect();
        for (ip, _) in &dead {
            self.all.remove(ip);
        }
        (alive, dead)
    }

    /// By when they were alive, then when they were due, then how many names
    /// they have. Cilium leaves the rest to chance; here it is the address.
    fn least_used_first(&self, list: &mut [IpAddr]) {
        list.sort_by_key(|ip| {
            let zombie = self.all.get(ip);
            let use_of = zombie.map(|z| (z.alive_at, z.due, z.names.len()));
            (use_of, *ip)
        });
    }
}
