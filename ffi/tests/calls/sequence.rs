//! A sequence of calls of the C ABI, chosen byte by byte.
//!
//! In: any bytes. Out: nothing; what must hold is asserted: no call panics or
//! poisons a handle, what fails leaves its out parameters alone and comes with
//! an error that says the same, and freeing twice does nothing.

use netverdict_ffi::buffer::{
    netverdict_buffer, netverdict_buffer_bytes, netverdict_buffer_free, netverdict_str,
};
use netverdict_ffi::engine::change::{
    netverdict_engine_apply, netverdict_engine_commit, netverdict_engine_end_grace_period,
    netverdict_engine_remove,
};
use netverdict_ffi::engine::names::{
    netverdict_dns_answer, netverdict_engine_end_keep_alive, netverdict_engine_expire_names,
    netverdict_engine_forget_names, netverdict_engine_keep_alive, netverdict_engine_learn,
};
use netverdict_ffi::engine::object::{
    netverdict_engine_remove_identity, netverdict_engine_set_identity, netverdict_label,
};
use netverdict_ffi::engine::policy::{
    netverdict_engine_policy, netverdict_policy, netverdict_policy_free, netverdict_policy_json,
};
use netverdict_ffi::engine::proxy::{
    netverdict_engine_proxy_policy, netverdict_engine_set_proxy_ports,
    netverdict_engine_use_stand_in_ports, netverdict_proxy_port,
};
use netverdict_ffi::engine::question::{netverdict_engine_explain, netverdict_engine_verdict};
use netverdict_ffi::engine::reader::{
    netverdict_engine_compile, netverdict_engine_image, netverdict_engine_reader,
    netverdict_engine_view, netverdict_reader, netverdict_reader_free, netverdict_reader_renew,
    netverdict_reader_verdict,
};
use netverdict_ffi::engine::update::{
    netverdict_update, netverdict_update_free, netverdict_update_write_count,
};
use netverdict_ffi::engine::{netverdict_engine, netverdict_engine_free, netverdict_engine_new};
use netverdict_ffi::error::{
    netverdict_error, netverdict_error_free, netverdict_error_message, netverdict_error_status,
};
use netverdict_ffi::origin::{
    netverdict_origin_count, netverdict_origin_free, netverdict_origin_get, netverdict_rule,
    netverdict_view_origin,
};
use netverdict_ffi::status::{
    ALL, NETVERDICT_NULL_ARGUMENT, NETVERDICT_OK, NETVERDICT_PANIC, NETVERDICT_POISONED,
    netverdict_status,
};
use netverdict_ffi::view::{
    netverdict_question, netverdict_verdict, netverdict_view, netverdict_view_free,
    netverdict_view_load, netverdict_view_verdict,
};
use std::ptr::{null, null_mut};

/// Documents to apply: sound ones, contradictions, and no YAML at all.
const DOCUMENTS: [&str; 8] = [
    "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}}",
    "{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: shop, labels: {app: db}}}",
    "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: shop}, \
     spec: {podSelector: {matchLabels: {app: db}}, ingress: [{ports: [{port: 5432}]}]}}",
    "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: shop}, \
     spec: {podSelector: {}}}",
    "{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: q, namespace: shop}, \
     spec: {endpointSelector: {}, egress: [{toCIDR: [10.0.0.0/8]}], ingress: [{fromEntities: [world]}]}}",
    "{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: r, namespace: shop}, \
     spec: {endpointSelector: {}, egress: [{toFQDNs: [{matchPattern: '*.example.com'}]}, \
     {toEntities: [all], toPorts: [{ports: [{port: '53', protocol: ANY}], rules: {dns: [{matchName: a.example.com}]}}]}], \
     ingress: [{toPorts: [{ports: [{port: '135'}], rules: {http: [{method: GET, path: '/a.*'}]}}]}]}}",
    "a: [",
    "",
];
const NAMES: [&str; 3] = ["a", "b", ""];
const HOSTS: [&str; 4] = ["a.example.com", "B.example.com.", "example.org", ""];
const ADDRESSES: [&str; 4] = ["10.1.2.3", "192.0.2.7", "2001:db8::1", "nowhere"];
const SENT: [&str; 6] = [
    "\"http\":{\"method\":\"GET\",\"path\":\"/a\"}",
    "\"http\":{\"method\":\"\",\"path\":\"a\"}",
    "\"dns\":\"a.example.com\"",
    "\"dns\":\"\"",
    "\"sni\":\"a.example.com\"",
    "\"http\":null,\"secrets\":{\"a\":\"b\"}",
];
const ENDS: [&str; 6] = [
    "shop/web",
    "shop/db",
    "world",
    "10.1.2.3",
    "shop/nobody",
    "",
];

