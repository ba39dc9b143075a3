use super::*;
use crate::recorded::{LineAt, Seen, place};
use netverdict::cluster::ClusterOptions;
use netverdict::config::Config;
use netverdict::object::load::{LoadOptions, load};
use netverdict::source::SourceId;

fn deployment(namespace: &str, name: &str, labels: &str, port: u16) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  selector: {{matchLabels: {{{labels}}}}}
  template:
    metadata: {{labels: {{{labels}}}}}
    spec: {{containers: [{{name: main, ports: [{{name: main, containerPort: {port}}}]}}]}}
---
"
    )
}

fn shop(more: &str) -> Cluster {
    let mut yaml = String::new();
    for namespace in ["shop", "other", "kube-system"] {
        yaml += &format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}}}\n---\n");
    }
    yaml += &deployment("shop", "web", "app: web", 8080);
    yaml += &deployment("shop", "worker", "app: api, tier: worker", 9090);
    yaml += &deployment("shop", "api", "app: api, tier: front", 8080);
    yaml += &deployment("other", "probe", "app: web", 8080);
    yaml += &deployment("kube-system", "coredns", "k8s-app: kube-dns", 53);
    yaml += "apiVersion: v1
kind: Service
metadata: {name: api, namespace: shop}
spec: {clusterIP: 10.96.0.10, selector: {app: api, tier: front}, ports: [{port: 80, targetPort: main}]}
";
    yaml += more;
    let config = Config::default();
    let loaded = load(SourceId(0), &yaml, &LoadOptions::new(&config));
    assert!(loaded.documents.len() > 8, "{:?}", loaded.diagnostics);
    Cluster::build(config, ClusterOptions::default(), loaded.into_objects())
}

fn line(from: &str, to: &str, port: u16, more: &str) -> String {
    format!(
        r#"{{"verdict":"FORWARDED","l4":{{"TCP":{{"destination_port":{port}}}}},"source":{from},"destination":{to},{more}"is_reply":false}}"#
    )
}

fn is_allowed(cluster: &Cluster, from: &str, to: &str, port: u16) -> bool {
    let (from, to) = (cluster.peer(from).unwrap(), cluster.peer(to).unwrap());
    let flow = netverdict::cluster::Flow::new(&from, &to, 6, port);
    cluster.flow(&flow).overall.is_allowed()
}

