//! The policies of a scenario's endpoints as Envoy is sent them.

use super::answer::Prepared;
use crate::l7::{NetworkPolicy, Secrets, Translation};
use crate::resolve::SubjectPolicy;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The first of the ports that stand in for those of custom listeners.
const FIRST_LISTENER_PORT: u16 = 20_001;

impl Prepared<'_> {
    /// Identities, and for every endpoint its network policy; `null` for one
    /// without a policy. Custom listeners have stand-in ports, by name.
    #[must_use]
    pub fn network_policies(&self) -> Value {
        let all = self.resolved.iter().enumerate().map(|(i, endpoint)| {
            let policy = endpoint.result.as_ref().ok().map(|(policy, _)| policy);
            let ports = &endpoint.ports;
            let proxy = policy.map(|policy| {
                let listeners = listeners(policy);
                let secrets = Secrets::default();
                let translation = Translation {
                    selectors: self.repository.selectors(),
                    own_port: &|name: &Arc<str>, protocol| {
                        ports.get(&(name.to_string(), protocol)).copied()
                    },
                    named_ports: &self.world.peer_ports,
                    listener_port: &|name| listeners.get(name).copied().unwrap_or(0),
                    secrets: &secrets,
                };
                let message = NetworkPolicy {
                    endpoint_id: i as u64 + 1,
                    ..translation.policy(policy)
                };
                message.to_json(&secrets)
            });
            json!({"id": endpoint.id.0, "proxy": proxy})
        });
        let all: Vec<Value> = all.collect();
        json!({"identities": self.world.answers, "endpoints": all})
    }
}

/// Ports of custom listeners of both directions, in order of their names.
fn listeners(policy: &SubjectPolicy) -> BTreeMap<Arc<str>, u16> {
    let tiers = policy.ingress.tiers.iter().chain(&policy.egress.tiers);
    let filters = tiers.flat_map(|t| &t.filters);
    let names: BTreeSet<Arc<str>> = filters
        .flat_map(|f| &f.policies)
        .map(|(_, p)| Arc::clone(&p.listener))
        .filter(|name| !name.is_empty())
        .collect();
    names.into_iter().zip(FIRST_LISTENER_PORT..).collect()
}
