//! JSON text → the value tree, one value after the other.
//!
//! In: text that begins with `{`. Out: the [`Node`] of the next value, as Go's
//! `encoding/json` decoder reads a stream. Unlike the YAML parser it knows
//! JSON's own escapes (`\/`, surrogate pairs) and refuses everything else
//! that is only YAML.

use super::Limits;
use super::budget::{Budget, too_deep, too_many_nodes};
use super::codes::{self, Problem};
use super::mapping::{Keys, Written};
use super::node::{Entry, Node, Number, Value};
use crate::diagnostic::Diagnostic;
use crate::source::{SourceId, Span};

/// A float after it was written as JSON and read again: Go writes `1e3` as
/// `1000`, which readers take for an integer.
pub(super) fn json_number(f: f64) -> Option<Number> {
    if !f.is_finite() {
        return None;
    }
    if f.fract() == 0.0 && f.abs() < 1e21 {
        let text = f.to_string();
        if let Ok(i) = text.parse() {
            return Some(Number::Int(i));
        }
    }
    Some(Number::Float(f))
}

/// Reads values from one text.
pub(super) struct Reader<'r> {
    pub(super) source: SourceId,
    pub(super) text: &'r str,
    pub(super) pos: usize,
    pub(super) limits: &'r Limits,
    pub(super) budget: &'r mut Budget,
    pub(super) warnings: &'r mut Vec<Diagnostic>,
    /// A number out of range; tells only when the rest is JSON.
    pub(super) unfit: Option<Problem>,
}

