//! Statuses: 0, or a number for each way to fail.
//!
//! In: nothing. Out: constants and their names. Numbers are never reused.

use std::ffi::{CStr, c_char};

/// What became of a call: NETVERDICT_OK, or why it failed.
pub type netverdict_status = i32;

/// Number of the ABI; see docs/c-abi.md.
pub const NETVERDICT_ABI_VERSION: u32 = 0;

/// Success.
pub const NETVERDICT_OK: netverdict_status = 0;
/// A pointer that must not be NULL is.
pub const NETVERDICT_NULL_ARGUMENT: netverdict_status = 1000;
/// A bug of netverdict: it panicked. The handle is poisoned now.
pub const NETVERDICT_PANIC: netverdict_status = 1001;
/// An earlier call panicked, and left the handle in no state to be used.
pub const NETVERDICT_POISONED: netverdict_status = 1002;
/// There is not enough memory.
pub const NETVERDICT_NO_MEMORY: netverdict_status = 1003;
/// A length or count is greater than anything that can be.
pub const NETVERDICT_TOO_LARGE: netverdict_status = 1004;
/// The struct_size of a struct is none that it ever had, or fields that this
/// version does not know are not 0.
pub const NETVERDICT_STRUCT_SIZE: netverdict_status = 1005;
/// An argument has no meaning: a direction above 1, a misaligned array, …
pub const NETVERDICT_BAD_ARGUMENT: netverdict_status = 1006;
/// There is nothing of that name or number.
pub const NETVERDICT_NOT_FOUND: netverdict_status = 1007;
/// As much is held as may be; nothing was taken.
pub const NETVERDICT_FULL: netverdict_status = 1008;
/// A text is not UTF-8, or contains a 0.
pub const NETVERDICT_NOT_UTF8: netverdict_status = 1100;
/// JSON that cannot be read, or has fields that do not exist.
pub const NETVERDICT_JSON: netverdict_status = 1101;
/// One end of a flow names nothing, or several things.
pub const NETVERDICT_PEER: netverdict_status = 1102;
/// An object made of arguments is refused, as it would be in a cluster.
pub const NETVERDICT_REFUSED: netverdict_status = 1103;
/// A policy does not fit into a table. The last good table stays in force, and
/// the next commit that succeeds makes a whole one.
pub const NETVERDICT_COMPILE: netverdict_status = 1200;
/// Rules contradict each other: there is no policy of them.
pub const NETVERDICT_NO_POLICY: netverdict_status = 1201;
/// Bytes that should be saved identities are not.
pub const NETVERDICT_IDENTITY_STATE: netverdict_status = 1202;
/// Fewer bytes than the table says it has.
pub const NETVERDICT_TABLE_SHORT: netverdict_status = 1300;
/// Bytes that are no table: the magic number is missing.
pub const NETVERDICT_TABLE_MAGIC: netverdict_status = 1301;
/// A table for later readers.
pub const NETVERDICT_TABLE_FORMAT: netverdict_status = 1302;
/// A damaged table: its content is not what its hash was computed of.
pub const NETVERDICT_TABLE_HASH: netverdict_status = 1303;
/// A damaged or malicious table: an offset or a number is out of its range.
pub const NETVERDICT_TABLE_DAMAGED: netverdict_status = 1304;

/// Every status with the name of its constant.
/// cbindgen:ignore
pub const ALL: [(netverdict_status, &CStr); 22] = [
    (NETVERDICT_OK, c"NETVERDICT_OK"),
    (NETVERDICT_NULL_ARGUMENT, c"NETVERDICT_NULL_ARGUMENT"),
    (NETVERDICT_PANIC, c"NETVERDICT_PANIC"),
    (NETVERDICT_POISONED, c"NETVERDICT_POISONED"),
    (NETVERDICT_NO_MEMORY, c"NETVERDICT_NO_MEMORY"),
    (NETVERDICT_TOO_LARGE, c"NETVERDICT_TOO_LARGE"),
    (NETVERDICT_STRUCT_SIZE, c"NETVERDICT_STRUCT_SIZE"),
    (NETVERDICT_BAD_ARGUMENT, c"NETVERDICT_BAD_ARGUMENT"),
    (NETVERDICT_NOT_FOUND, c"NETVERDICT_NOT_FOUND"),
    (NETVERDICT_FULL, c"NETVERDICT_FULL"),
    (NETVERDICT_NOT_UTF8, c"NETVERDICT_NOT_UTF8"),
    (NETVERDICT_JSON, c"NETVERDICT_JSON"),
    (NETVERDICT_PEER, c"NETVERDICT_PEER"),
    (NETVERDICT_REFUSED, c"NETVERDICT_REFUSED"),
    (NETVERDICT_COMPILE, c"NETVERDICT_COMPILE"),
    (NETVERDICT_NO_POLICY, c"NETVERDICT_NO_POLICY"),
    (NETVERDICT_IDENTITY_STATE, c"NETVERDICT_IDENTITY_STATE"),
    (NETVERDICT_TABLE_SHORT, c"NETVERDICT_TABLE_SHORT"),
    (NETVERDICT_TABLE_MAGIC, c"NETVERDICT_TABLE_MAGIC"),
    (NETVERDICT_TABLE_FORMAT, c"NETVERDICT_TABLE_FORMAT"),
    (NETVERDICT_TABLE_HASH, c"NETVERDICT_TABLE_HASH"),
    (NETVERDICT_TABLE_DAMAGED, c"NETVERDICT_TABLE_DAMAGED"),
];

/// The name of a status, like "NETVERDICT_OK"; "unknown" for a number that is
/// none. Never NULL, and valid for ever.
#[unsafe(no_mangle)]
pub extern "C" fn netverdict_status_name(status: netverdict_status) -> *const c_char {
    let known = ALL.iter().find(|(number, _)| *number == status);
    known.map_or(c"unknown", |(_, name)| name).as_ptr()
}

/// NETVERDICT_ABI_VERSION of the library, to compare with that of the header.
#[unsafe(no_mangle)]
pub extern "C" fn netverdict_abi_version() -> u32 {
    NETVERDICT_ABI_VERSION
}

/// The version of the library, like "0.1.0". Never NULL, and valid for ever.
#[unsafe(no_mangle)]
pub extern "C" fn netverdict_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}
