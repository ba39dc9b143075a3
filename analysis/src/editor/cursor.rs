//! Where in an object a place is, by indentation.

use netverdict::object::registry::{self, Lookup};
use netverdict::object::schema::{self, Field, Shape};
use std::ops::Range;

/// A line, taken apart: `  - key: value`.
#[derive(Clone, Copy, Debug)]
struct Line<'t> {
    /// Columns (bytes) of the dashes' content, the last of the line.
    column: usize,
    /// The key, without quotes.
    key: Option<&'t str>,
    /// Where the key ends, its colon not included.
    key_end: usize,
    /// What follows the colon, or all of a line without a key.
    rest: &'t str,
}

impl<'t> Line<'t> {
    fn new(text: &'t str) -> Self {
        let mut column = text.len() - text.trim_start_matches(' ').len();
        while let Some(rest) = text[column..].strip_prefix('-') {
            if !rest.is_empty() && !rest.starts_with(' ') {
                break;
            }
            column += 1 + (rest.len() - rest.trim_start_matches(' ').len());
        }
        let content = &text[column..];
        let quoted = content.starts_with('"') || content.starts_with('\'');
        let colon = match quoted {
            true => content[1..]
                .find(&content[..1])
                .map(|end| end + 2)
                .filter(|end| content[*end..].starts_with(':')),
            false => content
                .char_indices()
                .find(|(at, c)| {
                    let after = content[at + c.len_utf8()..].chars().next();
                    *c == ':' && after.is_none_or(char::is_whitespace)
                })
                .map(|(at, _)| at),
        };
        match colon {
            Some(at) => Self {
                column,
                key: Some(content[..at].trim().trim_matches(['"', '\''])),
                key_end: column + at,
                rest: &content[at + 1..],
            },
            None => Self {
                column,
                key: None,
                key_end: column,
                rest: content,
            },
        }
    }

    fn is_empty(&self) -> bool {
        self.key.is_none() && self.rest.trim().is_empty()
    }

    fn is_comment(&self) -> bool {
        self.key.is_none_or(|k| k.starts_with('#')) && self.rest.trim_start().starts_with('#')
            || self.key.is_some_and(|k| k.starts_with('#'))
    }
}

/// What stands at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At<'t> {
    /// A key.
    Key(&'t str),
    /// The value of a key, as far as it is written.
    Value { key: &'t str, value: &'t str },
    /// An item, or the beginning of a key.
    Bare(&'t str),
}

/// A place in an object.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'t> {
    /// Its schema, if it has one.
    pub schema: Option<&'static Shape>,
    /// The keys around the place, the outermost first.
    pub path: Vec<&'t str>,
    /// What stands there.
    pub at: At<'t>,
    /// The byte at which the line's key or item begins.
    pub begins: usize,
    /// The bytes of what stands there: of the key, the value, or the item.
    pub word: Range<usize>,
    /// A colon follows the key already.
    pub colon: bool,
}

