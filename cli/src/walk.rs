//! Paths, folders and patterns → the files they mean.
//!
//! In: what somebody typed. Out: files in the order of the arguments, those of
//! a folder sorted, each once. Folders give their `.yaml`, `.yml` and `.json`
//! files; hidden ones, those that `.gitignore` names and files of expectations
//! (`*.netverdict.yaml`) are passed over. A file that is named is read whatever
//! it is called. An archive gives the manifests in it.

use crate::archive;
use crate::exit::Failure;
use globset::{GlobBuilder, GlobMatcher};
use ignore::{WalkBuilder, WalkState};
use netverdict::yaml::Limits;
use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Endings of the files that folders give.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// Endings of the files that say what is expected.
const EXPECTATIONS: [&str; 2] = [".netverdict.yaml", ".netverdict.yml"];

/// Something to read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
    /// A member of an archive.
    Member {
        /// The archive.
        archive: PathBuf,
        /// Its name there.
        name: String,
        /// What it holds.
        bytes: Arc<Vec<u8>>,
    },
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Stdin => f.write_str("<stdin>"),
            Self::Member { archive, name, .. } => write!(f, "{}:{name}", archive.display()),
        }
    }
}

/// The files that arguments mean.
///
/// # Errors
/// When an argument is neither a file nor a folder nor a pattern, or a folder
/// cannot be read.
pub(crate) fn places(arguments: &[PathBuf]) -> Result<Vec<Place>, Failure> {
    let mut seen = HashSet::new();
    let mut places = Vec::new();
    for argument in arguments {
        for place in places_of(argument)? {
            if seen.insert(place.clone()) {
                places.push(place);
            }
        }
    }
    Ok(places)
}

fn places_of(argument: &Path) -> Result<Vec<Place>, Failure> {
    if argument == Path::new("-") {
        return Ok(vec![Place::Stdin]);
    }
    if archive::is_archive(argument) && argument.is_file() {
        let limit = Limits::default().max_bytes as u64;
        let members = archive::read(argument, &archive::is_manifest, limit)?.into_iter();
        let places = members.map(|(name, bytes)| Place::Member {
            archive: plain(argument),
            name,
            bytes: Arc::new(bytes),
        });
        return Ok(places.collect());
    }
    let files = if argument.is_dir() {
        walk(argument, &has_ending)?
    } else if argument.exists() {
        vec![argument.to_owned()]
    } else if let Some((base, pattern)) = pattern(argument)? {
        let found = walk(&base, &|path| pattern.is_match(path))?;
        if found.is_empty() {
            let message = format!("no file matches `{}`", argument.display());
            return Err(Failure::new(message));
        }
        found
    } else {
        let message = format!("no such file or folder: `{}`", argument.display());
        return Err(Failure::new(message).help(
            "give files, folders, quoted patterns such as '**/*.yaml', or - for standard input",
        ));
    };
    Ok(files.into_iter().map(|f| Place::File(plain(&f))).collect())
}

/// True for files of expectations, which are no manifests.
fn is_expectations(path: &Path) -> bool {
    let name = path.file_name().and_then(|n| n.to_str());
    name.is_some_and(|n| EXPECTATIONS.iter().any(|ending| n.ends_with(ending)))
}

/// The files of expectations below folders.
///
/// # Errors
/// When a folder cannot be read.
pub(crate) fn expectation_files(arguments: &[PathBuf]) -> Result<Vec<Place>, Failure> {
    let mut found = Vec::new();
    for argument in arguments.iter().filter(|a| a.is_dir()) {
        found.extend(walk(argument, &is_expectations)?);
    }
    found.sort_unstable();
    found.dedup();
    Ok(found.into_iter().map(|f| Place::File(plain(&f))).collect())
}

fn has_ending(path: &Path) -> bool {
    // What a project says of its checks is no object.
    let is_settings = path.file_name().is_some_and(|n| n == crate::settings::NAME);
    if is_settings || is_expectations(path) {
        return false;
    }
    let ending = path.extension().and_then(|e| e.to_str());
    ending.is_some_and(|e| ENDINGS.iter().any(|known| e.eq_ignore_ascii_case(known)))
}

/// A pattern and the folder it begins in; `None` for a plain path.
fn pattern(argument: &Path) -> Result<Option<(PathBuf, GlobMatcher)>, Failure> {
    let Some(text) = argument.to_str() else {
        return Ok(None);
    };
    if !text.contains(['*', '?', '[', '{']) {
        return Ok(None);
    }
    let fixed = |c: &Component<'_>| {
        let part = c.as_os_str().to_string_lossy();
        !part.contains(['*', '?', '[', '{'])
    };
    let mut base: PathBuf = argument.components().take_while(fixed).collect();
    // Paths found below `.` begin with `./`, and so must the pattern.
    let text = if base.as_os_str().is_empty() {
        base = PathBuf::from(".");
        format!("./{text}")
    } else {
        text.to_owned()
    };
    let glob = GlobBuilder::new(&text).literal_separator(true).build();
    match glob {
        Ok(glob) => Ok(Some((base, glob.compile_matcher()))),
        Err(e) => Err(Failure::new(format!("`{text}` is not a pattern: {e}"))),
    }
}

/// The files below a folder that are wanted, sorted.
fn walk(folder: &Path, wanted: &(dyn Fn(&Path) -> bool + Sync)) -> Result<Vec<PathBuf>, Failure> {
    let found = Mutex::new(Ok(Vec::new()));
    let walker = WalkBuilder::new(folder).require_git(false).build_parallel();
    walker.run(|| {
        Box::new(|entry| {
            let Ok(mut found) = found.lock() else {
                return WalkState::Quit;
            };
            match entry {
                Ok(entry) => {
                    let is_file = entry.file_type().is_some_and(|t| !t.is_dir());
                    if is_file
                        && wanted(entry.path())
                        && entry.path().is_file()
                        && let Ok(files) = found.as_mut()
                    {
                        files.push(entry.into_path());
                    }
                    WalkState::Continue
                }
                Err(e) => {
                    *found = Err(Failure::new(e.to_string()));
                    WalkState::Quit
                }
            }
        })
    });
    let found = found
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut files: Vec<PathBuf> = found?;
    files.sort_unstable();
    Ok(files)
}

/// The path without a leading `./`.
fn plain(path: &Path) -> PathBuf {
    path.strip_prefix(".").unwrap_or(path).to_owned()
}
