//! Pods that no manifest mentions.
//!
//! In: a namespace and labels. Out: an object as if somebody had written it,
//! for questions about pods that do not exist yet.

use netverdict::cluster::Endpoint;
use netverdict::config::Config;
use netverdict::object::Object;
use netverdict::object::load::{LoadOptions, load};
use netverdict::source::SourceId;
use serde_json::{Map, Value, json};

/// Where they are written: nowhere.
pub(crate) const NOWHERE: SourceId = SourceId(u32::MAX);

/// A pod with these labels.
pub(crate) fn pod(
    config: &Config,
    namespace: &str,
    name: &str,
    labels: &[(&str, &str)],
) -> Option<Object> {
    let labels = labels
        .iter()
        .map(|(k, v)| ((*k).to_owned(), Value::from(*v)));
    let labels: Map<String, Value> = labels.collect();
    let json = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "namespace": namespace, "name": name, "labels": labels },
    });
    object(config, &json)
}

/// An object of any kind.
pub(crate) fn object(config: &Config, json: &Value) -> Option<Object> {
    let loaded = load(NOWHERE, &json.to_string(), &LoadOptions::new(config));
    loaded.into_objects().next()
}

/// True for an endpoint that is in no manifest.
pub(crate) fn is_imagined(endpoint: &Endpoint) -> bool {
    endpoint.span.source == NOWHERE
}
