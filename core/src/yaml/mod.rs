//! YAML and JSON text → spanned value trees.
//!
//! In: the text of one source. Out: one [`Document`] per document, each either
//! a [`Node`] tree or a located error; a broken document never hides the others.
//!
//! Texts are accepted and refused as Kubernetes' tools do, because a policy
//! that they refuse has no effect: documents are cut by k8s.io/apimachinery
//! 0.36.4, each is read by sigs.k8s.io/yaml 1.6.0 on go.yaml.in/yaml/v2 2.4.4
//! (the versions of Cilium 1.20.2), and a text that begins with `{` is tried
//! as JSON first. `testdata/yaml/cases.json` records what that library makes
//! of 950 texts, and `core/tests/yaml_differential.rs` compares random ones.
//!
//! Without the feature `yaml` only JSON is read, and YAML is refused with
//! [`LEFT_OUT`].
//!
//! Known differences, all on texts nobody writes:
//! - of two keys that JSON spells alike but YAML does not (`1` and `"1"`), the
//!   last one counts here; in Go the order of a map decides;
//! - a second byte order mark is a character here; go-yaml then drops the
//!   first character of lines;
//! - a control character after the end of the first document is always an
//!   error here; go-yaml may stop reading before it;
//! - the limits of [`Limits`] are lower than Go's (depth 10,000).

mod budget;
mod codes;
#[cfg(feature = "yaml")]
mod compose;
mod encoding;
#[cfg(feature = "yaml")]
mod event;
mod json;
mod mapping;
mod node;
#[cfg(feature = "yaml")]
mod scalar;
#[cfg(feature = "yaml")]
mod scan_property;
#[cfg(feature = "yaml")]
mod scan_scalar;
#[cfg(feature = "yaml")]
mod scanner;
#[cfg(feature = "yaml")]
mod stream;
#[cfg(feature = "yaml")]
mod token;

pub use codes::{
    ALIAS, CHARACTER, DUPLICATE_KEY, JSON, KEY, LEFT_OUT, MAX_ALIASES, MAX_BYTES, MAX_DEPTH,
    MAX_DOCUMENTS, MAX_DUPLICATE_KEYS, MAX_NODES, MAX_TAG_PREFIX, MERGE, SCALAR, SEPARATOR, SYNTAX,
    TEMPLATE,
};
pub use encoding::decode_utf8;
pub use node::{Entry, Node, Number, Value};

use crate::diagnostic::Diagnostic;
use crate::source::{SourceId, Span};
use budget::Budget;
use codes::Problem;
use std::ops::Range;
#[cfg(feature = "yaml")]
use stream::Chunk;

/// How much of hostile input is read before it is refused.
///
/// Each limit has its own code, `NV0801` to `NV0804`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Length of one source, and of the text its aliases copy, in bytes.
    /// Default 64 MiB; at most `u32::MAX`.
    pub max_bytes: usize,
    /// Mappings and lists inside each other, aliases followed. Default 128:
    /// no policy comes near, and it bounds the stack of everything recursive.
    pub max_depth: usize,
    /// Keys and values of one source, those that come through aliases counted
    /// each time. Default 4,000,000.
    pub max_nodes: usize,
    /// Documents of one source. Default 100,000.
    pub max_documents: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bytes: 64 << 20,
            max_depth: 128,
            max_nodes: 4_000_000,
            max_documents: 100_000,
        }
    }
}

/// One document of a source.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Its place among the documents of the source, from 0.
    pub index: usize,
    /// The text it was read from, separator lines between documents excluded.
    pub span: Span,
    /// The value, or why there is none. A document without content is null.
    pub result: Result<Node, Diagnostic>,
    /// What was accepted but looks wrong: duplicate keys.
    pub warnings: Vec<Diagnostic>,
}

