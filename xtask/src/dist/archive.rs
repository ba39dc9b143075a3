//! Archives whose bytes depend on what is in them alone.
//!
//! In: files with names, and which may be run. Out: `.tar.gz` and `.zip`, in
//! the order of names, of nobody, of one moment.

use crate::install::Profile;
use flate2::{Compression, GzBuilder};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use zip::write::SimpleFileOptions;

/// When everything was made: the first moment that zip knows, in seconds.
pub(super) const MOMENT: u64 = 315_532_800;

/// A file of an archive, or a link.
enum Content {
    File { bytes: Vec<u8>, run: bool },
    Link(String),
}

/// What an archive holds, by name.
#[derive(Default)]
pub(super) struct Files(BTreeMap<String, Content>);

impl Files {
    /// Adds bytes.
    pub(super) fn add(&mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        let (bytes, run) = (bytes.into(), false);
        self.0.insert(name.into(), Content::File { bytes, run });
    }

    /// Adds a program.
    pub(super) fn add_program(&mut self, name: &str, path: &Path) -> Result<(), String> {
        let (bytes, run) = (read(path)?, true);
        self.0.insert(name.to_owned(), Content::File { bytes, run });
        Ok(())
    }

    /// Adds a file of the machine.
    pub(super) fn add_file(&mut self, name: &str, path: &Path) -> Result<(), String> {
        self.add(name, read(path)?);
        Ok(())
    }

    /// Adds all that is in a folder.
    pub(super) fn add_folder(&mut self, name: &str, path: &Path) -> Result<(), String> {
        let message = |e| format!("{}: {e}", path.display());
        for entry in fs::read_dir(path).map_err(message)? {
            let entry = entry.map_err(message)?;
            let inner = format!("{name}/{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type().map_err(message)?;
            if kind.is_symlink() {
                let to = fs::read_link(entry.path()).map_err(message)?;
                let to = to.to_string_lossy().into_owned();
                self.0.insert(inner, Content::Link(to));
            } else if kind.is_dir() {
                self.add_folder(&inner, &entry.path())?;
            } else {
                self.add_file(&inner, &entry.path())?;
            }
        }
        Ok(())
    }

    /// Writes a `.tar.gz`; what is only to be tried is packed less.
    pub(super) fn tar(&self, to: &Path, profile: Profile) -> Result<(), String> {
        let level = match profile {
            Profile::Release => Compression::best(),
            Profile::Dev => Compression::fast(),
        };
        let message = |e: std::io::Error| format!("{}: {e}", to.display());
        let file = fs::File::create(to).map_err(message)?;
        let packed = GzBuilder::new().mtime(0).write(file, level);
        let mut tar = tar::Builder::new(packed);
        for (name, content) in &self.0 {
            let mut header = tar::Header::new_gnu();
            header.set_mtime(MOMENT);
            header.set_uid(0);
            header.set_gid(0);
            match content {
                Content::File { bytes, run } => {
                    header.set_mode(if *run { 0o755 } else { 0o644 });
                    header.set_size(bytes.len() as u64);
                    tar.append_data(&mut header, name, &bytes[..])
                }
                Content::Link(target) => {
                    header.set_entry_type(tar::EntryType::Symlink);
                    header.set_mode(0o777);
                    header.set_size(0);
                    tar.append_link(&mut header, name, target)
                }
            }
            .map_err(message)?;
        }
        let packed = tar.into_inner().map_err(message)?;
        packed.finish().map(|_| ()).map_err(message)
    }

    /// Writes a `.zip`, where links are not.
    pub(super) fn zip(&self, to: &Path) -> Result<(), String> {
        let message = |e: &dyn std::fmt::Display| format!("{}: {e}", to.display());
        let file = fs::File::create(to).map_err(|e| message(&e))?;
        let mut zip = zip::ZipWriter::new(file);
        for (name, content) in &self.0 {
            let Content::File { bytes, run } = content else {
                continue;
            };
            let options = SimpleFileOptions::default()
                .last_modified_time(zip::DateTime::default())
                .unix_permissions(if *run { 0o755 } else { 0o644 });
            zip.start_file(name.as_str(), options)
                .map_err(|e| message(&e))?;
            zip.write_all(bytes).map_err(|e| message(&e))?;
        }
        zip.finish().map(|_| ()).map_err(|e| message(&e))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|e| format!("{}: {e}", path.display()))
}
