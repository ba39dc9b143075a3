//! Names gain and lose addresses, and nothing else changes.
//!
//! In: changes of names ([`NameChange`]). Out: the addresses' identities, and
//! which selectors gained or lost them. Costs what changes; the rest of the
//! world is not looked at again, except where addresses make more than
//! identities: in match mode `pods`, and for addresses of the host.

use super::address::name_contribution;
use super::derive::Moved;
use super::{Cluster, check};
use crate::fqdn::NameChange;
use crate::identity::{Allocator, NumericIdentity};
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::sync::OnceLock;

impl Cluster {
    /// Takes in what names learned or lost, for instance from
    /// [`Names::take_changes`](crate::fqdn::Names::take_changes). True when
    /// nothing but identities came, went or changed.
    pub fn learn_names(&mut self, changes: impl IntoIterator<Item = NameChange>) -> bool {
        self.moved = Moved::default();
        let mut identities = BTreeSet::new();
        let mut prefixes = BTreeSet::new();
        for change in changes {
            self.keep_name(&change);
            let patterns = &self.name_patterns;
            let Some((prefix, metadata)) =
                name_contribution(&change.name, change.address, patterns)
            else {
                continue;
            };
            identities.extend(self.cache.get(&prefix).map(|e| e.id));
            prefixes.insert(prefix);
            let key = (prefix, metadata.resource.clone());
            if change.known {
                self.contributions.insert(key, metadata.clone());
                self.cache.upsert(prefix, metadata);
            } else {
                self.contributions.remove(&key);
                self.cache.remove(prefix, &key.1);
            }
        }
        if prefixes.is_empty() {
            return true;
        }
        if let Err(error) = self.cache.resolve(&mut self.allocator, &self.config) {
            self.exhausted.push(check::exhausted(&error));
        }
        identities.extend(self.ids_of(&prefixes));
        if self.config.cidr_matches_pods || identities.contains(&NumericIdentity::HOST) {
            self.update(&BTreeSet::new(), true);
            return false;
        }
        for id in identities {
            let labels = self.allocator.labels(id).cloned();
            self.identity_is(id, labels);
        }
        if !self.moved.identities.is_empty() {
            self.moved_on();
            self.diagnostics = OnceLock::new();
        }
        true
    }

    fn ids_of(&self, prefixes: &BTreeSet<IpNet>) -> Vec<NumericIdentity> {
        let entries = prefixes.iter().filter_map(|p| self.cache.get(p));
        entries.map(|e| e.id).collect()
    }

    /// What the caller said of names is kept for when everything is derived
    /// anew.
    fn keep_name(&mut self, change: &NameChange) {
        let names = &mut self.options.resolved_names;
        let known = names.entry(change.name.to_string()).or_default();
        known.retain(|ip| *ip != change.address);
        if change.known {
            known.push(change.address);
        } else if known.is_empty() {
            names.remove(&*change.name);
        }
    }
}