fn text(of: &str) -> netverdict_str {
    netverdict_str {
        data: of.as_ptr().cast(),
        len: of.len(),
    }
}

/// The choices that are left.
struct Choices<'d>(&'d [u8]);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn of<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        texts[usize::from(self.byte()) % texts.len()]
    }
}

/// Checks what a call said, and frees its error.
fn check(status: netverdict_status, mut error: *mut netverdict_error) -> bool {
    assert!(ALL.iter().any(|(known, _)| *known == status), "{status}");
    assert!(!matches!(status, NETVERDICT_PANIC | NETVERDICT_POISONED));
    if status == NETVERDICT_OK {
        assert!(error.is_null());
        return true;
    }
    // SAFETY: the error was made by the call, and is freed once and once more.
    unsafe {
        assert_eq!(netverdict_error_status(error), status);
        assert_ne!(netverdict_error_message(error).len, 0);
        netverdict_error_free(&raw mut error);
        netverdict_error_free(&raw mut error);
    }
    false
}

/// One handle of each kind.
struct Handles {
    engine: *mut netverdict_engine,
    view: *mut netverdict_view,
    reader: *mut netverdict_reader,
    policy: *mut netverdict_policy,
    update: *mut netverdict_update,
}

impl Handles {
    fn free(&mut self) {
        // SAFETY: every handle is NULL or was made by the library.
        unsafe {
            for _ in 0..2 {
                netverdict_engine_free(&raw mut self.engine);
                netverdict_view_free(&raw mut self.view);
                netverdict_reader_free(&raw mut self.reader);
                netverdict_policy_free(&raw mut self.policy);
                netverdict_update_free(&raw mut self.update);
            }
        }
    }
}

/// Calls what the bytes choose.
pub(crate) fn run(data: &[u8]) {
    let mut choices = Choices(data);
    let mut all = Handles {
        engine: null_mut(),
        view: null_mut(),
        reader: null_mut(),
        policy: null_mut(),
        update: null_mut(),
    };
    while !choices.0.is_empty() {
        step(&mut choices, &mut all);
    }
    all.free();
}

/// Takes what a call made, in place of what was there.
fn put<T>(done: bool, made: *mut T, slot: &mut *mut T, free: unsafe extern "C" fn(*mut *mut T)) {
    assert_eq!(done, !made.is_null());
    if done {
        // SAFETY: the slot is NULL or what an earlier call made.
        unsafe { free(slot) };
        *slot = made;
    }
}

