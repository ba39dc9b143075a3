//! Tokens → events: the grammar of a document.
//!
//! In: the tokens of a text. Out: the [`Event`]s of its first document; what
//! stands after that document is not looked at, as Kubernetes' readers do
//! not. The grammar is that of go.yaml.in/yaml/v2 2.4.4 `parserc.go`.

use super::codes::{self, MAX_TAG_PREFIX, Problem};
use super::scanner::Scanner;
use super::token::{Kind as T, Token};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// One event with the byte range it was written in.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Event<'a> {
    pub(super) kind: Kind<'a>,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// What an event says. An anchor or a tag that was not written is empty.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind<'a> {
    Alias(&'a str),
    Scalar {
        anchor: &'a str,
        tag: Cow<'a, str>,
        text: Cow<'a, str>,
        /// Its type follows from its text: written without quotes and tag.
        plain: bool,
    },
    ListStart {
        anchor: &'a str,
    },
    MapStart {
        anchor: &'a str,
    },
    /// The end of a list or mapping.
    End,
    DocumentEnd,
}

/// What the parser expects. `first` is true right after the opening token.
#[derive(Clone, Copy, Debug)]
enum State {
    Document,
    DocumentContent,
    DocumentEnd,
    BlockNode,
    BlockItem {
        first: bool,
    },
    /// An item of a list that is not indented deeper than its key.
    UnindentedItem,
    BlockKey {
        first: bool,
    },
    BlockValue,
    FlowItem {
        first: bool,
    },
    /// A key, value and end of a single pair in brackets: `[a: b]`.
    PairKey,
    PairValue,
    PairEnd,
    FlowKey {
        first: bool,
    },
    FlowValue,
    /// After a member of braces that is no pair: `{a}`.
    FlowNoValue,
}

/// A pull parser over the first document of a text.
pub(super) struct Parser<'a> {
    scanner: Scanner<'a>,
    state: State,
    /// States to come back to.
    outer: Vec<State>,
    /// Tag handles and what they stand for.
    handles: BTreeMap<&'a str, Cow<'a, str>>,
    /// Where the last token that has characters ended.
    end: usize,
}

