//! Ports, protocols and ICMP types.

use super::codes::*;
use super::path::Path;
use super::peers::peer_kinds;
use super::{Checker, MemberList};
use crate::diagnostic::Severity;
use crate::diagnostic::suggest;
use crate::object::cilium::{IcmpRule, PolicyMember, PortProtocol, PortRule};
use crate::object::port::{self, Port, PortError, Protocol};

/// Ports of one element of `toPorts` (`PortRule.sanitize`).
pub const MAX_PORTS: usize = 40;
/// Fields of one element of `icmps` (`ICMPRule.verify`).
pub const MAX_ICMP_FIELDS: usize = 40;

impl Checker<'_> {
    /// `PortRule.sanitize`, `PortDenyRule.sanitize`.
    pub(super) fn port_rule(&mut self, rule: &PortRule, path: &Path<'_>, list: MemberList) {
        self.before_ports(rule, path);
        if let Some(beyond) = rule.ports.get(MAX_PORTS) {
            self.report(
                TOO_MANY_PORTS,
                beyond.span,
                path.element("ports", MAX_PORTS),
                format!(
                    "{} ports, at most {MAX_PORTS} are allowed",
                    rule.ports.len()
                ),
                "split them into several elements of `toPorts`, or use `endPort` for ranges",
            );
        }
        for (i, port) in rule.ports.iter().enumerate() {
            let path = path.element("ports", i);
            self.port_protocol(port, &path, rule, list);
            self.l7_on_port(rule, port, &path);
        }
        self.after_ports(rule, path, list);
    }

    /// `PortProtocol.sanitize`.
    fn port_protocol(
        &mut self,
        port: &PortProtocol,
        path: &Path<'_>,
        rule: &PortRule,
        list: MemberList,
    ) {
        let text = &port.port;
        let at = path.field("port");
        if text.value.is_empty() {
            if !self.config.extended_ip_protocols {
                let help = if is_extended(&port.protocol.value) {
                    "protocols without ports need `enable-extended-ip-protocols`"
                } else {
                    "port `\"0\"` stands for every port of the protocol"
                };
                self.report(PORT_MISSING, port.span, at, "the port is missing", help);
            }
        } else {
            match port::parse_port(&text.value) {
                Ok(Port::Name(_)) => {}
                _ if text.value != "0" && is_extended(&port.protocol.value) => {
                    self.report_text(
                        PORT_EXTENDED,
                        text,
                        at,
                        format!("{} has no ports", port.protocol.value),
                        "give port `\"0\"`",
                    );
                }
                Ok(Port::Number(number)) => self.port_number(port, number, path, rule),
                Err(error) => self.bad_port(port, error, at),
            }
        }
        self.protocol(port, path);
        self.port_hints(port, path, list);
    }

    fn bad_port(&mut self, port: &PortProtocol, error: PortError, path: Path<'_>) {
        let text = &port.port;
        let help = match (error, text.value.split_once('-')) {
            (PortError::Range, _) => "ports go up to 65535".to_owned(),
            (_, Some((first, last))) if is_number(first) && is_number(last) => {
                format!("a range is written `port: \"{first}\"` and `endPort: {last}`")
            }
            _ if text.value.len() > 15 => "port names have at most 15 characters".to_owned(),
            _ => "a port is a number, or a name of letters, digits and single dashes".to_owned(),
        };
        let message = format!("`{}` is no port", text.value);
        self.report_text(PORT, text, path, message, help);
    }

    fn port_number(&mut self, port: &PortProtocol, number: u16, path: &Path<'_>, rule: &PortRule) {
        let text = &port.port;
        if has_dns_rules(rule) && port.end_port.value > i32::from(number) {
            self.report(
                DNS_RANGE,
                port.end_port.span,
                path.field("endPort"),
                "DNS rules take no port range",
                "list the ports one by one; DNS is on port 53",
            );
        }
        if text.value != number.to_string() {
            let problem = self.problem(
                PORT_SPELLING,
                text.span,
                path.field("port"),
                format!("`{}` is read as port {number}", text.value),
                "Cilium takes a leading zero for octal and skips underscores",
            );
            let title = format!("write `{number}`");
            self.found
                .push(problem.fix(title, text.span, format!("\"{number}\""), false));
        }
    }

    fn protocol(&mut self, port: &PortProtocol, path: &Path<'_>) {
        let text = &port.protocol;
        let at = path.field("protocol");
        match Protocol::parse(&text.value) {
            Some(protocol) => {
                if protocol.is_extended() && !self.config.extended_ip_protocols {
                    self.report(
                        PROTOCOL_DISABLED,
                        text.span,
                        at,
                        format!(
                            "{} only matches with `enable-extended-ip-protocols`",
                            protocol.as_str()
                        ),
                        "switch it on in the agent's configuration",
                    );
                }
            }
            None => {
                let names = Protocol::IN_PORTS.map(Protocol::as_str);
                let close = suggest(&text.value, names);
                let help = match close {
                    _ if text.value.to_uppercase().starts_with("ICMP") => {
                        "ICMP is matched by type: `icmps: [{fields: [{type: EchoRequest}]}]`"
                            .to_owned()
                    }
                    Some(close) => format!("did you mean `{close}`?"),
                    None => format!("the protocols are {}", names.join(", ")),
                };
                let message = format!("`{}` is no protocol of ports", text.value);
                self.report_text(PROTOCOL, text, at, message, help);
            }
        }
    }

    fn port_hints(&mut self, port: &PortProtocol, path: &Path<'_>, list: MemberList) {
        let end = port.end_port.value;
        if end == 0 {
            return;
        }
        let span = port.end_port.span;
        let at = path.field("endPort");
        if !(0..=65535).contains(&end) {
            self.report(
                END_PORT_OVERFLOW,
                span,
                at,
                format!("`endPort` {end} becomes {}", end & 0xffff),
                "Cilium keeps the lower 16 bits; ports go up to 65535",
            );
            return;
        }
        match port::parse_port(&port.port.value) {
            Ok(Port::Name(name)) if list.ingress => self.report(
                NAMED_RANGE,
                span,
                at,
                format!(
                    "the range begins at the port that `{name}` stands for, which each pod decides"
                ),
                "give the first port of the range by its number",
            ),
            Ok(Port::Name(name)) => self.report(
                END_PORT_IGNORED,
                span,
                at,
                format!("`endPort` is ignored beside the named port `{name}`"),
                "give the first port of the range by its number",
            ),
            Ok(Port::Number(0)) => self.report(
                END_PORT_IGNORED,
                span,
                at,
                "`endPort` is ignored: port 0 is every port",
                "give the first port of the range",
            ),
            Ok(Port::Number(first)) if end < i32::from(first) => self.report(
                RANGE_INVERTED,
                span,
                at,
                format!("`endPort` {end} is below port {first}"),
                format!("Cilium takes port {first} alone"),
            ),
            _ => {}
        }
    }

    /// `ICMPRule.verify`.
    pub(super) fn icmp_rule(&mut self, rule: &IcmpRule, path: &Path<'_>) {
        if let Some(beyond) = rule.fields.get(MAX_ICMP_FIELDS) {
            self.report(
                ICMP_FIELDS,
                beyond.icmp_type.span,
                path.element("fields", MAX_ICMP_FIELDS),
                format!(
                    "{} fields, at most {MAX_ICMP_FIELDS} are allowed",
                    rule.fields.len()
                ),
                "split them into several elements of `icmps`",
            );
        }
        for (i, field) in rule.fields.iter().enumerate() {
            let path = path.element("fields", i);
            let family = &field.family;
            if !["", "IPv4", "IPv6"].contains(&family.value.as_str()) {
                let message = format!("there is no family `{}`", family.value);
                let help = "the families are `IPv4` and `IPv6`";
                self.report_text(ICMP_FAMILY, family, path.field("family"), message, help);
            }
            let at = path.field("type");
            let text = &field.icmp_type;
            match port::unchecked_port(&text.value) {
                Port::Number(0) => self.report(
                    ICMP_ZERO,
                    text.span,
                    at,
                    "this type matches every ICMP type of the family",
                    "Cilium makes a port of the type, and port 0 is every port; echo replies need no rule of their own",
                ),
                Port::Number(1..=255) | Port::Name(_) => {}
                Port::Number(number) => self.report(
                    ICMP_RANGE,
                    text.span,
                    at,
                    format!("no packet has ICMP type {number}"),
                    "types go up to 255",
                ),
            }
        }
    }

    /// Members that match nothing.
    pub(super) fn idle_member(&mut self, member: &PolicyMember, list: MemberList) {
        let kinds = peer_kinds(member);
        let peers = kinds.iter().any(|k| k.first.is_some() || k.selects_nobody);
        if !peers && member.to_ports.is_empty() && member.icmps.is_empty() {
            let (message, help) = if list.deny {
                (
                    "the member denies nothing",
                    "name the peers or ports to deny; `fromEntities: [all]` or `toEntities: [all]` is everybody",
                )
            } else {
                (
                    "the member allows nothing",
                    "it switches on default deny and no more; to allow everybody use the entity `all`",
                )
            };
            let path = member.path.clone();
            let mut problem = self.problem(EMPTY_MEMBER, member.span, path, message, help);
            // Alone, it is how default deny is written.
            if list.single && !list.deny {
                problem.severity = Severity::Info;
            }
            self.found.push(problem);
        }
        let ports = member
            .to_ports
            .iter()
            .map(|r| (r.ports.is_empty(), r.span, "toPorts"));
        let icmps = member
            .icmps
            .iter()
            .map(|r| (r.fields.is_empty(), r.span, "icmps"));
        let rules: Vec<_> = ports.chain(icmps).collect();
        if let Some((_, span, name)) = rules.first()
            && rules.iter().all(|(empty, ..)| *empty)
        {
            self.report(
                NO_PORTS,
                *span,
                format!("{}.{name}", member.path),
                format!("no element of `{name}` has ports, so that the member matches nothing"),
                format!("leave `{name}` out to mean every port"),
            );
        }
    }
}

/// `isExtendedIPProtocol`, asked before the protocol is put in upper case.
fn is_extended(protocol: &str) -> bool {
    Protocol::parse(protocol).is_some_and(|p| p.is_extended() && p.as_str() == protocol)
}

fn is_number(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

pub(super) fn has_dns_rules(rule: &PortRule) -> bool {
    let dns = rule.rules.as_ref().and_then(|rules| rules.dns.as_ref());
    dns.is_some_and(|dns| !dns.is_empty())
}
