//! CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy.

use super::peer::Scope;
use super::port::member_ports;
use super::{Template, Translator, numbered, resource_id, shared};
use crate::label::{LabelSource, keys};
use crate::object::ObjectRef;
use crate::object::cilium::{CiliumPolicy, PolicyMember, PolicySpec};
use crate::rule::{Authentication, Direction, Rule, RuleVerdict, Tier};
use crate::selector::{LabelQuery, Selector};
use std::sync::Arc;

impl Translator<'_> {
    /// The rules of a policy: per `spec` its `ingress`, `ingressDeny`,
    /// `egress` and `egressDeny` members, in that order.
    #[must_use]
    pub fn cilium_policy(&self, policy: &CiliumPolicy) -> Vec<Rule> {
        let namespace = namespace_of(policy);
        let kind = if namespace.is_empty() {
            "CiliumClusterwideNetworkPolicy"
        } else {
            "CiliumNetworkPolicy"
        };
        let resource = cilium_resource(policy);
        let name = policy.meta.name.value.as_str();
        let mut rules = Vec::new();
        for spec in &policy.specs {
            let (subject, selects_nodes, subject_is_init) = subject(spec, namespace);
            let template = Template {
                object: Arc::new(ObjectRef {
                    kind: kind.to_owned(),
                    namespace: namespace.to_owned(),
                    name: name.to_owned(),
                    span: policy.span,
                }),
                resource: Arc::clone(&resource),
                namespace: namespace.into(),
                uid: policy.meta.uid.as_str().into(),
                log: spec.log.value.as_str().into(),
                labels: rule_labels(spec),
                tier: Tier::NORMAL,
                subject: Arc::new(subject),
                selects_nodes,
            };
            let scope = Scope {
                namespace,
                subject_is_init,
            };
            let lists = [
                (Direction::Ingress, RuleVerdict::Allow, &spec.ingress),
                (Direction::Ingress, RuleVerdict::Deny, &spec.ingress_deny),
                (Direction::Egress, RuleVerdict::Allow, &spec.egress),
                (Direction::Egress, RuleVerdict::Deny, &spec.egress_deny),
            ];
            for (direction, verdict, members) in lists {
                let default_deny = self.default_deny(spec, direction);
                for member in members {
                    let mut rule = self.member(&template, &scope, direction, verdict, member);
                    rule.default_deny = default_deny;
                    rules.push(rule);
                }
            }
        }
        numbered(rules)
    }

    fn member(
        &self,
        template: &Template,
        scope: &Scope<'_>,
        direction: Direction,
        verdict: RuleVerdict,
        member: &PolicyMember,
    ) -> Rule {
        let deny = verdict == RuleVerdict::Deny;
        // `egressDeny` accepts `toServices` and never looks at it.
        let to_services = direction == Direction::Egress && !deny;
        let mut rule = template.rule(direction, &member.path, member.span);
        rule.verdict = verdict;
        rule.peers = self.peers(member, scope, to_services);
        rule.ports = shared(member_ports(member, deny));
        if !deny {
            rule.authentication = member
                .authentication
                .as_ref()
                .map(|a| Authentication::new(a));
        }
        rule
    }

    /// True by default, as long as the direction has members at all, which is
    /// the case for every rule that carries the answer.
    fn default_deny(&self, spec: &PolicySpec, direction: Direction) -> bool {
        let written = match direction {
            Direction::Ingress => &spec.default_deny_ingress,
            Direction::Egress => &spec.default_deny_egress,
        };
        !self.config.non_default_deny || written.as_ref().is_none_or(|d| d.value)
    }
}

/// A CNP without a namespace is clusterwide.
fn namespace_of(policy: &CiliumPolicy) -> &str {
    match &policy.meta.namespace {
        Some(ns) if !policy.clusterwide => &ns.value,
        _ => "",
    }
}

/// What the rules of a CNP or CCNP are filed under.
#[must_use]
pub fn cilium_resource(policy: &CiliumPolicy) -> Arc<str> {
    let namespace = namespace_of(policy);
    let short = if namespace.is_empty() { "ccnp" } else { "cnp" };
    resource_id(short, namespace, &policy.meta.name.value)
}

/// The subject selector, whether it selects nodes, and whether it asks for
/// pods without labels.
fn subject(spec: &PolicySpec, namespace: &str) -> (Selector, bool, bool) {
    if let Some(nodes) = &spec.node_selector {
        return (
            LabelQuery::from_object(nodes, "any").build(nodes.span),
            true,
            false,
        );
    }
    let (mut query, span) = match &spec.endpoint_selector {
        Some(s) => (LabelQuery::from_object(s, "any"), s.span),
        None => (LabelQuery::default(), spec.span),
    };
    let is_init = query.has_key("reserved:init");
    if !namespace.is_empty() {
        query.add_match(format!("k8s:{}", keys::POD_NAMESPACE), namespace);
    }
    (query.build(span), false, is_init)
}

fn rule_labels(spec: &PolicySpec) -> Arc<[String]> {
    spec.labels
        .iter()
        .map(|l| {
            let source = LabelSource::new(&l.source);
            crate::label::Label::new(source, l.key.as_str(), l.value.as_str()).to_string()
        })
        .collect()
}
