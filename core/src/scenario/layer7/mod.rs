//! Layer-7 questions in the exchange format, one per line.
//!
//! In: JSON of a question about DNS rules, HTTP rules or TLS server names, or
//! a history of DNS answers. Out: the question with its answers filled in, as
//! Cilium's own code answers the same (`conformance/cilium/layer7`).

mod dns;
mod history;
mod http;
mod server_name;

use super::{Scenario, ScenarioError};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer7Kind {
    /// Names that DNS rules allow and `toFQDNs` select.
    Dns,
    /// Requests that HTTP rules allow.
    Http,
    /// Connections that `serverNames` allow.
    Sni,
    /// What is known of names after each step of a history.
    Fqdn,
    /// The policies of a scenario's endpoints as Envoy is sent them.
    Proxy,
}

impl Layer7Kind {
    /// Reads a kind's name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "dns" => Self::Dns,
            "http" => Self::Http,
            "sni" => Self::Sni,
            "fqdn" => Self::Fqdn,
            "proxy" => Self::Proxy,
            _ => return None,
        })
    }

    /// Answers one question, as JSON.
    ///
    /// # Errors
    /// When it is no JSON of this kind.
    pub fn answer(self, question: &str) -> Result<String, ScenarioError> {
        match self {
            Self::Dns => answered(question, dns::DnsQuestion::answer),
            Self::Http => answered(question, http::HttpQuestion::answer),
            Self::Sni => answered(question, server_name::SniQuestion::answer),
            Self::Fqdn => answered(question, history::History::answer),
            Self::Proxy => {
                let scenario = Scenario::parse(question)?;
                Ok(scenario.prepare().network_policies().to_string())
            }
        }
    }
}

fn answered<Q: DeserializeOwned + Serialize>(
    question: &str,
    answer: impl FnOnce(&mut Q) -> Result<(), ScenarioError>,
) -> Result<String, ScenarioError> {
    let wrong = |e: serde_json::Error| ScenarioError(e.to_string());
    let mut question: Q = serde_json::from_str(question).map_err(wrong)?;
    answer(&mut question)?;
    serde_json::to_string(&question).map_err(wrong)
}

#[cfg(test)]
mod tests;
