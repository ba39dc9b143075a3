//! The labels that make a pod's identity.
//!
//! In: what the API says of a pod and its namespace. Out: the label set its
//! identity is allocated for, and its named ports. Follows Cilium 1.20.2
//! pkg/k8s/labels.go, pkg/k8s/utils/utils.go, pkg/types/portmap.go and
//! pkg/endpoint/metadata/k8s_metadatafetcher.go.
//!
//! ```
//! use netverdict::identity::{PodPorts, named_port, named_port_labels};
//!
//! let (name, at) = named_port("http", 8080, "TCP").expect("a name and a number");
//! assert_eq!((&*name, at), ("http", (6, 8080)));
//! assert!(named_port("", 8080, "TCP").is_none());
//! assert!(named_port_labels(&PodPorts::new()).is_empty());
//! ```

use crate::config::Config;
use crate::label::{Label, LabelFilter, LabelSet, LabelSource, keys};
use crate::object::port::is_service_name;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The longest value of a Kubernetes label, in bytes.
const MAX_LABEL_VALUE: usize = 63;

/// The service account of pods that name none.
pub const DEFAULT_SERVICE_ACCOUNT: &str = "default";

/// What a name means among the ports of one pod: IP protocol and port.
pub type PodPorts = BTreeMap<Arc<str>, (u8, u16)>;

/// A pod as far as its identity depends on it.
#[derive(Clone, Debug, Default)]
pub struct PodMetadata<'a> {
    /// `metadata.labels`.
    pub labels: Vec<(&'a str, &'a str)>,
    /// Its namespace.
    pub namespace: &'a str,
    /// The labels of its namespace.
    pub namespace_labels: Vec<(&'a str, &'a str)>,
    /// `spec.serviceAccountName`; empty means [`DEFAULT_SERVICE_ACCOUNT`],
    /// as the API server fills in.
    pub service_account: &'a str,
    /// Its named ports.
    pub ports: PodPorts,
}

impl PodMetadata<'_> {
    /// The labels of the pod's identity, and those left out of it.
    ///
    /// A pod cannot give itself labels of Cilium's own: they are cut, then set
    /// from what the API says. Without any label left the pod is `init`.
    #[must_use]
    pub fn identity_labels(&self, filter: &LabelFilter, config: &Config) -> (LabelSet, LabelSet) {
        let own = self
            .labels
            .iter()
            .filter(|(key, _)| !key.starts_with(keys::CILIUM_PREFIX))
            .map(|(key, value)| Label::k8s(*key, *value));
        let inherited = self
            .namespace_labels
            .iter()
            .map(|(key, value)| Label::k8s(format!("{}.{key}", keys::NAMESPACE_LABELS), *value));
        let account = if self.service_account.is_empty() {
            DEFAULT_SERVICE_ACCOUNT
        } else {
            self.service_account
        };
        let set = [
            Label::k8s(keys::POD_NAMESPACE, self.namespace),
            Label::k8s(keys::SERVICE_ACCOUNT, account),
            Label::k8s(keys::CLUSTER, config.cluster_name.as_str()),
        ];
        let all: LabelSet = own.chain(inherited).chain(set).collect();
        let (identity, rest) = filter.split(&all);
        // Generated labels are added after the filter.
        let identity: LabelSet = identity
            .iter()
            .cloned()
            .chain(named_port_labels(&self.ports))
            .collect();
        if identity.is_empty() {
            return ([Label::reserved("init")].into_iter().collect(), rest);
        }
        (identity, rest)
    }
}

/// Reads a pod's port. `None` for what Cilium passes over: a name that is no
/// IANA service name, port 0 or above 65535, an unknown protocol. Names are
/// lower case; an empty protocol is TCP.
#[must_use]
pub fn named_port(name: &str, port: i64, protocol: &str) -> Option<(Arc<str>, (u8, u16))> {
    let number = match protocol {
        "" => 6,
        text => protocol_number(text)?,
    };
    let port = u16::try_from(port).ok().filter(|p| *p != 0)?;
    is_service_name(name).then(|| (name.to_lowercase().into(), (number, port)))
}

/// (pkg/u8proto/u8proto.go)
const PROTOCOLS: [(u8, &str); 12] = [
    (1, "ICMP"),
    (2, "IGMP"),
    (4, "IPIP"),
    (6, "TCP"),
    (17, "UDP"),
    (41, "IPv6"),
    (47, "GRE"),
    (50, "ESP"),
    (51, "AH"),
    (58, "ICMPv6"),
    (112, "VRRP"),
    (132, "SCTP"),
];

