//! Options of an engine.
//!
//! In: JSON. Out: the agent's options, and what no object says.

use crate::error::Failure;
use crate::status::NETVERDICT_JSON;
use netverdict::cluster::ClusterOptions;
use netverdict::config::Config;
use netverdict::fqdn::NamesConfig;
use netverdict::label::LabelFilter;
use netverdict::object::load::{LoadOptions, Strictness};
use netverdict::scenario::ScenarioConfig;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::IpAddr;

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Whose {
    #[default]
    Agent,
    Crds,
    ApiServer,
}

/// How names are learned; what is left out is as Cilium has it.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Learning {
    min_ttl: Option<u32>,
    max_addresses_per_name: Option<usize>,
    max_zombies: Option<usize>,
    idle_grace: Option<u64>,
    max_held: Option<usize>,
}

/// As callers write them; see `netverdict_engine_options`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Options {
    config: ScenarioConfig,
    #[serde(rename = "disableICMPFragNeeded")]
    disable_icmp_frag_needed: bool,
    disable_cluster_network_policy: bool,
    well_known_identities: bool,
    fixed_identities: BTreeMap<u32, String>,
    identity_labels: Vec<String>,
    local_node: String,
    names: BTreeMap<String, Vec<IpAddr>>,
    default_namespace: Option<String>,
    strictness: Option<Whose>,
    learning: Learning,
}

impl Options {
    /// Reads them; an empty text has none.
    pub(super) fn parse(json: &str) -> Result<Self, Failure> {
        let failure = |message: String| Failure::new(NETVERDICT_JSON, message);
        if json.trim().is_empty() {
            return Ok(Self::default());
        }
        let options: Self =
            serde_json::from_str(json).map_err(|e| failure(format!("options: {e}")))?;
        if options.config.disable_ipv4 && options.config.disable_ipv6 {
            return Err(failure("options: both families are disabled".into()));
        }
        Ok(options)
    }

    pub(super) fn config(&self) -> Config {
        Config {
            allow_icmp_frag_needed: !self.disable_icmp_frag_needed,
            cluster_network_policy: !self.disable_cluster_network_policy,
            well_known_identities: self.well_known_identities,
            fixed_identities: self.fixed_identities.clone(),
            ..Config::from(&self.config)
        }
    }

    pub(super) fn cluster(&self) -> Result<ClusterOptions, Failure> {
        let labels = self.identity_labels.iter().map(String::as_str);
        let filter = LabelFilter::new(labels)
            .map_err(|e| Failure::new(NETVERDICT_JSON, format!("options: identityLabels: {e}")))?;
        Ok(ClusterOptions {
            filter,
            local_node: Some(self.local_node.clone()).filter(|n| !n.is_empty()),
            resolved_names: self.names.clone(),
        })
    }

    /// How names are learned.
    pub(super) fn names(&self) -> NamesConfig {
        let (given, usual) = (self.learning, NamesConfig::default());
        NamesConfig {
            min_ttl: given.min_ttl.unwrap_or(usual.min_ttl),
            max_addresses_per_name: given
                .max_addresses_per_name
                .unwrap_or(usual.max_addresses_per_name),
            max_zombies: given.max_zombies.unwrap_or(usual.max_zombies),
            idle_grace: given.idle_grace.unwrap_or(usual.idle_grace),
            max_held: given.max_held.unwrap_or(usual.max_held),
        }
    }

    /// How documents are read.
    pub(super) fn load<'c>(&self, config: &'c Config) -> LoadOptions<'c> {
        let mut options = LoadOptions::new(config);
        options.strictness = match self.strictness {
            Some(Whose::Agent) => Strictness::Agent,
            Some(Whose::Crds) => Strictness::Crds,
            Some(Whose::ApiServer) => Strictness::ApiServer,
            None if self.config.enforce_schema => Strictness::Crds,
            None => Strictness::Agent,
        };
        if let Some(namespace) = &self.default_namespace {
            options.default_namespace = Some(namespace.clone()).filter(|n| !n.is_empty());
        }
        options
    }
}
