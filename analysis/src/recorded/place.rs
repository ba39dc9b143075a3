//! Recorded ends → ends of flows in a cluster.
//!
//! In: a recording, a cluster. Out: for each connection who its ends are
//! there, or why nobody can tell. A pod is found by its name, then by its
//! workload, then by the labels of its identity; one that no manifest mentions
//! is added as a pod with the labels that were recorded.

use super::{Connection, RecordedEnd, Recording};
use crate::imagined;
use netverdict::cluster::{Change, Cluster, Endpoint, ObjectKey, Peer, Target};
use netverdict::identity::{NumericIdentity, Reserved, Scope};
use netverdict::label::{Label, LabelSet, LabelSource, keys};
use netverdict::object::Object;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// The ends of a connection.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Who sends.
    pub from: Peer,
    /// Who receives.
    pub to: Peer,
}

/// The ends of each connection of a recording, in its order.
#[derive(Clone, Debug, Default)]
pub struct Placement {
    /// Both ends, or what is missing.
    pub ends: Vec<Result<Placed, Vec<String>>>,
    /// Pods that were added because no manifest mentions them.
    pub imagined: usize,
}

/// Finds the ends of a recording's connections. Pods that are missing are
/// added to the cluster, and so are the addresses that DNS answered.
pub fn place(cluster: &mut Cluster, recording: &Recording) -> Placement {
    let ends: BTreeSet<&RecordedEnd> = recording
        .connections()
        .flat_map(|(c, _)| [&c.source, &c.destination])
        .collect();
    let added = imagine(cluster, &ends);
    resolve_names(cluster, recording);
    let index = Index::new(cluster);
    let found: BTreeMap<&RecordedEnd, Result<Peer, String>> = ends
        .into_iter()
        .map(|end| (end, index.find(end, &added)))
        .collect();
    let of = |end: &RecordedEnd, role: &str| match found.get(end) {
        Some(Ok(peer)) => Ok(peer.clone()),
        Some(Err(why)) => Err(format!("{role}: {why}")),
        None => Err(format!("{role}: unknown")),
    };
    let both = |c: &Connection| match (of(&c.source, "sender"), of(&c.destination, "receiver")) {
        (Ok(from), Ok(to)) => Ok(Placed { from, to }),
        (from, to) => Err([from.err(), to.err()].into_iter().flatten().collect()),
    };
    Placement {
        ends: recording.connections().map(|(c, _)| both(c)).collect(),
        imagined: added.len(),
    }
}

fn resolve_names(cluster: &mut Cluster, recording: &Recording) {
    if recording.names().is_empty() {
        return;
    }
    let mut names = cluster.options().resolved_names.clone();
    for (name, addresses) in recording.names() {
        let known: &mut Vec<IpAddr> = names.entry(name.clone()).or_default();
        let new = addresses.iter().filter(|ip| !known.contains(ip));
        let new: Vec<IpAddr> = new.copied().collect();
        known.extend(new);
    }
    cluster.set_resolved_names(names);
}

/// Which names pods that no manifest mentions were given.
type Imagined = BTreeMap<RecordedEnd, (String, String)>;

/// Adds pods for ends that are pods, and not in the cluster.
fn imagine(cluster: &mut Cluster, ends: &BTreeSet<&RecordedEnd>) -> Imagined {
    let mut added = Imagined::new();
    let mut objects = Vec::new();
    let mut namespaces: BTreeMap<String, Object> = BTreeMap::new();
    {
        let index = Index::new(cluster);
        let mut by_labels: BTreeMap<String, (String, String)> = BTreeMap::new();
        let mut taken: BTreeSet<(String, String)> = index.pods.keys().map(owned).collect();
        for end in ends {
            let labels = labels_of(end);
            let pod = labels.namespace().is_some();
            if !pod || index.pod(end).is_some() || index.by_labels.contains_key(&labels.canonical())
            {
                continue;
            }
            if let Some(name) = by_labels.get(&labels.canonical()) {
                added.insert((*end).clone(), name.clone());
                continue;
            }
            let namespace = labels.namespace().unwrap_or_default().to_owned();
            let name = free_name(&taken, &namespace, end, &labels);
            let Some(object) = object(cluster, end, &labels, &namespace, &name) else {
                continue;
            };
            objects.push(object);
            if let Some(object) = namespace_object(cluster, &labels, &namespace) {
                namespaces.entry(namespace.clone()).or_insert(object);
            }
            taken.insert((namespace.clone(), name.clone()));
            by_labels.insert(labels.canonical(), (namespace.clone(), name.clone()));
            added.insert((*end).clone(), (namespace, name));
        }
    }
    let changes = namespaces.into_values().chain(objects);
    let changes: Vec<Change> = changes.map(|o| Change::Upsert(Box::new(o))).collect();
    if !changes.is_empty() {
        cluster.apply(changes);
    }
    added
}

