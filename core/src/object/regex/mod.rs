//! Regular expressions as Go's regexp package accepts them.
//!
//! In: the text of an HTTP `path` or `method`. Out: nothing, or why Go's
//! `regexp.Compile` refuses it, which is what Cilium's agent asks
//! (Cilium 1.20.2 pkg/policy/api/http.go; Go 1.26 regexp/syntax).
//!
//! Rust's regex syntax is close and not the same, hence a checker of its own:
//! Go takes `{,5}`, `[a[b]`, `[a&&b]`, `\Q…\E`, `\_`, `\012`, `(?)`,
//! `\x{D800}` and repeated group names, which Rust refuses or reads
//! otherwise; Rust takes `a**`, `(?x)`, `\u00e9`, `[[:foo:]]`,
//! `\p{Old_Italic}` and `a{1001}`, which Go refuses.

#[cfg(test)]
mod tests;
mod unicode;

use unicode::UNICODE_CLASSES;

/// Why an expression is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegexError {
    /// The problem in Go's terms.
    pub message: &'static str,
    /// Byte offset of the offending part in the expression.
    pub offset: usize,
}

/// Checks an expression.
///
/// ```
/// use netverdict::object::regex;
///
/// assert!(regex::check("/docs/[a-z]+").is_ok());
/// // Go has no look-ahead.
/// assert!(regex::check("(?!x)").is_err());
/// ```
///
/// # Errors
///
/// The first problem, if Go would not compile it. Not counted are expressions
/// whose character classes together exceed 128 MiB in Go's memory.
pub fn check(text: &str) -> Result<(), RegexError> {
    let mut checker = Checker {
        text,
        at: 0,
        groups: vec![Group::default()],
        repeated: false,
        no_posix_end: false,
    };
    while checker.step()? {}
    if checker.groups.len() > 1 {
        return Err(checker.error("missing closing )", text.len()));
    }
    let mut whole = checker.groups.pop().unwrap_or_default();
    whole.settle();
    checker.limits(Part {
        repeats: whole.repeats,
        size: whole.size,
        height: whole.height,
    })
}

/// The largest count of a repetition, and the largest product of nested ones.
pub const MAX_REPEAT: u64 = 1000;
/// Instructions of 40 bytes in 128 MiB.
pub const MAX_SIZE: u64 = (128 << 20) / 40;
/// Operators inside each other.
pub const MAX_HEIGHT: u32 = 1000;

/// What Go's limits look at in a part of an expression.
#[derive(Clone, Copy, Debug)]
struct Part {
    /// Product of the counts of nested repetitions; 0 inside `{0}`.
    repeats: u64,
    /// Instructions.
    size: u64,
    /// Operators inside each other.
    height: u32,
}

impl Part {
    const ATOM: Self = Self {
        repeats: 1,
        size: 1,
        height: 1,
    };
}

/// An open group: its alternatives so far and the current one.
#[derive(Debug, Default)]
struct Group {
    capturing: bool,
    /// Largest repetition product, total size and height of what is complete.
    repeats: u64,
    size: u64,
    height: u32,
    /// The part that a repetition would apply to.
    last: Option<Part>,
}

impl Group {
    fn settle(&mut self) {
        if let Some(part) = self.last.take() {
            self.repeats = self.repeats.max(part.repeats);
            self.size = self.size.saturating_add(part.size);
            self.height = self.height.max(part.height);
        }
    }
}

struct Checker<'t> {
    text: &'t str,
    at: usize,
    groups: Vec<Group>,
    /// The previous token was a repetition.
    repeated: bool,
    /// There is no `:]` in the rest.
    no_posix_end: bool,
}

