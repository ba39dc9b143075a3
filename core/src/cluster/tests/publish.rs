//! A published table follows its cluster.

use super::*;
use crate::compile::{MapChange, Update};
use crate::policy_map::{Question, value_to_bytes};
use crate::rule::Direction;
use netverdict_table::{self as table, View, Write};

type Maps = BTreeMap<u32, BTreeMap<crate::policy_map::Key, [u8; 12]>>;

/// What somebody keeps who takes part in every update.
struct Follower {
    published: PublishedCluster,
    image: Vec<u8>,
    maps: Maps,
}

impl Follower {
    fn new(text: &str) -> Self {
        let published = PublishedCluster::new(build(text)).unwrap();
        let image = published.image().to_vec();
        let maps = published
            .subjects()
            .map(|s| (s.number, published.entries(s.number).into_iter().collect()))
            .collect();
        let follower = Self {
            published,
            image,
            maps,
        };
        follower.check();
        follower
    }

    fn take(&mut self, update: &Update) {
        if update.whole {
            self.maps.clear();
        }
        for write in &update.writes {
            write.apply(&mut self.image);
            // Between any two writes an endpoint that stays has a subject.
            View::new(&self.image).unwrap();
        }
        for changed in &update.maps {
            for subject in &changed.subjects {
                let map = self.maps.entry(*subject).or_default();
                for change in &changed.changes {
                    let fits = match *change {
                        MapChange::Add(key, value) => map.insert(key, value).is_none(),
                        MapChange::Update(key, value) => map.insert(key, value).is_some(),
                        MapChange::Delete(key) => map.remove(&key).is_some(),
                    };
                    assert!(fits, "{change:?}");
                }
            }
        }
        self.check();
    }

    fn upsert(&mut self, text: &str) -> Update {
        let changes = objects(text).into_iter();
        let changes = changes.map(|o| Change::Upsert(Box::new(o)));
        let update = self.published.apply(changes).unwrap();
        self.take(&update);
        update
    }

    fn remove(&mut self, kind: &str, namespace: &str, name: &str) -> Update {
        let key = ObjectKey {
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        let update = self.published.apply([Change::Remove(key)]).unwrap();
        self.take(&update);
        update
    }

    /// Image and maps say what the cluster says.
    fn check(&self) {
        assert_eq!(self.published.image(), self.image);
        let view = View::new(&self.image).unwrap();
        let cluster = self.published.cluster();
        let peers: Vec<NumericIdentity> = cluster.identities().iter().map(|(id, _)| id).collect();
        for endpoint in cluster.endpoints() {
            let number = self
                .published
                .endpoint_number(&endpoint.to_string(), endpoint.kind)
                .unwrap();
            let subject = view.subject_of_endpoint(number).unwrap();
            let policy = cluster.policy(endpoint).unwrap();
            let expected: BTreeMap<_, _> = policy
                .map
                .entries()
                .into_iter()
                .filter(|(_, e)| !e.invalid)
                .map(|(key, entry)| (key, value_to_bytes(&key, entry)))
                .collect();
            assert_eq!(self.maps.get(&subject), Some(&expected), "{endpoint}");
            for (direction, side) in [
                (Direction::Ingress, table::Direction::Ingress),
                (Direction::Egress, table::Direction::Egress),
            ] {
                for peer in &peers {
                    for port in [53, 80, 443, 8080, 9090] {
                        let q = Question::new(direction, *peer, 6, port);
                        let expected = policy.map.lookup(&q, cluster.config());
                        let q = table::Question::new(subject, side, peer.0, 6, port);
                        let found = view.verdict(&q).unwrap();
                        assert_eq!(
                            (found.code(), found.proxy_port()),
                            (expected.code, expected.proxy_port),
                            "{endpoint} {q:?}"
                        );
                    }
                }
            }
        }
    }
}

fn namespace(name: &str, label: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}, labels: {{{label}}}}}\n"
    )
}

fn policy(name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {{name: {name}, namespace: prod}}\nspec: {spec}\n"
    )
}

fn named(name: &str, app: &str, ip: &str, port: u16) -> String {
    format!(
        "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: prod, labels: {{app: {app}}}}}\nspec: {{containers: [{{name: c, image: i, ports: [{{name: http, containerPort: {port}}}]}}]}}\nstatus: {{podIP: {ip}}}\n"
    )
}

