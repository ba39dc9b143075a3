//! netverdict behind C functions.
//!
//! In: pointers, lengths and numbers from any language. Out: statuses, handles
//! and packed arrays, by the rules of `docs/c-abi.md`. Nothing is decided
//! here: the engine is `netverdict`, tables are read by `netverdict-table`.
//!
//! The headers in `include/` are made of this crate's sources by
//! `cargo xtask header`: the comments of exported items are written for people
//! who program in C.
//!
//! From C it looks like this (`docs/c-abi.md` has a whole program, `samples/c`
//! another one):
//!
//! ```c
//! netverdict_engine *engine = NULL;
//! netverdict_error *error = NULL;
//! if (netverdict_engine_new(NULL, &engine, &error) ||
//!     netverdict_engine_apply(engine, name, text, NULL, &error) ||
//!     netverdict_engine_commit(engine, NULL, &error))
//!     fprintf(stderr, "%s\n", netverdict_error_message(error).data);
//! netverdict_error_free(&error);
//! netverdict_engine_free(&engine);
//! ```
//!
//! **Unsafe code.** All of it stands where a caller's pointer becomes a
//! reference, a slice or a handle: [`mod@pointer`] and [`handle`] do that, after
//! looking for NULL, alignment and lengths that no memory has. What they cannot
//! see is what `docs/c-abi.md` asks of callers: that a pointer which is not
//! NULL leads to what its type says, for as long as it is used, and that a
//! handle taken without `const` is used by one thread at a time.
#![deny(missing_docs)]
#![warn(clippy::undocumented_unsafe_blocks)]
#![allow(non_camel_case_types, reason = "types have the names they have in C")]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::print_stdout,
        clippy::print_stderr
    )
)]

pub mod buffer;
pub mod error;
#[cfg_attr(not(feature = "engine"), allow(dead_code))]
pub mod handle;
pub mod origin;
#[cfg_attr(not(feature = "engine"), allow(dead_code))]
pub mod pointer;
pub mod status;
pub mod view;

#[cfg(feature = "engine")]
pub mod engine;
