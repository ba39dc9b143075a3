//! What a commit changes.
//!
//! In: an update of the published table. Out: packed arrays for maps in the
//! kernel, and writes for copies of the image.

use crate::error::{Failure, call, netverdict_error};
use crate::handle;
use crate::pointer::{self, Sized0, reference};
use crate::status::{NETVERDICT_NOT_FOUND, netverdict_status};
use netverdict::compile::{MapChange, MapUpdate, Update};
use netverdict::policy_map::key_to_bytes;
use netverdict_table::Write;

/// Kind of a write: bytes that nothing leads to yet; any way of copying will do.
pub const NETVERDICT_WRITE_BYTES: u32 = 0;
/// Kind of a write: two bytes, as one aligned store after all writes before.
pub const NETVERDICT_WRITE_WORD16: u32 = 1;
/// Kind of a write: eight bytes, as one aligned store after all writes before.
pub const NETVERDICT_WRITE_WORD64: u32 = 2;
/// Kind of a write: a whole image takes the place of the present one.
pub const NETVERDICT_WRITE_REPLACE: u32 = 3;

/// One step of bringing a copy of the image up to date.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct netverdict_write {
    /// sizeof(netverdict_write), set by the caller.
    pub struct_size: usize,
    /// NETVERDICT_WRITE_*.
    pub kind: u32,
    /// Offset from the start of the image.
    pub at: u32,
    /// What to write there, in the bytes of the image. Lives as long as the
    /// update.
    pub data: *const u8,
    /// How many bytes.
    pub len: usize,
}

// SAFETY: it begins with its size; it is only written.
unsafe impl Sized0 for netverdict_write {
    const FIRST: usize = pointer::words(3) + 8;
}
const _: () = assert!(size_of::<netverdict_write>() == pointer::words(3) + 8);

/// What is to be done to the policy map of each of some subjects: first put
/// `put_count` keys with their values, then delete `delete_count` keys. The
/// arrays are packed, 12 bytes an element, in the layout of Cilium's
/// `struct policy_key` and `struct policy_entry`, and live as long as the
/// update.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct netverdict_map_update {
    /// sizeof(netverdict_map_update), set by the caller.
    pub struct_size: usize,
    /// The subjects, as the table numbers them.
    pub subjects: *const u32,
    /// How many subjects.
    pub subject_count: usize,
    /// Keys to put.
    pub put_keys: *const u8,
    /// Their values.
    pub put_values: *const u8,
    /// How many.
    pub put_count: usize,
    /// Keys to delete.
    pub delete_keys: *const u8,
    /// How many.
    pub delete_count: usize,
}

// SAFETY: it begins with its size; it is only written.
unsafe impl Sized0 for netverdict_map_update {
    const FIRST: usize = pointer::words(8);
}
const _: () = assert!(size_of::<netverdict_map_update>() == pointer::words(8));

/// What became of a commit.
pub(super) struct Committed {
    pub(super) revision: u64,
    pub(super) readers_follow: bool,
    pub(super) update: Update,
}

struct Maps {
    subjects: Vec<u32>,
    put_keys: Vec<u8>,
    put_values: Vec<u8>,
    delete_keys: Vec<u8>,
}

impl From<MapUpdate> for Maps {
    fn from(update: MapUpdate) -> Self {
        let mut maps = Self {
            subjects: update.subjects,
            put_keys: Vec::new(),
            put_values: Vec::new(),
            delete_keys: Vec::new(),
        };
        for change in update.changes {
            match change {
                MapChange::Add(key, value) | MapChange::Update(key, value) => {
                    maps.put_keys.extend(key_to_bytes(&key));
                    maps.put_values.extend(value);
                }
                MapChange::Delete(key) => maps.delete_keys.extend(key_to_bytes(&key)),
            }
        }
        maps
    }
}

/// A write with its bytes at hand.
struct Step {
    kind: u32,
    at: u32,
    bytes: Vec<u8>,
}

impl From<Write> for Step {
    fn from(write: Write) -> Self {
        let (kind, at, bytes) = match write {
            Write::Bytes { at, bytes } => (NETVERDICT_WRITE_BYTES, at, bytes),
            Write::Word16 { at, value } => {
                (NETVERDICT_WRITE_WORD16, at, value.to_le_bytes().to_vec())
            }
            Write::Word64 { at, value } => {
                (NETVERDICT_WRITE_WORD64, at, value.to_le_bytes().to_vec())
            }
            Write::Replace { image } => (NETVERDICT_WRITE_REPLACE, 0, image),
        };
        Self { kind, at, bytes }
    }
}

