//! The schemas of Cilium's policy kinds, field by field.
//!
//! Source: Cilium 1.20.2 pkg/k8s/apis/cilium.io/client/crds/v2. Both policy
//! kinds have one schema.

mod ports;

use super::{
    ANY_TEXT, Demand, Field, Shape, TEXT, TEXT_MAP, TEXTS, TIME, Text, by_type, demanding, form,
    forms, list, object, optional, required, sized, word,
};
use ports::{FQDNS, ICMP_RULES, PORT_DENY_RULES, PORT_RULES};

static CIDR: Shape = Shape::Text(Text {
    format: form("cidr", forms::cidr),
    ..ANY_TEXT
});
static CIDRS: Shape = list(&CIDR);
/// A CiliumNetworkPolicy or CiliumClusterwideNetworkPolicy.
pub(super) static POLICY: Shape = demanding(
    &[
        optional("apiVersion", &TEXT, "`cilium.io/v2`"),
        optional("kind", &TEXT, "the kind of the object"),
        required("metadata", &Shape::Opaque, "name, namespace and labels"),
        optional("spec", &RULE, "the rule of the policy"),
        optional("specs", &RULES, "several rules; each has its own subject"),
        optional("status", &STATUS, "written by Cilium"),
    ],
    &[Demand::AnyOf(&["spec", "specs"])],
);

static RULES: Shape = list(&RULE);

/// A rule: `spec`, or an element of `specs`.
static RULE: Shape = demanding(
    &[
        optional("description", &TEXT, "free text without effect"),
        optional(
            "egress",
            &EGRESS,
            "what the subject may send, by destination",
        ),
        optional(
            "egressDeny",
            &EGRESS_DENY,
            "what the subject may not send, whatever is allowed",
        ),
        optional(
            "enableDefaultDeny",
            &DEFAULT_DENY,
            "whether traffic that nothing allows is denied",
        ),
        optional(
            "endpointSelector",
            &SELECTOR,
            "the pods the rule applies to; `{}` is every pod in scope",
        ),
        optional("ingress", &INGRESS, "what may reach the subject, by source"),
        optional(
            "ingressDeny",
            &INGRESS_DENY,
            "what may not reach the subject, whatever is allowed",
        ),
        optional(
            "labels",
            &LABELS,
            "labels of the rule itself, shown in flows",
        ),
        optional("log", &LOG, "text shown with flows that the rule decides"),
        optional(
            "nodeSelector",
            &SELECTOR,
            "the nodes the rule applies to; clusterwide policies only",
        ),
    ],
    &[
        Demand::AnyOf(&["ingress", "ingressDeny", "egress", "egressDeny"]),
        Demand::OneOf(&["endpointSelector", "nodeSelector"]),
    ],
);

static DEFAULT_DENY: Shape = object(&[
    optional(
        "egress",
        &Shape::Boolean,
        "deny what no egress rule allows; default: when there are egress members",
    ),
    optional(
        "ingress",
        &Shape::Boolean,
        "deny what no ingress rule allows; default: when there are ingress members",
    ),
]);

static LOG: Shape = object(&[optional(
    "value",
    &LOG_VALUE,
    "up to 32 printable characters",
)]);
static LOG_VALUE: Shape = Shape::Text(Text {
    max_length: 32,
    pattern: form(r"^\PC*$", forms::printable),
    ..ANY_TEXT
});

static LABELS: Shape = list(&LABEL);
static LABEL: Shape = object(&[
    required("key", &TEXT, "the key"),
    optional("source", &TEXT, "the source, such as `k8s`"),
    optional("value", &TEXT, "the value"),
]);

static SELECTOR: Shape = object(&[
    optional(
        "matchExpressions",
        &EXPRESSIONS,
        "conditions on labels, all of which must hold",
    ),
    optional(
        "matchLabels",
        &MATCH_LABELS,
        "labels with their values, all of which must be there",
    ),
]);
static SELECTORS: Shape = list(&SELECTOR);
static EXPRESSIONS: Shape = list(&EXPRESSION);
static EXPRESSION: Shape = object(&[
    required("key", &TEXT, "the label's key, with or without a source"),
    required("operator", &OPERATOR, "how values compare"),
    optional("values", &TEXTS, "for `In` and `NotIn`"),
]);
static OPERATOR: Shape = word(&["In", "NotIn", "Exists", "DoesNotExist"]);
static MATCH_LABELS: Shape = Shape::Map(&LABEL_VALUE);
static LABEL_VALUE: Shape = Shape::Text(Text {
    max_length: 63,
    pattern: form(
        r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$",
        forms::label_value,
    ),
    ..ANY_TEXT
});

