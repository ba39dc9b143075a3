//! Text → tokens.
//!
//! In: the text of one document. Out: its [`Token`]s on demand. What ends a
//! scalar, where a tab may stand, what can be a key without `?` and how far
//! such a key may reach follow go.yaml.in/yaml/v2 2.4.4 `scannerc.go`, which
//! implements YAML 1.1 with libyaml's liberties; a YAML 1.2 scanner accepts
//! and refuses other texts.

use super::codes::{self, Problem};
use super::token::{Kind, Token};
use std::collections::VecDeque;

/// A key without `?` must have its `:` on the same line within this distance.
const KEY_REACH: isize = 1024;

/// A place where a key without `?` may have begun; one per flow level.
#[derive(Clone, Copy, Debug, Default)]
struct Candidate {
    possible: bool,
    /// Nothing but a key can stand here.
    required: bool,
    /// The token waits in the queue until it is known whether it is a key.
    held: bool,
    /// Number of the token that would be the key.
    token: usize,
    pos: usize,
    line: usize,
    column: isize,
}

/// Scans one text. After an error it must not be asked again.
#[derive(Debug)]
pub(super) struct Scanner<'a> {
    pub(super) text: &'a str,
    pub(super) pos: usize,
    pub(super) line: usize,
    /// In characters.
    pub(super) column: isize,
    /// Open brackets and braces.
    pub(super) flow: usize,
    /// Column of the innermost block collection, -1 outside.
    pub(super) indent: isize,
    outer_indents: Vec<isize>,
    /// Whether a key without `?` may begin here.
    pub(super) key_allowed: bool,
    candidates: Vec<Candidate>,
    queue: VecDeque<Token<'a>>,
    /// How many tokens were taken from the queue.
    taken: usize,
    /// The first token of the queue can no longer change.
    ready: bool,
}

