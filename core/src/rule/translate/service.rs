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
use ipnet::IpNet;
use std::net::IpAddr;

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

/// What a member's `toServices` add to its peers.
#[derive(Debug, Default)]
pub(super) struct ServicePeers {
    /// Selectors of the pods behind services.
    pub endpoints: Vec<(LabelQuery, Span)>,
    /// Addresses behind services without a selector.
    pub prefixes: Vec<(IpNet, Span)>,
}

/// The peers behind the services a member names.
pub(super) fn service_peers(member: &PolicyMember, services: &[Service]) -> ServicePeers {
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    for (r, reference) in member.services.iter().enumerate() {
        named(reference, services, |service| pairs.push((service, r)));
    }
    // In the order of the services, as the agent goes over them.
    pairs.sort_unstable();
    let mut peers = ServicePeers::default();
    for (service, reference) in pairs {
        let (Some(service), Some(reference)) =
            (services.get(service), member.services.get(reference))
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

/// The places of the services that a reference names, among services sorted
/// by namespace and name. The selector wins when both forms are given.
fn named(reference: &ServiceRef, services: &[Service], mut found: impl FnMut(usize)) {
    let in_namespace = |ns: &str| {
        let everywhere = ns.is_empty();
        let start = services.partition_point(|s| !everywhere && s.namespace.as_str() < ns);
        let end = services.partition_point(|s| everywhere || s.namespace.as_str() <= ns);
        (start, services.get(start..end).unwrap_or_default())
    };
    match (&reference.selector, &reference.name) {
        (
            Some(SelectedService {
                selector,
                namespace,
            }),
            _,
        ) => {
            let query: Selector = LabelQuery::from_object(selector, "any").build(selector.span);
            let (start, inside) = in_namespace(namespace);
            for (i, service) in inside.iter().enumerate() {
                if query.requirements().iter().all(|r| matches(r, service)) {
                    found(start + i);
                }
            }
        }
        (None, Some(named)) if named.namespace.is_empty() => {
            let all = services.iter().enumerate();
            all.filter(|(_, s)| s.name == named.service_name.value)
                .for_each(|(i, _)| found(i));
        }
        (None, Some(named)) => {
            let (start, inside) = in_namespace(&named.namespace);
            if let Ok(i) = inside.binary_search_by(|s| s.name.cmp(&named.service_name.value)) {
                found(start + i);
            }
        }
        (None, None) => {}
    }
}

/// Label sources are ignored: a service's labels have none.
fn matches(requirement: &Requirement, service: &Service) -> bool {
    let key = Label::key(&requirement.key);
    let value = service
        .labels
        .iter()
        .find(|(k, _)| k == key)
        .map(|(_, v)| v.as_str());
    let listed = || value.is_some_and(|v| requirement.values.iter().any(|r| &**r == v));
    match requirement.operator {
        SelectorOperator::In => listed(),
        SelectorOperator::NotIn => !listed(),
        SelectorOperator::Exists => value.is_some(),
        SelectorOperator::DoesNotExist => value.is_none(),
    }
}
