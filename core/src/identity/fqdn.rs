//! DNS names against the names and patterns of `toFQDNs`.
//!
//! In: `matchName` or `matchPattern` as written, and names that were looked
//! up. Out: whether they match, which gives the name's addresses the label of
//! the selector. Follows Cilium 1.20.2 pkg/fqdn/matchpattern and
//! pkg/policy/api/fqdn.go.

use crate::object::fqdn::MAX_LENGTH;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    /// This byte.
    Byte(u8),
    /// Any number of characters of one DNS label.
    Star,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    /// Every well-formed name, and the root.
    All,
    Tokens {
        /// One or more whole labels and their dot come first.
        subdomains: bool,
        tokens: Vec<Token>,
    },
}

/// A name or pattern ready to match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern {
    shape: Shape,
}

impl NamePattern {
    /// Reads a `matchPattern`, or a `matchName`, which is a pattern without
    /// stars. `None` for what Cilium never registers: other characters, or
    /// more than 255 of them with the final dot.
    ///
    /// ```
    /// use netverdict::identity::NamePattern;
    ///
    /// let pattern = NamePattern::new("*.example.com").expect("a pattern");
    /// assert!(pattern.matches("api.example.com"));
    /// // A star stands for one label's characters, and the dot is wanted.
    /// assert!(!pattern.matches("example.com") && !pattern.matches("a.b.example.com"));
    /// ```
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        if !is_all(text) && dotted(text).len() > MAX_LENGTH {
            return None;
        }
        Self::of_rule(text)
    }

    /// Reads a name or pattern of a DNS rule, which validation alone limits in
    /// length. `None` for other characters.
    #[must_use]
    pub fn of_rule(text: &str) -> Option<Self> {
        if is_all(text) {
            return Some(Self { shape: Shape::All });
        }
        let dotted = dotted(text);
        if dotted
            .bytes()
            .any(|b| !is_label_byte(b) && !matches!(b, b'.' | b'*'))
        {
            return None;
        }
        let first = dotted.find(|c| c != '*').unwrap_or(0);
        let after = dotted.get(first..).unwrap_or_default();
        let (subdomains, rest) = match after.strip_prefix('.') {
            Some(rest) if first >= 2 => (true, rest),
            _ => (false, dotted.as_str()),
        };
        let mut tokens = Vec::with_capacity(rest.len());
        for byte in rest.bytes() {
            match byte {
                b'*' if tokens.last() == Some(&Token::Star) => {}
                b'*' => tokens.push(Token::Star),
                other => tokens.push(Token::Byte(other)),
            }
        }
        Some(Self {
            shape: Shape::Tokens { subdomains, tokens },
        })
    }

    /// True for a pattern of stars alone, which DNS rules take for every name
    /// there is, and selectors for every well-formed one.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.shape == Shape::All
    }

    /// Tests a name, in any case, with or without its final dot.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        self.matches_canonical(&dotted(name))
    }

    /// Tests a name as it is: [`canonical_name`] makes such names.
    #[must_use]
    pub fn matches_canonical(&self, name: &str) -> bool {
        let name = name.as_bytes();
        match &self.shape {
            Shape::All => name == b"." || labels_end(name).last() == Some(name.len()),
            Shape::Tokens {
                subdomains: false,
                tokens,
            } => matches_tokens(tokens, name),
            Shape::Tokens { tokens, .. } => labels_end(name)
                .any(|end| matches_tokens(tokens, name.get(end..).unwrap_or_default())),
        }
    }
}

/// Stars alone, perhaps with a final dot.
fn is_all(text: &str) -> bool {
    let stars = text.strip_suffix('.').unwrap_or(text);
    !stars.is_empty() && stars.bytes().all(|b| b == b'*')
}

/// A name as Cilium keeps and compares it: in lower case, with a final dot.
#[must_use]
pub fn canonical_name(name: &str) -> String {
    dotted(name)
}

/// Lower case, with a final dot. Go lowers two more characters to letters that
/// names have; no other makes a name out of what is none.
fn dotted(name: &str) -> String {
    let mut lower: String = name
        .chars()
        .map(|c| match c {
            '\u{212a}' => 'k',
            '\u{130}' => 'i',
            c => c.to_ascii_lowercase(),
        })
        .collect();
    if !lower.ends_with('.') {
        lower.push('.');
    }
    lower
}

