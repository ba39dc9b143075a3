//! Readers in threads of their own while an engine changes, through the C ABI:
//! what `ffi/tests/c/threads.c` does, for ThreadSanitizer, which has to see all
//! of the program.

use netverdict_ffi::buffer::netverdict_str;
use netverdict_ffi::engine::change::{netverdict_engine_apply, netverdict_engine_commit};
use netverdict_ffi::engine::question::{
    netverdict_engine_identity, netverdict_engine_subject, netverdict_subject,
};
use netverdict_ffi::engine::reader::{
    netverdict_engine_reader, netverdict_reader, netverdict_reader_free, netverdict_reader_renew,
    netverdict_reader_verdict,
};
use netverdict_ffi::engine::{netverdict_engine_free, netverdict_engine_new};
use netverdict_ffi::status::NETVERDICT_OK;
use netverdict_ffi::view::{netverdict_question, netverdict_verdict};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

fn text(of: &str) -> netverdict_str {
    netverdict_str {
        data: of.as_ptr().cast(),
        len: of.len(),
    }
}

fn pods() -> String {
    let pod = |name: &str| {
        format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: shop, labels: {{app: {name}}}}}}}\n---\n"
        )
    };
    pod("web") + &pod("db")
}

fn policy(port: u16) -> String {
    format!(
        "{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: db, namespace: shop}},\n \
         spec: {{podSelector: {{matchLabels: {{app: db}}}}, ingress: [{{ports: [{{port: {port}}}]}}]}}}}"
    )
}

/// A reader on its way to its thread.
struct Handed(*mut netverdict_reader);

// SAFETY: a reader may be used by any one thread.
unsafe impl Send for Handed {}

#[test]
fn readers_follow_commits() {
    let mut engine = null_mut();
    let (mut web, error) = (0, null_mut());
    let mut subject = netverdict_subject {
        struct_size: size_of::<netverdict_subject>(),
        subject: 0,
        endpoint: 0,
        identity: 0,
        reserved: 0,
    };
    let apply = |engine, name: &str, yaml: &str| {
        // SAFETY: all pointers are what they should be, here and below.
        let status =
            unsafe { netverdict_engine_apply(engine, text(name), text(yaml), null_mut(), error) };
        assert_eq!(status, NETVERDICT_OK);
    };
    // SAFETY: as above.
    unsafe {
        assert_eq!(netverdict_engine_new(null(), &raw mut engine, error), 0);
        apply(engine, "pods", &pods());
        apply(engine, "policy", &policy(1000));
        assert_eq!(netverdict_engine_commit(engine, null_mut(), error), 0);
        let status = netverdict_engine_identity(engine, text("shop/web"), &raw mut web, error);
        assert_eq!(status, NETVERDICT_OK);
        let status = netverdict_engine_subject(engine, text("shop/db"), &raw mut subject, error);
        assert_eq!(status, NETVERDICT_OK);
    }
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            let mut reader = null_mut();
            // SAFETY: as above.
            let status = unsafe { netverdict_engine_reader(engine, &raw mut reader, error) };
            assert_eq!(status, NETVERDICT_OK);
            let handed = Handed(reader);
            let (over, subject) = (&over, subject.subject);
            scope.spawn(move || {
                let Handed(mut reader) = { handed };
                let mut seen = [0u32; 2];
                while !over.load(Ordering::Relaxed) || seen[0] + seen[1] < 100 {
                    for (port, seen) in [1000, 2000].into_iter().zip(&mut seen) {
                        let question = netverdict_question {
                            subject,
                            identity: web,
                            port,
                            protocol: 6,
                            ..netverdict_question::default()
                        };
                        let mut verdict = netverdict_verdict::default();
                        // SAFETY: as above.
                        let status = unsafe {
                            netverdict_reader_verdict(reader, &raw const question, &raw mut verdict)
                        };
                        assert_eq!(status, NETVERDICT_OK);
                        assert!(matches!(verdict.code, 0 | -133) && verdict.flags == 0);
                        *seen += u32::from(verdict.code == 0);
                    }
                    // SAFETY: as above.
                    unsafe { netverdict_reader_renew(reader) };
                }
                // SAFETY: as above.
                unsafe { netverdict_reader_free(&raw mut reader) };
            });
        }
        for i in 0..20 {
            apply(engine, "policy", &policy([2000, 1000][i % 2]));
            // SAFETY: as above.
            let status = unsafe { netverdict_engine_commit(engine, null_mut(), error) };
            assert_eq!(status, NETVERDICT_OK);
        }
        over.store(true, Ordering::Relaxed);
    });
    // SAFETY: as above.
    unsafe { netverdict_engine_free(&raw mut engine) };
}
