//! Resolved policies and policy maps.
//!
//! In: an endpoint by name, or a subject by number. Out: packed keys and
//! values, and JSON with the rules behind each entry.

use super::state::State;
use super::{ask, json, netverdict_engine, refusal};
use crate::buffer::{netverdict_buffer, netverdict_str};
use crate::error::{Failure, call, netverdict_error};
use crate::handle::{self, Out};
use crate::pointer::{self, Sized0, reference};
use crate::status::{
    NETVERDICT_NO_POLICY, NETVERDICT_NOT_FOUND, NETVERDICT_PEER, netverdict_status,
};
use netverdict::cluster::{ResolvedPolicy, Target};
use netverdict::policy_map::{JsonEntry, key_to_bytes, value_to_bytes};
use serde::Serialize;
use std::sync::Arc;

/// A policy map: packed arrays, 12 bytes an element, in the layout of Cilium's
/// `struct policy_key` and `struct policy_entry`. They live as long as the
/// policy they are of.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct netverdict_entries {
    /// sizeof(netverdict_entries), set by the caller.
    pub struct_size: usize,
    /// The keys.
    pub keys: *const u8,
    /// Their values.
    pub values: *const u8,
    /// How many.
    pub count: usize,
}

// SAFETY: it begins with its size; it is only written.
unsafe impl Sized0 for netverdict_entries {
    const FIRST: usize = pointer::words(4);
}
const _: () = assert!(size_of::<netverdict_entries>() == pointer::words(4));

/// What a policy is, beside its entries.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct netverdict_policy_info {
    /// sizeof(netverdict_policy_info), set by the caller.
    pub struct_size: usize,
    /// The subject's security identity.
    pub identity: u32,
    /// Not 0 when ingress is denied unless a rule allows it.
    pub ingress_enforced: u32,
    /// Not 0 when egress is denied unless a rule allows it.
    pub egress_enforced: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: it begins with its size; it is only written.
unsafe impl Sized0 for netverdict_policy_info {
    const FIRST: usize = pointer::words(1) + 16;
}
const _: () = assert!(size_of::<netverdict_policy_info>() == pointer::words(1) + 16);

/// The policy of an endpoint as of a commit.
pub struct netverdict_policy {
    identity: u32,
    enforced: [bool; 2],
    keys: Vec<u8>,
    values: Vec<u8>,
    listing: Listing,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Listing {
    subject: String,
    identity: u32,
    ingress_enforced: bool,
    egress_enforced: bool,
    entries: Vec<JsonEntry>,
}

fn resolved(engine: &State, name: &str) -> Result<(String, Arc<ResolvedPolicy>), Failure> {
    let cluster = engine.cluster();
    let (name, policy) = if name == "host" {
        (name.to_owned(), cluster.host_policy())
    } else {
        let peer = cluster
            .peer(name)
            .map_err(|d| refusal(NETVERDICT_PEER, &d, engine.sources()))?;
        let Target::Endpoint(endpoint) = peer.target else {
            let message = format!("`{name}` is no endpoint and has no policy");
            return Err(Failure::new(NETVERDICT_PEER, message));
        };
        (endpoint.to_string(), cluster.policy(&endpoint))
    };
    let policy = policy.map_err(|e| {
        let message = format!("`{name}` has no policy: {e}");
        Failure::new(NETVERDICT_NO_POLICY, message)
    })?;
    Ok((name, policy))
}

impl netverdict_policy {
    fn new(engine: &State, name: &str) -> Result<Self, Failure> {
        let (subject, policy) = resolved(engine, name)?;
        let enforced = [
            policy.subject.ingress.enforced,
            policy.subject.egress.enforced,
        ];
        let entries = policy.map.entries();
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        for (key, entry) in entries.iter().filter(|(_, e)| !e.invalid) {
            keys.extend(key_to_bytes(key));
            values.extend(value_to_bytes(key, entry));
        }
        let identity = policy.subject.subject.0;
        let [ingress_enforced, egress_enforced] = enforced;
        Ok(Self {
            identity,
            enforced,
            keys,
            values,
            listing: Listing {
                subject,
                identity,
                ingress_enforced,
                egress_enforced,
                entries: JsonEntry::all(&policy.map, &policy.subject, engine.sources()),
            },
        })
    }
}

/// The policy of an endpoint, named like one end of a flow ("shop/web"), or of
/// the host ("host"). Redirects lead to stand-in ports. NETVERDICT_NO_POLICY when
/// rules contradict each other.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_policy(
    engine: *const netverdict_engine,
    endpoint: netverdict_str,
    policy: *mut *mut netverdict_policy,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe {
        ask(engine, error, |engine| {
            let out = Out::new(policy, "policy")?;
            let name = pointer::name(endpoint, "endpoint")?;
            out.set(netverdict_policy::new(engine, name)?);
            Ok(())
        })
    }
}

