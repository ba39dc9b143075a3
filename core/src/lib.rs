//! netverdict: given these policies and these workloads, what happens to this
//! flow, and why?
//!
//! Data flows one way:
//! `object → rule → resolve → policy_map → compile → table → verdict`.
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unreachable,
        clippy::todo,
        clippy::unimplemented,
        clippy::print_stdout,
        clippy::print_stderr,
        clippy::dbg_macro
    )
)]

pub mod cluster;
pub mod compile;
pub mod config;
pub mod diagnostic;
pub mod explain;
pub mod identity;
pub mod label;
pub mod object;
pub mod policy_map;
pub mod resolve;
pub mod rule;
pub mod scenario;
pub mod selector;
pub mod source;
pub mod yaml;
