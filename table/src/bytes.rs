//! Numbers in bytes, little-endian on every host.
//!
//! Two ways to read: the functions check bounds and serve whoever checks an
//! image; the methods of [`Bytes`] are `unsafe` and serve lookups in an image
//! that was checked.

/// The `u16` at `at`; 0 beyond the end.
pub(crate) fn get_u16(b: &[u8], at: usize) -> u16 {
    fixed::<2>(b, at).map_or(0, u16::from_le_bytes)
}

/// The `u32` at `at`; 0 beyond the end.
pub(crate) fn get_u32(b: &[u8], at: usize) -> u32 {
    fixed::<4>(b, at).map_or(0, u32::from_le_bytes)
}

/// The `u64` at `at`; 0 beyond the end.
pub(crate) fn get_u64(b: &[u8], at: usize) -> u64 {
    fixed::<8>(b, at).map_or(0, u64::from_le_bytes)
}

/// `N` bytes at `at`, if they are there.
pub(crate) fn fixed<const N: usize>(b: &[u8], at: usize) -> Option<[u8; N]> {
    b.get(at..)?.first_chunk().copied()
}

/// Writes bytes where there is room for them.
pub(crate) fn put(b: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(to) = b.get_mut(at..at + bytes.len()) {
        to.copy_from_slice(bytes);
    }
}

/// The bytes of an image as lookups read them.
#[derive(Clone, Copy)]
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl Bytes<'_> {
    /// `N` bytes at `at`.
    ///
    /// # Safety
    /// `at + N` is at most the length.
    #[inline(always)]
    pub(crate) unsafe fn load<const N: usize>(self, at: usize) -> [u8; N] {
        debug_assert!(at.checked_add(N).is_some_and(|end| end <= self.0.len()));
        // SAFETY: the caller keeps `at + N` within the slice, which is valid
        // for reads of its whole length; an array of bytes has alignment 1.
        unsafe { self.0.as_ptr().add(at).cast::<[u8; N]>().read() }
    }

    /// The byte at `at`.
    ///
    /// # Safety
    /// `at` is below the length.
    #[inline(always)]
    pub(crate) unsafe fn u8(self, at: usize) -> u32 {
        // SAFETY: as the caller promises.
        let [b] = unsafe { self.load(at) };
        u32::from(b)
    }

    /// The `u16` at `at`.
    ///
    /// # Safety
    /// `at + 2` is at most the length.
    #[inline(always)]
    pub(crate) unsafe fn u16(self, at: usize) -> u32 {
        // SAFETY: as the caller promises.
        u32::from(u16::from_le_bytes(unsafe { self.load(at) }))
    }

    /// Number `i` of an array at `at`, of 8 or 16 bits.
    ///
    /// # Safety
    /// The element lies within the length.
    #[inline(always)]
    pub(crate) unsafe fn either(self, wide: bool, at: usize, i: usize) -> u32 {
        if wide {
            // SAFETY: as the caller promises.
            unsafe { self.u16(at + i * 2) }
        } else {
            // SAFETY: as the caller promises.
            unsafe { self.u8(at + i) }
        }
    }
}
