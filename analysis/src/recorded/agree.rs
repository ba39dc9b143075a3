//! What the agent said, held against what this engine says.
//!
//! In: a recording placed in the cluster it was taken from. Out: every verdict
//! of policy that differs, in what, and how many were compared. Numbers of
//! identities are compared where both mean the same: reserved ones, and those
//! that CiliumIdentity objects give; all others by their labels.

use super::replay::{Now, now, workload};
use super::{Judgement, Placed, Placement, RecordedEnd, RecordedVerdict, Recording, Seen, Traffic};
use netverdict::cluster::{Cluster, FlowAnswer, Peer, SideAnswer, Target};
use netverdict::identity::{NumericIdentity, Reserved};
use netverdict::label::{Label, LabelSet};
use netverdict::policy_map::{MatchType, Verdict};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Something that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The verdict.
    Verdict {
        /// In the agent's words.
        recorded: String,
        /// The engine's.
        ours: String,
    },
    /// How much the deciding entry looks at.
    MatchType {
        /// The agent's.
        recorded: MatchType,
        /// The engine's.
        ours: MatchType,
    },
    /// The policies that decide.
    Policies {
        /// Those the agent named, and the engine does not.
        missing: Vec<String>,
        /// Those only the engine names.
        extra: Vec<String>,
    },
    /// The identity of an end.
    Identity {
        /// `sender` or `receiver`.
        end: &'static str,
        /// Labels or a number that only the record has.
        missing: Vec<String>,
        /// Those only the cluster has.
        extra: Vec<String>,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lists = |missing: &[String], extra: &[String]| {
            let missing = missing.iter().map(|m| format!("recorded `{m}`"));
            let extra = extra.iter().map(|e| format!("here `{e}`"));
            missing.chain(extra).collect::<Vec<_>>().join(", ")
        };
        match self {
            Self::Verdict { recorded, ours } => {
                write!(f, "verdict: recorded {recorded}, here {ours}")
            }
            Self::MatchType { recorded, ours } => write!(
                f,
                "match type: recorded {}, here {}",
                recorded.as_str(),
                ours.as_str()
            ),
            Self::Policies { missing, extra } => {
                write!(f, "policies: {}", lists(missing, extra))
            }
            Self::Identity {
                end,
                missing,
                extra,
            } => write!(f, "identity of the {end}: {}", lists(missing, extra)),
        }
    }
}

/// A verdict of the agent that the engine does not share.
#[derive(Clone, Debug)]
pub struct Disagreement {
    /// Who sends.
    pub from: String,
    /// Who receives.
    pub to: String,
    /// What.
    pub traffic: Traffic,
    /// What the agent said.
    pub judgement: Judgement,
    /// How often, and where first.
    pub seen: Seen,
    /// What differs.
    pub differences: Vec<Difference>,
}

/// How far the agent and the engine agree.
#[derive(Clone, Debug, Default)]
pub struct Agreement {
    /// Flows with a verdict of policy that were compared.
    pub compared: u64,
    /// Those of them in which nothing differs.
    pub agreed: u64,
    /// Those in which something does.
    pub disagreements: Vec<Disagreement>,
    /// Flows with a verdict of policy that the engine cannot answer, by why.
    pub open: BTreeMap<String, Seen>,
}

/// Compares every verdict of policy in a recording.
#[must_use]
pub fn agree(cluster: &Cluster, recording: &Recording, placement: &Placement) -> Agreement {
    let mut agreement = Agreement::default();
    for ((connection, sightings), ends) in recording.connections().zip(&placement.ends) {
        if sightings.judgements.is_empty() {
            continue;
        }
        let now = now(cluster, &connection.traffic, ends);
        for (judgement, seen) in &sightings.judgements {
            let open = |agreement: &mut Agreement, why: String| {
                let known = agreement.open.entry(why).or_insert(*seen);
                if known != seen {
                    *known = known.and(*seen);
                }
            };
            let (Now::Answer { flow, .. }, Ok(placed)) = (&now, ends) else {
                let why = match &now {
                    Now::Open(why) => why.join("; "),
                    Now::Answer { .. } => "unknown".to_owned(),
                };
                open(&mut agreement, why);
                continue;
            };
            match verdicts(judgement, flow) {
                Err(why) => open(&mut agreement, why),
                Ok((mut differences, side)) => {
                    let ends = [
                        ("sender", &connection.source, &placed.from),
                        ("receiver", &connection.destination, &placed.to),
                    ];
                    for (role, recorded, peer) in ends {
                        let identity = identity(cluster, recorded, peer, role, side);
                        differences.extend(identity);
                    }
                    agreement.compared += seen.flows;
                    if differences.is_empty() {
                        agreement.agreed += seen.flows;
                        continue;
                    }
                    let Placed { from, to } = placed;
                    agreement.disagreements.push(Disagreement {
                        from: workload(from),
                        to: workload(to),
                        traffic: connection.traffic.clone(),
                        judgement: judgement.clone(),
                        seen: *seen,
                        differences,
                    });
                }
            }
        }
    }
    agreement
}

