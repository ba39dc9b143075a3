//! Files as git has them.
//!
//! In: a range of revisions and paths. Out: the texts of either revision, read
//! by the program `git` from its store: nothing is checked out.

use crate::exit::Failure;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// What a range means: the revision before, and the one after; `None` is the
/// working tree.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) old: String,
    pub(crate) new: Option<String>,
}

/// Reads `A..B`, `A...B` (from where B branched off), `A..` (to HEAD) or `A`
/// (to the working tree).
pub(crate) fn range(text: &str) -> Result<Range, Failure> {
    let named = |text: &str| {
        if text.is_empty() {
            "HEAD".to_owned()
        } else {
            text.to_owned()
        }
    };
    if let Some((old, new)) = text.split_once("...") {
        let (old, new) = (commit(&named(old))?, commit(&named(new))?);
        let base = run(&["merge-base", &old, &new])?;
        return Ok(Range {
            old: base.trim().to_owned(),
            new: Some(new),
        });
    }
    if let Some((old, new)) = text.split_once("..") {
        return Ok(Range {
            old: commit(&named(old))?,
            new: Some(commit(&named(new))?),
        });
    }
    Ok(Range {
        old: commit(&named(text))?,
        new: None,
    })
}

fn commit(name: &str) -> Result<String, Failure> {
    let wanted = format!("{name}^{{commit}}");
    let found = run(&[
        "rev-parse",
        "--verify",
        "--quiet",
        "--end-of-options",
        &wanted,
    ]);
    let found = found.map_err(|_| Failure::new(format!("git knows no revision `{name}` here")))?;
    Ok(found.trim().to_owned())
}

/// The texts of policy files in a revision, with their names.
pub(crate) fn texts(revision: &str, paths: &[PathBuf]) -> Result<Vec<(String, String)>, Failure> {
    let mut arguments = vec!["ls-tree", "-r", "-z", "--name-only", revision, "--"];
    let paths: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
    arguments.extend(paths.iter().map(String::as_str));
    let listed = run(&arguments)?;
    let wanted = |path: &&str| {
        let hidden = path
            .split('/')
            .any(|p| p.starts_with('.') && p != "." && p != "..");
        let ending = path.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase());
        let named = paths.iter().any(|p| p == path);
        let known = ending.is_some_and(|e| matches!(&*e, "yaml" | "yml" | "json"));
        (named || known && !hidden) && !path.contains('\n')
    };
    let files: Vec<&str> = listed
        .split('\0')
        .filter(|p| !p.is_empty())
        .filter(wanted)
        .collect();
    read(revision, &files)
}

/// The contents of files, from one run of git.
fn read(revision: &str, files: &[&str]) -> Result<Vec<(String, String)>, Failure> {
    let failed = |error: std::io::Error| Failure::new(format!("cannot run git: {error}"));
    let mut git = Command::new("git")
        .args(["cat-file", "--batch"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let (Some(mut ask), Some(said)) = (git.stdin.take(), git.stdout.take()) else {
        return Err(Failure::new("git has no input or output"));
    };
    let mut said = BufReader::new(said);
    let mut texts = Vec::new();
    for file in files {
        // Paths count from the folder one is in.
        writeln!(ask, "{revision}:./{file}").map_err(failed)?;
        ask.flush().map_err(failed)?;
        let mut head = String::new();
        said.read_line(&mut head).map_err(failed)?;
        let mut words = head.split_whitespace();
        let (kind, size) = (words.nth(1), words.next().and_then(|s| s.parse().ok()));
        let (Some("blob"), Some(size)) = (kind, size) else {
            // A submodule: nothing to read.
            continue;
        };
        let mut bytes = vec![0; size];
        said.read_exact(&mut bytes).map_err(failed)?;
        let mut end = [0];
        said.read_exact(&mut end).map_err(failed)?;
        texts.push((
            (*file).to_owned(),
            String::from_utf8_lossy(&bytes).into_owned(),
        ));
    }
    drop(ask);
    git.wait().map_err(failed)?;
    Ok(texts)
}

fn run(arguments: &[&str]) -> Result<String, Failure> {
    let output = Command::new("git")
        .args(arguments)
        .output()
        .map_err(|e| Failure::new(format!("cannot run git: {e}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().next().unwrap_or("it failed");
        return Err(Failure::new(format!(
            "git {}: {said}",
            arguments.first().unwrap_or(&"")
        )));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
