//! What follows from the objects, kept up to date.
//!
//! In: which objects changed. Out: the rest of the cluster brought up to date,
//! and [`Moved`], what of it is not as it was. A pod that comes, changes or goes
//! costs what it touches. What a change of other objects may concern is derived
//! again from all objects, and compared with what there was.

use super::endpoint::{self, CONTROLLERS, given_identities};
use super::{Cluster, Endpoint, ObjectKey, address, check, namespace, service};
use crate::identity::{Allocator, NumericIdentity, reserved_identities};
use crate::label::LabelSet;
use crate::object::Object;
use crate::rule::{
    Rule, Services, Translator, cilium_resource, cluster_policy_resource, network_policy_resource,
};
use crate::selector::SelectorId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

/// What the last update changed.
#[derive(Debug, Default)]
pub(super) struct Moved {
    /// Identities that came, went or changed, with the selectors that gained
    /// or lost them.
    pub(super) identities: BTreeMap<NumericIdentity, BTreeSet<SelectorId>>,
    /// Identities whose named ports may be others.
    pub(super) ports: BTreeSet<NumericIdentity>,
    /// Endpoints that went, and those that changed as they were.
    pub(super) gone: Vec<Arc<Endpoint>>,
    /// Endpoints that came, and those that changed as they are.
    pub(super) come: Vec<Arc<Endpoint>>,
    /// Rules that came or went.
    pub(super) rules: Vec<Arc<Rule>>,
}

/// Kinds of objects that give numbers to label sets.
pub(super) const GIVING: [&str; 2] = ["CiliumEndpoint", "CiliumIdentity"];

/// What changed objects may concern beside rules and their own endpoints.
#[derive(Clone, Copy, Debug, Default)]
struct Concerned {
    services: bool,
    addresses: bool,
    /// Endpoints of other objects.
    endpoints: bool,
}

impl Concerned {
    fn by(touched: &BTreeSet<ObjectKey>) -> Self {
        let mut concerned = Self::default();
        for key in touched {
            match key.kind.as_str() {
                "Service" | "Endpoints" | "EndpointSlice" => {
                    concerned.services = true;
                    concerned.addresses = true;
                }
                "Node" | "CiliumNode" | "CiliumCIDRGroup" => concerned.addresses = true,
                kind if GIVING.contains(&kind) || CONTROLLERS.contains(&kind) => {
                    concerned.endpoints = true;
                }
                _ => {}
            }
        }
        concerned
    }
}

/// True for a rule that names prefixes, or names of DNS.
fn speaks_of_addresses(rule: &Rule) -> bool {
    let mut peers = rule.peers.iter().flatten();
    peers.any(|peer| peer.prefixes().next().is_some() || peer.fqdn_label().is_some())
}

/// When more of the endpoints than one in so many change, all are derived.
const MANY: usize = 8;

impl Cluster {
    /// Brings everything up to date; `touched` are the objects that changed
    /// since the last time, `names` says whether answers of DNS did.
    pub(super) fn update(&mut self, touched: &BTreeSet<ObjectKey>, names: bool) {
        // Numbers may have become free.
        let all = std::mem::take(&mut self.new) || !self.exhausted.is_empty();
        self.exhausted.clear();
        self.diagnostics = OnceLock::new();
        self.moved = Moved::default();
        let concerned = Concerned::by(touched);
        let namespaces = namespace::follow(&mut self.namespaces, &self.objects, touched);
        self.update_rules(touched, concerned.services);
        if !self.moved.rules.is_empty() {
            self.templated = OnceLock::new();
        }
        let rules = self.moved.rules.iter().any(|r| speaks_of_addresses(r));
        let told = all || names || rules || concerned.addresses;
        let prefixes = told && self.update_addresses();
        let prefixes = prefixes || all || concerned.addresses;
        let others = all || concerned.endpoints || (prefixes && self.config.cidr_matches_pods);
        let pods = (!others).then(|| self.pods_touched(touched, &namespaces));
        match pods.flatten() {
            Some(pods) => {
                self.follow_pods(pods);
                if prefixes {
                    self.update_hosts();
                    self.update_identities();
                } else {
                    self.follow_identities();
                }
            }
            None => {
                self.update_endpoints();
                self.update_identities();
            }
        }
        self.moved_on();
    }

