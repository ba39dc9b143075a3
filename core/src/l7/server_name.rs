//! TLS server names against `serverNames`.
//!
//! In: names and patterns as written, and the name of a ClientHello. Out:
//! what the agent makes of them for the proxy, and whether one matches.
//! Follows Cilium 1.20.2 pkg/envoy/utils.go (`sanitizeServerNamePattern`) and
//! `SniPattern` in cilium/network_policy.{h,cc} of github.com/cilium/proxy.

use crate::identity::NamePattern;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A server name or pattern as the agent sends it to the proxy: a final dot
/// is cut, stars in a row become one, but two before a first dot.
///
/// ```
/// use netverdict::l7::sent_server_name;
///
/// assert_eq!(sent_server_name("api.example.com."), "api.example.com");
/// ```
#[must_use]
pub fn sent_server_name(text: &str) -> String {
    let text = text.strip_suffix('.').unwrap_or(text);
    let stars = text.bytes().take_while(|b| *b == b'*').count();
    let after = text.get(stars..).unwrap_or_default();
    let (prefix, rest) = match after.strip_prefix('.') {
        Some(rest) if stars >= 2 => ("**.", rest),
        _ => ("", text),
    };
    let mut sent = prefix.to_owned();
    let mut star = false;
    for c in rest.chars() {
        if c != '*' || !star {
            sent.push(c);
        }
        star = c == '*';
    }
    sent
}

/// The server names of one port and selector.
#[derive(Clone, Debug, Default)]
pub struct ServerNames {
    restricts: bool,
    patterns: Vec<(Arc<str>, NamePattern)>,
    refused: Vec<Arc<str>>,
}

impl ServerNames {
    /// Reads names; without any nothing is restricted.
    ///
    /// ```
    /// use netverdict::l7::ServerNames;
    ///
    /// let names = ServerNames::new(&["*.example.com".into()].into());
    /// assert!(names.allows(Some("api.example.com")));
    /// assert!(!names.allows(Some("example.org")) && !names.allows(None));
    /// ```
    #[must_use]
    pub fn new(names: &BTreeSet<Arc<str>>) -> Self {
        let mut all = Self {
            restricts: !names.is_empty(),
            ..Self::default()
        };
        for name in names {
            let sent = sent_server_name(name);
            if sent.is_empty() {
                // Taken, and matches nothing.
                continue;
            }
            let valid = sent.split('.').all(is_label);
            match NamePattern::of_rule(&format!("{sent}.")).filter(|_| valid) {
                Some(pattern) => all.patterns.push((Arc::clone(name), pattern)),
                None => all.refused.push(Arc::clone(name)),
            }
        }
        all
    }

    /// True without any name: every connection is let through.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        !self.restricts
    }

    /// Names that the proxy does not take: with one of them it refuses the
    /// endpoint's whole policy.
    #[must_use]
    pub fn refused(&self) -> &[Arc<str>] {
        &self.refused
    }

    /// Whether a connection with this server name is let through; `None` is
    /// one that names no server.
    #[must_use]
    pub fn allows(&self, name: Option<&str>) -> bool {
        !self.restricts || self.matching(name).is_some()
    }

    /// The name or pattern, as written, that lets a connection through.
    #[must_use]
    pub fn matching(&self, name: Option<&str>) -> Option<&str> {
        let name = name.filter(|n| !n.is_empty() && self.refused.is_empty())?;
        // Patterns end in a dot, as those of DNS do; server names do not.
        let dotted = format!("{}.", name.to_ascii_lowercase());
        let mut all = self.patterns.iter();
        let found = all.find(|(_, p)| p.matches_canonical(&dotted))?;
        Some(&found.0)
    }
}

/// One star, two, or characters of names with single stars between them.
fn is_label(label: &str) -> bool {
    matches!(label, "*" | "**")
        || (!label.is_empty()
            && !label.contains("**")
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'*')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sent_and_matched_as_in_cilium() {
        let any = &["a.io", "x", "a-_b.c.d"][..];
        for (text, sent, yes, no) in [
            ("*", "*", any, &["", "a..b", "a.io.", "."][..]),
            ("**", "*", any, &[]),
            ("*.", "*", any, &[]),
            ("**.", "*", any, &[]),
            ("*.io", "*.io", &["a.io", ".io"], &["a.b.io", "io"]),
            ("**.io", "**.io", &["a.io", "a.b.io"], &["io", ".io"]),
            ("****.io.", "**.io", &["a.b.io"], &["io"]),
            (
                "*cilium.io",
                "*cilium.io",
                &["cilium.io", "sub-cilium.io"],
                &["www.cilium.io"],
            ),
            ("sub.**.io", "sub.*.io", &["sub.a.io"], &["sub.a.b.io"]),
            ("a**b.io", "a*b.io", &["ab.io", "axb.io"], &["a.b.io"]),
            ("*.*", "*.*", &["a.b"], &["a.b.c"]),
            ("**.**", "**.*", &["a.b.c"], &["a"]),
            (
                "WWW.Cilium.io.",
                "WWW.Cilium.io",
                &["www.cilium.IO"],
                &["cilium.io"],
            ),
            (".", "", &[], &["", "."]),
        ] {
            assert_eq!(sent_server_name(text), sent, "{text}");
            let names = ServerNames::new(&[text.into()].into());
            assert!(names.refused().is_empty(), "{text}");
            for name in yes {
                assert!(names.allows(Some(name)), "{text} {name}");
            }
            for name in no {
                assert!(!names.allows(Some(name)), "{text} {name}");
            }
            assert!(!names.allows(None), "{text} without a name");
        }
    }

    #[test]
    fn what_the_proxy_refuses_stops_everything() {
        for bad in ["a..b", ".a", "**..a", "a/b", "é.io"] {
            let names = ServerNames::new(&[bad.into(), "a.io".into()].into());
            assert_eq!(names.refused(), [Arc::from(bad)], "{bad}");
            assert!(!names.allows(Some("a.io")), "{bad}");
        }
        assert!(ServerNames::new(&BTreeSet::new()).allows(None));
    }
}
