//! The schemas of `ClusterNetworkPolicy` and its two predecessors, field by
//! field.
//!
//! Source: sigs.k8s.io/network-policy-api v0.2.0, experimental channel:
//! config/crd/experimental for v1alpha2, the markers of apis/v1alpha1 for the
//! predecessors.

use super::{
    ANY_TEXT, Demand, Field, Shape, TEXT, TEXTS, TIME, Text, by_type, demanding, form, forms, list,
    object, optional, required, selector_fields, set, sized, word,
};
use crate::yaml::{Node, Number, Value};

const API_VERSION: Field = optional(
    "apiVersion",
    &TEXT,
    "`policy.networking.k8s.io/` and version",
);
const KIND: Field = optional("kind", &TEXT, "the kind of the object");
const METADATA: Field = required("metadata", &Shape::Opaque, "name and labels");
const STATUS: Field = optional("status", &STATUS_SHAPE, "written by implementations");

/// A ClusterNetworkPolicy.
pub(super) static CLUSTER: Shape = object(&[
    API_VERSION,
    KIND,
    METADATA,
    required("spec", &CLUSTER_SPEC, "the policy"),
    STATUS,
]);
static CLUSTER_SPEC: Shape = object(&[
    optional(
        "egress",
        &EGRESS,
        "rules in order; the first that matches decides",
    ),
    optional(
        "ingress",
        &INGRESS,
        "rules in order; the first that matches decides",
    ),
    PRIORITY,
    required("subject", &SUBJECT, "the pods that the policy applies to"),
    required(
        "tier",
        &TIER,
        "`Admin` stands before NetworkPolicy, `Baseline` behind it",
    ),
]);

/// An AdminNetworkPolicy.
pub(super) static ADMIN: Shape = object(&[
    API_VERSION,
    KIND,
    METADATA,
    required("spec", &ADMIN_SPEC, "the policy"),
    STATUS,
]);
static ADMIN_SPEC: Shape = object(&[
    optional(
        "egress",
        &ADMIN_EGRESS,
        "rules in order; the first that matches decides",
    ),
    optional(
        "ingress",
        &ADMIN_INGRESS,
        "rules in order; the first that matches decides",
    ),
    PRIORITY,
    SUBJECT_V1ALPHA1,
]);

/// A BaselineAdminNetworkPolicy.
pub(super) static BASELINE: Shape = demanding(
    &[
        API_VERSION,
        KIND,
        METADATA,
        required("spec", &BASELINE_SPEC, "the policy"),
        STATUS,
    ],
    &[Demand::Rule {
        holds: is_default,
        says: "the one BaselineAdminNetworkPolicy of a cluster must be named `default`",
    }],
);
static BASELINE_SPEC: Shape = object(&[
    optional(
        "egress",
        &BASELINE_EGRESS,
        "rules in order; the first that matches decides",
    ),
    optional(
        "ingress",
        &BASELINE_INGRESS,
        "rules in order; the first that matches decides",
    ),
    SUBJECT_V1ALPHA1,
]);

static TIER: Shape = word(&["Admin", "Baseline"]);
const PRIORITY: Field = required(
    "priority",
    &Shape::Integer(0, 1000),
    "0 is the strongest, 1000 the weakest",
);

static SELECTOR: Shape = object(&SELECTOR_FIELDS);
static SELECTOR_FIELDS: [Field; 2] = selector_fields(&EXPRESSIONS);
static EXPRESSIONS: Shape = list(&EXPRESSION);
static EXPRESSION: Shape = object(&[
    required("key", &TEXT, "the label's key"),
    required(
        "operator",
        &TEXT,
        "`In`, `NotIn`, `Exists` or `DoesNotExist`",
    ),
    optional("values", &TEXTS, "for `In` and `NotIn`"),
]);

