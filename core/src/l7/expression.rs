//! Regular expressions of policies in the syntax of the engine that runs them.
//!
//! In: an expression that Go's regexp takes ([`regex::check`]), which RE2 reads
//! alike. Out: an expression of Rust's `regex` for the same language, or the
//! text it stands for when it is a plain one. Only whether a whole text
//! matches is asked, so groups do not capture and greed has no meaning.

use crate::object::regex::{self, RegexError, counts, hexadecimal};
use std::fmt::Write;

/// An expression, ready for a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    /// It matches exactly this text.
    Literal(String),
    /// It matches what this expression of Rust's syntax matches in full.
    Pattern(String),
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// What Go's regexp, and RE2 with it, refuses.
    pub(super) fn new(text: &str) -> Result<Self, RegexError> {
        regex::check(text)?;
        let mut reader = Reader {
            rest: text,
            out: String::with_capacity(text.len() + 16),
            literal: Some(String::new()),
        };
        reader.out.push_str(r"\A(?:");
        while reader.step() {}
        reader.out.push_str(r")\z");
        Ok(match reader.literal {
            Some(text) => Self::Literal(text),
            None => Self::Pattern(reader.out),
        })
    }
}

/// Nothing at all.
const NEVER: &str = r"[^\x{0}-\x{10FFFF}]";
/// Any character.
const ALWAYS: &str = r"[\x{0}-\x{10FFFF}]";

struct Reader<'t> {
    rest: &'t str,
    out: String,
    /// The text so far, as long as everything was a plain character.
    literal: Option<String>,
}

impl<'t> Reader<'t> {
    /// Takes so many bytes off.
    fn take(&mut self, length: usize) -> &'t str {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    /// Writes an operator or a part that is no plain character.
    fn part(&mut self, text: &str) {
        self.literal = None;
        self.out.push_str(text);
    }

    /// Writes a character; surrogates, which no text has, match nothing.
    fn character(&mut self, value: u32) {
        match char::from_u32(value) {
            Some(c) => {
                if let Some(literal) = &mut self.literal {
                    literal.push(c);
                }
                write_char(&mut self.out, value);
            }
            None => self.part(NEVER),
        }
    }

    /// Reads one token; false at the end.
    fn step(&mut self) -> bool {
        let Some(first) = self.rest.chars().next() else {
            return false;
        };
        match first {
            '(' => self.group(),
            ')' | '|' | '*' | '+' | '?' => {
                let operator = self.take(1);
                self.part(operator);
            }
            '.' => {
                self.take(1);
                self.part(".");
            }
            '^' => {
                self.take(1);
                self.part("(?:^)");
            }
            '$' => {
                self.take(1);
                self.part("(?:$)");
            }
            '[' => self.class(),
            '{' => match counts(self.rest) {
                Some((_, _, length)) => {
                    let count = self.take(length);
                    self.part(count);
                }
                None => {
                    self.take(1);
                    self.character(u32::from('{'));
                }
            },
            '\\' => self.backslash(),
            other => {
                self.take(other.len_utf8());
                self.character(u32::from(other));
            }
        }
        true
    }

    /// `(`, `(?P<name>`, `(?flags)`, `(?flags:`.
    fn group(&mut self) {
        let Some(inner) = self.rest.strip_prefix("(?") else {
            self.take(1);
            self.part("(?:");
            return;
        };
        if inner.starts_with("P<") || inner.starts_with('<') {
            let length = self.rest.find('>').map_or(self.rest.len(), |end| end + 1);
            self.take(length);
            self.part("(?:");
            return;
        }
        let end = inner.find([':', ')']).unwrap_or(inner.len());
        let flags = inner.get(..end).unwrap_or_default();
        let opens = inner.get(end..).is_some_and(|rest| rest.starts_with(':'));
        self.take(end + 3);
        let (on, off) = flags.split_once('-').unwrap_or((flags, ""));
        // What is switched off stays off, wherever it is switched on.
        let is_off = |c: &char| off.contains(*c);
        let kept = ['i', 'm', 's'].into_iter();
        let set: String = kept
            .clone()
            .filter(|c| on.contains(*c) && !is_off(c))
            .collect();
        let unset: String = kept.filter(is_off).collect();
        let dash = if unset.is_empty() { "" } else { "-" };
        match (opens, set.is_empty() && unset.is_empty()) {
            (true, _) => self.part(&format!("(?{set}{dash}{unset}:")),
            (false, true) => self.part(""),
            (false, false) => self.part(&format!("(?{set}{dash}{unset})")),
        }
    }

