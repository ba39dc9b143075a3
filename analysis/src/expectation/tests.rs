use super::*;
use crate::coverage::Coverage;
use netverdict::cluster::{Cluster, ClusterOptions};
use netverdict::config::Config;
use netverdict::object::load::{LoadOptions, load};
use netverdict::source::SourceId;

const SHOP: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: shop}
spec:
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec: {containers: [{name: api}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: shop}
spec:
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, ports: [{name: pg, containerPort: 5432}]}]}
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  endpointSelector: {matchLabels: {app: db}}
  ingress:
  - fromEndpoints: [PEERS]
    toPorts: [{ports: [{port: "5432", protocol: TCP}]}]
"#;

/// Titles and first complaints of what does not hold.
fn failures(peers: &str, text: &str) -> Vec<(String, String)> {
    let config = Config::default();
    let yaml = SHOP.replace("PEERS", peers);
    let loaded = load(SourceId(0), &yaml, &LoadOptions::new(&config));
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    let mut cluster = Cluster::build(config, ClusterOptions::default(), loaded.into_objects());
    let all = read(SourceId(1), text).expect("a file of expectations");
    prepare(&mut cluster, &all);
    let checked = check(&mut cluster, &all, &mut Coverage::new());
    assert_eq!(checked.len(), all.items.len());
    let wrong = checked.iter().filter(|c| !c.holds());
    wrong
        .map(|c| {
            let failed = c.failed.first();
            let failed = failed.map(|f| format!("{} → {} {}: {}", f.from, f.to, f.what, f.found));
            let problem = c.problems.first().map(|p| p.message.clone());
            let text = problem.or(failed).expect("a complaint");
            (c.expectation.kind.as_str().to_owned(), text)
        })
        .collect()
}

const WEB: &str = "{matchLabels: {app: web}}";

fn texts(failures: Vec<(String, String)>) -> Vec<String> {
    failures.into_iter().map(|(_, text)| text).collect()
}

#[test]
fn every_sender_receiver_and_port_is_asked_about() {
    let good = "
allow: [{from: shop/web, to: shop/db, ports: [5432, pg]}]
deny:
- {from: [shop/api, world, 10.0.0.1, shop/app=other], to: shop/db, port: 5432}
- {from: shop/web, to: shop/db, ports: [5433, 5432/UDP]}
- {from: shop/web, to: shop/db, icmp: EchoRequest}
";
    assert_eq!(texts(failures(WEB, good)), Vec::<String>::new());
    let wider = "{matchLabels: {app: web}}, {matchLabels: {app: api}}";
    assert_eq!(
        texts(failures(wider, good)),
        ["shop/api → shop/db 5432/TCP: allowed"]
    );
    let none = texts(failures("{matchLabels: {app: nobody}}", good));
    assert_eq!(none, ["shop/web → shop/db 5432/TCP: denied by default"]);
}

#[test]
fn without_a_port_every_port_counts() {
    let text = "deny: [{from: shop/api, to: shop/db}, {from: shop/web, to: shop/db}]";
    assert_eq!(
        texts(failures(WEB, text)),
        ["shop/web → shop/db 5432/TCP: allowed, for instance"]
    );
    let text = "allow: [{from: shop/web, to: shop/api}, {from: shop/web, to: shop/db}]";
    let found = texts(failures(WEB, text));
    assert_eq!(found.len(), 1);
    assert!(
        found[0].starts_with("shop/web → shop/db ") && found[0].contains("denied"),
        "{found:?}"
    );
}

#[test]
fn only_finds_outsiders_that_exist_and_those_that_might() {
    let text = "only: [{from: shop/web, to: shop/db}]";
    assert_eq!(texts(failures(WEB, text)), Vec::<String>::new());
    // The rule would let in any pod of these labels, whatever it is called.
    let label = "{matchLabels: {app: web}}, {matchLabels: {db: reader}}";
    assert_eq!(
        texts(failures(label, text)),
        ["shop/db=reader (no such pod yet) → shop/db 5432/TCP: allowed"]
    );
    let text = "only: [{from: shop/app=web, to: shop/db}]";
    assert_eq!(texts(failures(WEB, text)), Vec::<String>::new());
    assert_eq!(
        texts(failures("{}", text)),
        ["shop/api → shop/db 5432/TCP: allowed"]
    );
    let text = "only: [{from: 'shop/*', to: shop/db}]";
    assert_eq!(texts(failures("{}", text)), Vec::<String>::new());
    let everywhere =
        "{matchExpressions: [{key: 'k8s:io.kubernetes.pod.namespace', operator: Exists}]}";
    assert_eq!(
        texts(failures(everywhere, text)),
        ["elsewhere/a-pod-without-labels (no such pod yet) → shop/db 5432/TCP: allowed"]
    );
    let text = "only: [{from: shop/web, to: shop/db, port: 80}]";
    assert_eq!(texts(failures(WEB, text)), Vec::<String>::new());
}

#[test]
fn names_of_nobody_and_ports_of_nothing_fail() {
    let wrong = [
        (
            "allow: [{from: shop/wbe, to: shop/db, port: 1}]",
            "shop/wbe",
        ),
        ("deny: [{from: shop/web, to: shop/db, port: pgg}]", "pgg"),
        ("only: [{from: shop/wbe, to: shop/db}]", "shop/wbe"),
        ("only: [{from: shop/web, to: world}]", "is no pod"),
        (
            "deny: [{from: shop/web, to: api.example.com, port: 443}]",
            "",
        ),
    ];
    for (text, wanted) in wrong {
        let found = texts(failures(WEB, text));
        assert!(
            found.iter().any(|f| f.contains(wanted)),
            "{text}: {found:?}"
        );
    }
}

#[test]
fn what_is_unknown_is_neither_allowed_nor_denied() {
    // Nothing says which addresses the name has.
    for kind in ["allow", "deny", "redirect"] {
        let text = format!("{kind}: [{{from: api.example.com, to: shop/db, port: 5432}}]");
        assert_eq!(
            texts(failures(WEB, &text)),
            ["api.example.com → shop/db 5432/TCP: unknown"]
        );
    }
}

#[test]
fn a_file_that_is_not_understood_says_where() {
    let message = |text: &str| {
        let problems = read(SourceId(0), text).expect_err(text);
        problems[0].message.clone()
    };
    assert!(message("alow: []").contains("did you mean `allow`"));
    assert!(message("allow: {from: a}").contains("is a list"));
    assert!(message("allow: [{fron: a, to: b}]").contains("did you mean `from`"));
    assert!(message("allow: [{from: a}]").contains("`to` is missing"));
    assert!(message("deny: [{to: a}]").contains("`from` is missing"));
    assert!(message("only: [{to: a, http: GET /}]").contains("connections"));
    assert!(message("allow: [{from: a, to: b, http: GET /}]").contains("`port` is missing"));
    assert!(message("names: {a: b}").contains("no address"));
    assert!(message("allow: [").len() > 1);
    assert!(read(SourceId(0), "").is_ok());
}
