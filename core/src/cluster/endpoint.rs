//! Endpoints: pods, and the workloads that stand for pods not listed.

use super::ObjectKey;
use super::namespace::Namespace;
use crate::config::Config;
use crate::identity::{NumericIdentity, PodMetadata, PodPorts, Reserved, named_port};
use crate::label::{Label, LabelFilter, LabelSet, LabelSource, keys, split_source};
use crate::object::cidr::parse_addr;
use crate::object::workload::{CiliumEndpoint, Controller, OwnerReference, Pod, PodSpec};
use crate::object::{Object, ObjectMeta, template};
use crate::source::{Span, Spanned};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Something policies apply to: a pod, or a workload standing for its pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its namespace.
    pub namespace: String,
    /// Its name: that of the pod or of the workload.
    pub name: String,
    /// `Pod`, `Deployment`, …, or `CiliumEndpoint` when nothing else speaks of
    /// it.
    pub kind: &'static str,
    /// Kinds and names of the workloads it belongs to, the nearest first: a
    /// ReplicaSet, its Deployment. A workload that stands for its pods is the
    /// last of its own.
    pub workloads: Vec<(String, String)>,
    /// Its object in the source.
    pub span: Span,
    /// Its identity.
    pub identity: NumericIdentity,
    /// The labels of its identity.
    pub labels: LabelSet,
    /// Labels that make no identity.
    pub other_labels: LabelSet,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// The node it runs on; empty when unknown.
    pub node: String,
    /// It uses its node's network: it has the node's identity and no policy of
    /// its own.
    pub host_network: bool,
    /// The ports its containers declare.
    pub ports: Vec<DeclaredPort>,
    /// Its named ports.
    pub named_ports: PodPorts,
    /// The input says which ports it names: it lists its containers, or an
    /// agent has recorded the names.
    pub names_ports: bool,
    /// A variable nobody has filled in, on which its identity depends.
    pub templated: Option<String>,
    /// An identity that an object gives it although its labels say otherwise.
    pub stale_identity: bool,
}

/// A port a container declares.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeclaredPort {
    /// Its name; empty without one.
    pub name: String,
    /// The port.
    pub port: u16,
    /// IP protocol number.
    pub protocol: u8,
}

impl std::fmt::Display for Endpoint {
    /// `namespace/name`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Numbers that CiliumIdentity and CiliumEndpoint objects give to label sets.
pub(super) type Given = BTreeMap<NumericIdentity, LabelSet>;

/// Reads the numbers that objects give. Reserved numbers have their labels
/// anyway.
pub(super) fn given_identities(objects: &BTreeMap<ObjectKey, Object>) -> Given {
    let mut given = Given::new();
    for object in objects.values() {
        if let Object::CiliumIdentity(identity) = object {
            let labels = identity.security_labels.iter().map(|(key, value)| {
                let (source, key) = split_source(key);
                Label::new(LabelSource::new(source), key, value.as_str())
            });
            given.insert(NumericIdentity(identity.id.value), labels.collect());
        }
    }
    for object in objects.values() {
        if let Object::CiliumEndpoint(endpoint) = object
            && let Some(id) = endpoint_identity(endpoint)
            && !endpoint.identity_labels.is_empty()
        {
            let labels = endpoint.identity_labels.iter().map(|l| Label::parse(l));
            given.entry(id).or_insert_with(|| labels.collect());
        }
    }
    given.retain(|id, _| *id != NumericIdentity::UNKNOWN && Reserved::by_id(*id).is_none());
    given
}

fn endpoint_identity(endpoint: &CiliumEndpoint) -> Option<NumericIdentity> {
    let id = endpoint.identity.as_ref()?.value;
    u32::try_from(id).ok().map(NumericIdentity)
}

/// The given numbers in the order they count in: of several with the same
/// labels the oldest is the one Cilium uses.
pub(super) fn by_age<'g>(
    given: &'g Given,
    objects: &BTreeMap<ObjectKey, Object>,
) -> Vec<(NumericIdentity, &'g LabelSet)> {
    let created = |id: NumericIdentity| {
        let key = ObjectKey {
            kind: "CiliumIdentity".to_owned(),
            namespace: String::new(),
            name: id.to_string(),
        };
        let created = objects.get(&key).map(|o| &*o.meta().creation_timestamp);
        // Objects without a date come last.
        let created = created.filter(|c| !c.is_empty());
        (created.is_none(), created.unwrap_or_default().to_owned())
    };
    let mut all: Vec<_> = given.iter().map(|(id, labels)| (*id, labels)).collect();
    all.sort_by_cached_key(|(id, _)| (created(*id), *id));
    all
}

