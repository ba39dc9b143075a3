//! `Namespace` and `ServiceAccount`: objects that matter by name and labels.

use crate::object::ObjectMeta;
use crate::object::decode::{Decode, Decoder};
use crate::source::Span;
use crate::yaml::Node;

/// A `Namespace`. Its labels become labels of every pod in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Namespace {
    /// The whole object.
    pub span: Span,
    /// Name and labels.
    pub meta: ObjectMeta,
}

/// A `ServiceAccount`.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceAccount {
    /// The whole object.
    pub span: Span,
    /// Name, namespace, labels.
    pub meta: ObjectMeta,
}

impl Decode for Namespace {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            f.partial();
            Self {
                span: f.span(),
                meta: f.get("metadata"),
            }
        })
    }
}

impl Decode for ServiceAccount {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| {
            f.partial();
            Self {
                span: f.span(),
                meta: f.get("metadata"),
            }
        })
    }
}
