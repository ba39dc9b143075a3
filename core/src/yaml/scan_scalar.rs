//! Scanning scalars: plain, quoted and block, with line folding.
//!
//! In: a [`Scanner`] at the first character. Out: the token, its text
//! borrowed from the source where nothing had to be folded or unescaped.

use super::codes::{self, Problem};
use super::scanner::Scanner;
use super::token::{Kind, Token};
use std::borrow::Cow;

/// Text under construction that stays a slice of the source as long as it can.
struct Text<'a> {
    source: &'a str,
    start: usize,
    end: usize,
    owned: Option<String>,
}

impl<'a> Text<'a> {
    fn new(source: &'a str, at: usize) -> Self {
        Self {
            source,
            start: at,
            end: at,
            owned: None,
        }
    }

    /// Appends `start..end` of the source.
    fn push_source(&mut self, start: usize, end: usize) {
        if start >= end {
            return;
        }
        if self.owned.is_none() {
            if self.start == self.end {
                (self.start, self.end) = (start, end);
                return;
            }
            if self.end == start {
                self.end = end;
                return;
            }
        }
        let source = self.source;
        self.owned().push_str(source.get(start..end).unwrap_or(""));
    }

    fn push_str(&mut self, text: &str) {
        if !text.is_empty() {
            self.owned().push_str(text);
        }
    }

    fn owned(&mut self) -> &mut String {
        let (source, range) = (self.source, self.start..self.end);
        self.owned
            .get_or_insert_with(|| source.get(range).unwrap_or("").to_owned())
    }

    fn finish(self) -> Cow<'a, str> {
        match self.owned {
            Some(text) => Cow::Owned(text),
            None => Cow::Borrowed(self.source.get(self.start..self.end).unwrap_or("")),
        }
    }
}

/// The line breaks between two stretches of text.
#[derive(Default)]
struct Breaks {
    first: &'static str,
    others: String,
}

impl Breaks {
    /// One break becomes a space; of several the first is dropped. A break
    /// that is a Unicode separator stays.
    fn fold(&mut self, text: &mut Text<'_>) {
        if self.first != "\n" {
            text.push_str(self.first);
            text.push_str(&self.others);
        } else if self.others.is_empty() {
            text.push_str(" ");
        } else {
            text.push_str(&self.others);
        }
        self.clear();
    }

    fn clear(&mut self) {
        self.first = "";
        self.others.clear();
    }
}

