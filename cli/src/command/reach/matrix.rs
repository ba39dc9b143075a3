//! Connections as a matrix: a row for each sender, a column for each receiver;
//! as text or as a picture.

use super::table::said;
use super::{Line, Names, Writer};
use crate::exit::Failure;
use crate::style::{self, clean};
use netverdict_analysis::connection::Connection;
use std::collections::BTreeMap;
use std::io::{self, Write};
use unicode_width::UnicodeWidthStr;

/// More rows or columns than this nobody can look at.
const MOST: usize = 400;

/// What a cell shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    Nothing,
    Unknown,
    /// Only by way of a proxy or after authentication.
    Terms,
    Some,
    Everything,
}

impl Mark {
    fn of(connection: &Connection) -> Self {
        let terms = connection.by_terms();
        let plain = terms.iter().any(|(t, _)| t.brief().is_empty());
        match &*terms {
            [] if connection.unknown().is_empty() => Self::Nothing,
            [] => Self::Unknown,
            [(t, ports)] if ports.is_all() && t.brief().is_empty() => Self::Everything,
            _ if plain => Self::Some,
            _ => Self::Terms,
        }
    }

    const ALL: [Self; 5] = [
        Self::Everything,
        Self::Some,
        Self::Terms,
        Self::Unknown,
        Self::Nothing,
    ];

    const fn sign(self) -> char {
        match self {
            Self::Nothing => '·',
            Self::Unknown => '?',
            Self::Terms => '○',
            Self::Some => '◐',
            Self::Everything => '●',
        }
    }

    const fn said(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Unknown => "unknown",
            Self::Terms => "by way of a proxy or after authentication",
            Self::Some => "some ports",
            Self::Everything => "every port",
        }
    }

    /// Colours that differ in brightness, too.
    const fn color(self) -> &'static str {
        match self {
            Self::Nothing => "#f3f3f3",
            Self::Unknown => "#e0b000",
            Self::Terms => "#8fc7e8",
            Self::Some => "#3f8fbf",
            Self::Everything => "#123f66",
        }
    }
}

/// Refuses what nobody can look at.
pub(crate) fn fits(names: &Names) -> Result<(), Failure> {
    let widest = names.from.len().max(names.to.len());
    if widest <= MOST {
        return Ok(());
    }
    let failure = Failure::new(format!(
        "a matrix of {widest} rows or columns shows nothing"
    ));
    Err(failure.help("use `--by namespace`, `--from`, `--to`, or another output"))
}

/// Cells, kept until all are known.
pub(crate) struct Matrix {
    picture: bool,
    from: Vec<String>,
    to: Vec<String>,
    cells: BTreeMap<(String, String), (Mark, String)>,
}

impl Matrix {
    fn new(picture: bool) -> Self {
        Self {
            picture,
            from: Vec::new(),
            to: Vec::new(),
            cells: BTreeMap::new(),
        }
    }

    pub(crate) fn text() -> Self {
        Self::new(false)
    }

    pub(crate) fn svg() -> Self {
        Self::new(true)
    }

    fn cell(&self, from: &str, to: &str) -> (Mark, &str) {
        let cell = self.cells.get(&(from.to_owned(), to.to_owned()));
        cell.map_or((Mark::Nothing, "nothing"), |(m, text)| (*m, text.as_str()))
    }

