//! Pruning, defaults and validation by a shape.

use super::{Demand, Field, Form, Shape, Text, Unique};
use crate::diagnostic::{Code, Diagnostic, Findings, suggest};
use crate::object::template;
use crate::source::Span;
use crate::yaml::{Entry, Node, Number, Value};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The codes of schema checks.
pub mod codes {
    use crate::diagnostic::Code;
    use crate::diagnostic::Severity::Error;

    /// A value of another type (decoding refuses it too, save where the
    /// schema alone asks for a mapping).
    pub const TYPE: Code = Code::new(301, Error, "wrong type");
    /// A required field is absent (or null, which counts as absent).
    pub const REQUIRED: Code = Code::new(302, Error, "missing field");
    /// A text that is none of those allowed.
    pub const ENUM: Code = Code::new(303, Error, "value not allowed");
    /// A text that does not match its pattern.
    pub const PATTERN: Code = Code::new(304, Error, "value of the wrong form");
    /// A text too short or too long.
    pub const LENGTH: Code = Code::new(305, Error, "value of the wrong length");
    /// A list with too few or too many items.
    pub const ITEMS: Code = Code::new(306, Error, "wrong number of items");
    /// A number out of its bounds.
    pub const BOUNDS: Code = Code::new(307, Error, "number out of bounds");
    /// Not exactly one of several fields is present.
    pub const ONE_OF: Code = Code::new(308, Error, "not exactly one of several fields");
    /// None of several fields is present.
    pub const ANY_OF: Code = Code::new(309, Error, "none of several fields");
    /// Two items of a list that holds no equal ones.
    pub const DUPLICATE: Code = Code::new(310, Error, "repeated item");
    /// A rule over several fields is broken.
    pub const RULE: Code = Code::new(311, Error, "rule of the schema broken");
}

const NULL_IS_ABSENT: &str = "a field that is null counts as absent";

/// What an API server has against an object by the schema of its kind, in the
/// order written.
#[must_use]
pub fn check(shape: &'static Shape, node: &Node) -> Vec<Diagnostic> {
    let mut check = Check::default();
    check.value(node, shape);
    let mut found = if check.found.is_empty() {
        check.broken.finish()
    } else {
        check.found.finish()
    };
    found.sort_by_key(|d| d.span.start);
    found
}

/// The object as an API server would store it: unknown fields and nulls
/// dropped, defaults filled in; `None` when that changes nothing.
#[must_use]
pub fn stored(shape: &'static Shape, node: &Node) -> Option<Node> {
    let mut stored = node.clone();
    store(&mut stored, shape);
    (stored != *node).then_some(stored)
}

/// Drops unknown fields and nulls, and fills in defaults. A null item of a
/// list stays, for validation to refuse.
fn store(node: &mut Node, shape: &'static Shape) {
    let span = node.span;
    match (&mut node.value, shape) {
        (Value::Map(entries), Shape::Object { fields, .. }) => {
            let field = |key: &str| fields.iter().find(|f| f.name == key);
            entries.retain(|e| field(&e.key).is_some() && !e.node.is_null());
            for entry in entries.iter_mut() {
                if let Some(field) = field(&entry.key) {
                    store(&mut entry.node, field.shape);
                }
            }
            for field in *fields {
                let Some(text) = field.default else { continue };
                if !entries.iter().any(|e| e.key == field.name) {
                    entries.push(Entry {
                        key: field.name.to_owned(),
                        key_span: span,
                        node: Node {
                            value: Value::String(text.to_owned()),
                            span,
                        },
                    });
                }
            }
        }
        (Value::Map(entries), Shape::Map(values)) => {
            entries.retain(|e| !e.node.is_null());
            for entry in entries.iter_mut() {
                store(&mut entry.node, values);
            }
        }
        (Value::List(items), Shape::List { items: shape, .. }) => {
            for item in items {
                store(item, shape);
            }
        }
        _ => {}
    }
}

#[derive(Default)]
struct Check {
    path: String,
    found: Findings,
    /// Broken rules, which nobody asks when something is found.
    broken: Findings,
}

/// What a mapping has under a name, where nulls are dropped.
fn present<'n>(entries: &'n [Entry], name: &str) -> Option<&'n Node> {
    let entry = entries.iter().find(|e| e.key == name)?;
    (!entry.node.is_null()).then_some(&entry.node)
}

