//! Each rule of both layers, kept and broken.

use super::{ClusterNetworkPolicy, ClusterPolicyKind, Transport};
use crate::config::Config;
use crate::object::Object;
use crate::object::load::{LoadOptions, Loaded, Outcome, Stage, Strictness, load};
use crate::source::SourceId;

const CLUSTER: &str = "v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {name: p}";
const ADMIN: &str = "v1alpha1\nkind: AdminNetworkPolicy\nmetadata: {name: p}";
const BASELINE: &str = "v1alpha1\nkind: BaselineAdminNetworkPolicy\nmetadata: {name: default}";

fn loaded(head: &str, spec: &str, strictness: Strictness, config: &Config) -> Loaded {
    let text = format!("apiVersion: policy.networking.k8s.io/{head}\nspec: {spec}\n");
    let mut options = LoadOptions::new(config);
    options.strictness = strictness;
    load(SourceId(0), &text, &options)
}

fn check(
    head: &str,
    spec: &str,
    strictness: Strictness,
    config: &Config,
) -> (Vec<String>, Option<Stage>) {
    let loaded = loaded(head, spec, strictness, config);
    let stage = match &loaded.documents[0].outcome {
        Outcome::Refused(stage) => Some(*stage),
        _ => None,
    };
    let found = loaded.diagnostics.iter();
    let found = found.filter(|d| d.code != super::predecessor::PREDECESSOR);
    (
        found.map(|d| format!("{} {}", d.code, d.path)).collect(),
        stage,
    )
}

fn policy(head: &str, spec: &str) -> ClusterNetworkPolicy {
    let config = Config::default();
    let loaded = loaded(head, spec, Strictness::Agent, &config);
    match loaded.into_objects().next() {
        Some(Object::ClusterNetworkPolicy(policy)) => policy,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_field_is_decoded() {
    let p = policy(
        CLUSTER,
        "
  tier: Baseline
  priority: 7
  subject: {pods: {namespaceSelector: {matchLabels: {a: b}}, podSelector: {}}}
  ingress:
  - name: first
    action: Deny
    from: [{namespaces: {}}]
    protocols: [{tcp: {destinationPort: {number: 80}}}, {destinationNamedPort: web}]
  egress:
  - action: Accept
    to: [{networks: [10.0.0.0/8]}, {domainNames: ['*.example.com']}]
    protocols: [{udp: {destinationPort: {range: {start: 1, end: 9}}}}, {sctp: {}}]
",
    );
    assert_eq!((p.tier.as_str(), p.priority.value), ("Baseline", 7));
    let subject = p.subject_pods.as_ref().unwrap();
    assert_eq!(subject.namespace_selector.match_labels.len(), 1);
    let rule = &p.ingress[0];
    assert_eq!(
        (rule.name.as_str(), rule.action.as_str()),
        ("first", "Deny")
    );
    assert!(rule.peers[0].namespaces.is_some());
    let (transport, port) = rule.protocols[0].transport.as_ref().unwrap();
    assert_eq!(*transport, Transport::Tcp);
    assert_eq!(port.as_ref().unwrap().number, 80);
    assert_eq!(rule.protocols[1].destination_named_port.value, "web");
    let rule = &p.egress[0];
    assert_eq!(rule.peers[0].networks.as_ref().unwrap().len(), 1);
    assert_eq!(rule.peers[1].domain_names.as_ref().unwrap().len(), 1);
    let port = rule.protocols[0].transport.as_ref().unwrap().1.as_ref();
    assert_eq!(port.unwrap().range, Some((1, 9)));
    assert_eq!(rule.protocols[1].transport, Some((Transport::Sctp, None)));
}

#[test]
fn predecessors_become_their_successor() {
    let p = policy(
        ADMIN,
        "
  priority: 3
  subject: {namespaces: {}}
  egress:
  - action: Allow
    to: [{namespaces: {}}]
    ports:
    - portNumber: {port: 80}
    - portRange: {protocol: UDP, start: 1, end: 9}
    - namedPort: web
",
    );
    assert_eq!(p.kind, ClusterPolicyKind::AdminNetworkPolicy);
    assert_eq!((p.tier.as_str(), p.priority.value), ("Admin", 3));
    let protocols = &p.egress[0].protocols;
    let (transport, port) = protocols[0].transport.as_ref().unwrap();
    assert_eq!(
        (*transport, port.as_ref().unwrap().number),
        (Transport::Tcp, 80)
    );
    let (transport, port) = protocols[1].transport.as_ref().unwrap();
    assert_eq!(*transport, Transport::Udp);
    assert_eq!(port.as_ref().unwrap().range, Some((1, 9)));
    assert_eq!(protocols[2].destination_named_port.value, "web");

    let p = policy(BASELINE, "{subject: {namespaces: {}}}");
    assert_eq!((p.tier.as_str(), p.priority.value), ("Baseline", 0));

    let config = Config::default();
    let spec = "{priority: 1, subject: {namespaces: {}}, ingress: [{action: Allow, from: [{namespaces: {}}], ports: [{portNumber: {protocol: ICMP, port: 1}}]}]}";
    let (found, stage) = check(ADMIN, spec, Strictness::Agent, &config);
    assert_eq!(
        found,
        ["NV0533 spec.ingress[0].ports[0].portNumber.protocol"]
    );
    assert_eq!(stage, Some(Stage::Decode));
}

#[test]
fn a_selector_of_the_drafts_is_explained() {
    let config = Config::default();
    let spec = whole(
        "ingress: [{action: Deny, from: [{namespaces: {namespaceSelector: {matchLabels: {a: b}}}}]}]",
    );
    let loaded = loaded(CLUSTER, &spec, Strictness::Agent, &config);
    let d = &loaded.diagnostics[0];
    assert_eq!(
        d.path,
        "spec.ingress[0].from[0].namespaces.namespaceSelector"
    );
    assert!(d.help.as_ref().unwrap().contains("every namespace"));
}

/// Rules, what the agent says, whether it refuses, what the schema says.
type Case = (
    &'static str,
    &'static [&'static str],
    bool,
    &'static [&'static str],
);

