//! Namespaces and their labels.

use super::ObjectKey;
use crate::object::Object;
use crate::source::Span;
use std::collections::BTreeMap;

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

/// Every namespace that has an object, or something that runs in it.
pub(super) fn namespaces(objects: &BTreeMap<ObjectKey, Object>) -> BTreeMap<String, Namespace> {
    let mut all = BTreeMap::new();
    for object in objects.values() {
        match object {
            Object::Namespace(n) => {
                let name = n.meta.name.value.clone();
                let mut namespace = Namespace::implied(&name);
                namespace.span = Some(n.span);
                let own = n.meta.labels.iter();
                let own = own.filter(|(key, _)| key.value != METADATA_NAME);
                namespace
                    .labels
                    .extend(own.map(|(k, v)| (k.value.clone(), v.value.clone())));
                all.insert(name, namespace);
            }
            Object::Pod(_) | Object::Controller(_) | Object::CiliumEndpoint(_) => {
                let name = object.namespace();
                if !all.contains_key(name) {
                    all.insert(name.to_owned(), Namespace::implied(name));
                }
            }
            _ => {}
        }
    }
    all
}
