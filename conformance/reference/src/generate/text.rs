//! Objects as people write them: YAML in several styles, or JSON.

use super::dice::Dice;
use serde_json::Value;

/// Writes one document. The style varies, what it says does not.
pub(super) fn document(dice: &mut Dice, object: &Value) -> String {
    match dice.weighted(&[70, 15, 10, 5]) {
        0 => {
            let mut out = String::new();
            block(dice, object, 0, &mut out);
            out
        }
        1 => flow(dice, object) + "\n",
        2 => object.to_string() + "\n",
        _ => format!("{object:#}\n"),
    }
}

fn block(dice: &mut Dice, value: &Value, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                out.push_str(&pad);
                out.push_str(&block_key(dice, key));
                out.push(':');
                if is_inline(dice, value) {
                    out.push(' ');
                    out.push_str(&flow(dice, value));
                    out.push('\n');
                } else {
                    out.push('\n');
                    let step = if value.is_array() && dice.chance(40) {
                        0
                    } else {
                        2
                    };
                    block(dice, value, indent + step, out);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                if is_inline(dice, item) {
                    out.push_str(&pad);
                    out.push_str("- ");
                    out.push_str(&flow(dice, item));
                    out.push('\n');
                } else {
                    let mut nested = String::new();
                    block(dice, item, indent + 2, &mut nested);
                    nested.replace_range(indent..indent + 1, "-");
                    out.push_str(&nested);
                }
            }
        }
        scalar => {
            out.push_str(&pad);
            out.push_str(&flow(dice, scalar));
            out.push('\n');
        }
    }
}

fn is_inline(dice: &mut Dice, value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.is_empty() || dice.chance(15),
        Value::Array(items) => items.is_empty() || dice.chance(15),
        _ => true,
    }
}

fn flow(dice: &mut Dice, value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(key, value)| {
                    let key = string(dice, key);
                    format!("{key}: {}", flow(dice, value))
                })
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|i| flow(dice, i)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::String(text) => string(dice, text),
        Value::Null => dice.pick(&["null", "~"]).to_owned(),
        other => other.to_string(),
    }
}

/// In block style a key may hold colons without quotes.
fn block_key(dice: &mut Dice, key: &str) -> String {
    let bare = key.starts_with(|c: char| c.is_ascii_alphabetic())
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_./-:".contains(c))
        && !key.ends_with(':');
    if bare && dice.chance(70) {
        key.to_owned()
    } else {
        string(dice, key)
    }
}

fn string(dice: &mut Dice, text: &str) -> String {
    let bare = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_./-".contains(c))
        && !["y", "n", "yes", "no", "on", "off", "true", "false", "null"]
            .contains(&text.to_ascii_lowercase().as_str());
    if bare && dice.chance(80) {
        text.to_owned()
    } else if dice.chance(30) && !text.contains('\'') && !text.contains(char::is_control) {
        format!("'{text}'")
    } else {
        Value::from(text).to_string()
    }
}
