//! One cache of DNS answers.
//!
//! In: answers, and the time up to which to expire. Out: for a name its
//! addresses, for an address its names, and what expired. Per name and
//! address the answer that expires last is kept
//! (Cilium 1.20.2 pkg/fqdn/cache.go `DNSCache`).

use super::Millis;
use ahash::{AHashMap, AHashSet};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// An answer as the cache keeps it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CachedAnswer {
    /// The name that was asked for.
    pub name: Arc<str>,
    /// From then on it is expired.
    pub expires: Millis,
    /// Its time to live in seconds, at least the minimum.
    pub ttl: u32,
    /// The addresses it brought. For some of them another answer may count.
    pub addresses: Arc<[IpAddr]>,
}

/// Addresses that went, each with the answer that counted for it.
pub(super) type Gone = Vec<(IpAddr, Arc<CachedAnswer>)>;

/// What an answer changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// For an address it expires later than what was there.
    pub updated: bool,
    /// It brought an address that was not there.
    pub upserted: bool,
}

#[derive(Debug, Default)]
pub(super) struct Cache {
    forward: AHashMap<Arc<str>, BTreeMap<IpAddr, Arc<CachedAnswer>>>,
    reverse: AHashMap<IpAddr, BTreeSet<Arc<str>>>,
    /// Names by the second in which an answer expires; `None` for a cache
    /// that expires nothing by itself.
    due: Option<BTreeMap<u64, BTreeSet<Arc<str>>>>,
    due_names: usize,
    /// Up to when expired answers are gone.
    cleaned: Option<Millis>,
    over_limit: BTreeSet<Arc<str>>,
    limit: usize,
    min_ttl: u32,
    pairs: usize,
}

impl Cache {
    /// A cache whose answers expire; a `limit` of 0 is none.
    pub(super) fn expiring(min_ttl: u32, limit: usize) -> Self {
        Self {
            due: Some(BTreeMap::new()),
            limit,
            min_ttl,
            ..Self::default()
        }
    }

    /// A cache whose answers stay until they are replaced.
    pub(super) fn lasting(min_ttl: u32) -> Self {
        Self {
            min_ttl,
            ..Self::default()
        }
    }

    /// Pairs of name and address, and what is noted to expire them.
    pub(super) fn size(&self) -> usize {
        self.pairs + self.due_names
    }

    pub(super) fn update(
        &mut self,
        at: Millis,
        name: &Arc<str>,
        addresses: &Arc<[IpAddr]>,
        ttl: u32,
    ) -> Status {
        let ttl = ttl.max(self.min_ttl);
        self.insert(&Arc::new(CachedAnswer {
            name: Arc::clone(name),
            expires: at.saturating_add(u64::from(ttl).saturating_mul(1000)),
            ttl,
            addresses: Arc::clone(addresses),
        }))
    }

    fn insert(&mut self, answer: &Arc<CachedAnswer>) -> Status {
        let mut status = Status::default();
        let known = self.forward.entry(Arc::clone(&answer.name)).or_default();
        for ip in answer.addresses.iter() {
            let old = known.get(ip);
            status.upserted |= old.is_none();
            if old.is_some_and(|old| old.expires >= answer.expires) {
                continue;
            }
            if known.insert(*ip, Arc::clone(answer)).is_none() {
                self.pairs += 1;
                let names = self.reverse.entry(*ip).or_default();
                names.insert(Arc::clone(&answer.name));
            }
            status.updated = true;
            if let Some(due) = &mut self.due {
                if self.cleaned.is_none_or(|cleaned| answer.expires < cleaned) {
                    self.cleaned = Some(answer.expires);
                }
                let names = due.entry(answer.expires / 1000).or_default();
                self.due_names += usize::from(names.insert(Arc::clone(&answer.name)));
            }
        }
        if self.limit > 0 && known.len() > self.limit {
            self.over_limit.insert(Arc::clone(&answer.name));
        }
        if known.is_empty() {
            self.forward.remove(&answer.name);
        }
        status
    }

    /// Takes out what is expired at `now`, to the second, and what is over the
    /// limit of its name. Returns the names looked at, and what went.
    pub(super) fn collect(&mut self, now: Millis) -> (BTreeSet<Arc<str>>, Gone) {
        let mut gone = Gone::new();
        let mut touched = self.expire(now, &mut gone);
        touched.extend(self.trim(&mut gone));
        (touched, gone)
    }

