//! Identities by the labels they have.
//!
//! In: identities. Out: who meets the conditions of a selector, worked out on
//! whole sets. One pass over the identities lists who has which label; the sets
//! of a key are made of that when a condition first asks for the key: most
//! labels of a cluster are asked for by nobody.

use super::{Requirement, Selector, SelectorKind};
use crate::config::Config;
use crate::identity::{IdentityTable, NumericIdentity};
use crate::label::{Label, LabelSet, LabelSource};
use crate::object::SelectorOperator;
use ahash::AHashMap;
use ipnet::IpNet;
use roaring::{MultiOps, RoaringBitmap};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The identities that have labels of one key and source.
#[derive(Debug)]
struct Holders {
    source: LabelSource,
    /// Numbers of values, in the order they were met.
    values: AHashMap<Arc<str>, u32>,
    /// Every identity with the number of its value, ascending; given up for
    /// sets.
    list: Vec<(u32, u32)>,
    all: RoaringBitmap,
    /// By number of the value.
    sets: Vec<RoaringBitmap>,
}

impl Holders {
    fn new(source: LabelSource) -> Self {
        Self {
            source,
            values: AHashMap::new(),
            list: Vec::new(),
            all: RoaringBitmap::new(),
            sets: Vec::new(),
        }
    }

    fn number(&mut self, value: &Arc<str>) -> u32 {
        if let Some(number) = self.values.get(value) {
            return *number;
        }
        let number = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        self.values.insert(Arc::clone(value), number);
        number
    }

    /// Makes sets of the list.
    fn divide(&mut self) {
        let mut sets: Vec<Vec<u32>> = vec![Vec::new(); self.values.len()];
        let mut all = Vec::with_capacity(self.list.len());
        for (id, value) in std::mem::take(&mut self.list) {
            all.push(id);
            if let Some(set) = sets.get_mut(value as usize) {
                set.push(id);
            }
        }
        self.all = all.into_iter().collect();
        self.sets = sets.into_iter().map(RoaringBitmap::from_iter).collect();
    }

    fn insert(&mut self, id: NumericIdentity, value: &Arc<str>) {
        let number = self.number(value) as usize;
        self.all.insert(id.0);
        if self.sets.len() <= number {
            self.sets.resize_with(number + 1, RoaringBitmap::new);
        }
        if let Some(set) = self.sets.get_mut(number) {
            set.insert(id.0);
        }
    }

    fn of_value(&self, value: &str) -> Option<&RoaringBitmap> {
        self.sets.get(*self.values.get(value)? as usize)
    }
}

/// The identities that have labels of one key, by the label's source.
#[derive(Debug, Default)]
struct KeyPostings {
    sources: Vec<Holders>,
    /// There are sets.
    divided: bool,
}

impl KeyPostings {
    fn source(&mut self, source: &LabelSource) -> Option<&mut Holders> {
        let known = self.sources.iter().position(|h| &h.source == source);
        let place = known.unwrap_or(self.sources.len());
        if known.is_none() {
            self.sources.push(Holders::new(source.clone()));
        }
        self.sources.get_mut(place)
    }

    fn divide(&mut self) {
        if !std::mem::replace(&mut self.divided, true) {
            self.sources.iter_mut().for_each(Holders::divide);
        }
    }

    fn insert(&mut self, id: NumericIdentity, label: &Label) {
        if let Some(holders) = self.source(label.source()) {
            holders.insert(id, label.shared_value());
        }
    }

    fn remove(&mut self, id: NumericIdentity, label: &Label) {
        for holders in &mut self.sources {
            holders.all.remove(id.0);
            let number = holders.values.get(label.value()).copied();
            if let Some(set) = number.and_then(|n| holders.sets.get_mut(n as usize)) {
                set.remove(id.0);
            }
        }
    }

    fn from(&self, source: &LabelSource) -> impl Iterator<Item = &Holders> {
        let fits = move |h: &&Holders| source == &LabelSource::Any || source == &h.source;
        self.sources.iter().filter(fits)
    }
}

fn nobody<'p>() -> Cow<'p, RoaringBitmap> {
    Cow::Owned(RoaringBitmap::new())
}

fn union<'p>(sets: impl Iterator<Item = &'p RoaringBitmap>) -> Cow<'p, RoaringBitmap> {
    let sets: Vec<&RoaringBitmap> = sets.collect();
    match sets.as_slice() {
        [] => nobody(),
        [one] => Cow::Borrowed(one),
        _ => Cow::Owned(sets.union()),
    }
}

