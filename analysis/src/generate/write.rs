//! Drafts → YAML.

use super::draft::{Draft, Member, OnTerms, Other, Port};
use super::requests::Requests;
use crate::ports::ports_of;
use ipnet::IpNet;
use netverdict::label::keys;
use netverdict::rule::{Direction, protocol};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// As many ports as one element of `toPorts` may have.
const MAX_PORTS: usize = 40;

/// Members that say the same of several peers become one.
type Grouped<'d> =
    BTreeMap<(&'static str, BTreeSet<Port>, &'d OnTerms), Vec<(&'d Other, &'d Member)>>;

/// A CiliumNetworkPolicy.
pub(super) fn cilium(namespace: &str, name: &str, draft: &Draft) -> String {
    let mut out = head("cilium.io/v2", "CiliumNetworkPolicy", namespace, name);
    out += "  endpointSelector:\n";
    match_labels(&mut out, 4, &draft.labels);
    for (list, prefix, members, direction) in [
        ("ingress", "from", &draft.ingress, Direction::Ingress),
        ("egress", "to", &draft.egress, Direction::Egress),
    ] {
        if members.is_empty() {
            if draft.closed.contains(&direction) {
                let _ = writeln!(out, "  {list}:\n  - {{}}");
            }
            continue;
        }
        let _ = writeln!(out, "  {list}:");
        let field = |other: &Other| match (other, prefix) {
            (Other::Pods { .. }, "from") => "fromEndpoints",
            (Other::Pods { .. }, _) => "toEndpoints",
            (Other::Entity(_), "from") => "fromEntities",
            (Other::Entity(_), _) => "toEntities",
            (Other::Prefix { except, .. }, "from") if except.is_empty() => "fromCIDR",
            (Other::Prefix { except, .. }, _) if except.is_empty() => "toCIDR",
            (Other::Prefix { .. }, "from") => "fromCIDRSet",
            (Other::Prefix { .. }, _) => "toCIDRSet",
            (Other::Name(_), _) => "toFQDNs",
        };
        let mut grouped = Grouped::new();
        for (other, member) in members {
            for (on, ports) in &member.ports {
                let (icmp, ports): (BTreeSet<Port>, BTreeSet<Port>) = ports
                    .iter()
                    .cloned()
                    .partition(|p| matches!(p, Port::Icmp { .. }));
                for ports in [ports, icmp].into_iter().filter(|p| !p.is_empty()) {
                    let group = grouped.entry((field(other), ports, on)).or_default();
                    group.push((other, member));
                }
            }
        }
        for ((field, ports, on), others) in grouped {
            evidence(&mut out, &others);
            let _ = writeln!(out, "  - {field}:");
            for (other, _) in others {
                match other {
                    Other::Pods {
                        namespace: theirs,
                        labels,
                    } => {
                        let mut labels = labels.clone();
                        if theirs != namespace || labels.is_empty() {
                            let key = format!("k8s:{}", keys::POD_NAMESPACE);
                            labels.push((key, theirs.clone()));
                        }
                        out += "    - matchLabels:\n";
                        pairs(&mut out, 8, &labels);
                    }
                    Other::Entity(name) => {
                        let _ = writeln!(out, "    - {name}");
                    }
                    Other::Prefix { prefix, except } if except.is_empty() => {
                        let _ = writeln!(out, "    - {}", quoted(&prefix.to_string()));
                    }
                    Other::Prefix { prefix, except } => {
                        let _ = writeln!(out, "    - cidr: {}", quoted(&prefix.to_string()));
                        list_except(&mut out, 6, except);
                    }
                    Other::Name(name) => {
                        let field = match name.contains('*') {
                            true => "matchPattern",
                            false => "matchName",
                        };
                        let _ = writeln!(out, "    - {field}: {}", quoted(name));
                    }
                }
            }
            cilium_ports(&mut out, &ports, on);
            if on.authenticated {
                out += "    authentication:\n      mode: required\n";
            }
        }
    }
    out
}

fn list_except(out: &mut String, indent: usize, except: &[IpNet]) {
    let _ = writeln!(out, "{:indent$}except:", "");
    for prefix in except {
        let _ = writeln!(out, "{:indent$}- {}", "", quoted(&prefix.to_string()));
    }
}

fn cilium_ports(out: &mut String, ports: &BTreeSet<Port>, on: &OnTerms) {
    if ports.contains(&Port::Every) {
        return;
    }
    let all: Vec<&Port> = ports.iter().collect();
    if all.iter().any(|p| matches!(p, Port::Icmp { .. })) {
        *out += "    icmps:\n";
        for chunk in all.chunks(MAX_PORTS) {
            *out += "    - fields:\n";
            for port in chunk {
                if let Port::Icmp { protocol, kind } = port {
                    let family = match *protocol {
                        protocol::ICMP => "IPv4",
                        _ => "IPv6",
                    };
                    let _ = writeln!(out, "      - family: {family}\n        type: {kind}");
                }
            }
        }
        return;
    }
    *out += "    toPorts:\n";
    for chunk in all.chunks(MAX_PORTS) {
        *out += "    - ports:\n";
        for (protocol, first, last) in chunk.iter().filter_map(|p| p.range()) {
            let name = protocol::name(protocol).unwrap_or("ANY");
            let whole = (first, last) == ports_of(protocol);
            // Port 0 stands for all of them, but not beside rules for a proxy.
            let first = match whole && on.requests == Requests::Every {
                true => 0,
                false => first,
            };
            let _ = writeln!(out, "      - port: \"{first}\"");
            if first != 0 && first != last {
                let _ = writeln!(out, "        endPort: {last}");
            }
            let _ = writeln!(out, "        protocol: {name}");
        }
        on.requests.write(out, quoted);
    }
}

