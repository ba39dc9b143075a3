//! Namespaces and their labels.

use super::ObjectKey;
use super::endpoint::CONTROLLERS;
use crate::object::Object;
use crate::source::Span;
use std::collections::{BTreeMap, BTreeSet};

/// The label the API server puts on every namespace.
pub(super) const METADATA_NAME: &str = "kubernetes.io/metadata.name";

/// A namespace, written down or implied by an endpoint in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Namespace {
    /// Its labels.
    pub labels: Vec<(String, String)>,
    /// Where its object stands; `None` when it is only implied.
    pub span: Option<Span>,
}

impl Namespace {
    fn implied(name: &str) -> Self {
        Self {
            labels: vec![(METADATA_NAME.to_owned(), name.to_owned())],
            span: None,
        }
    }
}

/// Kinds of objects that run in a namespace, workloads that own pods aside.
const RUNNING: [&str; 2] = ["CiliumEndpoint", "Pod"];

/// Brings namespaces up to date after changes of objects; returns the names of
/// those that came, went or changed.
pub(super) fn follow(
    all: &mut BTreeMap<String, Namespace>,
    objects: &BTreeMap<ObjectKey, Object>,
    touched: &BTreeSet<ObjectKey>,
) -> BTreeSet<String> {
    let runs = |kind: &str| RUNNING.contains(&kind) || CONTROLLERS.contains(&kind);
    let mut names = BTreeSet::new();
    for key in touched {
        if key.kind == "Namespace" {
            names.insert(key.name.as_str());
        } else if runs(&key.kind) {
            names.insert(key.namespace.as_str());
        }
    }
    let mut changed = BTreeSet::new();
    for name in names {
        let now = namespace(name, objects);
        if all.get(name) != now.as_ref() {
            changed.insert(name.to_owned());
            match now {
                Some(now) => all.insert(name.to_owned(), now),
                None => all.remove(name),
            };
        }
    }
    changed
}

/// A namespace, if it has an object, or something that runs in it.
fn namespace(name: &str, objects: &BTreeMap<ObjectKey, Object>) -> Option<Namespace> {
    let key = |kind: &str, namespace: &str, name: &str| ObjectKey {
        kind: kind.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    };
    let mut namespace = Namespace::implied(name);
    if let Some(Object::Namespace(n)) = objects.get(&key("Namespace", "", name)) {
        namespace.span = Some(n.span);
        let own = n.meta.labels.iter();
        let own = own.filter(|(key, _)| key.value != METADATA_NAME);
        let own = own.map(|(k, v)| (k.value.clone(), v.value.clone()));
        namespace.labels.extend(own);
        return Some(namespace);
    }
    let runs = RUNNING.iter().chain(&CONTROLLERS).any(|kind| {
        let next = objects.range(key(kind, name, "")..).next();
        next.is_some_and(|(key, _)| key.kind == *kind && key.namespace == name)
    });
    runs.then_some(namespace)
}
