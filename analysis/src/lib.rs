//! Questions that people ask about a [`Cluster`](netverdict::cluster::Cluster)
//! as a whole.
//!
//! In: a cluster, sometimes two, and what somebody wants to know. Out: values
//! that a command, an editor or a program can show. Every answer comes from
//! the resolved policy maps of `netverdict`; nothing here decides a verdict by
//! itself, reads files, looks at a clock or prints.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod connection;
pub mod connectivity;
pub mod coverage;
pub mod difference;
pub mod editor;
pub mod expectation;
pub mod exposure;
pub mod generate;
mod imagined;
pub mod json;
pub mod lint;
pub mod peer;
pub mod ports;
pub mod reason;
pub mod recorded;
pub mod remedy;
mod subject;
