//! The entries of one direction while they are put together.

use super::key::L4Key;
use super::level::Level;
use super::pass::{Pass, merge_passes};
use super::precedence::Precedence;
use super::redirect::RedirectKey;
use crate::config::Config;
use crate::identity::NumericIdentity;
use crate::resolve::{DirectionPolicy, Origin};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One entry of the policy map with the rules behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What decides between entries.
    pub precedence: Precedence,
    /// Where to redirect, host byte order; 0 for nowhere.
    pub proxy_port: u16,
    /// Authentication type, and bit 7 when a rule says it explicitly.
    pub auth: u8,
    /// Left behind by a pass that nothing fell through to. Cilium 1.20.2 does
    /// not filter such entries on their way to the datapath, where they would
    /// deny; lookups here skip them.
    pub invalid: bool,
    /// Which of [`MapState::redirects`] it leads to, counted from 1; 0 without
    /// a redirect.
    pub(super) redirect: u16,
    /// Passes on this key, the lowest tier first; empty in most policies.
    pub(super) passes: Option<Arc<[Pass]>>,
    /// The rules it derives from.
    pub origin: Origin,
}

impl Entry {
    /// True when it denies.
    #[must_use]
    pub const fn is_deny(&self) -> bool {
        self.precedence.is_deny()
    }

    /// The authentication type without the explicit bit.
    #[must_use]
    pub const fn auth_type(&self) -> u8 {
        self.auth & 0x7f
    }

    /// True when a rule says the authentication explicitly.
    #[must_use]
    pub const fn auth_explicit(&self) -> bool {
        self.auth & 0x80 != 0
    }

    pub(super) fn passes(&self) -> &[Pass] {
        self.passes.as_deref().unwrap_or(&[])
    }

    /// Takes over another entry's redirect.
    pub(super) fn redirect_as(&mut self, other: &Self) {
        self.proxy_port = other.proxy_port;
        self.redirect = other.redirect;
        self.precedence = other.precedence;
    }

    fn datapath(&self) -> (Precedence, u16, u8, bool) {
        (self.precedence, self.proxy_port, self.auth, self.invalid)
    }
}

/// The entries of one direction.
///
/// Kept so that, for one identity, the longest prefix that matches a packet is
/// also the highest precedence that does: the datapath's longest-prefix lookup
/// then finds the right entry.
#[derive(Clone, Debug)]
pub struct MapState {
    pub(super) levels: BTreeMap<L4Key, Level>,
    /// Log lines differ between rules: entries that are alike otherwise are
    /// then not the same.
    logs: Option<Vec<Arc<str>>>,
    pub(super) redirects: Vec<RedirectKey>,
    config: Arc<Config>,
}

impl MapState {
    /// An empty state for a direction.
    pub(super) fn new(policy: &DirectionPolicy, config: &Arc<Config>) -> Self {
        let logged = policy.rules.iter().any(|r| !r.origin.log.is_empty());
        Self {
            levels: BTreeMap::new(),
            logs: logged.then(|| {
                policy
                    .rules
                    .iter()
                    .map(|r| Arc::clone(&r.origin.log))
                    .collect()
            }),
            redirects: Vec::new(),
            config: Arc::clone(config),
        }
    }

    /// The entry of exactly this key.
    #[must_use]
    pub fn get(&self, identity: NumericIdentity, l4: L4Key) -> Option<&Entry> {
        self.levels.get(&l4)?.get(&identity)
    }

    /// True when some entry's key has this identity.
    #[must_use]
    pub fn has_identity(&self, identity: NumericIdentity) -> bool {
        self.levels.values().any(|l| l.contains_key(&identity))
    }

    /// The redirects that entries lead to.
    #[must_use]
    pub fn redirects(&self) -> &[RedirectKey] {
        &self.redirects
    }

    /// Where an entry of this state redirects.
    #[must_use]
    pub fn redirect_of(&self, entry: &Entry) -> Option<&RedirectKey> {
        self.redirects
            .get(usize::from(entry.redirect).checked_sub(1)?)
    }

    /// All entries, by protocol, port, prefix length and identity.
    pub fn iter(&self) -> impl Iterator<Item = (NumericIdentity, L4Key, &Entry)> {
        self.levels.iter().flat_map(|(l4, level)| {
            let mut entries: Vec<_> = level.iter().collect();
            entries.sort_unstable_by_key(|(id, _)| **id);
            entries.into_iter().map(|(id, e)| (*id, *l4, e))
        })
    }

    /// Protocols, ports and prefix lengths in ascending order, each with its
    /// entries in no particular order.
    pub(crate) fn levels(
        &self,
    ) -> impl Iterator<Item = (L4Key, impl Iterator<Item = (NumericIdentity, &Entry)>)> {
        let entries = |level| Level::iter(level).map(|(id, e)| (*id, e));
        self.levels
            .iter()
            .map(move |(l4, level)| (*l4, entries(level)))
    }

