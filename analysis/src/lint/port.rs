//! Ports that are more, or fewer, than they seem.
//!
//! In: the ports of members. Out: findings about protocols that were left out,
//! or that were not meant to be.

use super::member::Member;
use netverdict::diagnostic::Severity::Info;
use netverdict::diagnostic::{Code, Diagnostic, Findings};
use netverdict::object::Object;
use netverdict::object::network_policy::{IntOrString, NetworkPolicy, NetworkPolicyPort};
use netverdict::rule::Direction;
use netverdict::source::Span;

/// A port of a deny rule without a protocol: TCP, UDP and SCTP are denied.
pub const DENY_EVERY_PROTOCOL: Code = Code::new(1027, Info, "port denied for every protocol");
/// DNS is allowed by UDP and not by TCP: answers that do not fit into a packet
/// are lost.
pub const DNS_BY_UDP: Code = Code::new(1029, Info, "DNS by UDP alone");
/// Port 0 with the protocol `ANY` (or none): every port of TCP, UDP and SCTP,
/// and no ICMP.
pub const EVERY_PORT_WITHOUT_ICMP: Code = Code::new(1038, Info, "every port, and no ping");

pub(super) fn check(object: &Object, found: &mut Findings) {
    match object {
        Object::CiliumPolicy(policy) => {
            deny_every_protocol(object, found);
            without_icmp(object, found);
            for spec in &policy.specs {
                let ports = spec.egress.iter().flat_map(|m| &m.to_ports);
                let ports = ports.flat_map(|r| &r.ports);
                let dns = ports.filter(|p| p.port.value == "53");
                let dns = dns.map(|p| (p.span, p.protocol.value.to_uppercase()));
                by_udp(
                    dns.collect(),
                    &format!("{}.egress", spec.path),
                    object,
                    found,
                );
            }
        }
        Object::NetworkPolicy(policy) => {
            let dns = network_dns(policy).map(|p| {
                let protocol = p.protocol.as_ref().map_or("TCP", |p| p.value.as_str());
                (p.span, protocol.to_owned())
            });
            by_udp(dns.collect(), "spec.egress", object, found);
        }
        _ => {}
    }
}

fn network_dns(policy: &NetworkPolicy) -> impl Iterator<Item = &NetworkPolicyPort> {
    let ports = policy.egress.iter().flat_map(|r| &r.ports);
    ports.filter(|p| {
        let port = p.port.as_ref().map(|p| &p.value);
        matches!(port, Some(IntOrString::Int(53)))
    })
}

fn by_udp(dns: Vec<(Span, String)>, path: &str, object: &Object, found: &mut Findings) {
    let Some((span, _)) = dns.first() else { return };
    if !dns.iter().all(|(_, protocol)| protocol == "UDP") {
        return;
    }
    found.push(
        Diagnostic::new(DNS_BY_UDP, *span, "DNS is allowed by UDP, and not by TCP")
            .at(path)
            .of(object.object_ref().to_string())
            .help("answers that do not fit into a packet are asked for again by TCP: allow port 53 for both"),
    );
}

fn deny_every_protocol(object: &Object, found: &mut Findings) {
    for member in Member::of(object).filter(|m| m.deny) {
        let ports = member.own.to_ports.iter().flat_map(|r| &r.ports);
        for port in ports.filter(|p| p.protocol.value.is_empty() && p.port.value != "0") {
            let number = &port.port.value;
            let direction = match member.direction {
                Direction::Ingress => "from",
                Direction::Egress => "to",
            };
            let finding = member.finding(
                DENY_EVERY_PROTOCOL,
                port.span,
                format!("port {number} is denied {direction} these peers for TCP, UDP and SCTP"),
            );
            found.push(finding.help("if one protocol is meant, name it: `protocol: TCP`"));
        }
    }
}

fn without_icmp(object: &Object, found: &mut Findings) {
    for member in Member::of(object).filter(|m| !m.deny) {
        let icmp_elsewhere = |list: &[netverdict::object::cilium::PolicyMember]| {
            list.iter().any(|m| !m.icmps.is_empty())
        };
        let beside = match member.direction {
            Direction::Ingress => &member.spec.ingress,
            Direction::Egress => &member.spec.egress,
        };
        if icmp_elsewhere(beside) {
            continue;
        }
        let plain = member.own.to_ports.iter().filter(|r| r.rules.is_none());
        let any = |p: &&netverdict::object::cilium::PortProtocol| {
            p.port.value == "0" && matches!(&*p.protocol.value.to_uppercase(), "" | "ANY")
        };
        for port in plain.flat_map(|r| &r.ports).filter(any) {
            let message = "every port of TCP, UDP and SCTP is allowed, and ICMP is not";
            let finding = member.finding(EVERY_PORT_WITHOUT_ICMP, port.span, message);
            found.push(finding.help(
                "pings are dropped: leave `toPorts` out to allow everything, or add a member with `icmps`",
            ));
        }
    }
}
