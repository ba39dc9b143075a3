//! Which labels of a pod make its identity, and which only inform.
//!
//! In: labels, and the agent's options `labels` and `label-prefix-file`. Out:
//! for each label whether it is part of the identity. Follows Cilium 1.20.2
//! pkg/labelsfilter/filter.go.

use super::{Label, LabelSet, LabelSource, keys};
use crate::object::regex as go;
use regex::bytes::{Regex, RegexBuilder};
use serde::Deserialize;
use std::fmt;

/// Prefixes of keys that are kept although a rule below drops more of them.
const INCLUDED: [&str; 5] = [
    keys::POD_NAMESPACE,
    keys::NAMESPACE_LABELS,
    "app.kubernetes.io",
    keys::CLUSTER,
    keys::SERVICE_ACCOUNT,
];

/// Prefixes of keys that are dropped.
const IGNORED: [&str; 13] = [
    "io.kubernetes",
    "kubernetes.io",
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
    "batch.kubernetes.io/job-completion-index",
    "batch.kubernetes.io/controller-uid",
    "k8s.io",
    "pod-template-generation",
    "pod-template-hash",
    "controller-revision-hash",
    "controller-uid",
    "etcd_node",
    "topology.kubernetes.io",
];

/// Dropped wherever it stands in a key.
const IGNORED_ANYWHERE: &str = "beta.kubernetes.io";
/// Dropped with whatever follows it.
const IGNORED_WHOLE: &str = "annotation";

/// Bytes a compiled pattern may take.
const MAX_PATTERN_SIZE: usize = 1 << 20;
/// The only version of prefix files.
const FILE_VERSION: i64 = 1;

/// Why a filter cannot be made. Cilium's agent does not start then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilterError {
    /// Nothing stands after the source.
    Empty {
        /// The pattern as given.
        pattern: String,
    },
    /// It is no regular expression.
    Pattern {
        /// The pattern as given.
        pattern: String,
        /// What is wrong with it.
        why: String,
    },
    /// The prefix file cannot be used: what is wrong with it.
    File(String),
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty { pattern } => write!(f, "label pattern `{pattern}` is empty"),
            Self::Pattern { pattern, why } => {
                write!(
                    f,
                    "label pattern `{pattern}` is no regular expression: {why}"
                )
            }
            Self::File(why) => write!(f, "label prefix file: {why}"),
        }
    }
}

impl std::error::Error for FilterError {}

#[derive(Clone, Debug)]
enum Expression {
    /// A regular expression that has to match from the key's first byte.
    Regex(Regex),
    /// A literal prefix, from a prefix file.
    Prefix(String),
}

#[derive(Clone, Debug)]
struct Pattern {
    /// The source it is limited to.
    source: Option<LabelSource>,
    ignore: bool,
    expression: Expression,
}

impl Pattern {
    /// Reads `[source:][!]regex`.
    fn parse(text: &str) -> Result<Self, FilterError> {
        let (source, rest) = text.split_once(':').unwrap_or(("", text));
        if rest.is_empty() {
            return Err(FilterError::Empty {
                pattern: text.to_owned(),
            });
        }
        let ignore = rest.starts_with('!');
        let expression = rest.strip_prefix('!').unwrap_or(rest);
        let refused = |why: String| FilterError::Pattern {
            pattern: text.to_owned(),
            why,
        };
        go::check(expression).map_err(|e| refused(e.message.to_owned()))?;
        // Keys are ASCII, and Go's classes are too.
        let regex = RegexBuilder::new(expression)
            .unicode(false)
            .size_limit(MAX_PATTERN_SIZE)
            .build()
            .map_err(|e| refused(e.to_string()))?;
        Ok(Self {
            source: source_of(source),
            ignore,
            expression: Expression::Regex(regex),
        })
    }

    /// How much of a key it covers, if it covers its beginning.
    ///
    /// The leftmost match decides: one that starts later means none, even
    /// where another match would start at the beginning.
    fn covers(&self, label: &Label) -> Option<usize> {
        if self.source.as_ref().is_some_and(|s| s != label.source()) {
            return None;
        }
        match &self.expression {
            Expression::Prefix(prefix) => label
                .key()
                .starts_with(prefix.as_str())
                .then_some(prefix.len()),
            Expression::Regex(regex) => regex
                .find(label.key().as_bytes())
                .filter(|found| found.start() == 0)
                .map(|found| found.end()),
        }
    }
}

