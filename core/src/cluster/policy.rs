//! Policies of endpoints, computed once for all that share one.

use super::{Cluster, Endpoint};
use crate::identity::{NumericIdentity, PodPorts};
use crate::label::LabelSet;
use crate::policy_map::{Entry, Key, PolicyMap, StandInProxyPorts};
use crate::resolve::{Applying, Filter, ResolveError, SelectorPolicy, SubjectPolicy};
use crate::rule::{L7Rules, Rule, RuleVerdict};
use crate::selector::SelectorIndex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The policy of an endpoint: its rules, and the entries made of them.
#[derive(Clone, Debug)]
pub struct ResolvedPolicy {
    /// The rules that apply, merged.
    pub subject: SubjectPolicy,
    /// The entries of its policy map. Redirects lead to stand-in ports.
    pub map: PolicyMap,
}

/// What a proxy lets through, of the traffic of one peer to one port.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProxyRules {
    /// HTTP requests or DNS queries; empty does not restrict.
    pub l7: L7Rules,
    /// TLS server names; empty does not restrict.
    pub server_names: BTreeSet<Arc<str>>,
}

impl ResolvedPolicy {
    /// The filter that an entry redirects for. `None` when the entry is no
    /// redirect.
    pub(super) fn redirect_filter(&self, key: &Key, entry: &Entry) -> Option<&Filter> {
        let direction = self.subject.direction(key.direction);
        let redirect = self.map.direction(key.direction).redirect_of(entry)?;
        let source = |p: &SelectorPolicy| {
            p.parser == redirect.parser && p.origin.iter().any(|rule| entry.origin.contains(rule))
        };
        direction.tiers.iter().flat_map(|t| &t.filters).find(|f| {
            f.key.protocol == redirect.protocol && f.policies.iter().any(|(_, p)| source(p))
        })
    }

    /// What the proxy that an entry redirects to decides by. A proxy is told
    /// of every selector of the port, and one that selects the peer is enough:
    /// the rules of all that do count together, and one without rules lets
    /// everything through. `None` when the entry is no redirect.
    #[must_use]
    pub fn proxy_rules(
        &self,
        key: &Key,
        entry: &Entry,
        peer: NumericIdentity,
        selectors: &SelectorIndex,
    ) -> Option<ProxyRules> {
        let filter = self.redirect_filter(key, entry)?;
        let mut rules = ProxyRules::default();
        let (mut any_request, mut any_name) = (false, false);
        for (i, (selector, policy)) in filter.policies.iter().enumerate() {
            let selected = selectors.selections(*selector);
            let selects =
                filter.wildcard == Some(i) || selected.is_some_and(|s| s.contains(peer.0));
            if !selects || policy.verdict != RuleVerdict::Allow {
                continue;
            }
            any_request |= policy.l7.is_empty();
            any_name |= policy.server_names.is_empty();
            rules.l7.http.extend(policy.l7.http.iter().cloned());
            rules.l7.dns.extend(policy.l7.dns.iter().cloned());
            rules
                .server_names
                .extend(policy.server_names.iter().cloned());
        }
        if any_request {
            rules.l7 = L7Rules::default();
        }
        if any_name {
            rules.server_names.clear();
        }
        rules.l7.http.sort();
        rules.l7.http.dedup();
        rules.l7.dns.sort();
        rules.l7.dns.dedup();
        Some(rules)
    }
}

type Cached = Result<Arc<ResolvedPolicy>, ResolveError>;

/// Policies by what they depend on, for the current state of the cluster.
#[derive(Debug, Default)]
pub(super) struct PolicyCache(Mutex<Policies>);

#[derive(Debug, Default)]
struct Policies {
    known: BTreeMap<(NumericIdentity, PodPorts), KnownPolicy>,
    /// How often rules changed.
    age: u64,
}

#[derive(Debug)]
struct KnownPolicy {
    applying: Applying,
    policy: Cached,
    /// When it was last known to be of the rules in force.
    age: u64,
}

impl PolicyCache {
    /// Identities or their ports are others.
    pub(super) fn clear(&mut self) {
        self.get_mut().known.clear();
    }

    /// Rules are others: policies whose rules are all there yet still hold.
    pub(super) fn grow_old(&mut self) {
        self.get_mut().age += 1;
    }

    fn get_mut(&mut self) -> &mut Policies {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Policies> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        let found = |all: &Policies| {
            let known = all.known.get(&key).filter(|known| known.age == all.age);
            known.map(|known| known.policy.clone())
        };
        if let Some(known) = found(&self.policies.lock()) {
            return known;
        }
        let applying = self.repository.applying(id, labels);
        {
            let mut all = self.policies.lock();
            let age = all.age;
            if let Some(known) = all.known.get_mut(&key)
                && known.applying == applying
            {
                known.age = age;
                return known.policy.clone();
            }
        }
        let subject = self.repository.resolve_applying(id, applying.clone());
        let policy = subject.map(|s| Arc::new(self.distilled(s, ports)));
        let mut all = self.policies.lock();
        let known = KnownPolicy {
            applying,
            policy: policy.clone(),
            age: all.age,
        };
        all.known.insert(key, known);
        policy
    }

    /// The policy of an endpoint as it would be without one of its rules.
    ///
    /// # Errors
    /// As [`Self::policy`].
    pub fn policy_without(
        &self,
        endpoint: &Endpoint,
        rule: &Arc<Rule>,
    ) -> Result<ResolvedPolicy, ResolveError> {
        let (id, labels) = (endpoint.identity, &endpoint.labels);
        let applying = self.repository.applying(id, labels).without(rule);
        let subject = self.repository.resolve_applying(id, applying)?;
        Ok(self.distilled(subject, &endpoint.named_ports))
    }

    fn distilled(&self, subject: SubjectPolicy, ports: &PodPorts) -> ResolvedPolicy {
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
        ResolvedPolicy { subject, map }
    }
}