    fn expire(&mut self, now: Millis, gone: &mut Gone) -> BTreeSet<Arc<str>> {
        let mut touched = BTreeSet::new();
        let (Some(cleaned), Some(due)) = (self.cleaned, &mut self.due) else {
            return touched;
        };
        if cleaned < now {
            // Whole seconds: what expires within the current one goes, too.
            let until = now.div_ceil(1000);
            let later = due.split_off(&until);
            let mut names: AHashSet<Arc<str>> = AHashSet::new();
            let passed = std::mem::replace(due, later);
            for (second, list) in passed {
                if second >= cleaned / 1000 {
                    self.due_names -= list.len();
                    names.extend(list);
                } else {
                    // Never looked at again.
                    due.insert(second, list);
                }
            }
            let cleaned = until.saturating_mul(1000);
            self.cleaned = Some(cleaned);
            for name in names {
                let Some(known) = self.forward.get_mut(&name) else {
                    continue;
                };
                let mut expired = Gone::new();
                known.retain(|ip, answer| {
                    let keep = answer.expires >= cleaned;
                    if !keep {
                        expired.push((*ip, Arc::clone(answer)));
                    }
                    keep
                });
                for (ip, _) in &expired {
                    self.forget(*ip, &name);
                }
                gone.extend(expired);
                touched.insert(name);
            }
        }
        touched
    }

    /// Of names over the limit those that expire first go.
    fn trim(&mut self, gone: &mut Gone) -> BTreeSet<Arc<str>> {
        let mut touched = BTreeSet::new();
        for name in std::mem::take(&mut self.over_limit) {
            let Some(known) = self.forward.get_mut(&name) else {
                continue;
            };
            let over = known.len().saturating_sub(self.limit);
            if over == 0 {
                continue;
            }
            let mut order: Vec<(Millis, IpAddr)> =
                known.iter().map(|(ip, a)| (a.expires, *ip)).collect();
            order.sort_unstable();
            for (_, ip) in order.into_iter().take(over) {
                if let Some(known) = self.forward.get_mut(&name)
                    && let Some(answer) = known.remove(&ip)
                {
                    self.forget(ip, &name);
                    gone.push((ip, answer));
                }
            }
            touched.insert(name);
        }
        touched
    }

    /// After a pair left `forward`.
    fn forget(&mut self, ip: IpAddr, name: &Arc<str>) {
        self.pairs -= 1;
        if let Some(names) = self.reverse.get_mut(&ip) {
            names.remove(name);
            if names.is_empty() {
                self.reverse.remove(&ip);
            }
        }
        if self.forward.get(name).is_some_and(BTreeMap::is_empty) {
            self.forward.remove(name);
        }
    }

    /// Takes names out and gives what they had.
    pub(super) fn take(&mut self, names: &BTreeSet<Arc<str>>) -> BTreeSet<(IpAddr, Arc<str>)> {
        let mut had = BTreeSet::new();
        for name in names {
            for ip in self.forward.remove(name).unwrap_or_default().into_keys() {
                self.forget(ip, name);
                had.insert((ip, Arc::clone(name)));
            }
        }
        had
    }

    /// Takes over what another cache has of names, of the pairs that are
    /// wanted. An answer there brings all its addresses, also those for which
    /// another one counts by now.
    pub(super) fn restore(
        &mut self,
        from: &Self,
        names: &BTreeSet<Arc<str>>,
        wanted: &BTreeSet<(IpAddr, Arc<str>)>,
    ) {
        for name in names {
            let Some(known) = from.forward.get(name) else {
                continue;
            };
            let mut last: Option<&Arc<CachedAnswer>> = None;
            for answer in known.values() {
                // Addresses in a row often share their answer.
                if last.is_some_and(|last| Arc::ptr_eq(last, answer)) {
                    continue;
                }
                last = Some(answer);
                let addresses: Arc<[IpAddr]> = answer
                    .addresses
                    .iter()
                    .filter(|ip| wanted.contains(&(**ip, Arc::clone(name))))
                    .copied()
                    .collect();
                if !addresses.is_empty() {
                    self.insert(&Arc::new(CachedAnswer {
                        addresses,
                        ..(**answer).clone()
                    }));
                }
            }
        }
    }

    /// Names that have an address.
    pub(super) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.forward.keys()
    }

    pub(super) fn has_name(&self, name: &str) -> bool {
        self.forward.contains_key(name)
    }

    pub(super) fn has(&self, ip: &IpAddr, name: &str) -> bool {
        self.reverse
            .get(ip)
            .is_some_and(|names| names.contains(name))
    }

    /// The addresses of a name, ascending.
    pub(super) fn addresses(&self, name: &str) -> impl Iterator<Item = IpAddr> {
        let known = self.forward.get(name).into_iter();
        known.flat_map(BTreeMap::keys).copied()
    }

    /// The names of an address, ascending.
    pub(super) fn names_of(&self, ip: &IpAddr) -> impl Iterator<Item = &Arc<str>> {
        self.reverse.get(ip).into_iter().flatten()
    }

    /// Every address.
    pub(super) fn all_addresses(&self) -> impl Iterator<Item = &IpAddr> {
        self.reverse.keys()
    }

    /// Every answer that counts for an address, once.
    pub(super) fn answers(&self) -> Vec<&CachedAnswer> {
        let mut seen = AHashSet::new();
        let all = self.forward.values().flat_map(BTreeMap::values);
        all.filter(|a| seen.insert(Arc::as_ptr(a)))
            .map(Arc::as_ref)
            .collect()
    }
}
