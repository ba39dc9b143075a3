//! Objects without YAML.
//!
//! In: identities, namespaces, endpoints, services and names as structs. Out:
//! the Kubernetes objects they stand for, staged like documents.

use super::state::Name;
use super::{change, netverdict_engine};
use crate::buffer::netverdict_str;
use crate::error::{Failure, netverdict_error};
use crate::pointer::{self, Sized0};
use crate::status::{NETVERDICT_BAD_ARGUMENT, netverdict_status};
use netverdict::rule::protocol;
use serde_json::{Map, Value, json};
use std::net::IpAddr;

/// A label.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct netverdict_label {
    /// Its key; for identities with the source before it: "k8s:app".
    pub key: netverdict_str,
    /// Its value; may be empty.
    pub value: netverdict_str,
}

/// A port with a name.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct netverdict_named_port {
    /// Its name, as policies call it.
    pub name: netverdict_str,
    /// Its number, host byte order.
    pub port: u16,
    /// IP protocol number: 6 TCP, 17 UDP, 132 SCTP.
    pub protocol: u8,
    /// 0.
    pub reserved: [u8; 5],
}

/// A pod.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct netverdict_endpoint {
    /// sizeof(netverdict_endpoint), set by the caller.
    pub struct_size: usize,
    /// Its namespace.
    pub namespace_name: netverdict_str,
    /// Its name.
    pub name: netverdict_str,
    /// Its node; may be empty.
    pub node: netverdict_str,
    /// Its labels: those of the pod ("app") when `identity` is 0, those of the
    /// identity ("k8s:app") otherwise.
    pub labels: *const netverdict_label,
    /// How many labels.
    pub label_count: usize,
    /// Its addresses, as text.
    pub addresses: *const netverdict_str,
    /// How many addresses.
    pub address_count: usize,
    /// Its named ports.
    pub ports: *const netverdict_named_port,
    /// How many named ports.
    pub port_count: usize,
    /// Its security identity, or 0 to have one allocated for its labels.
    pub identity: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: it begins with its size; NULL pointers and 0 are values.
unsafe impl Sized0 for netverdict_endpoint {
    const FIRST: usize = pointer::words(13) + 8;
}
const _: () = assert!(size_of::<netverdict_endpoint>() == pointer::words(13) + 8);

/// A service that policies may name.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct netverdict_service {
    /// sizeof(netverdict_service), set by the caller.
    pub struct_size: usize,
    /// Its namespace.
    pub namespace_name: netverdict_str,
    /// Its name.
    pub name: netverdict_str,
    /// Its own labels.
    pub labels: *const netverdict_label,
    /// How many.
    pub label_count: usize,
    /// The labels of the pods behind it.
    pub selector: *const netverdict_label,
    /// How many; 0 when the backends are given by `addresses` alone.
    pub selector_count: usize,
    /// The addresses behind it, as text.
    pub addresses: *const netverdict_str,
    /// How many.
    pub address_count: usize,
}

// SAFETY: it begins with its size; NULL pointers and 0 are values.
unsafe impl Sized0 for netverdict_service {
    const FIRST: usize = pointer::words(11);
}
const _: () = assert!(size_of::<netverdict_service>() == pointer::words(11));

type Pairs = Vec<(String, String)>;

/// # Safety
/// By the rules of the ABI.
unsafe fn labels(list: *const netverdict_label, count: usize) -> Result<Pairs, Failure> {
    // SAFETY: by the rules of the ABI.
    let list = unsafe { pointer::slice(list, count, "labels")? };
    let pair = |label: &netverdict_label| {
        // SAFETY: by the rules of the ABI.
        let (key, value) = unsafe {
            (
                pointer::name(label.key, "labels.key")?,
                pointer::name(label.value, "labels.value")?,
            )
        };
        Ok((key.to_owned(), value.to_owned()))
    };
    list.iter().map(pair).collect()
}

fn object(pairs: &Pairs) -> Value {
    let pairs = pairs.iter().map(|(k, v)| (k.clone(), json!(v)));
    Value::Object(pairs.collect::<Map<String, Value>>())
}