    fn backslash(&mut self) {
        match self.rest.as_bytes().get(1) {
            Some(b'Q') => {
                self.take(2);
                let quoted = match self.rest.split_once("\\E") {
                    Some((quoted, rest)) => {
                        self.rest = rest;
                        quoted
                    }
                    None => self.take(self.rest.len()),
                };
                for c in quoted.chars() {
                    self.character(u32::from(c));
                }
            }
            Some(b'A') => {
                self.take(2);
                self.part(r"(?:\A)");
            }
            Some(b'z') => {
                self.take(2);
                self.part(r"(?:\z)");
            }
            Some(b'b') => {
                self.take(2);
                self.part(r"(?-u:\b)");
            }
            Some(b'B') => {
                self.take(2);
                self.part(r"(?-u:\B)");
            }
            _ => match self.named_class() {
                Some(class) => self.part(&class),
                None => {
                    let value = self.escape();
                    self.character(value);
                }
            },
        }
    }

    /// `\d`, `\pL`, `\p{^Greek}` and the like, in or outside of brackets.
    fn named_class(&mut self) -> Option<String> {
        let letter = self.rest.strip_prefix('\\')?.chars().next()?;
        let perl = match letter {
            'd' => "[0-9]",
            'D' => "[^0-9]",
            's' => r"[\t\n\x0C\r\x20]",
            'S' => r"[^\t\n\x0C\r\x20]",
            'w' => "[0-9A-Za-z_]",
            'W' => "[^0-9A-Za-z_]",
            'p' | 'P' => {
                let after = self.rest.get(2..).unwrap_or_default();
                let (name, length) = match after.strip_prefix('{') {
                    Some(inner) => {
                        let end = inner.find('}').unwrap_or(inner.len());
                        (inner.get(..end).unwrap_or_default(), end + 4)
                    }
                    None => {
                        let length = after.chars().next().map_or(0, char::len_utf8);
                        (after.get(..length).unwrap_or_default(), length + 2)
                    }
                };
                let (name, turned) = match name.strip_prefix('^') {
                    Some(name) => (name, true),
                    None => (name, false),
                };
                let p = if (letter == 'P') == turned { 'p' } else { 'P' };
                let class = format!("\\{p}{{{name}}}");
                self.take(length);
                return Some(class);
            }
            _ => return None,
        };
        self.take(2);
        Some(perl.to_owned())
    }

    /// A single escaped character.
    fn escape(&mut self) -> u32 {
        let rest = self.rest;
        if let Some((value, length)) = hexadecimal(rest) {
            self.take(length);
            return value;
        }
        let c = rest.chars().nth(1).unwrap_or('\\');
        if c.is_digit(8) {
            let digits = rest.bytes().skip(1).take(3);
            let length = digits.take_while(|b| (b'0'..=b'7').contains(b)).count();
            let digits = rest.get(1..=length).unwrap_or_default();
            self.take(length + 1);
            return u32::from_str_radix(digits, 8).unwrap_or(0);
        }
        self.take(1 + c.len_utf8());
        match c {
            'a' => 7,
            'f' => 12,
            'n' => 10,
            'r' => 13,
            't' => 9,
            'v' => 11,
            c => u32::from(c),
        }
    }

    /// A bracketed class.
    fn class(&mut self) {
        self.take(1);
        let negated = self.rest.starts_with('^');
        self.take(usize::from(negated));
        let mut items = String::new();
        let mut first = true;
        loop {
            if self.rest.is_empty() {
                break;
            }
            if self.rest.starts_with(']') && !first {
                self.take(1);
                break;
            }
            first = false;
            if let Some(named) = self.rest.strip_prefix("[:")
                && let Some((name, _)) = named.split_once(":]")
            {
                let length = name.len() + 4;
                let class = self.take(length);
                items.push_str(class);
                continue;
            }
            if let Some(class) = self.named_class() {
                items.push_str(&class);
                continue;
            }
            let low = self.class_char();
            let ranged =
                self.rest.len() >= 2 && self.rest.starts_with('-') && !self.rest.starts_with("-]");
            let high = if ranged {
                self.take(1);
                self.class_char()
            } else {
                low
            };
            write_range(&mut items, low, high);
        }
        match (items.is_empty(), negated) {
            (true, false) => self.part(NEVER),
            (true, true) => self.part(ALWAYS),
            (false, true) => self.part(&format!("[^{items}]")),
            (false, false) => self.part(&format!("[{items}]")),
        }
    }

    fn class_char(&mut self) -> u32 {
        match self.rest.chars().next() {
            Some('\\') => self.escape(),
            Some(c) => {
                self.take(c.len_utf8());
                u32::from(c)
            }
            None => 0,
        }
    }
}

/// Letters and digits stand for themselves, everything else is numbered.
fn write_char(out: &mut String, value: u32) {
    match char::from_u32(value) {
        Some(c) if c.is_ascii_alphanumeric() => out.push(c),
        // Writing to a string does not fail.
        _ => drop(write!(out, "\\x{{{value:X}}}")),
    }
}

