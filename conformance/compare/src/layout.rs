//! Lays out JSON so that people can read and diff it.
//!
//! In: compact JSON text. Out: the same with line breaks: an array or object
//! stands on one line when it fits, and is broken up when it does not.

const WIDTH: usize = 180;

/// Lays out valid compact JSON, as `serde_json::to_string` writes it, and ends
/// it with a line break.
#[must_use]
pub fn lay_out(compact: &str) -> String {
    let mut out = String::with_capacity(compact.len() * 2);
    value(compact, 0, &mut out);
    out.push('\n');
    out
}

fn value(text: &str, depth: usize, out: &mut String) {
    let line = on_one_line(text);
    let parts = parts(text);
    if parts.is_empty() || depth * 2 + line.chars().count() <= WIDTH && depth > 1 {
        out.push_str(&line);
        return;
    }
    let (open, close) = (&text[..1], &text[text.len() - 1..]);
    out.push_str(open);
    for (i, part) in parts.iter().enumerate() {
        out.push_str(if i == 0 { "\n" } else { ",\n" });
        out.extend(std::iter::repeat_n(' ', 2 * (depth + 1)));
        let inner = match (open, key_end(part)) {
            ("{", Some(end)) => {
                out.push_str(&part[..end]);
                out.push_str(": ");
                &part[end + 1..]
            }
            _ => part,
        };
        value(inner, depth + 1, out);
    }
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', 2 * depth));
    out.push_str(close);
}

/// The members of an object or the items of an array; none for a scalar.
fn parts(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    if !text.starts_with(['{', '[']) || text.len() == 2 {
        return parts;
    }
    let (mut depth, mut start) = (0, 1);
    for (at, c) in outside_strings(text) {
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' => {
                depth -= 1;
                if depth == 0 {
                    parts.push(&text[start..at]);
                }
            }
            ',' if depth == 1 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts
}

fn key_end(member: &str) -> Option<usize> {
    outside_strings(member)
        .find(|(_, c)| *c == ':')
        .map(|(at, _)| at)
}

fn on_one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len() + 16);
    let mut last = 0;
    for (at, c) in outside_strings(text) {
        if c == ',' || c == ':' {
            line.push_str(&text[last..=at]);
            line.push(' ');
            last = at + 1;
        }
    }
    line.push_str(&text[last..]);
    line
}

/// The characters that are not within string literals.
fn outside_strings(text: &str) -> impl Iterator<Item = (usize, char)> {
    let (mut inside, mut escaped) = (false, false);
    text.char_indices().filter(move |(_, c)| {
        let was_inside = inside;
        match c {
            _ if escaped => escaped = false,
            '\\' if inside => escaped = true,
            '"' => inside = !inside,
            _ => {}
        }
        !was_inside && !inside
    })
}

#[cfg(test)]
mod tests {
    use super::lay_out;

    #[test]
    fn what_fits_stays_on_a_line() {
        let text = r#"{"a":[{"b":"x, y: \"{","c":[]},{"d":1}],"e":{}}"#;
        assert_eq!(
            lay_out(text),
            "{\n  \"a\": [\n    {\"b\": \"x, y: \\\"{\", \"c\": []},\n    {\"d\": 1}\n  ],\n  \"e\": {}\n}\n"
        );
    }

    #[test]
    fn long_lists_are_broken_and_nothing_is_lost() {
        let value = serde_json::json!({"k": {"l": vec!["x".repeat(30); 9]}, "n": null});
        let laid_out = lay_out(&value.to_string());
        assert!(laid_out.lines().all(|l| l.len() <= 190));
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&laid_out).expect("JSON"),
            value
        );
    }
}
