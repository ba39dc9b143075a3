//! Handles: boxes that callers hold.
//!
//! In: values, and pointers that were handles. Out: pointers, and freed
//! memory.

use crate::error::{Failure, value};
use crate::status::NETVERDICT_NULL_ARGUMENT;

/// Where a handle is to go.
pub(crate) struct Out<T>(*mut *mut T);

impl<T> Out<T> {
    /// Takes an out parameter.
    ///
    /// # Errors
    /// When it is NULL.
    ///
    /// # Safety
    /// It is NULL or may be written to while the value lives.
    pub(crate) unsafe fn new(out: *mut *mut T, name: &str) -> Result<Self, Failure> {
        if out.is_null() {
            let message = format!("`{name}` is NULL");
            return Err(Failure::new(NETVERDICT_NULL_ARGUMENT, message));
        }
        Ok(Self(out))
    }

    /// Takes an out parameter that may be NULL.
    ///
    /// # Safety
    /// As [`Self::new`].
    pub(crate) const unsafe fn optional(out: *mut *mut T) -> Self {
        Self(out)
    }

    /// Hands a handle to the caller, if there is somebody to take it.
    pub(crate) fn set(self, made: T) {
        if !self.0.is_null() {
            // SAFETY: by the constructors.
            unsafe { self.0.write(Box::into_raw(Box::new(made))) };
        }
    }
}

/// Frees a handle and forgets it.
///
/// # Safety
/// `handle` is NULL or leads to NULL or to what [`Out::set`] made, which nothing
/// else uses.
pub(crate) unsafe fn free<T>(handle: *mut *mut T) {
    // SAFETY: as above.
    let Some(slot) = (unsafe { handle.as_mut() }) else {
        return;
    };
    let taken = std::mem::replace(slot, std::ptr::null_mut());
    if !taken.is_null() {
        // SAFETY: it came from `Box::into_raw`, and the only pointer to it that
        // the rules allow is overwritten.
        let boxed = unsafe { Box::from_raw(taken) };
        value((), || drop(boxed));
    }
}
