//! Answers about flows as JSON, places resolved.
//!
//! In: a [`Flow`], what is said of it. Out: the form that `netverdict verdict
//! -o json` prints and the C ABI gives; with [`JsonExplanation`]s for sides,
//! that of `netverdict explain -o json`.

use super::layer7_json::JsonLayer7;
use super::{Decision, Flow, FlowAnswer, ProxyRules, SideAnswer};
use crate::explain::{Explanation, JsonExplanation};
use crate::policy_map::{RedirectKey, Verdict};
use crate::rule::{Direction, JsonPlace, Rule, protocol};
use crate::source::Sources;
use serde::Serialize;
use std::sync::Arc;

/// What happens to a flow.
///
/// ```
/// use netverdict::cluster::{Cluster, Flow, JsonFlow, JsonSide, SideAnswer};
/// use netverdict::source::Sources;
///
/// let cluster = Cluster::read(include_str!("../../examples/shop.yaml"))?;
/// let (from, to) = (cluster.peer("shop/web")?, cluster.peer("shop/db")?);
/// let flow = Flow::new(&from, &to, 6, 80);
/// let why = cluster.explain(&flow);
///
/// // As a value: what switched default deny on, what Hubble would print.
/// let side: &SideAnswer = why.answer.ingress.as_ref().expect("db has a policy");
/// assert_eq!(side.default_deny_by().len(), 1);
/// assert!(side.redirect().is_none() && side.authentication().is_none());
///
/// // As JSON, without and with the reasons.
/// let sources = Sources::new();
/// let json = JsonFlow::of_answer(&flow, &why.answer, None, &sources);
/// assert_eq!(json.verdict, "default-deny");
/// let explained = JsonSide::new(side, &sources).explained(why.ingress.as_ref(), &sources);
/// assert!(explained.explanation.is_some());
/// # Ok::<(), Box<netverdict::diagnostic::Diagnostic>>(())
/// ```
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JsonFlow<S> {
    /// Who sends, as the caller named them.
    pub from: String,
    /// Who is to receive.
    pub to: String,
    /// `TCP`, or a number.
    pub protocol: String,
    /// Destination port, or ICMP type.
    pub port: u16,
    /// ICMP code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icmp_code: Option<u8>,
    /// True for a fragment whose port is not known; else left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub untracked_fragment: bool,
    /// `allow`, `deny`, `default-deny`, `redirect`, `auth-required` or
    /// `unknown`.
    pub verdict: &'static str,
    /// Why it is unknown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<String>,
    /// The sender's side; `null` for senders without a policy.
    pub egress: Option<S>,
    /// The receiver's side.
    pub ingress: Option<S>,
    /// What becomes of what is sent, if that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer7: Option<JsonLayer7>,
}

impl<S> JsonFlow<S> {
    /// A flow with what is said of it all in all; `egress` and `ingress` are
    /// made by the caller.
    #[must_use]
    pub fn new(
        flow: &Flow<'_>,
        overall: &Decision,
        [egress, ingress]: [Option<S>; 2],
        layer7: Option<JsonLayer7>,
    ) -> Self {
        Self {
            from: flow.from.to_string(),
            to: flow.to.to_string(),
            protocol: protocol_name(flow.protocol),
            port: flow.port,
            icmp_code: flow.icmp_code,
            untracked_fragment: flow.untracked_fragment,
            verdict: overall.as_str(),
            why: overall.why().to_vec(),
            egress,
            ingress,
            layer7,
        }
    }
}

impl JsonFlow<JsonSide> {
    /// A flow's answer.
    #[must_use]
    pub fn of_answer(
        flow: &Flow<'_>,
        answer: &FlowAnswer,
        layer7: Option<JsonLayer7>,
        sources: &Sources,
    ) -> Self {
        let side = |side: &Option<SideAnswer>| side.as_ref().map(|s| JsonSide::new(s, sources));
        let sides = [side(&answer.egress), side(&answer.ingress)];
        Self::new(flow, &answer.overall, sides, layer7)
    }
}

/// What the policy of one side says.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JsonSide {
    /// `egress` of the sender or `ingress` of the receiver.
    pub direction: &'static str,
    /// Whose policy it is: `namespace/name`, or `host`.
    pub subject: String,
    /// The identity the other side was judged by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<u32>,
    /// As [`JsonFlow::verdict`].
    pub verdict: &'static str,
    /// How much of the packet the deciding entry looks at.
    pub match_type: &'static str,
    /// As Hubble prints it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hubble: Option<String>,
    /// The datapath's return code.
    pub code: i16,
    /// The key of the deciding entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<JsonKey>,
    /// Where the flow is redirected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect: Option<JsonRedirect>,
    /// The authentication required: `spire`, `test-always-fail`, a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentication: Option<String>,
    /// The rules that decide.
    pub rules: Vec<JsonPlace>,
    /// The rules that made this side deny by default, when it does.
    pub default_deny_by: Vec<JsonPlace>,
    /// Why it is unknown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<String>,
    /// Every candidate, where that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explanation: Option<JsonExplanation>,
}

/// The key of a policy map's entry, in the direction it was found in.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JsonKey {
    /// The peer's identity; 0 for all.
    pub identity: u32,
    /// IP protocol number; 0 for all.
    pub protocol: u8,
    /// First port of the range.
    pub port: u16,
    /// How many leading bits of the port count.
    pub port_prefix: u8,
}

