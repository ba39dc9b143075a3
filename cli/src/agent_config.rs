//! The Cilium agent's options, from flags and files.
//!
//! In: `--enable-policy=always` and the like, and a file with the same names
//! (plain, or the `cilium-config` ConfigMap of a cluster). Out: the engine's
//! [`Config`]. Flags count more than the file.

use crate::exit::Failure;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, parser::ValueSource};
use netverdict::config::{AllowLocalhost, Config, Enforcement};
use netverdict::diagnostic::suggest;
use netverdict::label::LabelFilter;
use netverdict::source::SourceId;
use netverdict::yaml::{self, Node, Number, Value};
use std::path::{Path, PathBuf};

/// What the agent is told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Agent {
    /// Its options.
    pub(crate) config: Config,
    /// Which labels make identities: its option `labels`.
    pub(crate) filter: LabelFilter,
}

/// An option: its name in Cilium, and what a value does.
struct AgentOption {
    name: &'static str,
    value: &'static str,
    help: &'static str,
    set: fn(&mut Agent, &str) -> Result<(), String>,
}

macro_rules! switch {
    ($name:literal, $field:ident, $help:literal) => {
        AgentOption {
            name: $name,
            value: "BOOL",
            help: $help,
            set: |agent, text| boolean(text).map(|b| agent.config.$field = b),
        }
    };
}

/// Every option that changes a verdict, by name.
const OPTIONS: [AgentOption; 21] = [
    switch!(
        "allow-icmp-frag-needed",
        allow_icmp_frag_needed,
        "ICMP type 3 code 4 passes without a rule [default: true]"
    ),
    AgentOption {
        name: "allow-localhost",
        value: "auto|always|policy",
        help: "Whether ingress from the local host needs a rule [default: auto]",
        set: |agent, text| {
            agent.config.allow_localhost = match text {
                "auto" => AllowLocalhost::Auto,
                "always" => AllowLocalhost::Always,
                "policy" => AllowLocalhost::Policy,
                _ => return Err("it is `auto`, `always` or `policy`".to_owned()),
            };
            Ok(())
        },
    },
    AgentOption {
        name: "bpf-policy-map-max",
        value: "N",
        help: "Entries of an endpoint's policy map, 256 to 65536 [default: 16384]",
        set: |agent, text| number(text, 256, 65_536).map(|n| agent.config.policy_map_max = n),
    },
    AgentOption {
        name: "cluster-id",
        value: "N",
        help: "Number of the local cluster in a mesh [default: 0]",
        set: |agent, text| number(text, 0, 511).map(|n| agent.config.cluster_id = n),
    },
    AgentOption {
        name: "cluster-name",
        value: "NAME",
        help: "Name of the local cluster [default: default]",
        set: |agent, text| {
            text.clone_into(&mut agent.config.cluster_name);
            Ok(())
        },
    },
    switch!(
        "enable-extended-ip-protocols",
        extended_ip_protocols,
        "Rules may name VRRP and IGMP [default: false]"
    ),
    switch!(
        "enable-host-firewall",
        host_firewall,
        "Policies for nodes are enforced [default: false]"
    ),
    switch!(
        "enable-icmp-rules",
        icmp_rules,
        "Rules may name ICMP types [default: true]"
    ),
    switch!("enable-ipv4", ipv4, "IPv4 is in use [default: true]"),
    switch!("enable-ipv6", ipv6, "IPv6 is in use [default: true]"),
    switch!(
        "enable-k8s-cluster-network-policy",
        cluster_network_policy,
        "ClusterNetworkPolicy is enforced [default here: true; in the agent: false]"
    ),
    switch!(
        "enable-l7-proxy",
        l7_proxy,
        "Layer-7 rules redirect to a proxy [default: true]"
    ),
    switch!(
        "enable-node-selector-labels",
        node_selector_labels,
        "Node labels make identities [default: false]"
    ),
    switch!(
        "enable-non-default-deny-policies",
        non_default_deny,
        "`enableDefaultDeny` is honoured [default: true]"
    ),
    AgentOption {
        name: "enable-policy",
        value: "default|always|never",
        help: "When policy is enforced [default: default]",
        set: |agent, text| {
            agent.config.enforcement = match text.to_ascii_lowercase().as_str() {
                "default" => Enforcement::Default,
                "always" => Enforcement::Always,
                "never" => Enforcement::Never,
                _ => return Err("it is `default`, `always` or `never`".to_owned()),
            };
            Ok(())
        },
    },
    switch!(
        "enable-well-known-identities",
        well_known_identities,
        "Some system pods have fixed identities [default: false]"
    ),
    AgentOption {
        name: "k8s-namespace",
        value: "NAME",
        help: "The namespace Cilium runs in [default: kube-system]",
        set: |agent, text| {
            text.clone_into(&mut agent.config.cilium_namespace);
            Ok(())
        },
    },
    AgentOption {
        name: "labels",
        value: "PATTERNS",
        help: "Which labels make identities, as Cilium's option of that name",
        set: |agent, text| {
            let patterns = text.split([' ', ',', '\n']).filter(|p| !p.is_empty());
            agent.filter = LabelFilter::new(patterns).map_err(|e| e.to_string())?;
            Ok(())
        },
    },
    AgentOption {
        name: "max-connected-clusters",
        value: "255|511",
        help: "Clusters a mesh has room for [default: 255]",
        set: |agent, text| {
            agent.config.max_connected_clusters = match text {
                "255" => 255,
                "511" => 511,
                _ => return Err("it is 255 or 511".to_owned()),
            };
            Ok(())
        },
    },
    AgentOption {
        name: "policy-cidr-match-mode",
        value: "nodes,pods",
        help: "What beside the world CIDR rules match [default: nothing]",
        set: |agent, text| {
            agent.config.cidr_matches_nodes = false;
            agent.config.cidr_matches_pods = false;
            for mode in text.split([' ', ',']).filter(|m| !m.is_empty()) {
                match mode {
                    "nodes" => agent.config.cidr_matches_nodes = true,
                    "pods" => agent.config.cidr_matches_pods = true,
                    _ => return Err(format!("`{mode}` is neither `nodes` nor `pods`")),
                }
            }
            Ok(())
        },
    },
    switch!(
        "policy-default-local-cluster",
        default_local_cluster,
        "Peers without a cluster are those of the local one [default: true]"
    ),
];

fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "true" | "True" | "TRUE" | "t" | "T" | "1" => Ok(true),
        "false" | "False" | "FALSE" | "f" | "F" | "0" => Ok(false),
        _ => Err("it is `true` or `false`".to_owned()),
    }
}

fn number(text: &str, least: u32, most: u32) -> Result<u32, String> {
    let n = text.parse().ok().filter(|n| (least..=most).contains(n));
    n.ok_or_else(|| format!("it is a number from {least} to {most}"))
}

/// The options given, and the file that gives others.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConfigArgs {
    file: Option<PathBuf>,
    given: Vec<(&'static AgentOption, String)>,
}

impl std::fmt::Debug for AgentOption {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl ConfigArgs {
    /// What the agent is told by the file and, over it, the flags.
    ///
    /// # Errors
    /// When the file cannot be read, names an unknown option, or a value is
    /// none of its option.
    pub(crate) fn agent(&self) -> Result<Agent, Failure> {
        let mut agent = Agent::default();
        if let Some(path) = &self.file {
            read_file(path, &mut agent)?;
        }
        for (option, value) in &self.given {
            (option.set)(&mut agent, value)
                .map_err(|why| Failure::new(format!("`--{}={value}`: {why}", option.name)))?;
        }
        let most = agent.config.max_connected_clusters;
        if agent.config.cluster_id > most {
            let message = format!("cluster-id {} is above {most}", agent.config.cluster_id);
            return Err(Failure::new(message).help("raise `max-connected-clusters` to 511"));
        }
        Ok(agent)
    }
}

fn read_file(path: &Path, agent: &mut Agent) -> Result<(), Failure> {
    let name = path.display();
    let text = std::fs::read_to_string(path).map_err(|e| Failure::file("read", name, &e))?;
    let name = path.display();
    let documents = yaml::read(SourceId(0), &text, &yaml::Limits::default());
    let node = match documents.into_iter().next() {
        None => return Ok(()),
        Some(document) => match document.result {
            Ok(node) => node,
            Err(e) => return Err(Failure::new(format!("`{name}`: {}", e.message))),
        },
    };
    if !node.is_null() && !matches!(node.value, Value::Map(_)) {
        return Err(Failure::new(format!("`{name}` has no options"))
            .help("write one option per line, as `enable-policy: always`"));
    }
    let is_map = node.get("kind").and_then(Node::as_str) == Some("ConfigMap");
    let data = if is_map {
        node.get("data")
    } else {
        Some(&node)
    };
    for entry in data.map_or(&[][..], Node::entries) {
        let Some(option) = OPTIONS.iter().find(|o| o.name == entry.key) else {
            // A cluster has hundreds that do not concern policy.
            if is_map {
                continue;
            }
            let message = format!("`{name}`: there is no option `{}`", entry.key);
            let meant = suggest(&entry.key, OPTIONS.iter().map(|o| o.name));
            return Err(match meant {
                Some(meant) => Failure::new(message).help(format!("did you mean `{meant}`?")),
                None => Failure::new(message).help("`netverdict verdict --help` lists them"),
            });
        };
        let value = scalar(&entry.node)
            .ok_or_else(|| Failure::new(format!("`{name}`: `{}` has no value", entry.key)))?;
        (option.set)(agent, &value)
            .map_err(|why| Failure::new(format!("`{name}`: `{}: {value}`: {why}", entry.key)))?;
    }
    Ok(())
}

/// The text of a value; a list is its items.
fn scalar(node: &Node) -> Option<String> {
    Some(match &node.value {
        Value::Bool(b) => b.to_string(),
        Value::Number(Number::Int(n)) => n.to_string(),
        Value::Number(Number::UInt(n)) => n.to_string(),
        Value::String(text) => text.clone(),
        Value::List(items) => {
            let items: Option<Vec<String>> = items.iter().map(scalar).collect();
            items?.join(",")
        }
        Value::Null | Value::Map(_) | Value::Number(Number::Float(_)) => return None,
    })
}

impl Args for ConfigArgs {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new("config")
            .long("config")
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .help("Agent options from a file: `name: value` lines, or the ConfigMap cilium-config")
            .help_heading("Cilium's options");
        OPTIONS.iter().fold(command.arg(file), |command, option| {
            let arg = Arg::new(option.name)
                .long(option.name)
                .value_name(option.value)
                .help(option.help)
                .help_heading("Cilium's options")
                .hide_short_help(true);
            command.arg(if option.value == "BOOL" {
                arg.num_args(0..=1)
                    .require_equals(true)
                    .default_missing_value("true")
            } else {
                arg
            })
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for ConfigArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut args = Self::default();
        args.update_from_arg_matches(matches)?;
        Ok(args)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.file = matches.get_one("config").cloned();
        self.given = OPTIONS
            .iter()
            .filter(|o| matches.value_source(o.name) == Some(ValueSource::CommandLine))
            .filter_map(|o| Some((o, matches.get_one::<String>(o.name)?.clone())))
            .collect();
        Ok(())
    }
}
