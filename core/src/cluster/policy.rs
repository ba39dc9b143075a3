//! Policies of endpoints, computed once for all that share one.

use super::{Cluster, Endpoint};
use crate::identity::{NumericIdentity, PodPorts};
use crate::label::LabelSet;
use crate::policy_map::{Entry, Key, PolicyMap, StandInProxyPorts};
use crate::resolve::{Applying, Filter, ResolveError, SelectorPolicy, SubjectPolicy};
use crate::rule::{Direction, L7Rules, Rule, RulePort, RuleVerdict};
use crate::selector::{SelectorId, SelectorIndex};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The policy of an endpoint: its rules, and the entries made of them.
///
/// ```
/// use netverdict::cluster::{Cluster, ProxyRules, ResolvedPolicy};
/// use netverdict::rule::Direction;
///
/// let shop = include_str!("../../examples/shop.yaml");
/// let web = "
/// {apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: web, namespace: shop},
///  spec: {endpointSelector: {matchLabels: {app: web}}, ingress: [{toPorts: [{
///   ports: [{port: '80', protocol: TCP}], rules: {http: [{method: GET, path: /docs}]}}]}]}}";
/// let cluster = Cluster::read(&format!("{shop}---{web}"))?;
/// let policy = cluster.policy(&*cluster.find_endpoint("shop/web")?).expect("nothing contradicts");
/// let policy: &ResolvedPolicy = &policy;
/// // The entry that redirects, and what the proxy there lets through.
/// let entries = policy.map.entries();
/// let (key, entry) = entries.iter().find(|(_, e)| e.proxy_port != 0).expect("a redirect");
/// assert_eq!(key.direction, Direction::Ingress);
/// let peer = cluster.find_endpoint("shop/db")?.identity;
/// let rules: Option<ProxyRules> = policy.proxy_rules(key, entry, peer, cluster.repository().selectors());
/// assert_eq!(rules.expect("a redirect").lines(), ["GET /docs"]);
/// # Ok::<(), Box<netverdict::diagnostic::Diagnostic>>(())
/// ```
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
}

#[derive(Debug)]
struct KnownPolicy {
    applying: Arc<Applying>,
    policy: Cached,
    /// What [`Repository::rules_since`](crate::resolve::Repository) said when
    /// these were last known to be the rules that apply.
    since: [u64; 2],
}

impl PolicyCache {
    /// Subjects went or have other labels, selectors select others than
    /// before, and with `ports` peers call their ports otherwise. What a policy
    /// map was not made from leaves it as it is.
    pub(super) fn forget(
        &mut self,
        subjects: &BTreeSet<NumericIdentity>,
        moved: &BTreeSet<SelectorId>,
        ports: bool,
    ) {
        let follows = |filter: &Filter, egress: bool| {
            let by_name = egress && matches!(filter.key.port, RulePort::Name(_));
            // Entries of the wildcard are for everybody, unless each peer has
            // another port.
            let mut peers = (0..).zip(&filter.policies);
            by_name && ports
                || peers.any(|(i, (selector, _))| {
                    (by_name || filter.wildcard != Some(i)) && moved.contains(selector)
                })
        };
        let all = self.get_mut();
        all.known.retain(|(id, _), known| {
            let Ok(policy) = &known.policy else {
                return false;
            };
            let mut directions = Direction::BOTH.into_iter();
            !subjects.contains(id)
                && !directions.any(|direction| {
                    let tiers = policy.subject.direction(direction).tiers.iter();
                    let mut filters = tiers.flat_map(|t| &t.filters);
                    filters.any(|f| follows(f, direction == Direction::Egress))
                })
        });
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
    /// ```
    /// use netverdict::rule::Direction;
    /// use netverdict::cluster::Cluster;
    ///
    /// let cluster = Cluster::read(include_str!("../../examples/shop.yaml"))?;
    /// let db = cluster.find_endpoint("shop/db")?;
    /// let policy = cluster.policy(&db).expect("it resolves");
    /// // The entries of Cilium's policy map: one for 5432, one for its own node.
    /// let ingress = policy.map.direction(Direction::Ingress);
    /// assert!(ingress.iter().any(|(_, key, entry)| key.port == 5432 && !entry.is_deny()));
    /// # Ok::<(), Box<netverdict::diagnostic::Diagnostic>>(())
    /// ```
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

    /// The rules that apply to an endpoint, and its policy: endpoints to which
    /// the same rules apply have the same policies, if they call their ports
    /// alike. `None` as [`Self::policy`] fails.
    #[must_use]
    pub fn applying(&self, endpoint: &Endpoint) -> Option<(Arc<Applying>, Arc<ResolvedPolicy>)> {
        let (id, labels) = (endpoint.identity, &endpoint.labels);
        let (applying, policy) = self.known_policy(id, labels, &endpoint.named_ports);
        Some((applying, policy.ok()?))
    }

    fn policy_of(&self, id: NumericIdentity, labels: &LabelSet, ports: &PodPorts) -> Cached {
        self.known_policy(id, labels, ports).1
    }

    fn known_policy(
        &self,
        id: NumericIdentity,
        labels: &LabelSet,
        ports: &PodPorts,
    ) -> (Arc<Applying>, Cached) {
        let key = (id, ports.clone());
        let since = self.repository.rules_since(labels);
        {
            let mut all = self.policies.lock();
            if let Some(known) = all.known.get_mut(&key) {
                let stay = known.since == since || {
                    let applying = self.repository.applying(id, labels);
                    *known.applying == applying
                };
                if stay {
                    known.since = since;
                    return (Arc::clone(&known.applying), known.policy.clone());
                }
            }
        }
        let applying = self.repository.applying(id, labels);
        let subject = self.repository.resolve_applying(id, applying.clone());
        let policy = subject.map(|s| Arc::new(self.distilled(s, ports)));
        let applying = Arc::new(applying);
        let known = KnownPolicy {
            applying: Arc::clone(&applying),
            policy: policy.clone(),
            since,
        };
        self.policies.lock().known.insert(key, known);
        (applying, policy)
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