/// Sets of identities, by label.
#[derive(Debug, Default)]
pub(super) struct Postings {
    keys: AHashMap<Arc<str>, KeyPostings>,
    /// By the prefix of `cidr` labels.
    prefixes: BTreeMap<IpNet, RoaringBitmap>,
    all: RoaringBitmap,
    state: State,
    /// Somebody asked for a selector.
    asked: bool,
}

/// Which identities are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// None.
    #[default]
    Nothing,
    /// All that there are; sets are made where asked for.
    Listed,
    /// Identities changed since: only the keys that there are sets for follow.
    Partly,
    /// Every key has sets.
    Complete,
}

impl Postings {
    /// Lists who has which label.
    pub(super) fn list(&mut self, identities: &IdentityTable) {
        // Neighbouring identities mostly have the same keys: the key that was
        // last at a label's place is tried first.
        let mut keys: Vec<(Arc<str>, KeyPostings)> = Vec::new();
        let mut numbers: AHashMap<Arc<str>, usize> = AHashMap::new();
        let mut last: Vec<usize> = Vec::new();
        let mut all = Vec::with_capacity(identities.len());
        let mut prefixes: BTreeMap<IpNet, Vec<u32>> = BTreeMap::new();
        for (id, labels) in identities.iter() {
            all.push(id.0);
            for (place, label) in labels.iter().enumerate() {
                let key = label.shared_key();
                let guess = last.get(place).copied();
                let known = guess.filter(|k| keys.get(*k).is_some_and(|(known, _)| known == key));
                let number = known.or_else(|| numbers.get(key).copied());
                let number = number.unwrap_or_else(|| {
                    numbers.insert(Arc::clone(key), keys.len());
                    keys.push((Arc::clone(key), KeyPostings::default()));
                    keys.len() - 1
                });
                match last.get_mut(place) {
                    Some(last) => *last = number,
                    None => last.push(number),
                }
                let of_key = keys.get_mut(number).map(|(_, of_key)| of_key);
                if let Some(holders) = of_key.and_then(|k| k.source(label.source())) {
                    let value = holders.number(label.shared_value());
                    holders.list.push((id.0, value));
                }
                if let Some(p) = label.prefix() {
                    prefixes.entry(p.trunc()).or_default().push(id.0);
                }
            }
        }
        self.keys = keys.into_iter().collect();
        self.all = all.into_iter().collect();
        let of_prefix = |(p, ids): (IpNet, Vec<u32>)| (p, ids.into_iter().collect());
        self.prefixes = prefixes.into_iter().map(of_prefix).collect();
        self.state = State::Listed;
    }

    /// Makes the sets that a selector's conditions ask for.
    pub(super) fn read(&mut self, selector: &Selector, identities: &IdentityTable) {
        if self.state == State::Nothing {
            self.list(identities);
        }
        self.asked = true;
        for r in selector.requirements() {
            let known = self.keys.get_mut(r.key.key());
            match self.state {
                State::Complete => return,
                State::Listed | State::Nothing => {
                    if let Some(of_key) = known {
                        of_key.divide();
                    }
                }
                // From here on every key follows: listing again is not to be
                // needed after every change.
                State::Partly => {
                    if known.is_none() {
                        self.list(identities);
                        self.keys.values_mut().for_each(KeyPostings::divide);
                        self.state = State::Complete;
                    }
                }
            }
        }
    }

    /// Keys without sets do not follow changes.
    fn change(&mut self) {
        if self.state == State::Listed {
            self.keys.retain(|_, of_key| of_key.divided);
            self.state = match self.asked {
                true => State::Partly,
                false => State::Nothing,
            };
        }
    }

    /// An identity has come.
    pub(super) fn insert(&mut self, id: NumericIdentity, labels: &LabelSet) {
        self.change();
        if self.state == State::Nothing {
            return;
        }
        self.all.insert(id.0);
        for label in labels {
            match self.keys.get_mut(label.key()) {
                Some(of_key) => of_key.insert(id, label),
                None if self.state == State::Complete => {
                    let mut of_key = KeyPostings {
                        divided: true,
                        ..KeyPostings::default()
                    };
                    of_key.insert(id, label);
                    self.keys.insert(Arc::clone(label.shared_key()), of_key);
                }
                None => {}
            }
            if let Some(p) = label.prefix() {
                self.prefixes.entry(p.trunc()).or_default().insert(id.0);
            }
        }
    }

