//! What policies can select: a small world, so that rules meet.

use super::Profile;
use super::dice::Dice;
use netverdict::config::{AllowLocalhost, Enforcement};
use netverdict::scenario::{
    CidrMatchMode, NamedPort, Namespace, Proto, ScenarioCidrGroup, ScenarioConfig,
    ScenarioEndpoint, ScenarioIdentity,
};
use std::collections::BTreeMap;

pub(super) const APPS: [&str; 4] = ["a", "b", "c", "d"];
pub(super) const ROLES: [&str; 3] = ["front", "back", "db"];
pub(super) const NAMESPACES: [&str; 3] = ["default", "prod", "kube-system"];
pub(super) const TEAMS: [&str; 2] = ["red", "blue"];
pub(super) const PREFIXES: [&str; 14] = [
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.1.2.0/24",
    "10.1.2.3/32",
    "10.128.0.0/9",
    "192.168.0.0/16",
    "192.168.1.0/24",
    "8.8.8.8/32",
    "172.16.0.0/12",
    "0.0.0.0/0",
    "fd00::/8",
    "fd00:1::/32",
    "2001:db8::/32",
    "::/0",
];
/// DNS names and patterns as policies write them.
pub(super) const NAMES: [&str; 6] = [
    "api.cloud.io",
    "www.example.com",
    "*.example.com",
    "**.io",
    "*",
    "API.Cloud.io",
];
pub(super) const GROUPS: [&str; 3] = ["office", "partners", "empty"];
/// Names of container ports, with their protocol and the numbers pods give
/// them.
pub(super) const PORT_NAMES: [(&str, u8, [u16; 2]); 5] = [
    ("http", 6, [8080, 80]),
    ("https", 6, [443, 8443]),
    ("dns", 17, [53, 5353]),
    ("dns-tcp", 6, [53, 53]),
    ("metrics", 132, [9090, 9091]),
];

/// Everything of a scenario but its policies and queries.
pub(super) struct World {
    pub(super) config: ScenarioConfig,
    pub(super) namespaces: Vec<Namespace>,
    pub(super) identities: Vec<ScenarioIdentity>,
    pub(super) groups: Vec<ScenarioCidrGroup>,
    pub(super) named_ports: BTreeMap<String, NamedPort>,
    pub(super) endpoints: Vec<ScenarioEndpoint>,
}

impl World {
    pub(super) fn new(dice: &mut Dice, profile: Profile) -> Self {
        let config = config(dice, profile);
        let mut world = Self {
            namespaces: NAMESPACES
                .iter()
                .map(|name| Namespace {
                    name: (*name).to_owned(),
                    labels: namespace_labels(dice, name),
                })
                .collect(),
            identities: Vec::new(),
            groups: Vec::new(),
            named_ports: BTreeMap::new(),
            endpoints: Vec::new(),
            config,
        };
        world.add_pods(dice, profile);
        if profile != Profile::Simple {
            world.add_prefixes(dice);
            world.add_odd_identities(dice);
            world.add_groups(dice);
            if dice.chance(50) {
                world.named_ports = named_ports(dice);
            }
        }
        world.add_endpoints(dice, profile);
        world
    }

    /// The name of the local cluster.
    pub(super) fn cluster(&self) -> &str {
        match self.config.cluster_name.as_str() {
            "" => "default",
            name => name,
        }
    }

    /// The number of a pod of the local cluster.
    fn pod_id(&self, n: u32) -> u32 {
        if self.config.cluster_id == 0 {
            20_000 + n
        } else {
            (self.config.cluster_id << 16) | n
        }
    }

    fn add(&mut self, id: u32, labels: &[(&str, &str)]) -> &mut ScenarioIdentity {
        self.identities.push(ScenarioIdentity {
            id,
            labels: labels
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
            ..ScenarioIdentity::default()
        });
        let last = self.identities.len() - 1;
        &mut self.identities[last]
    }

