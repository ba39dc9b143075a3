//! Flows as programs ask about them.
//!
//! In: JSON. Out: a [`JsonFlow`] that answers it. The C ABI and the npm package
//! take these.

use super::{
    Cluster, Flow, FlowAnswer, FlowExplanation, JsonFlow, JsonLayer7, JsonSide, Layer7, Peer,
    SideAnswer,
};
use crate::diagnostic::Diagnostic;
use crate::explain::Explanation;
use crate::l7::{Request, SecretItems, Secrets};
use crate::rule::protocol;
use crate::source::Sources;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

/// A flow, and what is sent on it.
///
/// | field | |
/// |---|---|
/// | `from`, `to` | `shop/web`, an address, a prefix, an entity, a DNS name; see [`Cluster::peer`] |
/// | `port`, `icmp` or `icmpv6` | `443/TCP`, `GRE`; a type, or `type/code` |
/// | `fragment` | true for a fragment whose port is not known |
/// | `http` | `method`, `path` with its query, `host`, `headers` (pairs) |
/// | `dns` | the name a query asks for |
/// | `sni` | the server name of a TLS handshake |
/// | `secrets` | what header matches name: values by `namespace/name/item` |
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AskedFlow {
    from: String,
    to: String,
    port: String,
    icmp: String,
    icmpv6: String,
    fragment: bool,
    http: Option<Http>,
    dns: Option<String>,
    sni: Option<String>,
    secrets: BTreeMap<String, String>,
}

/// An HTTP request.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Http {
    method: String,
    path: String,
    #[serde(default)]
    host: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
}

/// A flow whose ends were found; see [`Flow`] for what its fields mean.
#[derive(Clone, Debug)]
pub struct FoundFlow {
    /// Who sends.
    pub from: Peer,
    /// Who receives.
    pub to: Peer,
    /// IP protocol number.
    pub protocol: u8,
    /// Destination port, or ICMP type.
    pub port: u16,
    /// ICMP code.
    pub icmp_code: Option<u8>,
    /// A fragment whose port is not known.
    pub untracked_fragment: bool,
}

impl FoundFlow {
    /// The flow.
    #[must_use]
    pub const fn flow(&self) -> Flow<'_> {
        Flow {
            from: &self.from,
            to: &self.to,
            protocol: self.protocol,
            port: self.port,
            icmp_code: self.icmp_code,
            untracked_fragment: self.untracked_fragment,
        }
    }
}

/// Why a question has no answer.
#[derive(Clone, Debug)]
pub enum AskError {
    /// It is not what [`AskedFlow`] says.
    Malformed(String),
    /// One end of the flow is not found.
    Peer(Box<Diagnostic>),
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(message) => f.write_str(message),
            Self::Peer(diagnostic) => f.write_str(&diagnostic.message),
        }
    }
}

impl std::error::Error for AskError {}

fn malformed(message: impl Into<String>) -> AskError {
    AskError::Malformed(message.into())
}

impl AskedFlow {
    /// Reads a question.
    ///
    /// # Errors
    /// [`AskError::Malformed`].
    pub fn parse(json: &str) -> Result<Self, AskError> {
        serde_json::from_str(json).map_err(|e| malformed(format!("question: {e}")))
    }

    /// IP protocol, port or ICMP type, ICMP code.
    fn packet(&self) -> Result<(u8, u16, Option<u8>), AskError> {
        let number = |name: &str| {
            let known = protocol::number(name).or_else(|| name.parse().ok());
            known.ok_or_else(|| malformed(format!("`{name}` is no protocol")))
        };
        let icmp = |own: u8, text: &str| {
            let (kind, code) = text.split_once('/').unwrap_or((text, ""));
            let bad = || malformed(format!("`{text}` is no ICMP type, or type/code"));
            let kind: u8 = kind.parse().map_err(|_| bad())?;
            let code = match code {
                "" => None,
                code => Some(code.parse().map_err(|_| bad())?),
            };
            Ok((own, u16::from(kind), code))
        };
        match (&*self.port, &*self.icmp, &*self.icmpv6) {
            (text, "", "") if !text.is_empty() => match text.split_once('/') {
                Some((port, name)) => {
                    let bad = |_| malformed(format!("`{port}` is no port"));
                    Ok((number(name)?, port.parse().map_err(bad)?, None))
                }
                None => Ok((number(text)?, 0, None)),
            },
            ("", text, "") if !text.is_empty() => icmp(protocol::ICMP, text),
            ("", "", text) if !text.is_empty() => icmp(protocol::ICMPV6, text),
            _ => Err(malformed("a flow has one of `port`, `icmp` and `icmpv6`")),
        }
    }

