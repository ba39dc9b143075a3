//! The two ends of a flow, as people name them.
//!
//! In: text: `namespace/name`, an address or prefix, an entity, a DNS name.
//! Out: what it stands for, or a diagnostic that lists what it could be.

use super::{Cluster, Endpoint};
use crate::diagnostic::{Code, Diagnostic, Severity, suggest};
use crate::identity::NumericIdentity;
use crate::object::cidr::parse_prefix_or_addr;
use crate::object::fqdn::check_name;
use crate::source::Span;
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// Nothing of that name.
pub const NOT_FOUND: Code = Code::new(620, Severity::Error, "no such endpoint");
/// Several things of that name that policy may treat differently.
pub const AMBIGUOUS: Code = Code::new(621, Severity::Error, "ambiguous endpoint");
/// Not something one end of a flow can be.
pub const NOT_A_PEER: Code = Code::new(622, Severity::Error, "not one end of a flow");

/// Entities that are one end of a flow.
const ENTITIES: [&str; 10] = [
    "health",
    "host",
    "ingress",
    "init",
    "kube-apiserver",
    "remote-node",
    "unmanaged",
    "world",
    "world-ipv4",
    "world-ipv6",
];

/// At most this many candidates are listed.
const LISTED: usize = 8;

/// One end of a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A pod or workload.
    Endpoint(Arc<Endpoint>),
    /// An address.
    Address(IpAddr),
    /// Every address of a prefix.
    Prefix(IpNet),
    /// A reserved entity.
    Entity(&'static str),
    /// Whatever a DNS name resolves to.
    Name(String),
}

/// One end of a flow, with the text it was named by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// As given.
    pub text: String,
    /// What it stands for.
    pub target: Target,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Target::Endpoint(e) => e.fmt(f),
            Target::Address(ip) => ip.fmt(f),
            Target::Prefix(p) => p.fmt(f),
            Target::Entity(name) => f.write_str(name),
            Target::Name(name) => f.write_str(name),
        }
    }
}

/// An identity an end of a flow may have, and the part that has it.
pub(super) type Possible = Vec<(String, NumericIdentity)>;

impl Cluster {
    /// Reads one end of a flow: an entity (`world`, `host`, …), an address or
    /// prefix, `namespace/name` or `namespace/kind/name` of a pod, workload or
    /// application, `namespace/name[Kind]`, the bare name of one, or a DNS name.
    ///
    /// A prefix `entity:`, `cidr:`, `pod:` or `fqdn:` says which is meant.
    ///
    /// ```
    /// use netverdict::cluster::Cluster;
    /// let cluster = Cluster::read(include_str!("../../examples/shop.yaml")).unwrap();
    /// // A workload, an address, an entity, or a DNS name.
    /// for name in ["shop/db", "192.0.2.7", "world", "api.example.com"] {
    ///     assert!(cluster.peer(name).is_ok(), "{name}");
    /// }
    /// let unknown = cluster.peer("shop/dbb").unwrap_err();
    /// assert!(unknown.message.contains("shop/dbb"));
    /// ```
    ///
    /// # Errors
    /// [`NOT_FOUND`], [`AMBIGUOUS`] or [`NOT_A_PEER`], with the candidates.
    pub fn peer(&self, text: &str) -> Result<Peer, Box<Diagnostic>> {
        let target = self.target(text)?;
        Ok(Peer {
            text: text.to_owned(),
            target,
        })
    }

    fn target(&self, text: &str) -> Result<Target, Box<Diagnostic>> {
        let (form, rest) = match text.split_once(':') {
            Some((form @ ("entity" | "reserved" | "cidr" | "ip" | "pod" | "fqdn"), rest)) => {
                (form, rest)
            }
            _ => ("", text),
        };
        match form {
            "entity" | "reserved" => entity(rest),
            "cidr" | "ip" => address(rest)
                .ok_or_else(|| refuse(format!("`{rest}` is neither an address nor a prefix"))),
            "pod" => self.find_endpoint(rest).map(Target::Endpoint),
            "fqdn" => name(rest).ok_or_else(|| refuse(format!("`{rest}` is no DNS name"))),
            _ => self.any_target(text),
        }
    }