const AUTHENTICATION: Field = optional(
    "authentication",
    &AUTHENTICATION_SHAPE,
    "mutual authentication between the two sides",
);
static AUTHENTICATION_SHAPE: Shape = object(&[required(
    "mode",
    &AUTHENTICATION_MODE,
    "whether it is required",
)]);
static AUTHENTICATION_MODE: Shape = word(&["disabled", "required", "test-always-fail"]);

const FROM_CIDR: Field = optional(
    "fromCIDR",
    &CIDRS,
    "prefixes outside of the cluster that may be the source",
);
const FROM_CIDR_SET: Field = optional(
    "fromCIDRSet",
    &CIDR_RULES,
    "prefixes with exceptions, or groups of prefixes",
);
const FROM_ENDPOINTS: Field = optional("fromEndpoints", &SELECTORS, "source pods, by label");
const FROM_ENTITIES: Field = optional(
    "fromEntities",
    &ENTITIES,
    "classes of sources that have no labels of their own",
);
const FROM_GROUPS: Field = optional(
    "fromGroups",
    &GROUPS,
    "addresses of a cloud provider's groups",
);
const FROM_NODES: Field = optional(
    "fromNodes",
    &SELECTORS,
    "source nodes, by label; needs `enable-node-selector-labels`",
);
const FROM_REQUIRES: Field = optional("fromRequires", &NOTHING, "removed; must be empty");
const ICMPS: Field = optional(
    "icmps",
    &ICMP_RULES,
    "ICMP types; not together with `toPorts`",
);
const TO_PORTS: Field = optional(
    "toPorts",
    &PORT_RULES,
    "destination ports, with layer-7 rules if wanted",
);
const TO_PORTS_DENY: Field = optional("toPorts", &PORT_DENY_RULES, "destination ports");

static NOTHING: Shape = sized(0, 0, &TEXT);

static INGRESS: Shape = list(&INGRESS_MEMBER);
static INGRESS_MEMBER: Shape = object(&[
    AUTHENTICATION,
    FROM_CIDR,
    FROM_CIDR_SET,
    FROM_ENDPOINTS,
    FROM_ENTITIES,
    FROM_GROUPS,
    FROM_NODES,
    FROM_REQUIRES,
    ICMPS,
    TO_PORTS,
]);
static INGRESS_DENY: Shape = list(&INGRESS_DENY_MEMBER);
static INGRESS_DENY_MEMBER: Shape = object(&[
    FROM_CIDR,
    FROM_CIDR_SET,
    FROM_ENDPOINTS,
    FROM_ENTITIES,
    FROM_GROUPS,
    FROM_NODES,
    FROM_REQUIRES,
    ICMPS,
    TO_PORTS_DENY,
]);

const TO_CIDR: Field = optional(
    "toCIDR",
    &CIDRS,
    "prefixes outside of the cluster that may be the destination",
);
const TO_CIDR_SET: Field = optional(
    "toCIDRSet",
    &CIDR_RULES,
    "prefixes with exceptions, or groups of prefixes",
);
const TO_ENDPOINTS: Field = optional("toEndpoints", &SELECTORS, "destination pods, by label");
const TO_ENTITIES: Field = optional(
    "toEntities",
    &ENTITIES,
    "classes of destinations that have no labels of their own",
);
const TO_FQDNS: Field = optional(
    "toFQDNs",
    &FQDNS,
    "destinations by DNS name; needs a DNS rule on the way to the resolver",
);
const TO_GROUPS: Field = optional(
    "toGroups",
    &GROUPS,
    "addresses of a cloud provider's groups",
);
const TO_NODES: Field = optional(
    "toNodes",
    &SELECTORS,
    "destination nodes, by label; needs `enable-node-selector-labels`",
);
const TO_REQUIRES: Field = optional("toRequires", &NOTHING, "removed; must be empty");
const TO_SERVICES: Field = optional(
    "toServices",
    &SERVICES,
    "the backends of Kubernetes services",
);

