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
use std::fmt::Display;

/// One text.
#[derive(Clone, Debug)]
struct Document {
    source: SourceId,
    keys: BTreeSet<ObjectKey>,
    diagnostics: Vec<Diagnostic>,
    open: Vec<ObjectRef>,
}

/// A text that was read and is not in force yet.
#[derive(Debug)]
pub struct Incoming {
    source: SourceId,
    objects: BTreeMap<ObjectKey, Object>,
    diagnostics: Vec<Diagnostic>,
    open: Vec<ObjectRef>,
}

impl Incoming {
    /// What there is to say about it.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// True when it defines nothing that was accepted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }
}

/// The texts of a cluster, known by names of type `N`.
#[derive(Clone, Debug)]
pub struct Documents<N = String> {
    sources: Sources,
    /// Sources whose texts nothing refers to.
    free: Vec<SourceId>,
    documents: BTreeMap<N, Document>,
    /// Who defines an object, the last one in force.
    holders: BTreeMap<ObjectKey, Vec<N>>,
}

impl<N> Default for Documents<N> {
    fn default() -> Self {
        Self {
            sources: Sources::new(),
            free: Vec::new(),
            documents: BTreeMap::new(),
            holders: BTreeMap::new(),
        }
    }
}

impl<N: Clone + Display + Ord> Documents<N> {
    /// No texts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A text comes, or takes the place of the one with its name. The changes
    /// are to be applied before anything else is asked of a cluster: places of
    /// objects of the text before mean nothing any more.
    ///
    /// ```
    /// use netverdict::cluster::{Cluster, ClusterOptions, Documents};
    /// use netverdict::{config::Config, object::load::LoadOptions};
    ///
    /// let config = Config::default();
    /// let options = LoadOptions::new(&config);
    /// let mut documents = Documents::new();
    /// let mut cluster = Cluster::build(config.clone(), ClusterOptions::default(), []);
    /// let text = "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop}}";
    /// cluster.apply(documents.set(&"web.yaml", text, &options));
    /// assert!(cluster.peer("shop/web").is_ok());
    /// cluster.apply(documents.remove(&"web.yaml", &options).unwrap_or_default());
    /// assert!(cluster.peer("shop/web").is_err());
    /// ```
    pub fn set(&mut self, name: &N, text: &str, options: &LoadOptions<'_>) -> Vec<Change> {
        let incoming = self.read(name, text, options);
        self.apply([(name.clone(), Some(incoming))], options)
    }

    /// A text goes; `None` when there is none of that name.
    pub fn remove(&mut self, name: &N, options: &LoadOptions<'_>) -> Option<Vec<Change>> {
        self.contains(name)
            .then(|| self.apply([(name.clone(), None)], options))
    }

    /// Reads a text that is to come; either [`Self::apply`] or
    /// [`Self::discard`] takes what is returned.
    pub fn read(&mut self, name: &N, text: &str, options: &LoadOptions<'_>) -> Incoming {
        let source = match self.free.pop() {
            Some(free) => {
                self.sources.replace(free, name.to_string(), text);
                free
            }
            None => self.sources.add(name.to_string(), text),
        };
        let mut loaded = load(source, text, options);
        let diagnostics = std::mem::take(&mut loaded.diagnostics);
        let open = open_policies(&loaded);
        let objects = loaded.into_objects().map(|o| (ObjectKey::of(&o), o));
        Incoming {
            source,
            objects: objects.collect(),
            diagnostics,
            open,
        }
    }

    /// A text that was read does not come after all.
    pub fn discard(&mut self, incoming: Incoming) {
        self.forget(incoming.source);
    }

    /// Several texts come or go (`None`) at once.
    pub fn apply(
        &mut self,
        texts: impl IntoIterator<Item = (N, Option<Incoming>)>,
        options: &LoadOptions<'_>,
    ) -> Vec<Change> {
        let mut touched: BTreeMap<ObjectKey, Option<Object>> = BTreeMap::new();
        for (name, incoming) in texts {
            if let Some(old) = self.documents.remove(&name) {
                for key in old.keys {
                    if let Some(holders) = self.holders.get_mut(&key) {
                        holders.retain(|holder| *holder != name);
                    }
                    touched.entry(key).or_default();
                }
                self.forget(old.source);
            }
            let Some(incoming) = incoming else {
                continue;
            };
            let keys = incoming.objects.keys().cloned().collect();
            for (key, object) in incoming.objects {
                let holders = self.holders.entry(key.clone()).or_default();
                holders.push(name.clone());
                touched.insert(key, Some(object));
            }
            let document = Document {
                source: incoming.source,
                keys,
                diagnostics: incoming.diagnostics,
                open: incoming.open,
            };
            self.documents.insert(name, document);
        }
        let change = |(key, fresh): (ObjectKey, Option<Object>)| {
            if self.holders.get(&key).is_some_and(Vec::is_empty) {
                self.holders.remove(&key);
            }
            match fresh.or_else(|| self.reread(&key, options)) {
                Some(object) => Change::Upsert(Box::new(object)),
                None => Change::Remove(key),
            }
        };
        touched.into_iter().map(change).collect()
    }

    /// True when a text of that name is in force.
    #[must_use]
    pub fn contains(&self, name: &N) -> bool {
        self.documents.contains_key(name)
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &N> {
        self.documents.keys()
    }

    /// What places in the text of that name refer to.
    #[must_use]
    pub fn source(&self, name: &N) -> Option<SourceId> {
        self.documents.get(name).map(|d| d.source)
    }

    /// The text of that name.
    #[must_use]
    pub fn text(&self, name: &N) -> Option<&str> {
        Some(self.sources.get(self.source(name)?)?.text())
    }

    /// What there is to say about a text by itself; none if there is no such
    /// text.
    #[must_use]
    pub fn diagnostics(&self, name: &N) -> &[Diagnostic] {
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

    fn forget(&mut self, source: SourceId) {
        self.sources.replace(source, "", "");
        self.free.push(source);
    }

    /// An object from the last document that defines it.
    fn reread(&self, key: &ObjectKey, options: &LoadOptions<'_>) -> Option<Object> {
        let holder = self.holders.get(key)?.last()?;
        let source = self.documents.get(holder)?.source;
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
        let mut documents: Documents<&str> = Documents::new();
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
                    documents.set(&name, text, &options)
                }
                None => documents.remove(&name, &options).expect("it is there"),
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
        assert!(documents.remove(&"a", &options).is_none());
        // Places are used again.
        assert!(documents.sources().iter().count() <= 3);
    }

    #[test]
    fn what_there_is_to_say_stays_with_its_text() {
        let config = Config::default();
        let options = LoadOptions::new(&config);
        let mut documents: Documents<&str> = Documents::new();
        documents.set(&"bad", "kind: Pod\nmetadata: [", &options);
        documents.set(&"good", &pod("web", "one"), &options);
        assert!(!documents.diagnostics(&"bad").is_empty());
        assert!(documents.diagnostics(&"good").is_empty());
        assert_eq!(documents.text(&"good"), Some(pod("web", "one").as_str()));
        documents.set(&"bad", &pod("db", "one"), &options);
        assert!(documents.diagnostics(&"bad").is_empty());
    }
}