/// Where a redirect leads.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JsonRedirect {
    /// `http`, `dns`, `tls` or `crd`.
    pub parser: &'static str,
    /// The custom listener.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub listener: String,
    /// The port that redirects.
    pub port: u16,
    /// Its protocol.
    pub protocol: String,
    /// The port of the proxy; a stand-in where nobody said which.
    pub proxy_port: u16,
    /// What it lets through; empty when it restricts nothing.
    pub rules: Vec<String>,
}

impl JsonSide {
    /// Resolves an answer's places.
    #[must_use]
    pub fn new(side: &SideAnswer, sources: &Sources) -> Self {
        let places = |rules: &[Arc<Rule>]| -> Vec<JsonPlace> {
            rules.iter().map(|r| JsonPlace::new(r, sources)).collect()
        };
        Self {
            direction: side.direction.as_str(),
            subject: side.subject.clone(),
            peer: side.peer.map(|p| p.0),
            verdict: side.decision.as_str(),
            match_type: side.match_type.as_str(),
            hubble: side.hubble(),
            code: side.code,
            key: side.entry.as_ref().map(|(key, _)| JsonKey {
                identity: key.identity.0,
                protocol: key.l4.protocol,
                port: key.l4.port,
                port_prefix: key.l4.port_prefix,
            }),
            redirect: side.redirect().map(|r| JsonRedirect {
                parser: r.parser.as_str(),
                listener: r.listener.to_string(),
                port: r.port,
                protocol: protocol_name(r.protocol),
                proxy_port: side.proxy_port,
                rules: side
                    .proxy_rules
                    .as_ref()
                    .map(ProxyRules::lines)
                    .unwrap_or_default(),
            }),
            authentication: side.authentication(),
            rules: places(&side.rules),
            default_deny_by: places(&side.default_deny_by()),
            why: side.decision.why().to_vec(),
            explanation: None,
        }
    }

    /// The same with every candidate.
    #[must_use]
    pub fn explained(self, explanation: Option<&Explanation>, sources: &Sources) -> Self {
        Self {
            explanation: explanation.map(|e| JsonExplanation::new(e, sources)),
            ..self
        }
    }
}

impl Decision {
    /// The verdict's word, or `unknown`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Verdict(verdict) => verdict.as_str(),
            Self::Unknown { .. } => "unknown",
        }
    }

    /// The verdict as people say it.
    #[must_use]
    pub const fn words(&self) -> &'static str {
        match self {
            Self::Verdict(Verdict::Allow) => "allowed",
            Self::Verdict(Verdict::Redirect) => "allowed by way of a proxy",
            Self::Verdict(Verdict::Deny) => "denied",
            Self::Verdict(Verdict::DefaultDeny) => "denied by default",
            Self::Verdict(Verdict::AuthRequired) => "dropped until authenticated",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// What is missing; nothing when it is settled.
    #[must_use]
    pub fn why(&self) -> &[String] {
        match self {
            Self::Verdict(_) => &[],
            Self::Unknown { why } => why,
        }
    }
}

impl SideAnswer {
    /// The words of `hubble observe --type policy-verdict` for it.
    #[must_use]
    pub fn hubble(&self) -> Option<String> {
        let verdict = self.decision.verdict()?;
        let word = if verdict.is_allowed() {
            "ALLOWED"
        } else {
            "DENIED"
        };
        let direction = match self.direction {
            Direction::Ingress => "INGRESS",
            Direction::Egress => "EGRESS",
        };
        Some(format!(
            "policy-verdict:{} {direction} {word}",
            self.match_type.as_str()
        ))
    }

    /// Where it is redirected to.
    #[must_use]
    pub fn redirect(&self) -> Option<&RedirectKey> {
        let (_, entry) = self.entry.as_ref()?;
        if self.proxy_port == 0 {
            return None;
        }
        let policy = self.policy.as_ref()?;
        policy.map.direction(self.direction).redirect_of(entry)
    }

    /// The authentication required, by name.
    #[must_use]
    pub fn authentication(&self) -> Option<String> {
        Some(match self.auth_type {
            0 => return None,
            1 => "spire".to_owned(),
            2 => "test-always-fail".to_owned(),
            n => n.to_string(),
        })
    }

    /// The rules that made this side deny by default, when it does.
    #[must_use]
    pub fn default_deny_by(&self) -> Vec<Arc<Rule>> {
        if self.decision.verdict() != Some(Verdict::DefaultDeny) {
            return Vec::new();
        }
        let Some(policy) = &self.policy else {
            return Vec::new();
        };
        let rules = &policy.subject.direction(self.direction).rules;
        rules.iter().filter(|r| r.default_deny).cloned().collect()
    }
}

impl ProxyRules {
    /// What the proxy lets through, a line each: `GET /public/.*`, `queries for
    /// *.example.com`.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let http = self.l7.http.iter().map(ToString::to_string);
        let dns = self.l7.dns.iter().map(|(name, pattern)| {
            let name = if name.is_empty() { pattern } else { name };
            format!("queries for {name}")
        });
        let names = self.server_names.iter();
        let names = names.map(|n| format!("TLS for {n}"));
        http.chain(dns).chain(names).collect()
    }
}

/// The name of a protocol, or its number.
fn protocol_name(number: u8) -> String {
    protocol::name(number).map_or_else(|| number.to_string(), str::to_owned)
}
