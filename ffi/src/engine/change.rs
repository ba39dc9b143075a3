//! Documents, and commits.
//!
//! In: texts by name. Out: diagnostics, and updates.

use super::diagnostics::netverdict_diagnostics;
use super::state::Name;
use super::update::netverdict_update;
use super::{ask, change, netverdict_engine};
use crate::buffer::netverdict_str;
use crate::error::netverdict_error;
use crate::handle::Out;
use crate::pointer;
use crate::status::netverdict_status;

/// Stages a document: YAML or JSON with any number of Kubernetes objects. What
/// a document of that name held is replaced. Objects that a cluster would refuse
/// are left out, and diagnostics say why. `diagnostics` may be NULL.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_apply(
    engine: *mut netverdict_engine,
    name: netverdict_str,
    text: netverdict_str,
    diagnostics: *mut *mut netverdict_diagnostics,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe {
        change(engine, error, |engine| {
            let out = Out::optional(diagnostics);
            let name = pointer::name(name, "name")?;
            let text = pointer::text(text, "text")?;
            let found = engine.stage(Name::Given(name.to_owned()), text)?;
            out.set(netverdict_diagnostics::new(&found, engine.sources()));
            Ok(())
        })
    }
}

/// Stages that a document goes, with all its objects. NETVERDICT_NOT_FOUND when
/// there is none of that name.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_remove(
    engine: *mut netverdict_engine,
    name: netverdict_str,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe {
        change(engine, error, |engine| {
            let name = pointer::name(name, "name")?;
            engine.unstage(Name::Given(name.to_owned()))
        })
    }
}

/// Says what there is to say about a document, without taking it.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_check(
    engine: *const netverdict_engine,
    name: netverdict_str,
    text: netverdict_str,
    diagnostics: *mut *mut netverdict_diagnostics,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe {
        ask(engine, error, |engine| {
            let out = Out::new(diagnostics, "diagnostics")?;
            let name = pointer::name(name, "name")?;
            let (found, sources) = engine.check(name, pointer::text(text, "text")?)?;
            out.set(netverdict_diagnostics::new(&found, &sources));
            Ok(())
        })
    }
}

/// Applies all that is staged, and brings the table and its readers up to date.
/// `update`, which may be NULL, gets what is to be done to policy maps and
/// copies of the image. NETVERDICT_COMPILE: the changes are taken, and questions
/// are answered by them, but a policy does not fit into a table.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_commit(
    engine: *mut netverdict_engine,
    update: *mut *mut netverdict_update,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe {
        change(engine, error, |engine| {
            let out = Out::optional(update);
            out.set(netverdict_update::new(engine.commit()?));
            Ok(())
        })
    }
}

/// What there is to say about how the committed objects fit together; none of
/// it refuses anything.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_remarks(
    engine: *const netverdict_engine,
    diagnostics: *mut *mut netverdict_diagnostics,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe {
        ask(engine, error, |engine| {
            let out = Out::new(diagnostics, "diagnostics")?;
            let found = engine.cluster().diagnostics();
            out.set(netverdict_diagnostics::new(found, engine.sources()));
            Ok(())
        })
    }
}

/// Numbers of subjects that are gone may be given to others from now on: nobody
/// uses an image or a policy map any more that is older than the last commit.
/// Without this call numbers are never used again.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_end_grace_period(
    engine: *mut netverdict_engine,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe {
        change(engine, error, |engine| {
            engine.end_grace_period();
            Ok(())
        })
    }
}