/// # Safety
/// By the rules of the ABI.
pub(super) unsafe fn addresses(
    list: *const netverdict_str,
    count: usize,
) -> Result<Vec<IpAddr>, Failure> {
    // SAFETY: by the rules of the ABI.
    let list = unsafe { pointer::slice(list, count, "addresses")? };
    let address = |text: &netverdict_str| {
        // SAFETY: by the rules of the ABI.
        let text = unsafe { pointer::name(*text, "addresses")? };
        text.parse().map_err(|_| {
            let message = format!("`{text}` is no address");
            Failure::new(NETVERDICT_BAD_ARGUMENT, message)
        })
    };
    list.iter().map(address).collect()
}

/// # Safety
/// By the rules of the ABI.
unsafe fn string(text: netverdict_str, name: &str) -> Result<String, Failure> {
    // SAFETY: by the rules of the ABI.
    let text = unsafe { pointer::name(text, name)? };
    if text.is_empty() {
        let message = format!("`{name}` is empty");
        return Err(Failure::new(NETVERDICT_BAD_ARGUMENT, message));
    }
    Ok(text.to_owned())
}

fn transport(number: u8) -> Result<&'static str, Failure> {
    match number {
        protocol::TCP | protocol::UDP | protocol::SCTP => {
            Ok(protocol::name(number).unwrap_or_default())
        }
        _ => {
            let message = format!("named ports have no protocol {number}");
            Err(Failure::new(NETVERDICT_BAD_ARGUMENT, message))
        }
    }
}

/// Stages an identity: a number with its labels, "k8s:app" to "web". What the
/// number meant before is replaced.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_set_identity(
    engine: *mut netverdict_engine,
    identity: u32,
    labels: *const netverdict_label,
    label_count: usize,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe {
        change(engine, error, |engine| {
            let labels = self::labels(labels, label_count)?;
            let text = json!({
                "apiVersion": "cilium.io/v2",
                "kind": "CiliumIdentity",
                "metadata": {"name": identity.to_string()},
                "security-labels": object(&labels),
            });
            engine.stage_object(Name::Identity(identity), &text.to_string())
        })
    }
}

/// Stages that an identity goes. NETVERDICT_NOT_FOUND when it was not set.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_remove_identity(
    engine: *mut netverdict_engine,
    identity: u32,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe {
        change(engine, error, |engine| {
            engine.unstage(Name::Identity(identity))
        })
    }
}

/// Stages a namespace with its labels.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_set_namespace(
    engine: *mut netverdict_engine,
    name: netverdict_str,
    labels: *const netverdict_label,
    label_count: usize,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe {
        change(engine, error, |engine| {
            let name = string(name, "name")?;
            let labels = self::labels(labels, label_count)?;
            let text = json!({
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": name, "labels": object(&labels)},
            });
            engine.stage_object(Name::Namespace(name), &text.to_string())
        })
    }
}

/// Stages that a namespace goes. NETVERDICT_NOT_FOUND when it was not set.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_remove_namespace(
    engine: *mut netverdict_engine,
    name: netverdict_str,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe {
        change(engine, error, |engine| {
            engine.unstage(Name::Namespace(string(name, "name")?))
        })
    }
}

