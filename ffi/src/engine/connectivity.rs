//! Questions about all of a cluster.
//!
//! In: one engine, or two. Out: who may talk to whom, and what is different, as
//! JSON.

use super::{ask, netverdict_engine, state_of};
use crate::buffer::netverdict_buffer;
use crate::error::{Failure, netverdict_error};
use crate::handle::Out;
use crate::status::{NETVERDICT_BAD_ARGUMENT, NETVERDICT_JSON, netverdict_status};
use netverdict_analysis::json;

/// Every pod by itself, instead of pods of one owner that no policy tells
/// apart together.
pub const NETVERDICT_BY_POD: u32 = 1;
/// Also pairs between which nothing is open.
pub const NETVERDICT_WITH_DENIED: u32 = 2;

/// By pod, and with what is denied.
fn read(flags: u32) -> Result<(bool, bool), Failure> {
    if flags & !(NETVERDICT_BY_POD | NETVERDICT_WITH_DENIED) != 0 {
        let message = format!("`flags` are {flags:#x}, of which some mean nothing");
        return Err(Failure::new(NETVERDICT_BAD_ARGUMENT, message));
    }
    let has = |flag| flags & flag != 0;
    Ok((has(NETVERDICT_BY_POD), has(NETVERDICT_WITH_DENIED)))
}

fn unwritten(error: serde_json::Error) -> Failure {
    Failure::new(NETVERDICT_JSON, error.to_string())
}

/// Who may talk to whom in the whole cluster as of the last commit, with ports,
/// proxies and authentication, egress and ingress taken together: what `netverdict
/// reach -o json` prints. `flags`: NETVERDICT_BY_POD, NETVERDICT_WITH_DENIED.
/// Takes as long as building the cluster anew, and more.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_reach(
    engine: *const netverdict_engine,
    flags: u32,
    buffer: *mut *mut netverdict_buffer,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe {
        ask(engine, error, |engine| {
            let out = Out::new(buffer, "buffer")?;
            let (pods, denied) = read(flags)?;
            let text = json::connectivity(engine.cluster(), pods, denied, false);
            out.set(netverdict_buffer::new(
                text.map_err(unwritten)?.into_bytes(),
            ));
            Ok(())
        })
    }
}

/// Which connections are open in `engine` and not in `old`, or the other way
/// round, or on other terms, with the rules that decide before and now: what
/// `netverdict diff -o json` prints, but for policies without effect. `flags`:
/// NETVERDICT_BY_POD.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_diff(
    engine: *const netverdict_engine,
    old: *const netverdict_engine,
    flags: u32,
    buffer: *mut *mut netverdict_buffer,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe {
        ask(engine, error, |engine| {
            let out = Out::new(buffer, "buffer")?;
            let (pods, denied) = read(flags)?;
            if denied {
                let message = "`flags`: NETVERDICT_WITH_DENIED means nothing here";
                return Err(Failure::new(NETVERDICT_BAD_ARGUMENT, message));
            }
            let old = state_of(old, "old")?;
            let clusters = [old.cluster(), engine.cluster()];
            let text = json::difference(clusters, [old.sources(), engine.sources()], pods);
            out.set(netverdict_buffer::new(
                text.map_err(unwritten)?.into_bytes(),
            ));
            Ok(())
        })
    }
}
