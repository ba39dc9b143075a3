//! Compares policy engines by what they answer.
//!
//! In: [`Answer`](netverdict::scenario::Answer)s to one scenario, or a
//! [`Case`] of `testdata/` with the answer it expects. Out: the
//! [`Difference`]s, by name. Whatever speaks the scenario format can be
//! compared: the engine, the naive evaluator, Cilium's own engine.
//!
//! `Answer → Outcome → Difference`, and `Case` is a scenario with an `Outcome`.
//! A [`WorldCase`] is Kubernetes objects with questions and their answers.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod case;
mod diagnosis;
mod difference;
mod layout;
mod outcome;
mod world;

pub use case::{Case, CaseError, case_files};
pub use diagnosis::diagnoses;
pub use difference::{Difference, differences};
pub use layout::lay_out;
pub use outcome::{
    DocumentOutcome, EndpointOutcome, EntryOutcome, IdentityOutcome, Outcome, Peer, QueryOutcome,
};
pub use world::{
    Flow, MapOutcome, NamedIdentity, SideOutcome, World, WorldCase, WorldFlow, WorldOutcome,
    world_differences,
};