/// Who owns whom, by namespace, kind and name.
struct Owners<'o> {
    controllers: BTreeMap<(&'o str, &'static str, &'o str), &'o Controller>,
}

/// Owners of owners: a Deployment's ReplicaSet's pod is two away.
const MAX_OWNERS: usize = 4;

impl<'o> Owners<'o> {
    fn new(objects: &'o BTreeMap<ObjectKey, Object>) -> Self {
        let controllers = objects.values().filter_map(|object| match object {
            Object::Controller(c) => {
                Some(((object.namespace(), c.kind.as_str(), object.name()), c))
            }
            _ => None,
        });
        Self {
            controllers: controllers.collect(),
        }
    }

    /// Every workload above, the nearest first, guessing those whose objects
    /// are missing from the names Kubernetes makes.
    fn chain(
        &self,
        namespace: &str,
        owner: Option<&OwnerReference>,
        hash: Option<&str>,
    ) -> Vec<(String, String)> {
        let mut chain = Vec::new();
        let mut next = owner.map(|o| (o.kind.clone(), o.name.clone()));
        while let Some((kind, name)) = next.take() {
            let key = (namespace, static_kind(&kind), name.as_str());
            next = match self.controllers.get(&key) {
                Some(c) => c.controller().map(|o| (o.kind.clone(), o.name.clone())),
                None => self.guess(namespace, &kind, &name, hash),
            };
            chain.push((kind, name));
            if chain.len() >= MAX_OWNERS {
                break;
            }
        }
        chain
    }

    fn guess(
        &self,
        namespace: &str,
        kind: &str,
        name: &str,
        hash: Option<&str>,
    ) -> Option<(String, String)> {
        let (kind, stem) = match kind {
            "ReplicaSet" => {
                let stem = name.strip_suffix(hash?)?.strip_suffix('-')?;
                ("Deployment", stem)
            }
            "Job" => {
                let (stem, number) = name.rsplit_once('-')?;
                let scheduled = number.bytes().all(|b| b.is_ascii_digit());
                let known = self.controllers.contains_key(&(namespace, "CronJob", stem));
                (scheduled && known).then_some(("CronJob", stem))?
            }
            _ => return None,
        };
        Some((kind.to_owned(), stem.to_owned()))
    }
}

/// Every endpoint, by namespace, name and kind. Those whose number no object
/// gives have identity 0 so far.
pub(super) fn endpoints(
    objects: &BTreeMap<ObjectKey, Object>,
    namespaces: &BTreeMap<String, Namespace>,
    given: &Given,
    filter: &LabelFilter,
    config: &Config,
) -> Vec<Endpoint> {
    let maker = Maker {
        namespaces,
        filter,
        config,
    };
    let owners = Owners::new(objects);
    let recorded: BTreeMap<(&str, &str), &CiliumEndpoint> = objects
        .values()
        .filter_map(|object| match object {
            Object::CiliumEndpoint(e) => Some(((object.namespace(), object.name()), e)),
            _ => None,
        })
        .collect();
    let mut all = Vec::new();
    let mut pods = BTreeSet::new();
    let mut have_pods = BTreeSet::new();
    for object in objects.values() {
        let Object::Pod(pod) = object else { continue };
        pods.insert((object.namespace(), object.name()));
        if pod.is_finished() {
            continue;
        }
        let mut endpoint = maker.pod(pod, object.namespace(), &owners);
        let chain = endpoint.workloads.iter();
        have_pods.extend(chain.map(|w| (object.namespace(), w.clone())));
        if let Some(record) = recorded.get(&(object.namespace(), object.name()))
            && !endpoint.host_network
        {
            follow_record(&mut endpoint, record, given);
        }
        all.push(endpoint);
    }
    for (key, record) in &recorded {
        if !pods.contains(key) {
            all.push(from_record(record, key.0, given));
        }
    }
    for ((namespace, kind, name), controller) in &owners.controllers {
        let own = ((*kind).to_owned(), (*name).to_owned());
        // Whoever it belongs to stands for its pods.
        let owned = controller.controller().is_some_and(|o| {
            owners
                .controllers
                .contains_key(&(namespace, static_kind(&o.kind), o.name.as_str()))
        });
        if !owned && !have_pods.contains(&(*namespace, own)) {
            all.push(maker.controller(controller, namespace));
        }
    }
    all.sort_by(|a, b| a.place().cmp(&b.place()));
    all
}

