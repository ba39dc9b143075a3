//! The smallest change that turns a verdict round.
//!
//! In: an explanation. Out: a rule to add or rules to take away. A rule to add
//! speaks of this peer and this port alone; it is written as YAML, once as the
//! member to add to a policy and once as a policy of its own.

use super::{Enforcement, Explanation, Fate, Subject};
use crate::label::{Label, LabelSet, LabelSource, keys};
use crate::policy_map::Verdict;
use crate::rule::{Direction, Rule, RuleVerdict, Tier, protocol};
use std::fmt::Write;
use std::sync::Arc;

/// A change to the policies.
#[derive(Clone, Debug)]
pub struct Change {
    /// What to do.
    pub kind: ChangeKind,
    /// The same in one sentence.
    pub summary: String,
}

/// What a [`Change`] does.
#[derive(Clone, Debug)]
pub enum ChangeKind {
    /// Add a rule.
    Add {
        /// The list it goes to: `ingress`, `egressDeny`, …
        list: &'static str,
        /// The member, as an item of that list.
        member: String,
        /// A whole policy with that member alone. It leaves default deny as it
        /// is.
        policy: String,
        /// A rule of the policy the member would fit into, if there is one.
        beside: Option<Arc<Rule>>,
    },
    /// Take these rules away, or narrow them.
    Remove(Vec<Arc<Rule>>),
}

/// The smallest change for an explanation; `None` when the packet's peer or
/// port cannot be written as a rule.
pub(super) fn smallest(explanation: &Explanation, subject: &Subject<'_>) -> Option<Change> {
    let deciding: Vec<Arc<Rule>> = explanation
        .deciding()
        .filter(|r| !r.origin.is_synthesized())
        .cloned()
        .collect();
    match explanation.verdict {
        Verdict::Deny if !deciding.is_empty() => Some(remove(deciding, "denies this traffic")),
        Verdict::AuthRequired => {
            let wants: Vec<Arc<Rule>> = explanation
                .candidates
                .iter()
                .filter(|c| matches!(c.fate, Fate::Authenticates | Fate::Decides))
                .map(|c| &c.rule)
                .filter(|r| r.authentication.is_some())
                .cloned()
                .collect();
            (!wants.is_empty()).then(|| remove(wants, "asks for authentication"))
        }
        Verdict::Deny | Verdict::DefaultDeny => add(explanation, subject, RuleVerdict::Allow),
        Verdict::Allow | Verdict::Redirect => {
            // A deny of the normal tier does not reach above it.
            if deciding.iter().any(|r| r.tier < Tier::NORMAL) {
                return Some(remove(deciding, "allows this traffic from a higher tier"));
            }
            // Without an entry nothing decided: no rule can change that.
            explanation.key?;
            add(explanation, subject, RuleVerdict::Deny)
        }
    }
}

fn remove(rules: Vec<Arc<Rule>>, why: &str) -> Change {
    let names: Vec<String> = rules
        .iter()
        .map(|r| format!("{} {}", r.origin.object, r.origin.path))
        .collect();
    Change {
        summary: format!("remove or narrow {}, which {why}", names.join(" and ")),
        kind: ChangeKind::Remove(rules),
    }
}

fn add(explanation: &Explanation, subject: &Subject<'_>, verdict: RuleVerdict) -> Option<Change> {
    let direction = explanation.direction;
    let namespace = subject.labels.namespace();
    let (field, value) = peer_yaml(explanation, subject.peer?, namespace)?;
    let mut member = format!("- {field}:\n{value}");
    member.push_str(&port_yaml(explanation)?);
    let list = match (direction, verdict) {
        (Direction::Ingress, RuleVerdict::Deny) => "ingressDeny",
        (Direction::Ingress, _) => "ingress",
        (Direction::Egress, RuleVerdict::Deny) => "egressDeny",
        (Direction::Egress, _) => "egress",
    };
    let deny = verdict == RuleVerdict::Deny;
    let beside = explanation
        .candidates
        .iter()
        .map(|c| &c.rule)
        .find(|r| {
            r.tier == Tier::NORMAL
                && r.origin.object.kind.starts_with("Cilium")
                && !r.origin.is_synthesized()
        })
        .cloned();
    let verb = if deny { "denies" } else { "allows" };
    let mut summary = format!("add a member to `{list}` that {verb} exactly this");
    if let Some(rule) = &beside {
        let _ = write!(summary, ", for instance to {}", rule.origin.object);
    }
    let policy = policy_yaml(explanation, subject.labels, list, &member)?;
    Some(Change {
        kind: ChangeKind::Add {
            list,
            member,
            policy,
            beside,
        },
        summary,
    })
}

