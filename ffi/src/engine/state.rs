//! What an engine knows.
//!
//! In: documents by name, staged; commits. Out: a cluster whose table follows
//! it, and the writes and map changes of each commit.
//!
//! Where two documents define one object, the one applied last counts; when it
//! goes, the other is read again.

use super::{first_error, options, update::Committed};
use crate::error::Failure;
use crate::pointer;
use crate::status::{
    NETVERDICT_COMPILE, NETVERDICT_IDENTITY_STATE, NETVERDICT_NOT_FOUND, NETVERDICT_TOO_LARGE,
};
use netverdict::cluster::{
    Change, Cluster, ObjectKey, ProxyPortsOf, PublishedCluster, open_policies,
};
use netverdict::compile::{CompileError, Update};
use netverdict::diagnostic::Diagnostic;
use netverdict::fqdn::Names;
use netverdict::object::load::{Loaded, load};
use netverdict::object::{Object, ObjectRef};
use netverdict::scenario::Settings;
use netverdict::source::{SourceId, Sources};
use netverdict_table::{Live, Reader, Write};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// What a document is known by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name {
    /// The caller's name.
    Given(String),
    /// Objects made of arguments.
    Identity(u32),
    /// By name.
    Namespace(String),
    /// By namespace and name.
    Endpoint(String, String),
    /// By namespace and name.
    Service(String, String),
}

impl Name {
    fn text(&self) -> String {
        match self {
            Self::Given(name) => name.clone(),
            Self::Identity(id) => format!("<identity {id}>"),
            Self::Namespace(name) => format!("<namespace {name}>"),
            Self::Endpoint(namespace, name) => format!("<endpoint {namespace}/{name}>"),
            Self::Service(namespace, name) => format!("<service {namespace}/{name}>"),
        }
    }
}

/// A document in force.
#[derive(Debug)]
struct Document {
    source: SourceId,
    keys: BTreeSet<ObjectKey>,
    open: Vec<ObjectRef>,
}

/// A document to come.
#[derive(Debug)]
enum Staged {
    Apply {
        source: SourceId,
        objects: BTreeMap<ObjectKey, Object>,
        open: Vec<ObjectRef>,
    },
    Remove,
}

/// What a document takes while it is read, in times of its own length: its
/// text, values with their places, and objects.
const READ: usize = 16;

type Addresses = BTreeMap<String, Vec<IpAddr>>;

/// The engine.
pub(super) struct State {
    options: Settings,
    published: PublishedCluster,
    sources: Sources,
    /// Sources whose texts nothing refers to.
    free: Vec<SourceId>,
    documents: BTreeMap<Name, Document>,
    /// Who defines an object, the last one in force.
    holders: BTreeMap<ObjectKey, Vec<Name>>,
    staged: BTreeMap<Name, Staged>,
    names: Option<Addresses>,
    /// What answers of DNS said.
    learned: Names,
    /// Where redirects are to lead; the inner `None` is for stand-ins.
    proxy_ports: Option<Option<ProxyPortsOf>>,
    live: Option<Live>,
    /// Readers have an older table: they held on to too many.
    behind: bool,
    /// Numbers to be taken up by the first commit.
    identities: Vec<u8>,
    revision: u64,
}

fn compile(error: &CompileError) -> Failure {
    Failure::new(NETVERDICT_COMPILE, error.to_string())
}

impl State {
    pub(super) fn new(options: Settings, identities: &[u8]) -> Result<Self, Failure> {
        let state = |e| Failure::new(NETVERDICT_IDENTITY_STATE, format!("{e}"));
        let (config, cluster) = (options.config(), options::cluster(&options)?);
        pointer::room(identities.len().saturating_mul(READ), "saved identities")?;
        let cluster = match identities {
            [] => Cluster::new(config, cluster),
            bytes => Cluster::restore(config, cluster, [], bytes).map_err(state)?,
        };
        Ok(Self {
            learned: Names::new(options.names()),
            proxy_ports: None,
            options,
            published: PublishedCluster::new(cluster).map_err(|e| compile(&e))?,
            sources: Sources::new(),
            free: Vec::new(),
            documents: BTreeMap::new(),
            holders: BTreeMap::new(),
            staged: BTreeMap::new(),
            names: None,
            live: None,
            behind: false,
            identities: identities.to_vec(),
            revision: 0,
        })
    }

    pub(super) const fn cluster(&self) -> &Cluster {
        self.published.cluster()
    }

    pub(super) const fn published(&self) -> &PublishedCluster {
        &self.published
    }

    pub(super) const fn sources(&self) -> &Sources {
        &self.sources
    }

    pub(super) const fn revision(&self) -> u64 {
        self.revision
    }

    pub(super) fn image(&self) -> &[u8] {
        self.published.image()
    }

