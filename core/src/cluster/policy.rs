//! Policies of endpoints, computed once for all that share one.

use super::{Cluster, Endpoint};
use crate::identity::{NumericIdentity, PodPorts};
use crate::label::LabelSet;
use crate::policy_map::{PolicyMap, StandInProxyPorts};
use crate::resolve::{ResolveError, SubjectPolicy};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The policy of an endpoint: its rules, and the entries made of them.
#[derive(Clone, Debug)]
pub struct ResolvedPolicy {
    /// The rules that apply, merged.
    pub subject: SubjectPolicy,
    /// The entries of its policy map. Redirects lead to stand-in ports.
    pub map: PolicyMap,
}

type Cached = Result<Arc<ResolvedPolicy>, ResolveError>;

/// Policies by what they depend on, for the current state of the cluster.
#[derive(Debug, Default)]
pub(super) struct PolicyCache(Mutex<BTreeMap<(NumericIdentity, PodPorts), Cached>>);

impl PolicyCache {
    pub(super) fn clear(&mut self) {
        self.0
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

impl Cluster {
    /// The policy of an endpoint. A pod on its node's network has the host's:
    /// none, unless the host firewall is on.
    ///
    /// # Errors
    /// When rules contradict each other; Cilium then keeps the policy the
    /// endpoint had before.
    pub fn policy(&self, endpoint: &Endpoint) -> Result<Arc<ResolvedPolicy>, ResolveError> {
        if endpoint.host_network {
            return self.host_policy();
        }
        self.policy_of(endpoint.identity, &endpoint.labels, &endpoint.named_ports)
    }

    /// The policy of the local host.
    ///
    /// # Errors
    /// As [`Self::policy`].
    pub fn host_policy(&self) -> Result<Arc<ResolvedPolicy>, ResolveError> {
        let labels = self.cache.host_labels();
        self.policy_of(NumericIdentity::HOST, &labels, &PodPorts::new())
    }

    fn policy_of(&self, id: NumericIdentity, labels: &LabelSet, ports: &PodPorts) -> Cached {
        let key = (id, ports.clone());
        let cached = |cluster: &Self| {
            let all = cluster.policies.0.lock();
            let all = all.unwrap_or_else(PoisonError::into_inner);
            all.get(&key).cloned()
        };
        if let Some(known) = cached(self) {
            return known;
        }
        let resolved = self.repository.resolve(id, labels).map(|subject| {
            let own_port = |name: &Arc<str>, protocol: u8| {
                let (own, port) = ports.get(name)?;
                (*own == protocol).then_some(*port)
            };
            let map = PolicyMap::new(
                &subject,
                self.repository.selectors(),
                &own_port,
                &self.named_ports,
                &mut StandInProxyPorts::default(),
            );
            Arc::new(ResolvedPolicy { subject, map })
        });
        let mut all = self
            .policies
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        all.insert(key, resolved.clone());
        resolved
    }
}
