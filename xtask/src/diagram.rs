//! Diagrams of the guide, drawn from text.
//!
//! In: `docs/guide/diagrams/way.txt`, a line for each box. Out: an SVG that follows
//! light and dark.

use crate::job::root;
use std::fmt::Write;

const WIDTH: usize = 640;
const HEIGHT: usize = 44;
const GAP: usize = 22;

/// The way from texts to a verdict.
pub(crate) fn drawing() -> Result<String, String> {
    let file = "docs/guide/diagrams/way.txt";
    let text = std::fs::read_to_string(root().join(file)).map_err(|e| format!("{file}: {e}"))?;
    let boxes: Vec<(&str, &str)> = text
        .lines()
        .filter(|l| !l.starts_with('#') && !l.trim().is_empty())
        .map(|l| {
            l.split_once(" | ")
                .ok_or(format!("{file}: no ` | ` in `{l}`"))
        })
        .collect::<Result<_, _>>()?;
    Ok(draw(&boxes))
}

fn draw(boxes: &[(&str, &str)]) -> String {
    let height = boxes.len() * (HEIGHT + GAP) - GAP + 2;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         role=\"img\" font-family=\"system-ui, sans-serif\" font-size=\"15\">\n\
         <title>{}</title>\n\
         <style>rect {{ fill: #eef3fa; stroke: #5a7aa5 }} text {{ fill: #1b2a3d }} path {{ stroke: #5a7aa5; fill: none }}\n\
         @media (prefers-color-scheme: dark) {{ rect {{ fill: #1f2a38 }} text {{ fill: #dce6f2 }} }}</style>\n",
        boxes
            .iter()
            .map(|b| b.0)
            .collect::<Vec<_>>()
            .join(", then ")
    );
    for (at, (name, about)) in boxes.iter().enumerate() {
        let top = at * (HEIGHT + GAP) + 1;
        let middle = top + HEIGHT / 2 + 5;
        let _ = writeln!(
            svg,
            "<rect x=\"1\" y=\"{top}\" width=\"{}\" height=\"{HEIGHT}\" rx=\"6\"/>\
             <text x=\"16\" y=\"{middle}\" font-weight=\"600\">{}</text><text x=\"140\" y=\"{middle}\">{}</text>",
            WIDTH - 2,
            escaped(name),
            escaped(about)
        );
        if at + 1 < boxes.len() {
            let (from, to) = (top + HEIGHT, top + HEIGHT + GAP);
            let _ = writeln!(
                svg,
                "<path d=\"M60 {from}V{}M55 {}L60 {}L65 {}\"/>",
                to - 2,
                to - 8,
                to - 2,
                to - 8
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::draw;

    #[test]
    fn boxes_are_joined_by_arrows() {
        let svg = draw(&[("a", "x < y"), ("b", "")]);
        assert_eq!(svg.matches("<rect").count(), 2);
        assert_eq!(svg.matches("<path").count(), 1);
        assert!(svg.contains("x &lt; y"));
    }
}
