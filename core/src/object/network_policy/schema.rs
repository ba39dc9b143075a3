//! What the API server demands of a `NetworkPolicy` before it stores it, by
//! the rules published with networking.k8s.io/v1: names, label selectors,
//! ports, peers, policy types.
//!
//! In: a decoded policy. Out: every demand it does not meet.

use super::{IntOrString, IpBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort};
use crate::diagnostic::{Code, Diagnostic, Findings, Severity};
use crate::object::cidr::{covers, parse_prefix};
use crate::object::label_syntax::{is_subdomain, key_problem, value_problem};
use crate::object::port::is_service_name;
use crate::object::{LabelSelector, ObjectMeta, SelectorOperator};
use crate::source::{Span, Spanned};
use ipnet::IpNet;

/// `metadata.name` or `.namespace` is no such name.
pub const NAME: Code = Code::new(360, Severity::Error, "malformed object name");
/// A label key or value is malformed.
pub const LABEL: Code = Code::new(361, Severity::Error, "malformed label");
/// A requirement's operator or number of values is refused.
pub const SELECTOR: Code = Code::new(362, Severity::Error, "selector refused by the API server");
/// A port, `endPort` or protocol is refused.
pub const PORT: Code = Code::new(363, Severity::Error, "port refused by the API server");
/// A peer is refused.
pub const PEER: Code = Code::new(364, Severity::Error, "peer refused by the API server");
/// A prefix or exception is refused.
pub const PREFIX: Code = Code::new(365, Severity::Error, "prefix refused by the API server");
/// An element of `policyTypes` is refused.
pub const POLICY_TYPE: Code = Code::new(366, Severity::Error, "unknown policy type");

/// Checks a policy as the API server would.
///
/// ```
/// use netverdict::object::network_policy::{NetworkPolicy, schema::check_schema};
/// use netverdict::object::{Object, load};
/// use netverdict::{config::Config, source::SourceId};
///
/// let config = Config::default();
/// let loaded = load::load(SourceId(0), include_str!("../../../examples/shop.yaml"), &load::LoadOptions::new(&config));
/// let policy: Option<&NetworkPolicy> = loaded.objects().find_map(|o| match o {
///     Object::NetworkPolicy(policy) => Some(policy),
///     _ => None,
/// });
/// let mut policy = policy.expect("there is one").clone();
/// assert!(check_schema(&policy).is_empty());
/// policy.meta.name.value = "Not a name".into();
/// assert!(!check_schema(&policy).is_empty());
/// ```
#[must_use]
pub fn check_schema(policy: &NetworkPolicy) -> Vec<Diagnostic> {
    let mut check = Check {
        found: Findings::default(),
    };
    check.meta(policy.span, &policy.meta);
    check.selector(&policy.pod_selector, "spec.podSelector");
    for (rules, peers) in [(&policy.ingress, "from"), (&policy.egress, "to")] {
        for rule in rules {
            for (i, port) in rule.ports.iter().enumerate() {
                check.port(port, &format!("{}.ports[{i}]", rule.path));
            }
            for (i, peer) in rule.peers.iter().enumerate() {
                check.peer(peer, &format!("{}.{peers}[{i}]", rule.path));
            }
        }
    }
    check.policy_types(&policy.policy_types);
    check.found.finish()
}

struct Check {
    found: Findings,
}

impl Check {
    fn report(&mut self, code: Code, span: Span, path: &str, message: impl Into<String>) {
        self.found
            .push(Diagnostic::new(code, span, message).at(path));
    }

    fn help(&mut self, help: &str) {
        if let Some(last) = self.found.last_mut() {
            last.help = Some(help.to_owned());
        }
    }

