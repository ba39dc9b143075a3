//! Why a call failed.
//!
//! In: failures of the functions, and panics. Out: a status, and a handle with
//! the particulars for callers who want one.

use crate::buffer::{Text, netverdict_str};
use crate::handle;
use crate::status::{NETVERDICT_OK, NETVERDICT_PANIC, netverdict_status};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Why a call failed.
pub struct netverdict_error {
    status: netverdict_status,
    message: Text,
    code: Text,
    file: Text,
    line: u32,
    column: u32,
}

/// A failure on its way to the caller.
#[derive(Clone, Debug, Default)]
pub struct Failure {
    /// Never [`NETVERDICT_OK`].
    pub status: netverdict_status,
    /// What went wrong.
    pub message: String,
    /// A diagnostic's code, or empty.
    pub code: String,
    /// The text that the failure is about, or empty.
    pub file: String,
    /// Line there, from 1; 0 for none.
    pub line: u32,
    /// Column there, from 1; 0 for none.
    pub column: u32,
}

impl Failure {
    /// A failure with nothing but a message.
    pub fn new(status: netverdict_status, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            ..Self::default()
        }
    }

    fn panic(payload: Box<dyn Any + Send>) -> Self {
        let text = payload.downcast_ref::<&str>().map(|s| (*s).to_owned());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        // What a panic carries may panic again when it is dropped.
        std::mem::forget(payload);
        let text = text.unwrap_or_else(|| "no message".to_owned());
        Self::new(NETVERDICT_PANIC, format!("netverdict panicked: {text}"))
    }

    /// Hands the failure to the caller.
    fn give(self, error: *mut *mut netverdict_error) -> netverdict_status {
        let status = self.status;
        if !error.is_null() {
            let made = netverdict_error {
                status,
                message: Text::new(&self.message),
                code: Text::new(&self.code),
                file: Text::new(&self.file),
                line: self.line,
                column: self.column,
            };
            // SAFETY: it is not NULL, so by the rules it may be written to.
            unsafe { error.write(Box::into_raw(Box::new(made))) };
        }
        status
    }
}

/// What a function does, without the caller.
pub type Done = Result<(), Failure>;

/// Runs what may panic.
pub(crate) fn caught(body: impl FnOnce() -> Done) -> Done {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| Err(Failure::panic(payload)))
}

/// The boundary of every function that can fail: no panic leaves it.
pub(crate) fn call(
    error: *mut *mut netverdict_error,
    body: impl FnOnce() -> Done,
) -> netverdict_status {
    match caught(body) {
        Ok(()) => NETVERDICT_OK,
        Err(failure) => failure.give(error),
    }
}

/// The boundary of a function that cannot fail.
pub(crate) fn value<T>(otherwise: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| {
        std::mem::forget(payload);
        otherwise
    })
}

/// Frees an error and sets the pointer to NULL. NULL, or a pointer to NULL, is
/// no mistake.
///
/// # Safety
/// `error` is NULL or leads to NULL or an error that nothing else uses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_error_free(error: *mut *mut netverdict_error) {
    // SAFETY: as above.
    unsafe { handle::free(error) }
}

/// The status of the call that failed; NETVERDICT_OK for NULL.
///
/// # Safety
/// `error` is NULL or an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_error_status(
    error: *const netverdict_error,
) -> netverdict_status {
    // SAFETY: as above.
    unsafe { error.as_ref() }.map_or(NETVERDICT_OK, |e| e.status)
}

/// What went wrong, in words; empty for NULL.
///
/// # Safety
/// `error` is NULL or an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_error_message(
    error: *const netverdict_error,
) -> netverdict_str {
    // SAFETY: as above.
    unsafe { error.as_ref() }.map_or(netverdict_str::EMPTY, |e| e.message.as_str())
}

/// The code of the diagnostic behind the failure, like "NV0620"
/// (docs/diagnostics.md); empty when there is none.
///
/// # Safety
/// `error` is NULL or an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_error_code(error: *const netverdict_error) -> netverdict_str {
    // SAFETY: as above.
    unsafe { error.as_ref() }.map_or(netverdict_str::EMPTY, |e| e.code.as_str())
}

/// The name of the document that the failure is about; empty for none.
///
/// # Safety
/// `error` is NULL or an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_error_file(error: *const netverdict_error) -> netverdict_str {
    // SAFETY: as above.
    unsafe { error.as_ref() }.map_or(netverdict_str::EMPTY, |e| e.file.as_str())
}

/// The line there, counted from 1; 0 for none.
///
/// # Safety
/// `error` is NULL or an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_error_line(error: *const netverdict_error) -> u32 {
    // SAFETY: as above.
    unsafe { error.as_ref() }.map_or(0, |e| e.line)
}

/// The column there, in characters counted from 1; 0 for none.
///
/// # Safety
/// `error` is NULL or an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_error_column(error: *const netverdict_error) -> u32 {
    // SAFETY: as above.
    unsafe { error.as_ref() }.map_or(0, |e| e.column)
}
