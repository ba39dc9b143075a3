//! Colours, and text made fit for a terminal.
//!
//! Colour never says anything alone: without it the words and marks remain.

use anstyle::{AnsiColor, Style};
use netverdict::diagnostic::Severity;
use std::borrow::Cow;

/// Something wrong, or dropped.
pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();
/// Something doubtful.
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// Something worth knowing.
pub(crate) const INFO: Style = AnsiColor::Cyan.on_default().bold();
/// Something good, or allowed.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// What matters most on a line.
pub(crate) const STRONG: Style = Style::new().bold();
/// Rules and line numbers.
pub(crate) const FAINT: Style = AnsiColor::Blue.on_default();

/// The style of a severity.
pub(crate) const fn of(severity: Severity) -> Style {
    match severity {
        Severity::Error => ERROR,
        Severity::Warning => WARNING,
        Severity::Info => INFO,
    }
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Makes it hold for everything printed from here on.
    pub(crate) fn apply(self) {
        let choice = match self {
            Self::Auto => anstream::ColorChoice::Auto,
            Self::Always => anstream::ColorChoice::AlwaysAnsi,
            Self::Never => anstream::ColorChoice::Never,
        };
        choice.write_global();
    }
}

/// Text without control characters: what input says must not steer a
/// terminal. Tabs become one space.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    let harmless = |c: char| !c.is_control() && !is_bidi_control(c);
    if text.chars().all(harmless) {
        return Cow::Borrowed(text);
    }
    let replace = |c| match c {
        '\t' | '\n' => ' ',
        c if harmless(c) => c,
        _ => '\u{FFFD}',
    };
    Cow::Owned(text.chars().map(replace).collect())
}

/// Characters that reorder what stands around them.
const fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// `1 file`, `2 files`.
pub(crate) fn count(n: usize, noun: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{n} {noun}{s}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_cannot_steer_the_terminal() {
        assert_eq!(clean("a\tb"), "a b");
        assert_eq!(
            clean("\u{1b}[31m\u{202e}x\u{7f}"),
            "\u{FFFD}[31m\u{FFFD}x\u{FFFD}"
        );
        assert!(matches!(clean("ü → 文"), Cow::Borrowed(_)));
    }
}
