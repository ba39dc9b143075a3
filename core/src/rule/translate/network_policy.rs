//! Kubernetes NetworkPolicy.

use super::port::{end_port, rule_port};
use super::{Template, Translator, numbered, resource_id};
use crate::label::keys;
use crate::object::network_policy::{
    IntOrString, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicyRule,
};
use crate::object::{LabelSelector, ObjectRef, SelectorOperator};
use crate::rule::{Direction, PortProtocol, PortRule, Rule, RulePort, Tier, protocol};
use crate::selector::{LabelQuery, Selector};
use std::sync::Arc;

impl Translator<'_> {
    /// The rules of a policy: one per peer, ingress first. A direction that is
    /// isolated without any rule gets one that allows nothing.
    #[must_use]
    pub fn network_policy(&self, policy: &NetworkPolicy) -> Vec<Rule> {
        let namespace = namespace_of(policy);
        let name = policy_name(&policy.meta);
        let template = Template {
            object: Arc::new(ObjectRef {
                kind: "NetworkPolicy".to_owned(),
                namespace: namespace.to_owned(),
                name: name.to_owned(),
                span: policy.span,
            }),
            resource: network_policy_resource(policy),
            namespace: namespace.into(),
            uid: policy.meta.uid.as_str().into(),
            log: "".into(),
            labels: Arc::default(),
            tier: Tier::NORMAL,
            subject: Arc::new(
                in_namespace(&policy.pod_selector, namespace).build(policy.pod_selector.span),
            ),
            selects_nodes: false,
        };
        let mut rules = Vec::new();
        for direction in Direction::BOTH {
            let (list, isolated) = match direction {
                Direction::Ingress => (
                    &policy.ingress,
                    has_type(policy, "Ingress") || !has_type(policy, "Egress"),
                ),
                Direction::Egress => (&policy.egress, has_type(policy, "Egress")),
            };
            let before = rules.len();
            for rule in list {
                self.rules_of(&template, direction, rule, namespace, &mut rules);
            }
            if rules.len() == before && isolated {
                rules.push(template.rule(direction, "spec", policy.span));
            }
        }
        for rule in &mut rules {
            rule.default_deny = true;
        }
        numbered(rules)
    }

    fn rules_of(
        &self,
        template: &Template,
        direction: Direction,
        rule: &NetworkPolicyRule,
        namespace: &str,
        rules: &mut Vec<Rule>,
    ) {
        let ports: Vec<Arc<PortRule>> = rule.ports.iter().map(port_rule).map(Arc::new).collect();
        let mut push = |peers, path: &str, span| {
            let mut r = template.rule(direction, path, span);
            r.peers = peers;
            r.ports.clone_from(&ports);
            rules.push(r);
        };
        if rule.peers.is_empty() {
            let everybody = Arc::new(Selector::wildcard(rule.span));
            push(Some(vec![everybody]), &rule.path, rule.span);
        }
        let list = match direction {
            Direction::Ingress => "from",
            Direction::Egress => "to",
        };
        for (i, peer) in rule.peers.iter().enumerate() {
            let path = format!("{}.{list}[{i}]", rule.path);
            let peers = self
                .peer(peer, namespace)
                .map(Arc::new)
                .into_iter()
                .collect();
            push(Some(peers), &path, peer.span);
        }
    }

    fn peer(&self, peer: &NetworkPolicyPeer, namespace: &str) -> Option<Selector> {
        if let Some(block) = &peer.ip_block {
            return self.ip_block_peer(&block.cidr, &block.except, block.span);
        }
        let everything = LabelSelector::default();
        let pods = peer.pod_selector.as_ref().unwrap_or(&everything);
        let mut query = match &peer.namespace_selector {
            Some(namespaces) => {
                let mut query = namespace_query(namespaces);
                query.extend_from(pods, "k8s", str::to_owned);
                query
            }
            None => in_namespace(pods, namespace),
        };
        self.confine(&mut query, pods);
        Some(query.build(peer.span))
    }

    /// Confines a query to the local cluster unless its pod selector names
    /// one.
    pub(super) fn confine(&self, query: &mut LabelQuery, pods: &LabelSelector) {
        let names_cluster = pods
            .match_labels
            .iter()
            .any(|(k, v)| k.value == keys::CLUSTER && !v.is_empty())
            || pods
                .match_expressions
                .iter()
                .any(|e| e.key.value == keys::CLUSTER);
        if let Some(cluster) = self.config.peer_cluster()
            && !names_cluster
        {
            query.add_match(format!("k8s:{}", keys::CLUSTER), cluster);
        }
    }
}

fn namespace_of(policy: &NetworkPolicy) -> &str {
    match &policy.meta.namespace {
        Some(ns) if !ns.is_empty() => &ns.value,
        _ => "default",
    }
}

/// What the rules of a NetworkPolicy are filed under.
#[must_use]
pub fn network_policy_resource(policy: &NetworkPolicy) -> Arc<str> {
    resource_id("netpol", namespace_of(policy), &policy.meta.name.value)
}

/// A namespace selector as conditions on the labels pods inherit from their
/// namespace; an empty one asks for any namespace.
pub(super) fn namespace_query(namespaces: &LabelSelector) -> LabelQuery {
    let mut query = LabelQuery::default();
    query.extend_from(namespaces, "k8s", |key| {
        format!("{}.{key}", keys::NAMESPACE_LABELS)
    });
    if query.is_empty() {
        query.add_expression(
            format!("k8s:{}", keys::POD_NAMESPACE),
            SelectorOperator::Exists,
        );
    }
    query
}

/// A pod selector in the policy's own namespace, whatever it says itself.
fn in_namespace(pods: &LabelSelector, namespace: &str) -> LabelQuery {
    let mut query = LabelQuery::from_object(pods, "k8s");
    query.add_match(format!("k8s:{}", keys::POD_NAMESPACE), namespace);
    query
}

fn has_type(policy: &NetworkPolicy, wanted: &str) -> bool {
    policy.policy_types.iter().any(|t| t.value == wanted)
}

/// The name shown for a policy: an annotation may replace it
/// (pkg/annotation PolicyName).
pub(super) fn policy_name(meta: &crate::object::ObjectMeta) -> &str {
    ["policy.cilium.io/name", "io.cilium.name"]
        .iter()
        .find_map(|key| {
            meta.annotations
                .iter()
                .find(|(k, _)| k.value == *key)
                .map(|(_, v)| v.value.as_str())
        })
        .filter(|name| !name.is_empty())
        .unwrap_or(&meta.name.value)
}

fn port_rule(port: &NetworkPolicyPort) -> PortRule {
    let number = match port.protocol.as_ref().map(|p| p.value.as_str()) {
        None => protocol::TCP,
        Some(text) => protocol::number(text).unwrap_or(protocol::ANY),
    };
    let rule_port = match port.port.as_ref().map(|p| &p.value) {
        None => RulePort::Number(0),
        // Not lower-cased here: an upper-case name never resolves.
        Some(IntOrString::String(text)) => rule_port(text),
        Some(IntOrString::Int(n)) => rule_port(&n.to_string()),
    };
    PortRule {
        ports: vec![PortProtocol {
            port: rule_port,
            end_port: port.end_port.as_ref().map_or(0, |p| end_port(p.value)),
            protocol: number,
            span: port.span,
        }],
        span: port.span,
        ..PortRule::default()
    }
}