fn owned((namespace, name): &(&str, &str)) -> (String, String) {
    ((*namespace).to_owned(), (*name).to_owned())
}

fn labels_of(end: &RecordedEnd) -> LabelSet {
    end.labels.iter().map(|l| Label::parse(l)).collect()
}

fn free_name(
    taken: &BTreeSet<(String, String)>,
    namespace: &str,
    end: &RecordedEnd,
    labels: &LabelSet,
) -> String {
    let app = ["app.kubernetes.io/name", "app", "k8s-app"];
    let named = [&end.pod, end.workloads.first().map_or(&end.pod, |(_, n)| n)]
        .into_iter()
        .find(|n| !n.is_empty())
        .cloned();
    let stem = named
        .or_else(|| {
            app.iter()
                .find_map(|k| labels.k8s_value(k))
                .map(str::to_owned)
        })
        .unwrap_or_else(|| "recorded".to_owned());
    let is_free = |name: &str| !taken.contains(&(namespace.to_owned(), name.to_owned()));
    if is_free(&stem) {
        return stem;
    }
    let numbered = (2u32..).map(|n| format!("{stem}-{n}"));
    numbered.into_iter().find(|n| is_free(n)).unwrap_or(stem)
}

/// A pod of these labels; of another cluster, an endpoint as its agent would
/// publish it, which takes a number.
fn object(
    cluster: &Cluster,
    end: &RecordedEnd,
    labels: &LabelSet,
    namespace: &str,
    name: &str,
) -> Option<Object> {
    let home = labels.k8s_value(keys::CLUSTER);
    let foreign = home.is_some_and(|c| c != cluster.config().cluster_name);
    let ports = named_ports(labels);
    let json = if foreign {
        json!({
            "apiVersion": "cilium.io/v2",
            "kind": "CiliumEndpoint",
            "metadata": { "namespace": namespace, "name": name },
            "status": {
                "identity": { "id": end.identity?, "labels": end.labels },
                "named-ports": ports,
            },
        })
    } else {
        let own = labels.iter().filter(|l| {
            *l.source() == LabelSource::K8s
                && l.key() != keys::POD_NAMESPACE
                && !l.key().starts_with(keys::CILIUM_PREFIX)
        });
        let own: Map<String, Value> = own
            .map(|l| (l.key().to_owned(), Value::from(l.value())))
            .collect();
        let mut spec = json!({});
        if let Some(account) = labels.k8s_value(keys::SERVICE_ACCOUNT) {
            spec["serviceAccountName"] = account.into();
        }
        if !ports.is_empty() {
            let ports: Vec<Value> = ports
                .into_iter()
                .map(|p| {
                    json!({
                        "name": p["name"],
                        "containerPort": p["port"],
                        "protocol": p["protocol"],
                    })
                })
                .collect();
            spec["containers"] = json!([{ "name": "main", "ports": ports }]);
        }
        json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": { "namespace": namespace, "name": name, "labels": own },
            "spec": spec,
        })
    };
    imagined::object(cluster.config(), &json)
}