    fn any_target(&self, text: &str) -> Result<Target, Box<Diagnostic>> {
        // As lists of connections call workloads: `shop/web[Deployment]`.
        if let Some((stem, kind)) = text.strip_suffix(']').and_then(|t| t.rsplit_once('['))
            && let Some((namespace, name)) = stem.split_once('/')
        {
            let found = self.find_endpoint(&format!("{namespace}/{kind}/{name}"));
            return found.map(Target::Endpoint);
        }
        if let Some(address) = address(text) {
            return Ok(address);
        }
        if text.contains('/') {
            return self.find_endpoint(text).map(Target::Endpoint);
        }
        if ENTITIES.contains(&text) || matches!(text, "all" | "cluster" | "cluster-mesh" | "none") {
            return entity(text);
        }
        match self.find_endpoint(text) {
            Ok(endpoint) => Ok(Target::Endpoint(endpoint)),
            Err(error) if error.code == NOT_FOUND && text.contains('.') => name(text).ok_or(error),
            Err(mut error) => {
                if error.code == NOT_FOUND
                    && error.help.is_none()
                    && let Some(meant) = suggest(text, ENTITIES)
                {
                    error.help = Some(format!("did you mean `{meant}`?"));
                }
                Err(error)
            }
        }
    }

    /// Finds an endpoint by `namespace/name`, `namespace/kind/name` or a bare
    /// name. The name is that of a pod or workload, else of a workload pods
    /// belong to, else of their application (labels `app.kubernetes.io/name`,
    /// `app`, `k8s-app`). Endpoints that every policy treats alike are as
    /// good as one.
    ///
    /// # Errors
    /// [`NOT_FOUND`] or [`AMBIGUOUS`], with the candidates.
    pub fn find_endpoint(&self, text: &str) -> Result<Arc<Endpoint>, Box<Diagnostic>> {
        let mut parts = text.rsplitn(3, '/');
        let name = parts.next().unwrap_or_default();
        let (kind, namespace) = match (parts.next(), parts.next()) {
            (Some(kind), Some(namespace)) => (Some(kind), Some(namespace)),
            (namespace, None) => (None, namespace),
            (None, Some(_)) => (None, None),
        };
        let in_scope: Vec<&Arc<Endpoint>> = self
            .endpoints
            .iter()
            .filter(|e| namespace.is_none_or(|ns| e.namespace == ns))
            .filter(|e| kind.is_none_or(|k| is_kind(e, k)))
            .collect();
        let ways: [&dyn Fn(&Endpoint) -> bool; 3] = [
            &|e| e.name == name,
            &|e| e.workloads.iter().any(|(_, w)| w == name),
            &|e| e.is_app(name),
        ];
        for way in ways {
            let found: Vec<&Arc<Endpoint>> = in_scope.iter().copied().filter(|e| way(e)).collect();
            let Some(first) = found.first() else { continue };
            if found.iter().all(|e| alike(e, first)) {
                return Ok(Arc::clone(first));
            }
            return Err(Box::new(ambiguous(text, &found)));
        }
        Err(Box::new(self.not_found(text, namespace, name, &in_scope)))
    }

    fn not_found(
        &self,
        text: &str,
        namespace: Option<&str>,
        name: &str,
        in_scope: &[&Arc<Endpoint>],
    ) -> Diagnostic {
        let error = Diagnostic::new(
            NOT_FOUND,
            Span::default(),
            format!("`{text}` is no pod or workload in the input"),
        );
        let namespaces: BTreeSet<&str> = self
            .endpoints
            .iter()
            .map(|e| e.namespace.as_str())
            .collect();
        if let Some(ns) = namespace
            && !namespaces.contains(ns)
        {
            return match suggest(ns, namespaces.iter().copied()) {
                Some(meant) => error.help(format!(
                    "namespace `{ns}` has no endpoints; did you mean `{meant}`?"
                )),
                None => error.help(format!(
                    "namespace `{ns}` has no endpoints; those with some: {}",
                    list(namespaces.iter().map(|n| (*n).to_owned()))
                )),
            };
        }
        let elsewhere: Vec<String> = self
            .endpoints
            .iter()
            .filter(|e| e.name == name || e.is_app(name))
            .map(ToString::to_string)
            .collect();
        if !elsewhere.is_empty() {
            return error.help(format!("there is {}", list(elsewhere)));
        }
        match suggest(name, in_scope.iter().map(|e| e.name.as_str())) {
            Some(meant) => {
                let meant = in_scope.iter().find(|e| e.name == meant);
                let meant = meant.map(ToString::to_string).unwrap_or_default();
                error.help(format!("did you mean `{meant}`?"))
            }
            None => error,
        }
    }

