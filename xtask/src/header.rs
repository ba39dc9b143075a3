//! The C headers, made of the sources of `ffi/`.
//!
//! In: `ffi/src`. Out: `ffi/include/netverdict_view.h` (what the library of
//! tables has) and `ffi/include/netverdict.h` (the engine), written or compared.
//! CHANGELOG.md has a line for every change of what they declare: it names the
//! fingerprint of the declarations as they are since.

use crate::job::root;
use cbindgen::{Builder, Config, DocumentationStyle, Language, ParseConfig, Style};

/// A header: its name, the sources it is made of, and what it begins with.
struct Header {
    name: &'static str,
    guard: &'static str,
    sources: &'static [&'static str],
    includes: &'static [&'static str],
    about: &'static str,
}

const HEADERS: [Header; 2] = [
    Header {
        name: "netverdict_view.h",
        guard: "NETVERDICT_VIEW_H",
        sources: &["status.rs", "buffer.rs", "error.rs", "view.rs", "origin.rs"],
        includes: &[],
        about: "Verdict tables of netverdict: statuses, errors, and views of images. Part of\n \
                * libnetverdict and all of libnetverdict_table.",
    },
    Header {
        name: "netverdict.h",
        guard: "NETVERDICT_H",
        // Its modules are followed.
        sources: &["engine/mod.rs"],
        includes: &["netverdict_view.h"],
        about: "netverdict: network policies and workloads in, policy-map entries and verdicts\n \
                * out, with the reason. For libnetverdict.",
    },
];

/// Sizes that never change, for compilers to see.
const ASSERTS: &str = "\
/* Structs of the hot path never change their sizes. */
typedef char netverdict_assert_question[sizeof(netverdict_question) == 16 ? 1 : -1];
typedef char netverdict_assert_verdict[sizeof(netverdict_verdict) == 16 ? 1 : -1];
";

/// Writes the headers, or fails when they are not what the sources say.
pub(crate) fn run(check: bool) -> Result<(), String> {
    let mut all = String::new();
    for header in &HEADERS {
        let path = root().join("ffi/include").join(header.name);
        let made = generate(header)?;
        let old = std::fs::read_to_string(&path).unwrap_or_default();
        all.push_str(&made);
        if made == old {
            continue;
        }
        if check {
            return Err(format!(
                "{}: not what the sources of ffi/ say; `cargo xtask header` writes it, and \
                 CHANGELOG.md has a line for every change of it",
                path.display()
            ));
        }
        std::fs::write(&path, made).map_err(|e| format!("{}: {e}", path.display()))?;
        println!("{}: written", path.display());
    }
    let path = root().join("CHANGELOG.md");
    let changes = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let known = told(&changes);
    let now = fingerprint(&all);
    if known == Some(&*now) {
        return Ok(());
    }
    let missing = format!(
        "CHANGELOG.md says nothing of the C headers as they are: begin the list under `{SECTION}` with a line \
         that begins with `{now}` in backticks, and what changed"
    );
    match check {
        true => Err(missing),
        false => {
            println!("{missing}");
            Ok(())
        }
    }
}

/// Where the changelog has its lines about the headers, the newest first.
const SECTION: &str = "### C headers";

/// The fingerprint that the newest line names.
fn told(changes: &str) -> Option<&str> {
    let (_, section) = changes.split_once(&format!("{SECTION}\n"))?;
    let line = section.lines().find(|l| l.starts_with("- "))?;
    let (fingerprint, what) = line.strip_prefix("- `")?.split_once("` ")?;
    (!what.trim().is_empty()).then_some(fingerprint)
}

/// What headers declare, in eight digits: comments and blanks do not count.
fn fingerprint(headers: &str) -> String {
    let mut code = String::new();
    let mut rest = headers;
    while let Some((before, after)) = rest.split_once("/*") {
        code.push_str(before);
        rest = after.split_once("*/").map_or("", |(_, after)| after);
    }
    code.push_str(rest);
    // FNV-1a over the words.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for word in code.split_whitespace() {
        for byte in word.bytes().chain([b' ']) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    format!("{:08x}", (hash >> 32) ^ (hash & 0xffff_ffff))
}

