//! `toServices`: services become the endpoints or addresses behind them.
//!
//! A service with a pod selector becomes a selector of its pods, one without
//! becomes the addresses of its backends; its ports play no part
//! (Cilium 1.20.2 pkg/policy/k8s/service.go).

use crate::label::{Label, keys};
use crate::object::SelectorOperator;
use crate::object::cilium::{PolicyMember, SelectedService, ServiceRef};
use crate::selector::{LabelQuery, Requirement, Selector};
use crate::source::Span;
use ahash::{AHashMap, AHashSet};
use ipnet::IpNet;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

/// A Kubernetes service as far as policies see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Vec<(String, String)>,
    /// Its pod selector; empty for a service whose backends are listed.
    pub selector: Vec<(String, String)>,
    /// Addresses of its backends.
    pub backends: Vec<IpAddr>,
}

/// The services that policies may name, found by name and by label.
#[derive(Clone, Debug, Default)]
pub struct Services {
    /// By namespace and name, their labels by key.
    all: Vec<Service>,
    by_name: AHashMap<String, Vec<usize>>,
    by_label: AHashMap<String, LabelPlaces>,
}

/// Where services with a label key are.
#[derive(Clone, Debug, Default)]
struct LabelPlaces {
    all: Vec<usize>,
    by_value: AHashMap<String, Vec<usize>>,
}

impl Services {
    /// Files services.
    #[must_use]
    pub fn new(mut all: Vec<Service>) -> Self {
        all.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        let mut by_name: AHashMap<String, Vec<usize>> = AHashMap::new();
        let mut by_label: AHashMap<String, LabelPlaces> = AHashMap::new();
        for (i, service) in all.iter_mut().enumerate() {
            by_name.entry(service.name.clone()).or_default().push(i);
            service.labels.sort_by(|(a, _), (b, _)| a.cmp(b));
            service
                .labels
                .dedup_by(|(later, _), (first, _)| later == first);
            for (key, value) in &service.labels {
                let places = by_label.entry(key.clone()).or_default();
                places.all.push(i);
                places.by_value.entry(value.clone()).or_default().push(i);
            }
        }
        Self {
            all,
            by_name,
            by_label,
        }
    }

    /// Every service, by namespace and name.
    #[must_use]
    pub fn as_slice(&self) -> &[Service] {
        &self.all
    }

    /// True when some service has that name, in whatever namespace.
    #[must_use]
    pub fn has_name(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// The services of a namespace, or all of them without one.
    #[must_use]
    pub fn in_namespace(&self, namespace: &str) -> &[Service] {
        self.all.get(self.places(namespace)).unwrap_or_default()
    }

    fn places(&self, namespace: &str) -> Range<usize> {
        if namespace.is_empty() {
            return 0..self.all.len();
        }
        let start = self
            .all
            .partition_point(|s| s.namespace.as_str() < namespace);
        start
            ..self
                .all
                .partition_point(|s| s.namespace.as_str() <= namespace)
    }

    /// The places of the services that a reference names, each once. The
    /// selector wins when both forms are given.
    fn named<'s>(&'s self, reference: &'s ServiceRef, known: &mut Known<'s>) -> Vec<usize> {
        match (&reference.selector, &reference.name) {
            (
                Some(SelectedService {
                    selector,
                    namespace,
                }),
                _,
            ) => {
                let query = LabelQuery::from_object(selector, "any").build(selector.span);
                if !known.selectors.insert((&**namespace, query.key().into())) {
                    return Vec::new();
                }
                self.selected(&query, self.places(namespace))
            }
            (None, Some(named)) if named.namespace.is_empty() => {
                let name = named.service_name.value.as_str();
                if !known.names.insert(name) {
                    return Vec::new();
                }
                self.by_name.get(name).cloned().unwrap_or_default()
            }
            (None, Some(named)) => {
                let places = self.places(&named.namespace);
                let inside = self.in_namespace(&named.namespace);
                let found = inside.binary_search_by(|s| s.name.cmp(&named.service_name.value));
                found.map(|i| places.start + i).into_iter().collect()
            }
            (None, None) => Vec::new(),
        }
    }