impl<'t> Cursor<'t> {
    /// The place of a byte in a text.
    pub(super) fn new(text: &'t str, offset: usize) -> Option<Self> {
        let before = text.get(..offset)?;
        let line_start = before.rfind('\n').map_or(0, |n| n + 1);
        let line_end = text[offset..].find('\n').map_or(text.len(), |n| offset + n);
        let own = text[line_start..line_end].trim_end_matches('\r');
        let column = (offset - line_start).min(own.len());
        let line = Line::new(own);
        if line.is_comment() {
            return None;
        }
        let (at, depth) = match line.key {
            Some(key) if column > line.key_end => {
                let value = line.rest.trim();
                (At::Value { key, value }, line.column)
            }
            Some(key) => (At::Key(key), line.column),
            None if line.is_empty() => (At::Bare(""), line.column.max(column)),
            None => (At::Bare(line.rest.trim()), line.column),
        };
        let document_start = document_start(&text[..line_start]);
        let path = path(&text[document_start..line_start], depth);
        let document = document(text, document_start);
        let head = |key: &str| -> &'t str {
            let mut lines = document.lines().map(Line::new);
            let found = lines.find(|l| l.column == 0 && l.key == Some(key));
            found.map_or("", |l| {
                let value = l.rest.split(" #").next().unwrap_or_default();
                value.trim().trim_matches(['"', '\''])
            })
        };
        let kind = head("kind");
        let schema = match registry::find(head("apiVersion"), kind) {
            Lookup::Known(known) | Lookup::WrongVersion(known) => schema::described(known.shape),
            _ => None,
        };
        let word = match at {
            At::Key(_) => line.column..line.key_end,
            At::Value { .. } => value_of(own, line.key_end + 1, column),
            At::Bare(_) => value_of(own, line.column.min(column), column),
        };
        Some(Self {
            schema,
            path,
            at,
            begins: line_start + line.column,
            word: line_start + word.start..line_start + word.end,
            colon: line.key.is_some(),
        })
    }

    /// The shape of what is inside of the innermost key.
    pub(super) fn inside(&self) -> Option<&'static Shape> {
        let mut shape = self.schema?;
        for key in &self.path {
            shape = step(shape, key)?;
        }
        Some(shape)
    }

    /// The field that a key names at this place.
    pub(super) fn field(&self, key: &str) -> Option<&'static Field> {
        match unlisted(self.inside()?) {
            Shape::Object { fields, .. } => fields.iter().find(|f| f.name == key),
            _ => None,
        }
    }
}

/// Where in a line the value stands that begins after `from`, at `column`;
/// within brackets the word there.
fn value_of(line: &str, from: usize, column: usize) -> Range<usize> {
    let rest = line.get(from..).unwrap_or_default();
    let rest = rest.split(" #").next().unwrap_or_default();
    let start = from + (rest.len() - rest.trim_start().len());
    let value = rest.trim();
    if value.is_empty() {
        return column..column;
    }
    if !value.starts_with(['{', '[']) {
        return start..start + value.len();
    }
    let ends = |c: char| c.is_whitespace() || "{}[],:".contains(c);
    let before = line.get(..column).unwrap_or_default();
    let after = line.get(column..).unwrap_or_default();
    let start = before.trim_end_matches(|c| !ends(c)).len();
    let end = column + after.find(ends).unwrap_or(after.len());
    start..end
}

/// What the items of a list, however deep, are.
pub(super) fn unlisted(mut shape: &'static Shape) -> &'static Shape {
    while let Shape::List { items, .. } = shape {
        shape = items;
    }
    shape
}

fn step(shape: &'static Shape, key: &str) -> Option<&'static Shape> {
    match unlisted(shape) {
        Shape::Object { fields, .. } => {
            let field = fields.iter().find(|f| f.name == key)?;
            Some(field.shape)
        }
        Shape::Map(values) => Some(values),
        _ => None,
    }
}

/// Where the document begins in which a text ends.
fn document_start(before: &str) -> usize {
    let mut start = 0;
    let mut at = 0;
    for line in before.split_inclusive('\n') {
        at += line.len();
        if line.starts_with("---") {
            start = at;
        }
    }
    start
}

fn document(text: &str, start: usize) -> &str {
    let rest = &text[start..];
    let mut end = 0;
    for line in rest.split_inclusive('\n') {
        if line.starts_with("---") {
            break;
        }
        end += line.len();
    }
    &rest[..end]
}

/// The keys around the end of a text, given how deep it is indented there.
fn path(before: &str, mut depth: usize) -> Vec<&str> {
    let mut path = Vec::new();
    for line in before.lines().rev().map(Line::new) {
        if depth == 0 {
            break;
        }
        if line.is_empty() || line.is_comment() {
            continue;
        }
        if let Some(key) = line.key
            && line.column < depth
        {
            path.push(key);
            depth = line.column;
        }
    }
    path.reverse();
    path
}
