//! Needs gathered by the workload whose policy is to allow them.

use super::{Generated, Kind, Need, Requests, Scope, Terms, labels, write};
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
    /// Addresses, without some of them.
    Prefix { prefix: IpNet, except: Vec<IpNet> },
    /// A DNS name.
    Name(String),
}

/// What a rule allows to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Port {
    /// Everything.
    Every,
    /// Ports of TCP, UDP or SCTP.
    Range { protocol: u8, first: u16, last: u16 },
    /// A type of ICMP or ICMPv6.
    Icmp { protocol: u8, kind: u16 },
}

impl Port {
    fn single(protocol: u8, port: u16) -> Self {
        Self::Range {
            protocol,
            first: port,
            last: port,
        }
    }

    /// Protocol, first and last port, if it is a range of ports.
    pub(super) fn range(&self) -> Option<(u8, u16, u16)> {
        match *self {
            Self::Range {
                protocol,
                first,
                last,
            } => Some((protocol, first, last)),
            _ => None,
        }
    }
}

/// On which terms.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OnTerms {
    pub requests: Requests,
    pub authenticated: bool,
}

/// Ports with one peer, and how somebody knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Member {
    pub ports: BTreeMap<OnTerms, BTreeSet<Port>>,
    pub evidence: BTreeSet<String>,
    /// It answers queries for names that are to be learned.
    pub learned: bool,
}

/// As many types of ICMP as one rule is to list.
const MAX_TYPES: u16 = 40;

/// A policy to write.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    pub labels: Vec<(String, String)>,
    pub ingress: BTreeMap<Other, Member>,
    pub egress: BTreeMap<Other, Member>,
    /// Directions that are isolated even without members.
    pub closed: BTreeSet<Direction>,
}

