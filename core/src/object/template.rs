//! Text that a tool was meant to fill in before anybody reads it.
//!
//! In: the text of a value. Out: the first unresolved variable in it, if any.
//! Such a value is unknown: a check may neither trust it nor blame its author.
//!
//! ```
//! use netverdict::object::template;
//! use netverdict::source::Span;
//!
//! assert_eq!(template::find("app-${ENV}"), Some("${ENV}"));
//! assert_eq!(template::find("app-prod"), None);
//! assert!(template::diagnostic("${ENV}", Span::default()).message.contains("${ENV}"));
//! ```

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
    let mut unclosed = Unclosed::default();
    let begins = |text: &str| text.bytes().position(|b| matches!(b, b'$' | b'{'));
    while let Some(start) = begins(rest) {
        rest = rest.get(start..)?;
        if let Some(end) = variable_end(rest, &mut unclosed) {
            return rest.get(..end);
        }
        rest = rest.get(1..)?;
    }
    None
}

/// Ends that are known to be nowhere in the rest of a text: none is looked for
/// again, lest many beginnings cost their square.
#[derive(Default)]
struct Unclosed {
    braces: bool,
    brace: bool,
}

/// Length of the variable that a text starts with.
fn variable_end(text: &str, unclosed: &mut Unclosed) -> Option<usize> {
    if let Some(inner) = text.strip_prefix("{{") {
        let end = closing(inner, "}}", &mut unclosed.braces)?;
        return (!inner.get(..end)?.trim().is_empty()).then_some(end + 4);
    }
    let (inner, close) = match (text.strip_prefix("${"), text.strip_prefix("$(")) {
        (Some(inner), _) => (inner, '}'),
        (_, Some(inner)) => (inner, ')'),
        _ => return None,
    };
    if !inner.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return None;
    }
    let name_end = inner.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'))?;
    let after = inner.get(name_end..)?;
    if after.starts_with(close) {
        return Some(name_end + 3);
    }
    if close != '}' || !after.starts_with([':', '-', '=', '?', '+']) {
        return None;
    }
    let end = closing(after, "}", &mut unclosed.brace)?;
    Some(name_end + end + 3)
}

/// Where an end is, unless there is none.
fn closing(text: &str, end: &str, none_left: &mut bool) -> Option<usize> {
    if *none_left {
        return None;
    }
    let found = text.find(end);
    *none_left = found.is_none();
    found
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
            ("${a", None),
            ("${a:${b", None),
            ("${a ${b}", Some("${b}")),
            ("{{ ${b}", Some("${b}")),
            ("${a:-{{ x }} ${b}", Some("${a:-{{ x }")),
        ] {
            assert_eq!(find(text), found, "{text}");
        }
    }
}
