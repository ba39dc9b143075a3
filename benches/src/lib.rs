//! How fast netverdict is, beside Cilium's own engine.
//!
//! [`one`] and [`cluster`] make the workloads, [`compile`] measures them, in
//! turns and in processor time ([`clock`]); [`lookup`] asks tables and everything
//! else that could answer, [`updates`] change a table under its readers. The program `netverdict-bench`
//! prints what `cargo xtask bench` compares with Cilium's own engine.

pub mod clock;
pub mod cluster;
pub mod compile;
pub mod lookup;
pub mod memory;
pub mod one;
pub mod random;
pub mod updates;
