//! Each rule of both layers, kept and broken.

use crate::config::Config;
use crate::object::Object;
use crate::object::load::{LoadOptions, Loaded, Outcome, Stage, Strictness, load};
use crate::object::network_policy::{IntOrString, NetworkPolicy};
use crate::source::SourceId;

fn loaded(spec: &str, strictness: Strictness) -> Loaded {
    let text = format!(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: p, namespace: ns}}\n{spec}\n"
    );
    let config = Config::default();
    let mut options = LoadOptions::new(&config);
    options.strictness = strictness;
    load(SourceId(0), &text, &options)
}

/// The codes and paths found, and the stage of refusal.
fn check(spec: &str, strictness: Strictness) -> (Vec<String>, Option<Stage>) {
    let loaded = loaded(spec, strictness);
    let stage = match &loaded.documents[0].outcome {
        Outcome::Refused(stage) => Some(*stage),
        _ => None,
    };
    let found = loaded.diagnostics.iter();
    (
        found.map(|d| format!("{} {}", d.code, d.path)).collect(),
        stage,
    )
}

fn policy(spec: &str) -> NetworkPolicy {
    let loaded = loaded(spec, Strictness::Agent);
    match loaded.into_objects().next() {
        Some(Object::NetworkPolicy(policy)) => policy,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_field_is_decoded() {
    let p = policy(
        "spec:
  podSelector: {matchLabels: {app: web}, matchExpressions: [{key: k, operator: In, values: [a, b]}]}
  policyTypes: [Ingress, Egress]
  ingress:
  - from:
    - podSelector: {}
      namespaceSelector: {matchLabels: {team: x}}
    - ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}
    ports:
    - {port: 80, endPort: 90, protocol: UDP}
    - {port: http}
  egress:
  - {}
",
    );
    assert_eq!(p.pod_selector.match_labels[0].0.value, "app");
    assert_eq!(p.pod_selector.match_expressions[0].values.len(), 2);
    assert_eq!(p.policy_types[1].value, "Egress");
    let rule = &p.ingress[0];
    assert_eq!(rule.path, "spec.ingress[0]");
    assert!(rule.peers[0].pod_selector.is_some() && rule.peers[0].namespace_selector.is_some());
    let block = rule.peers[1].ip_block.as_ref().unwrap();
    assert_eq!(block.cidr.value, "10.0.0.0/8");
    assert_eq!(block.except[0].value, "10.1.0.0/16");
    assert_eq!(
        rule.ports[0].port.as_ref().unwrap().value,
        IntOrString::Int(80)
    );
    assert_eq!(rule.ports[0].end_port.unwrap().value, 90);
    assert_eq!(
        rule.ports[1].port.as_ref().unwrap().value,
        IntOrString::String("http".to_owned())
    );
    assert!(p.egress[0].peers.is_empty() && p.egress[0].ports.is_empty());
}

#[test]
fn null_is_absent_and_a_null_rule_is_an_empty_one() {
    let p =
        policy("spec: {podSelector: null, ingress: [null], egress: null, policyTypes: [Ingress]}");
    assert_eq!(p.ingress.len(), 1);
    assert!(p.ingress[0].peers.is_empty() && p.egress.is_empty());
}

#[test]
fn other_types_and_unknown_fields() {
    for (spec, codes, refused) in [
        ("spec: {ingress: {}}", vec!["NV0201 spec.ingress"], true),
        (
            "spec: {podSelector: {matchLabels: {a: 1}}}",
            vec!["NV0201 spec.podSelector.matchLabels.a"],
            true,
        ),
        (
            "spec: {ingress: [{ports: [{port: true}]}]}",
            vec!["NV0201 spec.ingress[0].ports[0].port"],
            true,
        ),
        (
            "spec: {ingress: [{ports: [{port: 3000000000}]}]}",
            vec!["NV0204 spec.ingress[0].ports[0].port"],
            true,
        ),
        (
            "spec: {podselector: {}, policyTypes: [Ingress]}",
            vec!["NV0202 spec.podselector"],
            false,
        ),
    ] {
        let (found, stage) = check(spec, Strictness::Agent);
        assert_eq!(found, codes, "{spec}");
        assert_eq!(stage, refused.then_some(Stage::Decode), "{spec}");
    }
}

/// Spec, what the agent says, whether it refuses, what the API server says.
type Case = (
    &'static str,
    &'static [&'static str],
    bool,
    &'static [&'static str],
);

