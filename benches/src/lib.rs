//! How fast netverdict is, beside Cilium's own engine.
//!
//! [`one`] and [`cluster`] make the workloads, [`compile`] measures them, in
//! turns and in processor time ([`clock`]). The program `netverdict-bench`
//! prints what `cargo xtask bench` compares with Cilium's own engine.

pub mod clock;
pub mod cluster;
pub mod compile;
pub mod one;
pub mod random;
