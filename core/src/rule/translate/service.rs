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
    let mut peers = ServicePeers::default();
    for service in services {
        for reference in member.services.iter().filter(|r| names(r, service)) {
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
    }
    peers
}

/// True when a reference names a service. The selector wins when both forms
/// are given.
fn names(reference: &ServiceRef, service: &Service) -> bool {
    let in_namespace = |ns: &str| ns.is_empty() || ns == service.namespace;
    match (&reference.selector, &reference.name) {
        (
            Some(SelectedService {
                selector,
                namespace,
            }),
            _,
        ) => {
            let query: Selector = LabelQuery::from_object(selector, "any").build(selector.span);
            in_namespace(namespace) && query.requirements().iter().all(|r| matches(r, service))
        }
        (None, Some(named)) => {
            in_namespace(&named.namespace) && named.service_name.value == service.name
        }
        (None, None) => false,
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