impl Reader<'_> {
    /// The next value; `None` when only white space is left.
    pub(super) fn next(&mut self) -> Option<Result<Node, Problem>> {
        self.skip_space();
        (self.pos < self.text.len()).then(|| {
            let node = self.value(0)?;
            self.unfit.take().map_or(Ok(node), Err)
        })
    }

    pub(super) fn skip_space(&mut self) {
        while matches!(self.byte(), b' ' | b'\t' | b'\r' | b'\n') {
            self.pos += 1;
        }
    }

    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.pos).copied().unwrap_or(0)
    }

    fn place(&self, start: usize) -> Span {
        super::span(self.source, start, self.pos)
    }

    fn wrong(&self, message: impl Into<String>) -> Problem {
        let rest = self.text.get(self.pos..).unwrap_or("");
        let len = rest.chars().next().map_or(0, char::len_utf8);
        Problem::new(codes::JSON, self.pos, self.pos + len, message)
    }

    fn value(&mut self, depth: usize) -> Result<Node, Problem> {
        self.skip_space();
        let start = self.pos;
        let left = self.budget.nodes.checked_sub(1);
        self.budget.nodes = left.ok_or_else(|| too_many_nodes(start, start, self.limits))?;
        let value = match self.byte() {
            b'{' | b'[' if depth >= self.limits.max_depth => {
                return Err(too_deep(start, start + 1, self.limits));
            }
            b'{' => Value::Map(self.map(depth)?),
            b'[' => Value::List(self.list(depth)?),
            b'"' => Value::String(self.string()?),
            b'-' | b'0'..=b'9' => Value::Number(self.number()?),
            _ => self.word()?,
        };
        let span = self.place(start);
        Ok(Node { value, span })
    }

    fn word(&mut self) -> Result<Value, Problem> {
        let rest = self.text.get(self.pos..).unwrap_or("");
        for (word, value) in [
            ("null", Value::Null),
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
        ] {
            if rest.starts_with(word) {
                self.pos += word.len();
                return Ok(value);
            }
        }
        Err(self.wrong("expected a JSON value"))
    }

    /// Steps over the opening bracket; true when the closing one follows.
    fn open(&mut self, close: u8) -> bool {
        self.pos += 1;
        self.skip_space();
        let empty = self.byte() == close;
        self.pos += usize::from(empty);
        empty
    }

    /// After a member: false at the closing bracket.
    fn more(&mut self, close: u8) -> Result<bool, Problem> {
        self.skip_space();
        let byte = self.byte();
        if byte != b',' && byte != close {
            return Err(self.wrong(format!("expected `,` or `{}`", char::from(close))));
        }
        self.pos += 1;
        Ok(byte == b',')
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, Problem> {
        let mut list = Vec::new();
        if self.open(b']') {
            return Ok(list);
        }
        loop {
            list.push(self.value(depth + 1)?);
            if !self.more(b']')? {
                return Ok(list);
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Vec<Entry>, Problem> {
        let mut keys = Keys::default();
        if self.open(b'}') {
            return Ok(keys.entries);
        }
        loop {
            self.skip_space();
            let start = self.pos;
            if self.byte() != b'"' {
                return Err(self.wrong("expected a key in double quotes"));
            }
            let key = self.string()?;
            let key_span = self.place(start);
            self.skip_space();
            if self.byte() != b':' {
                return Err(self.wrong("expected `:` after the key"));
            }
            self.pos += 1;
            let entry = Entry {
                key,
                key_span,
                node: self.value(depth + 1)?,
            };
            if let Some((earlier, _)) = keys.insert(entry, Written::default()) {
                codes::warn_duplicate(self.warnings, key_span, earlier);
            }
            if !self.more(b'}')? {
                return Ok(keys.entries);
            }
        }
    }

    fn string(&mut self) -> Result<String, Problem> {
        let start = self.pos;
        self.pos += 1;
        let mut text = String::new();
        loop {
            let rest = self.text.get(self.pos..).unwrap_or("");
            let len = rest
                .bytes()
                .position(|b| b < 0x20 || matches!(b, b'"' | b'\\'))
                .unwrap_or(rest.len());
            text.push_str(rest.get(..len).unwrap_or(""));
            self.pos += len;
            match self.byte() {
                b'"' => {
                    self.pos += 1;
                    return Ok(text);
                }
                b'\\' => self.escape(&mut text)?,
                _ if self.pos >= self.text.len() => {
                    return Err(Problem::new(
                        codes::JSON,
                        start,
                        start + 1,
                        "this string is not closed",
                    ));
                }
                _ => return Err(self.wrong("a control character must be written as an escape")),
            }
        }
    }

    fn escape(&mut self, text: &mut String) -> Result<(), Problem> {
        self.pos += 1;
        text.push(match self.byte() {
            b @ (b'"' | b'\\' | b'/') => char::from(b),
            b'b' => '\x08',
            b'f' => '\x0C',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let high = self.code_unit(1)?;
                self.pos += 5;
                // Half a pair becomes U+FFFD, as in Go.
                let low = if self
                    .text
                    .get(self.pos..)
                    .is_some_and(|t| t.starts_with("\\u"))
                {
                    self.code_unit(2).ok()
                } else {
                    None
                };
                let pair = low.and_then(|low| char::decode_utf16([high, low]).next()?.ok());
                match (char::from_u32(u32::from(high)), pair) {
                    (Some(c), _) => text.push(c),
                    (None, Some(c)) => {
                        self.pos += 6;
                        text.push(c);
                    }
                    (None, None) => text.push(char::REPLACEMENT_CHARACTER),
                }
                return Ok(());
            }
            _ => return Err(self.wrong("this is not a JSON escape")),
        });
        self.pos += 1;
        Ok(())
    }

    /// Four hexadecimal digits.
    fn code_unit(&self, ahead: usize) -> Result<u16, Problem> {
        let from = self.pos + ahead;
        let hex = self.text.get(from..from + 4).unwrap_or("");
        let valid = hex.len() == 4 && hex.bytes().all(|b| b.is_ascii_hexdigit());
        u16::from_str_radix(hex, 16)
            .ok()
            .filter(|_| valid)
            .ok_or_else(|| self.wrong("expected four hexadecimal digits"))
    }

    fn number(&mut self) -> Result<Number, Problem> {
        let start = self.pos;
        self.pos += usize::from(self.byte() == b'-');
        if self.byte() == b'0' {
            self.pos += 1;
        } else {
            self.digits()?;
        }
        let mut whole = true;
        if self.byte() == b'.' {
            self.pos += 1;
            self.digits()?;
            whole = false;
        }
        if matches!(self.byte(), b'e' | b'E') {
            self.pos += 1;
            self.pos += usize::from(matches!(self.byte(), b'+' | b'-'));
            self.digits()?;
            whole = false;
        }
        let text = self.text.get(start..self.pos).unwrap_or("");
        if whole {
            if let Ok(i) = text.parse() {
                return Ok(Number::Int(i));
            }
            if let Ok(u) = text.parse() {
                return Ok(Number::UInt(u));
            }
        }
        let number = text.parse().ok().and_then(json_number);
        Ok(number.unwrap_or_else(|| {
            let message = format!("`{text}` is too large a number");
            let problem = Problem::new(codes::SCALAR, start, self.pos, message);
            self.unfit.get_or_insert(problem);
            Number::Int(0)
        }))
    }

    fn digits(&mut self) -> Result<(), Problem> {
        if !self.byte().is_ascii_digit() {
            return Err(self.wrong("expected a digit"));
        }
        while self.byte().is_ascii_digit() {
            self.pos += 1;
        }
        Ok(())
    }
}
