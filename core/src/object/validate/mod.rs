//! Typed objects → what would refuse them.
//!
//! In: decoded objects and their trees. Out: diagnostics of two layers that
//! know nothing of each other: [`agent`], what Cilium's agent refuses however
//! the object reached it, and [`schema`], what an API server refuses before.

pub mod agent;
pub mod schema;
