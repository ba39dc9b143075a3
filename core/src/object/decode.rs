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
//! use netverdict::object::decode::{Decode, Decoder};
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
//!         decoder.fields(node, |f| Self {
//!             span: f.span(),
//!             name: f.get("name"),
//!             port: f.get("port"),
//!             node_port: f.get("nodePort"),
//!         })
//!     }
//! }
//! ```

use super::template;
use crate::diagnostic::{Code, Diagnostic, Severity, suggest};
use crate::source::{Span, Spanned};
use crate::yaml::{Entry, Node, Number, Value};

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

/// Diagnostics kept of one object; an error beyond them still refuses it.
pub const MAX_FOUND: usize = 1000;

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
    found: Vec<Diagnostic>,
    refused: bool,
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
        self.refused |= diagnostic.severity == Severity::Error;
        if self.found.len() < MAX_FOUND {
            self.found.push(diagnostic);
        }
    }

    /// True when an error was found, which refuses the object.
    #[must_use]
    pub fn refused(&self) -> bool {
        self.refused
    }

    /// What was found, in the order of the type's fields.
    #[must_use]
    pub fn finish(self) -> Vec<Diagnostic> {
        self.found
    }

    /// Decodes a struct from a mapping: `build` takes its fields, and what it
    /// did not ask for is reported as unknown afterwards. `null` and values of
    /// another type (which are reported) have no fields.
    pub fn fields<T>(&mut self, node: &Node, build: impl FnOnce(&mut Fields<'_, '_>) -> T) -> T {
        if !matches!(node.value, Value::Null | Value::Map(_)) {
            self.wrong_type(node, "a mapping");
        }
        let mut fields = Fields {
            node,
            decoder: self,
            known: Vec::new(),
            foreign: Vec::new(),
            partial: false,
        };
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
            self.path.push_str(&format!("[{index}]"));
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
            if let Some((text, certain)) = scalar_text(node) {
                d = d
                    .help(format!(
                        "put it in quotes: without them YAML reads a {}",
                        node.type_name()
                    ))
                    .fix("quote the value", node.span, format!("\"{text}\""), certain);
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

/// The fields of a mapping being decoded.
#[derive(Debug)]
pub struct Fields<'n, 'd> {
    node: &'n Node,
    decoder: &'d mut Decoder,
    known: Vec<&'static str>,
    foreign: Vec<(&'static [&'static str], &'static str)>,
    partial: bool,
}

impl<'n> Fields<'n, '_> {
    /// Where the mapping stands.
    #[must_use]
    pub fn span(&self) -> Span {
        self.node.span
    }

    /// The mapping's path.
    #[must_use]
    pub fn path(&self) -> &str {
        self.decoder.path()
    }

    /// The decoder, to report to.
    pub fn decoder(&mut self) -> &mut Decoder {
        self.decoder
    }

    /// Decodes a field; the zero value when it is absent.
    pub fn get<T: Decode + Default>(&mut self, name: &'static str) -> T {
        self.with(name, T::decode).unwrap_or_default()
    }

    /// Decodes a field whose type decodes itself, so that `null` makes it
    /// present; `None` only when the key is absent.
    pub fn present<T: Decode>(&mut self, name: &'static str) -> Option<T> {
        self.with(name, T::decode)
    }

    /// A mapping of strings; empty when absent.
    pub fn string_map(&mut self, name: &'static str) -> Vec<(Spanned<String>, Spanned<String>)> {
        self.with(name, |node, decoder| decoder.string_map(node))
            .unwrap_or_default()
    }

    /// Text that nothing depends on; see [`Decoder::free_text`].
    pub fn free_text(&mut self, name: &'static str) -> Option<Spanned<String>> {
        self.with(name, |node, decoder| decoder.free_text(node))
    }

    /// A time; empty when absent.
    pub fn time(&mut self, name: &'static str) -> String {
        self.with(name, |node, decoder| decoder.time(node))
            .unwrap_or_default()
    }

    /// The undecoded entry of a field, which counts as known.
    pub fn entry(&mut self, name: &'static str) -> Option<&'n Entry> {
        self.known.push(name);
        self.node
            .entries()
            .iter()
            .filter(|e| self.matches(e, name))
            .max_by(|a, b| a.key.cmp(&b.key))
    }

    /// Fields that the type has and that are not looked into.
    pub fn ignore(&mut self, names: &[&'static str]) {
        self.known.extend(names);
    }

    /// Fields that people write here although the type does not have them,
    /// with what to tell them.
    pub fn foreign(&mut self, names: &'static [&'static str], help: &'static str) {
        self.foreign.push((names, help));
    }

    /// Takes the fields that nobody asks for as known: only a part of the type
    /// is read.
    pub fn partial(&mut self) {
        self.partial = true;
    }

    /// Decodes a field by hand, inside its path; `None` when it is absent.
    pub fn with<T>(
        &mut self,
        name: &'static str,
        mut decode: impl FnMut(&Node, &mut Decoder) -> T,
    ) -> Option<T> {
        self.known.push(name);
        let mut entries: Vec<&Entry> = self
            .node
            .entries()
            .iter()
            .filter(|e| self.matches(e, name))
            .collect();
        // JSON made from YAML has its keys sorted, and the last one wins.
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        let mut value = None;
        for entry in entries {
            if entry.key != name {
                let message = format!("field `{}` is spelled `{name}`", entry.key);
                let d = Diagnostic::new(FIELD_CASE, entry.key_span, message)
                    .help("Cilium takes it, but the API server drops it")
                    .fix("correct the name", entry.key_span, name, true);
                self.decoder
                    .in_field(&entry.key, |decoder| decoder.report(d));
            }
            value = Some(
                self.decoder
                    .in_field(name, |decoder| decode(&entry.node, decoder)),
            );
        }
        value
    }

    fn matches(&self, entry: &Entry, name: &str) -> bool {
        entry.key == name || self.decoder.any_case && same_letters(&entry.key, name)
    }

    fn report_unknown(self) {
        if self.partial {
            return;
        }
        for entry in self.node.entries() {
            if self.known.iter().any(|name| self.matches(entry, name)) {
                continue;
            }
            let mut d = Diagnostic::new(
                UNKNOWN_FIELD,
                entry.key_span,
                format!("unknown field `{}`", entry.key),
            );
            let foreign = self
                .foreign
                .iter()
                .find(|(names, _)| names.iter().any(|name| same_letters(name, &entry.key)));
            if let Some((_, help)) = foreign {
                let d = d.help(format!("it has no effect: {help}"));
                self.decoder
                    .in_field(&entry.key, |decoder| decoder.report(d));
                continue;
            }
            let close = self.known.iter().find(|n| same_letters(n, &entry.key));
            let close = close.copied().or_else(|| {
                let free = self.known.iter().copied();
                suggest(&entry.key, free.filter(|n| self.node.get(n).is_none()))
            });
            d = match close {
                Some(name) => d
                    .help(format!(
                        "did you mean `{name}`? as it stands the field has no effect"
                    ))
                    .fix(
                        format!("rename it to `{name}`"),
                        entry.key_span,
                        name,
                        same_letters(name, &entry.key),
                    ),
                None if self.known.is_empty() => d.help("nothing is expected here"),
                None => d.help(format!(
                    "it has no effect; known here: {}",
                    self.known.join(", ")
                )),
            };
            self.decoder
                .in_field(&entry.key, |decoder| decoder.report(d));
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

/// Equal but for case, as encoding/json compares names.
fn same_letters(a: &str, b: &str) -> bool {
    let fold = |s: &str| -> String {
        s.chars()
            .flat_map(char::to_uppercase)
            .flat_map(char::to_lowercase)
            .collect()
    };
    a.eq_ignore_ascii_case(b) || !a.is_ascii() && fold(a) == fold(b)
}

/// "number `80`", "a list".
fn describe(node: &Node) -> String {
    match &node.value {
        Value::Null => "null".to_owned(),
        Value::Bool(b) => format!("boolean `{b}`"),
        Value::Number(n) => format!("number `{}`", number_text(*n)),
        Value::String(s) => {
            let mut shown: String = s.chars().take(60).collect();
            if shown.len() < s.len() {
                shown.push('…');
            }
            format!("string `{shown}`")
        }
        Value::List(_) => "a list".to_owned(),
        Value::Map(_) => "a mapping".to_owned(),
    }
}

fn number_text(number: Number) -> String {
    match number {
        Number::Int(i) => i.to_string(),
        Number::UInt(u) => u.to_string(),
        Number::Float(f) => f.to_string(),
    }
}

/// The text of a number or boolean, and whether it is certainly the one that
/// was written (`010`, `1.10` and `yes` are not).
fn scalar_text(node: &Node) -> Option<(String, bool)> {
    let text = match &node.value {
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => number_text(*n),
        _ => return None,
    };
    let written = node.span.end.saturating_sub(node.span.start) as usize;
    let certain = written == text.len();
    Some((text, certain))
}

/// The digits of a quoted number where a number is expected.
fn unquoted_number<'n>(node: &'n Node, expected: &str) -> Option<&'n str> {
    let text = node.as_str()?;
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = !digits.is_empty()
        && digits.bytes().all(|b| b.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'));
    (expected == "a whole number" && plain).then_some(text)
}

/// A time that Go's time.Parse reads as RFC3339.
pub(crate) fn is_rfc3339(text: &str) -> bool {
    let number = |range: std::ops::Range<usize>, min: u32, max: u32| {
        text.get(range).is_some_and(|t| {
            t.bytes().all(|b| b.is_ascii_digit())
                && t.parse::<u32>().is_ok_and(|n| (min..=max).contains(&n))
        })
    };
    let at = |i: usize, c: u8| text.as_bytes().get(i) == Some(&c);
    let date = number(0..4, 0, 9999) && at(4, b'-') && number(5..7, 1, 12) && at(7, b'-');
    let time = number(8..10, 1, 31) && at(10, b'T') && number(11..13, 0, 23) && at(13, b':');
    let seconds = number(14..16, 0, 59) && at(16, b':') && number(17..19, 0, 59);
    if !(date && time && seconds) {
        return false;
    }
    let part = |range: std::ops::Range<usize>| {
        let digits = text.get(range).unwrap_or_default();
        digits.parse::<u32>().unwrap_or_default()
    };
    let (year, month, day) = (part(0..4), part(5..7), part(8..10));
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if day > days {
        return false;
    }
    let rest = text.get(19..).unwrap_or_default();
    let zone = match rest.strip_prefix(['.', ',']) {
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            if zone.len() == fraction.len() {
                return false;
            }
            zone
        }
        None => rest,
    };
    if zone == "Z" {
        return true;
    }
    let offset = |range: std::ops::Range<usize>, max: u32| {
        zone.get(range).is_some_and(|t| {
            t.bytes().all(|b| b.is_ascii_digit()) && t.parse::<u32>().is_ok_and(|n| n <= max)
        })
    };
    zone.len() == 6
        && zone.starts_with(['+', '-'])
        && zone.as_bytes().get(3) == Some(&b':')
        && offset(1..3, 24)
        && offset(4..6, 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{LabelSelector, ObjectMeta, SelectorOperator};
    use crate::source::SourceId;
    use crate::yaml;

    fn tree(text: &str) -> Node {
        let mut documents = yaml::read(SourceId(0), text, &yaml::Limits::default());
        documents.remove(0).result.unwrap()
    }

    fn decoded<T: Decode>(text: &str) -> (T, Vec<(String, String)>) {
        let mut decoder = Decoder::new("Kind/ns/name");
        let value = decoder.decode(&tree(text));
        let found = decoder.finish();
        assert!(found.iter().all(|d| d.object == "Kind/ns/name"));
        let found = found.into_iter();
        (value, found.map(|d| (d.code.to_string(), d.path)).collect())
    }

    fn places(found: &[(String, String)]) -> Vec<(&str, &str)> {
        found.iter().map(|(c, p)| (&**c, &**p)).collect()
    }

    #[test]
    fn all_problems_of_an_object_are_collected_with_their_paths() {
        let (selector, found) = decoded::<LabelSelector>(
            "matchLabels: {a: 1, b: x}\nmatchExpressions:\n- {key: k, operator: In, values: [v, true]}\n- null\n- {Key: k}\nmatchLabel: {}\n",
        );
        assert_eq!(
            places(&found),
            [
                ("NV0201", "matchLabels.a"),
                ("NV0201", "matchExpressions[0].values[1]"),
                ("NV0202", "matchExpressions[2].Key"),
                ("NV0202", "matchLabel"),
            ]
        );
        let operators: Vec<_> = selector
            .match_expressions
            .iter()
            .map(|e| e.operator.value)
            .collect();
        assert_eq!(operators, [Some(SelectorOperator::In), None, None]);
    }

    #[test]
    fn self_decoding_types_take_names_in_any_case() {
        let mut decoder = Decoder::new("");
        let node = tree("MATCHLABELS: {a: b}\n");
        let selector = decoder.in_any_case(|d| d.decode::<LabelSelector>(&node));
        assert_eq!(selector.match_labels.len(), 1);
        assert!(!decoder.refused());
        let found = decoder.finish();
        assert_eq!(found[0].code, FIELD_CASE);
        assert_eq!(found[0].fixes[0].edits[0].1, "matchLabels");
    }

    #[test]
    fn null_is_the_zero_value() {
        let (meta, found) = decoded::<ObjectMeta>(
            "name: null\nnamespace: ~\nlabels: {a: null}\ncreationTimestamp: null\nfinalizers: null\n",
        );
        assert!(found.is_empty());
        assert_eq!(meta.name.value, "");
        assert_eq!(meta.namespace, None);
        assert_eq!(meta.labels[0].1.value, "");
    }

    #[test]
    fn whole_numbers_are_those_json_writes_without_fraction() {
        for (text, value, code) in [
            ("80", 80, None),
            ("80.0", 80, None),
            ("1e3", 1000, None),
            ("null", 0, None),
            ("80.5", 0, Some("NV0201")),
            ("'80'", 0, Some("NV0201")),
            ("2147483648", 0, Some("NV0204")),
            ("18446744073709551615", 0, Some("NV0204")),
            ("1e30", 0, Some("NV0201")),
            ("[80]", 0, Some("NV0201")),
        ] {
            let (number, found) = decoded::<i32>(text);
            assert_eq!(number, value, "{text}");
            assert_eq!(found.first().map(|f| &*f.0), code, "{text}");
        }
    }

    #[test]
    fn a_bare_number_is_quoted_by_a_fix() {
        let mut decoder = Decoder::default();
        decoder.decode::<String>(&tree("443"));
        let d = decoder.finish().remove(0);
        assert_eq!(d.message, "expected a string, found number `443`");
        assert_eq!(d.fixes[0].edits[0].1, "\"443\"");
        assert!(d.fixes[0].machine_applicable);
        let mut decoder = Decoder::default();
        decoder.decode::<String>(&tree("0x50"));
        assert!(!decoder.finish()[0].fixes[0].machine_applicable);
    }

    #[test]
    fn variables_are_noted_and_do_not_refuse() {
        let (meta, found) = decoded::<ObjectMeta>(
            "name: a-${X}\nannotations: {a: '${Y}'}\nlabels: {b: '{{ .z }}'}\n",
        );
        assert_eq!(places(&found), [("NV0901", "name"), ("NV0901", "labels.b")]);
        assert_eq!(meta.annotations[0].1.value, "${Y}");
    }

    #[test]
    fn times_have_the_form_of_rfc_3339() {
        for (text, ok) in [
            ("2024-05-01T12:00:00Z", true),
            ("2024-05-01T12:00:00.123+02:00", true),
            ("2024-05-01T12:00:00", false),
            ("2024-05-01 12:00:00Z", false),
            ("2024-13-01T12:00:00Z", false),
            ("2024-02-29T12:00:00Z", true),
            ("2023-02-29T12:00:00Z", false),
            ("2024-05-01T12:00:00.Z", false),
            ("", false),
        ] {
            assert_eq!(is_rfc3339(text), ok, "{text}");
        }
    }
}