/// The namespace with the labels that its pod's identity repeats, if the
/// cluster does not know it.
fn namespace_object(cluster: &Cluster, labels: &LabelSet, name: &str) -> Option<Object> {
    let key = ObjectKey {
        kind: "Namespace".to_owned(),
        namespace: String::new(),
        name: name.to_owned(),
    };
    if cluster.object(&key).is_some() {
        return None;
    }
    let prefix = format!("{}.", keys::NAMESPACE_LABELS.trim_end_matches('.'));
    let own = labels.iter().filter_map(|l| {
        let key = l.key().strip_prefix(&*prefix)?;
        Some((key.to_owned(), Value::from(l.value())))
    });
    let own: Map<String, Value> = own.collect();
    if own.is_empty() {
        return None;
    }
    let json = json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": { "name": name, "labels": own },
    });
    imagined::object(cluster.config(), &json)
}

/// `dns.UDP.53_http.TCP.8080`, which identities carry as a label.
fn named_ports(labels: &LabelSet) -> Vec<Value> {
    let of = labels
        .iter()
        .filter(|l| l.key().starts_with(keys::NAMED_PORTS));
    of.flat_map(|l| l.value().split('_'))
        .filter_map(|port| {
            let mut parts = port.rsplitn(3, '.');
            let number: u16 = parts.next()?.parse().ok()?;
            let protocol = parts.next()?;
            let name = parts.next()?;
            Some(json!({ "name": name, "port": number, "protocol": protocol }))
        })
        .collect()
}

/// The endpoints of a cluster by what recordings call them.
struct Index<'c> {
    cluster: &'c Cluster,
    pods: BTreeMap<(&'c str, &'c str), &'c Arc<Endpoint>>,
    /// By namespace, kind and name; `None` when pods of one differ.
    workloads: BTreeMap<(&'c str, &'c str, &'c str), Option<&'c Arc<Endpoint>>>,
    by_labels: BTreeMap<String, &'c Arc<Endpoint>>,
    by_number: BTreeMap<NumericIdentity, &'c Arc<Endpoint>>,
}

impl<'c> Index<'c> {
    fn new(cluster: &'c Cluster) -> Self {
        let mut index = Self {
            cluster,
            pods: BTreeMap::new(),
            workloads: BTreeMap::new(),
            by_labels: BTreeMap::new(),
            by_number: BTreeMap::new(),
        };
        for endpoint in cluster.endpoints() {
            let namespace = endpoint.namespace.as_str();
            if matches!(endpoint.kind, "Pod" | "CiliumEndpoint") {
                index.pods.insert((namespace, &endpoint.name), endpoint);
            }
            for (kind, name) in &endpoint.workloads {
                let known = index.workloads.entry((namespace, kind, name));
                let known = known.or_insert(Some(endpoint));
                if known.is_some_and(|k| k.identity != endpoint.identity) {
                    *known = None;
                }
            }
            if endpoint.has_pod_identity() && !endpoint.host_network {
                let labels = endpoint.labels.canonical();
                index.by_labels.entry(labels).or_insert(endpoint);
                index.by_number.entry(endpoint.identity).or_insert(endpoint);
            }
        }
        index
    }

