//! A cluster whose table follows it.
//!
//! In: changes of objects, of resolved names, of proxy ports. Out: the writes
//! that bring a published table up to date, and the changes to each subject's
//! policy map.

use super::table::named_ports;
use super::{Change, Cluster};
use crate::compile::{
    CompileError, Compiler, IdentityChange, Publisher, Subject, SubjectChange, SubjectProxyPorts,
    Update,
};
use crate::fqdn::NameChange;
use crate::identity::{NumericIdentity, PodPorts};
use crate::label::LabelSet;
use crate::object::ObjectRef;
use crate::policy_map::{Key, NamedPorts};
use crate::resolve::{Applying, ResolveError, SubjectPolicy};
use ahash::AHashMap;
use netverdict_table::Write;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// Whose redirects lead where: by the subject's identity.
pub type ProxyPortsOf = Arc<dyn Fn(NumericIdentity) -> SubjectProxyPorts + Send + Sync>;

/// A subject of a published table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedSubject {
    /// Its number in the table.
    pub number: u32,
    /// Its identity.
    pub identity: NumericIdentity,
    /// Its endpoints' numbers; see [`PublishedCluster::endpoint_number`].
    pub endpoints: Vec<u32>,
}

/// A subject as it is published.
#[derive(Clone, Debug)]
struct Known {
    number: u32,
    policy: Arc<SubjectPolicy>,
    endpoints: Vec<u32>,
}

/// Endpoints share a subject when they share these.
type SubjectKey = (NumericIdentity, PodPorts);

/// What a subject is to be.
#[derive(Debug)]
struct Wanted {
    policy: Arc<SubjectPolicy>,
    endpoints: Vec<u32>,
}

/// A cluster and the table of all its endpoints' policies.
pub struct PublishedCluster {
    cluster: Cluster,
    publisher: Publisher,
    subjects: BTreeMap<SubjectKey, Known>,
    policies: AHashMap<Applying, Result<Arc<SubjectPolicy>, ResolveError>>,
    /// Numbers by `namespace/name` and kind; the host has 0.
    endpoints: BTreeMap<(String, &'static str), u32>,
    ports: NamedPorts,
    proxy_ports: Option<ProxyPortsOf>,
    /// [`Cluster`]'s count when the table was last brought up to date.
    rebuilt: u64,
    /// The last update failed: the next one begins anew.
    failed: bool,
}

impl fmt::Debug for PublishedCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublishedCluster")
            .field("subjects", &self.subjects.len())
            .finish_non_exhaustive()
    }
}

impl PublishedCluster {
    /// Compiles a cluster. Redirects lead to stand-in ports.
    ///
    /// # Errors
    /// When a policy does not fit into a table.
    pub fn new(cluster: Cluster) -> Result<Self, CompileError> {
        let ports = cluster.named_ports.clone();
        let mut published = Self {
            publisher: Publisher::new(&compiler(&cluster), Vec::new())?,
            cluster,
            subjects: BTreeMap::new(),
            policies: AHashMap::new(),
            endpoints: BTreeMap::new(),
            ports,
            proxy_ports: None,
            rebuilt: 0,
            failed: false,
        };
        published.rebuilt = published.cluster.rebuilt;
        published.update(true)?;
        Ok(published)
    }

    /// The cluster.
    #[must_use]
    pub const fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The image as it is after the last update.
    #[must_use]
    pub fn image(&self) -> &[u8] {
        self.publisher.image()
    }

    /// Every entry of a subject's policy map, by key.
    #[must_use]
    pub fn entries(&self, subject: u32) -> Vec<(Key, [u8; 12])> {
        self.publisher.entries(subject)
    }

    /// The subjects of the table.
    pub fn subjects(&self) -> impl Iterator<Item = PublishedSubject> {
        self.subjects
            .iter()
            .map(|((identity, _), known)| PublishedSubject {
                number: known.number,
                identity: *identity,
                endpoints: known.endpoints.clone(),
            })
    }

    /// The number of an endpoint in the table's index, by `namespace/name` and
    /// kind: counted from 1 in the order they appear, and kept as long as the
    /// endpoint is there. The host has 0.
    #[must_use]
    pub fn endpoint_number(&self, name: &str, kind: &'static str) -> Option<u32> {
        self.endpoints.get(&(name.to_owned(), kind)).copied()
    }

