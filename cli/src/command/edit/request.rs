//! What a browser asks.
//!
//! In: the bytes of one HTTP/1.1 request. Out: its parts, with the path decoded.

use super::answer::Refusal;
use std::io::{BufRead, BufReader, ErrorKind, Read};

/// Bytes of the request's head, and of what it brings.
const HEAD: u64 = 16 << 10;
const BODY: u64 = 16 << 20;

/// A request.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Decoded, without what follows a question mark.
    pub(crate) path: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// A header, its name in small letters.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Reads one; `None` when nothing came.
pub(crate) fn read(stream: impl Read) -> Result<Option<Request>, Refusal> {
    let mut input = BufReader::new(stream);
    let mut head = (&mut input).take(HEAD);
    let Some(first) = line(&mut head)? else {
        return Ok(None);
    };
    let mut words = first.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Refusal::new(400, "no request"));
    };
    if !version.starts_with("HTTP/1.") {
        return Err(Refusal::new(505, "HTTP/1.1 is spoken here"));
    }
    let (method, path) = (method.to_owned(), decode(target)?);
    let mut headers = Vec::new();
    loop {
        let Some(line) = line(&mut head)? else {
            return Err(Refusal::new(431, "the head is cut off"));
        };
        if line.is_empty() {
            break;
        }
        let Some((name, value)) = line.split_once(':') else {
            return Err(Refusal::new(400, "no header"));
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request {
        method,
        path,
        headers,
        body: Vec::new(),
    };
    if request.header("transfer-encoding").is_some() {
        return Err(Refusal::new(411, "say how long it is"));
    }
    if let Some(length) = request.header("content-length") {
        let length: u64 = length.parse().map_err(|_| Refusal::new(400, "no length"))?;
        if length > BODY {
            return Err(Refusal::new(413, "a file may have 16 MiB"));
        }
        let read = input.take(length).read_to_end(&mut request.body);
        if read.map_or(true, |n| n as u64 != length) {
            return Err(Refusal::new(400, "the body is cut off"));
        }
    }
    Ok(Some(request))
}

fn line(input: &mut impl BufRead) -> Result<Option<String>, Refusal> {
    let mut bytes = Vec::new();
    match input.read_until(b'\n', &mut bytes) {
        Ok(0) => return Ok(None),
        Ok(_) => {}
        Err(e) if e.kind() == ErrorKind::WouldBlock || e.kind() == ErrorKind::TimedOut => {
            return Err(Refusal::new(408, "too slow"));
        }
        Err(_) => return Ok(None),
    }
    if bytes.pop() != Some(b'\n') {
        return Err(Refusal::new(431, "the head is too long"));
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    String::from_utf8(bytes)
        .map(Some)
        .map_err(|_| Refusal::new(400, "no text"))
}

/// The path of a target: `/a%20b?c` is `/a b`.
fn decode(target: &str) -> Result<String, Refusal> {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err(Refusal::new(400, "no path"));
        };
        bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
    }
    String::from_utf8(bytes).map_err(|_| Refusal::new(400, "no path"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(text: &str) -> Result<Option<Request>, u16> {
        read(text.as_bytes()).map_err(|refusal| refusal.status)
    }

    #[test]
    fn a_request_has_a_path_headers_and_a_body() {
        let text = "PUT /t/a%20%c3%a9?x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi!";
        let request = ask(text).unwrap().unwrap();
        assert_eq!(request.method, "PUT");
        assert_eq!(request.path, "/t/a é");
        assert_eq!(request.header("host"), Some("h"));
        assert_eq!(request.body, b"hi");
    }

    #[test]
    fn what_is_no_request_is_refused() {
        assert!(ask("").unwrap().is_none());
        let cases = [
            ("GET /\r\n\r\n", 400),
            ("GET / HTTP/2\r\n\r\n", 505),
            ("GET /%f HTTP/1.1\r\n\r\n", 400),
            ("GET /%ff HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nnothing\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\n", 431),
            ("GET / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhi", 400),
            ("GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413),
            ("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        ];
        for (text, status) in cases {
            assert_eq!(ask(text).unwrap_err(), status, "{text}");
        }
        let long = format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "b".repeat(20_000));
        assert_eq!(ask(&long).unwrap_err(), 431);
    }
}
