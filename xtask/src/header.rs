//! The C headers, made of the sources of `ffi/`.
//!
//! In: `ffi/src`. Out: `ffi/include/netverdict_view.h` (what the library of
//! tables has) and `ffi/include/netverdict.h` (the engine), written or compared.

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
    for header in &HEADERS {
        let path = root().join("ffi/include").join(header.name);
        let made = generate(header)?;
        let old = std::fs::read_to_string(&path).unwrap_or_default();
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
    Ok(())
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