    /// The identities one end may have, seen from `viewer`'s node.
    ///
    /// # Errors
    /// Why none can be told.
    pub(super) fn identities_of(
        &self,
        target: &Target,
        viewer: Option<&Endpoint>,
    ) -> Result<Possible, String> {
        let one = |id| Ok(vec![(String::new(), id)]);
        match target {
            Target::Endpoint(e) => {
                if let Some(variable) = &e.templated {
                    return Err(format!(
                        "the identity of `{e}` depends on `{variable}`, which is not filled in"
                    ));
                }
                let same_node = viewer.is_some_and(|v| !e.node.is_empty() && v.node == e.node);
                if e.host_network && same_node {
                    return one(NumericIdentity::HOST);
                }
                one(e.identity)
            }
            Target::Address(ip) => one(self.identity_at(*ip, viewer)),
            Target::Prefix(prefix) => Ok(self.identities_in(prefix, viewer)),
            Target::Entity(entity) => Ok(self.entity_identities(entity)),
            Target::Name(name) => {
                let name = name.trim_end_matches('.');
                let known = self
                    .options
                    .resolved_names
                    .iter()
                    .find(|(n, _)| n.trim_end_matches('.').eq_ignore_ascii_case(name));
                match known {
                    Some((_, addresses)) if !addresses.is_empty() => Ok(addresses
                        .iter()
                        .map(|ip| (ip.to_string(), self.identity_at(*ip, viewer)))
                        .collect()),
                    _ => Err(format!("nothing says which addresses `{name}` resolves to")),
                }
            }
        }
    }

    /// The addresses of nodes, with the names of these.
    #[must_use]
    pub const fn node_addresses(&self) -> &BTreeMap<IpAddr, String> {
        &self.nodes_by_address
    }

    /// The identity of an address: a pod's, the host's when it is an address
    /// of `viewer`'s node, else that of its longest known prefix.
    #[must_use]
    pub fn identity_at(&self, ip: IpAddr, viewer: Option<&Endpoint>) -> NumericIdentity {
        let ip = ip.to_canonical();
        if let Some(pod) = self.pods_by_address.get(&ip) {
            return pod.identity;
        }
        if let (Some(node), Some(viewer)) = (self.nodes_by_address.get(&ip), viewer)
            && *node == viewer.node
        {
            return NumericIdentity::HOST;
        }
        self.cache.identity_of(&ip, &self.config)
    }

    /// Every identity an address of a prefix may have.
    fn identities_in(&self, prefix: &IpNet, viewer: Option<&Endpoint>) -> Possible {
        // What holds for addresses nobody has said more of.
        let cover = self.cache.longest_cover(prefix).map(|(_, e)| e.id);
        let own = cover
            .unwrap_or_else(|| crate::identity::world_identity(&prefix.network(), &self.config));
        let mut found = vec![(prefix.to_string(), own)];
        let inner = self.cache.iter();
        let inner = inner.filter(|(p, _)| *p != prefix && prefix.contains(*p));
        found.extend(inner.map(|(p, entry)| {
            let one_address = p.prefix_len() == p.max_prefix_len();
            let id = if one_address {
                self.identity_at(p.network(), viewer)
            } else {
                entry.id
            };
            (p.to_string(), id)
        }));
        let pods = self
            .pods_by_address
            .iter()
            .filter(|(ip, _)| prefix.contains(*ip));
        found.extend(pods.map(|(ip, e)| (ip.to_string(), e.identity)));
        let mut seen = BTreeSet::new();
        found.retain(|(_, id)| seen.insert(*id));
        found
    }

