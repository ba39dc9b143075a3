//! What Cilium's agent makes of a [`ClusterNetworkPolicy`] that the API
//! server did not check: what it refuses, what it would crash on (refused
//! here), and what it takes for something else than was meant.
//!
//! In: a decoded policy and the agent's options. Out: errors, which refuse
//! it, and warnings. Source: Cilium 1.20.2 pkg/k8s/cluster_network_policy.go.

use super::{
    ClusterNetworkPolicy, ClusterPolicyKind, ClusterPolicyPeer, ClusterPolicyProtocol,
    ClusterPolicyRule, DestinationPort, NamespacedPods,
};
use crate::config::Config;
use crate::diagnostic::{Code, Diagnostic, Findings, Severity};
use crate::object::cidr::parse_prefix_or_addr;
use crate::object::fqdn::{FqdnError, check_name, check_pattern};
use crate::object::network_policy::unknown_operator;
use crate::object::port::{PortError, is_service_name, parse_number};
use crate::object::{LabelSelector, template};
use crate::source::{Span, Spanned};

/// The policy selects nothing, which would crash the agent.
pub const SUBJECT: Code = Code::new(520, Severity::Error, "policy without subject");
/// `nodes` needs an option that is off; the agent refuses the policy.
pub const NODES: Code = Code::new(521, Severity::Error, "node peers are switched off");
/// A network the agent cannot read; it would crash.
pub const NETWORK: Code = Code::new(522, Severity::Error, "unreadable network");
/// `domainNames` with another action than `Accept`; the policy is refused.
pub const DOMAIN_NAMES_ACTION: Code =
    Code::new(523, Severity::Error, "domain names can only be accepted");
/// `domainNames` needs the proxy, which is off; the policy is refused.
pub const DOMAIN_NAMES_PROXY: Code = Code::new(524, Severity::Error, "domain names need the proxy");
/// A domain name the agent refuses, and the policy with it.
pub const DOMAIN_NAME: Code = Code::new(525, Severity::Error, "malformed domain name");
/// A peer of no known kind.
pub const PEER: Code = Code::new(526, Severity::Warning, "peer of no known kind");
/// An action that is none of the three: the agent accepts.
pub const ACTION: Code = Code::new(527, Severity::Warning, "unknown action");
/// A tier that is neither of the two: the agent takes Admin.
pub const TIER: Code = Code::new(528, Severity::Warning, "unknown tier");
/// A list of networks or names without items.
pub const EMPTY_PEERS: Code = Code::new(529, Severity::Warning, "empty list of peers");
/// A peer or subject of several kinds, of which one counts.
pub const PEERS: Code = Code::new(531, Severity::Warning, "several kinds in one place");
/// A protocol entry that means something else than it seems to.
pub const PROTOCOL: Code = Code::new(532, Severity::Warning, "protocol read differently");

/// Checks a policy as the agent would.
///
/// ```
/// use netverdict::object::cluster_network_policy::agent::check_agent;
/// use netverdict::object::{Object, load};
/// use netverdict::rule::{cluster_policy_resource, cilium_resource};
/// use netverdict::{config::Config, source::SourceId};
///
/// let text = "
/// {apiVersion: policy.networking.k8s.io/v1alpha2, kind: ClusterNetworkPolicy, metadata: {name: all},
///  spec: {tier: Admin, priority: 1, subject: {namespaces: {}}}}
/// ---
/// {apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: db, namespace: shop},
///  spec: {endpointSelector: {}, ingress: [{}]}}
/// ";
/// let config = Config::default();
/// let loaded = load::load(SourceId(0), text, &load::LoadOptions::new(&config));
/// let resources = loaded.objects().map(|object| match object {
///     Object::ClusterNetworkPolicy(policy) => {
///         assert!(check_agent(policy, &config).is_empty());
///         cluster_policy_resource(policy)
///     }
///     Object::CiliumPolicy(policy) => cilium_resource(policy),
///     other => panic!("{other:?}"),
/// });
/// assert_eq!(resources.collect::<Vec<_>>(), ["kcnp//all".into(), "cnp/shop/db".into()]);
/// ```
#[must_use]
pub fn check_agent(policy: &ClusterNetworkPolicy, config: &Config) -> Vec<Diagnostic> {
    let mut check = Check {
        config,
        kind: policy.kind,
        found: Findings::default(),
    };
    if !matches!(policy.tier.as_str(), "Admin" | "Baseline") {
        let message = match policy.tier.as_str() {
            "" => "the tier is missing: Cilium takes `Admin`".to_owned(),
            tier => format!("unknown tier `{tier}`: Cilium takes `Admin`"),
        };
        let span = written(policy.tier.span, policy.span);
        check.report(
            TIER,
            span,
            "spec.tier",
            message,
            "use `Admin` or `Baseline`",
        );
    }
    check.subject(policy);
    for rule in &policy.ingress {
        check.rule(rule, "from");
    }
    for rule in &policy.egress {
        check.rule(rule, "to");
    }
    check.found.finish()
}