impl Check {
    fn report(&mut self, code: Code, span: Span, message: String, help: impl Into<String>) {
        let problem = Diagnostic::new(code, span, message).at(self.path.clone());
        self.found.push(problem.help(help));
    }

    fn inside(&mut self, segment: &str, inner: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        if length > 0 && !segment.starts_with('[') {
            self.path.push('.');
        }
        self.path.push_str(segment);
        inner(self);
        self.path.truncate(length);
    }

    fn value(&mut self, node: &Node, shape: &'static Shape) {
        match (&node.value, shape) {
            (Value::Map(entries), Shape::Object { fields, demands }) => {
                self.object(node, entries, fields, demands);
            }
            (Value::Map(entries), Shape::Map(values)) => {
                for entry in entries.iter().filter(|e| !e.node.is_null()) {
                    self.inside(&entry.key, |check| check.value(&entry.node, values));
                }
            }
            (Value::Map(_), Shape::Opaque) => {}
            (
                Value::List(items),
                Shape::List {
                    items: shape,
                    min_items,
                    max_items,
                    unique,
                },
            ) => {
                self.count(node, items.len(), *min_items, *max_items);
                for (i, item) in items.iter().enumerate() {
                    let length = self.path.len();
                    // Writing to a text cannot fail.
                    let _ = write!(self.path, "[{i}]");
                    self.value(item, shape);
                    self.path.truncate(length);
                }
                self.unique(items, *unique);
            }
            // The validator asks a formatted text for no type when it meets
            // a list; decoding refuses it.
            (Value::List(_), Shape::Text(text)) if text.format.is_some() => {}
            (Value::String(value), Shape::Text(text) | Shape::IntOrText(text)) => {
                self.text(node, value, text);
            }
            (Value::Number(number), Shape::Integer(min, max)) if is_whole(*number) => {
                self.bounds(node, *number, *min, *max);
            }
            (Value::Number(number), Shape::IntOrText(_)) if is_whole(*number) => {}
            (Value::Bool(_), Shape::Boolean) => {}
            _ => self.wrong_type(node, shape),
        }
    }

    fn wrong_type(&mut self, node: &Node, shape: &'static Shape) {
        let expected = match shape {
            Shape::Object { .. } | Shape::Map(_) | Shape::Opaque => "a mapping",
            Shape::List { .. } => "a list",
            Shape::Text(_) => "a string",
            Shape::Integer(..) => "a whole number",
            Shape::IntOrText(_) => "a whole number or a string",
            Shape::Boolean => "true or false",
        };
        let message = format!("expected {expected}, found a {}", node.type_name());
        let help = match (shape, &node.value) {
            (Shape::Text(_), Value::Number(_) | Value::Bool(_)) => "put it in quotes",
            (Shape::List { .. }, _) => "start each item with `- `, also when there is only one",
            _ => "the API server refuses the object",
        };
        self.report(codes::TYPE, node.span, message, help);
    }

    fn object(
        &mut self,
        node: &Node,
        entries: &[Entry],
        fields: &'static [Field],
        demands: &'static [Demand],
    ) {
        for field in fields {
            match present(entries, field.name) {
                Some(node) => self.inside(field.name, |check| check.value(node, field.shape)),
                None if field.required => self.inside(field.name, |check| {
                    let message = format!("`{}` is missing", field.name);
                    check.report(codes::REQUIRED, node.span, message, field.doc);
                }),
                None => {}
            }
        }
        for demand in demands {
            match *demand {
                Demand::AnyOf(names) => self.any_of(node.span, entries, names),
                Demand::OneOf(names) => self.one_of(node.span, entries, names),
                Demand::Rule { holds, says } if !holds(node) => self
                    .broken
                    .push(Diagnostic::new(codes::RULE, node.span, says).at(self.path.clone())),
                Demand::Rule { .. } => {}
            }
        }
    }

    fn any_of(&mut self, span: Span, entries: &[Entry], names: &[&str]) {
        if names.iter().any(|name| present(entries, name).is_some()) {
            return;
        }
        let message = match names {
            [name] => format!("`{name}` must be present"),
            _ => format!("one or more of `{}` must be present", names.join("`, `")),
        };
        self.report(codes::ANY_OF, span, message, NULL_IS_ABSENT);
    }

