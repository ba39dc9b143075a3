//! The engine as a handle.
//!
//! In: options. Out: a handle that takes documents and objects
//! ([`change`], [`object`], [`names`], [`proxy`]), answers questions
//! ([`question`], [`policy`]), and keeps a table and its readers up to date
//! ([`update`], [`reader`]).

pub mod change;
pub mod connectivity;
pub mod diagnostics;
pub mod names;
pub mod object;
mod options;
pub mod policy;
pub mod proxy;
pub mod question;
pub mod reader;
pub mod scenario;
mod state;
pub mod update;

use crate::buffer::{netverdict_buffer, netverdict_bytes, netverdict_str};
use crate::error::{Done, Failure, call, caught, netverdict_error};
use crate::handle::{self, Out};
use crate::pointer::{self, Sized0, mutable, reference};
use crate::status::{
    NETVERDICT_JSON, NETVERDICT_PANIC, NETVERDICT_POISONED, NETVERDICT_REFUSED, netverdict_status,
};
use netverdict::diagnostic::Diagnostic;
use netverdict::source::{Sources, Span};
use serde::Serialize;
use state::State;
use std::sync::atomic::{AtomicBool, Ordering};

/// What an engine is made with.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct netverdict_engine_options {
    /// sizeof(netverdict_engine_options), set by the caller.
    pub struct_size: usize,
    /// A JSON object, or empty for Cilium's defaults. Fields, each of which may
    /// be left out: `config` (agent options as in a scenario:
    /// `{"enforcement": "always"}`), `disableICMPFragNeeded`,
    /// `disableClusterNetworkPolicy`, `wellKnownIdentities`, `fixedIdentities`
    /// (number to name), `identityLabels` (which labels make identities),
    /// `localNode` (the node whose agent this is), `names` (DNS names and their
    /// addresses), `defaultNamespace`, `strictness` (whose refusals count:
    /// `agent`, `crds` or `apiserver`), `learning` (how names are learned:
    /// `minTtl` in seconds, `maxAddressesPerName`, `maxZombies`, `idleGrace` in
    /// milliseconds, `maxHeld`).
    pub json: netverdict_str,
    /// Identities as netverdict_engine_save_identities gave them, so that they
    /// keep their numbers; or empty.
    pub identities: netverdict_bytes,
}

// SAFETY: it begins with its size; NULL pointers and 0 are values.
unsafe impl Sized0 for netverdict_engine_options {
    const FIRST: usize = pointer::words(5);
}
const _: () = assert!(size_of::<netverdict_engine_options>() == pointer::words(5));

/// The engine: the objects of a cluster, and what follows from them.
pub struct netverdict_engine {
    state: State,
    /// A call panicked: the state may be anything.
    poisoned: AtomicBool,
}

const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<netverdict_engine>();
};

impl netverdict_engine {
    fn usable(&self) -> Done {
        if self.poisoned.load(Ordering::Acquire) {
            let message = "an earlier call panicked; free this engine and make another one";
            return Err(Failure::new(NETVERDICT_POISONED, message));
        }
        Ok(())
    }

    /// Notes a panic.
    fn after(&self, done: Done) -> Done {
        if done.as_ref().is_err_and(|f| f.status == NETVERDICT_PANIC) {
            self.poisoned.store(true, Ordering::Release);
        }
        done
    }
}

/// A call that changes the engine.
///
/// # Safety
/// By the rules of the ABI.
unsafe fn change(
    engine: *mut netverdict_engine,
    error: *mut *mut netverdict_error,
    body: impl FnOnce(&mut State) -> Done,
) -> netverdict_status {
    call(error, || {
        // SAFETY: by the rules of the ABI.
        let engine = unsafe { mutable(engine, "engine")? };
        engine.usable()?;
        let done = caught(|| body(&mut engine.state));
        engine.after(done)
    })
}

/// A call that only asks.
///
/// # Safety
/// By the rules of the ABI.
unsafe fn ask(
    engine: *const netverdict_engine,
    error: *mut *mut netverdict_error,
    body: impl FnOnce(&State) -> Done,
) -> netverdict_status {
    call(error, || {
        // SAFETY: by the rules of the ABI.
        let engine = unsafe { reference(engine, "engine")? };
        engine.usable()?;
        let done = caught(|| body(&engine.state));
        engine.after(done)
    })
}

