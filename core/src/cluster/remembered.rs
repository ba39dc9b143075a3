//! What was found about policies, and what that follows from.
//!
//! In: a cluster as it changes. Out: remarks about its policies that still
//! hold, and indices over its endpoints while these stay.

use super::subject::Subjects;
use super::{Cluster, Endpoint, ObjectKey};
use crate::diagnostic::Diagnostic;
use crate::rule::Rule;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What was found the last time, so that it need not be found again: editors
/// ask with every keystroke.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) around: Option<Around>,
    /// By resource.
    pub(super) policies: BTreeMap<Arc<str>, Known>,
}

/// What findings about a policy follow from beside its rules and what its
/// peers select.
#[derive(Debug)]
pub(super) struct Around {
    endpoints: Vec<Arc<Endpoint>>,
    /// Names of namespaces, and whether they have an object.
    namespaces: Vec<(String, bool)>,
    pub(super) port_names: BTreeSet<Arc<str>>,
    cidr_groups: Vec<String>,
    /// These follow from the endpoints.
    pub(super) subjects: Subjects,
    pub(super) on_hosts: Subjects,
}

/// What was found about a policy.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) rules: Vec<Arc<Rule>>,
    /// Whether each of the peers selected nobody.
    pub(super) empty: Vec<bool>,
    /// Names that were compared.
    pub(super) comparisons: usize,
    pub(super) found: Vec<Diagnostic>,
}

impl Memory {
    /// Forgets what followed from things that are others now.
    pub(super) fn follow(&mut self, cluster: &Cluster) {
        let namespaces = cluster.namespaces.iter();
        let namespaces = namespaces.map(|(name, n)| (name.clone(), n.span.is_some()));
        let namespaces: Vec<(String, bool)> = namespaces.collect();
        let mut port_names = BTreeSet::new();
        port_names.extend(cluster.named_ports.names().cloned());
        let cidr_groups: Vec<String> = cidr_groups(cluster).map(str::to_owned).collect();
        let known = self.around.take();
        let known = known.filter(|known| cluster.has_endpoints(&known.endpoints));
        let stays = known.as_ref().is_some_and(|known| {
            known.namespaces == namespaces
                && known.port_names == port_names
                && known.cidr_groups == cidr_groups
        });
        if !stays {
            self.policies.clear();
        }
        let (subjects, on_hosts) = match known {
            Some(known) => (known.subjects, known.on_hosts),
            None => (
                Subjects::of_pods(&cluster.endpoints, &cluster.config),
                Subjects::on_hosts(&cluster.endpoints, &cluster.config),
            ),
        };
        self.around = Some(Around {
            endpoints: cluster.endpoints.clone(),
            namespaces,
            port_names,
            cidr_groups,
            subjects,
            on_hosts,
        });
    }
}

/// The names of all CIDR groups.
pub(super) fn cidr_groups(cluster: &Cluster) -> impl Iterator<Item = &str> {
    let first = ObjectKey {
        kind: "CiliumCIDRGroup".to_owned(),
        namespace: String::new(),
        name: String::new(),
    };
    let known = cluster.objects.range(first..).map(|(k, _)| k);
    let known = known.take_while(|k| k.kind == "CiliumCIDRGroup");
    known.map(|k| k.name.as_str())
}
