//! `Pod` and the pod template of everything that creates pods.

use crate::object::ObjectMeta;
use crate::object::decode::{Decode, Decoder};
use crate::source::{Span, Spanned};
use crate::yaml::{Node, Value};
use std::collections::BTreeSet;

/// A `Pod`.
#[derive(Clone, Debug, PartialEq)]
pub struct Pod {
    /// The whole object.
    pub span: Span,
    /// Name, namespace, labels.
    pub meta: ObjectMeta,
    /// `metadata.ownerReferences`.
    pub owners: Vec<OwnerReference>,
    /// `spec`.
    pub spec: PodSpec,
    /// `status.phase`; empty when absent.
    pub phase: Spanned<String>,
    /// `status.podIPs`, else `status.podIP`; without duplicates, as written.
    pub ips: Vec<Spanned<String>>,
    /// `status.hostIP`; empty when absent.
    pub host_ip: Spanned<String>,
}

impl Pod {
    /// True once the pod has finished: it holds no address any more.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        matches!(self.phase.as_str(), "Succeeded" | "Failed")
    }

    /// The owner that manages the pod: the one marked `controller: true`.
    #[must_use]
    pub fn controller(&self) -> Option<&OwnerReference> {
        self.owners.iter().find(|o| o.controller)
    }
}

/// The part of a pod's `spec` that policy depends on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PodSpec {
    /// `serviceAccountName`, else the older `serviceAccount`; empty when
    /// neither is given, which the API server turns into `default`.
    pub service_account: Spanned<String>,
    /// `hostNetwork`: the pod has the node's addresses and identity.
    pub host_network: bool,
    /// `nodeName`; empty when not scheduled.
    pub node_name: Spanned<String>,
    /// The manifest lists containers. Without them nobody knows which ports
    /// the pod names.
    pub has_containers: bool,
    /// Ports of `containers`. Those of `initContainers` and
    /// `ephemeralContainers` are not listed: Cilium resolves named ports
    /// through `containers` only (Cilium 1.20.2 pkg/k8s/labels.go).
    pub ports: Vec<ContainerPort>,
}

/// An element of `containers[].ports`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerPort {
    /// Where it stands.
    pub span: Span,
    /// Name of the container.
    pub container: String,
    /// `name`; empty when absent.
    pub name: Spanned<String>,
    /// `containerPort`.
    pub port: Spanned<i32>,
    /// `protocol` as written; empty = TCP.
    pub protocol: Spanned<String>,
}

/// An element of `metadata.ownerReferences`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnerReference {
    /// `kind`.
    pub kind: String,
    /// `name`.
    pub name: String,
    /// `uid`; empty when absent.
    pub uid: String,
    /// `controller`.
    pub controller: bool,
}

/// A pod as its creator describes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PodTemplate {
    /// Where it stands.
    pub span: Span,
    /// `metadata`: labels and annotations of the pods to come.
    pub meta: ObjectMeta,
    /// `spec`.
    pub spec: PodSpec,
}

impl Decode for Pod {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            f.partial();
            let meta = f.get("metadata");
            let spec = f.get("spec");
            let status: PodStatus = f.get("status");
            Self {
                span: f.span(),
                meta,
                owners: OwnerReference::of(node),
                spec,
                phase: status.phase,
                ips: status.ips,
                host_ip: status.host_ip,
            }
        })
    }
}

#[derive(Default)]
struct PodStatus {
    phase: Spanned<String>,
    ips: Vec<Spanned<String>>,
    host_ip: Spanned<String>,
}

impl Decode for PodStatus {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            f.partial();
            let one: Spanned<String> = f.get("podIP");
            let all: Vec<PodIp> = f.get("podIPs");
            let mut ips: Vec<Spanned<String>> = Vec::new();
            let mut known = BTreeSet::new();
            let all = all.into_iter().map(|ip| ip.0);
            for ip in all.chain(std::iter::once(one)) {
                if !ip.is_empty() && known.insert(ip.value.clone()) {
                    ips.push(ip);
                }
            }
            Self {
                phase: f.get("phase"),
                ips,
                host_ip: f.get("hostIP"),
            }
        })
    }
}

struct PodIp(Spanned<String>);

impl Decode for PodIp {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self(f.get("ip")))
    }
}

impl Decode for PodSpec {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            f.partial();
            let name: Spanned<String> = f.get("serviceAccountName");
            let old: Spanned<String> = f.get("serviceAccount");
            let containers: Vec<Container> = f.get("containers");
            Self {
                service_account: if name.is_empty() { old } else { name },
                host_network: f.get("hostNetwork"),
                node_name: f.get("nodeName"),
                has_containers: !containers.is_empty(),
                ports: containers.into_iter().flat_map(|c| c.ports).collect(),
            }
        })
    }
}

struct Container {
    ports: Vec<ContainerPort>,
}

impl Decode for Container {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            f.partial();
            let name: String = f.get("name");
            let mut ports: Vec<ContainerPort> = f.get("ports");
            for port in &mut ports {
                port.container.clone_from(&name);
            }
            Self { ports }
        })
    }
}

impl Decode for ContainerPort {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            f.ignore(&["hostPort", "hostIP"]);
            Self {
                span: f.span(),
                container: String::new(),
                name: f.get("name"),
                port: f.get("containerPort"),
                protocol: f.get("protocol"),
            }
        })
    }
}

impl OwnerReference {
    /// The owners of an object, from its tree; decoding the metadata has
    /// reported what is wrong with them.
    pub(super) fn of(object: &Node) -> Vec<Self> {
        let owners = object
            .get("metadata")
            .and_then(|m| m.get("ownerReferences"));
        let text = |owner: &Node, name| {
            let text = owner.get(name).and_then(Node::as_str);
            text.unwrap_or_default().to_owned()
        };
        let controls = |owner: &Node| {
            let value = owner.get("controller").map(|n| &n.value);
            matches!(value, Some(Value::Bool(true)))
        };
        owners
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .map(|owner| Self {
                kind: text(owner, "kind"),
                name: text(owner, "name"),
                uid: text(owner, "uid"),
                controller: controls(owner),
            })
            .collect()
    }
}

impl Decode for PodTemplate {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            f.partial();
            Self {
                span: f.span(),
                meta: f.get("metadata"),
                spec: f.get("spec"),
            }
        })
    }
}
