//! DNS names and patterns as policies may write them.
//!
//! In: the text of `matchName`, `matchPattern`. Out: whether Cilium accepts
//! it. Rules: Cilium 1.20.2 pkg/policy/api/fqdn.go and
//! pkg/fqdn/matchpattern/matchpattern.go (`prevalidate`).
//!
//! ```
//! use netverdict::object::fqdn::{check_name, check_pattern};
//!
//! assert!(check_name("api.example.com").is_ok());
//! assert!(check_name("*.example.com").is_err());
//! assert!(check_pattern("*.example.com").is_ok());
//! ```

/// The longest `matchPattern`, in bytes.
pub const MAX_LENGTH: usize = 255;

/// Why a name or pattern is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FqdnError {
    /// A character that names do not have, at this byte.
    Character(usize),
    /// Longer than [`MAX_LENGTH`].
    Length,
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// Checks a `matchName`; the empty one counts as absent.
///
/// # Errors
///
/// The first character that is none of letters, digits, `-`, `_` and `.`.
pub fn check_name(name: &str) -> Result<(), FqdnError> {
    match name.find(|c| !is_name_char(c)) {
        Some(at) => Err(FqdnError::Character(at)),
        None => Ok(()),
    }
}

/// Checks a `matchPattern`; the empty one counts as absent.
///
/// # Errors
///
/// Too long, or the first character that is none of letters, digits, `-`,
/// `_`, `.` and `*`.
pub fn check_pattern(pattern: &str) -> Result<(), FqdnError> {
    if pattern.trim().len() > MAX_LENGTH {
        return Err(FqdnError::Length);
    }
    match pattern.find(|c| c != '*' && !is_name_char(c)) {
        Some(at) => Err(FqdnError::Character(at)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_patterns() {
        for ok in ["", ".", "cilium.io", "a_b.io.", "1.2.3.4", "..", "A-"] {
            assert_eq!(check_name(ok), Ok(()), "{ok}");
            assert_eq!(check_pattern(ok), Ok(()), "{ok}");
        }
        assert_eq!(check_pattern("**.*a*.io"), Ok(()));
        assert_eq!(check_name("*.io"), Err(FqdnError::Character(0)));
        for bad in ["a b", "a$", "é.io", "*.io ", "http://a"] {
            assert!(check_pattern(bad).is_err(), "{bad}");
        }
        assert_eq!(check_pattern(&"a".repeat(255)), Ok(()));
        assert_eq!(check_pattern(&"a".repeat(256)), Err(FqdnError::Length));
        assert_eq!(check_name(&"a".repeat(300)), Ok(()));
    }
}
