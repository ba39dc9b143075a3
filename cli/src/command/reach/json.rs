//! Connections for programs, written one after the other.

use super::{By, Line, Names, Writer};
use netverdict_analysis::connection::{Allowed, Connection, SideState};
use netverdict_analysis::ports::protocol_name;
use serde::Serialize;
use std::io::{self, Write};

/// A pair of peers.
#[derive(Serialize)]
struct JsonLine<'a> {
    from: &'a str,
    to: &'a str,
    allowed: Vec<JsonPorts>,
    /// What the input leaves open; left out when that is nothing.
    #[serde(skip_serializing_if = "String::is_empty")]
    unknown: String,
    egress: &'static str,
    ingress: &'static str,
    /// True when not all pods of the groups may say it; else left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    some: bool,
}

/// Ports of a protocol that are open on like terms.
#[derive(Debug, Serialize)]
pub(crate) struct JsonPorts {
    protocol: String,
    ports: Vec<[u16; 2]>,
    l7: Option<&'static str>,
    auth: bool,
    /// What proxies let through; left out when they restrict nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    requests: Vec<String>,
}

impl JsonPorts {
    pub(crate) fn new(allowed: &Allowed) -> Self {
        let protocol = allowed.protocol;
        Self {
            protocol: protocol.map_or_else(|| "other".to_owned(), |p| protocol_name(Some(p))),
            ports: allowed.ports.iter().map(|(a, b)| [*a, *b]).collect(),
            l7: allowed.terms.layer7(),
            auth: allowed.terms.authenticated(),
            requests: allowed.terms.requests(),
        }
    }

    /// What is open in a connection.
    pub(crate) fn all(connection: &Connection) -> Vec<Self> {
        connection.allowed().iter().map(Self::new).collect()
    }
}

pub(crate) struct Json {
    by: By,
    first: bool,
}

impl Json {
    pub(crate) const fn new(by: By) -> Self {
        Self { by, first: true }
    }
}

impl Writer for Json {
    fn begin(&mut self, out: &mut dyn Write, names: &Names) -> io::Result<()> {
        let key = match self.by {
            By::Namespace => "namespaces",
            By::Pod | By::Workload => "workloads",
        };
        write!(out, "{{\n  \"{key}\": ")?;
        serde_json::to_writer(&mut *out, &names.workloads)?;
        write!(out, ",\n  \"peers\": ")?;
        serde_json::to_writer(&mut *out, &names.others)?;
        write!(out, ",\n  \"connections\": [")
    }

    fn line(&mut self, out: &mut dyn Write, line: &Line<'_>) -> io::Result<()> {
        let connection = &line.connection;
        let unknown = connection.unknown();
        let state = |s: SideState| s.as_str();
        let json = JsonLine {
            from: line.from,
            to: line.to,
            allowed: JsonPorts::all(connection),
            unknown: match unknown.is_empty() {
                true => String::new(),
                false => unknown.to_string(),
            },
            egress: state(connection.egress_state()),
            ingress: state(connection.ingress_state()),
            some: line.partly,
        };
        let between = if self.first { "\n    " } else { ",\n    " };
        self.first = false;
        out.write_all(between.as_bytes())?;
        serde_json::to_writer(&mut *out, &json)?;
        Ok(())
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let before = if self.first { "" } else { "\n  " };
        writeln!(out, "{before}]\n}}")
    }
}
