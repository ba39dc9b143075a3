//! The codes of the agent's checks, in the order it makes them.
//!
//! Functions named are those of Cilium 1.20.2 pkg/policy/api unless said
//! otherwise.

use crate::diagnostic::Code;
use crate::diagnostic::Severity::{Error, Info, Warning};

/// `metadata.name` is empty (pkg/k8s/apis/cilium.io/v2, `Parse`).
pub const NAME: Code = Code::new(401, Error, "policy without a name");
/// Neither `spec` nor `specs` (pkg/k8s/apis/cilium.io/v2, `Parse`).
pub const NO_RULES: Code = Code::new(402, Error, "policy without rules");
/// An element of `specs` is `null`, on which `Rule.Sanitize` crashes.
pub const NULL_RULE: Code = Code::new(403, Error, "rule that is null");
/// No member in any of the four lists (`Rule.Sanitize`).
pub const NO_MEMBERS: Code = Code::new(404, Error, "rule without members");
/// Neither `endpointSelector` nor `nodeSelector` (`Rule.Sanitize`).
pub const NO_SUBJECT: Code = Code::new(405, Error, "rule without a subject");
/// Both `endpointSelector` and `nodeSelector` (`Rule.Sanitize`).
pub const TWO_SUBJECTS: Code = Code::new(406, Error, "rule with two subjects");
/// `nodeSelector` in a namespaced policy (pkg/k8s/apis/cilium.io/v2, `Parse`).
pub const NODE_SELECTOR: Code = Code::new(407, Error, "node selector in a namespaced policy");

/// A key that is no label key (pkg/labels/validation.go,
/// `IsValidCiliumLabelKey`).
pub const SELECTOR_KEY: Code = Code::new(410, Error, "invalid label key");
/// A value that is no label value (pkg/labels/validation.go,
/// `ValidateLabels`).
pub const SELECTOR_VALUE: Code = Code::new(411, Error, "invalid label value");
/// An operator other than the four (pkg/labels/validation.go,
/// `ValidateLabelSelectorRequirement`).
pub const SELECTOR_OPERATOR: Code = Code::new(412, Error, "unknown selector operator");
/// `In` or `NotIn` without values (same function).
pub const VALUES_MISSING: Code = Code::new(413, Error, "operator needs values");
/// `Exists` or `DoesNotExist` with values (same function).
pub const VALUES_FORBIDDEN: Code = Code::new(414, Error, "operator takes no values");
/// Two keys of `matchLabels` become one (`NewESFromK8sLabelSelector`): which
/// of their values Cilium keeps is random.
pub const SELECTOR_AMBIGUOUS: Code = Code::new(415, Warning, "ambiguous selector");

/// More than one kind of peer in a member (`IngressCommonRule.sanitize`,
/// `EgressCommonRule.sanitize`).
pub const PEER_KINDS: Code = Code::new(420, Error, "several kinds of peers in one member");
/// `fromNodes` or `toNodes` without `enable-node-selector-labels` (same).
pub const NODES_DISABLED: Code = Code::new(421, Error, "node peers are switched off");
/// An entity Cilium does not know (same).
pub const ENTITY: Code = Code::new(422, Error, "unknown entity");
/// A CIDR that is neither prefix nor address (`CIDR.sanitize`).
pub const CIDR: Code = Code::new(423, Error, "invalid CIDR");
/// An address with a zone, on which the agent crashes
/// (pkg/policy/types/selector.go, `NewCIDRSelector`).
pub const CIDR_ZONE: Code = Code::new(424, Error, "address with a zone");
/// None of `cidr`, `cidrGroupRef`, `cidrGroupSelector` (`CIDRRule.sanitize`).
pub const CIDR_RULE_EMPTY: Code = Code::new(425, Error, "CIDR rule without a CIDR");
/// More than one of the three (`CIDRRule.sanitize`).
pub const CIDR_RULE_MANY: Code = Code::new(426, Error, "CIDR rule with several CIDR sources");
/// `cidr` is no prefix (`CIDRRule.sanitize`).
pub const CIDR_RULE: Code = Code::new(427, Error, "invalid prefix");
/// An `except` that cannot be parsed (`CIDRRule.sanitize`; under a group the
/// agent crashes in pkg/policy/types/selector.go).
pub const EXCEPT: Code = Code::new(428, Error, "invalid exception");
/// An `except` that is not inside its `cidr` (`CIDRRule.sanitize`).
pub const EXCEPT_OUTSIDE: Code = Code::new(429, Error, "exception outside of its prefix");
/// Both `matchName` and `matchPattern` (`FQDNSelector.sanitize`).
pub const FQDN_BOTH: Code = Code::new(430, Error, "name and pattern in one selector");
/// Characters that DNS names do not have (`FQDNSelector.sanitize`,
/// `PortRuleDNS.Sanitize`).
pub const FQDN_NAME: Code = Code::new(431, Error, "invalid DNS name");
/// A pattern too long or with other characters (pkg/fqdn/matchpattern,
/// `Validate`).
pub const FQDN_PATTERN: Code = Code::new(432, Error, "invalid DNS pattern");

