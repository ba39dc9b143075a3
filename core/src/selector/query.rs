//! Label selectors while a translator scopes them.
//!
//! Scoping (adding a namespace, a cluster) looks at keys as text, with their
//! source prefix, so this form keeps them as text.

use super::{Requirement, Selector, SelectorKind};
use crate::label::{Label, with_source};
use crate::object::{LabelSelector, SelectorOperator};
use crate::source::Span;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

/// One `matchExpressions` element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    /// Key with its source prefix.
    pub key: String,
    /// Operator.
    pub operator: SelectorOperator,
    /// Values in the order written.
    pub values: Vec<Arc<str>>,
}

/// A label selector as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelQuery {
    match_labels: BTreeMap<String, Arc<str>>,
    expressions: Vec<Expression>,
}

impl LabelQuery {
    /// Takes over a selector as written; keys without a source get `source`.
    /// Expressions with an unknown operator are left out, as Cilium does with
    /// objects that nothing validated.
    #[must_use]
    pub fn from_object(selector: &LabelSelector, source: &str) -> Self {
        let mut query = Self::default();
        query.extend_from(selector, source, str::to_owned);
        query
    }

    /// Adds a selector's conditions, each key passed through `rename` before
    /// it gets its source.
    pub fn extend_from(
        &mut self,
        selector: &LabelSelector,
        source: &str,
        rename: impl Fn(&str) -> String,
    ) {
        for (key, value) in &selector.match_labels {
            let key = rename(&key.value);
            self.match_labels.insert(
                with_source(source, &key).into_owned(),
                value.value.as_str().into(),
            );
        }
        for e in &selector.match_expressions {
            let Some(operator) = e.operator.value else {
                continue;
            };
            let key = rename(&e.key.value);
            self.expressions.push(Expression {
                key: with_source(source, &key).into_owned(),
                operator,
                values: e.values.iter().map(|v| v.value.as_str().into()).collect(),
            });
        }
    }

    /// True without any condition.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.match_labels.is_empty() && self.expressions.is_empty()
    }

    /// True when no condition asks for a label: whatever has none of those
    /// named is selected, be it a pod or not.
    #[must_use]
    pub fn only_excludes(&self) -> bool {
        let exclude = |op| matches!(op, SelectorOperator::NotIn | SelectorOperator::DoesNotExist);
        self.match_labels.is_empty() && self.expressions.iter().all(|e| exclude(e.operator))
    }

    /// True when some condition asks for exactly this key.
    #[must_use]
    pub fn has_key(&self, key: &str) -> bool {
        self.match_labels.contains_key(key) || self.expressions.iter().any(|e| e.key == key)
    }

    /// True when some condition's key begins so.
    #[must_use]
    pub fn has_key_prefix(&self, prefix: &str) -> bool {
        self.match_labels.keys().any(|k| k.starts_with(prefix))
            || self.expressions.iter().any(|e| e.key.starts_with(prefix))
    }

    /// The value `matchLabels` wants for a key.
    #[must_use]
    pub fn match_label(&self, key: &str) -> Option<&str> {
        self.match_labels.get(key).map(|v| &**v)
    }

    /// Wants `key` to have `value`, in place of what `matchLabels` wanted.
    pub fn add_match(&mut self, key: impl Into<String>, value: impl Into<Arc<str>>) {
        self.match_labels.insert(key.into(), value.into());
    }

    /// Adds an expression without values.
    pub fn add_expression(&mut self, key: impl Into<String>, operator: SelectorOperator) {
        self.expressions.push(Expression {
            key: key.into(),
            operator,
            values: Vec::new(),
        });
    }

    /// Makes the selector. Its key is the text of its conditions: labels
    /// sorted, expressions and values in the order written.
    #[must_use]
    pub fn build(self, span: Span) -> Selector {
        let mut key = String::from("{");
        for (k, v) in &self.match_labels {
            let _ = write!(key, "{k}:{v}");
        }
        key.push_str("}{");
        for e in &self.expressions {
            let _ = write!(key, "{} {}", e.key, e.operator.as_str());
            for v in &e.values {
                let _ = write!(key, " {v}");
            }
            key.push(',');
        }
        key.push('}');
        let mut requirements: Vec<Requirement> = self
            .match_labels
            .into_iter()
            .map(|(k, v)| Requirement {
                key: Label::parse_select(&k),
                operator: SelectorOperator::In,
                values: vec![v].into(),
            })
            .chain(self.expressions.into_iter().map(|e| Requirement {
                key: Label::parse_select(&e.key),
                operator: e.operator,
                values: e.values.into(),
            }))
            .collect();
        // Any order gives the same answers; this one makes messages stable.
        requirements.sort_by(|a, b| a.key.key().cmp(b.key.key()));
        Selector::new(key, SelectorKind::Labels, requirements, span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_the_spelling() {
        let build = |key: &str| {
            let mut q = LabelQuery::default();
            q.add_match(key, "b");
            q.build(Span::default()).key().to_owned()
        };
        assert_ne!(build("any:app"), build("k8s:app"));
        let mut q = LabelQuery::default();
        q.add_expression("any:app", SelectorOperator::Exists);
        assert_ne!(q.build(Span::default()).key(), build("any:app"));
    }

    #[test]
    fn adding_a_match_replaces() {
        let mut q = LabelQuery::default();
        q.add_match("k8s:ns", "a");
        q.add_match("k8s:ns", "b");
        assert_eq!(q.match_label("k8s:ns"), Some("b"));
        assert!(q.has_key("k8s:ns") && q.has_key_prefix("k8s:") && !q.has_key("ns"));
    }
}