    /// The endpoint that a pod's name or workload means.
    fn pod(&self, end: &RecordedEnd) -> Option<&'c Arc<Endpoint>> {
        let namespace = end.namespace.as_str();
        if let Some(pod) = self.pods.get(&(namespace, end.pod.as_str())) {
            return Some(pod);
        }
        let workload = |kind: &str, name: &str| {
            let found = self.workloads.get(&(namespace, kind, name));
            found.copied().flatten()
        };
        let said = end.workloads.iter().find_map(|(k, n)| workload(k, n));
        said.or_else(|| {
            owners(&end.pod)
                .into_iter()
                .find_map(|(k, n)| workload(k, n))
        })
    }

    fn find(&self, end: &RecordedEnd, added: &Imagined) -> Result<Peer, String> {
        let peer = |target| Peer {
            text: end.to_string(),
            target,
        };
        let endpoint = |e: &Arc<Endpoint>| Ok(peer(Target::Endpoint(Arc::clone(e))));
        if end.is_unsaid() {
            return Err("the record does not say who it is".to_owned());
        }
        let own = added.get(end);
        if let Some((namespace, name)) = own
            && let Some(pod) = self.pods.get(&(namespace.as_str(), name.as_str()))
        {
            return endpoint(pod);
        }
        if let Some(found) = self.pod(end) {
            return endpoint(found);
        }
        let labels = labels_of(end);
        if let Some(found) = self.by_labels.get(&labels.canonical()) {
            return endpoint(found);
        }
        if let Some(found) = self.outside(end, &labels)? {
            return Ok(peer(found));
        }
        if !end.pod.is_empty() || labels.namespace().is_some() {
            let is_service = self.cluster.object(&ObjectKey {
                kind: "Service".to_owned(),
                namespace: end.namespace.clone(),
                name: end.pod.clone(),
            });
            return Err(match is_service {
                Some(_) => format!("`{end}` is a service, and the record does not say which pod"),
                None => format!(
                    "`{end}` is in no manifest, and the record does not tell the labels of its identity"
                ),
            });
        }
        if let Some(number) = end.identity {
            let known = ObjectKey {
                kind: "CiliumIdentity".to_owned(),
                namespace: String::new(),
                name: number.to_string(),
            };
            let found = self.by_number.get(&NumericIdentity(number));
            return match found.filter(|_| self.cluster.object(&known).is_some()) {
                Some(found) => endpoint(found),
                None => Err(format!("nothing says what identity {number} is")),
            };
        }
        match end.address {
            Some(address) => Ok(peer(Target::Address(address))),
            None => match end.names.first() {
                Some(name) => Ok(peer(self.name(name)?)),
                None => Err("the record does not say who it is".to_owned()),
            },
        }
    }

    /// Who is outside of the cluster, or belongs to it without being a pod.
    fn outside(&self, end: &RecordedEnd, labels: &LabelSet) -> Result<Option<Target>, String> {
        let number = end.identity.map(NumericIdentity);
        let named = number.and_then(Reserved::by_id).map(|r| r.name);
        let entities = [
            "kube-apiserver",
            "host",
            "remote-node",
            "health",
            "ingress",
            "init",
            "unmanaged",
            "world-ipv4",
            "world-ipv6",
            "world",
        ];
        let said = entities
            .into_iter()
            .find(|e| labels.has_reserved(e) || named == Some(*e));
        let prefix = number.is_some_and(|n| n.scope() == Scope::Local);
        match said {
            None if number.is_some_and(|n| n.scope() == Scope::RemoteNode) => {
                self.entity("remote-node").map(Some)
            }
            None if !prefix => Ok(None),
            Some(entity) if !entity.starts_with("world") => self.entity(entity).map(Some),
            _ => match (end.address, end.names.first()) {
                (Some(address), _) => Ok(Some(Target::Address(address))),
                (None, Some(name)) => self.name(name).map(Some),
                (None, None) => match labels.iter().find_map(Label::prefix) {
                    Some(prefix) => Ok(Some(Target::Prefix(*prefix))),
                    None => self.entity(said.unwrap_or("world")).map(Some),
                },
            },
        }
    }

    fn entity(&self, name: &str) -> Result<Target, String> {
        self.target(&format!("entity:{name}"))
    }

    fn name(&self, name: &str) -> Result<Target, String> {
        self.target(&format!("fqdn:{name}"))
    }

    fn target(&self, text: &str) -> Result<Target, String> {
        let found = self.cluster.peer(text);
        found.map(|p| p.target).map_err(|d| d.message)
    }
}

/// Kinds and names of the workloads whose pods are called like this.
fn owners(pod: &str) -> Vec<(&'static str, &str)> {
    let Some((stem, last)) = pod.rsplit_once('-') else {
        return Vec::new();
    };
    let alphanumeric = |t: &str| t.bytes().all(|b| b.is_ascii_alphanumeric());
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    let mut found = Vec::new();
    if last.len() == 5 && alphanumeric(last) {
        if let Some((outer, hash)) = stem.rsplit_once('-') {
            if (5..=10).contains(&hash.len()) && alphanumeric(hash) {
                found.push(("Deployment", outer));
            }
            if digits(hash) {
                found.push(("CronJob", outer));
            }
        }
        found
            .extend(["DaemonSet", "ReplicaSet", "Job", "ReplicationController"].map(|k| (k, stem)));
    }
    if digits(last) {
        found.push(("StatefulSet", stem));
    }
    found
}
