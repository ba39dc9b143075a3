//! ClusterNetworkPolicy, and its two predecessors in its shape.

use super::network_policy::{namespace_query, policy_name};
use super::port::rule_port;
use super::{Template, Translator, numbered, resource_id};
use crate::label::keys;
use crate::object::cluster_network_policy::{
    ClusterNetworkPolicy, ClusterPolicyKind, ClusterPolicyPeer, ClusterPolicyProtocol,
    ClusterPolicyRule, NamespacedPods, Transport,
};
use crate::object::{LabelSelector, ObjectRef, SelectorOperator};
use crate::rule::{
    Direction, L7Rules, PortProtocol, PortRule, Rule, RulePort, RuleVerdict, Tier, protocol,
};
use crate::selector::{LabelQuery, Selector};
use crate::source::{Span, Spanned};
use std::sync::Arc;

/// What one peer becomes.
enum Peer {
    /// Selectors, all for the same rule.
    Selectors(Vec<Selector>),
    /// Names, which also need DNS to be allowed.
    Names(Vec<Selector>, L7Rules),
    /// None that is known: an accept then matches nothing, anything else
    /// denies everybody.
    Unknown,
}

impl Translator<'_> {
    /// The rules of a policy: per rule one for each peer, ingress first. The
    /// position of a rule is the fraction of its priority.
    #[must_use]
    pub fn cluster_network_policy(&self, policy: &ClusterNetworkPolicy) -> Vec<Rule> {
        let kind = match policy.kind {
            ClusterPolicyKind::ClusterNetworkPolicy => "ClusterNetworkPolicy",
            ClusterPolicyKind::AdminNetworkPolicy => "AdminNetworkPolicy",
            ClusterPolicyKind::BaselineAdminNetworkPolicy => "BaselineAdminNetworkPolicy",
        };
        let baseline = policy.tier.value == "Baseline"
            || policy.kind == ClusterPolicyKind::BaselineAdminNetworkPolicy;
        let template = Template {
            object: Arc::new(ObjectRef {
                kind: kind.to_owned(),
                namespace: String::new(),
                name: policy_name(&policy.meta).to_owned(),
                span: policy.span,
            }),
            resource: cluster_policy_resource(policy),
            namespace: "".into(),
            uid: policy.meta.uid.as_str().into(),
            log: "".into(),
            labels: Arc::default(),
            tier: if baseline {
                Tier::BASELINE
            } else {
                Tier::ADMIN
            },
            subject: Arc::new(subject(policy)),
            selects_nodes: false,
        };
        let mut rules = Vec::new();
        for (direction, list) in [
            (Direction::Ingress, &policy.ingress),
            (Direction::Egress, &policy.egress),
        ] {
            for (i, rule) in (0u32..).zip(list) {
                let priority = f64::from(policy.priority.value) + f64::from(i) / 100.0;
                self.cluster_rule(&template, direction, rule, priority, &mut rules);
            }
        }
        numbered(rules)
    }

    fn cluster_rule(
        &self,
        template: &Template,
        direction: Direction,
        rule: &ClusterPolicyRule,
        priority: f64,
        rules: &mut Vec<Rule>,
    ) {
        let verdict = match rule.action.value.as_str() {
            "Deny" => RuleVerdict::Deny,
            "Pass" => RuleVerdict::Pass,
            _ => RuleVerdict::Allow,
        };
        let ports: Vec<Arc<PortRule>> =
            rule.protocols.iter().map(port_rule).map(Arc::new).collect();
        let mut push =
            |verdict, peers: Vec<Selector>, ports: Vec<Arc<PortRule>>, path: &str, span| {
                let mut r = template.rule(direction, path, span);
                r.priority = priority;
                r.verdict = verdict;
                r.peers = Some(peers.into_iter().map(Arc::new).collect());
                r.ports = ports;
                rules.push(r);
            };
        if rule.peers.is_empty() {
            let everybody = vec![Selector::wildcard(rule.span)];
            push(verdict, everybody, ports, &rule.path, rule.span);
            return;
        }
        let list = match direction {
            Direction::Ingress => "from",
            Direction::Egress => "to",
        };
        let pods_alone = template.object.kind != "ClusterNetworkPolicy";
        for (i, peer) in rule.peers.iter().enumerate() {
            let path = format!("{}.{list}[{i}]", rule.path);
            let ports = ports.clone();
            match self.cluster_peer(peer, direction, pods_alone) {
                Peer::Selectors(peers) => push(verdict, peers, ports, &path, peer.span),
                Peer::Names(peers, dns) => {
                    let dns_server = vec![dns_server(peer.span)];
                    let dns_ports = vec![Arc::new(dns_ports(dns, peer.span))];
                    push(RuleVerdict::Allow, dns_server, dns_ports, &path, peer.span);
                    push(verdict, peers, ports, &path, peer.span);
                }
                Peer::Unknown if verdict == RuleVerdict::Allow => {}
                Peer::Unknown => {
                    let everybody = vec![Selector::wildcard(peer.span)];
                    push(RuleVerdict::Deny, everybody, ports, &path, peer.span);
                }
            }
        }
    }

    /// What a peer becomes. Conditions that only exclude also hold for what is
    /// no pod; Cilium leaves it at that for ClusterNetworkPolicy. The
    /// predecessors, which it does not read, mean pods alone.
    fn cluster_peer(
        &self,
        peer: &ClusterPolicyPeer,
        direction: Direction,
        pods_alone: bool,
    ) -> Peer {
        if let Some(pods) = &peer.pods {
            let mut query = pods_query(pods);
            self.confine(&mut query, &pods.pod_selector);
            if pods_alone && query.only_excludes() {
                of_any_namespace(&mut query);
            }
            return Peer::Selectors(vec![query.build(pods.span)]);
        }
        if let Some(namespaces) = &peer.namespaces {
            let mut query = namespace_query(namespaces);
            if pods_alone && query.only_excludes() {
                of_any_namespace(&mut query);
            }
            return Peer::Selectors(vec![query.build(namespaces.span)]);
        }
        if direction == Direction::Ingress {
            return Peer::Unknown;
        }
        if let Some(nodes) = &peer.nodes {
            let kinds = ["host", "remote-node"];
            return Peer::Selectors(kinds.map(|kind| self.node_peer(nodes, kind)).into());
        }
        if let Some(networks) = &peer.networks {
            return Peer::Selectors(networks.iter().filter_map(|n| self.cidr_peer(n)).collect());
        }
        match &peer.domain_names {
            Some(names) => domain_names(names),
            None => Peer::Unknown,
        }
    }

    fn node_peer(&self, nodes: &LabelSelector, kind: &str) -> Selector {
        let mut query = LabelQuery::from_object(nodes, "node");
        query.add_expression(format!("reserved:{kind}"), SelectorOperator::Exists);
        self.confine(&mut query, nodes);
        query.build(nodes.span)
    }
}

