//! An HTTP rule as the agent translates it for Envoy.
//!
//! In: an [`HttpRule`] and the secrets it names. Out: matchers of headers, all
//! of which have to hold, and header matches with their actions. Follows
//! Cilium 1.20.2 pkg/envoy/policy.

use super::request::{AUTHORITY, METHOD, PATH};
use super::secret::Secrets;
use crate::rule::{HttpRule, Mismatch};
use std::cmp::Ordering;

/// What a header has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Anything, if only it is there.
    Present,
    /// Exactly this.
    Exact(String),
    /// Matched in full by this expression of RE2.
    Regex(String),
    /// Something else than nothing: what Cilium makes of a secret that it
    /// could not read. Meant to match never.
    NotEmpty,
}

/// A condition on one header; without the header it does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderMatcher {
    /// The header, as written; `:path`, `:method`, `:authority` for those.
    pub name: String,
    /// What it has to be.
    pub value: Value,
}

impl HeaderMatcher {
    /// The order Cilium sorts by: texts do not count.
    fn order(&self, other: &Self) -> Ordering {
        let key = |m: &Self| match m.value {
            Value::Present => (1, 0),
            Value::Exact(_) | Value::Regex(_) => (0, 0),
            Value::NotEmpty => (0, 1),
        };
        self.name.cmp(&other.name).then(key(self).cmp(&key(other)))
    }
}

/// A header match with a mismatch action, or whose value Envoy asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderAction {
    /// The header, as written.
    pub name: String,
    /// The value; empty asks only whether the header is there.
    pub value: String,
    /// The secret that Envoy asks for the value.
    pub secret: Option<(String, String)>,
    /// What to do when the header does not match.
    pub mismatch: Mismatch,
}

/// A translated rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TranslatedRule {
    /// Conditions, in Cilium's order; without any every request matches.
    pub headers: Vec<HeaderMatcher>,
    /// Header matches, in the order written, tried when all conditions hold.
    pub actions: Vec<HeaderAction>,
}

impl TranslatedRule {
    /// Translates a rule.
    #[must_use]
    pub fn new(rule: &HttpRule, secrets: &Secrets) -> Self {
        let mut headers = Vec::new();
        for (name, text) in [
            (PATH, &rule.path),
            (METHOD, &rule.method),
            (AUTHORITY, &rule.host),
        ] {
            if !text.is_empty() {
                headers.push(HeaderMatcher {
                    name: name.to_owned(),
                    value: Value::Regex(text.clone()),
                });
            }
        }
        headers.extend(rule.headers.iter().map(|h| header(h)));
        let mut actions = Vec::new();
        for wanted in &rule.header_matches {
            let read = wanted.secret.as_ref().map_or(Ok(None), |s| secrets.read(s));
            let value = match read {
                Ok(Some(value)) if !value.is_empty() => value,
                Err(()) if wanted.value.is_empty() => {
                    headers.push(HeaderMatcher {
                        name: wanted.name.clone(),
                        value: Value::NotEmpty,
                    });
                    continue;
                }
                _ => wanted.value.as_str(),
            };
            let fails = wanted.mismatch == Mismatch::Fail;
            let found = match (value, fails, &wanted.secret) {
                ("", true, None) => Some(Value::Present),
                ("", _, Some(_)) | (_, false, _) => None,
                (value, true, _) => Some(Value::Exact(value.to_owned())),
            };
            match found {
                Some(value) => headers.push(HeaderMatcher {
                    name: wanted.name.clone(),
                    value,
                }),
                None => actions.push(HeaderAction {
                    name: wanted.name.clone(),
                    value: value.to_owned(),
                    secret: wanted.secret.clone().filter(|_| value.is_empty()),
                    mismatch: wanted.mismatch,
                }),
            }
        }
        headers.sort_by(HeaderMatcher::order);
        Self { headers, actions }
    }

    /// The order in which Cilium lists rules: those with fewer conditions
    /// first, then by the conditions' order.
    #[must_use]
    pub fn order(&self, other: &Self) -> Ordering {
        let conditions = self.headers.iter().zip(&other.headers);
        let differing = conditions.map(|(a, b)| a.order(b)).find(|o| o.is_ne());
        self.headers
            .len()
            .cmp(&other.headers.len())
            .then(differing.unwrap_or(Ordering::Equal))
    }
}

/// `X-Name: value` or `X-Name value`, split at the first space; without one,
/// the header has to be there.
fn header(text: &str) -> HeaderMatcher {
    match text.split_once(' ') {
        Some((name, value)) => HeaderMatcher {
            name: name.trim_end_matches(':').to_owned(),
            value: Value::Exact(value.to_owned()),
        },
        None => HeaderMatcher {
            name: text.to_owned(),
            value: Value::Present,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::HeaderMatch;

    /// The table of what Cilium's translator gives.
    #[test]
    fn headers_are_split_at_the_first_space() {
        let exact = |v: &str| Value::Exact(v.to_owned());
        for (text, name, value) in [
            ("X-A: b c", "X-A", exact("b c")),
            ("X-D d", "X-D", exact("d")),
            ("X-E:: e", "X-E", exact("e")),
            ("X-F:  f", "X-F", exact(" f")),
            ("X-B", "X-B", Value::Present),
            ("X-C:d", "X-C:d", Value::Present),
            ("X-G: ", "X-G", exact("")),
        ] {
            let name = name.to_owned();
            assert_eq!(header(text), HeaderMatcher { name, value }, "{text}");
        }
    }

    #[test]
    fn header_matches_become_matchers_or_actions() {
        let secret = ("ns".to_owned(), "key".to_owned());
        let inline = |items: &[(&str, &str)]| {
            let items = items
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
            Secrets::Inline([(secret.clone(), items.collect())].into())
        };
        let translated = |secrets: &Secrets, mismatch, value: &str, named: bool| {
            let rule = HttpRule {
                header_matches: vec![HeaderMatch {
                    mismatch,
                    name: "X".into(),
                    secret: named.then(|| secret.clone()),
                    value: value.into(),
                }],
                ..HttpRule::default()
            };
            let rule = TranslatedRule::new(&rule, secrets);
            let matcher = rule.headers.first().map(|h| h.value.clone());
            (
                matcher,
                rule.actions
                    .first()
                    .map(|a| (a.value.clone(), a.secret.is_some())),
            )
        };
        let (log, fail) = (Mismatch::Log, Mismatch::Fail);
        let exact = |v: &str| (Some(Value::Exact(v.to_owned())), None);
        let action = |v: &str, secret| (None, Some((v.to_owned(), secret)));
        let discovered = Secrets::default();
        let one = inline(&[("a", "s")]);
        let two = inline(&[("a", "s"), ("b", "t")]);
        for (secrets, mismatch, value, named, expected) in [
            (&discovered, fail, "v", false, exact("v")),
            (&discovered, log, "v", false, action("v", false)),
            (&discovered, fail, "", false, (Some(Value::Present), None)),
            (&discovered, log, "", false, action("", false)),
            (&discovered, fail, "", true, action("", true)),
            // A value wins over a secret that only Envoy reads.
            (&discovered, fail, "v", true, exact("v")),
            (&one, fail, "v", true, exact("s")),
            (&one, log, "", true, action("s", false)),
            (&two, fail, "v", true, exact("v")),
            (&two, log, "", true, (Some(Value::NotEmpty), None)),
        ] {
            let found = translated(secrets, mismatch, value, named);
            assert_eq!(found, expected, "{secrets:?} {mismatch:?} {value} {named}");
        }
    }
}
