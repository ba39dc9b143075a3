//! The files of a folder with what is open in the editor in their place.
//!
//! In: a folder, and texts as they are typed. Out: the cluster that all of
//! them describe, and the findings about them.

use crate::agent_config::Agent;
use crate::finding;
use crate::input::{Input, LoadedFile};
use crate::settings::AllSettings;
use crate::walk::{Place, places};
use netverdict::cluster::{Cluster, ClusterOptions};
use netverdict::diagnostic::Diagnostic;
use netverdict::object::load::{LoadOptions, load};
use netverdict::source::SourceId;
use netverdict_analysis::lint::suppression::sift;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What is known.
pub(super) struct Workspace {
    agent: Agent,
    root: Option<PathBuf>,
    settings: AllSettings,
    input: Input,
    by_path: BTreeMap<PathBuf, usize>,
    open: BTreeMap<PathBuf, String>,
    cluster: Cluster,
    found: Vec<Diagnostic>,
}

impl Workspace {
    /// Without a folder: what is open is all there is.
    pub(super) fn new(agent: Agent) -> Self {
        let cluster = Cluster::new(agent.config.clone(), ClusterOptions::default());
        Self {
            agent,
            root: None,
            settings: AllSettings::default(),
            input: Input::default(),
            by_path: BTreeMap::new(),
            open: BTreeMap::new(),
            cluster,
            found: Vec::new(),
        }
    }

    /// Reads a folder.
    pub(super) fn set_root(&mut self, root: PathBuf) {
        self.root = Some(root);
        self.reread();
    }

    /// Reads everything again that is not open.
    pub(super) fn reread(&mut self) {
        let folder: Vec<PathBuf> = self.root.iter().cloned().collect();
        let mut found = places(&folder).unwrap_or_default();
        let options = LoadOptions::new(&self.agent.config);
        if let Ok((settings, _)) = AllSettings::read(&found, found.len()) {
            found.retain(|p| !settings.leaves_out(p));
            self.settings = settings;
        }
        self.input = Input::of(&found, &options);
        self.by_path.clear();
        for (number, file) in self.input.files.iter().enumerate() {
            if let Place::File(path) = &file.place {
                self.by_path.insert(path.clone(), number);
            }
        }
        let open = std::mem::take(&mut self.open);
        for (path, text) in open {
            self.put(path, text);
        }
        self.look();
    }

    /// A text as it is now typed.
    pub(super) fn open(&mut self, path: PathBuf, text: String) {
        self.put(path, text);
        self.look();
    }

    /// A text that is no longer open: the file counts again.
    pub(super) fn close(&mut self, path: &Path) {
        self.open.remove(path);
        self.reread();
    }

    fn put(&mut self, path: PathBuf, text: String) {
        let name = path.display().to_string();
        let options = LoadOptions::new(&self.agent.config);
        match self
            .by_path
            .get(&path)
            .and_then(|n| self.input.files.get_mut(*n))
        {
            Some(file) => {
                self.input.sources.replace(file.source, name, text.as_str());
                file.loaded = load(file.source, &text, &options);
            }
            None => {
                let source = self.input.sources.add(name, text.as_str());
                self.by_path.insert(path.clone(), self.input.files.len());
                self.input.files.push(LoadedFile {
                    place: Place::File(path.clone()),
                    source,
                    exact: true,
                    loaded: load(source, &text, &options),
                });
            }
        }
        self.open.insert(path, text);
    }

    /// Builds the cluster and looks for findings.
    fn look(&mut self) {
        self.cluster = finding::cluster(&self.input, &self.agent);
        let found = finding::all(&self.input, &self.cluster);
        let ids = self.input.files.iter().map(|f| f.source);
        let sifted = sift(found, &self.input.sources, ids);
        let files = &self.input.files;
        let place_of = |id: SourceId| {
            let file = files.iter().find(|f| f.source == id);
            file.map(|f| &f.place)
        };
        self.found = self.settings.sift(sifted.found, place_of);
    }

    /// The cluster that all files describe.
    pub(super) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The texts.
    pub(super) fn input(&self) -> &Input {
        &self.input
    }

    /// What is open.
    pub(super) fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.open.keys()
    }

    /// The source and the text of something open.
    pub(super) fn text(&self, path: &Path) -> Option<(SourceId, &str)> {
        let text = self.open.get(path)?;
        let file = self.input.files.get(*self.by_path.get(path)?)?;
        Some((file.source, text))
    }

    /// The findings about a source.
    pub(super) fn found(&self, source: SourceId) -> impl Iterator<Item = &Diagnostic> {
        self.found.iter().filter(move |d| d.span.source == source)
    }

    /// The file of a source.
    pub(super) fn path_of(&self, source: SourceId) -> Option<&Path> {
        let file = self.input.files.iter().find(|f| f.source == source)?;
        match &file.place {
            Place::File(path) => Some(path),
            _ => None,
        }
    }
}
