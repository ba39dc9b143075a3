//! Structural schemas: what an API server demands of a custom resource before
//! any agent sees it, and what it stores.
//!
//! In: the value tree of an object and the [`Shape`] that the
//! CustomResourceDefinition of its kind gives it. Out: what the schema has
//! against it ([`check`]) and the tree as it would be stored ([`stored`]). The
//! schemas are tables ([`of_kind`]) in which every field has a line for
//! people, so that editors can walk them for completion and hover.
//!
//! An API server drops unknown fields and nulls and fills in defaults first,
//! then validates what is left, and last asks the rules in CEL
//! (Kubernetes 1.36 apiextensions-apiserver pkg/apiserver/schema: pruning,
//! defaulting, listtype, cel; kube-openapi pkg/validation/validate). It is the
//! only layer that knows patterns, lengths and required fields; wrong types it
//! has in common with decoding. NetworkPolicy has no such schema: its API is
//! part of Kubernetes. Its fields are described all the same ([`described`]).
//!
//! ```
//! use netverdict::object::{registry::{KINDS, Kind}, schema};
//! use netverdict::{source::SourceId, yaml};
//!
//! let kind: &Kind = KINDS.iter().find(|kind| kind.name == "CiliumNetworkPolicy").expect("it is known");
//! assert_eq!(kind.api_version(), "cilium.io/v2");
//! let shape = schema::of_kind(kind.shape).expect("it has a schema");
//! let text = "{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: x}, spec: null}";
//! let node = yaml::read(SourceId(0), text, &yaml::Limits::default()).remove(0).result.expect("YAML");
//! // An API server drops what is null.
//! let stored = schema::stored(shape, &node).expect("something changes");
//! assert!(stored.get("spec").is_none());
//! ```

mod check;
mod cilium;
mod cluster_network_policy;
mod forms;
mod network_policy;
#[cfg(test)]
mod tests;

pub use check::{check, codes, stored};

use super::cluster_network_policy::ClusterPolicyKind;
use super::registry;
use crate::yaml::Node;

/// The shape of a value.
#[derive(Debug)]
pub enum Shape {
    /// A mapping with known fields.
    Object {
        /// Its fields, in the order of their names.
        fields: &'static [Field],
        /// What must hold between them.
        demands: &'static [Demand],
    },
    /// A mapping with any keys.
    Map(&'static Shape),
    /// A list.
    List {
        /// The shape of its items.
        items: &'static Shape,
        /// The fewest items.
        min_items: usize,
        /// The most items.
        max_items: usize,
        /// How items may not repeat each other.
        unique: Unique,
    },
    /// Text.
    Text(Text),
    /// A whole number between two bounds, both included.
    Integer(i64, i64),
    /// A whole number, or a text of a pattern.
    IntOrText(Text),
    /// `true` or `false`.
    Boolean,
    /// A mapping that the schema does not look into.
    Opaque,
}

/// A field of an object.
#[derive(Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Must be present.
    pub required: bool,
    /// The text it gets when absent.
    pub default: Option<&'static str>,
    /// The shape of its value.
    pub shape: &'static Shape,
    /// What it is for, in one line.
    pub doc: &'static str,
}

/// What must hold between the fields of an object.
#[derive(Debug)]
pub enum Demand {
    /// One or more of these fields are present.
    AnyOf(&'static [&'static str]),
    /// Exactly one of these fields is present.
    OneOf(&'static [&'static str]),
    /// A rule in CEL, which is asked only when nothing else is wrong.
    Rule {
        /// Whether an object keeps it. The object may hold fields and nulls
        /// that the server drops.
        holds: fn(&Node) -> bool,
        /// What it says.
        says: &'static str,
    },
}

/// Whether items of a list may be equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unique {
    /// They may.
    No,
    /// No two items are equal.
    Items,
    /// No two items have the same value in a field.
    By(&'static str),
}

