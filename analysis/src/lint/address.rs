//! Prefixes that are inside the cluster.
//!
//! In: the prefixes of rules, and the addresses of pods, nodes and services.
//! Out: findings about prefixes that match nobody, because whoever has these
//! addresses is known otherwise.

use ipnet::IpNet;
use netverdict::cluster::Cluster;
use netverdict::diagnostic::Severity::{Info, Warning};
use netverdict::diagnostic::{Code, Diagnostic};
use netverdict::object::Object;
use netverdict::object::cidr::{parse_addr, parse_prefix_or_addr};
use netverdict::rule::RuleVerdict;
use netverdict::selector::SelectorKind;
use netverdict::source::Span;
use std::collections::{BTreeMap, BTreeSet};

/// A prefix of addresses that pods, nodes or services have: nobody is matched
/// by it.
pub const INSIDE_CLUSTER: Code = Code::new(631, Warning, "prefix inside the cluster");
/// A prefix with addresses of pods or nodes in it, which it does not match.
pub const AROUND_CLUSTER: Code = Code::new(635, Info, "prefix around pods or nodes");
/// A CIDR group without prefixes.
pub const EMPTY_GROUP: Code = Code::new(632, Warning, "empty CIDR group");

/// Prefixes compared in one check.
const MAX_COMPARISONS: usize = 5_000_000;

/// Who has addresses of the cluster.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    Pods,
    Nodes,
    Services,
}

pub(super) fn check(cluster: &Cluster) -> Vec<Diagnostic> {
    let owned = owned(cluster);
    let mut found = Vec::new();
    let mut told = BTreeSet::new();
    let mut left = MAX_COMPARISONS;
    for rule in cluster.repository().rules() {
        if rule.verdict != RuleVerdict::Allow {
            continue;
        }
        for peer in rule.peers.iter().flatten() {
            if peer.kind() != SelectorKind::Cidr {
                continue;
            }
            // What comes first is the prefix, and then what is taken out of it.
            let first = peer.requirements().first();
            let Some(prefix) = first.and_then(|r| r.key.prefix()) else {
                continue;
            };
            let around = (0..=prefix.prefix_len()).filter_map(|length| {
                let net = IpNet::new(prefix.addr(), length).ok()?;
                owned.get(&net.trunc())
            });
            if !told.insert(peer.span()) {
                continue;
            }
            let Some((owner, name)) = { around }.next() else {
                left = left.saturating_sub(owned.len());
                if left > 0
                    && let Some(finding) = around_cluster(prefix, &owned)
                {
                    let finding = Diagnostic {
                        span: peer.span(),
                        ..finding
                    };
                    found.push(
                        finding
                            .at(rule.origin.path.as_str())
                            .of(rule.origin.object.to_string()),
                    );
                }
                continue;
            };
            let help = match owner {
                Owner::Pods => "select the pods by their labels",
                Owner::Nodes => {
                    "nodes are the entities `host` and `remote-node`, the API server is `kube-apiserver`"
                }
                Owner::Services => {
                    "policies see connections after the service chose a pod: select the pods by their labels, or use `toServices`"
                }
            };
            found.push(
                Diagnostic::new(
                    INSIDE_CLUSTER,
                    peer.span(),
                    format!("`{prefix}` matches nobody: it is inside the addresses of {name}"),
                )
                .at(rule.origin.path.as_str())
                .of(rule.origin.object.to_string())
                .help(help),
            );
        }
    }
    found.extend(cluster.objects().filter_map(empty_group));
    found
}

fn around_cluster(prefix: &IpNet, owned: &BTreeMap<IpNet, (Owner, String)>) -> Option<Diagnostic> {
    let inside = owned.iter().find(|(net, (owner, _))| {
        *owner != Owner::Services && prefix.prefix_len() < net.prefix_len() && prefix.contains(*net)
    });
    let (net, (_, name)) = inside?;
    let message = format!("`{prefix}` does not match {name}, although `{net}` is inside");
    Some(
        Diagnostic::new(AROUND_CLUSTER, Span::default(), message).help(
            "pods are selected by their labels, nodes by entities, whatever their addresses are",
        ),
    )
}

fn empty_group(object: &Object) -> Option<Diagnostic> {
    let Object::CidrGroup(group) = object else {
        return None;
    };
    group.external_cidrs.is_empty().then(|| {
        Diagnostic::new(
            EMPTY_GROUP,
            group.meta.name.span,
            "the group has no prefixes: rules that name it match nobody",
        )
        .at("spec.externalCIDRs")
        .of(object.object_ref().to_string())
        .help("add prefixes, or remove the group and the rules for it")
    })
}

/// Prefixes of the cluster with who has them.
fn owned(cluster: &Cluster) -> BTreeMap<IpNet, (Owner, String)> {
    let config = cluster.config();
    let mut all: Vec<(IpNet, Owner, String)> = Vec::new();
    for object in cluster.objects() {
        match object {
            Object::Node(node) => {
                let name = format!("node `{}`", object.name());
                if !config.cidr_matches_pods {
                    let prefixes = node.pod_cidrs.iter();
                    let prefixes = prefixes.filter_map(|p| parse_prefix_or_addr(&p.value).ok());
                    let pods = format!("pods of {name}");
                    all.extend(prefixes.map(|p| (p, Owner::Pods, pods.clone())));
                }
                if !config.cidr_matches_nodes {
                    let addresses = node.addresses.iter();
                    let addresses = addresses.filter_map(|a| parse_addr(&a.address.value).ok());
                    all.extend(addresses.map(|a| (a.into(), Owner::Nodes, name.clone())));
                }
            }
            Object::Service(service) => {
                let name = format!("service `{}/{}`", object.namespace(), object.name());
                let addresses = service.cluster_ips.iter();
                let addresses = addresses.filter_map(|a| parse_addr(&a.value).ok());
                all.extend(addresses.map(|a| (a.into(), Owner::Services, name.clone())));
            }
            _ => {}
        }
    }
    if !config.cidr_matches_pods {
        for endpoint in cluster.endpoints().iter().filter(|e| !e.host_network) {
            let addresses = endpoint.addresses.iter();
            all.extend(addresses.map(|a| ((*a).into(), Owner::Pods, format!("`{endpoint}`"))));
        }
    }
    let all = all.into_iter();
    all.map(|(net, owner, name)| (net.trunc(), (owner, name)))
        .collect()
}
