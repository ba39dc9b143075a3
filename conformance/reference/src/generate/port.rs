//! Ports, protocols, ICMP types and layer-7 rules.

use super::world::{NAMES, PORT_NAMES};
use super::{Draw, Profile};
use netverdict::rule::{Direction, protocol};
use serde_json::{Value, json};

/// Few numbers, so that rules meet: as written, first and last port.
const PORTS: [(&str, i32, u16, u16); 22] = [
    ("80", 0, 80, 80),
    ("80", 0, 80, 80),
    ("80", 90, 80, 90),
    ("443", 0, 443, 443),
    ("53", 0, 53, 53),
    ("8080", 0, 8080, 8080),
    ("8080", 8090, 8080, 8090),
    ("0", 0, 0, 65535),
    ("0", 90, 0, 65535),
    ("1", 1023, 1, 1023),
    ("1024", 65535, 1024, 65535),
    ("1", 65535, 1, 65535),
    ("010", 0, 8, 8),
    ("0120", 0, 80, 80),
    ("1_0", 0, 10, 10),
    ("90", 80, 90, 90),
    ("80", 80, 80, 80),
    ("79", 81, 79, 81),
    ("65535", 0, 65535, 65535),
    ("80", 70000, 80, 4464),
    ("64", 127, 64, 127),
    ("80", -1, 80, 80),
];

const EXTENDED: [&str; 7] = ["VRRP", "IGMP", "GRE", "IPIP", "IPV6", "ESP", "AH"];

