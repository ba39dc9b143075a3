//! Blocks of code in the documentation, and what runs each.
//!
//! In: every Markdown file that git knows. Out: complaints about a block that
//! nothing runs and that no reason excuses, about a test that does not speak of the
//! page it is to run, about excerpts that are not in the file they are from, and
//! about lines of the list below that no block needs any more.

use crate::job::{command, root};
use crate::packages::printed;
use std::collections::BTreeMap;
use std::fs;

/// What makes a block true.
enum Run {
    /// A program that runs or compares the block, and what of it speaks of the page.
    By(&'static str, &'static str),
    /// Its lines stand in this file, in their order.
    Excerpt(&'static str),
    /// Nothing, and why.
    Not(&'static str),
}
use Run::{By, Excerpt, Not};

/// Pages (one `*` stands for any letters), the language of a block (`-` for none,
/// `indented` for one by blanks), how many there are (0 for any number), what runs it.
const KNOWN: &[(&str, &str, usize, Run)] = &[
    ("docs/cli.md", "console", 0, By(STORIES, "\"docs/cli.md\"")),
    ("docs/cli.md", "yaml", 0, By(STORIES, "<!-- file: ")),
    (
        "cli/tests/*.md",
        "console",
        0,
        By(STORIES, "cli/tests/check.md"),
    ),
    (
        "examples/*/README.md",
        "console",
        0,
        By(STORIES, "examples/{}/README.md"),
    ),
    (
        "examples/*/README.md",
        "diff",
        1,
        By(STORIES, "<!-- file: "),
    ),
    (
        "docs/guide/src/*.md",
        "console",
        0,
        By(STORIES, "docs/guide/src"),
    ),
    (
        "docs/guide/src/ci.md",
        "yaml",
        3,
        By("cli/tests/expectations.rs", "docs/guide/src/ci.md"),
    ),
    (
        "docs/guide/src/install.md",
        "sh",
        0,
        By(TRY, "name: \"install\""),
    ),
    (
        "docs/guide/src/install.md",
        "text",
        0,
        By(TRY, "name: \"install\""),
    ),
    (
        "docs/guide/src/embed-*.md",
        "sh",
        0,
        By(TRY, "docs/guide/src/{}.md"),
    ),
    (
        "docs/guide/src/embed-*.md",
        "text",
        0,
        By(TRY, "docs/guide/src/{}.md"),
    ),
    // Files of samples/, compared by the stories and built by those who follow the page.
    (
        "docs/guide/src/install.md",
        "yaml",
        1,
        By(STORIES, "<!-- file: "),
    ),
    (
        "docs/guide/src/embed-*.md",
        "yaml",
        0,
        By(STORIES, "<!-- file: "),
    ),
    (
        "docs/guide/src/embed-*.md",
        "toml",
        0,
        By(STORIES, "<!-- file: "),
    ),
    (
        "docs/guide/src/embed-rust.md",
        "rust",
        0,
        By(STORIES, "<!-- file: "),
    ),
    (
        "docs/guide/src/embed-c.md",
        "c",
        1,
        By(STORIES, "<!-- file: "),
    ),
    (
        "docs/guide/src/embed-go.md",
        "go",
        1,
        By(STORIES, "<!-- file: "),
    ),
    (
        "docs/guide/src/embed-python.md",
        "python",
        1,
        By(STORIES, "<!-- file: "),
    ),
    (
        "docs/guide/src/embed-javascript.md",
        "js",
        1,
        By(STORIES, "<!-- file: "),
    ),
    (
        "docs/diagnostics.md",
        "yaml",
        0,
        By("analysis/src/lint/tests.rs", "testdata/lint"),
    ),
    (
        "docs/c-abi.md",
        "c",
        2,
        By("xtask/src/ffi.rs", "docs/c-abi.md"),
    ),
    (
        "docs/datapath.md",
        "text",
        1,
        By("cli/tests/datapath.rs", "docs/datapath.md"),
    ),
    (
        "docs/lsp.md",
        "lua",
        1,
        By("cli/tests/lsp.rs", "docs/lsp.md"),
    ),
    (
        "docs/lsp.md",
        "toml",
        1,
        By("cli/tests/lsp.rs", "docs/lsp.md"),
    ),
    (
        "docs/lsp.md",
        "json",
        1,
        By("cli/tests/lsp.rs", "docs/lsp.md"),
    ),
    (
        "docs/npm.md",
        "js",
        1,
        By("npm/test/documented.test.mjs", "docs/npm.md"),
    ),
    (
        "docs/table-format.md",
        "-",
        1,
        By(
            "conformance/compare/tests/golden.rs",
            "docs/table-format.md",
        ),
    ),
    (
        "docs/table-format.md",
        "c",
        1,
        By(
            "conformance/reference/tests/c_table.rs",
            "docs/table-format.md",
        ),
    ),
    (
        "core/README.md",
        "rust",
        1,
        By("core/src/lib.rs", "../README.md"),
    ),
    (
        "table/README.md",
        "rust,no_run",
        1,
        By("table/src/lib.rs", "../README.md"),
    ),
    (
        "bindings/cpp/README.md",
        "cpp",
        1,
        By("xtask/src/ffi.rs", "cpp/README.md"),
    ),
    (
        "bindings/cpp/README.md",
        "cmake",
        1,
        Excerpt("bindings/cpp/example/CMakeLists.txt"),
    ),
    (
        "bindings/go/README.md",
        "go",
        2,
        By("bindings/go/readme_test.go", "README.md"),
    ),
    (
        "bindings/python/README.md",
        "python",
        1,
        By("bindings/python/tests/test_readme.py", "README.md"),
    ),
    ("README.md", "console", 1, By(STORIES, "\"README.md\"")),
    ("README.md", "rust", 1, Excerpt("core/README.md")),
    (
        "CONTRIBUTING.md",
        "rust,end_port",
        1,
        Excerpt("core/src/rule/translate/port.rs"),
    ),
    (
        "CONTRIBUTING.md",
        "rust,FQDN_PATTERN",
        1,
        Excerpt("core/src/object/validate/agent/codes.rs"),
    ),
    (
        "README.md",
        "indented",
        1,
        Not("every check; it cannot run itself"),
    ),
    (
        "ARCHITECTURE.md",
        "-",
        1,
        Not("a picture of modules; their order is that of `use` lines"),
    ),
    (
        ".github/ISSUE_TEMPLATE/wrong-verdict.md",
        "yaml",
        1,
        Not("empty: whoever reports fills it in"),
    ),
    (
        "docs/table-format.md",
        "indented",
        0,
        Not("formulas; each reader's code is compared with another's"),
    ),
    (
        "docs/c-abi.md",
        "indented",
        1,
        By("xtask/src/ffi.rs", "install::run"),
    ),
    (
        "bindings/*/README.md",
        "indented",
        1,
        Not("installs: `cargo xtask ffi` does the same into target/"),
    ),
    (
        "cli/README.md",
        "indented",
        1,
        Not("installs from a registry; the commands are those of docs/cli.md"),
    ),
    (
        "conformance/cilium/README.md",
        "indented",
        0,
        By("xtask/src/oracle.rs", "cilium-oracle"),
    ),
    (
        "fuzz/README.md",
        "indented",
        1,
        By("xtask/src/fuzz.rs", "fuzz/README.md"),
    ),
    (
        "testdata/README.md",
        "indented",
        0,
        Not("jobs of this program: `cargo xtask` lists them"),
    ),
];

const STORIES: &str = "cli/tests/stories.rs";
const TRY: &str = "xtask/src/dist/try_out.rs";

/// Complains about what nothing makes true.
pub(crate) fn check() -> Result<(), String> {
    let arguments = [
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
        "*.md",
    ];
    let listed = printed(&mut command("git", &arguments))?;
    let mut wrong = Vec::new();
    let mut found: BTreeMap<usize, BTreeMap<&str, usize>> = BTreeMap::new();
    for file in listed.split('\0').filter(|f| !f.is_empty()) {
        let Ok(text) = read(file) else { continue };
        for block in blocks(&text) {
            match KNOWN.iter().position(|(page, language, ..)| {
                matches(page, file) && block.is(language)
            }) {
                None => wrong.push(format!(
                    "{file}:{}: nothing runs this block of {}; make a test run it, or say why not in xtask/src/blocks.rs",
                    block.line, block.language
                )),
                Some(at) => {
                    *found.entry(at).or_default().entry(file).or_default() += 1;
                    if let Excerpt(from) = KNOWN[at].3 {
                        wrong.extend(not_in(&block, &read(from)?).map(|line| {
                            format!("{file}:{}: {from} has no `{line}`, or not there", block.line)
                        }));
                    }
                }
            }
        }
    }
    for (at, (page, language, count, run)) in KNOWN.iter().enumerate() {
        let Some(files) = found.get(&at) else {
            wrong.push(format!(
                "{page}: no block of {language}; xtask/src/blocks.rs lists one"
            ));
            continue;
        };
        for (file, n) in files.iter().filter(|(_, n)| *count != 0 && *n != count) {
            wrong.push(format!("{file}: {n} blocks of {language}, not {count}"));
        }
        if let By(program, mention) = run
            && !read(program)?.contains(mention)
        {
            wrong.push(format!("{page}: {program} does not speak of `{mention}`"));
        }
        if let Not(why) = run
            && why.is_empty()
        {
            wrong.push(format!("{page}: no reason why nothing runs it"));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(wrong.join("\n"))
}

fn read(file: &str) -> Result<String, String> {
    fs::read_to_string(root().join(file)).map_err(|e| format!("{file}: {e}"))
}

/// A pattern with at most one `*`, which stands for letters without a `/`.
fn matches(pattern: &str, file: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == file,
        Some((before, after)) => file
            .strip_prefix(before)
            .and_then(|rest| rest.strip_suffix(after))
            .is_some_and(|middle| !middle.contains('/')),
    }
}

#[derive(Debug, PartialEq)]
struct Block {
    line: usize,
    language: String,
    lines: Vec<String>,
}

impl Block {
    /// `rust` or, for one of several, `rust,a word of it`.
    fn is(&self, language: &str) -> bool {
        if self.language == language {
            return true;
        }
        language.split_once(',').is_some_and(|(own, word)| {
            self.language == own && self.lines.iter().any(|l| l.contains(word))
        })
    }
}

/// Fenced blocks, and those by four blanks after an empty line, not in a list.
fn blocks(text: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let (mut within, mut comment, mut list, mut empty) = (None, false, false, true);
    for (number, line) in text.lines().enumerate() {
        let trimmed = line.trim_start();
        let begin = |language: &str| Block {
            line: number + 1,
            language: language.to_owned(),
            lines: Vec::new(),
        };
        if let Some(language) = trimmed.strip_prefix("```") {
            within = match within {
                Some("fence") => None,
                _ => {
                    found.push(begin(if language.is_empty() { "-" } else { language }));
                    Some("fence")
                }
            };
            continue;
        }
        if within == Some("fence") {
            found
                .last_mut()
                .unwrap_or(&mut begin(""))
                .lines
                .push(trimmed.to_owned());
            continue;
        }
        comment = (comment || trimmed.starts_with("<!--")) && !trimmed.contains("-->");
        list = match trimmed {
            "" => list,
            _ if line.starts_with(' ') => list,
            _ => trimmed.starts_with("- ") || trimmed.starts_with(|c: char| c.is_ascii_digit()),
        };
        if line.starts_with("    ") && !list && !comment {
            if empty && within.is_none() {
                found.push(begin("indented"));
            }
            within = Some("indented");
        } else if !trimmed.is_empty() {
            within = None;
        }
        empty = trimmed.is_empty();
    }
    found
}

/// The first line of a block that does not follow the ones before it in a text.
fn not_in(block: &Block, text: &str) -> Option<String> {
    let mut lines = text.lines().map(str::trim);
    let wanted = block.lines.iter().filter(|l| !l.is_empty());
    let mut bare = wanted.map(|l| l.split("   #").next().unwrap_or(l).trim());
    bare.find(|line| !lines.any(|l| l == *line))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_by_fences_and_by_blanks() {
        let text = "a\n\n    run\n    more\n\n```\nx\n```\n- item\n\n      its text\n\n   ```rust\n   fn\n   ```\n";
        let found: Vec<(usize, String)> = blocks(text)
            .into_iter()
            .map(|b| (b.line, b.language))
            .collect();
        let wanted = [(3, "indented"), (6, "-"), (13, "rust")];
        assert_eq!(found, wanted.map(|(n, l)| (n, l.to_owned())));
    }

    #[test]
    fn pages_match_with_one_star() {
        assert!(matches("docs/*.md", "docs/a.md") && !matches("docs/*.md", "docs/a/b.md"));
    }

    #[test]
    fn an_excerpt_stands_in_its_file_in_order() {
        let block = |lines: &[&str]| Block {
            line: 1,
            language: "c".into(),
            lines: lines.iter().map(|l| (*l).to_owned()).collect(),
        };
        assert_eq!(
            not_in(&block(&["b", "", "c   # why"]), "a\n  b\nx\nc\n"),
            None
        );
        assert_eq!(not_in(&block(&["c", "b"]), "b\nc\n").as_deref(), Some("b"));
    }
}