/// Where a value stands; where it is missing from, when it was not written.
fn written(span: Span, around: Span) -> Span {
    if span == Span::default() {
        around
    } else {
        span
    }
}

struct Check<'c> {
    config: &'c Config,
    kind: ClusterPolicyKind,
    found: Findings,
}

impl Check<'_> {
    fn report(
        &mut self,
        code: Code,
        span: Span,
        path: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.found
            .push(Diagnostic::new(code, span, message).at(path).help(help));
    }

    fn subject(&mut self, policy: &ClusterNetworkPolicy) {
        let path = "spec.subject";
        if let Some(selector) = &policy.subject_namespaces {
            self.selector(selector, "spec.subject.namespaces");
        }
        if let Some(pods) = &policy.subject_pods {
            self.pods(pods, "spec.subject.pods");
        }
        match (&policy.subject_namespaces, &policy.subject_pods) {
            (Some(_), Some(pods)) => self.report(
                PEERS,
                pods.span,
                path,
                "beside `namespaces`, the subject's `pods` has no effect",
                "keep one of them; the API server refuses both",
            ),
            (None, None) if policy.has_effect() => self.report(
                SUBJECT,
                policy.subject_span,
                path,
                "the subject has neither `namespaces` nor `pods`",
                "`namespaces: {}` selects every pod; without a subject Cilium's agent crashes",
            ),
            _ => {}
        }
    }

    fn rule(&mut self, rule: &ClusterPolicyRule, peers: &str) {
        let accept = match self.kind {
            ClusterPolicyKind::ClusterNetworkPolicy => "Accept",
            _ => "Allow",
        };
        let action = rule.action.as_str();
        if ![accept, "Deny", "Pass"].contains(&action) {
            let message = if action.is_empty() {
                "the action is missing: Cilium accepts the traffic".to_owned()
            } else {
                format!("unknown action `{action}`: Cilium accepts the traffic")
            };
            self.report(
                ACTION,
                written(rule.action.span, rule.span),
                &format!("{}.action", rule.path),
                message,
                format!("use `{accept}`, `Deny` or `Pass`"),
            );
        }
        for (i, peer) in rule.peers.iter().enumerate() {
            self.peer(rule, peer, &format!("{}.{peers}[{i}]", rule.path));
        }
        let protocols = match self.kind {
            ClusterPolicyKind::ClusterNetworkPolicy => "protocols",
            _ => "ports",
        };
        for (i, protocol) in rule.protocols.iter().enumerate() {
            self.protocol(protocol, &format!("{}.{protocols}[{i}]", rule.path));
        }
    }

    fn peer(&mut self, rule: &ClusterPolicyRule, peer: &ClusterPolicyPeer, path: &str) {
        let kinds = [
            ("pods", peer.pods.is_some()),
            ("namespaces", peer.namespaces.is_some()),
            ("nodes", peer.nodes.is_some()),
            ("networks", peer.networks.is_some()),
            ("domainNames", peer.domain_names.is_some()),
        ];
        let mut set = kinds.iter().filter(|(_, set)| *set).map(|(name, _)| *name);
        let Some(kind) = set.next() else {
            let effect = if rule.accepts() {
                "Cilium leaves it out"
            } else {
                "Cilium denies every peer instead"
            };
            self.report(
                PEER,
                peer.span,
                path,
                format!("this peer has no kind that Cilium knows: {effect}"),
                "the API server refuses such a peer",
            );
            return;
        };
        if let Some(other) = set.next() {
            self.report(
                PEERS,
                peer.span,
                path,
                format!("beside `{kind}`, `{other}` has no effect"),
                "make them two peers; the API server refuses both in one",
            );
        }
        // The kinds after the first are not looked at.
        match kind {
            "pods" => {
                if let Some(pods) = &peer.pods {
                    self.pods(pods, &format!("{path}.pods"));
                }
            }
            "namespaces" => {
                if let Some(selector) = &peer.namespaces {
                    self.selector(selector, &format!("{path}.namespaces"));
                }
            }
            "nodes" => {
                if let Some(selector) = &peer.nodes {
                    self.nodes(selector, &format!("{path}.nodes"));
                }
            }
            "networks" => {
                let networks = peer.networks.as_deref().unwrap_or_default();
                self.networks(rule, peer, networks, &format!("{path}.networks"));
            }
            _ => {
                let names = peer.domain_names.as_deref().unwrap_or_default();
                self.domain_names(rule, peer, names, &format!("{path}.domainNames"));
            }
        }
    }

    fn pods(&mut self, pods: &NamespacedPods, path: &str) {
        self.selector(
            &pods.namespace_selector,
            &format!("{path}.namespaceSelector"),
        );
        self.selector(&pods.pod_selector, &format!("{path}.podSelector"));
    }

    fn nodes(&mut self, selector: &LabelSelector, path: &str) {
        if !self.config.node_selector_labels {
            self.report(
                NODES,
                selector.span,
                path,
                "Cilium refuses the policy: node labels are not part of identities",
                "start the agent with `enable-node-selector-labels=true`, or use `networks`",
            );
        }
        self.selector(selector, path);
    }

    fn networks(
        &mut self,
        rule: &ClusterPolicyRule,
        peer: &ClusterPolicyPeer,
        networks: &[Spanned<String>],
        path: &str,
    ) {
        self.empty_list(rule, peer, networks, path);
        for (i, network) in networks.iter().enumerate() {
            if parse_prefix_or_addr(network).is_ok() {
                continue;
            }
            self.report(
                NETWORK,
                network.span,
                &format!("{path}[{i}]"),
                format!("`{}` is no address or prefix", network.value),
                match template::find(network) {
                    Some(_) => "fill in the variable before checking; Cilium's agent crashes on it",
                    None => {
                        "write it like `10.0.0.0/8` or `fd00::/8`; Cilium's agent crashes on it"
                    }
                },
            );
        }
    }

    fn domain_names(
        &mut self,
        rule: &ClusterPolicyRule,
        peer: &ClusterPolicyPeer,
        names: &[Spanned<String>],
        path: &str,
    ) {
        if !rule.accepts() {
            self.report(
                DOMAIN_NAMES_ACTION,
                written(rule.action.span, rule.span),
                path,
                format!("`domainNames` cannot be used with `{}`", rule.action.value),
                "accept the names you want in one rule and deny the rest, for example `networks: [0.0.0.0/0]`, in a later one",
            );
            return;
        }
        if !self.config.l7_proxy {
            self.report(
                DOMAIN_NAMES_PROXY,
                peer.span,
                path,
                "`domainNames` needs the proxy, which is switched off",
                "start the agent with `enable-l7-proxy=true`",
            );
            return;
        }
        self.empty_list(rule, peer, names, path);
        for (i, name) in names.iter().enumerate() {
            let Some(why) = refuses_name(name) else {
                continue;
            };
            self.report(
                DOMAIN_NAME,
                name.span,
                &format!("{path}[{i}]"),
                format!("`{}` {why}", name.value),
                match template::find(name) {
                    Some(_) => "fill in the variable before checking",
                    None => "write it like `example.com` or `*.example.com`",
                },
            );
        }
    }

    fn empty_list<T>(
        &mut self,
        rule: &ClusterPolicyRule,
        peer: &ClusterPolicyPeer,
        list: &[T],
        path: &str,
    ) {
        if list.is_empty() {
            let effect = if rule.protocols.is_empty() {
                "an empty list matches nobody"
            } else {
                "with protocols, Cilium takes an empty list for every peer"
            };
            self.report(
                EMPTY_PEERS,
                peer.span,
                path,
                effect,
                "the API server refuses an empty list",
            );
        }
    }

    fn selector(&mut self, selector: &LabelSelector, path: &str) {
        for (i, requirement) in selector.match_expressions.iter().enumerate() {
            if requirement.operator.is_none() {
                self.found.push(unknown_operator(
                    requirement.operator.span,
                    &format!("{path}.matchExpressions[{i}].operator"),
                ));
            }
        }
    }

    fn protocol(&mut self, protocol: &ClusterPolicyProtocol, path: &str) {
        let refused = "the API server refuses it";
        let name = &protocol.destination_named_port;
        match &protocol.transport {
            None if name.is_empty() => self.report(
                PROTOCOL,
                protocol.span,
                path,
                "no protocol that Cilium knows: it takes TCP, UDP and SCTP, every port",
                refused,
            ),
            Some((_, Some(port))) => {
                if !name.is_empty() {
                    self.report(
                        PROTOCOL,
                        name.span,
                        path,
                        "beside a port number, the named port has no effect",
                        refused,
                    );
                }
                self.port(port, path);
            }
            Some((_, None)) if !name.is_empty() => self.report(
                PROTOCOL,
                name.span,
                path,
                format!("Cilium takes port `{}` of every protocol here", name.value),
                refused,
            ),
            Some((_, None)) => {}
            None => self.named_port(name, path),
        }
    }

    fn named_port(&mut self, name: &Spanned<String>, path: &str) {
        if is_service_name(name) {
            return;
        }
        let message = match parse_number(name) {
            Ok(0) | Err(PortError::Syntax) => {
                format!("`{}` is no port name: Cilium takes every port", name.value)
            }
            Ok(n) => format!("Cilium reads the name `{}` as port {n}", name.value),
            Err(PortError::Range) => {
                format!("Cilium reads the name `{}` as port 65535", name.value)
            }
        };
        self.report(
            PROTOCOL,
            name.span,
            path,
            message,
            "names have at most 15 letters, digits and single `-`; numbers go under `tcp`, `udp` or `sctp`",
        );
    }

    fn port(&mut self, port: &DestinationPort, path: &str) {
        let number = port.range.map_or(port.number, |(start, _)| start);
        let message = if number == 0 {
            "port 0 means every port of the protocol".to_owned()
        } else if number < 0 {
            format!("port {number} is no port: Cilium takes every port of the protocol")
        } else if number > 65535 {
            format!("Cilium reads port {number} as 65535")
        } else {
            match port.range {
                Some((start, end)) if end < start => {
                    format!("the range ends before it begins: Cilium takes port {start} alone")
                }
                _ => return,
            }
        };
        self.report(
            PROTOCOL,
            port.span,
            path,
            message,
            "ports go from 1 to 65535; the API server refuses others",
        );
    }
}

