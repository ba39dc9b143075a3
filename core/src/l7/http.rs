//! HTTP rules, deciding requests.
//!
//! In: the HTTP rules of a port and a [`Request`]. Out: whether one of them
//! lets it through, what becomes of its headers, and for each rule why it did
//! not match. Follows Cilium 1.20.2 pkg/envoy/policy for the rules, and
//! cilium/network_policy.cc of github.com/cilium/proxy for what Envoy does.

use super::http_matcher::{HeaderAction, TranslatedRule, Value};
use super::pattern_set::{Matched, PatternId, PatternSet, Refusal};
use super::request::{AUTHORITY, METHOD, PATH, Request, lower_name};
use super::secret::Secrets;
use crate::rule::{HttpRule, Mismatch};
use std::fmt;
use std::sync::Arc;

/// The fields that expressions are matched with.
const FIELDS: [&str; 3] = [PATH, METHOD, AUTHORITY];

/// The HTTP rules of one port and selector, compiled.
#[derive(Debug)]
pub struct HttpRules {
    rules: Vec<Compiled>,
    /// Expressions of path, method and host.
    patterns: [PatternSet; 3],
    /// Rules by their expression of the path, and those without one.
    by_path: Vec<Vec<usize>>,
    any_path: Vec<usize>,
    has_actions: bool,
    secrets: Secrets,
    refused: Vec<RefusedExpression>,
}

#[derive(Debug)]
struct Compiled {
    source: Arc<HttpRule>,
    patterns: [Option<PatternId>; 3],
    /// Conditions on other headers: the name as requests have it.
    headers: Vec<(String, Value)>,
    actions: Vec<(String, HeaderAction)>,
}

/// An expression that Envoy does not take. The agent looks at `path` and
/// `method` itself; with a bad `host` Envoy refuses the endpoint's whole
/// policy and keeps the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedExpression {
    /// `:path`, `:method` or `:authority`.
    pub field: &'static str,
    /// The expression.
    pub text: String,
    /// Why.
    pub why: Refusal,
}

impl fmt::Display for RefusedExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.why {
            Refusal::Syntax(error) => error.message,
            Refusal::TooLarge => "it is too large",
        };
        let field = match self.field {
            AUTHORITY => "host",
            METHOD => "method",
            _ => "path",
        };
        write!(f, "the proxy refuses {field} `{}`: {why}", self.text)
    }
}

/// What becomes of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpDecision {
    /// A rule lets it through; otherwise the proxy answers 403.
    pub allowed: bool,
    /// The rule that did, or the first of several.
    pub by: Option<Arc<HttpRule>>,
    /// Logged as missing: header and the value wanted.
    pub missing: Vec<(String, String)>,
    /// Logged as rejected: header and the value it had.
    pub rejected: Vec<(String, String)>,
}

/// A rule that did not match, and what of it first did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriedRule {
    /// The rule.
    pub rule: Arc<HttpRule>,
    /// Why it does not match; `None` when it does.
    pub miss: Option<Miss>,
}

/// What of a rule a request does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Miss {
    /// The expression of this field does not match its value in full.
    Field {
        /// `:path`, `:method` or `:authority`.
        field: &'static str,
        /// The expression.
        wanted: String,
        /// The value.
        found: String,
    },
    /// The header is not there.
    NoHeader(String),
    /// The header has another value.
    Header {
        /// Its name.
        name: String,
        /// The value it has.
        found: String,
    },
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field {
                field,
                wanted,
                found,
            } => {
                let field = match *field {
                    METHOD => "method",
                    AUTHORITY => "host",
                    _ => "path",
                };
                write!(f, "{field} `{found}` is not all of `{wanted}`")
            }
            Self::NoHeader(name) => write!(f, "there is no header `{name}`"),
            Self::Header { name, found } => {
                write!(f, "header `{name}` is `{found}`")
            }
        }
    }
}