/// The endpoint that one pod is, where no object but itself and its namespace
/// has a say in it ([`pods_speak_for_themselves`], and no record of it).
pub(super) fn of_pod(
    pod: &Pod,
    namespace: &str,
    namespaces: &BTreeMap<String, Namespace>,
    filter: &LabelFilter,
    config: &Config,
) -> Option<Endpoint> {
    let maker = Maker {
        namespaces,
        filter,
        config,
    };
    let nobody = Owners {
        controllers: BTreeMap::new(),
    };
    (!pod.is_finished()).then(|| maker.pod(pod, namespace, &nobody))
}

/// Kinds of workloads that own pods.
pub(super) const CONTROLLERS: [&str; 7] = [
    "CronJob",
    "DaemonSet",
    "Deployment",
    "Job",
    "ReplicaSet",
    "ReplicationController",
    "StatefulSet",
];

/// True without workloads that own pods: a workload without pods is an
/// endpoint itself, so pods that come and go change what it is.
pub(super) fn pods_speak_for_themselves(objects: &BTreeMap<ObjectKey, Object>) -> bool {
    CONTROLLERS.iter().all(|kind| {
        let first = ObjectKey {
            kind: (*kind).to_owned(),
            namespace: String::new(),
            name: String::new(),
        };
        let next = objects.range(first..).next();
        next.is_none_or(|(key, _)| key.kind != *kind)
    })
}

fn static_kind(kind: &str) -> &'static str {
    match kind {
        "Deployment" => "Deployment",
        "CronJob" => "CronJob",
        "ReplicaSet" => "ReplicaSet",
        "Job" => "Job",
        "StatefulSet" => "StatefulSet",
        "DaemonSet" => "DaemonSet",
        "ReplicationController" => "ReplicationController",
        _ => "",
    }
}

/// What an agent has recorded of a pod counts more than what its labels say.
fn follow_record(endpoint: &mut Endpoint, record: &CiliumEndpoint, given: &Given) {
    endpoint.addresses.extend(addresses(&record.ips));
    endpoint.addresses.sort_unstable();
    endpoint.addresses.dedup();
    let Some(id) = endpoint_identity(record) else {
        return;
    };
    endpoint.identity = id;
    let reserved = Reserved::by_id(id).map(Reserved::labels);
    if let Some(labels) = given.get(&id).cloned().or(reserved) {
        endpoint.stale_identity = labels != endpoint.labels;
        endpoint.labels = labels;
    }
}

fn from_record(record: &CiliumEndpoint, namespace: &str, given: &Given) -> Endpoint {
    let ports = record
        .named_ports
        .iter()
        .filter_map(|p| named_port(&p.name, i64::from(p.port.value), &p.protocol));
    let mut endpoint = Endpoint {
        namespace: namespace.to_owned(),
        name: record.meta.name.value.clone(),
        kind: "CiliumEndpoint",
        workloads: Vec::new(),
        span: record.span,
        // Until it has an identity an endpoint is `unmanaged`.
        identity: NumericIdentity::UNMANAGED,
        labels: [Label::reserved("unmanaged")].into_iter().collect(),
        other_labels: LabelSet::default(),
        addresses: Vec::new(),
        node: String::new(),
        host_network: false,
        ports: Vec::new(),
        named_ports: ports.collect(),
        names_ports: true,
        templated: None,
        stale_identity: false,
    };
    endpoint.ports = declared(&endpoint.named_ports);
    follow_record(&mut endpoint, record, given);
    endpoint.stale_identity = false;
    endpoint
}

fn declared(ports: &PodPorts) -> Vec<DeclaredPort> {
    ports
        .iter()
        .map(|(name, (protocol, port))| DeclaredPort {
            name: name.to_string(),
            port: *port,
            protocol: *protocol,
        })
        .collect()
}

fn addresses(texts: &[Spanned<String>]) -> impl Iterator<Item = IpAddr> {
    texts
        .iter()
        .filter_map(|t| parse_addr(t).ok())
        .map(|ip| ip.to_canonical())
}

/// Makes endpoints of pods and pod templates.
struct Maker<'a> {
    namespaces: &'a BTreeMap<String, Namespace>,
    filter: &'a LabelFilter,
    config: &'a Config,
}