fn pod(namespace: &str, name: &str) -> String {
    format!(r#"{{"namespace":"{namespace}","pod_name":"{name}-6d9c7b5f48-x2k8q"}}"#)
}

/// Policies for some lines, and what they do.
fn generated(cluster: &mut Cluster, lines: &[String], kind: Kind) -> (Generated, Proof, usize) {
    let mut recording = Recording::new();
    for (n, line) in (1..).zip(lines) {
        recording.line(LineAt { text: 0, line: n }, line);
    }
    assert_eq!(recording.problems(), &[]);
    let placement = place(cluster, &recording);
    let evidence = |seen: Seen| format!("{} flows", seen.flows);
    let (needs, left_out) = needs_of(cluster, &recording, &placement, false, &evidence);
    assert_eq!(left_out, Vec::<String>::new());
    let scope = Scope {
        kind,
        ..Scope::default()
    };
    let generated = generate(cluster, &needs, &scope);
    let proof = prove(cluster, &needs, &generated, SourceId(1));
    (generated, proof, needs.len())
}

#[test]
fn what_was_recorded_is_allowed_and_nothing_else_opens() {
    let lines = [
        line(&pod("shop", "web"), &pod("shop", "api"), 8080, ""),
        line(&pod("other", "probe"), &pod("shop", "web"), 8080, ""),
        line(&pod("shop", "api"), &pod("shop", "worker"), 9090, ""),
    ];
    for kind in [Kind::Cilium, Kind::Kubernetes] {
        let mut cluster = shop("");
        let (generated, proof, needs) = generated(&mut cluster, &lines, kind);
        assert_eq!((proof.met, needs), (3, 3), "{:?}", proof.unmet);
        assert!(proof.is_complete(), "{proof:?}\n{}", generated.yaml());
        let names: Vec<&str> = generated.policies.iter().map(|(n, _)| n.as_str()).collect();
        assert_eq!(
            names,
            ["other/probe", "shop/api", "shop/web", "shop/worker"]
        );
        let yaml = generated.yaml();
        // Two workloads share `app: api`: what tells them apart is named, and no more.
        assert!(
            yaml.contains("tier: front") && yaml.contains("tier: worker"),
            "{yaml}"
        );
        assert!(yaml.contains("# shop/web: 1 flows"), "{yaml}");
        // What was not recorded is closed now.
        assert!(!is_allowed(&cluster, "shop/web", "shop/worker", 9090));
    }
}

#[test]
fn names_come_with_a_rule_for_dns() {
    let to = r#"{"identity":16777217,"labels":["reserved:world-ipv4"]}"#;
    let names = r#""destination_names":["api.example.com"],"IP":{"destination":"203.0.113.7"},"#;
    let lines = [line(&pod("shop", "web"), to, 443, names)];
    let mut cluster = shop("");
    let (generated, proof, _) = generated(&mut cluster, &lines, Kind::Cilium);
    let yaml = generated.yaml();
    assert!(yaml.contains("- matchName: api.example.com"), "{yaml}");
    assert!(
        yaml.contains("k8s-app: kube-dns") && yaml.contains("matchPattern: \"*\""),
        "{yaml}"
    );
    assert_eq!(proof.met, 1, "{proof:?}\n{yaml}");
    assert!(proof.unmet.is_empty());
    // Looking names up is what comes with it.
    assert!(
        proof.opened.iter().all(|o| o.to.contains("coredns")),
        "{:?}",
        proof.opened
    );
}

#[test]
fn a_service_is_the_pods_behind_it() {
    let to = r#"{"identity":2,"labels":["reserved:world"]}"#;
    let lines = [line(
        &pod("shop", "web"),
        to,
        80,
        r#""IP":{"destination":"10.96.0.10"},"#,
    )];
    let mut cluster = shop("");
    let (generated, proof, _) = generated(&mut cluster, &lines, Kind::Cilium);
    let yaml = generated.yaml();
    assert!(
        yaml.contains("port: \"8080\"") && !yaml.contains("port: \"80\""),
        "{yaml}"
    );
    assert!(yaml.contains("port 80 of service shop/api"), "{yaml}");
    assert!(proof.is_complete(), "{proof:?}\n{yaml}");
}

#[test]
fn a_need_that_a_deny_forbids_is_told() {
    let deny = "---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: closed, namespace: shop}
spec:
  endpointSelector: {matchLabels: {tier: worker}}
  ingressDeny: [{fromEndpoints: [{matchLabels: {tier: front}}]}]
";
    let lines = [line(&pod("shop", "api"), &pod("shop", "worker"), 9090, "")];
    let mut cluster = shop(deny);
    let (_, proof, _) = generated(&mut cluster, &lines, Kind::Cilium);
    assert_eq!(proof.met, 0);
    let unmet = proof.unmet.first().expect("a need that is not met");
    assert_eq!(unmet.found, "deny");
    assert_eq!(
        unmet.rules[0].origin.object.to_string(),
        "CiliumNetworkPolicy/shop/closed"
    );
}

#[test]
fn what_else_opens_is_listed() {
    // A policy of another's that denies by default: the generated one opens
    // to pods that nothing tells from the recorded one.
    let closed = "---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: closed, namespace: shop}
spec:
  endpointSelector: {}
  ingress: [{}]
---
apiVersion: v1
kind: Pod
metadata: {name: twin, namespace: shop, labels: {app: web}}
spec: {serviceAccountName: other, containers: [{name: main}]}
";
    let lines = [line(&pod("shop", "web"), &pod("shop", "api"), 8080, "")];
    let mut cluster = shop(closed);
    let (_, proof, _) = generated(&mut cluster, &lines, Kind::Cilium);
    assert_eq!(proof.met, 1, "{proof:?}");
    let opened: Vec<String> = proof
        .opened
        .iter()
        .map(|o| format!("{} → {} {}", o.from, o.to, o.ports))
        .collect();
    assert_eq!(opened.len(), 1, "{opened:?}");
    assert!(
        opened[0].contains("shop/twin") && opened[0].contains("8080/TCP"),
        "{opened:?}"
    );
}

#[test]
fn a_policy_of_that_name_stays() {
    let own = "---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: api, namespace: shop}
spec:
  endpointSelector: {matchLabels: {tier: front}}
  ingress: [{fromEndpoints: [{matchLabels: {tier: worker}}]}]
";
    let lines = [line(&pod("shop", "web"), &pod("shop", "api"), 8080, "")];
    let mut cluster = shop(own);
    let (generated, proof, _) = generated(&mut cluster, &lines, Kind::Cilium);
    assert!(proof.is_complete(), "{proof:?}");
    assert!(
        generated.yaml().contains("name: api-generated\n"),
        "{}",
        generated.yaml()
    );
    assert!(is_allowed(&cluster, "shop/worker", "shop/api", 1));
}

/// The connections of one cluster, asked of another that has its workloads.
fn regenerated(
    of: &Cluster,
    kind: Kind,
    edit: impl Fn(&str) -> String,
) -> (Cluster, Proof, String) {
    let observed = edit(&crate::json::connectivity(of, false, false, false).unwrap());
    let mut cluster = shop("");
    let evidence = |n: usize| format!("connection {n}");
    let asked = needs_of_connections(&cluster, &observed, &evidence).unwrap();
    let scope = Scope {
        kind,
        closed: asked.closed,
        namespaces: ["shop", "other", "kube-system"].map(str::to_owned).into(),
    };
    let mut generated = generate(&cluster, &asked.needs, &scope);
    generated.left_out.extend(asked.left_out);
    let yaml = generated.yaml();
    let proof = prove(&mut cluster, &asked.needs, &generated, SourceId(1));
    assert_eq!(generated.left_out, Vec::<String>::new(), "{yaml}");
    (cluster, proof, yaml)
}

/// Connections of one form: what only policies of one cluster name is nothing
/// that the other has to say.
fn connections(of: &Cluster) -> Vec<serde_json::Value> {
    let text = crate::json::connectivity(of, false, false, false).unwrap();
    let all: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut rows = all["connections"].as_array().unwrap().clone();
    for row in &mut rows {
        for state in ["egress", "ingress"] {
            row.as_object_mut().unwrap().remove(state);
        }
    }
    rows
}

const OBSERVED: &str = "---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: api, namespace: shop}
spec:
  endpointSelector: {matchLabels: {tier: front}}
  ingress:
  - fromEndpoints: [{matchLabels: {app: web}}]
    authentication: {mode: required}
    toPorts:
    - ports: [{port: \"8080\", protocol: TCP}]
      rules: {http: [{method: GET, path: /items/.*, host: api.example.com}, {method: PUT}]}
  - fromCIDRSet: [{cidr: 192.0.2.0/24, except: [192.0.2.128/25]}]
    toPorts: [{ports: [{port: \"9000\", endPort: 9100, protocol: TCP}, {port: \"53\", protocol: UDP}]}]
  - fromEntities: [remote-node]
    icmps: [{fields: [{type: 8, family: IPv4}]}]
  egress: [{}]
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: worker, namespace: shop}
spec:
  endpointSelector: {matchLabels: {tier: worker}}
  ingress: [{}]
  egress:
  - toEndpoints: [{matchLabels: {k8s:io.kubernetes.pod.namespace: kube-system, k8s-app: kube-dns}}]
    toPorts: [{ports: [{port: \"53\", protocol: UDP}], rules: {dns: [{matchPattern: \"*.example.com\"}]}}]
  - toFQDNs: [{matchPattern: \"*.example.com\"}]
    toPorts: [{ports: [{port: \"443\", protocol: TCP}]}]
  - toEntities: [world]
    toPorts: [{ports: [{port: \"0\", protocol: SCTP}]}]
";

#[test]
fn connections_become_policies_that_make_the_same_connections() {
    let old = shop(OBSERVED);
    let (_, proof, yaml) = regenerated(&old, Kind::Cilium, str::to_owned);
    let new = shop(&format!("---\n{yaml}"));
    assert!(proof.is_complete(), "{proof:#?}\n{yaml}");
    for part in [
        "endPort: 9100",
        "except:",
        "mode: required",
        "host: api.example.com",
        "egress:\n  - {}",
    ] {
        assert!(yaml.contains(part), "{part}: {yaml}");
    }
    assert_eq!(connections(&old), connections(&new), "{yaml}");
}

#[test]
fn without_policies_nothing_is_to_be_written() {
    let (_, proof, yaml) = regenerated(&shop(""), Kind::Cilium, str::to_owned);
    assert!(proof.is_complete(), "{proof:?}");
    assert_eq!(yaml, "");
}

#[test]
fn a_connection_that_was_taken_out_is_closed() {
    let without = |text: &str| {
        let mut all: serde_json::Value = serde_json::from_str(text).unwrap();
        let rows = all["connections"].as_array_mut().unwrap();
        let before = rows.len();
        rows.retain(|r| {
            r["from"] != "shop/web[Deployment]" || r["to"] != "shop/worker[Deployment]"
        });
        assert_eq!(rows.len(), before - 1);
        all.to_string()
    };
    for kind in [Kind::Cilium, Kind::Kubernetes] {
        let observed = shop("");
        let text = crate::json::connectivity(&observed, false, false, false).unwrap();
        let mut cluster = shop("");
        let asked = needs_of_connections(&cluster, &without(&text), &|_| String::new()).unwrap();
        let scope = Scope {
            kind,
            ..Scope::default()
        };
        let generated = generate(&cluster, &asked.needs, &scope);
        let proof = prove(&mut cluster, &asked.needs, &generated, SourceId(1));
        assert!(!is_allowed(&cluster, "shop/web", "shop/worker", 9090));
        if kind == Kind::Cilium {
            assert!(proof.is_complete(), "{proof:?}\n{}", generated.yaml());
        } else {
            // Nodes are nothing that a NetworkPolicy can name.
            let nodes = generated.left_out.iter().all(|l| l.contains("cannot name"));
            assert!(nodes && !generated.left_out.is_empty(), "{generated:?}");
        }
    }
}

#[test]
fn other_terms_are_no_answer_to_a_need() {
    // The policy that is there lets more through than was observed.
    let wide = OBSERVED.replace(
        "rules: {http: [{method: GET, path: /items/.*, host: api.example.com}, {method: PUT}]}",
        "",
    );
    let observed = crate::json::connectivity(&shop(OBSERVED), false, false, false).unwrap();
    let mut cluster = shop(&wide);
    let asked = needs_of_connections(&cluster, &observed, &|_| String::new()).unwrap();
    let generated = generate(
        &cluster,
        &asked.needs,
        &Scope {
            closed: asked.closed,
            ..Scope::default()
        },
    );
    let proof = prove(&mut cluster, &asked.needs, &generated, SourceId(1));
    let found: Vec<&str> = proof.unmet.iter().map(|u| u.found.as_str()).collect();
    assert!(
        found
            .iter()
            .any(|f| f.contains("8080/TCP is open on other terms")),
        "{found:?}"
    );
}

#[test]
fn texts_that_are_no_connections_are_refused() {
    let cluster = shop("");
    let read = |text: &str| needs_of_connections(&cluster, text, &|_| String::new());
    assert!(read("[]").is_err());
    assert!(
        read(r#"{"namespaces":["shop"],"connections":[]}"#)
            .unwrap_err()
            .contains("--by")
    );
    let row = |ports: &str| {
        format!(
            r#"{{"connections":[{{"from":"shop/web[Deployment]","to":"entity:world","allowed":[{ports}]}}]}}"#
        )
    };
    assert!(read(&row(r#"{"protocol":"TCP","ports":[[9,1]]}"#)).is_err());
    assert!(read(&row(r#"{"protocol":"QUIC","ports":[[1,9]]}"#)).is_err());
    assert!(read(&row(r#"{"protocol":"TCP"}"#)).is_err());
    let asked = read(&row(r#"{"protocol":"TCP","ports":[[1,9]],"l7":"crd"}"#)).unwrap();
    assert_eq!((asked.needs.len(), asked.left_out.len()), (0, 1));
    let nobody = row("").replace("shop/web", "shop/nobody");
    let asked = read(&nobody).unwrap();
    assert!(
        asked.left_out[0].contains("nothing in the input is called `shop/nobody"),
        "{asked:?}"
    );
}
