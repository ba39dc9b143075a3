//! The engine, with JSON in place of objects.
//!
//! In: texts, numbers, pairs. Out: bytes, JSON as text, packed arrays. The
//! interpreter is not held while the engine works.

use crate::call::{Done, Pairs, Shared, buffer, call, diagnostics, labels, text, texts};
use crate::update::{self, packed};
use crate::view::View;
use netverdict_ffi::buffer::netverdict_bytes;
use netverdict_ffi::engine::object::{
    netverdict_endpoint, netverdict_named_port, netverdict_service,
};
use netverdict_ffi::engine::{self as ffi, netverdict_engine};
use pyo3::prelude::*;
use std::ptr::{null, null_mut};
use std::sync::{PoisonError, RwLock};

/// The engine, with JSON in place of objects.
#[pyclass(frozen)]
pub(crate) struct Engine {
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

/// Identity, direction, protocol, port, proxy port, listener.
type ProxyPort = (u32, u8, u8, u16, u16, String);

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

    fn commit(&self, py: Python<'_>) -> PyResult<update::Update> {
        self.change(py, |engine| {
            let mut handle = null_mut();
            call(|e| unsafe { ffi::change::netverdict_engine_commit(engine, &raw mut handle, e) })?;
            let done = update::read(handle);
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

    fn learn(
        &self,
        py: Python<'_>,
        name: &str,
        addresses: Vec<String>,
        ttl: u32,
        at: u64,
        endpoint: u64,
    ) -> PyResult<()> {
        self.change(py, |engine| {
            let list = texts(&addresses);
            let given = ffi::names::netverdict_dns_answer {
                struct_size: size_of::<ffi::names::netverdict_dns_answer>(),
                name: text(name),
                addresses: list.as_ptr(),
                address_count: list.len(),
                endpoint,
                at,
                ttl,
                reserved: 0,
            };
            call(|e| unsafe { ffi::names::netverdict_engine_learn(engine, &raw const given, e) })
        })
    }

    fn keep_alive(&self, py: Python<'_>, endpoint: u64, address: &str, at: u64) -> PyResult<()> {
        self.change(py, |engine| {
            let address = text(address);
            call(|e| unsafe {
                ffi::names::netverdict_engine_keep_alive(engine, endpoint, address, at, e)
            })
        })
    }

    fn end_keep_alive(&self, py: Python<'_>, endpoint: u64, at: u64) -> PyResult<()> {
        self.change(py, |engine| {
            call(|e| unsafe {
                ffi::names::netverdict_engine_end_keep_alive(engine, endpoint, at, e)
            })
        })
    }

    fn forget_names(&self, py: Python<'_>, endpoint: u64) -> PyResult<()> {
        self.change(py, |engine| {
            call(|e| unsafe { ffi::names::netverdict_engine_forget_names(engine, endpoint, e) })
        })
    }

    fn expire_names(&self, py: Python<'_>, at: u64) -> PyResult<()> {
        self.change(py, |engine| {
            call(|e| unsafe { ffi::names::netverdict_engine_expire_names(engine, at, e) })
        })
    }

    /// Identity, direction, protocol, port, proxy port, listener of each.
    fn set_proxy_ports(&self, py: Python<'_>, ports: Vec<ProxyPort>) -> PyResult<()> {
        self.change(py, |engine| {
            let given = |p: &ProxyPort| ffi::proxy::netverdict_proxy_port {
                listener: text(&p.5),
                identity: p.0,
                port: p.3,
                proxy_port: p.4,
                protocol: p.2,
                direction: p.1,
                reserved: [0; 6],
            };
            let list: Vec<_> = ports.iter().map(given).collect();
            call(|e| unsafe {
                let (data, count) = (list.as_ptr(), list.len());
                ffi::proxy::netverdict_engine_set_proxy_ports(engine, data, count, e)
            })
        })
    }

    fn use_stand_in_ports(&self, py: Python<'_>) -> PyResult<()> {
        self.change(py, |engine| {
            call(|e| unsafe { ffi::proxy::netverdict_engine_use_stand_in_ports(engine, e) })
        })
    }

    fn reach(&self, py: Python<'_>, flags: u32) -> PyResult<Vec<u8>> {
        self.ask(py, |engine| {
            buffer(|out, error| unsafe {
                ffi::connectivity::netverdict_engine_reach(engine, flags, out, error)
            })
        })
    }

    fn diff(&self, py: Python<'_>, old: &Self, flags: u32) -> PyResult<Vec<u8>> {
        self.ask(py, |engine| {
            // One lock is not taken twice: a writer may wait in between.
            let held = (!std::ptr::eq(self, old))
                .then(|| old.handle.read().unwrap_or_else(PoisonError::into_inner));
            let old = held.as_ref().map_or(engine, |handle| handle.0.cast_const());
            buffer(|out, error| unsafe {
                ffi::connectivity::netverdict_engine_diff(engine, old, flags, out, error)
            })
        })
    }

    fn proxy_policy(&self, py: Python<'_>, endpoint: &str) -> PyResult<Vec<u8>> {
        self.ask(py, |engine| {
            buffer(|out, error| unsafe {
                ffi::proxy::netverdict_engine_proxy_policy(engine, text(endpoint), out, error)
            })
        })
    }

    fn compile(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        self.ask(py, |engine| {
            buffer(|out, error| unsafe {
                ffi::reader::netverdict_engine_compile(engine, out, error)
            })
        })
    }

    fn verdict(&self, py: Python<'_>, question: &str) -> PyResult<Vec<u8>> {
        self.ask(py, |engine| {
            buffer(|out, error| unsafe {
                ffi::question::netverdict_engine_verdict(engine, text(question), out, error)
            })
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
