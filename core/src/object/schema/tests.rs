use super::*;
use crate::object::Head;
use crate::object::registry::{KINDS, Lookup, find};
use crate::source::SourceId;
use crate::yaml::{self, Value};

fn admitted(text: &str) -> (Node, Vec<(u16, String)>) {
    let mut documents = yaml::read(SourceId(0), text, &yaml::Limits::default());
    let node = documents.remove(0).result.unwrap();
    let head = Head::of(&node);
    let Lookup::Known(kind) = find(head.api_version, head.kind) else {
        panic!("{text}");
    };
    let shape = of_kind(kind.shape).unwrap();
    let found = check(shape, &node)
        .into_iter()
        .map(|d| (d.code.number(), d.path));
    let found = found.collect();
    let stored = stored(shape, &node).unwrap_or(node);
    // What is stored is judged as what was written.
    let again = check(shape, &stored).into_iter();
    assert!(
        again
            .map(|d| (d.code.number(), d.path))
            .eq(Vec::clone(&found))
    );
    (stored, found)
}

fn rule(rule: &str) -> String {
    format!(
        "{{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {{name: x}}, spec: {rule}}}"
    )
}

fn member(list: &str, member: &str) -> String {
    rule(&format!("{{endpointSelector: {{}}, {list}: [{member}]}}"))
}

#[test]
fn fields_stand_in_order() {
    fn walk(shape: &'static Shape, depth: usize) {
        assert!(depth < 32);
        match shape {
            Shape::Object { fields, demands } => {
                assert!(fields.is_sorted_by_key(|f| f.name));
                for field in *fields {
                    assert!(!field.doc.is_empty() && !field.doc.ends_with('.'));
                    walk(field.shape, depth + 1);
                }
                for demand in *demands {
                    if let Demand::AnyOf(names) | Demand::OneOf(names) = demand {
                        for name in *names {
                            assert!(fields.iter().any(|f| f.name == *name));
                        }
                    }
                }
            }
            Shape::Map(inner) | Shape::List { items: inner, .. } => walk(inner, depth + 1),
            _ => {}
        }
    }
    let shapes = KINDS.iter().filter_map(|kind| of_kind(kind.shape));
    assert_eq!(shapes.clone().count(), 6);
    for shape in shapes {
        walk(shape, 0);
    }
}

