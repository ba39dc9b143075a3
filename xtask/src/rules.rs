//! The page of rules and the cases that pin them down.
//!
//! In: `testdata/rules.json`. Out: `testdata/coverage.md`.

use crate::job::root;
use serde_json::Value;
use std::fmt::Write;

/// The text of `testdata/coverage.md`.
pub(crate) fn page() -> Result<String, String> {
    let path = root().join("testdata/rules.json");
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let rules: Value = serde_json::from_str(&text).map_err(|e| format!("rules.json: {e}"))?;
    let mut page = String::from(
        "# Rules and their cases\n\n<!-- written by `cargo xtask docs` from rules.json; do not edit -->\n\n\
         What Cilium 1.20.2 does, one rule a line, where it is written in its source, and the cases that pin it down.\n\
         A test fails when a rule has no case, or a case no rule.\n",
    );
    for group in list(&rules, "groups") {
        let _ = write!(
            page,
            "\n## {}\n\n| rule | source | cases |\n|---|---|---|\n",
            word(group, "about")
        );
        for rule in list(group, "rules") {
            let cases = list(rule, "cases").iter().filter_map(Value::as_str);
            let mut links: Vec<String> = cases.map(case_link).collect();
            let tests = list(rule, "tests").iter().filter_map(Value::as_str);
            links.extend(tests.map(|t| format!("[tests]({})", format_args!("../{t}"))));
            let _ = writeln!(
                page,
                "| {} | {} | {} |",
                word(rule, "rule").replace('|', "\\|"),
                word(rule, "source"),
                links.join(", ")
            );
        }
    }
    Ok(page)
}

fn case_link(case: &str) -> String {
    let folder = match case.starts_with("worlds/") {
        true => "",
        false => "cases/",
    };
    let name = case.rsplit('/').next().unwrap_or(case);
    format!("[{name}]({folder}{case}.json)")
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value
        .get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn word<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::case_link;

    #[test]
    fn links_lead_to_the_files() {
        assert_eq!(case_link("schema/cidr"), "[cidr](cases/schema/cidr.json)");
        assert_eq!(
            case_link("worlds/host-policy"),
            "[host-policy](worlds/host-policy.json)"
        );
    }
}
