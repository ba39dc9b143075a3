//! What policies isolate, or seem to.
//!
//! In: policies, one by one and together. Out: findings about directions that
//! are isolated unawares, or not at all.

use super::member::network_rules;
use netverdict::cluster::Cluster;
use netverdict::diagnostic::Severity::{Info, Warning};
use netverdict::diagnostic::{Code, Diagnostic, Findings};
use netverdict::label::LabelSource;
use netverdict::object::Object;
use netverdict::object::cilium::PolicySpec;
use netverdict::object::network_policy::NetworkPolicy;
use netverdict::object::template;
use netverdict::rule::{Direction, Rule, RuleVerdict, Tier};
use netverdict::selector::Selector;
use std::collections::BTreeSet;
use std::sync::Arc;

/// `ingress: []` or `egress: []` beside rules of the other direction: it
/// isolates nothing.
pub const EMPTY_DIRECTION: Code = Code::new(1007, Warning, "empty list that isolates nothing");
/// A NetworkPolicy that is called a deny, and has a rule for everybody.
pub const DENY_POLICY_OPEN: Code = Code::new(1008, Warning, "deny policy that allows everything");
/// A NetworkPolicy with rules of one direction that isolates the other, too.
pub const SILENT_DIRECTION: Code = Code::new(1009, Info, "direction without rules is isolated");
/// Nodes are isolated, and nothing lets other nodes in.
pub const HOST_LOCKED_OUT: Code = Code::new(1033, Warning, "nodes cut off from each other");
/// Every pod of the cluster is isolated, those of the system too, and nothing
/// is allowed again.
pub const SYSTEM_ISOLATED: Code = Code::new(1034, Warning, "system pods are isolated, too");
/// Deny rules switch on default deny like others, and nothing is allowed
/// beside them.
pub const DENY_ALONE: Code = Code::new(1035, Warning, "deny rule that isolates");

/// The namespace of a cluster's own pods.
const SYSTEM: &str = "kube-system";

pub(super) fn check(object: &Object, found: &mut Findings) {
    match object {
        Object::CiliumPolicy(policy) => {
            for spec in &policy.specs {
                empty_directions(spec, object, found);
            }
        }
        Object::NetworkPolicy(policy) => {
            deny_policy_open(policy, object, found);
            silent_direction(policy, object, found);
        }
        _ => {}
    }
}

fn empty_directions(spec: &PolicySpec, object: &Object, found: &mut Findings) {
    let lists = [
        ("ingress", &spec.ingress_deny, &spec.default_deny_ingress),
        ("egress", &spec.egress_deny, &spec.default_deny_egress),
    ];
    for list in &spec.empty_lists {
        let Some((name, denies, default_deny)) = lists.iter().find(|(n, ..)| *n == list.value)
        else {
            continue;
        };
        let elsewhere = [
            &spec.ingress,
            &spec.ingress_deny,
            &spec.egress,
            &spec.egress_deny,
        ];
        // Without any member the agent refuses the rule, and says so itself.
        let refused = elsewhere.iter().all(|l| l.is_empty());
        if refused || !denies.is_empty() || default_deny.is_some() {
            continue;
        }
        found.push(
            Diagnostic::new(
                EMPTY_DIRECTION,
                list.span,
                format!("an empty list isolates nothing: all {name} stays allowed"),
            )
            .at(format!("{}.{name}", spec.path))
            .of(object.object_ref().to_string())
            .help(format!(
                "one empty member denies all that nothing allows: `{name}: [{{}}]`; if nothing is to be denied, remove the list"
            ))
            .fix(format!("deny all {name}"), list.span, "[{}]", false),
        );
    }
}

/// The directions that Cilium enforces a NetworkPolicy in.
fn enforced(policy: &NetworkPolicy) -> Vec<Direction> {
    let listed = |name: &str| policy.policy_types.iter().any(|t| t.value == name);
    let mut all = Vec::new();
    if policy.policy_types.is_empty() || listed("Ingress") || !policy.ingress.is_empty() {
        all.push(Direction::Ingress);
    }
    if listed("Egress") || !policy.egress.is_empty() {
        all.push(Direction::Egress);
    }
    all
}