/// Layer-7 rules for a node's ingress, HTTP rules for its egress
/// (`IngressRule.sanitize`, `EgressRule.sanitize`).
pub const L7_HOST: Code = Code::new(440, Error, "layer-7 rules for nodes");
/// Layer-7 rules while `enable-l7-proxy` is off (`IngressRule.sanitize`).
pub const L7_DISABLED: Code = Code::new(441, Error, "layer-7 proxy is switched off");
/// DNS rules on ingress (`IngressRule.sanitize`).
pub const L7_DIRECTION: Code = Code::new(442, Error, "layer-7 rules in the wrong direction");
/// `icmps` while `enable-icmp-rules` is off (`IngressRule.sanitize`).
pub const ICMP_DISABLED: Code = Code::new(443, Error, "ICMP rules are switched off");
/// `icmps` beside `toPorts` (`IngressRule.sanitize`).
pub const ICMP_WITH_PORTS: Code = Code::new(444, Error, "ICMP types and ports in one member");
/// More than 40 fields (`ICMPRule.verify`).
pub const ICMP_FIELDS: Code = Code::new(445, Error, "too many ICMP fields");
/// A family other than IPv4 and IPv6 (`ICMPRule.verify`).
pub const ICMP_FAMILY: Code = Code::new(446, Error, "unknown IP family");

/// More than 40 ports (`PortRule.sanitize`).
pub const TOO_MANY_PORTS: Code = Code::new(450, Error, "too many ports");
/// An empty port (`PortProtocol.sanitize`).
pub const PORT_MISSING: Code = Code::new(451, Error, "missing port");
/// Neither a name nor a number of 16 bits (`PortProtocol.sanitize`).
pub const PORT: Code = Code::new(452, Error, "invalid port");
/// A port for a protocol without ports (`PortProtocol.sanitize`).
pub const PORT_EXTENDED: Code = Code::new(453, Error, "port for a protocol without ports");
/// A port range under DNS rules (`PortProtocol.sanitize`).
pub const DNS_RANGE: Code = Code::new(454, Error, "port range with DNS rules");
/// A protocol Cilium does not know in `toPorts` (`ParseL4Proto`).
pub const PROTOCOL: Code = Code::new(455, Error, "unknown protocol");
/// HTTP rules on something else than TCP (`PortRule.sanitize`).
pub const L7_PROTOCOL: Code = Code::new(456, Error, "HTTP rules need TCP");
/// Layer-7 rules on port 0 (`PortRule.sanitize`).
pub const L7_PORT_ZERO: Code = Code::new(457, Error, "layer-7 rules on port 0");
/// DNS rules without ports (`L7Rules.sanitize`).
pub const DNS_PORTS: Code = Code::new(458, Error, "DNS rules without ports");
/// Both `http` and `dns` (`L7Rules.sanitize`).
pub const L7_KINDS: Code = Code::new(459, Error, "two kinds of layer-7 rules");
/// `serverNames` with layer-7 rules and no TLS termination
/// (`PortRule.sanitize`).
pub const SERVER_NAMES_L7: Code = Code::new(460, Error, "server names with layer-7 rules");
/// An empty server name (`PortRule.sanitize`).
pub const SERVER_NAME: Code = Code::new(461, Error, "empty server name");
/// A listener on ingress (`PortRule.sanitize`).
pub const LISTENER_INGRESS: Code = Code::new(462, Error, "listener on ingress");
/// A listener with layer-7 rules (`PortRule.sanitize`).
pub const LISTENER_L7: Code = Code::new(463, Error, "listener with layer-7 rules");
/// A listener without `envoyConfig`, on which the agent crashes when it
/// resolves the policy (pkg/policy/l4.go, `createL4Filter`).
pub const LISTENER_CONFIG: Code = Code::new(464, Error, "listener without its configuration");
/// A path or method that Go's regexp refuses (`PortRuleHTTP.Sanitize`).
pub const HTTP_REGEX: Code = Code::new(465, Error, "invalid regular expression");
/// A header match without a name, or `null`, on which the agent crashes
/// (`PortRuleHTTP.Sanitize`).
pub const HEADER_NAME: Code = Code::new(466, Error, "header match without a name");
/// A mismatch action other than the four (`PortRuleHTTP.Sanitize`).
pub const HEADER_ACTION: Code = Code::new(467, Error, "unknown mismatch action");
/// A secret without a name (`PortRuleHTTP.Sanitize`).
pub const HEADER_SECRET: Code = Code::new(468, Error, "secret without a name");

