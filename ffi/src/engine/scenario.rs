//! Scenarios: one question, one answer, no state.
//!
//! In: a scenario as JSON (testdata/README.md). Out: the answer as JSON, or the
//! verdict table of its endpoints.

use super::json;
use crate::buffer::{netverdict_buffer, netverdict_str};
use crate::error::{Failure, call, netverdict_error};
use crate::handle::Out;
use crate::pointer;
use crate::status::{
    NETVERDICT_BAD_ARGUMENT, NETVERDICT_COMPILE, NETVERDICT_JSON, netverdict_status,
};
use netverdict::scenario::{Layer7Kind, Scenario};

/// What a scenario takes while it is read, in times of its own length.
const READ: usize = 16;

/// # Safety
/// By the rules of the ABI.
unsafe fn read(scenario: netverdict_str) -> Result<Scenario, Failure> {
    // SAFETY: by the rules of the ABI.
    let text = unsafe { pointer::text(scenario, "scenario")? };
    pointer::room(text.len().saturating_mul(READ), "a scenario")?;
    Scenario::parse(text).map_err(|e| Failure::new(NETVERDICT_JSON, format!("scenario: {e}")))
}

/// Answers a scenario as `netverdict-scenario` does: policies, identities,
/// endpoints and queries in, maps and verdicts out.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_scenario_answer(
    scenario: netverdict_str,
    buffer: *mut *mut netverdict_buffer,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    call(error, || {
        // SAFETY: by the rules of the ABI.
        let (scenario, out) = unsafe { (read(scenario)?, Out::new(buffer, "buffer")?) };
        out.set(json(&scenario.answer())?);
        Ok(())
    })
}

/// Compiles the endpoints of a scenario that have a policy into a table:
/// subject i is the ith of them, and its identity finds it.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_scenario_compile(
    scenario: netverdict_str,
    image: *mut *mut netverdict_buffer,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    call(error, || {
        // SAFETY: by the rules of the ABI.
        let (scenario, out) = unsafe { (read(scenario)?, Out::new(image, "image")?) };
        let compiled = scenario.prepare().compile();
        let compiled = compiled.map_err(|(subject, e)| {
            Failure::new(NETVERDICT_COMPILE, format!("subject {subject}: {e}"))
        })?;
        out.set(netverdict_buffer::new(compiled));
        Ok(())
    })
}

/// Answers a question about layer 7 in the exchange format, as
/// `netverdict-scenario --l7` does: `kind` is "dns", "http", "sni", "fqdn" or
/// "proxy", and the answer is the question with its answers filled in.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_scenario_layer7(
    kind: netverdict_str,
    question: netverdict_str,
    buffer: *mut *mut netverdict_buffer,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    call(error, || {
        // SAFETY: by the rules of the ABI.
        let (kind, question, out) = unsafe {
            (
                pointer::name(kind, "kind")?,
                pointer::text(question, "question")?,
                Out::new(buffer, "buffer")?,
            )
        };
        let kind = Layer7Kind::parse(kind).ok_or_else(|| {
            let message = format!("there are no questions of kind `{kind}`");
            Failure::new(NETVERDICT_BAD_ARGUMENT, message)
        })?;
        pointer::room(question.len().saturating_mul(READ), "a question")?;
        let answer = kind.answer(question);
        let answer = answer.map_err(|e| Failure::new(NETVERDICT_JSON, format!("question: {e}")))?;
        out.set(netverdict_buffer::new(answer.into_bytes()));
        Ok(())
    })
}