    fn entity_identities(&self, entity: &str) -> Possible {
        let dual = self.config.ipv4 && self.config.ipv6;
        let reserved = |name: &str| crate::identity::Reserved::by_name(name).map(|r| r.id);
        match entity {
            "world" if dual => vec![
                ("IPv4".to_owned(), NumericIdentity::WORLD_IPV4),
                ("IPv6".to_owned(), NumericIdentity::WORLD_IPV6),
            ],
            "world-ipv4" | "world-ipv6" if !dual => {
                vec![(String::new(), NumericIdentity::WORLD)]
            }
            "kube-apiserver" => {
                let mut known: Possible = self
                    .cache
                    .iter()
                    .filter(|(_, e)| e.labels.has_reserved("kube-apiserver"))
                    .map(|(p, e)| (p.addr().to_string(), e.id))
                    .collect();
                if known.is_empty() {
                    known.push((String::new(), NumericIdentity::KUBE_APISERVER));
                }
                known
            }
            name => reserved(name)
                .map(|id| (String::new(), id))
                .into_iter()
                .collect(),
        }
    }
}

fn entity(text: &str) -> Result<Target, Box<Diagnostic>> {
    if let Some(name) = ENTITIES.into_iter().find(|e| *e == text) {
        return Ok(Target::Entity(name));
    }
    let help = match text {
        "all" | "cluster" | "cluster-mesh" | "none" => {
            "it stands for many; name one pod, address or single entity".to_owned()
        }
        _ => format!("entities: {}", ENTITIES.join(", ")),
    };
    let message = format!("`{text}` is not one end of a flow");
    let error = Diagnostic::new(NOT_A_PEER, Span::default(), message);
    Err(Box::new(error.help(help)))
}

fn refuse(message: String) -> Box<Diagnostic> {
    Box::new(Diagnostic::new(NOT_A_PEER, Span::default(), message))
}

fn address(text: &str) -> Option<Target> {
    let prefix = parse_prefix_or_addr(text).ok()?;
    Some(if prefix.prefix_len() == prefix.max_prefix_len() {
        Target::Address(prefix.addr().to_canonical())
    } else {
        Target::Prefix(prefix.trunc())
    })
}

fn name(text: &str) -> Option<Target> {
    let ok = !text.is_empty() && check_name(text).is_ok();
    ok.then(|| Target::Name(text.trim_end_matches('.').to_lowercase()))
}

fn is_kind(endpoint: &Endpoint, kind: &str) -> bool {
    let mut kinds = endpoint.workloads.iter().map(|(k, _)| k.as_str());
    endpoint.kind.eq_ignore_ascii_case(kind) || kinds.any(|k| k.eq_ignore_ascii_case(kind))
}

/// Policies cannot tell them apart.
fn alike(a: &Endpoint, b: &Endpoint) -> bool {
    a.identity == b.identity
        && a.named_ports == b.named_ports
        && a.host_network == b.host_network
        && (!a.host_network || a.node == b.node)
}

fn ambiguous(text: &str, found: &[&Arc<Endpoint>]) -> Diagnostic {
    let named = found
        .iter()
        .map(|e| format!("{}/{}/{}", e.namespace, e.kind, e.name));
    let mut error = Diagnostic::new(
        AMBIGUOUS,
        Span::default(),
        format!(
            "`{text}` could be {} endpoints of different identity",
            found.len()
        ),
    )
    .help(format!("name one of {}", list(named)));
    for endpoint in found.iter().take(LISTED) {
        error = error.label(
            endpoint.span,
            format!("`{endpoint}`, identity {}", endpoint.identity),
        );
    }
    error
}

fn list(items: impl IntoIterator<Item = String>) -> String {
    let items: Vec<String> = items.into_iter().map(|i| format!("`{i}`")).collect();
    match items.get(..LISTED) {
        Some(shown) if items.len() > LISTED => {
            format!("{} and {} more", shown.join(", "), items.len() - LISTED)
        }
        _ => items.join(", "),
    }
}
