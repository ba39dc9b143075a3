//! Peer classes: which identities one policy and direction cannot tell apart.
//!
//! In: a direction's filters, the selectors' identities and named ports. Out:
//! [`Classes`]: the listed identities with their class, and one identity that
//! stands for each class.
//!
//! Two identities are in one class when they have the same aggregate, the
//! same of the policy's selectors select them, and they mean the same ports by
//! the names the policy uses. Entries are then alike for both: an entry is
//! made for an identity from the filters that select it and from the entries
//! of its aggregate, and from nothing else.

use super::CompileError;
use super::listed::{Listed, Page, bits};
use super::member::{Members, Stand};
use super::refine::{SelectedPages, Touch, touches};
use crate::config::Config;
use crate::identity::{AGGREGATES, NumericIdentity};
use crate::policy_map::{NamedPorts, Peers};
use crate::resolve::DirectionPolicy;
use crate::rule::{Direction, RulePort};
use crate::selector::{SelectorId, SelectorIndex};
use ahash::AHashMap;
use std::sync::Arc;

/// A peer class of a descriptor.
pub type ClassId = u32;

/// Classes of identities that are not listed: one per aggregate, in the order
/// of [`UNLISTED`].
pub const FIRST_LISTED: ClassId = 5;

/// The keys of wildcards in the order of the table's first classes.
pub const UNLISTED: [NumericIdentity; 5] = [
    NumericIdentity::UNKNOWN,
    NumericIdentity::AGGREGATE_CLUSTER,
    NumericIdentity::AGGREGATE_CLUSTER_MESH,
    NumericIdentity::AGGREGATE_WORLD,
    NumericIdentity::AGGREGATE_REMOTE_NODE,
];

/// The class of an identity that is not listed.
///
/// ```
/// use netverdict::compile::unlisted_class;
/// use netverdict::{config::Config, identity::NumericIdentity};
///
/// let config = Config::default();
/// // Pods of the cluster that no rule selects are one class, the world's addresses another.
/// let of = |number| unlisted_class(NumericIdentity(number), &config);
/// assert_eq!(of(1000), of(1001));
/// assert_ne!(of(1000), of(0x0100_0001));
/// ```
#[must_use]
pub fn unlisted_class(identity: NumericIdentity, config: &Config) -> ClassId {
    let aggregate = identity.aggregate(config);
    let place = UNLISTED.iter().position(|u| *u == aggregate);
    place.and_then(|p| ClassId::try_from(p).ok()).unwrap_or(0)
}

/// What tells identities apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Criterion {
    /// A selector selects it.
    Selector(SelectorId),
    /// It means some port by this name, which is part of the step.
    Port(Arc<str>, u8),
    /// It is outside the cluster.
    World,
}

/// A step from a class to a narrower one: criterion number, and port.
pub(super) type Step = (u32, u16);

#[derive(Clone, Copy, Debug)]
struct Node {
    parent: u32,
    criterion: u32,
}

/// The identities a direction's filters name, grouped.
#[derive(Clone, Debug)]
pub struct Classes {
    /// Selectors, ascending, then what else tells identities apart.
    criteria: Vec<Criterion>,
    nodes: Vec<Node>,
    steps: AHashMap<(u32, Step), u32>,
    /// By criterion: the last step with it, from a node with a port to a node.
    last_steps: Vec<(u32, u16, u32)>,
    /// Class of a node; 0 for nodes without identities.
    class_of: Vec<ClassId>,
    /// By class, from [`FIRST_LISTED`] on: an identity of the class.
    representatives: Vec<NumericIdentity>,
    /// Every listed identity and its class.
    pub(super) listed: Listed,
    /// By criterion: the representatives it selects, ascending.
    selected: Vec<Vec<NumericIdentity>>,
    /// The wildcard, where it is spelled out: it selects everybody.
    wildcard: Option<SelectorId>,
    /// Names of ports that are asked of everybody.
    everybody: Vec<(Arc<str>, u8)>,
    config: Arc<Config>,
    world: Vec<NumericIdentity>,
}

