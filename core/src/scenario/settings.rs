//! Settings of an engine, as programs write them down.
//!
//! In: JSON. Out: the agent's options, what no object says, and how documents
//! are read. The C ABI and the npm package take these.

use super::ScenarioConfig;
use crate::cluster::ClusterOptions;
use crate::config::Config;
use crate::fqdn::NamesConfig;
use crate::label::LabelFilter;
use crate::object::load::{LoadOptions, Strictness};
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

/// Settings; every one of them may be left out.
///
/// | field | |
/// |---|---|
/// | `config` | agent options as in a scenario: `{"enforcement": "always"}` |
/// | `disableICMPFragNeeded`, `disableClusterNetworkPolicy` | switch off what Cilium has on |
/// | `wellKnownIdentities` | switches on what Cilium has off |
/// | `fixedIdentities` | number to name |
/// | `identityLabels` | which labels make identities |
/// | `localNode` | the node whose agent this is |
/// | `names` | DNS names and their addresses |
/// | `learning` | limits of the name cache: `minTtl`, `maxAddressesPerName`, `maxZombies`, `idleGrace`, `maxHeld` |
/// | `defaultNamespace` | of objects that name none; empty for none |
/// | `strictness` | whose refusals count: `agent`, `crds` or `apiserver` |
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
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

impl Settings {
    /// Reads them; an empty text has none.
    ///
    /// # Errors
    /// What is wrong with the JSON, or with what it says.
    pub fn parse(json: &str) -> Result<Self, String> {
        if json.trim().is_empty() {
            return Ok(Self::default());
        }
        let settings: Self = serde_json::from_str(json).map_err(|e| e.to_string())?;
        if settings.config.disable_ipv4 && settings.config.disable_ipv6 {
            return Err("both families are disabled".into());
        }
        settings.cluster_options()?;
        Ok(settings)
    }

    /// The agent's options.
    #[must_use]
    pub fn config(&self) -> Config {
        Config {
            allow_icmp_frag_needed: !self.disable_icmp_frag_needed,
            cluster_network_policy: !self.disable_cluster_network_policy,
            well_known_identities: self.well_known_identities,
            fixed_identities: self.fixed_identities.clone(),
            ..Config::from(&self.config)
        }
    }

    /// What no object says.
    ///
    /// # Errors
    /// When `identityLabels` has an expression that cannot be read.
    pub fn cluster_options(&self) -> Result<ClusterOptions, String> {
        let labels = self.identity_labels.iter().map(String::as_str);
        let filter = LabelFilter::new(labels).map_err(|e| format!("identityLabels: {e}"))?;
        Ok(ClusterOptions {
            filter,
            local_node: Some(self.local_node.clone()).filter(|n| !n.is_empty()),
            resolved_names: self.names.clone(),
        })
    }

    /// How names are learned.
    #[must_use]
    pub fn names(&self) -> NamesConfig {
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
    #[must_use]
    pub fn load_options<'c>(&self, config: &'c Config) -> LoadOptions<'c> {
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