fn source_of(text: &str) -> Option<LabelSource> {
    (!text.is_empty()).then(|| LabelSource::new(text))
}

/// The filter of labels that make identities.
///
/// A label is kept when no rule drops it (unless only listed labels are
/// wanted), or when the longest rule that includes it covers more of its key
/// than the shortest one that drops it.
#[derive(Clone, Debug, Default)]
pub struct LabelFilter {
    /// A prefix file takes the place of the default rules.
    without_defaults: bool,
    patterns: Vec<Pattern>,
    /// Somebody listed labels to include: unlisted ones are dropped.
    only_listed: bool,
}

impl LabelFilter {
    /// The default rules, and those of the agent's option `labels`, each
    /// `[source:][!]regex`; empty texts are passed over.
    ///
    /// ```
    /// use netverdict::label::{Label, LabelFilter};
    ///
    /// // A name says what is kept, and nothing else is.
    /// let filter = LabelFilter::new(["app"])?;
    /// assert!(filter.keeps(&Label::k8s("app", "web")));
    /// assert!(!filter.keeps(&Label::k8s("version", "7")));
    /// # Ok::<(), netverdict::label::FilterError>(())
    /// ```
    ///
    /// # Errors
    /// The first pattern that Cilium would refuse, or that cannot be compiled
    /// in bounded memory.
    pub fn new<'a>(labels: impl IntoIterator<Item = &'a str>) -> Result<Self, FilterError> {
        let mut filter = Self::default();
        filter.add(labels)?;
        Ok(filter)
    }

    /// The rules of a prefix file (JSON) in place of the default ones, and
    /// those of the option `labels`.
    ///
    /// # Errors
    /// What Cilium would refuse in the file or in the patterns.
    pub fn from_prefix_file<'a>(
        json: &str,
        labels: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, FilterError> {
        let file: PrefixFile =
            serde_json::from_str(json).map_err(|e| FilterError::File(e.to_string()))?;
        if file.version != FILE_VERSION {
            return Err(FilterError::File(format!(
                "unsupported version {}",
                file.version
            )));
        }
        let mut filter = Self {
            without_defaults: true,
            ..Self::default()
        };
        for entry in file.prefixes.unwrap_or_default() {
            if entry.prefix.is_empty() || entry.source.is_empty() {
                let what = if entry.prefix.is_empty() {
                    "prefix"
                } else {
                    "source"
                };
                return Err(FilterError::File(format!("an entry has an empty {what}")));
            }
            filter.only_listed |= !entry.invert;
            filter.patterns.push(Pattern {
                source: source_of(&entry.source),
                ignore: entry.invert,
                expression: Expression::Prefix(entry.prefix),
            });
        }
        filter.add(labels)?;
        Ok(filter)
    }

    fn add<'a>(&mut self, labels: impl IntoIterator<Item = &'a str>) -> Result<(), FilterError> {
        for text in labels.into_iter().filter(|t| !t.is_empty()) {
            let pattern = Pattern::parse(text)?;
            self.only_listed |= !pattern.ignore;
            self.patterns.push(pattern);
        }
        Ok(())
    }

    /// True when the label is part of the identity.
    #[must_use]
    pub fn keeps(&self, label: &Label) -> bool {
        let (mut included, mut ignored) = if self.without_defaults {
            (0, 0)
        } else {
            defaults(label)
        };
        for pattern in &self.patterns {
            let Some(length) = pattern.covers(label) else {
                continue;
            };
            if pattern.ignore {
                shorten(&mut ignored, length);
            } else {
                included = included.max(length);
            }
        }
        (!self.only_listed && ignored == 0) || included > ignored
    }

    /// The labels that make the identity, and the others.
    #[must_use]
    pub fn split(&self, labels: &LabelSet) -> (LabelSet, LabelSet) {
        let (kept, rest): (Vec<Label>, Vec<Label>) =
            labels.iter().cloned().partition(|l| self.keeps(l));
        (kept.into_iter().collect(), rest.into_iter().collect())
    }
}

/// The shortest non-empty match counts.
fn shorten(ignored: &mut usize, length: usize) {
    if *ignored == 0 || length < *ignored {
        *ignored = length;
    }
}

