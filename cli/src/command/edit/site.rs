//! The built editor: a folder of files for browsers.
//!
//! In: names below that folder. Out: their bytes, and what they are.

use crate::exit::Failure;
use std::fs;
use std::path::{Path, PathBuf};

/// What the files of the editor are, by their ending.
const KINDS: [(&str, &str); 7] = [
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("wasm", "application/wasm"),
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("json", "application/json"),
];

/// Places beside the program: as released, as installed, as built.
const BESIDE: [&str; 3] = ["editor", "../share/netverdict/editor", "../editor/dist"];

/// The folder of the built editor.
#[derive(Debug)]
pub(crate) struct Site {
    root: PathBuf,
}

impl Site {
    /// The folder that is given, or the one beside the program.
    pub(crate) fn find(given: Option<&Path>) -> Result<Self, Failure> {
        let help = "`cargo xtask editor --build` builds it into target/editor/dist; --editor DIR or \
                    NETVERDICT_EDITOR say where it is";
        let has_page = |folder: &Path| folder.join("index.html").is_file();
        if let Some(root) = given {
            if has_page(root) {
                return Ok(Self {
                    root: root.to_owned(),
                });
            }
            let message = format!("`{}` is no built editor", root.display());
            return Err(Failure::new(message).help(help));
        }
        let program = std::env::current_exe().and_then(fs::canonicalize)?;
        let folder = program.parent().unwrap_or(&program);
        let found = BESIDE.iter().map(|below| folder.join(below));
        let found = found.into_iter().find(|folder| has_page(folder));
        found
            .map(|root| Self { root })
            .ok_or_else(|| Failure::new("the built editor is not beside the program").help(help))
    }

    /// A file of it and its kind. The page learns which folder it edits.
    pub(crate) fn file(&self, name: &str, title: &str) -> Option<(Vec<u8>, &'static str)> {
        let name = if name.is_empty() { "index.html" } else { name };
        let plain = |part: &str| {
            !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', ':', '\0'])
        };
        if !name.split('/').all(plain) {
            return None;
        }
        let kind = name.rsplit_once('.').and_then(|(_, ending)| {
            let known = KINDS.iter().find(|(e, _)| *e == ending);
            known.map(|(_, kind)| *kind)
        })?;
        let bytes = fs::read(self.root.join(name)).ok()?;
        if name != "index.html" {
            return Some((bytes, kind));
        }
        let meta = format!(
            "<head><meta name=\"netverdict-folder\" content=\"{}\">",
            escape(title)
        );
        let page = String::from_utf8(bytes).ok()?.replacen("<head>", &meta, 1);
        Some((page.into_bytes(), kind))
    }
}

/// Text as the value of an attribute.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            _ => escaped.push(c),
        }
    }
    escaped
}