/// Reads every document of a text.
///
/// The outcome is that of Kubernetes' readers: documents are cut by
/// k8s.io/apimachinery's rules and each is read by those of sigs.k8s.io/yaml.
/// Errors come as the `result` of the document they concern.
///
/// ```
/// use netverdict::source::SourceId;
/// use netverdict::yaml;
///
/// let documents = yaml::read(SourceId(0), "a: 1\n---\nports: [80, 443]\n", &yaml::Limits::default());
/// let second = documents[1].result.as_ref().expect("YAML");
/// let ports = second.get("ports").expect("a field");
/// assert_eq!(ports.items().len(), 2);
/// // Every value knows its place, in bytes of the text.
/// assert_eq!(ports.span.start, 16);
/// ```
#[must_use]
pub fn read(source: SourceId, text: &str, limits: &Limits) -> Vec<Document> {
    let mut documents = Vec::new();
    if text.len() > limits.max_bytes || u32::try_from(text.len()).is_err() {
        let message = format!(
            "the text has {} bytes, more than the limit of {}",
            text.len(),
            limits.max_bytes
        );
        let diagnostic = Diagnostic::new(MAX_BYTES, span(source, 0, 0), message);
        documents.push(Document {
            index: 0,
            span: span(source, 0, text.len()),
            result: Err(diagnostic),
            warnings: Vec::new(),
        });
        return documents;
    }
    let mut reader = Reader {
        source,
        text,
        limits,
        budget: Budget {
            nodes: limits.max_nodes,
            alias_bytes: limits.max_bytes,
        },
        documents,
    };
    if text.trim_start().starts_with('{') {
        reader.json();
    } else {
        reader.yaml(0);
    }
    reader.documents
}

/// The documents read so far, and what they may still cost.
struct Reader<'r> {
    source: SourceId,
    text: &'r str,
    limits: &'r Limits,
    budget: Budget,
    documents: Vec<Document>,
}

impl Reader<'_> {
    /// Adds a document. Byte ranges of its problem count from `base`. False
    /// when it is the last that may be read.
    fn push(
        &mut self,
        range: Range<usize>,
        base: usize,
        result: Result<Node, Problem>,
        warnings: Vec<Diagnostic>,
    ) -> bool {
        let index = self.documents.len();
        let over = index >= self.limits.max_documents;
        let result = if over {
            let max = self.limits.max_documents;
            let message = format!("more than {max} documents in one source");
            Err(Problem::new(MAX_DOCUMENTS, 0, 0, message))
        } else {
            result
        };
        let len = range.end.saturating_sub(base);
        self.documents.push(Document {
            index,
            span: span(self.source, range.start, range.end),
            result: result.map_err(|p| p.at(self.source, base, len)),
            warnings,
        });
        !over
    }

    /// Refuses the text from byte `from` on.
    #[cfg(not(feature = "yaml"))]
    fn yaml(&mut self, from: usize) {
        let rest = self.text.get(from..).unwrap_or("");
        let blank = rest.trim_start_matches('\u{FEFF}').trim_start();
        if !blank.is_empty() {
            let start = from + rest.len() - blank.len();
            let message = "this is not JSON, and YAML is not part of this build";
            let problem = Problem::new(LEFT_OUT, 0, 0, message)
                .help("build netverdict with its feature `yaml`, or write JSON");
            self.push(start..self.text.len(), start, Err(problem), Vec::new());
        }
    }

    /// Reads the text from byte `from` on as a stream of YAML documents.
    #[cfg(feature = "yaml")]
    fn yaml(&mut self, from: usize) {
        for chunk in stream::split(self.text, from) {
            let mut warnings = Vec::new();
            let (range, base, result) = match chunk {
                Chunk::Yaml(range) => {
                    let (base, result) = self.yaml_document(&range, &mut warnings);
                    (range, base, result)
                }
                Chunk::BadSeparator { range, line } => {
                    let base = range.start;
                    let message = "a line that begins with `---` must be nothing else";
                    let problem =
                        Problem::new(SEPARATOR, line.start - base, line.end - base, message)
                            .help("only spaces and a comment may follow `---`");
                    (range, base, Err(problem))
                }
            };
            if !self.push(range, base, result, warnings) {
                return;
            }
        }
    }

    #[cfg(feature = "yaml")]
    fn yaml_document(
        &mut self,
        range: &Range<usize>,
        warnings: &mut Vec<Diagnostic>,
    ) -> (usize, Result<Node, Problem>) {
        let text = self.text.get(range.clone()).unwrap_or("");
        // A byte order mark may begin every document.
        let (text, base) = match text.strip_prefix('\u{FEFF}') {
            Some(rest) => (rest, range.start + '\u{FEFF}'.len_utf8()),
            None => (text, range.start),
        };
        let mut read = |text: &str| {
            let budget = &mut self.budget;
            compose::compose(self.source, base, text, self.limits, budget, warnings)
        };
        // A last line without a line break is read as if it had one.
        let result = if text.ends_with('\n') {
            read(text)
        } else {
            read(&format!("{text}\n"))
        };
        (base, result.map_err(|p| name_template(p, text)))
    }

    /// Reads the text as a stream of JSON values, and from the first that is
    /// none on as YAML, which kubectl does too (apimachinery 0.36.4
    /// `YAMLOrJSONDecoder`), unless two values show that JSON was meant.
    fn json(&mut self) {
        let mut pos = 0;
        loop {
            let mut warnings = Vec::new();
            let budget = self.budget;
            let mut reader = json::Reader {
                source: self.source,
                text: self.text,
                pos,
                limits: self.limits,
                budget: &mut self.budget,
                warnings: &mut warnings,
                unfit: None,
            };
            reader.skip_space();
            let start = reader.pos;
            let Some(result) = reader.next() else {
                return;
            };
            let end = reader.pos;
            let problem = match result {
                Ok(node) => {
                    if !self.push(start..end, 0, Ok(node), warnings) {
                        return;
                    }
                    pos = end;
                    continue;
                }
                Err(problem) => problem,
            };
            let yaml_from = self.yaml_after(pos);
            match yaml_from {
                Some(from)
                    if cfg!(feature = "yaml")
                        && problem.code() == JSON
                        && self.documents.len() < 2 =>
                {
                    self.budget = budget;
                    self.yaml(from);
                }
                _ => {
                    let problem = name_template(problem, self.text);
                    self.push(start..self.text.len(), 0, Err(problem), warnings);
                }
            }
            return;
        }
    }

    /// Where YAML may begin after the JSON that ends at `pos`: past the white
    /// space, at most to the next line. The same reader wants four more bytes
    /// at every step and gives up without.
    fn yaml_after(&self, mut pos: usize) -> Option<usize> {
        loop {
            let rest = self.text.get(pos..).filter(|rest| rest.len() >= 4)?;
            let next = rest.chars().next().filter(|c| c.is_whitespace());
            let Some(c) = next else {
                return Some(pos);
            };
            pos += c.len_utf8();
            if c == '\n' {
                return Some(pos);
            }
        }
    }
}

