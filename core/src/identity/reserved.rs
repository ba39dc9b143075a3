//! Reserved identities, and which label sets are theirs.
//!
//! ```
//! use netverdict::config::Config;
//! use netverdict::identity::{
//!     NumericIdentity, ReservedLookup, Scope, reserved_identities, reserved_lookup, scope_for_labels,
//!     world_identity,
//! };
//! use netverdict::label::{Label, LabelSet};
//!
//! let config = Config::default();
//! let host: LabelSet = [Label::reserved("host")].into_iter().collect();
//! assert!(reserved_identities(&config).iter().any(|(_, labels)| *labels == host));
//! assert_eq!(reserved_lookup(&host, &config), ReservedLookup::Is(NumericIdentity::HOST));
//! assert_eq!(world_identity(&"192.0.2.7".parse()?, &config).scope(), Scope::Global);
//! // Prefixes have numbers of their own in each cluster.
//! let prefix: LabelSet = [Label::parse("cidr:192.0.2.0/24=")].into_iter().collect();
//! assert_eq!(scope_for_labels(&prefix), Scope::Local);
//! # Ok::<(), std::net::AddrParseError>(())
//! ```

use super::{NumericIdentity, Scope};
use crate::config::Config;
use crate::label::{Label, LabelSet, LabelSource, keys};

/// A reserved identity with its label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// Its number.
    pub id: NumericIdentity,
    /// The key of its `reserved:` label, which is also its name.
    pub name: &'static str,
}

const RESERVED: [Reserved; 14] = [
    Reserved {
        id: NumericIdentity::HOST,
        name: "host",
    },
    Reserved {
        id: NumericIdentity::WORLD,
        name: "world",
    },
    Reserved {
        id: NumericIdentity::UNMANAGED,
        name: "unmanaged",
    },
    Reserved {
        id: NumericIdentity::HEALTH,
        name: "health",
    },
    Reserved {
        id: NumericIdentity::INIT,
        name: "init",
    },
    Reserved {
        id: NumericIdentity::REMOTE_NODE,
        name: "remote-node",
    },
    Reserved {
        id: NumericIdentity::KUBE_APISERVER,
        name: "kube-apiserver",
    },
    Reserved {
        id: NumericIdentity::INGRESS,
        name: "ingress",
    },
    Reserved {
        id: NumericIdentity::WORLD_IPV4,
        name: "world-ipv4",
    },
    Reserved {
        id: NumericIdentity::WORLD_IPV6,
        name: "world-ipv6",
    },
    Reserved {
        id: NumericIdentity::AGGREGATE_CLUSTER,
        name: "aggregate-cluster",
    },
    Reserved {
        id: NumericIdentity::AGGREGATE_CLUSTER_MESH,
        name: "aggregate-cluster-mesh",
    },
    Reserved {
        id: NumericIdentity::AGGREGATE_WORLD,
        name: "aggregate-world",
    },
    Reserved {
        id: NumericIdentity::AGGREGATE_REMOTE_NODE,
        name: "aggregate-remote-node",
    },
];

impl Reserved {
    /// All of them by number (1 to 14).
    #[must_use]
    pub const fn all() -> &'static [Self] {
        &RESERVED
    }

    /// The reserved identity of that name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        RESERVED.iter().copied().find(|r| r.name == name)
    }

    /// The reserved identity of that number.
    #[must_use]
    pub fn by_id(id: NumericIdentity) -> Option<Self> {
        RESERVED.iter().copied().find(|r| r.id == id)
    }

    /// Its label set. `kube-apiserver` is also a remote node.
    #[must_use]
    pub fn labels(self) -> LabelSet {
        let mut labels = vec![Label::reserved(self.name)];
        if self.id == NumericIdentity::KUBE_APISERVER {
            labels.push(Label::reserved("remote-node"));
        }
        labels.into_iter().collect()
    }
}

/// Every identity that always exists: 1 to 14, the well-known ones when they
/// are enabled, and those the configuration defines.
#[must_use]
pub fn reserved_identities(config: &Config) -> Vec<(NumericIdentity, LabelSet)> {
    let mut all: Vec<_> = RESERVED.iter().map(|r| (r.id, r.labels())).collect();
    if config.well_known_identities {
        all.extend(well_known(config));
    }
    all.extend(
        config
            .fixed_identities
            .range(USER_RESERVED)
            .map(|(id, name)| (NumericIdentity(*id), reserved_set(name))),
    );
    all
}

