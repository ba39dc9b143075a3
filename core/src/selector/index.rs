//! Which identities each selector selects, kept up to date.
//!
//! A selector is filed under the rarest thing it asks for, its *anchor*: a
//! label with one of some values, the presence of a label, a prefix. A new
//! identity is tested only against selectors whose anchor it has, and a new
//! selector only against identities that have its anchor.

use super::{Selector, SelectorKind};
use crate::config::Config;
use crate::identity::{IdentityTable, NumericIdentity};
use crate::label::LabelSet;
use crate::object::SelectorOperator;
use ahash::{AHashMap, AHashSet};
use ipnet::IpNet;
use roaring::RoaringBitmap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A selector's number within one index. Numbers are not reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SelectorId(pub u32);

#[derive(Debug)]
struct Entry {
    selector: Arc<Selector>,
    selected: RoaringBitmap,
}

#[derive(Debug, PartialEq, Eq)]
enum Anchor {
    /// Nothing that could narrow the search.
    All,
    /// One of these values of this label key.
    Values(Arc<str>, Vec<Arc<str>>),
    /// This label key.
    Key(Arc<str>),
    /// A `cidr` label inside this prefix.
    Prefix(IpNet),
}

#[derive(Debug, Default)]
struct KeyPostings {
    all: RoaringBitmap,
    values: AHashMap<Arc<str>, RoaringBitmap>,
}

/// Selectors by key with the identities they select.
#[derive(Debug)]
pub struct SelectorIndex {
    config: Arc<Config>,
    identities: IdentityTable,
    all: RoaringBitmap,
    postings: AHashMap<Arc<str>, KeyPostings>,
    prefixes: BTreeMap<IpNet, RoaringBitmap>,
    /// By number; `None` for a selector that was forgotten.
    entries: Vec<Option<Entry>>,
    by_key: AHashMap<Arc<str>, SelectorId>,
    by_value: AHashMap<Arc<str>, AHashMap<Arc<str>, Vec<SelectorId>>>,
    by_label_key: AHashMap<Arc<str>, Vec<SelectorId>>,
    by_prefix: AHashMap<IpNet, Vec<SelectorId>>,
    scanned: Vec<SelectorId>,
}

impl SelectorIndex {
    /// An index over these identities, without selectors.
    #[must_use]
    pub fn new(config: Config, identities: IdentityTable) -> Self {
        let mut index = Self {
            config: Arc::new(config),
            identities: IdentityTable::default(),
            all: RoaringBitmap::new(),
            postings: AHashMap::new(),
            prefixes: BTreeMap::new(),
            entries: Vec::new(),
            by_key: AHashMap::new(),
            by_value: AHashMap::new(),
            by_label_key: AHashMap::new(),
            by_prefix: AHashMap::new(),
            scanned: Vec::new(),
        };
        for (id, labels) in identities.iter() {
            index.add_identity(id, labels.clone());
        }
        index
    }

