//! Allocation of identities to label sets.
//!
//! In: label sets. Out: numbers, reference-counted; and the whole state as
//! bytes, so that numbers stay the same across runs. The rules are those of
//! Cilium 1.20.2 pkg/identity/cache/local.go for the node-local scopes; global
//! numbers, which Cilium draws at random, are drawn lowest-first here.

use super::numeric::cluster_shift;
use super::{NumericIdentity, ReservedLookup, Scope, reserved_lookup, scope_for_labels};
use crate::config::Config;
use crate::label::LabelSet;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

/// Why no identity could be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllocationError {
    /// Every number of the scope is taken.
    Exhausted(Scope),
    /// The saved state cannot be read: what is wrong with it.
    State(String),
}

impl fmt::Display for AllocationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exhausted(Scope::Global) => {
                f.write_str("out of cluster identities: every number of this cluster is taken")
            }
            Self::Exhausted(_) => f.write_str("out of local identity space"),
            Self::State(why) => write!(f, "identity state cannot be read: {why}"),
        }
    }
}

impl std::error::Error for AllocationError {}

/// Gives numbers to label sets and takes them back.
pub trait Allocator {
    /// The number of a label set, with one more reference to it. The same set
    /// has the same number until its last reference is released.
    ///
    /// # Errors
    /// [`AllocationError::Exhausted`] when the scope has no number left.
    fn allocate(&mut self, labels: &LabelSet) -> Result<NumericIdentity, AllocationError>;

    /// Drops one reference; true when it was the last and the number is free.
    /// Reserved identities are never freed.
    fn release(&mut self, id: NumericIdentity) -> bool;

    /// The number of a label set, if it has one now.
    fn lookup(&self, labels: &LabelSet) -> Option<NumericIdentity>;

    /// The labels of a number that is in use.
    fn labels(&self, id: NumericIdentity) -> Option<&LabelSet>;
}

#[derive(Clone, Debug)]
struct Held {
    labels: LabelSet,
    references: u32,
}

/// One scope's numbers.
///
/// A freed number is not reused before the counter has wrapped around, so that
/// a number in a packet under way never comes to mean something else.
#[derive(Clone, Debug)]
pub struct LocalAllocator {
    scope: Scope,
    first: u32,
    last: u32,
    next: u32,
    by_id: BTreeMap<u32, Held>,
    by_labels: HashMap<String, u32>,
    withheld: BTreeSet<u32>,
}

impl LocalAllocator {
    /// An empty allocator for a scope, over `first..=last` (without the scope's
    /// own bits).
    #[must_use]
    pub fn new(scope: Scope, first: u32, last: u32) -> Self {
        Self {
            scope,
            first,
            last,
            next: first,
            by_id: BTreeMap::new(),
            by_labels: HashMap::new(),
            withheld: BTreeSet::new(),
        }
    }

    /// As [`Allocator::allocate`]; `candidate` is the number to take if it is
    /// of this scope and free, even when withheld.
    ///
    /// # Errors
    /// [`AllocationError::Exhausted`] when nothing is free.
    pub fn allocate(
        &mut self,
        labels: &LabelSet,
        candidate: Option<NumericIdentity>,
    ) -> Result<NumericIdentity, AllocationError> {
        let key = labels.canonical();
        if let Some(&id) = self.by_labels.get(&key) {
            if let Some(held) = self.by_id.get_mut(&id) {
                held.references = held.references.saturating_add(1);
            }
            return Ok(NumericIdentity(id));
        }
        let wanted = candidate
            .map(|c| c.0)
            .filter(|id| self.in_range(*id) && !self.by_id.contains_key(id));
        let id = match wanted {
            Some(id) => id,
            None => self.draw().ok_or(AllocationError::Exhausted(self.scope))?,
        };
        self.by_id.insert(
            id,
            Held {
                labels: labels.clone(),
                references: 1,
            },
        );
        self.by_labels.insert(key, id);
        Ok(NumericIdentity(id))
    }

