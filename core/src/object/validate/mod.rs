//! Typed objects → what would refuse them.
//!
//! In: decoded objects. Out: diagnostics of [`agent`]: what Cilium's agent
//! refuses however the object reached it. What an API server refuses before is
//! in [`super::schema`].

pub mod agent;
