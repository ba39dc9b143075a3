//! Verdict tables that do not change.
//!
//! In: images, and buffers of packed questions. Out: packed verdicts.

use crate::call::{Done, Failure, Shared, call, owned};
use netverdict_ffi::origin;
use netverdict_ffi::status::{NETVERDICT_OK, netverdict_status};
use netverdict_ffi::view::{self, netverdict_question, netverdict_verdict, netverdict_view};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyBufferError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::ptr::null_mut;
use std::sync::{PoisonError, RwLock};

/// A table that does not change.
#[pyclass(frozen)]
pub(crate) struct View {
    pub(crate) handle: RwLock<Shared<netverdict_view>>,
}

impl View {
    fn ask<T: Send>(
        &self,
        py: Python<'_>,
        f: impl FnOnce(*const netverdict_view) -> netverdict_status + Send,
        value: impl FnOnce() -> T,
    ) -> PyResult<T> {
        let status = py.detach(|| {
            let handle = self.handle.read().unwrap_or_else(PoisonError::into_inner);
            f(handle.0)
        });
        match status {
            NETVERDICT_OK => Ok(value()),
            status => Err(Failure::take(status, null_mut()).raise(py)),
        }
    }

    fn free(&self) {
        let mut handle = self.handle.write().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: nobody else has the lock.
        unsafe { view::netverdict_view_free(&raw mut handle.0) };
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.free();
    }
}

/// The elements of a contiguous buffer.
fn elements<T: pyo3::buffer::Element>(
    buffer: &PyBuffer<T>,
    name: &str,
) -> PyResult<(*const T, usize)> {
    if !buffer.is_c_contiguous() {
        return Err(PyBufferError::new_err(format!(
            "`{name}` is not contiguous"
        )));
    }
    Ok((buffer.buf_ptr().cast_const().cast(), buffer.item_count()))
}

/// What is on its way through a part without the interpreter.
struct Sent<T>(T);

// SAFETY: buffers are held by the caller for as long as the call lasts.
unsafe impl<T> Send for Sent<T> {}

#[allow(clippy::undocumented_unsafe_blocks, reason = "as for Engine")]
#[pymethods]
impl View {
    #[new]
    fn new(py: Python<'_>, image: PyBuffer<u8>) -> PyResult<Self> {
        let (data, len) = elements(&image, "image")?;
        let mut made = null_mut();
        let done = call(|e| unsafe { view::netverdict_view_load(data, len, &raw mut made, e) });
        done.map_err(|failure| failure.raise(py))?;
        Ok(Self {
            handle: RwLock::new(Shared(made)),
        })
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| self.free());
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of a question")]
    fn verdict(
        &self,
        py: Python<'_>,
        subject: u32,
        direction: u8,
        identity: u32,
        protocol: u8,
        port: u16,
        icmp_code: u8,
        fragment: bool,
    ) -> PyResult<(i16, u16, u8, u8, u8, u8, u32)> {
        let question = netverdict_question {
            subject,
            identity,
            port,
            protocol,
            direction,
            icmp_code,
            untracked_fragment: fragment.into(),
            reserved: 0,
        };
        let mut v = netverdict_verdict::default();
        let handle = self.handle.read().unwrap_or_else(PoisonError::into_inner);
        // Shorter than letting go of the interpreter and taking it again.
        let status =
            unsafe { view::netverdict_view_verdict(handle.0, &raw const question, &raw mut v) };
        match status {
            NETVERDICT_OK => Ok((
                v.code,
                v.proxy_port,
                v.match_type,
                v.flags,
                v.auth_type,
                v.auth_donor,
                v.cookie,
            )),
            status => Err(Failure::take(status, null_mut()).raise(py)),
        }
    }

    /// Answers packed questions, 16 bytes each, into as many packed verdicts.
    fn verdicts(
        &self,
        py: Python<'_>,
        questions: PyBuffer<u8>,
        verdicts: PyBuffer<u8>,
    ) -> PyResult<()> {
        let (data, len) = elements(&questions, "questions")?;
        let (to, room) = elements(&verdicts, "verdicts")?;
        if len % 16 != 0 || room < len {
            return Err(PyValueError::new_err(
                "questions have 16 bytes each, and verdicts want as many",
            ));
        }
        if verdicts.readonly() {
            return Err(PyBufferError::new_err("`verdicts` cannot be written to"));
        }
        let sent = Sent((data.cast::<netverdict_question>(), to.cast_mut().cast()));
        self.ask(
            py,
            move |handle| {
                let Sent((from, to)) = { sent };
                unsafe { view::netverdict_view_verdict_batch(handle, from, len / 16, to) }
            },
            || (),
        )
    }

