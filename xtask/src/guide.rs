//! `cargo xtask guide`: the guide as a book.
//!
//! In: docs/guide. Out: target/guide, by mdBook; links of the documentation are
//! looked at first. Links that leave the guide lead to the repository in the book.

use crate::install::target_folder;
use crate::job::{self, Tally, root, skip};
use crate::links;
use crate::tool::Tool;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The version of mdBook: its pages are to be the same everywhere.
/// Of its features no server, no watch, and no search.
const MDBOOK: Tool = Tool {
    name: "mdbook",
    version: "0.5.4",
    default_features: false,
};

/// Where what is no part of the book is read.
const REPOSITORY: &str = "https://github.com/netverdict/netverdict/blob/main";

/// The sources with links that are right in the book.
fn staged() -> Result<std::path::PathBuf, String> {
    let (from, to) = (
        root().join("docs/guide"),
        target_folder().join("guide-sources"),
    );
    let _ = fs::remove_dir_all(&to);
    stage(&from, &to)?;
    stage(&root().join("docs/pictures"), &to.join("src/pictures"))?;
    Ok(to)
}

fn stage(from: &Path, to: &Path) -> Result<(), String> {
    let message = |e| format!("{}: {e}", from.display());
    fs::create_dir_all(to).map_err(message)?;
    for entry in fs::read_dir(from).map_err(message)? {
        let here = entry.map_err(message)?.path();
        let there = to.join(here.file_name().unwrap_or_default());
        if here.is_dir() {
            stage(&here, &there)?;
        } else if here.extension().is_some_and(|e| e == "md") {
            let text = fs::read_to_string(&here).map_err(message)?;
            fs::write(&there, in_book(&text)).map_err(message)?;
        } else {
            fs::copy(&here, &there).map_err(message)?;
        }
    }
    Ok(())
}

/// A page of `docs/guide/src` with links out of it made absolute.
fn in_book(page: &str) -> String {
    page.replace("](../../pictures/", "](pictures/")
        .replace("](../../../", &format!("]({REPOSITORY}/"))
        .replace("](../../", &format!("]({REPOSITORY}/docs/"))
}

/// Builds the book.
pub(crate) fn run() -> Result<Tally, String> {
    links::check()?;
    let mut tally = Tally::ONE;
    let Some(program) = MDBOOK.get() else {
        tally += skip(&format!(
            "mdbook cannot be installed (cargo install mdbook --version {})",
            MDBOOK.version
        ));
        return Ok(tally);
    };
    let mut build = Command::new(&program);
    build.arg("build").arg(staged()?);
    build.arg("--dest-dir").arg(target_folder().join("guide"));
    tally += job::run(&mut build)?;
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::in_book;

    #[test]
    fn links_out_of_the_guide_lead_to_the_repository() {
        let page =
            "![p](../../pictures/p.png) [a](../../npm.md) [b](../../../README.md) [c](why.md)";
        let book = in_book(page);
        assert!(book.contains("/blob/main/docs/npm.md)"));
        assert!(book.contains("/blob/main/README.md)"));
        assert!(book.contains("(why.md)"));
        assert!(book.contains("(pictures/p.png)"));
    }
}
