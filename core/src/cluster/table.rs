//! The verdict table of a whole cluster.
//!
//! In: the cluster. Out: an image with a subject per distinct endpoint policy,
//! and who the subjects are; or the proof that an image is of this cluster.

use super::Cluster;
use crate::compile::{CompileError, Compiler, RulePlace, Subject};
use crate::identity::{NumericIdentity, PodPorts};
use crate::label::LabelSet;
use crate::policy_map::{PolicyMap, StandInProxyPorts};
use crate::resolve::{Applying, ResolveError, SubjectPolicy};
use crate::rule::Rule;
use crate::source::Sources;
use crate::verify::{Coverage, Expected, Fault, Verifier, Who};
use ahash::AHashMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A compiled cluster.
#[derive(Clone, Debug)]
pub struct Table {
    /// The image's bytes.
    pub image: Vec<u8>,
    /// Its subjects, by number.
    pub subjects: Vec<TableSubject>,
    /// Endpoints without a policy, because rules contradict each other: they
    /// are no subjects, and a datapath drops.
    pub without_policy: Vec<(String, ResolveError)>,
}

/// A subject of a compiled cluster: endpoints of one identity and with the
/// same named ports.
#[derive(Clone, Debug)]
pub struct TableSubject {
    /// Its identity.
    pub identity: NumericIdentity,
    /// Its endpoints: `namespace/name`, or `host`.
    pub endpoints: Vec<String>,
    /// Numbers of these endpoints in the image: the place in
    /// [`Cluster::endpoints`], counted from 1; 0 is the host.
    pub endpoint_numbers: Vec<u32>,
    /// The policy compiled.
    pub policy: Arc<SubjectPolicy>,
    /// Its named ports.
    pub named_ports: PodPorts,
}

/// Collects subjects and shares their policies.
#[derive(Default)]
struct Subjects {
    found: Vec<TableSubject>,
    by_key: AHashMap<(NumericIdentity, PodPorts), Option<usize>>,
    policies: AHashMap<Applying, Result<Arc<SubjectPolicy>, ResolveError>>,
    without_policy: Vec<(String, ResolveError)>,
}

impl Subjects {
    fn add(
        &mut self,
        cluster: &Cluster,
        (identity, labels): (NumericIdentity, &LabelSet),
        ports: &PodPorts,
        (name, number): (String, u32),
    ) {
        let key = (identity, ports.clone());
        if let Some(Some(i)) = self.by_key.get(&key) {
            if let Some(subject) = self.found.get_mut(*i) {
                subject.endpoints.push(name);
                subject.endpoint_numbers.push(number);
            }
            return;
        }
        let repository = &cluster.repository;
        let applying = repository.applying(identity, labels);
        let policy = match self.policies.get(&applying) {
            Some(known) => known.clone(),
            None => {
                let resolved = repository.resolve_applying(identity, applying.clone());
                let resolved = resolved.map(Arc::new);
                self.policies.insert(applying, resolved.clone());
                resolved
            }
        };
        match policy {
            Ok(policy) => {
                self.by_key.insert(key, Some(self.found.len()));
                self.found.push(TableSubject {
                    identity,
                    endpoints: vec![name],
                    endpoint_numbers: vec![number],
                    policy,
                    named_ports: ports.clone(),
                });
            }
            Err(error) => self.without_policy.push((name, error)),
        }
    }
}

impl Cluster {
    fn table_subjects(&self) -> Subjects {
        let mut subjects = Subjects::default();
        if self.config.host_firewall {
            let labels = self.cache.host_labels();
            let host = (NumericIdentity::HOST, &labels);
            subjects.add(self, host, &PodPorts::new(), ("host".to_owned(), 0));
        }
        for (number, endpoint) in (1u32..).zip(&self.endpoints) {
            if !endpoint.host_network {
                let who = (endpoint.identity, &endpoint.labels);
                let name = (endpoint.to_string(), number);
                subjects.add(self, who, &endpoint.named_ports, name);
            }
        }
        subjects
    }

