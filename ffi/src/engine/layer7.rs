//! What is sent on a flow.
//!
//! In: an HTTP request, a DNS query or a TLS server name as JSON. Out: the
//! question about it, and its answer.

use super::question::wrong;
use super::state::State;
use crate::error::Failure;
use netverdict::cluster::{Flow, FlowAnswer, JsonLayer7, Layer7};
use netverdict::l7::{Request, SecretItems, Secrets};
use serde::Deserialize;
use std::collections::BTreeMap;

/// An HTTP request, as callers write it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Http {
    method: String,
    path: String,
    #[serde(default)]
    host: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
}

/// What is sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) http: Option<Http>,
    /// The name that is asked for.
    pub(super) dns: Option<String>,
    /// The server name of the TLS handshake.
    pub(super) sni: Option<String>,
    /// What secrets hold, by `namespace/name/item`.
    pub(super) secrets: BTreeMap<String, String>,
}

impl Sent {
    /// What becomes of it on a flow; `None` when nothing is sent.
    pub(super) fn answer(
        &self,
        engine: &State,
        flow: &Flow<'_>,
        answer: &FlowAnswer,
    ) -> Result<Option<JsonLayer7>, Failure> {
        if self.http.is_none() && self.dns.is_none() && self.sni.is_none() {
            return Ok(None);
        }
        if self.http.is_some() && self.dns.is_some() {
            return Err(wrong("a flow has `http` or `dns`, not both".into()));
        }
        let sent = Layer7 {
            server_name: self.sni.as_deref(),
            request: self.http.as_ref().map(Http::request).transpose()?,
            query: self.dns.as_deref(),
        };
        let secrets = self.secrets()?;
        let answer = engine.cluster().layer7(flow, answer, &sent, &secrets);
        Ok(Some(JsonLayer7::new(&sent, &answer, engine.sources())))
    }

    fn secrets(&self) -> Result<Secrets, Failure> {
        let mut all: BTreeMap<(String, String), SecretItems> = BTreeMap::new();
        for (path, value) in &self.secrets {
            let parts: Vec<&str> = path.splitn(3, '/').collect();
            let [namespace, name, item] = *parts.as_slice() else {
                let message = format!("secret `{path}` is not namespace/name/item");
                return Err(wrong(message));
            };
            let secret = all.entry((namespace.to_owned(), name.to_owned()));
            secret.or_default().insert(item.to_owned(), value.clone());
        }
        Ok(Secrets::Discovered(all))
    }
}

impl Http {
    fn request(&self) -> Result<Request, Failure> {
        if self.method.is_empty() || !(self.path.starts_with('/') || self.path == "*") {
            let message = "`http` has a method, and a path that begins with `/` or is `*`";
            return Err(wrong(message.into()));
        }
        let mut request = Request::new(&self.method, &self.host, &self.path);
        for (name, value) in &self.headers {
            request.add(name, value);
        }
        Ok(request)
    }
}
