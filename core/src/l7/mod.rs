//! Layer 7: which requests, queries and connections a proxy lets through.
//!
//! In: HTTP and DNS rules and TLS server names as [`crate::resolve`] merges
//! them, and one request, name or server name. Out: whether it goes on, and
//! if not, what the client sees: HTTP answers 403, DNS *refused*, and TLS
//! connections are dropped. Nothing here opens a socket: a proxy asks.
//!
//! Matching takes time linear in the request, whatever the expressions.

mod dns;
mod envoy_json;
mod expression;
mod http;
mod http_matcher;
mod network_policy;
mod pattern_set;
mod port_policy;
mod request;
mod secret;
mod server_name;

pub use dns::{DnsRule, DnsRules, dns_rule_allows};
pub use envoy_json::SECRETS_NAMESPACE;
pub use http::{HttpDecision, HttpRules, Miss, RefusedExpression, TriedRule};
pub use http_matcher::{HeaderAction, HeaderMatcher, TranslatedRule, Value};
pub use network_policy::{NetworkPolicy, PortNetworkPolicy, ProxyRule, ProxyVerdict, Translation};
pub use pattern_set::Refusal;
pub use port_policy::{Connection, PortPolicy, TriedProxyRule};
pub use request::Request;
pub use secret::{SecretItems, Secrets};
pub use server_name::{ServerNames, sent_server_name};
