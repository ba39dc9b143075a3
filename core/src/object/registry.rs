//! The kinds the engine reads: their group, versions and scope, and how each
//! becomes an [`Object`].
//!
//! In: `apiVersion` and `kind`. Out: the [`Kind`] behind them, or why there
//! is none.

use super::Object;
use super::cluster_network_policy::{ClusterNetworkPolicy, ClusterPolicyKind};
use super::decode::Decoder;
use super::workload::{Controller, ControllerKind, Endpoints, Node};
use crate::diagnostic::suggest;
use crate::yaml;

/// A kind the engine reads.
#[derive(Debug)]
pub struct Kind {
    /// Its name.
    pub name: &'static str,
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Versions that Kubernetes 1.36 and Cilium 1.20 serve, the preferred one
    /// first.
    pub versions: &'static [&'static str],
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// Which decoder reads it.
    pub shape: Shape,
}

/// Which decoder reads a [`Kind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// CNP and CCNP.
    CiliumPolicy,
    /// CIDR groups.
    CidrGroup,
    /// Kubernetes NetworkPolicy.
    NetworkPolicy,
    /// ClusterNetworkPolicy and its predecessors.
    ClusterPolicy(ClusterPolicyKind),
    /// Namespaces.
    Namespace,
    /// Pods.
    Pod,
    /// What creates pods.
    Controller(ControllerKind),
    /// Services.
    Service,
    /// v1 Endpoints.
    Endpoints,
    /// Endpoint slices.
    EndpointSlice,
    /// v1 nodes.
    Node,
    /// Cilium's nodes.
    CiliumNode,
    /// Service accounts.
    ServiceAccount,
    /// Cilium's identities.
    CiliumIdentity,
    /// Cilium's endpoints.
    CiliumEndpoint,
}

const V1: &[&str] = &["v1"];
const CILIUM: &str = "cilium.io";
const V2: &[&str] = &["v2"];
const CLUSTER_POLICY: &str = "policy.networking.k8s.io";

const fn kind(
    name: &'static str,
    group: &'static str,
    versions: &'static [&'static str],
    namespaced: bool,
    shape: Shape,
) -> Kind {
    Kind {
        name,
        group,
        versions,
        namespaced,
        shape,
    }
}

/// Every kind the engine reads.
pub const KINDS: [Kind; 24] = [
    kind("CiliumNetworkPolicy", CILIUM, V2, true, Shape::CiliumPolicy),
    kind(
        "CiliumClusterwideNetworkPolicy",
        CILIUM,
        V2,
        false,
        Shape::CiliumPolicy,
    ),
    kind(
        "CiliumCIDRGroup",
        CILIUM,
        &["v2", "v2alpha1"],
        false,
        Shape::CidrGroup,
    ),
    kind(
        "NetworkPolicy",
        "networking.k8s.io",
        V1,
        true,
        Shape::NetworkPolicy,
    ),
    kind(
        "ClusterNetworkPolicy",
        CLUSTER_POLICY,
        &["v1alpha2"],
        false,
        Shape::ClusterPolicy(ClusterPolicyKind::ClusterNetworkPolicy),
    ),
    kind(
        "AdminNetworkPolicy",
        CLUSTER_POLICY,
        &["v1alpha1"],
        false,
        Shape::ClusterPolicy(ClusterPolicyKind::AdminNetworkPolicy),
    ),
    kind(
        "BaselineAdminNetworkPolicy",
        CLUSTER_POLICY,
        &["v1alpha1"],
        false,
        Shape::ClusterPolicy(ClusterPolicyKind::BaselineAdminNetworkPolicy),
    ),
    kind("Namespace", "", V1, false, Shape::Namespace),
    kind("Pod", "", V1, true, Shape::Pod),
    kind("Service", "", V1, true, Shape::Service),
    kind("Endpoints", "", V1, true, Shape::Endpoints),
    kind("Node", "", V1, false, Shape::Node),
    kind("ServiceAccount", "", V1, true, Shape::ServiceAccount),
    kind(
        "ReplicationController",
        "",
        V1,
        true,
        Shape::Controller(ControllerKind::ReplicationController),
    ),
    kind(
        "Deployment",
        "apps",
        V1,
        true,
        Shape::Controller(ControllerKind::Deployment),
    ),
    kind(
        "StatefulSet",
        "apps",
        V1,
        true,
        Shape::Controller(ControllerKind::StatefulSet),
    ),
    kind(
        "DaemonSet",
        "apps",
        V1,
        true,
        Shape::Controller(ControllerKind::DaemonSet),
    ),
    kind(
        "ReplicaSet",
        "apps",
        V1,
        true,
        Shape::Controller(ControllerKind::ReplicaSet),
    ),
    kind(
        "Job",
        "batch",
        V1,
        true,
        Shape::Controller(ControllerKind::Job),
    ),
    kind(
        "CronJob",
        "batch",
        V1,
        true,
        Shape::Controller(ControllerKind::CronJob),
    ),
    kind(
        "EndpointSlice",
        "discovery.k8s.io",
        V1,
        true,
        Shape::EndpointSlice,
    ),
    kind("CiliumNode", CILIUM, V2, false, Shape::CiliumNode),
    kind("CiliumIdentity", CILIUM, V2, false, Shape::CiliumIdentity),
    kind("CiliumEndpoint", CILIUM, V2, true, Shape::CiliumEndpoint),
];

