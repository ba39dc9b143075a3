//! Fixes that are certain, written back to their files.
//!
//! In: diagnostics with fixes. Out: changed files, each replaced at once. Of
//! fixes that touch the same text the first one is applied; running again
//! finds the others.

use crate::exit::Failure;
use crate::input::Input;
use crate::walk::Place;
use netverdict::diagnostic::{Diagnostic, Fix};
use netverdict::source::{SourceId, Span};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

/// The fix of a diagnostic that may be applied unasked.
pub(crate) fn certain(diagnostic: &Diagnostic) -> Option<&Fix> {
    diagnostic.fixes.iter().find(|f| f.machine_applicable)
}

/// Applies every certain fix and says how many there were.
///
/// # Errors
/// When a file cannot be written, or its text is not what was read.
pub(crate) fn apply(input: &Input, found: &[Diagnostic]) -> Result<usize, Failure> {
    let mut by_source: BTreeMap<SourceId, Vec<&(Span, String)>> = BTreeMap::new();
    let mut applied = 0;
    for fix in found.iter().filter_map(certain) {
        let Some((first, _)) = fix.edits.first() else {
            continue;
        };
        let edits = by_source.entry(first.source).or_default();
        let alone = |e: &(Span, String)| {
            e.0.source == first.source && edits.iter().all(|other| !overlap(e.0, other.0))
        };
        if fix.edits.iter().all(alone) {
            edits.extend(&fix.edits);
            applied += 1;
        }
    }
    for (source, mut edits) in by_source {
        let Some(file) = input.files.iter().find(|f| f.source == source) else {
            continue;
        };
        let Place::File(path) = &file.place else {
            return Err(Failure::new("`--fix` cannot change standard input")
                .help("write it to a file first"));
        };
        let text = input.sources.get(source).map_or("", |s| s.text());
        if !file.exact {
            let message = format!("`{}` is not UTF-8; `--fix` leaves it alone", path.display());
            return Err(Failure::new(message));
        }
        edits.sort_by_key(|(span, _)| span.start);
        let fixed = edited(text, &edits);
        replace(path, fixed.as_bytes()).map_err(|e| Failure::file("write", path.display(), &e))?;
    }
    Ok(applied)
}

fn overlap(a: Span, b: Span) -> bool {
    a.start < b.end && b.start < a.end || a.start == b.start
}

/// The text with its edits, which are in order.
fn edited(text: &str, edits: &[&(Span, String)]) -> String {
    let mut fixed = String::with_capacity(text.len());
    let mut done = 0;
    for (span, replacement) in edits {
        fixed.push_str(text.get(done..span.start as usize).unwrap_or_default());
        fixed.push_str(replacement);
        done = span.end as usize;
    }
    fixed.push_str(text.get(done..).unwrap_or_default());
    fixed
}

/// Puts a file in place of another so that nobody sees half of it.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // What a link leads to is replaced, not the link.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let beside = target.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = fs::write(&beside, bytes).and_then(|()| {
        if let Ok(old) = fs::metadata(&target) {
            fs::set_permissions(&beside, old.permissions())?;
        }
        fs::rename(&beside, &target)
    });
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}