/// The nodes a trie starts with: unlisted classes by aggregate, then the
/// aggregates themselves, which share a class with nobody.
const ROOTS: u32 = 10;

/// The node that an identity starts from.
pub(super) fn root(id: NumericIdentity, config: &Config) -> u32 {
    let class = unlisted_class(id, config);
    if id.is_aggregate() {
        FIRST_LISTED + class
    } else {
        class
    }
}

/// From this page on all identities of a page have one aggregate: reserved
/// numbers end before, and scopes and clusters are larger than pages.
const FIRST_UNIFORM_PAGE: u32 = 2;

impl Classes {
    /// Groups the identities that a direction's filters name.
    ///
    /// # Errors
    /// When there are more classes than a table can have, or an identity that
    /// it cannot list.
    pub fn new(
        policy: &DirectionPolicy,
        wildcard_is_world: bool,
        selectors: &SelectorIndex,
        ports: &NamedPorts,
    ) -> Result<Self, CompileError> {
        Self::with(
            policy,
            wildcard_is_world,
            selectors,
            ports,
            &mut SelectedPages::default(),
        )
    }

    /// As [`Self::new`], with what is known of selectors already.
    pub(super) fn with(
        policy: &DirectionPolicy,
        wildcard_is_world: bool,
        selectors: &SelectorIndex,
        ports: &NamedPorts,
        pages: &mut SelectedPages,
    ) -> Result<Self, CompileError> {
        let Wanted {
            criteria,
            everybody,
            wildcard,
        } = criteria(policy, wildcard_is_world);
        let touches = touches(&criteria, &everybody, selectors, ports, pages);
        let mut classes = Self {
            wildcard,
            everybody,
            nodes: (0..ROOTS)
                .map(|i| Node {
                    parent: i,
                    criterion: u32::MAX,
                })
                .collect(),
            steps: AHashMap::with_capacity(2 * criteria.len()),
            last_steps: vec![(u32::MAX, 0, 0); criteria.len()],
            class_of: Vec::new(),
            representatives: Vec::new(),
            listed: Listed::default(),
            selected: vec![Vec::new(); criteria.len()],
            criteria,
            config: Arc::clone(selectors.shared_config()),
            world: Vec::new(),
        };
        let mut parts = Vec::new();
        let pages = touches.chunk_by(|a, b| a.page == b.page).count();
        classes.listed.reserve(pages);
        for of_page in touches.chunk_by(|a, b| a.page == b.page) {
            classes.page(of_page, &mut parts, selectors);
        }
        classes.within_limit()?;
        Ok(classes)
    }

    /// Divides a page among classes. `parts` is room to work in.
    fn page(&mut self, touches: &[Touch], parts: &mut Vec<(u64, u32)>, selectors: &SelectorIndex) {
        let Some(number) = touches.first().map(|t| t.page) else {
            return;
        };
        parts.clear();
        let first = NumericIdentity(number << 6);
        if number >= FIRST_UNIFORM_PAGE {
            parts.push((u64::MAX, root(first, &self.config)));
        } else {
            for (i, id) in (first.0..).take(64).enumerate() {
                let root = root(NumericIdentity(id), &self.config);
                match parts.iter_mut().find(|(_, node)| *node == root) {
                    Some((which, _)) => *which |= 1 << i,
                    None => parts.push((1 << i, root)),
                }
            }
        }
        for touch in touches {
            let step = (touch.criterion, touch.port);
            self.split(parts, touch.which, step, touch.only_listed);
        }
        if let Some(Criterion::World) = self.criteria.last() {
            let step = (len(&self.criteria) - 1, 0);
            let world = |i: &u32| selectors.is_world(NumericIdentity(first.0 | *i));
            let listed = parts.iter().filter(|(_, node)| *node >= ROOTS);
            let listed = listed.fold(0, |all, (which, _)| all | which);
            let which = bits(listed).filter(world).fold(0, |all, i| all | 1 << i);
            self.split(parts, which, step, true);
        }
        self.number(number, parts, selectors);
    }

