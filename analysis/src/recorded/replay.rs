//! What would become of recorded connections under the policies of a cluster.

use super::{Connection, Outcome, Placed, Placement, RecordedRequest, Recording, Seen, Traffic};
use netverdict::cluster::{
    Cluster, Decision, Flow, FlowAnswer, Layer7, Layer7Answer, Layer7Outcome, Peer, SideAnswer,
    Target,
};
use netverdict::l7::{Request, Secrets};
use netverdict::policy_map::Verdict;
use netverdict::rule::{Rule, protocol};
use netverdict::source::Span;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How an answer differs from what was recorded; what hurts most comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// It passed; now it is dropped.
    NewlyDenied,
    /// It passed; now a proxy does not let through what is sent.
    NewlyRefused,
    /// It passed; now both ends have to authenticate first.
    NeedsAuthentication,
    /// It was dropped, or would have been without audit mode; now it passes.
    NewlyAllowed,
    /// It passed; now it goes by way of a proxy.
    ToProxy,
    /// It went by way of a proxy; now it does not.
    FromProxy,
    /// Nobody can tell.
    Unknown,
    /// As recorded.
    Same,
}

impl Change {
    /// Every change, in order.
    pub const ALL: [Self; 8] = [
        Self::NewlyDenied,
        Self::NewlyRefused,
        Self::NeedsAuthentication,
        Self::NewlyAllowed,
        Self::ToProxy,
        Self::FromProxy,
        Self::Unknown,
        Self::Same,
    ];

    /// A word for programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NewlyDenied => "newly-denied",
            Self::NewlyRefused => "newly-refused",
            Self::NeedsAuthentication => "needs-authentication",
            Self::NewlyAllowed => "newly-allowed",
            Self::ToProxy => "to-proxy",
            Self::FromProxy => "from-proxy",
            Self::Unknown => "unknown",
            Self::Same => "same",
        }
    }

    /// True when traffic that passed would be stopped.
    #[must_use]
    pub const fn breaks(self) -> bool {
        matches!(
            self,
            Self::NewlyDenied | Self::NewlyRefused | Self::NeedsAuthentication
        )
    }
}

/// What becomes of a recorded connection now.
#[derive(Clone, Debug)]
pub enum Now {
    /// The engine's answer.
    Answer {
        /// For the connection.
        flow: Box<FlowAnswer>,
        /// For what is sent on it.
        layer7: Option<Box<Layer7Answer>>,
    },
    /// The record does not say enough to ask.
    Open(Vec<String>),
}

impl Now {
    /// The side that stops it, else a side that has a policy.
    #[must_use]
    pub fn side(&self) -> Option<&SideAnswer> {
        let Self::Answer { flow, .. } = self else {
            return None;
        };
        let sides = || [&flow.egress, &flow.ingress].into_iter().flatten();
        let stops = |s: &&SideAnswer| !s.decision.is_allowed();
        let redirects = |s: &&SideAnswer| s.proxy_port != 0;
        sides()
            .find(stops)
            .or_else(|| sides().find(redirects))
            .or_else(|| sides().next_back())
    }

    /// The rules that decide: those of the deciding entry, or those that
    /// switched default deny on.
    #[must_use]
    pub fn rules(&self) -> Vec<Arc<Rule>> {
        let Some(side) = self.side() else {
            return Vec::new();
        };
        let authored = |rules: &[Arc<Rule>]| -> Vec<Arc<Rule>> {
            let own = rules.iter().filter(|r| !r.origin.is_synthesized());
            own.cloned().collect()
        };
        if side.decision.verdict() != Some(Verdict::DefaultDeny) {
            return authored(&side.rules);
        }
        let Some(policy) = &side.policy else {
            return Vec::new();
        };
        let rules = &policy.subject.direction(side.direction).rules;
        let mut off = authored(rules);
        off.retain(|r| r.default_deny);
        off
    }
}

/// Connections that are alike, and what becomes of them.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// Who opens them: a workload, where one is known.
    pub from: String,
    /// To whom.
    pub to: String,
    /// What.
    pub traffic: Traffic,
    /// What was recorded.
    pub outcome: Outcome,
    /// How often, and where first.
    pub seen: Seen,
    /// The ends of the first, if they are known.
    pub ends: Option<Placed>,
    /// What becomes of them now.
    pub now: Now,
    /// How that differs.
    pub change: Change,
}

impl Replayed {
    /// What becomes of it, in words.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        let (flow, layer7) = match &self.now {
            Now::Open(why) => return why.clone(),
            Now::Answer { flow, layer7 } => (flow, layer7),
        };
        if let Decision::Unknown { why } = &flow.overall {
            return why.clone();
        }
        let sent = layer7.as_ref().and_then(|l| l.outcome.as_ref());
        if let (Some(sent), Change::NewlyRefused | Change::Unknown) = (sent, self.change) {
            return vec![format!("what is sent is {sent}")];
        }
        if self.outcome == Outcome::Unsaid {
            return vec!["the record does not say what became of it".to_owned()];
        }
        let Some(side) = self.now.side() else {
            return vec!["neither end has a policy".to_owned()];
        };
        let what = match side.decision.verdict() {
            Some(Verdict::Allow) if self.now.rules().is_empty() => "allowed without a rule",
            Some(Verdict::Allow) => "allowed by",
            Some(Verdict::Deny) => "denied by",
            Some(Verdict::DefaultDeny) if self.now.rules().is_empty() => "no rule allows it",
            Some(Verdict::DefaultDeny) => "no rule allows it; default deny by",
            Some(Verdict::Redirect) => "sent to a proxy by",
            Some(Verdict::AuthRequired) => "dropped until authenticated by",
            None => "unknown",
        };
        vec![format!("{}: {what}", side.direction)]
    }
}

