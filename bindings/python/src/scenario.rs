//! Scenarios: one question, one answer, no state.
//!
//! In: JSON. Out: JSON, or an image.

use crate::call::{buffer, text};
use netverdict_ffi::engine::scenario;
use pyo3::prelude::*;

/// JSON in, JSON out.
#[allow(clippy::undocumented_unsafe_blocks, reason = "as for Engine")]
#[pyfunction]
pub(crate) fn answer_scenario(py: Python<'_>, question: &str) -> PyResult<Vec<u8>> {
    let done = py.detach(|| {
        buffer(|out, error| unsafe {
            scenario::netverdict_scenario_answer(text(question), out, error)
        })
    });
    done.map_err(|failure| failure.raise(py))
}

/// JSON in, an image out.
#[allow(clippy::undocumented_unsafe_blocks, reason = "as for Engine")]
#[pyfunction]
pub(crate) fn compile_scenario(py: Python<'_>, question: &str) -> PyResult<Vec<u8>> {
    let done = py.detach(|| {
        buffer(|out, error| unsafe {
            scenario::netverdict_scenario_compile(text(question), out, error)
        })
    });
    done.map_err(|failure| failure.raise(py))
}

/// JSON in, JSON out.
#[allow(clippy::undocumented_unsafe_blocks, reason = "as for Engine")]
#[pyfunction]
pub(crate) fn answer_layer7(py: Python<'_>, kind: &str, question: &str) -> PyResult<Vec<u8>> {
    let done = py.detach(|| {
        buffer(|out, error| unsafe {
            scenario::netverdict_scenario_layer7(text(kind), text(question), out, error)
        })
    });
    done.map_err(|failure| failure.raise(py))
}