impl ClusterPolicyRule {
    /// What the agent makes of the action: everything but `Deny` and `Pass`
    /// accepts.
    #[must_use]
    pub fn accepts(&self) -> bool {
        !matches!(self.action.as_str(), "Deny" | "Pass")
    }
}

impl ClusterNetworkPolicy {
    /// Whether any rule of it reaches the policy engine: a rule that accepts
    /// peers of no known kind alone does not.
    fn has_effect(&self) -> bool {
        self.ingress.iter().chain(&self.egress).any(|rule| {
            !rule.accepts()
                || rule.peers.is_empty()
                || rule.peers.iter().any(ClusterPolicyPeer::has_kind)
        })
    }
}

impl ClusterPolicyPeer {
    fn has_kind(&self) -> bool {
        self.pods.is_some()
            || self.namespaces.is_some()
            || self.nodes.is_some()
            || self.networks.is_some()
            || self.domain_names.is_some()
    }
}

/// Why the agent refuses a domain name: a leading `*` makes it a pattern, and
/// of a single one two.
fn refuses_name(name: &str) -> Option<String> {
    let checked = if name.starts_with("**") {
        check_pattern(name)
    } else if name.starts_with('*') {
        check_pattern(&format!("*{name}"))
    } else {
        check_name(name)
    };
    match checked {
        Ok(()) => None,
        Err(FqdnError::Character(_)) => Some("has a character that domain names lack".to_owned()),
        Err(FqdnError::Length) => Some("is longer than 255 characters".to_owned()),
    }
}
