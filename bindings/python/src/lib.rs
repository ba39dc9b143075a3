//! netverdict for Python: the C ABI's functions as two classes.
//!
//! In: texts, numbers and buffers. Out: bytes, JSON as text, packed arrays. The
//! package's Python part (`python/netverdict`) makes dictionaries and named
//! tuples of them. The interpreter is not held while the engine works.

mod call;
mod engine;
mod scenario;
mod update;
mod view;

use pyo3::prelude::*;

#[pymodule]
mod _native {
    #[pymodule_export]
    use super::engine::Engine;
    #[pymodule_export]
    use super::scenario::{answer_layer7, answer_scenario, compile_scenario};
    #[pymodule_export]
    use super::view::View;
}
