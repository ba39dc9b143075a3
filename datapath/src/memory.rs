//! The value of an array map as memory that a BPF program reads.
//!
//! Every access is atomic: the program reads while we write.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

/// Memory shared with BPF programs.
///
/// ```
/// use netverdict_datapath::{Memory, TableMap};
///
/// # if netverdict_datapath::probe().is_err() { return Ok(()) }
/// let table = TableMap::create(4096)?;
/// let memory: Memory = table.map().memory()?;
/// let at = memory.len() - 64;
/// memory.write(at, &[0; 16]);
/// memory.store16(at, 1);
/// memory.store32(at + 4, 2);
/// memory.store64(at + 8, 3);
/// let mut bytes = [0; 16];
/// memory.read(at, &mut bytes);
/// assert_eq!((memory.load32(at), bytes[4], bytes[8]), (1, 2, 3));
/// # Ok::<(), netverdict_datapath::Error>(())
/// ```
#[derive(Debug)]
pub struct Memory {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping belongs to this value alone within the process and is
// reached only through atomics, from whatever thread.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    pub(crate) fn new(map: &OwnedFd, len: usize) -> io::Result<Self> {
        // SAFETY: a new mapping at an address that the kernel chooses touches
        // nothing of ours.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                map.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { start, len })
    }

    /// Its bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// True without bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A place for a `T`.
    ///
    /// # Panics
    /// When it is not within the memory, or not aligned: a bug of the caller.
    fn place<T>(&self, at: usize) -> *mut T {
        assert!(at <= self.len && self.len - at >= size_of::<T>());
        // SAFETY: within the mapping, as was just asserted.
        let place = unsafe { self.start.as_ptr().add(at) }.cast::<T>();
        assert!(place.is_aligned());
        place
    }

    /// Loads 32 bits.
    #[must_use]
    pub fn load32(&self, at: usize) -> u32 {
        // SAFETY: `place` is within the mapping and aligned; others write there
        // by atomic stores alone, in this process and in the kernel.
        u32::from_le(unsafe { AtomicU32::from_ptr(self.place(at)) }.load(Ordering::Acquire))
    }

    /// Stores 16 bits after everything stored before.
    pub fn store16(&self, at: usize, value: u16) {
        // SAFETY: as in `load32`.
        let word = unsafe { AtomicU16::from_ptr(self.place(at)) };
        word.store(value.to_le(), Ordering::Release);
    }

    /// Stores 32 bits after everything stored before.
    pub fn store32(&self, at: usize, value: u32) {
        // SAFETY: as in `load32`.
        let word = unsafe { AtomicU32::from_ptr(self.place(at)) };
        word.store(value.to_le(), Ordering::Release);
    }

    /// Stores 64 bits after everything stored before.
    pub fn store64(&self, at: usize, value: u64) {
        // SAFETY: as in `load32`.
        let word = unsafe { AtomicU64::from_ptr(self.place(at)) };
        word.store(value.to_le(), Ordering::Release);
    }

    /// Writes bytes, whole words where it can, in no order that readers may
    /// count on.
    pub fn write(&self, at: usize, bytes: &[u8]) {
        let before = at.next_multiple_of(8).saturating_sub(at).min(bytes.len());
        let (first, rest) = bytes.split_at(before);
        let (words, last) = rest.as_chunks::<8>();
        let byte = |at: usize, value: u8| {
            // SAFETY: as in `load32`.
            unsafe { AtomicU8::from_ptr(self.place(at)) }.store(value, Ordering::Relaxed);
        };
        for (i, value) in first.iter().enumerate() {
            byte(at + i, *value);
        }
        let at = at + before;
        for (i, word) in words.iter().enumerate() {
            // SAFETY: as in `load32`.
            let place = unsafe { AtomicU64::from_ptr(self.place(at + i * 8)) };
            place.store(u64::from_ne_bytes(*word), Ordering::Relaxed);
        }
        let at = at + words.len() * 8;
        for (i, value) in last.iter().enumerate() {
            byte(at + i, *value);
        }
    }

    /// Reads bytes, whole words where it can.
    pub fn read(&self, at: usize, bytes: &mut [u8]) {
        let before = at.next_multiple_of(8).saturating_sub(at).min(bytes.len());
        let (first, rest) = bytes.split_at_mut(before);
        let (words, last) = rest.as_chunks_mut::<8>();
        let byte = |at: usize| {
            // SAFETY: as in `load32`.
            unsafe { AtomicU8::from_ptr(self.place(at)) }.load(Ordering::Relaxed)
        };
        for (i, to) in first.iter_mut().enumerate() {
            *to = byte(at + i);
        }
        let at = at + before;
        for (i, to) in words.iter_mut().enumerate() {
            // SAFETY: as in `load32`.
            let place = unsafe { AtomicU64::from_ptr(self.place(at + i * 8)) };
            *to = place.load(Ordering::Relaxed).to_ne_bytes();
        }
        let at = at + words.len() * 8;
        for (i, to) in last.iter_mut().enumerate() {
            *to = byte(at + i);
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nothing borrows from it: every
        // access takes `&self`.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}