const CASES: &[Case] = &[
    (
        "ingress: [{action: Accept, from: [{namespaces: {}}]}]",
        &[],
        false,
        &[],
    ),
    (
        "egress: [{action: Accept, to: [{networks: [10.0.0.0/8, 'fd00::/8']}]}]",
        &[],
        false,
        &[],
    ),
    (
        "egress: [{action: Accept, to: [{domainNames: ['*.a.b', a.b.]}]}]",
        &[],
        false,
        &[],
    ),
    ("ingress: null", &[], false, &[]),
    // Actions.
    (
        "ingress: [{action: Allow, from: [{namespaces: {}}]}]",
        &["NV0527 spec.ingress[0].action"],
        false,
        &["NV0303 spec.ingress[0].action"],
    ),
    (
        "ingress: [{from: [{namespaces: {}}]}]",
        &["NV0527 spec.ingress[0].action"],
        false,
        &["NV0302 spec.ingress[0].action"],
    ),
    // Peers.
    (
        "ingress: [{action: Deny, from: []}]",
        &[],
        false,
        &["NV0306 spec.ingress[0].from"],
    ),
    (
        "ingress: [{action: Deny}]",
        &[],
        false,
        &["NV0302 spec.ingress[0].from"],
    ),
    (
        "ingress: [{action: Deny, from: [{}]}]",
        &["NV0526 spec.ingress[0].from[0]"],
        false,
        &["NV0308 spec.ingress[0].from[0]"],
    ),
    (
        "ingress: [{action: Deny, from: [{namespaces: {}, pods: {podSelector: {}}}]}]",
        &["NV0531 spec.ingress[0].from[0]"],
        false,
        &["NV0308 spec.ingress[0].from[0]"],
    ),
    (
        "ingress: [{action: Deny, from: [{pods: {namespaceSelector: {}}}]}]",
        &[],
        false,
        &["NV0302 spec.ingress[0].from[0].pods.podSelector"],
    ),
    (
        "ingress: [{action: Deny, from: [{namespaces: {matchExpressions: [{key: a, operator: x}]}}]}]",
        &["NV0503 spec.ingress[0].from[0].namespaces.matchExpressions[0].operator"],
        false,
        &[],
    ),
    (
        "ingress: [{action: Deny, from: [{namespaces: {matchExpressions: [{operator: In}]}}]}]",
        &[],
        false,
        &["NV0302 spec.ingress[0].from[0].namespaces.matchExpressions[0].key"],
    ),
    (
        "egress: [{action: Deny, to: [{nodes: {}}]}]",
        &["NV0521 spec.egress[0].to[0].nodes"],
        true,
        &[],
    ),
    (
        "egress: [{action: Deny, to: [{networks: [x]}]}]",
        &["NV0522 spec.egress[0].to[0].networks[0]"],
        true,
        &["NV0304 spec.egress[0].to[0].networks[0]"],
    ),
    (
        "egress: [{action: Deny, to: [{networks: [10.0.0.1]}]}]",
        &[],
        false,
        &["NV0304 spec.egress[0].to[0].networks[0]"],
    ),
    (
        "egress: [{action: Deny, to: [{networks: ['::ffff:1.2.3.4/128']}]}]",
        &[],
        false,
        &["NV0304 spec.egress[0].to[0].networks[0]"],
    ),
    (
        "egress: [{action: Deny, to: [{networks: [1.0.0.0/8, 1.0.0.0/8]}]}]",
        &[],
        false,
        &["NV0310 spec.egress[0].to[0].networks[1]"],
    ),
    (
        "egress: [{action: Deny, to: [{networks: []}]}]",
        &["NV0529 spec.egress[0].to[0].networks"],
        false,
        &["NV0306 spec.egress[0].to[0].networks"],
    ),
    (
        "egress: [{action: Deny, to: [{domainNames: [a.b]}]}]",
        &["NV0523 spec.egress[0].to[0].domainNames"],
        true,
        &[],
    ),
    (
        "egress: [{action: Accept, to: [{domainNames: ['a$.b']}]}]",
        &["NV0525 spec.egress[0].to[0].domainNames[0]"],
        true,
        &["NV0304 spec.egress[0].to[0].domainNames[0]"],
    ),
    (
        "egress: [{action: Accept, to: [{domainNames: ['a*.b']}]}]",
        &["NV0525 spec.egress[0].to[0].domainNames[0]"],
        true,
        &["NV0304 spec.egress[0].to[0].domainNames[0]"],
    ),
    (
        "egress: [{action: Accept, to: [{domainNames: [com]}]}]",
        &[],
        false,
        &["NV0304 spec.egress[0].to[0].domainNames[0]"],
    ),
    // Protocols.
    (
        "ingress: [{action: Deny, from: [{namespaces: {}}], protocols: []}]",
        &[],
        false,
        &["NV0306 spec.ingress[0].protocols"],
    ),
    (
        "ingress: [{action: Deny, from: [{namespaces: {}}], protocols: [{}]}]",
        &["NV0532 spec.ingress[0].protocols[0]"],
        false,
        &["NV0308 spec.ingress[0].protocols[0]"],
    ),
    (
        "ingress: [{action: Deny, from: [{namespaces: {}}], protocols: [{tcp: {}}]}]",
        &[],
        false,
        &["NV0309 spec.ingress[0].protocols[0].tcp"],
    ),
    (
        "ingress: [{action: Deny, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {number: 0}}}]}]",
        &["NV0532 spec.ingress[0].protocols[0]"],
        false,
        &["NV0307 spec.ingress[0].protocols[0].tcp.destinationPort.number"],
    ),
    (
        "ingress: [{action: Deny, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {number: 70000}}}]}]",
        &["NV0532 spec.ingress[0].protocols[0]"],
        false,
        &["NV0307 spec.ingress[0].protocols[0].tcp.destinationPort.number"],
    ),
    (
        "ingress: [{action: Deny, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {range: {start: 9, end: 1}}}}]}]",
        &["NV0532 spec.ingress[0].protocols[0]"],
        false,
        &["NV0311 spec.ingress[0].protocols[0].tcp.destinationPort.range"],
    ),
    (
        "ingress: [{action: Deny, from: [{namespaces: {}}], protocols: [{destinationNamedPort: a_b}]}]",
        &["NV0532 spec.ingress[0].protocols[0]"],
        false,
        &[],
    ),
    (
        "ingress: [{action: Deny, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {number: 1}}, destinationNamedPort: a}]}]",
        &["NV0532 spec.ingress[0].protocols[0]"],
        false,
        &["NV0308 spec.ingress[0].protocols[0]"],
    ),
    (
        "egress: [{action: Deny, to: [{networks: [1.0.0.0/8]}], protocols: [{destinationNamedPort: a}]}]",
        &[],
        false,
        &["NV0311 spec.egress[0]"],
    ),
];

