//! A connection says of every port what `Cluster::flow` says of a packet to it.

use netverdict::cluster::{Cluster, ClusterOptions, Decision, Flow, SideAnswer, Target};
use netverdict::config::Config;
use netverdict::object::Object;
use netverdict::object::load::{LoadOptions, load};
use netverdict::policy_map::Verdict;
use netverdict::scenario::Scenario;
use netverdict::source::SourceId;
use netverdict_analysis::connection::{Passage, Proxy, Side, Treatment};
use netverdict_analysis::connectivity::{Connectivity, Options};
use netverdict_analysis::difference::{ChangeKind, Difference, learn_same_names};
use netverdict_analysis::peer::{Grouping, Peer, PeerKind, learn_stand_ins};
use netverdict_analysis::ports::ports_of;
use netverdict_reference::generate::{Profile, generate};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

fn objects(text: &str, config: &Config) -> Vec<Object> {
    load(SourceId(0), text, &LoadOptions::new(config))
        .into_objects()
        .collect()
}

/// A cluster with the policies of a scenario, and a pod for each identity.
fn cluster(scenario: &Scenario, config: &Config) -> Cluster {
    let mut all = Vec::new();
    for text in &scenario.policies {
        all.extend(objects(text, config));
    }
    let mut add = |object: Value| all.extend(objects(&object.to_string(), config));
    for namespace in &scenario.namespaces {
        add(json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": namespace.name, "labels": namespace.labels}}));
    }
    for group in &scenario.cidr_groups {
        add(
            json!({"apiVersion": "cilium.io/v2", "kind": "CiliumCIDRGroup",
            "metadata": {"name": group.name, "labels": group.labels},
            "spec": {"externalCIDRs": group.cidrs}}),
        );
    }
    for node in ["a", "b"] {
        let address = if node == "a" {
            "192.0.2.10"
        } else {
            "192.0.2.11"
        };
        add(
            json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node},
            "status": {"addresses": [{"type": "InternalIP", "address": address}]}}),
        );
        add(json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": format!("agent-{node}"), "namespace": "kube-system"},
            "spec": {"hostNetwork": true, "nodeName": node, "containers": []},
            "status": {"podIP": address}}));
    }
    for (n, identity) in scenario.identities.iter().take(9).enumerate() {
        let mut labels: BTreeMap<&str, &str> = BTreeMap::new();
        let mut namespace = "default";
        for (key, value) in &identity.labels {
            let Some(key) = key.strip_prefix("k8s:") else {
                continue;
            };
            if key == "io.kubernetes.pod.namespace" {
                namespace = value;
            } else if !key.starts_with("io.") {
                labels.insert(key, value);
            }
        }
        let ports = identity
            .named_ports
            .as_ref()
            .unwrap_or(&scenario.named_ports);
        let ports: Vec<Value> = ports
            .iter()
            .map(|(name, p)| json!({"name": name, "containerPort": p.port}))
            .collect();
        let node = if n % 2 == 0 { "a" } else { "b" };
        // Of some pods nobody knows what their ports are called.
        if n % 7 == 6 {
            add(json!({"apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": format!("p{n}"), "namespace": namespace, "labels": labels},
                "spec": {"nodeName": node}}));
            continue;
        }
        add(json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": format!("p{n}"), "namespace": namespace, "labels": labels},
            "spec": {"nodeName": node, "containers": [{"name": "c", "ports": ports}]}}));
    }
    Cluster::build(config.clone(), ClusterOptions::default(), all)
}

/// What stands for a peer in a flow; `None` when no address has its identity.
fn target(peer: &Peer, cluster: &Cluster) -> Option<Target> {
    let address = |ip| {
        let same = cluster.identity_at(ip, None) == peer.identities[0].0;
        same.then_some(Target::Address(ip))
    };
    match &peer.kind {
        PeerKind::Workload => Some(Target::Endpoint(Arc::clone(&peer.endpoints[0]))),
        PeerKind::Entity("world") => None,
        PeerKind::Entity(name) => Some(Target::Entity(name)),
        PeerKind::Prefix(prefix) => address(prefix.network()),
        PeerKind::Name(_) => {
            let names = &cluster.options().resolved_names;
            let mut addresses = names.values().flatten();
            addresses.find_map(|ip| address(*ip))
        }
    }
}

/// Every number that a text has, and its neighbours.
fn numbers(texts: &[String], into: &mut BTreeSet<u16>) {
    for text in texts {
        for word in text.split(|c: char| !c.is_ascii_digit()) {
            if let Ok(n) = word.parse::<u16>() {
                into.extend([n, n.saturating_add(1)]);
            }
        }
    }
}

fn same_proxy(proxy: Option<&Arc<Proxy>>, answer: &SideAnswer) -> bool {
    match (proxy, &answer.proxy_rules) {
        (Some(proxy), Some(rules)) => proxy.rules == *rules,
        (proxy, None) => proxy.is_none() == (answer.proxy_port == 0),
        (None, Some(_)) => false,
    }
}

