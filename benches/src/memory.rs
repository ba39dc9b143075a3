//! How much is allocated.
//!
//! Every allocation of a program that uses this crate is counted, by thread.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static ALLOCATED: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, and a count of the bytes asked of it.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(bytes: usize) {
    // A thread that ends may have lost its count already.
    let _ = ALLOCATED.try_with(|all| all.set(all.get() + bytes as u64));
}

// SAFETY: every call goes on to the system's allocator as it came; counting
// neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Growing in place or not, what is new counts.
        count(size.saturating_sub(layout.size()));
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(at, layout) }
    }
}

/// How many bytes a function allocates, those it frees again included.
pub fn bytes_of<T>(f: impl FnOnce() -> T) -> u64 {
    let before = ALLOCATED.with(Cell::get);
    let made = std::hint::black_box(f());
    let after = ALLOCATED.with(Cell::get);
    drop(made);
    after - before
}