const CASES: &[Case] = &[
    // Nothing to say.
    ("spec: {podSelector: {}}", &[], false, &[]),
    (
        "spec: {podSelector: {}, ingress: [{ports: [{protocol: SCTP, port: 1, endPort: 65535}]}]}",
        &[],
        false,
        &[],
    ),
    (
        "spec: {podSelector: {}, ingress: [{ports: [{port: a-b-1}]}]}",
        &[],
        false,
        &[],
    ),
    (
        "spec: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 'fd00::/8', except: ['fd00:1::/32']}}]}]}",
        &[],
        false,
        &[],
    ),
    // Protocols.
    (
        "spec: {podSelector: {}, ingress: [{ports: [{protocol: ICMP}]}]}",
        &["NV0501 spec.ingress[0].ports[0].protocol"],
        true,
        &["NV0363 spec.ingress[0].ports[0].protocol"],
    ),
    (
        "spec: {podSelector: {}, ingress: [{ports: [{protocol: tcp}]}]}",
        &[],
        false,
        &["NV0363 spec.ingress[0].ports[0].protocol"],
    ),
    (
        "spec: {podSelector: {}, ingress: [{ports: [{protocol: ''}]}]}",
        &[],
        false,
        &["NV0363 spec.ingress[0].ports[0].protocol"],
    ),
    (
        "spec: {podSelector: {}, egress: [{ports: [{protocol: gre}]}]}",
        &[],
        false,
        &["NV0363 spec.egress[0].ports[0].protocol"],
    ),
    // Prefixes.
    (
        "spec: {podSelector: {}, egress: [{to: [{ipBlock: {cidr: 10.0.0/8}}]}]}",
        &["NV0502 spec.egress[0].to[0].ipBlock.cidr"],
        true,
        &["NV0365 spec.egress[0].to[0].ipBlock.cidr"],
    ),
    (
        "spec: {podSelector: {}, egress: [{to: [{ipBlock: {}}]}]}",
        &["NV0502 spec.egress[0].to[0].ipBlock.cidr"],
        true,
        &["NV0365 spec.egress[0].to[0].ipBlock.cidr"],
    ),
    (
        "spec: {podSelector: {}, egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [x]}}]}]}",
        &["NV0502 spec.egress[0].to[0].ipBlock.except[0]"],
        true,
        &["NV0365 spec.egress[0].to[0].ipBlock.except[0]"],
    ),
    (
        "spec: {podSelector: {}, egress: [{to: [{ipBlock: {cidr: 10.0.0.1}}]}]}",
        &[],
        false,
        &["NV0365 spec.egress[0].to[0].ipBlock.cidr"],
    ),
    (
        "spec: {podSelector: {}, egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/8]}}]}]}",
        &[],
        false,
        &["NV0365 spec.egress[0].to[0].ipBlock.except[0]"],
    ),
    (
        "spec: {podSelector: {}, egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/16]}}]}]}",
        &[],
        false,
        &["NV0365 spec.egress[0].to[0].ipBlock.except[0]"],
    ),
    // Peers.
    (
        "spec: {podSelector: {}, ingress: [{from: [{}]}]}",
        &["NV0505 spec.ingress[0].from[0]"],
        false,
        &["NV0364 spec.ingress[0].from[0]"],
    ),
    (
        "spec: {podSelector: {}, ingress: [{from: [{podSelector: {}, ipBlock: {cidr: 1.1.1.1/32}}]}]}",
        &["NV0504 spec.ingress[0].from[0]"],
        false,
        &["NV0364 spec.ingress[0].from[0]"],
    ),
    // Selectors.
    (
        "spec: {podSelector: {matchExpressions: [{key: a, operator: Gt, values: ['1']}]}}",
        &["NV0503 spec.podSelector.matchExpressions[0].operator"],
        false,
        &["NV0362 spec.podSelector.matchExpressions[0].operator"],
    ),
    (
        "spec: {podSelector: {matchExpressions: [{key: a, operator: In}]}}",
        &[],
        false,
        &["NV0362 spec.podSelector.matchExpressions[0].values"],
    ),
    (
        "spec: {podSelector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}}",
        &[],
        false,
        &["NV0362 spec.podSelector.matchExpressions[0].values"],
    ),
    (
        "spec: {podSelector: {matchLabels: {'a b': c}}}",
        &[],
        false,
        &["NV0361 spec.podSelector.matchLabels"],
    ),
    (
        "spec: {podSelector: {matchLabels: {a: 'b c'}}}",
        &[],
        false,
        &["NV0361 spec.podSelector.matchLabels.a"],
    ),
    (
        "spec: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchExpressions: [{key: a, operator: x}]}}]}]}",
        &["NV0503 spec.ingress[0].from[0].namespaceSelector.matchExpressions[0].operator"],
        false,
        &["NV0362 spec.ingress[0].from[0].namespaceSelector.matchExpressions[0].operator"],
    ),
    // Ports.
    (
        "spec: {podSelector: {}, ingress: [{ports: [{port: 0}]}]}",
        &["NV0510 spec.ingress[0].ports[0].port"],
        false,
        &["NV0363 spec.ingress[0].ports[0].port"],
    ),
    (
        "spec: {podSelector: {}, ingress: [{ports: [{port: -1}]}]}",
        &["NV0506 spec.ingress[0].ports[0].port"],
        false,
        &["NV0363 spec.ingress[0].ports[0].port"],
    ),
    (
        "spec: {podSelector: {}, ingress: [{ports: [{port: 70000}]}]}",
        &["NV0506 spec.ingress[0].ports[0].port"],
        false,
        &["NV0363 spec.ingress[0].ports[0].port"],
    ),
    (
        "spec: {podSelector: {}, ingress: [{ports: [{port: '80'}]}]}",
        &[],
        false,
        &["NV0363 spec.ingress[0].ports[0].port"],
    ),
    (
        "spec: {podSelector: {}, ingress: [{ports: [{port: '010'}]}]}",
        &["NV0510 spec.ingress[0].ports[0].port"],
        false,
        &["NV0363 spec.ingress[0].ports[0].port"],
    ),
    (
        "spec: {podSelector: {}, ingress: [{ports: [{port: a_b}]}]}",
        &["NV0506 spec.ingress[0].ports[0].port"],
        false,
        &["NV0363 spec.ingress[0].ports[0].port"],
    ),
    (
        "spec: {podSelector: {}, ingress: [{ports: [{port: HTTP}]}]}",
        &[],
        false,
        &["NV0363 spec.ingress[0].ports[0].port"],
    ),
    (
        "spec: {podSelector: {}, ingress: [{ports: [{endPort: 80}]}]}",
        &["NV0507 spec.ingress[0].ports[0].endPort"],
        false,
        &["NV0363 spec.ingress[0].ports[0].endPort"],
    ),
    (
        "spec: {podSelector: {}, ingress: [{ports: [{port: 80, endPort: 79}]}]}",
        &["NV0507 spec.ingress[0].ports[0].endPort"],
        false,
        &["NV0363 spec.ingress[0].ports[0].endPort"],
    ),
    (
        "spec: {podSelector: {}, ingress: [{ports: [{port: http, endPort: 90}]}]}",
        &[],
        false,
        &["NV0363 spec.ingress[0].ports[0].endPort"],
    ),
    // Types.
    ("", &["NV0508 spec"], false, &[]),
    (
        "spec: {podSelector: {}, policyTypes: [Ingress], egress: [{}]}",
        &["NV0509 spec.egress"],
        false,
        &[],
    ),
    (
        "spec: {podSelector: {}, policyTypes: [ingress]}",
        &[],
        false,
        &["NV0366 spec.policyTypes[0]"],
    ),
    (
        "spec: {podSelector: {}, policyTypes: [Ingress, Egress, Ingress]}",
        &[],
        false,
        &["NV0366 spec.policyTypes"],
    ),
];

