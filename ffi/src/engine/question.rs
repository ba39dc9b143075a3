//! Questions about flows, endpoints and identities.
//!
//! In: names, and flows as JSON. Out: numbers, and explanations as JSON.

use super::state::State;
use super::{ask, json, netverdict_engine, refusal};
use crate::buffer::{netverdict_buffer, netverdict_str};
use crate::error::{Failure, netverdict_error};
use crate::handle::Out;
use crate::pointer::{self, Place, Sized0};
use crate::status::{NETVERDICT_JSON, NETVERDICT_NOT_FOUND, NETVERDICT_PEER, netverdict_status};
use netverdict::cluster::{AskError, AskedFlow, JsonFlow, JsonSide, Peer, Target};
use netverdict::identity::Reserved;

fn peer(engine: &State, text: &str) -> Result<Peer, Failure> {
    let found = engine.cluster().peer(text);
    found.map_err(|d| refusal(NETVERDICT_PEER, &d, engine.sources()))
}

fn answer(engine: &State, question: &str, explain: bool) -> Result<JsonFlow<JsonSide>, Failure> {
    let (cluster, sources) = (engine.cluster(), engine.sources());
    let asked = AskedFlow::parse(question);
    let answer = asked.and_then(|asked| asked.answer(cluster, sources, explain));
    answer.map_err(|error| match error {
        AskError::Malformed(message) => Failure::new(NETVERDICT_JSON, message),
        AskError::Peer(diagnostic) => refusal(NETVERDICT_PEER, &diagnostic, sources),
    })
}

/// What happens to a flow, as JSON. The question is JSON: `from` and `to`
/// ("shop/web", an address, a prefix, an entity, a DNS name), and one of `port`
/// ("443/TCP", "GRE"), `icmp` and `icmpv6` (a type, or "type/code"); `fragment`:
/// true for a fragment whose port is unknown. The answer has `verdict` ("allow",
/// "deny", "default-deny", "redirect", "auth-required", "unknown"), and of each
/// side with a policy, `egress` of the sender and `ingress` of the receiver, what
/// its policy says, by which rules (`rule`, its `path` and `at`,
/// "file:line:column"), and where a `redirect` leads. It is what `netverdict
/// verdict -o json` prints.
///
/// With what is sent on the flow the question has `http` (`method`, `path`
/// with its query, and where there are such, `host` and `headers`, a list of
/// pairs) or `dns` (the name asked for), and `sni` (the server name of a TLS
/// handshake); `secrets` has the values that header matches name, by
/// "namespace/name/item". The answer then has `layer7`: its `outcome` is
/// "forwarded", "not-inspected" (no proxy looks at it), "403", "refused" (as the
/// DNS proxy answers), "dropped", "unknown", or null when the flow itself does not
/// pass, and either side has the rules it `tried`.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_verdict(
    engine: *const netverdict_engine,
    question: netverdict_str,
    buffer: *mut *mut netverdict_buffer,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe {
        ask(engine, error, |engine| {
            let out = Out::new(buffer, "buffer")?;
            let question = pointer::text(question, "question")?;
            out.set(json(&answer(engine, question, false)?)?);
            Ok(())
        })
    }
}

/// What happens to a flow, and why: as netverdict_engine_verdict, with an
/// `explanation` of each side: every rule that was a candidate, why it lost or
/// won, and the smallest change that turns the verdict round.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_explain(
    engine: *const netverdict_engine,
    question: netverdict_str,
    buffer: *mut *mut netverdict_buffer,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe {
        ask(engine, error, |engine| {
            let out = Out::new(buffer, "buffer")?;
            let question = pointer::text(question, "question")?;
            out.set(json(&answer(engine, question, true)?)?);
            Ok(())
        })
    }
}

/// The security identity of an endpoint, address, prefix or entity. A prefix
/// that no policy names has that of the longest one around it.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_identity(
    engine: *const netverdict_engine,
    of: netverdict_str,
    identity: *mut u32,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe {
        ask(engine, error, |engine| {
            let out = Place::new(identity, "identity")?;
            let text = pointer::name(of, "of")?;
            let cluster = engine.cluster();
            let id = match peer(engine, text)?.target {
                Target::Endpoint(e) => Some(e.identity),
                Target::Address(ip) => Some(cluster.identity_at(ip, None)),
                Target::Prefix(prefix) => {
                    Some(cluster.ipcache().longest_cover(&prefix).map_or_else(
                        || cluster.identity_at(prefix.network(), None),
                        |(_, e)| e.id,
                    ))
                }
                Target::Entity(name) => Reserved::by_name(name).map(|r| r.id),
                Target::Name(_) => None,
            };
            let id = id.ok_or_else(|| {
                let message = format!("`{text}` has no identity of its own");
                Failure::new(NETVERDICT_NOT_FOUND, message)
            })?;
            out.set(id.0);
            Ok(())
        })
    }
}

/// The labels of an identity, as a JSON array of "source:key=value".
/// NETVERDICT_NOT_FOUND when it is not in force.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_identity_labels(
    engine: *const netverdict_engine,
    identity: u32,
    buffer: *mut *mut netverdict_buffer,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe {
        ask(engine, error, |engine| {
            let out = Out::new(buffer, "buffer")?;
            let id = netverdict::identity::NumericIdentity(identity);
            let labels = engine.cluster().identities().get(id).ok_or_else(|| {
                let message = format!("there is no identity {identity}");
                Failure::new(NETVERDICT_NOT_FOUND, message)
            })?;
            let mut labels: Vec<String> = labels.iter().map(ToString::to_string).collect();
            labels.sort();
            out.set(json(&labels)?);
            Ok(())
        })
    }
}

/// Where an endpoint stands in the table.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct netverdict_subject {
    /// sizeof(netverdict_subject), set by the caller.
    pub struct_size: usize,
    /// The subject, for questions to the table. Endpoints of one identity with
    /// the same named ports share one.
    pub subject: u32,
    /// The endpoint's own number, which the table's index knows.
    pub endpoint: u32,
    /// Its security identity.
    pub identity: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: it begins with its size; it is only written.
unsafe impl Sized0 for netverdict_subject {
    const FIRST: usize = pointer::words(1) + 16;
}
const _: () = assert!(size_of::<netverdict_subject>() == pointer::words(1) + 16);

/// Finds the subject of an endpoint ("shop/web"), or of "host" where the host
/// firewall is on. NETVERDICT_NOT_FOUND when it has none: to it and from it nothing
/// may pass. `subject` has its struct_size set.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_subject(
    engine: *const netverdict_engine,
    endpoint: netverdict_str,
    subject: *mut netverdict_subject,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe {
        ask(engine, error, |engine| {
            let text = pointer::name(endpoint, "endpoint")?;
            let published = engine.published();
            let number = match text {
                "host" => Some(0),
                _ => match peer(engine, text)?.target {
                    Target::Endpoint(e) => published.endpoint_number(&e.to_string(), e.kind),
                    _ => None,
                },
            };
            let mut subjects = published.subjects();
            let found = number.and_then(|n| subjects.find(|s| s.endpoints.contains(&n)));
            let (Some(number), Some(found)) = (number, found) else {
                let message = format!("`{text}` has no policy in the table");
                return Err(Failure::new(NETVERDICT_NOT_FOUND, message));
            };
            let told = netverdict_subject {
                struct_size: 0,
                subject: found.number,
                endpoint: number,
                identity: found.identity.0,
                reserved: 0,
            };
            pointer::write_sized(subject, "subject", &told)
        })
    }
}
