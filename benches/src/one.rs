//! One endpoint's policy: many policies over many identities, of which all
//! (dense) or one in a hundred (spread) select it.
//!
//! In: how many. Out: a scenario that any engine can read, and the same loaded.
//! Everything follows from the numbers by integer division, so that the peer
//! in Go and this engine have the same work.

use netverdict::config::Config;
use netverdict::identity::{IdentityTable, NumericIdentity};
use netverdict::label::LabelSet;
use netverdict::object::Object;
use netverdict::object::load::{LoadOptions, Outcome, load};
use netverdict::resolve::{Repository, ResourceId};
use netverdict::rule::{Rule, Translator, cilium_resource};
use netverdict::scenario::{Scenario, ScenarioEndpoint, ScenarioIdentity};
use netverdict::source::SourceId;
use serde_json::{Value, json};

/// Which policies select the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// All.
    Dense,
    /// One in a hundred.
    Spread,
}

impl Shape {
    /// One word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dense => "dense",
            Self::Spread => "spread",
        }
    }
}

/// The number of identity 0, which is the subject.
pub const FIRST_IDENTITY: u32 = 1024;

const PORTS: [u16; 10] = [80, 443, 8080, 8443, 9090, 3000, 5432, 6379, 9200, 53];

/// The labels of identity `j`, `source:key` to value.
fn labels(j: usize) -> Vec<(&'static str, String)> {
    let app = format!("app-{}", j / 5 % 20);
    let namespace = format!("ns-{}", j % 5);
    vec![
        ("k8s:io.kubernetes.pod.namespace", namespace.clone()),
        ("k8s:app", app.clone()),
        ("k8s:tier", ["front", "mid", "back"][j / 5 % 3].to_owned()),
        ("k8s:rev", format!("rev-{}", j / 100)),
        ("k8s:zone", format!("zone-{}", j % 3)),
        ("k8s:io.cilium.k8s.policy.cluster", "default".to_owned()),
        ("k8s:io.cilium.k8s.policy.serviceaccount", app),
        (
            "k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name",
            namespace,
        ),
    ]
}

/// Policy `r`.
fn policy(r: usize, shape: Shape) -> Value {
    let subject = match shape {
        Shape::Dense => 0,
        Shape::Spread => r,
    };
    let namespace = format!("ns-{}", 3 * r % 5);
    let app = format!("app-{}", 7 * r % 20);
    let ports = |n: usize| -> Value {
        let of = |k: usize| json!({"port": PORTS[(r + 3 * k) % 10].to_string(), "protocol": "TCP"});
        (0..n).map(of).collect()
    };
    let n = 1 + r % 3;
    let peer = json!({"matchLabels": {"k8s:io.kubernetes.pod.namespace": namespace, "app": app}});
    let rule = |direction: &str, peers: &str, peer: Value, ports: Value| {
        let mut rule = json!({"toPorts": [ports]});
        rule[peers] = json!([peer]);
        let mut spec = json!({});
        spec[direction] = json!([rule]);
        spec
    };
    let ports_of = |n| json!({"ports": ports(n)});
    let mut spec = match (r + r / 100) % 10 {
        0..=3 => rule("ingress", "fromEndpoints", peer, ports_of(n)),
        4 => {
            let peer = json!({
                "matchLabels": {"k8s:io.kubernetes.pod.namespace": namespace},
                "matchExpressions": [
                    {"key": "tier", "operator": "In", "values": ["front", "back"]},
                    {"key": "app", "operator": "NotIn", "values": [app]},
                ],
            });
            rule("ingress", "fromEndpoints", peer, ports_of(1))
        }
        5 => rule("egress", "toEndpoints", peer, ports_of(n)),
        6 => {
            let (wide, hole) = (r % 256, r % 200);
            let cidr = json!({
                "cidr": format!("10.{wide}.0.0/16"),
                "except": [format!("10.{wide}.{hole}.0/24")],
            });
            rule("egress", "toCIDRSet", cidr, ports_of(1))
        }
        7 => {
            let http = json!({
                "ports": [{"port": "80", "protocol": "TCP"}],
                "rules": {"http": [{"method": "GET", "path": format!("/api/v{r}/.*")}]},
            });
            rule("ingress", "fromEndpoints", peer, http)
        }
        8 => {
            let mut peer = peer;
            peer["matchLabels"]["zone"] = json!(format!("zone-{}", r % 3));
            rule("ingressDeny", "fromEndpoints", peer, ports_of(1))
        }
        _ => json!({"egressDeny": [{"toCIDR": [format!("192.168.{}.0/24", r % 256)]}]}),
    };
    spec["endpointSelector"] = json!({"matchLabels": {"app": format!("app-{}", subject / 5 % 20)}});
    json!({
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumNetworkPolicy",
        "metadata": {"name": format!("policy-{r}"), "namespace": format!("ns-{}", subject % 5)},
        "spec": spec,
    })
}

