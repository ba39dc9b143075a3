//! The WebAssembly part of the npm package `netverdict`.
//!
//! In: calls of the package's JavaScript (`npm/`), which gives and takes
//! strings of JSON and typed arrays. Out: the same answers as everywhere else.
//! Nothing is decided here; people use the package, not this.
#![deny(missing_docs)]
#![forbid(unsafe_code)]

#[cfg(feature = "engine")]
mod change;
#[cfg(feature = "engine")]
mod engine;
#[cfg(feature = "engine")]
mod place;
#[cfg(feature = "engine")]
mod session;
mod table;
#[cfg(feature = "engine")]
mod text;
#[cfg(feature = "engine")]
mod told;

#[cfg(feature = "engine")]
pub use engine::{RawEngine, answer_scenario, compile_scenario};
pub use table::RawTable;
