//! Named ports of identities.

use crate::identity::NumericIdentity;
use ahash::AHashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Ports, and how many pods call each so.
type Ports = BTreeMap<u16, u32>;

/// Which port each identity means by a name.
///
/// An identity may stand for many pods. While they disagree about a name (as
/// during a rollout) the name means nothing for it
/// (Cilium 1.20.2 pkg/types/portmap.go).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedPorts {
    ports: AHashMap<(Arc<str>, u8), AHashMap<NumericIdentity, Ports>>,
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
        let of_name = self.ports.entry((name.into(), protocol)).or_default();
        let ports = of_name.entry(identity).or_default();
        *ports.entry(port).or_default() += 1;
    }

    /// Takes back what [`Self::insert`] said of one pod.
    pub fn remove(&mut self, identity: NumericIdentity, name: &str, protocol: u8, port: u16) {
        let key = (name.into(), protocol);
        let Some(of_name) = self.ports.get_mut(&key) else {
            return;
        };
        let Some(ports) = of_name.get_mut(&identity) else {
            return;
        };
        if let Some(count) = ports.get_mut(&port) {
            *count -= 1;
            if *count == 0 {
                ports.remove(&port);
            }
        }
        if ports.is_empty() {
            of_name.remove(&identity);
        }
        if of_name.is_empty() {
            self.ports.remove(&key);
        }
    }

    /// The names in use.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.ports.keys().map(|(name, _)| name)
    }

    /// The identities that mean another port by some name than there.
    #[must_use]
    pub fn changed_since(&self, before: &Self) -> BTreeSet<NumericIdentity> {
        let mut changed = BTreeSet::new();
        for (new, old) in [(self, before), (before, self)] {
            for (name, ports) in &new.ports {
                let other = old.ports.get(name);
                for (id, ports) in ports {
                    let other = other.and_then(|o| o.get(id));
                    if !other.is_some_and(|o| o.keys().eq(ports.keys())) {
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
            .filter_map(|(id, ports)| Some((*id, *ports.keys().next()?)))
    }

    /// The one port an identity means by a name, if it means exactly one.
    #[must_use]
    pub fn get(&self, identity: NumericIdentity, name: &Arc<str>, protocol: u8) -> Option<u16> {
        let ports = self
            .ports
            .get(&(Arc::clone(name), protocol))?
            .get(&identity)?;
        match (ports.len(), ports.keys().next()) {
            (1, Some(port)) => Some(*port),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_lasts_as_long_as_somebody_calls_it_so() {
        let (mut ports, id) = (NamedPorts::new(), NumericIdentity(300));
        let web: Arc<str> = "web".into();
        ports.insert(id, "web", 6, 80);
        ports.insert(id, "web", 6, 80);
        ports.insert(id, "web", 6, 81);
        assert_eq!(ports.get(id, &web, 6), None);
        let before = ports.clone();
        ports.remove(id, "web", 6, 80);
        assert!(ports.changed_since(&before).is_empty());
        ports.remove(id, "web", 6, 81);
        assert_eq!(ports.get(id, &web, 6), Some(80));
        assert_eq!(ports.changed_since(&before), [id].into());
        ports.remove(id, "web", 17, 80);
        ports.remove(id, "web", 6, 80);
        assert_eq!(ports.names().count(), 0);
    }
}
