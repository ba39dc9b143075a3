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
        let closed = netverdict::cluster::Flow {
            from: &cluster.peer("shop/web").unwrap(),
            to: &cluster.peer("shop/worker").unwrap(),
            protocol: 6,
            port: 9090,
            icmp_code: None,
            untracked_fragment: false,
        };
        assert!(!cluster.flow(&closed).overall.is_allowed());
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
    let flow = netverdict::cluster::Flow {
        from: &cluster.peer("shop/worker").unwrap(),
        to: &cluster.peer("shop/api").unwrap(),
        protocol: 6,
        port: 1,
        icmp_code: None,
        untracked_fragment: false,
    };
    assert!(cluster.flow(&flow).overall.is_allowed());
}
