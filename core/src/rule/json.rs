//! Where a rule is written, as JSON.

use super::Rule;
use crate::source::{Sources, Span};
use serde::Serialize;

/// A rule and where it stands.
#[derive(Clone, Debug, Serialize)]
pub struct JsonPlace {
    /// `Kind/namespace/name`, or `Kind/name` for clusterwide objects.
    pub rule: String,
    /// Field path of the member.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// `file:line:column`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub at: String,
}

impl JsonPlace {
    /// The place of a rule.
    #[must_use]
    pub fn new(rule: &Rule, sources: &Sources) -> Self {
        let origin = &rule.origin;
        Self {
            rule: origin.object.to_string(),
            path: origin.path.clone(),
            at: if origin.span == Span::default() {
                String::new()
            } else {
                sources.locate(origin.span)
            },
        }
    }
}
