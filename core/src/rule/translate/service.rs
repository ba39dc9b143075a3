//! `toServices`: services become the endpoints or addresses behind them.
//!
//! A service with a pod selector becomes a selector of its pods, one without
//! becomes the addresses of its backends; its ports play no part
//! (Cilium 1.20.2 pkg/policy/k8s/service.go).

use crate::label::keys;
use crate::object::SelectorOperator;
use crate::object::cilium::{PolicyMember, SelectedService, ServiceRef};
use crate::selector::{LabelQuery, Requirement, Selector};
use crate::source::Span;
use ahash::{AHashMap, AHashSet};
use ipnet::IpNet;
use roaring::{MultiOps, RoaringBitmap};
use std::borrow::Cow;
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
    /// By namespace and name, the first of labels with one key only.
    all: Vec<Service>,
    by_name: AHashMap<String, RoaringBitmap>,
    by_label: AHashMap<String, LabelPlaces>,
}

/// Which services have a label key, by their places in the list.
#[derive(Clone, Debug, Default)]
struct LabelPlaces {
    all: RoaringBitmap,
    by_value: AHashMap<String, RoaringBitmap>,
}

impl Services {
    /// Files services.
    #[must_use]
    pub fn new(mut all: Vec<Service>) -> Self {
        all.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        let mut by_name: AHashMap<String, RoaringBitmap> = AHashMap::new();
        let mut by_label: AHashMap<String, LabelPlaces> = AHashMap::new();
        for (i, service) in (0u32..).zip(&mut all) {
            by_name.entry(service.name.clone()).or_default().insert(i);
            service.labels.sort_by(|(a, _), (b, _)| a.cmp(b));
            service
                .labels
                .dedup_by(|(later, _), (first, _)| later == first);
            for (key, value) in &service.labels {
                let places = by_label.entry(key.clone()).or_default();
                places.all.insert(i);
                places.by_value.entry(value.clone()).or_default().insert(i);
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

    /// The places of the services that a reference names. The selector wins
    /// when both forms are given.
    fn named<'s>(&'s self, reference: &'s ServiceRef, known: &mut Known<'s>) -> RoaringBitmap {
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
                    return RoaringBitmap::new();
                }
                self.selected(&query, self.places(namespace))
            }
            (None, Some(named)) if named.namespace.is_empty() => {
                let name = named.service_name.value.as_str();
                if !known.names.insert(name) {
                    return RoaringBitmap::new();
                }
                self.by_name.get(name).cloned().unwrap_or_default()
            }
            (None, Some(named)) => {
                let places = self.places(&named.namespace);
                let inside = self.in_namespace(&named.namespace);
                let found = inside.binary_search_by(|s| s.name.cmp(&named.service_name.value));
                let place = found.ok().map(|i| places.start + i);
                place
                    .and_then(|i| u32::try_from(i).ok())
                    .into_iter()
                    .collect()
            }
            (None, None) => RoaringBitmap::new(),
        }
    }

    /// The services in these places that a selector selects. Conditions are
    /// worked out on sets of services and not on one service after the other:
    /// very many selectors may ask for what very many services have.
    fn selected(&self, query: &Selector, inside: Range<usize>) -> RoaringBitmap {
        let mut found = RoaringBitmap::new();
        let place = |i: usize| u32::try_from(i).unwrap_or(u32::MAX);
        found.insert_range(place(inside.start)..place(inside.end));
        let (mut met, mut excluded) = (Vec::new(), Vec::new());
        for requirement in query.requirements() {
            match requirement.operator {
                SelectorOperator::In | SelectorOperator::Exists => &mut met,
                SelectorOperator::NotIn | SelectorOperator::DoesNotExist => &mut excluded,
            }
            .push(self.with_label(requirement));
        }
        // The fewest first, so that little is left for the others.
        met.sort_by_cached_key(|places| places.len());
        for places in met {
            if found.is_empty() {
                break;
            }
            found &= &*places;
        }
        for places in excluded {
            if found.is_empty() {
                break;
            }
            found -= &*places;
        }
        found
    }

    /// The services that have the label of a condition, with one of its values
    /// if it names any. Label sources are ignored: a service's labels have
    /// none.
    fn with_label(&self, requirement: &Requirement) -> Cow<'_, RoaringBitmap> {
        let Some(places) = self.by_label.get(requirement.key.key()) else {
            return Cow::default();
        };
        match requirement.operator {
            SelectorOperator::Exists | SelectorOperator::DoesNotExist => Cow::Borrowed(&places.all),
            SelectorOperator::In | SelectorOperator::NotIn => {
                let mut values: Vec<&str> = requirement.values.iter().map(|v| &**v).collect();
                values.sort_unstable();
                values.dedup();
                let with_value = |v: &str| places.by_value.get(v);
                match values.as_slice() {
                    [one] => with_value(one).map_or_else(Cow::default, Cow::Borrowed),
                    all => Cow::Owned(all.iter().filter_map(|v| with_value(v)).union()),
                }
            }
        }
    }
}

/// What a member has named so far: again it adds nothing.
#[derive(Default)]
struct Known<'s> {
    services: RoaringBitmap,
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
    let mut pairs: Vec<(u32, usize)> = Vec::new();
    let mut known = Known::default();
    for (r, reference) in member.services.iter().enumerate() {
        // A service behind several references is a peer of the first.
        let found = services.named(reference, &mut known) - &known.services;
        pairs.extend(found.iter().map(|service| (service, r)));
        known.services |= found;
    }
    // In the order of the services, as the agent goes over them.
    pairs.sort_unstable();
    let mut peers = ServicePeers::default();
    for (service, reference) in pairs {
        let (Some(service), Some(reference)) = (
            services.all.get(service as usize),
            member.services.get(reference),
        ) else {
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