const WEB: &str = "{endpointSelector: {matchLabels: {app: web}}, ingress: [{fromEndpoints: [{matchLabels: {app: front}}], toPorts: [{ports: [{port: '80', protocol: TCP}]}]}, {fromEndpoints: [{matchLabels: {io.cilium.k8s.namespace.labels.team: a}}]}], egress: [{toEndpoints: [{matchLabels: {app: db}}], toPorts: [{ports: [{port: http, protocol: TCP}]}]}, {toCIDRSet: [{cidrGroupRef: office}]}, {toFQDNs: [{matchPattern: '*.example.org'}], toPorts: [{ports: [{port: '443', protocol: TCP}]}]}]}";

fn only_words(update: &Update) -> bool {
    update
        .writes
        .iter()
        .all(|w| matches!(w, Write::Word16 { .. } | Write::Bytes { .. }))
}

#[test]
fn every_kind_of_change_is_followed() {
    let mut f = Follower::new(
        &(namespace("prod", "team: p")
            + &namespace("other", "team: b")
            + &named("web", "web", "10.0.0.1", 80)
            + &named("front", "front", "10.0.0.2", 80)
            + &policy("web", WEB)),
    );
    // Identities come.
    f.upsert(&named("db", "db", "10.0.0.3", 9090));
    f.upsert(&pod("x", "app: x", "10.0.0.4"));
    let before = f.published.endpoint_number("prod/web", "Pod");
    // Relabelled: it joins a class that is there, so one word moves.
    f.upsert(&named("db2", "db", "10.0.0.5", 9090));
    let update = f.upsert(&named("front2", "front", "10.0.0.6", 80));
    assert!(!update.writes.is_empty());
    // A named port changes.
    f.upsert(&named("db", "db", "10.0.0.3", 8080));
    f.upsert(&named("db2", "db", "10.0.0.5", 8080));
    // A namespace is relabelled, twice.
    f.upsert(&pod("far", "app: far", "10.0.0.7").replace("namespace: prod", "namespace: other"));
    f.upsert(&namespace("other", "team: a"));
    f.upsert(&namespace("other", "team: b"));
    // A CIDR group comes and changes.
    let group = |cidr: &str| {
        format!(
            "---\napiVersion: cilium.io/v2\nkind: CiliumCIDRGroup\nmetadata: {{name: office}}\nspec: {{externalCIDRs: [{cidr}]}}\n"
        )
    };
    f.upsert(&group("192.0.2.0/24"));
    f.upsert(&group("192.0.2.0/24, 198.51.100.0/25"));
    // Addresses of names arrive and expire.
    for names in [
        vec![("a.example.org", vec!["203.0.113.1"])],
        vec![
            ("a.example.org", vec!["203.0.113.1", "203.0.113.2"]),
            ("b.example.org", vec!["203.0.113.3"]),
        ],
        vec![],
    ] {
        let names = names.into_iter().map(|(name, ips)| {
            (
                name.to_owned(),
                ips.iter().map(|ip| ip.parse().unwrap()).collect(),
            )
        });
        let update = f.published.set_resolved_names(names.collect()).unwrap();
        f.take(&update);
    }
    // Policies come, change and go.
    f.upsert(&policy(
        "front",
        "{endpointSelector: {matchLabels: {app: front}}, ingress: [{}]}",
    ));
    f.upsert(&policy(
        "front",
        "{endpointSelector: {matchLabels: {app: front}}, ingressDeny: [{fromEntities: [world]}]}",
    ));
    f.remove("CiliumNetworkPolicy", "prod", "front");
    f.remove("CiliumNetworkPolicy", "prod", "web");
    f.upsert(&policy("web", WEB));
    // Endpoints go.
    f.remove("Pod", "prod", "front");
    f.remove("Pod", "prod", "db");
    f.published.end_grace_period();
    f.upsert(&pod("last", "app: last", "10.0.0.9"));
    assert_eq!(f.published.endpoint_number("prod/web", "Pod"), before);
}

