//! What Cilium's agent refuses in its own policies.
//!
//! In: a decoded [`CiliumPolicy`] and the agent's [`Config`]. Out: diagnostics
//! in the order in which the agent checks; it would stop at the first error,
//! here all of them are told. An object is accepted exactly when none is of
//! severity [`Severity::Error`]. Source: Cilium 1.20.2
//! pkg/policy/api/rule_validation.go and pkg/k8s/apis/cilium.io/v2
//! (`Parse`). Input on which the agent crashes counts as refused.
//!
//! [`Severity::Error`]: crate::diagnostic::Severity::Error

pub mod codes;
mod l7;
mod path;
mod peers;
mod ports;
mod selectors;
#[cfg(test)]
mod tests;

pub use ports::{MAX_ICMP_FIELDS, MAX_PORTS};

use crate::config::Config;
use crate::diagnostic::{Code, Diagnostic, Findings};
use crate::object::cilium::{CiliumPolicy, PolicyMember, PolicySpec};
use crate::object::{Head, template};
use crate::source::{Span, Spanned};
use codes::*;
use path::Path;

/// Checks a policy as the agent does.
#[must_use]
pub fn check_policy(policy: &CiliumPolicy, config: &Config) -> Vec<Diagnostic> {
    let meta = &policy.meta;
    let mut head = Head {
        kind: "CiliumClusterwideNetworkPolicy",
        name: &meta.name,
        ..Head::default()
    };
    if !policy.clusterwide {
        head.kind = "CiliumNetworkPolicy";
        head.namespace = meta.namespace.as_ref().map_or("", |n| &n.value);
    }
    let mut checker = Checker {
        config,
        object: head.to_string(),
        found: Findings::default(),
    };
    checker.policy(policy);
    checker.found.finish()
}

/// The four lists of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct MemberList {
    ingress: bool,
    deny: bool,
    /// The rule's subject is a node.
    host: bool,
    /// It has one member only.
    single: bool,
}

struct Checker<'c> {
    config: &'c Config,
    object: String,
    found: Findings,
}

