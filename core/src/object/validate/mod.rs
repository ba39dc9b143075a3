//! Typed objects → what would refuse them, or what is odd about them.
//!
//! In: decoded objects. Out: diagnostics of [`agent`]: what Cilium's agent
//! refuses however the object reached it; and of [`intent`]: remarks on what
//! nothing refuses. What an API server refuses before is in
//! [`super::schema`].

pub mod agent;
pub mod intent;