impl<'a> Scanner<'a> {
    /// Steps over a line break; what it counts as in a text.
    fn read_break(&mut self) -> &'static str {
        let len = self.break_len(0);
        let text = match (len, self.byte(0), self.byte(2)) {
            (0, ..) => "",
            (_, 0xE2, 0xA8) => "\u{2028}",
            (_, 0xE2, _) => "\u{2029}",
            _ => "\n",
        };
        if len > 0 {
            self.skip_break(len);
        }
        text
    }

    /// Blanks and line breaks inside a plain or quoted scalar. Gives the
    /// extent of the blanks when no break was among them.
    fn read_spaces(
        &mut self,
        breaks: &mut Breaks,
        mut folding: bool,
        tab_from: isize,
    ) -> Result<(bool, usize, usize), Problem> {
        let start = self.pos;
        loop {
            if self.is_blank(0) {
                if folding && self.byte(0) == b'\t' && self.column < tab_from {
                    return Err(self.wrong("a tab cannot indent").help("indent with spaces"));
                }
                self.skip();
            } else if self.break_len(0) == 0 {
                return Ok((folding, start, self.pos));
            } else if folding {
                let text = self.read_break();
                breaks.others.push_str(text);
            } else {
                breaks.first = self.read_break();
                folding = true;
            }
        }
    }

    pub(super) fn plain(&mut self) -> Result<Token<'a>, Problem> {
        let start = self.pos;
        let mut end = start;
        let indent = self.indent + 1;
        let mut text = Text::new(self.text, start);
        let mut breaks = Breaks::default();
        let mut folding = false;
        let mut blanks = (start, start);
        while !self.at_document_marker() && self.byte(0) != b'#' {
            let from = self.pos;
            self.skip_plain_word();
            if self.pos > from {
                if folding {
                    breaks.fold(&mut text);
                    folding = false;
                } else {
                    text.push_source(blanks.0, blanks.1);
                }
                text.push_source(from, self.pos);
                end = self.pos;
            }
            if !self.is_blank(0) && self.break_len(0) == 0 {
                break;
            }
            let (folded, from, to) = self.read_spaces(&mut breaks, folding, indent)?;
            folding = folded;
            blanks = (from, to);
            if self.flow == 0 && self.column < indent {
                break;
            }
        }
        if folding {
            self.key_allowed = true;
        }
        Ok(Token {
            kind: Kind::Scalar {
                text: text.finish(),
                plain: true,
            },
            start,
            end,
        })
    }

    /// Steps to the next blank, break or indicator that ends a plain scalar.
    fn skip_plain_word(&mut self) {
        while !self.is_space(0) {
            match self.byte(0) {
                b':' if self.is_space(1) => return,
                b',' | b'?' | b'[' | b']' | b'{' | b'}' if self.flow > 0 => return,
                _ => self.skip(),
            }
        }
    }

    pub(super) fn quoted(&mut self, quote: u8) -> Result<Token<'a>, Problem> {
        let start = self.pos;
        self.skip();
        let mut text = Text::new(self.text, self.pos);
        let mut breaks = Breaks::default();
        loop {
            if self.at_document_marker() {
                return Err(self.wrong("a document marker inside quotes"));
            }
            if self.at_end() {
                return Err(Problem::new(
                    codes::SYNTAX,
                    start,
                    start + 1,
                    "this quote is not closed",
                )
                .help("add the closing quote"));
            }
            let mut folding = false;
            while !self.is_space(0) && !folding {
                let from = self.pos;
                match self.byte(0) {
                    b'\'' if quote == b'\'' && self.byte(1) == b'\'' => {
                        text.push_source(from, from + 1);
                        self.skip();
                        self.skip();
                    }
                    b if b == quote => break,
                    b'\\' if quote == b'"' && self.break_len(1) > 0 => {
                        self.skip();
                        self.skip_break(self.break_len(0));
                        folding = true;
                    }
                    b'\\' if quote == b'"' => self.escape(&mut text)?,
                    _ => {
                        while !self.is_space(0) && !matches!(self.byte(0), b'\'' | b'"' | b'\\') {
                            self.skip();
                        }
                        if self.pos == from {
                            self.skip();
                        }
                        text.push_source(from, self.pos);
                    }
                }
            }
            if self.byte(0) == quote {
                break;
            }
            let (folded, from, to) = self.read_spaces(&mut breaks, folding, 0)?;
            if folded {
                breaks.fold(&mut text);
            } else {
                text.push_source(from, to);
            }
        }
        self.skip();
        Ok(Token {
            kind: Kind::Scalar {
                text: text.finish(),
                plain: false,
            },
            start,
            end: self.pos,
        })
    }

    /// A backslash and what follows it in double quotes.
    fn escape(&mut self, text: &mut Text<'a>) -> Result<(), Problem> {
        let start = self.pos;
        let digits = match self.byte(1) {
            b'x' => 2,
            b'u' => 4,
            b'U' => 8,
            _ => 0,
        };
        let plain = match self.byte(1) {
            b'0' => "\0",
            b'a' => "\x07",
            b'b' => "\x08",
            b't' | b'\t' => "\t",
            b'n' => "\n",
            b'v' => "\x0B",
            b'f' => "\x0C",
            b'r' => "\r",
            b'e' => "\x1B",
            b' ' => " ",
            b'"' => "\"",
            b'\'' => "'",
            b'\\' => "\\",
            b'N' => "\u{85}",
            b'_' => "\u{A0}",
            b'L' => "\u{2028}",
            b'P' => "\u{2029}",
            _ if digits > 0 => "",
            _ => {
                self.skip();
                let end = start + 1 + self.wrong("").len();
                let what = self.text.get(start..end).unwrap_or("\\");
                let message = format!("`{what}` is not an escape");
                return Err(Problem::new(codes::SYNTAX, start, end, message)
                    .help("write `\\\\` for a backslash, or use single quotes"));
            }
        };
        self.skip();
        self.skip();
        text.push_str(plain);
        if digits == 0 {
            return Ok(());
        }
        let hex = self.text.get(self.pos..self.pos + digits).unwrap_or("");
        let valid = !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_hexdigit());
        let code = u32::from_str_radix(hex, 16).ok().filter(|_| valid);
        let Some(c) = code.and_then(char::from_u32) else {
            let message = if code.is_some() {
                "this escape is not a Unicode character".to_owned()
            } else {
                format!("expected {digits} hexadecimal digits")
            };
            return Err(Problem::new(codes::SYNTAX, start, self.pos, message));
        };
        for _ in 0..digits {
            self.skip();
        }
        text.push_str(c.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    /// `|` or `>` and the lines after it.
    pub(super) fn block_scalar(&mut self, folded: bool) -> Result<Token<'a>, Problem> {
        let start = self.pos;
        self.skip();
        let mut chomping = None;
        let mut increment = 0;
        for _ in 0..2 {
            match self.byte(0) {
                b'0' if increment == 0 => {
                    return Err(self.wrong("the indentation of a block scalar cannot be 0"));
                }
                digit @ b'1'..=b'9' if increment == 0 => increment = isize::from(digit - b'0'),
                sign @ (b'+' | b'-') if chomping.is_none() => chomping = Some(sign),
                _ => break,
            }
            self.skip();
        }
        let mut end = self.pos;
        self.finish_line("the start of a block scalar")?;

        let mut indent = match increment {
            0 => 0,
            _ => self.indent.max(0) + increment,
        };
        let mut text = Text::new(self.text, self.pos);
        let mut breaks = Breaks::default();
        let mut after_blank = false;
        self.block_breaks(&mut indent, &mut breaks)?;
        while self.column == indent && !self.at_end() {
            // Folding spares lines that begin with a blank and their
            // neighbours.
            let blank = self.is_blank(0);
            if folded && breaks.first == "\n" && !blank && !after_blank {
                breaks.fold(&mut text);
            } else {
                text.push_str(breaks.first);
                text.push_str(&breaks.others);
                breaks.clear();
            }
            after_blank = blank;
            let from = self.pos;
            while !self.at_end() && self.break_len(0) == 0 {
                self.skip();
            }
            text.push_source(from, self.pos);
            end = self.pos;
            breaks.first = self.read_break();
            self.block_breaks(&mut indent, &mut breaks)?;
        }
        if chomping != Some(b'-') {
            text.push_str(breaks.first);
        }
        if chomping == Some(b'+') {
            text.push_str(&breaks.others);
        }
        Ok(Token {
            kind: Kind::Scalar {
                text: text.finish(),
                plain: false,
            },
            start,
            end,
        })
    }

    /// Indentation and empty lines before a line of a block scalar; finds the
    /// indentation when `indent` is 0.
    fn block_breaks(&mut self, indent: &mut isize, breaks: &mut Breaks) -> Result<(), Problem> {
        let mut deepest = 0;
        loop {
            while (*indent == 0 || self.column < *indent) && self.byte(0) == b' ' {
                self.skip();
            }
            deepest = deepest.max(self.column);
            if (*indent == 0 || self.column < *indent) && self.byte(0) == b'\t' {
                return Err(self.wrong("a tab cannot indent").help("indent with spaces"));
            }
            if self.break_len(0) == 0 {
                break;
            }
            let text = self.read_break();
            breaks.others.push_str(text);
        }
        if *indent == 0 {
            *indent = deepest.max(self.indent + 1).max(1);
        }
        Ok(())
    }
}