/// What the default rules say of a label: the longest match of those that
/// include it and the shortest of those that drop it; 0 for none.
fn defaults(label: &Label) -> (usize, usize) {
    let key = label.key();
    // `.` stops at a line feed, which no valid key has.
    let line = key.split('\n').next().unwrap_or(key);
    let starting = |prefixes: &[&str]| -> Vec<usize> {
        prefixes
            .iter()
            .filter(|p| key.starts_with(**p))
            .map(|p| p.len())
            .collect()
    };
    let mut included = starting(&INCLUDED).into_iter().max().unwrap_or(0);
    if label.source() == &LabelSource::Reserved {
        included = included.max(line.len());
    }
    let mut ignored = starting(&IGNORED).into_iter().min().unwrap_or(0);
    if let Some(at) = line.rfind(IGNORED_ANYWHERE) {
        shorten(&mut ignored, at + IGNORED_ANYWHERE.len());
    }
    if key.starts_with(IGNORED_WHOLE) {
        shorten(&mut ignored, line.len());
    }
    (included, ignored)
}

#[derive(Deserialize)]
struct PrefixFile {
    #[serde(default)]
    version: i64,
    #[serde(rename = "valid-prefixes", default)]
    prefixes: Option<Vec<PrefixEntry>>,
}

#[derive(Deserialize)]
struct PrefixEntry {
    #[serde(default)]
    invert: bool,
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    source: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept<'a>(filter: &LabelFilter, keys: &[&'a str]) -> Vec<&'a str> {
        keys.iter()
            .copied()
            .filter(|k| filter.keeps(&Label::parse(&format!("k8s:{k}"))))
            .collect()
    }

    /// Cilium's default list as it is written there.
    const DEFAULT_PATTERNS: [&str; 21] = [
        "reserved:.*",
        r"io\.kubernetes\.pod\.namespace",
        r"io\.cilium\.k8s\.namespace\.labels",
        r"app\.kubernetes\.io",
        r"io\.cilium\.k8s\.policy\.cluster",
        r"io\.cilium\.k8s\.policy\.serviceaccount",
        r"!io\.kubernetes",
        r"!kubernetes\.io",
        r"!statefulset\.kubernetes\.io/pod-name",
        r"!apps\.kubernetes\.io/pod-index",
        r"!batch\.kubernetes\.io/job-completion-index",
        r"!batch\.kubernetes\.io/controller-uid",
        r"!.*beta\.kubernetes\.io",
        r"!k8s\.io",
        "!pod-template-generation",
        "!pod-template-hash",
        "!controller-revision-hash",
        "!controller-uid",
        "!annotation.*",
        "!etcd_node",
        r"!topology\.kubernetes\.io",
    ];

    #[test]
    fn default_rules_equal_the_regular_expressions() {
        let patterns = LabelFilter {
            without_defaults: true,
            patterns: DEFAULT_PATTERNS
                .iter()
                .map(|p| Pattern::parse(p).unwrap())
                .collect(),
            only_listed: false,
        };
        let direct = LabelFilter::default();
        let mut parts: Vec<&str> = INCLUDED.iter().chain(&IGNORED).copied().collect();
        parts.extend([
            IGNORED_ANYWHERE,
            IGNORED_WHOLE,
            "node.",
            "x",
            "/",
            ".",
            "",
            "\n",
            "é",
        ]);
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = |n: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed % n as u64) as usize
        };
        let mut dropped = 0;
        for i in 0..20_000 {
            let mut key = String::new();
            for _ in 0..=next(3) {
                let part = parts[next(parts.len())];
                // Also keys that end within a rule's text.
                let cut = if next(4) == 0 {
                    next(part.len() + 1)
                } else {
                    part.len()
                };
                key.push_str(part.get(..cut).unwrap_or(part));
            }
            let source = if i % 5 == 0 {
                LabelSource::Reserved
            } else {
                LabelSource::K8s
            };
            let label = Label::new(source, key.as_str(), "");
            assert_eq!(direct.keeps(&label), patterns.keeps(&label), "{label:?}");
            dropped += usize::from(!direct.keeps(&label));
        }
        assert!(dropped > 2_000, "{dropped}");
    }

    #[test]
    fn defaults_drop_what_kubernetes_adds() {
        let filter = LabelFilter::default();
        let keys = [
            "io.kubernetes.container.hash",
            "io.kubernetes.pod.name",
            "io.kubernetes.pod.namespace",
            "app.kubernetes.io",
            "app.kubernetes.io/name",
            "kubernetes.io.foo",
            "beta.kubernetes.io.foo",
            "x.beta.kubernetes.io",
            "annotation.hello",
            "ioXkubernetes",
            "ignore",
            "controller-revision-hash",
            "pod-template-hash",
            "my-pod-template-hash",
            "statefulset.kubernetes.io/pod-name",
            "apps.kubernetes.io/pod-index",
            "batch.kubernetes.io/job-completion-index",
            "batch.kubernetes.io/job-name",
            "topology.kubernetes.io/zone",
            "io.cilium.k8s.policy.cluster",
            "io.cilium.k8s.policy.serviceaccount",
            "io.cilium.k8s.namespace.labels.topology.kubernetes.io/zone",
        ];
        assert_eq!(
            kept(&filter, &keys),
            [
                "io.kubernetes.pod.namespace",
                "app.kubernetes.io",
                "app.kubernetes.io/name",
                "ioXkubernetes",
                "ignore",
                "my-pod-template-hash",
                "batch.kubernetes.io/job-name",
                "io.cilium.k8s.policy.cluster",
                "io.cilium.k8s.policy.serviceaccount",
                "io.cilium.k8s.namespace.labels.topology.kubernetes.io/zone",
            ]
        );
        assert!(
            filter.keeps(&Label::reserved("kubernetes.io.x"))
                && filter.keeps(&Label::reserved("host"))
        );
        // Equal lengths: the rule that drops wins.
        assert!(!filter.keeps(&Label::reserved("beta.kubernetes.io")));
    }

    #[test]
    fn an_include_leaves_out_everything_unlisted() {
        let filter = LabelFilter::new([":!ignor[eE]", "id.*", "foo", ""]).unwrap();
        let keys = [
            "id.lizards",
            "id.lizards.k8s",
            "foo2.lizards.k8s",
            "lizards.foo.lizards.k8s",
            "ignore",
            "ignorE",
            "other",
            "app.kubernetes.io",
            "io.kubernetes.pod.uid",
        ];
        assert_eq!(
            kept(&filter, &keys),
            [
                "id.lizards",
                "id.lizards.k8s",
                "foo2.lizards.k8s",
                "app.kubernetes.io"
            ]
        );
    }

    #[test]
    fn sources_and_anchors_restrict() {
        let filter = LabelFilter::new(["k8s:k8s-app", "k8s:kind$", "k8s:foo", "!foo.bar"]).unwrap();
        assert_eq!(
            kept(
                &filter,
                &["k8s-app-team", "kind", "kinds", "foo", "foo.bar"]
            ),
            ["k8s-app-team", "kind", "foo"]
        );
        assert!(!filter.keeps(&Label::parse("cni:k8s-app-role")));
        assert!(filter.keeps(&Label::parse("reserved:host")));
        let longer = LabelFilter::new(["!foo", "foo.bar"]).unwrap();
        assert!(longer.keeps(&Label::parse("k8s:foo.bar")));
        assert!(!longer.keeps(&Label::parse("k8s:foo.x")));
    }

    #[test]
    fn what_cilium_refuses_is_an_error() {
        for (bad, part) in [
            ("k8s:", "is empty"),
            ("a(", "missing closing )"),
            ("!*", "no regular expression"),
        ] {
            let error = LabelFilter::new([bad]).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        // Well-formed, but it would need more memory than it is worth.
        assert!(LabelFilter::new(["(((a{100}){100}){10}b{900}){1}"]).is_err());
    }

    #[test]
    fn a_prefix_file_replaces_the_defaults() {
        let json = r#"{"version":1,"valid-prefixes":[
            {"prefix":"app.","source":"k8s"},
            {"prefix":"app.x","source":"k8s","invert":true},
            {"prefix":".*","source":"reserved"}]}"#;
        let filter = LabelFilter::from_prefix_file(json, []).unwrap();
        assert_eq!(
            kept(
                &filter,
                &["app.a", "appXa", "app.x1", "io.kubernetes.pod.namespace"]
            ),
            ["app.a"]
        );
        // Entries are literal: this one does not include every reserved label.
        assert!(!filter.keeps(&Label::reserved("host")));
        for bad in [
            r#"{"version":2}"#,
            r#"{"version":1,"valid-prefixes":[{"prefix":"a"}]}"#,
            "{",
        ] {
            assert!(LabelFilter::from_prefix_file(bad, []).is_err(), "{bad}");
        }
    }
}
