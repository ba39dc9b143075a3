//! Label sets: labels unique by key, in byte order of the keys.

use super::{Label, LabelSource};
use std::fmt;
use std::sync::Arc;

/// A set of labels. Keys are unique *without* their source: `k8s:app` and
/// `cni:app` cannot both be in it; the later one wins
/// (Cilium 1.20.2 pkg/labels/labels.go, type Labels).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LabelSet(Arc<[Label]>);

/// In so few labels a key is looked for one by one.
const FEW_LABELS: usize = 16;

impl LabelSet {
    /// The labels in byte order of their keys.
    #[must_use]
    pub fn as_slice(&self) -> &[Label] {
        &self.0
    }

    /// Iterates in byte order of the keys.
    pub fn iter(&self) -> std::slice::Iter<'_, Label> {
        self.0.iter()
    }

    /// True without labels.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The label with that key, whatever its source.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Label> {
        // Keys mostly differ in length already, which no search makes use of.
        if self.0.len() <= FEW_LABELS {
            return self.0.iter().find(|l| l.key() == key);
        }
        let i = self.0.partition_point(|l| l.key() < key);
        self.0.get(i).filter(|l| l.key() == key)
    }

    /// The first label that satisfies a selector's key.
    #[must_use]
    pub fn find(&self, wanted: &Label) -> Option<&Label> {
        if wanted.source() == &LabelSource::Cidr {
            return self.0.iter().find(|l| l.has_key(wanted));
        }
        self.get(wanted.key()).filter(|l| l.has_key(wanted))
    }

    /// The value of a `k8s:` label.
    #[must_use]
    pub fn k8s_value(&self, key: &str) -> Option<&str> {
        self.get(key)
            .filter(|l| l.source() == &LabelSource::K8s)
            .map(Label::value)
    }

    /// The namespace a pod identity belongs to.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.k8s_value(super::keys::POD_NAMESPACE)
            .filter(|ns| !ns.is_empty())
    }

    /// True when a label of source `reserved` has that key.
    #[must_use]
    pub fn has_reserved(&self, key: &str) -> bool {
        self.get(key)
            .is_some_and(|l| l.source() == &LabelSource::Reserved)
    }

    /// True when a label says that the identity is outside the cluster: its key
    /// alone counts.
    #[must_use]
    pub fn has_world(&self) -> bool {
        ["world", "world-ipv4", "world-ipv6"]
            .iter()
            .any(|w| self.get(w).is_some())
    }

    /// True when some label has that source.
    #[must_use]
    pub fn has_source(&self, source: &LabelSource) -> bool {
        self.0.iter().any(|l| l.source() == source)
    }

    /// The text that identifies the set: `source:key=value;` for every label,
    /// sorted by key. It is Cilium's key in the kvstore and of its local
    /// allocator (pkg/labels/labels.go SortedList).
    ///
    /// ```
    /// use netverdict::label::{Label, LabelSet};
    ///
    /// let labels: LabelSet = [Label::k8s("tier", "db"), Label::k8s("app", "shop")].into_iter().collect();
    /// assert_eq!(labels.canonical(), "k8s:app=shop;k8s:tier=db;");
    /// ```
    #[must_use]
    pub fn canonical(&self) -> String {
        let mut text = String::with_capacity(self.0.len() * 30);
        for l in self {
            for part in [l.source().as_str(), ":", l.key(), "=", l.value(), ";"] {
                text.push_str(part);
            }
        }
        text
    }

    /// Reads the canonical text back; parts without a key are dropped.
    #[must_use]
    pub fn from_canonical(text: &str) -> Self {
        text.split(';')
            .map(Label::parse)
            .filter(|l| !l.key().is_empty())
            .collect()
    }
}

impl FromIterator<Label> for LabelSet {
    /// Later labels replace earlier ones with the same key.
    fn from_iter<I: IntoIterator<Item = Label>>(labels: I) -> Self {
        let mut sorted: Vec<Label> = labels.into_iter().collect();
        sorted.sort_by(|a, b| a.key().cmp(b.key()));
        // The sort is stable: of equal keys the last one came last.
        let mut unique: Vec<Label> = Vec::with_capacity(sorted.len());
        for label in sorted {
            match unique.last_mut() {
                Some(last) if last.key() == label.key() => *last = label,
                _ => unique.push(label),
            }
        }
        Self(unique.into())
    }
}

impl<'a> IntoIterator for &'a LabelSet {
    type Item = &'a Label;
    type IntoIter = std::slice::Iter<'a, Label>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for LabelSet {
    /// Comma-separated labels.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, l) in self.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            write!(f, "{l}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(labels: &[&str]) -> LabelSet {
        labels.iter().map(|l| Label::parse(l)).collect()
    }

    #[test]
    fn canonical_text_sorts_by_key_alone() {
        assert_eq!(
            set(&[
                "k8s:b=1",
                "k8s:B=2",
                "k8s:a.b=3",
                "k8s:a-b=4",
                "k8s:a/b=5",
                "k8s:a=6",
                "k8s:a_b=7",
                "k8s:a0=8"
            ])
            .canonical(),
            "k8s:B=2;k8s:a=6;k8s:a-b=4;k8s:a.b=3;k8s:a/b=5;k8s:a0=8;k8s:a_b=7;k8s:b=1;"
        );
        assert_eq!(
            set(&["k8s:app=web", "cni:app=web2"]).canonical(),
            "cni:app=web2;"
        );
        assert_eq!(set(&["k8s:foo"]).canonical(), "k8s:foo=;");
        assert_eq!(
            set(&[
                "fqdn:a.io",
                "fqdn:*.io",
                "cidr:10.0.0.0/8",
                "reserved:world-ipv4"
            ])
            .canonical(),
            "fqdn:*.io=;cidr:10.0.0.0/8=;fqdn:a.io=;reserved:world-ipv4=;"
        );
    }

    #[test]
    fn canonical_text_reads_back() {
        let s = set(&["k8s:a=b=c", "reserved:host", "unspec:x"]);
        assert_eq!(LabelSet::from_canonical(&s.canonical()), s);
        assert!(LabelSet::from_canonical(";;").is_empty());
    }

    #[test]
    fn lookups_honour_the_source() {
        let s = set(&["k8s:app=web", "cidr:10.1.0.0/16"]);
        assert!(s.find(&Label::parse_select("app")).is_some());
        assert!(s.find(&Label::parse("reserved:app")).is_none());
        assert!(s.find(&Label::parse("cidr:10.0.0.0/8")).is_some());
        assert!(s.find(&Label::parse("cidr:10.1.1.0/24")).is_none());
    }
}