/// The scenario with so many policies and identities.
#[must_use]
pub fn scenario(shape: Shape, policies: usize, identities: usize) -> Scenario {
    let identity = |j: usize| ScenarioIdentity {
        id: FIRST_IDENTITY + u32::try_from(j).unwrap_or(u32::MAX),
        labels: labels(j)
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v))
            .collect(),
        ..ScenarioIdentity::default()
    };
    Scenario {
        name: format!("{} {policies} {identities}", shape.name()),
        policies: (0..policies)
            .map(|r| policy(r, shape).to_string())
            .collect(),
        identities: (0..identities).map(identity).collect(),
        endpoints: vec![ScenarioEndpoint {
            id: FIRST_IDENTITY,
            ..ScenarioEndpoint::default()
        }],
        ..Scenario::default()
    }
}

/// A scenario's rules and identities, loaded.
#[derive(Debug)]
pub struct Loaded {
    /// The agent's options.
    pub config: Config,
    /// Every identity, those of prefixes included.
    pub identities: IdentityTable,
    /// The rules of every policy.
    pub policies: Vec<(ResourceId, Vec<Rule>)>,
}

impl Loaded {
    /// Loads a scenario.
    #[must_use]
    pub fn new(scenario: &Scenario) -> Self {
        let config = Config::from(&scenario.config);
        let without_endpoints = Scenario {
            endpoints: Vec::new(),
            ..scenario.clone()
        };
        let identities = without_endpoints.prepare().identities().clone();
        let policies = parse(&scenario.policies, &config);
        Self {
            config,
            identities,
            policies,
        }
    }

    /// A repository with the identities.
    #[must_use]
    pub fn repository(&self) -> Repository {
        Repository::new(self.config.clone(), self.identities.clone())
    }

    /// The subject's labels.
    ///
    /// # Panics
    /// Without identities.
    #[must_use]
    pub fn subject(&self) -> (NumericIdentity, LabelSet) {
        let id = NumericIdentity(FIRST_IDENTITY);
        (id, self.identities.get(id).expect("a subject").clone())
    }
}

/// The rules of policies, from their texts.
///
/// # Panics
/// When one is refused, which those of the workload are not.
#[must_use]
pub fn parse(texts: &[String], config: &Config) -> Vec<(ResourceId, Vec<Rule>)> {
    let translator = Translator::new(config);
    let mut policies = Vec::new();
    for text in texts {
        for document in load(SourceId(0), text, &LoadOptions::new(config)).documents {
            let Outcome::Accepted(object) = document.outcome else {
                panic!("the workload is refused: {text}");
            };
            if let Object::CiliumPolicy(p) = &*object {
                policies.push((cilium_resource(p), translator.cilium_policy(p)));
            }
        }
    }
    policies
}

/// Files rules; what [`Loaded::policies`] has is given away.
pub fn file(repository: &mut Repository, policies: Vec<(ResourceId, Vec<Rule>)>) {
    for (name, rules) in policies {
        repository.replace(&name, rules);
    }
}