    /// What was worked out from identities that moved holds no more.
    pub(super) fn moved_on(&mut self) {
        let Moved {
            identities,
            ports,
            gone,
            come,
            rules: _,
        } = &self.moved;
        if identities.is_empty() && ports.is_empty() && gone.is_empty() && come.is_empty() {
            return;
        }
        self.population += 1;
        let selectors = identities.values().flatten().copied().collect();
        let both = gone.iter().chain(come).map(|e| e.identity);
        let subjects = identities.keys().chain(ports).copied().chain(both);
        let subjects = subjects.collect();
        let ports = !ports.is_empty();
        self.policies.forget(&subjects, &selectors, ports);
    }

    fn update_rules(&mut self, touched: &BTreeSet<ObjectKey>, services: bool) {
        let services = services && {
            let services = Services::new(service::services(&self.objects));
            let changed = services.as_slice() != self.services.as_slice();
            self.services = services;
            changed
        };
        for key in touched {
            if !self.objects.get(key).is_some_and(Object::is_policy)
                && let Some(resource) = self.resources.remove(key)
            {
                let old = self.repository.rules_of(&resource).iter().cloned();
                self.moved.rules.extend(old);
                self.repository.remove(&resource);
            }
        }
        let translator = Translator {
            config: &self.config,
            services: Some(&self.services),
        };
        let all = services.then(|| self.objects.iter());
        let naming = all.into_iter().flatten();
        let naming = naming.filter(|(key, o)| service::names_services(o) && !touched.contains(key));
        let touched = touched.iter().filter_map(|k| self.objects.get_key_value(k));
        let mut affected: Vec<(&ObjectKey, &Object)> = touched.chain(naming).collect();
        affected.sort_unstable_by_key(|(key, _)| *key);
        for (key, object) in affected {
            let (resource, rules) = match object {
                Object::CiliumPolicy(p) => (cilium_resource(p), translator.cilium_policy(p)),
                Object::NetworkPolicy(p) => {
                    (network_policy_resource(p), translator.network_policy(p))
                }
                Object::ClusterNetworkPolicy(p) if self.config.cluster_network_policy => (
                    cluster_policy_resource(p),
                    translator.cluster_network_policy(p),
                ),
                _ => continue,
            };
            let old = self.repository.rules_of(&resource).iter().cloned();
            self.moved.rules.extend(old);
            self.repository.replace(&resource, rules);
            let new = self.repository.rules_of(&resource).iter().cloned();
            self.moved.rules.extend(new);
            self.resources.insert(key.clone(), resource);
        }
    }

    /// What is said of addresses; true if any of it is new.
    fn update_addresses(&mut self) -> bool {
        self.name_patterns = address::name_patterns(self);
        let told = address::contributions(self);
        let changed = told != self.contributions;
        for (prefix, resource) in self.contributions.keys() {
            if !told.contains_key(&(*prefix, Arc::clone(resource))) {
                self.cache.remove(*prefix, resource);
            }
        }
        for (key, metadata) in &told {
            if self.contributions.get(key) != Some(metadata) {
                self.cache.upsert(key.0, metadata.clone());
            }
        }
        self.contributions = told;
        if let Err(error) = self.cache.resolve(&mut self.allocator, &self.config) {
            self.exhausted.push(check::exhausted(&error));
        }
        self.nodes_by_address = address::nodes(&self.objects);
        changed
    }

    /// Gives an endpoint its identity; returns the number if a reference to it
    /// is held now.
    fn identify(&mut self, endpoint: &mut Endpoint) -> Option<NumericIdentity> {
        if endpoint.host_network {
            endpoint.identity = self.host_identity(endpoint);
            return None;
        }
        if self.config.cidr_matches_pods && endpoint.identity == NumericIdentity::UNKNOWN {
            address::add_prefix_labels(endpoint, &self.cache);
        }
        if endpoint.identity != NumericIdentity::UNKNOWN {
            return None;
        }
        match self.allocator.allocate(&endpoint.labels) {
            Ok(id) => {
                endpoint.identity = id;
                let fixed = self.config.fixed_identities.contains_key(&id.0);
                let always = fixed.then(|| reserved_identities(&self.config));
                let own = always.into_iter().flatten().find(|(n, _)| *n == id);
                if let Some((_, labels)) = own {
                    endpoint.take_fixed_identity(labels);
                }
                Some(id)
            }
            Err(error) => {
                // Such a pod waits without labels of its own.
                endpoint.identity = NumericIdentity::INIT;
                self.exhausted.push(check::exhausted(&error));
                None
            }
        }
    }