/// Numbers that `fixed-identity-mapping` may give names to.
const USER_RESERVED: std::ops::RangeInclusive<u32> = 128..=255;

fn reserved_set(name: &str) -> LabelSet {
    [Label::reserved(name)].into_iter().collect()
}

/// The well-known identities 102 to 115 (Cilium 1.20.2
/// pkg/identity/reserved.go): fixed label sets of cluster services.
fn well_known(config: &Config) -> Vec<(NumericIdentity, LabelSet)> {
    let dns = |account: &str, component: Option<&str>| {
        let mut labels = vec![
            Label::k8s("k8s-app", "kube-dns"),
            Label::k8s(keys::POD_NAMESPACE, "kube-system"),
            Label::k8s(keys::SERVICE_ACCOUNT, account),
            Label::k8s(keys::CLUSTER, config.cluster_name.as_str()),
        ];
        if let Some(c) = component {
            labels.push(Label::k8s("eks.amazonaws.com/component", c));
        }
        ("kube-system".to_owned(), labels)
    };
    let ns = &config.cilium_namespace;
    let operator = vec![
        Label::k8s("name", "cilium-operator"),
        Label::k8s("io.cilium/app", "operator"),
        Label::k8s("app.kubernetes.io/part-of", "cilium"),
        Label::k8s("app.kubernetes.io/name", "cilium-operator"),
        Label::k8s(keys::POD_NAMESPACE, ns.as_str()),
        Label::k8s(keys::SERVICE_ACCOUNT, "cilium-operator"),
        Label::k8s(keys::CLUSTER, config.cluster_name.as_str()),
    ];
    let sets = [
        (102, 110, dns("kube-dns", None)),
        (103, 111, dns("kube-dns", Some("kube-dns"))),
        (104, 112, dns("coredns", None)),
        (105, 113, (ns.clone(), operator)),
        (106, 114, dns("coredns", Some("coredns"))),
    ];
    let mut all = Vec::new();
    for (first, second, (ns, labels)) in sets {
        all.push((NumericIdentity(first), labels.iter().cloned().collect()));
        let named = Label::k8s(
            format!("{}.kubernetes.io/metadata.name", keys::NAMESPACE_LABELS),
            ns,
        );
        all.push((
            NumericIdentity(second),
            labels.into_iter().chain([named]).collect(),
        ));
    }
    all
}

/// What the reserved table says about a label set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReservedLookup {
    /// It is this reserved identity.
    Is(NumericIdentity),
    /// It is none: allocate one in the set's scope.
    Allocate,
}

/// The reserved identity of a label set, if it has one
/// (Cilium 1.20.2 pkg/identity/reserved.go LookupReservedIdentityByLabels).
#[must_use]
pub fn reserved_lookup(labels: &LabelSet, config: &Config) -> ReservedLookup {
    use ReservedLookup::{Allocate, Is};
    if config.well_known_identities
        && let Some((id, _)) = well_known(config).into_iter().find(|(_, l)| l == labels)
    {
        return Is(id);
    }
    if let Some(fixed) = labels.get(keys::FIXED_IDENTITY) {
        // One that nothing defines ends the search.
        return config
            .fixed_identities
            .range(USER_RESERVED)
            .find(|(_, name)| *name == fixed.value())
            .map_or(Allocate, |(id, _)| Is(NumericIdentity(*id)));
    }
    if !labels.has_source(&LabelSource::Reserved) {
        return Allocate;
    }
    if labels.get("host").is_some() {
        return Is(NumericIdentity::HOST);
    }
    if labels.get("remote-node").is_some() {
        if config.cidr_matches_nodes || config.node_selector_labels {
            return Allocate;
        }
        return Is(if labels.get("kube-apiserver").is_some() {
            NumericIdentity::KUBE_APISERVER
        } else {
            NumericIdentity::REMOTE_NODE
        });
    }
    match labels.as_slice() {
        [only] => Reserved::by_name(only.key()).map_or(Allocate, |r| Is(r.id)),
        _ => Allocate,
    }
}

