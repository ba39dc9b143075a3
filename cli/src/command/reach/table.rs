//! Connections line by line: columns, Markdown, CSV.

use super::{Line, Names, Writer};
use crate::style::{self, clean};
use netverdict_analysis::connection::Connection;
use netverdict_analysis::ports::protocol_name;
use std::io::{self, Write};
use unicode_width::UnicodeWidthStr;

/// What is open, in words: `80/TCP (http: GET /docs), 443/TCP`.
pub(crate) fn said(connection: &Connection, partly: bool) -> String {
    let mut parts: Vec<String> = Vec::new();
    for (terms, ports) in connection.by_terms() {
        let brief = terms.brief();
        parts.push(if brief.is_empty() {
            ports.to_string()
        } else {
            format!("{ports} ({brief})")
        });
    }
    let unknown = connection.unknown();
    if !unknown.is_empty() {
        parts.push(format!("unknown: {unknown}"));
    }
    if parts.is_empty() {
        parts.push("nothing".to_owned());
    }
    let text = parts.join("; ");
    if partly {
        format!("some: {text}")
    } else {
        text
    }
}

/// Aligned columns; widths come from the names, so lines need not wait.
#[derive(Default)]
pub(crate) struct Table {
    widths: [usize; 2],
    lines: usize,
}

impl Table {
    fn row(&self, out: &mut dyn Write, cells: [&str; 3], strong: bool) -> io::Result<()> {
        let look = if strong {
            style::STRONG
        } else {
            anstyle::Style::new()
        };
        for (cell, width) in cells.iter().zip(self.widths) {
            let cell = clean(cell);
            let pad = width.saturating_sub(cell.width()) + 2;
            write!(out, "{look}{cell}{look:#}{:pad$}", "")?;
        }
        writeln!(out, "{look}{}{look:#}", clean(cells[2]))
    }
}

impl Writer for Table {
    fn begin(&mut self, out: &mut dyn Write, names: &Names) -> io::Result<()> {
        let widest = |names: &[String], head: &str| {
            let widths = names.iter().map(|n| clean(n).width());
            widths.chain([head.len()]).max().unwrap_or(0)
        };
        self.widths = [widest(&names.from, "FROM"), widest(&names.to, "TO")];
        self.row(out, ["FROM", "TO", "OPEN"], true)
    }

    fn line(&mut self, out: &mut dyn Write, line: &Line<'_>) -> io::Result<()> {
        self.lines += 1;
        let open = said(&line.connection, line.partly);
        self.row(out, [line.from, line.to, &open], false)
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", style::count(self.lines, "connection"))
    }
}

/// A table in Markdown.
pub(crate) struct Markdown;

/// Text within a cell.
pub(crate) fn cell(text: &str) -> String {
    clean(text)
        .replace('\\', "\\\\")
        .replace('|', "\\|")
        .replace('<', "&lt;")
        .replace('*', "\\*")
}

impl Writer for Markdown {
    fn begin(&mut self, out: &mut dyn Write, _: &Names) -> io::Result<()> {
        writeln!(out, "| From | To | Open |\n|---|---|---|")
    }

    fn line(&mut self, out: &mut dyn Write, line: &Line<'_>) -> io::Result<()> {
        let open = said(&line.connection, line.partly);
        let (from, to) = (cell(line.from), cell(line.to));
        writeln!(out, "| {from} | {to} | {} |", cell(&open))
    }

    fn end(&mut self, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}

/// A line for each protocol of a pair and each of its terms.
pub(crate) struct Csv;

fn quoted(text: &str) -> String {
    // Spreadsheets take what begins with these for formulas.
    let formula = text.starts_with(['=', '+', '-', '@']);
    let mark = if formula { "'" } else { "" };
    if formula || text.contains([',', '"', '\n', '\r']) {
        format!("\"{mark}{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

impl Writer for Csv {
    fn begin(&mut self, out: &mut dyn Write, _: &Names) -> io::Result<()> {
        writeln!(out, "from,to,protocol,ports,l7,auth,egress,ingress")
    }

    fn line(&mut self, out: &mut dyn Write, line: &Line<'_>) -> io::Result<()> {
        let connection = &line.connection;
        let (from, to) = (quoted(line.from), quoted(line.to));
        let egress = connection.egress_state().as_str();
        let ingress = connection.ingress_state().as_str();
        let allowed = connection.allowed();
        if allowed.is_empty() {
            return writeln!(out, "{from},{to},,,,,{egress},{ingress}");
        }
        for part in allowed {
            let name = part
                .protocol
                .map_or_else(|| "other".to_owned(), |p| protocol_name(Some(p)));
            let ranges: Vec<String> = part
                .ports
                .iter()
                .map(|(first, last)| match first == last {
                    true => first.to_string(),
                    false => format!("{first}-{last}"),
                })
                .collect();
            writeln!(
                out,
                "{from},{to},{},{},{},{},{egress},{ingress}",
                quoted(&name),
                quoted(&ranges.join(" ")),
                part.terms.layer7().unwrap_or_default(),
                part.terms.authenticated(),
            )?;
        }
        Ok(())
    }

    fn end(&mut self, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_cannot_end_early() {
        assert_eq!(quoted("a,b"), "\"a,b\"");
        assert_eq!(quoted("say \"x\""), "\"say \"\"x\"\"\"");
        assert_eq!(quoted("=1+1"), "\"'=1+1\"");
        assert_eq!(cell("a|b <script> *"), "a\\|b &lt;script> \\*");
    }
}
