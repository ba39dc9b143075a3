//! `netverdict.yaml`, found above the files it is about.
//!
//! In: places. Out: for each the settings of the nearest file of that name in
//! its folder or above, with what is not read, not told, or told otherwise.

use crate::exit::Failure;
use crate::walk::Place;
use globset::{GlobBuilder, GlobMatcher};
use netverdict::diagnostic::Diagnostic;
use netverdict::source::{SourceId, Span};
use netverdict_analysis::lint::settings::{self, IgnoredPath, Settings};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What the file is called.
pub(crate) const NAME: &str = "netverdict.yaml";

/// One file with the folder it is about.
#[derive(Debug)]
struct File {
    folder: PathBuf,
    settings: Settings,
    /// Patterns of [`Settings::ignore`], in its order.
    patterns: Vec<GlobMatcher>,
}

/// Every file that is about one of the places.
#[derive(Debug, Default)]
pub(crate) struct AllSettings {
    files: Vec<File>,
    /// For each folder of a place its absolute path, and which file is about
    /// it, if one is.
    of_folder: BTreeMap<PathBuf, (PathBuf, Option<usize>)>,
    places: Vec<Place>,
    /// What is wrong with the files.
    pub(crate) found: Vec<Diagnostic>,
}

impl AllSettings {
    /// Reads the files that are about these places. Beside them their names
    /// and texts, whose numbers among the sources begin at `first`.
    ///
    /// # Errors
    /// When one cannot be read, or a pattern of one is none.
    pub(crate) fn read(
        places: &[Place],
        first: usize,
    ) -> Result<(Self, Vec<(String, String)>), Failure> {
        let mut all = Self {
            places: places.to_vec(),
            ..Self::default()
        };
        let mut texts = Vec::new();
        let mut by_path: BTreeMap<PathBuf, usize> = BTreeMap::new();
        for place in places {
            let folder = folder_of(place);
            if all.of_folder.contains_key(&folder) {
                continue;
            }
            let mut number = None;
            if let Some(path) = above(&folder) {
                number = Some(match by_path.get(&path) {
                    Some(number) => *number,
                    None => {
                        let id = SourceId(u32::try_from(first + texts.len()).unwrap_or(u32::MAX));
                        let text = std::fs::read_to_string(&path)
                            .map_err(|e| Failure::file("read", path.display(), &e))?;
                        all.add(&path, id, &text)?;
                        texts.push((path.display().to_string(), text));
                        by_path.insert(path, all.files.len() - 1);
                        all.files.len() - 1
                    }
                });
            }
            all.of_folder
                .insert(folder.clone(), (absolute(&folder), number));
        }
        Ok((all, texts))
    }

    fn add(&mut self, path: &Path, id: SourceId, text: &str) -> Result<(), Failure> {
        let (settings, found) = settings::read(id, text);
        self.found.extend(found);
        let pattern = |text: &str| {
            let glob = GlobBuilder::new(text).literal_separator(true).build();
            glob.map(|g| g.compile_matcher()).map_err(|e| {
                Failure::new(format!(
                    "`{text}` in `{}` is not a pattern: {e}",
                    path.display()
                ))
            })
        };
        let patterns: Result<_, _> = settings
            .ignore
            .iter()
            .map(|i| pattern(i.path.value.trim_end_matches('/')))
            .collect();
        self.files.push(File {
            folder: absolute(path.parent().unwrap_or(Path::new(""))),
            patterns: patterns?,
            settings,
        });
        Ok(())
    }

    /// The file that is about a place, and the place's path below its folder.
    fn of(&self, place: &Place) -> Option<(&File, PathBuf)> {
        let Place::File(path) = place else {
            return None;
        };
        let (folder, number) = self.of_folder.get(&folder_of(place))?;
        let file = self.files.get((*number)?)?;
        let path = folder.join(path.file_name()?);
        let below = path.strip_prefix(&file.folder).ok()?.to_owned();
        Some((file, below))
    }

    /// True for files that are not to be read.
    pub(crate) fn leaves_out(&self, place: &Place) -> bool {
        self.of(place)
            .is_some_and(|(file, below)| file.about(&below).any(|i| i.codes.is_empty()))
    }

    /// Gives findings the severities asked for, and takes out those that are
    /// not to be told. `place_of` tells the file of a source.
    pub(crate) fn sift<'p>(
        &self,
        found: Vec<Diagnostic>,
        place_of: impl Fn(SourceId) -> Option<&'p Place>,
    ) -> Vec<Diagnostic> {
        if self.files.is_empty() {
            return found;
        }
        let mut used = BTreeSet::new();
        let mut left = Vec::new();
        for mut diagnostic in found {
            let place = place_of(diagnostic.span.source);
            let Some((file, below)) = place.and_then(|p| self.of(p)) else {
                left.push(diagnostic);
                continue;
            };
            let code = diagnostic.code.number();
            let mut about = file.about(&below);
            if let Some(i) = about.find(|i| i.codes.iter().any(|c| c.value == code)) {
                used.insert((i.path.span, code));
                continue;
            }
            match file.settings.severity.get(&code) {
                Some(None) => continue,
                Some(Some(severity)) => diagnostic.severity = *severity,
                None => {}
            }
            left.push(diagnostic);
        }
        left.extend(self.unused(&used));
        left
    }

    /// Codes that are not found in any of the files that were read.
    fn unused(&self, used: &BTreeSet<(Span, u16)>) -> Vec<Diagnostic> {
        let mut read = BTreeSet::new();
        for (file, below) in self.places.iter().filter_map(|p| self.of(p)) {
            read.extend(file.about(&below).map(|i| i.path.span));
        }
        let all = self.files.iter().flat_map(|f| &f.settings.ignore);
        all.filter(|i| read.contains(&i.path.span))
            .flat_map(|i| i.codes.iter().map(move |c| (i, *c)))
            .filter(|(i, c)| !used.contains(&(i.path.span, c.value)))
            .map(|(i, c)| i.unused(c))
            .collect()
    }
}

impl File {
    /// What is said of a path below its folder.
    fn about<'f>(&'f self, below: &'f Path) -> impl Iterator<Item = &'f IgnoredPath> {
        let ignored = self.settings.ignore.iter().zip(&self.patterns);
        let about = ignored.filter(|(_, p)| below.ancestors().any(|part| p.is_match(part)));
        about.map(|(ignored, _)| ignored)
    }
}

fn folder_of(place: &Place) -> PathBuf {
    match place {
        Place::File(path) => path.parent().map(Path::to_owned).unwrap_or_default(),
        Place::Stdin | Place::Member { .. } => PathBuf::new(),
    }
}

fn absolute(path: &Path) -> PathBuf {
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    std::fs::canonicalize(path)
        .or_else(|_| std::path::absolute(path))
        .unwrap_or_else(|_| path.to_owned())
}

/// The nearest file in a folder or above, as short as it can be named.
fn above(folder: &Path) -> Option<PathBuf> {
    let mut relative = folder.to_owned();
    loop {
        let path = relative.join(NAME);
        if path.is_file() {
            return Some(path);
        }
        if !relative.pop() {
            break;
        }
    }
    let folder = absolute(folder);
    folder
        .ancestors()
        .map(|f| f.join(NAME))
        .find(|p| p.is_file())
}
