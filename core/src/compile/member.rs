//! Where identities belong that come after a direction was compiled.
//!
//! In: the steps by which its classes were found. Out: for an identity, given
//! what selects it now, one of these classes, or that there is none.

use super::class::{ClassId, Criterion, Step, root};
use crate::config::Config;
use crate::identity::NumericIdentity;
use crate::policy_map::{NamedPorts, Peers};
use crate::selector::{SelectorId, SelectorIndex};
use std::sync::Arc;

/// Where an identity belongs now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Belongs {
    /// Nothing in the policy names it.
    Unlisted,
    /// To a class there is.
    Class(ClassId),
    /// To none that there is.
    New,
}

/// How far an identity has come on the way to its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stand {
    pub(super) node: u32,
    /// The class of those who stop here; 0 where nobody does.
    pub(super) class: ClassId,
}

impl Stand {
    /// Beyond all that the direction's identities did.
    pub(super) const NOWHERE: Self = Self {
        node: u32::MAX,
        class: 0,
    };

    /// Where somebody belongs who started from `root` and stops here.
    pub(super) const fn belongs(self, root: u32) -> Belongs {
        match self.class {
            _ if self.node == root => Belongs::Unlisted,
            0 => Belongs::New,
            class => Belongs::Class(class),
        }
    }
}

/// The classes of a direction as identities find them.
#[derive(Debug)]
pub(super) struct Members {
    criteria: Vec<Criterion>,
    everybody: Vec<(Arc<str>, u8)>,
    /// Ascending: the node a step is taken from, the step, and what it leads to.
    steps: Box<[((u32, Step), Stand)]>,
    /// Selectors alone do not say where an identity belongs.
    asks_more: bool,
    config: Arc<Config>,
}

impl Members {
    pub(super) fn new(
        criteria: Vec<Criterion>,
        everybody: Vec<(Arc<str>, u8)>,
        mut steps: Box<[((u32, Step), Stand)]>,
        config: Arc<Config>,
    ) -> Self {
        steps.sort_unstable_by_key(|(from, _)| *from);
        // What is no selector comes last.
        let last = criteria.last();
        Self {
            asks_more: last.is_some_and(|c| !matches!(c, Criterion::Selector(_))),
            criteria,
            everybody,
            steps,
            config,
        }
    }

    /// The step of a criterion, with a port where it asks for one.
    pub(super) fn step(&self, node: u32, step: Step) -> Stand {
        let place = self
            .steps
            .binary_search_by_key(&(node, step), |(from, _)| *from);
        let stand = place.ok().and_then(|p| self.steps.get(p));
        stand.map_or(Stand::NOWHERE, |(_, stand)| *stand)
    }

    /// The selectors whose identities matter, ascending, with the number of
    /// their criterion.
    pub(super) fn selectors(&self) -> impl Iterator<Item = (u32, SelectorId)> {
        let criteria = (0u32..).zip(&self.criteria);
        criteria.filter_map(|(number, c)| match c {
            Criterion::Selector(s) => Some((number, *s)),
            _ => None,
        })
    }

    /// True when named ports of identities matter.
    pub(super) fn asks_ports(&self) -> bool {
        let port = |c: &Criterion| matches!(c, Criterion::Port(..));
        self.criteria.iter().any(port)
    }

    /// True when selectors alone do not say where an identity belongs.
    pub(super) const fn asks_more(&self) -> bool {
        self.asks_more
    }

    /// Where an identity belongs, given what selectors select and ports mean
    /// now.
    pub(super) fn belongs(
        &self,
        id: NumericIdentity,
        selectors: &SelectorIndex,
        ports: &NamedPorts,
    ) -> Belongs {
        let root = root(id, &self.config);
        let mut at = Stand {
            node: root,
            class: 0,
        };
        for (number, criterion) in (0u32..).zip(&self.criteria) {
            let step = match criterion {
                Criterion::Selector(s) => {
                    let selected = selectors.selections(*s);
                    let selected = selected.is_some_and(|ids| ids.contains(id.0));
                    selected.then_some((number, 0))
                }
                Criterion::Port(name, protocol) => {
                    let all = self.everybody.contains(&(Arc::clone(name), *protocol));
                    let port = ports.get(id, name, *protocol);
                    let port = port.filter(|_| all || at.node != root);
                    port.map(|p| (number, p))
                }
                Criterion::World => {
                    (at.node != root && selectors.is_world(id)).then_some((number, 0))
                }
            };
            if let Some(step) = step {
                at = self.step(at.node, step);
            }
        }
        at.belongs(root)
    }
}