    /// Receivers go by numbers, which senders of the same name have, too.
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let strong = style::STRONG;
        let digits = self.to.len().to_string().len();
        let names = self.from.iter().chain(&self.to).map(|n| clean(n).width());
        let width = names.max().unwrap_or(0);
        write!(out, "{:1$}", "", digits + 1 + width)?;
        for n in 1..=self.to.len() {
            write!(out, " {strong}{n:>digits$}{strong:#}")?;
        }
        writeln!(out)?;
        let number = |name: &str| self.to.iter().position(|t| t == name).map(|n| n + 1);
        for from in &self.from {
            let n = number(from).map_or_else(String::new, |n| n.to_string());
            let pad = width - clean(from).width();
            write!(
                out,
                "{strong}{n:>digits$}{strong:#} {}{:pad$}",
                clean(from),
                ""
            )?;
            for to in &self.to {
                write!(out, " {:>digits$}", self.cell(from, to).0.sign())?;
            }
            writeln!(out)?;
        }
        for to in self.to.iter().filter(|t| !self.from.contains(t)) {
            let n = number(to).map_or_else(String::new, |n| n.to_string());
            writeln!(out, "{strong}{n:>digits$}{strong:#} {}", clean(to))?;
        }
        let signs: Vec<String> = Mark::ALL
            .into_iter()
            .filter(|m| *m != Mark::Unknown || self.cells.values().any(|(c, _)| c == m))
            .map(|m| format!("{} {}", m.sign(), m.said()))
            .collect();
        writeln!(out, "{}", signs.join("   "))
    }

    fn write_svg(&self, out: &mut dyn Write) -> io::Result<()> {
        const CELL: usize = 18;
        const LETTER: usize = 7;
        let longest = |names: &[String]| {
            let widths = names.iter().map(|n| clean(n).width());
            widths.max().unwrap_or(0) * LETTER + 16
        };
        let (left, top) = (longest(&self.from), longest(&self.to));
        // The legend has to fit, too.
        let legend: usize = Mark::ALL.iter().map(|m| 34 + m.said().len() * LETTER).sum();
        let width = (left + self.to.len() * CELL + 16).max(legend + 8);
        let height = top + self.from.len() * CELL + 48;
        writeln!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"monospace\" font-size=\"11\" role=\"img\">\n\
             <title>Who may talk to whom: rows send, columns receive</title>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>"
        )?;
        for (n, to) in self.to.iter().enumerate() {
            let (x, y) = (left + n * CELL + CELL / 2 + 4, top - 6);
            writeln!(
                out,
                "<text x=\"{x}\" y=\"{y}\" transform=\"rotate(-90 {x} {y})\">{}</text>",
                escaped(to)
            )?;
        }
        for (row, from) in self.from.iter().enumerate() {
            let y = top + row * CELL;
            writeln!(
                out,
                "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
                left - 6,
                y + CELL - 5,
                escaped(from)
            )?;
            for (column, to) in self.to.iter().enumerate() {
                let (mark, said) = self.cell(from, to);
                writeln!(
                    out,
                    "<rect x=\"{}\" y=\"{y}\" width=\"{}\" height=\"{}\" fill=\"{}\"><title>{} → {}: {}</title></rect>",
                    left + column * CELL,
                    CELL - 2,
                    CELL - 2,
                    mark.color(),
                    escaped(from),
                    escaped(to),
                    escaped(said),
                )?;
            }
        }
        let (mut x, y) = (8, height - 28);
        for mark in Mark::ALL {
            writeln!(
                out,
                "<rect x=\"{x}\" y=\"{y}\" width=\"12\" height=\"12\" fill=\"{}\" stroke=\"#888888\"/>\
                 <text x=\"{}\" y=\"{}\">{}</text>",
                mark.color(),
                x + 18,
                y + 10,
                mark.said()
            )?;
            x += 34 + mark.said().len() * LETTER;
        }
        writeln!(out, "</svg>")
    }
}

fn escaped(text: &str) -> String {
    clean(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

impl Writer for Matrix {
    fn begin(&mut self, _: &mut dyn Write, names: &Names) -> io::Result<()> {
        self.from.clone_from(&names.from);
        self.to.clone_from(&names.to);
        Ok(())
    }

    fn line(&mut self, _: &mut dyn Write, line: &Line<'_>) -> io::Result<()> {
        let said = said(&line.connection, line.partly);
        let mark = match Mark::of(&line.connection) {
            Mark::Everything if line.partly => Mark::Some,
            mark => mark,
        };
        let pair = (line.from.to_owned(), line.to.to_owned());
        self.cells.insert(pair, (mark, said));
        Ok(())
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.picture {
            self.write_svg(out)
        } else {
            self.write_text(out)
        }
    }
}
