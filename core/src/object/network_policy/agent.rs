//! What Cilium's agent makes of a [`NetworkPolicy`] that the API server did
//! not check: what it refuses, what it would crash on (refused here), and
//! what it takes for something else than was meant.
//!
//! In: a decoded policy. Out: errors, which refuse it, and warnings.
//! Source: Cilium 1.20.2 pkg/k8s/network_policy.go, pkg/policy/l4.go.

use super::{IntOrString, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicyRule};
use crate::diagnostic::{Code, Diagnostic, Findings, Severity};
use crate::object::cidr::parse_prefix_or_addr;
use crate::object::port::{PortError, Protocol, is_service_name, parse_number};
use crate::object::{LabelSelector, template};
use crate::source::{Span, Spanned};

/// A protocol the agent does not know; it refuses the policy.
pub const PROTOCOL: Code = Code::new(501, Severity::Error, "unknown protocol");
/// A prefix the agent cannot read; it would crash.
pub const IP_BLOCK: Code = Code::new(502, Severity::Error, "unreadable prefix");
/// An operator the agent drops, which widens the selector.
pub const UNKNOWN_OPERATOR: Code = Code::new(503, Severity::Warning, "unknown operator");
/// `ipBlock` beside selectors, which the agent then ignores.
pub const IP_BLOCK_AND_SELECTOR: Code =
    Code::new(504, Severity::Warning, "ipBlock beside selectors");
/// A peer without any field.
pub const EMPTY_PEER: Code = Code::new(505, Severity::Warning, "empty peer");
/// A port that is neither a number nor a name.
pub const PORT: Code = Code::new(506, Severity::Warning, "unreadable port");
/// A port that Cilium reads as another than it seems: digits after a zero are
/// octal, and port 0 is every port.
pub const PORT_SPELLING: Code = Code::new(510, Severity::Warning, "port read in an unusual way");
/// `endPort` that has no effect.
pub const END_PORT: Code = Code::new(507, Severity::Warning, "endPort without effect");
/// A policy without `spec`, which still isolates.
pub const NO_SPEC: Code = Code::new(508, Severity::Warning, "empty policy");
/// Rules of a direction that `policyTypes` leaves out.
pub const UNLISTED_TYPE: Code = Code::new(509, Severity::Warning, "rules outside policyTypes");

/// Checks a policy as the agent would.
#[must_use]
pub fn check_agent(policy: &NetworkPolicy) -> Vec<Diagnostic> {
    let mut found = Findings::default();
    check_selector(&policy.pod_selector, "spec.podSelector", &mut found);
    for (rules, peers) in [(&policy.ingress, "from"), (&policy.egress, "to")] {
        for rule in rules {
            check_rule(rule, peers, &mut found);
        }
    }
    check_types(policy, &mut found);
    found.finish()
}

fn check_types(policy: &NetworkPolicy, found: &mut Findings) {
    let at = |code, span: Span, path: &str, message: String, help: &str| {
        Diagnostic::new(code, span, message).at(path).help(help)
    };
    if policy.pod_selector.span == Span::default()
        && policy.ingress.is_empty()
        && policy.egress.is_empty()
        && policy.policy_types.is_empty()
    {
        found.push(at(
            NO_SPEC,
            policy.span,
            "spec",
            "the policy says nothing, and so denies ingress to every pod of its namespace".into(),
            "an empty `podSelector` selects every pod; give the policy a `spec`",
        ));
        return;
    }
    let listed = |name| policy.policy_types.iter().any(|t| t.value == name);
    for (name, rules, field) in [
        ("Ingress", &policy.ingress, "spec.ingress"),
        ("Egress", &policy.egress, "spec.egress"),
    ] {
        let Some(first) = rules.first() else { continue };
        // Without policyTypes, Kubernetes fills in what the rules speak of.
        if !policy.policy_types.is_empty() && !listed(name) {
            found.push(at(
                UNLISTED_TYPE,
                first.span,
                field,
                format!("`policyTypes` leaves out `{name}`, yet Cilium applies these rules"),
                "Kubernetes ignores rules of a type that is not listed, Cilium does not: list the type or remove the rules",
            ));
        }
    }
}

fn check_rule(rule: &NetworkPolicyRule, peers: &str, found: &mut Findings) {
    for (i, peer) in rule.peers.iter().enumerate() {
        check_peer(peer, &format!("{}.{peers}[{i}]", rule.path), found);
    }
    for (i, port) in rule.ports.iter().enumerate() {
        check_port(port, &format!("{}.ports[{i}]", rule.path), found);
    }
}