    /// An identity has gone.
    pub(super) fn remove(&mut self, id: NumericIdentity, labels: &LabelSet) {
        self.change();
        if self.state == State::Nothing {
            return;
        }
        self.all.remove(id.0);
        for label in labels {
            if let Some(of_key) = self.keys.get_mut(label.key()) {
                of_key.remove(id, label);
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
    }

    /// How many identities have a key, with one of the values if any are
    /// given; whatever the source.
    pub(super) fn count(&self, key: &str, values: Option<&[Arc<str>]>) -> u64 {
        let sources = self.keys.get(key).into_iter().flat_map(|k| &k.sources);
        let of = |holders: &Holders| match values {
            None => holders.all.len(),
            Some(values) => {
                let sets = values.iter().filter_map(|v| holders.of_value(v));
                sets.map(RoaringBitmap::len).sum()
            }
        };
        sources.map(of).sum()
    }

    /// Who a selector selects; its conditions were read.
    pub(super) fn select(
        &self,
        selector: &Selector,
        identities: &IdentityTable,
        config: &Config,
    ) -> RoaringBitmap {
        if selector.is_wildcard() {
            return self.all.clone();
        }
        let exact = selector.kind() == SelectorKind::Labels;
        let narrow = match selector.kind() {
            SelectorKind::CidrGroup => false,
            // A /0 is a world label, which match mode `pods` widens.
            SelectorKind::Cidr => !config.cidr_matches_pods,
            SelectorKind::Labels | SelectorKind::Fqdn => true,
        };
        let (mut among, mut without, mut open) = (Vec::new(), Vec::new(), Vec::new());
        for r in selector.requirements().iter().filter(|_| narrow) {
            let asks = matches!(r.operator, SelectorOperator::In | SelectorOperator::Exists);
            match self.meeting(r) {
                Met::Exactly(ids) if asks => among.push(ids),
                Met::Exactly(ids) => without.push(ids),
                Met::AtMost(ids) => {
                    open.push(r);
                    among.extend(asks.then_some(ids));
                }
            }
        }
        among.sort_by_key(|ids| ids.len());
        let mut among = among.into_iter();
        let mut ids = among
            .next()
            .map_or_else(|| self.all.clone(), Cow::into_owned);
        for other in among {
            ids &= &*other;
        }
        if exact {
            for other in without {
                ids -= &*other;
            }
            if open.is_empty() {
                return ids;
            }
        }
        let matches = |id: &u32| {
            let labels = identities.get(NumericIdentity(*id));
            labels.is_some_and(|labels| match exact {
                true => open.iter().all(|r| r.matches(labels)),
                false => selector.matches(labels, config),
            })
        };
        ids.iter().filter(matches).collect()
    }

    /// Who has the label that a condition speaks of, whether it asks for it or
    /// excludes it.
    fn meeting(&self, r: &Requirement) -> Met<'_> {
        let by_value = matches!(r.operator, SelectorOperator::In | SelectorOperator::NotIn);
        if r.key.source() == &LabelSource::Cidr {
            let inside = r.key.prefix().map_or_else(nobody, |p| self.inside(p));
            return match by_value {
                // Of several prefixes inside the first one's value counts.
                true => Met::AtMost(inside),
                false => Met::Exactly(inside),
            };
        }
        let Some(of_key) = self.keys.get(r.key.key()) else {
            return Met::Exactly(nobody());
        };
        let holders = of_key.from(r.key.source());
        Met::Exactly(match by_value {
            true => union(holders.flat_map(|h| r.values.iter().filter_map(|v| h.of_value(v)))),
            false => union(holders.map(|h| &h.all)),
        })
    }

    /// Who has a `cidr` label inside a prefix.
    fn inside(&self, prefix: &IpNet) -> Cow<'_, RoaringBitmap> {
        let prefix = prefix.trunc();
        let last = IpNet::new(prefix.broadcast(), prefix.max_prefix_len()).unwrap_or(prefix);
        let within = self.prefixes.range(prefix..=last);
        union(
            within
                .filter(|(inner, _)| prefix.contains(*inner))
                .map(|(_, ids)| ids),
        )
    }
}

