//! Needs gathered by the workload whose policy is to allow them.

use super::{Generated, Kind, Need, Scope, labels, write};
use crate::recorded::workload;
use ipnet::IpNet;
use netverdict::cluster::{Cluster, Endpoint, ObjectKey, Peer, Target};
use netverdict::identity::Reserved;
use netverdict::rule::{Direction, protocol};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The other side of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Other {
    /// Pods of a namespace, by their labels.
    Pods {
        namespace: String,
        labels: Vec<(String, String)>,
    },
    /// An entity.
    Entity(&'static str),
    /// Addresses.
    Prefix(IpNet),
    /// A DNS name.
    Name(String),
}

/// What a rule allows to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Port {
    /// A port of TCP, UDP or SCTP.
    Number { protocol: u8, port: u16 },
    /// A type of ICMP or ICMPv6.
    Icmp { protocol: u8, kind: u16 },
}

/// Ports with one peer, and how somebody knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Member {
    pub ports: BTreeSet<Port>,
    pub evidence: BTreeSet<String>,
    /// Its answers are to be learned.
    pub dns: bool,
}

/// A policy to write.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    pub labels: Vec<(String, String)>,
    pub ingress: BTreeMap<Other, Member>,
    pub egress: BTreeMap<Other, Member>,
}

/// All policies to write.
pub(super) struct Drafts<'a> {
    cluster: &'a Cluster,
    scope: &'a Scope,
    names: &'a BTreeMap<IpAddr, String>,
    by_workload: BTreeMap<(String, String), Draft>,
    left_out: BTreeSet<String>,
}

impl<'a> Drafts<'a> {
    pub(super) fn new(
        cluster: &'a Cluster,
        scope: &'a Scope,
        names: &'a BTreeMap<IpAddr, String>,
    ) -> Self {
        Self {
            cluster,
            scope,
            names,
            by_workload: BTreeMap::new(),
            left_out: BTreeSet::new(),
        }
    }

    /// Adds a need to the policies of both its ends.
    pub(super) fn add(&mut self, need: &Need) {
        let port = match need.protocol {
            protocol::TCP | protocol::UDP | protocol::SCTP => Port::Number {
                protocol: need.protocol,
                port: need.port,
            },
            protocol::ICMP | protocol::ICMPV6 if self.scope.kind == Kind::Cilium => Port::Icmp {
                protocol: need.protocol,
                kind: need.port,
            },
            number => {
                let name = protocol::name(number).unwrap_or("its protocol");
                let why = format!("{} → {}: no rule can name {name}", need.from, need.to);
                self.left_out.insert(why);
                return;
            }
        };
        let sides = [
            (Direction::Egress, &need.from, &need.to),
            (Direction::Ingress, &need.to, &need.from),
        ];
        for (direction, own, other) in sides {
            let Target::Endpoint(subject) = &own.target else {
                continue;
            };
            if subject.host_network || !self.scope.has(&subject.namespace) {
                continue;
            }
            self.side(direction, subject, other, &port, need);
        }
    }

    fn side(
        &mut self,
        direction: Direction,
        subject: &Endpoint,
        other: &Peer,
        port: &Port,
        need: &Need,
    ) {
        let member = match self.other(direction, other) {
            Ok(Some(member)) => member,
            // Nothing is to be written.
            Ok(None) => return,
            Err(why) => {
                self.left_out
                    .insert(format!("{} → {}: {why}", need.from, need.to));
                return;
            }
        };
        let learned = matches!(member, Other::Name(_)).then(|| self.dns());
        let name = subject
            .workload()
            .map_or_else(|| subject.name.clone(), |(_, name)| name.clone());
        let draft = self
            .by_workload
            .entry((subject.namespace.clone(), name))
            .or_insert_with(|| Draft {
                labels: labels::telling(self.cluster, subject),
                ..Draft::default()
            });
        let members = match direction {
            Direction::Ingress => &mut draft.ingress,
            Direction::Egress => &mut draft.egress,
        };
        let known = members.entry(member).or_default();
        known.ports.insert(port.clone());
        if !need.evidence.is_empty() {
            let who = workload(other);
            known.evidence.insert(format!("{who}: {}", need.evidence));
        }
        if let Some(dns) = learned {
            let known = members.entry(dns).or_default();
            known.dns = true;
            for protocol in [protocol::UDP, protocol::TCP] {
                known.ports.insert(Port::Number { protocol, port: 53 });
            }
            known
                .evidence
                .insert("names are looked up, and their addresses learned".to_owned());
        }
    }