type Step<'a> = Result<Event<'a>, Problem>;

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            scanner: Scanner::new(text),
            state: State::Document,
            outer: Vec::new(),
            handles: BTreeMap::new(),
            end: 0,
        }
    }

    /// The next event; after [`Kind::DocumentEnd`] there is none.
    pub(super) fn next(&mut self) -> Step<'a> {
        match self.state {
            State::Document => self.document(),
            State::DocumentContent => match self.peek()? {
                T::Version(..) | T::Handle(..) | T::DocumentStart | T::DocumentEnd | T::TextEnd => {
                    self.pop_empty()
                }
                _ => self.node(true, false),
            },
            State::DocumentEnd => {
                // What follows must be a token, whichever.
                self.peek()?;
                Ok(self.virtual_event(Kind::DocumentEnd))
            }
            State::BlockNode => self.node(true, false),
            State::BlockItem { first } => self.block_item(first),
            State::UnindentedItem => self.unindented_item(),
            State::BlockKey { first } => self.block_key(first),
            State::BlockValue => self.block_value(),
            State::FlowItem { first } => self.flow_item(first),
            State::PairKey => self.pair_key(),
            State::PairValue => self.flow_value(State::PairEnd, &T::FlowListEnd),
            State::PairEnd => {
                self.state = State::FlowItem { first: false };
                Ok(self.virtual_event(Kind::End))
            }
            State::FlowKey { first } => self.flow_key(first),
            State::FlowValue => self.flow_value(State::FlowKey { first: false }, &T::FlowMapEnd),
            State::FlowNoValue => {
                self.state = State::FlowKey { first: false };
                Ok(self.empty())
            }
        }
    }

    fn peek(&mut self) -> Result<&T<'a>, Problem> {
        self.scanner.peek().map(|t| &t.kind)
    }

    fn take(&mut self) -> Option<Token<'a>> {
        let token = self.scanner.take()?;
        if token.end > token.start {
            self.end = token.end;
        }
        Some(token)
    }

    /// Goes back to what the enclosing collection expects.
    fn pop(&mut self) {
        self.state = self.outer.pop().unwrap_or(State::DocumentEnd);
    }

    fn virtual_event(&self, kind: Kind<'a>) -> Event<'a> {
        Event {
            kind,
            start: self.end,
            end: self.end,
        }
    }

    /// The null that stands for a value left out.
    fn empty(&self) -> Event<'a> {
        self.virtual_event(Kind::Scalar {
            anchor: "",
            tag: Cow::Borrowed(""),
            text: Cow::Borrowed(""),
            plain: true,
        })
    }

    fn pop_empty(&mut self) -> Step<'a> {
        self.pop();
        Ok(self.empty())
    }

    fn empty_then(&mut self, state: State) -> Step<'a> {
        self.state = state;
        Ok(self.empty())
    }

    /// A node, after which the parser is in `state`.
    fn node_then(&mut self, state: State, block: bool, unindented: bool) -> Step<'a> {
        self.outer.push(state);
        self.node(block, unindented)
    }

    /// The end of a collection whose closing token is next.
    fn close(&mut self) -> Step<'a> {
        self.take();
        self.pop();
        Ok(self.virtual_event(Kind::End))
    }

    fn expected(&mut self, what: &str) -> Problem {
        let (start, mut end, at_end) = match self.scanner.peek() {
            Ok(t) => (t.start, t.end, t.kind == T::TextEnd),
            Err(problem) => return problem,
        };
        let rest = self.scanner.text.get(start..).unwrap_or("");
        if end == start {
            end += rest.chars().next().map_or(0, char::len_utf8);
        }
        let message = if at_end {
            format!("expected {what} before the end of the document")
        } else {
            format!("expected {what} here")
        };
        Problem::new(codes::SYNTAX, start, end, message)
    }

    fn document(&mut self) -> Step<'a> {
        match self.peek()? {
            T::TextEnd => return Ok(self.virtual_event(Kind::DocumentEnd)),
            T::Version(..) | T::Handle(..) | T::DocumentStart => {
                self.directives()?;
                if *self.peek()? != T::DocumentStart {
                    return Err(self.expected("`---` after the directives"));
                }
                self.take();
                self.state = State::DocumentContent;
            }
            _ => self.state = State::BlockNode,
        }
        for (handle, prefix) in [("!", "!"), ("!!", "tag:yaml.org,2002:")] {
            self.handles.entry(handle).or_insert(Cow::Borrowed(prefix));
        }
        self.outer.push(State::DocumentEnd);
        self.next()
    }

    fn directives(&mut self) -> Result<(), Problem> {
        let mut version = false;
        loop {
            let problem = match self.peek()? {
                T::Version(1, 1) if !version => None,
                T::Version(1, 1) => Some("`%YAML` stands twice"),
                T::Version(..) => Some("only YAML 1.1 is read"),
                T::Handle(..) => None,
                _ => return Ok(()),
            };
            let Some(token) = self.take() else {
                return Ok(());
            };
            let refuse = |m: &str| Err(Problem::new(codes::SYNTAX, token.start, token.end, m));
            if let Some(problem) = problem {
                return refuse(problem);
            }
            match token.kind {
                T::Handle(handle, prefix) => {
                    // Every tag with the handle repeats it.
                    if prefix.len() > MAX_TAG_PREFIX {
                        let message = format!(
                            "this prefix has {} bytes, more than the limit of {MAX_TAG_PREFIX}",
                            prefix.len()
                        );
                        let (start, end) = (token.start, token.end);
                        return Err(Problem::new(codes::MAX_BYTES, start, end, message));
                    }
                    if self.handles.insert(handle, prefix).is_some() {
                        return refuse("this `%TAG` handle stands twice");
                    }
                }
                _ => version = true,
            }
        }
    }

    /// A node: alias, scalar or the start of a collection, its anchor and tag
    /// before it.
    fn node(&mut self, block: bool, unindented: bool) -> Step<'a> {
        let mut anchor = "";
        let mut tag: Option<Cow<'a, str>> = None;
        loop {
            match self.peek()? {
                T::Anchor(name) if anchor.is_empty() => {
                    anchor = name;
                    self.take();
                }
                T::Tag(..) if tag.is_none() => tag = Some(self.tag()?),
                _ => break,
            }
        }
        let bare = anchor.is_empty() && tag.is_none();
        let kind = match self.peek()? {
            T::Alias(name) if bare => Kind::Alias(name),
            T::Scalar { .. } => {
                let Some(Token {
                    kind: T::Scalar { text, plain },
                    start,
                    end,
                }) = self.take()
                else {
                    return self.pop_empty();
                };
                self.pop();
                let tag = tag.unwrap_or_default();
                let plain = if tag.is_empty() { plain } else { tag == "!" };
                let kind = Kind::Scalar {
                    anchor,
                    tag,
                    text,
                    plain,
                };
                return Ok(Event { kind, start, end });
            }
            T::Item if unindented => {
                self.state = State::UnindentedItem;
                Kind::ListStart { anchor }
            }
            T::FlowList => {
                self.state = State::FlowItem { first: true };
                Kind::ListStart { anchor }
            }
            T::FlowMap => {
                self.state = State::FlowKey { first: true };
                Kind::MapStart { anchor }
            }
            T::BlockList if block => {
                self.state = State::BlockItem { first: true };
                Kind::ListStart { anchor }
            }
            T::BlockMap if block => {
                self.state = State::BlockKey { first: true };
                Kind::MapStart { anchor }
            }
            _ if !bare => {
                self.pop();
                let tag = tag.unwrap_or_default();
                return Ok(self.virtual_event(Kind::Scalar {
                    anchor,
                    plain: tag.is_empty(),
                    tag,
                    text: Cow::Borrowed(""),
                }));
            }
            _ => return Err(self.expected("a value")),
        };
        let (start, end) = self.scanner.peek().map(|t| (t.start, t.end))?;
        if matches!(kind, Kind::Alias(_)) {
            self.take();
            self.pop();
        }
        Ok(Event { kind, start, end })
    }

    /// Takes a tag and writes it out.
    fn tag(&mut self) -> Result<Cow<'a, str>, Problem> {
        let Some(Token {
            kind: T::Tag(handle, suffix),
            start,
            end,
        }) = self.take()
        else {
            return Err(self.expected("a tag"));
        };
        if handle.is_empty() {
            return Ok(suffix);
        }
        match self.handles.get(handle) {
            Some(prefix) => Ok(format!("{prefix}{suffix}").into()),
            None => {
                let message = format!("tag handle `{handle}` is not declared");
                Err(Problem::new(codes::SYNTAX, start, end, message))
            }
        }
    }

    fn block_item(&mut self, first: bool) -> Step<'a> {
        if first {
            self.peek()?;
            self.take();
        }
        match self.peek()? {
            T::Item => {
                self.take();
                let next = State::BlockItem { first: false };
                match self.peek()? {
                    T::Item | T::BlockEnd => self.empty_then(next),
                    _ => self.node_then(next, true, false),
                }
            }
            T::BlockEnd => self.close(),
            _ => Err(self
                .expected("`- ` for the next list item")
                .help("check the indentation of this line")),
        }
    }

    fn unindented_item(&mut self) -> Step<'a> {
        if *self.peek()? != T::Item {
            self.pop();
            return Ok(self.virtual_event(Kind::End));
        }
        self.take();
        match self.peek()? {
            T::Item | T::Key | T::Value | T::BlockEnd => self.empty_then(State::UnindentedItem),
            _ => self.node_then(State::UnindentedItem, true, false),
        }
    }

    fn block_key(&mut self, first: bool) -> Step<'a> {
        if first {
            self.peek()?;
            self.take();
        }
        match self.peek()? {
            T::Key => {
                self.take();
                match self.peek()? {
                    T::Key | T::Value | T::BlockEnd => self.empty_then(State::BlockValue),
                    _ => self.node_then(State::BlockValue, true, true),
                }
            }
            T::BlockEnd => self.close(),
            _ => Err(self
                .expected("a key")
                .help("check the indentation of this line and the quotes before it")),
        }
    }

    fn block_value(&mut self) -> Step<'a> {
        let next = State::BlockKey { first: false };
        if *self.peek()? != T::Value {
            return self.empty_then(next);
        }
        self.take();
        match self.peek()? {
            T::Key | T::Value | T::BlockEnd => self.empty_then(next),
            _ => self.node_then(next, true, true),
        }
    }

    /// Between two members of brackets or braces: takes the comma.
    fn comma(&mut self, first: bool, end: &T<'a>, what: &str) -> Result<(), Problem> {
        if first {
            self.peek()?;
            self.take();
            return Ok(());
        }
        match self.peek()? {
            T::Comma => {
                self.take();
                Ok(())
            }
            token if token == end => Ok(()),
            _ => Err(self.expected(what)),
        }
    }

    fn flow_item(&mut self, first: bool) -> Step<'a> {
        self.comma(first, &T::FlowListEnd, "`,` or `]`")?;
        match self.peek()? {
            T::FlowListEnd => self.close(),
            T::Key => {
                self.state = State::PairKey;
                let (start, end) = self.scanner.peek().map(|t| (t.start, t.end))?;
                self.take();
                let kind = Kind::MapStart { anchor: "" };
                Ok(Event { kind, start, end })
            }
            _ => self.node_then(State::FlowItem { first: false }, false, false),
        }
    }

    fn pair_key(&mut self) -> Step<'a> {
        match self.peek()? {
            // go-yaml takes the token away here, so that `[? : a]` and
            // `[?, a]` are refused for what follows.
            T::Value | T::Comma | T::FlowListEnd => {
                self.take();
                self.empty_then(State::PairValue)
            }
            _ => self.node_then(State::PairValue, false, false),
        }
    }

    fn flow_key(&mut self, first: bool) -> Step<'a> {
        self.comma(first, &T::FlowMapEnd, "`,` or `}`")?;
        match self.peek()? {
            T::FlowMapEnd => self.close(),
            T::Key => {
                self.take();
                match self.peek()? {
                    T::Value | T::Comma | T::FlowMapEnd => self.empty_then(State::FlowValue),
                    _ => self.node_then(State::FlowValue, false, false),
                }
            }
            _ => self.node_then(State::FlowNoValue, false, false),
        }
    }

    fn flow_value(&mut self, next: State, end: &T<'a>) -> Step<'a> {
        if *self.peek()? == T::Value {
            self.take();
            let token = self.peek()?;
            if *token != T::Comma && token != end {
                return self.node_then(next, false, false);
            }
        }
        self.empty_then(next)
    }
}