/// Whose policy it is, and what is enforced; `info` has its struct_size set.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_policy_read_info(
    policy: *const netverdict_policy,
    info: *mut netverdict_policy_info,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    call(error, || {
        // SAFETY: by the rules of the ABI.
        let policy = unsafe { reference(policy, "policy")? };
        let [ingress, egress] = policy.enforced;
        let told = netverdict_policy_info {
            struct_size: 0,
            identity: policy.identity,
            ingress_enforced: ingress.into(),
            egress_enforced: egress.into(),
            reserved: 0,
        };
        // SAFETY: by the rules of the ABI.
        unsafe { pointer::write_sized(info, "info", &told) }
    })
}

/// The policy map, without what pass rules leave behind and no lookup sees;
/// `entries` has its struct_size set.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_policy_entries(
    policy: *const netverdict_policy,
    entries: *mut netverdict_entries,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    call(error, || {
        // SAFETY: by the rules of the ABI.
        let policy = unsafe { reference(policy, "policy")? };
        let told = netverdict_entries {
            struct_size: 0,
            keys: policy.keys.as_ptr(),
            values: policy.values.as_ptr(),
            count: policy.keys.len() / 12,
        };
        // SAFETY: by the rules of the ABI.
        unsafe { pointer::write_sized(entries, "entries", &told) }
    })
}

/// The policy as JSON: every entry with its fields in words and the rules
/// behind it.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_policy_json(
    policy: *const netverdict_policy,
    buffer: *mut *mut netverdict_buffer,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    call(error, || {
        // SAFETY: by the rules of the ABI.
        let (policy, out) = unsafe { (reference(policy, "policy")?, Out::new(buffer, "buffer")?) };
        out.set(json(&policy.listing)?);
        Ok(())
    })
}

/// Frees a policy and sets the pointer to NULL. NULL, or a pointer to NULL, is
/// no mistake.
///
/// # Safety
/// `policy` is NULL or leads to NULL or a policy that nothing else uses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_policy_free(policy: *mut *mut netverdict_policy) {
    // SAFETY: as above.
    unsafe { handle::free(policy) }
}

/// The policy map of a subject of the table, as one buffer: all keys, 12 bytes
/// each, then as many values. For somebody who did not follow the updates from
/// the first. NETVERDICT_NOT_FOUND when there is no such subject.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_subject_map(
    engine: *const netverdict_engine,
    subject: u32,
    buffer: *mut *mut netverdict_buffer,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe {
        ask(engine, error, |engine| {
            let out = Out::new(buffer, "buffer")?;
            if !engine.published().subjects().any(|s| s.number == subject) {
                let message = format!("the table has no subject {subject}");
                return Err(Failure::new(NETVERDICT_NOT_FOUND, message));
            }
            let entries = engine.published().entries(subject);
            let keys = entries.iter().flat_map(|(key, _)| key_to_bytes(key));
            let values = entries.iter().flat_map(|(_, value)| *value);
            out.set(netverdict_buffer::new(keys.chain(values).collect()));
            Ok(())
        })
    }
}