    fn read(&self, source: SourceId, text: &str) -> Result<Loaded, Failure> {
        let options = self.options.load_options(self.cluster().config());
        if text.len() > options.limits.yaml.max_bytes {
            let message = format!(
                "a document of {} bytes; at most {} are read",
                text.len(),
                options.limits.yaml.max_bytes
            );
            return Err(Failure::new(NETVERDICT_TOO_LARGE, message));
        }
        room(text)?;
        Ok(load(source, text, &options))
    }

    /// Reads a document without taking it; the sources say where in it the
    /// problems are.
    pub(super) fn check(
        &self,
        name: &str,
        text: &str,
    ) -> Result<(Vec<Diagnostic>, Sources), Failure> {
        room(text)?;
        let mut sources = Sources::new();
        let source = sources.add(name, text);
        Ok((self.read(source, text)?.diagnostics, sources))
    }

    /// Stages a document.
    pub(super) fn stage(&mut self, name: Name, text: &str) -> Result<Vec<Diagnostic>, Failure> {
        let next = u32::try_from(self.sources.iter().count()).unwrap_or(u32::MAX);
        let source = self.free.last().copied().unwrap_or(SourceId(next));
        let loaded = self.read(source, text)?;
        if self.free.pop().is_some() {
            self.sources.replace(source, name.text(), text);
        } else {
            self.sources.add(name.text(), text);
        }
        let diagnostics = loaded.diagnostics.clone();
        let open = open_policies(&loaded);
        let objects = loaded.into_objects();
        let objects = objects.map(|o| (ObjectKey::of(&o), o)).collect();
        let staged = Staged::Apply {
            source,
            objects,
            open,
        };
        self.put(name, staged);
        Ok(diagnostics)
    }

    /// Stages an object made of arguments, which must be accepted.
    pub(super) fn stage_object(&mut self, name: Name, text: &str) -> Result<(), Failure> {
        let before = self.staged.remove(&name);
        let diagnostics = self.stage(name.clone(), text)?;
        let accepted = match self.staged.get(&name) {
            Some(Staged::Apply { objects, .. }) => !objects.is_empty(),
            _ => false,
        };
        let refused = |d: &Diagnostic| d.severity == netverdict::diagnostic::Severity::Error;
        if accepted && !diagnostics.iter().any(refused) {
            if let Some(before) = before {
                self.release(before);
            }
            return Ok(());
        }
        let failure = first_error(&diagnostics, &self.sources);
        if let Some(made) = self.staged.remove(&name) {
            self.release(made);
        }
        if let Some(before) = before {
            self.staged.insert(name, before);
        }
        Err(failure)
    }

    /// Stages that a document goes.
    pub(super) fn unstage(&mut self, name: Name) -> Result<(), Failure> {
        let coming = matches!(self.staged.get(&name), Some(Staged::Apply { .. }));
        let there = self.documents.contains_key(&name)
            && !matches!(self.staged.get(&name), Some(Staged::Remove));
        if !coming && !there {
            let message = format!("there is no `{}`", name.text());
            return Err(Failure::new(NETVERDICT_NOT_FOUND, message));
        }
        self.put(name, Staged::Remove);
        Ok(())
    }

    fn put(&mut self, name: Name, staged: Staged) {
        if let Some(before) = self.staged.insert(name, staged) {
            self.release(before);
        }
    }

    fn release(&mut self, staged: Staged) {
        if let Staged::Apply { source, .. } = staged {
            self.forget(source);
        }
    }

    fn forget(&mut self, source: SourceId) {
        self.sources.replace(source, "", "");
        self.free.push(source);
    }

    /// Stages the addresses of a DNS name; none forgets it.
    pub(super) fn stage_name(&mut self, name: &str, addresses: Vec<IpAddr>) {
        let known = || self.published.cluster().options().resolved_names.clone();
        let names = self.names.get_or_insert_with(known);
        match addresses.is_empty() {
            true => drop(names.remove(name)),
            false => drop(names.insert(name.to_owned(), addresses)),
        }
    }

    /// What answers of DNS say; taken in with the next commit.
    pub(super) const fn learned(&mut self) -> &mut Names {
        &mut self.learned
    }

    /// Stages where redirects lead; `None` for stand-ins.
    pub(super) fn stage_proxy_ports(&mut self, of: Option<ProxyPortsOf>) {
        self.proxy_ports = Some(of);
    }

    /// Applies what is staged.
    pub(super) fn commit(&mut self) -> Result<Committed, Failure> {
        let changes = self.changes();
        let open = self.documents.values().flat_map(|d| &d.open);
        let open: Vec<ObjectRef> = open.cloned().collect();
        let update = self.update(changes);
        self.published.set_open_policies(open);
        let update = update.map_err(|e| compile(&e))?;
        self.revision += 1;
        let readers_follow = self.publish(&update);
        Ok(Committed {
            revision: self.revision,
            readers_follow,
            update,
        })
    }

