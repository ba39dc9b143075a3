//! What changes from one table to another.
//!
//! In: two images whose identities have the same numbers. Out: per subject and
//! direction, [`Change`]s: ports, what became of whom. Policies are compared
//! once, however many subjects share them.

use crate::bits::Plane;
use crate::layout::{AGGREGATES, Descriptor, UNLISTED_CLASSES};
use crate::ports::{PortRange, protocols};
use crate::question::{Answer, Direction, MatchType};
use crate::view::{PolicyView, View};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Identities: those of a list, and those that nobody listed.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peers {
    /// By number, ascending.
    pub listed: Vec<u32>,
    /// Everybody else whose aggregate is one of these: 0, 11, 12, 13, 14.
    pub unlisted: Vec<u32>,
}

/// Peers whose answer on some ports changes in one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The ports.
    pub ports: Vec<PortRange>,
    /// What they got; `None` where nothing matched.
    pub before: Option<Plane>,
    /// What they get.
    pub after: Option<Plane>,
    /// What else changes where the verdict stays the same; empty where it
    /// does not.
    pub fields: Vec<FieldChange>,
    /// Who.
    pub peers: Peers,
}

/// A field of a verdict entry that changes under one verdict: before, after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FieldChange {
    /// Where a redirect leads.
    ProxyPort(u16, u16),
    /// The authentication that is required.
    AuthType(u8, u8),
    /// Prefix length of the entry that authentication is inherited from.
    AuthDonor(Option<u8>, Option<u8>),
    /// The policy log cookie.
    Cookie(u32, u32),
    /// How much of the packet the deciding entry looks at.
    MatchType(MatchType, MatchType),
}

impl FieldChange {
    /// What differs between two answers of one verdict.
    fn between(a: &Answer, b: &Answer) -> Vec<Self> {
        let proxy = (a.proxy_port(), b.proxy_port());
        let auth = (a.auth_type(), b.auth_type());
        let donor = (a.auth_donor(), b.auth_donor());
        let cookie = (a.cookie(), b.cookie());
        let match_type = (a.match_type(), b.match_type());
        let found = [
            (proxy.0 != proxy.1).then_some(Self::ProxyPort(proxy.0, proxy.1)),
            (auth.0 != auth.1).then_some(Self::AuthType(auth.0, auth.1)),
            (donor.0 != donor.1).then_some(Self::AuthDonor(donor.0, donor.1)),
            (cookie.0 != cookie.1).then_some(Self::Cookie(cookie.0, cookie.1)),
            (match_type.0 != match_type.1).then_some(Self::MatchType(match_type.0, match_type.1)),
        ];
        found.into_iter().flatten().collect()
    }
}

impl Change {
    /// True when packets get through that did not.
    #[must_use]
    pub fn opens(&self) -> bool {
        !passes(self.before) && passes(self.after)
    }

    /// True when packets do not get through that did.
    #[must_use]
    pub fn closes(&self) -> bool {
        passes(self.before) && !passes(self.after)
    }
}

fn passes(plane: Option<Plane>) -> bool {
    plane.is_some_and(|p| Plane::PASSING.contains(&p))
}

/// What changes for one subject in one direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectChange {
    /// The subject in the first image.
    pub before: u32,
    /// The subject in the second.
    pub after: u32,
    /// Which way.
    pub direction: Direction,
    /// What changes, by port; shared by subjects that change alike.
    pub changes: Arc<[Change]>,
}

/// What changes from one image to another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Subjects of both whose verdicts change.
    pub changed: Vec<SubjectChange>,
    /// Subjects of the first image that the second does not have.
    pub removed: Vec<u32>,
    /// Subjects of the second image that the first does not have.
    pub added: Vec<u32>,
    /// Identities that only the first image lists.
    pub identities_removed: Vec<u32>,
    /// Identities that only the second image lists.
    pub identities_added: Vec<u32>,
}

impl Difference {
    /// True when nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty()
            && self.removed.is_empty()
            && self.added.is_empty()
            && self.identities_removed.is_empty()
            && self.identities_added.is_empty()
    }
}

/// What changes from `a` to `b`. Subjects are the same when they have an
/// endpoint in common, or else when their identity finds both.
///
/// ```
/// use netverdict_table::{View, difference};
///
/// # mod tiny { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tiny/mod.rs")); }
/// # let (bytes, _) = tiny::image(8, 8);
/// let view = View::new(&bytes)?;
/// let same = difference(&view, &view);
/// assert!(same.changed.is_empty() && same.identities_added.is_empty());
/// # Ok::<(), netverdict_table::TableError>(())
/// ```
#[must_use]
pub fn difference(a: &View<'_>, b: &View<'_>) -> Difference {
    let (in_a, in_b): (BTreeSet<u32>, BTreeSet<u32>) =
        (a.identities().collect(), b.identities().collect());
    let identities: Vec<u32> = in_a.union(&in_b).copied().collect();
    let pairs = pairs(a, b);
    let mut known: BTreeMap<(Descriptor, Descriptor), Arc<[Change]>> = BTreeMap::new();
    let mut changed = Vec::new();
    for (before, after) in &pairs {
        for direction in Direction::BOTH {
            let both = (a.policy(*before, direction), b.policy(*after, direction));
            let (Some(x), Some(y)) = both else {
                continue;
            };
            let key = (x.descriptor, y.descriptor);
            let changes = known
                .entry(key)
                .or_insert_with(|| changes(&x, &y, &identities).into());
            if !changes.is_empty() {
                changed.push(SubjectChange {
                    before: *before,
                    after: *after,
                    direction,
                    changes: Arc::clone(changes),
                });
            }
        }
    }
    let lone = |view: &View<'_>, paired: BTreeSet<u32>| -> Vec<u32> {
        let there = |s: &u32| view.policy(*s, Direction::Ingress).is_some();
        let all = (0..view.subjects()).filter(|s| !paired.contains(s));
        all.filter(there).collect()
    };
    Difference {
        changed,
        removed: lone(a, pairs.iter().map(|(x, _)| *x).collect()),
        added: lone(b, pairs.iter().map(|(_, y)| *y).collect()),
        identities_removed: in_a.difference(&in_b).copied().collect(),
        identities_added: in_b.difference(&in_a).copied().collect(),
    }
}

