//! Places as editors count them: lines from 0, and UTF-16 units in a line;
//! and paths as they write them.

use netverdict::source::{Sources, Span};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The byte of a position; past the end of a line it is that end.
pub(super) fn offset(text: &str, position: &Value) -> Option<usize> {
    let line = usize::try_from(position.get("line")?.as_u64()?).ok()?;
    let character = position.get("character")?.as_u64()?;
    let start = match line {
        0 => 0,
        n => text.match_indices('\n').nth(n - 1)?.0 + 1,
    };
    let rest = text.get(start..)?;
    let own = rest.split('\n').next().unwrap_or_default();
    let mut units = 0;
    for (at, c) in own.char_indices() {
        if units >= character {
            return Some(start + at);
        }
        units += c.len_utf16() as u64;
    }
    Some(start + own.len())
}

/// The position of a byte.
pub(super) fn position(text: &str, offset: usize) -> Value {
    let mut end = offset.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = &text[..end];
    let line = before.matches('\n').count();
    let start = before.rfind('\n').map_or(0, |n| n + 1);
    let character: usize = before[start..].chars().map(char::len_utf16).sum();
    json!({ "line": line, "character": character })
}

/// The range of a span in its text.
pub(super) fn range(text: &str, span: Span) -> Value {
    json!({
        "start": position(text, span.start as usize),
        "end": position(text, span.end as usize),
    })
}

/// A place in a file.
pub(super) fn location(sources: &Sources, span: Span, path: &Path) -> Option<Value> {
    let text = sources.get(span.source)?.text();
    // All of an object would be selected: its first line is enough.
    let first = text.get(span.start as usize..span.end as usize)?;
    let end = span.start as usize + first.find('\n').unwrap_or(first.len());
    let span = Span::new(span.source, span.start, u32::try_from(end).ok()?);
    Some(json!({ "uri": uri(path), "range": range(text, span) }))
}

/// `file:///a/b%20c` → `/a/b c`.
pub(super) fn path(uri: &str) -> Option<PathBuf> {
    let rest = uri.strip_prefix("file://")?;
    let mut bytes = Vec::new();
    let mut chars = rest.bytes();
    while let Some(b) = chars.next() {
        if b != b'%' {
            bytes.push(b);
            continue;
        }
        let digit = |b: Option<u8>| (b? as char).to_digit(16);
        let (high, low) = (digit(chars.next())?, digit(chars.next())?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok().map(PathBuf::from)
}

/// `/a/b c` → `file:///a/b%20c`.
pub(super) fn uri(path: &Path) -> String {
    let mut uri = "file://".to_owned();
    for b in path.to_string_lossy().bytes() {
        match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => {
                uri.push(b as char);
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_utf_16_units() {
        let text = "a: é𝄞x\nb\n";
        for (byte, line, character) in [(0, 0, 0), (3, 0, 3), (5, 0, 4), (9, 0, 6), (11, 1, 0)] {
            let place = json!({ "line": line, "character": character });
            assert_eq!(position(text, byte), place, "{byte}");
            assert_eq!(offset(text, &place), Some(byte));
        }
        assert_eq!(
            offset(text, &json!({ "line": 1, "character": 99 })),
            Some(12)
        );
        assert_eq!(offset(text, &json!({ "line": 9, "character": 0 })), None);
    }

    #[test]
    fn paths_go_there_and_back() {
        let odd = Path::new("/a b/ü%/x.yaml");
        assert_eq!(uri(odd), "file:///a%20b/%C3%BC%25/x.yaml");
        assert_eq!(path(&uri(odd)).as_deref(), Some(odd));
        assert_eq!(path("untitled:1"), None);
    }
}
