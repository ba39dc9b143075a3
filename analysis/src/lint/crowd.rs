//! Whom the rules of a cluster are for.
//!
//! In: a cluster. Out: its endpoints in groups that the same rules apply to,
//! and for each rule the groups and identities it is about.

use netverdict::cluster::{Cluster, Endpoint, ResolvedPolicy};
use netverdict::identity::NumericIdentity;
use netverdict::label::LabelSource;
use netverdict::rule::Rule;
use netverdict::selector::{Selector, SelectorKind};
use roaring::RoaringBitmap;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Endpoints that the same rules apply to, and that name their ports alike.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) endpoints: Vec<Arc<Endpoint>>,
    pub(super) policy: Arc<ResolvedPolicy>,
}

impl Group {
    /// The first of its endpoints.
    pub(super) fn one(&self) -> Option<&Arc<Endpoint>> {
        self.endpoints.first()
    }

    /// The same endpoints with the same policy.
    fn is(&self, other: &Self) -> bool {
        let same = |(a, b): (&Arc<Endpoint>, &Arc<Endpoint>)| Arc::ptr_eq(a, b);
        Arc::ptr_eq(&self.policy, &other.policy)
            && self.endpoints.len() == other.endpoints.len()
            && self.endpoints.iter().zip(&other.endpoints).all(same)
    }
}

pub(super) struct Crowd<'c> {
    pub(super) cluster: &'c Cluster,
    groups: Vec<Arc<Group>>,
    /// By address of a rule.
    of_rule: HashMap<usize, Vec<usize>>,
    by_identity: BTreeMap<NumericIdentity, Vec<(usize, Arc<Endpoint>)>>,
    stays: bool,
    without: Vec<usize>,
}

/// Whom a crowd is of.
#[derive(Debug, Default)]
pub(super) struct Members {
    endpoints: Vec<Arc<Endpoint>>,
    /// Places of those that have no policy.
    without: Vec<usize>,
    pub(super) groups: Vec<Arc<Group>>,
}

/// Whom the peers of a rule were, but for the wildcard.
#[derive(Debug)]
pub(super) struct Selected {
    everybody: bool,
    by: Vec<(Arc<Selector>, RoaringBitmap)>,
}

impl Selected {
    pub(super) fn new(crowd: &Crowd<'_>, rule: &Rule) -> Self {
        let peers = rule.peers.iter().flatten();
        let everybody = rule
            .peers
            .as_ref()
            .is_some_and(|peers| peers.is_empty() || peers.iter().any(|p| p.is_wildcard()));
        let by = peers.filter(|p| !p.is_wildcard()).map(|p| {
            let selections = crowd.selections(p).cloned();
            (Arc::clone(p), selections.unwrap_or_default())
        });
        Self {
            everybody,
            by: by.collect(),
        }
    }

    /// True when they still are.
    pub(super) fn holds(&self, crowd: &Crowd<'_>) -> bool {
        let nobody = RoaringBitmap::new();
        let same = |(peer, before): &(Arc<Selector>, RoaringBitmap)| {
            crowd.selections(peer).unwrap_or(&nobody) == before
        };
        !self.everybody && self.by.iter().all(same)
    }
}

impl<'c> Crowd<'c> {
    /// Endpoints on the network of their node have no policy of their own, and
    /// of those that depend on a variable nothing is known. Groups that were
    /// there `before` are the same ones.
    pub(super) fn new(cluster: &'c Cluster, before: &Members) -> Self {
        let own = cluster.endpoints().iter().enumerate();
        let own = own.filter(|(_, e)| !e.host_network && e.templated.is_none());
        let mut numbers = HashMap::new();
        let mut without = Vec::new();
        let mut groups: Vec<Group> = Vec::new();
        let mut of_rule: HashMap<usize, Vec<usize>> = HashMap::new();
        let mut by_identity: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (place, endpoint) in own {
            let Some((applying, policy)) = cluster.applying(endpoint) else {
                without.push(place);
                continue;
            };
            let key = (applying, endpoint.named_ports.clone());
            let number = *numbers.entry(key).or_insert_with(|| {
                let number = groups.len();
                let subject = &policy.subject;
                for rule in subject.ingress.rules.iter().chain(&subject.egress.rules) {
                    of_rule.entry(address(rule)).or_default().push(number);
                }
                groups.push(Group {
                    endpoints: Vec::new(),
                    policy,
                });
                number
            });
            if let Some(group) = groups.get_mut(number) {
                group.endpoints.push(Arc::clone(endpoint));
            }
            let same = by_identity.entry(endpoint.identity).or_default();
            same.push((number, Arc::clone(endpoint)));
        }
        let known: HashMap<usize, &Arc<Group>> = before
            .groups
            .iter()
            .map(|group| (Arc::as_ptr(&group.policy) as usize, group))
            .collect();
        let groups = groups.into_iter().map(|group| {
            let known = known.get(&(Arc::as_ptr(&group.policy) as usize));
            match known.filter(|known| known.is(&group)) {
                Some(known) => Arc::clone(known),
                None => Arc::new(group),
            }
        });
        Self {
            cluster,
            groups: groups.collect(),
            of_rule,
            by_identity,
            stays: cluster.has_endpoints(&before.endpoints) && before.without == without,
            without,
        }
    }

