//! Policies that allow what is needed, and no more.
//!
//! In: a cluster and [`Need`]s: recorded or observed connections, or wishes.
//! Out: policies as YAML, one for each workload, grouped and commented with their evidence;
//! and a [`Proof`]: which needs they meet, and what else they open, by the
//! same engine that answers everything else.

mod draft;
mod labels;
mod observed;
mod proof;
mod requests;
mod write;

pub use observed::{Observed, needs_of_connections};
pub use proof::{Opened, Proof, Unmet, prove};
pub use requests::Requests;

use crate::ports::PortSet;
use crate::recorded::{Outcome, Placement, Recording, Seen, question, workload};
use draft::Drafts;
use ipnet::IpNet;
use netverdict::cluster::{Cluster, Endpoint, Peer, Target};
use netverdict::label::LabelSet;
use netverdict::object::Object;
use netverdict::object::network_policy::IntOrString;
use netverdict::rule::{Direction, protocol as protocols};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// Which kind of policy to write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// CiliumNetworkPolicy.
    #[default]
    Cilium,
    /// NetworkPolicy: pods and prefixes alone.
    Kubernetes,
}

/// A connection that is to be allowed.
#[derive(Clone, Debug)]
pub struct Need {
    /// Who sends.
    pub from: Peer,
    /// Who receives.
    pub to: Peer,
    /// On which ports.
    pub ports: PortSet,
    /// What of it.
    pub terms: Terms,
    /// Prefixes within an end's addresses that are not meant.
    pub except: Vec<IpNet>,
    /// Policies of which ends are to say it: of the sender, of the receiver.
    pub written: [bool; 2],
    /// How somebody knows: `12 flows, first hubble.jsonl:3`.
    pub evidence: String,
}

/// On which terms a connection is to be allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Terms {
    /// It is enough that it gets through.
    Any,
    /// As somebody observed it.
    Exactly {
        /// What proxies let through.
        requests: Requests,
        /// Peers authenticate each other first.
        authenticated: bool,
    },
}

impl Need {
    /// One port, on any terms. For ICMP it is a type.
    #[must_use]
    pub fn port(from: Peer, to: Peer, (protocol, port): (u8, u16), evidence: String) -> Self {
        Self {
            from,
            to,
            ports: PortSet::range(protocol, port, port),
            terms: Terms::Any,
            except: Vec::new(),
            written: [true, true],
            evidence,
        }
    }
}

/// Whom to write policies for.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Which kind.
    pub kind: Kind,
    /// Namespaces whose workloads get policies; empty for all but
    /// `kube-system`.
    pub namespaces: BTreeSet<String>,
    /// Pods that are closed in a direction even if nothing needs it.
    pub closed: Vec<(Arc<Endpoint>, Direction)>,
}

impl Scope {
    fn has(&self, namespace: &str) -> bool {
        match self.namespaces.is_empty() {
            true => namespace != "kube-system",
            false => self.namespaces.contains(namespace),
        }
    }
}

/// Policies, written.
#[derive(Clone, Debug, Default)]
pub struct Generated {
    /// The policies: documents of YAML, with their names.
    pub policies: Vec<(String, String)>,
    /// Needs that no policy of this kind can meet, with why.
    pub left_out: Vec<String>,
}

impl Generated {
    /// All policies as one text.
    #[must_use]
    pub fn yaml(&self) -> String {
        let documents: Vec<&str> = self
            .policies
            .iter()
            .map(|(_, text)| text.as_str())
            .collect();
        documents.join("---\n")
    }
}

/// The connections of a recording that passed, as needs; with `dropped` also
/// those that did not. Connections to services are needs of the pods behind
/// them. `evidence` says how somebody knows.
pub fn needs_of(
    cluster: &Cluster,
    recording: &Recording,
    placement: &Placement,
    dropped: bool,
    evidence: &dyn Fn(Seen) -> String,
) -> (Vec<Need>, Vec<String>) {
    let mut needs: BTreeMap<(String, String, u8, u16), (Need, Seen)> = BTreeMap::new();
    let mut left_out = Vec::new();
    for ((connection, sightings), ends) in recording.connections().zip(&placement.ends) {
        let passed = matches!(
            sightings.outcome,
            Outcome::Forwarded | Outcome::Redirected | Outcome::Audited | Outcome::Refused
        );
        let wanted = dropped && sightings.outcome == Outcome::Dropped;
        if !passed && !wanted {
            continue;
        }
        let asked = match ends {
            Ok(placed) => question(&connection.traffic, placed).map_err(|why| vec![why]),
            Err(why) => Err(why.clone()),
        };
        match asked {
            Ok(flow) => {
                // The pods of one workload need the same.
                let (from, to) = (workload(flow.from), workload(flow.to));
                let need = || {
                    let port = (flow.protocol, flow.port);
                    Need::port(flow.from.clone(), flow.to.clone(), port, String::new())
                };
                let key = (from, to, flow.protocol, flow.port);
                match needs.get_mut(&key) {
                    Some((_, seen)) => *seen = seen.and(sightings.seen),
                    None => {
                        needs.insert(key, (need(), sightings.seen));
                    }
                }
            }
            Err(why) => left_out.push(format!(
                "{} → {} {}: {}",
                connection.source,
                connection.destination,
                connection.traffic,
                why.join("; ")
            )),
        }
    }
    let needs = needs.into_values().map(|(need, seen)| {
        let evidence = evidence(seen);
        behind_service(cluster, Need { evidence, ..need })
    });
    (needs.collect(), left_out)
}

