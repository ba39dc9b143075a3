//! The generated pages.

use crate::job::root;
use crate::{
    blocks, diagnostics, diagram, examples, limits, links, notices, readme, rules, versions,
};

/// Writes the pages, or complains about those that are out of date.
pub(crate) fn run(check: bool) -> Result<(), String> {
    // Files whose versions are written have other things written into them, too.
    for (name, text) in versions::pages()? {
        page(&name, &text, check)?;
    }
    page("docs/diagnostics.md", &diagnostics::page()?, check)?;
    page("analysis/codes.json", &diagnostics::json()?, check)?;
    page("NOTICES.txt", &notices::of_crates()?, check)?;
    page("docs/limits.md", &limits::page(), check)?;
    page("README.md", &readme::page()?, check)?;
    page("testdata/coverage.md", &rules::page()?, check)?;
    page("docs/guide/src/images/way.svg", &diagram::drawing()?, check)?;
    blocks::check()?;
    examples::check()?;
    links::check()
}

fn page(name: &str, text: &str, check: bool) -> Result<(), String> {
    let path = root().join(name);
    if std::fs::read_to_string(&path).is_ok_and(|before| before == text) {
        return Ok(());
    }
    if check {
        return Err(format!(
            "{name} is out of date; `cargo xtask docs` writes it"
        ));
    }
    std::fs::write(&path, text).map_err(|e| format!("{name}: {e}"))?;
    println!("written: {name}");
    Ok(())
}
