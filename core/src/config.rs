//! The Cilium agent's options that change what a policy means.
//!
//! In: nothing. Out: [`Config`], read by validation, identity allocation,
//! translation, resolution and lookup. Defaults are those of the Cilium 1.20.2
//! agent running under Kubernetes (pkg/option/config.go).

use std::collections::BTreeMap;

/// `enable-policy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Enforcement {
    /// A direction is enforced when a rule selects the endpoint in it.
    #[default]
    Default,
    /// Every endpoint is enforced in both directions, rules or not.
    Always,
    /// No endpoint is enforced.
    Never,
}

/// `allow-localhost`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AllowLocalhost {
    /// `Always` under Kubernetes, which is what this engine assumes.
    #[default]
    Auto,
    /// Ingress from the local host is allowed at the lowest tier.
    Always,
    /// Ingress from the local host needs a rule.
    Policy,
}

/// Cilium options that change verdicts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `enable-policy`.
    pub enforcement: Enforcement,
    /// `allow-localhost`.
    pub allow_localhost: AllowLocalhost,
    /// `cluster-name`.
    pub cluster_name: String,
    /// `cluster-id`, 0 to [`Config::max_connected_clusters`].
    pub cluster_id: u32,
    /// `max-connected-clusters`: 255 or 511.
    pub max_connected_clusters: u32,
    /// `policy-default-local-cluster`: peer selectors without a cluster mean
    /// the local one.
    pub default_local_cluster: bool,
    /// `enable-ipv4`.
    pub ipv4: bool,
    /// `enable-ipv6`.
    pub ipv6: bool,
    /// `enable-l7-proxy`.
    pub l7_proxy: bool,
    /// `enable-non-default-deny-policies`.
    pub non_default_deny: bool,
    /// `enable-icmp-rules`.
    pub icmp_rules: bool,
    /// `allow-icmp-frag-needed`.
    pub allow_icmp_frag_needed: bool,
    /// `enable-extended-ip-protocols`.
    pub extended_ip_protocols: bool,
    /// `enable-node-selector-labels`.
    pub node_selector_labels: bool,
    /// `enable-host-firewall`.
    pub host_firewall: bool,
    /// `policy-cidr-match-mode` contains `nodes`.
    pub cidr_matches_nodes: bool,
    /// `policy-cidr-match-mode` contains `pods`.
    pub cidr_matches_pods: bool,
    /// `enable-k8s-cluster-network-policy`. On here, off in the agent: whoever
    /// hands in such a policy wants to know what it does.
    pub cluster_network_policy: bool,
    /// `enable-well-known-identities` (the Helm chart's default is off).
    pub well_known_identities: bool,
    /// `fixed-identity-mapping`: names of user-defined reserved identities by
    /// number. Only 128 to 255 count.
    pub fixed_identities: BTreeMap<u32, String>,
    /// The namespace Cilium itself runs in.
    pub cilium_namespace: String,
    /// `bpf-policy-map-max`: entries per endpoint, 256–65536.
    pub policy_map_max: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enforcement: Enforcement::Default,
            allow_localhost: AllowLocalhost::Auto,
            cluster_name: "default".to_owned(),
            cluster_id: 0,
            max_connected_clusters: 255,
            default_local_cluster: true,
            ipv4: true,
            ipv6: true,
            l7_proxy: true,
            non_default_deny: true,
            icmp_rules: true,
            allow_icmp_frag_needed: true,
            extended_ip_protocols: false,
            node_selector_labels: false,
            host_firewall: false,
            cidr_matches_nodes: false,
            cidr_matches_pods: false,
            cluster_network_policy: true,
            well_known_identities: false,
            fixed_identities: BTreeMap::new(),
            cilium_namespace: "kube-system".to_owned(),
            policy_map_max: 16_384,
        }
    }
}

impl Config {
    /// True when ingress from the local host is allowed without a rule.
    #[must_use]
    pub fn always_allows_localhost(&self) -> bool {
        matches!(
            self.allow_localhost,
            AllowLocalhost::Auto | AllowLocalhost::Always
        )
    }

    /// The local cluster's name when peers are confined to it.
    #[must_use]
    pub fn peer_cluster(&self) -> Option<&str> {
        (self.default_local_cluster && !self.cluster_name.is_empty())
            .then_some(self.cluster_name.as_str())
    }
}