/// Bits beyond the prefix length; Cilium masks them.
pub const HOST_BITS: Code = Code::new(480, Warning, "prefix with host bits");
/// `endPort` below `port`; Cilium takes `port` alone.
pub const RANGE_INVERTED: Code = Code::new(481, Warning, "inverted port range");
/// `endPort` outside of 16 bits; Cilium keeps the lower 16 of them.
pub const END_PORT_OVERFLOW: Code = Code::new(482, Warning, "end port overflows");
/// A port that is read as octal, or with underscores.
pub const PORT_SPELLING: Code = Code::new(483, Warning, "port read in an unusual way");
/// An ICMP type whose port is 0, which means every type.
pub const ICMP_ZERO: Code = Code::new(484, Warning, "ICMP type that matches every type");
/// An ICMP type beyond 255, which no packet has.
pub const ICMP_RANGE: Code = Code::new(485, Warning, "ICMP type that no packet has");
/// `toServices` in `egressDeny`, which Cilium never translates.
pub const SERVICES_IN_DENY: Code = Code::new(486, Warning, "services in a deny rule");
/// A peer list that is present and empty: nobody is selected.
pub const NO_PEERS: Code = Code::new(487, Warning, "empty list of peers");
/// A member without peers and ports: it allows nothing.
pub const EMPTY_MEMBER: Code = Code::new(488, Warning, "empty member");
/// `toPorts` or `icmps` of empty elements only: nothing is matched.
pub const NO_PORTS: Code = Code::new(489, Warning, "empty list of ports");
/// `endPort` with port 0, or on egress with a named port.
pub const END_PORT_IGNORED: Code = Code::new(490, Warning, "end port without effect");
/// An empty `cidrGroupSelector`, which Cilium takes for everybody, or beside
/// `except` for the whole world.
pub const GROUP_WILDCARD: Code = Code::new(491, Warning, "CIDR group selector for everybody");
/// An authentication mode Cilium does not know; it counts as none.
pub const AUTH_MODE: Code = Code::new(492, Warning, "unknown authentication mode");
/// `enableDefaultDeny` for a direction without members.
pub const DEFAULT_DENY: Code = Code::new(493, Warning, "default deny without members");
/// A namespace in the subject of a namespaced policy.
pub const SUBJECT_NAMESPACE: Code = Code::new(494, Warning, "namespace in a subject");
/// A protocol that only matches with `enable-extended-ip-protocols`.
pub const PROTOCOL_DISABLED: Code = Code::new(495, Warning, "protocol is switched off");
/// DNS rules on another port than 53.
pub const DNS_PORT: Code = Code::new(496, Info, "DNS rules on another port");
/// `endPort` with a named port on ingress: the range begins at another port in
/// every pod (pkg/policy/l4.go `toMapState`).
pub const NAMED_RANGE: Code = Code::new(497, Warning, "port range from a named port");
/// An empty `toFQDNs`, `toServices`, `toGroups` or `fromGroups`: it counts as
/// absent, so that the member is about everybody.
pub const ABSENT_LIST: Code = Code::new(498, Warning, "empty list that means everybody");
