//! Texts and bytes on their way out.
//!
//! In: strings and vectors. Out: pointers with lengths, and handles that own
//! them. Behind every length stands a 0.

use crate::handle;
use std::ffi::c_char;

/// A text: UTF-8, `len` bytes. One that the library returns has a 0 behind it
/// and none within.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct netverdict_str {
    /// The first byte; may be NULL when len is 0.
    pub data: *const c_char,
    /// How many bytes.
    pub len: usize,
}

impl netverdict_str {
    /// No text.
    pub(crate) const EMPTY: Self = Self {
        data: c"".as_ptr(),
        len: 0,
    };
}

/// Bytes that belong to a handle.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct netverdict_bytes {
    /// The first byte; never NULL when the library returns it.
    pub data: *const u8,
    /// How many bytes.
    pub len: usize,
}

impl netverdict_bytes {
    pub(crate) const EMPTY: Self = Self {
        data: c"".as_ptr().cast(),
        len: 0,
    };

    pub(crate) const fn of(bytes: &[u8]) -> Self {
        Self {
            data: bytes.as_ptr(),
            len: bytes.len(),
        }
    }
}

/// A text with a 0 behind it and none within.
#[derive(Clone, Debug)]
pub(crate) struct Text(Box<[u8]>);

impl Text {
    /// Takes a text; a 0 in it becomes the replacement character.
    pub(crate) fn new(text: &str) -> Self {
        let mut bytes = match text.contains('\0') {
            true => text.replace('\0', "\u{fffd}").into_bytes(),
            false => text.as_bytes().to_vec(),
        };
        bytes.push(0);
        Self(bytes.into())
    }

    pub(crate) fn as_str(&self) -> netverdict_str {
        netverdict_str {
            data: self.0.as_ptr().cast(),
            len: self.0.len().saturating_sub(1),
        }
    }
}

/// Bytes made for the caller: JSON, or an image.
pub struct netverdict_buffer {
    /// With a 0 at the end that does not count.
    bytes: Vec<u8>,
}

impl netverdict_buffer {
    /// Takes bytes.
    #[must_use]
    pub fn new(mut bytes: Vec<u8>) -> Self {
        bytes.push(0);
        Self { bytes }
    }
}

/// The bytes of a buffer, until it is freed. A 0 stands behind them, so that
/// JSON can be used as a C string. Empty for NULL.
///
/// # Safety
/// `buffer` is NULL or a buffer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_buffer_bytes(
    buffer: *const netverdict_buffer,
) -> netverdict_bytes {
    // SAFETY: as above.
    match unsafe { buffer.as_ref() } {
        Some(buffer) => netverdict_bytes {
            data: buffer.bytes.as_ptr(),
            len: buffer.bytes.len().saturating_sub(1),
        },
        None => netverdict_bytes::EMPTY,
    }
}

/// Frees a buffer and sets the pointer to NULL. NULL, or a pointer to NULL, is
/// no mistake.
///
/// # Safety
/// `buffer` is NULL or leads to NULL or a buffer that nothing else uses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_buffer_free(buffer: *mut *mut netverdict_buffer) {
    // SAFETY: as above.
    unsafe { handle::free(buffer) }
}
