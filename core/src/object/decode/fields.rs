//! The fields of a mapping, and what is written there beside them.
//!
//! In: a mapping. Out: the values of the fields a type asks for, and a
//! diagnostic for each field that it did not ask for.

use super::{Decode, Decoder, FIELD_CASE, UNKNOWN_FIELD};
use crate::diagnostic::{Diagnostic, suggest};
use crate::source::{Span, Spanned};
use crate::yaml::{Entry, Node};
use smallvec::SmallVec;

/// Hardly any type has more fields.
const MOST: usize = 16;

/// The fields of a mapping being decoded.
#[derive(Debug)]
pub struct Fields<'n, 'd> {
    node: &'n Node,
    decoder: &'d mut Decoder,
    known: SmallVec<[&'static str; MOST]>,
    foreign: Vec<(&'static [&'static str], &'static str)>,
    partial: bool,
}

impl<'n, 'd> Fields<'n, 'd> {
    pub(super) fn new(node: &'n Node, decoder: &'d mut Decoder) -> Self {
        Self {
            node,
            decoder,
            known: SmallVec::new(),
            foreign: Vec::new(),
            partial: false,
        }
    }

    /// Where the mapping stands.
    #[must_use]
    pub fn span(&self) -> Span {
        self.node.span
    }

    /// The mapping's path.
    #[must_use]
    pub fn path(&self) -> &str {
        self.decoder.path()
    }

    /// The decoder, to report to.
    pub fn decoder(&mut self) -> &mut Decoder {
        self.decoder
    }

    /// Decodes a field; the zero value when it is absent.
    pub fn get<T: Decode + Default>(&mut self, name: &'static str) -> T {
        self.with(name, T::decode).unwrap_or_default()
    }

    /// Decodes a field whose type decodes itself, so that `null` makes it
    /// present; `None` only when the key is absent.
    pub fn present<T: Decode>(&mut self, name: &'static str) -> Option<T> {
        self.with(name, T::decode)
    }

    /// A mapping of strings; empty when absent.
    pub fn string_map(&mut self, name: &'static str) -> Vec<(Spanned<String>, Spanned<String>)> {
        self.with(name, |node, decoder| decoder.string_map(node))
            .unwrap_or_default()
    }

    /// Text that nothing depends on; see [`Decoder::free_text`].
    pub fn free_text(&mut self, name: &'static str) -> Option<Spanned<String>> {
        self.with(name, |node, decoder| decoder.free_text(node))
    }

    /// A time; empty when absent.
    pub fn time(&mut self, name: &'static str) -> String {
        self.with(name, |node, decoder| decoder.time(node))
            .unwrap_or_default()
    }

    /// The undecoded entry of a field, which counts as known.
    pub fn entry(&mut self, name: &'static str) -> Option<&'n Entry> {
        self.known.push(name);
        self.node
            .entries()
            .iter()
            .filter(|e| self.matches(e, name))
            .max_by(|a, b| a.key.cmp(&b.key))
    }

    /// Fields that the type has and that are not looked into.
    pub fn ignore(&mut self, names: &[&'static str]) {
        self.known.extend_from_slice(names);
    }

    /// Fields that people write here although the type does not have them,
    /// with what to tell them.
    pub fn foreign(&mut self, names: &'static [&'static str], help: &'static str) {
        self.foreign.push((names, help));
    }

    /// Takes the fields that nobody asks for as known: only a part of the type
    /// is read.
    pub fn partial(&mut self) {
        self.partial = true;
    }

    /// Decodes a field by hand, inside its path; `None` when it is absent.
    pub fn with<T>(
        &mut self,
        name: &'static str,
        mut decode: impl FnMut(&Node, &mut Decoder) -> T,
    ) -> Option<T> {
        let mut value = None;
        self.each(name, &mut |node, decoder| {
            value = Some(decode(node, decoder));
        });
        value
    }

    /// Every entry of a field, the one that counts last. One function for all
    /// types: there are very many.
    fn each(&mut self, name: &'static str, decode: &mut dyn FnMut(&Node, &mut Decoder)) {
        self.known.push(name);
        let node = self.node;
        let mut matching = node.entries().iter().filter(|e| self.matches(e, name));
        let Some(first) = matching.next() else {
            return;
        };
        if matching.next().is_none() {
            return self.value(first, name, decode);
        }
        let all = node.entries().iter();
        let mut entries: Vec<&Entry> = all.filter(|e| self.matches(e, name)).collect();
        // JSON made from YAML has its keys sorted, and the last one wins.
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        for entry in entries {
            self.value(entry, name, decode);
        }
    }

    fn value(
        &mut self,
        entry: &Entry,
        name: &'static str,
        decode: &mut dyn FnMut(&Node, &mut Decoder),
    ) {
        if entry.key != name {
            let message = format!("field `{}` is spelled `{name}`", entry.key);
            let d = Diagnostic::new(FIELD_CASE, entry.key_span, message)
                .help("Cilium takes it, but the API server drops it")
                .fix("correct the name", entry.key_span, name, true);
            self.decoder
                .in_field(&entry.key, |decoder| decoder.report(d));
        }
        self.decoder
            .in_field(name, |decoder| decode(&entry.node, decoder));
    }

    fn matches(&self, entry: &Entry, name: &str) -> bool {
        entry.key == name || self.decoder.any_case && same_letters(&entry.key, name)
    }

    pub(super) fn report_unknown(self) {
        if self.partial {
            return;
        }
        // Most mappings have no other fields.
        let known = |entry: &Entry| self.known.iter().any(|name| self.matches(entry, name));
        let entries = self.node.entries().iter();
        let unknown: Vec<&Entry> = entries.filter(|entry| !known(entry)).collect();
        if unknown.is_empty() {
            return;
        }
        let known = self.known.iter().copied();
        let free: Vec<&str> = known.filter(|n| self.node.get(n).is_none()).collect();
        for entry in unknown {
            let mut d = Diagnostic::new(
                UNKNOWN_FIELD,
                entry.key_span,
                format!("unknown field `{}`", entry.key),
            );
            let foreign = self
                .foreign
                .iter()
                .find(|(names, _)| names.iter().any(|name| same_letters(name, &entry.key)));
            if let Some((_, help)) = foreign {
                let d = d.help(format!("it has no effect: {help}"));
                self.decoder
                    .in_field(&entry.key, |decoder| decoder.report(d));
                continue;
            }
            let close = free.iter().find(|n| same_letters(n, &entry.key));
            let close = close
                .copied()
                .or_else(|| suggest(&entry.key, free.iter().copied()));
            d = match close {
                Some(name) => d
                    .help(format!(
                        "did you mean `{name}`? as it stands the field has no effect"
                    ))
                    .fix(
                        format!("rename it to `{name}`"),
                        entry.key_span,
                        name,
                        same_letters(name, &entry.key),
                    ),
                None if self.known.is_empty() => d.help("nothing is expected here"),
                None => d.help(format!(
                    "it has no effect; known here: {}",
                    self.known.join(", ")
                )),
            };
            self.decoder
                .in_field(&entry.key, |decoder| decoder.report(d));
        }
    }
}

/// Equal but for case, as encoding/json compares names.
fn same_letters(a: &str, b: &str) -> bool {
    let fold = |s: &str| -> String {
        s.chars()
            .flat_map(char::to_uppercase)
            .flat_map(char::to_lowercase)
            .collect()
    };
    a.eq_ignore_ascii_case(b) || !a.is_ascii() && fold(a) == fold(b)
}