static EGRESS: Shape = list(&EGRESS_MEMBER);
static EGRESS_MEMBER: Shape = object(&[
    AUTHENTICATION,
    ICMPS,
    TO_CIDR,
    TO_CIDR_SET,
    TO_ENDPOINTS,
    TO_ENTITIES,
    TO_FQDNS,
    TO_GROUPS,
    TO_NODES,
    TO_PORTS,
    TO_REQUIRES,
    TO_SERVICES,
]);
static EGRESS_DENY: Shape = list(&EGRESS_DENY_MEMBER);
static EGRESS_DENY_MEMBER: Shape = object(&[
    ICMPS,
    TO_CIDR,
    TO_CIDR_SET,
    TO_ENDPOINTS,
    TO_ENTITIES,
    TO_GROUPS,
    TO_NODES,
    TO_PORTS_DENY,
    TO_REQUIRES,
    TO_SERVICES,
]);

static CIDR_RULES: Shape = list(&CIDR_RULE);
static CIDR_RULE: Shape = demanding(
    &[
        optional("cidr", &CIDR, "the prefix"),
        optional("cidrGroupRef", &GROUP_NAME, "the name of a CiliumCIDRGroup"),
        optional("cidrGroupSelector", &SELECTOR, "CiliumCIDRGroups, by label"),
        optional("except", &CIDRS, "prefixes inside that are left out"),
    ],
    &[Demand::OneOf(&[
        "cidr",
        "cidrGroupRef",
        "cidrGroupSelector",
    ])],
);
static GROUP_NAME: Shape = Shape::Text(Text {
    max_length: 253,
    pattern: form(
        r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        forms::subdomain,
    ),
    ..ANY_TEXT
});

static ENTITIES: Shape = list(&ENTITY);
static ENTITY: Shape = word(&[
    "all",
    "world",
    "cluster",
    "cluster-mesh",
    "host",
    "init",
    "ingress",
    "unmanaged",
    "remote-node",
    "health",
    "none",
    "kube-apiserver",
]);

static GROUPS: Shape = list(&GROUP);
static GROUP: Shape = object(&[optional("aws", &AWS, "addresses in AWS")]);
static AWS: Shape = object(&[
    optional("labels", &TEXT_MAP, "tags of network interfaces"),
    optional("region", &TEXT, "without effect"),
    optional("securityGroupsIds", &TEXTS, "security groups, by id"),
    optional("securityGroupsNames", &TEXTS, "security groups, by name"),
]);

static SERVICES: Shape = list(&SERVICE);
static SERVICE: Shape = object(&[
    optional("k8sService", &NAMED_SERVICE, "a service, by name"),
    optional(
        "k8sServiceSelector",
        &SELECTED_SERVICE,
        "services, by label",
    ),
]);
static NAMED_SERVICE: Shape = object(&[
    optional("namespace", &TEXT, "its namespace; every one when absent"),
    optional("serviceName", &TEXT, "its name"),
]);
static SELECTED_SERVICE: Shape = object(&[
    optional("namespace", &TEXT, "their namespace; every one when absent"),
    required("selector", &SELECTOR, "their labels"),
]);

static STATUS: Shape = object(&[
    optional("conditions", &CONDITIONS, "written by Cilium"),
    optional("derivativePolicies", &NODE_STATUSES, "written by Cilium"),
]);
static CONDITIONS: Shape = by_type(&CONDITION);
static CONDITION: Shape = object(&[
    optional("lastTransitionTime", &TIME, "when it changed"),
    optional("message", &TEXT, "the details"),
    optional("reason", &TEXT, "why"),
    required("status", &TEXT, "`True`, `False` or `Unknown`"),
    required("type", &TEXT, "`Valid`"),
]);
static NODE_STATUSES: Shape = Shape::Map(&NODE_STATUS);
static NODE_STATUS: Shape = object(&[
    optional("annotations", &TEXT_MAP, "of the policy that was realized"),
    optional("enforcing", &Shape::Boolean, "every endpoint enforces it"),
    optional("error", &TEXT, "what went wrong"),
    optional("lastUpdated", &TIME, "when it was written"),
    optional("localPolicyRevision", &WHOLE, "the revision that has it"),
    optional("ok", &Shape::Boolean, "it was imported"),
]);
static WHOLE: Shape = Shape::Integer(i64::MIN, i64::MAX);

/// A CiliumCIDRGroup, of either version.
pub(super) static CIDR_GROUP: Shape = object(&[
    optional("apiVersion", &TEXT, "`cilium.io/v2`"),
    optional("kind", &TEXT, "the kind of the object"),
    optional("metadata", &Shape::Opaque, "name and labels"),
    required("spec", &CIDR_GROUP_SPEC, "the prefixes"),
]);
static CIDR_GROUP_SPEC: Shape = object(&[required(
    "externalCIDRs",
    &CIDRS,
    "prefixes outside of the cluster",
)]);