impl<'t> Checker<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn error(&self, message: &'static str, offset: usize) -> RegexError {
        RegexError { message, offset }
    }

    fn fail<T>(&self, message: &'static str) -> Result<T, RegexError> {
        Err(self.error(message, self.at))
    }

    fn push(&mut self, part: Part) {
        if let Some(group) = self.groups.last_mut() {
            group.settle();
            group.last = Some(part);
        }
    }

    /// Reads one token; false at the end.
    fn step(&mut self) -> Result<bool, RegexError> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return Ok(false);
        };
        let mut repeated = false;
        match first {
            '(' if rest.starts_with("(?") => self.perl_group()?,
            '(' => {
                self.open(true);
                self.at += 1;
            }
            '|' => {
                if let Some(group) = self.groups.last_mut() {
                    group.settle();
                    group.size = group.size.saturating_add(1);
                }
                self.at += 1;
            }
            ')' => self.close()?,
            '[' => {
                self.class()?;
                self.push(Part::ATOM);
            }
            '*' | '+' | '?' => {
                self.repeat(1, if first == '*' { 2 } else { 1 }, None)?;
                repeated = true;
            }
            '{' => match counts(rest) {
                Some((min, max, length)) => {
                    let above = |n: u64| n > MAX_REPEAT;
                    if above(min) || max.is_some_and(|max| above(max) || min > max) {
                        return self.fail("invalid repeat count");
                    }
                    self.repeat(length, 0, Some((min, max)))?;
                    repeated = true;
                }
                None => {
                    self.at += 1;
                    self.push(Part::ATOM);
                }
            },
            '\\' => self.backslash()?,
            other => {
                self.at += other.len_utf8();
                self.push(Part::ATOM);
            }
        }
        self.repeated = repeated;
        Ok(true)
    }

    fn open(&mut self, capturing: bool) {
        self.groups.push(Group {
            capturing,
            ..Group::default()
        });
    }

    fn close(&mut self) -> Result<(), RegexError> {
        if self.groups.len() < 2 {
            return self.fail("unexpected )");
        }
        let mut group = self.groups.pop().unwrap_or_default();
        group.settle();
        self.at += 1;
        let capture = u32::from(group.capturing);
        let part = Part {
            repeats: group.repeats.max(1),
            size: group.size.max(1).saturating_add(2 * u64::from(capture)),
            height: group.height.max(1).saturating_add(capture),
        };
        self.limits(part)?;
        self.push(part);
        Ok(())
    }

    fn limits(&self, part: Part) -> Result<(), RegexError> {
        if part.size > MAX_SIZE {
            return self.fail("expression too large");
        }
        if part.height > MAX_HEIGHT {
            return self.fail("expression nests too deeply");
        }
        Ok(())
    }

    /// Applies a repetition of `length` bytes to the last part.
    fn repeat(
        &mut self,
        length: usize,
        extra: u64,
        counts: Option<(u64, Option<u64>)>,
    ) -> Result<(), RegexError> {
        if self.repeated {
            return self.fail("invalid nested repetition operator");
        }
        let last = self.groups.last_mut().and_then(|group| group.last.take());
        let Some(part) = last else {
            return self.fail("missing argument to repetition operator");
        };
        let mut part = Part {
            size: part.size.saturating_add(extra),
            height: part.height.saturating_add(1),
            ..part
        };
        if let Some((min, max)) = counts {
            part.repeats = match max {
                Some(0) => 0,
                _ => part.repeats * max.unwrap_or(min).max(1),
            };
            if (min >= 2 || max.is_some_and(|m| m >= 2)) && part.repeats > MAX_REPEAT {
                return self.fail("invalid repeat count");
            }
            part.size = match max {
                None if min == 0 => part.size.saturating_add(2),
                None => part.size.saturating_mul(min).saturating_add(1),
                Some(max) => part.size.saturating_mul(max).saturating_add(max - min),
            }
            .max(1);
        }
        self.limits(part)?;
        self.at += length;
        if self.rest().starts_with('?') {
            self.at += 1;
        }
        if let Some(group) = self.groups.last_mut() {
            group.last = Some(part);
        }
        Ok(())
    }

    /// `(?P<name>`, `(?<name>`, `(?flags)` or `(?flags:`.
    fn perl_group(&mut self) -> Result<(), RegexError> {
        let rest = self.rest();
        let named = rest
            .strip_prefix("(?P<")
            .or_else(|| rest.strip_prefix("(?<"));
        if let Some(name) = named.filter(|name| !name.is_empty()) {
            let valid = name.split_once('>').filter(|(name, _)| {
                !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            });
            let Some((_, after)) = valid else {
                return self.fail("invalid named capture");
            };
            self.at = self.text.len() - after.len();
            self.open(true);
            return Ok(());
        }
        let (mut negative, mut seen) = (false, false);
        for (i, c) in rest.char_indices().skip(2) {
            match c {
                'i' | 'm' | 's' | 'U' => seen = true,
                '-' if !negative => (negative, seen) = (true, false),
                ':' | ')' if seen || !negative => {
                    self.at += i + 1;
                    if c == ':' {
                        self.open(false);
                    }
                    return Ok(());
                }
                _ => break,
            }
        }
        self.fail("invalid or unsupported Perl syntax")
    }

    fn backslash(&mut self) -> Result<(), RegexError> {
        let rest = self.rest();
        match rest.as_bytes().get(1) {
            Some(b'A' | b'b' | b'B' | b'z' | b'd' | b'D' | b's' | b'S' | b'w' | b'W') => {
                self.at += 2;
                self.push(Part::ATOM);
            }
            Some(b'Q') => {
                let quoted = rest.get(2..).unwrap_or_default();
                let (literal, after) = quoted.split_once("\\E").unwrap_or((quoted, ""));
                for _ in literal.chars() {
                    self.push(Part::ATOM);
                }
                self.at = self.text.len() - after.len();
            }
            Some(b'p' | b'P') => {
                self.unicode_class()?;
                self.push(Part::ATOM);
            }
            _ => {
                self.escape()?;
                self.push(Part::ATOM);
            }
        }
        Ok(())
    }

    /// A single escaped character.
    fn escape(&mut self) -> Result<char, RegexError> {
        let rest = self.rest();
        let mut chars = rest.chars().skip(1);
        let Some(c) = chars.next() else {
            return self.fail("trailing backslash at end of expression");
        };
        let octal = |from: usize| {
            let digits = rest.bytes().skip(from).take(2);
            digits.take_while(|b| (b'0'..=b'7').contains(b)).count()
        };
        let (value, length) = match c {
            '1'..='7' if octal(2) == 0 => return self.fail("invalid escape sequence"),
            '0'..='7' => {
                let length = 2 + octal(2);
                let digits = rest.get(1..length).unwrap_or_default();
                (u32::from_str_radix(digits, 8).unwrap_or(0), length)
            }
            'x' => match hexadecimal(rest) {
                Some(found) => found,
                None => return self.fail("invalid escape sequence"),
            },
            'a' => (7, 2),
            'f' => (12, 2),
            'n' => (10, 2),
            'r' => (13, 2),
            't' => (9, 2),
            'v' => (11, 2),
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => (u32::from(c), 2),
            _ => return self.fail("invalid escape sequence"),
        };
        self.at += length;
        // Surrogates have no `char`; the next character orders alike.
        Ok(char::from_u32(value).unwrap_or('\u{e000}'))
    }

    /// `\pN`, `\p{Greek}`, `\P{^Greek}`.
    fn unicode_class(&mut self) -> Result<(), RegexError> {
        const BAD: &str = "invalid character class range";
        let rest = self.rest();
        let Some(c) = rest.chars().nth(2) else {
            return self.fail(BAD);
        };
        let (name, length) = if c == '{' {
            match rest.find('}') {
                Some(end) => (rest.get(3..end).unwrap_or_default(), end + 1),
                None => return self.fail(BAD),
            }
        } else {
            let length = 2 + c.len_utf8();
            (rest.get(2..length).unwrap_or_default(), length)
        };
        let name: String = name
            .strip_prefix('^')
            .unwrap_or(name)
            .chars()
            .filter(|c| !matches!(c, '_' | '-' | ' '))
            .map(|c| c.to_ascii_lowercase())
            .collect();
        if UNICODE_CLASSES.binary_search(&name.as_str()).is_err() {
            return self.fail(BAD);
        }
        self.at += length;
        Ok(())
    }

    /// A bracketed class.
    fn class(&mut self) -> Result<(), RegexError> {
        let start = self.at;
        self.at += 1;
        if self.rest().starts_with('^') {
            self.at += 1;
        }
        let mut first = true;
        loop {
            let rest = self.rest();
            if rest.starts_with(']') && !first {
                self.at += 1;
                return Ok(());
            }
            first = false;
            if let Some(named) = rest.strip_prefix("[:")
                && let Some(name) = self.posix_name(named)
            {
                if !POSIX_CLASSES.contains(&name.strip_prefix('^').unwrap_or(name)) {
                    return self.fail("invalid character class range");
                }
                self.at += name.len() + 4;
                continue;
            }
            if rest.starts_with("\\p") || rest.starts_with("\\P") {
                self.unicode_class()?;
                continue;
            }
            if ["\\d", "\\D", "\\s", "\\S", "\\w", "\\W"]
                .iter()
                .any(|e| rest.starts_with(e))
            {
                self.at += 2;
                continue;
            }
            let range = self.at;
            let low = self.class_char(start)?;
            let rest = self.rest();
            if rest.len() >= 2 && rest.starts_with('-') && !rest.starts_with("-]") {
                self.at += 1;
                if self.class_char(start)? < low {
                    return Err(self.error("invalid character class range", range));
                }
            }
        }
    }

    /// What stands before the next `:]`. When none is left, none is looked for
    /// again, lest many `[:` cost their square.
    fn posix_name(&mut self, text: &'t str) -> Option<&'t str> {
        if self.no_posix_end {
            return None;
        }
        let name = text.split_once(":]").map(|(name, _)| name);
        self.no_posix_end = name.is_none();
        name
    }

    fn class_char(&mut self, class: usize) -> Result<char, RegexError> {
        match self.rest().chars().next() {
            None => Err(self.error("missing closing ]", class)),
            Some('\\') => self.escape(),
            Some(c) => {
                self.at += c.len_utf8();
                Ok(c)
            }
        }
    }
}

