//! What the API server demands of a `ClusterNetworkPolicy` and of its two
//! predecessors: their CustomResourceDefinitions, experimental channel
//! (sigs.k8s.io/network-policy-api v0.2.0, config/crd/experimental for
//! v1alpha2; the markers of apis/v1alpha1 for the others).

use super::ClusterPolicyKind;
use crate::diagnostic::Diagnostic;
use crate::object::cidr::parse_prefix;
use crate::object::schema::{
    Field, LABEL_SELECTOR, Object, Shape, TEXT, check, object, optional, required,
};
use crate::yaml::{Node, Number, Value};
use ipnet::IpNet;

/// Checks the tree of an object of that kind.
#[must_use]
pub fn check_schema(kind: ClusterPolicyKind, node: &Node) -> Vec<Diagnostic> {
    let shape = match kind {
        ClusterPolicyKind::ClusterNetworkPolicy => &CLUSTER,
        ClusterPolicyKind::AdminNetworkPolicy => &ADMIN,
        ClusterPolicyKind::BaselineAdminNetworkPolicy => &BASELINE,
    };
    check(shape, node)
}

/// A mapping of which exactly one field is set.
const fn one_of(fields: &'static [Field]) -> Shape {
    Shape::Object(Object {
        fields,
        min: 1,
        max: 1,
        rule: None,
    })
}

const fn sized(items: &'static Shape, min: usize, max: usize, set: bool) -> Shape {
    Shape::List {
        items,
        min,
        max,
        set,
    }
}

const fn words(one_of: &'static [&'static str]) -> Shape {
    Shape::Text {
        max: usize::MAX,
        one_of,
        form: None,
    }
}

const RULE_NAME: Shape = Shape::Text {
    max: 100,
    one_of: &[],
    form: None,
};
const PORT_NUMBER: Shape = Shape::Integer(1, 65535);
const PRIORITY: Shape = Shape::Integer(0, 1000);
const NETWORK: Shape = Shape::Text {
    max: 43,
    one_of: &[],
    form: Some((is_cidr, "a prefix like `10.0.0.0/8` or `fd00::/8`")),
};
const DOMAIN_NAME: Shape = Shape::Text {
    max: usize::MAX,
    one_of: &[],
    form: Some((
        is_domain_name,
        "a domain name of two parts or more, with `*.` in front at most",
    )),
};
const NETWORKS: Shape = sized(&NETWORK, 1, 25, true);
const DOMAIN_NAMES: Shape = sized(&DOMAIN_NAME, 1, 25, true);

const PODS: Shape = object(&[
    optional("namespaceSelector", &LABEL_SELECTOR),
    required("podSelector", &LABEL_SELECTOR),
]);
const PODS_V1ALPHA1: Shape = object(&[
    required("namespaceSelector", &LABEL_SELECTOR),
    required("podSelector", &LABEL_SELECTOR),
]);
const SUBJECT: Shape = one_of(&[
    optional("namespaces", &LABEL_SELECTOR),
    optional("pods", &PODS),
]);
const SUBJECT_V1ALPHA1: Shape = one_of(&[
    optional("namespaces", &LABEL_SELECTOR),
    optional("pods", &PODS_V1ALPHA1),
]);

const RANGE: Shape = Shape::Object(Object {
    fields: &[
        required("start", &PORT_NUMBER),
        required("end", &PORT_NUMBER),
    ],
    min: 0,
    max: usize::MAX,
    rule: Some((ascends, "`start` must be below `end`")),
});
const TRANSPORT: Shape = Shape::Object(Object {
    fields: &[optional(
        "destinationPort",
        &one_of(&[optional("number", &PORT_NUMBER), optional("range", &RANGE)]),
    )],
    min: 1,
    max: usize::MAX,
    rule: None,
});
const PROTOCOLS: Shape = sized(
    &one_of(&[
        optional("tcp", &TRANSPORT),
        optional("udp", &TRANSPORT),
        optional("sctp", &TRANSPORT),
        optional("destinationNamedPort", &TEXT),
    ]),
    1,
    25,
    false,
);
const PORTS_V1ALPHA1: Shape = sized(
    &one_of(&[
        optional(
            "portNumber",
            // `protocol` has a default, so it need not be written.
            &object(&[optional("protocol", &TEXT), required("port", &PORT_NUMBER)]),
        ),
        optional("namedPort", &TEXT),
        optional(
            "portRange",
            &object(&[
                optional("protocol", &TEXT),
                required("start", &PORT_NUMBER),
                required("end", &PORT_NUMBER),
            ]),
        ),
    ]),
    1,
    100,
    false,
);

