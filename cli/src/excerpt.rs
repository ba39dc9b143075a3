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
            let text: Vec<char> = source.line(line).unwrap_or_default().chars().collect();
            window = Window::around(text, column);
            let shown_text = window.shown();
            let text = shown_text.trim_end();
            writeln!(out, "{faint}{line:>gutter$} |{faint:#} {text}")?;
            shown = Some(line);
        }
        let end = source.position(mark.span.end);
        let end = if end.line == line {
            end.column as usize - 1
        } else {
            window.text.len()
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

/// The part of a line that is shown.
#[derive(Default)]
struct Window {
    text: Vec<char>,
    start: usize,
    end: usize,
}

impl Window {
    fn around(text: Vec<char>, column: usize) -> Self {
        let len = text.len();
        if len <= WIDTH {
            return Self {
                text,
                start: 0,
                end: len,
            };
        }
        let start = column.saturating_sub(BEFORE).min(len - WIDTH);
        Self {
            text,
            start,
            end: start + WIDTH,
        }
    }

    fn part(&self, start: usize, end: usize) -> String {
        let end = end.min(self.text.len());
        let part: String = self
            .text
            .get(start.min(end)..end)
            .unwrap_or(&[])
            .iter()
            .collect();
        clean(&part).into_owned()
    }

    fn shown(&self) -> String {
        let before = if self.start > 0 { "…" } else { "" };
        let after = if self.end < self.text.len() {
            "…"
        } else {
            ""
        };
        format!("{before}{}{after}", self.part(self.start, self.end))
    }

    /// How far a mark is from the left, and how wide it is.
    fn columns(&self, from: usize, to: usize) -> (usize, usize) {
        let from = from.clamp(self.start, self.end);
        let to = to.clamp(from, self.end);
        let cut = usize::from(self.start > 0);
        let pad = cut + self.part(self.start, from).width();
        let marked = self.part(from, to);
        let len: usize = marked.chars().map(|c| c.width().unwrap_or(0)).sum();
        (pad, len.max(1))
    }
}