    /// Pods on a node's network have the identity of its address.
    fn host_identity(&self, endpoint: &Endpoint) -> NumericIdentity {
        let mut nodes = self.nodes_by_address.iter();
        let node_address = nodes.find(|(_, node)| **node == endpoint.node);
        let known = endpoint
            .addresses
            .iter()
            .chain(node_address.map(|(ip, _)| ip))
            .find_map(|ip| self.cache.longest_match(ip))
            .filter(|(_, e)| e.labels.get("remote-node").is_some() || e.id.0 == 1);
        known.map_or(NumericIdentity::REMOTE_NODE, |(_, e)| e.id)
    }

    /// Derives every endpoint. They get their identities; what they had before
    /// is released after that, so that nothing changes its number without need.
    fn update_endpoints(&mut self) {
        self.given = given_identities(&self.objects);
        let mut held = Vec::new();
        for (id, labels) in endpoint::by_age(&self.given, &self.objects) {
            self.allocator.withhold([id]);
            match self.allocator.allocate_as(labels, id) {
                Ok(id) => held.push(id),
                Err(error) => self.exhausted.push(check::exhausted(&error)),
            }
        }
        let mut endpoints = endpoint::endpoints(
            &self.objects,
            &self.namespaces,
            &self.given,
            &self.options.filter,
            &self.config,
        );
        let recorded = endpoints.iter().map(|e| e.identity);
        self.allocator
            .withhold(recorded.filter(|id| *id != NumericIdentity::UNKNOWN));
        for endpoint in &mut endpoints {
            held.extend(self.identify(endpoint));
        }
        for id in std::mem::replace(&mut self.held, held) {
            self.allocator.release(id);
        }
        let mut old = std::mem::take(&mut self.endpoints).into_iter().peekable();
        for endpoint in endpoints {
            while let Some(gone) = old.next_if(|o| o.place() < endpoint.place()) {
                self.unindex(gone);
            }
            match old.next_if(|o| o.place() == endpoint.place()) {
                Some(same) if *same == endpoint => self.endpoints.push(same),
                other => {
                    other.into_iter().for_each(|gone| self.unindex(gone));
                    let come = self.index(endpoint);
                    self.endpoints.push(come);
                }
            }
        }
        old.for_each(|gone| self.unindex(gone));
    }

    /// An endpoint came: it is found by its addresses, and names its ports.
    fn index(&mut self, endpoint: Endpoint) -> Arc<Endpoint> {
        let endpoint = Arc::new(endpoint);
        if !endpoint.host_network {
            self.pods_by_address.insert(&endpoint);
            for (name, (protocol, port)) in &endpoint.named_ports {
                let id = endpoint.identity;
                self.named_ports.insert(id, name, *protocol, *port);
                self.moved.ports.insert(id);
            }
        }
        self.moved.come.push(Arc::clone(&endpoint));
        endpoint
    }

    /// An endpoint went.
    fn unindex(&mut self, endpoint: Arc<Endpoint>) {
        if !endpoint.host_network {
            self.pods_by_address.remove(&endpoint);
            for (name, (protocol, port)) in &endpoint.named_ports {
                let id = endpoint.identity;
                self.named_ports.remove(id, name, *protocol, *port);
                self.moved.ports.insert(id);
            }
        }
        self.moved.gone.push(endpoint);
    }

