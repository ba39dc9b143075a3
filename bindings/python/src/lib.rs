//! netverdict for Python: the C ABI's functions as two classes.
//!
//! In: texts, numbers and buffers. Out: bytes, JSON as text, packed arrays. The
//! package's Python part (`python/netverdict`) makes dictionaries and named
//! tuples of them. The interpreter is not held while the engine works.

use netverdict_ffi::buffer::{
    netverdict_buffer, netverdict_buffer_bytes, netverdict_buffer_free, netverdict_bytes,
    netverdict_str,
};
use netverdict_ffi::engine::diagnostics::{
    netverdict_diagnostics, netverdict_diagnostics_free, netverdict_diagnostics_json,
};
use netverdict_ffi::engine::object::{
    netverdict_endpoint, netverdict_label, netverdict_named_port, netverdict_service,
};
use netverdict_ffi::engine::{self as ffi, netverdict_engine};
use netverdict_ffi::error::{self, netverdict_error};
use netverdict_ffi::status::{NETVERDICT_OK, netverdict_status, netverdict_status_name};
use netverdict_ffi::view::{self, netverdict_question, netverdict_verdict, netverdict_view};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyBufferError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::ffi::CStr;
use std::ptr::{null, null_mut};
use std::sync::{PoisonError, RwLock};

/// A failure in Rust's types: made without the interpreter.
struct Failure {
    status: netverdict_status,
    message: String,
    code: String,
    file: String,
    line: u32,
    column: u32,
}

type Done<T> = Result<T, Failure>;

fn owned(text: netverdict_str) -> String {
    // SAFETY: the library returns texts with their lengths.
    let bytes = unsafe { std::slice::from_raw_parts(text.data.cast::<u8>(), text.len) };
    String::from_utf8_lossy(bytes).into_owned()
}

impl Failure {
    /// Takes a failure over from the library.
    fn take(status: netverdict_status, mut handle: *mut netverdict_error) -> Self {
        // SAFETY: the handle is an error or NULL, and freed once.
        unsafe {
            let failure = Self {
                status,
                message: owned(error::netverdict_error_message(handle)),
                code: owned(error::netverdict_error_code(handle)),
                file: owned(error::netverdict_error_file(handle)),
                line: error::netverdict_error_line(handle),
                column: error::netverdict_error_column(handle),
            };
            error::netverdict_error_free(&raw mut handle);
            failure
        }
    }

    /// As an exception: `netverdict.Error`.
    fn raise(self, py: Python<'_>) -> PyErr {
        // SAFETY: names of statuses are there for ever.
        let name = unsafe { CStr::from_ptr(netverdict_status_name(self.status)) };
        let name = name.to_string_lossy().into_owned();
        let message = match self.message.is_empty() {
            true => name.clone(),
            false => self.message,
        };
        let arguments = (message, name, self.code, self.file, self.line, self.column);
        let class = py
            .import("netverdict._error")
            .and_then(|m| m.getattr("Error"));
        match class.and_then(|c| c.call1(arguments)) {
            Ok(value) => PyErr::from_value(value),
            Err(error) => error,
        }
    }
}

/// Calls a function of the library.
fn call(f: impl FnOnce(*mut *mut netverdict_error) -> netverdict_status) -> Done<()> {
    let mut error = null_mut();
    match f(&raw mut error) {
        NETVERDICT_OK => Ok(()),
        status => Err(Failure::take(status, error)),
    }
}

/// Calls a function of the library that makes a buffer.
fn buffer(
    f: impl FnOnce(*mut *mut netverdict_buffer, *mut *mut netverdict_error) -> netverdict_status,
) -> Done<Vec<u8>> {
    let mut buffer = null_mut();
    call(|error| f(&raw mut buffer, error))?;
    // SAFETY: it was made just now, and is freed once.
    unsafe {
        let bytes = netverdict_buffer_bytes(buffer);
        let copy = std::slice::from_raw_parts(bytes.data, bytes.len).to_vec();
        netverdict_buffer_free(&raw mut buffer);
        Ok(copy)
    }
}