    fn add_pods(&mut self, dice: &mut Dice, profile: Profile) {
        let cluster = self.cluster().to_owned();
        for n in 0..dice.between(4, 9) {
            let app = APPS[(n as usize) % APPS.len()];
            let role = dice.one(&ROLES);
            let namespace = match n {
                0..4 => "default",
                _ => dice.pick(&NAMESPACES),
            };
            let cluster = match n {
                6 if profile != Profile::Simple => "remote",
                _ => &cluster,
            };
            let id = match cluster {
                "remote" => (7 << 16) | (300 + n),
                _ => self.pod_id(1 + n),
            };
            let ports = named_ports(dice);
            let pod = self.add(
                id,
                &[
                    ("k8s:app", app),
                    ("k8s:role", role),
                    ("k8s:io.kubernetes.pod.namespace", namespace),
                    ("k8s:io.cilium.k8s.policy.cluster", cluster),
                    ("k8s:io.cilium.k8s.policy.serviceaccount", role),
                ],
            );
            if profile != Profile::Simple && dice.chance(60) {
                pod.named_ports = Some(ports);
            }
            if dice.chance(30) {
                pod.labels.remove("k8s:role");
            }
        }
    }

    /// Identities that stand for prefixes and addresses.
    fn add_prefixes(&mut self, dice: &mut Dice) {
        for n in 0..dice.below(3) {
            let cidr = dice.pick(&PREFIXES[..9]).to_owned();
            if self.identities.iter().any(|i| i.cidr == cidr) {
                continue;
            }
            self.identities.push(ScenarioIdentity {
                id: 0x0100_1000 + n,
                cidr,
                ..ScenarioIdentity::default()
            });
        }
        for n in 0..dice.below(4) {
            let ip = dice
                .pick(&[
                    "10.1.2.4",
                    "10.9.9.9",
                    "1.1.1.1",
                    "93.184.216.34",
                    "fd00:1::7",
                    "2606::1",
                ])
                .to_owned();
            if self.identities.iter().any(|i| i.ip == ip) {
                continue;
            }
            let mut labels = BTreeMap::new();
            for _ in 0..dice.between(1, 2) {
                labels.insert(format!("fqdn:{}", dice.pick(&NAMES)), String::new());
            }
            if dice.chance(10) {
                labels.insert("reserved:kube-apiserver".to_owned(), String::new());
            }
            self.identities.push(ScenarioIdentity {
                id: 0x0100_2000 + n,
                ip,
                labels,
                ..ScenarioIdentity::default()
            });
        }
        if self.config.node_selector_labels || !self.config.policy_cidr_match_mode.is_empty() {
            let zone = dice.pick(&["x", "y"]).to_owned();
            self.identities.push(ScenarioIdentity {
                id: 0x0200_0001,
                ip: "192.168.1.10".to_owned(),
                labels: BTreeMap::from([
                    ("reserved:remote-node".to_owned(), String::new()),
                    ("node:zone".to_owned(), zone),
                ]),
                ..ScenarioIdentity::default()
            });
        }
        if dice.chance(15) {
            // A pod with an address: its prefix's labels are no business of
            // its own, unless the match mode says so.
            let id = self.pod_id(200);
            let cluster = self.cluster().to_owned();
            self.add(
                id,
                &[
                    ("k8s:app", "d"),
                    ("k8s:io.kubernetes.pod.namespace", "default"),
                    ("k8s:io.cilium.k8s.policy.cluster", &cluster),
                ],
            )
            .ip = "10.1.2.9".to_owned();
        }
    }

    fn add_odd_identities(&mut self, dice: &mut Dice) {
        if dice.chance(15) {
            let id = self.pod_id(210);
            self.add(
                id,
                &[
                    ("k8s:app", "b"),
                    ("k8s:io.kubernetes.pod.namespace", "default"),
                ],
            );
        }
        if dice.chance(10) {
            let (id, cluster) = (self.pod_id(211), self.cluster().to_owned());
            self.add(
                id,
                &[
                    ("k8s:app", "a"),
                    ("k8s:init", "x"),
                    ("k8s:io.kubernetes.pod.namespace", "default"),
                    ("k8s:io.cilium.k8s.policy.cluster", &cluster),
                ],
            );
        }
        if dice.chance(10) {
            self.add(
                0x0100_3000,
                &[("reserved:ingress", ""), ("k8s:app", "gateway")],
            );
        }
        if dice.chance(10) {
            let id = self.pod_id(212);
            self.add(id, &[("container:app", "b"), ("cni:role", "back")]);
        }
        if dice.chance(5) {
            self.add(200, &[("reserved:special", "")]);
        }
    }