/// `{n}`, `{n,}` or `{n,m}` at the start of a text, with its length; anything
/// else is no repetition.
pub(crate) fn counts(text: &str) -> Option<(u64, Option<u64>, usize)> {
    // Only what can be a count is searched, lest many braces cost their square.
    let body = text.strip_prefix('{')?;
    let end = body.find(|c: char| !c.is_ascii_digit() && c != ',')?;
    let (body, rest) = body.split_at(end);
    if !rest.starts_with('}') {
        return None;
    }
    let number = |digits: &str| {
        let valid = !digits.is_empty()
            && digits.bytes().all(|b| b.is_ascii_digit())
            && (digits == "0" || !digits.starts_with('0'));
        valid.then(|| digits.parse::<u64>().unwrap_or(u64::MAX))
    };
    let (min, max) = match body.split_once(',') {
        None => (number(body)?, Some(number(body)?)),
        Some((min, "")) => (number(min)?, None),
        Some((min, max)) => (number(min)?, Some(number(max)?)),
    };
    Some((min, max, body.len() + 2))
}

/// The value and length of `\xFF` or `\x{10FFFF}`.
pub(crate) fn hexadecimal(text: &str) -> Option<(u32, usize)> {
    let digits = text.strip_prefix("\\x")?;
    let (digits, length) = match digits.strip_prefix('{') {
        Some(inner) => {
            let (digits, _) = inner.split_once('}')?;
            (digits, digits.len() + 4)
        }
        None => (digits.get(..2)?, 4),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let value = u32::from_str_radix(digits.trim_start_matches('0'), 16);
    let value = if digits.bytes().all(|b| b == b'0') {
        0
    } else {
        value.ok()?
    };
    (value <= 0x0010_ffff).then_some((value, length))
}

const POSIX_CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];