/// Subjects that are the same in both.
fn pairs(a: &View<'_>, b: &View<'_>) -> BTreeSet<(u32, u32)> {
    let mut pairs = BTreeSet::new();
    for (endpoint, x) in a.endpoints() {
        if let Some(y) = b.subject_of_endpoint(endpoint) {
            pairs.insert((x, y));
        }
    }
    let (mut xs, mut ys): (BTreeSet<u32>, BTreeSet<u32>) = pairs.iter().copied().unzip();
    for (identity, x) in a.subject_identities() {
        if let Some(y) = b.subject_of_identity(identity)
            && !xs.contains(&x)
            && !ys.contains(&y)
        {
            pairs.insert((x, y));
            xs.insert(x);
            ys.insert(y);
        }
    }
    pairs
}

/// What changes from one policy to another.
fn changes(a: &PolicyView<'_>, b: &PolicyView<'_>, identities: &[u32]) -> Vec<Change> {
    let mut peers: BTreeMap<(u32, u32), Peers> = BTreeMap::new();
    for (class, aggregate) in (0..UNLISTED_CLASSES).zip(AGGREGATES) {
        let both = peers.entry((class, class)).or_default();
        both.unlisted.push(aggregate);
    }
    for identity in identities {
        let classes = (a.peer_class(*identity), b.peer_class(*identity));
        peers.entry(classes).or_default().listed.push(*identity);
    }
    let mut ports: BTreeMap<(u32, u32), Vec<PortRange>> = BTreeMap::new();
    for protocol in protocols() {
        let (x, y) = (a.port_ranges(protocol), b.port_ranges(protocol));
        for (rows, range) in meet(&x, &y) {
            let ranges = ports.entry(rows).or_default();
            match ranges.last_mut() {
                Some(last)
                    if last.protocol == protocol
                        && last.last.checked_add(1) == Some(range.first) =>
                {
                    last.last = range.last;
                }
                _ => ranges.push(range),
            }
        }
    }
    // Rows whose changes are alike are told once.
    let mut told: BTreeMap<Vec<Told>, Vec<PortRange>> = BTreeMap::new();
    for ((row_a, row_b), ranges) in ports {
        let changed = peers.keys().filter_map(|(x, y)| {
            let (before, after) = (a.cell(row_a, *x)?, b.cell(row_b, *y)?);
            if before == after {
                return None;
            }
            let planes = (Plane::of(&before), Plane::of(&after));
            let fields = match planes.0 == planes.1 {
                true => FieldChange::between(&before, &after),
                false => Vec::new(),
            };
            Some(((planes.0, planes.1, fields), (*x, *y)))
        });
        let mut changed: Vec<Told> = changed.collect();
        changed.sort_unstable();
        if !changed.is_empty() {
            told.entry(changed).or_default().extend(ranges);
        }
    }
    let mut all = Vec::new();
    for (changed, mut ports) in told {
        ports.sort_unstable();
        for group in changed.chunk_by(|(x, _), (y, _)| x == y) {
            let Some(((before, after, fields), _)) = group.first() else {
                continue;
            };
            let mut who = Peers::default();
            for (_, classes) in group {
                if let Some(peers) = peers.get(classes) {
                    who.listed.extend(&peers.listed);
                    who.unlisted.extend(&peers.unlisted);
                }
            }
            who.listed.sort_unstable();
            who.unlisted.sort_unstable();
            all.push(Change {
                ports: ports.clone(),
                before: *before,
                after: *after,
                fields: fields.clone(),
                peers: who,
            });
        }
    }
    let order = |c: &Change| (c.ports.clone(), c.before, c.after, c.fields.clone());
    all.sort_by_cached_key(order);
    all
}

/// Verdict before and after and what else changes; the classes in either table.
type Told = ((Option<Plane>, Option<Plane>, Vec<FieldChange>), (u32, u32));

/// Ranges that are one in both lists, with their classes in either.
fn meet<'r>(
    x: &'r [PortRange],
    y: &'r [PortRange],
) -> impl Iterator<Item = ((u32, u32), PortRange)> + 'r {
    let (mut i, mut j) = (0, 0);
    core::iter::from_fn(move || {
        let (a, b) = (x.get(i)?, y.get(j)?);
        let range = PortRange {
            protocol: a.protocol,
            first: a.first.max(b.first),
            last: a.last.min(b.last),
            class: b.class,
        };
        i += usize::from(a.last == range.last);
        j += usize::from(b.last == range.last);
        Some(((a.class, b.class), range))
    })
}
