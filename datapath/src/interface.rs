//! Interfaces by name and number.

use crate::error::Error;
use std::ffi::CString;

/// The number of an interface.
pub(crate) fn index_of(interface: &str) -> Result<u32, Error> {
    let what = || format!("the interface {interface}");
    let name = CString::new(interface).map_err(|e| Error::of(what(), e.into()))?;
    // SAFETY: a string that ends with a zero and lives through the call.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(Error::last(what())),
        index => Ok(index),
    }
}

/// The name of an interface; its number where there is none of it.
pub(crate) fn name_of(ifindex: u32) -> String {
    let mut name = [0u8; libc::IF_NAMESIZE];
    // SAFETY: the buffer has the IF_NAMESIZE bytes that the call may write.
    let found = unsafe { libc::if_indextoname(ifindex, name.as_mut_ptr().cast()) };
    if found.is_null() {
        return ifindex.to_string();
    }
    let name: Vec<u8> = name.into_iter().take_while(|b| *b != 0).collect();
    String::from_utf8_lossy(&name).into_owned()
}
