//! What an editor asks about a place in a text.
//!
//! In: a text, a place in it, and the cluster that the workspace describes.
//! Out: what to show beside the place ([`hover`]), what could be written there
//! ([`complete`]), and where a thing it names is written ([`definition`]).
//! Fields and their docs come from the schemas that `check` applies. Texts
//! that are being typed seldom parse, so a place is told by indentation.

mod completion;
mod cursor;
mod definition;
mod hover;

pub use completion::{Proposal, ProposalKind, Proposals, complete};
pub use definition::definition;
pub use hover::{Hover, hover};

#[cfg(test)]
mod tests;