fn deny_policy_open(policy: &NetworkPolicy, object: &Object, found: &mut Findings) {
    let name = policy.meta.name.value.to_lowercase();
    let denies = ["deny", "block", "isolate"]
        .iter()
        .any(|w| name.contains(w));
    let excepts = ["allow", "except", "permit", "accept", "from", "but", "pass"];
    if !denies || excepts.iter().any(|w| name.contains(w)) {
        return;
    }
    let open = |direction: Direction| {
        network_rules(policy)
            .find(|(d, r)| *d == direction && r.peers.is_empty() && r.ports.is_empty())
    };
    let all: Option<Vec<_>> = enforced(policy).into_iter().map(open).collect();
    let Some(((direction, rule), rest)) = all.as_deref().and_then(|a| a.split_first()) else {
        return;
    };
    let mut finding = Diagnostic::new(
        DENY_POLICY_OPEN,
        rule.span,
        format!("an empty rule allows all {direction}: the policy denies nothing"),
    )
    .at(rule.path.as_str())
    .of(object.object_ref().to_string())
    .help(format!(
        "to deny, leave the rule out and list the type: `policyTypes: [{}]`",
        match direction {
            Direction::Ingress => "Ingress",
            Direction::Egress => "Egress",
        }
    ));
    for (direction, rule) in rest {
        finding = finding.label(rule.span, format!("and this one all {direction}"));
    }
    found.push(finding);
}

fn silent_direction(policy: &NetworkPolicy, object: &Object, found: &mut Findings) {
    let listed = |name: &str| policy.policy_types.iter().find(|t| t.value == name);
    let pairs = [
        ("Egress", &policy.egress, &policy.ingress),
        ("Ingress", &policy.ingress, &policy.egress),
    ];
    for (name, own, other) in pairs {
        let Some(written) = listed(name) else {
            continue;
        };
        if !own.is_empty() || other.is_empty() {
            continue;
        }
        let lower = name.to_lowercase();
        found.push(
            Diagnostic::new(
                SILENT_DIRECTION,
                written.span,
                format!(
                    "no rule allows any {lower}, and the type is listed: all {lower} is denied"
                ),
            )
            .at("spec.policyTypes")
            .of(object.object_ref().to_string())
            .help(format!(
                "if that is not meant, take `{name}` out of `policyTypes`"
            )),
        );
    }
}

/// What policies do together.
pub(super) fn check_together(cluster: &Cluster) -> Vec<Diagnostic> {
    let rules: Vec<&Arc<Rule>> = cluster.repository().rules().collect();
    let mut found = Vec::new();
    let mut told = BTreeSet::new();
    for rule in rules
        .iter()
        .filter(|r| r.default_deny && r.tier == Tier::NORMAL)
    {
        let Some(finding) = deny_alone(rule, &rules)
            .or_else(|| host_locked_out(rule, &rules))
            .or_else(|| system_isolated(rule, &rules))
        else {
            continue;
        };
        // Once for an object and a direction.
        if told.insert((rule.resource.clone(), rule.direction, finding.code.number())) {
            found.push(finding);
        }
    }
    found
}

/// An allow rule that matches something.
fn allows(rule: &Rule) -> bool {
    let some = rule.peers.as_ref().is_some_and(|peers| {
        !peers.is_empty() && !peers.iter().all(|p| p.is_none()) || !rule.ports.is_empty()
    });
    rule.verdict == RuleVerdict::Allow && some
}

fn finding_at(rule: &Rule, code: Code, message: String) -> Diagnostic {
    Diagnostic::new(code, rule.origin.span, message)
        .at(rule.origin.path.as_str())
        .of(rule.origin.object.to_string())
}

