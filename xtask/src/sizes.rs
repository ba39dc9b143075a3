//! How large the packages are.
//!
//! In: dist/. Out: docs/sizes.txt, a line for each file of it and for what is large
//! in an archive; or complaints about what has another size now. The README's table
//! is made of it.

use crate::job::{Tally, root};
use flate2::read::GzDecoder;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const FILE: &str = "docs/sizes.txt";

const HEAD: &str =
    "# Bytes of each package, and of what is large in it: `cargo xtask dist --write`.\n";

/// A size may move by this part of a hundred before somebody has to look.
const TOLERANCE: u64 = 5;

/// What people load or copy of an archive, by how its path ends.
const PARTS: [&str; 7] = [
    "/bin/netverdict",
    "/lib/libnetverdict.a",
    "/lib/libnetverdict.so.0",
    "/lib/libnetverdict_table.a",
    "/lib/libnetverdict_table.so.0",
    "package/netverdict.wasm",
    "package/table/netverdict-table.wasm",
];

/// Bytes by `file` or `file:part`.
pub(crate) type Sizes = BTreeMap<String, u64>;

/// The sizes that were written down.
pub(crate) fn recorded() -> Result<Sizes, String> {
    let text = fs::read_to_string(root().join(FILE)).map_err(|e| format!("{FILE}: {e}"))?;
    let lines = text.lines().filter(|l| !l.starts_with('#'));
    let sizes = lines.map(|line| {
        let (bytes, name) = line.split_once(' ')?;
        Some((name.to_owned(), bytes.parse().ok()?))
    });
    sizes
        .collect::<Option<_>>()
        .ok_or(format!("{FILE}: not `bytes name`"))
}

/// Compares the packages in a folder with what is recorded, or writes it.
pub(crate) fn compare(folder: &Path, write: bool) -> Result<Tally, String> {
    let now = measured(folder)?;
    if write {
        let text: String = now
            .iter()
            .map(|(name, bytes)| format!("{bytes} {name}\n"))
            .collect();
        fs::write(root().join(FILE), HEAD.to_owned() + &text)
            .map_err(|e| format!("{FILE}: {e}"))?;
        println!("written: {FILE}; `cargo xtask docs` writes the table of the README");
        return Ok(Tally::ONE);
    }
    let tally = judged(&recorded()?, &now);
    if tally.failed > 0 {
        println!("`cargo xtask dist --write` writes {FILE}");
    }
    Ok(tally)
}

fn judged(before: &Sizes, now: &Sizes) -> Tally {
    let mut tally = Tally::default();
    for (name, bytes) in now {
        let was = before.get(name).copied().unwrap_or(0);
        println!("{name}: {bytes} bytes, recorded {was}");
        if bytes.abs_diff(was) * 100 <= was * TOLERANCE {
            tally.passed += 1;
        } else {
            tally.failed += 1;
        }
    }
    for name in before.keys().filter(|name| !now.contains_key(*name)) {
        println!("skipped: {name} was not made");
        tally.skipped += 1;
    }
    tally
}

fn measured(folder: &Path) -> Result<Sizes, String> {
    let mut sizes = Sizes::new();
    let message = |e: std::io::Error| format!("{}: {e}", folder.display());
    for entry in fs::read_dir(folder).map_err(message)? {
        let entry = entry.map_err(message)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let packed = [".gz", ".tgz", ".crate", ".whl"];
        if !packed.iter().any(|ending| name.ends_with(ending)) {
            continue;
        }
        let bytes = entry.metadata().map_err(message)?.len();
        if name.ends_with(".gz") || name.ends_with(".tgz") {
            for (part, bytes) in parts(&entry.path()).map_err(message)? {
                sizes.insert(format!("{name}:{part}"), bytes);
            }
        }
        sizes.insert(name, bytes);
    }
    Ok(sizes)
}

/// The large parts of an archive, by what their path ends with.
fn parts(archive: &Path) -> std::io::Result<Vec<(String, u64)>> {
    let mut tar = tar::Archive::new(GzDecoder::new(fs::File::open(archive)?));
    let mut parts = Vec::new();
    for entry in tar.entries()? {
        let entry = entry?;
        let path = entry.path()?.to_string_lossy().into_owned();
        if PARTS.iter().any(|p| path.ends_with(p)) && entry.size() > 0 {
            let part = path.rsplit('/').next().unwrap_or_default();
            parts.push((part.to_owned(), entry.size()));
        }
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_or_is_new_fails_and_what_is_missing_is_skipped() {
        let sizes =
            |list: &[(&str, u64)]| list.iter().map(|(n, b)| ((*n).to_owned(), *b)).collect();
        let before: Sizes = sizes(&[("a", 1000), ("b", 1000), ("c", 1000)]);
        let now: Sizes = sizes(&[("a", 1050), ("b", 1051), ("d", 1)]);
        let tally = judged(&before, &now);
        assert_eq!((tally.passed, tally.failed, tally.skipped), (1, 2, 1));
    }

    #[test]
    fn what_is_recorded_can_be_read() {
        assert!(!recorded().unwrap().is_empty());
    }
}