    /// As [`Allocator::release`].
    pub fn release(&mut self, id: NumericIdentity) -> bool {
        let Some(held) = self.by_id.get_mut(&id.0) else {
            return false;
        };
        held.references = held.references.saturating_sub(1);
        if held.references > 0 {
            return false;
        }
        if let Some(held) = self.by_id.remove(&id.0) {
            self.by_labels.remove(&held.labels.canonical());
        }
        true
    }

    /// Keeps numbers from being drawn until [`Self::unwithhold`]; a request
    /// for one of them by number still gets it.
    pub fn withhold(&mut self, ids: impl IntoIterator<Item = NumericIdentity>) {
        self.withheld.extend(ids.into_iter().map(|id| id.0));
    }

    /// Ends the withholding of these numbers.
    pub fn unwithhold(&mut self, ids: impl IntoIterator<Item = NumericIdentity>) {
        for id in ids {
            self.withheld.remove(&id.0);
        }
    }

    fn in_range(&self, id: u32) -> bool {
        let low = self.scope.base() | self.first;
        (low..=(self.scope.base() | self.last)).contains(&id)
    }

    fn draw(&mut self) -> Option<u32> {
        let base = self.scope.base();
        let size = self.last - self.first + 1;
        // All taken: the scan below would walk the whole range for nothing.
        if self.by_id.len() < size as usize {
            for _ in 0..size {
                let id = base | self.next;
                self.next = if self.next >= self.last {
                    self.first
                } else {
                    self.next + 1
                };
                if !self.by_id.contains_key(&id) && !self.withheld.contains(&id) {
                    return Some(id);
                }
            }
        }
        // Rather a withheld number than none.
        let id = self
            .withheld
            .iter()
            .copied()
            .find(|id| !self.by_id.contains_key(id))?;
        self.withheld.remove(&id);
        Some(id)
    }
}

/// One identity in the saved state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SavedIdentity {
    id: u32,
    labels: String,
}

/// What is saved of an allocator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalState {
    version: u32,
    identities: Vec<SavedIdentity>,
}

const STATE_VERSION: u32 = 1;

/// An allocator for one process: reserved identities by table, node-local and
/// cluster identities from memory.
#[derive(Clone, Debug)]
pub struct MemoryAllocator {
    config: Config,
    global: LocalAllocator,
    local: LocalAllocator,
    remote_node: LocalAllocator,
    reserved: BTreeMap<u32, LabelSet>,
}

