//! CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy.

use super::world::{GROUPS, PREFIXES};
use super::{Draw, Profile};
use netverdict::rule::Direction;
use serde_json::{Map, Value, json};

const ENTITIES: [&str; 15] = [
    "all",
    "all",
    "world",
    "world",
    "cluster",
    "cluster",
    "host",
    "remote-node",
    "kube-apiserver",
    "health",
    "ingress",
    "init",
    "none",
    "world-ipv4",
    "cluster-mesh",
];

impl Draw<'_> {
    /// A CNP or CCNP with one or more rules.
    pub(super) fn cilium_policy(&mut self, name: &str) -> Value {
        let simple = self.profile == Profile::Simple;
        let clusterwide = !simple && self.dice.chance(30);
        let host = clusterwide && self.world.config.host_firewall && self.dice.chance(50);
        let mut metadata = json!({"name": name});
        if !clusterwide && self.dice.chance(90) {
            let namespace = if simple || self.dice.chance(90) {
                "default"
            } else {
                "prod"
            };
            metadata["namespace"] = json!(namespace);
        }
        let kind = if clusterwide {
            "CiliumClusterwideNetworkPolicy"
        } else {
            "CiliumNetworkPolicy"
        };
        let mut object = json!({
            "apiVersion": "cilium.io/v2", "kind": kind, "metadata": metadata,
        });
        match self.dice.below(12) {
            0 => object["specs"] = json!([self.rule(host), self.rule(host)]),
            1 => {
                object["spec"] = self.rule(host);
                object["specs"] = json!([self.rule(host)]);
            }
            2 if !simple && self.dice.chance(10) => object["specs"] = json!([]),
            _ => object["spec"] = self.rule(host),
        }
        object
    }

    fn rule(&mut self, host: bool) -> Value {
        let mut rule = Map::new();
        if host {
            let selector = self.dice.one(&[
                json!({}),
                json!({"matchLabels": {"zone": "x"}}),
                json!({"matchExpressions": [{"key": "zone", "operator": "DoesNotExist"}]}),
            ]);
            rule.insert("nodeSelector".into(), selector);
        } else {
            rule.insert("endpointSelector".into(), self.subject());
        }
        let sections = [
            (Direction::Ingress, false, "ingress", 60),
            (Direction::Ingress, true, "ingressDeny", 18),
            (Direction::Egress, false, "egress", 50),
            (Direction::Egress, true, "egressDeny", 15),
        ];
        for (direction, deny, field, percent) in sections {
            if !self.dice.chance(percent) || (deny && !self.denies) {
                continue;
            }
            let count = self.dice.one(&[1, 1, 2, 3]);
            let members: Vec<Value> = (0..count)
                .map(|_| self.member(direction, deny, host))
                .collect();
            rule.insert(field.into(), json!(members));
        }
        if !rule
            .keys()
            .any(|k| k.starts_with("ingress") || k.starts_with("egress"))
        {
            let member = self.member(Direction::Ingress, false, host);
            rule.insert("ingress".into(), json!([member]));
        }
        if self.profile != Profile::Simple {
            if self.dice.chance(15) {
                let mut flags = json!({});
                if self.dice.chance(70) {
                    flags["ingress"] = json!(self.dice.chance(25));
                }
                if self.dice.chance(70) {
                    flags["egress"] = json!(self.dice.chance(25));
                }
                rule.insert("enableDefaultDeny".into(), flags);
            }
            if self.dice.chance(10) {
                rule.insert("description".into(), json!("what: this, is # for"));
            }
            if self.dice.chance(10) {
                let labels = self.dice.one(&[
                    json!(["k8s:origin=test"]),
                    json!([{"key": "owner", "source": "k8s", "value": "me"}]),
                ]);
                rule.insert("labels".into(), labels);
            }
            if self.dice.chance(5) {
                rule.insert("log".into(), json!({"value": "watched"}));
            }
        }
        Value::Object(rule)
    }

    fn member(&mut self, direction: Direction, deny: bool, host: bool) -> Value {
        self.mentions.directions.push(direction);
        let mut member = Map::new();
        let simple = self.profile == Profile::Simple;
        if simple || self.dice.chance(85) {
            self.peers_or_again(direction, deny, &mut member);
        }
        if self.dice.chance(62) {
            let again = self
                .earlier_ports
                .iter()
                .filter(|e| e.0 == (direction, deny, host));
            let again: Vec<Value> = again.map(|e| e.1.clone()).collect();
            let ports = if !again.is_empty() && self.dice.chance(25) {
                self.dice.one(&again)
            } else {
                self.port_rules(direction, deny, host)
            };
            self.earlier_ports
                .push(((direction, deny, host), ports.clone()));
            member.insert("toPorts".into(), ports);
        } else if !simple && !self.world.config.disable_icmp_rules && self.dice.chance(25) {
            member.insert("icmps".into(), self.icmps(direction));
        }
        if !deny {
            self.authentication(direction, &mut member);
        }
        Value::Object(member)
    }

    /// In the stable profile one plain rule at most asks for authentication:
    /// with several keys under each other the outcome depends on chance.
    fn authentication(&mut self, direction: Direction, member: &mut Map<String, Value>) {
        let mode = match self.profile {
            Profile::Simple => return,
            Profile::Full => {
                if !self.dice.chance(10) {
                    return;
                }
                self.dice
                    .pick(&["required", "required", "disabled", "test-always-fail"])
            }
            Profile::Stable => {
                if self.denies || self.authenticated.contains(&direction) || !self.dice.chance(50) {
                    return;
                }
                // Its keys must not lie under each other.
                let one_peer = member
                    .values()
                    .all(|v| v.as_array().is_none_or(|a| a.len() <= 1));
                let one_port = member.get("toPorts").is_none_or(|p| {
                    p[0]["ports"].as_array().is_some_and(|a| a.len() == 1)
                        && p[0].as_object().is_some_and(|p| p.len() == 1)
                        && p[0]["ports"][0].get("endPort").is_none()
                });
                if !(one_peer && one_port) || member.contains_key("icmps") {
                    return;
                }
                self.authenticated.push(direction);
                self.dice.pick(&["required", "test-always-fail"])
            }
        };
        member.insert("authentication".into(), json!({"mode": mode}));
    }

    /// The peers of an earlier member now and then: rules are merged when
    /// their selectors are spelled alike.
    fn peers_or_again(
        &mut self,
        direction: Direction,
        deny: bool,
        member: &mut Map<String, Value>,
    ) {
        let again = self
            .earlier_peers
            .iter()
            .filter(|e| e.0 == (direction, deny));
        let again: Vec<_> = again.map(|e| e.1.clone()).collect();
        if !again.is_empty() && self.dice.chance(38) {
            member.extend(self.dice.one(&again));
            return;
        }
        self.peers(direction, deny, member);
        self.earlier_peers.push(((direction, deny), member.clone()));
    }

    fn peers(&mut self, direction: Direction, deny: bool, member: &mut Map<String, Value>) {
        let egress = direction == Direction::Egress;
        let side = if egress { "to" } else { "from" };
        if self.profile == Profile::Simple {
            let selectors: Vec<Value> = (0..self.dice.between(1, 2))
                .map(|_| self.pod_selector())
                .collect();
            member.insert(format!("{side}Endpoints"), json!(selectors));
            return;
        }
        let (kind, value) = match self.dice.weighted(&[42, 20, 10, 14, 8, 2, 2, 2]) {
            1 => ("Entities", self.entities()),
            2 => ("CIDR", self.cidrs(direction)),
            3 => ("CIDRSet", self.cidr_set(direction)),
            4 if egress && !deny => ("FQDNs", self.names(direction)),
            5 if self.world.config.node_selector_labels => (
                "Nodes",
                self.dice.one(&[
                    json!([]),
                    json!([{}]),
                    json!([{"matchLabels": {"zone": "x"}}]),
                    json!([{"matchExpressions": [{"key": "zone", "operator": "Exists"}]}]),
                ]),
            ),
            6 => (
                "Groups",
                self.dice.one(&[
                    json!([{"aws": {"securityGroupsIds": ["sg-1"]}}]),
                    json!([{"aws": {"labels": {"env": "prod"}, "region": "us-west-2"}}]),
                    json!([]),
                ]),
            ),
            7 if egress => (
                "Services",
                self.dice.one(&[
                    json!([{"k8sService": {"serviceName": "db", "namespace": "default"}}]),
                    json!([{"k8sServiceSelector":
                        {"selector": {"matchLabels": {"app": "b"}}, "namespace": "default"}}]),
                    json!([]),
                ]),
            ),
            _ => {
                let count = self.dice.weighted(&[3, 65, 27, 5]);
                let all: Vec<Value> = (0..count).map(|_| self.pod_selector()).collect();
                ("Endpoints", json!(all))
            }
        };
        member.insert(format!("{side}{kind}"), value);
        if self.dice.chance(3) {
            member.insert(format!("{side}Requires"), json!([]));
        }
    }

    fn entities(&mut self) -> Value {
        if self.dice.chance(4) {
            return json!([]);
        }
        let mut all = vec![self.dice.pick(&ENTITIES)];
        if self.dice.chance(25) {
            all.push(self.dice.pick(&ENTITIES));
        }
        json!(all)
    }

    /// A prefix as written, now and then with host bits.
    fn cidr(&mut self, direction: Direction) -> String {
        let mut text = self.dice.pick(&PREFIXES).to_owned();
        if text == "10.0.0.0/8" && self.dice.chance(15) {
            text = "10.0.0.1/8".to_owned();
        }
        self.mentions.prefix(direction, &text);
        text
    }

    fn cidrs(&mut self, direction: Direction) -> Value {
        if self.dice.chance(4) {
            return json!([]);
        }
        (0..self.dice.between(1, 2))
            .map(|_| {
                if self.dice.chance(15) {
                    let ip = self
                        .dice
                        .pick(&["10.1.2.3", "8.8.8.8", "2001:db8::1"])
                        .to_owned();
                    self.mentions.prefix(direction, &ip);
                    ip
                } else {
                    self.cidr(direction)
                }
            })
            .collect()
    }

    fn cidr_set(&mut self, direction: Direction) -> Value {
        if self.dice.chance(4) {
            return json!([]);
        }
        (0..self.dice.between(1, 2))
            .map(|_| self.cidr_rule(direction))
            .collect()
    }

    fn cidr_rule(&mut self, direction: Direction) -> Value {
        match self.dice.weighted(&[40, 25, 15, 18, 2]) {
            0 => json!({"cidr": self.cidr(direction)}),
            1 => {
                let (cidr, except) = self.dice.one(&[
                    ("10.0.0.0/8", json!(["10.1.0.0/16"])),
                    ("10.0.0.0/8", json!(["10.1.2.0/24", "10.128.0.0/9"])),
                    ("10.1.0.0/16", json!(["10.1.2.3/32"])),
                    ("0.0.0.0/0", json!(["10.0.0.0/8"])),
                    ("192.168.0.0/16", json!(["192.168.0.0/16"])),
                    ("fd00::/8", json!(["fd00:1::/32"])),
                    ("10.0.0.0/8", json!([])),
                ]);
                self.mentions.prefix(direction, cidr);
                for e in except.as_array().into_iter().flatten() {
                    self.mentions
                        .prefix(direction, e.as_str().unwrap_or_default());
                }
                json!({"cidr": cidr, "except": except})
            }
            2 => {
                let group = self.dice.pick(&GROUPS);
                let mut rule = json!({"cidrGroupRef": group});
                self.group_except(direction, &mut rule);
                rule
            }
            3 => {
                let selector = self.dice.one(&[
                    json!({"matchLabels": {"env": "prod"}}),
                    json!({"matchExpressions": [{"key": "env", "operator": "In",
                        "values": ["dev", "prod"]}]}),
                    json!({"matchExpressions": [{"key": "env", "operator": "NotIn",
                        "values": ["dev"]}]}),
                    json!({"matchExpressions": [{"key": "env", "operator": "Exists"}]}),
                    json!({"matchExpressions": [{"key": "env", "operator": "DoesNotExist"}]}),
                    json!({"matchLabels": {"k8s:env": "prod"}}),
                ]);
                let mut rule = json!({"cidrGroupSelector": selector});
                self.group_except(direction, &mut rule);
                rule
            }
            _ => {
                let mut rule = json!({"cidrGroupSelector": {}});
                self.group_except(direction, &mut rule);
                rule
            }
        }
    }

    fn group_except(&mut self, direction: Direction, rule: &mut Value) {
        if self.dice.chance(20) {
            let except = self.dice.pick(&["10.1.0.0/16", "10.1.2.3", "fd00:1::/32"]);
            self.mentions.prefix(direction, except);
            rule["except"] = json!([except]);
        }
    }

    fn names(&mut self, direction: Direction) -> Value {
        if self.dice.chance(5) {
            return json!([]);
        }
        for identity in &self.world.identities {
            if !identity.ip.is_empty() {
                self.mentions.prefix(direction, &identity.ip);
            }
        }
        (0..self.dice.between(1, 2))
            .map(|_| self.name_rule())
            .collect()
    }
}
