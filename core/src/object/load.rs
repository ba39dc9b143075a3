//! The text of one source → objects, with a report on every document.
//!
//! In: text and [`LoadOptions`]. Out: [`Loaded`]: what became of each object,
//! in the order written, and all diagnostics. One broken document never hides
//! the others, and nothing here is fatal.
//!
//! An object goes through the stages of [`Stage`] as it would on its way into
//! a cluster: read as YAML, checked against the API's schema where that is
//! asked for, decoded, and taken or refused by Cilium's agent.

mod kind;

use super::cluster_network_policy as cnp;
use super::decode::Decoder;
use super::registry::{Kind, Lookup, find};
use super::{Head, Object, network_policy as np, schema, template, validate};
use crate::config::Config;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::source::{SourceId, Span, Spanned};
use crate::yaml::{self, Node, Value};
use kind::{field_span, misspelled, not_kubernetes, wrong_version};
use std::collections::{BTreeMap, BTreeSet};

/// No `apiVersion` or no `kind`: nothing Kubernetes would take.
pub const NOT_KUBERNETES: Code = Code::new(220, Severity::Info, "not a Kubernetes object");
/// A kind that is not read.
pub const OTHER_KIND: Code = Code::new(221, Severity::Info, "kind not read");
/// A kind in a group or version where it is not served.
pub const VERSION: Code = Code::new(222, Severity::Error, "kind not served in this version");
/// A kind that is probably misspelled.
pub const MISSPELLED_KIND: Code = Code::new(223, Severity::Warning, "unknown kind");
/// A namespace on a clusterwide object.
pub const NO_NAMESPACE: Code = Code::new(224, Severity::Warning, "namespace without effect");
/// Two objects with the same kind, namespace and name.
pub const DUPLICATE: Code = Code::new(225, Severity::Warning, "object defined twice");
/// More objects than [`Limits::max_objects`].
pub const MAX_OBJECTS: Code = Code::new(806, Severity::Error, "too many objects");
/// More diagnostics than [`Limits::max_diagnostics`].
pub const MAX_DIAGNOSTICS: Code = Code::new(807, Severity::Info, "further diagnostics left out");

/// How much of one source is taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes, nesting, values and documents.
    pub yaml: yaml::Limits,
    /// Objects, items of lists counted each. Default 1,000,000.
    pub max_objects: usize,
    /// Diagnostics kept; the first ones. Default 10,000.
    pub max_diagnostics: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            yaml: yaml::Limits::default(),
            max_objects: 1_000_000,
            max_diagnostics: 10_000,
        }
    }
}

/// Whose refusals beside the agent's own count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strictness {
    /// Nobody's: objects are taken as if they had reached the agent.
    #[default]
    Agent,
    /// The schemas of CustomResourceDefinitions. NetworkPolicy has none.
    Crds,
    /// The API server's: those schemas, and its own rules for NetworkPolicy.
    ApiServer,
}

/// How to load.
#[derive(Clone, Debug)]
pub struct LoadOptions<'c> {
    /// The agent's options, some of which decide what it refuses.
    pub config: &'c Config,
    /// How much to take in.
    pub limits: Limits,
    /// Whose refusals count.
    pub strictness: Strictness,
    /// The namespace of namespaced objects that name none. Without it they
    /// keep none, and a CNP becomes clusterwide, as in the agent.
    pub default_namespace: Option<String>,
}

impl<'c> LoadOptions<'c> {
    /// Options with the default limits, the agent's strictness, and namespace
    /// `default` for objects that name none, as an API server has it.
    #[must_use]
    pub fn new(config: &'c Config) -> Self {
        Self {
            config,
            limits: Limits::default(),
            strictness: Strictness::default(),
            default_namespace: Some("default".to_owned()),
        }
    }
}

/// What a source contained.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loaded {
    /// One report per object, in the order written; empty documents have none.
    pub documents: Vec<DocumentReport>,
    /// Everything worth telling, in the order written. Schema complaints are
    /// among them when they refuse; otherwise only in the report.
    pub diagnostics: Vec<Diagnostic>,
}

impl Loaded {
    /// The objects that were accepted.
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.documents.iter().filter_map(DocumentReport::object)
    }

    /// The accepted objects, taken out.
    pub fn into_objects(self) -> impl Iterator<Item = Object> {
        self.documents.into_iter().filter_map(|d| match d.outcome {
            Outcome::Accepted(object) => Some(*object),
            _ => None,
        })
    }

    /// True when something was refused.
    #[must_use]
    pub fn refused_any(&self) -> bool {
        let refused = |d: &DocumentReport| matches!(d.outcome, Outcome::Refused(_));
        self.documents.iter().any(refused)
    }
}