fn whole(rules: &str) -> String {
    format!("{{tier: Admin, priority: 1, subject: {{namespaces: {{}}}}, {rules}}}")
}

#[test]
fn the_agent_refuses_and_warns() {
    let config = Config::default();
    for (rules, agent, refused, _) in CASES {
        let (found, stage) = check(CLUSTER, &whole(rules), Strictness::Agent, &config);
        assert_eq!(found, *agent, "{rules}");
        assert_eq!(stage, refused.then_some(Stage::Parse), "{rules}");
    }
}

#[test]
fn the_schema_refuses() {
    let config = Config::default();
    for (rules, agent, refused, schema) in CASES {
        let (found, stage) = check(CLUSTER, &whole(rules), Strictness::Crds, &config);
        if schema.is_empty() {
            assert_eq!(found, *agent, "{rules}");
            assert_eq!(stage, refused.then_some(Stage::Parse), "{rules}");
        } else {
            assert_eq!(found, *schema, "{rules}");
            assert_eq!(stage, Some(Stage::Schema), "{rules}");
        }
    }
}

#[test]
fn the_rest_of_the_spec() {
    let config = Config::default();
    let rule = "ingress: [{action: Deny, from: [{namespaces: {}}]}]";
    for (spec, agent, refused, schema) in [
        (
            format!("{{tier: admin, priority: 1, subject: {{namespaces: {{}}}}, {rule}}}"),
            vec!["NV0528 spec.tier"],
            false,
            vec!["NV0303 spec.tier"],
        ),
        (
            format!("{{priority: 1, subject: {{namespaces: {{}}}}, {rule}}}"),
            vec!["NV0528 spec.tier"],
            false,
            vec!["NV0302 spec.tier"],
        ),
        (
            format!("{{tier: Admin, priority: 1001, subject: {{namespaces: {{}}}}, {rule}}}"),
            vec![],
            false,
            vec!["NV0307 spec.priority"],
        ),
        (
            format!("{{tier: Admin, priority: 1, subject: {{}}, {rule}}}"),
            vec!["NV0520 spec.subject"],
            true,
            vec!["NV0308 spec.subject"],
        ),
        (
            // Without rules nothing reaches the engine, so nothing crashes.
            "{tier: Admin, priority: 1, subject: {}}".to_owned(),
            vec![],
            false,
            vec!["NV0308 spec.subject"],
        ),
        (
            "{tier: Admin, priority: 1, subject: {}, ingress: [{action: Accept, from: [{}]}]}"
                .to_owned(),
            vec!["NV0526 spec.ingress[0].from[0]"],
            false,
            vec!["NV0308 spec.subject", "NV0308 spec.ingress[0].from[0]"],
        ),
        (
            format!(
                "{{tier: Admin, priority: 1, subject: {{namespaces: {{}}, pods: {{podSelector: {{}}}}}}, {rule}}}"
            ),
            vec!["NV0531 spec.subject"],
            false,
            vec!["NV0308 spec.subject"],
        ),
    ] {
        let (found, stage) = check(CLUSTER, &spec, Strictness::Agent, &config);
        assert_eq!(found, agent, "{spec}");
        assert_eq!(stage, refused.then_some(Stage::Parse), "{spec}");
        let (found, stage) = check(CLUSTER, &spec, Strictness::Crds, &config);
        assert_eq!(found, schema, "{spec}");
        assert_eq!(stage, Some(Stage::Schema), "{spec}");
    }
    let many = format!(
        "ingress: [{}]",
        vec!["{action: Deny, from: [{namespaces: {}}]}"; 26].join(", ")
    );
    let (found, _) = check(CLUSTER, &whole(&many), Strictness::Crds, &config);
    assert_eq!(found, ["NV0306 spec.ingress"]);
    let long = format!(
        "ingress: [{{name: {}, action: Deny, from: [{{namespaces: {{}}}}]}}]",
        "x".repeat(101)
    );
    let (found, _) = check(CLUSTER, &whole(&long), Strictness::Crds, &config);
    assert_eq!(found, ["NV0305 spec.ingress[0].name"]);
    let (found, _) = check(CLUSTER, "[]", Strictness::Crds, &config);
    assert_eq!(found, ["NV0201 spec"]);
}