/// The peer as a field of a rule member with its value.
fn peer_yaml(
    explanation: &Explanation,
    peer: &LabelSet,
    namespace: Option<&str>,
) -> Option<(String, String)> {
    let prefix = match explanation.direction {
        Direction::Ingress => "from",
        Direction::Egress => "to",
    };
    if let Some(fqdn) = peer.iter().find(|l| l.source() == &LabelSource::Fqdn)
        && explanation.direction == Direction::Egress
        && explanation.verdict == Verdict::DefaultDeny
    {
        let field = if fqdn.key().contains('*') {
            "matchPattern"
        } else {
            "matchName"
        };
        let value = format!("  - {field}: {}\n", quoted(fqdn.key()));
        return Some(("toFQDNs".to_owned(), value));
    }
    if let Some(cidr) = peer.iter().find_map(Label::prefix) {
        return Some((
            format!("{prefix}CIDR"),
            format!("  - {}\n", quoted(&cidr.to_string())),
        ));
    }
    let own: Vec<&Label> = peer
        .iter()
        .filter(|l| l.source() == &LabelSource::K8s)
        .filter(|l| {
            !matches!(
                l.key(),
                keys::POD_NAMESPACE | keys::CLUSTER | keys::SERVICE_ACCOUNT
            ) && !l.key().starts_with(keys::NAMESPACE_LABELS)
        })
        .collect();
    if let Some(ns) = peer.namespace() {
        let mut labels = String::new();
        for label in own {
            let _ = writeln!(
                labels,
                "      {}: {}",
                quoted(&format!("k8s:{}", label.key())),
                quoted(label.value())
            );
        }
        if Some(ns) != namespace || labels.is_empty() {
            let _ = writeln!(
                labels,
                "      {}: {}",
                quoted(&format!("k8s:{}", keys::POD_NAMESPACE)),
                quoted(ns)
            );
        }
        return Some((
            format!("{prefix}Endpoints"),
            format!("  - matchLabels:\n{labels}"),
        ));
    }
    let entity = [
        "kube-apiserver",
        "remote-node",
        "host",
        "health",
        "ingress",
        "init",
        "unmanaged",
    ]
    .into_iter()
    .find(|name| peer.has_reserved(name))
    .or_else(|| {
        ["world", "world-ipv4", "world-ipv6"]
            .iter()
            .any(|w| peer.has_reserved(w))
            .then_some("world")
    })?;
    Some((format!("{prefix}Entities"), format!("  - {entity}\n")))
}

/// The port as further fields of the member.
fn port_yaml(explanation: &Explanation) -> Option<String> {
    let q = &explanation.question;
    Some(match q.protocol {
        protocol::TCP | protocol::UDP | protocol::SCTP => {
            // Untracked fragments have no port: only a rule for all ports
            // reaches them.
            let port = if q.untracked_fragment { 0 } else { q.port };
            format!(
                "  toPorts:\n  - ports:\n    - port: \"{port}\"\n      protocol: {}\n",
                protocol::name(q.protocol)?
            )
        }
        protocol::ICMP | protocol::ICMPV6 => {
            let family = if q.protocol == protocol::ICMP {
                "IPv4"
            } else {
                "IPv6"
            };
            format!(
                "  icmps:\n  - fields:\n    - family: {family}\n      type: {}\n",
                q.port
            )
        }
        // Only a rule for everything reaches other protocols.
        _ => String::new(),
    })
}

fn policy_yaml(
    explanation: &Explanation,
    subject: &LabelSet,
    list: &str,
    member: &str,
) -> Option<String> {
    let mut selector = String::new();
    // Those of its manifest: a pod cannot give itself labels of Cilium's own.
    for label in subject.iter().filter(|l| {
        l.source() == &LabelSource::K8s
            && l.key() != keys::POD_NAMESPACE
            && !l.key().starts_with(keys::CILIUM_PREFIX)
    }) {
        let _ = writeln!(
            selector,
            "      {}: {}",
            quoted(&format!("k8s:{}", label.key())),
            quoted(label.value())
        );
    }
    let selector = if selector.is_empty() {
        " {}\n".to_owned()
    } else {
        format!("\n    matchLabels:\n{selector}")
    };
    // Default deny is left as it is; where nothing is enforced it stays off.
    let enforced = matches!(explanation.enforcement, Enforcement::DenyByDefault(_));
    let key = explanation.direction.as_str();
    let head = match subject.namespace() {
        Some(ns) => format!(
            "kind: CiliumNetworkPolicy\nmetadata:\n  name: suggested\n  namespace: {}\n",
            quoted(ns)
        ),
        None => return None,
    };
    let indented: String = member.lines().map(|l| format!("  {l}\n")).collect();
    Some(format!(
        "apiVersion: cilium.io/v2\n{head}spec:\n  endpointSelector:{selector}  \
         enableDefaultDeny:\n    {key}: {enforced}\n  {list}:\n{indented}"
    ))
}

/// Text as a YAML scalar, quoted unless it is plainly a word.
fn quoted(text: &str) -> String {
    let plain = !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'/' | b'_' | b':'))
        && text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
        && !text.ends_with(':')
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null"
        );
    if plain {
        text.to_owned()
    } else {
        serde_json::Value::from(text).to_string()
    }
}