/// Stages a pod with its labels, addresses and named ports, in place of what
/// was set for its name before.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_set_endpoint(
    engine: *mut netverdict_engine,
    endpoint: *const netverdict_endpoint,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe {
        change(engine, error, |engine| {
            let given = pointer::read_sized(endpoint, "endpoint")?;
            let namespace = string(given.namespace_name, "endpoint.namespace_name")?;
            let name = string(given.name, "endpoint.name")?;
            let node = pointer::name(given.node, "endpoint.node")?;
            let labels = self::labels(given.labels, given.label_count)?;
            let addresses = self::addresses(given.addresses, given.address_count)?;
            let mut ports = Vec::new();
            for port in pointer::slice(given.ports, given.port_count, "endpoint.ports")? {
                let name = string(port.name, "endpoint.ports.name")?;
                ports.push((name, transport(port.protocol)?, port.port));
            }
            let text = match given.identity {
                0 => json!({
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "metadata": {
                        "name": name, "namespace": namespace, "labels": object(&labels),
                    },
                    "spec": {
                        "nodeName": node,
                        "containers": [{
                            "name": "c",
                            "ports": ports.iter().map(|(name, protocol, port)| json!({
                                "name": name, "protocol": protocol, "containerPort": port,
                            })).collect::<Vec<_>>(),
                        }],
                    },
                    "status": {
                        "podIPs": addresses.iter().map(|ip| json!({"ip": ip}))
                            .collect::<Vec<_>>(),
                    },
                }),
                identity => json!({
                    "apiVersion": "cilium.io/v2",
                    "kind": "CiliumEndpoint",
                    "metadata": {"name": name, "namespace": namespace},
                    "status": {
                        "identity": {
                            "id": identity,
                            "labels": labels.iter().map(|(k, v)| format!("{k}={v}"))
                                .collect::<Vec<_>>(),
                        },
                        "networking": {
                            "addressing": addresses.iter().map(|ip| match ip {
                                IpAddr::V4(ip) => json!({"ipv4": ip}),
                                IpAddr::V6(ip) => json!({"ipv6": ip}),
                            }).collect::<Vec<_>>(),
                        },
                        "named-ports": ports.iter().map(|(name, protocol, port)| json!({
                            "name": name, "protocol": protocol, "port": port,
                        })).collect::<Vec<_>>(),
                    },
                }),
            };
            engine.stage_object(Name::Endpoint(namespace, name), &text.to_string())
        })
    }
}

/// Stages that a pod goes. NETVERDICT_NOT_FOUND when it was not set.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_remove_endpoint(
    engine: *mut netverdict_engine,
    namespace_name: netverdict_str,
    name: netverdict_str,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe {
        change(engine, error, |engine| {
            let namespace = string(namespace_name, "namespace_name")?;
            engine.unstage(Name::Endpoint(namespace, string(name, "name")?))
        })
    }
}

/// Stages a service with its labels, selector and backends.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_set_service(
    engine: *mut netverdict_engine,
    service: *const netverdict_service,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe {
        change(engine, error, |engine| {
            let given = pointer::read_sized(service, "service")?;
            let namespace = string(given.namespace_name, "service.namespace_name")?;
            let name = string(given.name, "service.name")?;
            let own = labels(given.labels, given.label_count)?;
            let selector = labels(given.selector, given.selector_count)?;
            let addresses = self::addresses(given.addresses, given.address_count)?;
            let metadata = json!({"name": name, "namespace": namespace, "labels": object(&own)});
            let mut items = vec![json!({
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": metadata,
                "spec": {"selector": object(&selector)},
            })];
            if !addresses.is_empty() {
                items.push(json!({
                    "apiVersion": "v1",
                    "kind": "Endpoints",
                    "metadata": {"name": name, "namespace": namespace},
                    "subsets": [{
                        "addresses": addresses.iter().map(|ip| json!({"ip": ip}))
                            .collect::<Vec<_>>(),
                    }],
                }));
            }
            let text = json!({"apiVersion": "v1", "kind": "List", "items": items});
            engine.stage_object(Name::Service(namespace, name), &text.to_string())
        })
    }
}

/// Stages that a service goes. NETVERDICT_NOT_FOUND when it was not set.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_remove_service(
    engine: *mut netverdict_engine,
    namespace_name: netverdict_str,
    name: netverdict_str,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe {
        change(engine, error, |engine| {
            let namespace = string(namespace_name, "namespace_name")?;
            engine.unstage(Name::Service(namespace, string(name, "name")?))
        })
    }
}

/// Stages what DNS says of a name: its addresses, in place of those before.
/// None forgets the name.
///
/// # Safety
/// By the rules of the ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn netverdict_engine_set_name(
    engine: *mut netverdict_engine,
    name: netverdict_str,
    addresses: *const netverdict_str,
    address_count: usize,
    error: *mut *mut netverdict_error,
) -> netverdict_status {
    // SAFETY: by the rules of the ABI.
    unsafe {
        change(engine, error, |engine| {
            let name = string(name, "name")?;
            engine.stage_name(&name, self::addresses(addresses, address_count)?);
            Ok(())
        })
    }
}
