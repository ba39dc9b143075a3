//! What callers point to.
//!
//! In: pointers and lengths. Out: references and slices, or why there are none.

use crate::buffer::netverdict_str;
use crate::error::{Done, Failure};
#[cfg(feature = "engine")]
use crate::status::NETVERDICT_NO_MEMORY;
use crate::status::{
    NETVERDICT_BAD_ARGUMENT, NETVERDICT_NOT_UTF8, NETVERDICT_NULL_ARGUMENT, NETVERDICT_STRUCT_SIZE,
    NETVERDICT_TOO_LARGE,
};
use std::mem::{MaybeUninit, size_of};

/// No struct of this library will ever be larger.
const MOST_STRUCT: usize = 4096;

fn null(name: &str) -> Failure {
    Failure::new(NETVERDICT_NULL_ARGUMENT, format!("`{name}` is NULL"))
}

/// A reference.
///
/// # Errors
/// When the pointer is NULL or misaligned.
///
/// # Safety
/// It is NULL or leads to a `T` that is not written to for `'a`.
pub(crate) unsafe fn reference<'a, T>(pointer: *const T, name: &str) -> Result<&'a T, Failure> {
    aligned(pointer, name)?;
    // SAFETY: it is aligned, and the rest is as above.
    unsafe { pointer.as_ref() }.ok_or_else(|| null(name))
}

/// A reference for changes.
///
/// # Errors
/// When the pointer is NULL or misaligned.
///
/// # Safety
/// It is NULL or leads to a `T` that nothing else uses for `'a`.
pub(crate) unsafe fn mutable<'a, T>(pointer: *mut T, name: &str) -> Result<&'a mut T, Failure> {
    aligned(pointer, name)?;
    // SAFETY: it is aligned, and the rest is as above.
    unsafe { pointer.as_mut() }.ok_or_else(|| null(name))
}

fn aligned<T>(pointer: *const T, name: &str) -> Done {
    if pointer.is_aligned() {
        Ok(())
    } else {
        let message = format!("`{name}` is not aligned");
        Err(Failure::new(NETVERDICT_BAD_ARGUMENT, message))
    }
}

fn length<T>(len: usize, name: &str) -> Done {
    match len.checked_mul(size_of::<T>()) {
        Some(bytes) if isize::try_from(bytes).is_ok() => Ok(()),
        _ => {
            let message = format!("`{name}` cannot have {len} elements");
            Err(Failure::new(NETVERDICT_TOO_LARGE, message))
        }
    }
}

/// A slice.
///
/// # Errors
/// When the pointer is NULL and the length is not 0, or either cannot be.
///
/// # Safety
/// `len` elements may be read there and are not written to for `'a`.
pub(crate) unsafe fn slice<'a, T>(
    pointer: *const T,
    len: usize,
    name: &str,
) -> Result<&'a [T], Failure> {
    if len == 0 {
        return Ok(&[]);
    }
    if pointer.is_null() {
        return Err(null(name));
    }
    aligned(pointer, name)?;
    length::<T>(len, name)?;
    // SAFETY: it is neither NULL nor misaligned nor longer than memory, and the
    // rest is as above.
    Ok(unsafe { std::slice::from_raw_parts(pointer, len) })
}

/// Fails unless so much memory can be had: asked before work whose own requests
/// for memory cannot fail.
///
/// # Errors
/// When there is not so much.
#[cfg(feature = "engine")]
pub(crate) fn room(bytes: usize, what: &str) -> Done {
    let mut probe: Vec<u8> = Vec::new();
    probe.try_reserve_exact(bytes).map_err(|_| {
        let message = format!("no memory for {what}, which may take {bytes} bytes");
        Failure::new(NETVERDICT_NO_MEMORY, message)
    })
}

/// The text of an argument.
///
/// # Errors
/// When there is none, or it is not UTF-8.
///
/// # Safety
/// As [`slice`].
pub(crate) unsafe fn text<'a>(text: netverdict_str, name: &str) -> Result<&'a str, Failure> {
    // SAFETY: as above.
    let bytes = unsafe { slice(text.data.cast::<u8>(), text.len, name) }?;
    std::str::from_utf8(bytes).map_err(|e| {
        let message = format!("`{name}` is not UTF-8: {e}");
        Failure::new(NETVERDICT_NOT_UTF8, message)
    })
}

