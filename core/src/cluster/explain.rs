//! Why a flow passes or not.
//!
//! In: a [`Flow`]. Out: its answer, and for each side with a policy the
//! [`Explanation`] made by the same lookup.

use super::{Cluster, Endpoint, Flow, FlowAnswer, Peer, SideAnswer, Target};
use crate::explain::{Explanation, Subject};
use crate::label::LabelSet;
use crate::rule::Direction;
use std::sync::Arc;

/// A flow's answer with its reasons.
#[derive(Clone, Debug)]
pub struct FlowExplanation {
    /// What happens.
    pub answer: FlowAnswer,
    /// Why the sender's policy says so; `None` when it has none to be had, or
    /// nobody knows who the other side is.
    pub egress: Option<Explanation>,
    /// Why the receiver's policy says so.
    pub ingress: Option<Explanation>,
}

impl Cluster {
    /// What happens to a flow, and why: as [`Self::flow`], with every rule
    /// that was a candidate and the smallest change that would turn the
    /// verdict round.
    #[must_use]
    pub fn explain(&self, flow: &Flow<'_>) -> FlowExplanation {
        let answer = self.flow(flow);
        let explained = |side: &Option<SideAnswer>, own: &Peer| {
            side.as_ref().and_then(|s| self.explain_side(flow, s, own))
        };
        FlowExplanation {
            egress: explained(&answer.egress, flow.from),
            ingress: explained(&answer.ingress, flow.to),
            answer,
        }
    }

    fn explain_side(&self, flow: &Flow<'_>, side: &SideAnswer, own: &Peer) -> Option<Explanation> {
        let policy = side.policy.as_ref()?;
        let peer = side.peer?;
        let nothing = LabelSet::default();
        let endpoint: Option<&Endpoint> = match &own.target {
            Target::Endpoint(e) => Some(e),
            Target::Address(ip) => self
                .pods_by_address
                .get(&ip.to_canonical())
                .map(Arc::as_ref),
            _ => None,
        };
        let endpoint = endpoint.filter(|e| !e.host_network);
        let labels = endpoint.map_or_else(
            || {
                self.identities()
                    .get(policy.subject.subject)
                    .unwrap_or(&nothing)
            },
            |e| &e.labels,
        );
        let named_port = |name: &Arc<str>, protocol: u8| match side.direction {
            Direction::Ingress => {
                let (own, port) = endpoint?.named_ports.get(name)?;
                (*own == protocol).then_some(*port)
            }
            Direction::Egress => self.named_ports.get(peer, name, protocol),
        };
        let subject = Subject {
            policy: &policy.subject,
            map: &policy.map,
            selectors: self.repository.selectors(),
            labels,
            peer: self.identities().get(peer),
            named_port: &named_port,
        };
        let question = flow.question(side.direction, peer);
        Some(Explanation::new(&subject, &question, &self.config))
    }
}
