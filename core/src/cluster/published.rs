//! A cluster whose table follows it.
//!
//! In: changes of objects, of resolved names, of proxy ports. Out: the writes
//! that bring a published table up to date, and the changes to each subject's
//! policy map.

use super::roster::{Roster, Wanted};
use super::table::named_ports;
use super::{Change, Cluster};
use crate::compile::{
    CompileError, Compiler, IdentityChange, Publisher, Subject, SubjectProxyPorts, Update,
};
use crate::fqdn::NameChange;
use crate::identity::NumericIdentity;
use crate::object::ObjectRef;
use crate::policy_map::Key;
use netverdict_table::Write;
use std::collections::BTreeMap;
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

/// A cluster and the table of all its endpoints' policies.
pub struct PublishedCluster {
    cluster: Cluster,
    publisher: Publisher,
    roster: Roster,
    proxy_ports: Option<ProxyPortsOf>,
    /// [`Cluster`]'s count when the table was last brought up to date.
    rebuilt: u64,
    /// The last update failed: the next one begins anew.
    failed: bool,
}

impl fmt::Debug for PublishedCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublishedCluster")
            .field("subjects", &self.roster.iter().count())
            .finish_non_exhaustive()
    }
}

impl PublishedCluster {
    /// Compiles a cluster. Redirects lead to stand-in ports.
    ///
    /// # Errors
    /// When a policy does not fit into a table.
    pub fn new(cluster: Cluster) -> Result<Self, CompileError> {
        let mut published = Self {
            publisher: Publisher::new(&compiler(&cluster), Vec::new())?,
            cluster,
            roster: Roster::default(),
            proxy_ports: None,
            rebuilt: 0,
            failed: false,
        };
        published.rebuilt = published.cluster.rebuilt;
        published.update_parts(true, false)?;
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
        self.roster
            .iter()
            .map(|(number, identity, endpoints)| PublishedSubject {
                number,
                identity,
                endpoints: endpoints.to_vec(),
            })
    }

    /// The number of an endpoint in the table's index, by `namespace/name` and
    /// kind: counted from 1 in the order they appear, and kept as long as the
    /// endpoint is there. The host has 0.
    #[must_use]
    pub fn endpoint_number(&self, name: &str, kind: &'static str) -> Option<u32> {
        self.roster.endpoint_number(name, kind)
    }

    /// Applies changes of objects.
    ///
    /// ```
    /// use netverdict::cluster::{Change, Cluster, ObjectKey, PublishedCluster};
    ///
    /// let cluster = Cluster::read(include_str!("../../examples/shop.yaml")).unwrap();
    /// let policy = cluster.objects().find(|o| o.is_policy()).map(ObjectKey::of).expect("the policy");
    /// let mut published = PublishedCluster::new(cluster)?;
    /// let update = published.apply([Change::Remove(policy)])?;
    /// // What to write into copies of the image, in this order, and what into policy maps.
    /// assert!(update.whole || !update.writes.is_empty());
    /// assert!(!update.maps.is_empty());
    /// # Ok::<(), netverdict::compile::CompileError>(())
    /// ```
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
        let moved = self.cluster.moved.identities.iter();
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
            self.update_parts(false, every_subject)
        };
        self.failed = done.is_err();
        done
    }

    /// Begins anew after a failure, or when the cluster did.
    fn update_whole(&mut self) -> Result<Update, CompileError> {
        self.publisher = Publisher::new(&compiler(&self.cluster), Vec::new())?;
        self.roster.clear();
        let mut update = self.update_parts(true, false)?;
        let image = self.publisher.image().to_vec();
        update.writes = vec![Write::Replace { image }];
        update.whole = true;
        Ok(update)
    }

    fn update_parts(&mut self, anew: bool, every_subject: bool) -> Result<Update, CompileError> {
        let moved = &self.cluster.moved;
        let mut identities: BTreeMap<NumericIdentity, IdentityChange> = BTreeMap::new();
        let change = |identity| IdentityChange {
            identity,
            selectors: Vec::new(),
            ports: false,
        };
        for (id, selectors) in &moved.identities {
            let change = identities.entry(*id).or_insert_with(|| change(*id));
            change.selectors.extend(selectors);
        }
        for id in &moved.ports {
            identities.entry(*id).or_insert_with(|| change(*id)).ports = true;
        }
        let identities: Vec<IdentityChange> = identities.into_values().collect();
        let proxy_ports = self.proxy_ports.clone();
        let subject = |wanted: &Wanted<'_>| {
            let (identity, ports) = wanted.key;
            Subject {
                identity: *identity,
                endpoints: wanted.endpoints.to_vec(),
                policy: Arc::clone(wanted.policy),
                named_ports: named_ports(ports),
                proxy_ports: proxy_ports.as_ref().map(|of| of(*identity)),
            }
        };
        let roll = self
            .roster
            .follow(&self.cluster, anew, every_subject, subject);
        let (changes, added) = roll.into_parts();
        let compiler = compiler(&self.cluster);
        let update = self.publisher.update(&compiler, &identities, changes)?;
        self.roster.added(added, &update.added);
        Ok(update)
    }
}

fn compiler(cluster: &Cluster) -> Compiler<'_> {
    Compiler {
        selectors: cluster.repository.selectors(),
        named_ports: &cluster.named_ports,
        revision: cluster.repository.revision(),
        places: None,
    }
}