const NAMELESS: &str =
    "named ports cannot be set for `networks`, `nodes` or `domainNames`, which have none";

const INGRESS: Shape = sized(
    &object(&[
        optional("name", &RULE_NAME),
        required("action", &words(&["Accept", "Deny", "Pass"])),
        required(
            "from",
            &sized(
                &one_of(&[
                    optional("namespaces", &LABEL_SELECTOR),
                    optional("pods", &PODS),
                ]),
                1,
                25,
                false,
            ),
        ),
        optional("protocols", &PROTOCOLS),
    ]),
    0,
    25,
    false,
);
const EGRESS: Shape = sized(
    &Shape::Object(Object {
        fields: &[
            optional("name", &RULE_NAME),
            required("action", &words(&["Accept", "Deny", "Pass"])),
            required(
                "to",
                &sized(
                    &one_of(&[
                        optional("namespaces", &LABEL_SELECTOR),
                        optional("pods", &PODS),
                        optional("nodes", &LABEL_SELECTOR),
                        optional("networks", &NETWORKS),
                        optional("domainNames", &DOMAIN_NAMES),
                    ]),
                    1,
                    25,
                    false,
                ),
            ),
            optional("protocols", &PROTOCOLS),
        ],
        min: 0,
        max: usize::MAX,
        rule: Some((names_only_pods, NAMELESS)),
    }),
    0,
    25,
    false,
);

const CLUSTER: Shape = object(&[
    required("metadata", &Shape::Any),
    required(
        "spec",
        &object(&[
            required("tier", &words(&["Admin", "Baseline"])),
            required("priority", &PRIORITY),
            required("subject", &SUBJECT),
            optional("ingress", &INGRESS),
            optional("egress", &EGRESS),
        ]),
    ),
]);

const FROM_V1ALPHA1: Shape = sized(
    &one_of(&[
        optional("namespaces", &LABEL_SELECTOR),
        optional("pods", &PODS_V1ALPHA1),
    ]),
    1,
    100,
    false,
);
const ADMIN_ACTION: Shape = words(&["Allow", "Deny", "Pass"]);
const BASELINE_ACTION: Shape = words(&["Allow", "Deny"]);

const ADMIN: Shape = object(&[
    required("metadata", &Shape::Any),
    required(
        "spec",
        &object(&[
            required("priority", &PRIORITY),
            required("subject", &SUBJECT_V1ALPHA1),
            optional(
                "ingress",
                &sized(
                    &object(&[
                        optional("name", &RULE_NAME),
                        required("action", &ADMIN_ACTION),
                        required("from", &FROM_V1ALPHA1),
                        optional("ports", &PORTS_V1ALPHA1),
                    ]),
                    0,
                    100,
                    false,
                ),
            ),
            optional(
                "egress",
                &sized(
                    &Shape::Object(Object {
                        fields: &[
                            optional("name", &RULE_NAME),
                            required("action", &ADMIN_ACTION),
                            required(
                                "to",
                                &sized(
                                    &one_of(&[
                                        optional("namespaces", &LABEL_SELECTOR),
                                        optional("pods", &PODS_V1ALPHA1),
                                        optional("nodes", &LABEL_SELECTOR),
                                        optional("networks", &NETWORKS),
                                        optional("domainNames", &DOMAIN_NAMES),
                                    ]),
                                    1,
                                    100,
                                    false,
                                ),
                            ),
                            optional("ports", &PORTS_V1ALPHA1),
                        ],
                        min: 0,
                        max: usize::MAX,
                        rule: Some((names_only_pods, NAMELESS)),
                    }),
                    0,
                    100,
                    false,
                ),
            ),
        ]),
    ),
]);

