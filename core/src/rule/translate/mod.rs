//! Objects to rules, one file per kind.
//!
//! In: objects that validation accepted, and the services they name. Out: the
//! [`Rule`]s Cilium 1.20.2 makes of them: pkg/policy/utils/parserules.go and
//! pkg/k8s/apis/cilium.io/utils for its own kinds, pkg/k8s/network_policy.go
//! and cluster_network_policy.go for those of Kubernetes.

mod cilium;
mod cluster_network_policy;
mod network_policy;
mod peer;
mod port;
mod service;

pub use cilium::cilium_resource;
pub use cluster_network_policy::cluster_policy_resource;
pub use network_policy::network_policy_resource;
pub use service::{Service, Services};

use super::{Direction, PortRule, Rule, RuleOrigin, RuleVerdict, Tier};
use crate::config::Config;
use crate::object::ObjectRef;
use crate::selector::Selector;
use crate::source::Span;
use std::sync::Arc;

/// What translation needs beside the object.
#[derive(Clone, Copy, Debug)]
pub struct Translator<'a> {
    /// Agent options.
    pub config: &'a Config,
    /// Services that `toServices` may name, if any are known.
    pub services: Option<&'a Services>,
}

impl<'a> Translator<'a> {
    /// A translator that knows no services.
    #[must_use]
    pub const fn new(config: &'a Config) -> Self {
        Self {
            config,
            services: None,
        }
    }
}

/// What an object's rules are filed under: Cilium's short kind (`cnp`, `ccnp`,
/// `netpol`, `kcnp`), namespace and name (pkg/ipcache/types ResourceID). A
/// later object with the same id takes the place of an earlier one.
///
/// ```
/// use netverdict::cluster::Cluster;
/// use netverdict::rule::resource_id;
///
/// let cluster = Cluster::read(include_str!("../../../examples/shop.yaml"))?;
/// let of_db = resource_id("netpol", "shop", "db");
/// assert_eq!(cluster.repository().rules_of(&of_db).len(), 1);
/// # Ok::<(), Box<netverdict::diagnostic::Diagnostic>>(())
/// ```
#[must_use]
pub fn resource_id(kind: &str, namespace: &str, name: &str) -> Arc<str> {
    format!("{kind}/{namespace}/{name}").into()
}

/// The parts that every rule of an object shares.
struct Template {
    object: Arc<ObjectRef>,
    resource: Arc<str>,
    namespace: Arc<str>,
    uid: Arc<str>,
    log: Arc<str>,
    labels: Arc<[String]>,
    tier: Tier,
    subject: Arc<Selector>,
    selects_nodes: bool,
}

impl Template {
    /// A rule that allows nothing yet.
    fn rule(&self, direction: Direction, path: &str, span: Span) -> Rule {
        Rule {
            tier: self.tier,
            priority: 0.0,
            verdict: RuleVerdict::Allow,
            direction,
            subject: Arc::clone(&self.subject),
            selects_nodes: self.selects_nodes,
            namespace: Arc::clone(&self.namespace),
            peers: None,
            ports: Vec::new(),
            default_deny: false,
            authentication: None,
            origin: Arc::new(RuleOrigin {
                object: Arc::clone(&self.object),
                path: path.to_owned(),
                span,
                log: Arc::clone(&self.log),
                uid: Arc::clone(&self.uid),
                labels: Arc::clone(&self.labels),
            }),
            resource: Arc::clone(&self.resource),
            index: 0,
        }
    }
}

/// Numbers the rules of an object in order.
fn numbered(mut rules: Vec<Rule>) -> Vec<Rule> {
    for (i, rule) in (0u32..).zip(&mut rules) {
        rule.index = i;
    }
    rules
}

fn shared(ports: Vec<PortRule>) -> Vec<Arc<PortRule>> {
    ports.into_iter().map(Arc::new).collect()
}
