//! The folder that is edited.
//!
//! In: names that a browser gives. Out: the manifests in the folder, and
//! manifests written into it; nothing outside of it is read or written.

use super::answer::Refusal;
use crate::exit::Failure;
use crate::walk::{self, Place};
use serde::Serialize;
use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Endings of the files that are written.
const ENDINGS: [&str; 3] = [".yaml", ".yml", ".json"];

/// The folder.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    /// One file is written at a time: what is there is compared before.
    writing: Mutex<()>,
}

/// A manifest.
#[derive(Debug, Serialize)]
pub(crate) struct File {
    /// Below the folder, with `/`.
    name: String,
    text: String,
    version: String,
}

impl Folder {
    /// The folder of a path.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let message = |e| Failure::new(format!("`{}`: {e}", path.display()));
        let root = fs::canonicalize(path).map_err(message)?;
        if !root.is_dir() {
            return Err(Failure::new(format!("`{}` is no folder", path.display())));
        }
        Ok(Self {
            root,
            writing: Mutex::new(()),
        })
    }

    /// What a person calls it.
    pub(crate) fn title(&self) -> String {
        let name = self.root.file_name().unwrap_or(self.root.as_os_str());
        name.to_string_lossy().into_owned()
    }

    /// Its manifests. Files that are no text are none, and neither are links
    /// that lead out of the folder.
    pub(crate) fn files(&self) -> Result<Vec<File>, Refusal> {
        let places = walk::places(std::slice::from_ref(&self.root))
            .map_err(|_| Refusal::new(500, "the folder cannot be read"))?;
        let mut files = Vec::new();
        for place in places {
            let Place::File(path) = place else { continue };
            let inside = fs::canonicalize(&path).is_ok_and(|real| real.starts_with(&self.root));
            let Some(name) = self.name(&path).filter(|_| inside) else {
                continue;
            };
            if let Ok(text) = fs::read_to_string(&path) {
                let version = version(text.as_bytes());
                files.push(File {
                    name,
                    text,
                    version,
                });
            }
        }
        Ok(files)
    }

    fn name(&self, path: &Path) -> Option<String> {
        let below = path.strip_prefix(&self.root).ok()?;
        let parts: Option<Vec<&str>> = below.iter().map(|part| part.to_str()).collect();
        Some(parts?.join("/"))
    }

    /// Writes a manifest, if it still is what `expected` says; returns its new
    /// version.
    pub(crate) fn write(
        &self,
        name: &str,
        text: &[u8],
        expected: Option<&str>,
    ) -> Result<String, Refusal> {
        if std::str::from_utf8(text).is_err() {
            return Err(Refusal::new(400, "no text"));
        }
        let _one = self
            .writing
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let path = self.place(name, true)?;
        compare(&path, expected)?;
        replace(&path, text).map_err(|e| failed(&e))?;
        Ok(version(text))
    }

    /// Takes a manifest away, if it still is what `expected` says.
    pub(crate) fn remove(&self, name: &str, expected: Option<&str>) -> Result<(), Refusal> {
        let _one = self
            .writing
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let path = self.place(name, false)?;
        compare(&path, expected)?;
        fs::remove_file(&path).map_err(|e| failed(&e))
    }

    /// Where a name's file is, or would be: a manifest, in this folder, not
    /// hidden, not by a link out of it.
    fn place(&self, name: &str, make: bool) -> Result<PathBuf, Refusal> {
        let outside = || Refusal::new(403, "only manifests in the folder are written");
        let lower = name.to_ascii_lowercase();
        let plain = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && !part.contains(['\\', ':', '\0'])
                && !part.chars().any(char::is_control)
        };
        if !ENDINGS.iter().any(|ending| lower.ends_with(ending)) || !name.split('/').all(plain) {
            return Err(outside());
        }
        let mut at = self.root.clone();
        let mut parts = name.split('/').peekable();
        while let Some(part) = parts.next() {
            at.push(part);
            match fs::canonicalize(&at) {
                Ok(real) if real.starts_with(&self.root) => at = real,
                Ok(_) => return Err(outside()),
                // A link to nothing would be followed when it is written.
                Err(_) if at.symlink_metadata().is_ok() => return Err(outside()),
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(failed(&e)),
                Err(_) if parts.peek().is_some() && make => {
                    fs::create_dir(&at).map_err(|e| failed(&e))?;
                }
                Err(_) => {}
            }
        }
        Ok(at)
    }
}

/// What a file's content is called: other contents have other names.
fn version(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    format!("{:016x}", hasher.finish())
}

/// Refuses when the file is not what somebody believes; `none` is no file.
fn compare(path: &Path, expected: Option<&str>) -> Result<(), Refusal> {
    let Some(expected) = expected else {
        return Ok(());
    };
    let found = match fs::read(path) {
        Ok(bytes) => version(&bytes),
        Err(e) if e.kind() == ErrorKind::NotFound => "none".to_owned(),
        Err(e) => return Err(failed(&e)),
    };
    if found == expected {
        Ok(())
    } else {
        Err(Refusal::new(412, "the file was changed meanwhile"))
    }
}

/// Writes beside the file first: at every moment it is the old one or the new.
fn replace(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".saving");
    // One that was left by a write that ended in the middle.
    let _ = fs::remove_file(&aside);
    let written = fs::File::create_new(&aside).and_then(|mut file| {
        file.write_all(text)?;
        if let Ok(old) = fs::metadata(path) {
            file.set_permissions(old.permissions())?;
        }
        file.sync_all()
    });
    let moved = written.and_then(|()| fs::rename(&aside, path));
    if moved.is_err() {
        let _ = fs::remove_file(&aside);
    }
    moved
}

fn failed(error: &std::io::Error) -> Refusal {
    match error.kind() {
        ErrorKind::NotFound => Refusal::new(404, "there is no such file"),
        ErrorKind::PermissionDenied => Refusal::new(403, "the file may not be written"),
        _ => Refusal::new(500, "the disk refused"),
    }
}
