//! The texts that a cluster is made of, by name.
//!
//! In: texts, each with any number of objects, as they come, change and go.
//! Out: the [`Change`]s of objects for [`Cluster::apply`](super::Cluster::apply),
//! what there is to say about each text, and the [`Sources`] that all places
//! refer to.
//!
//! Where two documents define one object, the one set last counts; when it
//! goes, the other is read again.

use super::{Change, ObjectKey, open_policies};
use crate::diagnostic::Diagnostic;
use crate::object::load::{LoadOptions, load};
use crate::object::{Object, ObjectRef};
use crate::source::{SourceId, Sources};
use std::collections::{BTreeMap, BTreeSet};

/// One text.
#[derive(Clone, Debug)]
struct Document {
    source: SourceId,
    keys: BTreeSet<ObjectKey>,
    diagnostics: Vec<Diagnostic>,
    open: Vec<ObjectRef>,
}

/// The texts of a cluster.
#[derive(Clone, Debug, Default)]
pub struct Documents {
    sources: Sources,
    /// Sources whose texts nothing refers to.
    free: Vec<SourceId>,
    documents: BTreeMap<String, Document>,
    /// Who defines an object, the last one in force.
    holders: BTreeMap<ObjectKey, Vec<String>>,
}

impl Documents {
    /// No texts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A text comes, or takes the place of the one with its name. The changes
    /// are to be applied before anything else is asked of a cluster: places of
    /// objects of the text before mean nothing any more.
    pub fn set(&mut self, name: &str, text: &str, options: &LoadOptions<'_>) -> Vec<Change> {
        let mut touched = self.take(name);
        let source = self.source(name, text);
        let mut loaded = load(source, text, options);
        let diagnostics = std::mem::take(&mut loaded.diagnostics);
        let open = open_policies(&loaded);
        let mut keys = BTreeSet::new();
        for object in loaded.into_objects() {
            let key = ObjectKey::of(&object);
            if keys.insert(key.clone()) {
                let holders = self.holders.entry(key.clone()).or_default();
                holders.push(name.to_owned());
            }
            touched.insert(key, Some(object));
        }
        let document = Document {
            source,
            keys,
            diagnostics,
            open,
        };
        self.documents.insert(name.to_owned(), document);
        self.changes(touched, options)
    }

    /// A text goes; `None` when there is none of that name.
    pub fn remove(&mut self, name: &str, options: &LoadOptions<'_>) -> Option<Vec<Change>> {
        self.documents.contains_key(name).then(|| {
            let touched = self.take(name);
            self.changes(touched, options)
        })
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.documents.keys().map(String::as_str)
    }

    /// Which source a text is.
    #[must_use]
    pub fn source_of(&self, name: &str) -> Option<SourceId> {
        Some(self.documents.get(name)?.source)
    }

