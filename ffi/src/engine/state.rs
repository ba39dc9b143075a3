//! What an engine knows.
//!
//! In: documents by name, staged; commits. Out: a cluster whose table follows
//! it, and the writes and map changes of each commit.

use super::{first_error, options, update::Committed};
use crate::error::Failure;
use crate::pointer;
use crate::status::{
    NETVERDICT_COMPILE, NETVERDICT_IDENTITY_STATE, NETVERDICT_NOT_FOUND, NETVERDICT_TOO_LARGE,
};
use netverdict::cluster::{Change, Cluster, Documents, Incoming, ProxyPortsOf, PublishedCluster};
use netverdict::compile::{CompileError, Update};
use netverdict::config::Config;
use netverdict::diagnostic::{Diagnostic, Severity};
use netverdict::fqdn::Names;
use netverdict::object::Object;
use netverdict::object::load::{LoadOptions, load};
use netverdict::scenario::Settings;
use netverdict::source::Sources;
use netverdict_table::{Live, Reader, Write};
use std::collections::BTreeMap;
use std::fmt;
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

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(name) => f.write_str(name),
            Self::Identity(id) => write!(f, "<identity {id}>"),
            Self::Namespace(name) => write!(f, "<namespace {name}>"),
            Self::Endpoint(namespace, name) => write!(f, "<endpoint {namespace}/{name}>"),
            Self::Service(namespace, name) => write!(f, "<service {namespace}/{name}>"),
        }
    }
}

/// What a document takes while it is read, in times of its own length: its
/// text, values with their places, and objects.
const READ: usize = 16;

type Addresses = BTreeMap<String, Vec<IpAddr>>;

/// The engine.
pub(super) struct State {
    options: Settings,
    published: PublishedCluster,
    documents: Documents<Name>,
    /// Documents that come with the next commit, or go (`None`).
    staged: BTreeMap<Name, Option<Incoming>>,
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
            documents: Documents::new(),
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
        self.documents.sources()
    }

    pub(super) const fn revision(&self) -> u64 {
        self.revision
    }

    pub(super) fn image(&self) -> &[u8] {
        self.published.image()
    }

    /// How documents are read, unless this one is too long for it.
    fn reading<'c>(&self, text: &str, config: &'c Config) -> Result<LoadOptions<'c>, Failure> {
        let options = self.options.load_options(config);
        if text.len() > options.limits.yaml.max_bytes {
            let message = format!(
                "a document of {} bytes; at most {} are read",
                text.len(),
                options.limits.yaml.max_bytes
            );
            return Err(Failure::new(NETVERDICT_TOO_LARGE, message));
        }
        room(text)?;
        Ok(options)
    }

    /// Reads a document without taking it; the sources say where in it the
    /// problems are.
    pub(super) fn check(
        &self,
        name: &str,
        text: &str,
    ) -> Result<(Vec<Diagnostic>, Sources), Failure> {
        let options = self.reading(text, self.cluster().config())?;
        let mut sources = Sources::new();
        let source = sources.add(name, text);
        Ok((load(source, text, &options).diagnostics, sources))
    }

    /// Stages a document.
    pub(super) fn stage(&mut self, name: Name, text: &str) -> Result<Vec<Diagnostic>, Failure> {
        let incoming = self.read(&name, text)?;
        let diagnostics = incoming.diagnostics().to_vec();
        self.put(name, Some(incoming));
        Ok(diagnostics)
    }

    fn read(&mut self, name: &Name, text: &str) -> Result<Incoming, Failure> {
        let config = self.cluster().config().clone();
        let options = self.reading(text, &config)?;
        Ok(self.documents.read(name, text, &options))
    }

    /// Stages an object made of arguments, which must be accepted.
    pub(super) fn stage_object(&mut self, name: Name, text: &str) -> Result<(), Failure> {
        let incoming = self.read(&name, text)?;
        let refused = |d: &Diagnostic| d.severity == Severity::Error;
        if !incoming.is_empty() && !incoming.diagnostics().iter().any(refused) {
            self.put(name, Some(incoming));
            return Ok(());
        }
        let failure = first_error(incoming.diagnostics(), self.sources());
        self.documents.discard(incoming);
        Err(failure)
    }

    /// Stages that a document goes.
    pub(super) fn unstage(&mut self, name: Name) -> Result<(), Failure> {
        let there = match self.staged.get(&name) {
            Some(staged) => staged.is_some(),
            None => self.documents.contains(&name),
        };
        if !there {
            let message = format!("there is no `{name}`");
            return Err(Failure::new(NETVERDICT_NOT_FOUND, message));
        }
        self.put(name, None);
        Ok(())
    }

    fn put(&mut self, name: Name, staged: Option<Incoming>) {
        if let Some(Some(before)) = self.staged.insert(name, staged) {
            self.documents.discard(before);
        }
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
        let config = self.cluster().config().clone();
        let options = self.options.load_options(&config);
        let staged = std::mem::take(&mut self.staged);
        let changes = self.documents.apply(staged, &options);
        let open = self.documents.open_policies();
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