impl HttpRules {
    /// Compiles rules. An empty list lets everything through.
    #[must_use]
    pub fn new(rules: &[Arc<HttpRule>], secrets: &Secrets) -> Self {
        let mut translated: Vec<(TranslatedRule, &Arc<HttpRule>)> = rules
            .iter()
            .map(|rule| (TranslatedRule::new(rule, secrets), rule))
            .collect();
        translated.sort_by(|(a, _), (b, _)| a.order(b));
        let mut patterns: [PatternSet; 3] = Default::default();
        let mut compiled = Vec::with_capacity(translated.len());
        for (rule, source) in translated {
            let mut one = Compiled {
                source: Arc::clone(source),
                patterns: [None; 3],
                headers: Vec::new(),
                actions: Vec::new(),
            };
            for header in rule.headers {
                let fields = FIELDS.iter().zip(&mut patterns).zip(&mut one.patterns);
                let field = fields.into_iter().find(|((f, _), _)| **f == header.name);
                match (header.value, field) {
                    (Value::Regex(text), Some(((_, set), place))) => {
                        *place = Some(set.add(&text));
                    }
                    (value, _) => one.headers.push((lower_name(&header.name), value)),
                }
            }
            let actions = rule.actions.into_iter();
            one.actions
                .extend(actions.map(|a| (lower_name(&a.name), a)));
            compiled.push(one);
        }
        for set in &mut patterns {
            set.build();
        }
        let mut by_path: Vec<Vec<usize>> = Vec::new();
        let mut any_path = Vec::new();
        for (i, rule) in compiled.iter().enumerate() {
            match rule.patterns {
                [Some(path), ..] => {
                    let path = path as usize;
                    if by_path.len() <= path {
                        by_path.resize_with(path + 1, Vec::new);
                    }
                    if let Some(list) = by_path.get_mut(path) {
                        list.push(i);
                    }
                }
                _ => any_path.push(i),
            }
        }
        let refused = refused(rules, &patterns);
        Self {
            has_actions: compiled.iter().any(|r| !r.actions.is_empty()),
            rules: compiled,
            patterns,
            by_path,
            any_path,
            secrets: secrets.clone(),
            refused,
        }
    }

    /// Expressions that Envoy does not take: with any of them it refuses the
    /// endpoint's whole policy.
    #[must_use]
    pub fn refused(&self) -> &[RefusedExpression] {
        &self.refused
    }

    /// True without any rule: everything is let through.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// True when a rule changes headers or logs them: all rules are tried
    /// then, instead of the first that matches.
    #[must_use]
    pub const fn has_actions(&self) -> bool {
        self.has_actions
    }

    /// Decides a request, whose headers change as the rules say.
    pub fn decide(&self, request: &mut Request) -> HttpDecision {
        let mut decision = HttpDecision::default();
        if self.rules.is_empty() {
            decision.allowed = true;
            return decision;
        }
        if !self.refused.is_empty() {
            return decision;
        }
        let mut matched = self.matched(request);
        if !self.has_actions {
            let by = self
                .candidates(&matched)
                .find(|rule| rule.matches(&matched, request));
            decision.allowed = by.is_some();
            decision.by = by.map(|rule| Arc::clone(&rule.source));
            return decision;
        }
        for rule in &self.rules {
            if !rule.matches(&matched, request) {
                continue;
            }
            let mut accepted = true;
            for (name, action) in &rule.actions {
                accepted &= self.act(name, action, request, &mut decision);
                if name.starts_with(':') {
                    matched = self.matched(request);
                }
            }
            if accepted && !decision.allowed {
                decision.allowed = true;
                decision.by = Some(Arc::clone(&rule.source));
            }
        }
        decision
    }

    /// Every rule in the order it is tried, with what of it does not match.
    /// Nothing is changed.
    #[must_use]
    pub fn tried(&self, request: &Request) -> Vec<TriedRule> {
        let matched = self.matched(request);
        self.rules
            .iter()
            .map(|rule| TriedRule {
                rule: Arc::clone(&rule.source),
                miss: rule
                    .miss(&matched, request)
                    .or_else(|| self.failing_action(rule, request)),
            })
            .collect()
    }

    fn matched(&self, request: &Request) -> [Matched; 3] {
        let mut all: [Matched; 3] = Default::default();
        for ((set, field), found) in self.patterns.iter().zip(FIELDS).zip(&mut all) {
            if let Some(value) = request.get(field) {
                *found = set.matches(value.as_bytes());
            }
        }
        all
    }

    /// The rules whose expression of the path matches, and those without.
    fn candidates(&self, matched: &[Matched; 3]) -> impl Iterator<Item = &Compiled> {
        let [paths, ..] = matched;
        let listed = paths.iter().filter_map(|id| self.by_path.get(*id as usize));
        let numbers = listed.flatten().chain(&self.any_path);
        numbers.filter_map(|i| self.rules.get(*i))
    }

    /// The value a header match wants; `None` while Envoy has not been given
    /// the secret.
    fn wanted<'a>(&'a self, action: &'a HeaderAction) -> Option<&'a str> {
        match &action.secret {
            Some(secret) => self.secrets.delivered(secret),
            None => Some(&action.value),
        }
    }

