//! Changes of objects, names and proxy ports, found out by a published cluster.
//!
//! In: the cluster's objects. Out: measurements per kind of change.

use super::{Kind, Start, object, policy};
use netverdict::cluster::{Change, Cluster, ProxyPortsOf, PublishedCluster};
use netverdict::compile::Update;
use netverdict::identity::NumericIdentity;
use netverdict::object::Object;
use netverdict::policy_map::RedirectKey;
use netverdict_table::Live;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

struct World {
    published: PublishedCluster,
    live: Live,
}

impl World {
    /// Applies a change and publishes it.
    fn timed(&mut self, kind: &mut Kind, change: impl FnOnce(&mut PublishedCluster) -> Update) {
        let start = Start::now();
        let update = change(&mut self.published);
        self.live.publish(&update.writes).expect("readers renew");
        kind.note(start, &update);
    }

    fn apply(&mut self, kind: &mut Kind, object: Object) {
        let change = Change::Upsert(Box::new(object));
        self.timed(kind, |p| p.apply([change]).expect("it fits"));
    }
}

fn named(api: &str, kind: &str, name: &str, more: Value) -> Object {
    let mut text = json!({
        "apiVersion": api,
        "kind": kind,
        "metadata": {"name": name},
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        match key.as_str() {
            "labels" | "namespace" => text["metadata"][key] = value.clone(),
            _ => text[key] = value.clone(),
        }
    }
    object(&text.to_string())
}

/// Prefixes that a policy names, so that each has an identity of its own, and
/// of which some are a group.
const PREFIXES: usize = 16;

fn prefixes(from: usize, count: usize) -> Vec<String> {
    let prefix = |i| format!("198.51.{}.0/24", (from + i) % PREFIXES);
    (0..count).map(prefix).collect()
}

fn group(count: usize) -> Object {
    let prefixes = prefixes(count, PREFIXES / 2);
    named(
        "cilium.io/v2",
        "CiliumCIDRGroup",
        "partners",
        json!({"spec": {"externalCIDRs": prefixes}}),
    )
}

fn namespace(count: usize) -> Object {
    let labels = json!({"kubernetes.io/metadata.name": "ns-5", "round": format!("r{}", count % 2)});
    named("v1", "Namespace", "ns-5", json!({"labels": labels}))
}

fn pod(name: &str, app: usize, address: usize) -> Object {
    named(
        "v1",
        "Pod",
        name,
        json!({
            "namespace": "ns-9",
            "labels": {"app": format!("app-{app}"), "variant": "new"},
            "spec": {"nodeName": "node"},
            "status": {"podIP": format!("10.99.{}.{}", address / 250, 1 + address % 250)},
        }),
    )
}

/// A policy to a group of prefixes, to each prefix on one port, and to a name.
fn outside() -> Object {
    named(
        "cilium.io/v2",
        "CiliumNetworkPolicy",
        "outside",
        json!({
            "namespace": "ns-3",
            "spec": {
                "endpointSelector": {},
                "egress": [
                    {"toCIDRSet": [{"cidrGroupRef": "partners"}]},
                    {
                        "toCIDR": prefixes(0, PREFIXES),
                        "toPorts": [{"ports": [{"port": "443", "protocol": "TCP"}]}],
                    },
                    {"toFQDNs": [{"matchPattern": "*.example.com"}]},
                ],
            },
        }),
    )
}

fn proxy(port: u16) -> ProxyPortsOf {
    Arc::new(move |id: NumericIdentity| {
        let own = port + u16::from(id.0 == 300);
        Arc::new(move |_: &RedirectKey| Some(own))
    })
}

/// Measures so many changes of each kind.
pub(super) fn all(objects: &[Object], count: usize) -> Vec<Kind> {
    let mut objects = objects.to_vec();
    objects.extend([group(0), namespace(0), outside()]);
    let cluster: Cluster = crate::compile::cluster(objects);
    let published = PublishedCluster::new(cluster).expect("it fits");
    let live = Live::new(published.image()).expect("a sound image");
    let mut world = World { published, live };
    let mut kinds = [
        Kind::new("pod added"),
        Kind::new("pod relabelled"),
        Kind::new("pod removed"),
        Kind::new("policy added"),
        Kind::new("namespace relabelled, 50 pods"),
        Kind::new("CIDR group changed"),
        Kind::new("address of a name arrived"),
        Kind::new("proxy ports assigned, all subjects"),
    ];
    let mut names: BTreeMap<String, Vec<IpAddr>> = BTreeMap::new();
    for i in 0..count {
        let [
            added,
            relabelled,
            removed,
            policies,
            namespaces,
            groups,
            addresses,
            ports,
        ] = &mut kinds;
        let name = format!("new-{i}");
        world.apply(added, pod(&name, 1, i));
        world.apply(relabelled, pod(&name, 2, i));
        let key = netverdict::cluster::ObjectKey::of(&pod(&name, 2, i));
        world.timed(removed, |p| {
            p.apply([Change::Remove(key)]).expect("it fits")
        });
        world.apply(policies, policy(i % 200, 5, &(21_000 + i).to_string()));
        world.apply(namespaces, namespace(i + 1));
        world.apply(groups, group(i + 1));
        let known = names.entry("api.example.com".to_owned()).or_default();
        known.push(IpAddr::from([
            203,
            0,
            113,
            u8::try_from(i % 250).unwrap_or(0),
        ]));
        let answers = names.clone();
        world.timed(addresses, |p| {
            p.set_resolved_names(answers).expect("it fits")
        });
        let of = proxy(12_000 + u16::try_from(i % 9).unwrap_or(0));
        world.timed(ports, |p| p.set_proxy_ports(Some(of)).expect("it fits"));
    }
    kinds.into()
}
