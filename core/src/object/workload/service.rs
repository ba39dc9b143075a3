//! `Service`.

use crate::object::ObjectMeta;
use crate::object::decode::{Decode, Decoder};
use crate::object::network_policy::IntOrString;
use crate::source::{Span, Spanned};
use crate::yaml::Node;

/// A `Service`.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// The whole object.
    pub span: Span,
    /// Name, namespace, labels.
    pub meta: ObjectMeta,
    /// `spec.type` as written; empty = `ClusterIP`.
    pub service_type: Spanned<String>,
    /// `spec.selector`; `None` when absent or empty: then the backends come
    /// from Endpoints or EndpointSlice objects written by hand.
    pub selector: Option<Vec<(Spanned<String>, Spanned<String>)>>,
    /// `spec.ports`.
    pub ports: Vec<ServicePort>,
    /// `spec.clusterIPs`, else `spec.clusterIP`, as written (`None` is the
    /// text of a headless service).
    pub cluster_ips: Vec<Spanned<String>>,
    /// `spec.externalIPs` as written.
    pub external_ips: Vec<Spanned<String>>,
    /// `spec.externalName`; empty when absent.
    pub external_name: Spanned<String>,
}

impl Service {
    /// True for a service without a virtual address: clients connect to the
    /// backends directly.
    #[must_use]
    pub fn is_headless(&self) -> bool {
        self.cluster_ips.first().is_some_and(|ip| **ip == "None")
    }
}

/// An element of `spec.ports`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServicePort {
    /// Where it stands.
    pub span: Span,
    /// `name`; empty when absent.
    pub name: Spanned<String>,
    /// `port` of the service.
    pub port: Spanned<i32>,
    /// `targetPort` of the backend; `None` = the same as `port`.
    pub target_port: Option<Spanned<IntOrString>>,
    /// `nodePort`; `None` when absent.
    pub node_port: Option<Spanned<i32>>,
    /// `protocol` as written; empty = TCP.
    pub protocol: Spanned<String>,
    /// `appProtocol`; empty when absent.
    pub app_protocol: Spanned<String>,
}

impl Decode for Service {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            f.partial();
            let meta = f.get("metadata");
            let spec: Spec = f.get("spec");
            let ips = match spec.cluster_ips.is_empty() {
                true if spec.cluster_ip.is_empty() => Vec::new(),
                true => vec![spec.cluster_ip],
                false => spec.cluster_ips,
            };
            Self {
                span: f.span(),
                meta,
                service_type: spec.service_type,
                selector: Some(spec.selector).filter(|s| !s.is_empty()),
                ports: spec.ports,
                cluster_ips: ips,
                external_ips: spec.external_ips,
                external_name: spec.external_name,
            }
        })
    }
}

#[derive(Default)]
struct Spec {
    service_type: Spanned<String>,
    selector: Vec<(Spanned<String>, Spanned<String>)>,
    ports: Vec<ServicePort>,
    cluster_ip: Spanned<String>,
    cluster_ips: Vec<Spanned<String>>,
    external_ips: Vec<Spanned<String>>,
    external_name: Spanned<String>,
}

impl Decode for Spec {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            f.partial();
            Self {
                service_type: f.get("type"),
                selector: f.string_map("selector"),
                ports: f.get("ports"),
                cluster_ip: f.get("clusterIP"),
                cluster_ips: f.get("clusterIPs"),
                external_ips: f.get("externalIPs"),
                external_name: f.get("externalName"),
            }
        })
    }
}

impl Decode for ServicePort {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            span: f.span(),
            name: f.get("name"),
            port: f.get("port"),
            target_port: f.get("targetPort"),
            node_port: f.get("nodePort"),
            protocol: f.get("protocol"),
            app_protocol: f.get("appProtocol"),
        })
    }
}
