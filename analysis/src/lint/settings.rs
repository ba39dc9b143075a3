//! `netverdict.yaml`: what a project wants to hear.
//!
//! In: the text of the file. Out: [`Settings`], and findings about the file
//! itself. Patterns of paths are for whoever knows paths.
//!
//! ```
//! use netverdict::source::SourceId;
//! use netverdict_analysis::lint::settings::{self, IgnoredPath};
//!
//! let text = "ignore: [{path: legacy/, codes: [NV1024], reason: moved in spring}]\n";
//! let (settings, complaints) = settings::read(SourceId(0), text);
//! assert!(complaints.is_empty());
//! let ignored: &IgnoredPath = &settings.ignore[0];
//! // A code that is found in none of the files any more is told of.
//! let unused = ignored.unused(ignored.codes[0].clone());
//! assert!(unused.message.contains("legacy/"));
//! ```

use super::suppression;
use netverdict::diagnostic::Severity;
use netverdict::diagnostic::Severity::Warning;
use netverdict::diagnostic::{Code, Diagnostic};
use netverdict::object::decode::{Decode, Decoder};
use netverdict::source::{SourceId, Spanned};
use netverdict::yaml::{self, Node};
use std::collections::BTreeMap;

/// Something in `netverdict.yaml` that is neither a code nor a severity.
pub const SETTING: Code = Code::new(1103, Warning, "unknown setting");

/// What a project wants to hear.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Severities of codes other than their own; `None` switches one off.
    pub severity: BTreeMap<u16, Option<Severity>>,
    /// What is not told of some paths.
    pub ignore: Vec<IgnoredPath>,
}

/// An element of `ignore`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IgnoredPath {
    /// A pattern, relative to the folder of the file.
    pub path: Spanned<String>,
    /// What is not told there; empty for everything: such files are not read.
    pub codes: Vec<Spanned<u16>>,
    /// Why.
    pub reason: String,
}

impl IgnoredPath {
    /// The finding for a code that is found in none of the files.
    #[must_use]
    pub fn unused(&self, code: Spanned<u16>) -> Diagnostic {
        let path = &self.path.value;
        let message = format!("NV{:04} is not found in `{path}`", code.value);
        suppression::unused(code.value, code.span, message)
    }
}

#[derive(Default)]
struct Written {
    severity: Vec<(Spanned<String>, Spanned<String>)>,
    ignore: Vec<WrittenPath>,
}

struct WrittenPath {
    path: Spanned<String>,
    codes: Vec<Spanned<String>>,
    reason: String,
}

impl Decode for Written {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            severity: f.string_map("severity"),
            ignore: f.get("ignore"),
        })
    }
}

impl Decode for WrittenPath {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        decoder.fields(node, |f| Self {
            path: f.get("path"),
            codes: f.get("codes"),
            reason: f.get("reason"),
        })
    }
}

/// Reads the text of `netverdict.yaml`.
#[must_use]
pub fn read(source: SourceId, text: &str) -> (Settings, Vec<Diagnostic>) {
    let mut settings = Settings::default();
    let mut found = Vec::new();
    for document in yaml::read(source, text, &yaml::Limits::default()) {
        found.extend(document.warnings);
        let node = match document.result {
            Ok(node) if node.is_null() => continue,
            Ok(node) => node,
            Err(error) => {
                found.push(error);
                continue;
            }
        };
        let mut decoder = Decoder::new("netverdict.yaml");
        let written: Written = decoder.decode(&node);
        for (key, value) in written.severity {
            let severity = match value.as_str() {
                "error" => Some(Some(Severity::Error)),
                "warning" => Some(Some(Severity::Warning)),
                "info" => Some(Some(Severity::Info)),
                "off" => Some(None),
                _ => None,
            };
            match (number(&key), severity) {
                (Some(code), Some(severity)) => {
                    settings.severity.insert(code, severity);
                }
                (None, _) => decoder.report(no_code(&key)),
                (_, None) => decoder.report(no_severity(&value)),
            }
        }
        for path in written.ignore {
            let mut codes = Vec::new();
            for code in &path.codes {
                match number(code) {
                    Some(n) => codes.push(code.clone().map(|_| n)),
                    None => decoder.report(no_code(code)),
                }
            }
            // Codes that are none do not make it everything.
            if codes.is_empty() == path.codes.is_empty() && !path.path.is_empty() {
                settings.ignore.push(IgnoredPath {
                    path: path.path,
                    codes,
                    reason: path.reason,
                });
            }
        }
        found.extend(decoder.finish());
    }
    (settings, found)
}

fn number(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("NV")?;
    let four = digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit());
    four.then(|| digits.parse().ok())?
}

fn no_code(text: &Spanned<String>) -> Diagnostic {
    let message = format!("`{}` is no code", text.value);
    Diagnostic::new(SETTING, text.span, message).help("codes look like `NV1001`")
}

fn no_severity(text: &Spanned<String>) -> Diagnostic {
    let message = format!("`{}` is no severity", text.value);
    Diagnostic::new(SETTING, text.span, message).help("it is `error`, `warning`, `info` or `off`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read() {
        let (settings, found) = read(
            SourceId(0),
            "severity: {NV1012: warning, NV1029: 'off'}\nignore:\n- path: vendor/**\n- {path: '*.yaml', codes: [NV1001], reason: old}\n",
        );
        assert!(found.is_empty(), "{found:?}");
        let severity: Vec<_> = settings.severity.into_iter().collect();
        assert_eq!(severity, [(1012, Some(Warning)), (1029, None)]);
        let ignore: Vec<(&str, Vec<u16>)> = settings
            .ignore
            .iter()
            .map(|i| (i.path.as_str(), i.codes.iter().map(|c| c.value).collect()))
            .collect();
        assert_eq!(ignore, [("vendor/**", vec![]), ("*.yaml", vec![1001])]);
    }

    #[test]
    fn what_is_wrong_in_settings_is_told() {
        for (text, code) in [
            ("severity: {1012: warning}", 1103),
            ("severity: {NV1012: loud}", 1103),
            ("ignore: [{path: a, codes: [all]}]", 1103),
            ("severities: {}", 202),
            ("severity: [", 101),
        ] {
            let (settings, found) = read(SourceId(0), text);
            let codes: Vec<u16> = found.iter().map(|d| d.code.number()).collect();
            assert_eq!(codes, [code], "{text}");
            assert_eq!(settings, Settings::default(), "{text}");
        }
    }
}
