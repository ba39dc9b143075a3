//! The rules of a workload for programs.

use netverdict::cluster::{Endpoint, ResolvedPolicy};
use netverdict::rule::{Direction, JsonPlace, Rule, RuleVerdict};
use netverdict::source::Sources;
use serde::Serialize;

/// Everything that applies to a workload.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JsonPolicies {
    /// Its name.
    pub workload: String,
    /// Its identity.
    pub identity: u32,
    /// Who may talk to it.
    pub ingress: JsonDirection,
    /// To whom it may talk.
    pub egress: JsonDirection,
}

/// One direction of it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JsonDirection {
    /// Some rule selects the workload.
    pub enforced: bool,
    /// What no rule allows is denied.
    pub default_deny: bool,
    /// In the order they are asked.
    pub rules: Vec<JsonRule>,
}

/// A rule.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JsonRule {
    /// Where it stands.
    #[serde(flatten)]
    pub place: JsonPlace,
    /// Those of a lower tier are asked later.
    pub tier: String,
    /// Lower ones are asked first.
    pub priority: u32,
    /// `allow`, `deny` or `pass`.
    pub verdict: &'static str,
    /// It drops what no rule allows.
    pub default_deny: bool,
    /// Selectors; `None` for nobody.
    pub peers: Option<Vec<String>>,
    /// `443/TCP`; none for all.
    pub ports: Vec<String>,
}

impl JsonPolicies {
    /// Of an endpoint and its policy.
    #[must_use]
    pub fn new(endpoint: &Endpoint, policy: &ResolvedPolicy, sources: &Sources) -> Self {
        Self {
            workload: endpoint.to_string(),
            identity: endpoint.identity.0,
            ingress: JsonDirection::new(policy, Direction::Ingress, sources),
            egress: JsonDirection::new(policy, Direction::Egress, sources),
        }
    }
}

impl JsonDirection {
    fn new(policy: &ResolvedPolicy, direction: Direction, sources: &Sources) -> Self {
        let direction = policy.subject.direction(direction);
        let rules = direction.rules.iter().zip(&direction.priorities);
        Self {
            enforced: direction.enforced,
            default_deny: direction.default_deny,
            rules: rules
                .map(|(rule, priority)| JsonRule {
                    place: JsonPlace::new(rule, sources),
                    tier: rule.tier.to_string(),
                    priority: *priority,
                    verdict: verdict_of_rule(rule),
                    default_deny: rule.default_deny,
                    peers: peers(rule),
                    ports: ports_of_rule(rule),
                })
                .collect(),
        }
    }
}

/// `allow`, `deny` or `pass`.
#[must_use]
pub const fn verdict_of_rule(rule: &Rule) -> &'static str {
    match rule.verdict {
        RuleVerdict::Allow => "allow",
        RuleVerdict::Deny => "deny",
        RuleVerdict::Pass => "pass",
    }
}

fn peers(rule: &Rule) -> Option<Vec<String>> {
    let peers = rule.peers.as_ref()?;
    Some(peers.iter().map(ToString::to_string).collect())
}

/// `443/TCP`, `80/TCP (http)`; none for all ports.
///
/// ```
/// use netverdict::cluster::Cluster;
/// use netverdict_analysis::json::ports_of_rule;
///
/// let cluster = Cluster::read(include_str!("../../../core/examples/shop.yaml"))?;
/// let rule = cluster.repository().rules().next().expect("the policy has one");
/// assert_eq!(ports_of_rule(rule), ["5432/TCP"]);
/// # Ok::<(), Box<netverdict::diagnostic::Diagnostic>>(())
/// ```
#[must_use]
pub fn ports_of_rule(rule: &Rule) -> Vec<String> {
    let ports = rule.ports.iter();
    ports
        .flat_map(|rule| {
            let l7 = rule.l7.as_ref().map_or("", |l7| match l7.dns.is_empty() {
                true => " (http)",
                false => " (dns)",
            });
            rule.ports.iter().map(move |p| format!("{p}{l7}"))
        })
        .collect()
}
