//! Structural schemas: what an API server demands of a custom resource before
//! it stores it.
//!
//! In: a value tree and the [`Shape`] its CustomResourceDefinition gives it.
//! Out: every demand it does not meet. As on the server, fields without a
//! place in the schema are dropped first, and so are fields that are `null`
//! (Kubernetes 1.36 apiextensions-apiserver, pkg/apiserver/schema).

use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::source::Span;
use crate::yaml::{Entry, Node, Number, Value};

/// A value has another type than the schema says.
pub const TYPE: Code = Code::new(350, Severity::Error, "type refused by the schema");
/// A required field is missing.
pub const REQUIRED: Code = Code::new(351, Severity::Error, "required field missing");
/// A text is none of those allowed, or not of the form demanded.
pub const VALUE: Code = Code::new(352, Severity::Error, "value refused by the schema");
/// A number is out of bounds.
pub const BOUNDS: Code = Code::new(353, Severity::Error, "number refused by the schema");
/// A list has too few or too many items.
pub const ITEMS: Code = Code::new(354, Severity::Error, "list length refused by the schema");
/// A mapping has too few or too many fields.
pub const FIELDS: Code = Code::new(
    355,
    Severity::Error,
    "number of fields refused by the schema",
);
/// A text is too long.
pub const LENGTH: Code = Code::new(356, Severity::Error, "text too long for the schema");
/// An item stands twice in a list that is a set.
pub const DUPLICATE: Code = Code::new(357, Severity::Error, "duplicate list item");
/// A rule over several fields is broken.
pub const RULE: Code = Code::new(358, Severity::Error, "rule of the schema broken");

/// A test of a text, and the words for what it demands.
pub type Form = (fn(&str) -> bool, &'static str);

/// A test of a mapping, and what the rule says.
pub type Rule = (fn(&Node) -> bool, &'static str);

/// What a schema says of one value.
#[derive(Debug)]
pub enum Shape {
    /// A mapping with known fields.
    Object(Object),
    /// A mapping of strings.
    StringMap,
    /// A list.
    List {
        /// What each item is.
        items: &'static Shape,
        /// `minItems`.
        min: usize,
        /// `maxItems`.
        max: usize,
        /// `x-kubernetes-list-type: set`: no two items are equal.
        set: bool,
    },
    /// A string.
    Text {
        /// `maxLength` in characters.
        max: usize,
        /// `enum`; empty when any text will do.
        one_of: &'static [&'static str],
        /// `pattern`, or a rule over this text alone.
        form: Option<Form>,
    },
    /// A whole number from a minimum to a maximum.
    Integer(i64, i64),
    /// Anything: not looked into.
    Any,
}

/// What a schema says of a mapping.
#[derive(Debug)]
pub struct Object {
    /// `properties`.
    pub fields: &'static [Field],
    /// `minProperties`.
    pub min: usize,
    /// `maxProperties`.
    pub max: usize,
    /// `x-kubernetes-validations`.
    pub rule: Option<Rule>,
}

/// One of an [`Object`]'s `properties`.
#[derive(Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Listed in `required`, without a default.
    pub required: bool,
    /// What it is.
    pub shape: &'static Shape,
}

/// A string of any length.
pub const TEXT: Shape = Shape::Text {
    max: usize::MAX,
    one_of: &[],
    form: None,
};

/// A mapping with any number of fields and no rule.
#[must_use]
pub const fn object(fields: &'static [Field]) -> Shape {
    Shape::Object(Object {
        fields,
        min: 0,
        max: usize::MAX,
        rule: None,
    })
}

/// A list of any length.
#[must_use]
pub const fn list(items: &'static Shape) -> Shape {
    Shape::List {
        items,
        min: 0,
        max: usize::MAX,
        set: false,
    }
}

/// A field that must be there.
#[must_use]
pub const fn required(name: &'static str, shape: &'static Shape) -> Field {
    Field {
        name,
        required: true,
        shape,
    }
}

/// A field that may be left out.
#[must_use]
pub const fn optional(name: &'static str, shape: &'static Shape) -> Field {
    Field {
        name,
        required: false,
        shape,
    }
}

/// `metav1.LabelSelector`.
pub const LABEL_SELECTOR: Shape = object(&[
    optional("matchLabels", &Shape::StringMap),
    optional(
        "matchExpressions",
        &list(&object(&[
            required("key", &TEXT),
            required("operator", &TEXT),
            optional("values", &list(&TEXT)),
        ])),
    ),
]);

/// Checks a value tree. Rules over several fields are looked at only when
/// nothing else is wrong, as on the server.
#[must_use]
pub fn check(shape: &Shape, node: &Node) -> Vec<Diagnostic> {
    let run = |rules| {
        let mut check = Check {
            path: String::new(),
            rules,
            found: Vec::new(),
        };
        check.value(shape, node);
        check.found
    };
    let found = run(false);
    if found.is_empty() { run(true) } else { found }
}

struct Check {
    path: String,
    /// Whether this is the walk for the rules alone.
    rules: bool,
    found: Vec<Diagnostic>,
}

impl Check {
    fn report(&mut self, code: Code, span: Span, message: String, help: Option<String>) {
        let mut d = Diagnostic::new(code, span, message).at(self.path.clone());
        d.help = help;
        self.found.push(d);
    }

