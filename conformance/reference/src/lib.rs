//! What netverdict is checked against.
//!
//! [`generate`] makes scenarios: policies of every kind, identities and
//! queries close to what the policies mention, the same for a seed on every
//! platform.
//!
//! The code here is obvious rather than fast, and shares nothing with the
//! engine but the normal form of rules and the matching of selectors.
#![forbid(unsafe_code)]

pub mod evaluate;
pub mod generate;
pub mod judge;
