//! The services that `toServices` can name, with their backends.

use super::ObjectKey;
use crate::object::Object;
use crate::object::cidr::parse_addr;
use crate::rule::Service;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Addresses behind each service, as its Endpoints and EndpointSlice objects
/// list them. Those that are not ready are not backends.
pub(super) fn backends(
    objects: &BTreeMap<ObjectKey, Object>,
) -> BTreeMap<(&str, &str), BTreeSet<IpAddr>> {
    let mut all: BTreeMap<(&str, &str), BTreeSet<IpAddr>> = BTreeMap::new();
    for object in objects.values() {
        let Object::Endpoints(endpoints) = object else {
            continue;
        };
        if endpoints.service.is_empty() {
            continue;
        }
        let service = (object.namespace(), endpoints.service.value.as_str());
        let addresses = endpoints.subsets.iter().flat_map(|s| &s.addresses);
        all.entry(service).or_default().extend(
            addresses
                .filter(|a| a.ready)
                .filter_map(|a| parse_addr(&a.address).ok())
                .map(|a| a.to_canonical()),
        );
    }
    all
}

/// Every service.
pub(super) fn services(objects: &BTreeMap<ObjectKey, Object>) -> Vec<Service> {
    let backends = backends(objects);
    let pairs = |list: &[(
        crate::source::Spanned<String>,
        crate::source::Spanned<String>,
    )]| {
        list.iter()
            .map(|(k, v)| (k.value.clone(), v.value.clone()))
            .collect()
    };
    objects
        .values()
        .filter_map(|object| {
            let Object::Service(service) = object else {
                return None;
            };
            let key = (object.namespace(), object.name());
            Some(Service {
                namespace: key.0.to_owned(),
                name: key.1.to_owned(),
                labels: pairs(&service.meta.labels),
                selector: pairs(service.selector.as_deref().unwrap_or_default()),
                backends: backends
                    .get(&key)
                    .map(|b| b.iter().copied().collect())
                    .unwrap_or_default(),
            })
        })
        .collect()
}

/// True for a policy that names services.
pub(super) fn names_services(object: &Object) -> bool {
    let Object::CiliumPolicy(policy) = object else {
        return false;
    };
    policy
        .specs
        .iter()
        .flat_map(|s| &s.egress)
        .any(|m| !m.services.is_empty())
}
