//! Value trees → typed objects.
//!
//! In: a [`Node`]. Out: a value of a type that implements [`Decode`], and
//! diagnostics for every place where text and type disagree. All of an
//! object's problems are collected; a decoder that found an error of severity
//! [`Severity::Error`] means that the object is refused at stage "decode".
//!
//! The rules are those by which Kubernetes clients read objects
//! (sigs.k8s.io/json, as Cilium 1.20.2 uses it through client-go): names of
//! fields match exactly, unknown fields are dropped, `null` leaves the zero
//! value, a value of another type refuses the object. Types that decode
//! themselves with Go's encoding/json match names without regard to case:
//! [`Decoder::in_any_case`].
//!
//! ```
//! use netverdict::object::decode::{Decode, Decoder, Fields};
//! use netverdict::source::{Span, Spanned};
//! use netverdict::yaml::Node;
//!
//! #[derive(Default)]
//! struct ServicePort {
//!     span: Span,
//!     name: Spanned<String>,
//!     port: Spanned<i32>,
//!     node_port: Option<Spanned<i32>>,
//! }
//!
//! impl Decode for ServicePort {
//!     fn decode(node: &Node, decoder: &mut Decoder) -> Self {
//!         decoder.fields(node, |f: &mut Fields<'_, '_>| Self {
//!             span: f.span(),
//!             name: f.get("name"),
//!             port: f.get("port"),
//!             node_port: f.get("nodePort"),
//!         })
//!     }
//! }
//! ```

mod fields;
mod scalar;
#[cfg(test)]
mod tests;

pub use fields::Fields;
pub(crate) use scalar::is_rfc3339;

use super::template;
use crate::diagnostic::{Code, Diagnostic, Findings, Severity};
use crate::source::{Span, Spanned};
use crate::yaml::{Entry, Node, Number, Value};
use scalar::{describe, scalar_text, unquoted_number};
use std::fmt::Write;

/// A value has another type than its field.
pub const WRONG_TYPE: Code = Code::new(201, Severity::Error, "wrong type");
/// A field that the type does not have; it has no effect.
pub const UNKNOWN_FIELD: Code = Code::new(202, Severity::Warning, "unknown field");
/// A field written in other letters that Cilium takes and the API server drops.
pub const FIELD_CASE: Code = Code::new(203, Severity::Warning, "field name in other letters");
/// A whole number that the field's type cannot hold.
pub const NUMBER_RANGE: Code = Code::new(204, Severity::Error, "number out of range");
/// A text that is no RFC 3339 time.
pub const TIME: Code = Code::new(205, Severity::Error, "malformed time");

/// A type that can be read from a value tree.
///
/// `decode` never fails: it reports what is wrong to the decoder and returns
/// what it could read. It must treat `null` as the type's zero value.
pub trait Decode: Sized {
    /// Reads a value.
    fn decode(node: &Node, decoder: &mut Decoder) -> Self;
}

/// Collects the problems of one object while it is decoded.
#[derive(Debug, Default)]
pub struct Decoder {
    object: String,
    path: String,
    any_case: bool,
    found: Findings,
}

impl Decoder {
    /// A decoder for the object of that name (`Kind/namespace/name`), which
    /// its diagnostics carry.
    #[must_use]
    pub fn new(object: impl Into<String>) -> Self {
        Self {
            object: object.into(),
            ..Self::default()
        }
    }

    /// Decodes a whole tree.
    pub fn decode<T: Decode>(&mut self, node: &Node) -> T {
        T::decode(node, self)
    }

    /// The path of the value being decoded, such as `spec.ingress[0]`; empty
    /// at the top.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Adds a diagnostic, with the current path unless it has one, and the
    /// object's name.
    pub fn report(&mut self, mut diagnostic: Diagnostic) {
        if diagnostic.path.is_empty() {
            diagnostic.path.clone_from(&self.path);
        }
        if diagnostic.object.is_empty() {
            diagnostic.object.clone_from(&self.object);
        }
        self.found.push(diagnostic);
    }

