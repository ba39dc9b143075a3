//! Tables of the README.
//!
//! In: versions.toml, and docs/sizes.txt. Out: which package is for whom, how large
//! each is, and which versions go together.

use crate::job::root;
use crate::sizes::{self, Sizes};
use crate::versions::stated;
use std::fmt::Write;

/// What somebody wants, the package, how to get it, where to read on.
const PACKAGES: [[&str; 4]; 9] = [
    [
        "answers about files, by hand or in CI",
        "command line",
        "`netverdict-VERSION-x86_64-linux.tar.gz`, one static file; `cargo install netverdict-cli`",
        "[install](docs/guide/src/install.md)",
    ],
    [
        "verdicts and explanations in Rust",
        "crate `netverdict`",
        "`netverdict = \"MINOR\"`",
        "[Rust](docs/guide/src/embed-rust.md)",
    ],
    [
        "the same without YAML",
        "crate `netverdict`",
        "`netverdict = { version = \"MINOR\", default-features = false }`",
        "[Rust](docs/guide/src/embed-rust.md)",
    ],
    [
        "who reaches whom, differences, findings, generated policies in Rust",
        "crate `netverdict-analysis`",
        "`netverdict-analysis = \"MINOR\"`",
        "[its README](analysis/README.md)",
    ],
    [
        "only lookups, perhaps without a standard library",
        "crate `netverdict-table`, or the header `netverdict_table.h`",
        "`netverdict-table = \"MINOR\"`",
        "[tables](docs/guide/src/tables.md)",
    ],
    [
        "all of it in C and C++",
        "`libnetverdict`; for tables alone `libnetverdict_table`",
        "`netverdict-c-VERSION-x86_64-linux.tar.gz`",
        "[C](docs/guide/src/embed-c.md)",
    ],
    [
        "all of it in Go",
        "module `bindings/go` over the C library; tables in pure Go",
        "`go get github.com/netverdict/netverdict/bindings/go`",
        "[Go](docs/guide/src/embed-go.md)",
    ],
    [
        "all of it in Python",
        "wheel `netverdict`, abi3",
        "`pip install netverdict`",
        "[Python](docs/guide/src/embed-python.md)",
    ],
    [
        "all of it in browsers and Node",
        "npm package `netverdict`; tables alone `netverdict/table`",
        "`npm install netverdict`",
        "[JavaScript](docs/guide/src/embed-javascript.md)",
    ],
];

/// The README with its tables as they are now.
pub(crate) fn page() -> Result<String, String> {
    let text =
        std::fs::read_to_string(root().join("README.md")).map_err(|e| format!("README.md: {e}"))?;
    let text = filled(&text, "packages", &packages()?)?;
    let text = filled(
        &text,
        "sizes",
        &sizes_of(&sizes::recorded()?, &stated("version")?),
    )?;
    filled(&text, "compatibility", &compatibility()?)
}

/// What is loaded or linked of a package: its name, and what it is.
type Part = (&'static str, &'static str);

/// What each file of dist/ is, by its name, and its parts.
const FILES: [(&str, &str, &[Part]); 10] = [
    (
        "netverdict-VERSION-x86_64-linux.tar.gz",
        "command line, with the editor",
        &[("netverdict", "the program, static")],
    ),
    (
        "netverdict-c-VERSION-x86_64-linux.tar.gz",
        "C and C++",
        &[
            ("libnetverdict.so.0", "shared"),
            ("libnetverdict_table.so.0", "tables alone"),
        ],
    ),
    (
        "netverdict-go-VERSION.tar.gz",
        "Go, without the C library",
        &[],
    ),
    ("netverdict-VERSION-cp311-abi3-", "Python", &[]),
    (
        "netverdict-VERSION.tgz",
        "browsers and Node",
        &[
            ("netverdict.wasm", "the module"),
            ("netverdict-table.wasm", "tables alone"),
        ],
    ),
    ("netverdict-editor-VERSION.tar.gz", "the editor", &[]),
    (
        "netverdict-VERSION.crate",
        "the engine in Rust, source",
        &[],
    ),
    (
        "netverdict-table-VERSION.crate",
        "tables in Rust, source",
        &[],
    ),
    (
        "netverdict-analysis-VERSION.crate",
        "questions in Rust, source",
        &[],
    ),
    (
        "netverdict-datapath-VERSION.crate",
        "the datapath in Rust, source",
        &[],
    ),
];

