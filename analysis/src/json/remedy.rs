//! Changes and what they do, for programs.

use crate::difference::{PairChange, PortChange};
use crate::remedy::{Remedy, Step};
use netverdict::cluster::ObjectKey;
use serde::Serialize;

/// A connection that is not as it was.
#[derive(Clone, Debug, Serialize)]
pub struct JsonEffect {
    /// `opened`, `closed`, `changed` or `unsettled`.
    pub kind: &'static str,
    /// Who sends.
    pub from: String,
    /// Who receives.
    pub to: String,
    /// Which ports.
    pub ports: String,
}

impl JsonEffect {
    /// All that is different between two peers.
    pub fn of<'p>(
        pair: &'p PairChange,
        ports: &'p [PortChange],
    ) -> impl Iterator<Item = Self> + 'p {
        ports.iter().map(|change| Self {
            kind: change.kind.as_str(),
            from: pair.from.clone(),
            to: pair.to.clone(),
            ports: change.ports.to_string(),
        })
    }
}

/// One step.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum JsonStep {
    /// A policy to add, as YAML.
    Add(String),
    /// A policy to remove: `Kind/namespace/name`.
    Remove(String),
}

impl JsonStep {
    /// `Kind/namespace/name`, or `Kind/name` for clusterwide objects.
    #[must_use]
    pub fn object(key: &ObjectKey) -> String {
        let parts = [&*key.kind, &*key.namespace, &*key.name];
        let parts: Vec<&str> = parts.into_iter().filter(|p| !p.is_empty()).collect();
        parts.join("/")
    }

    fn new(step: &Step) -> Self {
        match step {
            Step::Add(policy) => Self::Add(policy.clone()),
            Step::Remove(object) => Self::Remove(Self::object(object)),
        }
    }
}

/// Changes that together let a flow through.
#[derive(Clone, Debug, Serialize)]
pub struct JsonRemedy {
    /// What to change.
    pub steps: Vec<JsonStep>,
    /// Everything else that they do.
    pub beyond: Vec<JsonEffect>,
}

impl JsonRemedy {
    /// Of a remedy.
    #[must_use]
    pub fn new(remedy: &Remedy) -> Self {
        let beyond = remedy.beyond.iter();
        Self {
            steps: remedy.steps.iter().map(JsonStep::new).collect(),
            beyond: beyond
                .flat_map(|(pair, ports)| JsonEffect::of(pair, ports))
                .collect(),
        }
    }
}