/// Calls a function of the library that makes diagnostics; returns their JSON.
fn diagnostics(
    f: impl FnOnce(*mut *mut netverdict_diagnostics, *mut *mut netverdict_error) -> netverdict_status,
) -> Done<Vec<u8>> {
    let mut found = null_mut();
    call(|error| f(&raw mut found, error))?;
    // SAFETY: they were made just now, and are freed once.
    unsafe {
        let json = buffer(|out, error| netverdict_diagnostics_json(found, out, error));
        netverdict_diagnostics_free(&raw mut found);
        json
    }
}

fn text(of: &str) -> netverdict_str {
    netverdict_str {
        data: of.as_ptr().cast(),
        len: of.len(),
    }
}

fn labels(pairs: &[(String, String)]) -> Vec<netverdict_label> {
    let label = |(key, value): &(String, String)| netverdict_label {
        key: text(key),
        value: text(value),
    };
    pairs.iter().map(label).collect()
}

fn texts(list: &[String]) -> Vec<netverdict_str> {
    list.iter().map(|s| text(s)).collect()
}

/// A handle that any thread may use, under the lock beside it.
struct Shared<T>(*mut T);

// SAFETY: engines and views may be used by any thread; the lock keeps changes
// apart from everything else.
unsafe impl<T> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Shared<T> {}

type Pairs = Vec<(String, String)>;

/// The engine, with JSON in place of objects.
#[pyclass(frozen)]
struct Engine {
    handle: RwLock<Shared<netverdict_engine>>,
}

impl Engine {
    fn change<T: Send>(
        &self,
        py: Python<'_>,
        f: impl FnOnce(*mut netverdict_engine) -> Done<T> + Send,
    ) -> PyResult<T> {
        let done = py.detach(|| {
            let handle = self.handle.write().unwrap_or_else(PoisonError::into_inner);
            f(handle.0)
        });
        done.map_err(|failure| failure.raise(py))
    }

    fn ask<T: Send>(
        &self,
        py: Python<'_>,
        f: impl FnOnce(*const netverdict_engine) -> Done<T> + Send,
    ) -> PyResult<T> {
        let done = py.detach(|| {
            let handle = self.handle.read().unwrap_or_else(PoisonError::into_inner);
            f(handle.0)
        });
        done.map_err(|failure| failure.raise(py))
    }

    fn free(&self) {
        let mut handle = self.handle.write().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: nobody else has the lock.
        unsafe { ffi::netverdict_engine_free(&raw mut handle.0) };
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.free();
    }
}

/// Keys to put, their values, keys to delete, of these subjects.
type MapUpdate = (Vec<u32>, Vec<u8>, Vec<u8>, Vec<u8>);
/// Revision, whole, map updates, writes.
type Update = (u64, bool, Vec<MapUpdate>, Vec<(u32, u32, Vec<u8>)>);