    fn one_of(&mut self, span: Span, entries: &[Entry], names: &[&str]) {
        let given = names.iter().filter(|name| present(entries, name).is_some());
        let names = names.join("`, `");
        match given.count() {
            0 => {
                let message = format!("exactly one of `{names}` must be present");
                self.report(codes::ONE_OF, span, message, NULL_IS_ABSENT);
            }
            1 => {}
            _ => {
                let message = format!("only one of `{names}` may be present");
                self.report(codes::ONE_OF, span, message, "an empty value counts too");
            }
        }
    }

    fn count(&mut self, node: &Node, count: usize, min: usize, max: usize) {
        let plural = if count == 1 { "" } else { "s" };
        if count < min {
            let message = format!("{count} item{plural}, at least {min} are needed");
            let help = "leave the field out instead";
            self.report(codes::ITEMS, node.span, message, help);
        } else if count > max {
            let message = format!("{count} item{plural}, at most {max} are allowed");
            let help = "split the list over several elements";
            self.report(codes::ITEMS, node.span, message, help);
        }
    }

    fn unique(&mut self, items: &[Node], unique: Unique) {
        let mut seen = BTreeMap::new();
        for (i, item) in items.iter().enumerate() {
            let key = match unique {
                Unique::No => return,
                Unique::Items => item.as_str(),
                Unique::By(field) => item.get(field).and_then(Node::as_str),
            };
            let Some(key) = key else { continue };
            let Some(first) = seen.insert(key, item.span) else {
                continue;
            };
            let message = format!("`{key}` stands in the list already");
            self.found.push(
                Diagnostic::new(codes::DUPLICATE, item.span, message)
                    .at(format!("{}[{i}]", self.path))
                    .label(first, "first here")
                    .help("remove one of the two"),
            );
        }
    }

    fn bounds(&mut self, node: &Node, number: Number, min: i64, max: i64) {
        let inside = match number {
            Number::Int(i) => (min..=max).contains(&i),
            Number::UInt(_) => false,
            #[allow(clippy::cast_precision_loss)]
            // The bounds are small, or those of the type itself.
            Number::Float(f) => (min as f64..=max as f64).contains(&f),
        };
        if !inside {
            let message = "the number is out of bounds".to_owned();
            self.report(
                codes::BOUNDS,
                node.span,
                message,
                format!("from {min} to {max}"),
            );
        }
    }

    fn text(&mut self, node: &Node, value: &str, text: &Text) {
        let length = value.chars().count();
        let (code, message, help) = if length < text.min_length {
            let message = "the text is empty".to_owned();
            (codes::LENGTH, message, "give it a value".to_owned())
        } else if length > text.max_length {
            let message = format!("the text has {length} characters");
            let help = format!("at most {} are allowed", text.max_length);
            (codes::LENGTH, message, help)
        } else if !text.values.is_empty() && !text.values.contains(&value) {
            let help = match suggest(value, text.values.iter().copied()) {
                Some(close) => format!("did you mean `{close}`?"),
                None => format!("allowed are {}", text.values.join(", ")),
            };
            (codes::ENUM, format!("`{value}` is not allowed"), help)
        } else if let Some(pattern) = text.pattern
            && !(pattern.matches)(value)
        {
            let message = format!("`{value}` has the wrong form");
            (
                codes::PATTERN,
                message,
                format!("the schema asks for {}", pattern.name),
            )
        } else if let Some(Form { name, matches }) = text.format
            && !matches(value)
        {
            let help = if name == "cidr" {
                "a prefix such as `10.0.0.0/8`; a single address needs its length too, `/32` or `/128`"
            } else {
                "a time such as `2024-05-01T12:00:00Z`"
            };
            (
                codes::PATTERN,
                format!("`{value}` is no {name}"),
                help.to_owned(),
            )
        } else {
            return;
        };
        let help = match template::find(value) {
            Some(variable) => format!(
                "`{variable}` is not resolved: fill it in before checking; as it stands the API server refuses it"
            ),
            None => help,
        };
        self.report(code, node.span, message, help);
    }
}

/// Whole numbers that JSON carries exactly: Go reads larger ones as floats,
/// which the validator then takes for no integers.
fn is_whole(number: Number) -> bool {
    match number {
        Number::Int(_) => true,
        Number::UInt(_) => false,
        Number::Float(f) => f.fract() == 0.0 && f.abs() < 9_007_199_254_740_992.0,
    }
}