fn is_label_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')
}

/// Where each leading well-formed label ends, its dot included.
fn labels_end(name: &[u8]) -> impl Iterator<Item = usize> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = name.get(start..)?;
        let length = rest.iter().take_while(|b| is_label_byte(**b)).count();
        if length == 0 || rest.get(length) != Some(&b'.') {
            return None;
        }
        start += length + 1;
        Some(start)
    })
}

/// Tries all ways at once: which prefixes of `tokens` may end here.
fn matches_tokens(tokens: &[Token], name: &[u8]) -> bool {
    let mut at = vec![false; tokens.len() + 1];
    if let Some(first) = at.first_mut() {
        *first = true;
    }
    skip_stars(tokens, &mut at);
    for byte in name {
        let mut next = vec![false; tokens.len() + 1];
        for (i, token) in tokens.iter().enumerate() {
            if at.get(i) != Some(&true) {
                continue;
            }
            let to = match token {
                Token::Byte(b) if b == byte => i + 1,
                Token::Star if is_label_byte(*byte) => i,
                _ => continue,
            };
            if let Some(slot) = next.get_mut(to) {
                *slot = true;
            }
        }
        skip_stars(tokens, &mut next);
        at = next;
    }
    at.last() == Some(&true)
}

/// A star also stands for nothing.
fn skip_stars(tokens: &[Token], at: &mut [bool]) {
    for (i, token) in tokens.iter().enumerate() {
        if *token == Token::Star
            && at.get(i) == Some(&true)
            && let Some(slot) = at.get_mut(i + 1)
        {
            *slot = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with Cilium's own code.
    #[test]
    fn patterns_match_as_in_cilium() {
        for (pattern, yes, no) in [
            (
                "*.cilium.io",
                &["www.cilium.io", ".cilium.io."][..],
                &["cilium.io", "a.b.cilium.io"][..],
            ),
            (
                "*cilium.io",
                &["cilium.io", "sub-cilium.io"],
                &["www.cilium.io"],
            ),
            (
                "**.cilium.io",
                &["a.cilium.io", "a.b.cilium.io"],
                &["cilium.io", ".cilium.io"],
            ),
            ("***.cilium.io.", &["a.b.cilium.io"], &["cilium.io"]),
            ("**cilium.io", &["xcilium.io"], &["a.b.cilium.io"]),
            (
                "sub.**.cilium.io",
                &["sub.a.cilium.io", "sub..cilium.io"],
                &["sub.a.b.cilium.io"],
            ),
            ("a*b.io", &["ab.io", "a-_9b.io"], &["a.b.io"]),
            ("*-*.io", &["-.io"], &[".io"]),
            ("*.*", &["a.b"], &["a.b.c"]),
            ("**.*", &["a.b", "a.b.c"], &[]),
            ("*", &["cilium.io", "a.b.c", "."], &["bad/name.io", "a..b"]),
            ("**.", &["cilium.io", "."], &[]),
            ("WWW.Cilium.IO", &["www.cilium.io"], &["cilium.io"]),
            ("a_b.io", &["A_b.io"], &["axb.io"]),
            (".", &["."], &["x."]),
            ("", &["."], &["x."]),
            ("..", &[], &["x."]),
            ("cilium.io..", &[], &["cilium.io"]),
        ] {
            let p = NamePattern::new(pattern).unwrap();
            for name in yes {
                assert!(p.matches(name), "{pattern} {name}");
            }
            for name in no {
                assert!(!p.matches(name), "{pattern} {name}");
            }
        }
    }

    #[test]
    fn what_cilium_does_not_register_matches_nothing() {
        for bad in ["a b", "a$", "é.io", &"a".repeat(255)] {
            assert_eq!(NamePattern::new(bad), None, "{bad}");
        }
        assert!(NamePattern::new(&"a".repeat(254)).is_some());
        // Many stars take linear time per character.
        let slow = NamePattern::new(&"a*".repeat(120)).unwrap();
        assert!(slow.matches(&"a".repeat(250)) && !slow.matches(&"b".repeat(250)));
    }
}