#[test]
fn each_check_refuses_and_accepts() {
    let labels = |value: &str| {
        rule(&format!(
            "{{endpointSelector: {{matchLabels: {{a: {value}}}}}, ingress: [{{}}]}}"
        ))
    };
    let port = |port: &str| member("egress", &format!("{{toPorts: [{{ports: [{port}]}}]}}"));
    let icmp = |field: &str| member("egress", &format!("{{icmps: [{{fields: [{field}]}}]}}"));
    let fqdn = |fqdn: &str| member("egress", &format!("{{toFQDNs: [{fqdn}]}}"));
    let log = |log: &str| {
        rule(&format!(
            "{{endpointSelector: {{}}, egress: [], log: {{value: {log}}}}}"
        ))
    };
    let names = |names: &str| {
        member(
            "egress",
            &format!("{{toPorts: [{{serverNames: {names}}}]}}"),
        )
    };
    let rules = |rules: &str| member("egress", &format!("{{toPorts: [{{rules: {rules}}}]}}"));
    let listener = |l: &str| member("egress", &format!("{{toPorts: [{{listener: {l}}}]}}"));
    for (code, bad, good) in [
        (codes::TYPE, port("{port: 80}"), port("{port: '80'}")),
        (
            codes::TYPE,
            member("ingress", "null"),
            member("ingress", "{}"),
        ),
        (
            codes::TYPE,
            rule("{endpointSelector: {}, egress: {}}"),
            rule("{endpointSelector: {}, egress: []}"),
        ),
        (
            codes::TYPE,
            rule("{endpointSelector: {}, egress: [], labels: [a]}"),
            rule("{endpointSelector: {}, egress: [], labels: [{key: a}]}"),
        ),
        (codes::REQUIRED, icmp("{family: IPv4}"), icmp("{type: 300}")),
        (
            codes::REQUIRED,
            icmp("{type: null}"),
            icmp("{family: null, type: 1}"),
        ),
        (
            codes::REQUIRED,
            listener("{name: l}"),
            listener("{name: l, envoyConfig: {name: e}}"),
        ),
        (
            codes::ENUM,
            port("{port: '1', protocol: tcp}"),
            port("{port: '1', protocol: TCP}"),
        ),
        (
            codes::ENUM,
            member("ingress", "{fromEntities: [world-ipv4]}"),
            member("ingress", "{fromEntities: [world]}"),
        ),
        (codes::PATTERN, port("{port: '-'}"), port("{port: '80-90'}")),
        (codes::PATTERN, port("{port: ''}"), port("{port: '99999'}")),
        (codes::PATTERN, port("{port: '_1'}"), port("{port: '_a'}")),
        (codes::PATTERN, labels("-a"), labels("''")),
        (
            codes::PATTERN,
            icmp("{type: '08'}"),
            icmp("{type: ExtendedEcho Reply}"),
        ),
        (
            codes::PATTERN,
            icmp("{type: ExtendedEchoReply}"),
            icmp("{type: EchoReply}"),
        ),
        (
            codes::PATTERN,
            member("egress", "{toCIDR: [1.2.3.4]}"),
            member("egress", "{toCIDR: [010.0.0.0/08]}"),
        ),
        (
            codes::PATTERN,
            member("egress", "{toCIDR: ['::1%a/64']}"),
            member("egress", "{toCIDR: ['000001::01.2.3.4/64']}"),
        ),
        (
            codes::PATTERN,
            fqdn("{matchName: '.'}"),
            fqdn("{matchName: a.b.}"),
        ),
        (
            codes::PATTERN,
            fqdn("{matchPattern: a..b}"),
            fqdn("{matchPattern: '**.b'}"),
        ),
        (codes::PATTERN, log("\"a\\u200b\""), log("é")),
        (codes::LENGTH, log(&"a".repeat(33)), log(&"é".repeat(32))),
        (
            codes::LENGTH,
            labels(&"a".repeat(64)),
            labels(&"a".repeat(63)),
        ),
        (
            codes::LENGTH,
            listener("{name: '', envoyConfig: {name: e}}"),
            listener("{name: l, envoyConfig: {name: e}}"),
        ),
        (
            codes::ITEMS,
            member("ingress", "{fromRequires: [a]}"),
            member("ingress", "{fromRequires: []}"),
        ),
        (codes::ITEMS, names("[]"), names("[a]")),
        (
            codes::BOUNDS,
            port("{port: '1', endPort: -1}"),
            port("{port: '1', endPort: 65535}"),
        ),
        (
            codes::BOUNDS,
            listener("{name: l, envoyConfig: {name: e}, priority: 0}"),
            listener("{name: l, envoyConfig: {name: e}, priority: 1}"),
        ),
        (codes::ONE_OF, rules("{}"), rules("{http: []}")),
        (
            codes::ONE_OF,
            rules("{kafka: []}"),
            rules("{dns: [], kafka: []}"),
        ),
        (codes::ONE_OF, fqdn("{}"), fqdn("{matchName: a}")),
        (
            codes::ONE_OF,
            rule("{endpointSelector: null, egress: []}"),
            rule("{nodeSelector: {}, egress: []}"),
        ),
        (
            codes::ANY_OF,
            rule("{endpointSelector: {}}"),
            rule("{endpointSelector: {}, ingressDeny: []}"),
        ),
        (codes::DUPLICATE, names("[a, a]"), names("[a, b]")),
    ] {
        let (_, found) = admitted(&bad);
        assert_eq!(
            found.iter().map(|f| f.0).collect::<Vec<_>>(),
            [code.number()],
            "{bad}"
        );
        assert_eq!(admitted(&good).1, [], "{good}");
    }
}

#[test]
fn what_is_stored_lacks_unknown_fields_and_nulls_and_has_defaults() {
    let (node, found) = admitted(&member(
        "ingress",
        "{fromEndpoint: [], icmps: [{fields: [{type: 8, code: 0}]}], toPorts: null}",
    ));
    assert_eq!(found, []);
    let member = &node.get("spec").unwrap().get("ingress").unwrap().items()[0];
    assert_eq!(member.entries().len(), 1);
    let field = &member.get("icmps").unwrap().items()[0]
        .get("fields")
        .unwrap()
        .items()[0];
    assert_eq!(field.entries().len(), 2);
    assert_eq!(
        field.get("family").unwrap().value,
        Value::String("IPv4".to_owned())
    );
}

#[test]
fn groups_and_other_kinds() {
    let (_, found) = admitted(
        "{apiVersion: cilium.io/v2alpha1, kind: CiliumCIDRGroup, spec: {externalCIDRs: [x]}}",
    );
    assert_eq!(found, [(304, "spec.externalCIDRs[0]".to_owned())]);
    let (_, found) = admitted("{apiVersion: cilium.io/v2, kind: CiliumCIDRGroup}");
    assert_eq!(found, [(302, "spec".to_owned())]);
}
