//! Golden tables: the bytes that a dozen cases compile to, and what they mean.
//!
//! `testdata/table/<case>.json` has the length and SHA-256 of the image of
//! `testdata/cases/<case>.json`, and the image written out; `g02-ports-only.hex`
//! is one image in full. `UPDATE_GOLDEN=1 cargo test -p netverdict-compare
//! --test golden` writes them anew, after a change of the format that has its
//! version, and the worked example of `docs/table-format.md`.

use netverdict::listing::Listing;
use netverdict_compare::Case;
use netverdict_table::View;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::path::{Path, PathBuf};

const CASES: [&str; 12] = [
    "golden/g02-ports-only",
    "golden/g07-entity-world",
    "golden/g10-port-range",
    "golden/g14-icmp-type-0-is-the-whole-protocol",
    "golden/g17-http-and-plain-allow-one-selector",
    "golden/g21-allow-b-deny-b-at-80",
    "golden/g23-authentication-is-inherited-by-narrower-keys",
    "golden/g28-pass-b-deny-all-then-a-plain-policy",
    "golden/g32-label-init-no-rules",
    "golden/g34-entity-remote-node",
    "golden/g41-gre-with-a-port",
    "lookup/authentication-from-the-aggregate",
];

/// The one that is written out in full.
const WHOLE: &str = "g02-ports-only";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn image(case: &str) -> Vec<u8> {
    let path = root().join(format!("testdata/cases/{case}.json"));
    let text = std::fs::read_to_string(&path).expect(case);
    let case = Case::parse(&text).expect(case);
    case.scenario.prepare().compile().expect("a table")
}

/// The file is as expected, or is made so when asked.
fn same(path: &Path, expected: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, expected).expect("a file");
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    let differs = found
        .lines()
        .zip(expected.lines())
        .position(|(a, b)| a != b);
    assert!(
        found == expected,
        "{}: line {} differs; UPDATE_GOLDEN=1 writes it anew",
        path.display(),
        differs.map_or(0, |n| n + 1)
    );
}

/// Lines of 16 bytes; those of zeros alone are left out.
fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (i, line) in bytes.chunks(16).enumerate() {
        if line.iter().all(|b| *b == 0) {
            continue;
        }
        write!(text, "{:04x} ", i * 16).expect("a string");
        for byte in line {
            write!(text, " {byte:02x}").expect("a string");
        }
        text.push('\n');
    }
    text
}

#[test]
fn tables_have_the_bytes_they_had() {
    for case in CASES {
        let bytes = image(case);
        let view = View::new(&bytes).expect("a table");
        let hash = Sha256::digest(&bytes);
        let golden = json!({
            "case": case,
            "bytes": bytes.len(),
            "sha256": hash.iter().fold(String::new(), |all, b| format!("{all}{b:02x}")),
            "table": Listing::of(&view),
        });
        let name = case.rsplit('/').next().unwrap_or(case);
        let mut text = serde_json::to_string_pretty(&golden).expect("JSON");
        text.push('\n');
        same(&root().join(format!("testdata/table/{name}.json")), &text);
        if name == WHOLE {
            let path = root().join(format!("testdata/table/{name}.hex"));
            same(&path, &hex(&bytes));
        }
    }
}

#[test]
fn the_worked_example_is_an_image() {
    let bytes = image(CASES[0]);
    let path = root().join("docs/table-format.md");
    let page = std::fs::read_to_string(&path).expect("the page");
    let (head, example) = page
        .split_once("\n## Worked example\n")
        .expect("the example");
    assert!(!example.contains("\n## "), "the example is the end");
    let (words, _) = example.split_once("```\n").expect("a block");
    let view = View::new(&bytes).expect("a table");
    let h = view.header();
    let policy = view
        .policy(0, netverdict_table::Direction::Ingress)
        .expect("a subject");
    let d = policy.descriptor();
    let word = |at: u32| u32::from_le_bytes(*bytes[at as usize..].first_chunk().expect("a word"));
    let parts = [
        ("header", 0, 128),
        ("subjects", h.subjects.at, h.subjects.count * 8),
        ("ingress descriptor", word(h.subjects.at), 64),
        ("identities", h.identities.at, h.identities.count * 4),
        ("local directory", d.directory, h.local_count / 32),
        ("first page", d.pages, 64),
        ("ports", d.ports, 26),
        ("cells", d.cells, d.stride * d.port_classes),
        ("verdict entries", d.entries, d.entry_count * 16),
        ("bitsets", d.bitsets, d.port_classes * d.plane_bytes() * 4),
        ("origins", h.origins, h.subjects.count * 8),
    ];
    let mut block = String::new();
    for (name, at, len) in parts {
        writeln!(block, "{name}").expect("a string");
        let (at, end) = (at as usize, (at + len) as usize);
        for (i, line) in bytes[at..end].chunks(16).enumerate() {
            write!(block, "{:04x} ", at + i * 16).expect("a string");
            for byte in line {
                write!(block, " {byte:02x}").expect("a string");
            }
            block.push('\n');
        }
    }
    same(
        &path,
        &format!("{head}\n## Worked example\n{words}```\n{block}```\n"),
    );
}