    /// Takes a step with some identities of a page.
    fn split(&mut self, parts: &mut Vec<(u64, u32)>, which: u64, step: Step, only_listed: bool) {
        for i in 0..parts.len() {
            let Some((all, node)) = parts.get(i).copied() else {
                return;
            };
            let inside = all & which;
            if inside == 0 || (only_listed && node < ROOTS) {
                continue;
            }
            let next = self.step(node, step);
            let Some(part) = parts.get_mut(i) else {
                return;
            };
            if inside == all {
                part.1 = next;
            } else {
                part.0 = all & !inside;
                parts.push((inside, next));
            }
        }
    }

    fn step(&mut self, node: u32, step: Step) -> u32 {
        // Most steps are from one root: the last of each criterion is kept.
        let last = self.last_steps.get(step.0 as usize).copied();
        if let Some((from, port, to)) = last
            && (from, port) == (node, step.1)
        {
            return to;
        }
        let nodes = &mut self.nodes;
        let next = *self.steps.entry((node, step)).or_insert_with(|| {
            nodes.push(Node {
                parent: node,
                criterion: step.0,
            });
            len(nodes) - 1
        });
        if let Some(last) = self.last_steps.get_mut(step.0 as usize) {
            *last = (node, step.1, next);
        }
        next
    }

    /// Lists a page's identities, classes numbered in the order of their first
    /// identity: pages come in ascending order.
    fn number(&mut self, number: u32, parts: &mut Vec<(u64, u32)>, selectors: &SelectorIndex) {
        parts.retain(|(_, node)| *node >= ROOTS);
        if parts.is_empty() {
            return;
        }
        parts.sort_unstable_by_key(|(which, _)| which.trailing_zeros());
        self.class_of.resize(self.nodes.len(), 0);
        let first = NumericIdentity(number << 6);
        let mut page = if number >= FIRST_UNIFORM_PAGE {
            let class = unlisted_class(first, &self.config);
            Page::new(number, |_| class)
        } else {
            Page::new(number, |id| unlisted_class(id, &self.config))
        };
        for (which, node) in parts.iter().copied() {
            let Some(class) = self.class_of.get_mut(node as usize) else {
                continue;
            };
            let new = *class == 0;
            if new {
                *class = FIRST_LISTED + len(&self.representatives);
            }
            page.list(which, *class);
            if new {
                let id = NumericIdentity(first.0 | which.trailing_zeros());
                self.representatives.push(id);
                self.file(id, node, selectors);
            }
        }
        self.listed.push(page);
    }

    fn within_limit(&self) -> Result<(), CompileError> {
        let count = FIRST_LISTED as usize + self.representatives.len();
        if count > 1 << 16 {
            return Err(CompileError::TooManyPeerClasses { count });
        }
        Ok(())
    }

    /// Files a representative under the selectors that select it.
    fn file(&mut self, id: NumericIdentity, node: u32, selectors: &SelectorIndex) {
        let mut at = node;
        while at >= ROOTS
            && let Some(node) = self.nodes.get(at as usize).copied()
        {
            if let Some(selected) = self.selected.get_mut(node.criterion as usize) {
                selected.push(id);
            }
            at = node.parent;
        }
        let asked = self.criteria.last() == Some(&Criterion::World);
        if asked && selectors.is_world(id) {
            self.world.push(id);
        }
    }

    /// Lists an aggregate's number by itself, because it has entries of its
    /// own; nothing if it is listed already.
    ///
    /// # Errors
    /// When there are more classes than a table can have.
    pub(super) fn list_aggregate(&mut self, id: NumericIdentity) -> Result<(), CompileError> {
        debug_assert!(AGGREGATES.contains(&id));
        if self.listed.class(id).is_none() {
            let class = FIRST_LISTED + len(&self.representatives);
            self.representatives.push(id);
            self.relist(id, Some(class));
        }
        self.within_limit()
    }