    fn update(&mut self, changes: Vec<Change>) -> Result<Update, CompileError> {
        let mut update = if !self.identities.is_empty() && !changes.is_empty() {
            self.begin(changes)?
        } else {
            let mut update = Update::default();
            if let Some(names) = self.names.take() {
                update = self.published.set_resolved_names(names)?;
            }
            after(&mut update, self.published.apply(changes)?);
            update
        };
        let learned = self.learned.take_changes();
        if !learned.is_empty() {
            after(&mut update, self.published.learn_names(learned)?);
        }
        if let Some(of) = self.proxy_ports.take() {
            after(&mut update, self.published.set_proxy_ports(of)?);
        }
        Ok(update)
    }

    /// The first objects come: with the numbers their identities had before.
    fn begin(&mut self, changes: Vec<Change>) -> Result<Update, CompileError> {
        let saved = std::mem::take(&mut self.identities);
        let mut options = self.cluster().options().clone();
        if let Some(names) = self.names.take() {
            options.resolved_names = names;
        }
        let config = self.cluster().config().clone();
        let objects: Vec<Object> = changes
            .into_iter()
            .filter_map(|c| match c {
                Change::Upsert(object) => Some(*object),
                Change::Remove(_) => None,
            })
            .collect();
        let restored = Cluster::restore(config.clone(), options.clone(), objects.clone(), &saved);
        // The bytes were read once already, by `new`.
        let cluster = restored.unwrap_or_else(|_| Cluster::build(config, options, objects));
        self.published = PublishedCluster::new(cluster)?;
        let mut update = Update {
            whole: true,
            ..Update::default()
        };
        let image = self.published.image().to_vec();
        update.writes.push(Write::Replace { image });
        for subject in self.published.subjects() {
            let entries = self.published.entries(subject.number).into_iter();
            update.added.push(subject.number);
            update.maps.push(netverdict::compile::MapUpdate {
                subjects: vec![subject.number],
                changes: entries
                    .map(|(key, value)| netverdict::compile::MapChange::Add(key, value))
                    .collect(),
            });
        }
        Ok(update)
    }

    /// What the staged documents change about objects.
    fn changes(&mut self) -> Vec<Change> {
        let mut touched: BTreeMap<ObjectKey, Option<Object>> = BTreeMap::new();
        for (name, staged) in std::mem::take(&mut self.staged) {
            if let Some(old) = self.documents.remove(&name) {
                for key in old.keys {
                    if let Some(holders) = self.holders.get_mut(&key) {
                        holders.retain(|holder| *holder != name);
                    }
                    touched.entry(key).or_default();
                }
                self.forget(old.source);
            }
            let Staged::Apply {
                source,
                objects,
                open,
            } = staged
            else {
                continue;
            };
            let keys = objects.keys().cloned().collect();
            for (key, object) in objects {
                let holders = self.holders.entry(key.clone()).or_default();
                holders.push(name.clone());
                touched.insert(key, Some(object));
            }
            let document = Document { source, keys, open };
            self.documents.insert(name, document);
        }
        let mut changes = Vec::new();
        for (key, fresh) in touched {
            if self.holders.get(&key).is_some_and(Vec::is_empty) {
                self.holders.remove(&key);
            }
            let object = fresh.or_else(|| self.reread(&key));
            changes.push(match object {
                Some(object) => Change::Upsert(Box::new(object)),
                None => Change::Remove(key),
            });
        }
        changes
    }

    /// An object from the last document in force that defines it.
    fn reread(&self, key: &ObjectKey) -> Option<Object> {
        let holder = self.holders.get(key)?.last()?;
        let source = self.documents.get(holder)?.source;
        let text = self.sources.get(source)?.text();
        let loaded = self.read(source, text).ok()?;
        loaded
            .into_objects()
            .filter(|o| ObjectKey::of(o) == *key)
            .last()
    }

    /// Brings the readers' table up to date; false when they hold on to too
    /// many old ones.
    fn publish(&mut self, update: &Update) -> bool {
        let Some(live) = &mut self.live else {
            return true;
        };
        let done = if self.behind {
            let image = self.published.image().to_vec();
            live.write(&Write::Replace { image })
        } else {
            live.publish(&update.writes)
        };
        self.behind = done.is_err();
        live.reclaim();
        !self.behind
    }

    /// A reader of the table, which follows commits.
    pub(super) fn reader(&mut self) -> Result<Reader, Failure> {
        if let Some(live) = &self.live {
            return Ok(live.reader());
        }
        pointer::room(self.image().len(), "a copy of the table")?;
        let live = Live::new(self.published.image())?;
        let reader = live.reader();
        self.live = Some(live);
        Ok(reader)
    }

    /// Numbers of subjects that are gone may be used again.
    pub(super) fn end_grace_period(&mut self) {
        self.published.end_grace_period();
    }
}

/// Puts an update behind another one.
fn after(update: &mut Update, mut next: Update) {
    if next.whole {
        *update = next;
        return;
    }
    update.writes.append(&mut next.writes);
    update.maps.append(&mut next.maps);
    update.added.append(&mut next.added);
}

/// Fails unless there is memory to read a document.
fn room(text: &str) -> Result<(), Failure> {
    pointer::room(text.len().saturating_mul(READ), "a document")
}
