//! The catalogue of diagnostic codes, read from where they are declared.
//!
//! In: the Rust sources of the crates that report diagnostics. Out:
//! `docs/diagnostics.md`, and the same for programs, `analysis/codes.json`.
//! Codes are constants of the module that reports them (`pub const NAME: Code =
//! Code::new(number, severity, title)`), and the comment above one is its
//! explanation. `testdata/lint` has for some of them why, how to mend it, and
//! examples; those of `analysis::lint` all have.

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
    example: Option<Example>,
}

/// What `testdata/lint` tells of a code.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Example {
    why: String,
    fix: String,
    wrong: String,
    right: String,
}

const HUNDREDS: [(u16, &str); 11] = [
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
    (11, "Suppressions"),
];

/// The text of `docs/diagnostics.md`.
pub(crate) fn page() -> Result<String, String> {
    Ok(render(&catalogue()?))
}

/// The text of `analysis/codes.json`.
pub(crate) fn json() -> Result<String, String> {
    let codes = catalogue()?;
    let codes: Vec<serde_json::Value> = codes
        .values()
        .map(|c| {
            let of = |part: fn(&Example) -> &String| c.example.as_ref().map(part);
            serde_json::json!({
                "code": format!("NV{:04}", c.number),
                "severity": c.severity,
                "title": c.title,
                "text": c.text,
                "why": of(|e| &e.why),
                "fix": of(|e| &e.fix),
                "wrong": of(|e| &e.wrong),
                "right": of(|e| &e.right),
            })
        })
        .collect();
    let text = serde_json::to_string_pretty(&codes).map_err(|e| e.to_string())?;
    Ok(text + "\n")
}

fn catalogue() -> Result<BTreeMap<u16, Declared>, String> {
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
    examples(&mut codes)?;
    let lacking = |c: &&Declared| {
        c.file.starts_with("analysis/src/lint") && c.example.is_none() && c.number / 100 != 11
    };
    if let Some(code) = codes.values().find(lacking) {
        return Err(format!(
            "NV{:04} has no example in testdata/lint",
            code.number
        ));
    }
    Ok(codes)
}

fn examples(codes: &mut BTreeMap<u16, Declared>) -> Result<(), String> {
    let folder = root().join("testdata/lint");
    for entry in std::fs::read_dir(&folder).map_err(|e| e.to_string())? {
        let path = entry.map_err(|e| e.to_string())?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let number = name.strip_prefix("NV").and_then(|n| n.parse().ok());
        let code = number.and_then(|n: u16| codes.get_mut(&n));
        let code = code.ok_or_else(|| format!("testdata/lint: nothing reports {name}"))?;
        let text = std::fs::read_to_string(&path).map_err(|e| e.to_string())?;
        code.example = Some(example(&text).ok_or_else(|| format!("{name}: no example"))?);
    }
    Ok(())
}

/// Reads `# why: …`, `# fix: …`, `# wrong` and `# right`.
fn example(text: &str) -> Option<Example> {
    let (head, rest) = text.split_once("\n# wrong\n")?;
    let (wrong, right) = rest.split_once("# right\n")?;
    let words: Vec<&str> = head
        .lines()
        .map(|l| l.trim_start_matches(['#', ' ']))
        .collect();
    let words = words.join(" ");
    let (why, fix) = words.strip_prefix("why: ")?.split_once(" fix: ")?;
    Some(Example {
        why: why.to_owned(),
        fix: fix.to_owned(),
        wrong: wrong.to_owned(),
        right: right.to_owned(),
    })
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
        for code in codes.values().filter(|c| c.number / 100 == hundred) {
            let Some(example) = &code.example else {
                continue;
            };
            let Example {
                why,
                fix,
                wrong,
                right,
            } = example;
            let _ = write!(
                page,
                "\n### NV{:04}: {}\n\n{why}\n\nTo mend it: {fix}\n\n```yaml\n# wrong\n{wrong}```\n\n```yaml\n# right\n{right}```\n",
                code.number, code.title
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
        example: None,
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