fn sizes_of(sizes: &Sizes, version: &str) -> String {
    let mut table = String::from("| package | to download | unpacked |\n|---|---|---|\n");
    for (file, what, parts) in FILES {
        let file = file.replace("VERSION", version);
        let known = sizes
            .iter()
            .find(|(name, _)| name.starts_with(&file) && !name.contains(':'));
        let Some((name, bytes)) = known else {
            continue;
        };
        let inner: Vec<String> = parts
            .iter()
            .filter_map(|(part, what)| {
                let bytes = sizes.get(&format!("{name}:{part}"))?;
                Some(format!("`{part}` {} ({what})", amount(*bytes)))
            })
            .collect();
        let _ = writeln!(
            table,
            "| {what} | {} | {} |",
            amount(*bytes),
            inner.join(", ")
        );
    }
    table
}

/// Bytes with two or three digits.
fn amount(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{}.{} kB", bytes / 1000, bytes % 1000 / 100),
        10_000..1_000_000 => format!("{} kB", bytes / 1000),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

fn filled(text: &str, name: &str, table: &str) -> Result<String, String> {
    let missing = || format!("README.md: no place for the table `{name}`");
    let begin = format!("<!-- {name}: written by `cargo xtask docs` -->\n");
    let start = text.find(&begin).ok_or_else(missing)? + begin.len();
    let (head, rest) = text.split_at(start);
    let end = rest
        .find(&format!("<!-- {name} end -->"))
        .ok_or_else(missing)?;
    let tail = rest.get(end..).unwrap_or_default();
    Ok(format!("{head}{table}{tail}"))
}

fn packages() -> Result<String, String> {
    let version = stated("version")?;
    let minor = version
        .rsplit_once('.')
        .map_or(&*version, |(minor, _)| minor);
    let mut table = String::from("| you want | package | how | read |\n|---|---|---|---|\n");
    for row in PACKAGES {
        let row = row.map(|cell| cell.replace("VERSION", &version).replace("MINOR", minor));
        let _ = writeln!(table, "| {} |", row.join(" | "));
    }
    Ok(table)
}

fn compatibility() -> Result<String, String> {
    let mut table = String::from("| | version | promise |\n|---|---|---|\n");
    let mut row = |what: &str, version: String, promise: &str| {
        let _ = writeln!(table, "| {what} | {version} | {promise} |");
    };
    row(
        "all packages",
        stated("version")?,
        "one number for all; before 1.0 minor versions may break interfaces",
    );
    row(
        "verdicts",
        format!("`{}` ({})", stated("semantics")?, stated("cilium")?),
        "what that Cilium decides",
    );
    row(
        "[table format](docs/table-format.md)",
        stated("table-format")?,
        "a table names the oldest reader that understands it",
    );
    row(
        "[C ABI](docs/c-abi.md)",
        stated("c-abi")?,
        "the soname; programs run with every library of their number",
    );
    row(
        "Rust",
        format!("{} or later", stated("rust")?),
        "tried by `cargo xtask packages`",
    );
    row(
        "Go",
        format!("{} or later", stated("go")?),
        "what `bindings/go/go.mod` says; tried with the Go of the checks",
    );
    row(
        "Python",
        format!("{} or later", stated("python")?),
        "one abi3 wheel",
    );
    row(
        "Node",
        format!("{} or later", stated("node")?),
        "tried with the Node of the checks; browsers with WebAssembly",
    );
    row(
        "Linux",
        "x86-64".to_owned(),
        "tested; other platforms build from source, untested",
    );
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::{amount, filled, sizes_of};

    #[test]
    fn what_stood_in_the_place_goes() {
        let text = "a\n<!-- t: written by `cargo xtask docs` -->\nold\n<!-- t end -->\nb\n";
        let new = filled(text, "t", "new\n").unwrap();
        assert_eq!(new, text.replace("old", "new"));
        assert!(filled(text, "u", "").is_err());
    }

    #[test]
    fn sizes_are_told_briefly() {
        assert_eq!(amount(9_999), "9.9 kB");
        assert_eq!(amount(10_000), "10 kB");
        assert_eq!(amount(12_345_678), "12.3 MB");
        let sizes = [
            ("netverdict-1.0.0.tgz", 2_000_000),
            ("netverdict-1.0.0.tgz:netverdict.wasm", 3_000_000),
        ];
        let sizes = sizes.map(|(name, bytes)| (name.to_owned(), bytes)).into();
        let table = sizes_of(&sizes, "1.0.0");
        assert!(
            table
                .contains("| browsers and Node | 2.0 MB | `netverdict.wasm` 3.0 MB (the module) |")
        );
    }
}
