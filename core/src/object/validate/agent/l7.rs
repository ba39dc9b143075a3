//! Layer-7 rules, server names and listeners of ports.

use super::codes::*;
use super::path::Path;
use super::ports::has_dns_rules;
use super::{Checker, MemberList};
use crate::object::cilium::{HttpRule, L7Rules, PolicyMember, PortProtocol, PortRule};
use crate::object::port::{self, Port, Protocol};
use crate::object::regex;
use crate::source::Spanned;

impl Checker<'_> {
    /// Whether layer-7 rules are possible here at all (`IngressRule.sanitize`,
    /// `EgressRule.sanitize`).
    pub(super) fn l7_support(&mut self, member: &PolicyMember, list: MemberList) {
        let all = member.to_ports.iter().enumerate();
        let rules = all.filter_map(|(i, p)| Some((i, p.rules.as_ref().filter(|r| !is_empty(r))?)));
        let rules: Vec<(usize, &L7Rules)> = rules.collect();
        let Some((first, first_rules)) = rules.first() else {
            return;
        };
        let whole = Path::Whole(&member.path);
        let at = |i: &usize| whole.element("toPorts", *i);
        if list.host && list.ingress {
            self.report(
                L7_HOST,
                first_rules.span,
                at(first).field("rules"),
                "layer-7 rules do not work for what reaches nodes",
                "restrict nodes by peers and ports alone",
            );
        }
        if !self.config.l7_proxy {
            self.report(
                L7_DISABLED,
                first_rules.span,
                at(first).field("rules"),
                "layer-7 rules need the proxy, which is switched off",
                "the agent needs `enable-l7-proxy`, which is its default",
            );
        }
        for (i, rules) in &rules {
            let has_http = rules.http.as_ref().is_some_and(|r| !r.is_empty());
            let has_dns = rules.dns.as_ref().is_some_and(|r| !r.is_empty());
            if list.ingress && has_dns {
                self.report(
                    L7_DIRECTION,
                    rules.span,
                    at(i).field("rules.dns"),
                    "DNS rules are for egress only",
                    "restrict the queries of the clients, in their egress rules",
                );
            }
            if !list.ingress && list.host && has_http {
                self.report(
                    L7_HOST,
                    rules.span,
                    at(i).field("rules.http"),
                    "HTTP rules do not work for what nodes send",
                    "restrict nodes by peers and ports, or by DNS rules",
                );
            }
        }
    }

    /// The checks of `PortRule.sanitize` before it looks at the ports. (It
    /// refuses DNS rules on ingress here once more.)
    pub(super) fn before_ports(&mut self, rule: &PortRule, path: &Path<'_>) {
        let Some(first) = rule.server_names.first() else {
            return;
        };
        let path = path.field("serverNames");
        if has_rules(rule) && rule.terminating_tls.is_none() {
            self.report(
                SERVER_NAMES_L7,
                first.span,
                path,
                "`serverNames` with layer-7 rules need `terminatingTLS`",
                "without decryption the proxy sees the server name and nothing behind it; drop one of the two",
            );
        }
        if let Some(empty) = rule.server_names.iter().find(|name| name.value.is_empty()) {
            self.report(
                SERVER_NAME,
                empty.span,
                path,
                "a server name is empty",
                "remove it",
            );
        }
    }

    /// The check of `PortRule.sanitize` on each port.
    pub(super) fn l7_on_port(&mut self, rule: &PortRule, port: &PortProtocol, path: &Path<'_>) {
        if !has_rules(rule) {
            return;
        }
        let protocol = Protocol::parse(&port.protocol.value);
        if !has_dns_rules(rule) && protocol.is_some_and(|p| p != Protocol::Tcp) {
            let (span, message) = if port.protocol.value.is_empty() {
                (port.span, "HTTP rules need `protocol: TCP`".to_owned())
            } else {
                let message = format!("HTTP rules need TCP, not {}", port.protocol.value);
                (port.protocol.span, message)
            };
            let problem = self.problem(
                L7_PROTOCOL,
                span,
                path.field("protocol"),
                message,
                "without a protocol every one is meant, and HTTP goes over TCP only",
            );
            self.found.push(if port.protocol.value.is_empty() {
                problem
            } else {
                problem.fix("write `TCP`", port.protocol.span, "TCP", false)
            });
        }
        match port::parse_port(&port.port.value) {
            Ok(Port::Number(0)) => self.report(
                L7_PORT_ZERO,
                port.port.span,
                path.field("port"),
                "layer-7 rules need a port, and 0 is every port",
                "give the port the service listens on",
            ),
            Ok(Port::Number(number)) if has_dns_rules(rule) && number != 53 => self.report(
                DNS_PORT,
                port.port.span,
                path.field("port"),
                format!("DNS rules on port {number}"),
                "Cilium allows it; DNS servers listen on port 53",
            ),
            _ => {}
        }
    }

    /// The checks of `PortRule.sanitize` after the ports.
    pub(super) fn after_ports(&mut self, rule: &PortRule, path: &Path<'_>, list: MemberList) {
        if let Some(listener) = &rule.listener {
            let path = path.field("listener");
            if list.ingress {
                self.report(
                    LISTENER_INGRESS,
                    listener.span,
                    path,
                    "listeners are for egress only",
                    "redirect the clients in their egress rules",
                );
            }
            if has_rules(rule) {
                self.report(
                    LISTENER_L7,
                    listener.span,
                    path,
                    "a listener and layer-7 rules stand in one element",
                    "the listener's own configuration decides about requests; drop one of the two",
                );
            }
            if listener.envoy_config.is_none() {
                self.report(
                    LISTENER_CONFIG,
                    listener.span,
                    path.field("envoyConfig"),
                    "the listener has no `envoyConfig`",
                    "the agent crashes on it; name the CiliumEnvoyConfig that defines the listener",
                );
            }
        }
        if has_rules(rule)
            && let Some(rules) = &rule.rules
        {
            self.l7_rules(rules, rule, &path.field("rules"));
        }
    }

    /// `L7Rules.sanitize`.
    fn l7_rules(&mut self, rules: &L7Rules, rule: &PortRule, path: &Path<'_>) {
        for (i, http) in rules.http.iter().flatten().enumerate() {
            self.http_rule(http, &path.element("http", i));
        }
        if rules.dns.is_some() && rule.ports.is_empty() {
            self.report(
                DNS_PORTS,
                rules.span,
                path.field("dns"),
                "DNS rules need a port",
                "add `ports: [{port: \"53\", protocol: ANY}]`",
            );
        }
        for (i, dns) in rules.dns.iter().flatten().enumerate() {
            self.fqdn(dns, &path.element("dns", i), true);
        }
        if rules.http.is_some() && rules.dns.is_some() {
            self.report(
                L7_KINDS,
                rules.span,
                path,
                "`http` and `dns` stand in one element",
                "make two elements of `toPorts` of them; an empty list counts too",
            );
        }
    }

    /// `PortRuleHTTP.Sanitize`.
    fn http_rule(&mut self, rule: &HttpRule, path: &Path<'_>) {
        self.expression(&rule.path, &path.field("path"));
        self.expression(&rule.method, &path.field("method"));
        for (i, header) in rule.header_matches.iter().enumerate() {
            let path = path.element("headerMatches", i);
            let Some(header) = header else {
                self.report(
                    HEADER_NAME,
                    rule.span,
                    path,
                    "a header match is null",
                    "the agent crashes on it; remove the element",
                );
                continue;
            };
            if header.name.value.is_empty() {
                self.report(
                    HEADER_NAME,
                    header.span,
                    path.field("name"),
                    "a header match needs the header's name",
                    "set `name`",
                );
            }
            let actions = ["", "LOG", "ADD", "DELETE", "REPLACE"];
            if !actions.contains(&header.mismatch.value.as_str()) {
                self.report_text(
                    HEADER_ACTION,
                    &header.mismatch,
                    path.field("mismatch"),
                    format!("there is no mismatch action `{}`", header.mismatch.value),
                    "the actions are `LOG`, `ADD`, `DELETE` and `REPLACE`; without one the request is refused",
                );
            }
            if header.secret.as_ref().is_some_and(|s| s.name.is_empty()) {
                self.report(
                    HEADER_SECRET,
                    header.span,
                    path.field("secret.name"),
                    "the secret has no name",
                    "set `secret.name`",
                );
            }
        }
    }

    fn expression(&mut self, text: &Spanned<String>, path: &Path<'_>) {
        if let Err(error) = regex::check(&text.value) {
            let help = format!("{} (at character {})", error.message, error.offset);
            let message = format!("`{}` is no regular expression", text.value);
            self.report_text(HTTP_REGEX, text, path, message, help);
        }
    }
}

/// `L7Rules.IsEmpty`: no rule in either list.
fn is_empty(rules: &L7Rules) -> bool {
    let http = rules.http.as_ref().is_none_or(Vec::is_empty);
    http && rules.dns.as_ref().is_none_or(Vec::is_empty)
}

fn has_rules(rule: &PortRule) -> bool {
    rule.rules.as_ref().is_some_and(|rules| !is_empty(rules))
}
