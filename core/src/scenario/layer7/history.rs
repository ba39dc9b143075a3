//! Histories of DNS answers, and what is known after each step.

use super::super::ScenarioError;
use super::dns::NameRule;
use crate::fqdn::{Names, NamesConfig};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct History {
    #[serde(skip_serializing_if = "String::is_empty")]
    id: String,
    config: Config,
    selectors: Vec<NameRule>,
    steps: Vec<Step>,
}

/// Zero means Cilium's default.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    #[serde(rename = "minTTL", skip_serializing_if = "is_zero")]
    min_ttl: u64,
    #[serde(rename = "maxIPsPerHost", skip_serializing_if = "is_zero")]
    max_ips_per_host: u64,
    #[serde(rename = "maxZombies", skip_serializing_if = "is_zero")]
    max_zombies: u64,
    #[serde(rename = "graceMs", skip_serializing_if = "is_zero")]
    grace_ms: u64,
    #[serde(skip_serializing_if = "is_zero")]
    endpoints: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks so
const fn is_zero(n: &u64) -> bool {
    *n == 0
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Step {
    ms: u64,
    op: String,
    #[serde(skip_serializing_if = "is_zero")]
    ep: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ips: Vec<IpAddr>,
    #[serde(skip_serializing_if = "is_zero")]
    ttl: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    selector: Option<NameRule>,
    state: Option<State>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    names: BTreeMap<String, Vec<IpAddr>>,
    addresses: BTreeMap<IpAddr, Vec<String>>,
    labels: BTreeMap<IpAddr, Vec<String>>,
    endpoints: Vec<EndpointState>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct EndpointState {
    addresses: BTreeMap<IpAddr, Vec<String>>,
    entries: Vec<Entry>,
    zombies: Vec<ZombieState>,
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    name: String,
    expires: u64,
    ttl: u32,
    ips: Vec<IpAddr>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ZombieState {
    ip: IpAddr,
    names: Vec<String>,
    /// -1 before any collection of connections.
    alive_at: i64,
    delete_pending_at: u64,
    alive: bool,
}

impl History {
    pub(super) fn answer(&mut self) -> Result<(), ScenarioError> {
        let default = NamesConfig::default();
        let or = |n: u64, other: usize| match n {
            0 => other,
            n => usize::try_from(n).unwrap_or(usize::MAX),
        };
        let config = &self.config;
        let mut names = Names::new(NamesConfig {
            min_ttl: u32::try_from(config.min_ttl).unwrap_or(u32::MAX),
            max_addresses_per_name: or(config.max_ips_per_host, default.max_addresses_per_name),
            max_zombies: or(config.max_zombies, default.max_zombies),
            idle_grace: config.grace_ms,
            ..default
        });
        for selector in &self.selectors {
            names.register(selector.label());
        }
        let endpoints = config.endpoints.max(1);
        for (i, step) in self.steps.iter_mut().enumerate() {
            if step.ep >= endpoints {
                let wrong = format!("steps[{i}]: there is no endpoint {}", step.ep);
                return Err(ScenarioError(wrong));
            }
            step.run(&mut names)
                .map_err(|wrong| ScenarioError(format!("steps[{i}]: {wrong}")))?;
            step.state = Some(State::of(&mut names, endpoints));
        }
        Ok(())
    }
}

impl Step {
    fn run(&self, names: &mut Names) -> Result<(), String> {
        let selector = || {
            let given = self.selector.as_ref().map(NameRule::label);
            given.ok_or("`selector` is missing")
        };
        match self.op.as_str() {
            "lookup" => {}
            "update" => {
                let ttl = u32::try_from(self.ttl).unwrap_or(u32::MAX);
                names
                    .answer(self.ep, &self.name, &self.ips, ttl, self.ms)
                    .map_err(|full| full.to_string())?;
            }
            "alive" => {
                for ip in &self.ips {
                    names.alive(self.ep, ip, self.ms);
                }
            }
            "ctgc" => names.end_of_conntrack_collection(self.ep, self.ms),
            "gc" => names.collect(self.ms),
            "leave" => names.remove_endpoint(self.ep),
            "register" => {
                names.register(selector()?);
            }
            "unregister" => {
                names.unregister(selector()?);
            }
            other => return Err(format!("there is no op `{other}`")),
        }
        Ok(())
    }
}

impl State {
    fn of(names: &mut Names, endpoints: u64) -> Self {
        let addresses = names.all_addresses();
        let labels = addresses.keys().map(|ip| {
            let selectors = names.selectors_of(ip);
            (*ip, texts(&selectors))
        });
        Self {
            labels: labels.filter(|(_, all)| !all.is_empty()).collect(),
            names: names
                .names()
                .map(|name| (name.to_string(), names.addresses(name)))
                .collect(),
            addresses: by_address(addresses),
            endpoints: (0..endpoints)
                .map(|ep| EndpointState::of(names, ep))
                .collect(),
        }
    }
}

impl EndpointState {
    fn of(names: &Names, endpoint: u64) -> Self {
        let Some(own) = names.endpoint(endpoint) else {
            return Self::default();
        };
        let entries = own.answers().into_iter().map(|answer| {
            let mut ips = answer.addresses.to_vec();
            ips.sort_unstable();
            Entry {
                name: answer.name.to_string(),
                expires: answer.expires,
                ttl: answer.ttl,
                ips,
            }
        });
        let mut entries: Vec<Entry> = entries.collect();
        entries.sort_unstable();
        let living = own.living_zombies();
        let zombies = own.zombies().map(|(ip, zombie)| ZombieState {
            ip: *ip,
            names: texts(&zombie.names),
            alive_at: zombie
                .alive_at
                .map_or(-1, |at| i64::try_from(at).unwrap_or(i64::MAX)),
            delete_pending_at: zombie.due,
            alive: living.contains(ip),
        });
        Self {
            addresses: by_address(own.addresses()),
            entries,
            zombies: zombies.collect(),
        }
    }
}

fn texts<'a>(all: impl IntoIterator<Item = &'a Arc<str>>) -> Vec<String> {
    all.into_iter().map(ToString::to_string).collect()
}

fn by_address(all: BTreeMap<IpAddr, Vec<Arc<str>>>) -> BTreeMap<IpAddr, Vec<String>> {
    all.into_iter()
        .map(|(ip, names)| (ip, texts(&names)))
        .collect()
}