/// A range without the surrogates in it.
fn write_range(out: &mut String, low: u32, high: u32) {
    let low = if char::from_u32(low).is_none() {
        0xe000
    } else {
        low
    };
    let high = if char::from_u32(high).is_none() {
        0xd7ff
    } else {
        high
    };
    if low > high {
        return;
    }
    write_char(out, low);
    if high > low {
        out.push('-');
        write_char(out, high);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(text: &str, input: &str) -> bool {
        match Expression::new(text).unwrap() {
            Expression::Literal(literal) => literal == input,
            Expression::Pattern(pattern) => regex::bytes(&pattern).is_match(input.as_bytes()),
        }
    }

    mod regex {
        pub(super) fn bytes(pattern: &str) -> ::regex::bytes::Regex {
            ::regex::bytes::Regex::new(pattern).unwrap_or_else(|e| panic!("{pattern}: {e}"))
        }
    }

    /// Go's regexp says so.
    #[test]
    fn the_same_language_as_in_go() {
        for (text, yes, no) in [
            ("/docs", &["/docs"][..], &["/docs/", "/doc", "/xdocs"][..]),
            ("GET|HEAD", &["GET", "HEAD"], &["GETHEAD", "get", ""]),
            ("/api/.*", &["/api/", "/api/v1?x"], &["/api", "/api/\n"]),
            ("a.io", &["a.io", "axio"], &["a.io:8080", "www.a.io"]),
            ("(?i)get", &["get", "GeT"], &["gets"]),
            ("(?i)k", &["k", "K", "\u{212a}"], &["x"]),
            ("(?i-i)k", &["k"], &["K"]),
            ("(?ii)k(?-i)k", &["kk", "Kk"], &["kK"]),
            ("(?U)a+", &["a", "aaa"], &[""]),
            ("(?)a", &["a"], &[""]),
            ("(?s).", &["\n", "é"], &["", "ab"]),
            (".", &["é", "a"], &["\n"]),
            (r"\d{2,3}", &["12", "123"], &["1", "1234", "١٢"]),
            (r"\s\S", &[" a", "\tb"], &["\u{b}a", "  "]),
            (r"\w+\W", &["a_1-"], &["é-", "a"]),
            (r"\bfoo\b", &["foo"], &["fooo"]),
            (r"\pL+", &["éa"], &["1"]),
            (r"\p{^Greek}\P{Greek}", &["ab"], &["aα", "αa"]),
            (r"\P{^Greek}", &["α"], &["a"]),
            (r"[[:alpha:][:^digit:]]", &["a", "-"], &["1"]),
            (r"[^[:alpha:]]", &["1", "é"], &["a"]),
            (r"[\d\-a]+", &["1-a"], &["b"]),
            (r"[^\W]", &["a"], &["-"]),
            (r"[a[b]", &["a", "[", "b"], &["]"]),
            (r"[a&&b]", &["a", "&", "b"], &["c"]),
            (r"[]a]", &["]", "a"], &["b"]),
            (r"[^]a]", &["b"], &["]", "a"]),
            (r"[a-]", &["a", "-"], &["b"]),
            (r"[~-\x{10FFFF}]", &["~", "é"], &["a"]),
            (r"\Qa.b*\E*", &["a.b", "a.b**"], &["axb"]),
            (r"\Q.", &["."], &["a"]),
            (r"a{,2}", &["a{,2}"], &["a", "aa"]),
            (r"a{x", &["a{x"], &["a"]),
            (r"\101\x42\x{43}", &["ABC"], &["abc"]),
            (r"[\x{D800}]|x", &["x"], &["\u{fffd}"]),
            (r"[^\x{D800}]", &["x"], &[""]),
            (r"\x{D800}*", &[""], &["x"]),
            ("(?P<n>a)(?<n>b)", &["ab"], &["a"]),
            ("a||b", &["a", "", "b"], &["ab"]),
            ("()*", &[""], &["a"]),
            ("^*a$+", &["a"], &["b"]),
            ("(?m)a$\n^b", &["a\nb"], &["ab"]),
            ("a$b", &[], &["ab", "a\nb"]),
            ("#a b", &["#a b"], &["ab"]),
            ("/é", &["/é"], &["/e"]),
            ("", &[""], &["a"]),
        ] {
            for input in yes {
                assert!(full(text, input), "{text} {input:?}");
            }
            for input in no {
                assert!(!full(text, input), "{text} {input:?}");
            }
        }
    }

    #[test]
    fn plain_texts_need_no_engine() {
        for (text, literal) in [("/docs", "/docs"), (r"/a\.b", "/a.b"), (r"\Q.*\E", ".*")] {
            let literal = Expression::Literal(literal.to_owned());
            assert_eq!(Expression::new(text), Ok(literal));
        }
        for refused in ["(", "a**", r"\1", "a{1001}", "(?x)"] {
            assert!(Expression::new(refused).is_err(), "{refused}");
        }
    }
}
