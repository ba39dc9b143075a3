//! The schemas of Cilium's policy kinds, field by field.
//!
//! Source: Cilium 1.20.2 pkg/k8s/apis/cilium.io/client/crds/v2. Both policy
//! kinds have one schema.

use super::texts;
use super::{Field, Form, Group, Shape, Text, Unique};
use Shape::{Boolean, Integer, List, Map, Object, Opaque};

const fn optional(name: &'static str, shape: &'static Shape, doc: &'static str) -> Field {
    Field {
        name,
        required: false,
        default: None,
        shape,
        doc,
    }
}

const fn required(name: &'static str, shape: &'static Shape, doc: &'static str) -> Field {
    Field {
        required: true,
        ..optional(name, shape, doc)
    }
}

const fn object(fields: &'static [Field]) -> Shape {
    Object {
        fields,
        groups: &[],
    }
}

const fn one_of(fields: &'static [Field], groups: &'static [Group]) -> Shape {
    Object { fields, groups }
}

const fn list(items: &'static Shape) -> Shape {
    List {
        items,
        min_items: 0,
        max_items: None,
        unique: Unique::No,
    }
}

const fn list_up_to(max: usize, items: &'static Shape) -> Shape {
    List {
        items,
        min_items: 0,
        max_items: Some(max),
        unique: Unique::No,
    }
}

const fn form(name: &'static str, matches: fn(&str) -> bool) -> Form {
    Form { name, matches }
}

const ANY_TEXT: Text = Text {
    values: &[],
    min_length: 0,
    max_length: None,
    pattern: None,
    format: None,
};

const fn word(values: &'static [&'static str]) -> Shape {
    Shape::Text(Text { values, ..ANY_TEXT })
}

static TEXT: Shape = Shape::Text(ANY_TEXT);
static TEXTS: Shape = list(&TEXT);
static NONEMPTY: Shape = Shape::Text(Text {
    min_length: 1,
    ..ANY_TEXT
});
static BOOLEAN: Shape = Boolean;
static OPAQUE: Shape = Opaque;
static CIDR: Shape = Shape::Text(Text {
    format: Some(form("cidr", texts::cidr)),
    ..ANY_TEXT
});
static CIDRS: Shape = list(&CIDR);
static TIME: Shape = Shape::Text(Text {
    format: Some(form("date-time", texts::date_time)),
    ..ANY_TEXT
});

/// A CiliumNetworkPolicy or CiliumClusterwideNetworkPolicy.
pub static POLICY: Shape = one_of(
    &[
        optional("apiVersion", &TEXT, "`cilium.io/v2`"),
        optional("kind", &TEXT, "the kind of the object"),
        required("metadata", &OPAQUE, "name, namespace and labels"),
        optional("spec", &RULE, "the rule of the policy"),
        optional("specs", &RULES, "several rules; each has its own subject"),
        optional("status", &STATUS, "written by Cilium"),
    ],
    &[Group {
        fields: &["spec", "specs"],
        exactly_one: false,
    }],
);

static RULES: Shape = list(&RULE);

/// A rule: `spec`, or an element of `specs`.
pub static RULE: Shape = one_of(
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
        Group {
            fields: &["ingress", "ingressDeny", "egress", "egressDeny"],
            exactly_one: false,
        },
        Group {
            fields: &["endpointSelector", "nodeSelector"],
            exactly_one: true,
        },
    ],
);

static DEFAULT_DENY: Shape = object(&[
    optional(
        "egress",
        &BOOLEAN,
        "deny what no egress rule allows; default: when there are egress members",
    ),
    optional(
        "ingress",
        &BOOLEAN,
        "deny what no ingress rule allows; default: when there are ingress members",
    ),
]);