    fn meta(&mut self, object: Span, meta: &ObjectMeta) {
        let name = &meta.name;
        if name.is_empty() {
            self.report(NAME, object, "metadata.name", "the object has no name");
        } else if !is_subdomain(name) {
            let message = format!("`{}` is no object name", name.value);
            self.report(NAME, name.span, "metadata.name", message);
            self.help("use at most 253 lower-case letters, digits, `-` and `.`, beginning and ending with a letter or digit");
        }
        if let Some(namespace) = meta.namespace.as_ref().filter(|n| !n.is_empty())
            && !is_dns_label(namespace)
        {
            let message = format!("`{}` is no namespace name", namespace.value);
            self.report(NAME, namespace.span, "metadata.namespace", message);
            self.help("use at most 63 lower-case letters, digits and `-`");
        }
        self.labels(&meta.labels, "metadata.labels");
    }

    fn labels(&mut self, labels: &[(Spanned<String>, Spanned<String>)], path: &str) {
        for (key, value) in labels {
            self.key(key, path);
            self.value(value, &format!("{path}.{}", key.value));
        }
    }

    fn key(&mut self, key: &Spanned<String>, path: &str) {
        if let Some(problem) = key_problem(key) {
            let message = format!("`{}` is no label key", key.value);
            self.report(LABEL, key.span, path, message);
            self.help(problem);
        }
    }

    fn value(&mut self, value: &Spanned<String>, path: &str) {
        if let Some(problem) = value_problem(value) {
            let message = format!("`{}` is no label value", value.value);
            self.report(LABEL, value.span, path, message);
            self.help(problem);
        }
    }

    fn selector(&mut self, selector: &LabelSelector, path: &str) {
        self.labels(&selector.match_labels, &format!("{path}.matchLabels"));
        for (i, requirement) in selector.match_expressions.iter().enumerate() {
            let path = format!("{path}.matchExpressions[{i}]");
            self.key(&requirement.key, &format!("{path}.key"));
            for (j, value) in requirement.values.iter().enumerate() {
                self.value(value, &format!("{path}.values[{j}]"));
            }
            let count = requirement.values.len();
            let at = requirement.span;
            match requirement.operator.value {
                None => {
                    let at = requirement.operator.span;
                    let message = "the operator is none that selectors have";
                    self.report(SELECTOR, at, &format!("{path}.operator"), message);
                    self.help("use `In`, `NotIn`, `Exists` or `DoesNotExist`");
                }
                Some(o @ (SelectorOperator::In | SelectorOperator::NotIn)) if count == 0 => {
                    let message = format!("`{}` needs at least one value", o.as_str());
                    self.report(SELECTOR, at, &format!("{path}.values"), message);
                }
                Some(o @ (SelectorOperator::Exists | SelectorOperator::DoesNotExist))
                    if count > 0 =>
                {
                    let message = format!("`{}` takes no values", o.as_str());
                    self.report(SELECTOR, at, &format!("{path}.values"), message);
                }
                Some(_) => {}
            }
        }
    }

    fn port(&mut self, port: &NetworkPolicyPort, path: &str) {
        if let Some(protocol) = &port.protocol
            && !matches!(protocol.as_str(), "TCP" | "UDP" | "SCTP")
        {
            let message = format!("the API server does not take protocol `{}`", protocol.value);
            self.report(PORT, protocol.span, &format!("{path}.protocol"), message);
            self.help("use `TCP`, `UDP` or `SCTP`");
        }
        let end_path = format!("{path}.endPort");
        let is_port = |n: i32| (1..=65535).contains(&n);
        match (&port.port, &port.end_port) {
            (None, Some(end)) => {
                self.report(PORT, end.span, &end_path, "`endPort` needs `port`");
            }
            (Some(first), end) => match (&first.value, end) {
                (IntOrString::Int(n), end) => {
                    if !is_port(*n) {
                        let message = format!("{n} is no port number");
                        self.report(PORT, first.span, &format!("{path}.port"), message);
                        self.help("ports go from 1 to 65535");
                    }
                    if let Some(end) = end.as_ref().filter(|e| e.value < *n || !is_port(e.value)) {
                        let message = format!("`endPort` must be from {n} to 65535");
                        self.report(PORT, end.span, &end_path, message);
                    }
                }
                (IntOrString::String(name), end) => {
                    if !is_port_name(name) {
                        self.report(
                            PORT,
                            first.span,
                            &format!("{path}.port"),
                            format!("`{name}` is no port name"),
                        );
                        let numeric = name.parse::<u16>().is_ok_and(|n| n > 0);
                        self.help(if numeric {
                            "write the number without quotes"
                        } else {
                            "names have at most 15 lower-case letters, digits and single `-`, one letter at least"
                        });
                        if let (true, Some(last)) = (numeric, self.found.last_mut()) {
                            *last = last.clone().fix(
                                "remove the quotes",
                                first.span,
                                name.clone(),
                                true,
                            );
                        }
                    }
                    if let Some(end) = end {
                        let message = "`endPort` needs a number in `port`, not a name";
                        self.report(PORT, end.span, &end_path, message);
                    }
                }
            },
            (None, None) => {}
        }
    }