    /// Applies changes of objects.
    ///
    /// # Errors
    /// When a policy does not fit into a table: nothing is to be written then,
    /// the last good table stays in force, and the next update is a whole one.
    pub fn apply(
        &mut self,
        changes: impl IntoIterator<Item = Change>,
    ) -> Result<Update, CompileError> {
        self.cluster.apply(changes);
        self.update(false)
    }

    /// Puts other answers of DNS in place of those known: names appear, and
    /// addresses arrive and expire.
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub fn set_resolved_names(
        &mut self,
        names: BTreeMap<String, Vec<IpAddr>>,
    ) -> Result<Update, CompileError> {
        self.cluster.set_resolved_names(names);
        self.update(false)
    }

    /// Takes in names that gained or lost addresses, as
    /// [`Cluster::learn_names`]: costs what changes.
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub fn learn_names(
        &mut self,
        changes: impl IntoIterator<Item = NameChange>,
    ) -> Result<Update, CompileError> {
        let identities_alone = self.cluster.learn_names(changes);
        if !identities_alone || self.failed {
            return self.update(false);
        }
        let moved = self.cluster.moved.iter();
        let identities: Vec<IdentityChange> = moved
            .map(|(identity, selectors)| IdentityChange {
                identity: *identity,
                selectors: selectors.iter().copied().collect(),
                ports: false,
            })
            .collect();
        let compiler = compiler(&self.cluster);
        let done = self.publisher.update(&compiler, &identities, Vec::new());
        self.failed = done.is_err();
        done
    }

    /// Says where redirects lead now. Called again whenever a proxy port was
    /// assigned or taken back; `None` for stand-ins.
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub fn set_proxy_ports(&mut self, of: Option<ProxyPortsOf>) -> Result<Update, CompileError> {
        self.proxy_ports = of;
        self.update(true)
    }

    /// As [`Cluster::set_open_policies`]: tables do not know of doubts, so
    /// nothing is to be written.
    pub fn set_open_policies(&mut self, policies: Vec<ObjectRef>) {
        self.cluster.set_open_policies(policies);
    }

    /// Numbers of subjects that are gone may be given to others; see
    /// [`Publisher::end_grace_period`].
    pub fn end_grace_period(&mut self) {
        self.publisher.end_grace_period();
    }

    fn update(&mut self, every_subject: bool) -> Result<Update, CompileError> {
        let rebuilt = std::mem::replace(&mut self.rebuilt, self.cluster.rebuilt);
        let anew = std::mem::take(&mut self.failed) || rebuilt != self.cluster.rebuilt;
        let done = if anew {
            self.update_whole()
        } else {
            self.update_parts(every_subject)
        };
        self.failed = done.is_err();
        done
    }

    /// Begins anew after a failure, or when the cluster did.
    fn update_whole(&mut self) -> Result<Update, CompileError> {
        self.publisher = Publisher::new(&compiler(&self.cluster), Vec::new())?;
        self.subjects.clear();
        self.policies.clear();
        let mut update = self.update_parts(true)?;
        let image = self.publisher.image().to_vec();
        update.writes = vec![Write::Replace { image }];
        update.whole = true;
        Ok(update)
    }

