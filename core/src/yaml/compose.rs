//! Events → the value tree: aliases followed, merge keys merged, scalars
//! resolved, keys made JSON keys.
//!
//! In: the events of one document. Out: its [`Node`]. The order in which
//! merged and written keys win, and what is refused, follow go.yaml.in/yaml/v2
//! 2.4.4 `decode.go`.

use super::budget::{Budget, too_deep, too_many_nodes};
use super::codes::{self, Problem};
use super::event::{Event, Kind, Parser};
use super::mapping::{Keys, Written};
use super::node::{Entry, Node, Value};
use super::scalar::{self, Scalar};
use super::{Limits, span};
use crate::diagnostic::Diagnostic;
use crate::source::{SourceId, Span};
use std::borrow::Cow;
use std::collections::HashMap;

/// Reads the first document of `text`, which begins at byte `base` of the
/// source. Text without a document is null.
pub(super) fn compose(
    source: SourceId,
    base: usize,
    text: &str,
    limits: &Limits,
    budget: &mut Budget,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Node, Problem> {
    check_characters(text)?;
    let items = gather(text, limits, budget)?;
    let mut composer = Composer {
        items: &items,
        source,
        base,
        limits,
        budget,
        warnings,
        decoded: 1,
        from_aliases: 0,
        alias_depth: 0,
    };
    if items.is_empty() {
        return Ok(Node {
            value: Value::Null,
            span: span(source, base, base),
        });
    }
    let built = composer.value(0, None, 0)?;
    match built.unfit {
        Some(problem) => Err(problem),
        None => Ok(built.node),
    }
}

/// YAML's printable characters; all others are refused wherever they stand.
fn check_characters(text: &str) -> Result<(), Problem> {
    let bytes = text.as_bytes();
    for (at, &b) in bytes.iter().enumerate() {
        let next = |ahead| bytes.get(at + ahead).copied().unwrap_or(0);
        let len = match b {
            0x20..=0x7E | b'\t' | b'\n' | b'\r' => continue,
            0x00..=0x7F => 1,
            0xC2 if next(1) < 0xA0 && next(1) != 0x85 => 2,
            0xEF if next(1) == 0xBF && next(2) >= 0xBE => 3,
            _ => continue,
        };
        let c = text.get(at..).and_then(|t| t.chars().next());
        let code = c.map_or(0, u32::from);
        let message = format!("YAML does not allow the character U+{code:04X}");
        return Err(Problem::new(codes::CHARACTER, at, at + len, message)
            .help("write it as an escape in double quotes"));
    }
    Ok(())
}

/// An event kept for composing: aliases know their target, collections their
/// end.
struct Item<'a> {
    shape: Shape<'a>,
    start: usize,
    end: usize,
}

enum Shape<'a> {
    Alias(usize),
    Scalar {
        tag: Cow<'a, str>,
        text: Cow<'a, str>,
        plain: bool,
    },
    /// `last` is the index of the matching [`Shape::End`].
    List {
        last: usize,
    },
    Map {
        last: usize,
    },
    End,
}

