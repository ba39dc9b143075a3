//! JSON-RPC messages, each after a header that says its length.

use serde_json::Value;
use std::io::{self, BufRead, Read, Write};

/// No editor sends more at once.
const MAX_MESSAGE: usize = 256 << 20;

/// The next message; `None` at the end of the input.
///
/// # Errors
/// When the input is no such stream.
pub(super) fn read(from: &mut dyn BufRead) -> io::Result<Option<Value>> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what);
    let mut length = None;
    loop {
        let mut line = String::new();
        if from.take(4096).read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("Content-Length")
        {
            length = value.trim().parse::<usize>().ok();
        }
    }
    let length = length.ok_or_else(|| wrong("a message without a length"))?;
    if length > MAX_MESSAGE {
        return Err(wrong("a message that is too long"));
    }
    let mut bytes = Vec::new();
    from.take(length as u64).read_to_end(&mut bytes)?;
    if bytes.len() < length {
        return Ok(None);
    }
    let message = serde_json::from_slice(&bytes);
    message
        .map(Some)
        .map_err(|_| wrong("a message that is no JSON"))
}

/// Sends a message.
///
/// # Errors
/// When nobody reads.
pub(super) fn write(out: &mut dyn Write, message: &Value) -> io::Result<()> {
    let text = message.to_string();
    write!(out, "Content-Length: {}\r\n\r\n{text}", text.len())?;
    out.flush()
}