/// What became of one object.
#[derive(Clone, Debug, PartialEq)]
pub struct DocumentReport {
    /// Its place among the objects of the source, from 0.
    pub index: usize,
    /// `items[2]` for an item of a list; else empty.
    pub item: String,
    /// `kind` as written or implied by its list; empty when unknown.
    pub kind: String,
    /// Its namespace, after defaulting; empty for clusterwide objects.
    pub namespace: String,
    /// `metadata.name`; empty when unknown.
    pub name: String,
    /// The document, or the item of a list.
    pub span: Span,
    /// Whether it was taken.
    pub outcome: Outcome,
    /// What the API's schema has against it, whether that counts or not.
    pub schema: Vec<Diagnostic>,
    /// It contains variables or templates that nobody has filled in.
    pub templated: bool,
}

impl DocumentReport {
    /// The object, if it was accepted.
    #[must_use]
    pub fn object(&self) -> Option<&Object> {
        match &self.outcome {
            Outcome::Accepted(object) => Some(object),
            _ => None,
        }
    }

    /// The first complaint of the schema with its path; empty when it has
    /// none.
    #[must_use]
    pub fn schema_text(&self) -> String {
        self.schema
            .first()
            .map(|d| match d.path.as_str() {
                "" => d.message.clone(),
                path => format!("{path}: {}", d.message),
            })
            .unwrap_or_default()
    }
}

/// Whether an object was taken.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It takes part.
    Accepted(Box<Object>),
    /// It does not, as it would not in a cluster.
    Refused(Stage),
    /// It has nothing to do with policy.
    Skipped(Skipped),
}

/// Where an object was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The text is not YAML.
    Yaml,
    /// The API has no such kind or version, or a value has another type than
    /// its field.
    Decode,
    /// The API server would refuse it.
    Schema,
    /// Cilium's agent would refuse it, or crash on it.
    Parse,
}

impl Stage {
    /// `yaml`, `decode`, `schema` or `parse`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Yaml => "yaml",
            Self::Decode => "decode",
            Self::Schema => "schema",
            Self::Parse => "parse",
        }
    }
}

/// Why an object was passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Skipped {
    /// It lacks `apiVersion` or `kind`.
    NotKubernetes,
    /// Policy does not depend on its kind.
    OtherKind,
    /// A limit was reached before it.
    Limit,
}

/// Loads every object of a text.
///
/// ```
/// use netverdict::{config::Config, object::load, source::SourceId};
///
/// let text = "{apiVersion: v1, kind: Pod, metadata: {name: web}}\n---\n: not YAML\n";
/// let config = Config::default();
/// let loaded = load::load(SourceId(0), text, &load::LoadOptions::new(&config));
/// // A broken document hides no other.
/// assert_eq!(loaded.diagnostics.len(), 1);
/// assert_eq!(loaded.into_objects().count(), 1);
/// ```
#[must_use]
pub fn load(source: SourceId, text: &str, options: &LoadOptions<'_>) -> Loaded {
    let mut loader = Loader {
        options,
        loaded: Loaded::default(),
        left_out: 0,
    };
    for document in yaml::read(source, text, &options.limits.yaml) {
        loader.tell(document.warnings);
        match document.result {
            Err(diagnostic) => {
                let templated = diagnostic.code == yaml::TEMPLATE;
                loader.tell([diagnostic]);
                let outcome = Outcome::Refused(Stage::Yaml);
                loader.push(report(document.span, outcome, templated));
            }
            Ok(node) if node.is_null() => {}
            Ok(node) => loader.document(&node),
        }
    }
    let Loader {
        mut loaded,
        left_out,
        ..
    } = loader;
    if left_out > 0 {
        let at = loaded.documents.last().map_or(Span::default(), |d| d.span);
        let message = format!("{left_out} further diagnostics are left out");
        loaded
            .diagnostics
            .push(Diagnostic::new(MAX_DIAGNOSTICS, at, message));
    }
    loaded
}

/// A warning for every object that another one of the same kind, namespace
/// and name stands before: in a cluster, the last one applied wins.
///
/// ```
/// use netverdict::{config::Config, object::load, source::SourceId};
///
/// let text = "{apiVersion: v1, kind: Pod, metadata: {name: web}}\n---\n".repeat(2);
/// let config = Config::default();
/// let loaded = load::load(SourceId(0), &text, &load::LoadOptions::new(&config));
/// assert_eq!(load::duplicates(loaded.objects()).len(), 1);
/// ```
#[must_use]
pub fn duplicates<'o>(objects: impl IntoIterator<Item = &'o Object>) -> Vec<Diagnostic> {
    let mut seen = BTreeMap::new();
    let mut found = Vec::new();
    for object in objects {
        let name = &object.meta().name;
        if name.is_empty() {
            continue;
        }
        let key = (object.kind(), object.namespace(), name.as_str());
        let Some(first) = seen.insert(key, name.span) else {
            continue;
        };
        let who = object.object_ref().to_string();
        found.push(
            Diagnostic::new(DUPLICATE, name.span, format!("`{who}` is defined twice"))
                .at("metadata.name")
                .of(who)
                .label(first, "also defined here")
                .help("in a cluster the one applied last wins; rename or remove one of them"),
        );
    }
    found
}