/// What `apiVersion` and `kind` lead to.
#[derive(Clone, Copy, Debug)]
pub enum Lookup {
    /// A kind the engine reads, in a version that is served.
    Known(&'static Kind),
    /// A kind the engine reads, in a group or version where it is not served.
    WrongVersion(&'static Kind),
    /// No kind of that group, but one of nearly that name.
    Misspelled(&'static Kind),
    /// A kind that policy does not depend on.
    Other,
}

/// Groups that define every kind of [`KINDS`] now or did once, in which no
/// other project may define kinds of these names.
const GROUPS: [&str; 9] = [
    "",
    "apps",
    "batch",
    "cilium.io",
    "discovery.k8s.io",
    "extensions",
    "networking.k8s.io",
    "policy",
    "policy.networking.k8s.io",
];

/// Groups that hold policies, where a kind unknown by a letter is worth a word.
const POLICY_GROUPS: [&str; 3] = ["cilium.io", "networking.k8s.io", "policy.networking.k8s.io"];

/// Finds the kind of an object.
#[must_use]
pub fn find(api_version: &str, kind: &str) -> Lookup {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    if let Some(known) = KINDS.iter().find(|k| k.name == kind) {
        return if known.group == group && known.versions.contains(&version) {
            Lookup::Known(known)
        } else if GROUPS.contains(&group) {
            Lookup::WrongVersion(known)
        } else {
            Lookup::Other
        };
    }
    if POLICY_GROUPS.contains(&group) {
        let names = KINDS.iter().filter(|k| k.group == group).map(|k| k.name);
        // Names of other kinds are long and alike: only slips count.
        let close = suggest(kind, names).filter(|n| n.len().abs_diff(kind.len()) <= 2);
        if let Some(close) = KINDS.iter().find(|k| Some(k.name) == close) {
            return Lookup::Misspelled(close);
        }
    }
    Lookup::Other
}

impl Kind {
    /// The `apiVersion` to write.
    #[must_use]
    pub fn api_version(&self) -> String {
        let version = self.versions.first().copied().unwrap_or_default();
        if self.group.is_empty() {
            version.to_owned()
        } else {
            format!("{}/{version}", self.group)
        }
    }

    /// Decodes an object of this kind.
    #[must_use]
    pub fn decode(&self, node: &yaml::Node, decoder: &mut Decoder) -> Object {
        match self.shape {
            Shape::CiliumPolicy => {
                let mut policy: super::cilium::CiliumPolicy = decoder.decode(node);
                // An item of a typed list need not say its kind.
                policy.clusterwide = !self.namespaced;
                Object::CiliumPolicy(policy)
            }
            Shape::CidrGroup => Object::CidrGroup(decoder.decode(node)),
            Shape::NetworkPolicy => Object::NetworkPolicy(decoder.decode(node)),
            Shape::ClusterPolicy(kind) => Object::ClusterNetworkPolicy(match kind {
                ClusterPolicyKind::ClusterNetworkPolicy => decoder.decode(node),
                ClusterPolicyKind::AdminNetworkPolicy => {
                    ClusterNetworkPolicy::decode_admin(node, decoder)
                }
                ClusterPolicyKind::BaselineAdminNetworkPolicy => {
                    ClusterNetworkPolicy::decode_baseline(node, decoder)
                }
            }),
            Shape::Namespace => Object::Namespace(decoder.decode(node)),
            Shape::Pod => Object::Pod(decoder.decode(node)),
            Shape::Controller(kind) => Object::Controller(Controller::decode(kind, node, decoder)),
            Shape::Service => Object::Service(decoder.decode(node)),
            Shape::Endpoints => Object::Endpoints(Endpoints::decode(node, decoder)),
            Shape::EndpointSlice => Object::Endpoints(Endpoints::decode_slice(node, decoder)),
            Shape::Node => Object::Node(Node::decode(node, decoder)),
            Shape::CiliumNode => Object::Node(Node::decode_cilium(node, decoder)),
            Shape::ServiceAccount => Object::ServiceAccount(decoder.decode(node)),
            Shape::CiliumIdentity => Object::CiliumIdentity(decoder.decode(node)),
            Shape::CiliumEndpoint => Object::CiliumEndpoint(decoder.decode(node)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_found_by_group_and_version() {
        let known = |v, k| matches!(find(v, k), Lookup::Known(_));
        assert!(known("cilium.io/v2", "CiliumNetworkPolicy"));
        assert!(known("v1", "Pod"));
        assert!(known("cilium.io/v2alpha1", "CiliumCIDRGroup"));
        for (version, kind) in [
            ("cilium.io/v1", "CiliumNetworkPolicy"),
            ("networking.k8s.io/v1beta1", "NetworkPolicy"),
            ("extensions/v1beta1", "NetworkPolicy"),
            ("v1", "NetworkPolicy"),
            ("policy.networking.k8s.io/v1alpha1", "ClusterNetworkPolicy"),
        ] {
            let found = find(version, kind);
            assert!(
                matches!(found, Lookup::WrongVersion(k) if k.name == kind),
                "{version}"
            );
        }
        for (version, kind) in [
            ("projectcalico.org/v3", "NetworkPolicy"),
            ("serving.knative.dev/v1", "Service"),
            ("cilium.io/v2", "CiliumEgressGatewayPolicy"),
            ("networking.k8s.io/v1", "Ingress"),
            ("v1", "ConfigMap"),
        ] {
            assert!(
                matches!(find(version, kind), Lookup::Other),
                "{version} {kind}"
            );
        }
        let found = find("cilium.io/v2", "CiliumNetworkPolcy");
        assert!(matches!(found, Lookup::Misspelled(k) if k.name == "CiliumNetworkPolicy"));
    }

    #[test]
    fn api_versions_name_the_preferred_version() {
        let versions: Vec<String> = KINDS.iter().map(Kind::api_version).collect();
        assert!(versions.contains(&"cilium.io/v2".to_owned()));
        assert!(versions.contains(&"v1".to_owned()));
    }
}
