//! Patches: unified diffs, as `diff -u` and `git diff` write them.
//!
//! In: texts with their names, and a patch. Out: the texts after it. Lines that
//! a patch takes away or leaves must be there, a little above or below at most.

use crate::exit::Failure;

/// A file of a patch.
#[derive(Debug, Default)]
struct FilePatch<'p> {
    old: Option<&'p str>,
    new: Option<&'p str>,
    hunks: Vec<Hunk<'p>>,
}

/// Lines in a row: where they begin, counted from 1; lines before and after.
#[derive(Debug)]
struct Hunk<'p> {
    at: usize,
    before: Vec<&'p str>,
    after: Vec<&'p str>,
}

/// The texts after a patch.
///
/// # Errors
/// When it is no patch, is for other files, or does not fit.
pub(crate) fn apply(
    texts: &[(String, String)],
    patch: &str,
) -> Result<Vec<(String, String)>, Failure> {
    let files = parse(patch)?;
    if files.is_empty() {
        return Err(Failure::new("the patch changes no file")
            .help("give a unified diff, as `git diff` and `diff -u` write it"));
    }
    let mut texts = texts.to_vec();
    for file in files {
        let Some(old) = file.old else {
            let name = file.new.unwrap_or_default().to_owned();
            let lines: Vec<&str> = file.hunks.iter().flat_map(|h| h.after.clone()).collect();
            texts.push((name, lines.concat()));
            continue;
        };
        let place = find(&texts, old)?;
        if file.new.is_none() {
            texts.remove(place);
            continue;
        }
        if let Some((name, text)) = texts.get_mut(place) {
            *text = changed(name, text, &file.hunks)?;
        }
    }
    Ok(texts)
}

/// The file a patch means: by its name, or by as much of it as both have.
fn find(texts: &[(String, String)], name: &str) -> Result<usize, Failure> {
    let exact = texts.iter().position(|(n, _)| n == name);
    if let Some(place) = exact {
        return Ok(place);
    }
    let ends = |long: &str, short: &str| {
        long.strip_suffix(short)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
    };
    let found: Vec<usize> = (0..texts.len())
        .filter(|n| {
            texts
                .get(*n)
                .is_some_and(|(n, _)| ends(n, name) || ends(name, n))
        })
        .collect();
    match &*found {
        [place] => Ok(*place),
        [] => Err(Failure::new(format!(
            "the patch changes `{name}`, which is not in the input"
        ))),
        _ => Err(Failure::new(format!(
            "several files could be `{name}` of the patch"
        ))),
    }
}

