//! The rules behind verdicts of a table.
//!
//! In: views of tables that were compiled with rules, and questions. Out: the
//! rules that decide, and those that authentication comes from.

use crate::buffer::{Text, netverdict_str};
use crate::error::{Failure, call, netverdict_error};
use crate::handle::{self, Out};
use crate::pointer::{self, Sized0, reference};
use crate::status::{NETVERDICT_NOT_FOUND, netverdict_status};
use crate::view::{netverdict_question, netverdict_view, question};
use netverdict_table::OriginRecord;

/// A rule behind a verdict. Its texts live as long as the origin they are of.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct netverdict_rule {
    /// sizeof(netverdict_rule), set by the caller.
    pub struct_size: usize,
    /// The policy it is of: "Kind/namespace/name".
    pub rule: netverdict_str,
    /// Its place within the policy, as a path of fields; may be empty.
    pub path: netverdict_str,
    /// The document it was read from; may be empty.
    pub file: netverdict_str,
    /// Line there, counted from 1; 0 for none.
    pub line: u32,
    /// Column there, counted from 1; 0 for none.
    pub column: u32,
    /// Not 0 when the verdict has nothing but its authentication from it.
    pub authentication: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: it begins with its size; it is only written.
unsafe impl Sized0 for netverdict_rule {
    const FIRST: usize = pointer::words(7) + 16;
}
const _: () = assert!(size_of::<netverdict_rule>() == pointer::words(7) + 16);

impl Default for netverdict_rule {
    fn default() -> Self {
        Self {
            struct_size: size_of::<Self>(),
            rule: netverdict_str::EMPTY,
            path: netverdict_str::EMPTY,
            file: netverdict_str::EMPTY,
            line: 0,
            column: 0,
            authentication: 0,
            reserved: 0,
        }
    }
}

struct Rule {
    rule: Text,
    path: Text,
    file: Text,
    line: u32,
    column: u32,
    authentication: bool,
}

/// The rules behind a verdict.
pub struct netverdict_origin {
    rules: Vec<Rule>,
}

impl netverdict_origin {
    fn of(view: &netverdict_view, asked: &netverdict_question) -> Result<Self, Failure> {
        let question = question(asked)?;
        let found = view.view().origin(&question).ok_or_else(|| {
            let message = "there is no such subject, or the table was made without its rules";
            Failure::new(NETVERDICT_NOT_FOUND, message)
        })?;
        let mut rules = Vec::new();
        for (record, authentication) in [(found.winner, false), (found.donor, true)] {
            let told = record.iter().flat_map(OriginRecord::rules);
            rules.extend(told.map(|r| Rule {
                rule: Text::new(r.object),
                path: Text::new(r.path),
                file: Text::new(r.file),
                line: r.line,
                column: r.column,
                authentication,
            }));
        }
        Ok(Self { rules })
    }
}

/// The rules behind the verdict about a question. Tables that `netverdict
/// compile` and netverdict_engine_compile make have them; an engine's own view,
/// which changes, does not. NETVERDICT_NOT_FOUND: the table has none, or no such
/// subject.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_view_origin(
    view: *const netverdict_view,
    question: *const netverdict_question,
    origin: *mut *mut netverdict_origin,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    call(error, || {
        // SAFETY: by the rules of the ABI.
        let (view, question, out) = unsafe {
            (
                reference(view, "view")?,
                reference(question, "question")?,
                Out::new(origin, "origin")?,
            )
        };
        out.set(netverdict_origin::of(view, question)?);
        Ok(())
    })
}

/// How many rules there are; none when nothing but the lack of a rule decides. 0
/// for NULL.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_origin_count(origin: *const netverdict_origin) -> usize {
    // SAFETY: by the rules of the ABI.
    unsafe { origin.as_ref() }.map_or(0, |o| o.rules.len())
}

/// One of the rules, counted from 0; `rule` has its struct_size set.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_origin_get(
    origin: *const netverdict_origin,
    index: usize,
    rule: *mut netverdict_rule,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    call(error, || {
        // SAFETY: by the rules of the ABI.
        let rules = unsafe { &reference(origin, "origin")?.rules };
        let found = rules.get(index).ok_or_else(|| {
            let message = format!("there are {} rules", rules.len());
            Failure::new(NETVERDICT_NOT_FOUND, message)
        })?;
        let told = netverdict_rule {
            struct_size: 0,
            rule: found.rule.as_str(),
            path: found.path.as_str(),
            file: found.file.as_str(),
            line: found.line,
            column: found.column,
            authentication: found.authentication.into(),
            reserved: 0,
        };
        // SAFETY: by the rules of the ABI.
        unsafe { pointer::write_sized(rule, "rule", &told) }
    })
}

/// Frees an origin and sets the pointer to NULL. NULL, or a pointer to NULL, is
/// no mistake.
///
/// # Safety
/// `origin` is NULL or leads to NULL or an origin that nothing else uses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_origin_free(origin: *mut *mut netverdict_origin) {
    // SAFETY: as above.
    unsafe { handle::free(origin) }
}