/// What a commit changes.
pub struct netverdict_update {
    revision: u64,
    whole: bool,
    readers_follow: bool,
    maps: Vec<Maps>,
    steps: Vec<Step>,
}

impl netverdict_update {
    pub(super) fn new(committed: Committed) -> Self {
        Self {
            revision: committed.revision,
            whole: committed.update.whole,
            readers_follow: committed.readers_follow,
            maps: committed.update.maps.into_iter().map(Maps::from).collect(),
            steps: committed
                .update
                .writes
                .into_iter()
                .map(Step::from)
                .collect(),
        }
    }
}

/// The engine's revision after the commit; 0 for NULL.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_update_revision(update: *const netverdict_update) -> u64 {
    // SAFETY: by the rules of the ABI.
    unsafe { update.as_ref() }.map_or(0, |u| u.revision)
}

/// 1 when the table began anew and may have given subjects other numbers:
/// policy maps are to be emptied, the map updates hold every entry. Else 0.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_update_is_whole(update: *const netverdict_update) -> u32 {
    // SAFETY: by the rules of the ABI.
    unsafe { update.as_ref() }.map_or(0, |u| u.whole.into())
}

/// 0 when readers of the engine stay with an older table, because some of them
/// have not renewed through several whole new images; a later commit brings them
/// up to date. Else 1.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_update_readers_follow(update: *const netverdict_update) -> u32 {
    // SAFETY: by the rules of the ABI.
    unsafe { update.as_ref() }.map_or(0, |u| u.readers_follow.into())
}

/// How many map updates there are; 0 for NULL.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_update_map_count(update: *const netverdict_update) -> usize {
    // SAFETY: by the rules of the ABI.
    unsafe { update.as_ref() }.map_or(0, |u| u.maps.len())
}

/// How many writes there are; 0 for NULL.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_update_write_count(update: *const netverdict_update) -> usize {
    // SAFETY: by the rules of the ABI.
    unsafe { update.as_ref() }.map_or(0, |u| u.steps.len())
}

fn nth<'u, T>(all: &'u [T], index: usize, what: &str) -> Result<&'u T, Failure> {
    all.get(index).ok_or_else(|| {
        let message = format!("there are {} {what}", all.len());
        Failure::new(NETVERDICT_NOT_FOUND, message)
    })
}

/// One of the map updates, counted from 0; `map` has its struct_size set.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_update_map(
    update: *const netverdict_update,
    index: usize,
    map: *mut netverdict_map_update,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    call(error, || {
        // SAFETY: by the rules of the ABI.
        let maps = nth(unsafe { &reference(update, "update")?.maps }, index, "maps")?;
        let told = netverdict_map_update {
            struct_size: 0,
            subjects: maps.subjects.as_ptr(),
            subject_count: maps.subjects.len(),
            put_keys: maps.put_keys.as_ptr(),
            put_values: maps.put_values.as_ptr(),
            put_count: maps.put_keys.len() / 12,
            delete_keys: maps.delete_keys.as_ptr(),
            delete_count: maps.delete_keys.len() / 12,
        };
        // SAFETY: by the rules of the ABI.
        unsafe { pointer::write_sized(map, "map", &told) }
    })
}

/// One of the writes, counted from 0, in the order they have to happen;
/// `write` has its struct_size set.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_update_write(
    update: *const netverdict_update,
    index: usize,
    write: *mut netverdict_write,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    call(error, || {
        // SAFETY: by the rules of the ABI.
        let steps = unsafe { &reference(update, "update")?.steps };
        let step = nth(steps, index, "writes")?;
        let told = netverdict_write {
            struct_size: 0,
            kind: step.kind,
            at: step.at,
            data: step.bytes.as_ptr(),
            len: step.bytes.len(),
        };
        // SAFETY: by the rules of the ABI.
        unsafe { pointer::write_sized(write, "write", &told) }
    })
}

/// Frees an update and sets the pointer to NULL. NULL, or a pointer to NULL, is
/// no mistake.
///
/// # Safety
/// `update` is NULL or leads to NULL or an update that nothing else uses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_update_free(update: *mut *mut netverdict_update) {
    // SAFETY: as above.
    unsafe { handle::free(update) }
}
