//! DNS rules, deciding queries.
//!
//! In: the DNS rules of a port, and a name that is asked for. Out: whether the
//! query goes on or is refused. Follows Cilium 1.20.2 pkg/fqdn/dnsproxy
//! (`GeneratePattern`, `CheckAllowed`).
//!
//! ```
//! use netverdict::l7::{DnsRules, dns_rule_allows};
//!
//! // A name, or a pattern.
//! let rules = [("".into(), "*.example.com".into())];
//! assert!(DnsRules::new(&rules).allows("api.example.com."));
//! assert!(!dns_rule_allows(&rules[0], "example.org"));
//! ```

use crate::identity::{NamePattern, canonical_name};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A DNS rule: `matchName` and `matchPattern`; either may be empty.
pub type DnsRule = (Arc<str>, Arc<str>);

/// The DNS rules of one port and selector, ready to decide.
#[derive(Clone, Debug, Default)]
pub struct DnsRules {
    /// Every name is allowed, even one that no pattern would match.
    everything: bool,
    /// Names without stars.
    names: BTreeSet<String>,
    patterns: Vec<NamePattern>,
}

impl DnsRules {
    /// Reads rules. An empty list allows everything; an empty rule in a list
    /// allows nothing by itself.
    #[must_use]
    pub fn new(rules: &[DnsRule]) -> Self {
        let mut all = Self {
            everything: rules.is_empty(),
            ..Self::default()
        };
        for (name, pattern) in rules {
            all.add(name, false);
            all.add(pattern, true);
        }
        all
    }

    fn add(&mut self, text: &str, may_be_everything: bool) {
        if text.is_empty() {
            return;
        }
        match NamePattern::of_rule(text) {
            Some(pattern) if pattern.is_all() => self.everything |= may_be_everything,
            Some(pattern) if text.contains('*') => self.patterns.push(pattern),
            Some(_) => {
                self.names.insert(canonical_name(text));
            }
            None => {}
        }
    }

    /// Whether a query for a name goes on. Otherwise the proxy answers it
    /// itself: refused.
    #[must_use]
    pub fn allows(&self, name: &str) -> bool {
        if self.everything {
            return true;
        }
        let name = canonical_name(name);
        self.names.contains(&name) || self.patterns.iter().any(|p| p.matches_canonical(&name))
    }
}

/// Whether one rule by itself allows a name, for telling which did.
#[must_use]
pub fn dns_rule_allows(rule: &DnsRule, name: &str) -> bool {
    DnsRules::new(std::slice::from_ref(rule)).allows(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(rules: &[(&str, &str)], name: &str) -> bool {
        let rules: Vec<DnsRule> = rules
            .iter()
            .map(|(n, p)| ((*n).into(), (*p).into()))
            .collect();
        DnsRules::new(&rules).allows(name)
    }

    /// Computed with Cilium's own code.
    #[test]
    fn rules_allow_as_in_cilium() {
        for (rules, name, expected) in [
            (&[][..], "anything at all", true),
            (&[("", "")], "a.io", false),
            (&[("", ""), ("a.io", "")], "a.io", true),
            (&[("A.io", "")], "a.IO.", true),
            (&[("a.io", "")], "b.a.io", false),
            (&[("a.io", "*.b.io")], "x.b.io", true),
            (&[("", "*.b.io")], "b.io", false),
            (&[("", "*.b.io")], "x.y.b.io", false),
            (&[("", "**.b.io")], "x.y.b.io", true),
            (&[("", "*b.io")], "b.io", true),
            (&[("", "*")], "bad/name.io", true),
            (&[("", "**.")], ".", true),
            (&[("", "*.*")], "a.b", true),
            (&[("", "a_b*.io")], "a_bc.io", true),
            (&[(".", "")], ".", true),
            (&[("cilium.io..", "")], "cilium.io", false),
        ] {
            assert_eq!(allows(rules, name), expected, "{rules:?} {name}");
        }
        // Longer than a selector may be.
        let long = "a".repeat(255);
        assert!(allows(&[(&long, "")], &long));
    }
}