// SAFETY, for all calls of the library here: pointers lead to what their types
// say, for as long as the call lasts, and the lock keeps changes alone.
#[allow(
    clippy::undocumented_unsafe_blocks,
    reason = "argued above, once for all"
)]
#[pymethods]
impl Engine {
    #[new]
    fn new(py: Python<'_>, options: &str, identities: &[u8]) -> PyResult<Self> {
        let given = ffi::netverdict_engine_options {
            struct_size: size_of::<ffi::netverdict_engine_options>(),
            json: text(options),
            identities: netverdict_bytes {
                data: identities.as_ptr(),
                len: identities.len(),
            },
        };
        let mut engine = null_mut();
        let made =
            call(|e| unsafe { ffi::netverdict_engine_new(&raw const given, &raw mut engine, e) });
        made.map_err(|failure| failure.raise(py))?;
        Ok(Self {
            handle: RwLock::new(Shared(engine)),
        })
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| self.free());
    }

    fn apply(&self, py: Python<'_>, name: &str, document: &str) -> PyResult<Vec<u8>> {
        self.change(py, |engine| {
            diagnostics(|out, error| unsafe {
                let (name, document) = (text(name), text(document));
                ffi::change::netverdict_engine_apply(engine, name, document, out, error)
            })
        })
    }

    fn check(&self, py: Python<'_>, name: &str, document: &str) -> PyResult<Vec<u8>> {
        self.ask(py, |engine| {
            diagnostics(|out, error| unsafe {
                let (name, document) = (text(name), text(document));
                ffi::change::netverdict_engine_check(engine, name, document, out, error)
            })
        })
    }

    fn remarks(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        self.ask(py, |engine| {
            diagnostics(|out, error| unsafe {
                ffi::change::netverdict_engine_remarks(engine, out, error)
            })
        })
    }

    fn remove(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        self.change(py, |engine| {
            call(|e| unsafe { ffi::change::netverdict_engine_remove(engine, text(name), e) })
        })
    }

    fn set_identity(&self, py: Python<'_>, identity: u32, pairs: Pairs) -> PyResult<()> {
        self.change(py, |engine| {
            let list = labels(&pairs);
            call(|e| unsafe {
                let (data, count) = (list.as_ptr(), list.len());
                ffi::object::netverdict_engine_set_identity(engine, identity, data, count, e)
            })
        })
    }

    fn remove_identity(&self, py: Python<'_>, identity: u32) -> PyResult<()> {
        self.change(py, |engine| {
            call(|e| unsafe { ffi::object::netverdict_engine_remove_identity(engine, identity, e) })
        })
    }

    fn set_namespace(&self, py: Python<'_>, name: &str, pairs: Pairs) -> PyResult<()> {
        self.change(py, |engine| {
            let list = labels(&pairs);
            call(|e| unsafe {
                let (data, count) = (list.as_ptr(), list.len());
                ffi::object::netverdict_engine_set_namespace(engine, text(name), data, count, e)
            })
        })
    }

    fn remove_namespace(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        self.change(py, |engine| {
            call(|e| unsafe {
                ffi::object::netverdict_engine_remove_namespace(engine, text(name), e)
            })
        })
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of an endpoint")]
    fn set_endpoint(
        &self,
        py: Python<'_>,
        namespace: &str,
        name: &str,
        node: &str,
        identity: u32,
        pairs: Pairs,
        addresses: Vec<String>,
        ports: Vec<(String, u8, u16)>,
    ) -> PyResult<()> {
        self.change(py, |engine| {
            let (list, addresses) = (labels(&pairs), texts(&addresses));
            let port = |(name, protocol, port): &(String, u8, u16)| netverdict_named_port {
                name: text(name),
                port: *port,
                protocol: *protocol,
                reserved: [0; 5],
            };
            let ports: Vec<netverdict_named_port> = ports.iter().map(port).collect();
            let given = netverdict_endpoint {
                struct_size: size_of::<netverdict_endpoint>(),
                namespace_name: text(namespace),
                name: text(name),
                node: text(node),
                labels: list.as_ptr(),
                label_count: list.len(),
                addresses: addresses.as_ptr(),
                address_count: addresses.len(),
                ports: ports.as_ptr(),
                port_count: ports.len(),
                identity,
                reserved: 0,
            };
            call(|e| unsafe {
                ffi::object::netverdict_engine_set_endpoint(engine, &raw const given, e)
            })
        })
    }

    fn remove_endpoint(&self, py: Python<'_>, namespace: &str, name: &str) -> PyResult<()> {
        self.change(py, |engine| {
            call(|e| unsafe {
                let (namespace, name) = (text(namespace), text(name));
                ffi::object::netverdict_engine_remove_endpoint(engine, namespace, name, e)
            })
        })
    }

    fn set_service(
        &self,
        py: Python<'_>,
        namespace: &str,
        name: &str,
        own: Pairs,
        selector: Pairs,
        addresses: Vec<String>,
    ) -> PyResult<()> {
        self.change(py, |engine| {
            let (own, selector) = (labels(&own), labels(&selector));
            let addresses = texts(&addresses);
            let given = netverdict_service {
                struct_size: size_of::<netverdict_service>(),
                namespace_name: text(namespace),
                name: text(name),
                labels: own.as_ptr(),
                label_count: own.len(),
                selector: selector.as_ptr(),
                selector_count: selector.len(),
                addresses: addresses.as_ptr(),
                address_count: addresses.len(),
            };
            call(|e| unsafe {
                ffi::object::netverdict_engine_set_service(engine, &raw const given, e)
            })
        })
    }

    fn remove_service(&self, py: Python<'_>, namespace: &str, name: &str) -> PyResult<()> {
        self.change(py, |engine| {
            call(|e| unsafe {
                let (namespace, name) = (text(namespace), text(name));
                ffi::object::netverdict_engine_remove_service(engine, namespace, name, e)
            })
        })
    }

    fn set_name(&self, py: Python<'_>, name: &str, addresses: Vec<String>) -> PyResult<()> {
        self.change(py, |engine| {
            let list = texts(&addresses);
            call(|e| unsafe {
                let (data, count) = (list.as_ptr(), list.len());
                ffi::object::netverdict_engine_set_name(engine, text(name), data, count, e)
            })
        })
    }

    fn commit(&self, py: Python<'_>) -> PyResult<Update> {
        self.change(py, |engine| {
            let mut handle = null_mut();
            call(|e| unsafe { ffi::change::netverdict_engine_commit(engine, &raw mut handle, e) })?;
            let done = read_update(handle);
            unsafe { ffi::update::netverdict_update_free(&raw mut handle) };
            done
        })
    }

    fn end_grace_period(&self, py: Python<'_>) -> PyResult<()> {
        self.change(py, |engine| {
            call(|e| unsafe { ffi::change::netverdict_engine_end_grace_period(engine, e) })
        })
    }

    fn revision(&self, py: Python<'_>) -> PyResult<u64> {
        self.ask(py, |engine| {
            Ok(unsafe { ffi::netverdict_engine_revision(engine) })
        })
    }

    fn explain(&self, py: Python<'_>, question: &str) -> PyResult<Vec<u8>> {
        self.ask(py, |engine| {
            buffer(|out, error| unsafe {
                ffi::question::netverdict_engine_explain(engine, text(question), out, error)
            })
        })
    }

    fn identity(&self, py: Python<'_>, of: &str) -> PyResult<u32> {
        self.ask(py, |engine| {
            let mut identity = 0;
            call(|e| unsafe {
                let out = &raw mut identity;
                ffi::question::netverdict_engine_identity(engine, text(of), out, e)
            })?;
            Ok(identity)
        })
    }

    fn identity_labels(&self, py: Python<'_>, identity: u32) -> PyResult<Vec<u8>> {
        self.ask(py, |engine| {
            buffer(|out, error| unsafe {
                ffi::question::netverdict_engine_identity_labels(engine, identity, out, error)
            })
        })
    }

    fn subject(&self, py: Python<'_>, endpoint: &str) -> PyResult<(u32, u32, u32)> {
        self.ask(py, |engine| {
            let mut found = ffi::question::netverdict_subject {
                struct_size: size_of::<ffi::question::netverdict_subject>(),
                subject: 0,
                endpoint: 0,
                identity: 0,
                reserved: 0,
            };
            call(|e| unsafe {
                let out = &raw mut found;
                ffi::question::netverdict_engine_subject(engine, text(endpoint), out, e)
            })?;
            Ok((found.subject, found.endpoint, found.identity))
        })
    }

    /// JSON, keys, values.
    fn policy(&self, py: Python<'_>, endpoint: &str) -> PyResult<(Vec<u8>, Vec<u8>, Vec<u8>)> {
        use ffi::policy;
        self.ask(py, |engine| {
            let mut handle = null_mut();
            call(|e| unsafe {
                policy::netverdict_engine_policy(engine, text(endpoint), &raw mut handle, e)
            })?;
            let mut entries = policy::netverdict_entries {
                struct_size: size_of::<policy::netverdict_entries>(),
                keys: null(),
                values: null(),
                count: 0,
            };
            let json = buffer(|out, e| unsafe { policy::netverdict_policy_json(handle, out, e) });
            let read =
                call(|e| unsafe { policy::netverdict_policy_entries(handle, &raw mut entries, e) });
            let (keys, values) = unsafe {
                (
                    packed(entries.keys, entries.count),
                    packed(entries.values, entries.count),
                )
            };
            unsafe { policy::netverdict_policy_free(&raw mut handle) };
            read?;
            Ok((json?, keys, values))
        })
    }

    fn view(&self, py: Python<'_>) -> PyResult<View> {
        self.ask(py, |engine| {
            let mut made = null_mut();
            call(|e| unsafe { ffi::reader::netverdict_engine_view(engine, &raw mut made, e) })?;
            Ok(View {
                handle: RwLock::new(Shared(made)),
            })
        })
    }

    fn image(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        self.ask(py, |engine| unsafe {
            let bytes = ffi::reader::netverdict_engine_image(engine);
            Ok(std::slice::from_raw_parts(bytes.data, bytes.len).to_vec())
        })
    }

    fn save_identities(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        self.ask(py, |engine| {
            buffer(|out, error| unsafe {
                ffi::netverdict_engine_save_identities(engine, out, error)
            })
        })
    }
}

