//! Replayed recordings for programs.

use crate::recorded::{Change, LineAt, Now, Recording, Replayed};
use netverdict::rule::JsonPlace;
use netverdict::source::Sources;
use serde::Serialize;

/// A recording, held against policies.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JsonReplay {
    /// How many flows were read.
    pub flows: u64,
    /// Lines that are no flows.
    pub malformed: u64,
    /// Flows that answer others.
    pub replies: u64,
    /// Those that do not say whether they do.
    pub perhaps_replies: u64,
    /// Drops for other reasons than policy.
    pub other_drops: u64,
    /// Events without a verdict.
    pub without_verdict: u64,
    /// What newly fails comes first.
    pub connections: Vec<JsonReplayed>,
}

/// Connections that are alike.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JsonReplayed {
    /// How the answer differs from what was recorded.
    pub change: &'static str,
    /// Who opens them.
    pub from: String,
    /// To whom.
    pub to: String,
    /// What.
    pub traffic: String,
    /// What became of it then.
    pub recorded: &'static str,
    /// How many flows.
    pub flows: u64,
    /// The first of them: `file:line`.
    pub first: String,
    /// What becomes of it now.
    pub verdict: &'static str,
    /// What proxies do with what is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer7: Option<String>,
    /// Whose policy decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<&'static str>,
    /// Why nobody can tell.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<String>,
    /// The rules that decide.
    pub rules: Vec<JsonPlace>,
}

impl JsonReplay {
    /// Of a recording; `place` names its lines.
    pub fn new(
        recording: &Recording,
        replayed: &[Replayed],
        sources: &Sources,
        place: &dyn Fn(LineAt) -> String,
    ) -> Self {
        let skipped = recording.skipped();
        let connections = replayed.iter();
        Self {
            flows: recording.rows(),
            malformed: recording.malformed_rows(),
            replies: skipped.replies,
            perhaps_replies: skipped.unsaid.flows,
            other_drops: skipped.other_drops,
            without_verdict: skipped.others,
            connections: connections
                .map(|one| JsonReplayed::new(one, sources, place))
                .collect(),
        }
    }
}

impl JsonReplayed {
    fn new(one: &Replayed, sources: &Sources, place: &dyn Fn(LineAt) -> String) -> Self {
        let (verdict, layer7) = match &one.now {
            Now::Open(_) => ("unknown", None),
            Now::Answer { flow, layer7 } => {
                let sent = layer7.as_ref().and_then(|l| l.outcome.as_ref());
                (flow.overall.as_str(), sent.map(ToString::to_string))
            }
        };
        let rules = one.now.rules();
        Self {
            change: one.change.as_str(),
            from: one.from.clone(),
            to: one.to.clone(),
            traffic: one.traffic.to_string(),
            recorded: one.outcome.as_str(),
            flows: one.seen.flows,
            first: place(one.seen.first),
            verdict,
            layer7,
            direction: one.now.side().map(|s| s.direction.as_str()),
            why: match one.change {
                Change::Unknown => one.reasons(),
                _ => Vec::new(),
            },
            rules: rules.iter().map(|r| JsonPlace::new(r, sources)).collect(),
        }
    }
}
