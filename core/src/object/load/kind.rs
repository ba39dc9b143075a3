//! What to say of documents that are of no kind that is read.
//!
//! In: a document and what stands at its head. Out: a diagnostic.

use super::{MISSPELLED_KIND, NOT_KUBERNETES, VERSION};
use crate::diagnostic::Diagnostic;
use crate::object::Head;
use crate::object::registry::Kind;
use crate::source::Span;
use crate::yaml::Node;

/// Where a field is, or else all of the document.
pub(super) fn field_span(node: &Node, name: &str) -> Span {
    node.get(name).map_or(node.span, |n| n.span)
}

/// The first line of a node: what a note about all of it points at.
pub(super) fn not_kubernetes(node: &Node, head: &Head<'_>) -> Diagnostic {
    let missing = match (head.api_version.is_empty(), head.kind.is_empty()) {
        (true, true) => "neither `apiVersion` nor `kind`",
        (true, false) => "no `apiVersion`",
        _ => "no `kind`",
    };
    let span = node.entries().first().map_or(node.span, |e| e.key_span);
    Diagnostic::new(
        NOT_KUBERNETES,
        span,
        format!("not a Kubernetes object: it has {missing}; skipped"),
    )
}

/// A kind in a version in which nobody serves it.
pub(super) fn wrong_version(kind: &Kind, node: &Node, head: &Head<'_>) -> Diagnostic {
    let right = kind.api_version();
    let span = field_span(node, "apiVersion");
    Diagnostic::new(
        VERSION,
        span,
        format!("there is no `{}` in `{}`", kind.name, head.api_version),
    )
    .at("apiVersion")
    .of(head.to_string())
    .help(format!(
        "it is served as `{right}`; as it stands an API server refuses it"
    ))
    .fix("correct the version", span, right, false)
}

/// A kind that was probably meant to be another.
pub(super) fn misspelled(kind: &Kind, node: &Node, head: &Head<'_>) -> Diagnostic {
    let span = field_span(node, "kind");
    Diagnostic::new(
        MISSPELLED_KIND,
        span,
        format!("unknown kind `{}`", head.kind),
    )
    .at("kind")
    .of(head.to_string())
    .help(format!(
        "did you mean `{}`? as it stands it is skipped",
        kind.name
    ))
    .fix(
        format!("rename it to `{}`", kind.name),
        span,
        kind.name,
        false,
    )
}
