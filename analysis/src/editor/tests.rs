use super::*;
use netverdict::cluster::{Cluster, ClusterOptions};
use netverdict::config::Config;
use netverdict::object::load::{LoadOptions, load};
use netverdict::source::SourceId;

const PODS: &str = "
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
    metadata: {labels: {app: web, tier: front}}
    spec: {containers: [{name: web, ports: [{name: http, containerPort: 8080}]}]}
---
apiVersion: cilium.io/v2
kind: CiliumCIDRGroup
metadata: {name: office}
spec: {externalCIDRs: [192.0.2.0/24]}
";

const POLICY: &str = "apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata:
  name: web
  namespace: shop
spec:
  endpointSelector:
    matchLabels:
      app: web
  ingress:
  - fromEndpoints:
    - matchLabels:
        app: nobody
    toPorts:
    - ports:
      - port: \"8080\"
        protocol: TCP
  - fromEntities:
    - cluster
  - fromCIDRSet:
    - cidrGroupRef: office
";

fn cluster(policy: &str) -> Cluster {
    let config = Config::default();
    let objects: Vec<_> = [(0, policy), (1, PODS)]
        .into_iter()
        .flat_map(|(id, text)| {
            let loaded = load(SourceId(id), text, &LoadOptions::new(&config));
            loaded.into_objects().collect::<Vec<_>>()
        })
        .collect();
    Cluster::build(config, ClusterOptions::default(), objects)
}

fn shown(policy: &str, at: &str) -> Option<String> {
    let offset = policy.find(at).expect(at) + 1;
    let shown = hover(&cluster(policy), SourceId(0), policy, offset)?;
    assert!(shown.place.start <= offset && offset <= shown.place.end);
    Some(shown.text)
}

/// What is proposed at `|`.
fn proposed(text: &str) -> Vec<String> {
    let offset = text.find('|').expect("a mark");
    let text = text.replacen('|', "", 1);
    let all = complete(&cluster(POLICY), &text, offset);
    all.all.into_iter().map(|p| p.text).collect()
}

#[test]
fn fields_have_docs_and_selectors_say_whom_they_select() {
    let text = shown(POLICY, "endpointSelector").expect("a text");
    assert!(text.contains("the pods the rule applies to"), "{text}");
    assert!(text.contains("selects 1 workload: `shop/web`"), "{text}");
    let text = shown(POLICY, "app: web").expect("a text");
    assert_eq!(text, "selects 1 workload: `shop/web`");
    let text = shown(POLICY, "app: nobody").expect("a text");
    assert_eq!(text, "selects no pod of the workspace");
    let text = shown(POLICY, "toPorts").expect("a text");
    assert!(text.starts_with("**toPorts**: "), "{text}");
    assert_eq!(shown(POLICY, "cluster\n"), None);
}

#[test]
fn network_policies_have_docs_and_proposals_too() {
    let head = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: a\n  namespace: shop\nspec:\n";
    let policy = format!(
        "{head}  podSelector:\n    matchLabels:\n      app: web\n  ingress:\n  - from:\n    - namespaceSelector: {{}}\n    ports:\n    - port: 80\n      endPort: 90\n"
    );
    let text = shown(&policy, "podSelector").expect("a text");
    assert!(text.contains("the pods the policy applies to"), "{text}");
    assert!(text.contains("selects 1 workload: `shop/web`"), "{text}");
    for field in ["matchLabels", "from", "namespaceSelector", "endPort"] {
        let text = shown(&policy, field).expect(field);
        assert!(text.starts_with(&format!("**{field}**: ")), "{text}");
    }
    let fields = proposed(&format!("{head}  ingress:\n  - |"));
    assert_eq!(fields, ["from", "ports"]);
    let fields = proposed(&format!("{head}  egress:\n  - to:\n    - |"));
    assert_eq!(fields, ["ipBlock", "namespaceSelector", "podSelector"]);
    let words = proposed(&format!("{head}  policyTypes:\n  - |"));
    assert!(words.contains(&"Egress".to_owned()), "{words:?}");
}