struct Loader<'o> {
    options: &'o LoadOptions<'o>,
    loaded: Loaded,
    left_out: usize,
}

fn report(span: Span, outcome: Outcome, templated: bool) -> DocumentReport {
    DocumentReport {
        index: 0,
        item: String::new(),
        kind: String::new(),
        namespace: String::new(),
        name: String::new(),
        span,
        outcome,
        schema: Vec::new(),
        templated,
    }
}

/// An object, and what its list says of it where it is silent.
struct Found<'n> {
    node: &'n Node,
    head: Head<'n>,
    item: String,
}

impl Loader<'_> {
    fn tell(&mut self, diagnostics: impl IntoIterator<Item = Diagnostic>) {
        for diagnostic in diagnostics {
            if self.loaded.diagnostics.len() < self.options.limits.max_diagnostics {
                self.loaded.diagnostics.push(diagnostic);
            } else {
                self.left_out += 1;
            }
        }
    }

    fn push(&mut self, mut report: DocumentReport) {
        report.index = self.loaded.documents.len();
        self.loaded.documents.push(report);
    }

    /// Loads the object of a document, or the objects of a list.
    fn document(&mut self, node: &Node) {
        let head = Head::of(node);
        let items = match (node.get("items").map(|n| &n.value), head.kind) {
            (Some(Value::List(items)), kind) if kind.ends_with("List") => items,
            _ => {
                let item = String::new();
                self.object(&Found { node, head, item });
                return;
            }
        };
        let implied = head.kind.strip_suffix("List").unwrap_or_default();
        for (i, node) in items.iter().enumerate() {
            let mut own = Head::of(node);
            // As in kubectl, an item of a typed list may leave out its type.
            if !implied.is_empty() {
                let silent = |name| node.get(name).is_none_or(Node::is_null);
                if silent("kind") {
                    own.kind = implied;
                }
                if silent("apiVersion") {
                    own.api_version = head.api_version;
                }
            }
            let item = format!("items[{i}]");
            if !self.object(&Found {
                node,
                head: own,
                item,
            }) {
                return;
            }
        }
    }

    /// Loads one object; false when there is no room for further ones.
    fn object(&mut self, found: &Found<'_>) -> bool {
        let Found { node, head, item } = found;
        let mut report = report(node.span, Outcome::Skipped(Skipped::OtherKind), false);
        report.item.clone_from(item);
        head.kind.clone_into(&mut report.kind);
        head.namespace.clone_into(&mut report.namespace);
        head.name.clone_into(&mut report.name);
        let limit = self.options.limits.max_objects;
        if self.loaded.documents.len() >= limit {
            if self.loaded.documents.len() == limit {
                let message = format!("more than {limit} objects in one source");
                self.tell([Diagnostic::new(MAX_OBJECTS, node.span, message)]);
                report.outcome = Outcome::Skipped(Skipped::Limit);
                self.push(report);
            }
            return false;
        }
        if head.kind.is_empty() || head.api_version.is_empty() {
            self.tell([not_kubernetes(node, head)]);
            report.outcome = Outcome::Skipped(Skipped::NotKubernetes);
        } else {
            match find(head.api_version, head.kind) {
                Lookup::Known(kind) => self.known(kind, found, &mut report),
                Lookup::WrongVersion(kind) => {
                    self.tell([wrong_version(kind, node, head)]);
                    report.outcome = Outcome::Refused(Stage::Decode);
                }
                Lookup::Misspelled(kind) => self.tell([misspelled(kind, node, head)]),
                Lookup::Other => {
                    let what = format!("kind `{}` is not read; skipped", head.kind);
                    let at = field_span(node, "kind");
                    self.tell([Diagnostic::new(OTHER_KIND, at, what).of(head.to_string())]);
                }
            }
        }
        self.push(report);
        true
    }

    fn known(&mut self, kind: &'static Kind, found: &Found<'_>, report: &mut DocumentReport) {
        let Found { node, head, .. } = found;
        let mut head = *head;
        if !kind.namespaced {
            head.namespace = "";
        } else if head.namespace.is_empty() {
            head.namespace = self
                .options
                .default_namespace
                .as_deref()
                .unwrap_or_default();
        }
        head.namespace.clone_into(&mut report.namespace);
        let who = head.to_string();
        let of_object = |mut diagnostics: Vec<Diagnostic>| {
            for d in diagnostics.iter_mut().filter(|d| d.object.is_empty()) {
                d.object.clone_from(&who);
            }
            diagnostics
        };

        // Who an object is, is read before all else.
        let shape = schema::of_kind(kind.shape).filter(|_| has_sound_head(node));
        let strictness = self.options.strictness;
        report.schema = of_object(shape.map_or(Vec::new(), |s| schema::check(s, node)));

        let mut decoder = Decoder::new(who.clone());
        let mut object = kind.decode(node, &mut decoder);
        let mut refused = decoder.refused();
        let mut told = decoder.finish();
        report.templated = told.iter().any(|d| d.code == template::UNRESOLVED);
        if strictness >= Strictness::Crds {
            if !report.schema.is_empty() {
                report.outcome = Outcome::Refused(Stage::Schema);
                self.tell(without_repetition(told, &report.schema));
                return;
            }
            // The agent sees what the API server stores; people are told of
            // what they wrote.
            if let Some(stored) = shape.and_then(|s| schema::stored(s, node)) {
                let mut decoder = Decoder::new(who.clone());
                object = kind.decode(&stored, &mut decoder);
                refused = decoder.refused();
                told.retain(|d| d.severity != Severity::Error);
                let errors = decoder.finish();
                told.extend(errors.into_iter().filter(|d| d.severity == Severity::Error));
            }
        }
        self.tell(told);
        if refused {
            report.outcome = Outcome::Refused(Stage::Decode);
            return;
        }
        self.settle_namespace(kind, &mut object, &who);

        if let Object::NetworkPolicy(policy) = &object {
            report.schema = of_object(np::check_schema(policy));
            if strictness == Strictness::ApiServer && !report.schema.is_empty() {
                report.outcome = Outcome::Refused(Stage::Schema);
                self.tell(report.schema.clone());
                return;
            }
        }
        let complaints = of_object(agent(&object, self.options.config));
        let refused = complaints.iter().any(|d| d.severity == Severity::Error);
        self.tell(complaints);
        if !refused {
            self.tell(of_object(intent(&object)));
        }
        report.outcome = if refused {
            Outcome::Refused(Stage::Parse)
        } else {
            Outcome::Accepted(Box::new(object))
        };
    }

    /// Gives a namespaced object its namespace and takes it from others.
    fn settle_namespace(&mut self, kind: &Kind, object: &mut Object, who: &str) {
        let written = object.meta_mut().namespace.take();
        let written = written.filter(|n| !n.is_empty());
        if !kind.namespaced {
            if let Some(namespace) = written {
                let message = format!("{} is clusterwide: its namespace has no effect", kind.name);
                self.tell([Diagnostic::new(NO_NAMESPACE, namespace.span, message)
                    .at("metadata.namespace")
                    .of(who)
                    .help("remove `namespace`")]);
            }
            return;
        }
        let at = object.meta().name.span;
        let fallback = self.options.default_namespace.clone();
        let namespace = written.or_else(|| fallback.map(|n| Spanned::new(n, at)));
        if let (Object::CiliumPolicy(policy), None) = (&mut *object, &namespace) {
            policy.clusterwide = true;
        }
        object.meta_mut().namespace = namespace;
    }
}