/// What a text must be like.
#[derive(Debug)]
pub struct Text {
    /// The only texts allowed; empty for any.
    pub values: &'static [&'static str],
    /// The fewest characters.
    pub min_length: usize,
    /// The most characters.
    pub max_length: usize,
    /// A regular expression, or a rule over this text alone.
    pub pattern: Option<Form>,
    /// A format, as the schema names it.
    pub format: Option<Form>,
}

/// A form that texts must have.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// How the schema writes it, or what it is in words.
    pub name: &'static str,
    /// Whether a text has it.
    pub matches: fn(&str) -> bool,
}

/// The schema of a kind; `None` for kinds whose definition has none here.
#[must_use]
pub fn of_kind(kind: registry::Shape) -> Option<&'static Shape> {
    use registry::Shape::{CidrGroup, CiliumPolicy, ClusterPolicy};
    Some(match kind {
        CiliumPolicy => &cilium::POLICY,
        CidrGroup => &cilium::CIDR_GROUP,
        ClusterPolicy(ClusterPolicyKind::ClusterNetworkPolicy) => &cluster_network_policy::CLUSTER,
        ClusterPolicy(ClusterPolicyKind::AdminNetworkPolicy) => &cluster_network_policy::ADMIN,
        ClusterPolicy(ClusterPolicyKind::BaselineAdminNetworkPolicy) => {
            &cluster_network_policy::BASELINE
        }
        _ => return None,
    })
}

/// The fields of a kind for people who write it: the schema, or for a
/// NetworkPolicy, which code validates, a description of its fields alone.
#[must_use]
pub fn described(kind: registry::Shape) -> Option<&'static Shape> {
    match kind {
        registry::Shape::NetworkPolicy => Some(&network_policy::POLICY),
        other => of_kind(other),
    }
}

const fn optional(name: &'static str, shape: &'static Shape, doc: &'static str) -> Field {
    Field {
        name,
        required: false,
        default: None,
        shape,
        doc,
    }
}

const fn required(name: &'static str, shape: &'static Shape, doc: &'static str) -> Field {
    Field {
        required: true,
        ..optional(name, shape, doc)
    }
}

const fn object(fields: &'static [Field]) -> Shape {
    demanding(fields, &[])
}

const fn demanding(fields: &'static [Field], demands: &'static [Demand]) -> Shape {
    Shape::Object { fields, demands }
}

const fn list(items: &'static Shape) -> Shape {
    sized(0, usize::MAX, items)
}

const fn sized(min_items: usize, max_items: usize, items: &'static Shape) -> Shape {
    Shape::List {
        items,
        min_items,
        max_items,
        unique: Unique::No,
    }
}

const fn set(min_items: usize, max_items: usize, items: &'static Shape) -> Shape {
    Shape::List {
        items,
        min_items,
        max_items,
        unique: Unique::Items,
    }
}

/// Conditions of a status: one of each type.
const fn by_type(items: &'static Shape) -> Shape {
    Shape::List {
        items,
        min_items: 0,
        max_items: usize::MAX,
        unique: Unique::By("type"),
    }
}

const fn form(name: &'static str, matches: fn(&str) -> bool) -> Option<Form> {
    Some(Form { name, matches })
}

/// The fields of a selector of labels.
const fn selector_fields(expressions: &'static Shape) -> [Field; 2] {
    [
        optional(
            "matchExpressions",
            expressions,
            "conditions on labels, all of which must hold",
        ),
        optional(
            "matchLabels",
            &TEXT_MAP,
            "labels with their values, all of which must be there",
        ),
    ]
}

const ANY_TEXT: Text = Text {
    values: &[],
    min_length: 0,
    max_length: usize::MAX,
    pattern: None,
    format: None,
};

const fn word(values: &'static [&'static str]) -> Shape {
    Shape::Text(Text { values, ..ANY_TEXT })
}

static TEXT: Shape = Shape::Text(ANY_TEXT);
static TEXTS: Shape = list(&TEXT);
static TEXT_MAP: Shape = Shape::Map(&TEXT);
static TIME: Shape = Shape::Text(Text {
    format: form("date-time", forms::date_time),
    ..ANY_TEXT
});