#[test]
fn the_agent_refuses_and_warns() {
    for (spec, agent, refused, _) in CASES {
        let (found, stage) = check(spec, Strictness::Agent);
        assert_eq!(found, *agent, "{spec}");
        assert_eq!(stage, refused.then_some(Stage::Parse), "{spec}");
        // NetworkPolicy has no CustomResourceDefinition.
        assert_eq!(check(spec, Strictness::Crds), (found, stage), "{spec}");
    }
}

#[test]
fn the_api_server_refuses() {
    for (spec, agent, _, server) in CASES {
        let (found, stage) = check(spec, Strictness::ApiServer);
        if server.is_empty() {
            assert_eq!(found, *agent, "{spec}");
            assert_eq!(stage, None, "{spec}");
        } else {
            assert_eq!(found, *server, "{spec}");
            assert_eq!(stage, Some(Stage::Schema), "{spec}");
        }
        // The report has the complaint even where it does not count.
        let report = &loaded(spec, Strictness::Agent).documents[0];
        assert_eq!(report.schema_text().is_empty(), server.is_empty(), "{spec}");
    }
}

#[test]
fn names_are_checked_by_the_api_server() {
    for (meta, code) in [
        ("{name: a.b-c}", None),
        ("{}", Some("NV0360 metadata.name")),
        ("{name: A}", Some("NV0360 metadata.name")),
        (
            "{name: a, namespace: a.b}",
            Some("NV0360 metadata.namespace"),
        ),
        (
            "{name: a, labels: {a: -}}",
            Some("NV0361 metadata.labels.a"),
        ),
    ] {
        let text = format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {meta}\nspec: {{podSelector: {{}}}}\n"
        );
        let config = Config::default();
        let mut options = LoadOptions::new(&config);
        assert!(!load(SourceId(0), &text, &options).refused_any(), "{meta}");
        options.strictness = Strictness::ApiServer;
        let loaded = load(SourceId(0), &text, &options);
        let found = loaded.diagnostics.first();
        let found = found.map(|d| format!("{} {}", d.code, d.path));
        assert_eq!(found.as_deref(), code, "{meta}");
    }
}

#[test]
fn metadata_that_cilium_does_not_read_refuses_nothing() {
    for (meta, refused) in [
        ("{name: a, finalizers: [1], creationTimestamp: x}", false),
        ("{name: a, deletionTimestamp: x}", true),
        ("{name: a, generation: x}", true),
        ("{name: a, ownerReferences: [{controller: x}]}", true),
    ] {
        let text = format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {meta}\nspec: {{podSelector: {{}}}}\n"
        );
        let config = Config::default();
        let loaded = load(SourceId(0), &text, &LoadOptions::new(&config));
        assert_eq!(loaded.refused_any(), refused, "{meta}");
    }
}
