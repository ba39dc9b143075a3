//! What a commit changes.
//!
//! In: an update. Out: packed arrays, copied.

use crate::call::{Done, call};
use netverdict_ffi::engine as ffi;
use std::ptr::null;

/// Keys to put, their values, keys to delete, of these subjects.
type MapUpdate = (Vec<u32>, Vec<u8>, Vec<u8>, Vec<u8>);
/// Revision, whole, map updates, writes.
pub(crate) type Update = (u64, bool, Vec<MapUpdate>, Vec<(u32, u32, Vec<u8>)>);

/// # Safety
/// There are so many elements of 12 bytes.
pub(crate) unsafe fn packed(data: *const u8, count: usize) -> Vec<u8> {
    if count == 0 {
        return Vec::new();
    }
    // SAFETY: as above.
    unsafe { std::slice::from_raw_parts(data, count * 12) }.to_vec()
}

pub(crate) fn read(handle: *const ffi::update::netverdict_update) -> Done<Update> {
    use ffi::update;
    // SAFETY: the handle is an update, and what it points to lives with it.
    unsafe {
        let mut maps = Vec::new();
        for i in 0..update::netverdict_update_map_count(handle) {
            let mut map = update::netverdict_map_update {
                struct_size: size_of::<update::netverdict_map_update>(),
                subjects: null(),
                subject_count: 0,
                put_keys: null(),
                put_values: null(),
                put_count: 0,
                delete_keys: null(),
                delete_count: 0,
            };
            call(|e| update::netverdict_update_map(handle, i, &raw mut map, e))?;
            let subjects = match map.subject_count {
                0 => Vec::new(),
                count => std::slice::from_raw_parts(map.subjects, count).to_vec(),
            };
            maps.push((
                subjects,
                packed(map.put_keys, map.put_count),
                packed(map.put_values, map.put_count),
                packed(map.delete_keys, map.delete_count),
            ));
        }
        let mut writes = Vec::new();
        for i in 0..update::netverdict_update_write_count(handle) {
            let mut write = update::netverdict_write {
                struct_size: size_of::<update::netverdict_write>(),
                kind: 0,
                at: 0,
                data: null(),
                len: 0,
            };
            call(|e| update::netverdict_update_write(handle, i, &raw mut write, e))?;
            let data = std::slice::from_raw_parts(write.data, write.len).to_vec();
            writes.push((write.kind, write.at, data));
        }
        Ok((
            update::netverdict_update_revision(handle),
            update::netverdict_update_is_whole(handle) != 0,
            maps,
            writes,
        ))
    }
}
