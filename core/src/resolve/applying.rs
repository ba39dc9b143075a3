//! Which rules apply to a subject.
//!
//! In: rules, and a subject's labels. Out: [`Applying`], all that its policy is
//! made of.

use super::ResourceId;
use crate::config::Config;
use crate::label::{LabelSet, LabelSource, keys};
use crate::object::SelectorOperator;
use crate::rule::{Direction, Rule};
use crate::selector::{Selector, SelectorKind};
use ahash::AHashMap;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// What the policy of a subject is made of.
#[derive(Clone, Debug)]
pub struct Applying {
    pub(super) off: bool,
    pub(super) always: bool,
    pub(super) is_host: bool,
    pub(super) namespace: Arc<str>,
    /// By direction, ingress first.
    pub(super) rules: [Vec<Arc<Rule>>; 2],
}

impl PartialEq for Applying {
    fn eq(&self, other: &Self) -> bool {
        self.kind() == other.kind() && self.addresses().eq(other.addresses())
    }
}

impl Eq for Applying {}

impl Hash for Applying {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.kind().hash(state);
        self.addresses().for_each(|rule| rule.hash(state));
    }
}

impl Applying {
    /// The rules, those of ingress first.
    pub fn rules(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.rules.iter().flatten()
    }

    /// The same without one rule.
    #[must_use]
    pub fn without(mut self, rule: &Arc<Rule>) -> Self {
        for rules in &mut self.rules {
            rules.retain(|r| !Arc::ptr_eq(r, rule));
        }
        self
    }

    fn kind(&self) -> (bool, bool, bool, &str, [usize; 2]) {
        let counts = self.rules.each_ref().map(Vec::len);
        (self.off, self.always, self.is_host, &self.namespace, counts)
    }

    /// Rules are the same when they are one.
    fn addresses(&self) -> impl Iterator<Item = usize> {
        let rules = self.rules.iter().flatten();
        rules.map(|r| Arc::as_ptr(r) as usize)
    }
}

/// Rules by object.
type Objects = BTreeMap<ResourceId, Vec<Arc<Rule>>>;

/// The rules of one namespace. Where a rule's subjects all have one label, the
/// rule is found by that.
#[derive(Debug, Default)]
pub(super) struct NamespaceRules {
    by_label: AHashMap<Arc<str>, AHashMap<Arc<str>, Objects>>,
    others: Objects,
    /// The revision in which they changed last.
    pub(super) changed: u64,
}

impl NamespaceRules {
    pub(super) fn is_empty(&self) -> bool {
        self.by_label.is_empty() && self.others.is_empty()
    }

    pub(super) fn insert(&mut self, resource: &ResourceId, rule: &Arc<Rule>) {
        let objects = match label_of(&rule.subject) {
            Some((key, value)) => {
                let values = self.by_label.entry(Arc::clone(key)).or_default();
                values.entry(Arc::clone(value)).or_default()
            }
            None => &mut self.others,
        };
        let rules = objects.entry(Arc::clone(resource)).or_default();
        rules.push(Arc::clone(rule));
    }

    /// Removes an object's rules with this rule's subject.
    pub(super) fn remove(&mut self, resource: &ResourceId, rule: &Rule) {
        let Some((key, value)) = label_of(&rule.subject) else {
            self.others.remove(resource);
            return;
        };
        let Some(values) = self.by_label.get_mut(key) else {
            return;
        };
        if let Some(objects) = values.get_mut(value) {
            objects.remove(resource);
            if objects.is_empty() {
                values.remove(value);
            }
        }
        if values.is_empty() {
            self.by_label.remove(key);
        }
    }

    /// Adds the rules that select a subject.
    pub(super) fn collect(
        &self,
        labels: &LabelSet,
        is_host: bool,
        config: &Config,
        found: &mut [Vec<Arc<Rule>>; 2],
    ) {
        let mut among = |objects: &Objects| {
            // The rules of an object share its subject, which is asked once.
            let mut asked: Option<(&Arc<Selector>, bool)> = None;
            for rule in objects.values().flatten() {
                if rule.selects_nodes != is_host {
                    continue;
                }
                let selected = match asked {
                    Some((subject, known)) if Arc::ptr_eq(subject, &rule.subject) => known,
                    _ => rule.subject.matches(labels, config),
                };
                asked = Some((&rule.subject, selected));
                if selected {
                    let [ingress, egress] = &mut *found;
                    match rule.direction {
                        Direction::Ingress => ingress.push(Arc::clone(rule)),
                        Direction::Egress => egress.push(Arc::clone(rule)),
                    }
                }
            }
        };
        among(&self.others);
        if self.by_label.len() < labels.as_slice().len() {
            for (key, values) in &self.by_label {
                let value = labels.get(key).and_then(|l| values.get(l.value()));
                value.into_iter().for_each(&mut among);
            }
        } else {
            for label in labels {
                let values = self.by_label.get(label.key());
                let value = values.and_then(|v| v.get(label.value()));
                value.into_iter().for_each(&mut among);
            }
        }
    }
}

/// A label that all subjects of a selector have, with its value; not one that
/// everybody in the namespace has.
fn label_of(subject: &Selector) -> Option<(&Arc<str>, &Arc<str>)> {
    if subject.kind() != SelectorKind::Labels || subject.is_wildcard() {
        return None;
    }
    subject.requirements().iter().find_map(|r| {
        let plain = r.key.source() != &LabelSource::Cidr && r.operator == SelectorOperator::In;
        let telling = !matches!(r.key.key(), keys::POD_NAMESPACE | keys::CLUSTER);
        match &*r.values {
            [value] if plain && telling => Some((r.key.shared_key(), value)),
            _ => None,
        }
    })
}
