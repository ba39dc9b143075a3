//! Diagnostics with their places resolved.
//!
//! In: diagnostics and sources. Out: structs of texts and numbers, and JSON.

use super::json;
use crate::buffer::{Text, netverdict_buffer, netverdict_str};
use crate::error::{Failure, call, netverdict_error};
use crate::handle::{self, Out};
use crate::pointer::{self, Sized0, reference};
use crate::status::{NETVERDICT_NOT_FOUND, netverdict_status};
use netverdict::diagnostic::{Diagnostic, JsonDiagnostic, Severity};
use netverdict::source::Sources;

/// Severity: worth knowing; nothing is wrong.
pub const NETVERDICT_INFO: u32 = 0;
/// Severity: accepted, but probably not what the author meant.
pub const NETVERDICT_WARNING: u32 = 1;
/// Severity: refused, or unreadable.
pub const NETVERDICT_ERROR: u32 = 2;

/// One problem. The texts live as long as the diagnostics.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct netverdict_diagnostic {
    /// sizeof(netverdict_diagnostic), set by the caller.
    pub struct_size: usize,
    /// NETVERDICT_INFO, NETVERDICT_WARNING or NETVERDICT_ERROR.
    pub severity: u32,
    /// First line, from 1; 0 for a problem without a place.
    pub line: u32,
    /// First column, in characters from 1.
    pub column: u32,
    /// Last line.
    pub end_line: u32,
    /// One past the last column.
    pub end_column: u32,
    /// 0.
    pub reserved: u32,
    /// Stable code, like "NV0432" (docs/diagnostics.md).
    pub code: netverdict_str,
    /// What is wrong.
    pub message: netverdict_str,
    /// Name of the document.
    pub file: netverdict_str,
    /// Field path within the object, like "spec.ingress"; may be empty.
    pub path: netverdict_str,
    /// "Kind/namespace/name"; may be empty.
    pub object: netverdict_str,
    /// What to do instead; may be empty.
    pub help: netverdict_str,
}

// SAFETY: it begins with its size; it is only written.
unsafe impl Sized0 for netverdict_diagnostic {
    const FIRST: usize = pointer::words(13) + 24;
}
const _: () = assert!(size_of::<netverdict_diagnostic>() == pointer::words(13) + 24);

struct Record {
    severity: u32,
    place: [u32; 4],
    code: Text,
    message: Text,
    file: Text,
    path: Text,
    object: Text,
    help: Text,
}

/// Problems, in the order written.
pub struct netverdict_diagnostics {
    records: Vec<Record>,
    json: Vec<JsonDiagnostic>,
}

impl netverdict_diagnostics {
    /// Resolves the places.
    pub(super) fn new(found: &[Diagnostic], sources: &Sources) -> Self {
        let json: Vec<JsonDiagnostic> = found
            .iter()
            .map(|d| JsonDiagnostic::new(d, sources))
            .collect();
        let record = |d: &JsonDiagnostic| Record {
            severity: match d.severity {
                Severity::Info => NETVERDICT_INFO,
                Severity::Warning => NETVERDICT_WARNING,
                Severity::Error => NETVERDICT_ERROR,
            },
            place: [
                d.span.line,
                d.span.column,
                d.span.end_line,
                d.span.end_column,
            ],
            code: Text::new(&d.code),
            message: Text::new(&d.message),
            file: Text::new(&d.span.file),
            path: Text::new(&d.path),
            object: Text::new(&d.object),
            help: Text::new(d.help.as_deref().unwrap_or_default()),
        };
        Self {
            records: json.iter().map(record).collect(),
            json,
        }
    }
}

/// How many there are; 0 for NULL.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_diagnostics_count(
    diagnostics: *const netverdict_diagnostics,
) -> usize {
    // SAFETY: by the rules of the ABI.
    unsafe { diagnostics.as_ref() }.map_or(0, |d| d.records.len())
}

/// How many are errors; 0 for NULL.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_diagnostics_errors(
    diagnostics: *const netverdict_diagnostics,
) -> usize {
    // SAFETY: by the rules of the ABI.
    let records = unsafe { diagnostics.as_ref() }.map(|d| d.records.iter());
    let errors = records.map(|r| r.filter(|r| r.severity == NETVERDICT_ERROR).count());
    errors.unwrap_or(0)
}

/// One of them, counted from 0; `diagnostic` has its struct_size set.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_diagnostics_get(
    diagnostics: *const netverdict_diagnostics,
    index: usize,
    diagnostic: *mut netverdict_diagnostic,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    call(error, || {
        // SAFETY: by the rules of the ABI.
        let all = unsafe { reference(diagnostics, "diagnostics")? };
        let record = all.records.get(index).ok_or_else(|| {
            let message = format!("there are {} diagnostics", all.records.len());
            Failure::new(NETVERDICT_NOT_FOUND, message)
        })?;
        let [line, column, end_line, end_column] = record.place;
        let told = netverdict_diagnostic {
            struct_size: 0,
            severity: record.severity,
            line,
            column,
            end_line,
            end_column,
            reserved: 0,
            code: record.code.as_str(),
            message: record.message.as_str(),
            file: record.file.as_str(),
            path: record.path.as_str(),
            object: record.object.as_str(),
            help: record.help.as_str(),
        };
        // SAFETY: by the rules of the ABI.
        unsafe { pointer::write_sized(diagnostic, "diagnostic", &told) }
    })
}

/// All of them as a JSON array, as `netverdict check -o json` prints them.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_diagnostics_json(
    diagnostics: *const netverdict_diagnostics,
    buffer: *mut *mut netverdict_buffer,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    call(error, || {
        // SAFETY: by the rules of the ABI.
        let (all, out) = unsafe {
            (
                reference(diagnostics, "diagnostics")?,
                Out::new(buffer, "buffer")?,
            )
        };
        out.set(json(&all.json)?);
        Ok(())
    })
}

/// Frees diagnostics and sets the pointer to NULL. NULL, or a pointer to NULL,
/// is no mistake.
///
/// # Safety
/// `diagnostics` is NULL or leads to NULL or diagnostics that nothing else uses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_diagnostics_free(
    diagnostics: *mut *mut netverdict_diagnostics,
) {
    // SAFETY: as above.
    unsafe { handle::free(diagnostics) }
}