/// Who meets a condition.
enum Met<'p> {
    Exactly(Cow<'p, RoaringBitmap>),
    /// Some of these.
    AtMost(Cow<'p, RoaringBitmap>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selector::SelectorIndex;
    use crate::source::Span;

    const LABELS: [&str; 14] = [
        "k8s:app=a",
        "k8s:app=b",
        "cni:app=a",
        "k8s:env=x",
        "reserved:host",
        "reserved:world-ipv4",
        "cidr:10.1.0.0/16",
        "cidr:10.1.2.0/24",
        "cidr:10.0.0.0/8",
        "fqdn:example.org",
        "cidrgroup:g+1",
        "k8s:one=1",
        "k8s:two=2",
        "k8s:three=3",
    ];

    /// Every set of up to three labels, and conditions of every kind, one and
    /// two at a time: who is selected is who matches.
    #[test]
    fn selected_is_who_matches() {
        let sets = (0..1u32 << LABELS.len()).filter(|n| n.count_ones() < 4);
        let labels_of = |n: u32| -> LabelSet {
            let some = LABELS.iter().enumerate().filter(|(i, _)| n >> i & 1 != 0);
            some.map(|(_, l)| Label::parse(l)).collect()
        };
        let mut identities = IdentityTable::default();
        for n in sets {
            identities.insert(NumericIdentity(n), labels_of(n));
        }
        let mut conditions = Vec::new();
        for key in LABELS
            .into_iter()
            .chain(["app", "nobody", "cidr:no-prefix"])
        {
            let key = Label::parse_select(key);
            for operator in [
                SelectorOperator::In,
                SelectorOperator::NotIn,
                SelectorOperator::Exists,
                SelectorOperator::DoesNotExist,
            ] {
                let values = match operator {
                    SelectorOperator::In | SelectorOperator::NotIn => {
                        vec!["a".into(), "".into(), "2".into(), "a".into()]
                    }
                    _ => Vec::new(),
                };
                conditions.push(Requirement {
                    key: key.clone(),
                    operator,
                    values: values.into(),
                });
            }
        }
        let (mut selected, mut partly) = (0, 0);
        for kind in [
            SelectorKind::Labels,
            SelectorKind::Cidr,
            SelectorKind::CidrGroup,
            SelectorKind::Fqdn,
        ] {
            for pods in [false, true] {
                let config = Config {
                    cidr_matches_pods: pods,
                    ..Config::default()
                };
                let index = SelectorIndex::new(config.clone(), identities.clone());
                for (i, first) in conditions.iter().enumerate() {
                    let second = conditions.get(i * 7 % conditions.len()).cloned();
                    for both in [
                        vec![first.clone()],
                        second.into_iter().chain([first.clone()]).collect(),
                    ] {
                        let s = Selector::new(format!("{i}"), kind, both, Span::default());
                        let naive: RoaringBitmap = identities
                            .iter()
                            .filter(|(_, labels)| s.matches(labels, &config))
                            .map(|(id, _)| id.0)
                            .collect();
                        assert_eq!(index.select(&s), naive, "{kind:?} {s}");
                        selected += usize::from(!naive.is_empty());
                        partly += usize::from(naive.len() < identities.len() as u64);
                    }
                }
            }
        }
        assert!(selected > 200 && partly > 200, "{selected} {partly}");
    }

    /// Sets follow identities, whether somebody asked for the key before they
    /// changed or not.
    #[test]
    fn sets_follow_identities() {
        for keys in [0, 1, 2] {
            let config = Config::default();
            let mut index = SelectorIndex::new(config.clone(), IdentityTable::default());
            let selector = |key: &str| {
                let condition = Requirement::exists(Label::parse_select(key));
                Selector::new(key, SelectorKind::Labels, vec![condition], Span::default())
            };
            for id in [1, 2] {
                let labels = ["k8s:key-0", "k8s:key-1", "k8s:other"].map(Label::parse);
                index.add_identity(NumericIdentity(id), labels.into_iter().collect());
            }
            index.remove_identity(NumericIdentity(2));
            for i in 0..keys {
                assert_eq!(index.select(&selector(&format!("key-{i}"))).len(), 1);
            }
            let ids = |index: &SelectorIndex, key: &str| -> Vec<u32> {
                index.select(&selector(key)).iter().collect()
            };
            for (id, label) in [(7, "k8s:key-0=a"), (8, "cni:key-0=b"), (9, "k8s:last=c")] {
                let labels = [Label::parse(label)].into_iter().collect();
                index.add_identity(NumericIdentity(id), labels);
            }
            assert_eq!(ids(&index, "key-0"), [1, 7, 8]);
            assert_eq!(ids(&index, "last"), [9]);
            index.remove_identity(NumericIdentity(8));
            index.add_identity(
                NumericIdentity(10),
                [Label::parse("k8s:new")].into_iter().collect(),
            );
            assert_eq!(ids(&index, "key-0"), [1, 7]);
            assert_eq!(ids(&index, "other"), [1]);
            assert_eq!(ids(&index, "new"), [10]);
            assert_eq!(ids(&index, "cni:key-0"), [0; 0]);
        }
    }
}
