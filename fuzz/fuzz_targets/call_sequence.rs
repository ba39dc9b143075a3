//! Sequences of calls of the C ABI, byte by byte.
//!
//! Each byte chooses a call or an argument: handles that are there, NULL or
//! freed before; documents that are sound or not; damaged images; names and
//! ports of proxies; requests. Checked: no call panics or poisons a handle, what
//! fails leaves its out parameters alone and says why, and freeing twice does
//! nothing. Built with AddressSanitizer, which sees what is freed too early or
//! never.
#![no_main]

#[path = "../../ffi/tests/calls/sequence.rs"]
mod sequence;

use libfuzzer_sys::fuzz_target;

/// Longer sequences find nothing that shorter ones do not, but slowly.
const MOST: usize = 400;

fuzz_target!(|data: &[u8]| {
    let data = data.get(..MOST).unwrap_or(data);
    // An engine first, or most calls have nothing to be about.
    sequence::run(&[&[0], data].concat());
});
