//! A network policy as the JSON of Cilium's message for Envoy.
//!
//! In: a [`NetworkPolicy`]. Out: `cilium.NetworkPolicy` of
//! github.com/cilium/proxy (cilium/api/npds.proto) in the JSON form of
//! protocol buffers: fields left out are zero. TLS contexts and secrets of
//! header matches are names of Envoy's secret discovery, as by default.

use super::http_matcher::{HeaderAction, HeaderMatcher, TranslatedRule, Value as Wanted};
use super::network_policy::{NetworkPolicy, PortNetworkPolicy, ProxyRule, ProxyVerdict};
use super::secret::Secrets;
use crate::rule::Mismatch;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// Where Cilium keeps copies of secrets for Envoy by default.
pub const SECRETS_NAMESPACE: &str = "cilium-secrets";

impl NetworkPolicy {
    /// The message as JSON.
    #[must_use]
    pub fn to_json(&self, secrets: &Secrets) -> Value {
        let mut all = Map::new();
        put(&mut all, "endpointIps", json!(self.endpoint_ips));
        if self.endpoint_id != 0 {
            // 64-bit numbers are texts.
            put(&mut all, "endpointId", json!(self.endpoint_id.to_string()));
        }
        for (name, ports) in [
            ("ingressPerPortPolicies", &self.ingress),
            ("egressPerPortPolicies", &self.egress),
        ] {
            let ports: Vec<Value> = ports.iter().map(|p| port(p, secrets)).collect();
            put(&mut all, name, Value::Array(ports));
        }
        Value::Object(all)
    }
}

/// Puts a field, unless it is zero.
fn put(map: &mut Map<String, Value>, name: &str, value: Value) {
    let zero = match &value {
        Value::Array(all) => all.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Number(n) => n.as_u64() == Some(0),
        Value::Bool(set) => !set,
        Value::Null => true,
        Value::Object(_) => false,
    };
    if !zero {
        map.insert(name.to_owned(), value);
    }
}

fn port(policy: &PortNetworkPolicy, secrets: &Secrets) -> Value {
    let mut all = Map::new();
    put(&mut all, "port", json!(policy.port));
    put(&mut all, "endPort", json!(policy.end_port));
    let rules: Vec<Value> = policy.rules.iter().map(|r| rule(r, secrets)).collect();
    put(&mut all, "rules", Value::Array(rules));
    Value::Object(all)
}

fn rule(rule: &ProxyRule, secrets: &Secrets) -> Value {
    let mut all = Map::new();
    put(&mut all, "precedence", json!(rule.precedence));
    match rule.verdict {
        ProxyVerdict::Allow => {}
        ProxyVerdict::Deny => put(&mut all, "deny", json!(true)),
        // One of several: written even when it is zero.
        ProxyVerdict::Pass(last) => {
            all.insert("passPrecedence".to_owned(), json!(last));
        }
    }
    put(&mut all, "proxyId", json!(rule.proxy_id));
    put(&mut all, "remotePolicies", json!(rule.remotes));
    if let Some(tls) = &rule.terminating_tls {
        let name = secret_name(&tls.secret);
        put(
            &mut all,
            "downstreamTlsContext",
            json!({"tlsSdsSecret": name}),
        );
    }
    if let Some(tls) = &rule.originating_tls {
        let name = secret_name(&tls.secret);
        let context = json!({"validationContextSdsSecret": name});
        put(&mut all, "upstreamTlsContext", context);
    }
    put(&mut all, "serverNames", json!(rule.sent_server_names()));
    if let Some(rules) = rule.translated(secrets) {
        let rules: Vec<Value> = rules.iter().map(http).collect();
        all.insert("httpRules".to_owned(), json!({"httpRules": rules}));
    }
    Value::Object(all)
}

fn http(rule: &TranslatedRule) -> Value {
    let mut all = Map::new();
    let headers: Vec<Value> = rule.headers.iter().map(matcher).collect();
    put(&mut all, "headers", Value::Array(headers));
    let actions: Vec<Value> = rule.actions.iter().map(action).collect();
    put(&mut all, "headerMatches", Value::Array(actions));
    Value::Object(all)
}

fn matcher(matcher: &HeaderMatcher) -> Value {
    let name = &matcher.name;
    match &matcher.value {
        Wanted::Present => json!({"name": name, "presentMatch": true}),
        Wanted::Exact(text) => json!({"name": name, "stringMatch": {"exact": text}}),
        Wanted::Regex(text) => {
            json!({"name": name, "stringMatch": {"safeRegex": {"regex": text}}})
        }
        Wanted::NotEmpty => {
            json!({"name": name, "stringMatch": {"exact": ""}, "invertMatch": true})
        }
    }
}

fn action(action: &HeaderAction) -> Value {
    let mut all = Map::new();
    put(&mut all, "name", json!(action.name));
    put(&mut all, "value", json!(action.value));
    if let Some(secret) = &action.secret {
        put(&mut all, "valueSdsSecret", json!(secret_name(secret)));
    }
    let mismatch = match action.mismatch {
        Mismatch::Fail => "",
        Mismatch::Log => "CONTINUE_ON_MISMATCH",
        Mismatch::Add => "ADD_ON_MISMATCH",
        Mismatch::Delete => "DELETE_ON_MISMATCH",
        Mismatch::Replace => "REPLACE_ON_MISMATCH",
    };
    put(&mut all, "mismatchAction", json!(mismatch));
    Value::Object(all)
}

/// The name of a secret's copy for Envoy (pkg/secretsync/names).
fn secret_name((namespace, name): &(String, String)) -> String {
    let digest = Sha256::digest(format!("secret\0{namespace}\0{name}"));
    let mut text = format!("{SECRETS_NAMESPACE}/cilium-sync-secret-");
    for byte in digest {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}