static LOG: Shape = object(&[optional(
    "value",
    &LOG_VALUE,
    "up to 32 printable characters",
)]);
static LOG_VALUE: Shape = Shape::Text(Text {
    max_length: Some(32),
    pattern: Some(form(r"^\PC*$", texts::printable)),
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
static MATCH_LABELS: Shape = Map(&LABEL_VALUE);
static LABEL_VALUE: Shape = Shape::Text(Text {
    max_length: Some(63),
    pattern: Some(form(
        r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$",
        texts::label_value,
    )),
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

static NOTHING: Shape = list_up_to(0, &TEXT);

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
static CIDR_RULE: Shape = one_of(
    &[
        optional("cidr", &CIDR, "the prefix"),
        optional("cidrGroupRef", &GROUP_NAME, "the name of a CiliumCIDRGroup"),
        optional("cidrGroupSelector", &SELECTOR, "CiliumCIDRGroups, by label"),
        optional("except", &CIDRS, "prefixes inside that are left out"),
    ],
    &[Group {
        fields: &["cidr", "cidrGroupRef", "cidrGroupSelector"],
        exactly_one: true,
    }],
);
static GROUP_NAME: Shape = Shape::Text(Text {
    max_length: Some(253),
    pattern: Some(form(
        r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        texts::subdomain,
    )),
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
static TEXT_MAP: Shape = Map(&TEXT);

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

static FQDNS: Shape = list(&FQDN);
static FQDN: Shape = one_of(
    &[
        optional("matchName", &FQDN_NAME, "one DNS name"),
        optional(
            "matchPattern",
            &FQDN_PATTERN,
            "DNS names; `*` stays inside one label, a leading `**.` covers several",
        ),
    ],
    &[Group {
        fields: &["matchName", "matchPattern"],
        exactly_one: true,
    }],
);
static FQDN_NAME: Shape = Shape::Text(Text {
    max_length: Some(255),
    pattern: Some(form("^([-a-zA-Z0-9_]+[.]?)+$", texts::dns_name)),
    ..ANY_TEXT
});
static FQDN_PATTERN: Shape = Shape::Text(Text {
    max_length: Some(255),
    pattern: Some(form("^([-a-zA-Z0-9_*]+[.]?)+$", texts::dns_pattern)),
    ..ANY_TEXT
});

static ICMP_RULES: Shape = list(&ICMP_RULE);
static ICMP_RULE: Shape = object(&[optional("fields", &ICMP_FIELDS, "ICMP types, at most 40")]);
static ICMP_FIELDS: Shape = list_up_to(40, &ICMP_FIELD);
static ICMP_FIELD: Shape = object(&[
    Field {
        default: Some("IPv4"),
        ..optional("family", &IP_FAMILY, "IPv4 unless said otherwise")
    },
    required("type", &ICMP_TYPE, "the type's number or name"),
]);
static IP_FAMILY: Shape = word(&["IPv4", "IPv6"]);
static ICMP_TYPE: Shape = Shape::IntOrText(Text {
    pattern: Some(form(
        "a number from 0 to 255, or the name of a type",
        texts::icmp_type,
    )),
    ..ANY_TEXT
});
/// The names in the schema's pattern; it has `ExtendedEcho Reply` for
/// `ExtendedEchoReply`.
pub(super) const ICMP_NAMES: &[&str] = &[
    "EchoReply",
    "DestinationUnreachable",
    "Redirect",
    "Echo",
    "RouterAdvertisement",
    "RouterSelection",
    "TimeExceeded",
    "ParameterProblem",
    "Timestamp",
    "TimestampReply",
    "Photuris",
    "ExtendedEchoRequest",
    "ExtendedEcho Reply",
    "PacketTooBig",
    "EchoRequest",
    "MulticastListenerQuery",
    "MulticastListenerReport",
    "MulticastListenerDone",
    "RouterSolicitation",
    "NeighborSolicitation",
    "NeighborAdvertisement",
    "RedirectMessage",
    "RouterRenumbering",
    "ICMPNodeInformationQuery",
    "ICMPNodeInformationResponse",
    "InverseNeighborDiscoverySolicitation",
    "InverseNeighborDiscoveryAdvertisement",
    "HomeAgentAddressDiscoveryRequest",
    "HomeAgentAddressDiscoveryReply",
    "MobilePrefixSolicitation",
    "MobilePrefixAdvertisement",
    "DuplicateAddressRequestCodeSuffix",
    "DuplicateAddressConfirmationCodeSuffix",
];

static PORT_DENY_RULES: Shape = list(&PORT_DENY_RULE);
static PORT_DENY_RULE: Shape = object(&[optional("ports", &DENY_PORTS, "ports and protocols")]);
static DENY_PORTS: Shape = list(&PORT);
static PORT_RULES: Shape = list(&PORT_RULE);
static PORT_RULE: Shape = object(&[
    optional(
        "listener",
        &LISTENER,
        "redirect to a listener of a CiliumEnvoyConfig",
    ),
    optional("originatingTLS", &TLS, "TLS towards the destination"),
    optional("ports", &PORTS, "ports and protocols, at most 40"),
    optional("rules", &L7_RULES, "HTTP or DNS rules for these ports"),
    optional(
        "serverNames",
        &SERVER_NAMES,
        "TLS server names that are allowed",
    ),
    optional("terminatingTLS", &TLS, "TLS towards the source"),
]);
static PORTS: Shape = list_up_to(40, &PORT);
static PORT: Shape = object(&[
    optional("endPort", &PORT_NUMBER, "the last port of a range"),
    optional(
        "port",
        &PORT_TEXT,
        "a number in quotes, or the name of a container port",
    ),
    optional(
        "protocol",
        &PROTOCOL,
        "any of TCP, UDP and SCTP when absent",
    ),
]);
static PORT_NUMBER: Shape = Integer(0, 65535);
static PORT_TEXT: Shape = Shape::Text(Text {
    pattern: Some(form(
        "^(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[0-9]{1,4})|([a-zA-Z0-9]-?)*[a-zA-Z](-?[a-zA-Z0-9])*$",
        texts::port,
    )),
    ..ANY_TEXT
});
static PROTOCOL: Shape = word(&[
    "TCP", "UDP", "SCTP", "VRRP", "IGMP", "GRE", "IPIP", "IPV6", "ESP", "AH", "ANY",
]);

static LISTENER: Shape = object(&[
    required(
        "envoyConfig",
        &ENVOY_CONFIG,
        "the object that defines the listener",
    ),
    required("name", &NONEMPTY, "the listener's name"),
    optional("priority", &PRIORITY, "1 is the strongest"),
]);
static PRIORITY: Shape = Integer(1, 100);
static ENVOY_CONFIG: Shape = object(&[
    optional("kind", &ENVOY_KIND, "its kind"),
    required("name", &NONEMPTY, "its name"),
]);
static ENVOY_KIND: Shape = word(&["CiliumEnvoyConfig", "CiliumClusterwideEnvoyConfig"]);

static TLS: Shape = object(&[
    optional(
        "certificate",
        &TEXT,
        "item of the secret; `tls.crt` when absent",
    ),
    optional(
        "privateKey",
        &TEXT,
        "item of the secret; `tls.key` when absent",
    ),
    required("secret", &SECRET, "where certificate and key are kept"),
    optional(
        "trustedCA",
        &TEXT,
        "item of the secret; `ca.crt` when absent",
    ),
]);
static SECRET: Shape = object(&[
    required("name", &TEXT, "the secret's name"),
    optional("namespace", &TEXT, "the secret's namespace"),
]);

static SERVER_NAMES: Shape = List {
    items: &FQDN_PATTERN,
    min_items: 1,
    max_items: None,
    unique: Unique::Items,
};

static L7_RULES: Shape = one_of(
    &[
        optional("dns", &FQDNS, "names that may be asked for"),
        optional("http", &HTTP_RULES, "requests that are allowed"),
    ],
    &[Group {
        fields: &["http", "dns"],
        exactly_one: true,
    }],
);
static HTTP_RULES: Shape = list(&HTTP_RULE);
static HTTP_RULE: Shape = object(&[
    optional(
        "headerMatches",
        &HEADER_MATCHES,
        "headers with their values",
    ),
    optional(
        "headers",
        &TEXTS,
        "headers that must be present, or `Name: value`",
    ),
    optional("host", &TEXT, "regular expression for the whole host"),
    optional("method", &TEXT, "regular expression for the whole method"),
    optional(
        "path",
        &TEXT,
        "regular expression for the whole path with its query",
    ),
]);
static HEADER_MATCHES: Shape = list(&HEADER_MATCH);
static HEADER_MATCH: Shape = object(&[
    optional(
        "mismatch",
        &MISMATCH,
        "what to do instead of refusing the request",
    ),
    required("name", &NONEMPTY, "the header's name"),
    optional("secret", &SECRET, "where the value is kept"),
    optional("value", &TEXT, "the value"),
]);
static MISMATCH: Shape = word(&["LOG", "ADD", "DELETE", "REPLACE"]);

static STATUS: Shape = object(&[
    optional("conditions", &CONDITIONS, "written by Cilium"),
    optional("derivativePolicies", &NODE_STATUSES, "written by Cilium"),
]);
static CONDITIONS: Shape = List {
    items: &CONDITION,
    min_items: 0,
    max_items: None,
    unique: Unique::By("type"),
};
static CONDITION: Shape = object(&[
    optional("lastTransitionTime", &TIME, "when it changed"),
    optional("message", &TEXT, "the details"),
    optional("reason", &TEXT, "why"),
    required("status", &TEXT, "`True`, `False` or `Unknown`"),
    required("type", &TEXT, "`Valid`"),
]);
static NODE_STATUSES: Shape = Map(&NODE_STATUS);
static NODE_STATUS: Shape = object(&[
    optional("annotations", &TEXT_MAP, "of the policy that was realized"),
    optional("enforcing", &BOOLEAN, "every endpoint enforces it"),
    optional("error", &TEXT, "what went wrong"),
    optional("lastUpdated", &TIME, "when it was written"),
    optional("localPolicyRevision", &WHOLE, "the revision that has it"),
    optional("ok", &BOOLEAN, "it was imported"),
]);
static WHOLE: Shape = Integer(i64::MIN, i64::MAX);

/// A CiliumCIDRGroup, of either version.
pub static CIDR_GROUP: Shape = object(&[
    optional("apiVersion", &TEXT, "`cilium.io/v2`"),
    optional("kind", &TEXT, "the kind of the object"),
    optional("metadata", &OPAQUE, "name and labels"),
    required("spec", &CIDR_GROUP_SPEC, "the prefixes"),
]);
static CIDR_GROUP_SPEC: Shape = object(&[required(
    "externalCIDRs",
    &CIDRS,
    "prefixes outside of the cluster",
)]);
