//! A cluster made ready for expectations.
//!
//! In: what is expected. Out: the cluster with the pods that it speaks of and
//! that are in no manifest, and with the addresses of names.

use super::{Expectations, Kind, ends};
use crate::imagined;
use netverdict::cluster::{Change, Cluster, Endpoint, ObjectKey, Target};
use netverdict::label::{LabelSource, keys};
use netverdict::object::SelectorOperator;
use netverdict::rule::{Direction, RuleVerdict};
use netverdict::selector::{Selector, SelectorKind};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Makes a cluster ready to be asked: adds pods that expectations name by
/// their labels, pods that rules would let in if they existed, and the
/// addresses of names.
pub fn prepare(cluster: &mut Cluster, expectations: &Expectations) {
    if !expectations.names.is_empty() {
        let mut names = cluster.options().resolved_names.clone();
        for (name, addresses) in &expectations.names {
            let known: &mut Vec<IpAddr> = names.entry(name.clone()).or_default();
            known.extend(addresses);
        }
        cluster.set_resolved_names(names);
    }
    let texts = expectations
        .items
        .iter()
        .flat_map(|e| e.from.iter().chain(&e.to));
    ends::imagine(cluster, texts.map(|t| t.value.as_str()));
    imagine_senders(cluster, expectations);
}

/// Adds, for each receiver that only some may reach, pods that the rules about
/// it select, and some that no rule has heard of.
fn imagine_senders(cluster: &mut Cluster, expectations: &Expectations) {
    let mut pods: BTreeSet<(String, Vec<(String, String)>)> = BTreeSet::new();
    let only = expectations.items.iter().filter(|e| e.kind == Kind::Only);
    for receiver in only.flat_map(|e| &e.to) {
        for peer in ends::find(cluster, &receiver.value).unwrap_or_default() {
            let Target::Endpoint(endpoint) = &peer.target else {
                continue;
            };
            pods.insert((endpoint.namespace.clone(), Vec::new()));
            pods.insert(("elsewhere".to_owned(), Vec::new()));
            let Ok(policy) = cluster.policy(endpoint) else {
                continue;
            };
            let rules = &policy.subject.direction(Direction::Ingress).rules;
            let allows = rules.iter().filter(|r| r.verdict == RuleVerdict::Allow);
            for selector in allows.flat_map(|r| r.peers.iter().flatten()) {
                pods.extend(selected_pod(cluster, selector, endpoint));
            }
        }
    }
    let mut changes = Vec::new();
    for (namespace, labels) in pods {
        let name: Vec<String> = labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let name = match name.is_empty() {
            true => "a-pod-without-labels".to_owned(),
            false => name.join(","),
        };
        let borrowed: Vec<(&str, &str)> = labels
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        let pod = imagined::pod(cluster.config(), &namespace, &name, &borrowed);
        if let Some(pod) = pod
            && cluster.object(&ObjectKey::of(&pod)).is_none()
        {
            changes.push(Change::Upsert(Box::new(pod)));
        }
    }
    if !changes.is_empty() {
        cluster.apply(changes);
    }
}

/// Namespace and labels of a pod that a selector selects.
fn selected_pod(
    cluster: &Cluster,
    selector: &Selector,
    receiver: &Endpoint,
) -> Option<(String, Vec<(String, String)>)> {
    if selector.kind() != SelectorKind::Labels || selector.is_none() {
        return None;
    }
    let mut namespace = receiver.namespace.clone();
    let mut labels = Vec::new();
    for wanted in selector.requirements() {
        let key = wanted.key.key();
        let value = match wanted.operator {
            SelectorOperator::In => wanted.values.first()?.to_string(),
            SelectorOperator::Exists => "any".to_owned(),
            SelectorOperator::NotIn | SelectorOperator::DoesNotExist => continue,
        };
        if !matches!(wanted.key.source(), LabelSource::K8s | LabelSource::Any) {
            return None;
        }
        if key == keys::POD_NAMESPACE {
            if wanted.operator == SelectorOperator::In {
                namespace = value;
            }
        } else if key.starts_with(keys::CILIUM_PREFIX) {
            // A label of the namespace: one that has it must exist.
            let known = cluster
                .endpoints()
                .iter()
                .find(|e| wanted.matches(&e.labels));
            namespace.clone_from(&known?.namespace);
        } else {
            labels.push((key.to_owned(), value));
        }
    }
    labels.sort_unstable();
    Some((namespace, labels))
}
