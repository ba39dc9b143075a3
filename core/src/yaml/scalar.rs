//! What a scalar means: YAML 1.1 as go-yaml v2 resolves it.
//!
//! In: the tag, the style and the text of one scalar. Out: the value a JSON
//! encoder would see, or why there is none. Rules: go.yaml.in/yaml/v2 2.4.4
//! `resolve.go` and `decode.go`, sigs.k8s.io/yaml 1.6.0 `yaml.go` (the
//! versions Cilium 1.20.2 is built with).

use super::json::json_number;
use super::node::{Number, Value};
use std::borrow::Cow;

const PREFIX: &str = "tag:yaml.org,2002:";

/// A scalar before it is put into JSON's shape.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar<'a> {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Float(f64),
    Text(Cow<'a, str>),
}

/// Resolves a scalar. `plain` is true when it was written without quotes,
/// `tag` is the full tag or empty.
///
/// The error says what the value cannot be read as.
pub(super) fn resolve<'a>(tag: &str, plain: bool, text: &'a str) -> Result<Scalar<'a>, String> {
    if tag.is_empty() {
        return Ok(if plain {
            implicit(text)
        } else {
            Scalar::Text(Cow::Borrowed(text))
        });
    }
    let Some(kind) = tag.strip_prefix(PREFIX) else {
        return Ok(Scalar::Text(Cow::Borrowed(text)));
    };
    let found = match kind {
        "str" => return Ok(Scalar::Text(Cow::Borrowed(text))),
        "binary" => {
            return base64(text)
                .map(|bytes| Scalar::Text(json_text(&bytes).into()))
                .ok_or_else(|| "`!!binary` value is not base64".to_owned());
        }
        "timestamp" if is_timestamp(text) => return Ok(Scalar::Text(Cow::Borrowed(text))),
        "bool" | "int" | "float" | "null" | "timestamp" => implicit(text),
        _ => return Ok(Scalar::Text(Cow::Borrowed(text))),
    };
    match (kind, found) {
        ("null", v @ Scalar::Null)
        | ("bool", v @ Scalar::Bool(_))
        | ("int", v @ (Scalar::Int(_) | Scalar::UInt(_)))
        | ("float", v @ Scalar::Float(_)) => Ok(v),
        #[expect(clippy::cast_precision_loss, reason = "what the tag asks for")]
        ("float", Scalar::Int(i)) => Ok(Scalar::Float(i as f64)),
        _ => Err(format!("cannot read `{text}` as `!!{kind}`")),
    }
}

/// A plain scalar without a tag.
fn implicit(text: &str) -> Scalar<'_> {
    let string = Scalar::Text(Cow::Borrowed(text));
    let Some(first) = text.bytes().next() else {
        return Scalar::Null;
    };
    match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => {
            word(text).unwrap_or(string)
        }
        b'.' => match text {
            ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
            ".inf" | ".Inf" | ".INF" => Scalar::Float(f64::INFINITY),
            _ => fraction(text).map_or(string, Scalar::Float),
        },
        b'+' | b'-' | b'0'..=b'9' => match text {
            "+.inf" | "+.Inf" | "+.INF" => Scalar::Float(f64::INFINITY),
            "-.inf" | "-.Inf" | "-.INF" => Scalar::Float(f64::NEG_INFINITY),
            _ => number(text).unwrap_or(string),
        },
        _ => string,
    }
}

fn word(text: &str) -> Option<Scalar<'static>> {
    Some(match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Scalar::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Scalar::Bool(false)
        }
        "~" | "null" | "Null" | "NULL" => Scalar::Null,
        _ => return None,
    })
}