const BASELINE: Shape = Shape::Object(Object {
    fields: &[
        required("metadata", &Shape::Any),
        required(
            "spec",
            &object(&[
                required("subject", &SUBJECT_V1ALPHA1),
                optional(
                    "ingress",
                    &sized(
                        &object(&[
                            optional("name", &RULE_NAME),
                            required("action", &BASELINE_ACTION),
                            required("from", &FROM_V1ALPHA1),
                            optional("ports", &PORTS_V1ALPHA1),
                        ]),
                        0,
                        100,
                        false,
                    ),
                ),
                optional(
                    "egress",
                    &sized(
                        &Shape::Object(Object {
                            fields: &[
                                optional("name", &RULE_NAME),
                                required("action", &BASELINE_ACTION),
                                required(
                                    "to",
                                    &sized(
                                        &one_of(&[
                                            optional("namespaces", &LABEL_SELECTOR),
                                            optional("pods", &PODS_V1ALPHA1),
                                            optional("nodes", &LABEL_SELECTOR),
                                            optional("networks", &NETWORKS),
                                        ]),
                                        1,
                                        100,
                                        false,
                                    ),
                                ),
                                optional("ports", &PORTS_V1ALPHA1),
                            ],
                            min: 0,
                            max: usize::MAX,
                            rule: Some((names_only_pods, NAMELESS)),
                        }),
                        0,
                        100,
                        false,
                    ),
                ),
            ]),
        ),
    ],
    min: 0,
    max: usize::MAX,
    rule: Some((
        is_default,
        "the one BaselineAdminNetworkPolicy of a cluster must be named `default`",
    )),
});

fn is_default(policy: &Node) -> bool {
    let name = policy.get("metadata").and_then(|m| m.get("name"));
    name.and_then(Node::as_str) == Some("default")
}

fn ascends(range: &Node) -> bool {
    let number = |name| match range.get(name).map(|n| &n.value) {
        Some(Value::Number(Number::Int(i))) => Some(*i),
        #[allow(clippy::cast_possible_truncation)]
        // Within 1–65535 by now.
        Some(Value::Number(Number::Float(f))) => Some(*f as i64),
        _ => None,
    };
    number("start") < number("end")
}

/// No named port beside a peer that is no pod.
fn names_only_pods(rule: &Node) -> bool {
    let has = |list: &str, names: &[&str]| {
        let items = rule.get(list).map(Node::items).unwrap_or_default();
        items.iter().any(|item| {
            let set = |name: &&str| item.get(name).is_some_and(|n| !n.is_null());
            names.iter().any(set)
        })
    };
    !has("to", &["networks", "nodes", "domainNames"])
        || !has("protocols", &["destinationNamedPort"]) && !has("ports", &["namedPort"])
}

/// CEL's `isCIDR`: a prefix with its length, no IPv4 address within IPv6.
fn is_cidr(text: &str) -> bool {
    let mapped = |prefix: &IpNet| match prefix {
        IpNet::V4(_) => false,
        IpNet::V6(p) => p.addr().to_ipv4_mapped().is_some(),
    };
    parse_prefix(text).is_ok_and(|prefix| !mapped(&prefix))
}

/// The pattern of `DomainName`:
/// `^(\*\.)?([a-zA-z0-9]([-a-zA-Z0-9_]*[a-zA-Z0-9])?\.)+[a-zA-z0-9]([-a-zA-Z0-9_]*[a-zA-Z0-9])?\.?$`
/// (`A-z` as upstream has it: it takes `[ \ ] ^ _` and the backquote too).
fn is_domain_name(text: &str) -> bool {
    let text = text.strip_prefix("*.").unwrap_or(text);
    let text = text.strip_suffix('.').unwrap_or(text);
    let first = |b: u8| b.is_ascii_digit() || (b'A'..=b'z').contains(&b);
    let part = |part: &str| {
        let bytes = part.as_bytes();
        match bytes.split_first() {
            None => false,
            Some((&b, [])) => first(b),
            Some((&b, rest)) => {
                first(b)
                    && rest.last().is_some_and(u8::is_ascii_alphanumeric)
                    && rest
                        .iter()
                        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
            }
        }
    };
    text.contains('.') && text.split('.').all(part)
}
