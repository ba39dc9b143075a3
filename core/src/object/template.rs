//! Text that a tool was meant to fill in before anybody reads it.
//!
//! In: the text of a value. Out: the first unresolved variable in it, if any.
//! Such a value is unknown: a check may neither trust it nor blame its author.

use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::source::Span;

/// A value contains a variable that nobody has filled in.
pub const UNRESOLVED: Code = Code::new(901, Severity::Warning, "unresolved variable");

/// The first unresolved variable of a text: `${VAR}` (shells, Flux, envsubst;
/// with or without a default), `$(VAR)` (Kubernetes, kustomize) or `{{ … }}`
/// (Helm, Jinja), with its brackets.
#[must_use]
pub fn find(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some(start) = rest.find(['$', '{']) {
        rest = rest.get(start..)?;
        if let Some(end) = variable_end(rest) {
            return rest.get(..end);
        }
        rest = rest.get(1..)?;
    }
    None
}

/// Length of the variable that a text starts with.
fn variable_end(text: &str) -> Option<usize> {
    if let Some(inner) = text.strip_prefix("{{") {
        let end = inner.find("}}")?;
        return (!inner.get(..end)?.trim().is_empty()).then_some(end + 4);
    }
    let (inner, close) = match (text.strip_prefix("${"), text.strip_prefix("$(")) {
        (Some(inner), _) => (inner, '}'),
        (_, Some(inner)) => (inner, ')'),
        _ => return None,
    };
    let end = inner.find(close)?;
    let body = inner.get(..end)?;
    let name_end = body
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'))
        .unwrap_or(body.len());
    let named = body.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let (_, default) = body.split_at_checked(name_end)?;
    let ends = default.is_empty() || close == '}' && default.starts_with([':', '-', '=', '?', '+']);
    (named && ends).then_some(end + 3)
}

/// The diagnostic for a variable at a place.
#[must_use]
pub fn diagnostic(variable: &str, span: Span) -> Diagnostic {
    Diagnostic::new(UNRESOLVED, span, format!("`{variable}` is not resolved")).help(
        "what depends on it is unknown; fill it in before checking (`envsubst`, `helm template`, `kustomize build`)",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_each_tool_are_found() {
        for (text, found) in [
            ("${NS}", Some("${NS}")),
            ("a-${NS:-prod}-b", Some("${NS:-prod}")),
            ("$(POD_IP)/32", Some("$(POD_IP)")),
            ("x{{ .Values.ns }}y", Some("{{ .Values.ns }}")),
            ("${{ inputs.ns }}", Some("{{ inputs.ns }}")),
            ("/v1/(a|b)$", None),
            ("^a$(b|c)", None),
            ("[0-9]{2}", None),
            ("[0-9]${2}", None),
            ("{{}}", None),
            ("$", None),
            ("${", None),
        ] {
            assert_eq!(find(text), found, "{text}");
        }
    }
}
