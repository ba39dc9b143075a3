//! Who is meant: one, or all of a namespace.

use crate::imagined;
use crate::peer::PeerKind;
use netverdict::cluster::{Change, Cluster, Endpoint, ObjectKey, Peer, Target};
use netverdict::object::Object;
use std::sync::Arc;

/// True when a text names the labels of a pod: `shop/app=web,tier=front`.
fn is_labels(text: &str) -> bool {
    let forms = ["entity:", "reserved:", "cidr:", "ip:", "pod:", "fqdn:"];
    text.contains('=') && !forms.iter().any(|f| text.starts_with(f))
}

/// Adds a pod for each text that names labels, so that it can be asked about.
pub(super) fn imagine<'t>(cluster: &mut Cluster, texts: impl Iterator<Item = &'t str>) {
    let mut changes = Vec::new();
    for text in texts.filter(|t| is_labels(t)) {
        if let Some(pod) = labelled_pod(cluster, text)
            && cluster.object(&ObjectKey::of(&pod)).is_none()
        {
            changes.push(Change::Upsert(Box::new(pod)));
        }
    }
    if !changes.is_empty() {
        cluster.apply(changes);
    }
}

fn labelled_pod(cluster: &Cluster, text: &str) -> Option<Object> {
    let (namespace, labels) = text.split_once('/')?;
    if namespace == "*" {
        return None;
    }
    let own: Option<Vec<(&str, &str)>> = labels.split(',').map(|l| l.split_once('=')).collect();
    imagined::pod(cluster.config(), namespace, labels, &own?)
}

/// Everybody that a text means as one end of a flow.
pub(super) fn find(cluster: &Cluster, text: &str) -> Result<Vec<Peer>, String> {
    let peer = |endpoint: &Arc<Endpoint>| Peer {
        text: text.to_owned(),
        target: Target::Endpoint(Arc::clone(endpoint)),
    };
    if let Some(namespace) = all_of(text) {
        let own = cluster
            .endpoints()
            .iter()
            .filter(|e| namespace == "*" || e.namespace == namespace)
            .filter(|e| !imagined::is_imagined(e));
        let found: Vec<Peer> = own.map(peer).collect();
        return match found.is_empty() {
            true => Err(format!("`{text}`: there is no pod and no workload")),
            false => Ok(found),
        };
    }
    if is_labels(text) {
        let labels = text.split_once('/').map_or("", |(_, labels)| labels);
        let namespace = text.split_once('/').map_or("", |(namespace, _)| namespace);
        let own = cluster
            .endpoints()
            .iter()
            .find(|e| e.namespace == namespace && e.name == labels);
        return own
            .map(|e| vec![peer(e)])
            .ok_or_else(|| format!("`{text}`: write `namespace/key=value,key=value`"));
    }
    cluster.peer(text).map(|p| vec![p]).map_err(|d| {
        let help = d
            .help
            .as_ref()
            .map_or_else(String::new, |h| format!("; {h}"));
        format!("{}{help}", d.message)
    })
}

/// `shop/*` → `shop`; `*` and `*/*` → `*`.
fn all_of(text: &str) -> Option<&str> {
    match text {
        "*" => Some("*"),
        _ => text.strip_suffix("/*"),
    }
}

/// True when `text` means this peer, or all of it.
pub(super) fn covers(cluster: &Cluster, text: &str, peer: &crate::peer::Peer) -> bool {
    let text_of = |form: &str| text.strip_prefix(form).unwrap_or(text);
    match &peer.kind {
        PeerKind::Workload => {
            !peer.endpoints.is_empty() && {
                let labels = text.split_once('/').filter(|_| is_labels(text));
                peer.endpoints.iter().all(|e| {
                    if let Some(namespace) = all_of(text) {
                        return namespace == "*" || e.namespace == namespace;
                    }
                    match labels {
                        Some((namespace, labels)) => {
                            (namespace == "*" || e.namespace == namespace) && has_labels(e, labels)
                        }
                        None => is_named(e, text_of("pod:")),
                    }
                })
            }
        }
        PeerKind::Entity(name) => {
            let text = text_of("entity:");
            text == *name || text == "all" || (text == "cluster" && !name.starts_with("world"))
        }
        PeerKind::Prefix(prefix) => {
            if matches!(text_of("entity:"), "world" | "all") {
                let identity = cluster.ipcache().longest_match(&prefix.addr());
                return identity.is_none_or(|(_, e)| e.labels.has_world());
            }
            let Ok(Target::Prefix(wide)) = cluster.peer(text).map(|p| p.target) else {
                let single = cluster.peer(text).map(|p| p.target);
                return single.is_ok_and(|t| {
                    t == Target::Address(prefix.addr())
                        && prefix.prefix_len() == prefix.max_prefix_len()
                });
            };
            wide.contains(prefix)
        }
        PeerKind::Name(name) => {
            let text = text_of("fqdn:").trim_end_matches('.');
            matches!(text, "world" | "all") || text.eq_ignore_ascii_case(name)
        }
    }
}

fn has_labels(endpoint: &Endpoint, labels: &str) -> bool {
    labels.split(',').all(|l| {
        l.split_once('=').is_some_and(|(key, value)| {
            let of = |set: &netverdict::label::LabelSet| set.k8s_value(key) == Some(value);
            of(&endpoint.labels) || of(&endpoint.other_labels)
        })
    })
}

/// `namespace/name`, `namespace/kind/name` or a bare name: of the pod, of a
/// workload it belongs to, or of its application.
fn is_named(endpoint: &Endpoint, text: &str) -> bool {
    let mut parts = text.rsplitn(3, '/');
    let name = parts.next().unwrap_or_default();
    let (kind, namespace) = match (parts.next(), parts.next()) {
        (Some(kind), Some(namespace)) => (Some(kind), Some(namespace)),
        (namespace, _) => (None, namespace),
    };
    let is_kind = kind.is_none_or(|k| {
        let mut kinds = endpoint.workloads.iter().map(|(k, _)| k.as_str());
        endpoint.kind.eq_ignore_ascii_case(k) || kinds.any(|own| own.eq_ignore_ascii_case(k))
    });
    let app = ["app.kubernetes.io/name", "app", "k8s-app"];
    namespace.is_none_or(|ns| endpoint.namespace == ns)
        && is_kind
        && (endpoint.name == name
            || endpoint.workloads.iter().any(|(_, w)| w == name)
            || app
                .iter()
                .any(|k| endpoint.labels.k8s_value(k) == Some(name)))
}
