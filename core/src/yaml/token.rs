//! The tokens between scanner and parser.

use std::borrow::Cow;

/// One token with its byte range. Tokens that no character stands for
/// ([`Kind::Key`] before a simple key, block starts and ends) are empty.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind<'a>,
    pub(super) start: usize,
    pub(super) end: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind<'a> {
    /// `%YAML 1.1`
    Version(u32, u32),
    /// `%TAG handle prefix`
    Handle(&'a str, Cow<'a, str>),
    /// `---`
    DocumentStart,
    /// `...`
    DocumentEnd,
    TextEnd,
    BlockList,
    BlockMap,
    BlockEnd,
    /// `[`
    FlowList,
    /// `]`
    FlowListEnd,
    /// `{`
    FlowMap,
    /// `}`
    FlowMapEnd,
    /// `-`
    Item,
    /// `,`
    Comma,
    /// `?`, or where a simple key begins
    Key,
    /// `:`
    Value,
    Alias(&'a str),
    Anchor(&'a str),
    /// Handle (empty for `!<…>` and `!`) and suffix.
    Tag(&'a str, Cow<'a, str>),
    Scalar {
        text: Cow<'a, str>,
        plain: bool,
    },
}