    /// How many entries there are, invalid ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.levels.values().map(Level::len).sum()
    }

    /// True without entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    pub(super) fn aggregate(&self, identity: NumericIdentity) -> NumericIdentity {
        identity.aggregate(&self.config)
    }

    /// True when `child` is another identity whose aggregate is `aggregate`.
    pub(super) fn aggregates(&self, aggregate: NumericIdentity, child: NumericIdentity) -> bool {
        aggregate != child && self.aggregate(child) == aggregate
    }

    /// True when two entries have the same effect: their rules may differ, but
    /// not what those log.
    pub(super) fn equivalent(&self, a: &Entry, b: &Entry) -> bool {
        a.datapath() == b.datapath()
            && a.passes() == b.passes()
            && a.passes.is_some() == b.passes.is_some()
            && (a.origin == b.origin || self.logs_of(&a.origin) == self.logs_of(&b.origin))
    }

    fn logs_of(&self, origin: &Origin) -> Vec<&str> {
        let Some(logs) = &self.logs else {
            return Vec::new();
        };
        let mut lines: Vec<&str> = origin
            .iter()
            .filter_map(|i| logs.get(i as usize))
            .map(|l| &**l)
            .filter(|l| !l.is_empty())
            .collect();
        lines.sort_unstable();
        lines.dedup();
        lines
    }

    /// Puts an entry in place of whatever its key had.
    pub(super) fn set(&mut self, identity: NumericIdentity, l4: L4Key, entry: Entry) {
        self.levels.entry(l4).or_default().insert(identity, entry);
    }

    pub(super) fn delete(&mut self, identity: NumericIdentity, l4: L4Key) {
        if let Some(level) = self.levels.get_mut(&l4) {
            level.remove(&identity);
            if level.is_empty() {
                self.levels.remove(&l4);
            }
        }
    }

    /// Adds an entry to its key: merged with what is there when both are of
    /// one priority and both allow or both deny, else the higher stays.
    pub(super) fn add(&mut self, identity: NumericIdentity, l4: L4Key, new: Entry) {
        let Some(old) = self
            .levels
            .get_mut(&l4)
            .and_then(|level| level.get_mut(&identity))
        else {
            self.set(identity, l4, new);
            return;
        };
        old.passes = merge_passes(old.passes.as_ref(), new.passes.as_ref());
        if old.invalid {
            let passes = old.passes.take();
            *old = new;
            old.passes = passes;
        } else if !new.invalid {
            if old.precedence.merges_with(new.precedence) {
                merge_datapath(old, &new);
                old.origin.extend(&new.origin);
            } else if old.precedence < new.precedence {
                let passes = old.passes.take();
                *old = new;
                old.passes = passes;
            }
        }
    }
}

/// Redirect: the higher precedence, then the lower port. Authentication: said
/// explicitly before derived, then the higher type
/// (pkg/policy/types/entry.go Merge).
fn merge_datapath(old: &mut Entry, new: &Entry) {
    if old.is_deny() || new.is_deny() {
        return;
    }
    if new.proxy_port != 0
        && (new.precedence > old.precedence
            || (new.precedence == old.precedence && new.proxy_port < old.proxy_port))
    {
        old.redirect_as(new);
    }
    if new.auth_explicit() == old.auth_explicit() {
        old.auth = old.auth.max(new.auth);
    } else if new.auth_explicit() {
        old.auth = new.auth;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirect(priority: u8, port: u16, rule: u32) -> Entry {
        Entry {
            precedence: Precedence::allow(0, Some(priority)),
            proxy_port: port,
            auth: 0,
            invalid: false,
            redirect: u16::try_from(rule + 1).unwrap(),
            passes: None,
            origin: Origin::of(rule),
        }
    }

    /// Of two redirects of one key the higher precedence counts, of equal ones
    /// the lower port, whichever came first.
    #[test]
    fn redirects_of_one_key() {
        for (a, b, port) in [
            ((101, 10_002), (101, 10_001), 10_001),
            ((101, 10_002), (126, 10_001), 10_002),
            ((1, 10_009), (101, 10_001), 10_009),
        ] {
            for (first, second) in [(a, b), (b, a)] {
                let mut entry = redirect(first.0, first.1, 0);
                merge_datapath(&mut entry, &redirect(second.0, second.1, 1));
                assert_eq!(entry.proxy_port, port, "{first:?} {second:?}");
                let of_first = entry.proxy_port == first.1;
                assert_eq!(entry.redirect, if of_first { 1 } else { 2 });
            }
        }
    }

    /// An entry names every rule behind it once, in order.
    #[test]
    fn origins_of_one_key() {
        let mut origin = Origin::of(3);
        let shared = origin.clone();
        for rule in [5, 1, 3, 9, 5] {
            origin.extend(&Origin::of(rule));
        }
        assert_eq!(origin.iter().collect::<Vec<_>>(), [1, 3, 5, 9]);
        assert_eq!(shared.iter().collect::<Vec<_>>(), [3]);
        assert!(origin.contains(9) && !origin.contains(2));
    }
}