/// # Safety
/// There are so many elements of 12 bytes.
unsafe fn packed(data: *const u8, count: usize) -> Vec<u8> {
    if count == 0 {
        return Vec::new();
    }
    // SAFETY: as above.
    unsafe { std::slice::from_raw_parts(data, count * 12) }.to_vec()
}

fn read_update(handle: *const ffi::update::netverdict_update) -> Done<Update> {
    use ffi::update;
    // SAFETY: the handle is an update, and what it points to lives with it.
    unsafe {
        let mut maps = Vec::new();
        for i in 0..update::netverdict_update_map_count(handle) {
            let mut map = update::netverdict_map_update {
                struct_size: size_of::<update::netverdict_map_update>(),
                subjects: null(),
                subject_count: 0,
                put_keys: null(),
                put_values: null(),
                put_count: 0,
                delete_keys: null(),
                delete_count: 0,
            };
            call(|e| update::netverdict_update_map(handle, i, &raw mut map, e))?;
            let subjects = match map.subject_count {
                0 => Vec::new(),
                count => std::slice::from_raw_parts(map.subjects, count).to_vec(),
            };
            maps.push((
                subjects,
                packed(map.put_keys, map.put_count),
                packed(map.put_values, map.put_count),
                packed(map.delete_keys, map.delete_count),
            ));
        }
        let mut writes = Vec::new();
        for i in 0..update::netverdict_update_write_count(handle) {
            let mut write = update::netverdict_write {
                struct_size: size_of::<update::netverdict_write>(),
                kind: 0,
                at: 0,
                data: null(),
                len: 0,
            };
            call(|e| update::netverdict_update_write(handle, i, &raw mut write, e))?;
            let data = std::slice::from_raw_parts(write.data, write.len).to_vec();
            writes.push((write.kind, write.at, data));
        }
        Ok((
            update::netverdict_update_revision(handle),
            update::netverdict_update_is_whole(handle) != 0,
            maps,
            writes,
        ))
    }
}

/// A table that does not change.
#[pyclass(frozen)]
struct View {
    handle: RwLock<Shared<netverdict_view>>,
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
}

/// JSON in, JSON out.
#[allow(clippy::undocumented_unsafe_blocks, reason = "as for Engine")]
#[pyfunction]
fn answer_scenario(py: Python<'_>, scenario: &str) -> PyResult<Vec<u8>> {
    let done = py.detach(|| {
        buffer(|out, error| unsafe {
            ffi::scenario::netverdict_scenario_answer(text(scenario), out, error)
        })
    });
    done.map_err(|failure| failure.raise(py))
}

/// JSON in, an image out.
#[allow(clippy::undocumented_unsafe_blocks, reason = "as for Engine")]
#[pyfunction]
fn compile_scenario(py: Python<'_>, scenario: &str) -> PyResult<Vec<u8>> {
    let done = py.detach(|| {
        buffer(|out, error| unsafe {
            ffi::scenario::netverdict_scenario_compile(text(scenario), out, error)
        })
    });
    done.map_err(|failure| failure.raise(py))
}

#[pymodule]
mod _native {
    #[pymodule_export]
    use super::{Engine, View, answer_scenario, compile_scenario};
}
