//! What becomes of requests, queries and TLS connections, as JSON.

use super::{Layer7, Layer7Answer, Layer7Outcome, Layer7Side, TriedLayer7};
use crate::l7::Request;
use crate::rule::JsonPlace;
use crate::source::{Sources, Span};
use serde::Serialize;

/// What becomes of what is sent on a flow.
#[derive(Clone, Debug, Serialize)]
pub struct JsonLayer7 {
    /// What is sent, in words: `GET /docs`.
    pub sent: String,
    /// [`Layer7Outcome::as_str`]; `null` when the flow itself does not pass.
    pub outcome: Option<&'static str>,
    /// Why it is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// At the sender's proxy; `null` when the flow does not get that far.
    pub egress: Option<JsonLayer7Side>,
    /// At the receiver's proxy.
    pub ingress: Option<JsonLayer7Side>,
    /// Headers of the request as it arrives.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
}

/// What one proxy makes of it.
#[derive(Clone, Debug, Serialize)]
pub struct JsonLayer7Side {
    /// What it does.
    pub outcome: &'static str,
    /// The rules about this peer, in the order they were tried.
    pub tried: Vec<JsonTried>,
    /// Headers logged as missing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<(String, String)>,
    /// Headers logged as rejected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<(String, String)>,
}

/// A rule that a proxy tried.
#[derive(Clone, Debug, Serialize)]
pub struct JsonTried {
    /// What it asks for, in words.
    pub wanted: String,
    /// `file:line:column`, or a dash for nowhere.
    pub at: String,
    /// Why it does not match; left out when it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub miss: Option<String>,
    /// The rules it is written in.
    pub rules: Vec<JsonPlace>,
}

impl JsonLayer7 {
    /// Resolves an answer's places. `sent` is what was asked about.
    #[must_use]
    pub fn new(sent: &Layer7<'_>, answer: &Layer7Answer, sources: &Sources) -> Self {
        let side = |side: &Layer7Side| JsonLayer7Side {
            outcome: side.outcome.as_str(),
            tried: side
                .tried
                .iter()
                .map(|t| JsonTried::new(t, sources))
                .collect(),
            missing: side.http.missing.clone(),
            rejected: side.http.rejected.clone(),
        };
        let headers = answer.request.iter().flat_map(Request::headers);
        Self {
            sent: sent.to_string(),
            outcome: answer.outcome.as_ref().map(Layer7Outcome::as_str),
            why: match &answer.outcome {
                Some(Layer7Outcome::Unknown(why)) => Some(why.clone()),
                _ => None,
            },
            egress: answer.egress.as_ref().map(side),
            ingress: answer.ingress.as_ref().map(side),
            headers: headers.map(|(n, v)| (n.to_owned(), v.to_owned())).collect(),
        }
    }
}

impl JsonTried {
    fn new(tried: &TriedLayer7, sources: &Sources) -> Self {
        let places = tried.rules.iter().map(|r| JsonPlace::new(r, sources));
        Self {
            wanted: tried.wanted.clone(),
            at: if tried.span == Span::default() {
                "-".to_owned()
            } else {
                sources.locate(tried.span)
            },
            miss: tried.miss.clone(),
            rules: places.collect(),
        }
    }
}
