//! Numbers in bytes, little-endian on every host.
//!
//! Two ways to read: the functions check bounds and serve whoever checks an
//! image; [`Checked`] does not and serves lookups in an image that was checked.

use crate::layout::ENTRY_LEN;
use crate::lookup::Memory;

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

/// The number of `len` bytes at `at`, at most eight; 0 beyond the end.
pub(crate) fn get_upto_u64(b: &[u8], at: usize, len: usize) -> u64 {
    let from = at..at.saturating_add(len.min(8));
    let mut word = [0; 8];
    for (to, from) in word.iter_mut().zip(b.get(from).unwrap_or(&[])) {
        *to = *from;
    }
    u64::from_le_bytes(word)
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

/// The bytes of a checked image, as lookups read them: without bounds.
///
/// Invariant of whoever makes one: it is asked only for what `check` looked
/// at, in an image that `check` accepted (or that the caller of
/// `View::new_unchecked` vouches for) and that nobody writes to.
#[derive(Clone, Copy)]
pub(crate) struct Checked<'a>(&'a [u8]);

impl<'a> Checked<'a> {
    /// Takes bytes as checked.
    ///
    /// # Safety
    /// The invariant above holds for every use of what is returned.
    pub(crate) const unsafe fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    #[inline(always)]
    fn load<const N: usize>(self, at: usize) -> [u8; N] {
        debug_assert!(at.checked_add(N).is_some_and(|end| end <= self.0.len()));
        // SAFETY: by the invariant `at + N` is at most the length of the
        // slice, which is valid for reads; an array of bytes has alignment 1.
        unsafe { self.0.as_ptr().add(at).cast::<[u8; N]>().read() }
    }
}

impl Memory for Checked<'_> {
    #[inline(always)]
    fn u8(self, at: usize) -> u32 {
        let [b] = self.load(at);
        u32::from(b)
    }

    #[inline(always)]
    fn u8_of(self, at: usize, early: usize, later: usize) -> u32 {
        debug_assert!(at + early + later < self.0.len());
        // SAFETY: by the invariant the sum of all three is below the length of
        // the slice, which is valid for reads, and so are the sums before it.
        u32::from(unsafe { *self.0.as_ptr().add(at).add(early).add(later) })
    }

    #[inline(always)]
    fn u16(self, at: usize) -> u32 {
        u32::from(u16::from_le_bytes(self.load(at)))
    }

    #[inline(always)]
    fn u32(self, at: usize) -> u32 {
        u32::from_le_bytes(self.load(at))
    }

    #[inline(always)]
    fn changing_u16(self, at: usize) -> u32 {
        self.u16(at)
    }

    #[inline(always)]
    fn changing_u64(self, at: usize) -> u64 {
        u64::from_le_bytes(self.load(at))
    }

    #[inline(always)]
    fn entry(self, at: usize) -> [u8; ENTRY_LEN] {
        self.load(at)
    }
}
