//! The exchange format by which any engine is compared with any other.
//!
//! In: a [`Scenario`] (options, policies as text, identities, endpoints and
//! queries), read from JSON by [`Scenario::parse`]. Out: an [`Answer`]: what
//! became of each document, the policy map of each endpoint, the verdict of
//! each query. Cilium's own engine answers the same scenarios
//! (`conformance/cilium`), so two answers can be compared field by field.
//!
//! ```
//! use netverdict::scenario::{Layer7Kind, Scenario, ScenarioIdentity, Settings};
//! use netverdict_table::View;
//!
//! let labels = |app: &str| format!(r#"{{"k8s:app": "{app}", "k8s:io.kubernetes.pod.namespace": "shop",
//!     "k8s:io.cilium.k8s.policy.cluster": "default"}}"#);
//! let text = format!(r#"{{
//!     "policies": ["{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: db, namespace: shop}}, spec: {{podSelector: {{matchLabels: {{app: db}}}}, ingress: [{{ports: [{{port: 5432}}]}}]}}}}"],
//!     "identities": [{{"id": 1000, "labels": {}}}, {{"id": 1001, "labels": {}}}, {{"id": 16777217, "cidr": "192.0.2.0/24"}}],
//!     "endpoints": [{{"id": 1000}}],
//!     "queries": [{{"endpoint": 1000, "direction": "ingress", "peer": 1001, "proto": "TCP", "port": 5432}}]
//! }}"#, labels("db"), labels("web"));
//! let scenario = Scenario::parse(&text)?;
//! assert_eq!(scenario.answer().queries[0].verdict, "allowed");
//! let prefix: &ScenarioIdentity = &scenario.identities[2];
//! assert_eq!(prefix.prefix(), Some("192.0.2.0/24".parse()?));
//!
//! // The same from a table, which is proven to say what the policy maps say.
//! let prepared = scenario.prepare();
//! assert_eq!(prepared.maps().count(), 1);
//! let image = prepared.compile().expect("it fits");
//! assert!(prepared.verify(&image).is_ok());
//! assert_eq!(prepared.answer_by(&View::new(&image).expect("an image"))[0].verdict, "allowed");
//!
//! // Questions about layer 7 have forms of their own.
//! let kind = Layer7Kind::parse("dns").expect("it is known");
//! assert!(kind.answer("{").is_err());
//!
//! // Options as scenarios and bindings write them.
//! let settings = Settings::parse(r#"{"config": {"enforcement": "always"}}"#)?;
//! let config = settings.config();
//! assert!(settings.cluster_options().is_ok());
//! assert_eq!(settings.load_options(&config).default_namespace.as_deref(), Some("default"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answer;
mod format;
mod layer7;
mod proxy;
mod settings;
mod table;
mod world;

pub use answer::{Prepared, map_entries};
pub use format::{
    Answer, CidrMatchMode, EndpointAnswer, IdentityAnswer, MapEntry, MapKey, NamedPort, Namespace,
    PolicyAnswer, Proto, Query, QueryAnswer, Scenario, ScenarioCidrGroup, ScenarioConfig,
    ScenarioEndpoint, ScenarioError, ScenarioIdentity,
};
pub use layer7::Layer7Kind;
pub use settings::Settings;