    /// What makes the next one cheap.
    pub(super) fn into_members(self) -> Members {
        Members {
            endpoints: self.cluster.endpoints().to_vec(),
            without: self.without,
            groups: self.groups,
        }
    }

    /// True when it has the same endpoints as the one before: none came, went
    /// or changed.
    pub(super) const fn stays(&self) -> bool {
        self.stays
    }

    pub(super) fn groups(&self) -> &[Arc<Group>] {
        &self.groups
    }

    /// The groups that a rule applies to.
    pub(super) fn subjects(&self, rule: &Arc<Rule>) -> impl Iterator<Item = &Arc<Group>> {
        let numbers = self.of_rule.get(&address(rule)).into_iter().flatten();
        numbers.filter_map(|n| self.groups.get(*n))
    }

    /// The endpoints of an identity, each with its group.
    pub(super) fn of_identity(
        &self,
        id: NumericIdentity,
    ) -> impl Iterator<Item = (&Arc<Group>, &Arc<Endpoint>)> {
        let same = self.by_identity.get(&id).into_iter().flatten();
        same.filter_map(|(n, e)| Some((self.groups.get(*n)?, e)))
    }

    fn selections(&self, selector: &Selector) -> Option<&RoaringBitmap> {
        let index = self.cluster.repository().selectors();
        index.find(selector).and_then(|id| index.selections(id))
    }

    /// The identities of the input that a selector selects.
    pub(super) fn selected(&self, selector: &Selector) -> impl Iterator<Item = NumericIdentity> {
        let ids = self.selections(selector).into_iter().flatten();
        ids.map(NumericIdentity).filter(|id| !id.is_aggregate())
    }

    /// The identities that a rule's peers are; `None` when some of its peers
    /// are not in the input, so that nobody knows who they are.
    pub(super) fn peers(&self, rule: &Rule) -> Option<BTreeSet<NumericIdentity>> {
        let peers = rule.peers.as_ref()?;
        let everybody = peers.is_empty() || peers.iter().any(|p| p.is_wildcard());
        if everybody {
            let all = self.cluster.identities().iter().map(|(id, _)| id);
            let all = all.filter(|id| !id.is_aggregate() && id.0 != 0);
            return Some(all.collect());
        }
        let mut found = BTreeSet::new();
        for peer in peers {
            let mut selected = self.selected(peer).peekable();
            if selected.peek().is_none() && !is_reserved(peer) {
                return None;
            }
            found.extend(selected);
        }
        (!found.is_empty()).then_some(found)
    }

    /// Who an identity is, for people.
    pub(super) fn name(&self, id: NumericIdentity) -> String {
        if let Some((_, endpoint)) = self.of_identity(id).next() {
            return format!("`{endpoint}`");
        }
        let labels = self.cluster.identities().get(id);
        let labels = labels.map(|l| {
            let shown = |l: &netverdict::label::Label| {
                matches!(l.source(), LabelSource::Reserved | LabelSource::Cidr)
            };
            let cidr = l.iter().find(|l| l.source() == &LabelSource::Cidr);
            cidr.or_else(|| l.iter().find(|l| shown(l)))
                .map_or_else(|| id.to_string(), |l| l.key().to_owned())
        });
        format!("`{}`", labels.unwrap_or_else(|| id.to_string()))
    }
}

pub(super) fn address(rule: &Arc<Rule>) -> usize {
    Arc::as_ptr(rule) as usize
}

/// A selector of entities.
pub(super) fn is_reserved(selector: &Selector) -> bool {
    selector
        .requirements()
        .iter()
        .any(|r| r.key.source() == &LabelSource::Reserved)
}

/// A selector of pods by their labels.
pub(super) fn is_of_pods(selector: &Selector) -> bool {
    selector.kind() == SelectorKind::Labels && !selector.is_wildcard() && !is_reserved(selector)
}