/// Says so when the text is no YAML because it is a template.
fn name_template(problem: Problem, text: &str) -> Problem {
    if ![SYNTAX, KEY, JSON].contains(&problem.code()) {
        return problem;
    }
    let Some(at) = template_near(text, problem.start()) else {
        return problem;
    };
    let end = text.get(at..).and_then(|t| t.find('\n'));
    let end = end.map_or(text.len(), |n| at + n);
    Problem::new(TEMPLATE, at, end, "this is a template, not YAML")
        .help("render it first, for example with `helm template`, and read the result")
}

/// The last `{{` up to the end of the line of `at`, else the first one after.
fn template_near(text: &str, at: usize) -> Option<usize> {
    let line_end = text.bytes().skip(at).position(|b| b == b'\n');
    let line_end = line_end.map_or(text.len(), |n| at + n);
    text.get(..line_end)
        .and_then(|t| t.rfind("{{"))
        .or_else(|| text.find("{{"))
}

pub(crate) fn span(source: SourceId, start: usize, end: usize) -> Span {
    let offset = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Span::new(source, offset(start), offset(end))
}

#[cfg(all(test, feature = "yaml"))]
mod tests {
    use super::*;

    fn one(text: &str) -> Document {
        read(SourceId(0), text, &Limits::default()).remove(0)
    }

    #[test]
    fn spans_are_exact() {
        let text = "a: 'x y'\nb:\n  - \"q\"\n  - é\n";
        let root = one(text).result.unwrap();
        let at = |s: Span| &text[s.start as usize..s.end as usize];
        let entries = root.entries();
        assert_eq!(at(entries[0].key_span), "a");
        assert_eq!(at(entries[0].node.span), "'x y'");
        let items = entries[1].node.items();
        assert_eq!(at(items[0].span), "\"q\"");
        assert_eq!(at(items[1].span), "é");
    }

    #[test]
    fn aliases_and_merges_point_at_the_alias() {
        let text = "a: &x {k: 1}\nb: *x\nc:\n  <<: *x\n  l: 2\n";
        let root = one(text).result.unwrap();
        let at = |s: Span| &text[s.start as usize..s.end as usize];
        assert_eq!(at(root.get("b").unwrap().span), "*x");
        let c = root.get("c").unwrap();
        assert_eq!(c.get("k").unwrap().value, Value::Number(Number::Int(1)));
        assert_eq!(at(c.get("k").unwrap().span), "*x");
        assert_eq!(c.entries().len(), 2);
    }