/// Whatever comes and goes, at any time image and maps are the cluster's.
#[test]
fn changes_at_random_are_followed() {
    let apps = ["web", "front", "db"];
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |n: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % n
    };
    let mut f = Follower::new(&(namespace("prod", "team: a") + &policy("web", WEB)));
    for _ in 0..150 {
        let (name, app) = (format!("pod-{}", below(8)), apps[below(3) as usize]);
        match below(10) {
            0..4 => {
                let ip = format!("10.0.0.{}", 1 + below(20));
                f.upsert(&named(&name, app, &ip, 80 + below(2) as u16))
            }
            4 | 5 => f.remove("Pod", "prod", &name),
            6 => f.upsert(&namespace(
                "prod",
                ["team: a", "team: b"][below(2) as usize],
            )),
            7 => {
                let spec = [
                    format!("{{endpointSelector: {{matchLabels: {{app: {app}}}}}, ingress: [{{fromEntities: [cluster]}}]}}"),
                    format!("{{endpointSelector: {{}}, egressDeny: [{{toEndpoints: [{{matchLabels: {{app: {app}}}}}]}}]}}"),
                    "{endpointSelector: {}, egress: [{toCIDR: [192.0.2.0/24, 198.51.100.0/24], toPorts: [{ports: [{port: http}]}]}]}".to_owned(),
                    WEB.to_owned(),
                ];
                let spec = &spec[below(4) as usize];
                f.upsert(&policy(&format!("p{}", below(3)), spec))
            }
            8 => f.remove("CiliumNetworkPolicy", "prod", &format!("p{}", below(3))),
            _ => {
                let group = format!(
                    "---\napiVersion: cilium.io/v2\nkind: CiliumCIDRGroup\nmetadata: {{name: office}}\nspec: {{externalCIDRs: [192.0.{}.0/24]}}\n",
                    2 + below(2)
                );
                f.upsert(&group)
            }
        };
        if below(5) == 0 {
            f.published.end_grace_period();
        }
    }
}

#[test]
fn an_identity_that_joins_a_class_moves_by_words() {
    let mut f = Follower::new(
        &(pod("web", "app: web", "10.0.0.1")
            + &policy(
                "web",
                "{endpointSelector: {matchLabels: {app: web}}, egress: [{toCIDR: [192.0.0.0/8]}]}",
            )),
    );
    // A prefix within, which only a policy without a subject names: another
    // identity of the class that is there.
    let update = f.upsert(&policy(
        "nobody",
        "{endpointSelector: {matchLabels: {app: nobody}}, egress: [{toCIDR: [192.0.2.0/24]}]}",
    ));
    let words = update.writes.iter();
    let words = words.filter(|w| matches!(w, Write::Word16 { .. })).count();
    assert!(only_words(&update), "{:?}", update.writes);
    assert_eq!(words, 1);
}

#[test]
fn an_endpoint_that_changes_its_identity_is_never_without_a_subject() {
    let mut f = Follower::new(
        &(pod("web", "app: web", "10.0.0.1")
            + &policy(
                "web",
                "{endpointSelector: {matchLabels: {app: web}}, ingress: [{}]}",
            )),
    );
    let number = f.published.endpoint_number("prod/web", "Pod").unwrap();
    let changes = objects(&pod("web", "app: other", "10.0.0.1")).into_iter();
    let changes = changes.map(|o| Change::Upsert(Box::new(o)));
    let update = f.published.apply(changes).unwrap();
    let mut image = f.image.clone();
    for write in &update.writes {
        write.apply(&mut image);
        let view = View::new(&image).unwrap();
        let subject = view.subject_of_endpoint(number).expect("it has a subject");
        assert!(view.policy(subject, table::Direction::Ingress).is_some());
    }
    f.take(&update);
}

#[test]
fn proxy_ports_are_assigned_and_taken_back() {
    let http = "{endpointSelector: {matchLabels: {app: web}}, ingress: [{toPorts: [{ports: [{port: '80', protocol: TCP}], rules: {http: [{path: /}]}}]}]}";
    let cluster = build(&(pod("web", "app: web", "10.0.0.1") + &policy("web", http)));
    let mut published = PublishedCluster::new(cluster).unwrap();
    let number = published.endpoint_number("prod/web", "Pod").unwrap();
    let ask = |published: &PublishedCluster| {
        let view = View::new(published.image()).unwrap();
        let subject = view.subject_of_endpoint(number).unwrap();
        let q = table::Question::new(subject, table::Direction::Ingress, 9, 6, 80);
        let answer = view.verdict(&q).unwrap();
        (answer.code(), answer.proxy_port())
    };
    assert_eq!(ask(&published), (0, 10001));
    // Not realised yet: its entries are left out, as Cilium does.
    let none: ProxyPortsOf = Arc::new(|_| Arc::new(|_| None));
    let update = published.set_proxy_ports(Some(none)).unwrap();
    assert!(!update.maps.is_empty());
    assert_eq!(ask(&published), (-133, 0));
    let some: ProxyPortsOf =
        Arc::new(|_| Arc::new(|redirect| (redirect.port == 80).then_some(12345)));
    published.set_proxy_ports(Some(some)).unwrap();
    assert_eq!(ask(&published), (0, 12345));
    published.set_proxy_ports(None).unwrap();
    assert_eq!(ask(&published), (0, 10001));
}