/// All events of the document, aliases bound to the anchors before them.
fn gather<'a>(text: &'a str, limits: &Limits, budget: &Budget) -> Result<Vec<Item<'a>>, Problem> {
    let mut parser = Parser::new(text);
    let mut items: Vec<Item<'a>> = Vec::with_capacity(text.len() / 24);
    let mut open: Vec<usize> = Vec::new();
    let mut anchors: HashMap<&'a str, usize, ahash::RandomState> = HashMap::default();
    loop {
        let Event { kind, start, end } = parser.next()?;
        let at = items.len();
        if at > budget.nodes.saturating_mul(2) {
            return Err(too_many_nodes(start, end, limits));
        }
        let (anchor, shape) = match kind {
            Kind::DocumentEnd => return Ok(items),
            Kind::Alias(name) => {
                let Some(&target) = anchors.get(name) else {
                    return Err(Problem::new(
                        codes::ALIAS,
                        start,
                        end,
                        format!("no anchor `{name}` before this alias"),
                    ));
                };
                if open.contains(&target) {
                    return Err(Problem::new(
                        codes::ALIAS,
                        start,
                        end,
                        format!("the value of anchor `{name}` contains itself"),
                    ));
                }
                ("", Shape::Alias(target))
            }
            Kind::Scalar {
                anchor,
                tag,
                text,
                plain,
            } => (anchor, Shape::Scalar { tag, text, plain }),
            Kind::ListStart { anchor } => (anchor, Shape::List { last: at }),
            Kind::MapStart { anchor } => (anchor, Shape::Map { last: at }),
            Kind::End => {
                if let Some(opened) = open.pop().and_then(|i| items.get_mut(i)) {
                    opened.end = end.max(opened.start);
                    match &mut opened.shape {
                        Shape::List { last } | Shape::Map { last } => *last = at,
                        _ => {}
                    }
                }
                ("", Shape::End)
            }
        };
        if !anchor.is_empty() {
            anchors.insert(anchor, at);
        }
        if matches!(shape, Shape::List { .. } | Shape::Map { .. }) {
            open.push(at);
            if open.len() > limits.max_depth {
                return Err(too_deep(start, end, limits));
            }
        }
        items.push(Item { shape, start, end });
    }
}

fn missing(at: usize) -> Problem {
    Problem::new(codes::SYNTAX, at, at, "a value is missing")
}

struct Composer<'c, 'a> {
    items: &'c [Item<'a>],
    source: SourceId,
    base: usize,
    limits: &'c Limits,
    budget: &'c mut Budget,
    warnings: &'c mut Vec<Diagnostic>,
    /// Values read so far, those that came through aliases among them.
    decoded: usize,
    from_aliases: usize,
    alias_depth: usize,
}

/// The extent of the alias that a value came through.
type Via = Option<(usize, usize)>;

/// A value that was read.
struct Built {
    node: Node,
    /// Index of the item after it.
    next: usize,
    /// Why JSON cannot carry it: an error, unless a duplicate key replaces it.
    unfit: Option<Problem>,
}

