//! The exchange format by which any engine is compared with any other.
//!
//! In: a [`Scenario`] (options, policies as text, identities, endpoints and
//! queries), read from JSON by [`Scenario::parse`]. Out: an [`Answer`]: what
//! became of each document, the policy map of each endpoint, the verdict of
//! each query. Cilium's own engine answers the same scenarios
//! (`conformance/cilium`), so two answers can be compared field by field.

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
