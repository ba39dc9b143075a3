//! Label selectors of subjects and peers.

use super::Draw;
use super::Profile;
use super::world::{APPS, NAMESPACES, ROLES, TEAMS};
use serde_json::{Map, Value, json};

const NAMESPACE: &str = "io.kubernetes.pod.namespace";
const CLUSTER: &str = "io.cilium.k8s.policy.cluster";
const TEAM: &str = "io.cilium.k8s.namespace.labels.team";

impl Draw<'_> {
    /// Pods as a CNP or CCNP selects them.
    pub(super) fn pod_selector(&mut self) -> Value {
        let d = &mut self.dice;
        if self.profile == Profile::Simple {
            return match d.below(4) {
                0 => json!({}),
                1 => json!({"matchExpressions": [{"key": "app", "operator": "In",
                        "values": [d.pick(&APPS), d.pick(&APPS)]}]}),
                _ => json!({"matchLabels": {"app": d.pick(&APPS)}}),
            };
        }
        match d.weighted(&[8, 40, 22, 8, 5, 5, 5, 3, 1]) {
            0 => json!({}),
            1 => json!({"matchLabels": {self.key("app"): self.dice.pick(&APPS)}}),
            2 => self.expressions(),
            3 => {
                let namespace = self.dice.pick(&NAMESPACES);
                match self.dice.below(4) {
                    0 => json!({"matchLabels": {self.key(NAMESPACE): namespace,
                            self.key("app"): self.dice.pick(&APPS)}}),
                    1 => json!({"matchExpressions": [{"key": self.key(NAMESPACE),
                            "operator": "In", "values": [namespace, "nowhere"]}]}),
                    2 => json!({"matchExpressions": [{"key": self.key(NAMESPACE),
                            "operator": "NotIn", "values": [namespace]}]}),
                    _ => json!({"matchExpressions": [{"key": self.key(NAMESPACE),
                            "operator": "Exists"}]}),
                }
            }
            4 => match self.dice.below(3) {
                0 => json!({"matchLabels": {self.key(CLUSTER): "remote"}}),
                1 => {
                    json!({"matchExpressions": [{"key": self.key(CLUSTER), "operator": "Exists"}]})
                }
                _ => json!({"matchLabels": {"app": self.dice.pick(&APPS)},
                    "matchExpressions": [{"key": self.key(CLUSTER), "operator": "NotIn",
                        "values": ["remote"]}]}),
            },
            5 => match self.dice.below(3) {
                0 => json!({"matchLabels": {self.key(TEAM): self.dice.pick(&TEAMS)}}),
                1 => json!({"matchExpressions": [{"key": self.key(TEAM),
                        "operator": "DoesNotExist"}]}),
                _ => json!({"matchExpressions": [{"key": self.key(TEAM), "operator": "In",
                        "values": TEAMS}]}),
            },
            6 => self.reserved_selector(),
            7 => match self.dice.below(4) {
                0 => {
                    json!({"matchExpressions": [{"key": "cidr:10.0.0.0/8", "operator": "Exists"}]})
                }
                1 => json!({"matchLabels": {"container:app": "b"}}),
                2 => json!({"matchLabels": {"io.cilium.k8s.policy.serviceaccount":
                        self.dice.pick(&ROLES)}}),
                _ => json!({"matchLabels": {"app": ""}}),
            },
            _ => Value::Null,
        }
    }

    fn reserved_selector(&mut self) -> Value {
        let names = [
            "host",
            "world",
            "remote-node",
            "health",
            "ingress",
            "init",
            "kube-apiserver",
            "none",
            "world-ipv4",
            "aggregate-world",
            "aggregate-cluster",
        ];
        let key = format!("reserved:{}", self.dice.pick(&names));
        match self.dice.below(4) {
            0 => json!({"matchLabels": {key: ""}}),
            1 => json!({"matchExpressions": [{"key": key, "operator": "DoesNotExist"}]}),
            2 => json!({"matchExpressions": [{"key": key, "operator": "DoesNotExist"},
                    {"key": "app", "operator": "Exists"}]}),
            _ => json!({"matchExpressions": [{"key": key, "operator": "Exists"}]}),
        }
    }

    fn expressions(&mut self) -> Value {
        let mut all = Vec::new();
        for _ in 0..self.dice.between(1, 2) {
            let name = self.dice.pick(&["app", "role", "zone"]);
            let values: &[&str] = match name {
                "app" => &APPS,
                "role" => &ROLES,
                _ => &["x", "y"],
            };
            let key = self.key(name);
            let some: Vec<&str> = (0..self.dice.between(1, 3))
                .map(|_| self.dice.pick(values))
                .collect();
            all.push(match self.dice.below(4) {
                0 => json!({"key": key, "operator": "In", "values": some}),
                1 => json!({"key": key, "operator": "NotIn", "values": some}),
                2 => json!({"key": key, "operator": "Exists"}),
                _ => json!({"key": key, "operator": "DoesNotExist"}),
            });
        }
        let mut selector = json!({"matchExpressions": all});
        if self.dice.chance(20) {
            // Another name than the expressions use, so that nothing is said
            // of one key twice.
            selector["matchLabels"] =
                json!({"io.cilium.k8s.policy.serviceaccount": self.dice.pick(&ROLES)});
        }
        selector
    }

    /// A label key, with a source now and then.
    pub(super) fn key(&mut self, name: &str) -> String {
        match self.dice.weighted(&[60, 25, 15]) {
            0 => name.to_owned(),
            1 => format!("k8s:{name}"),
            _ => format!("any:{name}"),
        }
    }

    /// The pods a policy applies to: most often the first endpoint.
    pub(super) fn subject(&mut self) -> Value {
        if self.profile == Profile::Simple {
            return match self.dice.below(3) {
                0 => json!({}),
                _ => json!({"matchLabels": {"app": APPS[0]}}),
            };
        }
        match self.dice.weighted(&[33, 48, 5, 5, 3, 2, 2, 2]) {
            0 => json!({}),
            1 => json!({"matchLabels": {self.key("app"): APPS[0]}}),
            2 => json!({"matchExpressions": [{"key": "app", "operator": "NotIn",
                    "values": ["d"]}]}),
            3 => json!({"matchExpressions": [{"key": "app", "operator": "Exists"}]}),
            4 => json!({"matchLabels": {self.key(NAMESPACE): self.dice.pick(&NAMESPACES)}}),
            5 => json!({"matchExpressions": [{"key": "reserved:init", "operator": "Exists"}]}),
            6 => json!({"matchLabels": {"reserved:health": ""}}),
            _ => self.pod_selector(),
        }
    }

    /// A selector of the plain Kubernetes kind.
    pub(super) fn kubernetes_selector(&mut self) -> Value {
        match self.dice.below(5) {
            0 => json!({}),
            1 => self.kubernetes_expressions(),
            _ => json!({"matchLabels": {"app": self.dice.pick(&APPS)}}),
        }
    }

    fn kubernetes_expressions(&mut self) -> Value {
        let key = self.dice.pick(&["app", "role"]);
        let operator = self.dice.pick(&["In", "NotIn", "Exists", "DoesNotExist"]);
        let mut e = Map::new();
        e.insert("key".into(), key.into());
        e.insert("operator".into(), operator.into());
        if operator.ends_with("In") {
            let values = if key == "app" { &APPS[..] } else { &ROLES[..] };
            e.insert(
                "values".into(),
                json!([self.dice.pick(values), self.dice.pick(values)]),
            );
        }
        json!({"matchExpressions": [e]})
    }

    /// A selector of namespaces.
    pub(super) fn namespace_selector(&mut self) -> Value {
        match self.dice.below(4) {
            0 => json!({}),
            1 => json!({"matchLabels": {"team": self.dice.pick(&TEAMS)}}),
            2 => json!({"matchExpressions": [{"key": "team", "operator": "Exists"}]}),
            _ => json!({"matchLabels": {"kubernetes.io/metadata.name":
                    self.dice.pick(&NAMESPACES)}}),
        }
    }
}
