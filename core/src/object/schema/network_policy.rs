//! The fields of NetworkPolicy, for completion and hover.
//!
//! Nothing is validated by these: a NetworkPolicy is checked by code of the
//! API server ([`check_schema`](crate::object::network_policy::check_schema)).
//! Source: Kubernetes 1.36 staging/src/k8s.io/api/networking/v1.

use super::{
    ANY_TEXT, Field, Shape, TEXT, TEXTS, list, object, optional, required, selector_fields, word,
};

/// A NetworkPolicy.
pub(super) static POLICY: Shape = object(&[
    required("apiVersion", &TEXT, "`networking.k8s.io/v1`"),
    required("kind", &TEXT, "the kind of the object"),
    required(
        "metadata",
        &Shape::Opaque,
        "name and namespace; the policy is for pods of this namespace",
    ),
    required("spec", &SPEC, "the policy"),
]);
static SPEC: Shape = object(&[
    optional(
        "egress",
        &EGRESS,
        "what the pods may send, each rule by itself; with `Egress` in `policyTypes` an empty list allows nothing",
    ),
    optional(
        "ingress",
        &INGRESS,
        "what may reach the pods, each rule by itself; with `Ingress` in `policyTypes` an empty list allows nothing",
    ),
    required(
        "podSelector",
        &SELECTOR,
        "the pods the policy applies to; `{}` is all of the namespace",
    ),
    optional(
        "policyTypes",
        &TYPES,
        "the directions in which the pods are isolated; without it `Ingress`, and `Egress` if there are such rules",
    ),
]);
static TYPES: Shape = list(&TYPE);
static TYPE: Shape = word(&["Ingress", "Egress"]);

static INGRESS: Shape = list(&INGRESS_RULE);
static INGRESS_RULE: Shape = object(&[
    optional(
        "from",
        &PEERS,
        "who may send, any one of them; without it everybody",
    ),
    PORTS_FIELD,
]);
static EGRESS: Shape = list(&EGRESS_RULE);
static EGRESS_RULE: Shape = object(&[
    PORTS_FIELD,
    optional(
        "to",
        &PEERS,
        "who may receive, any one of them; without it everybody",
    ),
]);

static PEERS: Shape = list(&PEER);
static PEER: Shape = object(&[
    optional(
        "ipBlock",
        &BLOCK,
        "addresses outside of the cluster; Cilium knows pods and nodes by their labels, and a block does not match them",
    ),
    optional(
        "namespaceSelector",
        &SELECTOR,
        "namespaces by their labels, `{}` for all; with `podSelector` in the same element both must hold",
    ),
    optional(
        "podSelector",
        &SELECTOR,
        "pods by their labels, `{}` for all; without `namespaceSelector` of the policy's own namespace",
    ),
]);
static BLOCK: Shape = object(&[
    required("cidr", &TEXT, "a prefix, `192.0.2.0/24` or `2001:db8::/64`"),
    optional(
        "except",
        &TEXTS,
        "prefixes within `cidr` that are not meant",
    ),
]);

const PORTS_FIELD: Field = optional(
    "ports",
    &PORTS,
    "on which ports of the receiver, any one of them; without it on every port",
);
static PORTS: Shape = list(&PORT);
static PORT: Shape = object(&[
    optional(
        "endPort",
        &Shape::Integer(1, 65535),
        "the last port of a range that begins with `port`, which must be a number then",
    ),
    optional(
        "port",
        &PORT_VALUE,
        "a number, or the name of a container's port; the pod's own port and not the service's",
    ),
    Field {
        default: Some("TCP"),
        ..optional("protocol", &PROTOCOL, "TCP, UDP or SCTP")
    },
]);
static PORT_VALUE: Shape = Shape::IntOrText(ANY_TEXT);
static PROTOCOL: Shape = word(&["TCP", "UDP", "SCTP"]);

static SELECTOR: Shape = object(&SELECTOR_FIELDS);
static SELECTOR_FIELDS: [Field; 2] = selector_fields(&EXPRESSIONS);
static EXPRESSIONS: Shape = list(&EXPRESSION);
static EXPRESSION: Shape = object(&[
    required("key", &TEXT, "the key of a label"),
    required(
        "operator",
        &OPERATOR,
        "`In` and `NotIn` ask for `values`, `Exists` and `DoesNotExist` for none",
    ),
    optional("values", &TEXTS, "the values for `In` and `NotIn`"),
]);
static OPERATOR: Shape = word(&["In", "NotIn", "Exists", "DoesNotExist"]);