/// Asks about one connection.
#[must_use]
pub fn now(cluster: &Cluster, traffic: &Traffic, ends: &Result<Placed, Vec<String>>) -> Now {
    let placed = match ends {
        Ok(placed) => placed,
        Err(why) => return Now::Open(why.clone()),
    };
    let flow = match question(traffic, placed) {
        Ok(flow) => flow,
        Err(why) => return Now::Open(vec![why]),
    };
    let answer = cluster.flow(&flow);
    let layer7 = traffic.sent.as_ref().map(|sent| {
        let mut layer7 = Layer7::default();
        match sent {
            RecordedRequest::Http { method, host, path } => {
                layer7.request = Some(Request::new(method, host, path));
            }
            RecordedRequest::Dns(name) => layer7.query = Some(name),
        }
        Box::new(cluster.layer7(&flow, &answer, &layer7, &Secrets::default()))
    });
    Now::Answer {
        flow: Box::new(answer),
        layer7,
    }
}

/// The question that a record asks.
///
/// # Errors
/// What the record does not say.
pub fn question<'p>(traffic: &Traffic, placed: &'p Placed) -> Result<Flow<'p>, String> {
    let number = traffic
        .protocol
        .ok_or("the record does not say its protocol")?;
    let with_port = matches!(
        number,
        protocol::TCP | protocol::UDP | protocol::SCTP | protocol::ICMP | protocol::ICMPV6
    );
    let port = match traffic.port {
        Some(port) => port,
        None if with_port => return Err("the record does not say its port".to_owned()),
        None => 0,
    };
    Ok(Flow {
        from: &placed.from,
        to: &placed.to,
        protocol: number,
        port,
        icmp_code: traffic.icmp_code,
        untracked_fragment: false,
    })
}

/// Asks about every connection of a recording. Those of one workload that are
/// answered alike come together; what newly fails comes first.
#[must_use]
pub fn replay(cluster: &Cluster, recording: &Recording, placement: &Placement) -> Vec<Replayed> {
    let mut alike: BTreeMap<Key, Replayed> = BTreeMap::new();
    for ((connection, sightings), ends) in recording.connections().zip(&placement.ends) {
        let now = now(cluster, &connection.traffic, ends);
        let change = change(sightings.outcome, &now);
        let (from, to) = names(connection, ends);
        let mut rules: Vec<Span> = now.rules().iter().map(|r| r.origin.span).collect();
        rules.sort_unstable();
        let key = Key {
            change,
            from: from.clone(),
            to: to.clone(),
            traffic: connection.traffic.clone(),
            outcome: sightings.outcome,
            rules,
        };
        match alike.get_mut(&key) {
            Some(known) => known.seen = known.seen.and(sightings.seen),
            None => {
                let replayed = Replayed {
                    from,
                    to,
                    traffic: connection.traffic.clone(),
                    outcome: sightings.outcome,
                    seen: sightings.seen,
                    ends: ends.as_ref().ok().cloned(),
                    now,
                    change,
                };
                alike.insert(key, replayed);
            }
        }
    }
    alike.into_values().collect()
}

/// What makes connections alike.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    change: Change,
    from: String,
    to: String,
    traffic: Traffic,
    outcome: Outcome,
    rules: Vec<Span>,
}

fn names(connection: &Connection, ends: &Result<Placed, Vec<String>>) -> (String, String) {
    match ends {
        Ok(placed) => (workload(&placed.from), workload(&placed.to)),
        Err(_) => (
            connection.source.to_string(),
            connection.destination.to_string(),
        ),
    }
}

/// The workload of an end, as `namespace/name`; else the end itself.
#[must_use]
pub fn workload(peer: &Peer) -> String {
    match &peer.target {
        Target::Endpoint(e) => match e.workload() {
            Some((_, name)) => format!("{}/{name}", e.namespace),
            None => e.to_string(),
        },
        Target::Address(ip) if !peer.text.is_empty() && peer.text != ip.to_string() => {
            format!("{} ({ip})", peer.text)
        }
        _ => peer.to_string(),
    }
}

fn change(outcome: Outcome, now: &Now) -> Change {
    let Now::Answer { flow, layer7 } = now else {
        return Change::Unknown;
    };
    let Decision::Verdict(verdict) = flow.overall else {
        return Change::Unknown;
    };
    let sent = layer7.as_ref().and_then(|l| l.outcome.as_ref());
    if verdict.is_allowed() && matches!(sent, Some(Layer7Outcome::Unknown(_))) {
        return Change::Unknown;
    }
    let refused = verdict.is_allowed() && sent.is_some_and(|s| !s.passes());
    match (outcome, verdict) {
        (Outcome::Unsaid, _) => Change::Unknown,
        (Outcome::Dropped | Outcome::Audited | Outcome::Refused, v) if v.is_allowed() => {
            if refused {
                Change::Same
            } else {
                Change::NewlyAllowed
            }
        }
        (Outcome::Dropped | Outcome::Audited, _) => Change::Same,
        (_, Verdict::Deny | Verdict::DefaultDeny) => Change::NewlyDenied,
        (_, Verdict::AuthRequired) => Change::NeedsAuthentication,
        _ if refused => Change::NewlyRefused,
        (Outcome::Forwarded, Verdict::Redirect) => Change::ToProxy,
        (Outcome::Redirected, Verdict::Allow) => Change::FromProxy,
        _ => Change::Same,
    }
}
