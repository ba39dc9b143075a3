//! Lines of a source with marks below them.
//!
//! In: a source and marked places. Out: those lines, numbered, as a compiler
//! would quote them. Long lines are cut to the neighbourhood of their mark.

use crate::style::{self, clean};
use anstyle::Style;
use netverdict::source::{Source, Span};
use std::io::{self, Write};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Longer lines are cut.
const WIDTH: usize = 110;
/// How much of a cut line stands before its mark.
const BEFORE: usize = 30;

/// A place to mark.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark<'a> {
    /// Where; only the first line of it is marked.
    pub(crate) span: Span,
    /// What to write beside the mark.
    pub(crate) text: &'a str,
    /// How the mark and its text look.
    pub(crate) style: Style,
    /// `^` for what it is about, `-` for what else has to do with it.
    pub(crate) sign: char,
}

/// Width of the line numbers of all marks.
pub(crate) fn gutter(source: &Source, marks: &[Mark<'_>]) -> usize {
    let last = marks.iter().map(|m| source.position(m.span.start).line);
    last.max().unwrap_or(1).to_string().len()
}

/// Writes the marked lines.
pub(crate) fn write(
    out: &mut dyn Write,
    source: &Source,
    marks: &[Mark<'_>],
    gutter: usize,
) -> io::Result<()> {
    let mut placed: Vec<(u32, usize, &Mark<'_>)> = marks
        .iter()
        .map(|m| {
            let at = source.position(m.span.start);
            (at.line, at.column as usize - 1, m)
        })
        .collect();
    placed.sort_by_key(|(line, column, m)| (*line, m.sign != '^', *column));
    let faint = style::FAINT;
    let mut shown: Option<u32> = None;
    let mut window = Window::default();
    for (line, column, mark) in placed {
        if shown != Some(line) {
            match shown {
                None => writeln!(out, "{:gutter$} {faint}|{faint:#}", "")?,
                Some(before) if line > before + 1 => writeln!(out, "{faint}...{faint:#}")?,
                Some(_) => {}
            }
            let text = source.line(line).unwrap_or_default();
            let start = source.line_start(line).unwrap_or_default();
            let at = mark.span.start.saturating_sub(start) as usize;
            window = Window::around(text, at, column);
            let shown_text = window.shown();
            let text = shown_text.trim_end();
            writeln!(out, "{faint}{line:>gutter$} |{faint:#} {text}")?;
            shown = Some(line);
        }
        let end = source.position(mark.span.end);
        let end = if end.line == line {
            end.column as usize - 1
        } else {
            usize::MAX
        };
        let (pad, len) = window.columns(column, end.max(column + 1));
        let Mark {
            text, style, sign, ..
        } = mark;
        let line = sign.to_string().repeat(len);
        let gap = if text.is_empty() { "" } else { " " };
        let text = clean(text);
        writeln!(
            out,
            "{:gutter$} {faint}|{faint:#} {:pad$}{style}{line}{gap}{text}{style:#}",
            "", ""
        )?;
    }
    Ok(())
}

/// The part of a line that is shown, which alone is looked at: lines may be as
/// long as the text.
#[derive(Default)]
struct Window<'a> {
    text: &'a str,
    /// The column it begins at, counted from 0.
    start: usize,
    /// There is more of the line behind it.
    cut: bool,
}

impl<'a> Window<'a> {
    /// The neighbourhood of the character at a byte of a line, whose column
    /// that is.
    fn around(line: &'a str, at: usize, column: usize) -> Self {
        let (before, after) = line.split_at_checked(at).unwrap_or((line, ""));
        // Characters from the mark on, as many as may be shown.
        let rest = after.chars().take(WIDTH).count();
        let wanted = if column + rest <= WIDTH {
            column
        } else {
            BEFORE.max(WIDTH - rest)
        };
        let back = wanted.min(column);
        let skipped = before.char_indices().rev().take(back).last();
        let from = skipped.map_or(before.len(), |(i, _)| i);
        let shown = line.get(from..).unwrap_or_default();
        let to = shown
            .char_indices()
            .nth(WIDTH)
            .map_or(shown.len(), |(i, _)| i);
        Self {
            text: shown.get(..to).unwrap_or_default(),
            start: column - back,
            cut: to < shown.len(),
        }
    }

    fn part(&self, start: usize, end: usize) -> String {
        let skip = start.saturating_sub(self.start);
        let take = end.saturating_sub(start.max(self.start));
        let part: String = self.text.chars().skip(skip).take(take).collect();
        clean(&part).into_owned()
    }

    fn shown(&self) -> String {
        let before = if self.start > 0 { "…" } else { "" };
        let after = if self.cut { "…" } else { "" };
        format!("{before}{}{after}", clean(self.text))
    }

    /// How far a mark is from the left, and how wide it is.
    fn columns(&self, from: usize, to: usize) -> (usize, usize) {
        let end = self.start + self.text.chars().count();
        let from = from.clamp(self.start, end);
        let to = to.clamp(from, end);
        let cut = usize::from(self.start > 0);
        let pad = cut + self.part(self.start, from).width();
        let marked = self.part(from, to);
        let len: usize = marked.chars().map(|c| c.width().unwrap_or(0)).sum();
        (pad, len.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Window by window as by counting every character of the line.
    #[test]
    fn windows_are_those_of_whole_lines() {
        for len in [0, 1, WIDTH - 1, WIDTH, WIDTH + 1, 300] {
            let chars: Vec<char> = ('a'..='z')
                .chain(['é', '→', '𝄞'])
                .cycle()
                .take(len)
                .collect();
            let line: String = chars.iter().collect();
            for column in 0..=len {
                let at: usize = chars.iter().take(column).map(|c| c.len_utf8()).sum();
                let start = column.saturating_sub(BEFORE).min(len.saturating_sub(WIDTH));
                let end = len.min(start + WIDTH);
                let window = Window::around(&line, at, column);
                let shown: String = chars[start..end].iter().collect();
                assert_eq!(
                    (window.text, window.start),
                    (&*shown, start),
                    "{len} {column}"
                );
                assert_eq!(window.cut, end < len);
                assert_eq!(
                    window.part(column, column + 1).chars().count(),
                    usize::from(column < len)
                );
            }
        }
    }
}