impl MemoryAllocator {
    /// An empty allocator for the configured cluster: numbers from 256 (or the
    /// cluster's first) for pods, from 1 in the two local scopes.
    ///
    /// ```
    /// use netverdict::config::Config;
    /// use netverdict::identity::{Allocator, MemoryAllocator};
    /// use netverdict::label::{Label, LabelSet};
    ///
    /// let mut allocator = MemoryAllocator::new(&Config::default());
    /// let labels: LabelSet = [Label::k8s("app", "web")].into_iter().collect();
    /// let identity = allocator.allocate(&labels)?;
    /// // The same labels are the same identity, wherever they come from.
    /// assert_eq!(allocator.allocate(&labels)?, identity);
    /// assert_eq!(allocator.labels(identity), Some(&labels));
    /// # Ok::<(), netverdict::identity::AllocationError>(())
    /// ```
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let shift = cluster_shift(config.max_connected_clusters);
        let (first, last) = if config.cluster_id == 0 {
            (256, (1 << shift) - 1)
        } else {
            let base = config.cluster_id << shift;
            (base, base + ((1 << shift) - 1))
        };
        Self {
            global: LocalAllocator::new(Scope::Global, first, last),
            local: LocalAllocator::new(Scope::Local, 1, 0x00ff_ffff),
            remote_node: LocalAllocator::new(Scope::RemoteNode, 1, 0x00ff_ffff),
            reserved: super::reserved_identities(config)
                .into_iter()
                .map(|(id, labels)| (id.0, labels))
                .collect(),
            config: config.clone(),
        }
    }

    /// Allocates a label set under a number known from elsewhere (a
    /// CiliumIdentity object, a saved state) if that number is free and of the
    /// set's scope; under another number otherwise.
    ///
    /// # Errors
    /// [`AllocationError::Exhausted`] when the scope has no number left.
    pub fn allocate_as(
        &mut self,
        labels: &LabelSet,
        id: NumericIdentity,
    ) -> Result<NumericIdentity, AllocationError> {
        self.allocate_candidate(labels, Some(id))
    }

    fn allocate_candidate(
        &mut self,
        labels: &LabelSet,
        candidate: Option<NumericIdentity>,
    ) -> Result<NumericIdentity, AllocationError> {
        if let ReservedLookup::Is(id) = reserved_lookup(labels, &self.config) {
            return Ok(id);
        }
        self.scoped_mut(scope_for_labels(labels))
            .allocate(labels, candidate)
    }

    fn scoped(&self, scope: Scope) -> &LocalAllocator {
        match scope {
            Scope::Global => &self.global,
            Scope::Local => &self.local,
            Scope::RemoteNode => &self.remote_node,
        }
    }

    fn scoped_mut(&mut self, scope: Scope) -> &mut LocalAllocator {
        match scope {
            Scope::Global => &mut self.global,
            Scope::Local => &mut self.local,
            Scope::RemoteNode => &mut self.remote_node,
        }
    }

    /// Keeps these numbers from being drawn: something outside this allocator
    /// has them. [`Self::allocate_as`] still gives them out.
    pub fn withhold(&mut self, ids: impl IntoIterator<Item = NumericIdentity>) {
        for id in ids {
            self.scoped_mut(id.scope()).withhold([id]);
        }
    }

    /// Every identity in use, by number, with its labels.
    pub fn iter(&self) -> impl Iterator<Item = (NumericIdentity, &LabelSet)> {
        [&self.global, &self.local, &self.remote_node]
            .into_iter()
            .flat_map(|a| a.by_id.iter())
            .map(|(id, held)| (NumericIdentity(*id), &held.labels))
    }

    /// The state as JSON bytes: `{"version":1,"identities":[{"id","labels"}]}`,
    /// sorted by number, labels in canonical text.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let state = LocalState {
            version: STATE_VERSION,
            identities: self
                .iter()
                .map(|(id, labels)| SavedIdentity {
                    id: id.0,
                    labels: labels.canonical(),
                })
                .collect(),
        };
        // Serialising plain numbers and strings cannot fail.
        serde_json::to_vec(&state).unwrap_or_default()
    }

    /// Takes up a saved state: every label set gets its old number back unless
    /// its scope has changed. Each restored identity has one reference, which
    /// the caller drops with [`Self::end_restore`] once the identities really
    /// in use have been allocated again.
    ///
    /// # Errors
    /// [`AllocationError::State`] when the bytes are not a state of this
    /// version, or an exhausted scope.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<Vec<NumericIdentity>, AllocationError> {
        let state: LocalState =
            serde_json::from_slice(bytes).map_err(|e| AllocationError::State(e.to_string()))?;
        if state.version != STATE_VERSION {
            return Err(AllocationError::State(format!(
                "version {} is not {STATE_VERSION}",
                state.version
            )));
        }
        for scope in [Scope::Global, Scope::Local, Scope::RemoteNode] {
            let ids = state.identities.iter().map(|s| NumericIdentity(s.id));
            self.scoped_mut(scope).withhold(ids);
        }
        let mut restored = Vec::new();
        for saved in &state.identities {
            let labels = LabelSet::from_canonical(&saved.labels);
            let id = NumericIdentity(saved.id);
            if scope_for_labels(&labels) != id.scope() {
                continue;
            }
            restored.push(self.allocate_candidate(&labels, Some(id))?);
        }
        for scope in [Scope::Global, Scope::Local, Scope::RemoteNode] {
            let ids = state.identities.iter().map(|s| NumericIdentity(s.id));
            self.scoped_mut(scope).unwithhold(ids);
        }
        Ok(restored)
    }

    /// Drops the references that [`Self::restore`] took.
    pub fn end_restore(&mut self, restored: Vec<NumericIdentity>) {
        for id in restored {
            self.release(id);
        }
    }
}