    /// Answers columns of questions about one subject into packed verdicts.
    #[expect(clippy::too_many_arguments, reason = "columns")]
    fn columns(
        &self,
        py: Python<'_>,
        subject: u32,
        direction: u8,
        identities: PyBuffer<u32>,
        protocols: PyBuffer<u8>,
        ports: PyBuffer<u16>,
        verdicts: PyBuffer<u8>,
    ) -> PyResult<()> {
        let (i, count) = elements(&identities, "identities")?;
        let (p, protocol_count) = elements(&protocols, "protocols")?;
        let (q, port_count) = elements(&ports, "ports")?;
        let (to, room) = elements(&verdicts, "verdicts")?;
        if protocol_count != count || port_count != count || room / 16 < count {
            return Err(PyValueError::new_err("columns differ in length"));
        }
        if verdicts.readonly() {
            return Err(PyBufferError::new_err("`verdicts` cannot be written to"));
        }
        let sent = Sent((i, p, q, to.cast_mut().cast()));
        self.ask(
            py,
            move |handle| {
                let Sent((i, p, q, to)) = { sent };
                unsafe {
                    view::netverdict_view_verdict_columns(
                        handle, subject, direction, i, p, q, count, to,
                    )
                }
            },
            || (),
        )
    }

    fn image<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let handle = self.handle.read().unwrap_or_else(PoisonError::into_inner);
        let bytes = unsafe { view::netverdict_view_image(handle.0) };
        PyBytes::new(py, unsafe {
            std::slice::from_raw_parts(bytes.data, bytes.len)
        })
    }

    fn subject_of_identity(&self, identity: u32) -> Option<u32> {
        let handle = self.handle.read().unwrap_or_else(PoisonError::into_inner);
        let mut subject = 0;
        let status = unsafe {
            view::netverdict_view_subject_of_identity(handle.0, identity, &raw mut subject)
        };
        (status == NETVERDICT_OK).then_some(subject)
    }

    fn subject_of_endpoint(&self, endpoint: u32) -> Option<u32> {
        let handle = self.handle.read().unwrap_or_else(PoisonError::into_inner);
        let mut subject = 0;
        let status = unsafe {
            view::netverdict_view_subject_of_endpoint(handle.0, endpoint, &raw mut subject)
        };
        (status == NETVERDICT_OK).then_some(subject)
    }

    /// Of each rule behind a verdict: rule, path, file, line, column, and
    /// whether nothing but the authentication comes from it.
    fn origin(
        &self,
        py: Python<'_>,
        subject: u32,
        direction: u8,
        identity: u32,
        protocol: u8,
        port: u16,
    ) -> PyResult<Vec<Rule>> {
        let question = netverdict_question {
            subject,
            identity,
            port,
            protocol,
            direction,
            ..netverdict_question::default()
        };
        let done = py.detach(|| {
            let handle = self.handle.read().unwrap_or_else(PoisonError::into_inner);
            read_origin(handle.0, &question)
        });
        done.map_err(|failure| failure.raise(py))
    }
}

type Rule = (String, String, String, u32, u32, bool);

fn read_origin(view: *const netverdict_view, question: &netverdict_question) -> Done<Vec<Rule>> {
    let mut handle = null_mut();
    // SAFETY: the view lives while its lock is held.
    call(|e| unsafe { origin::netverdict_view_origin(view, question, &raw mut handle, e) })?;
    // SAFETY: the handle was made just now and is freed once; what rules point
    // to lives with it.
    unsafe {
        let count = origin::netverdict_origin_count(handle);
        let rules = (0..count).map(|i| {
            let mut rule = origin::netverdict_rule::default();
            call(|e| origin::netverdict_origin_get(handle, i, &raw mut rule, e))?;
            let texts = [rule.rule, rule.path, rule.file].map(owned);
            let [name, path, file] = texts;
            let nothing_else = rule.authentication != 0;
            Ok((name, path, file, rule.line, rule.column, nothing_else))
        });
        let rules = rules.collect();
        origin::netverdict_origin_free(&raw mut handle);
        rules
    }
}