/// Integers in Go's notations, floats, and nothing in base 60.
fn number(text: &str) -> Option<Scalar<'static>> {
    // Nothing that is a number holds another byte; most strings that begin
    // with a digit (addresses, durations, names) leave here.
    if !text.bytes().all(|b| {
        b.is_ascii_hexdigit() || matches!(b, b'_' | b'.' | b'+' | b'-' | b'x' | b'X' | b'o' | b'O')
    }) {
        return None;
    }
    let plain: Cow<'_, str> = if text.contains('_') {
        text.replace('_', "").into()
    } else {
        text.into()
    };
    let plain = plain.as_ref();
    let (negative, digits) = match plain.as_bytes().first() {
        Some(b'-') => (true, plain.get(1..)?),
        Some(b'+') => (false, plain.get(1..)?),
        _ => (false, plain),
    };
    let signed = digits.len() != plain.len();
    if let Some(magnitude) = integer(digits) {
        if let Some(i) = with_sign(magnitude, negative) {
            return Some(Scalar::Int(i));
        }
        if !signed {
            return Some(Scalar::UInt(magnitude));
        }
    }
    if let Some(f) = decimal(plain) {
        return Some(Scalar::Float(f));
    }
    // `0b` takes a sign after the prefix too.
    let tail = plain.strip_prefix("0b")?;
    let (negative, digits) = match tail.as_bytes().first()? {
        b'-' => (true, tail.get(1..)?),
        b'+' => (false, tail.get(1..)?),
        _ => return None,
    };
    with_sign(radix(digits, 2)?, negative).map(Scalar::Int)
}

fn with_sign(magnitude: u64, negative: bool) -> Option<i64> {
    if negative {
        0i64.checked_sub_unsigned(magnitude)
    } else {
        i64::try_from(magnitude).ok()
    }
}

/// An unsigned integer in Go's base-0 notation: `0x`, `0o`, `0b`, a leading
/// `0` for octal, else decimal.
fn integer(digits: &str) -> Option<u64> {
    let bytes = digits.as_bytes();
    match (bytes.first()?, bytes.get(1)) {
        (b'0', None) => Some(0),
        (b'0', Some(b'x' | b'X')) => radix(digits.get(2..)?, 16),
        (b'0', Some(b'o' | b'O')) => radix(digits.get(2..)?, 8),
        (b'0', Some(b'b' | b'B')) => radix(digits.get(2..)?, 2),
        (b'0', Some(_)) => radix(digits.get(1..)?, 8),
        _ => radix(digits, 10),
    }
}

fn radix(digits: &str, base: u32) -> Option<u64> {
    // from_str_radix would take a sign.
    if !digits.starts_with(|c: char| c.is_ascii_hexdigit()) {
        return None;
    }
    u64::from_str_radix(digits, base).ok()
}

/// A decimal float with a finite value: `-1.5e3`, `.5`, `1.`.
fn decimal(text: &str) -> Option<f64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let shaped = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    if !shaped {
        return None;
    }
    text.parse().ok().filter(|f: &f64| f.is_finite())
}

/// A float that begins with its point; `_` may stand between digits.
fn fraction(text: &str) -> Option<f64> {
    if !text.contains('_') {
        return decimal(text);
    }
    let between_digits = text.split('_').skip(1).all(starts_digit)
        && text
            .rsplit('_')
            .skip(1)
            .all(|t| t.ends_with(|c: char| c.is_ascii_digit()));
    decimal(&text.replace('_', "")).filter(|_| between_digits)
}

fn starts_digit(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

impl Scalar<'_> {
    /// The value as JSON carries it; `None` for what JSON has no number for.
    pub(super) fn into_value(self) -> Option<Value> {
        Some(match self {
            Self::Null => Value::Null,
            Self::Bool(b) => Value::Bool(b),
            Self::Int(i) => Value::Number(Number::Int(i)),
            Self::UInt(u) => Value::Number(Number::UInt(u)),
            Self::Float(f) => Value::Number(json_number(f)?),
            Self::Text(s) => Value::String(s.into_owned()),
        })
    }

    /// The scalar as a JSON object key; `None` when it cannot be one.
    pub(super) fn into_key(self) -> Option<String> {
        match self {
            Self::Text(s) => Some(s.into_owned()),
            Self::Int(i) => Some(i.to_string()),
            Self::Bool(b) => Some(b.to_string()),
            Self::Float(f) => Some(float_key(f)),
            Self::Null | Self::UInt(_) => None,
        }
    }
}

