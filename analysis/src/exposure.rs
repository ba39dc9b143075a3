//! Pods that do not exist yet.
//!
//! In: a cluster. Out: the cluster with pods that stand for any that might
//! come: one without labels in each namespace, one in a namespace that nobody
//! has thought of, and one for each selector of the rules that selects no pod
//! so far, with the labels it asks for.

use netverdict::cluster::{Change, Cluster};
use netverdict::label::{LabelSource, keys};
use netverdict::object::load::{LoadOptions, load};
use netverdict::object::{SelectorOperator, template};
use netverdict::selector::{Selector, SelectorKind};
use netverdict::source::SourceId;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Pods that stand for others, by namespace and name, with what they are called:
/// `shop/*[any]`, `*/app=web[any]`, `[team=a]/*[any]`.
pub type Imagined = BTreeMap<(String, String), String>;

/// Labels of a pod and of its namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Wanted {
    namespace: Option<String>,
    namespace_labels: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
}

/// Adds pods that stand for any that might come.
///
/// ```
/// use netverdict_analysis::exposure;
/// use netverdict::cluster::Cluster;
///
/// let mut cluster = Cluster::read(include_str!("../../core/examples/shop.yaml")).unwrap();
/// // Pods that do not exist, with labels that policies mention, so that they can be asked about.
/// let before = cluster.endpoints().len();
/// let imagined = exposure::imagine(&mut cluster);
/// assert_eq!(cluster.endpoints().len(), before + imagined.len());
/// ```
pub fn imagine(cluster: &mut Cluster) -> Imagined {
    let namespaces: BTreeSet<String> = cluster.namespaces().map(str::to_owned).collect();
    let mut wanted: BTreeSet<Wanted> = namespaces
        .iter()
        .map(|n| Wanted {
            namespace: Some(n.clone()),
            ..Wanted::default()
        })
        .collect();
    wanted.insert(Wanted::default());
    let mut selectors: BTreeMap<(Arc<str>, String), Arc<Selector>> = BTreeMap::new();
    for rule in cluster.repository().rules() {
        let nowhere: Arc<str> = "".into();
        let own = (!rule.selects_nodes).then_some((&rule.namespace, &rule.subject));
        let peers = rule.peers.iter().flatten().map(|s| (&nowhere, s));
        for (namespace, selector) in own.into_iter().chain(peers) {
            let key = (Arc::clone(namespace), selector.key().to_owned());
            selectors.entry(key).or_insert_with(|| Arc::clone(selector));
        }
    }
    for ((namespace, _), selector) in &selectors {
        let selected = cluster.endpoints().iter().any(|e| {
            (namespace.is_empty() || **namespace == *e.namespace)
                && selector.matches(&e.labels, cluster.config())
        });
        if !selected && let Some(mut pod) = suiting(cluster, selector) {
            if !namespace.is_empty() {
                pod.namespace = Some(namespace.to_string());
            }
            wanted.insert(pod);
        }
    }
    let mut free = (0..).map(|n| format!("any-{n}"));
    let mut objects: Vec<Value> = Vec::new();
    let mut imagined = Imagined::new();
    for pod in wanted {
        let named = pod.namespace.clone();
        let namespace = named.unwrap_or_else(|| {
            let fresh = free.find(|n| !namespaces.contains(n));
            fresh.unwrap_or_default()
        });
        if pod.namespace.is_none() {
            objects.push(json!({"apiVersion": "v1", "kind": "Namespace",
                "metadata": {"name": namespace, "labels": pod.namespace_labels}}));
        }
        let name = format!("any-{}", imagined.len());
        objects.push(json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "labels": pod.labels},
            "spec": {"containers": []}}));
        imagined.insert((namespace, name), pod.name());
    }
    let config = cluster.config().clone();
    let text = json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string();
    let loaded = load(SourceId(u32::MAX), &text, &LoadOptions::new(&config));
    cluster.apply(loaded.into_objects().map(|o| Change::Upsert(Box::new(o))));
    imagined
}

impl Wanted {
    fn name(&self) -> String {
        let list = |labels: &BTreeMap<String, String>| {
            let all: Vec<String> = labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
            all.join(",")
        };
        let namespace = match &self.namespace {
            Some(name) => name.clone(),
            None if self.namespace_labels.is_empty() => "*".to_owned(),
            None => format!("[{}]", list(&self.namespace_labels)),
        };
        let labels = if self.labels.is_empty() {
            "*".to_owned()
        } else {
            list(&self.labels)
        };
        format!("{namespace}/{labels}[any]")
    }
}

/// The least that a selector asks of a pod; `None` when it selects none.
fn suiting(cluster: &Cluster, selector: &Selector) -> Option<Wanted> {
    if selector.kind() != SelectorKind::Labels || selector.is_none() {
        return None;
    }
    let mut pod = Wanted::default();
    for r in selector.requirements() {
        let key = r.key.key();
        if matches!(r.key.source(), LabelSource::Reserved) {
            return None;
        }
        let value = match r.operator {
            SelectorOperator::In => r.values.first()?.to_string(),
            SelectorOperator::Exists => "any".to_owned(),
            SelectorOperator::NotIn | SelectorOperator::DoesNotExist => continue,
        };
        if template::find(key)
            .or_else(|| template::find(&value))
            .is_some()
        {
            return None;
        }
        if key == keys::CLUSTER {
            if cluster.config().peer_cluster() != Some(&*value) {
                return None;
            }
        } else if key == keys::POD_NAMESPACE {
            if r.operator == SelectorOperator::In {
                pod.namespace = Some(value);
            }
        } else if let Some(label) = key.strip_prefix(keys::NAMESPACE_LABELS) {
            let label = label.trim_start_matches('.').to_owned();
            if label == "kubernetes.io/metadata.name" {
                pod.namespace = Some(value);
            } else {
                pod.namespace_labels.insert(label, value);
            }
        } else if key.starts_with(keys::CILIUM_PREFIX) {
            return None;
        } else {
            pod.labels.insert(key.to_owned(), value);
        }
    }
    Some(pod)
}
