//! `Endpoints` (v1) and `EndpointSlice` (discovery.k8s.io/v1): the backends of
//! a service, in one shape.

use crate::object::ObjectMeta;
use crate::object::decode::{Decode, Decoder, Fields};
use crate::source::{Span, Spanned};
use crate::yaml::{Node, Value};

/// Which kind an [`Endpoints`] was written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndpointsKind {
    /// v1 `Endpoints`: named like its service.
    Endpoints,
    /// discovery.k8s.io/v1 `EndpointSlice`: one of several for its service.
    EndpointSlice,
}

/// Backends of a service.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoints {
    /// The whole object.
    pub span: Span,
    /// The kind it was written as.
    pub kind: EndpointsKind,
    /// Name, namespace, labels.
    pub meta: ObjectMeta,
    /// The service they belong to: the object's own name for `Endpoints`, the
    /// label `kubernetes.io/service-name` for a slice; empty when missing.
    pub service: Spanned<String>,
    /// `subsets`; a slice is one.
    pub subsets: Vec<EndpointSubset>,
}

/// Addresses that share their ports.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EndpointSubset {
    /// Every address, ready or not.
    pub addresses: Vec<EndpointAddress>,
    /// The ports each of them serves.
    pub ports: Vec<EndpointPort>,
}

/// One backend address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointAddress {
    /// The address, as written.
    pub address: Spanned<String>,
    /// Whether it is ready; absent conditions mean yes.
    pub ready: bool,
    /// `nodeName`; empty when absent.
    pub node_name: String,
    /// `targetRef` as kind, namespace and name.
    pub target: Option<(String, String, String)>,
}

/// One backend port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointPort {
    /// Where it stands.
    pub span: Span,
    /// `name`; empty when absent.
    pub name: Spanned<String>,
    /// `port`; `None` in a slice means every port.
    pub port: Option<Spanned<i32>>,
    /// `protocol` as written; empty = TCP.
    pub protocol: Spanned<String>,
}

/// The label by which a slice names its service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

impl Endpoints {
    /// Decodes a v1 `Endpoints`.
    #[must_use]
    pub fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            f.partial();
            let meta: ObjectMeta = f.get("metadata");
            Self {
                span: f.span(),
                kind: EndpointsKind::Endpoints,
                service: meta.name.clone(),
                meta,
                subsets: f
                    .with("subsets", |n, d| d.list(n, subset))
                    .unwrap_or_default(),
            }
        })
    }

    /// Decodes a discovery.k8s.io/v1 `EndpointSlice`.
    #[must_use]
    pub fn decode_slice(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            f.partial();
            let meta: ObjectMeta = f.get("metadata");
            let service = meta.labels.iter().find(|(key, _)| **key == SERVICE_NAME);
            let endpoints: Option<Vec<Vec<EndpointAddress>>> =
                f.with("endpoints", |n, d| d.list(n, slice_endpoint));
            let subset = EndpointSubset {
                addresses: endpoints
                    .unwrap_or_default()
                    .into_iter()
                    .flatten()
                    .collect(),
                ports: f.get("ports"),
            };
            Self {
                span: f.span(),
                kind: EndpointsKind::EndpointSlice,
                service: service.map(|(_, name)| name.clone()).unwrap_or_default(),
                meta,
                subsets: vec![subset],
            }
        })
    }
}

fn subset(node: &Node, decoder: &mut Decoder) -> EndpointSubset {
    decoder.fields(node, |f| {
        let mut addresses = addresses(f, "addresses", true);
        addresses.extend(addresses_not_ready(f));
        EndpointSubset {
            addresses,
            ports: f.get("ports"),
        }
    })
}

fn addresses_not_ready(f: &mut Fields<'_, '_>) -> Vec<EndpointAddress> {
    addresses(f, "notReadyAddresses", false)
}

fn addresses(f: &mut Fields<'_, '_>, name: &'static str, ready: bool) -> Vec<EndpointAddress> {
    let address = |node: &Node, decoder: &mut Decoder| {
        decoder.fields(node, |f| {
            f.ignore(&["hostname"]);
            EndpointAddress {
                address: f.get("ip"),
                ready,
                node_name: f.get("nodeName"),
                target: f.get::<Option<Target>>("targetRef").map(|t| t.0),
            }
        })
    };
    f.with(name, |n, d| d.list(n, address)).unwrap_or_default()
}

/// An element of `endpoints`: one backend, with all its addresses.
fn slice_endpoint(node: &Node, decoder: &mut Decoder) -> Vec<EndpointAddress> {
    decoder.fields(node, |f| {
        f.partial();
        let addresses: Vec<Spanned<String>> = f.get("addresses");
        let node_name: String = f.get("nodeName");
        let target = f.get::<Option<Target>>("targetRef").map(|t| t.0);
        let not_ready = f.entry("conditions").and_then(|c| c.node.get("ready"));
        let ready = !not_ready.is_some_and(|n| n.value == Value::Bool(false));
        addresses
            .into_iter()
            .map(|address| EndpointAddress {
                address,
                ready,
                node_name: node_name.clone(),
                target: target.clone(),
            })
            .collect()
    })
}

struct Target((String, String, String));

impl Decode for Target {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            f.partial();
            Self((f.get("kind"), f.get("namespace"), f.get("name")))
        })
    }
}

impl Decode for EndpointPort {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            f.ignore(&["appProtocol"]);
            Self {
                span: f.span(),
                name: f.get("name"),
                port: f.get("port"),
                protocol: f.get("protocol"),
            }
        })
    }
}
