//! Members: the elements of a policy's four lists.
//!
//! In: an object. Out: its members with what stands around them.

use netverdict::diagnostic::{Code, Diagnostic};
use netverdict::object::Object;
use netverdict::object::cilium::{CiliumPolicy, PolicyMember, PolicySpec};
use netverdict::object::network_policy::{NetworkPolicy, NetworkPolicyRule};
use netverdict::rule::Direction;
use netverdict::source::Span;

/// A member of a CiliumNetworkPolicy or its clusterwide sibling.
#[derive(Clone, Copy)]
pub(super) struct Member<'p> {
    pub(super) object: &'p Object,
    pub(super) policy: &'p CiliumPolicy,
    pub(super) spec: &'p PolicySpec,
    pub(super) direction: Direction,
    pub(super) deny: bool,
    pub(super) own: &'p PolicyMember,
}

impl<'p> Member<'p> {
    /// Every member of an object; none of other kinds.
    pub(super) fn of(object: &'p Object) -> impl Iterator<Item = Self> {
        let policy = match object {
            Object::CiliumPolicy(policy) => Some(policy),
            _ => None,
        };
        policy.into_iter().flat_map(move |policy| {
            policy.specs.iter().flat_map(move |spec| {
                let lists = [
                    (Direction::Ingress, false, &spec.ingress),
                    (Direction::Ingress, true, &spec.ingress_deny),
                    (Direction::Egress, false, &spec.egress),
                    (Direction::Egress, true, &spec.egress_deny),
                ];
                lists.into_iter().flat_map(move |(direction, deny, list)| {
                    list.iter().map(move |own| Self {
                        object,
                        policy,
                        spec,
                        direction,
                        deny,
                        own,
                    })
                })
            })
        })
    }

    /// `fromEndpoints` or `toEndpoints`, and so on.
    pub(super) fn field(&self, ending: &str) -> String {
        match self.direction {
            Direction::Ingress => format!("from{ending}"),
            Direction::Egress => format!("to{ending}"),
        }
    }

    /// A finding about something in it.
    pub(super) fn finding(&self, code: Code, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(code, span, message)
            .at(self.own.path.as_str())
            .of(self.object.object_ref().to_string())
    }

    /// No ports restrict it, or a port that stands for all.
    pub(super) fn every_port(&self) -> bool {
        self.own.icmps.is_empty()
            && (self.own.to_ports.is_empty()
                || self.own.to_ports.iter().any(|rule| {
                    rule.rules.is_none()
                        && rule.ports.iter().any(|p| {
                            p.port.value == "0"
                                && matches!(&*p.protocol.value.to_uppercase(), "" | "ANY")
                        })
                }))
    }
}

/// The members of a NetworkPolicy, each with its direction.
pub(super) fn network_rules(
    policy: &NetworkPolicy,
) -> impl Iterator<Item = (Direction, &NetworkPolicyRule)> {
    let ingress = policy.ingress.iter().map(|r| (Direction::Ingress, r));
    ingress.chain(policy.egress.iter().map(|r| (Direction::Egress, r)))
}