    /// Shows that an image says of this cluster's endpoints what their policy
    /// maps say, for every identity, protocol and port; with `sources` also
    /// where rules are written.
    ///
    /// # Errors
    /// The first difference.
    pub fn verify(&self, image: &[u8], sources: Option<&Sources>) -> Result<Coverage, Fault> {
        let mut verifier = Verifier::new(image, &self.config)?;
        let subjects = self.table_subjects().found;
        // Subjects with one policy and the same ports have one map.
        let mut groups: BTreeMap<(usize, &PodPorts), Vec<u32>> = BTreeMap::new();
        for (number, subject) in (0u32..).zip(&subjects) {
            let policy = Arc::as_ptr(&subject.policy) as usize;
            let group = groups.entry((policy, &subject.named_ports));
            group.or_default().push(number);
        }
        let mut groups: Vec<Vec<u32>> = groups.into_values().collect();
        groups.sort_unstable();
        for numbers in groups {
            let first = numbers.first().and_then(|n| subjects.get(*n as usize));
            let Some(TableSubject {
                policy,
                named_ports,
                ..
            }) = first
            else {
                continue;
            };
            let own_port = |name: &Arc<str>, protocol: u8| {
                let (own, port) = named_ports.get(name)?;
                (*own == protocol).then_some(*port)
            };
            let map = PolicyMap::new(
                policy,
                self.repository.selectors(),
                &own_port,
                &self.named_ports,
                &mut StandInProxyPorts::default(),
            );
            let expected = Expected {
                map: &map,
                policy: Some(policy),
                sources,
            };
            verifier.policy(&numbers, &expected)?;
        }
        let subjects: Vec<Who> = subjects
            .into_iter()
            .map(|s| Who {
                identity: s.identity,
                endpoints: s.endpoint_numbers,
            })
            .collect();
        verifier.finish(&subjects, self.identities().iter().map(|(id, _)| id))
    }

    /// Compiles the policies of all endpoints, and of the host if the host
    /// firewall is on, into a verdict table. Redirects lead to stand-in ports.
    ///
    /// With `sources` the table carries the rules behind each verdict and where
    /// they are written.
    ///
    /// ```
    /// use netverdict::cluster::{Cluster, ClusterOptions};
    /// use netverdict::{config::Config, object::load, source::SourceId};
    ///
    /// let text = "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop}}";
    /// let config = Config::default();
    /// let loaded = load::load(SourceId(0), text, &load::LoadOptions::new(&config));
    /// let cluster = Cluster::build(config, ClusterOptions::default(), loaded.into_objects());
    /// let table = cluster.compile(None)?;
    /// assert_eq!(table.subjects.len(), 1);
    /// // It says what the policy maps say, for every identity, protocol and port.
    /// assert!(cluster.verify(&table.image, None).is_ok());
    /// # Ok::<(), netverdict::compile::CompileError>(())
    /// ```
    ///
    /// # Errors
    /// When a policy does not fit into a table.
    pub fn compile(&self, sources: Option<&Sources>) -> Result<Table, CompileError> {
        let Subjects {
            found,
            without_policy,
            ..
        } = self.table_subjects();
        let inputs: Vec<Subject> = found
            .iter()
            .map(|s| Subject {
                identity: s.identity,
                endpoints: s.endpoint_numbers.clone(),
                policy: Arc::clone(&s.policy),
                named_ports: named_ports(&s.named_ports),
                proxy_ports: None,
            })
            .collect();
        let place =
            |rule: &Rule| sources.map_or_else(RulePlace::default, |s| RulePlace::of(rule, s));
        let compiler = Compiler {
            selectors: self.repository.selectors(),
            named_ports: &self.named_ports,
            revision: self.repository.revision(),
            places: sources.is_some().then_some(&place),
        };
        let image = compiler.compile(&inputs).map_err(|(_, error)| error)?;
        Ok(Table {
            image,
            subjects: found,
            without_policy,
        })
    }
}

pub(super) fn named_ports(ports: &PodPorts) -> Vec<(Arc<str>, u8, u16)> {
    let ports = ports.iter();
    ports
        .map(|(name, (protocol, port))| ((**name).into(), *protocol, *port))
        .collect()
}