#[test]
fn what_exists_is_proposed() {
    let head = "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata:\n  name: a\nspec:\n";
    let fields = proposed(&format!("{head}  |"));
    assert!(
        fields.contains(&"endpointSelector".to_owned()),
        "{fields:?}"
    );
    let fields = proposed(&format!("{head}  ingress:\n  - from|"));
    assert!(fields.contains(&"fromEndpoints".to_owned()), "{fields:?}");
    assert!(!fields.contains(&"toEndpoints".to_owned()), "{fields:?}");
    let fields = proposed(&format!(
        "{head}  egress:\n  - toPorts:\n    - ports:\n      - port: \"1\"\n        |"
    ));
    assert!(fields.contains(&"protocol".to_owned()), "{fields:?}");
    let selector = format!("{head}  endpointSelector:\n    matchLabels:\n");
    let labels = proposed(&format!("{selector}      |"));
    assert!(
        labels.contains(&"app".to_owned()) && labels.contains(&"tier".to_owned()),
        "{labels:?}"
    );
    assert_eq!(proposed(&format!("{selector}      tier: |")), ["front"]);
    let namespaces = proposed("kind: CiliumNetworkPolicy\nmetadata:\n  namespace: |");
    assert!(namespaces.contains(&"shop".to_owned()), "{namespaces:?}");
    let ports = proposed(&format!(
        "{head}  egress:\n  - toPorts:\n    - ports:\n      - port: |"
    ));
    assert_eq!(ports, ["\"8080\"", "http"]);
    let entities = proposed(&format!("{head}  ingress:\n  - fromEntities:\n    - |"));
    assert!(
        entities.contains(&"kube-apiserver".to_owned()),
        "{entities:?}"
    );
    assert_eq!(
        proposed(&format!(
            "{head}  ingress:\n  - fromCIDRSet:\n    - cidrGroupRef: |"
        )),
        ["office"]
    );
    assert_eq!(proposed("# |"), Vec::<String>::new());
}

#[test]
fn labels_and_groups_lead_to_where_they_are_written() {
    let cluster = cluster(POLICY);
    let at = |what: &str| definition(&cluster, POLICY, POLICY.find(what).expect(what) + 1);
    let web = at("app: web");
    assert_eq!(web.len(), 1);
    let span = web[0];
    assert_eq!(span.source, SourceId(1));
    assert!(PODS[span.start as usize..span.end as usize].contains("kind: Deployment"));
    let group = at(" office");
    assert_eq!(group.len(), 1);
    assert!(PODS[group[0].start as usize..].starts_with("apiVersion: cilium.io/v2"));
    assert_eq!(at("app: nobody"), []);
    assert_eq!(at("toPorts"), []);
}

#[test]
fn any_place_of_any_text_can_be_asked_about() {
    let cluster = cluster(POLICY);
    for text in [
        POLICY,
        "- - - a: [\n\t: :",
        "é: ü\n - \"\n'",
        "---\n---\n:",
        "a:\r\n  b",
    ] {
        for (offset, _) in text.char_indices() {
            let _ = hover(&cluster, SourceId(0), text, offset);
            let _ = complete(&cluster, text, offset);
            let _ = definition(&cluster, text, offset);
        }
        assert!(complete(&cluster, text, text.len() + 1).all.is_empty());
    }
}

/// The text after the proposal of a name was taken at `|`.
fn taken(text: &str, name: &str) -> String {
    let offset = text.find('|').expect("a mark");
    let mut text = text.replacen('|', "", 1);
    let proposals = complete(&cluster(POLICY), &text, offset);
    let one = proposals.all.iter().find(|p| p.text == name).expect(name);
    text.replace_range(proposals.place, &one.insert);
    text
}

#[test]
fn proposals_take_the_place_of_what_is_there() {
    let head = "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\n";
    let all = |line: &str| format!("{head}{line}");
    for (typed, name, expected) in [
        ("sp|", "spec", "spec: "),
        ("sp|: {}", "spec", "spec: {}"),
        (
            "spec:\n  endp|",
            "endpointSelector",
            "spec:\n  endpointSelector: ",
        ),
        (
            "metadata:\n  namespace:|",
            "shop",
            "metadata:\n  namespace: shop",
        ),
        (
            "metadata:\n  namespace: |",
            "shop",
            "metadata:\n  namespace: shop",
        ),
        (
            "metadata:\n  namespace: sh|ut # why",
            "shop",
            "metadata:\n  namespace: shop # why",
        ),
        (
            "spec:\n  ingress:\n  - fromEntities:\n    - clu|",
            "cluster",
            "spec:\n  ingress:\n  - fromEntities:\n    - cluster",
        ),
        (
            "spec:\n  ingress:\n  - fromEntities:\n    - |",
            "cluster",
            "spec:\n  ingress:\n  - fromEntities:\n    - cluster",
        ),
        (
            "spec:\n  ingress:\n  - toPorts:\n    - ports:\n      - port: |",
            "\"8080\"",
            "spec:\n  ingress:\n  - toPorts:\n    - ports:\n      - port: \"8080\"",
        ),
        (
            "spec:\n  endpointSelector:\n    matchLabels:\n      app: n|",
            "web",
            "spec:\n  endpointSelector:\n    matchLabels:\n      app: web",
        ),
    ] {
        assert_eq!(taken(&all(typed), name), all(expected), "{typed}");
    }
}

#[test]
fn proposals_that_yaml_would_misread_are_quoted() {
    for (value, text) in [
        ("web", "web"),
        ("true", "\"true\""),
        ("1.0", "\"1.0\""),
        ("", "\"\""),
    ] {
        assert_eq!(super::completion::quoted(value), text);
    }
}