/// Go's `FormatFloat(f, 'g', -1, 32)` with YAML's names for the infinities.
fn float_key(f: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "sigs.k8s.io/yaml formats keys as 32 bits"
    )]
    let f = f as f32;
    if f.is_nan() {
        return ".nan".to_owned();
    }
    if f.is_infinite() {
        return if f > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let scientific = format!("{f:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return f.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// Bytes as Go's JSON encoder writes them: every byte that is not UTF-8
/// becomes U+FFFD.
fn json_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

/// Go's `base64.StdEncoding`: padded, line breaks ignored.
fn base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count, mut padding) = (0u32, 0u8, 0u8);
    for b in text.bytes().filter(|b| !matches!(b, b'\r' | b'\n')) {
        let six = match b {
            b'A'..=b'Z' => b - b'A',
            b'a'..=b'z' => b - b'a' + 26,
            b'0'..=b'9' => b - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                padding += 1;
                if padding > 2 {
                    return None;
                }
                continue;
            }
            _ => return None,
        };
        if padding > 0 {
            return None;
        }
        bits = bits << 6 | u32::from(six);
        count += 1;
        if count == 4 {
            out.extend_from_slice(bits.to_be_bytes().get(1..)?);
            (bits, count) = (0, 0);
        }
    }
    match (count, padding) {
        (0, 0) => {}
        (2, 2) => out.push(u8::try_from(bits >> 4 & 0xff).ok()?),
        (3, 1) => {
            out.push(u8::try_from(bits >> 10 & 0xff).ok()?);
            out.push(u8::try_from(bits >> 2 & 0xff).ok()?);
        }
        _ => return None,
    }
    Some(out)
}

/// Whether go-yaml takes the text for a timestamp: `2001-1-2`,
/// `2001-01-02 3:4:5.6`, `2001-01-02T03:04:05Z`, `…+01:00`.
fn is_timestamp(text: &str) -> bool {
    timestamp(text).is_some()
}

fn timestamp(text: &str) -> Option<()> {
    let rest = digits(text, 4, 4, 0..=9999)?.1;
    let year = digits(text, 4, 4, 0..=9999)?.0;
    let (month, rest) = digits(rest.strip_prefix('-')?, 1, 2, 1..=12)?;
    let days = match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let rest = digits(rest.strip_prefix('-')?, 1, 2, 1..=days)?.1;
    if rest.is_empty() {
        return Some(());
    }
    let zoned = !rest.starts_with(' ');
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let rest = digits(rest, 1, 2, 0..=23)?.1;
    let rest = digits(rest.strip_prefix(':')?, 1, 2, 0..=59)?.1;
    let mut rest = digits(rest.strip_prefix(':')?, 1, 2, 0..=59)?.1;
    if let Some(fraction) = rest.strip_prefix(['.', ',']) {
        rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
        if rest.len() == fraction.len() {
            return None;
        }
    }
    if !zoned {
        return rest.is_empty().then_some(());
    }
    if rest == "Z" {
        return Some(());
    }
    let rest = digits(rest.strip_prefix(['+', '-'])?, 2, 2, 0..=24)?.1;
    let rest = digits(rest.strip_prefix(':')?, 2, 2, 0..=60)?.1;
    rest.is_empty().then_some(())
}

fn digits(
    text: &str,
    min: usize,
    max: usize,
    range: std::ops::RangeInclusive<u32>,
) -> Option<(u32, &str)> {
    let len = text
        .bytes()
        .take(max)
        .take_while(u8::is_ascii_digit)
        .count();
    let (number, rest) = text.split_at_checked(len).filter(|_| len >= min)?;
    let number = number.parse().ok().filter(|n| range.contains(n))?;
    Some((number, rest))
}
