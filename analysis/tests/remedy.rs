//! Each change that is proposed lets the flow through, and the one that opens
//! the least comes first.

use netverdict::cluster::{Change, Cluster, ClusterOptions, Flow};
use netverdict::config::Config;
use netverdict::object::Object;
use netverdict::object::load::{LoadOptions, load};
use netverdict::source::SourceId;
use netverdict_analysis::difference::ChangeKind;
use netverdict_analysis::remedy::{Step, remedies};

const SHOP: &str = "
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
---
apiVersion: v1
kind: Pod
metadata: {name: job, namespace: shop, labels: {app: job}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: isolate, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
";

fn objects(text: &str) -> Vec<Object> {
    let config = Config::default();
    let loaded = load(SourceId(0), text, &LoadOptions::new(&config));
    loaded.into_objects().collect()
}

fn cluster(text: &str) -> Cluster {
    Cluster::build(Config::default(), ClusterOptions::default(), objects(text))
}

/// The steps of each way, and what it opens beside the flow.
fn ways(text: &str, port: u16) -> Vec<(Vec<Step>, usize)> {
    let before = cluster(text);
    let ask = |cluster: &Cluster| {
        let (from, to) = (
            cluster.peer("shop/web").unwrap(),
            cluster.peer("shop/db").unwrap(),
        );
        let flow = Flow::new(&from, &to, 6, port);
        (
            cluster.flow(&flow).overall.is_allowed(),
            remedies(cluster, &flow),
        )
    };
    let (allowed, found) = ask(&before);
    assert!(!allowed || found.is_empty());
    let mut ways = Vec::new();
    for remedy in found {
        let mut after = cluster(text);
        for step in &remedy.steps {
            match step {
                Step::Remove(key) => assert!(after.remove(key), "{key:?}"),
                Step::Add(policy) => {
                    let added = objects(policy);
                    assert_eq!(added.len(), 1, "{policy}");
                    after.apply(added.into_iter().map(|o| Change::Upsert(Box::new(o))));
                }
            }
        }
        assert!(ask(&after).0, "{:?}", remedy.steps);
        ways.push((remedy.steps.clone(), remedy.count(ChangeKind::Opened)));
    }
    ways
}

#[test]
fn the_way_that_opens_nothing_else_comes_first() {
    let found = ways(SHOP, 5432);
    let (steps, opened) = &found[0];
    assert_eq!(*opened, 0, "{found:?}");
    // Both sides have to let it through.
    assert!(
        matches!(&**steps, [Step::Add(_), Step::Add(_)]),
        "{steps:?}"
    );
    // Without the policy that isolates everybody everything is open.
    let removed = |(steps, _): &&(Vec<Step>, usize)| matches!(&**steps, [Step::Remove(key)] if key.name == "isolate");
    let (_, opened) = found.iter().find(removed).expect("that is a way, too");
    assert!(*opened > 5, "{found:?}");
    assert!(found.is_sorted_by_key(|(_, opened)| *opened));
}

#[test]
fn denials_go_and_what_passes_needs_nothing() {
    let denied = "
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: all, namespace: shop}
spec: {endpointSelector: {}, ingress: [{fromEntities: [all]}], egress: [{toEntities: [all]}]}
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: no-db, namespace: shop}
spec:
  endpointSelector: {matchLabels: {app: db}}
  ingressDeny: [{fromEndpoints: [{matchLabels: {app: web}}]}]
";
    let found = ways(&format!("{SHOP}{denied}"), 5432);
    let (steps, _) = &found[0];
    assert!(
        matches!(&**steps, [Step::Remove(key)] if key.name == "no-db"),
        "{found:?}"
    );
    let (allow, _) = denied.rsplit_once("---").unwrap();
    assert!(ways(&format!("{SHOP}{allow}"), 5432).is_empty());
}