const NAMESPACES: Field = optional(
    "namespaces",
    &SELECTOR,
    "all pods of the namespaces with these labels",
);
const POD_SELECTOR: Field = required("podSelector", &SELECTOR, "the labels of the pods");
const PODS: Field = optional("pods", &PODS_SHAPE, "pods by their namespace and labels");
static PODS_SHAPE: Shape = object(&[
    optional(
        "namespaceSelector",
        &SELECTOR,
        "the labels of their namespaces; every one when absent",
    ),
    POD_SELECTOR,
]);
const PODS_V1ALPHA1: Field = optional(
    "pods",
    &PODS_V1ALPHA1_SHAPE,
    "pods by their namespace and labels",
);
static PODS_V1ALPHA1_SHAPE: Shape = object(&[
    required(
        "namespaceSelector",
        &SELECTOR,
        "the labels of their namespaces; `{}` is every one",
    ),
    POD_SELECTOR,
]);
const NODES: Field = optional("nodes", &SELECTOR, "nodes, by label");
const NETWORKS: Field = optional(
    "networks",
    &NETWORK_SET,
    "prefixes outside of the cluster, at most 25",
);
static NETWORK_SET: Shape = set(1, 25, &NETWORK);
static NETWORK: Shape = Shape::Text(Text {
    max_length: 43,
    pattern: form("a prefix like `10.0.0.0/8` or `fd00::/8`", forms::cel_cidr),
    ..ANY_TEXT
});
const DOMAIN_NAMES: Field = optional(
    "domainNames",
    &DOMAIN_NAME_SET,
    "DNS names, at most 25; a leading `*.` covers what is below a name",
);
static DOMAIN_NAME_SET: Shape = set(1, 25, &DOMAIN_NAME);
static DOMAIN_NAME: Shape = Shape::Text(Text {
    pattern: form(
        "a domain name of two parts or more, with `*.` in front at most",
        forms::domain_name,
    ),
    ..ANY_TEXT
});

static SUBJECT: Shape = demanding(
    &[NAMESPACES, PODS],
    &[Demand::OneOf(&["namespaces", "pods"])],
);
const SUBJECT_V1ALPHA1: Field = required(
    "subject",
    &SUBJECT_V1ALPHA1_SHAPE,
    "the pods that the policy applies to",
);
static SUBJECT_V1ALPHA1_SHAPE: Shape = demanding(
    &[NAMESPACES, PODS_V1ALPHA1],
    &[Demand::OneOf(&["namespaces", "pods"])],
);

const NAME: Field = optional(
    "name",
    &RULE_NAME,
    "free text without effect, up to 100 characters",
);
static RULE_NAME: Shape = Shape::Text(Text {
    max_length: 100,
    ..ANY_TEXT
});
const PROTOCOLS: Field = optional(
    "protocols",
    &PROTOCOL_LIST,
    "protocols and ports; everything when absent",
);
const PORTS: Field = optional(
    "ports",
    &PORT_LIST,
    "protocols and ports; everything when absent",
);

const NAMELESS: &str =
    "named ports cannot be set for `networks`, `nodes` or `domainNames`, which have none";

const ACTION: Field = required(
    "action",
    &ACTION_WORD,
    "`Pass` leaves the decision to NetworkPolicy, or to the next tier",
);
static ACTION_WORD: Shape = word(&["Accept", "Deny", "Pass"]);
static INGRESS: Shape = sized(0, 25, &INGRESS_RULE);
static INGRESS_RULE: Shape = object(&[
    ACTION,
    required("from", &SOURCES, "the sources"),
    NAME,
    PROTOCOLS,
]);
static SOURCES: Shape = sized(1, 25, &SOURCE);
static SOURCE: Shape = demanding(
    &[NAMESPACES, PODS],
    &[Demand::OneOf(&["namespaces", "pods"])],
);
static EGRESS: Shape = sized(0, 25, &EGRESS_RULE);
static EGRESS_RULE: Shape = demanding(
    &[
        ACTION,
        NAME,
        PROTOCOLS,
        required("to", &DESTINATIONS, "the destinations"),
    ],
    &[Demand::Rule {
        holds: |rule| {
            !has(rule, "to", &["networks", "nodes", "domainNames"])
                || !has(rule, "protocols", &["destinationNamedPort"])
        },
        says: NAMELESS,
    }],
);
static DESTINATIONS: Shape = sized(1, 25, &DESTINATION);
static DESTINATION: Shape = demanding(
    &[DOMAIN_NAMES, NAMESPACES, NETWORKS, NODES, PODS],
    &[Demand::OneOf(&[
        "namespaces",
        "pods",
        "nodes",
        "networks",
        "domainNames",
    ])],
);