/// A diagnostic as a failure.
fn refusal(status: netverdict_status, diagnostic: &Diagnostic, sources: &Sources) -> Failure {
    let source = sources.get(diagnostic.span.source);
    let source = source.filter(|_| diagnostic.span != Span::default());
    let (file, line, column) = source.map_or_else(Default::default, |s| {
        let at = s.position(diagnostic.span.start);
        (s.name().to_owned(), at.line, at.column)
    });
    let help = diagnostic.help.iter().map(|h| format!("; {h}"));
    Failure {
        status,
        message: std::iter::once(diagnostic.message.clone())
            .chain(help)
            .collect(),
        code: diagnostic.code.to_string(),
        file,
        line,
        column,
    }
}

/// JSON for the caller.
/// The state of another engine of a call.
///
/// # Safety
/// By the rules of the ABI.
unsafe fn state_of<'e>(
    engine: *const netverdict_engine,
    name: &'static str,
) -> Result<&'e State, Failure> {
    // SAFETY: by the rules of the ABI.
    let engine = unsafe { reference(engine, name)? };
    engine.usable()?;
    Ok(&engine.state)
}

fn json(value: &impl Serialize) -> Result<netverdict_buffer, Failure> {
    let bytes = serde_json::to_vec(value);
    let bytes = bytes.map_err(|e| Failure::new(NETVERDICT_JSON, e.to_string()))?;
    Ok(netverdict_buffer::new(bytes))
}

/// Makes an engine without objects. `options` may be NULL for the defaults.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_new(
    options: *const netverdict_engine_options,
    engine: *mut *mut netverdict_engine,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    call(error, || {
        // SAFETY: by the rules of the ABI.
        let out = unsafe { Out::new(engine, "engine")? };
        let (mut json, mut identities): (&str, &[u8]) = ("", &[]);
        if !options.is_null() {
            // SAFETY: by the rules of the ABI.
            unsafe {
                let given = pointer::read_sized(options, "options")?;
                json = pointer::text(given.json, "options.json")?;
                let bytes = given.identities;
                identities = pointer::slice(bytes.data, bytes.len, "options.identities")?;
            }
        }
        let options = options::parse(json)?;
        out.set(netverdict_engine {
            state: State::new(options, identities)?,
            poisoned: AtomicBool::new(false),
        });
        Ok(())
    })
}

/// Frees an engine and sets the pointer to NULL. NULL, or a pointer to NULL, is
/// no mistake. Policies, updates, views and readers made with it stay.
///
/// # Safety
/// `engine` is NULL or leads to NULL or an engine that nothing else uses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_free(engine: *mut *mut netverdict_engine) {
    // SAFETY: as above.
    unsafe { handle::free(engine) }
}

/// How many commits there were; 0 for NULL.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_revision(engine: *const netverdict_engine) -> u64 {
    // SAFETY: by the rules of the ABI.
    unsafe { engine.as_ref() }.map_or(0, |e| e.state.revision())
}

/// The numbers of identities, to be handed to the next engine in its options.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_save_identities(
    engine: *const netverdict_engine,
    state: *mut *mut netverdict_buffer,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe {
        ask(engine, error, |engine| {
            let out = Out::new(state, "state")?;
            out.set(netverdict_buffer::new(engine.cluster().identity_state()));
            Ok(())
        })
    }
}

/// Makes an engine panic, for tests of what happens then.
///
/// cbindgen:ignore
///
/// # Safety
/// By the rules of the ABI.
#[cfg(test)]
unsafe fn panic_inside(
    engine: *mut netverdict_engine,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe { change(engine, error, |_| panic!("as the test wants")) }
}

/// The first error of an object that was made of arguments.
fn first_error(found: &[Diagnostic], sources: &Sources) -> Failure {
    let error = found
        .iter()
        .find(|d| d.severity == netverdict::diagnostic::Severity::Error);
    match error {
        Some(diagnostic) => refusal(NETVERDICT_REFUSED, diagnostic, sources),
        None => Failure::new(NETVERDICT_REFUSED, "the object is refused"),
    }
}

#[cfg(test)]
mod tests;