/// A short text of an argument, which is part of a name: without a 0.
///
/// # Errors
/// As [`text`], and when it contains a 0.
///
/// # Safety
/// As [`slice`].
pub(crate) unsafe fn name<'a>(of: netverdict_str, argument: &str) -> Result<&'a str, Failure> {
    // SAFETY: as above.
    let text = unsafe { text(of, argument) }?;
    if text.contains('\0') {
        let message = format!("`{argument}` contains a 0");
        return Err(Failure::new(NETVERDICT_NOT_UTF8, message));
    }
    Ok(text)
}

/// Where a plain value is to go.
pub(crate) struct Place<T>(*mut T);

impl<T> Place<T> {
    /// Takes an out parameter.
    ///
    /// # Errors
    /// When it is NULL or misaligned.
    ///
    /// # Safety
    /// It is NULL or may be written to while the value lives.
    pub(crate) unsafe fn new(out: *mut T, name: &str) -> Result<Self, Failure> {
        aligned(out, name)?;
        if out.is_null() {
            return Err(null(name));
        }
        Ok(Self(out))
    }

    /// Writes the value.
    pub(crate) fn set(self, value: T) {
        // SAFETY: by the constructor.
        unsafe { self.0.write(value) };
    }
}

/// A struct that begins with its size, and whose other fields may be all 0.
///
/// # Safety
/// The first field is `struct_size: usize`, the type is `repr(C)` without
/// padding that matters, and all zeros are a value of it.
pub(crate) unsafe trait Sized0: Copy {
    /// How large it was in the first version of the ABI that had it.
    const FIRST: usize;
}

fn wrong_size(name: &str, size: usize) -> Failure {
    let message = format!("`{name}` has struct_size {size}, which it never had");
    Failure::new(NETVERDICT_STRUCT_SIZE, message)
}

/// Reads a struct of a caller that may know fewer fields or more.
///
/// # Errors
/// When its size cannot be, or a field that is not known here is not 0.
///
/// # Safety
/// The pointer is NULL or leads to a struct of the size it begins with.
pub(crate) unsafe fn read_sized<T: Sized0>(pointer: *const T, name: &str) -> Result<T, Failure> {
    if pointer.is_null() {
        return Err(null(name));
    }
    aligned(pointer, name)?;
    // SAFETY: whatever its size, it begins with it.
    let size = unsafe { pointer.cast::<usize>().read() };
    if size < T::FIRST || size > MOST_STRUCT {
        return Err(wrong_size(name, size));
    }
    // SAFETY: as above.
    let bytes = unsafe { std::slice::from_raw_parts(pointer.cast::<u8>(), size) };
    let unknown = bytes.get(size_of::<T>()..).unwrap_or_default();
    if unknown.iter().any(|b| *b != 0) {
        let message = format!("`{name}` has fields that this version does not know");
        return Err(Failure::new(NETVERDICT_STRUCT_SIZE, message));
    }
    let mut known = MaybeUninit::<T>::zeroed();
    // SAFETY: at most the size of either is copied, and all zeros are a value.
    unsafe {
        let len = size.min(size_of::<T>());
        std::ptr::copy_nonoverlapping(pointer.cast::<u8>(), known.as_mut_ptr().cast(), len);
        Ok(known.assume_init())
    }
}

/// Writes a struct for a caller that may know fewer fields or more.
///
/// # Errors
/// When its size cannot be.
///
/// # Safety
/// As [`read_sized`], and it may be written to.
pub(crate) unsafe fn write_sized<T: Sized0>(pointer: *mut T, name: &str, value: &T) -> Done {
    if pointer.is_null() {
        return Err(null(name));
    }
    aligned(pointer, name)?;
    // SAFETY: whatever its size, it begins with it.
    let size = unsafe { pointer.cast::<usize>().read() };
    if size < T::FIRST || size > MOST_STRUCT {
        return Err(wrong_size(name, size));
    }
    let own = size_of::<usize>();
    let known = size.min(size_of::<T>());
    // SAFETY: at most the size of either is copied, behind the size, which
    // stays the caller's; the rest of the caller's becomes 0.
    unsafe {
        let to = pointer.cast::<u8>();
        let from = std::ptr::from_ref(value).cast::<u8>();
        std::ptr::copy_nonoverlapping(from.add(own), to.add(own), known - own);
        to.add(known).write_bytes(0, size - known);
    }
    Ok(())
}

/// Bytes of so many pointers or sizes.
pub(crate) const fn words(count: usize) -> usize {
    count * size_of::<usize>()
}
