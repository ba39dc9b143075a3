//! What C programs cannot bring about: panics.

use super::change::netverdict_engine_commit;
use super::*;
use crate::error::{netverdict_error_free, netverdict_error_message, netverdict_error_status};
use crate::status::{ALL, NETVERDICT_ABI_VERSION, NETVERDICT_OK};
use std::ptr::{null, null_mut};

fn engine() -> *mut netverdict_engine {
    let mut engine = null_mut();
    // SAFETY: all pointers are what they should be, here and below.
    let status = unsafe { netverdict_engine_new(null(), &raw mut engine, null_mut()) };
    assert_eq!(status, NETVERDICT_OK);
    engine
}

#[test]
fn a_panic_poisons_one_handle() {
    let (mut poisoned, mut other) = (engine(), engine());
    let mut error = null_mut();
    // SAFETY: as above.
    unsafe {
        let status = panic_inside(poisoned, &raw mut error);
        assert_eq!(status, NETVERDICT_PANIC);
        assert_eq!(netverdict_error_status(error), NETVERDICT_PANIC);
        let text = netverdict_error_message(error);
        let text = pointer::text(text, "message").unwrap();
        assert_eq!(text, "netverdict panicked: as the test wants");
        netverdict_error_free(&raw mut error);

        let status = netverdict_engine_commit(poisoned, null_mut(), &raw mut error);
        assert_eq!(status, NETVERDICT_POISONED);
        netverdict_error_free(&raw mut error);
        assert_eq!(
            netverdict_engine_save_identities(poisoned, null_mut(), null_mut()),
            NETVERDICT_POISONED
        );
        assert_eq!(reader::netverdict_engine_image(poisoned).len, 0);
        let status = netverdict_engine_commit(other, null_mut(), null_mut());
        assert_eq!(status, NETVERDICT_OK);
        netverdict_engine_free(&raw mut poisoned);
        netverdict_engine_free(&raw mut other);
    }
    assert!(poisoned.is_null());
}

#[test]
fn statuses_have_numbers_and_names_of_their_own() {
    let mut numbers: Vec<_> = ALL.iter().map(|(n, _)| *n).collect();
    let mut names: Vec<_> = ALL.iter().map(|(_, name)| *name).collect();
    numbers.sort_unstable();
    numbers.dedup();
    names.sort_unstable();
    names.dedup();
    assert_eq!((numbers.len(), names.len()), (ALL.len(), ALL.len()));
    // Every one the header has is in the list.
    let source = include_str!("../status.rs");
    let declared = source.matches(": netverdict_status = ").count();
    assert_eq!(declared, ALL.len());
}

#[test]
fn the_soname_has_the_number_of_the_abi() {
    let build = include_str!("../../build.rs");
    assert!(build.contains(&format!("const ABI: u32 = {NETVERDICT_ABI_VERSION};")));
}

#[test]
fn an_options_text_may_be_long_but_not_endless() {
    let fields = "{\"config\":".repeat(200);
    assert!(options::parse(&fields).is_err());
    assert!(options::parse(" ").is_ok());
}