    fn inside(&mut self, step: &str, inner: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        if length > 0 && !step.starts_with('[') {
            self.path.push('.');
        }
        self.path.push_str(step);
        inner(self);
        self.path.truncate(length);
    }

    fn value(&mut self, shape: &Shape, node: &Node) {
        match (shape, &node.value) {
            (Shape::Any, _) => {}
            (Shape::Object(object), Value::Map(entries)) => self.object(object, node, entries),
            (Shape::StringMap, Value::Map(entries)) => {
                for entry in entries.iter().filter(|e| !e.node.is_null()) {
                    self.inside(&entry.key, |c| c.value(&TEXT, &entry.node));
                }
            }
            (
                Shape::List {
                    items,
                    min,
                    max,
                    set,
                },
                Value::List(values),
            ) => {
                self.count(ITEMS, "item", values.len(), (*min, *max), node.span);
                if *set && !self.rules {
                    self.unique(values);
                }
                for (i, value) in values.iter().enumerate() {
                    self.inside(&format!("[{i}]"), |c| c.value(items, value));
                }
            }
            (Shape::Text { max, one_of, form }, Value::String(text)) => {
                self.text(text, node.span, *max, one_of, *form);
            }
            (Shape::Integer(min, max), Value::Number(number)) => {
                self.integer(*number, node.span, *min, *max);
            }
            _ => {
                let expected = match shape {
                    Shape::Object(_) | Shape::StringMap => "a mapping",
                    Shape::List { .. } => "a list",
                    Shape::Text { .. } => "a string",
                    Shape::Integer(..) | Shape::Any => "a whole number",
                };
                let found = node.type_name();
                self.report(
                    TYPE,
                    node.span,
                    format!("expected {expected}, found {found}"),
                    None,
                );
            }
        }
    }

    fn object(&mut self, object: &Object, node: &Node, entries: &[Entry]) {
        if self.rules
            && let Some((_, says)) = object.rule.filter(|(keeps, _)| !keeps(node))
        {
            self.report(RULE, node.span, says.to_owned(), None);
        }
        let mut count = 0;
        for field in object.fields {
            let entry = entries
                .iter()
                .find(|e| e.key == field.name && !e.node.is_null());
            match entry {
                Some(entry) => {
                    count += 1;
                    self.inside(field.name, |c| c.value(field.shape, &entry.node));
                }
                None if field.required => self.inside(field.name, |c| {
                    let message = format!("the required field `{}` is missing", field.name);
                    c.report(REQUIRED, node.span, message, None);
                }),
                None => {}
            }
        }
        let names: Vec<&str> = object.fields.iter().map(|f| f.name).collect();
        let before = self.found.len();
        self.count(FIELDS, "field", count, (object.min, object.max), node.span);
        if let Some(d) = self.found.get_mut(before) {
            d.help = Some(format!("known here: {}", names.join(", ")));
        }
    }

    fn count(&mut self, code: Code, what: &str, count: usize, range: (usize, usize), span: Span) {
        let (min, max) = range;
        let demand = if count < min {
            format!("at least {min}")
        } else if count > max {
            format!("at most {max}")
        } else {
            return;
        };
        let plural = if count == 1 { "" } else { "s" };
        self.report(
            code,
            span,
            format!("{count} {what}{plural} where the API server demands {demand}"),
            None,
        );
    }

    fn unique(&mut self, values: &[Node]) {
        let mut seen = std::collections::HashMap::new();
        for (i, value) in values.iter().enumerate() {
            let Some(text) = value.as_str() else { continue };
            let Some(first) = seen.insert(text, value.span) else {
                continue;
            };
            let path = format!("{}[{i}]", self.path);
            self.found.push(
                Diagnostic::new(DUPLICATE, value.span, format!("`{text}` stands twice"))
                    .at(path)
                    .label(first, "first here"),
            );
        }
    }

    fn text(&mut self, text: &str, span: Span, max: usize, one_of: &[&str], form: Option<Form>) {
        let length = text.chars().count();
        if length > max {
            let message = format!("{length} characters where the API server takes {max}");
            self.report(LENGTH, span, message, None);
        }
        if !one_of.is_empty() && !one_of.contains(&text) {
            let all: Vec<String> = one_of.iter().map(|o| format!("`{o}`")).collect();
            let help = format!("use one of {}", all.join(", "));
            let message = format!("`{text}` is not allowed here");
            self.report(VALUE, span, message, Some(help));
        }
        if let Some((_, demand)) = form.filter(|(fits, _)| !fits(text)) {
            self.report(VALUE, span, format!("`{text}` is not {demand}"), None);
        }
    }

    fn integer(&mut self, number: Number, span: Span, min: i64, max: i64) {
        let value = match number {
            Number::Int(i) => Some(i),
            Number::UInt(_) => None,
            #[allow(clippy::cast_possible_truncation)]
            // The cast saturates, and the bounds are narrower than its ends.
            Number::Float(f) if f.fract() == 0.0 => Some(f as i64),
            Number::Float(_) => {
                let message = "expected a whole number, found a fraction".to_owned();
                return self.report(TYPE, span, message, None);
            }
        };
        if !value.is_some_and(|v| (min..=max).contains(&v)) {
            let message = format!("the API server takes numbers from {min} to {max} here");
            self.report(BOUNDS, span, message, None);
        }
    }
}
