//! Calls of the library, and why one failed.
//!
//! In: functions of the C ABI. Out: values, and failures in Rust's types, which
//! become exceptions where the interpreter is held.

use netverdict_ffi::buffer::{
    netverdict_buffer, netverdict_buffer_bytes, netverdict_buffer_free, netverdict_str,
};
use netverdict_ffi::engine::diagnostics::{
    netverdict_diagnostics, netverdict_diagnostics_free, netverdict_diagnostics_json,
};
use netverdict_ffi::engine::object::netverdict_label;
use netverdict_ffi::error::{self, netverdict_error};
use netverdict_ffi::status::{NETVERDICT_OK, netverdict_status, netverdict_status_name};
use pyo3::prelude::*;
use std::ffi::CStr;
use std::ptr::null_mut;

/// A failure in Rust's types: made without the interpreter.
pub(crate) struct Failure {
    status: netverdict_status,
    message: String,
    code: String,
    file: String,
    line: u32,
    column: u32,
}

pub(crate) type Done<T> = Result<T, Failure>;

pub(crate) fn owned(text: netverdict_str) -> String {
    // SAFETY: the library returns texts with their lengths.
    let bytes = unsafe { std::slice::from_raw_parts(text.data.cast::<u8>(), text.len) };
    String::from_utf8_lossy(bytes).into_owned()
}

impl Failure {
    /// Takes a failure over from the library.
    pub(crate) fn take(status: netverdict_status, mut handle: *mut netverdict_error) -> Self {
        // SAFETY: the handle is an error or NULL, and freed once.
        unsafe {
            let failure = Self {
                status,
                message: owned(error::netverdict_error_message(handle)),
                code: owned(error::netverdict_error_code(handle)),
                file: owned(error::netverdict_error_file(handle)),
                line: error::netverdict_error_line(handle),
                column: error::netverdict_error_column(handle),
            };
            error::netverdict_error_free(&raw mut handle);
            failure
        }
    }

    /// As an exception: `netverdict.Error`.
    pub(crate) fn raise(self, py: Python<'_>) -> PyErr {
        // SAFETY: names of statuses are there for ever.
        let name = unsafe { CStr::from_ptr(netverdict_status_name(self.status)) };
        let name = name.to_string_lossy().into_owned();
        let message = match self.message.is_empty() {
            true => name.clone(),
            false => self.message,
        };
        let arguments = (message, name, self.code, self.file, self.line, self.column);
        let class = py
            .import("netverdict._error")
            .and_then(|m| m.getattr("Error"));
        match class.and_then(|c| c.call1(arguments)) {
            Ok(value) => PyErr::from_value(value),
            Err(error) => error,
        }
    }
}

/// Calls a function of the library.
pub(crate) fn call(f: impl FnOnce(*mut *mut netverdict_error) -> netverdict_status) -> Done<()> {
    let mut error = null_mut();
    match f(&raw mut error) {
        NETVERDICT_OK => Ok(()),
        status => Err(Failure::take(status, error)),
    }
}

/// Calls a function of the library that makes a buffer.
pub(crate) fn buffer(
    f: impl FnOnce(*mut *mut netverdict_buffer, *mut *mut netverdict_error) -> netverdict_status,
) -> Done<Vec<u8>> {
    let mut buffer = null_mut();
    call(|error| f(&raw mut buffer, error))?;
    // SAFETY: it was made just now, and is freed once.
    unsafe {
        let bytes = netverdict_buffer_bytes(buffer);
        let copy = std::slice::from_raw_parts(bytes.data, bytes.len).to_vec();
        netverdict_buffer_free(&raw mut buffer);
        Ok(copy)
    }
}

/// Calls a function of the library that makes diagnostics; returns their JSON.
pub(crate) fn diagnostics(
    f: impl FnOnce(*mut *mut netverdict_diagnostics, *mut *mut netverdict_error) -> netverdict_status,
) -> Done<Vec<u8>> {
    let mut found = null_mut();
    call(|error| f(&raw mut found, error))?;
    // SAFETY: they were made just now, and are freed once.
    unsafe {
        let json = buffer(|out, error| netverdict_diagnostics_json(found, out, error));
        netverdict_diagnostics_free(&raw mut found);
        json
    }
}

pub(crate) fn text(of: &str) -> netverdict_str {
    netverdict_str {
        data: of.as_ptr().cast(),
        len: of.len(),
    }
}

pub(crate) fn labels(pairs: &[(String, String)]) -> Vec<netverdict_label> {
    let label = |(key, value): &(String, String)| netverdict_label {
        key: text(key),
        value: text(value),
    };
    pairs.iter().map(label).collect()
}

pub(crate) fn texts(list: &[String]) -> Vec<netverdict_str> {
    list.iter().map(|s| text(s)).collect()
}

/// A handle that any thread may use, under the lock beside it.
pub(crate) struct Shared<T>(pub(crate) *mut T);

// SAFETY: engines and views may be used by any thread; the lock keeps changes
// apart from everything else.
unsafe impl<T> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Shared<T> {}

pub(crate) type Pairs = Vec<(String, String)>;