/// What differs between a judgement and the answer of its side; without a
/// direction, between it and the answer of both.
fn verdicts<'a>(
    judgement: &Judgement,
    answer: &'a FlowAnswer,
) -> Result<(Vec<Difference>, Option<&'a SideAnswer>), String> {
    use netverdict::rule::Direction::{Egress, Ingress};
    let side = match judgement.direction {
        Some(Egress) => Some(
            answer
                .egress
                .as_ref()
                .ok_or("the sender has no policy here")?,
        ),
        Some(Ingress) => Some(
            answer
                .ingress
                .as_ref()
                .ok_or("the receiver has no policy here")?,
        ),
        None => None,
    };
    let decision = side.map_or(&answer.overall, |s| &s.decision);
    let Some(ours) = decision.verdict() else {
        return Err(decision.to_string());
    };
    let mut differences = Vec::new();
    if !same(judgement, ours) {
        let reason = match &*judgement.drop_reason {
            "" => String::new(),
            reason => format!(" ({reason})"),
        };
        differences.push(Difference::Verdict {
            recorded: format!("{}{reason}", word(judgement.verdict)),
            ours: ours.as_str().to_owned(),
        });
    }
    if let (Some(side), Some(recorded)) = (side, judgement.match_type)
        && recorded != side.match_type
    {
        differences.push(Difference::MatchType {
            recorded,
            ours: side.match_type,
        });
    }
    if let Some(side) = side
        && !judgement.policies.is_empty()
    {
        let recorded: BTreeSet<&str> = judgement.policies.iter().map(String::as_str).collect();
        let own = side.rules.iter().filter(|r| !r.origin.is_synthesized());
        let ours: BTreeSet<String> = own.map(|r| r.origin.object.to_string()).collect();
        // Lines of text leave the namespace out.
        let named = |recorded: &str, ours: &str| {
            let short = recorded.split('/').count() == 2;
            recorded == ours || short && brief(ours) == recorded
        };
        let missing = recorded
            .iter()
            .filter(|r| !ours.iter().any(|o| named(r, o)));
        let missing: Vec<String> = missing.map(|r| (*r).to_owned()).collect();
        let extra = ours
            .iter()
            .filter(|o| !recorded.iter().any(|r| named(r, o)));
        let extra: Vec<String> = extra.cloned().collect();
        if !missing.is_empty() || !extra.is_empty() {
            differences.push(Difference::Policies { missing, extra });
        }
    }
    Ok((differences, side))
}

/// `Kind/namespace/name` → `Kind/name`.
fn brief(object: &str) -> String {
    let mut parts = object.split('/');
    let kind = parts.next().unwrap_or_default();
    format!("{kind}/{}", parts.next_back().unwrap_or_default())
}

fn word(verdict: RecordedVerdict) -> &'static str {
    match verdict {
        RecordedVerdict::Forwarded => "FORWARDED",
        RecordedVerdict::Redirected => "REDIRECTED",
        RecordedVerdict::Audited => "AUDIT",
        RecordedVerdict::Dropped => "DROPPED",
        RecordedVerdict::Other => "another",
    }
}

fn same(judgement: &Judgement, ours: Verdict) -> bool {
    match judgement.verdict {
        RecordedVerdict::Forwarded => ours == Verdict::Allow,
        RecordedVerdict::Redirected => ours == Verdict::Redirect,
        RecordedVerdict::Audited => !ours.is_allowed(),
        RecordedVerdict::Dropped => match &*judgement.drop_reason {
            "POLICY_DENIED" => ours == Verdict::DefaultDeny,
            "POLICY_DENY" => ours == Verdict::Deny,
            "AUTH_REQUIRED" => ours == Verdict::AuthRequired,
            _ => !ours.is_allowed(),
        },
        RecordedVerdict::Other => true,
    }
}

fn identity(
    cluster: &Cluster,
    recorded: &RecordedEnd,
    peer: &Peer,
    end: &'static str,
    side: Option<&SideAnswer>,
) -> Option<Difference> {
    let differs = |missing: Vec<String>, extra: Vec<String>| {
        let same = missing.is_empty() && extra.is_empty();
        (!same).then_some(Difference::Identity {
            end,
            missing,
            extra,
        })
    };
    let nothing = LabelSet::default();
    let (ours, number) = match &peer.target {
        Target::Endpoint(e) => (&e.labels, e.identity),
        _ => {
            // What the side took the other one for.
            let other = side.is_none_or(|s| match end {
                "sender" => s.direction == netverdict::rule::Direction::Ingress,
                _ => s.direction == netverdict::rule::Direction::Egress,
            });
            let number = side.filter(|_| other).and_then(|s| s.peer)?;
            (cluster.identities().get(number).unwrap_or(&nothing), number)
        }
    };
    if !recorded.labels.is_empty() {
        let recorded: LabelSet = recorded.labels.iter().map(|l| Label::parse(l)).collect();
        let without = |these: &LabelSet, those: &LabelSet| -> Vec<String> {
            let own = these.iter().filter(|l| those.find(l).is_none());
            own.map(ToString::to_string).collect()
        };
        return differs(without(&recorded, ours), without(ours, &recorded));
    }
    let recorded = NumericIdentity(recorded.identity?);
    let comparable = Reserved::by_id(recorded).is_some() || Reserved::by_id(number).is_some();
    if !comparable || recorded == number {
        return None;
    }
    let name = |id: NumericIdentity| {
        Reserved::by_id(id).map_or_else(|| id.to_string(), |r| r.name.to_owned())
    };
    differs(vec![name(recorded)], vec![name(number)])
}