    fn peer(&mut self, peer: &NetworkPolicyPeer, path: &str) {
        if let Some(selector) = &peer.pod_selector {
            self.selector(selector, &format!("{path}.podSelector"));
        }
        if let Some(selector) = &peer.namespace_selector {
            self.selector(selector, &format!("{path}.namespaceSelector"));
        }
        let selects = peer.pod_selector.is_some() || peer.namespace_selector.is_some();
        match &peer.ip_block {
            None if !selects => {
                self.report(PEER, peer.span, path, "the peer is empty");
                self.help("give it a `podSelector`, `namespaceSelector` or `ipBlock`; leave out the list to mean everybody");
            }
            None => {}
            Some(block) => {
                self.ip_block(block, &format!("{path}.ipBlock"));
                if selects {
                    let message = "`ipBlock` cannot stand beside a selector";
                    self.report(PEER, peer.span, path, message);
                    self.help("make them two peers");
                }
            }
        }
    }

    fn ip_block(&mut self, block: &IpBlock, path: &str) {
        let Some(outer) = self.prefix(&block.cidr, block.span, &format!("{path}.cidr")) else {
            return;
        };
        for (i, except) in block.except.iter().enumerate() {
            let path = format!("{path}.except[{i}]");
            let Some(inner) = self.prefix(except, block.span, &path) else {
                continue;
            };
            if outer.prefix_len() >= inner.prefix_len() || !covers(&outer, &inner) {
                let message = format!(
                    "`{}` is not a smaller part of `{}`",
                    except.value, block.cidr.value
                );
                self.report(PREFIX, except.span, &path, message);
            }
        }
    }

    fn prefix(&mut self, text: &Spanned<String>, around: Span, path: &str) -> Option<IpNet> {
        let prefix = parse_prefix(text).ok();
        if prefix.is_none() {
            let message = if text.is_empty() {
                "the prefix is missing".to_owned()
            } else {
                format!("`{}` is no prefix", text.value)
            };
            let span = if text.is_empty() { around } else { text.span };
            self.report(PREFIX, span, path, message);
            self.help("a single address is written with its length, like `10.0.0.1/32`");
        }
        prefix
    }

    fn policy_types(&mut self, types: &[Spanned<String>]) {
        if let Some(third) = types.get(2) {
            let message = "there are no more than two policy types";
            self.report(POLICY_TYPE, third.span, "spec.policyTypes", message);
        }
        for (i, policy_type) in types.iter().enumerate() {
            if !matches!(policy_type.as_str(), "Ingress" | "Egress") {
                let message = format!("`{}` is no policy type", policy_type.value);
                let path = format!("spec.policyTypes[{i}]");
                self.report(POLICY_TYPE, policy_type.span, &path, message);
                self.help("use `Ingress` or `Egress`");
            }
        }
    }
}

/// A namespace name: a DNS label (RFC 1123).
fn is_dns_label(text: &str) -> bool {
    text.len() <= 63 && !text.contains('.') && is_subdomain(text)
}

/// A port name as Kubernetes has it: a service name in lower case.
fn is_port_name(text: &str) -> bool {
    is_service_name(text) && !text.bytes().any(|b| b.is_ascii_uppercase())
}
