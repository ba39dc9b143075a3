//! Named ports of identities.

use crate::identity::NumericIdentity;
use ahash::AHashMap;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Which port each identity means by a name.
///
/// An identity may stand for many pods. While they disagree about a name (as
/// during a rollout) the name means nothing for it
/// (Cilium 1.20.2 pkg/types/portmap.go).
#[derive(Clone, Debug, Default)]
pub struct NamedPorts {
    ports: AHashMap<(Arc<str>, u8), AHashMap<NumericIdentity, BTreeSet<u16>>>,
}

impl NamedPorts {
    /// Without any names.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says that some pod of an identity calls a port by a name. Names are
    /// lower case in pods.
    pub fn insert(&mut self, identity: NumericIdentity, name: &str, protocol: u8, port: u16) {
        self.ports
            .entry((name.into(), protocol))
            .or_default()
            .entry(identity)
            .or_default()
            .insert(port);
    }

    /// The identities that mean another port by some name than there.
    #[must_use]
    pub fn changed_since(&self, before: &Self) -> BTreeSet<NumericIdentity> {
        let mut changed = BTreeSet::new();
        for (new, old) in [(self, before), (before, self)] {
            for (name, ports) in &new.ports {
                let other = old.ports.get(name);
                for (id, port) in ports {
                    if other.and_then(|o| o.get(id)) != Some(port) {
                        changed.insert(*id);
                    }
                }
            }
        }
        changed
    }

    /// Every identity that means exactly one port by a name, with that port,
    /// in no particular order.
    pub(crate) fn of_name(
        &self,
        name: &Arc<str>,
        protocol: u8,
    ) -> impl Iterator<Item = (NumericIdentity, u16)> {
        let found = self.ports.get(&(Arc::clone(name), protocol));
        found
            .into_iter()
            .flatten()
            .filter(|(_, ports)| ports.len() == 1)
            .filter_map(|(id, ports)| Some((*id, *ports.first()?)))
    }

    /// The one port an identity means by a name, if it means exactly one.
    #[must_use]
    pub fn get(&self, identity: NumericIdentity, name: &Arc<str>, protocol: u8) -> Option<u16> {
        let ports = self
            .ports
            .get(&(Arc::clone(name), protocol))?
            .get(&identity)?;
        match (ports.len(), ports.first()) {
            (1, Some(port)) => Some(*port),
            _ => None,
        }
    }
}
