//! Layer-7 parts of rules, as they take part in merging.

use crate::source::Span;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// HTTP or DNS rules of a port. Validation sees to it that only one of the
/// two lists is filled.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct L7Rules {
    /// A request must match one of these.
    pub http: Vec<Arc<HttpRule>>,
    /// A query must match one of these: (`matchName`, `matchPattern`).
    pub dns: Vec<(Arc<str>, Arc<str>)>,
}

impl L7Rules {
    /// True without any rule.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.http.is_empty() && self.dns.is_empty()
    }
}

/// An HTTP rule; empty texts do not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HttpRule {
    /// Regular expression for the whole path with its query string.
    pub path: String,
    /// Regular expression for the whole method.
    pub method: String,
    /// Regular expression for the whole host.
    pub host: String,
    /// Headers, as written.
    pub headers: Vec<String>,
    /// Headers with mismatch actions.
    pub header_matches: Vec<HeaderMatch>,
    /// Where it is written.
    pub place: Place,
}

/// Where a part of a rule is written. It makes no difference between parts:
/// equal ones merge, and keep the first place.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place(pub Span);

impl PartialEq for Place {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Place {}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Place {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}

impl Hash for Place {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl HttpRule {
    /// True when it matches every request.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for HttpRule {
    /// `GET /docs on api.example.com with X-Token: 1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or = |text: &'_ str, word: &'static str| match text {
            "" => word.to_owned(),
            text => text.to_owned(),
        };
        write!(
            f,
            "{} {}",
            or(&self.method, "any method"),
            or(&self.path, "any path")
        )?;
        if !self.host.is_empty() {
            write!(f, " on {}", self.host)?;
        }
        for header in &self.headers {
            write!(f, " with {header}")?;
        }
        for wanted in &self.header_matches {
            write!(f, " with {}", wanted.name)?;
            match (&wanted.secret, wanted.value.as_str()) {
                (Some((namespace, name)), _) => write!(f, " of secret {namespace}/{name}")?,
                (None, "") => {}
                (None, value) => write!(f, ": {value}")?,
            }
            f.write_str(match wanted.mismatch {
                Mismatch::Fail => "",
                Mismatch::Log => ", else logged",
                Mismatch::Add => ", else added",
                Mismatch::Delete => ", else removed",
                Mismatch::Replace => ", else replaced",
            })?;
        }
        Ok(())
    }
}

/// A header match of an HTTP rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeaderMatch {
    /// What to do when the header does not match.
    pub mismatch: Mismatch,
    /// Header name.
    pub name: String,
    /// Secret that holds the value: namespace and name.
    pub secret: Option<(String, String)>,
    /// The value.
    pub value: String,
}

/// Action of a header match that fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mismatch {
    /// The rule does not match.
    #[default]
    Fail,
    /// Go on, logged.
    Log,
    /// Add the header.
    Add,
    /// Remove the header.
    Delete,
    /// Set the header.
    Replace,
}

impl Mismatch {
    /// Reads an action; what is none fails, as in Cilium.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            "LOG" => Self::Log,
            "ADD" => Self::Add,
            "DELETE" => Self::Delete,
            "REPLACE" => Self::Replace,
            _ => Self::Fail,
        }
    }
}

/// A TLS context of a port: which secret, and which of its items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsContext {
    /// Secret namespace and name.
    pub secret: (String, String),
    /// Item names: trusted CA, certificate, private key.
    pub items: [String; 3],
}

/// A custom Envoy listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Kind of the Envoy configuration.
    pub kind: ListenerKind,
    /// Name of the Envoy configuration.
    pub config: String,
    /// Name of the listener.
    pub name: String,
    /// Priority; 0 for the default.
    pub priority: u8,
}

/// Where the Envoy configuration of a listener lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerKind {
    /// `CiliumEnvoyConfig`: in the subject's namespace, which must exist.
    Namespaced,
    /// No kind given: in the subject's namespace, if it has one.
    Unspecified,
    /// `CiliumClusterwideEnvoyConfig`.
    Clusterwide,
}
