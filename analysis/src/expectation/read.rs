//! YAML → expectations.

use super::{Expectation, Expectations, Kind};
use netverdict::diagnostic::suggest;
use netverdict::source::{SourceId, Span, Spanned};
use netverdict::yaml::{self, Limits, Node, Number, Value};
use std::net::IpAddr;

/// Something wrong with a file of expectations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub span: Span,
    /// What.
    pub message: String,
}

const KEYS: [&str; 12] = [
    "name", "from", "to", "port", "ports", "icmp", "icmpv6", "http", "headers", "dns", "sni",
    "comment",
];

/// Reads a file; of several documents all count.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read(source: SourceId, text: &str) -> Result<Expectations, Vec<Problem>> {
    let mut reader = Reader::default();
    for document in yaml::read(source, text, &Limits::default()) {
        match document.result {
            Ok(node) => {
                for d in document.warnings {
                    reader.wrong(d.span, d.message);
                }
                reader.file(&node);
            }
            Err(d) => reader.wrong(d.span, d.message),
        }
    }
    if reader.problems.is_empty() {
        reader.read.items.sort_by_key(|e| (e.kind, e.span));
        Ok(reader.read)
    } else {
        Err(reader.problems)
    }
}

#[derive(Default)]
struct Reader {
    read: Expectations,
    problems: Vec<Problem>,
}

impl Reader {
    fn wrong(&mut self, span: Span, message: impl Into<String>) {
        self.problems.push(Problem {
            span,
            message: message.into(),
        });
    }

    fn unknown<'k>(&mut self, span: Span, key: &str, known: impl IntoIterator<Item = &'k str>) {
        let message = match suggest(key, known) {
            Some(meant) => format!("unknown key `{key}`; did you mean `{meant}`?"),
            None => format!("unknown key `{key}`"),
        };
        self.wrong(span, message);
    }

    fn file(&mut self, node: &Node) {
        if node.is_null() {
            return;
        }
        let Value::Map(entries) = &node.value else {
            let message = format!("expected a mapping, found {}", node.type_name());
            return self.wrong(node.span, message);
        };
        for entry in entries {
            if entry.key == "names" {
                self.names(&entry.node);
                continue;
            }
            let Some(kind) = Kind::ALL.into_iter().find(|k| k.as_str() == entry.key) else {
                let known = Kind::ALL.iter().map(|k| k.as_str()).chain(["names"]);
                self.unknown(entry.key_span, &entry.key, known);
                continue;
            };
            match &entry.node.value {
                Value::List(items) => {
                    for item in items {
                        self.item(kind, item);
                    }
                }
                Value::Null => {}
                _ => {
                    let found = entry.node.type_name();
                    let message = format!("`{}` is a list, found {found}", entry.key);
                    self.wrong(entry.node.span, message);
                }
            }
        }
    }

    fn names(&mut self, node: &Node) {
        for entry in node.entries() {
            for text in self.texts(&entry.node) {
                match text.value.parse::<IpAddr>() {
                    Ok(ip) => {
                        let name = entry.key.trim_end_matches('.').to_lowercase();
                        self.read.names.entry(name).or_default().push(ip);
                    }
                    Err(_) => self.wrong(text.span, format!("`{}` is no address", text.value)),
                }
            }
        }
    }

    fn item(&mut self, kind: Kind, node: &Node) {
        let Value::Map(entries) = &node.value else {
            let message = format!("expected a mapping, found {}", node.type_name());
            return self.wrong(node.span, message);
        };
        for entry in entries {
            if !KEYS.contains(&entry.key.as_str()) {
                self.unknown(entry.key_span, &entry.key, KEYS);
            }
        }
        let texts = |reader: &mut Self, key| {
            let node = node.get(key);
            node.map(|n| reader.texts(n)).unwrap_or_default()
        };
        let text = |reader: &mut Self, key| {
            let mut all: Vec<Spanned<String>> = texts(reader, key);
            (!all.is_empty()).then(|| all.swap_remove(0))
        };
        let mut ports = texts(self, "ports");
        ports.extend(texts(self, "port"));
        let read = Expectation {
            kind,
            name: text(self, "name").map(|n| n.value).unwrap_or_default(),
            from: texts(self, "from"),
            to: texts(self, "to"),
            ports,
            icmp: texts(self, "icmp"),
            icmpv6: texts(self, "icmpv6"),
            http: text(self, "http"),
            headers: texts(self, "headers"),
            dns: text(self, "dns"),
            sni: text(self, "sni"),
            span: node.span,
        };
        if read.to.is_empty() {
            self.wrong(node.span, "`to` is missing: who receives?");
        }
        if read.from.is_empty() && kind != Kind::Only {
            self.wrong(node.span, "`from` is missing: who sends?");
        }
        let sent = [&read.http, &read.dns, &read.sni];
        if let Some(sent) = sent.into_iter().flatten().next() {
            if kind == Kind::Only {
                let message = "`only` is about connections, not about what is sent on them";
                self.wrong(sent.span, message);
            } else if read.ports.is_empty() {
                self.wrong(sent.span, "on which port is it sent? `port` is missing");
            }
        }
        self.read.items.push(read);
    }

    /// One text or a list of them; numbers are texts, too.
    fn texts(&mut self, node: &Node) -> Vec<Spanned<String>> {
        let nodes: &[Node] = match &node.value {
            Value::List(items) => items,
            Value::Null => &[],
            _ => std::slice::from_ref(node),
        };
        let mut texts = Vec::new();
        for node in nodes {
            match &node.value {
                Value::String(text) => texts.push(Spanned::new(text.trim().to_owned(), node.span)),
                Value::Number(Number::Int(n)) => {
                    texts.push(Spanned::new(n.to_string(), node.span));
                }
                _ => {
                    let message = format!("expected text, found {}", node.type_name());
                    self.wrong(node.span, message);
                }
            }
        }
        texts
    }
}
