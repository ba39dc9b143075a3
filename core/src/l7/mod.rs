//! Layer 7: which requests, queries and connections a proxy lets through.
//!
//! In: HTTP and DNS rules and TLS server names as [`crate::resolve`] merges
//! them, and one request, name or server name. Out: whether it goes on, and
//! if not, what the client sees: HTTP answers 403, DNS *refused*, and TLS
//! connections are dropped. Nothing here opens a socket: a proxy asks.
//!
//! Matching takes time linear in the request, whatever the expressions.
//!
//! ```
//! use netverdict::l7::{
//!     Connection, HttpRules, PortNetworkPolicy, PortPolicy, ProxyRule, Request, Secrets, TranslatedRule,
//! };
//! use netverdict::{identity::NumericIdentity, rule::HttpRule};
//! use std::sync::Arc;
//!
//! let rule = HttpRule { method: "GET".into(), path: "/docs/.*".into(), ..HttpRule::default() };
//! let rules = HttpRules::new(&[Arc::new(rule.clone())], &Secrets::default());
//! let mut read = Request::new("GET", "example.com", "/docs/a");
//! assert!(rules.decide(&mut read).allowed);
//! let mut write = Request::new("PUT", "example.com", "/docs/a");
//! assert!(!rules.decide(&mut write).allowed);
//! // Which part of which rule was in the way.
//! assert!(rules.tried(&write)[0].miss.is_some());
//!
//! // The same for a port, where rules are about peers and server names, too.
//! let for_web = ProxyRule {
//!     remotes: vec![1000],
//!     server_names: ["docs.example.com".into()].into(),
//!     http: Some(vec![Arc::new(rule)]),
//!     ..ProxyRule::default()
//! };
//! assert_eq!(for_web.sent_server_names(), ["docs.example.com"]);
//! let sent: Vec<TranslatedRule> = for_web.translated(&Secrets::default()).expect("it has HTTP rules");
//! assert!(sent[0].order(&sent[0]).is_eq());
//! let port = PortNetworkPolicy { port: 443, rules: vec![for_web], ..PortNetworkPolicy::default() };
//! let policy = PortPolicy::new(&[port], 443, &Secrets::default());
//! assert!(policy.refused().next().is_none());
//! let connection = |peer, name| Connection { peer: NumericIdentity(peer), proxy_id: 0, server_name: Some(name) };
//! assert!(policy.connects(&connection(1000, "docs.example.com")));
//! assert!(!policy.connects(&connection(1000, "example.com")));
//! assert!(policy.request(&connection(1000, "docs.example.com"), &mut read).allowed);
//! assert!(!policy.request(&connection(1001, "docs.example.com"), &mut read).allowed);
//! ```

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
