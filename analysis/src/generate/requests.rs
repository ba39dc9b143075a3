//! What proxies are to let through.
//!
//! In: the lines by which connections name requests (`GET /docs`, `queries for
//! *.example.com`). Out: [`Requests`], and the YAML that says the same.

use std::collections::BTreeSet;
use std::fmt::Write;

/// What of a connection a proxy is to let through.
///
/// ```
/// use netverdict_analysis::generate::Requests;
///
/// let lines = ["GET /docs".to_owned()];
/// let docs = Requests::read(Some("http"), &lines)?;
/// assert!(docs.lines().contains("GET /docs"));
/// assert_eq!(Requests::read(None, &[])?, Requests::Every);
/// assert!(Requests::read(Some("kafka"), &[]).is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Requests {
    /// Everything, without a proxy.
    #[default]
    Every,
    /// HTTP requests; none of them for all.
    Http(BTreeSet<Http>),
    /// Queries for these names and patterns.
    Dns(BTreeSet<String>),
    /// TLS connections for these server names.
    Tls(BTreeSet<String>),
}

/// A kind of HTTP request; empty texts do not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Http {
    method: String,
    path: String,
    host: String,
}

impl Requests {
    /// Reads what a connection says: the kind of proxy, and a line for each
    /// kind of request.
    ///
    /// # Errors
    /// What no rule written here can say.
    pub fn read(proxy: Option<&str>, lines: &[String]) -> Result<Self, String> {
        let named = |prefix: &str| -> Result<BTreeSet<String>, String> {
            let name = |line: &String| {
                let name = line.strip_prefix(prefix).map(str::to_owned);
                name.ok_or_else(|| format!("`{line}` is not understood"))
            };
            lines.iter().map(name).collect()
        };
        match proxy {
            None | Some("") => Ok(Self::Every),
            Some("http") => {
                let all: Result<BTreeSet<Http>, String> = lines.iter().map(Http::read).collect();
                Ok(Self::Http(all?))
            }
            Some("dns") if lines.is_empty() => Ok(Self::Dns(["*".to_owned()].into())),
            Some("dns") => Ok(Self::Dns(named("queries for ")?)),
            Some("tls") if !lines.is_empty() => Ok(Self::Tls(named("TLS for ")?)),
            Some(other) => Err(format!("the rules of a proxy for {other} are not written")),
        }
    }

    /// The lines again.
    #[must_use]
    pub fn lines(&self) -> BTreeSet<String> {
        match self {
            Self::Every => BTreeSet::new(),
            Self::Http(all) => all.iter().map(Http::line).collect(),
            Self::Dns(names) => names.iter().map(|n| format!("queries for {n}")).collect(),
            Self::Tls(names) => names.iter().map(|n| format!("TLS for {n}")).collect(),
        }
    }

    /// The part of an element of `toPorts` that says so.
    pub(super) fn write(&self, out: &mut String, quoted: fn(&str) -> String) {
        match self {
            Self::Every => {}
            Self::Http(all) => {
                *out += "      rules:\n        http:\n";
                if all.is_empty() {
                    *out += "        - {}\n";
                }
                for http in all {
                    let fields = [
                        ("method", &http.method),
                        ("path", &http.path),
                        ("host", &http.host),
                    ];
                    let given = fields.iter().filter(|(_, value)| !value.is_empty());
                    let mut dash = "- ";
                    for (field, value) in given {
                        let _ = writeln!(out, "        {dash}{field}: {}", quoted(value));
                        dash = "  ";
                    }
                    if dash == "- " {
                        *out += "        - {}\n";
                    }
                }
            }
            Self::Dns(names) => {
                *out += "      rules:\n        dns:\n";
                for name in names {
                    let field = if name.contains('*') {
                        "matchPattern"
                    } else {
                        "matchName"
                    };
                    let _ = writeln!(out, "        - {field}: {}", quoted(name));
                }
            }
            Self::Tls(names) => {
                *out += "      serverNames:\n";
                for name in names {
                    let _ = writeln!(out, "      - {}", quoted(name));
                }
            }
        }
    }
}

impl Http {
    /// `GET /docs on api.example.com`; headers are told by name only, and
    /// cannot be read back.
    fn read(line: &String) -> Result<Self, String> {
        let wrong = || format!("`{line}` is not understood");
        if line.contains(" with ") {
            return Err(format!("`{line}`: rules for headers are not written"));
        }
        let (method, rest) = match line.strip_prefix("any method ") {
            Some(rest) => ("", rest),
            None => line.split_once(' ').ok_or_else(wrong)?,
        };
        let (path, host) = rest.split_once(" on ").unwrap_or((rest, ""));
        let path = if path == "any path" { "" } else { path };
        if [method, path, host].iter().any(|t| t.contains(' ')) {
            return Err(wrong());
        }
        let [method, path, host] = [method, path, host].map(str::to_owned);
        Ok(Self { method, path, host })
    }

    fn line(&self) -> String {
        let or = |text: &str, word: &str| match text {
            "" => word.to_owned(),
            text => text.to_owned(),
        };
        let mut line = format!(
            "{} {}",
            or(&self.method, "any method"),
            or(&self.path, "any path")
        );
        if !self.host.is_empty() {
            let _ = write!(line, " on {}", self.host);
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_as_they_were() {
        for (proxy, lines) in [
            (None, &[][..]),
            (
                Some("http"),
                &[
                    "GET /docs",
                    "any method /a",
                    "POST any path on api.example.com",
                ][..],
            ),
            (Some("http"), &["any method any path"][..]),
            (
                Some("dns"),
                &["queries for *.example.com", "queries for a.b"][..],
            ),
            (Some("tls"), &["TLS for a.example.com"][..]),
        ] {
            let lines: Vec<String> = lines.iter().map(|l| (*l).to_owned()).collect();
            let read = Requests::read(proxy, &lines).unwrap();
            let all: BTreeSet<String> = lines.into_iter().collect();
            assert_eq!(read.lines(), all);
        }
    }

    #[test]
    fn what_cannot_be_said_is_told() {
        let read = |proxy, line: &str| Requests::read(Some(proxy), &[line.to_owned()]);
        assert!(read("http", "GET /docs with X-Token").is_err());
        assert!(read("http", "GET").is_err());
        assert!(read("crd", "").is_err());
        assert!(read("dns", "GET /").is_err());
    }
}
