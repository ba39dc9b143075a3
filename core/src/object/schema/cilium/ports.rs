//! `toPorts`, `icmps` and `toFQDNs` in the schemas of Cilium's policy kinds.

use super::super::{
    ANY_TEXT, Demand, Field, Shape, TEXT, TEXTS, Text, demanding, form, forms, list, object,
    optional, required, set, sized, word,
};

static NONEMPTY: Shape = Shape::Text(Text {
    min_length: 1,
    ..ANY_TEXT
});

pub(super) static FQDNS: Shape = list(&FQDN);
static FQDN: Shape = demanding(
    &[
        optional("matchName", &FQDN_NAME, "one DNS name"),
        optional(
            "matchPattern",
            &FQDN_PATTERN,
            "DNS names; `*` stays inside one label, a leading `**.` covers several",
        ),
    ],
    &[Demand::OneOf(&["matchName", "matchPattern"])],
);
static FQDN_NAME: Shape = Shape::Text(Text {
    max_length: 255,
    pattern: form("^([-a-zA-Z0-9_]+[.]?)+$", forms::dns_name),
    ..ANY_TEXT
});
static FQDN_PATTERN: Shape = Shape::Text(Text {
    max_length: 255,
    pattern: form("^([-a-zA-Z0-9_*]+[.]?)+$", forms::dns_pattern),
    ..ANY_TEXT
});

pub(super) static ICMP_RULES: Shape = list(&ICMP_RULE);
static ICMP_RULE: Shape = object(&[optional("fields", &ICMP_FIELDS, "ICMP types, at most 40")]);
static ICMP_FIELDS: Shape = sized(0, 40, &ICMP_FIELD);
static ICMP_FIELD: Shape = object(&[
    Field {
        default: Some("IPv4"),
        ..optional("family", &IP_FAMILY, "IPv4 unless said otherwise")
    },
    required("type", &ICMP_TYPE, "the type's number or name"),
]);
static IP_FAMILY: Shape = word(&["IPv4", "IPv6"]);
static ICMP_TYPE: Shape = Shape::IntOrText(Text {
    pattern: form("a number from 0 to 255, or the name of a type", icmp_type),
    ..ANY_TEXT
});
/// The names in the schema's pattern; it has `ExtendedEcho Reply` for
/// `ExtendedEchoReply`.
const ICMP_NAMES: &[&str] = &[
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

pub(super) static PORT_DENY_RULES: Shape = list(&PORT_DENY_RULE);
static PORT_DENY_RULE: Shape = object(&[optional("ports", &DENY_PORTS, "ports and protocols")]);
static DENY_PORTS: Shape = list(&PORT);
pub(super) static PORT_RULES: Shape = list(&PORT_RULE);
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
static PORTS: Shape = sized(0, 40, &PORT);
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
static PORT_NUMBER: Shape = Shape::Integer(0, 65535);
static PORT_TEXT: Shape = Shape::Text(Text {
    pattern: form(
        "^(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[0-9]{1,4})|([a-zA-Z0-9]-?)*[a-zA-Z](-?[a-zA-Z0-9])*$",
        forms::port,
    ),
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
static PRIORITY: Shape = Shape::Integer(1, 100);
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

static SERVER_NAMES: Shape = set(1, usize::MAX, &FQDN_PATTERN);

static L7_RULES: Shape = demanding(
    &[
        optional("dns", &FQDNS, "names that may be asked for"),
        optional("http", &HTTP_RULES, "requests that are allowed"),
    ],
    &[Demand::OneOf(&["http", "dns"])],
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

/// A number up to 255 without leading zeros, or one of the listed names.
fn icmp_type(text: &str) -> bool {
    let number = text.bytes().all(|b| b.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'))
        && text.parse::<u8>().is_ok();
    number || ICMP_NAMES.contains(&text)
}
