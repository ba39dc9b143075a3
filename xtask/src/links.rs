//! Links of the documentation: do files and headings exist?
//!
//! In: every Markdown file that git knows. Out: the links that lead nowhere. What
//! is elsewhere in the world is not asked for.

use crate::job::{command, root};
use crate::packages::printed;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// Complains about links that lead nowhere.
pub(crate) fn check() -> Result<(), String> {
    let listed = printed(&mut command(
        "git",
        &[
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
            "*.md",
        ],
    ))?;
    let mut anchors: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
    let mut broken = Vec::new();
    for file in listed.split('\0').filter(|f| !f.is_empty()) {
        let path = root().join(file);
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        for (line, target) in links(&text) {
            let (to, heading) = target.split_once('#').unwrap_or((target, ""));
            let there = match to {
                "" => path.clone(),
                to => plain(&path.parent().unwrap_or(&path).join(to)),
            };
            if !there.exists() {
                broken.push(format!("{file}:{line}: no file {to}"));
            } else if !heading.is_empty() && there.extension().is_some_and(|e| e == "md") {
                let known = anchors
                    .entry(there.clone())
                    .or_insert_with(|| headings(&there));
                if !known.iter().any(|k| k == heading) {
                    broken.push(format!("{file}:{line}: no heading #{heading} in {to}"));
                }
            }
        }
    }
    if broken.is_empty() {
        return Ok(());
    }
    Err(broken.join("\n"))
}

/// Without `..`, as browsers have it.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

/// Targets within the repository, with their lines; not those in code.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut code = false;
    for (number, line) in text.lines().enumerate() {
        code ^= line.trim_start().starts_with("```");
        if code || line.starts_with("    ") {
            continue;
        }
        // What stands between backticks is no link.
        for part in line.split('`').step_by(2) {
            for rest in part.split("](").skip(1) {
                let target = rest.split([')', ' ']).next().unwrap_or("");
                let elsewhere = target.contains("://") || target.starts_with("mailto:");
                if !elsewhere && !target.is_empty() && rest.contains(')') {
                    found.push((number + 1, target));
                }
            }
        }
    }
    found
}

/// The anchors of a page's headings, and those written in HTML.
fn headings(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let mut found = Vec::new();
    for line in text.lines() {
        if let Some(title) = line.strip_prefix('#') {
            let title = title.trim_start_matches('#').trim().to_lowercase();
            let kept = title
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            found.push(kept.collect::<String>().replace(' ', "-"));
        }
        for rest in line
            .split("id=\"")
            .skip(1)
            .chain(line.split("name=\"").skip(1))
        {
            found.extend(rest.split('"').next().map(str::to_owned));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_outside_of_code() {
        let text = "[a](b.md) `[c](d)` [e](https://f) [g](#h)\n```\n[i](j)\n```\n![k](l.svg)\n";
        assert_eq!(links(text), [(1, "b.md"), (1, "#h"), (5, "l.svg")]);
    }

    #[test]
    fn paths_have_no_dots() {
        assert_eq!(plain(Path::new("/a/b/../c.md")), Path::new("/a/c.md"));
    }
}
