//! What is accepted and probably not meant.
//!
//! In: objects, and the cluster they make. Out: diagnostics. Each family of
//! rules has a module; `testdata/lint` has for each of its codes why, how to
//! mend it, and an example of the mistake and one without it, which are tested
//! and shown in `docs/diagnostics.md`.
//!
//! What only whole clusters show is said only where workloads are given, and
//! never of what a variable decides that nobody has filled in.

mod address;
mod capacity;
mod catalogue;
mod crowd;
mod effect;
mod isolation;
mod label;
mod listening;
mod member;
mod mesh;
mod name;
mod peer;
mod port;
mod prefix;
mod proxy;
mod resolver;
mod selector;
pub mod settings;
pub mod suppression;
#[cfg(test)]
mod tests;

pub use address::{AROUND_CLUSTER, EMPTY_GROUP, INSIDE_CLUSTER};
pub use capacity::FILLING_MAP;
pub use catalogue::{Explanation, catalogue};
pub use effect::{DENIED_ALLOW, ONE_SIDED, REDUNDANT};
pub use isolation::{
    DENY_ALONE, DENY_POLICY_OPEN, EMPTY_DIRECTION, HOST_LOCKED_OUT, SILENT_DIRECTION,
    SYSTEM_ISOLATED,
};
pub use label::{NEAR_LABEL, OTHER_NAMESPACE};
pub use listening::{NAME_OF_SOME, NOBODY_LISTENS, NOBODY_SCRAPES, SERVICE_PORT, TWICE_NAMED};
pub use mesh::OWN_CLUSTER;
pub use name::{ANY_NAME, MANY_NAMES, NAME_REFUSED, NAMES_ON_EVERY_PORT, ONE_LABEL};
pub use peer::{API_SERVER_POD, EVERY_NAMESPACE, JOINED_PEER, OWN_NAMESPACE, SPLIT_PEER};
pub use port::{DENY_EVERY_PROTOCOL, DNS_BY_UDP, EVERY_PORT_WITHOUT_ICMP};
pub use prefix::{DENY_EXCEPT, METADATA_SERVICE, ONE_FAMILY, WORLD_EVERY_PORT, WORLD_PREFIX};
pub use proxy::{GET_ALONE, OPEN_LAYER_7, VOID_LAYER_7};
pub use resolver::{NO_DNS, NODE_CACHE};
pub use selector::{NAMESPACE_KEY, RUN_LABEL};

use crowd::{Crowd, Members};
use netverdict::cluster::{Cluster, Endpoint, NO_IDENTITY_LABEL};
use netverdict::diagnostic::{Diagnostic, Findings};
use netverdict::object::Object;
use netverdict::source::Span;
use std::collections::HashMap;
use std::sync::Arc;

/// What was found the last time, so that it need not be found again: editors
/// ask with every keystroke.
///
/// ```
/// use netverdict::cluster::Cluster;
/// use netverdict_analysis::lint::{self, Linter};
///
/// let cluster = Cluster::read(include_str!("../../../core/examples/shop.yaml"))?;
/// let mut linter = Linter::default();
/// // Again and again, of a cluster that changes: what stays is not looked at twice.
/// let first = linter.together(&cluster);
/// assert_eq!(linter.together(&cluster), first);
/// assert_eq!(lint::together(cluster.objects(), &cluster), first);
/// // What there is to find, each with the mistake and how to mend it.
/// assert!(lint::catalogue().iter().any(|e| e.code == "NV1024"));
/// # Ok::<(), Box<netverdict::diagnostic::Diagnostic>>(())
/// ```
#[derive(Debug, Default)]
pub struct Linter {
    endpoints: Vec<Arc<Endpoint>>,
    /// Of objects by themselves, by their versions.
    objects: HashMap<u64, Vec<Diagnostic>>,
    members: Members,
    labels: label::Memory,
    listening: listening::Memory,
    effect: effect::Memory,
}

/// What there is to say about objects when they are held together: the remarks
/// of their cluster, and every finding of [`check`] where it does not say the
/// same better.
#[must_use]
pub fn together<'o>(
    objects: impl IntoIterator<Item = &'o Object>,
    cluster: &Cluster,
) -> Vec<Diagnostic> {
    with_remarks(check(objects, cluster), cluster)
}