    /// The pods whose endpoints may be others; `None` when that is not for
    /// pods alone to say, or when they are many.
    fn pods_touched(
        &self,
        touched: &BTreeSet<ObjectKey>,
        namespaces: &BTreeSet<String>,
    ) -> Option<BTreeSet<ObjectKey>> {
        let key = |kind: &str, namespace: &str, name: &str| ObjectKey {
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        let touched = touched.iter().filter(|k| k.kind == "Pod");
        let mut pods: BTreeSet<ObjectKey> = touched.cloned().collect();
        let apart = endpoint::pods_speak_for_themselves(&self.objects);
        let none = pods.is_empty() && namespaces.is_empty();
        if !(apart || none) {
            return None;
        }
        for namespace in namespaces {
            let all = self.objects.range(key("Pod", namespace, "")..);
            let own = all.take_while(|(k, _)| k.kind == "Pod" && k.namespace == *namespace);
            pods.extend(own.map(|(k, _)| k.clone()));
        }
        let recorded = |pod: &ObjectKey| {
            let record = key("CiliumEndpoint", &pod.namespace, &pod.name);
            self.objects.contains_key(&record)
        };
        let few = pods.len() <= self.endpoints.len() / MANY + MANY;
        (few && !pods.iter().any(recorded)).then_some(pods)
    }

    /// Derives the endpoints of some pods, as [`Self::update_endpoints`] does.
    fn follow_pods(&mut self, pods: BTreeSet<ObjectKey>) {
        let mut left = Vec::new();
        for key in pods {
            let pod = match self.objects.get(&key) {
                Some(Object::Pod(pod)) => endpoint::of_pod(
                    pod,
                    &key.namespace,
                    &self.namespaces,
                    &self.options.filter,
                    &self.config,
                ),
                _ => None,
            };
            let place = (key.namespace.as_str(), key.name.as_str(), "Pod");
            let known = self.endpoints.binary_search_by(|e| e.place().cmp(&place));
            let old = known.ok().and_then(|i| self.endpoints.get(i)).cloned();
            left.extend(old.iter().filter(|o| !o.host_network).map(|o| o.identity));
            let new = pod.map(|mut endpoint| {
                let held = self.identify(&mut endpoint);
                self.held.extend(held);
                endpoint
            });
            if old.as_deref() == new.as_ref() {
                continue;
            }
            if let Some(old) = old {
                self.unindex(old);
            }
            match (known, new.map(|new| self.index(new))) {
                (Ok(i), Some(new)) => {
                    if let Some(slot) = self.endpoints.get_mut(i) {
                        *slot = new;
                    }
                }
                (Ok(i), None) => {
                    self.endpoints.remove(i);
                }
                (Err(i), Some(new)) => self.endpoints.insert(i, new),
                (Err(_), None) => {}
            }
        }
        for id in left {
            if let Some(place) = self.held.iter().position(|h| *h == id) {
                self.held.swap_remove(place);
                self.allocator.release(id);
            }
        }
    }

    /// Addresses have other identities: so may pods on the network of nodes.
    fn update_hosts(&mut self) {
        for i in 0..self.endpoints.len() {
            let Some(old) = self.endpoints.get(i).filter(|e| e.host_network) else {
                continue;
            };
            let identity = self.host_identity(old);
            if identity != old.identity {
                let old = Arc::clone(old);
                let mut new = Endpoint::clone(&old);
                new.identity = identity;
                self.unindex(old);
                let new = self.index(new);
                if let Some(slot) = self.endpoints.get_mut(i) {
                    *slot = new;
                }
            }
        }
    }

    /// Selectors see exactly the identities in force.
    fn update_identities(&mut self) {
        let mut wanted: BTreeMap<NumericIdentity, LabelSet> =
            reserved_identities(&self.config).into_iter().collect();
        for (id, labels) in &self.given {
            wanted.entry(*id).or_insert_with(|| labels.clone());
        }
        for endpoint in self.endpoints.iter().filter(|e| !e.host_network) {
            wanted
                .entry(endpoint.identity)
                .or_insert_with(|| endpoint.labels.clone());
        }
        for (_, entry) in self.cache.iter() {
            wanted
                .entry(entry.id)
                .or_insert_with(|| entry.labels.clone());
        }
        wanted.insert(NumericIdentity::HOST, self.cache.host_labels());
        let known = self.identities().iter().map(|(id, _)| id);
        let gone: Vec<_> = known.filter(|id| !wanted.contains_key(id)).collect();
        for id in gone {
            self.identity_is(id, None);
        }
        for (id, labels) in wanted {
            self.identity_is(id, Some(labels));
        }
    }

    /// The same for the identities of endpoints that came and went.
    fn follow_identities(&mut self) {
        let both = self.moved.gone.iter().chain(&self.moved.come);
        let own = both.filter(|e| !e.host_network).map(|e| e.identity);
        let ids: BTreeSet<NumericIdentity> = own.collect();
        if ids.is_empty() {
            return;
        }
        let reserved: BTreeMap<NumericIdentity, LabelSet> =
            reserved_identities(&self.config).into_iter().collect();
        for id in ids.into_iter().filter(|id| !reserved.contains_key(id)) {
            let given = self.given.get(&id);
            let labels = given.or_else(|| self.allocator.labels(id)).cloned();
            self.identity_is(id, labels);
        }
    }

    pub(super) fn identity_is(&mut self, id: NumericIdentity, labels: Option<LabelSet>) {
        if self.identities().get(id) == labels.as_ref() {
            return;
        }
        let selectors = match labels {
            Some(labels) => self.repository.add_identity(id, labels),
            None => self.repository.remove_identity(id),
        };
        self.moved
            .identities
            .entry(id)
            .or_default()
            .extend(selectors);
    }
}