impl Maker<'_> {
    fn pod(&self, pod: &Pod, namespace: &str, owners: &Owners<'_>) -> Endpoint {
        let mut endpoint = self.make(&pod.meta, &pod.spec, namespace, "Pod", pod.span);
        let mut labels = pod.meta.labels.iter();
        let hash = labels.find(|(k, _)| k.value == "pod-template-hash");
        let hash = hash.map(|(_, v)| v.value.as_str());
        endpoint.workloads = owners.chain(namespace, pod.controller(), hash);
        endpoint.name.clone_from(&pod.meta.name.value);
        endpoint.addresses = addresses(&pod.ips).collect();
        endpoint
    }

    fn controller(&self, controller: &Controller, namespace: &str) -> Endpoint {
        let template = &controller.template;
        let kind = controller.kind.as_str();
        let mut endpoint = self.make(
            &template.meta,
            &template.spec,
            namespace,
            kind,
            controller.span,
        );
        endpoint.name.clone_from(&controller.meta.name.value);
        endpoint.workloads = vec![(kind.to_owned(), endpoint.name.clone())];
        endpoint
    }

    fn make(
        &self,
        meta: &ObjectMeta,
        spec: &PodSpec,
        namespace: &str,
        kind: &'static str,
        span: Span,
    ) -> Endpoint {
        let named: PodPorts = spec
            .ports
            .iter()
            .filter_map(|p| named_port(&p.name, i64::from(p.port.value), &p.protocol))
            .collect();
        let labels = |list: &[(String, String)]| -> Vec<(String, String)> { list.to_vec() };
        let inherited = self.namespaces.get(namespace).map(|n| labels(&n.labels));
        let inherited = inherited.unwrap_or_default();
        let pod = PodMetadata {
            labels: meta
                .labels
                .iter()
                .map(|(k, v)| (k.value.as_str(), v.value.as_str()))
                .collect(),
            namespace,
            namespace_labels: inherited
                .iter()
                .map(|(k, v)| (k.as_str(), v.as_str()))
                .collect(),
            service_account: &spec.service_account,
            ports: named.clone(),
        };
        let (labels, other_labels) = pod.identity_labels(self.filter, self.config);
        let templated = labels
            .iter()
            .flat_map(|l| [l.key(), l.value()])
            .find_map(template::find)
            .map(str::to_owned);
        let ports = spec.ports.iter().filter_map(|p| {
            // Any name will do to read the number and the protocol.
            let (_, (protocol, port)) = named_port("x", i64::from(p.port.value), &p.protocol)?;
            Some(DeclaredPort {
                name: p.name.value.clone(),
                port,
                protocol,
            })
        });
        Endpoint {
            namespace: namespace.to_owned(),
            name: String::new(),
            kind,
            workloads: Vec::new(),
            span,
            identity: NumericIdentity::UNKNOWN,
            other_labels,
            addresses: Vec::new(),
            node: spec.node_name.value.clone(),
            host_network: spec.host_network,
            ports: ports.collect(),
            named_ports: named,
            names_ports: spec.has_containers,
            templated,
            stale_identity: false,
            labels,
        }
    }
}

/// The labels by which people know an application.
const APP_LABELS: [&str; 3] = ["app.kubernetes.io/name", "app", "k8s-app"];

impl Endpoint {
    /// The application it is part of, by the labels in use for that.
    pub(super) fn is_app(&self, name: &str) -> bool {
        APP_LABELS.iter().any(|key| {
            let of = |labels: &LabelSet| labels.k8s_value(key) == Some(name);
            of(&self.labels) || of(&self.other_labels)
        })
    }

    /// A fixed identity has the label of its name and no other: policies do
    /// not see the pod's own (pkg/identity/identity.go
    /// `LookupReservedIdentityByLabels`).
    pub(super) fn take_fixed_identity(&mut self, labels: LabelSet) {
        let own = std::mem::replace(&mut self.labels, labels);
        let other = own.iter().chain(self.other_labels.iter()).cloned();
        self.other_labels = other.collect();
    }

    /// What endpoints are in order of.
    pub(super) fn place(&self) -> (&str, &str, &str) {
        (&self.namespace, &self.name, self.kind)
    }

    /// Kind and name of the outermost workload it belongs to.
    #[must_use]
    pub fn workload(&self) -> Option<&(String, String)> {
        self.workloads.last()
    }

    /// True for an endpoint whose identity belongs to a namespace.
    #[must_use]
    pub fn has_pod_identity(&self) -> bool {
        self.labels.get(keys::POD_NAMESPACE).is_some()
    }
}
