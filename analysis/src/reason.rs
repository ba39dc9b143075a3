//! Why something changed: for each side that says something else now, the rules
//! that decided before and those that decide now.

use crate::difference::Reason;
use netverdict::cluster::{ProxyRules, SideAnswer};
use netverdict::explain::JsonPlace;
use netverdict::policy_map::Verdict;
use netverdict::rule::Rule;
use netverdict::source::{Sources, Span};
use serde::Serialize;
use std::sync::Arc;

/// What a side says, and which rules make it.
#[derive(Debug, Serialize)]
pub struct Said {
    /// `allow`, `deny`, `default-deny`, `redirect`, `auth-required` or `unknown`.
    pub verdict: &'static str,
    /// What the proxy lets through.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<String>,
    /// The rules that decide, or that made it deny by default.
    pub rules: Vec<JsonPlace>,
    /// Where the first of them is written.
    #[serde(skip)]
    pub span: Span,
    /// The verdict in words.
    #[serde(skip)]
    pub words: &'static str,
}

impl Said {
    fn new(answer: Option<&SideAnswer>, sources: &Sources) -> Self {
        let Some(answer) = answer else {
            return Self {
                verdict: "allow",
                requests: Vec::new(),
                rules: Vec::new(),
                span: Span::default(),
                words: "no policy",
            };
        };
        let authored: Vec<Arc<Rule>> = answer
            .rules
            .iter()
            .filter(|r| !r.origin.is_synthesized())
            .cloned()
            .collect();
        let rules = if authored.is_empty() {
            answer.default_deny_by()
        } else {
            authored
        };
        let open = answer.decision.verdict() == Some(Verdict::Allow) && rules.is_empty();
        Self {
            verdict: answer.decision.verdict().map_or("unknown", Verdict::as_str),
            requests: answer
                .proxy_rules
                .as_ref()
                .map(ProxyRules::lines)
                .unwrap_or_default(),
            span: rules.first().map_or_else(Span::default, |r| r.origin.span),
            rules: rules.iter().map(|r| JsonPlace::new(r, sources)).collect(),
            words: if open {
                "allowed, no policy denies"
            } else {
                answer.decision.words()
            },
        }
    }

    /// The rules: `CiliumNetworkPolicy/shop/db spec.ingress[0] (db.yaml:12:3)`.
    #[must_use]
    pub fn places(&self) -> Vec<String> {
        const LISTED: usize = 3;
        let more = self.rules.len().saturating_sub(LISTED);
        let shown = self.rules.iter().take(LISTED);
        let mut places: Vec<String> = shown
            .map(|p| format!("{} {} ({})", p.rule, p.path, p.at))
            .collect();
        if more > 0 {
            places.push(format!("{more} more"));
        }
        places
    }
}

/// A side that says something else now.
#[derive(Debug, Serialize)]
pub struct SideChange {
    /// `egress` of the sender or `ingress` of the receiver.
    pub direction: &'static str,
    /// Whose policy it is.
    pub of: String,
    /// What it said before.
    pub before: Said,
    /// What it says now.
    pub after: Said,
}

/// The sides that say something else now.
#[must_use]
pub fn sides(reason: &Reason, sources: [&Sources; 2]) -> Vec<SideChange> {
    let sides = reason.sides().into_iter();
    sides
        .map(|(direction, before, after)| SideChange {
            direction: direction.as_str(),
            of: after
                .or(before)
                .map(|s| s.subject.clone())
                .unwrap_or_default(),
            before: Said::new(before, sources[0]),
            after: Said::new(after, sources[1]),
        })
        .collect()
}