impl Draft {
    /// Names are learned from answers that pass a DNS rule: adds one for
    /// everybody who answers, unless there are such rules already.
    fn learn_names(&mut self) {
        let asks = |m: &Member| {
            m.ports
                .keys()
                .any(|t| matches!(t.requests, Requests::Dns(_)))
        };
        let asked = self.egress.values().any(asks);
        for member in self.egress.values_mut().filter(|m| m.learned && !asked) {
            let by_every = [protocol::UDP, protocol::TCP].map(|p| Port::single(p, 53));
            if let Some(plain) = member.ports.get_mut(&OnTerms::default()) {
                plain.retain(|p| !by_every.contains(p));
            }
            member.ports.retain(|_, ports| !ports.is_empty());
            let all = OnTerms {
                requests: Requests::Dns(["*".to_owned()].into()),
                ..OnTerms::default()
            };
            member.ports.entry(all).or_default().extend(by_every);
            let why = "names are looked up, and their addresses learned";
            member.evidence.insert(why.to_owned());
        }
        self.egress.retain(|_, m| !m.ports.is_empty());
    }
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
        let ports = self.ports(need);
        let on = match &need.terms {
            Terms::Any => OnTerms::default(),
            Terms::Exactly {
                requests,
                authenticated,
            } => OnTerms {
                requests: requests.clone(),
                authenticated: *authenticated,
            },
        };
        if self.scope.kind == Kind::Kubernetes && on != OnTerms::default() {
            let what = match on.authenticated {
                true => "ask for authentication".to_owned(),
                false => on
                    .requests
                    .lines()
                    .into_iter()
                    .collect::<Vec<_>>()
                    .join(", "),
            };
            let why = format!(
                "{} → {}: a NetworkPolicy cannot say {what}",
                need.from, need.to
            );
            self.left_out.insert(why);
            return;
        }
        if ports.is_empty() {
            return;
        }
        let sides = [
            (Direction::Egress, &need.from, &need.to),
            (Direction::Ingress, &need.to, &need.from),
        ];
        let subjects = sides.map(|(_, own, _)| match &own.target {
            Target::Endpoint(e) if !e.host_network && self.scope.has(&e.namespace) => Some(e),
            _ => None,
        });
        // One proxy is enough: the receiver's if it has a policy to say so,
        // and the sender's for DNS, whose rules are about egress alone.
        let by_sender = matches!(on.requests, Requests::Dns(_)) || subjects[1].is_none();
        let by_sender = by_sender || !need.written[1];
        for ((direction, _, other), (subject, written)) in sides
            .into_iter()
            .zip(subjects.into_iter().zip(need.written))
        {
            let Some(subject) = subject.filter(|_| written) else {
                continue;
            };
            let mut own = on.clone();
            if by_sender != (direction == Direction::Egress) {
                own.requests = Requests::Every;
            }
            // Who receives asks for authentication, if both may.
            own.authenticated &= direction == Direction::Ingress || by_sender;
            self.side(direction, subject, other, &ports, &own, need);
        }
    }

    /// The ports of a need that rules can name; the others are left out.
    fn ports(&mut self, need: &Need) -> BTreeSet<Port> {
        if need.ports.is_all() {
            return [Port::Every].into();
        }
        let mut ports = BTreeSet::new();
        for (number, ranges) in need.ports.ranges() {
            let types: u16 = ranges.iter().map(|(first, last)| last - first + 1).sum();
            for (first, last) in ranges {
                match number {
                    Some(protocol @ (protocol::TCP | protocol::UDP | protocol::SCTP)) => {
                        ports.insert(Port::Range {
                            protocol,
                            first,
                            last,
                        });
                    }
                    Some(protocol @ (protocol::ICMP | protocol::ICMPV6))
                        if self.scope.kind == Kind::Cilium && types <= MAX_TYPES =>
                    {
                        let kinds = (first..=last).map(|kind| Port::Icmp { protocol, kind });
                        ports.extend(kinds);
                    }
                    number => {
                        let known = number.and_then(protocol::name);
                        let name = match number {
                            Some(_) => known.unwrap_or("its protocol"),
                            None => "all other protocols",
                        };
                        let why = format!("{} → {}: no rule can name {name}", need.from, need.to);
                        self.left_out.insert(why);
                    }
                }
            }
        }
        ports
    }

    fn side(
        &mut self,
        direction: Direction,
        subject: &Endpoint,
        other: &Peer,
        ports: &BTreeSet<Port>,
        on: &OnTerms,
        need: &Need,
    ) {
        let others = match self.other(direction, other, &need.except) {
            // Where none is, nothing is to be written.
            Ok(others) => others,
            Err(why) => {
                self.left_out
                    .insert(format!("{} → {}: {why}", need.from, need.to));
                return;
            }
        };
        let learned = others.iter().any(|o| matches!(o, Other::Name(_)));
        let learned = learned.then(|| self.dns());
        let draft = self.draft(subject);
        let members = match direction {
            Direction::Ingress => &mut draft.ingress,
            Direction::Egress => &mut draft.egress,
        };
        for other_side in others {
            let known = members.entry(other_side).or_default();
            known
                .ports
                .entry(on.clone())
                .or_default()
                .extend(ports.iter().cloned());
            if !need.evidence.is_empty() {
                let who = workload(other);
                known.evidence.insert(format!("{who}: {}", need.evidence));
            }
        }
        if let Some(dns) = learned {
            members.entry(dns).or_default().learned = true;
        }
    }

    /// The policy of a workload.
    fn draft(&mut self, subject: &Endpoint) -> &mut Draft {
        let name = subject
            .workload()
            .map_or_else(|| subject.name.clone(), |(_, name)| name.clone());
        let cluster = self.cluster;
        self.by_workload
            .entry((subject.namespace.clone(), name))
            .or_insert_with(|| Draft {
                labels: labels::telling(cluster, subject),
                ..Draft::default()
            })
    }

    /// Isolates a workload in a direction.
    pub(super) fn close(&mut self, subject: &Endpoint, direction: Direction) {
        if !subject.host_network && self.scope.has(&subject.namespace) {
            self.draft(subject).closed.insert(direction);
        }
    }

    /// The other side as rules can say it; empty when no rule is needed.
    fn other(
        &self,
        direction: Direction,
        peer: &Peer,
        except: &[IpNet],
    ) -> Result<Vec<Other>, String> {
        let cilium = self.scope.kind == Kind::Cilium;
        let without = |prefix: IpNet| Other::Prefix {
            prefix,
            except: except
                .iter()
                .copied()
                .filter(|e| prefix.contains(e))
                .collect(),
        };
        let entity = |name: &'static str| match (name, direction) {
            // A pod's own node always reaches it.
            ("host", Direction::Ingress) => Ok(Vec::new()),
            ("world" | "world-ipv4" | "world-ipv6", _) if !except.is_empty() => {
                let all: &[&str] = match name {
                    "world" => &["0.0.0.0/0", "::/0"],
                    "world-ipv4" => &["0.0.0.0/0"],
                    _ => &["::/0"],
                };
                Ok(all
                    .iter()
                    .filter_map(|p| p.parse().ok())
                    .map(without)
                    .collect())
            }
            (name, _) if cilium => Ok(vec![Other::Entity(name)]),
            ("world" | "world-ipv4" | "world-ipv6", _) => Ok(vec![Other::Entity(name)]),
            (name, _) => Err(format!("a NetworkPolicy cannot name {name}")),
        };
        match &peer.target {
            Target::Endpoint(e) if e.host_network => entity("remote-node"),
            Target::Endpoint(e) => Ok(vec![Other::Pods {
                namespace: e.namespace.clone(),
                labels: labels::telling(self.cluster, e),
            }]),
            Target::Entity(name) => entity(name),
            Target::Prefix(prefix) => Ok(vec![without(*prefix)]),
            Target::Name(name) if direction == Direction::Ingress => {
                Err(format!("no rule for ingress can name {name}"))
            }
            Target::Name(name) if cilium => Ok(vec![Other::Name(name.clone())]),
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
                    let pod = Peer {
                        text: e.to_string(),
                        target: Target::Endpoint(e.clone()),
                    };
                    return self.other(direction, &pod, except);
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
                        Ok(vec![Other::Name(name.clone())])
                    }
                    _ => Ok(vec![without(IpNet::from(*ip))]),
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
            .map(|((namespace, name), mut draft)| {
                draft.learn_names();
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