    fn update_parts(&mut self, every_subject: bool) -> Result<Update, CompileError> {
        let wanted = self.wanted();
        let ports = self.cluster.named_ports.changed_since(&self.ports);
        let mut identities: BTreeMap<NumericIdentity, IdentityChange> = BTreeMap::new();
        let change = |identity| IdentityChange {
            identity,
            selectors: Vec::new(),
            ports: false,
        };
        for (id, selectors) in &self.cluster.moved {
            let change = identities.entry(*id).or_insert_with(|| change(*id));
            change.selectors.extend(selectors);
        }
        for id in ports {
            identities.entry(id).or_insert_with(|| change(id)).ports = true;
        }
        let identities: Vec<IdentityChange> = identities.into_values().collect();

        let mut changes = Vec::new();
        let mut added = Vec::new();
        let mut subjects = BTreeMap::new();
        for (key, wanted) in wanted {
            let Wanted { policy, endpoints } = wanted;
            let subject = self.subject(&key, &policy, &endpoints);
            match self.subjects.remove(&key) {
                None => {
                    changes.push(SubjectChange::Add(subject));
                    added.push((key, policy, endpoints));
                }
                Some(known) => {
                    let same = Arc::ptr_eq(&known.policy, &policy) && known.endpoints == endpoints;
                    if !same || every_subject {
                        changes.push(SubjectChange::Replace(known.number, subject));
                    }
                    let number = known.number;
                    let known = Known {
                        number,
                        policy,
                        endpoints,
                    };
                    subjects.insert(key, known);
                }
            }
        }
        let gone = std::mem::take(&mut self.subjects);
        // Last, so that an endpoint that goes from one subject to another is
        // never without.
        changes.extend(gone.into_values().map(|k| SubjectChange::Remove(k.number)));
        let update = self
            .publisher
            .update(&compiler(&self.cluster), &identities, changes)?;
        for ((key, policy, endpoints), number) in added.into_iter().zip(&update.added) {
            let known = Known {
                number: *number,
                policy,
                endpoints,
            };
            subjects.insert(key, known);
        }
        self.subjects = subjects;
        self.ports = self.cluster.named_ports.clone();
        Ok(update)
    }

    fn subject(
        &self,
        (identity, ports): &SubjectKey,
        policy: &Arc<SubjectPolicy>,
        endpoints: &[u32],
    ) -> Subject {
        Subject {
            identity: *identity,
            endpoints: endpoints.to_vec(),
            policy: Arc::clone(policy),
            named_ports: named_ports(ports),
            proxy_ports: self.proxy_ports.as_ref().map(|of| of(*identity)),
        }
    }

    /// Every subject there is to be. Rules that did not change keep their
    /// policy.
    fn wanted(&mut self) -> BTreeMap<SubjectKey, Wanted> {
        let mut numbers = BTreeMap::new();
        let mut free = free_numbers(&self.endpoints);
        let mut policies = AHashMap::new();
        let mut wanted: BTreeMap<SubjectKey, Wanted> = BTreeMap::new();
        let cluster = &self.cluster;
        let mut add = |identity, labels: &LabelSet, ports: &PodPorts, number: u32| {
            let key = (identity, ports.clone());
            if let Some(known) = wanted.get_mut(&key) {
                known.endpoints.push(number);
                return;
            }
            let applying = cluster.repository.applying(identity, labels);
            let policy = match policies
                .get(&applying)
                .or_else(|| self.policies.get(&applying))
            {
                Some(known) => known.clone(),
                None => cluster
                    .repository
                    .resolve_applying(identity, applying.clone())
                    .map(Arc::new),
            };
            policies.insert(applying, policy.clone());
            // Rules that contradict each other: no subject, and a datapath
            // drops.
            if let Ok(policy) = policy {
                let endpoints = vec![number];
                wanted.insert(key, Wanted { policy, endpoints });
            }
        };
        if cluster.config.host_firewall {
            let labels = cluster.cache.host_labels();
            add(NumericIdentity::HOST, &labels, &PodPorts::new(), 0);
        }
        for endpoint in cluster.endpoints.iter().filter(|e| !e.host_network) {
            let name = (endpoint.to_string(), endpoint.kind);
            let known = self.endpoints.get(&name).copied();
            let number = known.or_else(|| free.next()).unwrap_or(u32::MAX);
            numbers.insert(name, number);
            add(
                endpoint.identity,
                &endpoint.labels,
                &endpoint.named_ports,
                number,
            );
        }
        self.endpoints = numbers;
        self.policies = policies;
        wanted
    }
}

/// Numbers from 1 that no endpoint has.
fn free_numbers(used: &BTreeMap<(String, &'static str), u32>) -> impl Iterator<Item = u32> + use<> {
    let used: BTreeSet<u32> = used.values().copied().collect();
    (1..u32::MAX).filter(move |n| !used.contains(n))
}

fn compiler(cluster: &Cluster) -> Compiler<'_> {
    Compiler {
        selectors: cluster.repository.selectors(),
        named_ports: &cluster.named_ports,
        revision: cluster.repository.revision(),
        places: None,
    }
}
