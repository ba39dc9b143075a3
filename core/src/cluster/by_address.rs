//! Pods by address.
//!
//! In: endpoints that come and go. Out: whose an address is: of several that
//! have it, the first by namespace, name and kind.

use super::Endpoint;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// The endpoints that have an address of their own.
#[derive(Debug, Default)]
pub(super) struct PodsByAddress(BTreeMap<IpAddr, Vec<Arc<Endpoint>>>);

impl PodsByAddress {
    /// Whose an address is.
    pub(super) fn get(&self, ip: &IpAddr) -> Option<&Arc<Endpoint>> {
        self.0.get(ip)?.first()
    }

    /// Every address with whose it is.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&IpAddr, &Arc<Endpoint>)> {
        let owned = self.0.iter();
        owned.filter_map(|(ip, owners)| Some((ip, owners.first()?)))
    }

    pub(super) fn insert(&mut self, endpoint: &Arc<Endpoint>) {
        for ip in &endpoint.addresses {
            let owners = self.0.entry(*ip).or_default();
            let place = owners.partition_point(|o| o.place() < endpoint.place());
            // A pod may list an address twice.
            if owners.get(place).is_none_or(|o| !Arc::ptr_eq(o, endpoint)) {
                owners.insert(place, Arc::clone(endpoint));
            }
        }
    }

    pub(super) fn remove(&mut self, endpoint: &Arc<Endpoint>) {
        for ip in &endpoint.addresses {
            if let Some(owners) = self.0.get_mut(ip) {
                owners.retain(|o| !Arc::ptr_eq(o, endpoint));
                if owners.is_empty() {
                    self.0.remove(ip);
                }
            }
        }
    }
}
