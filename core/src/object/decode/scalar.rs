//! Scalars as people wrote them, and times.

use crate::yaml::{Node, Number, Value};

/// "number `80`", "a list".
pub(super) fn describe(node: &Node) -> String {
    match &node.value {
        Value::Null => "null".to_owned(),
        Value::Bool(b) => format!("boolean `{b}`"),
        Value::Number(n) => format!("number `{}`", number_text(*n)),
        Value::String(s) => {
            let mut shown: String = s.chars().take(60).collect();
            if shown.len() < s.len() {
                shown.push('…');
            }
            format!("string `{shown}`")
        }
        Value::List(_) => "a list".to_owned(),
        Value::Map(_) => "a mapping".to_owned(),
    }
}

fn number_text(number: Number) -> String {
    match number {
        Number::Int(i) => i.to_string(),
        Number::UInt(u) => u.to_string(),
        Number::Float(f) => f.to_string(),
    }
}

/// The text of a number or boolean, if it is the one that was written:
/// `0x50`, `1.10` and `yes` are not, going by their length.
pub(super) fn scalar_text(node: &Node) -> Option<String> {
    let text = match &node.value {
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => number_text(*n),
        _ => return None,
    };
    let written = node.span.end.saturating_sub(node.span.start) as usize;
    (written == text.len()).then_some(text)
}

/// The digits of a quoted number where a number is expected.
pub(super) fn unquoted_number<'n>(node: &'n Node, expected: &str) -> Option<&'n str> {
    let text = node.as_str()?;
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = !digits.is_empty()
        && digits.bytes().all(|b| b.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'));
    (expected == "a whole number" && plain).then_some(text)
}

/// A time that Go's time.Parse reads as RFC3339.
pub(crate) fn is_rfc3339(text: &str) -> bool {
    let number = |range: std::ops::Range<usize>, min: u32, max: u32| {
        text.get(range).is_some_and(|t| {
            t.bytes().all(|b| b.is_ascii_digit())
                && t.parse::<u32>().is_ok_and(|n| (min..=max).contains(&n))
        })
    };
    let at = |i: usize, c: u8| text.as_bytes().get(i) == Some(&c);
    let date = number(0..4, 0, 9999) && at(4, b'-') && number(5..7, 1, 12) && at(7, b'-');
    let time = number(8..10, 1, 31) && at(10, b'T') && number(11..13, 0, 23) && at(13, b':');
    let seconds = number(14..16, 0, 59) && at(16, b':') && number(17..19, 0, 59);
    if !(date && time && seconds) {
        return false;
    }
    let part = |range: std::ops::Range<usize>| {
        let digits = text.get(range).unwrap_or_default();
        digits.parse::<u32>().unwrap_or_default()
    };
    let (year, month, day) = (part(0..4), part(5..7), part(8..10));
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if day > days {
        return false;
    }
    let rest = text.get(19..).unwrap_or_default();
    let zone = match rest.strip_prefix(['.', ',']) {
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            if zone.len() == fraction.len() {
                return false;
            }
            zone
        }
        None => rest,
    };
    if zone == "Z" {
        return true;
    }
    let offset = |range: std::ops::Range<usize>, max: u32| {
        zone.get(range).is_some_and(|t| {
            t.bytes().all(|b| b.is_ascii_digit()) && t.parse::<u32>().is_ok_and(|n| n <= max)
        })
    };
    zone.len() == 6
        && zone.starts_with(['+', '-'])
        && zone.as_bytes().get(3) == Some(&b':')
        && offset(1..3, 24)
        && offset(4..6, 60)
}
