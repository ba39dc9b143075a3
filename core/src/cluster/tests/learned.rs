//! Names learned one by one give the world that all of them give at once.

use super::*;
use crate::fqdn::{NameChange, Names, NamesConfig};
use std::collections::BTreeSet;

const NAMES: &str = "---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: names, namespace: prod}
spec:
  endpointSelector: {matchLabels: {app: web}}
  egress:
  - toFQDNs: [{matchPattern: \"*.example.com\"}, {matchName: a.example.com}]
    toPorts: [{ports: [{port: \"443\", protocol: TCP}]}]
  - toFQDNs: [{matchName: b.example.org}]
  - toCIDR: [192.0.2.0/30]
    toPorts: [{ports: [{port: \"53\", protocol: UDP}]}]
";

fn labels_by_address(cluster: &Cluster) -> BTreeMap<String, String> {
    let all = cluster.ipcache().iter();
    all.map(|(prefix, e)| (prefix.to_string(), e.labels.to_string()))
        .collect()
}

fn label_sets(cluster: &Cluster) -> BTreeSet<String> {
    let all = cluster.identities().iter();
    all.map(|(_, labels)| labels.to_string()).collect()
}

#[test]
fn learned_one_by_one_or_all_at_once() {
    let text = pod("web", "app: web", "10.0.0.1") + NAMES;
    let mut published = PublishedCluster::new(build(&text)).unwrap();
    let mut names = Names::new(NamesConfig::default());
    let ip = |n: u32| std::net::IpAddr::from([192, 0, 2, u8::try_from(n).unwrap()]);
    let hosts = [
        "a.example.com",
        "x.example.com",
        "b.example.org",
        "other.net",
    ];
    let mut now = 0;
    for step in 0..60u32 {
        now += 7_000;
        let host = hosts[(step * 7 % 11 % 4) as usize];
        let addresses = [ip(step * 5 % 9), ip(step % 6)];
        names
            .answer(1, host, &addresses, step % 3 * 10, now)
            .unwrap();
        if step % 5 == 4 {
            names.end_of_conntrack_collection(1, now);
            names.collect(now);
        }
        let changes = names.take_changes();
        published.learn_names(changes).unwrap();
        let mut whole = build(&text);
        let known = names.names().map(|n| (n.to_string(), names.addresses(n)));
        whole.set_resolved_names(known.collect());
        let learned = published.cluster();
        assert_eq!(
            labels_by_address(learned),
            labels_by_address(&whole),
            "step {step}"
        );
        assert_eq!(label_sets(learned), label_sets(&whole), "step {step}");
        for n in 0..10 {
            for port in [443, 53, 80] {
                let to = ip(n).to_string();
                let ask = |c: &Cluster| tcp(c, "prod/web", &to, port);
                assert_eq!(ask(learned), ask(&whole), "step {step} {to}:{port}");
            }
        }
    }
}

/// An answer opens the way, and it closes when the answer is forgotten.
#[test]
fn an_answer_opens_the_way_until_it_expires() {
    let text = pod("web", "app: web", "10.0.0.1") + NAMES;
    let mut cluster = build(&text);
    let change = |known| NameChange {
        name: "api.example.com.".into(),
        address: "198.51.100.1".parse().unwrap(),
        known,
    };
    assert_eq!(
        tcp(&cluster, "prod/web", "198.51.100.1", 443),
        "default-deny"
    );
    assert!(cluster.learn_names([change(true)]));
    assert_eq!(tcp(&cluster, "prod/web", "198.51.100.1", 443), "allow");
    assert_eq!(
        tcp(&cluster, "prod/web", "198.51.100.1", 80),
        "default-deny"
    );
    assert_eq!(tcp(&cluster, "prod/web", "api.example.com", 443), "allow");
    assert!(cluster.learn_names([change(false)]));
    assert_eq!(
        tcp(&cluster, "prod/web", "198.51.100.1", 443),
        "default-deny"
    );
    assert!(cluster.options().resolved_names.is_empty());
}