fn check_side(side: Option<&Arc<Side>>, answer: Option<&SideAnswer>, at: (u8, u16), what: &str) {
    let (side, answer) = match (side, answer) {
        (None, None) => return,
        (Some(side), Some(answer)) => (side, answer),
        (side, _) => panic!("{what}: one of both has no policy: {side:?}"),
    };
    let treatment = side.ports.at(at.0, at.1);
    match treatment {
        Treatment::Settled {
            verdict,
            proxy,
            auth,
        } => {
            assert_eq!(answer.decision, Decision::Verdict(*verdict), "{what}");
            assert_eq!(*auth, answer.auth_type, "{what}");
            assert!(
                same_proxy(proxy.as_ref(), answer),
                "{what}: {proxy:?} {answer:?}"
            );
        }
        Treatment::Unknown { .. } => {
            assert!(
                matches!(answer.decision, Decision::Unknown { .. }),
                "{what}"
            );
        }
    }
}

/// How many answers of each kind were compared.
#[derive(Debug, Default)]
struct Seen {
    closed: usize,
    open: usize,
    redirected: usize,
    authenticated: usize,
    unknown: usize,
}

fn compare(seed: u64, profile: Profile, config: &Config, seen: &mut Seen) {
    let scenario = generate(seed, profile);
    let mut cluster = cluster(&scenario, config);
    let options = Options {
        grouping: Grouping::Pod,
        stand_ins: learn_stand_ins(&mut cluster),
        ..Options::default()
    };
    let all = Connectivity::new(&cluster, &options);
    let mut ports: BTreeSet<u16> = [0, 8, 255, 1024].into();
    numbers(&scenario.policies, &mut ports);
    for identity in &scenario.identities {
        let named = identity.named_ports.iter().flatten();
        ports.extend(named.map(|(_, p)| p.port));
    }
    ports.extend(scenario.named_ports.values().map(|p| p.port));
    let targets: Vec<Option<Target>> = all.peers().iter().map(|p| target(p, &cluster)).collect();
    for (i, from) in targets.iter().enumerate() {
        for (j, to) in targets.iter().enumerate() {
            let (Some(from), Some(to)) = (from, to) else {
                continue;
            };
            let Some(connection) = all.connection(i, j) else {
                continue;
            };
            let peer = |target: &Target| netverdict::cluster::Peer {
                text: String::new(),
                target: target.clone(),
            };
            let (from, to) = (peer(from), peer(to));
            for protocol in [1, 2, 6, 17, 50, 58, 132, 253] {
                let (first, last) = ports_of(protocol);
                for port in ports.range(first..=last).copied().chain([first, last]) {
                    let flow = Flow::new(&from, &to, protocol, port);
                    let answer = cluster.flow(&flow);
                    let what = format!("{profile:?} {seed}: {from} → {to} {port}/{protocol}");
                    let at = (protocol, port);
                    check_side(
                        connection.egress.as_ref(),
                        answer.egress.as_ref(),
                        at,
                        &what,
                    );
                    check_side(
                        connection.ingress.as_ref(),
                        answer.ingress.as_ref(),
                        at,
                        &what,
                    );
                    let passage = connection.ports.at(protocol, port);
                    match (passage, answer.overall.verdict()) {
                        (Passage::Unknown, None) => seen.unknown += 1,
                        (Passage::Closed, Some(Verdict::Deny | Verdict::DefaultDeny)) => {
                            seen.closed += 1;
                        }
                        (Passage::Open(terms), Some(verdict)) if verdict != Verdict::Deny => {
                            assert_eq!(
                                terms.authenticated(),
                                verdict == Verdict::AuthRequired,
                                "{what}"
                            );
                            let redirected = terms.layer7().is_some();
                            assert!(redirected || verdict != Verdict::Redirect, "{what}");
                            seen.open += 1;
                            seen.redirected += usize::from(redirected);
                            seen.authenticated += usize::from(terms.authenticated());
                        }
                        (passage, verdict) => panic!("{what}: {passage:?} but {verdict:?}"),
                    }
                }
            }
        }
    }
}

#[test]
fn connections_agree_with_flows_on_every_port() {
    let mut seen = Seen::default();
    let config = Config::default();
    for seed in 0..10 {
        compare(seed, Profile::Full, &config, &mut seen);
        compare(seed, Profile::Simple, &config, &mut seen);
    }
    assert!(seen.closed > 1000 && seen.open > 1000, "{seen:?}");
    for count in [seen.redirected, seen.authenticated, seen.unknown] {
        assert!(count > 0, "{seen:?}");
    }
}

#[test]
fn connections_of_hosts_agree_with_flows() {
    let config = Config {
        host_firewall: true,
        icmp_rules: false,
        ..Config::default()
    };
    let mut seen = Seen::default();
    for seed in 100..102 {
        compare(seed, Profile::Full, &config, &mut seen);
    }
    assert!(seen.closed > 100 && seen.open > 100, "{seen:?}");
}

