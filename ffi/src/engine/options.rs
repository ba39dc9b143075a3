//! Options of an engine.
//!
//! In: JSON. Out: [`Settings`], or why they are none.

use crate::error::Failure;
use crate::status::NETVERDICT_JSON;
use netverdict::cluster::ClusterOptions;
use netverdict::scenario::Settings;

fn failure(message: impl std::fmt::Display) -> Failure {
    Failure::new(NETVERDICT_JSON, format!("options: {message}"))
}

/// Reads them; an empty text has none.
pub(super) fn parse(json: &str) -> Result<Settings, Failure> {
    Settings::parse(json).map_err(failure)
}

/// What no object says.
pub(super) fn cluster(settings: &Settings) -> Result<ClusterOptions, Failure> {
    settings.cluster_options().map_err(failure)
}
