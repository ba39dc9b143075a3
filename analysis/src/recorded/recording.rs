//! Lines → the distinct connections they speak of, with what was seen of each.
//!
//! Recordings are long and repeat themselves: a connection is kept once,
//! whatever port its sender used, with counts and the first line about it.

use super::{
    Event, RecordedEnd, RecordedFlow, RecordedRequest, RecordedVerdict, Turn, is_policy_drop,
    read_line,
};
use netverdict::policy_map::MatchType;
use netverdict::rule::{Direction, protocol};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

/// Distinct connections of one recording; more are counted, not kept.
pub const MAX_CONNECTIONS: usize = 500_000;

/// Complaints that are kept; more are counted.
const MAX_PROBLEMS: usize = 100;

/// What kind of traffic a connection is.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Traffic {
    /// IP protocol number; `None` when no line says.
    pub protocol: Option<u8>,
    /// Destination port, or ICMP type.
    pub port: Option<u16>,
    /// ICMP code, where policy looks at it.
    pub icmp_code: Option<u8>,
    /// What was sent, when a proxy read it.
    pub sent: Option<RecordedRequest>,
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.protocol {
            None => "unknown protocol".to_owned(),
            Some(n) => protocol::name(n).map_or_else(|| n.to_string(), str::to_owned),
        };
        match (self.protocol, self.port) {
            (Some(protocol::ICMP | protocol::ICMPV6), Some(kind)) => {
                write!(f, "{name} type {kind}")?;
            }
            (_, Some(0)) => f.write_str(&name)?,
            (_, Some(port)) => write!(f, "{port}/{name}")?,
            (_, None) => write!(f, "?/{name}")?,
        }
        match &self.sent {
            Some(sent) => write!(f, ", {sent}"),
            None => Ok(()),
        }
    }
}

/// Who, to whom, and what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Connection {
    /// Who opened it. Addresses of pods are left out.
    pub source: RecordedEnd,
    /// To whom.
    pub destination: RecordedEnd,
    /// What.
    pub traffic: Traffic,
}

/// Where a line is: the number of its text, and its own, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineAt {
    /// Which text, in the order they were read.
    pub text: usize,
    /// Which line of it.
    pub line: u64,
}

/// What one side said of a connection; comparable with our own answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Judgement {
    /// Whose side.
    pub direction: Option<Direction>,
    /// What it did.
    pub verdict: RecordedVerdict,
    /// `POLICY_DENIED`, …
    pub drop_reason: String,
    /// How much the deciding entry looked at.
    pub match_type: Option<MatchType>,
    /// The policies it named.
    pub policies: Vec<String>,
}

/// How often something was seen, and where first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// How many flows.
    pub flows: u64,
    /// The first of them.
    pub first: LineAt,
}

impl Seen {
    fn again(&mut self, at: LineAt) {
        if self.flows == 0 {
            self.first = at;
        }
        self.flows += 1;
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            flows: self.flows + other.flows,
            first: self.first.min(other.first),
        }
    }
}

/// What became of a connection, of all that was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// No line says.
    #[default]
    Unsaid,
    /// It passed.
    Forwarded,
    /// It went to a proxy.
    Redirected,
    /// It passed in audit mode; policy would have dropped it.
    Audited,
    /// A proxy did not let through what was sent.
    Refused,
    /// Policy dropped it, at least once.
    Dropped,
}

impl Outcome {
    /// One word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unsaid => "unsaid",
            Self::Forwarded => "forwarded",
            Self::Redirected => "redirected",
            Self::Audited => "audited",
            Self::Refused => "refused by a proxy",
            Self::Dropped => "dropped",
        }
    }
}

/// All that was seen of a connection.
#[derive(Clone, Debug, Default)]
pub struct Sightings {
    /// All flows.
    pub seen: Seen,
    /// The worst of what became of them.
    pub outcome: Outcome,
    /// What either side said when it asked policy.
    pub judgements: BTreeMap<Judgement, Seen>,
}

/// A line that is no flow although it should be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which.
    pub at: LineAt,
    /// What is wrong.
    pub message: String,
}

/// Flows that say nothing about policy, by why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SkippedRows {
    /// Replies: policy is not asked about them.
    pub replies: u64,
    /// Neither they nor anything in them says whether they are replies.
    pub unsaid: Seen,
    /// Drops for reasons other than policy.
    pub other_drops: u64,
    /// Errors, translations, socket traces.
    pub others: u64,
    /// Connections beyond [`MAX_CONNECTIONS`].
    pub too_many: u64,
}

/// A recording.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    connections: BTreeMap<Connection, Sightings>,
    names: BTreeMap<String, BTreeSet<IpAddr>>,
    problems: Vec<Problem>,
    malformed: u64,
    rows: u64,
    skipped: SkippedRows,
}

