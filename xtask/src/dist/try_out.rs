//! The packages, installed as the guide says.
//!
//! In: dist/, and the pages of docs/guide that say how to begin. Out: each page
//! followed in an empty folder that has nothing but dist/: its files written, its
//! commands run, what they print compared.

use super::folder;
use crate::ffi::there;
use crate::install::target_folder;
use crate::job::{Tally, root, skip};
use std::fs;
use std::path::Path;
use std::process::Command;

/// A page, what it wants of the machine, and which packages it is about.
struct Page {
    name: &'static str,
    wants: &'static [&'static str],
    packages: &'static [&'static str],
}

const PAGES: [Page; 5] = [
    Page {
        name: "install",
        wants: &["tar"],
        packages: &["-x86_64-linux.tar.gz"],
    },
    Page {
        name: "embed-c",
        wants: &["cc", "pkg-config"],
        packages: &["netverdict-c-"],
    },
    Page {
        name: "embed-go",
        wants: &["go", "cc", "pkg-config"],
        packages: &["netverdict-go-", "netverdict-c-"],
    },
    Page {
        name: "embed-python",
        wants: &["python3"],
        packages: &[".whl"],
    },
    Page {
        name: "embed-javascript",
        wants: &["node", "npm"],
        packages: &[".tgz"],
    },
];

/// Follows every page.
pub(crate) fn try_out() -> Result<Tally, String> {
    let mut tally = Tally::default();
    for page in &PAGES {
        println!("docs/guide/src/{}.md", page.name);
        tally += follow(page).unwrap_or_else(|message| {
            println!("failed: {message}");
            Tally {
                failed: 1,
                ..Tally::default()
            }
        });
    }
    Ok(tally)
}

fn follow(page: &Page) -> Result<Tally, String> {
    if let Some(missing) = page.wants.iter().find(|w| !there(w)) {
        return Ok(skip(&format!("no {missing}")));
    }
    let path = root().join(format!("docs/guide/src/{}.md", page.name));
    let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let at = target_folder().join("tried").join(page.name);
    let _ = fs::remove_dir_all(&at);
    fs::create_dir_all(&at).map_err(|e| format!("{}: {e}", at.display()))?;
    for wanted in page.packages {
        let mut found = false;
        for entry in fs::read_dir(folder())
            .map_err(|e| format!("dist: {e}"))?
            .flatten()
        {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.contains(wanted) {
                fs::copy(entry.path(), at.join(&name)).map_err(|e| format!("{name}: {e}"))?;
                found = true;
            }
        }
        if !found {
            return Ok(skip(&format!("dist/ has no {wanted}")));
        }
    }
    let steps = Steps::of(&text);
    for (name, content) in &steps.files {
        fs::write(at.join(name), content).map_err(|e| format!("{name}: {e}"))?;
    }
    let mut shell = Command::new("sh");
    shell.args(["-eu", "-c", &steps.commands]).current_dir(&at);
    keep_apart(&mut shell, &at);
    let output = shell.output().map_err(|e| format!("sh: {e}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let wrong = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() || steps.answer.is_empty() || !said.ends_with(&steps.answer) {
        return Err(format!(
            "{}: {}\nit printed\n{said}{wrong}instead of\n{}",
            page.name, output.status, steps.answer
        ));
    }
    Ok(Tally::ONE)
}

/// What earlier builds have downloaded or set is not there for a stranger.
fn keep_apart(shell: &mut Command, at: &Path) {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("CARGO") || name.starts_with("RUST") || name == "PKG_CONFIG_PATH" {
            shell.env_remove(name);
        }
    }
    shell.env("GOMODCACHE", at.join("gomodcache"));
    // A module cache is read-only unless asked, and could not be removed.
    shell.env("GOFLAGS", "-modcacherw");
    // No checksum database knows what is not published yet.
    shell.env("GOSUMDB", "off");
}

/// What a page asks its reader to do.
#[derive(Debug, Default, PartialEq)]
struct Steps {
    /// Blocks after `<!-- file: … -->`, by their file's own name.
    files: Vec<(String, String)>,
    /// Blocks of `sh`, one after the other.
    commands: String,
    /// The last block of `text`.
    answer: String,
}

impl Steps {
    fn of(page: &str) -> Self {
        let mut steps = Self::default();
        let mut file: Option<String> = None;
        let mut block: Option<(String, String)> = None;
        for line in page.lines() {
            match (&mut block, line.strip_prefix("```")) {
                (None, Some(language)) => block = Some((language.to_owned(), String::new())),
                (None, None) => {
                    let named = line
                        .strip_prefix("<!-- file: ")
                        .and_then(|l| l.strip_suffix(" -->"));
                    if let Some(path) = named {
                        file = path.rsplit('/').next().map(str::to_owned);
                    }
                }
                (Some(_), Some(_)) => {
                    let (language, text) = block.take().unwrap_or_default();
                    match (file.take(), language.as_str()) {
                        (Some(name), _) => steps.files.push((name, text)),
                        (None, "sh") => steps.commands.push_str(&text),
                        (None, "text") => steps.answer = text,
                        (None, _) => {}
                    }
                }
                (Some((_, text)), None) => {
                    text.push_str(line);
                    text.push('\n');
                }
            }
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_files_commands_and_an_answer() {
        let page = "Intro\n<!-- file: samples/c/a.c -->\n\n```c\nint x;\n```\n\n```sh\ncc a.c\n```\n\n```sh\n./a.out\n```\n\n```text\nyes\n```\n";
        let steps = Steps::of(page);
        assert_eq!(steps.files, [("a.c".to_owned(), "int x;\n".to_owned())]);
        assert_eq!(steps.commands, "cc a.c\n./a.out\n");
        assert_eq!(steps.answer, "yes\n");
    }
}
