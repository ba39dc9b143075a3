//! Which texts may be label keys and values.
//!
//! In: keys and values of selectors. Out: what is wrong with them, in words.
//! Rules: Kubernetes k8s.io/apimachinery pkg/api/validate/content, and Cilium
//! 1.20.2 pkg/labels/validation.go for keys with a source prefix.
//!
//! ```
//! use netverdict::object::label_syntax::{is_subdomain, key_problem, sourced_key_problem, value_problem};
//!
//! assert_eq!(key_problem("example.com/team"), None);
//! assert!(key_problem("a/b/c").is_some());
//! // Cilium's selectors may say where a label comes from.
//! assert_eq!(sourced_key_problem("k8s:app"), None);
//! assert!(value_problem("two words").is_some());
//! assert!(is_subdomain("example.com") && !is_subdomain("Example.com"));
//! ```

/// The longest name part of a key, and the longest value, in bytes.
pub const MAX_LENGTH: usize = 63;
const MAX_SUBDOMAIN: usize = 253;

/// What is wrong with a Kubernetes label key (`name` or `prefix/name`);
/// nothing when it is valid.
#[must_use]
pub fn key_problem(key: &str) -> Option<&'static str> {
    let mut parts = key.split('/');
    let (first, second, third) = (parts.next(), parts.next(), parts.next());
    let name = match (first, second, third) {
        (Some(name), None, _) => name,
        (Some(""), Some(_), None) => return Some("nothing stands before the `/`"),
        (Some(prefix), Some(name), None) if is_subdomain(prefix) => name,
        (Some(_), Some(_), None) => {
            return Some("the part before `/` must be a DNS name in lower case");
        }
        _ => return Some("a key has at most one `/`"),
    };
    if name.is_empty() {
        Some("the name is empty")
    } else if name.len() > MAX_LENGTH {
        Some("the name is longer than 63 characters")
    } else if !is_word(name) {
        Some(
            "the name takes letters, digits, `-`, `_` and `.`, with a letter or digit at both ends",
        )
    } else {
        None
    }
}

/// What is wrong with a key that may carry a source (`k8s:app`).
#[must_use]
pub fn sourced_key_problem(key: &str) -> Option<&'static str> {
    let mut parts = key.split(':');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(key), None, _) => key_problem(key),
        (Some(source), Some(key), None) => {
            if source.is_empty() || !source.bytes().all(|b| b.is_ascii_alphanumeric()) {
                return Some("the source before `:` takes letters and digits only");
            }
            key_problem(key)
        }
        _ => Some("a key has at most one `:`, after its source"),
    }
}

/// What is wrong with a label value; the empty one is valid.
#[must_use]
pub fn value_problem(value: &str) -> Option<&'static str> {
    if value.len() > MAX_LENGTH {
        Some("the value is longer than 63 characters")
    } else if !value.is_empty() && !is_word(value) {
        Some("a value takes letters, digits, `-`, `_` and `.`, with a letter or digit at both ends")
    } else {
        None
    }
}

fn is_word(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let end = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.iter().all(|b| inner(*b)) && end(bytes.first()) && end(bytes.last())
}

/// True for a DNS-1123 subdomain: dotted labels of lower-case letters, digits
/// and inner dashes, at most 253 bytes.
#[must_use]
pub fn is_subdomain(text: &str) -> bool {
    text.len() <= MAX_SUBDOMAIN
        && text.split('.').all(|label| {
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
            !label.is_empty()
                && label.bytes().all(|b| plain(b) || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values() {
        for key in [
            "app",
            "a.b_c-d",
            "example.com/App",
            "1",
            "io.kubernetes.pod.namespace",
        ] {
            assert_eq!(key_problem(key), None, "{key}");
            assert_eq!(sourced_key_problem(&format!("k8s:{key}")), None, "{key}");
        }
        assert_eq!(sourced_key_problem("cidr:10.0.0.0/8"), None);
        let long = "a".repeat(64);
        for key in [
            "",
            "/",
            "/a",
            "a/",
            "a/b/c",
            "A.com/x",
            "-a",
            "a-",
            "a b",
            "a..b/-",
            &long,
            "é",
            "a_b.com/x",
            "a=b",
        ] {
            assert!(key_problem(key).is_some(), "{key}");
        }
        for key in [
            "a:b:c",
            "$host",
            ":a",
            "k-8s:a",
            "k8s:",
            "cidr:2001:db8::/32",
        ] {
            assert!(sourced_key_problem(key).is_some(), "{key}");
        }
        for value in ["", "a", "A.b_c-1", "a--b"] {
            assert_eq!(value_problem(value), None, "{value}");
        }
        for value in ["-", "a ", "a/b", "${X}", "*", &long] {
            assert!(value_problem(value).is_some(), "{value}");
        }
    }
}
