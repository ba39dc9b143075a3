//! The limits that hold for a whole source, and what is left of them.
//!
//! In: what was read. Out: the problem when it was too much.

use super::Limits;
use super::codes::{self, Problem};

/// What is left of the limits that hold for a whole source.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    pub(super) nodes: usize,
    #[cfg_attr(
        not(feature = "yaml"),
        allow(dead_code, reason = "JSON has no aliases")
    )]
    pub(super) alias_bytes: usize,
}

pub(super) fn too_deep(start: usize, end: usize, limits: &Limits) -> Problem {
    let message = format!("nested deeper than {} levels", limits.max_depth);
    Problem::new(codes::MAX_DEPTH, start, end, message)
}

pub(super) fn too_many_nodes(start: usize, end: usize, limits: &Limits) -> Problem {
    let message = format!("more than {} values in one source", limits.max_nodes);
    Problem::new(codes::MAX_NODES, start, end, message)
        .help("aliases count as often as they are used; split the source or raise the limit")
}