    /// The configuration selectors match under.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) const fn shared_config(&self) -> &Arc<Config> {
        &self.config
    }

    /// The identities known.
    #[must_use]
    pub fn identities(&self) -> &IdentityTable {
        &self.identities
    }

    /// The number of a selector; files it if it is new.
    pub fn add_selector(&mut self, selector: &Arc<Selector>) -> SelectorId {
        if let Some(id) = self.by_key.get(selector.key()) {
            return *id;
        }
        let id = SelectorId(u32::try_from(self.entries.len()).unwrap_or(u32::MAX));
        let anchor = self.anchor(selector);
        let selected = self.select_among(&self.candidates(&anchor), selector);
        match anchor {
            Anchor::All => self.scanned.push(id),
            Anchor::Key(key) => self.by_label_key.entry(key).or_default().push(id),
            Anchor::Prefix(p) => self.by_prefix.entry(p).or_default().push(id),
            Anchor::Values(key, values) => {
                let by_value = self.by_value.entry(key).or_default();
                for v in values {
                    by_value.entry(v).or_default().push(id);
                }
            }
        }
        self.by_key.insert(selector.key().into(), id);
        self.entries.push(Some(Entry {
            selector: Arc::clone(selector),
            selected,
        }));
        id
    }

    /// Forgets every selector but these. Numbers stay what they are, and those
    /// of forgotten selectors are not given again.
    pub fn keep_only<'a>(&mut self, selectors: impl IntoIterator<Item = &'a Arc<Selector>>) {
        let kept: AHashSet<SelectorId> =
            selectors.into_iter().filter_map(|s| self.find(s)).collect();
        let keep = |ids: &mut Vec<SelectorId>| {
            ids.retain(|id| kept.contains(id));
            !ids.is_empty()
        };
        self.by_key.retain(|_, id| kept.contains(id));
        self.by_label_key.retain(|_, ids| keep(ids));
        self.by_prefix.retain(|_, ids| keep(ids));
        self.by_value.retain(|_, values| {
            values.retain(|_, ids| keep(ids));
            !values.is_empty()
        });
        self.scanned.retain(|id| kept.contains(id));
        for (id, entry) in (0u32..).map(SelectorId).zip(&mut self.entries) {
            if !kept.contains(&id) {
                *entry = None;
            }
        }
    }

    /// How many selectors there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// True without any selector.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// The identities that a selector selects now; it is not filed.
    #[must_use]
    pub fn select(&self, selector: &Selector) -> RoaringBitmap {
        self.select_among(&self.candidates(&self.anchor(selector)), selector)
    }

    fn select_among(&self, candidates: &RoaringBitmap, selector: &Selector) -> RoaringBitmap {
        let matching = candidates.iter().filter(|id| {
            self.identities
                .get(NumericIdentity(*id))
                .is_some_and(|labels| selector.matches(labels, &self.config))
        });
        matching.collect()
    }

    fn entry(&self, id: SelectorId) -> Option<&Entry> {
        self.entries.get(id.0 as usize)?.as_ref()
    }

    /// The selector of a number.
    #[must_use]
    pub fn selector(&self, id: SelectorId) -> Option<&Arc<Selector>> {
        self.entry(id).map(|e| &e.selector)
    }

    /// The number a selector is filed under.
    #[must_use]
    pub fn find(&self, selector: &Selector) -> Option<SelectorId> {
        self.by_key.get(selector.key()).copied()
    }

    /// The identities a selector selects.
    #[must_use]
    pub fn selections(&self, id: SelectorId) -> Option<&RoaringBitmap> {
        self.entry(id).map(|e| &e.selected)
    }

    /// Adds an identity, or gives it other labels; returns the selectors that
    /// gained or lost it.
    pub fn add_identity(&mut self, id: NumericIdentity, labels: LabelSet) -> Vec<SelectorId> {
        if self.identities.get(id) == Some(&labels) {
            return Vec::new();
        }
        let mut changed = self.remove_identity(id);
        self.all.insert(id.0);
        for label in &labels {
            let postings = self.postings.entry(label.key().into()).or_default();
            postings.all.insert(id.0);
            postings
                .values
                .entry(label.value().into())
                .or_default()
                .insert(id.0);
            if let Some(p) = label.prefix() {
                self.prefixes.entry(p.trunc()).or_default().insert(id.0);
            }
        }
        for s in self.selectors_for(&labels) {
            if let Some(Some(e)) = self.entries.get_mut(s.0 as usize)
                && e.selector.matches(&labels, &self.config)
            {
                e.selected.insert(id.0);
                changed.push(s);
            }
        }
        self.identities.insert(id, labels);
        changed.sort_unstable();
        changed.dedup();
        changed
    }

    /// Removes an identity; returns the selectors that lost it.
    pub fn remove_identity(&mut self, id: NumericIdentity) -> Vec<SelectorId> {
        let Some(labels) = self.identities.remove(id) else {
            return Vec::new();
        };
        self.all.remove(id.0);
        for label in &labels {
            if let Some(postings) = self.postings.get_mut(label.key()) {
                postings.all.remove(id.0);
                if let Some(ids) = postings.values.get_mut(label.value()) {
                    ids.remove(id.0);
                    if ids.is_empty() {
                        postings.values.remove(label.value());
                    }
                }
            }
            if let Some(p) = label.prefix().map(IpNet::trunc)
                && let Some(ids) = self.prefixes.get_mut(&p)
            {
                ids.remove(id.0);
                if ids.is_empty() {
                    self.prefixes.remove(&p);
                }
            }
        }
        let mut changed = Vec::new();
        for s in self.selectors_for(&labels) {
            if let Some(Some(e)) = self.entries.get_mut(s.0 as usize)
                && e.selected.remove(id.0)
            {
                changed.push(s);
            }
        }
        changed
    }

    /// Selectors that might select these labels.
    fn selectors_for(&self, labels: &LabelSet) -> Vec<SelectorId> {
        let mut found = self.scanned.clone();
        for label in labels {
            if let Some(ids) = self.by_label_key.get(label.key()) {
                found.extend(ids);
            }
            if let Some(ids) = self
                .by_value
                .get(label.key())
                .and_then(|v| v.get(label.value()))
            {
                found.extend(ids);
            }
            if let Some(p) = label.prefix() {
                for bits in 0..=p.prefix_len() {
                    if let Ok(wider) = IpNet::new(p.addr(), bits)
                        && let Some(ids) = self.by_prefix.get(&wider.trunc())
                    {
                        found.extend(ids);
                    }
                }
            }
        }
        found
    }

    fn candidates(&self, anchor: &Anchor) -> RoaringBitmap {
        match anchor {
            Anchor::All => self.all.clone(),
            Anchor::Key(key) => self
                .postings
                .get(key)
                .map_or_else(RoaringBitmap::new, |p| p.all.clone()),
            Anchor::Values(key, values) => {
                let mut ids = RoaringBitmap::new();
                if let Some(p) = self.postings.get(key) {
                    for v in values {
                        if let Some(some) = p.values.get(v) {
                            ids |= some;
                        }
                    }
                }
                ids
            }
            Anchor::Prefix(p) => {
                let last = IpNet::new(p.broadcast(), p.max_prefix_len()).unwrap_or(*p);
                let mut ids = RoaringBitmap::new();
                for (inner, some) in self.prefixes.range(*p..=last) {
                    if p.contains(inner) {
                        ids |= some;
                    }
                }
                ids
            }
        }
    }

    /// The condition of a selector that the fewest identities meet, and of
    /// several the one that the fewest selectors are filed under: identities
    /// that come later are tested against those.
    fn anchor(&self, selector: &Selector) -> Anchor {
        if selector.is_wildcard() {
            return Anchor::All;
        }
        match selector.kind() {
            SelectorKind::CidrGroup => return Anchor::All,
            // A /0 is a world label, which match mode `pods` widens.
            SelectorKind::Cidr if self.config.cidr_matches_pods => return Anchor::All,
            _ => {}
        }
        let mut best = ((u64::MAX, usize::MAX), Anchor::All);
        for r in selector.requirements() {
            let key: Arc<str> = r.key.key().into();
            let anchor = match (r.operator, r.key.prefix()) {
                (SelectorOperator::NotIn | SelectorOperator::DoesNotExist, _) => continue,
                // Prefixes match by containment, whatever the operator.
                (_, Some(p)) => Anchor::Prefix(p.trunc()),
                (SelectorOperator::In, None) => {
                    let mut values = r.values.to_vec();
                    values.sort_unstable();
                    values.dedup();
                    Anchor::Values(key, values)
                }
                (SelectorOperator::Exists, None) => Anchor::Key(key),
            };
            let size = match &anchor {
                Anchor::Prefix(_) => (0, 0),
                Anchor::Key(key) => {
                    let filed = self.by_label_key.get(key).map_or(0, Vec::len);
                    (self.postings.get(key).map_or(0, |p| p.all.len()), filed)
                }
                Anchor::Values(key, values) => {
                    let postings = self.postings.get(key);
                    let met = values
                        .iter()
                        .filter_map(|v| postings?.values.get(v))
                        .map(RoaringBitmap::len)
                        .sum();
                    let lists = self.by_value.get(key);
                    let filed = values.iter().filter_map(|v| lists?.get(v)).map(Vec::len);
                    (met, filed.sum())
                }
                Anchor::All => continue,
            };
            if size < best.0 {
                best = (size, anchor);
            }
        }
        best.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::label::Label;
    use crate::selector::LabelQuery;
    use crate::source::Span;

    fn set(labels: &[&str]) -> LabelSet {
        labels.iter().map(|l| Label::parse(l)).collect()
    }

    fn selected(index: &SelectorIndex, id: SelectorId) -> Vec<u32> {
        index.selections(id).unwrap().iter().collect()
    }

    #[test]
    fn selections_follow_identities() {
        let config = Config::default();
        let mut index = SelectorIndex::new(config.clone(), IdentityTable::new(&config));
        index.add_identity(NumericIdentity(1001), set(&["k8s:app=a", "k8s:env=x"]));
        let mut q = LabelQuery::default();
        q.add_match("any:app", "a");
        let app = index.add_selector(&Arc::new(q.build(Span::default())));
        let mut q = LabelQuery::default();
        q.add_expression("any:env", SelectorOperator::DoesNotExist);
        let no_env = index.add_selector(&Arc::new(q.build(Span::default())));
        let all = index.add_selector(&Arc::new(Selector::wildcard(Span::default())));
        assert_eq!(selected(&index, app), [1001]);
        assert_eq!(selected(&index, no_env), (1..=14).collect::<Vec<u32>>());

        let changed = index.add_identity(NumericIdentity(1002), set(&["k8s:app=a"]));
        assert_eq!(changed, [app, no_env, all]);
        assert_eq!(selected(&index, app), [1001, 1002]);
        // Other labels: it leaves one selector.
        let changed = index.add_identity(NumericIdentity(1002), set(&["k8s:app=b"]));
        assert_eq!(changed, [app, no_env, all]);
        assert_eq!(selected(&index, app), [1001]);
        assert_eq!(index.remove_identity(NumericIdentity(1001)), [all, app]);
        assert!(selected(&index, app).is_empty());
        assert!(index.remove_identity(NumericIdentity(1001)).is_empty());
    }

    #[test]
    fn prefixes_are_found_by_containment() {
        let config = Config::default();
        let mut index = SelectorIndex::new(config.clone(), IdentityTable::new(&config));
        let ten: IpNet = "10.0.0.0/8".parse().unwrap();
        let s = index.add_selector(&Arc::new(Selector::cidr(
            "10.0.0.0/8",
            &ten,
            &[],
            &config,
            Span::default(),
        )));
        let a = NumericIdentity(0x0100_0001);
        let changed = index.add_identity(a, set(&["cidr:10.1.0.0/16", "reserved:world-ipv4"]));
        assert_eq!(changed, [s]);
        index.add_identity(
            NumericIdentity(0x0100_0002),
            set(&["cidr:11.0.0.0/8", "reserved:world-ipv4"]),
        );
        let again = index.add_selector(&Arc::new(Selector::cidr(
            "10.0.0.0/9",
            &"10.0.0.0/9".parse().unwrap(),
            &[],
            &config,
            Span::default(),
        )));
        assert_eq!(selected(&index, s), [a.0]);
        assert_eq!(selected(&index, again), [a.0]);
    }
}