/// What a peer is called where two clusters are compared.
fn name_in_both(peer: &Target, old: &Connectivity<'_>, new: &Connectivity<'_>) -> String {
    match peer {
        Target::Endpoint(e) => format!("{}/{}[{}]", e.namespace, e.name, e.kind),
        Target::Address(ip) => {
            let peers = || old.peers().iter().chain(new.peers());
            let prefixes = peers().filter_map(|p| match &p.kind {
                PeerKind::Prefix(prefix) if prefix.contains(ip) => Some(*prefix),
                _ => None,
            });
            let longest = prefixes.max_by_key(ipnet::IpNet::prefix_len);
            longest.map_or_else(|| "entity:world".to_owned(), |p| format!("cidr:{p}"))
        }
        Target::Entity(name) => format!("entity:{name}"),
        other => panic!("{other:?}"),
    }
}

/// The same end in another cluster.
fn same_in(target: &Target, cluster: &Cluster) -> Target {
    let Target::Endpoint(e) = target else {
        return target.clone();
    };
    let same = cluster
        .endpoints()
        .iter()
        .find(|o| (&o.namespace, &o.name, o.kind) == (&e.namespace, &e.name, e.kind));
    Target::Endpoint(Arc::clone(same.expect("no pod comes or goes")))
}

/// Everything an answer says that a change of which is a difference.
fn terms(answer: &netverdict::cluster::FlowAnswer) -> String {
    let side = |s: &Option<SideAnswer>| {
        let s = s.as_ref()?;
        Some((s.auth_type, s.proxy_rules.clone()))
    };
    format!("{:?} {:?}", side(&answer.egress), side(&answer.ingress))
}

#[test]
fn differences_are_those_of_flows_and_no_others() {
    let config = Config::default();
    let mut kinds = BTreeMap::new();
    for seed in 200..205 {
        let scenario = generate(seed, Profile::Full);
        let mut without = scenario.clone();
        let removed = seed as usize % without.policies.len();
        without.policies.remove(removed);
        let (mut before, mut after) = (cluster(&scenario, &config), cluster(&without, &config));
        let [stand_ins, _] = learn_same_names(&mut before, &mut after);
        let options = Options {
            grouping: Grouping::Pod,
            stand_ins,
            all_entities: true,
            ..Options::default()
        };
        let old = Connectivity::new(&before, &options);
        let new = Connectivity::new(&after, &options);
        let difference = Difference::new(&old, &new);
        assert!(difference.appeared.is_empty() && difference.disappeared.is_empty());
        let mut ports: BTreeSet<u16> = [0, 8, 255].into();
        numbers(&scenario.policies, &mut ports);
        let mut targets = BTreeMap::new();
        for (all, cluster) in [(&old, &before), (&new, &after)] {
            for peer in all.peers() {
                if !matches!(peer.kind, PeerKind::Name(_))
                    && let Some(target) = target(peer, cluster)
                {
                    targets.insert(name_in_both(&target, &old, &new), target);
                }
            }
        }
        let changed: BTreeMap<(&str, &str), _> = difference
            .pairs
            .iter()
            .map(|p| ((p.from.as_str(), p.to.as_str()), p))
            .collect();
        for (from_name, from) in &targets {
            for (to_name, to) in &targets {
                let is_pod = |t: &Target| matches!(t, Target::Endpoint(_));
                if from_name == to_name || !is_pod(from) && !is_pod(to) {
                    continue;
                }
                let pair = changed.get(&(from_name.as_str(), to_name.as_str()));
                for protocol in [1, 6, 17, 253] {
                    let (first, last) = ports_of(protocol);
                    for port in ports.range(first..=last).copied().chain([first, last]) {
                        let ask = |cluster: &Cluster| {
                            let peer = |target: &Target| netverdict::cluster::Peer {
                                text: String::new(),
                                target: same_in(target, cluster),
                            };
                            cluster.flow(&Flow::new(&peer(from), &peer(to), protocol, port))
                        };
                        let (was, is) = (ask(&before), ask(&after));
                        let open = |a: &netverdict::cluster::FlowAnswer| {
                            let verdict = a.overall.verdict();
                            verdict.map(|v| !matches!(v, Verdict::Deny | Verdict::DefaultDeny))
                        };
                        let expected = match (open(&was), open(&is)) {
                            (None, None) => None,
                            (None, _) | (_, None) => Some(ChangeKind::Unsettled),
                            (Some(true), Some(false)) => Some(ChangeKind::Closed),
                            (Some(false), Some(true)) => Some(ChangeKind::Opened),
                            (Some(true), Some(true)) if terms(&was) != terms(&is) => {
                                Some(ChangeKind::Changed)
                            }
                            _ => None,
                        };
                        let mut found = pair.into_iter().flat_map(|p| p.ports.iter());
                        let found = found.find(|c| c.ports.contains(protocol, port));
                        let found = found.map(|c| c.kind);
                        let what = format!("{seed}: {from_name} → {to_name} {port}/{protocol}");
                        assert_eq!(found, expected, "{what}");
                        *kinds.entry(found).or_insert(0) += 1;
                    }
                }
            }
        }
    }
    for kind in [ChangeKind::Opened, ChangeKind::Closed] {
        assert!(
            kinds.get(&Some(kind)).is_some_and(|n| *n > 100),
            "{kinds:?}"
        );
    }
}