impl Draw<'_> {
    /// `toPorts` of one rule member.
    pub(super) fn port_rules(&mut self, direction: Direction, deny: bool, host: bool) -> Value {
        if self.profile != Profile::Simple {
            match self.dice.below(60) {
                0 => return json!([]),
                1 => return json!([{}]),
                2 => return json!([{"ports": []}]),
                _ => {}
            }
        }
        let count = if self.dice.chance(85) { 1 } else { 2 };
        (0..count)
            .map(|_| self.port_rule(direction, deny, host))
            .collect()
    }

    fn port_rule(&mut self, direction: Direction, deny: bool, host: bool) -> Value {
        let plain = deny || self.profile == Profile::Simple || self.dice.chance(38);
        if plain {
            let ports: Vec<Value> = (0..self.dice.between(1, 3))
                .map(|_| self.port_protocol(direction, None))
                .collect();
            return json!({"ports": ports});
        }
        let proxy = !self.world.config.disable_l7_proxy && !host;
        match self.dice.weighted(&[45, 20, 12, 8, 6, 9]) {
            0 if proxy => {
                let rules = self.http_rules();
                let port = self.port_protocol(direction, Some("TCP"));
                json!({"ports": [port], "rules": {"http": rules}})
            }
            1 if proxy && direction == Direction::Egress => {
                let rules = self.dns_rules();
                let proto = self.dice.pick(&["UDP", "TCP", "ANY"]);
                let mut port = self.port_protocol(direction, Some(proto));
                port.as_object_mut().map(|p| p.remove("endPort"));
                json!({"ports": [port], "rules": {"dns": rules}})
            }
            2 => {
                let names: Vec<&str> = (0..self.dice.between(1, 2))
                    .map(|_| {
                        self.dice
                            .pick(&["www.example.com", "*.example.com", "**.io", "a.b"])
                    })
                    .collect();
                let port = self.port_protocol(direction, Some("TCP"));
                json!({"ports": [port], "serverNames": names})
            }
            3 => {
                let tls = json!({"secret": {"namespace": "default", "name": "tls"}});
                let field = self.dice.pick(&["terminatingTLS", "originatingTLS"]);
                let port = self.port_protocol(direction, Some("TCP"));
                let mut rule = json!({"ports": [port], field: tls});
                if proxy && self.dice.chance(50) {
                    rule["rules"] = json!({"http": self.http_rules()});
                    if field == "terminatingTLS" && self.dice.chance(50) {
                        rule["serverNames"] = json!(["www.example.com"]);
                    }
                }
                rule
            }
            4 => {
                // Layer-7 rules that say nothing.
                let empty = self.dice.one(&[
                    json!({}),
                    json!({"http": []}),
                    json!({"dns": []}),
                    json!({"kafka": [{"topic": "t"}]}),
                ]);
                let port = self.port_protocol(direction, None);
                json!({"ports": [port], "rules": empty})
            }
            5 if direction == Direction::Egress => {
                let kind =
                    self.dice
                        .pick(&["CiliumEnvoyConfig", "CiliumClusterwideEnvoyConfig", ""]);
                let mut envoy = json!({"name": "envoy", "kind": kind});
                if kind.is_empty() {
                    envoy = json!({"name": "envoy"});
                }
                let name = self.dice.pick(&["one", "two"]);
                let mut listener = json!({"name": name, "envoyConfig": envoy});
                if self.dice.chance(50) {
                    listener["priority"] = json!(self.dice.one(&[0, 1, 50, 100, 101, 200]));
                }
                let port = self.port_protocol(direction, Some("TCP"));
                json!({"ports": [port], "listener": listener})
            }
            _ => {
                let port = self.port_protocol(direction, None);
                json!({"ports": [port]})
            }
        }
    }

    /// One element of `ports`; with layer-7 rules the protocol is given and
    /// the port is not 0.
    fn port_protocol(&mut self, direction: Direction, wanted: Option<&str>) -> Value {
        let simple = self.profile == Profile::Simple;
        let named = !simple && self.dice.chance(14);
        let proto = match wanted {
            Some(proto) => proto.to_owned(),
            None if simple => self.dice.pick(&["TCP", "UDP"]).to_owned(),
            None => match self.dice.weighted(&[50, 14, 6, 10, 14, 4, 2]) {
                0 => "TCP".to_owned(),
                1 => "UDP".to_owned(),
                2 => "SCTP".to_owned(),
                3 => "ANY".to_owned(),
                4 => String::new(),
                5 if !named => return self.extended(direction),
                _ => self.dice.pick(&["tcp", "Udp", "any"]).to_owned(),
            },
        };
        let number = protocol::number(&proto).unwrap_or(0);
        let mut port = json!({});
        if !proto.is_empty() || self.dice.chance(10) {
            port["protocol"] = json!(proto);
        }
        if named {
            let (name, of, numbers) = self.dice.one(&PORT_NAMES);
            let upper = self.dice.chance(10);
            port["port"] = json!(if upper {
                name.to_ascii_uppercase()
            } else {
                name.to_owned()
            });
            if self.dice.chance(10) {
                port["endPort"] = json!(8090);
            }
            for n in numbers {
                self.mentions.port(direction, of, n, n);
            }
            return port;
        }
        // Layer-7 rules for one port have to get along.
        let usual = wanted.is_some() && self.dice.chance(50);
        let (text, end, low, high) = loop {
            let p = if usual {
                PORTS[0]
            } else {
                self.dice.one(&PORTS)
            };
            let ordinary = p.1 >= 0 && p.1 <= 65535 && !p.0.starts_with('0') && !p.0.contains('_');
            if (wanted.is_none() || p.2 != 0) && (!simple || (ordinary && p.2 != 0)) {
                break p;
            }
        };
        port["port"] = json!(text);
        if end != 0 {
            port["endPort"] = json!(end);
        }
        // Ports with layer-7 rules are few: ask for them more often.
        for _ in 0..if wanted.is_some() { 3 } else { 1 } {
            self.mentions.port(direction, number, low, high);
        }
        port
    }

    /// A protocol without ports.
    fn extended(&mut self, direction: Direction) -> Value {
        let name = self.dice.pick(&EXTENDED);
        self.mentions
            .port(direction, protocol::number(name).unwrap_or(0), 0, 0);
        if self.world.config.extended_ip_protocols && self.dice.chance(50) {
            json!({"port": "", "protocol": name})
        } else {
            json!({"port": "0", "protocol": name})
        }
    }

    /// `icmps` of one rule member.
    pub(super) fn icmps(&mut self, direction: Direction) -> Value {
        if self.dice.chance(5) {
            return self
                .dice
                .one(&[json!([]), json!([{}]), json!([{"fields": []}])]);
        }
        let fields: Vec<Value> = (0..self.dice.between(1, 3))
            .map(|_| {
                let (family, kind, number, proto) = self.dice.one(&[
                    (Some("IPv4"), json!(8), 8, protocol::ICMP),
                    (None, json!("EchoRequest"), 8, protocol::ICMP),
                    (Some("IPv4"), json!("EchoReply"), 0, protocol::ICMP),
                    (
                        Some("IPv4"),
                        json!("DestinationUnreachable"),
                        3,
                        protocol::ICMP,
                    ),
                    (None, json!(3), 3, protocol::ICMP),
                    (Some("IPv4"), json!("8"), 8, protocol::ICMP),
                    (Some("IPv6"), json!(128), 128, protocol::ICMPV6),
                    (Some("IPv6"), json!("EchoRequest"), 128, protocol::ICMPV6),
                    (
                        Some("IPv6"),
                        json!("NeighborSolicitation"),
                        135,
                        protocol::ICMPV6,
                    ),
                    (None, json!(300), 300, protocol::ICMP),
                ]);
                self.mentions.port(direction, proto, number, number);
                match family {
                    Some(family) => json!({"family": family, "type": kind}),
                    None => json!({"type": kind}),
                }
            })
            .collect();
        json!([{"fields": fields}])
    }

    fn http_rules(&mut self) -> Value {
        // Cilium appends to slices that rules share when they have room to
        // grow, and they have none at these lengths.
        let count = if self.profile == Profile::Stable {
            self.dice.one(&[1, 2, 4])
        } else {
            self.dice.between(1, 4)
        };
        (0..count)
            .map(|_| {
                self.dice.one(&[
                    json!({}),
                    json!({"method": "GET"}),
                    json!({"method": "GET|HEAD", "path": "/api/.*"}),
                    json!({"path": "/public"}),
                    json!({"host": "a.io", "headers": ["X-Team: red"]}),
                    json!({"headerMatches": [{"name": "X-A", "value": "1", "mismatch": "ADD"}]}),
                ])
            })
            .collect()
    }

    fn dns_rules(&mut self) -> Value {
        let count = self.dice.one(&[1, 2]);
        (0..count).map(|_| self.name_rule()).collect()
    }

    /// A rule of `toFQDNs` or of `rules.dns`.
    pub(super) fn name_rule(&mut self) -> Value {
        let name = self.dice.pick(&NAMES);
        let field = if name.contains('*') {
            "matchPattern"
        } else {
            "matchName"
        };
        json!({field: name})
    }
}
