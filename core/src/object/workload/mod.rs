//! The objects that policies act on: namespaces, pods and what creates them,
//! services, nodes, and what Cilium itself records about them.
//!
//! In: value trees of Kubernetes and cilium.io objects. Out: typed objects
//! with the fields that policy depends on, each decoded strictly; everything
//! else in the object is left alone.

mod cilium_endpoint;
pub mod cilium_identity;
mod controller;
mod endpoints;
mod namespace;
mod node;
mod pod;
mod service;
#[cfg(test)]
mod tests;

pub use cilium_endpoint::{CiliumEndpoint, NamedPort};
pub use cilium_identity::CiliumIdentity;
pub use controller::{Controller, ControllerKind};
pub use endpoints::{EndpointAddress, EndpointPort, EndpointSubset, Endpoints, EndpointsKind};
pub use namespace::{Namespace, ServiceAccount};
pub use node::{Node, NodeAddress, NodeKind};
pub use pod::{ContainerPort, OwnerReference, Pod, PodSpec, PodTemplate};
pub use service::{Service, ServicePort};