fn check_peer(peer: &NetworkPolicyPeer, path: &str, found: &mut Findings) {
    if let Some(selector) = &peer.pod_selector {
        check_selector(selector, &format!("{path}.podSelector"), found);
    }
    if let Some(selector) = &peer.namespace_selector {
        check_selector(selector, &format!("{path}.namespaceSelector"), found);
    }
    let selects = peer.pod_selector.is_some() || peer.namespace_selector.is_some();
    let Some(block) = &peer.ip_block else {
        if !selects {
            found.push(
                Diagnostic::new(
                    EMPTY_PEER,
                    peer.span,
                    "an empty peer means every pod of the policy's namespace",
                )
                .at(path)
                .help("write `podSelector: {}` for that, or leave out the list to mean everybody; the API server refuses an empty peer"),
            );
        }
        return;
    };
    if selects {
        found.push(
            Diagnostic::new(
                IP_BLOCK_AND_SELECTOR,
                peer.span,
                "beside `ipBlock`, the selectors of this peer have no effect",
            )
            .at(path)
            .help("make them two peers; the API server refuses both in one"),
        );
    }
    check_prefix(
        &block.cidr,
        block.span,
        &format!("{path}.ipBlock.cidr"),
        found,
    );
    for (i, except) in block.except.iter().enumerate() {
        check_prefix(
            except,
            block.span,
            &format!("{path}.ipBlock.except[{i}]"),
            found,
        );
    }
}

fn check_prefix(text: &Spanned<String>, around: Span, path: &str, found: &mut Findings) {
    if parse_prefix_or_addr(text).is_ok() {
        return;
    }
    let (message, span) = if text.is_empty() {
        ("the prefix is missing".to_owned(), around)
    } else {
        let message = format!("`{}` is no address or prefix", text.value);
        (message, text.span)
    };
    found.push(Diagnostic::new(IP_BLOCK, span, message).at(path).help(
        match template::find(text) {
            Some(_) => "fill in the variable before checking; Cilium's agent crashes on it",
            None => "write it like `10.0.0.0/8` or `fd00::/8`; Cilium's agent crashes on it",
        },
    ));
}

fn check_selector(selector: &LabelSelector, path: &str, found: &mut Findings) {
    for (i, requirement) in selector.match_expressions.iter().enumerate() {
        if requirement.operator.is_none() {
            found.push(unknown_operator(
                requirement.operator.span,
                &format!("{path}.matchExpressions[{i}].operator"),
            ));
        }
    }
}

/// The diagnostic for a requirement that Cilium leaves out.
pub(in crate::object) fn unknown_operator(span: Span, path: &str) -> Diagnostic {
    Diagnostic::new(
        UNKNOWN_OPERATOR,
        span,
        "Cilium leaves out a requirement with an unknown operator, so the selector matches more",
    )
    .at(path)
    .help("use `In`, `NotIn`, `Exists` or `DoesNotExist`; the API server refuses others")
}

fn check_port(port: &NetworkPolicyPort, path: &str, found: &mut Findings) {
    if let Some(protocol) = &port.protocol {
        check_protocol(protocol, &format!("{path}.protocol"), found);
    }
    let end = port.end_port.as_ref();
    let mut warn_end = |span: Span, message: &str, help: &str| {
        found.push(
            Diagnostic::new(END_PORT, span, message)
                .at(format!("{path}.endPort"))
                .help(help),
        );
    };
    let Some(first) = &port.port else {
        if let Some(end) = end {
            warn_end(
                end.span,
                "without `port`, `endPort` has no effect: every port is meant",
                "give the first port of the range in `port`",
            );
        }
        return;
    };
    if let (Some(end), Some(number)) = (end, number_of(first))
        && end.value != 0
        && end.value < i32::from(number)
    {
        warn_end(
            end.span,
            "`endPort` is below `port`, so Cilium takes the single port",
            "swap the two",
        );
    }
    check_port_text(first, &format!("{path}.port"), found);
}

fn number_of(port: &IntOrString) -> Option<u16> {
    match port {
        IntOrString::Int(n) => u16::try_from(*n).ok(),
        IntOrString::String(text) if is_service_name(text) => None,
        IntOrString::String(text) => parse_number(text).ok(),
    }
}

fn check_port_text(port: &Spanned<IntOrString>, path: &str, found: &mut Findings) {
    let text = match &port.value {
        IntOrString::Int(n) => n.to_string(),
        IntOrString::String(text) => text.clone(),
    };
    if is_service_name(&text) {
        return;
    }
    let (code, message, help) = match parse_number(&text) {
        Ok(0) => (
            PORT_SPELLING,
            format!("port `{text}` means every port of the protocol"),
            "leave out `port` for that; the API server refuses it",
        ),
        Ok(n) if n.to_string() != text => (
            PORT_SPELLING,
            format!("Cilium reads port `{text}` as {n}"),
            "write port numbers as plain decimal numbers",
        ),
        Ok(_) => return,
        Err(PortError::Range) => (
            PORT,
            format!("Cilium reads port `{text}` as 65535, the highest there is"),
            "ports go from 1 to 65535; the API server refuses others",
        ),
        Err(PortError::Syntax) => (
            PORT,
            format!("port `{text}` is neither a number nor a name: Cilium takes every port"),
            "names have at most 15 letters, digits and single `-`; the API server refuses others",
        ),
    };
    found.push(
        Diagnostic::new(code, port.span, message)
            .at(path)
            .help(help),
    );
}

fn check_protocol(protocol: &Spanned<String>, path: &str, found: &mut Findings) {
    if Protocol::parse(protocol).is_some() {
        return;
    }
    found.push(
        Diagnostic::new(
            PROTOCOL,
            protocol.span,
            format!("unknown protocol `{}`", protocol.value),
        )
        .at(path)
        .help("use `TCP`, `UDP` or `SCTP`; ICMP cannot be named in a NetworkPolicy"),
    );
}