fn host_locked_out(rule: &Rule, rules: &[&Arc<Rule>]) -> Option<Diagnostic> {
    if !rule.selects_nodes || rule.direction != Direction::Ingress {
        return None;
    }
    let of_nodes = |p: &Arc<Selector>| {
        let reserved = |r: &netverdict::selector::Requirement| {
            r.key.source() == &LabelSource::Reserved
                && matches!(r.key.key(), "remote-node" | "aggregate-remote-node")
        };
        p.is_wildcard() || p.requirements().iter().any(reserved)
    };
    let lets_nodes_in = rules.iter().any(|r| {
        let peers = r.peers.as_ref();
        r.selects_nodes
            && r.direction == Direction::Ingress
            && allows(r)
            && peers.is_some_and(|p| p.is_empty() || p.iter().any(of_nodes))
    });
    if lets_nodes_in {
        return None;
    }
    let message = "the policy isolates nodes, and no rule lets other nodes in";
    let finding = finding_at(rule, HOST_LOCKED_OUT, message.to_owned());
    Some(finding.help(
        "kubelets, etcd, health checks and tunnels between nodes stop: allow `fromEntities: [remote-node, health, kube-apiserver]` first, and try it with `--enable-host-firewall` and policy audit mode",
    ))
}

fn system_isolated(rule: &Rule, rules: &[&Arc<Rule>]) -> Option<Diagnostic> {
    let everywhere = rule.namespace.is_empty() && rule.subject.is_wildcard();
    if rule.selects_nodes || !everywhere {
        return None;
    }
    let direction = rule.direction;
    let allowed_again = rules.iter().any(|r| {
        let there = r.namespace.is_empty() || &*r.namespace == SYSTEM;
        r.direction == direction
            && !r.selects_nodes
            && (there || template::find(&r.namespace).is_some())
            && allows(r)
    });
    if allowed_again {
        return None;
    }
    let message = format!(
        "all {direction} of every pod is denied, that of `{SYSTEM}` too, and no rule of the input allows any for it"
    );
    let stops = match direction {
        Direction::Ingress => "DNS and webhooks do not answer any more",
        Direction::Egress => "DNS reaches no upstream, controllers no API server",
    };
    let finding = finding_at(rule, SYSTEM_ISOLATED, message);
    Some(finding.help(format!(
        "{stops}: leave the namespace out (`matchExpressions: [{{key: io.kubernetes.pod.namespace, operator: NotIn, values: [{SYSTEM}]}}]`) or allow what it needs"
    )))
}

fn deny_alone(rule: &Rule, rules: &[&Arc<Rule>]) -> Option<Diagnostic> {
    // A member without peers and ports denies nothing: it is there to isolate.
    if rule.verdict != RuleVerdict::Deny || !denies_some(rule) {
        return None;
    }
    let allowed = rules.iter().any(|r| {
        let same_place = r.namespace == rule.namespace
            || r.namespace.is_empty()
            || rule.namespace.is_empty()
            || template::find(&r.namespace).is_some()
            || template::find(&rule.namespace).is_some();
        // Rules that name nobody isolate on purpose.
        let isolates = r.verdict == RuleVerdict::Allow;
        r.direction == rule.direction
            && r.selects_nodes == rule.selects_nodes
            && same_place
            && isolates
    });
    if allowed {
        return None;
    }
    let direction = rule.direction;
    let message = format!(
        "the deny rule also switches on default deny, and nothing in the input allows any {direction}"
    );
    let finding = finding_at(rule, DENY_ALONE, message);
    let entities = match direction {
        Direction::Ingress => "`ingress: [{fromEntities: [all]}]`",
        Direction::Egress => "`egress: [{toEntities: [all]}]`",
    };
    Some(finding.help(format!(
        "to deny this alone add `enableDefaultDeny: {{{direction}: false}}`, or {entities}"
    )))
}

fn denies_some(rule: &Rule) -> bool {
    let peers = rule.peers.as_ref();
    peers.is_some_and(|p| {
        (!p.is_empty() || !rule.ports.is_empty()) && !p.iter().any(|s| s.is_wildcard())
    })
}