impl Allocator for MemoryAllocator {
    fn allocate(&mut self, labels: &LabelSet) -> Result<NumericIdentity, AllocationError> {
        self.allocate_candidate(labels, None)
    }

    fn release(&mut self, id: NumericIdentity) -> bool {
        if self.reserved.contains_key(&id.0) {
            return false;
        }
        self.scoped_mut(id.scope()).release(id)
    }

    fn lookup(&self, labels: &LabelSet) -> Option<NumericIdentity> {
        if let ReservedLookup::Is(id) = reserved_lookup(labels, &self.config) {
            return Some(id);
        }
        self.scoped(scope_for_labels(labels))
            .by_labels
            .get(&labels.canonical())
            .map(|id| NumericIdentity(*id))
    }

    fn labels(&self, id: NumericIdentity) -> Option<&LabelSet> {
        self.reserved.get(&id.0).or_else(|| {
            self.scoped(id.scope())
                .by_id
                .get(&id.0)
                .map(|held| &held.labels)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::label::Label;

    fn set(labels: &[&str]) -> LabelSet {
        labels.iter().map(|l| Label::parse(l)).collect()
    }

    #[test]
    fn numbers_are_shared_counted_and_not_reused_at_once() {
        let mut a = MemoryAllocator::new(&Config::default());
        let cidr = set(&["cidr:10.0.0.0/8", "reserved:world-ipv4"]);
        let first = a.allocate(&cidr).unwrap();
        assert_eq!(first.0, 0x0100_0001);
        assert_eq!(a.allocate(&cidr).unwrap(), first);
        assert!(!a.release(first));
        assert!(a.release(first));
        assert_eq!(a.lookup(&cidr), None);
        assert_eq!(a.allocate(&cidr).unwrap().0, 0x0100_0002);
        assert_eq!(a.allocate(&set(&["k8s:app=a"])).unwrap().0, 256);
        assert_eq!(a.allocate(&set(&["reserved:world-ipv4"])).unwrap().0, 9);
        assert!(!a.release(NumericIdentity(9)));
    }

    #[test]
    fn a_full_scope_takes_withheld_numbers_and_then_fails() {
        let mut a = LocalAllocator::new(Scope::Local, 1, 3);
        a.withhold([NumericIdentity(0x0100_0002)]);
        let mut got = Vec::new();
        for key in ["a", "b", "c"] {
            got.push(a.allocate(&set(&[key]), None).unwrap().0 & 0xff);
        }
        assert_eq!(got, [1, 3, 2]);
        assert_eq!(
            a.allocate(&set(&["d"]), None),
            Err(AllocationError::Exhausted(Scope::Local))
        );
    }

    #[test]
    fn state_survives_a_round_trip() {
        let config = Config::default();
        let mut a = MemoryAllocator::new(&config);
        let gone = a.allocate(&set(&["k8s:app=gone"])).unwrap();
        let web = a.allocate(&set(&["k8s:app=web"])).unwrap();
        assert_eq!((gone.0, web.0), (256, 257));
        let bytes = a.to_bytes();

        let mut b = MemoryAllocator::new(&config);
        let restored = b.restore(&bytes).unwrap();
        assert_eq!(b.allocate(&set(&["k8s:app=new"])).unwrap().0, 258);
        assert_eq!(b.allocate(&set(&["k8s:app=web"])).unwrap(), web);
        b.end_restore(restored);
        assert_eq!(b.lookup(&set(&["k8s:app=gone"])), None);
        assert_eq!(b.lookup(&set(&["k8s:app=web"])), Some(web));

        assert!(matches!(
            MemoryAllocator::new(&config).restore(b"{}"),
            Err(AllocationError::State(_))
        ));
    }

    #[test]
    fn clusters_have_ranges_of_their_own() {
        let mut a = MemoryAllocator::new(&Config {
            cluster_id: 3,
            ..Config::default()
        });
        assert_eq!(a.allocate(&set(&["k8s:app=web"])).unwrap().0, 3 << 16);
    }
}