impl Checker<'_> {
    fn problem(
        &self,
        code: Code,
        span: Span,
        path: impl Into<String>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic::new(code, span, message)
            .at(path)
            .of(self.object.clone())
            .help(help)
    }

    /// A problem with a text. When what is wrong with it may be that nobody
    /// has filled in its variables, the help says so.
    fn text_problem(
        &self,
        code: Code,
        text: &Spanned<String>,
        path: impl Into<String>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Diagnostic {
        let help = match template::find(&text.value) {
            Some(variable) => format!(
                "`{variable}` is not resolved: fill it in before checking; as it stands Cilium refuses the policy"
            ),
            None => help.into(),
        };
        self.problem(code, text.span, path, message, help)
    }

    fn report(
        &mut self,
        code: Code,
        span: Span,
        path: impl Into<String>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let problem = self.problem(code, span, path, message, help);
        self.found.push(problem);
    }

    fn report_text(
        &mut self,
        code: Code,
        text: &Spanned<String>,
        path: impl Into<String>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let problem = self.text_problem(code, text, path, message, help);
        self.found.push(problem);
    }

    fn policy(&mut self, policy: &CiliumPolicy) {
        if policy.meta.name.value.is_empty() {
            let span = policy.meta.name.span;
            let span = if span == Span::default() {
                policy.span
            } else {
                span
            };
            self.report(
                NAME,
                span,
                "metadata.name",
                "the policy has no name",
                "set `metadata.name`",
            );
        }
        if !policy.has_rules {
            self.report(
                NO_RULES,
                policy.span,
                "spec",
                "the policy has neither `spec` nor `specs`",
                "write one rule as `spec`, or several as a list under `specs`",
            );
        }
        for path in &policy.null_specs {
            self.report(
                NULL_RULE,
                path.span,
                path.value.clone(),
                "the rule is null",
                "the agent crashes on it; remove the element",
            );
        }
        for spec in &policy.specs {
            self.rule(spec, policy.clusterwide);
        }
    }

    fn rule(&mut self, spec: &PolicySpec, clusterwide: bool) {
        let lists = [
            (&spec.ingress, true, false),
            (&spec.ingress_deny, true, true),
            (&spec.egress, false, false),
            (&spec.egress_deny, false, true),
        ];
        if lists.iter().all(|(members, ..)| members.is_empty()) {
            self.report(
                NO_MEMBERS,
                spec.span,
                spec.path.clone(),
                "the rule has no member in `ingress`, `ingressDeny`, `egress` or `egressDeny`",
                "to deny everything in a direction, give it one empty member: `ingress: [{}]`",
            );
        }
        self.subject(spec, clusterwide);
        let host = spec.node_selector.is_some();
        for (members, ingress, deny) in lists {
            let list = MemberList {
                ingress,
                deny,
                host,
                single: members.len() == 1,
            };
            for member in members {
                self.member(member, list);
            }
        }
        self.default_deny(spec);
    }

    fn subject(&mut self, spec: &PolicySpec, clusterwide: bool) {
        match (&spec.endpoint_selector, &spec.node_selector) {
            (None, None) => {
                self.report(
                    NO_SUBJECT,
                    spec.span,
                    spec.path.clone(),
                    "the rule selects no subject",
                    "add `endpointSelector: {}` for every pod of the namespace, or a narrower one",
                );
            }
            (Some(_), Some(nodes)) => {
                self.report(
                    TWO_SUBJECTS,
                    nodes.span,
                    Path::Whole(&spec.path).field("nodeSelector"),
                    "the rule has both `endpointSelector` and `nodeSelector`",
                    "make it two rules under `specs`",
                );
            }
            _ => {}
        }
        if let Some(selector) = &spec.endpoint_selector {
            let whole = Path::Whole(&spec.path);
            let path = whole.field("endpointSelector");
            self.selector(selector, &path);
            if !clusterwide {
                self.subject_namespace(selector, &path);
            }
        }
        if let Some(selector) = &spec.node_selector {
            let whole = Path::Whole(&spec.path);
            let path = whole.field("nodeSelector");
            self.selector(selector, &path);
            if !clusterwide {
                self.report(
                    NODE_SELECTOR,
                    selector.span,
                    path,
                    "a CiliumNetworkPolicy cannot select nodes",
                    "policies for nodes are of kind CiliumClusterwideNetworkPolicy",
                );
            }
        }
    }

    fn default_deny(&mut self, spec: &PolicySpec) {
        let directions = [
            (
                "ingress",
                spec.default_deny_ingress,
                spec.ingress.len() + spec.ingress_deny.len(),
            ),
            (
                "egress",
                spec.default_deny_egress,
                spec.egress.len() + spec.egress_deny.len(),
            ),
        ];
        for (direction, flag, members) in directions {
            if let Some(Spanned { value: true, span }) = flag
                && members == 0
            {
                self.report(
                    DEFAULT_DENY,
                    span,
                    format!("{}.enableDefaultDeny.{direction}", spec.path),
                    format!(
                        "default deny of {direction} has no effect without members of {direction}"
                    ),
                    format!("add an empty member: `{direction}: [{{}}]`"),
                );
            }
        }
    }

    fn member(&mut self, member: &PolicyMember, list: MemberList) {
        self.peers(member, list);
        self.l7_support(member, list);
        if let Some(first) = member.icmps.first() {
            let whole = Path::Whole(&member.path);
            let path = whole.field("icmps");
            if !self.config.icmp_rules {
                self.report(
                    ICMP_DISABLED,
                    first.span,
                    path,
                    "ICMP rules are switched off",
                    "the agent needs `enable-icmp-rules`, which is its default",
                );
            }
            if let Some(ports) = member.to_ports.first() {
                let problem = self.problem(
                    ICMP_WITH_PORTS,
                    first.span,
                    path,
                    "`icmps` and `toPorts` stand in one member",
                    "make two members of them, each with the same peers",
                );
                self.found.push(problem.label(ports.span, "the ports"));
            }
        }
        for (i, rule) in member.to_ports.iter().enumerate() {
            self.port_rule(rule, &Path::Whole(&member.path).element("toPorts", i), list);
        }
        for (i, rule) in member.icmps.iter().enumerate() {
            self.icmp_rule(rule, &Path::Whole(&member.path).element("icmps", i));
        }
        for (i, fqdn) in member.fqdns.iter().enumerate() {
            self.fqdn(
                fqdn,
                &Path::Whole(&member.path).element("toFQDNs", i),
                false,
            );
        }
        self.idle_member(member, list);
    }
}
