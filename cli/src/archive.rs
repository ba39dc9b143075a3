//! Archives → the texts in them.
//!
//! In: a `.zip`, `.tar`, `.tar.gz` or `.tgz` file, as `cilium sysdump` writes it
//! or somebody packs a folder. Out: the members that are wanted, by name.
//! Nothing is unpacked to disk, so names lead nowhere; sizes and numbers are
//! bounded, whatever an archive says of itself.

use crate::exit::Failure;
use flate2::read::MultiGzDecoder;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// Members of one archive, wanted or not.
const MAX_MEMBERS: usize = 100_000;
/// Bytes of the wanted members together, unpacked.
const MAX_BYTES: u64 = 1 << 30;

/// Endings of archives.
const ENDINGS: [&str; 4] = [".zip", ".tar", ".tar.gz", ".tgz"];

/// A member's name and bytes.
pub(crate) type Member = (String, Vec<u8>);

/// True for a file that is an archive, by its name.
pub(crate) fn is_archive(path: &Path) -> bool {
    let name = path.file_name().and_then(|n| n.to_str());
    let name = name.map(str::to_ascii_lowercase).unwrap_or_default();
    ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// True for a member with manifests: not what Hubble recorded, and not the
/// values of a Helm chart.
pub(crate) fn is_manifest(member: &str) -> bool {
    let file = file_name(member);
    let ending = [".yaml", ".yml", ".json"].iter().any(|e| file.ends_with(e));
    let other = [
        "hubble-flows-",
        "cilium-helm-",
        "cilium-spire-server-entries-",
    ];
    ending && !file.starts_with('.') && !other.iter().any(|o| file.starts_with(o))
}

/// True for a member with recorded flows.
pub(crate) fn is_recording(member: &str) -> bool {
    let file = file_name(member);
    file.starts_with("hubble-flows-") || file.ends_with(".jsonl")
}

fn file_name(member: &str) -> &str {
    member.rsplit(['/', '\\']).next().unwrap_or(member)
}

/// The wanted members, by name; at most `limit` bytes of each and one more.
///
/// # Errors
/// When the file is no archive, or one that is larger than anybody's.
pub(crate) fn read(
    path: &Path,
    wanted: &dyn Fn(&str) -> bool,
    limit: u64,
) -> Result<Vec<Member>, Failure> {
    let failed = |e: io::Error| Failure::file("read", path.display(), &e);
    let file = File::open(path).map_err(failed)?;
    let name = path.to_string_lossy().to_ascii_lowercase();
    let mut found = Found {
        path,
        members: BTreeMap::new(),
        limit,
        seen: 0,
        bytes: 0,
    };
    if name.ends_with(".zip") {
        found.zip(file, wanted)?;
    } else if name.ends_with(".tar") {
        found.tar(BufReader::new(file), wanted)?;
    } else {
        found.tar(MultiGzDecoder::new(BufReader::new(file)), wanted)?;
    }
    Ok(found.members.into_iter().collect())
}

struct Found<'p> {
    path: &'p Path,
    members: BTreeMap<String, Vec<u8>>,
    limit: u64,
    seen: usize,
    bytes: u64,
}

impl Found<'_> {
    fn wrong(&self, error: &dyn std::fmt::Display) -> Failure {
        Failure::new(format!("`{}` is no archive: {error}", self.path.display()))
    }

    fn zip(&mut self, file: File, wanted: &dyn Fn(&str) -> bool) -> Result<(), Failure> {
        let archive = zip::ZipArchive::new(BufReader::new(file));
        let mut archive = archive.map_err(|e| self.wrong(&e))?;
        for number in 0..archive.len() {
            let member = archive.by_index(number).map_err(|e| self.wrong(&e))?;
            let name = member.name().map_err(|e| self.wrong(&e))?.into_owned();
            if self.counts()? && member.is_file() && wanted(&name) {
                self.take(name, member)?;
            }
        }
        Ok(())
    }

    fn tar(&mut self, from: impl Read, wanted: &dyn Fn(&str) -> bool) -> Result<(), Failure> {
        let mut archive = tar::Archive::new(from);
        let entries = archive.entries().map_err(|e| self.wrong(&e))?;
        for entry in entries {
            let entry = entry.map_err(|e| self.wrong(&e))?;
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            if self.counts()? && entry.header().entry_type().is_file() && wanted(&name) {
                self.take(name, entry)?;
            }
        }
        Ok(())
    }

    /// Counts a member.
    fn counts(&mut self) -> Result<bool, Failure> {
        self.seen += 1;
        if self.seen > MAX_MEMBERS {
            let message = format!(
                "`{}` has more than {MAX_MEMBERS} members",
                self.path.display()
            );
            return Err(Failure::new(message).help("unpack it, and name the files to read"));
        }
        Ok(true)
    }

    /// Reads a member, whatever size it claims to have.
    fn take(&mut self, name: String, from: impl Read) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        let read = from.take(self.limit + 1).read_to_end(&mut bytes);
        read.map_err(|e| self.wrong(&format!("{name}: {e}")))?;
        self.bytes += bytes.len() as u64;
        if self.bytes > MAX_BYTES {
            let message = format!(
                "`{}` unpacks to more than {} MiB",
                self.path.display(),
                MAX_BYTES >> 20
            );
            return Err(Failure::new(message).help("unpack it, and name the files to read"));
        }
        self.members.insert(name, bytes);
        Ok(())
    }
}
