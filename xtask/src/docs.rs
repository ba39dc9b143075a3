//! The generated pages.

use crate::job::root;
use crate::{diagnostics, limits, rules};

/// Writes the pages, or complains about those that are out of date.
pub(crate) fn run(check: bool) -> Result<(), String> {
    let pages = [
        ("docs/diagnostics.md", diagnostics::page()?),
        ("analysis/codes.json", diagnostics::json()?),
        ("docs/limits.md", limits::page()),
        ("testdata/coverage.md", rules::page()?),
    ];
    for (name, text) in pages {
        let path = root().join(name);
        if std::fs::read_to_string(&path).ok().as_ref() == Some(&text) {
            continue;
        }
        if check {
            return Err(format!(
                "{name} is out of date; `cargo xtask docs` writes it"
            ));
        }
        std::fs::write(&path, text).map_err(|e| format!("{name}: {e}"))?;
        println!("written: {name}");
    }
    Ok(())
}