    /// A flow from one end to another: `port` as the field of that name.
    #[must_use]
    pub fn new(from: &str, to: &str, port: &str) -> Self {
        Self {
            from: from.to_owned(),
            to: to.to_owned(),
            port: port.to_owned(),
            ..Self::default()
        }
    }

    /// Its ends in a cluster.
    ///
    /// # Errors
    /// [`AskError::Malformed`], or [`AskError::Peer`] when an end is not found.
    pub fn find(&self, cluster: &Cluster) -> Result<FoundFlow, AskError> {
        let (protocol, port, icmp_code) = self.packet()?;
        let peer = |text: &str| cluster.peer(text).map_err(AskError::Peer);
        Ok(FoundFlow {
            from: peer(&self.from)?,
            to: peer(&self.to)?,
            protocol,
            port,
            icmp_code,
            untracked_fragment: self.fragment,
        })
    }

    /// The answer; with `explained` every candidate, and the smallest change
    /// that turns the verdict round.
    ///
    /// ```
    /// use netverdict::cluster::{AskedFlow, Cluster};
    /// use netverdict::source::Sources;
    ///
    /// let cluster = Cluster::read(include_str!("../../examples/shop.yaml")).unwrap();
    /// let asked = AskedFlow::parse(r#"{"from": "shop/web", "to": "shop/db", "port": "5432/TCP"}"#)?;
    /// let answer = asked.answer(&cluster, &Sources::new(), false)?;
    /// assert_eq!(serde_json::to_value(&answer).expect("JSON")["verdict"], "allow");
    /// # Ok::<(), netverdict::cluster::AskError>(())
    /// ```
    ///
    /// # Errors
    /// [`AskError::Malformed`], or [`AskError::Peer`] when an end is not found.
    pub fn answer(
        &self,
        cluster: &Cluster,
        sources: &Sources,
        explained: bool,
    ) -> Result<JsonFlow<JsonSide>, AskError> {
        let found = self.find(cluster)?;
        let flow = found.flow();
        let why = match explained {
            true => cluster.explain(&flow),
            false => FlowExplanation {
                answer: cluster.flow(&flow),
                egress: None,
                ingress: None,
            },
        };
        let layer7 = self.sent(cluster, sources, &flow, &why.answer)?;
        let told = |side: &Option<SideAnswer>, explanation: &Option<Explanation>| {
            let side = JsonSide::new(side.as_ref()?, sources);
            Some(side.explained(explanation.as_ref(), sources))
        };
        let sides = [
            told(&why.answer.egress, &why.egress),
            told(&why.answer.ingress, &why.ingress),
        ];
        Ok(JsonFlow::new(&flow, &why.answer.overall, sides, layer7))
    }

    /// What becomes of what is sent; `None` when nothing is.
    fn sent(
        &self,
        cluster: &Cluster,
        sources: &Sources,
        flow: &Flow<'_>,
        answer: &FlowAnswer,
    ) -> Result<Option<JsonLayer7>, AskError> {
        if self.http.is_none() && self.dns.is_none() && self.sni.is_none() {
            return Ok(None);
        }
        if self.http.is_some() && self.dns.is_some() {
            return Err(malformed("a flow has `http` or `dns`, not both"));
        }
        let sent = Layer7 {
            server_name: self.sni.as_deref(),
            request: self.http.as_ref().map(Http::request).transpose()?,
            query: self.dns.as_deref(),
        };
        let answer = cluster.layer7(flow, answer, &sent, &self.secrets()?);
        Ok(Some(JsonLayer7::new(&sent, &answer, sources)))
    }

    fn secrets(&self) -> Result<Secrets, AskError> {
        let mut all: BTreeMap<(String, String), SecretItems> = BTreeMap::new();
        for (path, value) in &self.secrets {
            let parts: Vec<&str> = path.splitn(3, '/').collect();
            let [namespace, name, item] = *parts.as_slice() else {
                let message = format!("secret `{path}` is not namespace/name/item");
                return Err(malformed(message));
            };
            let secret = all.entry((namespace.to_owned(), name.to_owned()));
            secret.or_default().insert(item.to_owned(), value.clone());
        }
        Ok(Secrets::Discovered(all))
    }
}

impl Http {
    fn request(&self) -> Result<Request, AskError> {
        if self.method.is_empty() || !(self.path.starts_with('/') || self.path == "*") {
            let message = "`http` has a method, and a path that begins with `/` or is `*`";
            return Err(malformed(message));
        }
        let mut request = Request::new(&self.method, &self.host, &self.path);
        for (name, value) in &self.headers {
            request.add(name, value);
        }
        Ok(request)
    }
}
