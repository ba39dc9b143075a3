//! Which identities each selector selects, kept up to date.
//!
//! A selector's identities are worked out when somebody first asks for them:
//! most rules apply to no workload at hand. From then on they follow the
//! identities. For that a selector is filed under the rarest thing it asks
//! for, its *anchor*: a label with one of some values, the presence of a label,
//! a prefix. A new identity is tested only against selectors whose anchor it
//! has.

use super::posting::Postings;
use super::{Selector, SelectorKind};
use crate::config::Config;
use crate::identity::{IdentityTable, NumericIdentity};
use crate::label::LabelSet;
use crate::object::SelectorOperator;
use ahash::{AHashMap, AHashSet};
use ipnet::IpNet;
use roaring::RoaringBitmap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// A selector's number within one index. Numbers are not reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SelectorId(pub u32);

#[derive(Debug)]
struct Entry {
    selector: Arc<Selector>,
    /// Empty until somebody asks.
    selected: OnceLock<RoaringBitmap>,
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

/// What is worked out along with the first question for a selector.
#[derive(Debug, Default)]
struct Asked {
    postings: Postings,
    /// Selectors that are not filed under their anchors yet. That waits until
    /// identities change.
    without_anchor: Vec<SelectorId>,
}

/// Selectors by key with the identities they select.
#[derive(Debug)]
pub struct SelectorIndex {
    config: Arc<Config>,
    identities: IdentityTable,
    asked: Mutex<Asked>,
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
        let mut asked = Asked::default();
        asked.postings.list(&identities);
        Self {
            config: Arc::new(config),
            identities,
            asked: Mutex::new(asked),
            entries: Vec::new(),
            by_key: AHashMap::new(),
            by_value: AHashMap::new(),
            by_label_key: AHashMap::new(),
            by_prefix: AHashMap::new(),
            scanned: Vec::new(),
        }
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
        if let Some(id) = self.by_key.get(&selector.key) {
            return *id;
        }
        let id = SelectorId(u32::try_from(self.entries.len()).unwrap_or(u32::MAX));
        self.by_key.insert(Arc::clone(&selector.key), id);
        self.entries.push(Some(Entry {
            selector: Arc::clone(selector),
            selected: OnceLock::new(),
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
        let asked = self.asked.get_mut().unwrap_or_else(PoisonError::into_inner);
        asked.without_anchor.retain(|id| kept.contains(id));
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
        self.select_with(&mut self.asked(), selector)
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        // What is behind it is only ever added to.
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn select_with(&self, asked: &mut Asked, selector: &Selector) -> RoaringBitmap {
        asked.postings.read(selector, &self.identities);
        asked
            .postings
            .select(selector, &self.identities, &self.config)
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
        let entry = self.entry(id)?;
        Some(entry.selected.get_or_init(|| {
            let mut asked = self.asked();
            asked.without_anchor.push(id);
            self.select_with(&mut asked, &entry.selector)
        }))
    }

    /// Adds an identity, or gives it other labels; returns the selectors that
    /// gained or lost it, in ascending order, of those whose identities
    /// somebody asked for ([`Self::selections`]).
    pub fn add_identity(&mut self, id: NumericIdentity, labels: LabelSet) -> Vec<SelectorId> {
        if self.identities.get(id) == Some(&labels) {
            return Vec::new();
        }
        let mut changed = self.remove_identity(id);
        let asked = self.asked.get_mut().unwrap_or_else(PoisonError::into_inner);
        asked.postings.insert(id, &labels);
        for s in self.selectors_for(&labels) {
            if let Some(Some(e)) = self.entries.get_mut(s.0 as usize)
                && let Some(selected) = e.selected.get_mut()
                && e.selector.matches(&labels, &self.config)
            {
                selected.insert(id.0);
                changed.push(s);
            }
        }
        self.identities.insert(id, labels);
        changed.sort_unstable();
        changed.dedup();
        changed
    }

    /// Removes an identity; returns the selectors that lost it, as
    /// [`Self::add_identity`] does.
    pub fn remove_identity(&mut self, id: NumericIdentity) -> Vec<SelectorId> {
        self.file_asked();
        let Some(labels) = self.identities.remove(id) else {
            return Vec::new();
        };
        let asked = self.asked.get_mut().unwrap_or_else(PoisonError::into_inner);
        asked.postings.remove(id, &labels);
        let mut changed = Vec::new();
        for s in self.selectors_for(&labels) {
            if let Some(Some(e)) = self.entries.get_mut(s.0 as usize)
                && let Some(selected) = e.selected.get_mut()
                && selected.remove(id.0)
            {
                changed.push(s);
            }
        }
        changed.sort_unstable();
        changed
    }

    /// The selectors that select an identity, ascending, of those whose
    /// identities somebody asked for ([`Self::selections`]).
    #[must_use]
    pub fn selecting(&self, id: NumericIdentity) -> Vec<SelectorId> {
        let Some(labels) = self.identities.get(id) else {
            return Vec::new();
        };
        let mut found = self.selectors_for(labels);
        found.extend(&self.asked().without_anchor);
        found.retain(|s| {
            let known = self.entry(*s).and_then(|e| e.selected.get());
            known.is_some_and(|selected| selected.contains(id.0))
        });
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Files the selectors that were asked for under their anchors.
    fn file_asked(&mut self) {
        let asked = self.asked.get_mut().unwrap_or_else(PoisonError::into_inner);
        for id in std::mem::take(&mut asked.without_anchor) {
            let Some(selector) = self.selector(id).cloned() else {
                continue;
            };
            match self.anchor(&selector) {
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
        }
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

    /// The condition of a selector that the fewest identities meet, and of
    /// several the one that the fewest selectors are filed under: identities
    /// that come later are tested against those.
    fn anchor(&mut self, selector: &Selector) -> Anchor {
        if selector.is_wildcard() {
            return Anchor::All;
        }
        match selector.kind() {
            SelectorKind::CidrGroup => return Anchor::All,
            // A /0 is a world label, which match mode `pods` widens.
            SelectorKind::Cidr if self.config.cidr_matches_pods => return Anchor::All,
            _ => {}
        }
        let asked = self.asked.get_mut().unwrap_or_else(PoisonError::into_inner);
        let postings = &asked.postings;
        let mut best = ((u64::MAX, usize::MAX), Anchor::All);
        for r in selector.requirements() {
            let key = Arc::clone(r.key.shared_key());
            let (size, anchor) = match (r.operator, r.key.prefix()) {
                (SelectorOperator::NotIn | SelectorOperator::DoesNotExist, _) => continue,
                // Prefixes match by containment, whatever the operator.
                (_, Some(p)) => ((0, 0), Anchor::Prefix(p.trunc())),
                (SelectorOperator::In, None) => {
                    let mut values = r.values.to_vec();
                    values.sort_unstable();
                    values.dedup();
                    let met = postings.count(&key, Some(&values));
                    let lists = self.by_value.get(&key);
                    let filed = values.iter().filter_map(|v| lists?.get(v)).map(Vec::len);
                    ((met, filed.sum()), Anchor::Values(key, values))
                }
                (SelectorOperator::Exists, None) => {
                    let filed = self.by_label_key.get(&key).map_or(0, Vec::len);
                    ((postings.count(&key, None), filed), Anchor::Key(key))
                }
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
        assert_eq!(index.selections(all).unwrap().len(), 15);

        assert_eq!(index.selecting(NumericIdentity(1001)), [app, all]);
        let changed = index.add_identity(NumericIdentity(1002), set(&["k8s:app=a"]));
        assert_eq!(changed, [app, no_env, all]);
        assert_eq!(index.selecting(NumericIdentity(1002)), changed);
        assert_eq!(index.selecting(NumericIdentity(1001)), [app, all]);
        assert_eq!(selected(&index, app), [1001, 1002]);
        // Other labels: it leaves one selector.
        let changed = index.add_identity(NumericIdentity(1002), set(&["k8s:app=b"]));
        assert_eq!(changed, [app, no_env, all]);
        assert_eq!(selected(&index, app), [1001]);
        assert_eq!(index.remove_identity(NumericIdentity(1001)), [app, all]);
        assert!(selected(&index, app).is_empty());
        assert!(index.remove_identity(NumericIdentity(1001)).is_empty());
        assert!(index.selecting(NumericIdentity(1001)).is_empty());
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
        assert!(changed.is_empty(), "nobody asked");
        assert_eq!(selected(&index, s), [a.0]);
        let b = NumericIdentity(0x0100_0003);
        let changed = index.add_identity(b, set(&["cidr:10.129.0.0/16", "reserved:world-ipv4"]));
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
        assert_eq!(selected(&index, s), [a.0, b.0]);
        assert_eq!(selected(&index, again), [a.0]);
    }
}
