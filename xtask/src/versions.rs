//! The versions of everything, stated once.
//!
//! In: versions.toml. Out: the files that repeat a version, with the one that
//! is stated; a complaint about those that only people may change.

use crate::job::root;

/// A place where a version is repeated: the file, what stands before it, what
/// comes after, and which version it is.
struct Place {
    file: &'static str,
    before: &'static str,
    after: &'static str,
    name: &'static str,
    /// Written by the job; otherwise a constant that means more than its text.
    written: bool,
}

const fn written(
    file: &'static str,
    before: &'static str,
    after: &'static str,
    name: &'static str,
) -> Place {
    Place {
        file,
        before,
        after,
        name,
        written: true,
    }
}

const fn fixed(
    file: &'static str,
    before: &'static str,
    after: &'static str,
    name: &'static str,
) -> Place {
    Place {
        written: false,
        ..written(file, before, after, name)
    }
}

const PLACES: [Place; 22] = [
    written(
        "Cargo.toml",
        "[workspace.package]\nversion = \"",
        "\"",
        "version",
    ),
    written(
        "Cargo.toml",
        "netverdict = { path = \"core\", version = \"",
        "\"",
        "version",
    ),
    written(
        "Cargo.toml",
        "netverdict-analysis = { path = \"analysis\", version = \"",
        "\"",
        "version",
    ),
    written(
        "Cargo.toml",
        "netverdict-datapath = { path = \"datapath\", version = \"",
        "\"",
        "version",
    ),
    written(
        "Cargo.toml",
        "netverdict-table = { path = \"table\", version = \"",
        "\"",
        "version",
    ),
    written("Cargo.toml", "rust-version = \"", "\"", "rust"),
    written("npm/package.json", "\"version\": \"", "\"", "version"),
    written(
        "npm/package.json",
        "\"engines\": { \"node\": \">=",
        "\"",
        "node",
    ),
    written("samples/go/go.mod", "bindings/go v", "\n", "version"),
    written(
        "bindings/python/pyproject.toml",
        "requires-python = \">=",
        "\"",
        "python",
    ),
    written("bindings/go/go.mod", "\ngo ", "\n", "go"),
    written("README.md", "All need Rust ", " or later", "rust"),
    fixed(
        "table/src/layout.rs",
        "pub const VERSION: u16 = ",
        ";",
        "table-format",
    ),
    fixed(
        "table/include/netverdict_table.h",
        "#define NETVERDICT_TABLE_VERSION ",
        "u",
        "table-format",
    ),
    fixed(
        "docs/table-format.md",
        "format version: ",
        " |",
        "table-format",
    ),
    fixed(
        "ffi/src/status.rs",
        "pub const NETVERDICT_ABI_VERSION: u32 = ",
        ";",
        "c-abi",
    ),
    fixed(
        "ffi/include/netverdict_view.h",
        "#define NETVERDICT_ABI_VERSION ",
        "\n",
        "c-abi",
    ),
    fixed("docs/semantics.md", "Cilium **", "**", "cilium"),
    fixed("docs/semantics.md", "(`", "`)", "semantics"),
    fixed("CHANGELOG.md", "Semantics: `", "`", "semantics"),
    fixed(
        "conformance/cilium/go.mod",
        "github.com/cilium/cilium v",
        "\n",
        "cilium",
    ),
    fixed(
        "xtask/src/conformance.rs",
        "# Conformance to Cilium ",
        "\\",
        "cilium",
    ),
];

/// One of the versions that versions.toml states.
pub(crate) fn stated(name: &str) -> Result<String, String> {
    let text = read("versions.toml")?;
    let found = text.lines().find_map(|line| {
        let (key, value) = line.split_once(" = ")?;
        (key == name).then(|| value.trim_matches('"').to_owned())
    });
    found.ok_or(format!("versions.toml: no `{name}`"))
}

fn read(file: &str) -> Result<String, String> {
    std::fs::read_to_string(root().join(file)).map_err(|e| format!("{file}: {e}"))
}

/// The files that repeat versions, as they are to be. Refuses what only people
/// may change.
pub(crate) fn pages() -> Result<Vec<(String, String)>, String> {
    let mut pages: Vec<(String, String)> = Vec::new();
    for place in &PLACES {
        let wanted = stated(place.name)?;
        let known = pages.iter().position(|(file, _)| file == place.file);
        let text = match known {
            Some(at) => pages.remove(at).1,
            None => read(place.file)?,
        };
        let text = place.in_text(&text, &wanted)?;
        pages.push((place.file.to_owned(), text));
    }
    Ok(pages)
}

impl Place {
    fn in_text(&self, text: &str, wanted: &str) -> Result<String, String> {
        let missing = || format!("{}: no version after `{}`", self.file, self.before.trim());
        let start = text.find(self.before).ok_or_else(missing)? + self.before.len();
        let (head, rest) = text.split_at(start);
        let end = rest.find(self.after).ok_or_else(missing)?;
        let (found, tail) = rest.split_at(end);
        if found != wanted && !self.written {
            return Err(format!(
                "{}: {} is {found}, but versions.toml says {wanted}",
                self.file, self.name
            ));
        }
        Ok(format!("{head}{wanted}{tail}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_written_or_complained_about() {
        let place = written("a", "v = \"", "\"", "version");
        assert_eq!(
            place.in_text("x v = \"1\" y", "2").unwrap(),
            "x v = \"2\" y"
        );
        let place = fixed("a", "v = \"", "\"", "version");
        assert!(place.in_text("x v = \"1\" y", "2").is_err());
        assert!(place.in_text("nothing", "2").is_err());
        assert_eq!(place.in_text("v = \"2\"", "2").unwrap(), "v = \"2\"");
    }

    #[test]
    fn the_repository_agrees_with_itself() {
        for (file, text) in pages().unwrap() {
            assert_eq!(read(&file).unwrap(), text, "{file}: `cargo xtask docs`");
        }
    }
}
