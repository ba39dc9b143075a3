//! Scanning what stands before values: directives, anchors, aliases, tags.
//!
//! In: a [`Scanner`] at the first character. Out: the token.

use super::codes::{self, Problem};
use super::scanner::Scanner;
use super::token::{Kind, Token};
use std::borrow::Cow;

impl<'a> Scanner<'a> {
    /// Letters, digits, `_` and `-`.
    fn word(&mut self) -> &'a str {
        let start = self.pos;
        while self.byte(0).is_ascii_alphanumeric() || matches!(self.byte(0), b'_' | b'-') {
            self.skip();
        }
        self.text.get(start..self.pos).unwrap_or("")
    }

    pub(super) fn directive(&mut self) -> Result<Token<'a>, Problem> {
        let start = self.pos;
        self.skip();
        let name = self.word();
        if name.is_empty() || !self.is_space(0) {
            return Err(self.wrong("expected the name of a directive after `%`"));
        }
        self.skip_blanks();
        let kind = match name {
            "YAML" => {
                let major = self.version_number()?;
                if self.byte(0) != b'.' {
                    return Err(self.wrong("expected `.` in the version"));
                }
                self.skip();
                Kind::Version(major, self.version_number()?)
            }
            "TAG" => {
                let handle = self.tag_handle()?;
                if !handle.ends_with('!') {
                    return Err(self.wrong("expected `!` at the end of the tag handle"));
                }
                if !self.is_blank(0) {
                    return Err(self.wrong("expected a space after the tag handle"));
                }
                self.skip_blanks();
                let prefix = self.tag_uri(Cow::Borrowed(""), false)?;
                if !self.is_space(0) {
                    return Err(self.wrong("unexpected character in the tag prefix"));
                }
                Kind::Handle(handle, prefix)
            }
            _ => {
                let message = format!("unknown directive `%{name}`");
                return Err(Problem::new(codes::SYNTAX, start, self.pos, message));
            }
        };
        let end = self.pos;
        self.finish_line("a directive")?;
        Ok(Token { kind, start, end })
    }

    fn version_number(&mut self) -> Result<u32, Problem> {
        let start = self.pos;
        while self.byte(0).is_ascii_digit() {
            self.skip();
        }
        let digits = self.text.get(start..self.pos).unwrap_or("");
        if digits.is_empty() || digits.len() > 2 {
            return Err(self.wrong("expected a version number"));
        }
        Ok(digits.parse().unwrap_or(0))
    }

    /// An anchor or an alias.
    pub(super) fn anchor(&mut self) -> Result<Token<'a>, Problem> {
        let start = self.pos;
        let alias = self.byte(0) == b'*';
        self.skip();
        let name = self.word();
        let ends = self.is_space(0)
            || matches!(
                self.byte(0),
                b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`'
            );
        if name.is_empty() || !ends {
            let what = if alias { "an alias" } else { "an anchor" };
            let message = format!("the name of {what} has letters, digits, `-` and `_` only");
            let len = self.wrong("").len();
            return Err(Problem::new(codes::SYNTAX, start, self.pos + len, message)
                .help("put a value that begins with `*` or `&` in quotes"));
        }
        let kind = if alias {
            Kind::Alias(name)
        } else {
            Kind::Anchor(name)
        };
        Ok(Token {
            kind,
            start,
            end: self.pos,
        })
    }

    pub(super) fn tag(&mut self) -> Result<Token<'a>, Problem> {
        let start = self.pos;
        let kind = if self.byte(1) == b'<' {
            self.skip();
            self.skip();
            let suffix = self.tag_uri(Cow::Borrowed(""), false)?;
            if self.byte(0) != b'>' {
                return Err(self.wrong("expected `>` at the end of the tag"));
            }
            self.skip();
            Kind::Tag("", suffix)
        } else {
            let handle = self.tag_handle()?;
            if handle.len() > 1 && handle.ends_with('!') {
                Kind::Tag(handle, self.tag_uri(Cow::Borrowed(""), false)?)
            } else {
                let head = handle.get(1..).unwrap_or("");
                match self.tag_uri(Cow::Borrowed(head), true)? {
                    suffix if suffix.is_empty() => Kind::Tag("", Cow::Borrowed("!")),
                    suffix => Kind::Tag("!", suffix),
                }
            }
        };
        if !self.is_space(0) {
            return Err(self.wrong("expected a space after the tag"));
        }
        Ok(Token {
            kind,
            start,
            end: self.pos,
        })
    }

    /// `!`, `!!`, `!name!`, or `!name` when no handle was meant.
    fn tag_handle(&mut self) -> Result<&'a str, Problem> {
        let start = self.pos;
        if self.byte(0) != b'!' {
            return Err(self.wrong("expected `!`"));
        }
        self.skip();
        self.word();
        if self.byte(0) == b'!' {
            self.skip();
        }
        Ok(self.text.get(start..self.pos).unwrap_or(""))
    }

    /// The rest of a tag, `head` before it; empty only when `optional`.
    fn tag_uri(&mut self, head: Cow<'a, str>, optional: bool) -> Result<Cow<'a, str>, Problem> {
        let start = self.pos;
        let mut bytes = head.into_owned().into_bytes();
        loop {
            match self.byte(0) {
                b'%' => self.uri_escape(&mut bytes)?,
                b if b.is_ascii_alphanumeric() || b"_-;/?:@&=+$,.!~*'()[]".contains(&b) => {
                    bytes.push(b);
                    self.skip();
                }
                _ => break,
            }
        }
        if self.pos == start && !optional {
            return Err(self.wrong("expected a tag"));
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned().into())
    }

    /// One character written as `%C3%A9`.
    fn uri_escape(&mut self, bytes: &mut Vec<u8>) -> Result<(), Problem> {
        let mut left = 0;
        loop {
            let digits = self.text.get(self.pos + 1..self.pos + 3).unwrap_or("");
            let hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
            let octet = u8::from_str_radix(digits, 16).ok().filter(|_| hex);
            let Some(octet) = octet.filter(|_| self.byte(0) == b'%') else {
                return Err(self.wrong("expected two hexadecimal digits after `%`"));
            };
            left = match (left, octet) {
                (0, 0x00..=0x7F) => 1,
                (0, 0xC0..=0xDF) => 2,
                (0, 0xE0..=0xEF) => 3,
                (0, 0xF0..=0xF7) => 4,
                (1.., 0x80..=0xBF) => left,
                _ => return Err(self.wrong("this escape is not UTF-8")),
            };
            bytes.push(octet);
            for _ in 0..3 {
                self.skip();
            }
            left -= 1;
            if left == 0 {
                return Ok(());
            }
        }
    }
}
