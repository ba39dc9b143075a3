//! Whom the rules of a cluster are for.
//!
//! In: a cluster. Out: its endpoints in groups that the same rules apply to,
//! and for each rule the groups and identities it is about.

use netverdict::cluster::{Cluster, Endpoint, ResolvedPolicy};
use netverdict::identity::NumericIdentity;
use netverdict::label::LabelSource;
use netverdict::rule::Rule;
use netverdict::selector::{Selector, SelectorKind};
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
}

impl<'c> Crowd<'c> {
    /// Endpoints on the network of their node have no policy of their own, and
    /// of those that depend on a variable nothing is known. Groups that were
    /// there `before` are the same ones.
    pub(super) fn new(cluster: &'c Cluster, before: &[Arc<Group>]) -> Self {
        let own = cluster.endpoints().iter();
        let own = own.filter(|e| !e.host_network && e.templated.is_none());
        let mut numbers = HashMap::new();
        let mut groups: Vec<Group> = Vec::new();
        let mut of_rule: HashMap<usize, Vec<usize>> = HashMap::new();
        let mut by_identity: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for endpoint in own {
            let applying = cluster
                .repository()
                .applying(endpoint.identity, &endpoint.labels);
            let key = (applying, endpoint.named_ports.clone());
            let number = match numbers.get(&key) {
                Some(number) => *number,
                None => {
                    let Ok(policy) = cluster.policy(endpoint) else {
                        continue;
                    };
                    let number = groups.len();
                    for rule in policy
                        .subject
                        .ingress
                        .rules
                        .iter()
                        .chain(&policy.subject.egress.rules)
                    {
                        of_rule.entry(address(rule)).or_default().push(number);
                    }
                    groups.push(Group {
                        endpoints: Vec::new(),
                        policy,
                    });
                    numbers.insert(key, number);
                    number
                }
            };
            if let Some(group) = groups.get_mut(number) {
                group.endpoints.push(Arc::clone(endpoint));
            }
            let same = by_identity.entry(endpoint.identity).or_default();
            same.push((number, Arc::clone(endpoint)));
        }
        let known: HashMap<usize, &Arc<Group>> = before
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
        }
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

    /// The identities of the input that a selector selects.
    pub(super) fn selected(&self, selector: &Selector) -> Vec<NumericIdentity> {
        let index = self.cluster.repository().selectors();
        let selections = index.find(selector).and_then(|id| index.selections(id));
        let ids = selections.into_iter().flat_map(|s| s.iter());
        ids.map(NumericIdentity)
            .filter(|id| !id.is_aggregate())
            .collect()
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
            let selected = self.selected(peer);
            if selected.is_empty() && !is_reserved(peer) {
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