    /// The text of that name.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        Some(self.sources.get(self.source_of(name)?)?.text())
    }

    /// What there is to say about a text by itself; none if there is no such
    /// text.
    #[must_use]
    pub fn diagnostics(&self, name: &str) -> &[Diagnostic] {
        self.documents.get(name).map_or(&[], |d| &d.diagnostics)
    }

    /// Policies that variables keep from being taken, for
    /// [`Cluster::set_open_policies`](super::Cluster::set_open_policies).
    #[must_use]
    pub fn open_policies(&self) -> Vec<ObjectRef> {
        let all = self.documents.values().flat_map(|d| &d.open);
        all.cloned().collect()
    }

    /// What places refer to.
    #[must_use]
    pub const fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Takes a document out, and returns what it defined.
    fn take(&mut self, name: &str) -> BTreeMap<ObjectKey, Option<Object>> {
        let mut touched = BTreeMap::new();
        let Some(old) = self.documents.remove(name) else {
            return touched;
        };
        for key in old.keys {
            if let Some(holders) = self.holders.get_mut(&key) {
                holders.retain(|holder| holder != name);
                if holders.is_empty() {
                    self.holders.remove(&key);
                }
            }
            touched.insert(key, None);
        }
        self.sources.replace(old.source, "", "");
        self.free.push(old.source);
        touched
    }

    fn source(&mut self, name: &str, text: &str) -> SourceId {
        match self.free.pop() {
            Some(free) => {
                self.sources.replace(free, name, text);
                free
            }
            None => self.sources.add(name, text),
        }
    }

    fn changes(
        &self,
        touched: BTreeMap<ObjectKey, Option<Object>>,
        options: &LoadOptions<'_>,
    ) -> Vec<Change> {
        let change = |(key, fresh): (ObjectKey, Option<Object>)| match fresh
            .or_else(|| self.reread(&key, options))
        {
            Some(object) => Change::Upsert(Box::new(object)),
            None => Change::Remove(key),
        };
        touched.into_iter().map(change).collect()
    }

    /// An object from the last document that defines it.
    fn reread(&self, key: &ObjectKey, options: &LoadOptions<'_>) -> Option<Object> {
        let holder = self.holders.get(key)?.last()?;
        let source = self.source_of(holder)?;
        let loaded = load(source, self.sources.get(source)?.text(), options);
        loaded
            .into_objects()
            .filter(|o| ObjectKey::of(o) == *key)
            .last()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Cluster, ClusterOptions};
    use crate::config::Config;

    fn pod(name: &str, app: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: shop, labels: {{app: {app}}}}}\n---\n"
        )
    }

    fn labels(cluster: &Cluster) -> Vec<String> {
        let all = cluster.endpoints().iter();
        all.map(|e| format!("{} {:?}", e.name, e.labels)).collect()
    }

    /// Whatever comes, changes and goes: the cluster is that of the texts that
    /// are there, the one set last being the last.
    #[test]
    fn a_cluster_follows_its_texts() {
        let config = Config::default();
        let options = LoadOptions::new(&config);
        let mut documents = Documents::new();
        let mut cluster = Cluster::new(config.clone(), ClusterOptions::default());
        let mut order: Vec<(&str, String)> = Vec::new();
        let steps = [
            ("a", Some(pod("web", "one") + &pod("db", "one"))),
            ("b", Some(pod("web", "two"))),
            ("a", Some(pod("db", "three"))),
            ("c", Some(pod("web", "four") + "kind: {")),
            ("b", None),
            ("b", Some(pod("web", "five") + &pod("web", "six"))),
            ("b", None),
            ("c", None),
            ("a", None),
        ];
        for (name, text) in steps {
            order.retain(|(n, _)| *n != name);
            let changes = match &text {
                Some(text) => {
                    order.push((name, text.clone()));
                    documents.set(name, text, &options)
                }
                None => documents.remove(name, &options).expect("it is there"),
            };
            cluster.apply(changes);
            let mut sources = Sources::new();
            let objects = order.iter().flat_map(|(n, t)| {
                let source = sources.add(*n, t.as_str());
                load(source, t, &options).into_objects()
            });
            let fresh = Cluster::build(config.clone(), ClusterOptions::default(), objects);
            assert_eq!(labels(&cluster), labels(&fresh), "after {name} {text:?}");
            for object in cluster.objects() {
                let span = object.meta().name.span;
                let text = documents.sources().get(span.source).expect("a source");
                let named = &text.text()[span.start as usize..span.end as usize];
                assert_eq!(named, object.name());
            }
            assert_eq!(documents.names().count(), order.len());
        }
        assert!(cluster.endpoints().is_empty());
        assert!(documents.remove("a", &options).is_none());
        // Places are used again.
        assert!(documents.sources().iter().count() <= 3);
    }

    #[test]
    fn what_there_is_to_say_stays_with_its_text() {
        let config = Config::default();
        let options = LoadOptions::new(&config);
        let mut documents = Documents::new();
        documents.set("bad", "kind: Pod\nmetadata: [", &options);
        documents.set("good", &pod("web", "one"), &options);
        assert!(!documents.diagnostics("bad").is_empty());
        assert!(documents.diagnostics("good").is_empty());
        assert_eq!(documents.text("good"), Some(pod("web", "one").as_str()));
        documents.set("bad", &pod("db", "one"), &options);
        assert!(documents.diagnostics("bad").is_empty());
    }
}