    #[test]
    fn the_last_duplicate_counts_and_is_told() {
        let document = one("a: 1\na: 2\n");
        assert_eq!(document.warnings.len(), 1);
        assert_eq!(document.warnings[0].labels.len(), 1);
        let root = document.result.unwrap();
        assert_eq!(root.get("a").unwrap().value, Value::Number(Number::Int(2)));
    }

    #[test]
    fn broken_documents_hide_nothing() {
        let all = read(SourceId(0), "a: 1\n---\n[\n---\nb: 2\n", &Limits::default());
        assert_eq!(all.len(), 3);
        assert!(all[0].result.is_ok() && all[2].result.is_ok());
        assert_eq!(all[1].result.as_ref().unwrap_err().code, SYNTAX);
    }

    #[test]
    fn templates_are_named() {
        let error = one("a: 1\n{{- if .x }}\nb: 2\n{{ end }}\n")
            .result
            .unwrap_err();
        assert_eq!(error.code, TEMPLATE);
        let error = one("a: {{ .Values.x }}\n").result.unwrap_err();
        assert_eq!(error.code, TEMPLATE);
        assert!(one("a: ${X}\n").result.is_ok());
    }

    #[test]
    fn json_streams_are_read_as_json() {
        let text = "{\"a\": \"\\/\\ud83d\\ude00\\ud800x\"}{\"b\":[1.0,-2,1e2, true ]}\n{}";
        let all = read(SourceId(0), text, &Limits::default());
        assert_eq!(all.len(), 3);
        let first = all[0].result.as_ref().unwrap();
        assert_eq!(
            first.get("a").unwrap().as_str(),
            Some("/\u{1F600}\u{FFFD}x")
        );
        let list = all[1].result.as_ref().unwrap().get("b").unwrap();
        let at = |s: Span| &text[s.start as usize..s.end as usize];
        let items: Vec<&str> = list.items().iter().map(|n| at(n.span)).collect();
        assert_eq!(items, ["1.0", "-2", "1e2", "true"]);
        assert_eq!(list.items()[2].value, Value::Number(Number::Int(100)));
        assert_eq!(at(all[2].span), "{}");
    }

    #[test]
    fn json_gives_way_to_yaml_once() {
        let codes = |text: &str| -> Vec<Option<crate::diagnostic::Code>> {
            read(SourceId(0), text, &Limits::default())
                .into_iter()
                .map(|d| d.result.err().map(|e| e.code))
                .collect()
        };
        assert_eq!(codes("{a: 1}\n---\nb: 2\n"), [None, None]);
        assert_eq!(
            codes("{\"a\": 1}\n---\nb: 2\n---\n[\n"),
            [None, None, Some(SYNTAX)]
        );
        assert_eq!(codes("{}{}\n---\nb: 2\n"), [None, None, Some(JSON)]);
        assert_eq!(codes("{\"a\": 1e999}"), [Some(SCALAR)]);
        assert_eq!(codes("{{ if x }}\na: 1\n"), [Some(TEMPLATE)]);
    }

    #[test]
    fn limits_are_named() {
        let limits = Limits {
            max_bytes: 10,
            max_depth: 3,
            max_nodes: 4,
            max_documents: 1,
        };
        let code = |text: &str, limits: &Limits| {
            read(SourceId(0), text, limits)
                .pop()
                .unwrap()
                .result
                .unwrap_err()
                .code
        };
        assert_eq!(code("a: 123456789", &limits), MAX_BYTES);
        assert_eq!(code("[[[[1]]]]", &limits), MAX_DEPTH);
        assert_eq!(code("[1,2,3,4]", &limits), MAX_NODES);
        assert_eq!(
            code(
                "{\"\":[[[]]]}",
                &Limits {
                    max_bytes: 99,
                    ..limits
                }
            ),
            MAX_DEPTH
        );
        assert_eq!(
            code(
                "{\"\":[1,2,3]}",
                &Limits {
                    max_bytes: 99,
                    ..limits
                }
            ),
            MAX_NODES
        );
        assert_eq!(code("{} {}", &limits), MAX_DOCUMENTS);
        assert_eq!(code("a\n---\nb", &limits), MAX_DOCUMENTS);
        let mut bomb = "a0: &a0 [x]\n".to_owned();
        for i in 0..20 {
            bomb += &format!(
                "a{}: &a{} [{}*a{i}]\n",
                i + 1,
                i + 1,
                format!("*a{i},").repeat(9)
            );
        }
        assert_eq!(code(&bomb, &Limits::default()), MAX_ALIASES);
    }
}
