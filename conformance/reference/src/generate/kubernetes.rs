//! NetworkPolicy and ClusterNetworkPolicy.

use super::world::{NAMES, PORT_NAMES, PREFIXES};
use super::{Draw, Profile};
use netverdict::rule::{Direction, protocol};
use serde_json::{Map, Value, json};

impl Draw<'_> {
    /// A NetworkPolicy.
    pub(super) fn network_policy(&mut self, name: &str) -> Value {
        let mut spec = json!({"podSelector": match self.dice.below(4) {
            0 => json!({}),
            1 => self.kubernetes_selector(),
            _ => json!({"matchLabels": {"app": "a"}}),
        }});
        let mut types = Vec::new();
        for (direction, field, kind, peers) in [
            (Direction::Ingress, "ingress", "Ingress", "from"),
            (Direction::Egress, "egress", "Egress", "to"),
        ] {
            if !self.dice.chance(60) {
                continue;
            }
            self.mentions.directions.push(direction);
            types.push(kind);
            if self.dice.chance(10) {
                continue; // the type alone: nothing is allowed
            }
            let rules: Vec<Value> = (0..self.dice.weighted(&[6, 70, 24]))
                .map(|_| self.network_policy_rule(direction, peers))
                .collect();
            spec[field] = json!(rules);
        }
        match self.dice.below(10) {
            0 => {}
            1 => spec["policyTypes"] = json!([self.dice.pick(&["Ingress", "Egress"])]),
            _ => spec["policyTypes"] = json!(types),
        }
        let mut metadata = json!({"name": name});
        if self.dice.chance(85) {
            metadata["namespace"] = json!("default");
        }
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": metadata, "spec": spec})
    }

    fn network_policy_rule(&mut self, direction: Direction, peers: &str) -> Value {
        let mut rule = Map::new();
        if self.dice.chance(75) {
            let all: Vec<Value> = (0..self.dice.weighted(&[5, 65, 30]))
                .map(|_| self.network_policy_peer(direction))
                .collect();
            rule.insert(peers.into(), json!(all));
        }
        if self.dice.chance(60) {
            let all: Vec<Value> = (0..self.dice.weighted(&[5, 65, 30]))
                .map(|_| self.network_policy_port(direction))
                .collect();
            rule.insert("ports".into(), json!(all));
        }
        Value::Object(rule)
    }

    fn network_policy_peer(&mut self, direction: Direction) -> Value {
        match self.dice.weighted(&[40, 20, 15, 25]) {
            0 => json!({"podSelector": self.kubernetes_selector()}),
            1 => json!({"namespaceSelector": self.namespace_selector()}),
            2 => json!({"namespaceSelector": self.namespace_selector(),
                "podSelector": self.kubernetes_selector()}),
            _ => {
                let cidr = self.dice.pick(&PREFIXES);
                self.mentions.prefix(direction, cidr);
                let mut block = json!({"cidr": cidr});
                if cidr == "10.0.0.0/8" && self.dice.chance(50) {
                    self.mentions.prefix(direction, "10.1.0.0/16");
                    block["except"] = json!(["10.1.0.0/16"]);
                }
                json!({"ipBlock": block})
            }
        }
    }

    fn network_policy_port(&mut self, direction: Direction) -> Value {
        let mut port = json!({});
        let proto = match self.dice.weighted(&[40, 40, 12, 6, 2]) {
            0 => None,
            1 => Some("TCP"),
            2 => Some("UDP"),
            3 => Some("SCTP"),
            _ => Some(""),
        };
        let number = match proto {
            None => protocol::TCP,
            Some(name) => protocol::number(name).unwrap_or(protocol::ANY),
        };
        if let Some(name) = proto {
            port["protocol"] = json!(name);
        }
        let (value, end, low, high) = self.dice.one(&[
            (json!(80), 0, 80, 80),
            (json!(80), 90, 80, 90),
            (json!(443), 0, 443, 443),
            (json!(8080), 8090, 8080, 8090),
            (json!(53), 0, 53, 53),
            (json!("80"), 0, 80, 80),
            (json!("010"), 0, 8, 8),
            (json!(1), 65535, 1, 65535),
            (json!("http"), 0, 8080, 8080),
            (json!("http"), 8090, 8080, 8090),
            (json!("HTTP"), 0, 8080, 8080),
            (json!("dns"), 0, 53, 53),
            (Value::Null, 0, 0, 65535),
            (Value::Null, 90, 0, 65535),
        ]);
        if !value.is_null() {
            port["port"] = value;
        }
        if end != 0 {
            port["endPort"] = json!(end);
        }
        self.mentions.port(direction, number, low, high);
        port
    }

    /// A ClusterNetworkPolicy of either tier.
    pub(super) fn cluster_network_policy(&mut self, name: &str) -> Value {
        let tier = self.dice.pick(&["Admin", "Admin", "Baseline"]);
        let priority = self.dice.one(&[0, 1, 1, 2, 10, 1000]);
        let subject = match self.dice.below(4) {
            0 => json!({"namespaces": {}}),
            1 => json!({"namespaces": {"matchLabels": {"kubernetes.io/metadata.name": "default"}}}),
            2 => json!({"pods": {"namespaceSelector": {},
                "podSelector": {"matchLabels": {"app": "a"}}}}),
            _ => json!({"pods": {"namespaceSelector": self.namespace_selector(),
                "podSelector": self.kubernetes_selector()}}),
        };
        let mut spec = json!({"tier": tier, "priority": priority, "subject": subject});
        for (direction, field, peers) in [
            (Direction::Ingress, "ingress", "from"),
            (Direction::Egress, "egress", "to"),
        ] {
            if !self.dice.chance(60) {
                continue;
            }
            self.mentions.directions.push(direction);
            let rules: Vec<Value> = (0..self.dice.between(1, 3))
                .map(|_| self.cluster_rule(direction, peers))
                .collect();
            spec[field] = json!(rules);
        }
        json!({"apiVersion": "policy.networking.k8s.io/v1alpha2", "kind": "ClusterNetworkPolicy",
            "metadata": {"name": name}, "spec": spec})
    }

    fn cluster_rule(&mut self, direction: Direction, peers: &str) -> Value {
        let action = match self.profile {
            Profile::Stable if self.denies => self.dice.pick(&["Accept", "Deny"]),
            Profile::Stable => "Accept",
            _ => match self.dice.weighted(&[40, 30, 29, 1]) {
                0 => "Accept",
                1 => "Deny",
                2 => "Pass",
                _ => "Shrug",
            },
        };
        let all: Vec<Value> = (0..self.dice.weighted(&[2, 75, 23]))
            .map(|_| self.cluster_peer(direction, action))
            .collect();
        let mut rule = json!({"action": action, peers: all});
        if self.dice.chance(55) {
            let protocols: Vec<Value> = (0..self.dice.between(1, 2))
                .map(|_| self.cluster_protocol(direction))
                .collect();
            rule["protocols"] = json!(protocols);
        }
        if self.dice.chance(30) {
            rule["name"] = json!("some rule");
        }
        rule
    }

    fn cluster_peer(&mut self, direction: Direction, action: &str) -> Value {
        let egress = direction == Direction::Egress;
        match self.dice.weighted(&[30, 45, 15, 5, 4, 1]) {
            0 => json!({"namespaces": self.namespace_selector()}),
            2 if egress => {
                let cidr = self.dice.pick(&PREFIXES);
                self.mentions.prefix(direction, cidr);
                if self.dice.chance(4) {
                    json!({"networks": []})
                } else {
                    json!({"networks": [cidr]})
                }
            }
            3 if egress && action == "Accept" && !self.world.config.disable_l7_proxy => {
                json!({"domainNames": [self.dice.pick(&NAMES)]})
            }
            4 if egress && self.world.config.node_selector_labels => {
                json!({"nodes": {"matchLabels": {"zone": "x"}}})
            }
            5 => json!({"moons": {}}),
            _ => json!({"pods": {"namespaceSelector": self.namespace_selector(),
                "podSelector": self.kubernetes_selector()}}),
        }
    }

    fn cluster_protocol(&mut self, direction: Direction) -> Value {
        if self.dice.chance(12) {
            let (name, proto, numbers) = self.dice.one(&PORT_NAMES);
            for n in numbers {
                self.mentions.port(direction, proto, n, n);
            }
            return json!({"destinationNamedPort": name});
        }
        let name = self.dice.pick(&["tcp", "tcp", "tcp", "udp", "sctp"]);
        let (port, low, high) = self.dice.one(&[
            (json!({"destinationPort": {"number": 80}}), 80, 80),
            (json!({"destinationPort": {"number": 443}}), 443, 443),
            (
                json!({"destinationPort": {"range": {"start": 80, "end": 90}}}),
                80,
                90,
            ),
            (
                json!({"destinationPort": {"range": {"start": 8080, "end": 8090}}}),
                8080,
                8090,
            ),
            (json!({}), 0, 65535),
        ]);
        self.mentions
            .port(direction, protocol::number(name).unwrap_or(0), low, high);
        json!({ name: port })
    }
}
