//! What an API server refuses before any agent sees it, and what it stores.
//!
//! In: the value tree of an object. Out: the tree as the API server stores
//! it, and what its OpenAPI schema has against it. The schemas themselves are
//! tables (`tables`), which editors can walk for completion and hover.
//!
//! An API server drops unknown fields and nulls and fills in defaults first
//! (k8s.io/apiextensions-apiserver pkg/apiserver/schema, pruning and
//! defaulting), then validates what is left (k8s.io/kube-openapi
//! pkg/validation/validate). It is the only layer that knows patterns,
//! lengths and required fields; wrong types it has in common with decoding.

mod check;
mod tables;
#[cfg(test)]
mod tests;
mod texts;

pub use check::codes;
pub use tables::{CIDR_GROUP, POLICY, RULE};

use crate::diagnostic::Diagnostic;
use crate::yaml::Node;

/// The shape of a value.
#[derive(Debug)]
pub enum Shape {
    /// A mapping with known fields.
    Object {
        /// Its fields, in the order of their names.
        fields: &'static [Field],
        /// Groups of fields of which a number must be present.
        groups: &'static [Group],
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
        max_items: Option<usize>,
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

/// Fields of which some number must be present.
#[derive(Debug)]
pub struct Group {
    /// The names.
    pub fields: &'static [&'static str],
    /// Exactly one must be; otherwise one or more.
    pub exactly_one: bool,
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
    pub max_length: Option<usize>,
    /// A regular expression, as the schema writes it.
    pub pattern: Option<Form>,
    /// A format, as the schema names it.
    pub format: Option<Form>,
}

/// A form that texts must have.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// How the schema writes it.
    pub name: &'static str,
    /// Whether a text has it.
    pub matches: fn(&str) -> bool,
}

/// An object after an API server's admission.
#[derive(Debug)]
pub struct Admitted {
    /// What the server would store where that is not what was written:
    /// unknown fields and nulls dropped, defaults filled in.
    pub stored: Option<Node>,
    /// Why it would refuse the object; it stores it when this is empty.
    pub diagnostics: Vec<Diagnostic>,
}

impl Admitted {
    /// An object that nobody has anything against or changes anything in.
    #[must_use]
    pub fn unchanged() -> Self {
        Self {
            stored: None,
            diagnostics: Vec::new(),
        }
    }
}

pub use check::admit;