fn step(choices: &mut Choices<'_>, all: &mut Handles) {
    let mut error = null_mut();
    let e = &raw mut error;
    let engine = all.engine;
    // SAFETY: every pointer is NULL or leads to what its type says; one thread
    // does all of it.
    unsafe {
        match choices.byte() % 17 {
            0 | 1 => {
                let mut made = null_mut();
                let done = check(netverdict_engine_new(null(), &raw mut made, e), error);
                put(done, made, &mut all.engine, netverdict_engine_free);
            }
            2..=4 => {
                let (name, document) = (choices.of(&NAMES), choices.of(&DOCUMENTS));
                let (name, document) = (text(name), text(document));
                let status = netverdict_engine_apply(engine, name, document, null_mut(), e);
                assert_eq!(check(status, error), !engine.is_null());
            }
            5 => {
                let status = netverdict_engine_remove(engine, text(choices.of(&NAMES)), e);
                check(status, error);
            }
            6 => {
                let label = netverdict_label {
                    key: text("k8s:app"),
                    value: text(choices.of(&NAMES)),
                };
                let number = u32::from(choices.byte()) << (choices.byte() % 25);
                let labels = &raw const label;
                check(
                    netverdict_engine_set_identity(engine, number, labels, 1, e),
                    error,
                );
            }
            7 => {
                let number = u32::from(choices.byte());
                check(netverdict_engine_remove_identity(engine, number, e), error);
            }
            8 | 9 => {
                let mut made = null_mut();
                let done = check(netverdict_engine_commit(engine, &raw mut made, e), error);
                put(done, made, &mut all.update, netverdict_update_free);
                netverdict_update_write_count(all.update);
            }
            10 => {
                let question = format!(
                    "{{\"from\":\"{}\",\"to\":\"{}\",\"port\":\"{}/TCP\"}}",
                    choices.of(&ENDS),
                    choices.of(&ENDS),
                    u16::from(choices.byte()) * 27
                );
                let mut json: *mut netverdict_buffer = null_mut();
                let status = netverdict_engine_explain(engine, text(&question), &raw mut json, e);
                assert_eq!(check(status, error), !json.is_null());
                assert_eq!(json.is_null(), netverdict_buffer_bytes(json).len == 0);
                netverdict_buffer_free(&raw mut json);
            }
            11 => {
                let mut made = null_mut();
                let name = text(choices.of(&ENDS));
                let done = check(
                    netverdict_engine_policy(engine, name, &raw mut made, e),
                    error,
                );
                put(done, made, &mut all.policy, netverdict_policy_free);
                let mut json = null_mut();
                let mut error = null_mut();
                let status = netverdict_policy_json(all.policy, &raw mut json, &raw mut error);
                assert_eq!(check(status, error), !all.policy.is_null());
                netverdict_buffer_free(&raw mut json);
                let ended = netverdict_engine_end_grace_period(engine, null_mut());
                assert_eq!(ended == NETVERDICT_OK, !engine.is_null());
            }
            12 => tables(choices, all),
            13 => names(choices, engine),
            14 => proxies(choices, engine),
            15 => sent(choices, engine),
            _ => match choices.byte() % 5 {
                0 => netverdict_engine_free(&raw mut all.engine),
                1 => netverdict_view_free(&raw mut all.view),
                2 => netverdict_reader_free(&raw mut all.reader),
                3 => netverdict_policy_free(&raw mut all.policy),
                _ => netverdict_update_free(&raw mut all.update),
            },
        }
    }
}

/// Answers of DNS, and what becomes of them.
fn names(choices: &mut Choices<'_>, engine: *mut netverdict_engine) {
    let mut error = null_mut();
    let e = &raw mut error;
    let endpoint = u64::from(choices.byte() % 3);
    let at = u64::from(choices.byte()) << (choices.byte() % 24);
    let address = text(choices.of(&ADDRESSES));
    // SAFETY: as above.
    let status = unsafe {
        match choices.byte() % 6 {
            0 | 1 => {
                let answer = netverdict_dns_answer {
                    struct_size: size_of::<netverdict_dns_answer>(),
                    name: text(choices.of(&HOSTS)),
                    addresses: &raw const address,
                    address_count: 1,
                    endpoint,
                    at,
                    ttl: u32::from(choices.byte()),
                    reserved: 0,
                };
                netverdict_engine_learn(engine, &raw const answer, e)
            }
            2 => netverdict_engine_keep_alive(engine, endpoint, address, at, e),
            3 => netverdict_engine_end_keep_alive(engine, endpoint, at, e),
            4 => netverdict_engine_forget_names(engine, endpoint, e),
            _ => netverdict_engine_expire_names(engine, at, e),
        }
    };
    check(status, error);
}

/// Where redirects lead, and what proxies are told.
fn proxies(choices: &mut Choices<'_>, engine: *mut netverdict_engine) {
    let mut error = null_mut();
    let e = &raw mut error;
    // SAFETY: as above.
    unsafe {
        match choices.byte() % 3 {
            0 => {
                let port = netverdict_proxy_port {
                    listener: text(choices.of(&NAMES)),
                    identity: u32::from(choices.byte() % 2) * 256,
                    port: [53, 135][usize::from(choices.byte() % 2)],
                    proxy_port: u16::from(choices.byte()),
                    protocol: [6, 17][usize::from(choices.byte() % 2)],
                    direction: choices.byte() % 3,
                    reserved: [0; 6],
                };
                let count = usize::from(choices.byte() % 2);
                let status = netverdict_engine_set_proxy_ports(engine, &raw const port, count, e);
                check(status, error);
            }
            1 => {
                check(netverdict_engine_use_stand_in_ports(engine, e), error);
            }
            _ => {
                let mut json = null_mut();
                let name = text(choices.of(&ENDS));
                let status = netverdict_engine_proxy_policy(engine, name, &raw mut json, e);
                assert_eq!(check(status, error), !json.is_null());
                netverdict_buffer_free(&raw mut json);
            }
        }
    }
}