fn generate(header: &Header) -> Result<String, String> {
    let mut config = Config {
        language: Language::C,
        style: Style::Both,
        cpp_compat: true,
        include_guard: Some(header.guard.to_owned()),
        no_includes: true,
        sys_includes: vec!["stddef.h".to_owned(), "stdint.h".to_owned()],
        includes: header.includes.iter().map(|i| (*i).to_owned()).collect(),
        documentation_style: DocumentationStyle::Doxy,
        usize_is_size_t: true,
        header: Some(format!(
            "/* SPDX-License-Identifier: Apache-2.0 OR MIT */\n/*\n * {}\n *\n \
             * Written by `cargo xtask header` from ffi/src; docs/c-abi.md has the rules.\n */",
            header.about
        )),
        trailer: header.includes.is_empty().then(|| ASSERTS.to_owned()),
        parse: ParseConfig {
            parse_deps: false,
            ..ParseConfig::default()
        },
        ..Config::default()
    };
    config.function.sort_by = None;
    let mut builder = Builder::new().with_config(config);
    for source in header.sources {
        builder = builder.with_src(root().join("ffi/src").join(source));
    }
    let bindings = builder
        .generate()
        .map_err(|e| format!("{}: {e}", header.name))?;
    let mut bytes = Vec::new();
    bindings.write(&mut bytes);
    let text = String::from_utf8(bytes).map_err(|e| e.to_string())?;
    Ok(without_safety(&text))
}

/// The sections about Rust's `unsafe` say nothing to people who program in C.
fn without_safety(text: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut skipping = false;
    for line in text.lines() {
        let trimmed = line.trim_start();
        if trimmed == "* # Safety" {
            skipping = true;
            while kept.last().is_some_and(|l| l.trim() == "*") {
                kept.pop();
            }
            continue;
        }
        if trimmed.starts_with("*/") {
            skipping = false;
        }
        if !skipping {
            kept.push(line.trim_end());
        }
    }
    let mut text = in_parentheses(&kept).join("\n");
    while text.contains("\n\n\n") {
        text = text.replace("\n\n\n", "\n\n");
    }
    text.push('\n');
    text
}

/// Negative constants are safe in any expression.
fn in_parentheses(lines: &[&str]) -> Vec<String> {
    let constant = |line: &str| {
        let (name, value) = line.strip_prefix("#define ")?.split_once(" -")?;
        Some(format!("#define {name} (-{value})"))
    };
    let line = |l: &&str| constant(l).unwrap_or_else(|| (*l).to_owned());
    lines.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_count_and_comments_do_not() {
        let one = fingerprint("/* a */\nint f(void);\n");
        assert_eq!(one, fingerprint("int  f(void); /* other\n words */"));
        assert_ne!(one, fingerprint("int f(int);"));
        assert_ne!(one, fingerprint("intf(void);"));
    }

    #[test]
    fn the_newest_line_counts_and_has_to_say_something() {
        let page = |lines: &str| format!("# Changelog\n\n{SECTION}\n\n{lines}\n");
        assert_eq!(
            told(&page("- `00c0ffee` adds f\n- `0badcafe` adds g")),
            Some("00c0ffee")
        );
        assert_eq!(told(&page("- `00c0ffee` ")), None);
        assert_eq!(told(&page("adds f")), None);
        assert_eq!(told("# Changelog\n"), None);
    }

    #[test]
    fn a_header_without_its_line_in_the_changelog_is_found() {
        let changes = std::fs::read_to_string(root().join("CHANGELOG.md")).expect("a changelog");
        let all: String = HEADERS
            .iter()
            .map(|h| generate(h).expect("a header"))
            .collect();
        assert_eq!(told(&changes), Some(&*fingerprint(&all)));
        let more = format!("{all}\nvoid netverdict_more(void);\n");
        assert_ne!(told(&changes), Some(&*fingerprint(&more)));
    }
}
