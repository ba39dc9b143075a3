//! Connections as graphs: for Mermaid and for Graphviz. Workloads stand within
//! their namespace.

use super::table::said;
use super::{Line, Names, Writer};
use crate::style::clean;
use std::collections::BTreeMap;
use std::io::{self, Write};

pub(crate) struct Graph {
    dot: bool,
    numbers: BTreeMap<String, usize>,
}

impl Graph {
    pub(crate) const fn mermaid() -> Self {
        Self {
            dot: false,
            numbers: BTreeMap::new(),
        }
    }

    pub(crate) const fn dot() -> Self {
        Self {
            dot: true,
            numbers: BTreeMap::new(),
        }
    }

    fn text(&self, text: &str) -> String {
        let text = clean(text);
        if self.dot {
            text.replace('\\', "\\\\").replace('"', "\\\"")
        } else {
            text.replace('&', "#amp;")
                .replace('"', "#quot;")
                .replace('<', "#lt;")
                .replace('>', "#gt;")
        }
    }

    fn node(&self, out: &mut dyn Write, indent: &str, name: &str, shown: &str) -> io::Result<()> {
        let number = self.numbers.get(name).copied().unwrap_or(0);
        let shown = self.text(shown);
        if self.dot {
            writeln!(out, "{indent}n{number} [label=\"{shown}\"];")
        } else {
            writeln!(out, "{indent}n{number}[\"{shown}\"]")
        }
    }
}

impl Writer for Graph {
    fn begin(&mut self, out: &mut dyn Write, names: &Names) -> io::Result<()> {
        let all: std::collections::BTreeSet<&String> = names.from.iter().chain(&names.to).collect();
        for name in &all {
            self.numbers.insert((*name).clone(), self.numbers.len());
        }
        if self.dot {
            writeln!(out, "digraph reach {{\n  rankdir=LR;\n  node [shape=box];")?;
        } else {
            writeln!(out, "flowchart LR")?;
        }
        let mut by_namespace: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
        let mut others = Vec::new();
        for name in all {
            match name.split_once('/') {
                Some((namespace, rest)) if names.workloads.contains(name) => {
                    let inside = by_namespace.entry(namespace).or_default();
                    inside.push((name, rest));
                }
                _ => others.push(name.as_str()),
            }
        }
        for (n, (namespace, inside)) in by_namespace.into_iter().enumerate() {
            let title = self.text(namespace);
            if self.dot {
                writeln!(out, "  subgraph cluster_{n} {{\n    label=\"{title}\";")?;
            } else {
                writeln!(out, "  subgraph s{n}[\"{title}\"]")?;
            }
            for (name, rest) in inside {
                self.node(out, "    ", name, rest)?;
            }
            writeln!(out, "{}", if self.dot { "  }" } else { "  end" })?;
        }
        for name in others {
            self.node(out, "  ", name, name)?;
        }
        Ok(())
    }

    fn line(&mut self, out: &mut dyn Write, line: &Line<'_>) -> io::Result<()> {
        let number = |name: &str| self.numbers.get(name).copied().unwrap_or(0);
        let (from, to) = (number(line.from), number(line.to));
        let said = self.text(&said(&line.connection, line.partly));
        if self.dot {
            writeln!(out, "  n{from} -> n{to} [label=\"{said}\"];")
        } else {
            writeln!(out, "  n{from} -->|\"{said}\"| n{to}")
        }
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.dot {
            writeln!(out, "}}")?;
        }
        Ok(())
    }
}
