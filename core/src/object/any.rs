//! One object of any kind the engine reads.

use super::cilium::{CidrGroup, CiliumPolicy};
use super::cluster_network_policy::ClusterNetworkPolicy;
use super::network_policy::NetworkPolicy;
use super::workload::{
    CiliumEndpoint, CiliumIdentity, Controller, Endpoints, EndpointsKind, Namespace, Node,
    NodeKind, Pod, Service, ServiceAccount,
};
use super::{ObjectMeta, ObjectRef};
use crate::source::Span;

/// An object that decoded and passed validation.
#[derive(Clone, Debug, PartialEq)]
pub enum Object {
    /// `CiliumNetworkPolicy` or `CiliumClusterwideNetworkPolicy`.
    CiliumPolicy(CiliumPolicy),
    /// `CiliumCIDRGroup`.
    CidrGroup(CidrGroup),
    /// `NetworkPolicy`.
    NetworkPolicy(NetworkPolicy),
    /// `ClusterNetworkPolicy` or one of its predecessors.
    ClusterNetworkPolicy(ClusterNetworkPolicy),
    /// `Namespace`.
    Namespace(Namespace),
    /// `Pod`.
    Pod(Pod),
    /// `Deployment`, `StatefulSet`, … `CronJob`.
    Controller(Controller),
    /// `Service`.
    Service(Service),
    /// `Endpoints` or `EndpointSlice`.
    Endpoints(Endpoints),
    /// `Node` or `CiliumNode`.
    Node(Node),
    /// `ServiceAccount`.
    ServiceAccount(ServiceAccount),
    /// `CiliumIdentity`.
    CiliumIdentity(CiliumIdentity),
    /// `CiliumEndpoint`.
    CiliumEndpoint(CiliumEndpoint),
}

/// Runs an expression on the struct inside an [`Object`].
macro_rules! each {
    ($object:expr, $inner:ident => $result:expr) => {
        match $object {
            Object::CiliumPolicy($inner) => $result,
            Object::CidrGroup($inner) => $result,
            Object::NetworkPolicy($inner) => $result,
            Object::ClusterNetworkPolicy($inner) => $result,
            Object::Namespace($inner) => $result,
            Object::Pod($inner) => $result,
            Object::Controller($inner) => $result,
            Object::Service($inner) => $result,
            Object::Endpoints($inner) => $result,
            Object::Node($inner) => $result,
            Object::ServiceAccount($inner) => $result,
            Object::CiliumIdentity($inner) => $result,
            Object::CiliumEndpoint($inner) => $result,
        }
    };
}

impl Object {
    /// Its kind as Kubernetes spells it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::CiliumPolicy(p) if p.clusterwide => "CiliumClusterwideNetworkPolicy",
            Self::CiliumPolicy(_) => "CiliumNetworkPolicy",
            Self::CidrGroup(_) => "CiliumCIDRGroup",
            Self::NetworkPolicy(_) => "NetworkPolicy",
            Self::ClusterNetworkPolicy(p) => p.kind.as_str(),
            Self::Namespace(_) => "Namespace",
            Self::Pod(_) => "Pod",
            Self::Controller(c) => c.kind.as_str(),
            Self::Service(_) => "Service",
            Self::Endpoints(e) => match e.kind {
                EndpointsKind::Endpoints => "Endpoints",
                EndpointsKind::EndpointSlice => "EndpointSlice",
            },
            Self::Node(n) => match n.kind {
                NodeKind::Node => "Node",
                NodeKind::CiliumNode => "CiliumNode",
            },
            Self::ServiceAccount(_) => "ServiceAccount",
            Self::CiliumIdentity(_) => "CiliumIdentity",
            Self::CiliumEndpoint(_) => "CiliumEndpoint",
        }
    }

    /// Its metadata.
    #[must_use]
    pub const fn meta(&self) -> &ObjectMeta {
        each!(self, o => &o.meta)
    }

    /// Its metadata, to change.
    pub const fn meta_mut(&mut self) -> &mut ObjectMeta {
        each!(self, o => &mut o.meta)
    }

    /// The whole object in its source.
    #[must_use]
    pub const fn span(&self) -> Span {
        each!(self, o => o.span)
    }

    /// Its namespace; empty for clusterwide kinds.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.meta().namespace.as_ref().map_or("", |n| &n.value)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.meta().name.value
    }

    /// Who it is and where it stands.
    #[must_use]
    pub fn object_ref(&self) -> ObjectRef {
        ObjectRef {
            kind: self.kind().to_owned(),
            namespace: self.namespace().to_owned(),
            name: self.name().to_owned(),
            span: self.span(),
        }
    }

    /// True for the kinds that hold rules.
    #[must_use]
    pub const fn is_policy(&self) -> bool {
        matches!(
            self,
            Self::CiliumPolicy(_) | Self::NetworkPolicy(_) | Self::ClusterNetworkPolicy(_)
        )
    }
}
