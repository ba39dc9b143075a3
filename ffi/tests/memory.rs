//! Memory that is not there becomes a status where a caller decides how much is
//! wanted.
//!
//! The allocator of this program refuses what is larger than the test allows.

use netverdict_ffi::buffer::{netverdict_buffer, netverdict_str};
use netverdict_ffi::engine::change::{netverdict_engine_apply, netverdict_engine_check};
use netverdict_ffi::engine::scenario::netverdict_scenario_answer;
use netverdict_ffi::engine::{netverdict_engine, netverdict_engine_free, netverdict_engine_new};
use netverdict_ffi::status::{NETVERDICT_NO_MEMORY, NETVERDICT_OK};
use netverdict_ffi::view::netverdict_view_load;
use netverdict_table::layout::VERSION;
use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicUsize, Ordering};

static MOST: AtomicUsize = AtomicUsize::new(usize::MAX);

struct Scarce;

// SAFETY: the system's allocator, or no memory, which is an answer.
unsafe impl GlobalAlloc for Scarce {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() > MOST.load(Ordering::Relaxed) {
            return null_mut();
        }
        // SAFETY: as the caller has it.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller has it.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Scarce = Scarce;

fn text(of: &str) -> netverdict_str {
    netverdict_str {
        data: of.as_ptr().cast(),
        len: of.len(),
    }
}

#[test]
fn what_a_caller_makes_too_large_is_refused() {
    let document = format!("# {}\n", "x".repeat(1 << 20));
    let image = {
        let mut bytes = b"NVTABLE\0".to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend((1u32 << 20).to_le_bytes());
        bytes.resize(1 << 20, 0);
        bytes
    };
    let mut engine: *mut netverdict_engine = null_mut();
    let mut buffer: *mut netverdict_buffer = null_mut();
    let mut view = null_mut();
    let name = text("a");
    // SAFETY: by the rules of the ABI.
    unsafe {
        assert_eq!(
            netverdict_engine_new(null(), &raw mut engine, null_mut()),
            NETVERDICT_OK
        );
        MOST.store(1 << 19, Ordering::Relaxed);
        let found = [
            netverdict_engine_apply(engine, name, text(&document), null_mut(), null_mut()),
            {
                let mut found = null_mut();
                let out = &raw mut found;
                netverdict_engine_check(engine, name, text(&document), out, null_mut())
            },
            netverdict_scenario_answer(text(&document), &raw mut buffer, null_mut()),
            netverdict_view_load(image.as_ptr(), image.len(), &raw mut view, null_mut()),
        ];
        MOST.store(usize::MAX, Ordering::Relaxed);
        assert_eq!(found, [NETVERDICT_NO_MEMORY; 4]);
        // Nothing was harmed.
        let done = netverdict_engine_apply(engine, name, text(&document), null_mut(), null_mut());
        assert_eq!(done, NETVERDICT_OK);
        netverdict_engine_free(&raw mut engine);
    }
}
