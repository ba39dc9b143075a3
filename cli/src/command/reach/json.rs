//! Connections for programs, written one after the other.

use super::{By, Line, Names, Writer};
use netverdict_analysis::json::JsonConnection;
use std::io::{self, Write};

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
        let json = JsonConnection::new(line.from, line.to, &line.connection, line.partly);
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
