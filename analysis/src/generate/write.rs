//! Drafts → YAML.

use super::draft::{Draft, Member, Other, Port};
use netverdict::label::keys;
use netverdict::rule::protocol;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// As many ports as one element of `toPorts` may have.
const MAX_PORTS: usize = 40;

/// Members that say the same of several peers become one.
type Grouped<'d> = BTreeMap<(&'static str, BTreeSet<Port>, bool), Vec<(&'d Other, &'d Member)>>;

/// A CiliumNetworkPolicy.
pub(super) fn cilium(namespace: &str, name: &str, draft: &Draft) -> String {
    let mut out = head("cilium.io/v2", "CiliumNetworkPolicy", namespace, name);
    out += "  endpointSelector:\n";
    match_labels(&mut out, 4, &draft.labels);
    for (list, prefix, members) in [
        ("ingress", "from", &draft.ingress),
        ("egress", "to", &draft.egress),
    ] {
        if members.is_empty() {
            continue;
        }
        let _ = writeln!(out, "  {list}:");
        let field = |other: &Other| match (other, prefix) {
            (Other::Pods { .. }, "from") => "fromEndpoints",
            (Other::Pods { .. }, _) => "toEndpoints",
            (Other::Entity(_), "from") => "fromEntities",
            (Other::Entity(_), _) => "toEntities",
            (Other::Prefix(_), "from") => "fromCIDR",
            (Other::Prefix(_), _) => "toCIDR",
            (Other::Name(_), _) => "toFQDNs",
        };
        let mut grouped = Grouped::new();
        for (other, member) in members {
            let (icmp, ports): (BTreeSet<Port>, BTreeSet<Port>) = member
                .ports
                .iter()
                .cloned()
                .partition(|p| matches!(p, Port::Icmp { .. }));
            for ports in [ports, icmp].into_iter().filter(|p| !p.is_empty()) {
                let dns = member.dns && !ports.iter().any(|p| matches!(p, Port::Icmp { .. }));
                let group = grouped.entry((field(other), ports, dns)).or_default();
                group.push((other, member));
            }
        }
        for ((field, ports, dns), others) in grouped {
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
                    Other::Prefix(prefix) => {
                        let _ = writeln!(out, "    - {}", quoted(&prefix.to_string()));
                    }
                    Other::Name(name) => {
                        let _ = writeln!(out, "    - matchName: {}", quoted(name));
                    }
                }
            }
            cilium_ports(&mut out, &ports, dns);
        }
    }
    out
}

fn cilium_ports(out: &mut String, ports: &BTreeSet<Port>, dns: bool) {
    let all: Vec<&Port> = ports.iter().collect();
    if all.iter().any(|p| matches!(p, Port::Icmp { .. })) {
        *out += "    icmps:\n    - fields:\n";
        for port in all {
            if let Port::Icmp { protocol, kind } = port {
                let family = match *protocol {
                    protocol::ICMP => "IPv4",
                    _ => "IPv6",
                };
                let _ = writeln!(out, "      - family: {family}\n        type: {kind}");
            }
        }
        return;
    }
    *out += "    toPorts:\n";
    for chunk in all.chunks(MAX_PORTS) {
        *out += "    - ports:\n";
        for port in chunk {
            if let Port::Number { protocol, port } = port {
                let name = protocol::name(*protocol).unwrap_or("ANY");
                let _ = writeln!(out, "      - port: \"{port}\"\n        protocol: {name}");
            }
        }
        if dns {
            *out += "      rules:\n        dns:\n        - matchPattern: \"*\"\n";
        }
    }
}

/// A NetworkPolicy.
pub(super) fn kubernetes(namespace: &str, name: &str, draft: &Draft) -> String {
    let mut out = head("networking.k8s.io/v1", "NetworkPolicy", namespace, name);
    out += "  podSelector:\n";
    match_labels(&mut out, 4, &draft.labels);
    out += "  policyTypes:\n";
    for (kind, members) in [("Ingress", &draft.ingress), ("Egress", &draft.egress)] {
        if !members.is_empty() {
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
            let group = grouped
                .entry((field, member.ports.clone(), false))
                .or_default();
            group.push((other, member));
        }
        for ((field, ports, _), others) in grouped {
            evidence(&mut out, &others);
            let _ = writeln!(out, "  - {field}:");
            for (other, _) in others {
                kubernetes_peer(&mut out, namespace, other);
            }
            out += "    ports:\n";
            for port in &ports {
                if let Port::Number { protocol, port } = port {
                    let name = protocol::name(*protocol).unwrap_or("TCP");
                    let _ = writeln!(out, "    - port: {port}\n      protocol: {name}");
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
        Other::Prefix(prefix) => {
            let _ = writeln!(
                out,
                "    - ipBlock:\n        cidr: {}",
                quoted(&prefix.to_string())
            );
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
