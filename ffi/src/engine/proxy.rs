//! Proxies: where redirects lead, and what a proxy is told.
//!
//! In: the ports that the caller's proxies listen on, endpoints by name. Out:
//! entries and verdicts with those ports, and the policies of endpoints as
//! Cilium sends them to Envoy.

use super::{ask, change, json, netverdict_engine, refusal};
use crate::buffer::{netverdict_buffer, netverdict_str};
use crate::error::{Failure, netverdict_error};
use crate::handle::Out;
use crate::pointer;
use crate::status::{
    NETVERDICT_BAD_ARGUMENT, NETVERDICT_NO_POLICY, NETVERDICT_PEER, netverdict_status,
};
use crate::view::{NETVERDICT_EGRESS, NETVERDICT_INGRESS};
use netverdict::cluster::{ProxyPortsOf, Target};
use netverdict::compile::SubjectProxyPorts;
use netverdict::identity::NumericIdentity;
use netverdict::l7::Secrets;
use netverdict::policy_map::RedirectKey;
use netverdict::rule::Direction;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where a redirect leads. Which redirects there are, `redirect` of an
/// explanation tells.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct netverdict_proxy_port {
    /// Qualified name of a custom listener; empty for the proxies of Cilium's
    /// own.
    pub listener: netverdict_str,
    /// Identity of the subject; 0 for every one that has no port of its own.
    pub identity: u32,
    /// The port that redirects, or the first of a range; host byte order.
    pub port: u16,
    /// The port that the proxy listens on; host byte order, not 0.
    pub proxy_port: u16,
    /// IP protocol number: 6 TCP, 17 UDP, 132 SCTP.
    pub protocol: u8,
    /// NETVERDICT_INGRESS or NETVERDICT_EGRESS.
    pub direction: u8,
    /// 0.
    pub reserved: [u8; 6],
}

/// A redirect without its parser, as Cilium's proxy ids are.
type Redirect = (u32, bool, u8, u16, Arc<str>);

/// # Safety
/// By the rules of the ABI.
unsafe fn read(given: &netverdict_proxy_port) -> Result<(Redirect, u16), Failure> {
    let wrong = |message: &str| Err(Failure::new(NETVERDICT_BAD_ARGUMENT, message));
    // SAFETY: by the rules of the ABI.
    let listener = unsafe { pointer::name(given.listener, "ports.listener")? };
    let egress = match given.direction {
        NETVERDICT_INGRESS => false,
        NETVERDICT_EGRESS => true,
        _ => return wrong("`ports.direction` is none"),
    };
    if given.proxy_port == 0 {
        return wrong("`ports.proxy_port` is 0");
    }
    if given.reserved != [0; 6] {
        return wrong("`ports.reserved` is not 0");
    }
    let redirect = (
        given.identity,
        egress,
        given.protocol,
        given.port,
        listener.into(),
    );
    Ok((redirect, given.proxy_port))
}

fn lookup(ports: BTreeMap<Redirect, u16>) -> ProxyPortsOf {
    let ports = Arc::new(ports);
    Arc::new(move |identity: NumericIdentity| -> SubjectProxyPorts {
        let ports = Arc::clone(&ports);
        Arc::new(move |redirect: &RedirectKey| {
            let of = |identity: u32| {
                let key = (
                    identity,
                    redirect.direction == Direction::Egress,
                    redirect.protocol,
                    redirect.port,
                    Arc::clone(&redirect.listener),
                );
                ports.get(&key).copied()
            };
            of(identity.0).or_else(|| of(0))
        })
    })
}

/// Stages where redirects lead, in place of what was said before. A redirect
/// that is not among `ports` is not realised yet: policy maps do not have its
/// entries, as with Cilium, and nothing is allowed by them. Before the first
/// call, all redirects lead to stand-ins from port 10001 on, and in
/// explanations and netverdict_policy they always do.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_set_proxy_ports(
    engine: *mut netverdict_engine,
    ports: *const netverdict_proxy_port,
    port_count: usize,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe {
        change(engine, error, |engine| {
            let ports = pointer::slice(ports, port_count, "ports")?;
            let ports: Result<BTreeMap<_, _>, Failure> = ports.iter().map(|p| read(p)).collect();
            engine.stage_proxy_ports(Some(lookup(ports?)));
            Ok(())
        })
    }
}

/// Stages that redirects lead to stand-ins again.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_use_stand_in_ports(
    engine: *mut netverdict_engine,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe {
        change(engine, error, |engine| {
            engine.stage_proxy_ports(None);
            Ok(())
        })
    }
}

/// The policy of an endpoint ("shop/web") as Cilium sends it to Envoy: the
/// message cilium.NetworkPolicy as JSON, as `netverdict proxy` prints it. Secrets
/// are named and not read. NETVERDICT_NO_POLICY when rules contradict each other.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_proxy_policy(
    engine: *const netverdict_engine,
    endpoint: netverdict_str,
    buffer: *mut *mut netverdict_buffer,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe {
        ask(engine, error, |engine| {
            let out = Out::new(buffer, "buffer")?;
            let name = pointer::name(endpoint, "endpoint")?;
            let cluster = engine.cluster();
            let peer = cluster.peer(name);
            let peer = peer.map_err(|d| refusal(NETVERDICT_PEER, &d, engine.sources()))?;
            let Target::Endpoint(endpoint) = peer.target else {
                let message = format!("`{name}` is no endpoint and has no policy");
                return Err(Failure::new(NETVERDICT_PEER, message));
            };
            let secrets = Secrets::default();
            let policy = cluster.network_policy(&endpoint, &secrets).map_err(|e| {
                let message = format!("`{endpoint}` has no policy: {e}");
                Failure::new(NETVERDICT_NO_POLICY, message)
            })?;
            out.set(json(&policy.to_json(&secrets))?);
            Ok(())
        })
    }
}