/// A need of the pods behind a service, if it names the service's address, or
/// its port where the pods have another.
#[must_use]
pub fn behind_service(cluster: &Cluster, mut need: Need) -> Need {
    let Some((protocol, asked)) = need.ports.single() else {
        return need;
    };
    for object in cluster.objects() {
        let Object::Service(service) = object else {
            continue;
        };
        let Some(selector) = &service.selector else {
            continue;
        };
        let serves = |labels: &LabelSet, other: &LabelSet| {
            selector.iter().all(|(k, v)| {
                let of = |set: &LabelSet| set.k8s_value(k) == Some(v.as_str());
                of(labels) || of(other)
            })
        };
        let backend = match &need.to.target {
            Target::Address(ip) => {
                let own = |text: &str| text.parse::<IpAddr>().is_ok_and(|own| own == *ip);
                if !service.cluster_ips.iter().any(|text| own(text)) {
                    continue;
                }
                let mut pods = cluster.endpoints().iter();
                let backend = pods.find(|e| {
                    e.namespace == object.namespace() && serves(&e.labels, &e.other_labels)
                });
                match backend {
                    Some(backend) => Arc::clone(backend),
                    None => continue,
                }
            }
            Target::Endpoint(e)
                if e.namespace == object.namespace()
                    && serves(&e.labels, &e.other_labels)
                    && !e.ports.is_empty()
                    && e.ports.iter().all(|p| p.port != asked) =>
            {
                Arc::clone(e)
            }
            _ => continue,
        };
        let port = service.ports.iter().find(|p| {
            let number = protocols::number(&p.protocol).unwrap_or(protocols::TCP);
            i32::from(asked) == p.port.value && number == protocol
        });
        let Some(port) = port else { continue };
        let target = match port.target_port.as_ref().map(|t| &t.value) {
            Some(IntOrString::Int(n)) => u16::try_from(*n).ok(),
            Some(IntOrString::String(name)) => {
                let named = backend.ports.iter().find(|p| p.name == *name);
                named.map(|p| p.port)
            }
            None => Some(asked),
        };
        let Some(target) = target.filter(|t| *t != 0) else {
            continue;
        };
        let service = format!("{}/{}", object.namespace(), object.name());
        need.evidence = match need.evidence.is_empty() {
            true => format!("port {asked} of service {service}"),
            false => format!("{}; port {asked} of service {service}", need.evidence),
        };
        need.ports = PortSet::range(protocol, target, target);
        need.to = Peer {
            text: backend.to_string(),
            target: Target::Endpoint(backend),
        };
        return need;
    }
    need
}

/// Writes the policies.
///
/// ```
/// use netverdict_analysis::generate::{Need, Scope, generate};
/// use netverdict::cluster::Cluster;
///
/// let cluster = Cluster::read(include_str!("../../../core/examples/shop.yaml"))?;
/// let need = Need::port(cluster.peer("shop/web")?, cluster.peer("shop/db")?, (6, 8080), "asked for".into());
/// let scope = Scope { namespaces: ["shop".to_owned()].into(), ..Scope::default() };
/// let generated = generate(&cluster, &[need], &scope);
/// assert!(generated.yaml().contains("8080"));
/// # Ok::<(), Box<netverdict::diagnostic::Diagnostic>>(())
/// ```
#[must_use]
pub fn generate(cluster: &Cluster, needs: &[Need], scope: &Scope) -> Generated {
    let names = names_by_address(cluster);
    let mut drafts = Drafts::new(cluster, scope, &names);
    for need in needs {
        drafts.add(need);
    }
    for (endpoint, direction) in &scope.closed {
        drafts.close(endpoint, *direction);
    }
    drafts.write()
}

/// What the addresses that DNS gave are called.
fn names_by_address(cluster: &Cluster) -> BTreeMap<IpAddr, String> {
    let mut names = BTreeMap::new();
    for (name, addresses) in &cluster.options().resolved_names {
        for address in addresses {
            let name = name.trim_end_matches('.').to_lowercase();
            names.entry(address.to_canonical()).or_insert(name);
        }
    }
    names
}

#[cfg(test)]
mod tests;