impl Recording {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a line.
    pub fn line(&mut self, at: LineAt, line: &str) {
        match read_line(line) {
            Ok(None) => {}
            Ok(Some(flow)) => self.flow(at, flow),
            Err(message) => self.malformed(at, message),
        }
    }

    /// Notes a line that cannot be read.
    pub fn malformed(&mut self, at: LineAt, message: String) {
        self.malformed += 1;
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem { at, message });
        }
    }

    /// Adds a flow.
    pub fn flow(&mut self, at: LineAt, flow: RecordedFlow) {
        self.rows += 1;
        if let Some((name, addresses)) = &flow.answered {
            let known = self.names.entry(name.clone()).or_default();
            known.extend(addresses);
        }
        for end in [&flow.source, &flow.destination] {
            if let Some(address) = end.address {
                for name in &end.names {
                    self.names.entry(name.clone()).or_default().insert(address);
                }
            }
        }
        match flow.turn {
            Turn::Reply => {
                self.skipped.replies += 1;
                return;
            }
            Turn::Unsaid => {
                self.skipped.unsaid.again(at);
                return;
            }
            Turn::Forward => {}
        }
        let outcome = match flow.verdict {
            Some(RecordedVerdict::Other) => {
                self.skipped.others += 1;
                return;
            }
            // A proxy's drops are for what was sent, not for the connection.
            Some(RecordedVerdict::Dropped) if flow.event == Event::Layer7 => Outcome::Refused,
            Some(RecordedVerdict::Dropped)
                if !flow.drop_reason.is_empty() && !is_policy_drop(&flow.drop_reason) =>
            {
                self.skipped.other_drops += 1;
                return;
            }
            None => Outcome::Unsaid,
            Some(RecordedVerdict::Dropped) => Outcome::Dropped,
            Some(RecordedVerdict::Audited) => Outcome::Audited,
            Some(RecordedVerdict::Redirected) => Outcome::Redirected,
            Some(RecordedVerdict::Forwarded) if flow.proxied => Outcome::Redirected,
            Some(RecordedVerdict::Forwarded) => Outcome::Forwarded,
        };
        let judgement = judgement(&flow);
        let connection = connection(flow);
        if self.connections.len() >= MAX_CONNECTIONS && !self.connections.contains_key(&connection)
        {
            self.skipped.too_many += 1;
            return;
        }
        let sightings = self.connections.entry(connection).or_default();
        sightings.seen.again(at);
        sightings.outcome = sightings.outcome.max(outcome);
        if let Some(judgement) = judgement {
            sightings.judgements.entry(judgement).or_default().again(at);
        }
    }

    /// Every connection with what was seen of it, in a stable order.
    pub fn connections(&self) -> impl Iterator<Item = (&Connection, &Sightings)> {
        self.connections.iter()
    }

    /// What DNS answered, and the names that addresses were recorded with.
    #[must_use]
    pub const fn names(&self) -> &BTreeMap<String, BTreeSet<IpAddr>> {
        &self.names
    }

    /// The first lines that are no flows.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// How many lines are no flows.
    #[must_use]
    pub const fn malformed_rows(&self) -> u64 {
        self.malformed
    }

    /// How many flows were read.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Flows that say nothing about policy.
    #[must_use]
    pub const fn skipped(&self) -> &SkippedRows {
        &self.skipped
    }
}

/// What a side said, if the flow came of asking policy.
fn judgement(flow: &RecordedFlow) -> Option<Judgement> {
    let dropped = flow.event == Event::Drop && is_policy_drop(&flow.drop_reason);
    if flow.event != Event::PolicyVerdict && !dropped {
        return None;
    }
    Some(Judgement {
        direction: flow.direction,
        verdict: flow.verdict?,
        drop_reason: flow.drop_reason.clone(),
        match_type: flow.match_type,
        policies: flow.policies.clone(),
    })
}

fn connection(flow: RecordedFlow) -> Connection {
    let settled = |mut end: RecordedEnd| {
        let known = !end.pod.is_empty() || !end.workloads.is_empty();
        if known {
            end.address = None;
            end.names.clear();
        }
        end
    };
    // Policy looks at the code of "fragmentation needed" alone.
    let fragmentation =
        flow.protocol == Some(protocol::ICMP) && (flow.port, flow.icmp_code) == (Some(3), Some(4));
    Connection {
        source: settled(flow.source),
        destination: settled(flow.destination),
        traffic: Traffic {
            protocol: flow.protocol,
            port: flow.port,
            icmp_code: flow.icmp_code.filter(|_| fragmentation),
            sent: flow.sent,
        },
    }
}