/// What the rules of a ClusterNetworkPolicy are filed under. Its predecessors
/// have kinds of their own: a policy of the same name does not replace them.
#[must_use]
pub fn cluster_policy_resource(policy: &ClusterNetworkPolicy) -> Arc<str> {
    let short = match policy.kind {
        ClusterPolicyKind::ClusterNetworkPolicy => "kcnp",
        ClusterPolicyKind::AdminNetworkPolicy => "anp",
        ClusterPolicyKind::BaselineAdminNetworkPolicy => "banp",
    };
    resource_id(short, "", &policy.meta.name.value)
}

fn subject(policy: &ClusterNetworkPolicy) -> Selector {
    match (&policy.subject_namespaces, &policy.subject_pods) {
        (Some(namespaces), _) => namespace_query(namespaces).build(namespaces.span),
        (None, Some(pods)) => pods_query(pods).build(pods.span),
        // Validation refuses this one.
        (None, None) => Selector::reserved("none", policy.span),
    }
}

fn of_any_namespace(query: &mut LabelQuery) {
    query.add_expression(
        format!("k8s:{}", keys::POD_NAMESPACE),
        SelectorOperator::Exists,
    );
}

fn pods_query(pods: &NamespacedPods) -> LabelQuery {
    let mut query = namespace_query(&pods.namespace_selector);
    query.extend_from(&pods.pod_selector, "k8s", str::to_owned);
    query
}

/// Names as Cilium writes them: a leading `*` spans labels here, which
/// Cilium spells `**`.
fn domain_names(names: &[Spanned<String>]) -> Peer {
    let mut selectors = Vec::new();
    let mut dns = L7Rules::default();
    for name in names {
        let (exact, pattern) = match name.strip_prefix('*') {
            Some(rest) if !rest.starts_with('*') => (String::new(), format!("*{}", name.value)),
            Some(_) => (String::new(), name.value.clone()),
            None => (name.value.clone(), String::new()),
        };
        selectors.push(Selector::fqdn(&exact, &pattern, name.span));
        dns.dns.push((exact.into(), pattern.into()));
    }
    Peer::Names(selectors, dns)
}

fn dns_server(span: Span) -> Selector {
    let mut query = LabelQuery::default();
    query.add_match("any:k8s-app", "kube-dns");
    query.build(span)
}

fn dns_ports(rules: L7Rules, span: Span) -> PortRule {
    let named = |name: &str| PortProtocol {
        port: RulePort::Name(name.into()),
        end_port: 0,
        protocol: protocol::ANY,
        span,
    };
    PortRule {
        ports: vec![named("dns"), named("dns-tcp")],
        l7: Some(rules).filter(|l7| !l7.is_empty()),
        span,
        ..PortRule::default()
    }
}

fn port_rule(p: &ClusterPolicyProtocol) -> PortRule {
    let (protocol, destination) = match &p.transport {
        Some((Transport::Tcp, d)) => (protocol::TCP, d.as_ref()),
        Some((Transport::Udp, d)) => (protocol::UDP, d.as_ref()),
        Some((Transport::Sctp, d)) => (protocol::SCTP, d.as_ref()),
        None => (protocol::ANY, None),
    };
    let mut port = PortProtocol {
        port: RulePort::Number(0),
        end_port: 0,
        protocol,
        span: p.span,
    };
    if let Some(d) = destination {
        match d.range {
            Some((start, end)) => {
                port.port = rule_port(&start.to_string());
                port.end_port = super::port::end_port(end);
            }
            None => port.port = rule_port(&d.number.to_string()),
        }
    } else if !p.destination_named_port.is_empty() {
        port.port = rule_port(&p.destination_named_port);
        port.protocol = protocol::ANY;
    }
    PortRule {
        ports: vec![port],
        span: p.span,
        ..PortRule::default()
    }
}