/// What decoding found, followed by what the schema has to say beside it.
fn without_repetition(mut told: Vec<Diagnostic>, schema: &[Diagnostic]) -> Vec<Diagnostic> {
    let wrong: BTreeSet<Span> = told
        .iter()
        .filter(|d| d.severity == Severity::Error)
        .map(|d| d.span)
        .collect();
    told.extend(schema.iter().filter(|d| !wrong.contains(&d.span)).cloned());
    told
}

/// What the agent has against an object.
fn agent(object: &Object, config: &Config) -> Vec<Diagnostic> {
    match object {
        Object::CiliumPolicy(policy) => validate::agent::check_policy(policy, config),
        Object::NetworkPolicy(policy) => np::check_agent(policy),
        Object::ClusterNetworkPolicy(policy) => cnp::check_agent(policy, config),
        _ => Vec::new(),
    }
}

/// What is accepted, and hardly meant.
fn intent(object: &Object) -> Vec<Diagnostic> {
    match object {
        Object::CiliumPolicy(policy) => validate::intent::check_policy(policy),
        Object::NetworkPolicy(policy) => validate::intent::check_network_policy(policy),
        _ => Vec::new(),
    }
}

/// True when the names of an object have the types they must have; if not, it
/// cannot be decoded, whatever its schema says.
fn has_sound_head(node: &Node) -> bool {
    let text = |node: Option<&Node>| node.is_none_or(|n| n.is_null() || n.as_str().is_some());
    let metadata = node.get("metadata");
    metadata.is_none_or(|m| {
        matches!(m.value, Value::Null | Value::Map(_))
            && text(m.get("name"))
            && text(m.get("namespace"))
    })
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
