//! What every code means.
//!
//! In: nothing. Out: the codes of all diagnostics with what
//! `docs/diagnostics.md` says of them, for programs that show it elsewhere.

use serde::{Deserialize, Serialize};

/// What a code means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// `NV1001`.
    pub code: String,
    /// `error`, `warning` or `info`.
    pub severity: String,
    /// What is wrong, in a few words.
    pub title: String,
    /// The same in a sentence or two.
    pub text: String,
    /// Why it is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// How to mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// An example of the mistake, as YAML.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrong: Option<String>,
    /// The example without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub right: Option<String>,
}

/// Every code, in order.
#[must_use]
pub fn catalogue() -> Vec<Explanation> {
    // A test reads it.
    serde_json::from_str(include_str!("../../codes.json")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained() {
        let all = catalogue();
        assert!(all.len() > 150);
        assert!(all.is_sorted_by(|a, b| a.code < b.code));
        let own = all.iter().find(|e| e.code == "NV1007").expect("a code");
        assert!(own.why.is_some() && own.fix.is_some());
        assert!(
            all.iter()
                .all(|e| !e.title.is_empty() && !e.text.is_empty())
        );
    }
}
