//! Aligned columns.

use crate::style::clean;
use anstyle::Style;
use std::io::{self, Write};
use unicode_width::UnicodeWidthStr;

/// A cell: text and how it looks.
pub(crate) type Cell = (String, Style);

/// A cell that looks like everything else.
pub(crate) fn cell(text: impl Into<String>) -> Cell {
    (text.into(), Style::new())
}

/// Writes rows with every column as wide as its widest cell.
pub(crate) fn write(out: &mut dyn Write, rows: &[Vec<Cell>]) -> io::Result<()> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells
            .map(|(text, _)| clean(text).width())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let mut pad = 0;
        for ((text, style), width) in row.iter().zip(&widths) {
            let text = clean(text);
            if !text.is_empty() {
                write!(out, "{:pad$}{style}{text}{style:#}", "")?;
                pad = 0;
            }
            pad += width - text.width() + 2;
        }
        writeln!(out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_without_blanks_at_the_end() {
        let rows = [
            vec![cell("a"), cell("文字"), cell("x")],
            vec![cell("long"), cell(""), cell("y")],
            vec![cell("b"), cell("c"), cell("")],
        ];
        let mut out = Vec::new();
        write(&mut out, &rows).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "a     文字  x\nlong        y\nb     c\n"
        );
    }
}
