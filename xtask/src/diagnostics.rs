//! The catalogue of diagnostic codes, read from where they are declared.
//!
//! In: the Rust sources of the crates that report diagnostics. Out:
//! `docs/diagnostics.md`. Codes are constants of the module that reports them
//! (`pub const NAME: Code = Code::new(number, severity, title)`), and the
//! comment above one is its explanation.

use crate::job::root;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// One declared code.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Declared {
    number: u16,
    severity: String,
    title: String,
    text: String,
    file: String,
}

const HUNDREDS: [(u16, &str); 10] = [
    (1, "Reading YAML and JSON"),
    (2, "Decoding objects"),
    (3, "Refused by the API server's schema"),
    (4, "Refused by Cilium's agent"),
    (5, "Kubernetes policy kinds"),
    (6, "Workloads"),
    (7, "Rules and resolution"),
    (8, "Limits"),
    (9, "Input that cannot be known"),
    (10, "Accepted, and hardly meant"),
];

/// The text of `docs/diagnostics.md`.
pub(crate) fn page() -> Result<String, String> {
    let mut codes = BTreeMap::new();
    for crate_folder in ["core/src", "analysis/src"] {
        let folder = root().join(crate_folder);
        if !folder.is_dir() {
            continue;
        }
        for path in rust_files(&folder)? {
            let text = std::fs::read_to_string(&path).map_err(|e| e.to_string())?;
            let file = path.strip_prefix(root()).unwrap_or(&path);
            for code in declared(&text, &file.display().to_string()) {
                if let Some(other) = codes.insert(code.number, code.clone()) {
                    return Err(format!(
                        "NV{:04} is declared twice, in {} and {}",
                        code.number, other.file, code.file
                    ));
                }
            }
        }
    }
    Ok(render(&codes))
}

fn render(codes: &BTreeMap<u16, Declared>) -> String {
    let mut page = String::from(
        "# Diagnostic codes\n\n<!-- written by `cargo xtask docs`; do not edit -->\n\n\
         A code is never reused and never changes its meaning. Severities: *error*: refused or unreadable;\n\
         *warning*: accepted, but probably not what was meant; *info*: worth knowing.\n",
    );
    for (hundred, title) in HUNDREDS {
        let group: Vec<&Declared> = codes
            .values()
            .filter(|c| c.number / 100 == hundred)
            .collect();
        if group.is_empty() {
            continue;
        }
        let _ = write!(
            page,
            "\n## {title}\n\n| code | severity | what | |\n|---|---|---|---|\n"
        );
        for code in group {
            let _ = writeln!(
                page,
                "| <a id=\"NV{:04}\"></a>NV{:04} | {} | {} | {} |",
                code.number,
                code.number,
                code.severity,
                code.title,
                code.text.replace('|', "\\|")
            );
        }
    }
    page
}

fn rust_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(|e| e.to_string())? {
            let path = entry.map_err(|e| e.to_string())?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// The codes that a source file declares.
fn declared(text: &str, file: &str) -> Vec<Declared> {
    let mut codes = Vec::new();
    let mut comment = Vec::new();
    let mut rest = text;
    while let Some(line) = rest.lines().next() {
        if let Some(words) = line.trim_start().strip_prefix("///") {
            comment.push(words.trim());
        } else if line.trim_start().starts_with("pub const ") && line.contains(": Code =") {
            let end = rest.find(");").unwrap_or(rest.len());
            if let Some(mut code) = parse(&rest[..end]) {
                code.text = plain(&comment.join(" "));
                file.clone_into(&mut code.file);
                codes.push(code);
            }
            comment.clear();
        } else {
            comment.clear();
        }
        rest = rest.split_once('\n').map_or("", |(_, after)| after);
    }
    codes
}

/// Reads `… Code::new(101, Severity::Error, "title"`, or plainly `Error`.
fn parse(declaration: &str) -> Option<Declared> {
    let (_, arguments) = declaration.split_once("Code::new(")?;
    let mut arguments = arguments.splitn(3, ',').map(str::trim);
    let number = arguments.next()?.parse().ok()?;
    let severity = arguments.next()?;
    let severity = severity.trim_start_matches("Severity::").to_lowercase();
    let title = arguments.next()?.trim_end_matches(',').trim_matches('"');
    Some(Declared {
        number,
        severity,
        title: title.to_owned(),
        text: String::new(),
        file: String::new(),
    })
}

/// Turns rustdoc links into code.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("[`") {
        let Some((name, tail)) = after.split_once("`]") else {
            break;
        };
        let _ = write!(out, "{before}`{name}`");
        rest = match tail.strip_prefix('(').and_then(|t| t.split_once(')')) {
            Some((_, tail)) => tail,
            None => tail,
        };
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_are_read_with_their_comments() {
        let text = "/// Not this.\nfn f() {}\n\n/// One line,\n/// and [`X`](a::X) more.\n\
            pub const A: Code = Code::new(101, Severity::Error, \"a, b\");\n\
            pub const B: Code = Code::new(\n    206,\n    Severity::Warning,\n    \"title\",\n);\n";
        let codes = declared(text, "f.rs");
        let short: Vec<_> = codes
            .iter()
            .map(|c| {
                (
                    c.number,
                    c.severity.as_str(),
                    c.title.as_str(),
                    c.text.as_str(),
                )
            })
            .collect();
        assert_eq!(
            short,
            [
                (101, "error", "a, b", "One line, and `X` more."),
                (206, "warning", "title", "")
            ]
        );
    }

    #[test]
    fn every_declared_code_is_found_once() {
        let page = page().expect("no code twice");
        for code in [netverdict::yaml::SYNTAX, netverdict::yaml::MAX_ALIASES] {
            assert!(page.contains(&format!("id=\"{code}\"")), "{code}");
        }
    }
}
