//! Ports as written to ports of rules.

use super::super::l7::{
    HeaderMatch, HttpRule, L7Rules, Listener, ListenerKind, Mismatch, Place, TlsContext,
};
use super::super::port::{PortProtocol, PortRule, RulePort, protocol};
use crate::object::cilium::{self, IcmpFamily, PolicyMember};
use crate::object::port::{Port, unchecked_port};
use std::sync::Arc;

/// `toPorts` followed by `icmps` of a member. Deny members keep the ports
/// alone.
pub(super) fn member_ports(member: &PolicyMember, deny: bool) -> Vec<PortRule> {
    let ports = member.to_ports.iter().map(|rule| port_rule(rule, deny));
    let icmps = member.icmps.iter().map(icmp_rule);
    ports.chain(icmps).collect()
}

fn port_rule(rule: &cilium::PortRule, deny: bool) -> PortRule {
    let ports = rule
        .ports
        .iter()
        .map(|p| PortProtocol {
            port: rule_port(&p.port.value.to_ascii_lowercase()),
            end_port: end_port(p.end_port.value),
            protocol: protocol::number(&p.protocol.value).unwrap_or(protocol::ANY),
            span: p.span,
        })
        .collect();
    if deny {
        return PortRule {
            ports,
            span: rule.span,
            ..PortRule::default()
        };
    }
    PortRule {
        ports,
        l7: rule
            .rules
            .as_ref()
            .map(l7_rules)
            .filter(|l7| !l7.is_empty()),
        terminating_tls: rule.terminating_tls.as_ref().map(tls_context),
        originating_tls: rule.originating_tls.as_ref().map(tls_context),
        server_names: rule
            .server_names
            .iter()
            .map(|n| n.value.as_str().into())
            .collect(),
        listener: rule.listener.as_ref().map(listener),
        span: rule.span,
    }
}

fn icmp_rule(rule: &cilium::IcmpRule) -> PortRule {
    PortRule {
        ports: rule
            .fields
            .iter()
            .map(|f| PortProtocol {
                port: rule_port(&f.icmp_type.value),
                end_port: 0,
                protocol: match IcmpFamily::of(&f.family) {
                    IcmpFamily::V6 => protocol::ICMPV6,
                    IcmpFamily::V4 => protocol::ICMP,
                },
                span: f.span,
            })
            .collect(),
        span: rule.span,
        ..PortRule::default()
    }
}

/// Cilium keeps the low 16 bits.
pub(super) const fn end_port(port: i32) -> u16 {
    (port & 0xffff) as u16
}

/// A port as Cilium's filters read it, validated or not
/// (pkg/policy/l4.go createL4Filter). Names keep their case.
pub(super) fn rule_port(text: &str) -> RulePort {
    match unchecked_port(text) {
        Port::Number(n) => RulePort::Number(n),
        Port::Name(_) => RulePort::Name(text.into()),
    }
}

fn l7_rules(rules: &cilium::L7Rules) -> L7Rules {
    L7Rules {
        http: rules
            .http
            .iter()
            .flatten()
            .map(|r| Arc::new(http_rule(r)))
            .collect(),
        dns: rules
            .dns
            .iter()
            .flatten()
            .map(|r| {
                (
                    r.match_name.value.as_str().into(),
                    r.match_pattern.value.as_str().into(),
                )
            })
            .collect(),
    }
}

fn http_rule(rule: &cilium::HttpRule) -> HttpRule {
    HttpRule {
        path: rule.path.value.clone(),
        method: rule.method.value.clone(),
        host: rule.host.value.clone(),
        headers: rule.headers.iter().map(|h| h.value.clone()).collect(),
        header_matches: rule
            .header_matches
            .iter()
            .flatten()
            .map(|m| HeaderMatch {
                mismatch: Mismatch::parse(&m.mismatch.value),
                name: m.name.value.clone(),
                secret: m
                    .secret
                    .as_ref()
                    .map(|s| (s.namespace.clone(), s.name.clone())),
                value: m.value.clone(),
            })
            .collect(),
        place: Place(rule.span),
    }
}

fn tls_context(tls: &cilium::TlsContext) -> Arc<TlsContext> {
    let secret = tls.secret.clone().unwrap_or_default();
    Arc::new(TlsContext {
        secret: (secret.namespace, secret.name),
        items: [
            tls.trusted_ca.clone(),
            tls.certificate.clone(),
            tls.private_key.clone(),
        ],
    })
}

fn listener(listener: &cilium::Listener) -> Listener {
    let config = listener.envoy_config.clone().unwrap_or_default();
    Listener {
        kind: match config.kind.value.as_str() {
            "CiliumEnvoyConfig" => ListenerKind::Namespaced,
            "CiliumClusterwideEnvoyConfig" => ListenerKind::Clusterwide,
            _ => ListenerKind::Unspecified,
        },
        config: config.name.value,
        name: listener.name.value.clone(),
        priority: listener.priority,
    }
}