    /// True when an error was found, which refuses the object.
    #[must_use]
    pub fn refused(&self) -> bool {
        self.found.refused()
    }

    /// What was found, in the order of the type's fields; of very much, the
    /// first.
    #[must_use]
    pub fn finish(self) -> Vec<Diagnostic> {
        self.found.finish()
    }

    /// Decodes a struct from a mapping: `build` takes its fields, and what it
    /// did not ask for is reported as unknown afterwards. `null` and values of
    /// another type (which are reported) have no fields.
    pub fn fields<T>(&mut self, node: &Node, build: impl FnOnce(&mut Fields<'_, '_>) -> T) -> T {
        if !matches!(node.value, Value::Null | Value::Map(_)) {
            self.wrong_type(node, "a mapping");
        }
        let mut fields = Fields::new(node, self);
        let built = build(&mut fields);
        fields.report_unknown();
        built
    }

    /// Runs `inner` with field names matched without regard to case, as types
    /// that decode themselves have it (`UnmarshalJSON` with encoding/json).
    pub fn in_any_case<T>(&mut self, inner: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.any_case, true);
        let result = inner(self);
        self.any_case = before;
        result
    }

    /// Runs `inner` with the field's name appended to the path.
    pub fn in_field<T>(&mut self, name: &str, inner: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(name);
        let result = inner(self);
        self.path.truncate(length);
        result
    }

    /// Decodes every item of a list with `[index]` appended to the path;
    /// `null` is an empty list.
    pub fn list<T>(&mut self, node: &Node, mut item: impl FnMut(&Node, &mut Self) -> T) -> Vec<T> {
        if !matches!(node.value, Value::Null | Value::List(_)) {
            self.wrong_type(node, "a list");
        }
        let length = self.path.len();
        let mut items = Vec::with_capacity(node.items().len());
        for (index, child) in node.items().iter().enumerate() {
            // Writing to a text cannot fail.
            let _ = write!(self.path, "[{index}]");
            items.push(item(child, self));
            self.path.truncate(length);
        }
        items
    }

    /// Decodes every value of a mapping with its key appended to the path;
    /// `null` is an empty mapping.
    pub fn map<T>(
        &mut self,
        node: &Node,
        mut value: impl FnMut(&Entry, &mut Self) -> T,
    ) -> Vec<(Spanned<String>, T)> {
        if !matches!(node.value, Value::Null | Value::Map(_)) {
            self.wrong_type(node, "a mapping");
        }
        node.entries()
            .iter()
            .map(|e| {
                let key = Spanned::new(e.key.clone(), e.key_span);
                (key, self.in_field(&e.key, |d| value(e, d)))
            })
            .collect()
    }

    /// Decodes a mapping of strings; a `null` value is the empty string.
    pub fn string_map(&mut self, node: &Node) -> Vec<(Spanned<String>, Spanned<String>)> {
        self.map(node, |entry, d| {
            d.note_template(&entry.key, entry.key_span);
            d.decode(&entry.node)
        })
    }

    /// A mapping of strings that people and other tools read: unresolved
    /// variables in it are not reported.
    pub fn free_text_map(&mut self, node: &Node) -> Vec<(Spanned<String>, Spanned<String>)> {
        self.map(node, |entry, d| d.free_text(&entry.node))
    }

    /// A string that people read and nothing depends on: unresolved variables
    /// in it are not reported.
    pub fn free_text(&mut self, node: &Node) -> Spanned<String> {
        let value = match &node.value {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            _ => {
                self.wrong_type(node, "a string");
                String::new()
            }
        };
        Spanned::new(value, node.span)
    }

    /// A time in RFC 3339 form; empty for `null`.
    pub fn time(&mut self, node: &Node) -> String {
        let text: String = self.decode(node);
        if node.as_str().is_some() && !is_rfc3339(&text) {
            let message = format!("`{text}` is not a time");
            self.report(
                Diagnostic::new(TIME, node.span, message)
                    .help("times are written as in `2024-05-01T12:00:00Z`"),
            );
        }
        text
    }

    /// Reports a value of another type than `expected` ("a string").
    pub fn wrong_type(&mut self, node: &Node, expected: &str) {
        let found = describe(node);
        let mut d = Diagnostic::new(
            WRONG_TYPE,
            node.span,
            format!("expected {expected}, found {found}"),
        );
        if expected == "a string" {
            if matches!(node.value, Value::Bool(_) | Value::Number(_)) {
                d = d.help(format!(
                    "put it in quotes: without them YAML reads a {}",
                    node.type_name()
                ));
            }
            if let Some(text) = scalar_text(node) {
                let certain = matches!(node.value, Value::Number(_));
                d = d.fix("quote the value", node.span, format!("\"{text}\""), certain);
            }
        } else if let Some(variable) = node.as_str().and_then(template::find) {
            d = d.help(format!(
                "`{variable}` is not resolved: fill it in before checking; as it stands the object is refused"
            ));
        } else if expected == "a list" {
            d = d.help("start each item with `- `, also when there is only one");
        } else if let Some(number) = unquoted_number(node, expected) {
            d = d
                .help("remove the quotes")
                .fix("remove the quotes", node.span, number, true);
        }
        self.report(d);
    }

    fn note_template(&mut self, text: &str, span: Span) {
        if let Some(variable) = template::find(text) {
            self.report(template::diagnostic(variable, span));
        }
    }

    fn integer(&mut self, node: &Node, min: i64, max: i64) -> i64 {
        let value = match node.value {
            Value::Null => return 0,
            Value::Number(Number::Int(i)) => Some(i),
            Value::Number(Number::UInt(_)) => None,
            // Without a fraction it is written without one in JSON.
            Value::Number(Number::Float(f)) if f.fract() == 0.0 && f.abs() < 1e21 => {
                #[allow(clippy::cast_possible_truncation)]
                // Beyond 2^53 only the range matters, and the cast saturates.
                let i = f as i64;
                (f.abs() < 9.2e18).then_some(i)
            }
            _ => {
                self.wrong_type(node, "a whole number");
                return 0;
            }
        };
        match value {
            Some(i) if (min..=max).contains(&i) => i,
            _ => {
                let message = format!("{} does not fit the field", describe(node));
                self.report(
                    Diagnostic::new(NUMBER_RANGE, node.span, message)
                        .help(format!("it takes whole numbers from {min} to {max}")),
                );
                0
            }
        }
    }
}