#[test]
fn options_decide_what_is_refused() {
    let nodes = whole("egress: [{action: Deny, to: [{nodes: {}}]}]");
    let names = whole("egress: [{action: Accept, to: [{domainNames: [a.b]}]}]");
    let config = Config {
        node_selector_labels: true,
        l7_proxy: false,
        ..Config::default()
    };
    let (found, stage) = check(CLUSTER, &nodes, Strictness::Agent, &config);
    assert!(found.is_empty() && stage.is_none());
    let (found, stage) = check(CLUSTER, &names, Strictness::Agent, &config);
    assert_eq!(found, ["NV0524 spec.egress[0].to[0].domainNames"]);
    assert_eq!(stage, Some(Stage::Parse));
}

#[test]
fn schemas_of_the_predecessors() {
    let config = Config::default();
    let schema = |head, spec: &str| check(head, spec, Strictness::Crds, &config).0;
    let subject = "subject: {namespaces: {}}";
    let admin = format!(
        "{{priority: 1, {subject}, ingress: [{{action: Pass, from: [{{namespaces: {{}}}}], ports: [{{portNumber: {{protocol: TCP, port: 1}}}}]}}]}}"
    );
    assert_eq!(schema(ADMIN, &admin), Vec::<String>::new());
    assert_eq!(
        schema(ADMIN, &format!("{{{subject}}}")),
        ["NV0302 spec.priority"]
    );
    let baseline =
        format!("{{{subject}, ingress: [{{action: Pass, from: [{{namespaces: {{}}}}]}}]}}");
    assert_eq!(
        schema(BASELINE, &baseline),
        ["NV0303 spec.ingress[0].action"]
    );
    let named = format!("{{{subject}}}");
    let other = BASELINE.replace("default", "other");
    assert_eq!(schema(&other, &named), ["NV0311 "]);
    let ports = format!(
        "{{priority: 1, {subject}, egress: [{{action: Deny, to: [{{networks: [1.0.0.0/8]}}], ports: [{{namedPort: a}}]}}]}}"
    );
    assert_eq!(schema(ADMIN, &ports), ["NV0311 spec.egress[0]"]);
}

#[test]
fn a_malformed_status_refuses() {
    for (conditions, refused) in [
        ("[{reason: 1}]", true),
        ("x", true),
        ("[{reason: a}]", false),
    ] {
        let text = format!(
            "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {{name: a}}\nspec: {{tier: Admin, priority: 1, subject: {{namespaces: {{}}}}}}\nstatus: {{conditions: {conditions}}}\n"
        );
        let config = Config::default();
        let loaded = load(SourceId(0), &text, &LoadOptions::new(&config));
        let outcome = &loaded.documents[0].outcome;
        assert_eq!(
            *outcome == Outcome::Refused(Stage::Decode),
            refused,
            "{conditions}"
        );
    }
}