    fn add_groups(&mut self, dice: &mut Dice) {
        for name in GROUPS {
            if dice.chance(40) {
                continue;
            }
            let mut cidrs: Vec<String> = Vec::new();
            if name != "empty" {
                for _ in 0..dice.between(1, 3) {
                    cidrs.push(dice.pick(&PREFIXES[..13]).to_owned());
                }
                if dice.chance(5) {
                    cidrs.push("no prefix".to_owned());
                }
            }
            let mut labels = BTreeMap::new();
            if dice.chance(70) {
                labels.insert("env".to_owned(), dice.pick(&["dev", "prod"]).to_owned());
            }
            self.groups.push(ScenarioCidrGroup {
                name: name.to_owned(),
                labels,
                cidrs,
            });
        }
    }

    fn add_endpoints(&mut self, dice: &mut Dice, profile: Profile) {
        let mut ids: Vec<u32> = vec![self.identities[0].id];
        if profile != Profile::Simple {
            if dice.chance(40) {
                ids.push(dice.one(&self.identities).id);
            }
            if self.config.host_firewall || dice.chance(3) {
                ids.push(1);
            }
            if dice.chance(8) {
                ids.push(dice.between(4, 8));
            }
        }
        // Endpoints are workloads or nodes, not prefixes.
        ids.retain(|id| !(0x0100_1000..0x0100_3000).contains(id) && *id != 0x0200_0001);
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            let named_ports =
                (profile != Profile::Simple && dice.chance(40)).then(|| named_ports(dice));
            self.endpoints.push(ScenarioEndpoint { id, named_ports });
        }
    }
}

fn namespace_labels(dice: &mut Dice, name: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::from([("kubernetes.io/metadata.name".to_owned(), name.to_owned())]);
    if dice.chance(70) {
        labels.insert("team".to_owned(), dice.pick(&TEAMS).to_owned());
    }
    labels
}

fn named_ports(dice: &mut Dice) -> BTreeMap<String, NamedPort> {
    let mut ports = BTreeMap::new();
    for (name, proto, numbers) in PORT_NAMES {
        if dice.chance(45) {
            let port = dice.one(&numbers);
            ports.insert(
                name.to_owned(),
                NamedPort {
                    port,
                    proto: Proto(proto),
                },
            );
        }
    }
    ports
}

/// Mostly the defaults; each option now and then.
fn config(dice: &mut Dice, profile: Profile) -> ScenarioConfig {
    let mut c = ScenarioConfig::default();
    if dice.chance(30) {
        c.allow_localhost = AllowLocalhost::Policy;
    }
    if profile == Profile::Simple || dice.chance(40) {
        return c;
    }
    c.enforcement = dice.one(&[
        Enforcement::Default,
        Enforcement::Default,
        Enforcement::Default,
        Enforcement::Default,
        Enforcement::Default,
        Enforcement::Default,
        Enforcement::Default,
        Enforcement::Default,
        Enforcement::Default,
        Enforcement::Default,
        Enforcement::Default,
        Enforcement::Default,
        Enforcement::Default,
        Enforcement::Always,
        Enforcement::Never,
    ]);
    if dice.chance(20) {
        c.cluster_name = "c3".to_owned();
        c.cluster_id = 3;
    }
    c.any_cluster = dice.chance(15);
    match dice.below(12) {
        0 => c.disable_ipv4 = true,
        1 => c.disable_ipv6 = true,
        _ => {}
    }
    c.disable_l7_proxy = dice.chance(4);
    c.disable_non_default_deny = dice.chance(8);
    c.disable_icmp_rules = dice.chance(5);
    c.extended_ip_protocols = dice.chance(30);
    c.node_selector_labels = dice.chance(20);
    c.host_firewall = dice.chance(20);
    c.policy_cidr_match_mode = match dice.below(12) {
        0 => vec![CidrMatchMode::Nodes],
        1 => vec![CidrMatchMode::Pods],
        2 => vec![CidrMatchMode::Nodes, CidrMatchMode::Pods],
        _ => Vec::new(),
    };
    c
}