impl<'a> Scanner<'a> {
    /// `text` must hold no NUL, which stands for its end here.
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            pos: 0,
            line: 0,
            column: 0,
            flow: 0,
            indent: -1,
            outer_indents: Vec::new(),
            key_allowed: true,
            candidates: vec![Candidate::default()],
            queue: VecDeque::new(),
            taken: 0,
            ready: false,
        }
    }

    /// The next token, left in place.
    pub(super) fn peek(&mut self) -> Result<&Token<'a>, Problem> {
        if !self.ready {
            while !self.first_is_settled()? {
                self.fetch()?;
            }
            self.ready = true;
        }
        let end = self.pos;
        self.queue
            .front()
            .ok_or_else(|| Problem::new(codes::SYNTAX, end, end, "unexpected end of the text"))
    }

    /// Takes the token that [`Self::peek`] showed.
    pub(super) fn take(&mut self) -> Option<Token<'a>> {
        self.ready = false;
        self.taken += 1;
        self.queue.pop_front()
    }

    /// False while a `:` could still turn the first token into a key.
    fn first_is_settled(&mut self) -> Result<bool, Problem> {
        if self.queue.is_empty() {
            return Ok(false);
        }
        let taken = self.taken;
        let level = self.candidates.partition_point(|c| c.token < taken);
        match self.candidates.get(level) {
            Some(c) if c.possible && c.held && c.token == taken => Ok(!self.in_reach(level)?),
            _ => Ok(true),
        }
    }

    /// Whether the candidate of that flow level can still be a key.
    fn in_reach(&mut self, level: usize) -> Result<bool, Problem> {
        let (line, column) = (self.line, self.column);
        let Some(candidate) = self.candidates.get_mut(level).filter(|c| c.possible) else {
            return Ok(false);
        };
        if candidate.line < line || candidate.column + KEY_REACH < column {
            if candidate.required {
                let pos = candidate.pos;
                return Err(self.no_colon(pos));
            }
            candidate.possible = false;
        }
        Ok(candidate.possible)
    }

    /// The current token may be a key.
    fn offer_key(&mut self) -> Result<(), Problem> {
        if !self.key_allowed {
            return Ok(());
        }
        self.withdraw_key()?;
        let candidate = Candidate {
            possible: true,
            required: self.flow == 0 && self.indent == self.column,
            held: true,
            token: self.taken + self.queue.len(),
            pos: self.pos,
            line: self.line,
            column: self.column,
        };
        if let Some(last) = self.candidates.last_mut() {
            *last = candidate;
        }
        Ok(())
    }

    /// What was offered on this flow level is not a key.
    fn withdraw_key(&mut self) -> Result<(), Problem> {
        let Some(candidate) = self.candidates.last_mut().filter(|c| c.possible) else {
            return Ok(());
        };
        if candidate.required {
            let pos = candidate.pos;
            return Err(self.no_colon(pos));
        }
        candidate.possible = false;
        Ok(())
    }

    fn no_colon(&self, start: usize) -> Problem {
        let rest = self.text.get(start..).unwrap_or("");
        let line = rest.lines().next().unwrap_or("").trim_end();
        Problem::new(
            codes::SYNTAX,
            start,
            start + line.len(),
            "expected `:` after this key",
        )
        .help("a key is followed by `:` and a space; check the indentation of this line")
    }

    // Characters.

    /// The byte `ahead` of the current one; 0 at the end.
    pub(super) fn byte(&self, ahead: usize) -> u8 {
        self.text
            .as_bytes()
            .get(self.pos + ahead)
            .copied()
            .unwrap_or(0)
    }

    /// Length of the line break that stands `ahead`, 0 when none does.
    pub(super) fn break_len(&self, ahead: usize) -> usize {
        match self.byte(ahead) {
            b'\n' => 1,
            // Kubernetes' line reader takes the second of `\r\r\n` away.
            b'\r' => match (self.byte(ahead + 1), self.byte(ahead + 2)) {
                (b'\n', _) => 2,
                (b'\r', b'\n') => 3,
                _ => 1,
            },
            0xC2 if self.byte(ahead + 1) == 0x85 => 2,
            0xE2 if self.byte(ahead + 1) == 0x80 && matches!(self.byte(ahead + 2), 0xA8 | 0xA9) => {
                3
            }
            _ => 0,
        }
    }

    pub(super) fn is_blank(&self, ahead: usize) -> bool {
        matches!(self.byte(ahead), b' ' | b'\t')
    }

    /// A blank, a line break or the end.
    pub(super) fn is_space(&self, ahead: usize) -> bool {
        match self.byte(ahead) {
            0 | b' ' | b'\t' | b'\n' | b'\r' => true,
            0x01..=0x7F => false,
            _ => self.break_len(ahead) > 0,
        }
    }

    pub(super) fn at_end(&self) -> bool {
        self.pos >= self.text.len()
    }

    /// Steps over one character.
    pub(super) fn skip(&mut self) {
        self.pos += match self.byte(0) {
            0x00..=0xBF => 1,
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0.. => 4,
        };
        self.column += 1;
    }

    /// Steps over a line break of `len` bytes.
    pub(super) fn skip_break(&mut self, len: usize) {
        self.pos += len;
        self.line += 1;
        self.column = 0;
    }

    pub(super) fn skip_blanks(&mut self) {
        while self.is_blank(0) {
            self.skip();
        }
    }

    /// Steps over the rest of the line, not its break.
    fn skip_to_break(&mut self) {
        while !self.at_end() && self.break_len(0) == 0 {
            self.skip();
        }
    }

    /// Blanks, a comment and the line break after them; an error when
    /// something else stands there.
    pub(super) fn finish_line(&mut self, what: &str) -> Result<(), Problem> {
        self.skip_blanks();
        if self.byte(0) == b'#' {
            self.skip_to_break();
        }
        let len = self.break_len(0);
        if len > 0 {
            self.skip_break(len);
        } else if !self.at_end() {
            return Err(self.wrong(format!("only a comment may follow {what} on its line")));
        }
        Ok(())
    }

    /// `---` or `...` alone at the start of a line.
    pub(super) fn at_document_marker(&self) -> bool {
        let marker = |b| self.byte(0) == b && self.byte(1) == b && self.byte(2) == b;
        self.column == 0 && (marker(b'-') || marker(b'.')) && self.is_space(3)
    }

    /// A problem with the current character.
    pub(super) fn wrong(&self, message: impl Into<String>) -> Problem {
        let rest = self.text.get(self.pos..).unwrap_or("");
        let len = rest.chars().next().map_or(0, char::len_utf8);
        Problem::new(codes::SYNTAX, self.pos, self.pos + len, message)
    }

    // Tokens.

    fn fetch(&mut self) -> Result<(), Problem> {
        self.skip_to_token();
        self.close_blocks(self.column);
        if self.at_end() {
            return self.fetch_end();
        }
        let first = self.byte(0);
        if self.column == 0 && first == b'%' {
            self.leave_blocks()?;
            let token = self.directive()?;
            self.queue.push_back(token);
            return Ok(());
        }
        if self.at_document_marker() {
            self.leave_blocks()?;
            let kind = if first == b'-' {
                Kind::DocumentStart
            } else {
                Kind::DocumentEnd
            };
            self.push_indicator(kind, 3);
            return Ok(());
        }
        match first {
            b'[' => self.fetch_open(Kind::FlowList),
            b'{' => self.fetch_open(Kind::FlowMap),
            b']' => self.fetch_close(Kind::FlowListEnd),
            b'}' => self.fetch_close(Kind::FlowMapEnd),
            b',' => {
                self.withdraw_key()?;
                self.key_allowed = true;
                self.push_indicator(Kind::Comma, 1);
                Ok(())
            }
            b'-' if self.is_space(1) => self.fetch_item(),
            b'?' if self.flow > 0 || self.is_space(1) => self.fetch_key(),
            b':' if self.flow > 0 || self.is_space(1) => self.fetch_value(),
            b'*' | b'&' | b'!' | b'\'' | b'"' => {
                self.offer_key()?;
                self.key_allowed = false;
                let token = match first {
                    b'!' => self.tag()?,
                    b'\'' | b'"' => self.quoted(first)?,
                    _ => self.anchor()?,
                };
                self.queue.push_back(token);
                Ok(())
            }
            b'|' | b'>' if self.flow == 0 => {
                self.withdraw_key()?;
                self.key_allowed = true;
                let token = self.block_scalar(first == b'>')?;
                self.queue.push_back(token);
                Ok(())
            }
            b'%' | b'@' | b'`' | b'|' | b'>' => {
                let message = format!("`{}` cannot begin a value", char::from(first));
                Err(self.wrong(message).help("put the value in quotes"))
            }
            b'\t' => Err(self.wrong("a tab cannot indent").help("indent with spaces")),
            _ => {
                self.offer_key()?;
                self.key_allowed = false;
                let token = self.plain()?;
                self.queue.push_back(token);
                Ok(())
            }
        }
    }

    /// Blanks, comments and line breaks. Where a key may begin, a tab is not
    /// a blank.
    fn skip_to_token(&mut self) {
        loop {
            while self.byte(0) == b' '
                || self.byte(0) == b'\t' && (self.flow > 0 || !self.key_allowed)
            {
                self.skip();
            }
            if self.byte(0) == b'#' {
                self.skip_to_break();
            }
            let len = self.break_len(0);
            if len == 0 {
                return;
            }
            self.skip_break(len);
            if self.flow == 0 {
                self.key_allowed = true;
            }
        }
    }

    fn push_indicator(&mut self, kind: Kind<'a>, len: usize) {
        let start = self.pos;
        for _ in 0..len {
            self.skip();
        }
        self.queue.push_back(Token {
            kind,
            start,
            end: self.pos,
        });
    }

    fn fetch_end(&mut self) -> Result<(), Problem> {
        if self.column != 0 {
            self.column = 0;
            self.line += 1;
        }
        self.leave_blocks()?;
        self.push_indicator(Kind::TextEnd, 0);
        Ok(())
    }

    fn fetch_open(&mut self, kind: Kind<'a>) -> Result<(), Problem> {
        self.offer_key()?;
        self.candidates.push(Candidate {
            token: self.taken + self.queue.len(),
            ..Candidate::default()
        });
        self.flow += 1;
        self.key_allowed = true;
        self.push_indicator(kind, 1);
        Ok(())
    }

    fn fetch_close(&mut self, kind: Kind<'a>) -> Result<(), Problem> {
        self.withdraw_key()?;
        if self.flow > 0 {
            self.flow -= 1;
            let closed = self.candidates.pop().unwrap_or_default();
            // Brackets inside which no key could begin, `{}` among them, are
            // no longer held back as a key: `{}: a` is read up to the `:`.
            if let Some(outer) = self.candidates.last_mut()
                && outer.token == closed.token
            {
                outer.held = false;
            }
        }
        self.key_allowed = false;
        self.push_indicator(kind, 1);
        Ok(())
    }

    fn fetch_item(&mut self) -> Result<(), Problem> {
        // In brackets the parser refuses it.
        if self.flow == 0 {
            if !self.key_allowed {
                return Err(self
                    .wrong("a list item cannot begin here")
                    .help("put `- ` at the start of its own line"));
            }
            self.open_block(self.column, None, Kind::BlockList, self.pos);
        }
        self.withdraw_key()?;
        self.key_allowed = true;
        self.push_indicator(Kind::Item, 1);
        Ok(())
    }

    fn fetch_key(&mut self) -> Result<(), Problem> {
        if self.flow == 0 {
            if !self.key_allowed {
                return Err(self.wrong("a key cannot begin here"));
            }
            self.open_block(self.column, None, Kind::BlockMap, self.pos);
        }
        self.withdraw_key()?;
        self.key_allowed = self.flow == 0;
        self.push_indicator(Kind::Key, 1);
        Ok(())
    }

    fn fetch_value(&mut self) -> Result<(), Problem> {
        let level = self.candidates.len().saturating_sub(1);
        if self.in_reach(level)?
            && let Some(candidate) = self.candidates.get_mut(level)
        {
            candidate.possible = false;
            let Candidate {
                token, pos, column, ..
            } = *candidate;
            let key = Token {
                kind: Kind::Key,
                start: pos,
                end: pos,
            };
            self.insert(Some(token), key);
            self.open_block(column, Some(token), Kind::BlockMap, pos);
            self.key_allowed = false;
        } else {
            if self.flow == 0 {
                if !self.key_allowed {
                    return Err(self
                        .wrong("a mapping cannot begin here")
                        .help("put a value that contains `: ` in quotes"));
                }
                self.open_block(self.column, None, Kind::BlockMap, self.pos);
            }
            self.key_allowed = self.flow == 0;
        }
        self.push_indicator(Kind::Value, 1);
        Ok(())
    }

    /// Opens a block collection when `column` is deeper than the current one;
    /// its token comes before token `number`, or last.
    fn open_block(&mut self, column: isize, number: Option<usize>, kind: Kind<'a>, pos: usize) {
        if self.flow > 0 || self.indent >= column {
            return;
        }
        self.outer_indents.push(self.indent);
        self.indent = column;
        let token = Token {
            kind,
            start: pos,
            end: pos,
        };
        self.insert(number, token);
    }

    /// Puts a token before token `number`; last when that one is gone already.
    fn insert(&mut self, number: Option<usize>, token: Token<'a>) {
        let at = number.and_then(|n| n.checked_sub(self.taken));
        let len = self.queue.len();
        self.queue.insert(at.unwrap_or(len).min(len), token);
    }

    /// Closes the block collections that are deeper than `column`.
    fn close_blocks(&mut self, column: isize) {
        if self.flow > 0 {
            return;
        }
        while self.indent > column {
            self.push_indicator(Kind::BlockEnd, 0);
            self.indent = self.outer_indents.pop().unwrap_or(-1);
        }
    }

    /// Before what ends a document.
    fn leave_blocks(&mut self) -> Result<(), Problem> {
        self.close_blocks(-1);
        self.withdraw_key()?;
        self.key_allowed = false;
        Ok(())
    }
}
