//! How full policy maps are, against maps that are built.

use super::*;
use crate::cluster::{Forecast, MapForecast};
use std::fmt::Write;

/// Pods of one app, each with an identity of its own.
fn webs(count: usize) -> String {
    (0..count).fold(String::new(), |all, i| {
        let labels = format!("app: web, revision: r{i}");
        let ip = format!("10.1.{}.{}", i / 250, 1 + i % 250);
        all + &pod(&format!("web-{i}"), &labels, &ip)
    })
}

/// A policy for `app: db` that lets `app: web` in on ports, forty of which
/// make one list.
fn policy(name: &str, ports: &[String]) -> String {
    let mut text = format!(
        "---\napiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {{name: {name}, namespace: prod}}\n\
         spec:\n  endpointSelector: {{matchLabels: {{app: db}}}}\n  ingress:\n  - fromEndpoints: [{{matchLabels: {{app: web}}}}]\n    \
         toPorts:\n"
    );
    for list in ports.chunks(40) {
        let _ = writeln!(text, "    - ports: [{}]", list.join(", "));
    }
    text
}

fn port(number: usize) -> String {
    format!("{{port: \"{number}\", protocol: TCP}}")
}

fn map<'f>(forecast: &'f Forecast, endpoint: &str) -> &'f MapForecast {
    let is = |m: &&MapForecast| m.endpoints.iter().any(|e| e == endpoint);
    forecast.maps.iter().find(is).unwrap()
}

fn of(list: &[(String, usize)], name: &str) -> usize {
    let found = list.iter().find(|(n, _)| n.contains(name));
    found.map_or(0, |(_, n)| *n)
}

const DB: &str = "CiliumNetworkPolicy/prod/db";

#[test]
fn entries_are_those_of_the_map_and_each_has_its_cause() {
    let range = "{port: \"8080\", endPort: 8090, protocol: TCP}".to_owned();
    let yaml = pod("db", "app: db", "10.0.0.1") + &webs(2) + &policy("db", &[port(80), range]);
    let cluster = build(&yaml);
    let forecast = cluster.forecast();
    assert_eq!((forecast.pods, forecast.identities), (3, 3));
    let db = map(&forecast, "prod/db");
    let endpoint = cluster.find_endpoint("prod/db").unwrap();
    let built = cluster.policy(&endpoint).unwrap();
    assert_eq!(db.entries, built.map.len());
    // Two identities, and 80, 8080-8087, 8088-8089, 8090.
    assert_eq!(of(&db.by_policy, DB), 8);
    assert_eq!(of(&db.by_selector, "app=web"), 8);
    assert_eq!(db.of_pods, 8);
    let all: usize = db.by_policy.iter().map(|(_, n)| n).sum();
    assert_eq!(all, db.entries, "every entry has one cause here");
    // Whom nothing selects.
    let web = map(&forecast, "prod/web-0");
    assert_eq!((of(&web.by_policy, DB), web.of_pods), (0, 0));
    assert!(
        forecast
            .maps
            .is_sorted_by_key(|m| std::cmp::Reverse(m.entries))
    );
}

#[test]
fn an_entry_of_two_policies_counts_for_each() {
    let yaml = pod("db", "app: db", "10.0.0.1")
        + &webs(3)
        + &policy("db", &[port(80), port(81)])
        + &policy("too", &[port(80)]);
    let forecast = build(&yaml).forecast();
    let db = map(&forecast, "prod/db");
    assert_eq!(of(&db.by_policy, DB), 6);
    assert_eq!(of(&db.by_policy, "CiliumNetworkPolicy/prod/too"), 3);
    assert_eq!(db.of_pods, 6, "they share three entries");
}

#[test]
fn as_many_pods_more_are_what_a_cluster_twice_as_large_has() {
    let rules = policy("db", &[port(80), port(443), port(8080)]);
    let (one, two) = (
        pod("db", "app: db", "10.0.0.1"),
        pod("db-2", "app: db, second: yes-it-is", "10.0.0.2"),
    );
    let small = build(&(one.clone() + &webs(20) + &rules)).forecast();
    let large = build(&(one + &two + &webs(40) + &rules)).forecast();
    assert_eq!(large.pods, 2 * small.pods);
    let (before, after) = (map(&small, "prod/db"), map(&large, "prod/db"));
    assert_eq!(after.entries, before.entries + 60);
    assert_eq!(small.entries_with(before, small.pods), after.entries);
    assert_eq!(small.entries_with(before, 0), before.entries);
    // Pods that share an identity bring no entries; the share of identities
    // among pods stays.
    let shared = pod("twin", "app: web, revision: r0", "10.3.0.1");
    let twins = build(&(pod("db", "app: db", "10.0.0.1") + &webs(1) + &shared + &rules)).forecast();
    assert_eq!((twins.pods, twins.identities), (3, 2));
    let db = map(&twins, "prod/db");
    assert_eq!(db.of_pods, 3);
    assert_eq!(twins.entries_with(db, 300), db.entries + 300);
}

#[test]
fn a_map_that_overflows_names_its_policy_and_selector() {
    let ports: Vec<String> = (0..60).map(|i| port(20_000 + 2 * i)).collect();
    let yaml = pod("db", "app: db", "10.0.0.1") + &webs(300) + &policy("db", &ports);
    let forecast = build(&yaml).forecast();
    let fullest = &forecast.maps[0];
    assert_eq!(fullest.endpoints, ["prod/db"]);
    assert!(fullest.entries > 16_384, "{}", fullest.entries);
    assert_eq!(fullest.by_policy[0], (DB.to_owned(), 18_000));
    let (selector, asked) = &fullest.by_selector[0];
    assert!(
        selector.contains("app=web") && *asked == 18_000,
        "{selector} {asked}"
    );
    // 301 identities of 301 pods: 1,000 more bring 60 entries each for all
    // but the database.
    let grown = forecast.entries_with(fullest, 1000) - fullest.entries;
    assert_eq!(grown, (18_000 * 1000usize).div_ceil(301));
    assert!(forecast.entries_with(fullest, 1000) > 65_536);
    assert_eq!(forecast.entries_with(fullest, usize::MAX), usize::MAX);
}

#[test]
fn labels_that_multiply_identities_come_first() {
    let yaml = pod("db", "app: db, tier: back", "10.0.0.1") + &webs(12);
    let forecast = build(&yaml).forecast();
    let first = &forecast.labels[0];
    assert_eq!(first.key, "k8s:revision");
    // All but the database are one without it.
    assert_eq!((first.values, first.identities_without), (12, 2));
    let tier = forecast.labels.iter().find(|l| l.key == "k8s:tier");
    let tier = tier.map(|l| (l.values, l.identities_without));
    assert_eq!(tier, Some((1, 13)));
}