/// The scope an identity for these labels is allocated in
/// (Cilium 1.20.2 pkg/identity/identity.go ScopeForLabels).
#[must_use]
pub fn scope_for_labels(labels: &LabelSet) -> Scope {
    // The key decides, whatever its source: a pod label `remote-node` makes
    // the pod node-local.
    if labels.get("remote-node").is_some() {
        return Scope::RemoteNode;
    }
    if labels.has_source(&LabelSource::Reserved) && labels.get("ingress").is_some() {
        return Scope::Local;
    }
    let local = |l: &Label| {
        matches!(
            l.source(),
            LabelSource::Cidr | LabelSource::Fqdn | LabelSource::Reserved | LabelSource::CidrGroup
        )
    };
    if !labels.is_empty() && labels.iter().all(local) {
        Scope::Local
    } else {
        Scope::Global
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ReservedLookup::{Allocate, Is};

    fn set(labels: &[&str]) -> LabelSet {
        labels.iter().map(|l| Label::parse(l)).collect()
    }

    /// The table of worked examples computed with Cilium's own code.
    #[test]
    fn worked_label_sets() {
        let config = Config::default();
        let is = |n| Is(NumericIdentity(n));
        for (labels, reserved, scope) in [
            (&["k8s:app=web"][..], Allocate, Scope::Global),
            (
                &["reserved:host", "reserved:kube-apiserver"],
                is(1),
                Scope::Local,
            ),
            (&["reserved:host", "cidr:1.2.3.4/32"], is(1), Scope::Local),
            (&["reserved:kube-apiserver"], is(7), Scope::Local),
            (
                &["reserved:remote-node", "node:zone=a"],
                is(6),
                Scope::RemoteNode,
            ),
            (
                &["reserved:kube-apiserver", "reserved:world-ipv4"],
                Allocate,
                Scope::Local,
            ),
            (&["reserved:health", "k8s:a=b"], Allocate, Scope::Global),
            (&["reserved:ingress", "k8s:x=y"], Allocate, Scope::Local),
            (&["reserved:ingress"], is(8), Scope::Local),
            (&["reserved:init"], is(5), Scope::Local),
            (&["k8s:init"], Allocate, Scope::Global),
            (&["reserved:none"], Allocate, Scope::Local),
            (&["reserved:aggregate-world"], is(13), Scope::Local),
            (&["k8s:host", "reserved:world"], is(1), Scope::Global),
            (&["k8s:remote-node=1"], Allocate, Scope::RemoteNode),
            (
                &["k8s:io.cilium.fixed-identity=foo", "reserved:host"],
                Allocate,
                Scope::Global,
            ),
        ] {
            let labels = set(labels);
            assert_eq!(reserved_lookup(&labels, &config), reserved, "{labels}");
            assert_eq!(scope_for_labels(&labels), scope, "{labels}");
        }
    }

    #[test]
    fn fixed_identities_are_found_by_name() {
        let mut config = Config::default();
        config.fixed_identities.insert(200, "db".to_owned());
        config
            .fixed_identities
            .insert(300, "out-of-range".to_owned());
        let fixed = |name: &str| {
            let label = format!("k8s:io.cilium.fixed-identity={name}");
            reserved_lookup(&set(&["k8s:app=x", &label]), &config)
        };
        assert_eq!(fixed("db"), is_number(200));
        assert_eq!(fixed("out-of-range"), Allocate);
        let all = reserved_identities(&config);
        let (_, labels) = all.iter().find(|(id, _)| id.0 == 200).unwrap();
        assert_eq!(labels.canonical(), "reserved:db=;");
        assert!(!all.iter().any(|(id, _)| id.0 == 300));
    }

    fn is_number(n: u32) -> ReservedLookup {
        Is(NumericIdentity(n))
    }

    #[test]
    fn well_known_sets_need_the_switch() {
        let on = Config {
            well_known_identities: true,
            ..Config::default()
        };
        let dns = set(&[
            "k8s:k8s-app=kube-dns",
            "k8s:io.kubernetes.pod.namespace=kube-system",
            "k8s:io.cilium.k8s.policy.serviceaccount=coredns",
            "k8s:io.cilium.k8s.policy.cluster=default",
        ]);
        assert_eq!(reserved_lookup(&dns, &on), Is(NumericIdentity(104)));
        assert_eq!(reserved_lookup(&dns, &Config::default()), Allocate);
    }
}