    /// Applies a header match; false when its rule does not match for it.
    fn act(
        &self,
        name: &str,
        action: &HeaderAction,
        request: &mut Request,
        decision: &mut HttpDecision,
    ) -> bool {
        let Some(wanted) = self.wanted(action) else {
            return false;
        };
        let found = request.get(name).map(std::borrow::Cow::into_owned);
        if let Some(found) = &found
            && (wanted.is_empty() || found == wanted)
        {
            return true;
        }
        let shown = |value: &str| match action.secret {
            Some(_) => (name.to_owned(), "[redacted]".to_owned()),
            None => (name.to_owned(), value.to_owned()),
        };
        match action.mismatch {
            Mismatch::Fail => {
                decision.missing.push(shown(wanted));
                return false;
            }
            Mismatch::Log => decision.missing.push(shown(wanted)),
            Mismatch::Add => {
                request.add(name, wanted);
                decision.missing.push(shown(wanted));
            }
            Mismatch::Delete => {
                if let Some(found) = found.filter(|_| !wanted.is_empty()) {
                    request.remove(name);
                    decision.rejected.push(shown(&found));
                }
            }
            Mismatch::Replace => {
                if let Some(found) = found {
                    decision.rejected.push(shown(&found));
                }
                request.set(name, wanted);
                decision.missing.push(shown(wanted));
            }
        }
        true
    }

    fn failing_action(&self, rule: &Compiled, request: &Request) -> Option<Miss> {
        rule.actions.iter().find_map(|(name, action)| {
            let found = request.get(name);
            match self.wanted(action) {
                None => Some(Miss::NoHeader(name.clone())),
                Some(_) if action.mismatch != Mismatch::Fail => None,
                Some(wanted) => match found {
                    None => Some(Miss::NoHeader(name.clone())),
                    Some(found) if wanted.is_empty() || found == wanted => None,
                    Some(found) => Some(Miss::Header {
                        name: name.clone(),
                        found: found.into_owned(),
                    }),
                },
            }
        })
    }
}

impl Compiled {
    fn matches(&self, matched: &[Matched; 3], request: &Request) -> bool {
        let fields = self.patterns.iter().zip(matched);
        let all = |(wanted, found): (&Option<PatternId>, &Matched)| {
            wanted.is_none_or(|id| found.contains(&id))
        };
        fields.into_iter().all(all) && self.headers.iter().all(|h| holds(h, request))
    }

    fn miss(&self, matched: &[Matched; 3], request: &Request) -> Option<Miss> {
        let source = &self.source;
        let texts = [&source.path, &source.method, &source.host];
        let fields = FIELDS.into_iter().zip(texts);
        let mut fields = fields.zip(self.patterns.iter().zip(matched));
        let field = fields.find_map(|((field, text), (wanted, found))| {
            let missed = wanted.is_some_and(|id| !found.contains(&id));
            missed.then(|| Miss::Field {
                field,
                wanted: text.clone(),
                found: request.get(field).unwrap_or_default().into_owned(),
            })
        });
        field.or_else(|| {
            let header = self.headers.iter().find(|h| !holds(h, request))?;
            let (name, _) = header;
            Some(match request.get(name) {
                None => Miss::NoHeader(name.clone()),
                Some(found) => Miss::Header {
                    name: name.clone(),
                    found: found.into_owned(),
                },
            })
        })
    }
}

/// Without the header nothing holds.
fn holds((name, wanted): &(String, Value), request: &Request) -> bool {
    let Some(found) = request.get(name) else {
        return false;
    };
    match wanted {
        Value::Present => true,
        Value::Exact(text) => found == text.as_str(),
        Value::NotEmpty => !found.is_empty(),
        // Expressions are of the three fields alone.
        Value::Regex(_) => false,
    }
}

fn refused(rules: &[Arc<HttpRule>], patterns: &[PatternSet; 3]) -> Vec<RefusedExpression> {
    let mut all = Vec::new();
    for ((set, field), pick) in patterns.iter().zip(FIELDS).zip(PICK) {
        for (id, why) in set.refused() {
            let text = rules
                .iter()
                .map(|r| pick(r))
                .find(|t| set.id(t) == Some(*id));
            all.push(RefusedExpression {
                field,
                text: text.unwrap_or_default().to_owned(),
                why: *why,
            });
        }
    }
    all
}

const PICK: [fn(&HttpRule) -> &str; 3] = [|r| &r.path, |r| &r.method, |r| &r.host];

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