impl<'a> Composer<'_, 'a> {
    fn value(&mut self, at: usize, via: Via, depth: usize) -> Result<Built, Problem> {
        let items = self.items;
        let Some(item) = items.get(at) else {
            return Err(missing(0));
        };
        let (start, end) = via.unwrap_or((item.start, item.end));
        self.count(start, end)?;
        let (value, next, unfit) = match &item.shape {
            Shape::Alias(target) => {
                self.alias_depth += 1;
                let built = self.value(*target, Some((start, end)), depth)?;
                self.alias_depth -= 1;
                return Ok(Built {
                    next: at + 1,
                    ..built
                });
            }
            Shape::Scalar { tag, text, plain } => {
                let problem = |message| Problem::new(codes::SCALAR, start, end, message);
                let scalar = scalar::resolve(tag, *plain, text).map_err(problem)?;
                self.charge_text(&scalar, via)?;
                match scalar.into_value() {
                    Some(value) => (value, at + 1, None),
                    None => {
                        let problem = problem(format!("JSON has no number for `{text}`"))
                            .help("put it in quotes if it is meant as text");
                        (Value::Null, at + 1, Some(problem))
                    }
                }
            }
            Shape::List { last } => {
                self.check_depth(depth, start, end)?;
                let mut list = Vec::new();
                let mut unfit = None;
                let mut next = at + 1;
                while next < *last {
                    let built = self.value(next, via, depth + 1)?;
                    list.push(built.node);
                    unfit = unfit.or(built.unfit);
                    next = built.next;
                }
                (Value::List(list), *last + 1, unfit)
            }
            Shape::Map { last } => {
                let mut keys = Keys::default();
                self.map_into(&mut keys, at, via, depth, false)?;
                let unfit = keys.unfit();
                (Value::Map(keys.entries), *last + 1, unfit)
            }
            Shape::End => return Err(missing(start)),
        };
        let node = Node {
            value,
            span: self.place(start, end),
        };
        Ok(Built { node, next, unfit })
    }

    fn place(&self, start: usize, end: usize) -> Span {
        span(self.source, self.base + start, self.base + end)
    }

    /// Adds the pairs of the mapping at `at` to `keys`; `merged` when it is
    /// the value of a `<<`.
    fn map_into(
        &mut self,
        keys: &mut Keys,
        at: usize,
        via: Via,
        depth: usize,
        merged: bool,
    ) -> Result<(), Problem> {
        let items = self.items;
        let Some(Item {
            shape: Shape::Map { last },
            start,
            end,
        }) = items.get(at)
        else {
            return Ok(());
        };
        let (start, end) = via.unwrap_or((*start, *end));
        self.check_depth(depth, start, end)?;
        let mut next = at + 1;
        while next < *last {
            if let Some(Item {
                shape: Shape::Scalar { tag, text, plain },
                ..
            }) = items.get(next)
                && text == "<<"
                && (*plain || tag == "tag:yaml.org,2002:merge")
            {
                next = self.merge(keys, next + 1, via, depth)?;
                continue;
            }
            let (key, key_span) = self.key(next, via)?;
            let built = self.value(next + 1, via, depth + 1)?;
            next = built.next;
            let key = match key {
                Ok(key) => key,
                Err(problem) => {
                    keys.refused.get_or_insert(problem);
                    continue;
                }
            };
            let state = Written {
                merged,
                unfit: built.unfit,
            };
            let entry = Entry {
                key,
                key_span,
                node: built.node,
            };
            let Some((earlier, was_merged)) = keys.insert(entry, state) else {
                continue;
            };
            if !merged && !was_merged && self.alias_depth == 0 {
                codes::warn_duplicate(self.warnings, key_span, earlier);
            }
        }
        Ok(())
    }

    /// The key at `at`, which takes one item, and its place. The inner error
    /// stands for a key that JSON does not have.
    fn key(&mut self, at: usize, via: Via) -> Result<(Result<String, Problem>, Span), Problem> {
        let items = self.items;
        let Some(mut item) = items.get(at) else {
            return Err(missing(0));
        };
        let (start, end) = via.unwrap_or((item.start, item.end));
        let refuse = |what| {
            let message = format!("{what} cannot be a mapping key");
            Problem::new(codes::KEY, start, end, message)
        };
        self.count(start, end)?;
        let mut through = via;
        if let Shape::Alias(target) = item.shape
            && let Some(anchored) = items.get(target)
        {
            item = anchored;
            through = Some((start, end));
            self.alias_depth += 1;
            self.count(start, end)?;
            self.alias_depth -= 1;
        }
        let (tag, text, plain) = match &item.shape {
            Shape::Scalar { tag, text, plain } => (tag, text, *plain),
            Shape::Map { .. } => {
                return Err(refuse("a mapping")
                    .help("text in braces is a mapping; put a template placeholder in quotes"));
            }
            _ => return Err(refuse("a list")),
        };
        let key = scalar::resolve(tag, plain, text)
            .map_err(|m| Problem::new(codes::SCALAR, start, end, m))?;
        self.charge_text(&key, through)?;
        let what = if key == Scalar::Null {
            "null"
        } else {
            "a number of this size"
        };
        let key = key.into_key().ok_or_else(|| refuse(what));
        Ok((key, self.place(start, end)))
    }

    /// Merges the value at `at`, which follows a `<<`; the index after it.
    fn merge(
        &mut self,
        keys: &mut Keys,
        at: usize,
        via: Via,
        depth: usize,
    ) -> Result<usize, Problem> {
        let items = self.items;
        match items.get(at).map(|i| &i.shape) {
            Some(Shape::List { last }) => {
                let mut members = Vec::new();
                let mut next = at + 1;
                while next < *last {
                    members.push(next);
                    next = match items.get(next).map(|i| &i.shape) {
                        Some(Shape::List { last } | Shape::Map { last }) => last + 1,
                        _ => next + 1,
                    };
                }
                // The first mapping of the list wins, so it comes last.
                for member in members.into_iter().rev() {
                    self.merge_one(keys, member, via, depth)?;
                }
                Ok(*last + 1)
            }
            _ => self.merge_one(keys, at, via, depth),
        }
    }

    fn merge_one(
        &mut self,
        keys: &mut Keys,
        at: usize,
        via: Via,
        depth: usize,
    ) -> Result<usize, Problem> {
        let items = self.items;
        let (start, end) = items
            .get(at)
            .map_or((0, 0), |i| via.unwrap_or((i.start, i.end)));
        match items.get(at).map(|i| &i.shape) {
            Some(Shape::Map { last }) => {
                self.count(start, end)?;
                self.map_into(keys, at, via, depth, true)?;
                Ok(*last + 1)
            }
            Some(Shape::Alias(target))
                if matches!(
                    items.get(*target).map(|i| &i.shape),
                    Some(Shape::Map { .. })
                ) =>
            {
                self.count(start, end)?;
                self.alias_depth += 1;
                self.count(start, end)?;
                self.map_into(keys, *target, Some((start, end)), depth, true)?;
                self.alias_depth -= 1;
                Ok(at + 1)
            }
            _ => Err(Problem::new(
                codes::MERGE,
                start,
                end,
                "`<<` takes a mapping, an alias of one, or a list of these",
            )),
        }
    }

    fn check_depth(&self, depth: usize, start: usize, end: usize) -> Result<(), Problem> {
        if depth >= self.limits.max_depth {
            return Err(too_deep(start, end, self.limits));
        }
        Ok(())
    }

    /// Text that comes through an alias is copied, so it has a limit too.
    fn charge_text(&mut self, scalar: &Scalar<'_>, via: Via) -> Result<(), Problem> {
        let (Some((start, end)), Scalar::Text(text)) = (via, scalar) else {
            return Ok(());
        };
        let left = self.budget.alias_bytes.checked_sub(text.len());
        self.budget.alias_bytes = left.ok_or_else(|| {
            let message = format!("aliases copy more than {} bytes", self.limits.max_bytes);
            Problem::new(codes::MAX_BYTES, start, end, message)
        })?;
        Ok(())
    }

    /// Counts one value against the limits, go-yaml's own among them.
    fn count(&mut self, start: usize, end: usize) -> Result<(), Problem> {
        let left = self.budget.nodes.checked_sub(1);
        self.budget.nodes = left.ok_or_else(|| too_many_nodes(start, end, self.limits))?;
        self.decoded += 1;
        if self.alias_depth > 0 {
            self.from_aliases += 1;
        }
        if self.from_aliases > 100
            && self.decoded > 1000
            && ratio(self.from_aliases, self.decoded) > allowed_ratio(self.decoded)
        {
            return Err(Problem::new(
                codes::MAX_ALIASES,
                start,
                end,
                "the document consists almost entirely of aliased values",
            )
            .help("kubectl refuses it too; write the values out"));
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

/// The share of values that may come through aliases: 99 % in documents up to
/// 400,000 values, falling to 10 % at 4,000,000 (go-yaml v2 2.4.4 decode.go).
fn allowed_ratio(decoded: usize) -> f64 {
    const LOW: usize = 400_000;
    const HIGH: usize = 4_000_000;
    match decoded {
        ..=LOW => 0.99,
        HIGH.. => 0.10,
        _ => 0.99 - 0.89 * ratio(decoded - LOW, HIGH - LOW),
    }
}