fn changed(name: &str, text: &str, hunks: &[Hunk<'_>]) -> Result<String, Failure> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let same =
        |a: &str, b: &str| a.trim_end_matches(['\n', '\r']) == b.trim_end_matches(['\n', '\r']);
    let mut out = String::new();
    let mut next = 0;
    for hunk in hunks {
        let fits = |at: usize| {
            at >= next
                && lines
                    .get(at..at + hunk.before.len())
                    .is_some_and(|there| there.iter().zip(&hunk.before).all(|(a, b)| same(a, b)))
        };
        let wanted = if hunk.before.is_empty() {
            hunk.at
        } else {
            hunk.at.saturating_sub(1)
        };
        let mut places = (0..=lines.len()).flat_map(|d| [wanted.checked_sub(d), Some(wanted + d)]);
        let place = places.find_map(|at| at.filter(|at| fits(*at)));
        let Some(place) = place else {
            let message = format!("the patch does not fit `{name}` at line {}", hunk.at);
            return Err(Failure::new(message));
        };
        out.extend(lines.get(next..place).into_iter().flatten().copied());
        for line in &hunk.after {
            if !out.is_empty() && !out.ends_with('\n') {
                out.push('\n');
            }
            out.push_str(line);
        }
        next = place + hunk.before.len();
    }
    let rest = lines.get(next..).unwrap_or_default();
    if !rest.is_empty() && !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
    out.extend(rest.iter().copied());
    Ok(out)
}

fn parse(patch: &str) -> Result<Vec<FilePatch<'_>>, Failure> {
    let mut files: Vec<FilePatch<'_>> = Vec::new();
    let mut left = (0usize, 0usize);
    let mut lines = patch.split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        let bare = line.trim_end_matches(['\n', '\r']);
        if left != (0, 0) {
            let Some(hunk) = files.last_mut().and_then(|f| f.hunks.last_mut()) else {
                continue;
            };
            let (sign, text) = match line.chars().next() {
                Some('\n') | None => (' ', line),
                Some(sign) => (sign, line.get(sign.len_utf8()..).unwrap_or_default()),
            };
            match sign {
                ' ' | '\r' => {
                    hunk.before.push(text);
                    hunk.after.push(text);
                    left = (left.0.saturating_sub(1), left.1.saturating_sub(1));
                }
                '-' => {
                    hunk.before.push(text);
                    left.0 = left.0.saturating_sub(1);
                }
                '+' => {
                    hunk.after.push(text);
                    left.1 = left.1.saturating_sub(1);
                }
                '\\' => {}
                _ => {
                    return Err(Failure::new(format!(
                        "a hunk of the patch ends early: `{bare}`"
                    )));
                }
            }
            continue;
        }
        if let Some(old) = bare.strip_prefix("--- ")
            && let Some(new) = lines.peek().and_then(|n| n.strip_prefix("+++ "))
        {
            files.push(FilePatch {
                old: named(old),
                new: named(new.trim_end_matches(['\n', '\r'])),
                hunks: Vec::new(),
            });
            lines.next();
        } else if let Some(head) = bare.strip_prefix("@@ -")
            && let Some(file) = files.last_mut()
        {
            let wrong = || Failure::new(format!("`{bare}` begins no hunk"));
            let (old, rest) = head.split_once(" +").ok_or_else(wrong)?;
            let (new, _) = rest.split_once(" @@").ok_or_else(wrong)?;
            let numbers = |text: &str| -> Option<(usize, usize)> {
                let (at, count) = text.split_once(',').unwrap_or((text, "1"));
                Some((at.parse().ok()?, count.parse().ok()?))
            };
            let (at, before) = numbers(old).ok_or_else(wrong)?;
            let (_, after) = numbers(new).ok_or_else(wrong)?;
            left = (before, after);
            file.hunks.push(Hunk {
                at,
                before: Vec::new(),
                after: Vec::new(),
            });
        }
    }
    Ok(files)
}

/// The name of a file: without the date that `diff` adds and the first folder
/// that git does; `None` for a file that is not there.
fn named(text: &str) -> Option<&str> {
    let name = text.split_once('\t').map_or(text, |(name, _)| name);
    let name = name
        .strip_prefix("a/")
        .or_else(|| name.strip_prefix("b/"))
        .unwrap_or(name);
    (name != "/dev/null").then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &str) -> (String, String) {
        (name.to_owned(), text.to_owned())
    }

    #[test]
    fn hunks_are_found_where_lines_moved() {
        let patch = "--- a/x.yaml\n+++ b/x.yaml\n@@ -2,3 +2,3 @@\n b\n-c\n+C\n d\n";
        let texts = [file("dir/x.yaml", "0\na\nb\nc\nd\ne\n")];
        let after = apply(&texts, patch).unwrap();
        assert_eq!(after, [file("dir/x.yaml", "0\na\nb\nC\nd\ne\n")]);
        let other = [file("dir/x.yaml", "a\nb\nX\nd\n")];
        assert!(apply(&other, patch).is_err());
        assert!(apply(&[file("y.yaml", "")], patch).is_err());
        assert!(apply(&texts, "nothing").is_err());
    }

    #[test]
    fn files_come_and_go() {
        let patch = "--- /dev/null\n+++ b/new.yaml\n@@ -0,0 +1,2 @@\n+a: 1\n+b: 2\n\
                     --- a/old.yaml\n+++ /dev/null\n@@ -1 +0,0 @@\n-gone\n";
        let after = apply(&[file("old.yaml", "gone\n")], patch).unwrap();
        assert_eq!(after, [file("new.yaml", "a: 1\nb: 2\n")]);
    }

    #[test]
    fn a_line_that_looks_like_a_head_is_a_line() {
        let patch = "--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n---- y\n+--- z\n k\n";
        let after = apply(&[file("x", "--- y\nk")], patch).unwrap();
        assert_eq!(after, [file("x", "--- z\nk\n")]);
    }
}