static PROTOCOL_LIST: Shape = sized(1, 25, &PROTOCOL);
static PROTOCOL: Shape = demanding(
    &[
        optional(
            "destinationNamedPort",
            &TEXT,
            "a container port of the destination, by name",
        ),
        optional("sctp", &TRANSPORT, "SCTP"),
        optional("tcp", &TRANSPORT, "TCP"),
        optional("udp", &TRANSPORT, "UDP"),
    ],
    &[Demand::OneOf(&[
        "tcp",
        "udp",
        "sctp",
        "destinationNamedPort",
    ])],
);
static TRANSPORT: Shape = demanding(
    &[optional(
        "destinationPort",
        &DESTINATION_PORT,
        "a port or a range",
    )],
    &[Demand::AnyOf(&["destinationPort"])],
);
static DESTINATION_PORT: Shape = demanding(
    &[
        optional("number", &PORT_NUMBER, "one port"),
        optional("range", &PORT_RANGE, "the ports from `start` to `end`"),
    ],
    &[Demand::OneOf(&["number", "range"])],
);
static PORT_NUMBER: Shape = Shape::Integer(1, 65535);
static PORT_RANGE: Shape = demanding(
    &[
        required("end", &PORT_NUMBER, "the last port"),
        required("start", &PORT_NUMBER, "the first port"),
    ],
    &[Demand::Rule {
        holds: ascends,
        says: "`start` must be below `end`",
    }],
);

const ADMIN_ACTION: Field = required(
    "action",
    &ADMIN_ACTION_WORD,
    "`Pass` leaves the decision to NetworkPolicy, or to the baseline",
);
static ADMIN_ACTION_WORD: Shape = word(&["Allow", "Deny", "Pass"]);
static ADMIN_INGRESS: Shape = sized(0, 100, &ADMIN_INGRESS_RULE);
static ADMIN_INGRESS_RULE: Shape = object(&[ADMIN_ACTION, FROM_V1ALPHA1, NAME, PORTS]);
static ADMIN_EGRESS: Shape = sized(0, 100, &ADMIN_EGRESS_RULE);
static ADMIN_EGRESS_RULE: Shape = demanding(
    &[
        ADMIN_ACTION,
        NAME,
        PORTS,
        required("to", &ADMIN_DESTINATIONS, "the destinations"),
    ],
    &[Demand::Rule {
        holds: |rule| {
            !has(rule, "to", &["networks", "nodes", "domainNames"])
                || !has(rule, "ports", &["namedPort"])
        },
        says: NAMELESS,
    }],
);
static ADMIN_DESTINATIONS: Shape = sized(1, 100, &ADMIN_DESTINATION);
static ADMIN_DESTINATION: Shape = demanding(
    &[DOMAIN_NAMES, NAMESPACES, NETWORKS, NODES, PODS_V1ALPHA1],
    &[Demand::OneOf(&[
        "namespaces",
        "pods",
        "nodes",
        "networks",
        "domainNames",
    ])],
);
const FROM_V1ALPHA1: Field = required("from", &SOURCES_V1ALPHA1, "the sources");
static SOURCES_V1ALPHA1: Shape = sized(1, 100, &SUBJECT_V1ALPHA1_SHAPE);