fn protocol_number(text: &str) -> Option<u8> {
    PROTOCOLS
        .iter()
        .find(|(_, name)| name.eq_ignore_ascii_case(text))
        .map(|(number, _)| *number)
}

fn protocol_name(number: u8) -> &'static str {
    PROTOCOLS
        .iter()
        .find(|(n, _)| *n == number)
        .map_or("ANY", |(_, name)| name)
}

/// Named ports as labels, so that pods which mean different ports by a name
/// have different identities: `name.PROTOCOL.port`, joined by `_`, in as many
/// labels as it takes.
#[must_use]
pub fn named_port_labels(ports: &PodPorts) -> Vec<Label> {
    let mut values: Vec<String> = Vec::new();
    for (name, (protocol, port)) in ports {
        let part = format!("{name}.{}.{port}", protocol_name(*protocol));
        match values.last_mut() {
            Some(last) if last.len() + 1 + part.len() <= MAX_LABEL_VALUE => {
                last.push('_');
                last.push_str(&part);
            }
            _ => values.push(part),
        }
    }
    let key = |index: usize| match index {
        0 => keys::NAMED_PORTS.to_owned(),
        n => format!("{}-{n}", keys::NAMED_PORTS),
    };
    values
        .into_iter()
        .enumerate()
        .map(|(i, value)| Label::new(LabelSource::Gen, key(i), value))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pod: &PodMetadata<'_>) -> String {
        pod.identity_labels(&LabelFilter::default(), &Config::default())
            .0
            .canonical()
    }

    #[test]
    fn a_pod_cannot_pose_as_another() {
        let pod = PodMetadata {
            labels: vec![
                ("app", "web"),
                ("pod-template-hash", "5d8f"),
                ("io.cilium.k8s.policy.serviceaccount", "root"),
                ("io.cilium.k8s.namespace.labels.team", "red"),
                ("io.kubernetes.pod.namespace", "kube-system"),
            ],
            namespace: "prod",
            namespace_labels: vec![("team", "blue"), ("kubernetes.io/metadata.name", "prod")],
            ..PodMetadata::default()
        };
        assert_eq!(
            labels(&pod),
            "k8s:app=web;\
             k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name=prod;\
             k8s:io.cilium.k8s.namespace.labels.team=blue;\
             k8s:io.cilium.k8s.policy.cluster=default;\
             k8s:io.cilium.k8s.policy.serviceaccount=default;\
             k8s:io.kubernetes.pod.namespace=prod;"
        );
        let (_, rest) = pod.identity_labels(&LabelFilter::default(), &Config::default());
        assert_eq!(rest.canonical(), "k8s:pod-template-hash=5d8f;");
    }

    #[test]
    fn named_ports_are_part_of_the_identity() {
        let ports = [
            ("HTTP", 8080, ""),
            ("dns", 53, "UDP"),
            ("80", 80, "TCP"),
            ("none", 0, "TCP"),
            ("odd", 70000, "TCP"),
            ("what", 1, "FOO"),
            ("any", 1, "ANY"),
        ];
        let ports: PodPorts = ports
            .iter()
            .filter_map(|(n, p, t)| named_port(n, *p, t))
            .collect();
        let found: Vec<String> = named_port_labels(&ports)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            found,
            ["gen:io.cilium.k8s.named-ports=dns.UDP.53_http.TCP.8080"]
        );
    }

    #[test]
    fn long_lists_of_ports_take_several_labels() {
        let ports: PodPorts = (0..6u16)
            .filter_map(|i| named_port(&format!("service-{i}"), i64::from(1000 + i), "TCP"))
            .collect();
        let found = named_port_labels(&ports);
        let keys: Vec<&str> = found.iter().map(Label::key).collect();
        assert_eq!(
            keys,
            ["io.cilium.k8s.named-ports", "io.cilium.k8s.named-ports-1"]
        );
        assert_eq!(
            found[0].value(),
            "service-0.TCP.1000_service-1.TCP.1001_service-2.TCP.1002"
        );
    }

    #[test]
    fn a_pod_without_identity_labels_is_init() {
        let pod = PodMetadata::default();
        let filter = LabelFilter::from_prefix_file(
            r#"{"version":1,"valid-prefixes":[{"prefix":"app","source":"k8s"}]}"#,
            [],
        )
        .unwrap();
        let (set, _) = pod.identity_labels(&filter, &Config::default());
        assert_eq!(set.canonical(), "reserved:init=;");
    }
}
