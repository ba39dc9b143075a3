//! Names learned from answers of DNS, with the time of each.
//!
//! In: answers, what connections are alive, and the time. Out: addresses that
//! policies allow by name, from the next commit on. Nothing here reads a clock,
//! and nothing expires but in netverdict_engine_expire_names.

use super::{change, netverdict_engine};
use crate::buffer::netverdict_str;
use crate::error::{Failure, netverdict_error};
use crate::pointer::{self, Sized0};
use crate::status::{NETVERDICT_BAD_ARGUMENT, NETVERDICT_FULL, netverdict_status};
use std::net::IpAddr;

/// An answer of DNS as it passed.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct netverdict_dns_answer {
    /// sizeof(netverdict_dns_answer), set by the caller.
    pub struct_size: usize,
    /// The name that was asked for, whatever names the records have.
    pub name: netverdict_str,
    /// The addresses of all records, as text.
    pub addresses: *const netverdict_str,
    /// How many addresses.
    pub address_count: usize,
    /// Who asked: any number that the caller knows the endpoint by.
    pub endpoint: u64,
    /// When, in milliseconds since any moment the caller likes.
    pub at: u64,
    /// The shortest time to live of all records, in seconds.
    pub ttl: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: it begins with its size; NULL pointers and 0 are values.
unsafe impl Sized0 for netverdict_dns_answer {
    const FIRST: usize = pointer::words(5) + 24;
}
const _: () = assert!(size_of::<netverdict_dns_answer>() == pointer::words(5) + 24);

/// Stages what an answer of DNS says: from the next commit on its addresses are
/// those of the name, until they expire. Apart from what
/// netverdict_engine_set_name says. NETVERDICT_FULL: too much is held, nothing
/// was learned, and the addresses are not allowed.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_learn(
    engine: *mut netverdict_engine,
    answer: *const netverdict_dns_answer,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe {
        change(engine, error, |engine| {
            let given = pointer::read_sized(answer, "answer")?;
            let name = pointer::name(given.name, "answer.name")?;
            let addresses = super::object::addresses(given.addresses, given.address_count)?;
            let names = engine.learned();
            let full = |e| Failure::new(NETVERDICT_FULL, format!("{e}"));
            names
                .answer(given.endpoint, name, &addresses, given.ttl, given.at)
                .map_err(full)?;
            Ok(())
        })
    }
}

/// Says that a connection of the endpoint to an address was seen alive: the
/// address stays allowed though it expired.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_keep_alive(
    engine: *mut netverdict_engine,
    endpoint: u64,
    address: netverdict_str,
    at: u64,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe {
        change(engine, error, |engine| {
            let text = pointer::text(address, "address")?;
            let ip: IpAddr = text.parse().map_err(|_| {
                let message = format!("`{text}` is no address");
                Failure::new(NETVERDICT_BAD_ARGUMENT, message)
            })?;
            engine.learned().alive(endpoint, &ip, at);
            Ok(())
        })
    }
}

/// Says that all connections of the endpoint were looked through, beginning at
/// `at`: those alive were named by netverdict_engine_keep_alive. An address that
/// expired goes with the second call after that which does not find it alive.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_end_keep_alive(
    engine: *mut netverdict_engine,
    endpoint: u64,
    at: u64,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe {
        change(engine, error, |engine| {
            engine.learned().end_of_conntrack_collection(endpoint, at);
            Ok(())
        })
    }
}

/// Says that the endpoint is gone. What it asked for counts until names are
/// expired next.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_forget_names(
    engine: *mut netverdict_engine,
    endpoint: u64,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe {
        change(engine, error, |engine| {
            engine.learned().remove_endpoint(endpoint);
            Ok(())
        })
    }
}

/// Stages that names lose the addresses that expired before `at`. Cilium does
/// this once a minute.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_expire_names(
    engine: *mut netverdict_engine,
    at: u64,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe {
        change(engine, error, |engine| {
            engine.learned().collect(at);
            Ok(())
        })
    }
}
