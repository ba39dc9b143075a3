//! The engine's table, read.
//!
//! In: an engine. Out: its image, views of it as it is, and readers that follow
//! it while it changes.

use super::{ask, change, netverdict_engine};
use crate::buffer::{netverdict_buffer, netverdict_bytes};
use crate::error::{Failure, netverdict_error};
use crate::handle::{self, Out};
use crate::status::{
    NETVERDICT_BAD_ARGUMENT, NETVERDICT_COMPILE, NETVERDICT_NOT_FOUND, NETVERDICT_NULL_ARGUMENT,
    NETVERDICT_OK, netverdict_status,
};
use crate::view::{answer_all, batch, netverdict_question, netverdict_verdict, netverdict_view};
use netverdict_table::Reader;

/// Follows an engine's table. One thread uses it; other threads have their
/// own.
pub struct netverdict_reader {
    reader: Reader,
}

/// The image as of the last commit, until the next call that may change the
/// engine. Empty for NULL.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_image(
    engine: *const netverdict_engine,
) -> netverdict_bytes {
    // SAFETY: by the rules of the ABI.
    match unsafe { engine.as_ref() } {
        Some(engine) if engine.usable().is_ok() => netverdict_bytes::of(engine.state.image()),
        _ => netverdict_bytes::EMPTY,
    }
}

/// A view of the table as of the last commit. It does not change with the
/// engine, and stays when the engine goes.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_view(
    engine: *const netverdict_engine,
    view: *mut *mut netverdict_view,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe {
        ask(engine, error, |engine| {
            let out = Out::new(view, "view")?;
            out.set(netverdict_view::load(engine.image())?);
            Ok(())
        })
    }
}

/// Compiles all endpoints' policies into a table of its own that stays as it is,
/// with the rules behind its verdicts: netverdict_view_origin tells them. Its
/// subjects have numbers of their own; netverdict_view_subject_of_identity finds
/// them. Redirects lead to stand-ins.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_compile(
    engine: *const netverdict_engine,
    image: *mut *mut netverdict_buffer,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe {
        ask(engine, error, |engine| {
            let out = Out::new(image, "image")?;
            let table = engine.cluster().compile(Some(engine.sources()));
            let table = table.map_err(|e| Failure::new(NETVERDICT_COMPILE, e.to_string()))?;
            out.set(netverdict_buffer::new(table.image));
            Ok(())
        })
    }
}

/// A reader that follows the table through commits. Make one for each thread;
/// it may be used while other threads use the engine.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_reader(
    engine: *mut netverdict_engine,
    reader: *mut *mut netverdict_reader,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe {
        change(engine, error, |engine| {
            let out = Out::new(reader, "reader")?;
            out.set(netverdict_reader {
                reader: engine.reader()?,
            });
            Ok(())
        })
    }
}

/// Says that nothing is held of the table any more. Call it between batches:
/// until then the reader may go on with a table that another one has taken the
/// place of, and that one cannot be freed. A load and a store.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_reader_renew(
    reader: *mut netverdict_reader,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    match unsafe { reader.as_mut() } {
        Some(reader) => {
            reader.reader.renew();
            NETVERDICT_OK
        }
        None => NETVERDICT_NULL_ARGUMENT,
    }
}

/// The subject of an endpoint's number; NETVERDICT_NOT_FOUND when it has none.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_reader_subject_of_endpoint(
    reader: *mut netverdict_reader,
    endpoint: u32,
    subject: *mut u32,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    let (Some(reader), Some(subject)) = (unsafe { reader.as_ref() }, unsafe { subject.as_mut() })
    else {
        return NETVERDICT_NULL_ARGUMENT;
    };
    match reader.reader.subject_of_endpoint(endpoint) {
        Some(found) => {
            *subject = found;
            NETVERDICT_OK
        }
        None => NETVERDICT_NOT_FOUND,
    }
}

/// As netverdict_view_verdict, of the table as it is now: that before or after
/// a commit, never a mixture. Neither allocates nor locks nor waits.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_reader_verdict(
    reader: *mut netverdict_reader,
    question: *const netverdict_question,
    verdict: *mut netverdict_verdict,
) -> netverdict_status {
    if reader.is_null() || question.is_null() || verdict.is_null() {
        return NETVERDICT_NULL_ARGUMENT;
    }
    // SAFETY: none is NULL; the rest by the rules of the ABI.
    let (reader, question) = unsafe { (&*reader, &*question) };
    let Some(question) = question.read() else {
        return NETVERDICT_BAD_ARGUMENT;
    };
    let answer = reader.reader.verdict(&question);
    let answer = answer.map_or(netverdict_verdict::NOBODY, netverdict_verdict::of);
    // SAFETY: as above.
    unsafe { verdict.write(answer) };
    NETVERDICT_OK
}

/// As netverdict_view_verdict_batch, of the table as it is now.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_reader_verdict_batch(
    reader: *mut netverdict_reader,
    questions: *const netverdict_question,
    count: usize,
    verdicts: *mut netverdict_verdict,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    let arguments = unsafe { batch(reader.cast_const(), questions, count, verdicts) };
    match arguments {
        Ok((reader, questions, verdicts)) => {
            answer_all(questions, verdicts, |q| reader.reader.verdict(q))
        }
        Err(status) => status,
    }
}

/// Frees a reader and sets the pointer to NULL. NULL, or a pointer to NULL, is
/// no mistake. The engine may be gone already.
///
/// # Safety
/// `reader` is NULL or leads to NULL or a reader that nothing else uses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_reader_free(reader: *mut *mut netverdict_reader) {
    // SAFETY: as above.
    unsafe { handle::free(reader) }
}