const BASELINE_ACTION: Field = required("action", &BASELINE_ACTION_WORD, "allow or deny");
static BASELINE_ACTION_WORD: Shape = word(&["Allow", "Deny"]);
static BASELINE_INGRESS: Shape = sized(0, 100, &BASELINE_INGRESS_RULE);
static BASELINE_INGRESS_RULE: Shape = object(&[BASELINE_ACTION, FROM_V1ALPHA1, NAME, PORTS]);
static BASELINE_EGRESS: Shape = sized(0, 100, &BASELINE_EGRESS_RULE);
static BASELINE_EGRESS_RULE: Shape = demanding(
    &[
        BASELINE_ACTION,
        NAME,
        PORTS,
        required("to", &BASELINE_DESTINATIONS, "the destinations"),
    ],
    &[Demand::Rule {
        holds: |rule| {
            !has(rule, "to", &["networks", "nodes"]) || !has(rule, "ports", &["namedPort"])
        },
        says: "named ports cannot be set for `networks` or `nodes`, which have none",
    }],
);
static BASELINE_DESTINATIONS: Shape = sized(1, 100, &BASELINE_DESTINATION);
static BASELINE_DESTINATION: Shape = demanding(
    &[NAMESPACES, NETWORKS, NODES, PODS_V1ALPHA1],
    &[Demand::OneOf(&["namespaces", "pods", "nodes", "networks"])],
);

static PORT_LIST: Shape = sized(1, 100, &PORT);
static PORT: Shape = demanding(
    &[
        optional(
            "namedPort",
            &TEXT,
            "a container port of the destination, by name",
        ),
        optional("portNumber", &PROTOCOL_PORT, "one port"),
        optional(
            "portRange",
            &PROTOCOL_RANGE,
            "the ports from `start` to `end`",
        ),
    ],
    &[Demand::OneOf(&["portNumber", "namedPort", "portRange"])],
);
const PORT_PROTOCOL: Field = Field {
    default: Some("TCP"),
    ..optional("protocol", &TEXT, "TCP unless said otherwise")
};
static PROTOCOL_PORT: Shape = object(&[
    required("port", &PORT_NUMBER, "the port's number"),
    PORT_PROTOCOL,
]);
static PROTOCOL_RANGE: Shape = object(&[
    required("end", &PORT_NUMBER, "the last port"),
    PORT_PROTOCOL,
    required("start", &PORT_NUMBER, "the first port"),
]);

static STATUS_SHAPE: Shape = object(&[required(
    "conditions",
    &CONDITIONS,
    "written by implementations",
)]);
static CONDITIONS: Shape = by_type(&CONDITION);
static CONDITION: Shape = object(&[
    required("lastTransitionTime", &TIME, "when it changed"),
    required("message", &CONDITION_MESSAGE, "the details"),
    optional(
        "observedGeneration",
        &Shape::Integer(0, i64::MAX),
        "the generation of the object that it is about",
    ),
    required("reason", &CONDITION_REASON, "why"),
    required("status", &CONDITION_STATUS, "`True`, `False` or `Unknown`"),
    required("type", &CONDITION_TYPE, "what it is about"),
]);
static CONDITION_MESSAGE: Shape = Shape::Text(Text {
    max_length: 32768,
    ..ANY_TEXT
});
static CONDITION_REASON: Shape = Shape::Text(Text {
    min_length: 1,
    max_length: 1024,
    pattern: form(
        "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
        forms::condition_reason,
    ),
    ..ANY_TEXT
});
static CONDITION_STATUS: Shape = word(&["True", "False", "Unknown"]);
static CONDITION_TYPE: Shape = Shape::Text(Text {
    max_length: 316,
    pattern: form(
        "a word with or without a domain and `/` before it",
        forms::condition_type,
    ),
    ..ANY_TEXT
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

/// Whether an item of a list has one of some fields.
fn has(rule: &Node, list: &str, names: &[&str]) -> bool {
    let items = rule.get(list).map(Node::items).unwrap_or_default();
    items.iter().any(|item| {
        let set = |name: &&str| item.get(name).is_some_and(|n| !n.is_null());
        names.iter().any(set)
    })
}