impl Decode for String {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        let text = decoder.free_text(node).value;
        decoder.note_template(&text, node.span);
        text
    }
}

impl Decode for bool {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        match node.value {
            Value::Bool(b) => b,
            Value::Null => false,
            _ => {
                decoder.wrong_type(node, "true or false");
                false
            }
        }
    }
}

macro_rules! decode_integer {
    ($($type:ty),*) => {$(
        impl Decode for $type {
            fn decode(node: &Node, decoder: &mut Decoder) -> Self {
                let (min, max) = (i64::from(Self::MIN), i64::from(Self::MAX));
                Self::try_from(decoder.integer(node, min, max)).unwrap_or_default()
            }
        }
    )*};
}

decode_integer!(u8, u16, i32, u32, i64);

impl Decode for u64 {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        if let Value::Number(Number::UInt(u)) = node.value {
            return u;
        }
        Self::try_from(decoder.integer(node, 0, i64::MAX)).unwrap_or_default()
    }
}

impl<T: Decode> Decode for Spanned<T> {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        Self::new(T::decode(node, decoder), node.span)
    }
}

/// `null` is `None`, as for a Go pointer or slice.
impl<T: Decode> Decode for Option<T> {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        (!node.is_null()).then(|| T::decode(node, decoder))
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.list(node, T::decode)
    }
}