    /// Puts an identity into another class, or in none.
    fn relist(&mut self, id: NumericIdentity, class: Option<ClassId>) {
        let config = &self.config;
        self.listed.set(id, class, |id| unlisted_class(id, config));
    }

    /// What it takes to say where identities belong that come later.
    pub(super) fn members(&self) -> Members {
        let class = |node: u32| self.class_of.get(node as usize).copied();
        let steps = self.steps.iter().map(|((node, step), next)| {
            let stand = Stand {
                node: *next,
                class: class(*next).unwrap_or(0),
            };
            ((*node, *step), stand)
        });
        Members::new(
            self.criteria.clone(),
            self.everybody.clone(),
            steps.collect(),
            Arc::clone(&self.config),
        )
    }

    /// How many classes there are, those of unlisted identities included.
    #[must_use]
    pub fn count(&self) -> u32 {
        FIRST_LISTED + len(&self.representatives)
    }

    /// An identity of each class from [`FIRST_LISTED`] on.
    #[must_use]
    pub fn representatives(&self) -> &[NumericIdentity] {
        &self.representatives
    }

    /// The class of an identity.
    #[must_use]
    pub fn class(&self, id: NumericIdentity) -> ClassId {
        let listed = self.listed.class(id);
        listed.unwrap_or_else(|| unlisted_class(id, &self.config))
    }
}

impl Peers for Classes {
    fn selected(&self, selector: SelectorId) -> impl Iterator<Item = NumericIdentity> {
        let found = if self.wildcard == Some(selector) {
            Some(&self.representatives)
        } else {
            let number = self.criteria.binary_search_by(|c| match c {
                Criterion::Selector(s) => s.cmp(&selector),
                _ => std::cmp::Ordering::Greater,
            });
            number.ok().and_then(|n| self.selected.get(n))
        };
        found.into_iter().flatten().copied()
    }

    fn is_world(&self, identity: NumericIdentity) -> bool {
        self.world.contains(&identity)
    }

    fn config(&self) -> &Arc<Config> {
        &self.config
    }
}

fn len<T>(list: &[T]) -> u32 {
    u32::try_from(list.len()).unwrap_or(u32::MAX)
}

/// What a direction's filters ask of identities.
#[derive(Default)]
struct Wanted {
    criteria: Vec<Criterion>,
    /// Names of ports that are asked of everybody.
    everybody: Vec<(Arc<str>, u8)>,
    /// The selector by which they are.
    wildcard: Option<SelectorId>,
}

fn criteria(policy: &DirectionPolicy, wildcard_is_world: bool) -> Wanted {
    let mut wanted = Wanted::default();
    if !policy.enforced {
        return wanted;
    }
    let mut selectors = Vec::new();
    let mut names = Vec::new();
    for filter in policy.tiers.iter().flat_map(|t| &t.filters) {
        let name = match &filter.key.port {
            RulePort::Name(name) if policy.direction == Direction::Egress => {
                Some((Arc::clone(name), filter.key.protocol))
            }
            _ => None,
        };
        for (i, (selector, _)) in filter.policies.iter().enumerate() {
            if filter.wildcard != Some(i) {
                selectors.push(*selector);
            } else if let Some(name) = &name {
                wanted.wildcard = Some(*selector);
                wanted.everybody.push(name.clone());
            }
        }
        names.extend(name);
    }
    selectors.sort_unstable();
    selectors.dedup();
    names.sort();
    names.dedup();
    let world = wildcard_is_world && wanted.wildcard.is_some();
    let criteria = selectors.into_iter().map(Criterion::Selector);
    let ports = names.into_iter().map(|(n, p)| Criterion::Port(n, p));
    wanted.criteria = criteria.chain(ports).collect();
    if world {
        wanted.criteria.push(Criterion::World);
    }
    wanted
}
