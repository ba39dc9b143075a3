//! Bytes → text, in the encodings that YAML has.
//!
//! In: the bytes of a file. Out: its text, or the place of the first byte
//! that is none. Byte order marks decide as in go.yaml.in/yaml/v2 2.4.4
//! `readerc.go`: UTF-16 in either order with a mark, else UTF-8.

use super::codes;
use crate::diagnostic::Diagnostic;
use crate::source::SourceId;
use std::borrow::Cow;

/// The text that `bytes` encode.
///
/// UTF-8 is borrowed, its byte order mark included, so that spans count the
/// file's own bytes. Of UTF-16 the mark is dropped; spans then count the bytes
/// of the text. (kubectl cuts lines before it looks at the encoding and so
/// refuses most UTF-16 files that sigs.k8s.io/yaml itself reads.)
///
/// ```
/// use netverdict::{source::SourceId, yaml::decode_utf8};
///
/// assert_eq!(decode_utf8(SourceId(0), b"kind: Pod").expect("text"), "kind: Pod");
/// let refused = decode_utf8(SourceId(0), b"kind: \xff").unwrap_err();
/// assert_eq!(refused.span.start, 6);
/// ```
///
/// # Errors
///
/// A [`CHARACTER`](super::CHARACTER) diagnostic at the first byte that is not
/// text, its place counted in `bytes`. The source to register under `source`
/// is then best [`String::from_utf8_lossy`], which of UTF-8 keeps everything
/// before it in place.
pub fn decode_utf8(source: SourceId, bytes: &[u8]) -> Result<Cow<'_, str>, Box<Diagnostic>> {
    match bytes {
        [0xFF, 0xFE, rest @ ..] => decode_utf16(source, rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => decode_utf16(source, rest, u16::from_be_bytes),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Cow::Borrowed(text)),
            Err(e) => {
                let at = e.valid_up_to();
                let byte = bytes.get(at).copied().unwrap_or(0);
                let message = format!("byte 0x{byte:02x} is not UTF-8");
                Err(refuse(source, at, message))
            }
        },
    }
}

fn decode_utf16(
    source: SourceId,
    bytes: &[u8],
    unit: fn([u8; 2]) -> u16,
) -> Result<Cow<'_, str>, Box<Diagnostic>> {
    let (pairs, rest) = bytes.as_chunks();
    let mut text = String::with_capacity(bytes.len());
    // After the mark.
    let mut at = 2;
    for c in char::decode_utf16(pairs.iter().map(|&pair| unit(pair))) {
        match c {
            Ok(c) => {
                text.push(c);
                at += 2 * c.len_utf16();
            }
            Err(e) => {
                let message = format!("0x{:04x} is not UTF-16", e.unpaired_surrogate());
                return Err(refuse(source, at, message));
            }
        }
    }
    if !rest.is_empty() {
        return Err(refuse(source, at, "half a character at the end".to_owned()));
    }
    Ok(Cow::Owned(text))
}

fn refuse(source: SourceId, at: usize, message: String) -> Box<Diagnostic> {
    let span = super::span(source, at, at + 1);
    let diagnostic = Diagnostic::new(codes::CHARACTER, span, message);
    Box::new(diagnostic.help("save the file as UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_decide() {
        let text = |bytes: &[u8]| decode_utf8(SourceId(0), bytes).unwrap().into_owned();
        assert_eq!(text(b"a: \xC3\xA9"), "a: \u{e9}");
        assert_eq!(text(b"\xEF\xBB\xBFa"), "\u{feff}a");
        assert_eq!(text(b"\xFF\xFEa\0\x3D\xD8\0\xDE"), "a\u{1F600}");
        assert_eq!(text(b"\xFE\xFF\0a\xD8\x3D\xDE\0"), "a\u{1F600}");
        assert_eq!(text(b""), "");
    }

    #[test]
    fn the_first_bad_byte_is_told() {
        let at = |bytes: &[u8]| decode_utf8(SourceId(0), bytes).unwrap_err().span.start;
        assert_eq!(at(b"ab\xFFc"), 2);
        assert_eq!(at(b"ab\xC3"), 2);
        assert_eq!(at(b"\xFF\xFEa\0\x3D\xD8"), 4);
        assert_eq!(at(b"\xFF\xFEa\0b"), 4);
        assert_eq!(at(b"\xFE\xFF\x20\xAC\xD8\x3D\xDE\0\xDE\0"), 8);
    }
}