/// What is sent on flows; and the rules behind a verdict.
fn sent(choices: &mut Choices<'_>, engine: *mut netverdict_engine) {
    let mut error = null_mut();
    let e = &raw mut error;
    // SAFETY: as above.
    unsafe {
        if choices.byte().is_multiple_of(2) {
            let question = format!(
                "{{\"from\":\"{}\",\"to\":\"{}\",\"port\":\"{}\",{}}}",
                choices.of(&ENDS),
                choices.of(&ENDS),
                choices.of(&["53/UDP", "135/TCP", "443/TCP"]),
                choices.of(&SENT),
            );
            let mut json = null_mut();
            let status = netverdict_engine_verdict(engine, text(&question), &raw mut json, e);
            assert_eq!(check(status, error), !json.is_null());
            netverdict_buffer_free(&raw mut json);
            return;
        }
        let mut image = null_mut();
        let status = netverdict_engine_compile(engine, &raw mut image, e);
        assert_eq!(check(status, error), !image.is_null());
        let bytes = netverdict_buffer_bytes(image);
        let (mut view, mut origin) = (null_mut(), null_mut());
        let mut error = null_mut();
        let e = &raw mut error;
        check(
            netverdict_view_load(bytes.data, bytes.len, &raw mut view, e),
            error,
        );
        let question = netverdict_question {
            subject: u32::from(choices.byte() % 4),
            identity: u32::from(choices.byte()) << (choices.byte() % 25),
            port: 135,
            protocol: 6,
            direction: choices.byte() % 3,
            ..netverdict_question::default()
        };
        let mut error = null_mut();
        let e = &raw mut error;
        let question = &raw const question;
        check(
            netverdict_view_origin(view, question, &raw mut origin, e),
            error,
        );
        for i in 0..=netverdict_origin_count(origin) {
            let mut rule = netverdict_rule::default();
            let mut error = null_mut();
            let e = &raw mut error;
            let done = check(netverdict_origin_get(origin, i, &raw mut rule, e), error);
            assert_eq!(done, i < netverdict_origin_count(origin));
        }
        netverdict_origin_free(&raw mut origin);
        netverdict_view_free(&raw mut view);
        netverdict_buffer_free(&raw mut image);
    }
}

/// Views, readers, damaged images, verdicts.
fn tables(choices: &mut Choices<'_>, all: &mut Handles) {
    let mut error = null_mut();
    let e = &raw mut error;
    // SAFETY: as above.
    unsafe {
        match choices.byte() % 4 {
            0 => {
                let mut made = null_mut();
                let done = check(netverdict_engine_view(all.engine, &raw mut made, e), error);
                put(done, made, &mut all.view, netverdict_view_free);
            }
            1 => {
                let mut made = null_mut();
                let done = check(
                    netverdict_engine_reader(all.engine, &raw mut made, e),
                    error,
                );
                put(done, made, &mut all.reader, netverdict_reader_free);
            }
            2 => {
                let image = netverdict_engine_image(all.engine);
                let mut bytes = std::slice::from_raw_parts(image.data, image.len).to_vec();
                let at = usize::from(choices.byte()) << (choices.byte() % 12);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = choices.byte();
                }
                let mut made = null_mut();
                let (data, len) = (bytes.as_ptr(), bytes.len());
                let done = check(netverdict_view_load(data, len, &raw mut made, e), error);
                put(done, made, &mut all.view, netverdict_view_free);
            }
            _ => {
                let question = netverdict_question {
                    subject: u32::from(choices.byte() % 4),
                    identity: u32::from(choices.byte()) << (choices.byte() % 25),
                    port: u16::from(choices.byte()) * 27,
                    protocol: choices.byte(),
                    direction: choices.byte() % 3,
                    ..netverdict_question::default()
                };
                let (question, mut verdict) = (&raw const question, netverdict_verdict::default());
                let of_view = netverdict_view_verdict(all.view, question, &raw mut verdict);
                let of_reader = netverdict_reader_verdict(all.reader, question, &raw mut verdict);
                assert_eq!(all.view.is_null(), of_view == NETVERDICT_NULL_ARGUMENT);
                assert_eq!(all.reader.is_null(), of_reader == NETVERDICT_NULL_ARGUMENT);
                netverdict_reader_renew(all.reader);
            }
        }
    }
}