    /// The services in these places that a selector selects: tested are those
    /// that meet the condition which the fewest meet.
    fn selected(&self, query: &Selector, inside: Range<usize>) -> Vec<usize> {
        let rarest = query
            .requirements()
            .iter()
            .filter_map(|r| self.meeting(r))
            .min_by_key(|places| places.iter().map(|p| p.len()).sum::<usize>());
        let meets = |i: &usize| {
            self.all
                .get(*i)
                .is_some_and(|s| query.requirements().iter().all(|r| matches(r, s)))
        };
        let fewer =
            rarest.filter(|lists| lists.iter().map(|l| l.len()).sum::<usize>() < inside.len());
        let Some(lists) = fewer else {
            return inside.filter(meets).collect();
        };
        lists
            .into_iter()
            .flatten()
            .copied()
            .filter(|i| inside.contains(i) && meets(i))
            .collect()
    }

    /// Where the services are that meet a condition; `None` when it takes
    /// some away instead.
    fn meeting(&self, requirement: &Requirement) -> Option<Vec<&[usize]>> {
        let places = self.by_label.get(Label::key(&requirement.key));
        match requirement.operator {
            SelectorOperator::Exists => {
                Some(places.map(|p| p.all.as_slice()).into_iter().collect())
            }
            SelectorOperator::In => {
                let mut values: Vec<&str> = requirement.values.iter().map(|v| &**v).collect();
                values.sort_unstable();
                values.dedup();
                let lists = values.into_iter().filter_map(|v| places?.by_value.get(v));
                Some(lists.map(Vec::as_slice).collect())
            }
            SelectorOperator::NotIn | SelectorOperator::DoesNotExist => None,
        }
    }
}

/// References of a member that were looked up: again they name nothing new.
#[derive(Default)]
struct Known<'s> {
    names: AHashSet<&'s str>,
    selectors: AHashSet<(&'s str, Arc<str>)>,
}

/// What a member's `toServices` add to its peers.
#[derive(Debug, Default)]
pub(super) struct ServicePeers {
    /// Selectors of the pods behind services.
    pub endpoints: Vec<(LabelQuery, Span)>,
    /// Addresses behind services without a selector.
    pub prefixes: Vec<(IpNet, Span)>,
}

/// The peers behind the services a member names.
pub(super) fn service_peers(member: &PolicyMember, services: &Services) -> ServicePeers {
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    let mut known = Known::default();
    for (r, reference) in member.services.iter().enumerate() {
        let found = services.named(reference, &mut known);
        pairs.extend(found.into_iter().map(|service| (service, r)));
    }
    // In the order of the services, as the agent goes over them.
    pairs.sort_unstable();
    // A service behind several references is a peer of the first.
    pairs.dedup_by_key(|(service, _)| *service);
    let mut peers = ServicePeers::default();
    for (service, reference) in pairs {
        let (Some(service), Some(reference)) =
            (services.all.get(service), member.services.get(reference))
        else {
            continue;
        };
        if service.selector.is_empty() {
            let hosts = service.backends.iter().map(|ip| IpNet::from(*ip));
            peers.prefixes.extend(hosts.map(|p| (p, reference.span)));
            continue;
        }
        let mut query = LabelQuery::default();
        for (key, value) in &service.selector {
            let key = crate::label::with_source("k8s", key).into_owned();
            query.add_match(key, value.as_str());
        }
        query.add_match(
            format!("k8s:{}", keys::POD_NAMESPACE),
            service.namespace.as_str(),
        );
        peers.endpoints.push((query, reference.span));
    }
    peers
}

/// Label sources are ignored: a service's labels have none.
fn matches(requirement: &Requirement, service: &Service) -> bool {
    let key = Label::key(&requirement.key);
    let value = service
        .labels
        .binary_search_by(|(k, _)| k.as_str().cmp(key))
        .ok()
        .and_then(|i| service.labels.get(i))
        .map(|(_, v)| v.as_str());
    let listed = || value.is_some_and(|v| requirement.values.iter().any(|r| &**r == v));
    match requirement.operator {
        SelectorOperator::In => listed(),
        SelectorOperator::NotIn => !listed(),
        SelectorOperator::Exists => value.is_some(),
        SelectorOperator::DoesNotExist => value.is_none(),
    }
}
