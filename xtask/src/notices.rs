//! Licences of what others wrote.
//!
//! In: materials, and the licence files in their folders. Out: NOTICES.txt, which
//! goes into every package that contains compiled code: each text once, after the
//! names of those it is about.

use crate::materials::{self, Material};
use std::collections::BTreeMap;
use std::fs;

const RULE: &str =
    "--------------------------------------------------------------------------------";

/// The notices for crates.
pub(crate) fn of_crates() -> Result<String, String> {
    let materials = materials::crates()?;
    // Ours have the licences that lie beside this file.
    let others = materials.into_values().filter(|m| m.sum.is_some());
    notices(&others.collect::<Vec<_>>())
}

/// The notices for the packages of npm that are in the built editor.
pub(crate) fn of_editor() -> Result<String, String> {
    notices(&materials::editor()?.into_values().collect::<Vec<_>>())
}

fn notices(materials: &[Material]) -> Result<String, String> {
    let mut by_text: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for material in materials {
        let title = format!(
            "{} {} ({})",
            material.name, material.version, material.licence
        );
        for text in texts(material)? {
            by_text.entry(text).or_default().push(title.clone());
        }
    }
    let mut blocks: Vec<(Vec<String>, String)> = by_text.into_iter().map(|(t, m)| (m, t)).collect();
    blocks.sort();
    let mut all = String::from(
        "What netverdict's packages contain of others' work, and its licences. Where there is a\n\
         choice of licences, MIT was chosen.\n\n\
         All that is compiled contains parts of Rust's standard library (MIT OR Apache-2.0, the Rust\n\
         Project contributors); the static command line contains parts of musl (MIT, Rich Felker and\n\
         contributors).\n",
    );
    for (titles, text) in blocks {
        all.push_str(&format!(
            "\n{RULE}\n{}\n{RULE}\n\n{text}",
            titles.join("\n")
        ));
    }
    Ok(all)
}

/// The texts to be passed on with a material: of a choice only MIT's.
fn texts(material: &Material) -> Result<Vec<String>, String> {
    let message = |e: std::io::Error| format!("{}: {e}", material.folder.display());
    let mut names: Vec<String> = fs::read_dir(&material.folder)
        .map_err(message)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| {
            let name = name.to_uppercase();
            ["LICENSE", "LICENCE", "COPYING", "NOTICE", "UNLICENSE"]
                .iter()
                .any(|begin| name.starts_with(begin))
        })
        .collect();
    names.sort();
    if material.licence.contains("MIT") && material.licence.contains(" OR ") {
        let chosen = |name: &String| name.to_uppercase().contains("MIT");
        if names.iter().any(chosen) {
            names.retain(|n| chosen(n) || n.to_uppercase().starts_with("NOTICE"));
        }
    }
    let mut texts = Vec::new();
    for name in names {
        let path = material.folder.join(&name);
        if path.is_file() {
            let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            texts.push(plain(&text));
        }
    }
    if texts.is_empty() {
        texts.push(format!(
            "Its package has no text of a licence; it is under {}.\n",
            material.licence
        ));
    }
    Ok(texts)
}

/// With line ends and blanks at ends of lines as everywhere here.
fn plain(text: &str) -> String {
    let lines: Vec<&str> = text
        .trim_start_matches('\u{feff}')
        .lines()
        .map(str::trim_end)
        .collect();
    lines.join("\n").trim_matches('\n').to_owned() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stands_once_and_mit_is_chosen() {
        let folder = crate::install::target_folder().join("notices-test");
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in [
            ("LICENSE-MIT", "free\r\n"),
            ("LICENSE-APACHE", "long\n"),
            ("NOTICE", "by me\n"),
        ] {
            fs::write(folder.join(name), text).unwrap();
        }
        let material = |name: &str, licence: &str| Material {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            licence: licence.to_owned(),
            folder: folder.clone(),
            ..Material::default()
        };
        let chosen = texts(&material("a", "MIT OR Apache-2.0")).unwrap();
        assert_eq!(chosen, ["free\n", "by me\n"]);
        assert_eq!(texts(&material("a", "Apache-2.0")).unwrap().len(), 3);
        let both = [
            material("a", "MIT OR Apache-2.0"),
            material("b", "Apache-2.0 OR MIT"),
        ];
        let said = notices(&both).unwrap();
        assert_eq!(said.matches("free\n").count(), 1);
        assert!(said.contains("a 1.0.0 (MIT OR Apache-2.0)\nb 1.0.0"));
    }
}