    /// The other side as a rule can say it; `None` when no rule is needed.
    fn other(&self, direction: Direction, peer: &Peer) -> Result<Option<Other>, String> {
        let cilium = self.scope.kind == Kind::Cilium;
        let entity = |name: &'static str| match (name, direction) {
            // A pod's own node always reaches it.
            ("host", Direction::Ingress) => Ok(None),
            (name, _) if cilium => Ok(Some(Other::Entity(name))),
            ("world" | "world-ipv4" | "world-ipv6", _) => Ok(Some(Other::Entity(name))),
            (name, _) => Err(format!("a NetworkPolicy cannot name {name}")),
        };
        match &peer.target {
            Target::Endpoint(e) if e.host_network => entity("remote-node"),
            Target::Endpoint(e) => Ok(Some(Other::Pods {
                namespace: e.namespace.clone(),
                labels: labels::telling(self.cluster, e),
            })),
            Target::Entity(name) => entity(name),
            Target::Prefix(prefix) => Ok(Some(Other::Prefix(*prefix))),
            Target::Name(name) if cilium => Ok(Some(Other::Name(name.clone()))),
            Target::Name(name) => Err(format!("a NetworkPolicy cannot name {name}")),
            Target::Address(ip) => {
                let id = self.cluster.identity_at(*ip, None);
                let reserved = Reserved::by_id(id).map(|r| r.name);
                if let Some(e) = self
                    .cluster
                    .endpoints()
                    .iter()
                    .find(|e| e.addresses.contains(ip))
                {
                    return self.other(
                        direction,
                        &Peer {
                            text: e.to_string(),
                            target: Target::Endpoint(e.clone()),
                        },
                    );
                }
                match (reserved, self.names.get(ip)) {
                    (
                        Some(
                            name @ ("host" | "remote-node" | "kube-apiserver" | "health"
                            | "ingress"),
                        ),
                        _,
                    ) => entity(name),
                    (_, Some(name)) if cilium && direction == Direction::Egress => {
                        Ok(Some(Other::Name(name.clone())))
                    }
                    _ => Ok(Some(Other::Prefix(IpNet::from(*ip)))),
                }
            }
        }
    }

    /// Who answers DNS queries.
    fn dns(&self) -> Other {
        let is_dns = |e: &&std::sync::Arc<Endpoint>| {
            e.labels.k8s_value("k8s-app") == Some("kube-dns") && !e.host_network
        };
        match self.cluster.endpoints().iter().find(is_dns) {
            Some(e) => Other::Pods {
                namespace: e.namespace.clone(),
                labels: labels::telling(self.cluster, e),
            },
            None => Other::Pods {
                namespace: "kube-system".to_owned(),
                labels: vec![("k8s-app".to_owned(), "kube-dns".to_owned())],
            },
        }
    }

    /// Writes them.
    pub(super) fn write(self) -> Generated {
        let kind = self.scope.kind;
        let cluster = self.cluster;
        let policies = self
            .by_workload
            .into_iter()
            .map(|((namespace, name), draft)| {
                let free = free_name(cluster, kind, &namespace, &name);
                let text = match kind {
                    Kind::Cilium => write::cilium(&namespace, &free, &draft),
                    Kind::Kubernetes => write::kubernetes(&namespace, &free, &draft),
                };
                (format!("{namespace}/{name}"), text)
            });
        Generated {
            policies: policies.collect(),
            left_out: self.left_out.into_iter().collect(),
        }
    }
}

/// The workload's name, or one like it: a policy that is there stays.
fn free_name(cluster: &Cluster, kind: Kind, namespace: &str, name: &str) -> String {
    let taken = |name: &str| {
        let key = ObjectKey {
            kind: match kind {
                Kind::Cilium => "CiliumNetworkPolicy",
                Kind::Kubernetes => "NetworkPolicy",
            }
            .to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        cluster.object(&key).is_some()
    };
    let mut free = name.to_owned();
    let mut number = 1u32;
    while taken(&free) {
        free = match number {
            1 => format!("{name}-generated"),
            n => format!("{name}-generated-{n}"),
        };
        number += 1;
    }
    free
}
