//! A cluster: pods of many namespaces, each with an identity of its own, and
//! policies as a platform team and application teams write them.
//!
//! In: how many namespaces, apps in each and variants of each. Out: objects.

use crate::random::{Random, Zipf};
use netverdict::config::Config;
use netverdict::object::Object;
use netverdict::object::load::{LoadOptions, load};
use netverdict::source::SourceId;
use serde_json::{Value, json};

/// How large a cluster is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Namespaces.
    pub namespaces: usize,
    /// Apps in each.
    pub apps: usize,
    /// Variants of each app: pods with an identity of their own.
    pub variants: usize,
}

impl Size {
    /// 10,000 subjects and peers.
    pub const TEN_THOUSAND: Self = Self {
        namespaces: 200,
        apps: 10,
        variants: 5,
    };

    /// 65,000 subjects and peers, 28,000 policies: nearly all numbers that a
    /// cluster has for its identities.
    pub const SIXTY_FIVE_THOUSAND: Self = Self {
        namespaces: 1300,
        ..Self::TEN_THOUSAND
    };
}

/// Ports that policies name, the most frequent first.
fn ports() -> Vec<u16> {
    let mut ports = vec![
        53, 9090, 443, 80, 8080, 5432, 6379, 9092, 3306, 8443, 27017, 50051,
    ];
    ports.extend((13..50).map(|i| 10_000 + i * 397));
    ports
}

fn pod(namespace: usize, app: usize, variant: usize, number: usize) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": format!("app-{app}-{variant}"),
            "namespace": format!("ns-{namespace}"),
            "labels": {"app": format!("app-{app}"), "variant": format!("v{variant}")},
        },
        "spec": {"nodeName": "node"},
        "status": {"podIP": format!("10.{}.{}.{}", 64 + number / 62_500, number / 250 % 250, 1 + number % 250)},
    })
}

fn policy(name: String, namespace: usize, spec: Value) -> Value {
    json!({
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumNetworkPolicy",
        "metadata": {"name": name, "namespace": format!("ns-{namespace}")},
        "spec": spec,
    })
}

fn objects_of(text: &str) -> Vec<Object> {
    let config = Config::default();
    let loaded = load(SourceId(0), text, &LoadOptions::new(&config));
    let objects: Vec<Object> = loaded.into_objects().collect();
    assert!(!objects.is_empty(), "the workload is refused: {text}");
    objects
}

struct Writer {
    random: Random,
    size: Size,
    often: Zipf,
    ports: Vec<u16>,
}

impl Writer {
    /// A peer of a rule, under the key it stands under.
    fn peer(&mut self, direction: &str) -> (String, Value) {
        let (side, size) = (
            if direction.starts_with("in") {
                "from"
            } else {
                "to"
            },
            self.size,
        );
        let app = format!("app-{}", self.random.below(size.apps));
        let other = format!("ns-{}", self.random.below(size.namespaces));
        let endpoints =
            |labels: Value| (format!("{side}Endpoints"), json!([{"matchLabels": labels}]));
        match self.random.below(100) {
            0..45 => endpoints(json!({"app": app})),
            45..55 => endpoints(json!({"app": app, "variant": "v0"})),
            55..70 => endpoints(json!({"app": app, "k8s:io.kubernetes.pod.namespace": other})),
            70..80 => endpoints(json!({"k8s:io.kubernetes.pod.namespace": other})),
            80..85 => (format!("{side}Entities"), json!(["cluster"])),
            85..92 => (format!("{side}Entities"), json!(["all"])),
            _ => {
                let cidr = format!(
                    "172.{}.{}.0/24",
                    16 + self.random.below(2),
                    self.random.below(256)
                );
                (format!("{side}CIDR"), json!([cidr]))
            }
        }
    }

    fn rule(&mut self, spec: &mut Value) {
        let direction = *self.random.of(&["ingress", "egress"]);
        let (key, peers) = self.peer(direction);
        let count = 1 + self.random.below(3);
        let ports: Vec<Value> = (0..count)
            .map(|_| {
                let port = self.ports[self.often.pick(&mut self.random)];
                json!({"port": port.to_string(), "protocol": "TCP"})
            })
            .collect();
        let wildcard = peers == json!(["all"]);
        let mut to_ports = json!([{"ports": ports}]);
        let mut direction = direction.to_owned();
        match self.random.below(20) {
            0 if !wildcard => direction += "Deny",
            1 | 2 => to_ports[0]["rules"] = json!({"http": [{"method": "GET"}]}),
            _ => {}
        }
        let mut rule = json!({"toPorts": to_ports});
        rule[key] = peers;
        if spec.get(&direction).is_none() {
            spec[&direction] = json!([]);
        }
        if let Some(rules) = spec[&direction].as_array_mut() {
            rules.push(rule);
        }
    }
}

/// The texts of a cluster's objects: policies, then pods in an order of
/// arrival that mixes namespaces.
#[must_use]
pub fn texts(size: Size) -> Vec<String> {
    let ports = ports();
    let mut w = Writer {
        random: Random(5),
        size,
        often: Zipf::new(ports.len(), 0.8),
        ports,
    };
    let mut all = Vec::new();
    all.push(json!({
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumClusterwideNetworkPolicy",
        "metadata": {"name": "everybody"},
        "spec": {
            "endpointSelector": {},
            "egress": [{
                "toEndpoints": [{"matchLabels": {"k8s:io.kubernetes.pod.namespace": "ns-0", "app": "app-0"}}],
                "toPorts": [{"ports": [{"port": "53", "protocol": "UDP"}]}],
            }],
            "ingress": [{
                "fromEndpoints": [{"matchLabels": {"k8s:io.kubernetes.pod.namespace": "ns-1"}}],
                "toPorts": [{"ports": [{"port": "9090", "protocol": "TCP"}]}],
            }],
        },
    }));
    for namespace in 0..size.namespaces {
        let all_pods = json!({});
        let spec = json!({"endpointSelector": all_pods, "ingress": [{}], "egress": [{}]});
        all.push(policy("isolated".to_owned(), namespace, spec));
        if w.random.below(2) == 0 {
            let spec = json!({
                "endpointSelector": {},
                "ingress": [{"fromEndpoints": [{}]}],
                "egress": [{"toEndpoints": [{}]}],
            });
            all.push(policy("among-us".to_owned(), namespace, spec));
        }
        for app in 0..size.apps {
            for number in 0..1 + w.random.below(3) {
                let mut labels = json!({"app": format!("app-{app}")});
                if w.random.below(5) == 0 {
                    labels["variant"] = json!("v0");
                }
                let mut spec = json!({"endpointSelector": {"matchLabels": labels}});
                for _ in 0..1 + w.random.below(4) {
                    w.rule(&mut spec);
                }
                all.push(policy(format!("app-{app}-{number}"), namespace, spec));
            }
        }
    }
    let per_namespace = size.apps * size.variants;
    let mut pods: Vec<usize> = (0..size.namespaces * per_namespace).collect();
    for i in (1..pods.len()).rev() {
        pods.swap(i, w.random.below(i + 1));
    }
    for (number, k) in pods.into_iter().enumerate() {
        let (app, variant) = (k / size.variants % size.apps, k % size.variants);
        all.push(pod(k / per_namespace, app, variant, number));
    }
    all.iter().map(Value::to_string).collect()
}

/// The objects of a cluster.
#[must_use]
pub fn objects(size: Size) -> Vec<Object> {
    texts(size)
        .iter()
        .flat_map(|text| objects_of(text))
        .collect()
}
