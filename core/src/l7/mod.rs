//! Layer 7: which requests, queries and connections a proxy lets through.
//!
//! In: HTTP and DNS rules and TLS server names as [`crate::resolve`] merges
//! them, and one request, name or server name. Out: whether it goes on, and
//! if not, what the client sees: HTTP answers 403, DNS *refused*, and TLS
//! connections are dropped. Nothing here opens a socket: a proxy asks.
//!
//! Matching takes time linear in the request, whatever the expressions.

mod dns;
mod expression;
mod http;
mod http_matcher;
mod pattern_set;
mod request;
mod secret;
mod server_name;

pub use dns::{DnsRule, DnsRules, dns_rule_allows};
pub use http::{HttpDecision, HttpRules, Miss, RefusedExpression, TriedRule};
pub use http_matcher::{HeaderAction, HeaderMatcher, TranslatedRule, Value};
pub use pattern_set::Refusal;
pub use request::Request;
pub use secret::{SecretItems, Secrets};
pub use server_name::{ServerNames, sent_server_name};
