//! Requests against HTTP rules.

use super::super::ScenarioError;
use crate::l7::{HttpRules, Request, Secrets};
use crate::object::regex;
use crate::rule::{HeaderMatch, HttpRule, Mismatch};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct HttpQuestion {
    #[serde(skip_serializing_if = "String::is_empty")]
    id: String,
    rules: Vec<Rule>,
    #[serde(skip_serializing_if = "String::is_empty")]
    secret_mode: String,
    /// By `namespace/name/item`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    secrets: BTreeMap<String, String>,
    q: Vec<Asked>,
    valid: bool,
}

/// A rule as a CiliumNetworkPolicy has it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Rule {
    #[serde(skip_serializing_if = "String::is_empty")]
    path: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    method: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    host: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    headers: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    header_matches: Vec<Match>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Match {
    #[serde(skip_serializing_if = "String::is_empty")]
    mismatch: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<SecretName>,
    #[serde(skip_serializing_if = "String::is_empty")]
    value: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SecretName {
    #[serde(skip_serializing_if = "String::is_empty")]
    namespace: String,
    name: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Asked {
    method: String,
    host: String,
    path: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    headers: Vec<(String, String)>,
    allowed: bool,
    after: Vec<(String, String)>,
    missing: Vec<(String, String)>,
    rejected: Vec<(String, String)>,
}

impl Rule {
    /// What the agent checks (pkg/policy/api/http.go).
    fn is_valid(&self) -> bool {
        let expression = |text: &str| regex::check(text).is_ok();
        let actions = ["", "LOG", "ADD", "DELETE", "REPLACE"];
        expression(&self.path)
            && expression(&self.method)
            && self.header_matches.iter().all(|m| {
                !m.name.is_empty()
                    && actions.contains(&m.mismatch.as_str())
                    && m.secret.as_ref().is_none_or(|s| !s.name.is_empty())
            })
    }

    fn translated(&self) -> HttpRule {
        let matches = self.header_matches.iter().map(|m| HeaderMatch {
            mismatch: Mismatch::parse(&m.mismatch),
            name: m.name.clone(),
            secret: m
                .secret
                .as_ref()
                .map(|s| (s.namespace.clone(), s.name.clone())),
            value: m.value.clone(),
        });
        HttpRule {
            path: self.path.clone(),
            method: self.method.clone(),
            host: self.host.clone(),
            headers: self.headers.clone(),
            header_matches: matches.collect(),
            ..HttpRule::default()
        }
    }
}

impl HttpQuestion {
    fn secrets(&self) -> Result<Secrets, ScenarioError> {
        let mut all: BTreeMap<(String, String), BTreeMap<String, String>> = BTreeMap::new();
        for (path, value) in &self.secrets {
            let mut parts = path.splitn(3, '/');
            let (Some(namespace), Some(name), Some(item)) =
                (parts.next(), parts.next(), parts.next())
            else {
                let wrong = format!("secret `{path}` is not namespace/name/item");
                return Err(ScenarioError(wrong));
            };
            let secret = all.entry((namespace.to_owned(), name.to_owned()));
            secret.or_default().insert(item.to_owned(), value.clone());
        }
        match self.secret_mode.as_str() {
            "" | "sds" => Ok(Secrets::Discovered(all)),
            "inline" => Ok(Secrets::Inline(all)),
            other => Err(ScenarioError(format!("there is no secretMode `{other}`"))),
        }
    }

    pub(super) fn answer(&mut self) -> Result<(), ScenarioError> {
        let secrets = self.secrets()?;
        self.valid = self.rules.iter().all(Rule::is_valid);
        let rules: Vec<Arc<HttpRule>> = self
            .rules
            .iter()
            .map(|r| Arc::new(r.translated()))
            .collect();
        let rules = HttpRules::new(&rules, &secrets);
        for q in &mut self.q {
            (q.after, q.missing, q.rejected) = Default::default();
            q.allowed = false;
            if !self.valid || !rules.refused().is_empty() {
                continue;
            }
            let mut request = Request::new(&q.method, &q.host, &q.path);
            for (name, value) in &q.headers {
                request.add(name, value);
            }
            let decision = rules.decide(&mut request);
            q.allowed = decision.allowed;
            q.missing = decision.missing;
            q.rejected = decision.rejected;
            let after = request.headers();
            q.after = after.map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        }
        Ok(())
    }
}