/// Every finding about objects, by place. `objects` are looked at one by one,
/// also those of which `cluster` has a later one with the same name.
///
/// ```
/// use netverdict_analysis::lint;
///
/// use netverdict::cluster::Cluster;
/// let policy = "{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: x, namespace: shop},
///  spec: {endpointSelector: {}, egress: [{toEndpoints: [{matchLabels: {component: apiserver}}]}]}}";
/// let shop = include_str!("../../../core/examples/shop.yaml");
/// let cluster = Cluster::read(&format!("{shop}---\n{policy}"))?;
/// // Nobody has this label.
/// let findings = lint::check(cluster.objects(), &cluster);
/// assert!(findings.iter().any(|d| d.code.number() == 1024));
/// # Ok::<(), Box<netverdict::diagnostic::Diagnostic>>(())
/// ```
#[must_use]
pub fn check<'o>(
    objects: impl IntoIterator<Item = &'o Object>,
    cluster: &Cluster,
) -> Vec<Diagnostic> {
    let objects: Vec<&Object> = objects.into_iter().collect();
    let alone = objects.iter().flat_map(|o| alone(o, cluster));
    Linter::default().check(alone.collect(), &objects, cluster)
}

fn with_remarks(found: Vec<Diagnostic>, cluster: &Cluster) -> Vec<Diagnostic> {
    // Of a key that is no label at all more is said than that.
    let keys: Vec<Span> = found
        .iter()
        .filter(|d| d.code == NAMESPACE_KEY)
        .map(|d| d.span)
        .collect();
    let remarks = cluster.diagnostics().iter().filter(|d| {
        let inside =
            |k: &Span| k.source == d.span.source && d.span.start <= k.start && k.end <= d.span.end;
        d.code != NO_IDENTITY_LABEL || !keys.iter().any(inside)
    });
    remarks.cloned().chain(found).collect()
}

/// What there is to find about one object.
fn alone(object: &Object, cluster: &Cluster) -> Vec<Diagnostic> {
    let mut found = Findings::default();
    isolation::check(object, &mut found);
    name::check(object, &mut found);
    peer::check(object, cluster, &mut found);
    port::check(object, &mut found);
    prefix::check(object, cluster, &mut found);
    proxy::check(object, &mut found);
    selector::check(object, cluster, &mut found);
    found.finish()
}

impl Linter {
    /// As [`together`], of all objects of one cluster as it changes.
    #[must_use]
    pub fn together(&mut self, cluster: &Cluster) -> Vec<Diagnostic> {
        // Beside an object only the endpoints count.
        let mut before = match cluster.has_endpoints(&self.endpoints) {
            true => std::mem::take(&mut self.objects),
            false => HashMap::new(),
        };
        self.endpoints = cluster.endpoints().to_vec();
        self.objects.clear();
        let mut all = Vec::new();
        let mut objects = Vec::new();
        for (object, version) in cluster.versions() {
            objects.push(object);
            let found = before.remove(&version);
            let found = found.unwrap_or_else(|| alone(object, cluster));
            all.extend(found.iter().cloned());
            self.objects.insert(version, found);
        }
        with_remarks(self.check(all, &objects, cluster), cluster)
    }

    /// All that is found about objects, with what was found about each alone.
    fn check(
        &mut self,
        mut all: Vec<Diagnostic>,
        objects: &[&Object],
        cluster: &Cluster,
    ) -> Vec<Diagnostic> {
        all.extend(isolation::check_together(cluster));
        all.extend(name::check_together(cluster));
        all.extend(proxy::check_together(cluster));
        all.extend(address::check(cluster));
        all.extend(mesh::check(objects, cluster));
        if !cluster.endpoints().is_empty() {
            let crowd = Crowd::new(cluster, &self.members);
            all.extend(label::check(&crowd, objects, &mut self.labels));
            all.extend(listening::check(&crowd, &mut self.listening));
            all.extend(resolver::check(&crowd));
            all.extend(effect::check(&crowd, &mut self.effect));
            all.extend(capacity::check(&crowd));
            self.members = crowd.into_members();
        }
        all.sort_by_key(|d| (d.span, d.code.number()));
        all.dedup();
        all
    }
}