/// A NetworkPolicy.
pub(super) fn kubernetes(namespace: &str, name: &str, draft: &Draft) -> String {
    let mut out = head("networking.k8s.io/v1", "NetworkPolicy", namespace, name);
    out += "  podSelector:\n";
    match_labels(&mut out, 4, &draft.labels);
    out += "  policyTypes:\n";
    for (kind, members, direction) in [
        ("Ingress", &draft.ingress, Direction::Ingress),
        ("Egress", &draft.egress, Direction::Egress),
    ] {
        if !members.is_empty() || draft.closed.contains(&direction) {
            let _ = writeln!(out, "  - {kind}");
        }
    }
    for (list, field, members) in [
        ("ingress", "from", &draft.ingress),
        ("egress", "to", &draft.egress),
    ] {
        if members.is_empty() {
            continue;
        }
        let _ = writeln!(out, "  {list}:");
        let mut grouped = Grouped::new();
        for (other, member) in members {
            for (on, ports) in &member.ports {
                let group = grouped.entry((field, ports.clone(), on)).or_default();
                group.push((other, member));
            }
        }
        for ((field, ports, _), others) in grouped {
            evidence(&mut out, &others);
            let _ = writeln!(out, "  - {field}:");
            for (other, _) in others {
                kubernetes_peer(&mut out, namespace, other);
            }
            if ports.contains(&Port::Every) {
                continue;
            }
            out += "    ports:\n";
            for (protocol, first, last) in ports.iter().filter_map(Port::range) {
                let name = protocol::name(protocol).unwrap_or("TCP");
                let _ = writeln!(out, "    - protocol: {name}");
                if (first, last) != ports_of(protocol) {
                    let _ = writeln!(out, "      port: {first}");
                    if first != last {
                        let _ = writeln!(out, "      endPort: {last}");
                    }
                }
            }
        }
    }
    out
}

fn kubernetes_peer(out: &mut String, namespace: &str, other: &Other) {
    match other {
        Other::Pods {
            namespace: theirs,
            labels,
        } => {
            *out += "    - podSelector:\n";
            match_labels(out, 8, labels);
            if theirs != namespace {
                let label = ("kubernetes.io/metadata.name".to_owned(), theirs.clone());
                *out += "      namespaceSelector:\n";
                match_labels(out, 8, &[label]);
            }
        }
        Other::Prefix { prefix, except } => {
            let prefix = quoted(&prefix.to_string());
            let _ = writeln!(out, "    - ipBlock:\n        cidr: {prefix}");
            if !except.is_empty() {
                list_except(out, 8, except);
            }
        }
        Other::Entity(name) => {
            let blocks: &[&str] = match *name {
                "world-ipv6" => &["::/0"],
                "world-ipv4" => &["0.0.0.0/0"],
                _ => &["0.0.0.0/0", "::/0"],
            };
            for block in blocks {
                let _ = writeln!(out, "    - ipBlock:\n        cidr: {}", quoted(block));
            }
        }
        // Never drafted for this kind.
        Other::Name(_) => {}
    }
}

fn head(version: &str, kind: &str, namespace: &str, name: &str) -> String {
    format!(
        "apiVersion: {version}\nkind: {kind}\nmetadata:\n  name: {}\n  namespace: {}\nspec:\n",
        quoted(name),
        quoted(namespace)
    )
}

/// How somebody knows, a comment for each peer.
fn evidence(out: &mut String, others: &[(&Other, &Member)]) {
    const LISTED: usize = 4;
    for (_, member) in others {
        for line in member.evidence.iter().take(LISTED) {
            let line: String = line.chars().filter(|c| !c.is_control()).collect();
            let _ = writeln!(out, "  # {line}");
        }
        if member.evidence.len() > LISTED {
            let _ = writeln!(out, "  # and {} more", member.evidence.len() - LISTED);
        }
    }
}

fn match_labels(out: &mut String, indent: usize, labels: &[(String, String)]) {
    if labels.is_empty() {
        // An empty selector: everything.
        let _ = writeln!(out, "{:indent$}matchLabels: {{}}", "");
        return;
    }
    let _ = writeln!(out, "{:indent$}matchLabels:", "");
    pairs(out, indent + 2, labels);
}

fn pairs(out: &mut String, indent: usize, labels: &[(String, String)]) {
    for (key, value) in labels {
        let _ = writeln!(out, "{:indent$}{}: {}", "", quoted(key), quoted(value));
    }
}

/// Text as a YAML scalar, quoted unless it is plainly a word.
fn quoted(text: &str) -> String {
    let harmless =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'/' | b'_' | b':');
    let word = text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
        && text.bytes().all(harmless)
        && !text.ends_with(':');
    let other = matches!(
        text.to_ascii_lowercase().as_str(),
        "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null"
    );
    if word && !other {
        text.to_owned()
    } else {
        serde_json::Value::from(text).to_string()
    }
}
