//! What a change opens, closes and changes.
//!
//! In: the connections of a cluster before and after. Out: a [`Difference`]:
//! every pair of peers between which something is different, with the exact
//! ports. What is not in it is the same: connections are kept in one form, so
//! that comparing them proves it.
//!
//! ```
//! use netverdict::{cluster::Cluster, source::Sources};
//! use netverdict_analysis::connectivity::{Connectivity, Options};
//! use netverdict_analysis::difference::{ChangeKind, Difference, PairChange, Reason, learn_same_names};
//! use netverdict_analysis::json::JsonEffect;
//! use netverdict_analysis::reason;
//!
//! let shop = include_str!("../../core/examples/shop.yaml");
//! let mut before = Cluster::read(shop)?;
//! let mut after = Cluster::read(&shop.replace("5432", "6379"))?;
//! // Addresses that stand for names that nobody has looked up are the same in both.
//! learn_same_names(&mut before, &mut after);
//! let options = Options::default();
//! let (before, after) = (Connectivity::new(&before, &options), Connectivity::new(&after, &options));
//! let difference = Difference::new(&before, &after);
//! assert!(difference.has(ChangeKind::Opened) && difference.has(ChangeKind::Closed));
//! let pair: &PairChange = &difference.pairs[0];
//! let closed = pair.ports.iter().find(|p| p.kind == ChangeKind::Closed).expect("5432");
//! assert!(JsonEffect::of(pair, std::slice::from_ref(closed)).all(|e| e.ports.contains("5432")));
//!
//! // Why: both answers for one flow of those, side by side.
//! let why: Reason = pair.reason(closed, &before, &after).expect("a flow that changes");
//! assert_eq!(why.sides().len(), 1);
//! let sources = Sources::new();
//! let told = reason::sides(&why, [&sources, &sources]);
//! let ingress = told.iter().find(|side| side.direction == "ingress").expect("it changes");
//! assert_eq!((ingress.before.verdict, ingress.after.verdict), ("allow", "default-deny"));
//! assert_eq!(ingress.before.places().len(), 1);
//! # Ok::<(), Box<netverdict::diagnostic::Diagnostic>>(())
//! ```

use crate::connection::{Connection, Passage, Terms};
use crate::connectivity::{Connectivity, longest};
use crate::peer::{Peer, PeerKind};
use crate::ports::{PortMap, PortSet};
use crate::subject::SideId;
use ahash::AHashMap;
use ipnet::IpNet;
use netverdict::cluster::{Cluster, Flow, FlowAnswer, Peer as Named, SideAnswer};
use netverdict::rule::Direction;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One end of compared connections.
#[derive(Clone, Debug, PartialEq, Eq)]
struct End {
    name: String,
    old: Option<usize>,
    new: Option<usize>,
}

/// What becomes of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind {
    /// Nothing got through, now something does.
    Opened,
    /// Something got through, now nothing does.
    Closed,
    /// Something gets through on other terms: proxies, requests,
    /// authentication.
    Changed,
    /// The input leaves open what was settled before, or the other way round.
    Unsettled,
}

impl ChangeKind {
    /// All of them, as they are listed.
    pub const ALL: [Self; 4] = [Self::Opened, Self::Closed, Self::Changed, Self::Unsettled];

    /// One word for people and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Closed => "closed",
            Self::Changed => "changed",
            Self::Unsettled => "unsettled",
        }
    }
}

/// Ports of a pair of peers of which the same becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortChange {
    /// What becomes of them.
    pub kind: ChangeKind,
    /// On which terms they were open.
    pub before: Option<Terms>,
    /// On which terms they are open now.
    pub after: Option<Terms>,
    /// The ports.
    pub ports: PortSet,
}

/// A pair of peers with a difference.
#[derive(Clone, Debug)]
pub struct PairChange {
    /// Who sends.
    pub from: String,
    /// Who receives.
    pub to: String,
    /// What becomes of which ports.
    pub ports: Arc<[PortChange]>,
    ends: [(usize, usize); 2],
}

/// Why ports are as they are: what either cluster says of one of them.
#[derive(Clone, Debug)]
pub struct Reason {
    /// The protocol that was asked about.
    pub protocol: u8,
    /// The port that was asked about.
    pub port: u16,
    /// Before.
    pub before: FlowAnswer,
    /// Now.
    pub after: FlowAnswer,
}

impl Reason {
    /// The sides that say something else now than before: direction, before,
    /// and now.
    #[must_use]
    pub fn sides(&self) -> Vec<(Direction, Option<&SideAnswer>, Option<&SideAnswer>)> {
        let both = [
            (Direction::Egress, &self.before.egress, &self.after.egress),
            (
                Direction::Ingress,
                &self.before.ingress,
                &self.after.ingress,
            ),
        ];
        let said = |s: &Option<SideAnswer>| {
            s.as_ref()
                .map(|s| (s.decision.clone(), s.auth_type, s.proxy_rules.clone()))
        };
        let differ = both
            .into_iter()
            .filter(|(_, old, new)| said(old) != said(new));
        differ
            .map(|(d, old, new)| (d, old.as_ref(), new.as_ref()))
            .collect()
    }
}

/// Everything that is different between two clusters.
#[derive(Debug)]
pub struct Difference {
    /// Pairs between which something is different, by sender and receiver.
    pub pairs: Vec<PairChange>,
    /// Workloads that were not there before.
    pub appeared: Vec<String>,
    /// Workloads that are no longer there.
    pub disappeared: Vec<String>,
    /// How many pairs were compared.
    pub compared: usize,
}

impl Difference {
    /// Compares two clusters. Both should have been looked at with the same
    /// grouping, with all entities, and with names learned by
    /// [`learn_same_names`].
    #[must_use]
    pub fn new(old: &Connectivity<'_>, new: &Connectivity<'_>) -> Self {
        Self::with_progress(old, new, &mut |_, _| ())
    }

    /// As [`Self::new`]; `progress` is told how many senders are done, and how
    /// many there are.
    #[must_use]
    pub fn with_progress(
        old: &Connectivity<'_>,
        new: &Connectivity<'_>,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Self {
        let ends = ends(old.peers(), new.peers());
        let names = |wanted: &dyn Fn(&End) -> bool| -> Vec<String> {
            let found = ends.iter().filter(|e| wanted(e));
            found.map(|e| e.name.clone()).collect()
        };
        let appeared = names(&|e| e.old.is_none());
        let disappeared = names(&|e| e.new.is_none());
        let both: Vec<(&str, usize, usize)> = ends
            .iter()
            .filter_map(|e| Some((e.name.as_str(), e.old?, e.new?)))
            .collect();
        let mut pairs = Vec::new();
        let mut compared = 0;
        let same = old.sides_in(new);
        // Where both sides are as they were, so is the connection.
        let unchanged = |before: [Option<SideId>; 2], after: [Option<SideId>; 2]| {
            before
                .iter()
                .zip(after)
                .all(|(before, after)| match before {
                    None => after.is_none(),
                    Some(id) => {
                        after.is_some() && same.get(id.0 as usize).copied().flatten() == after
                    }
                })
        };
        let mut known: AHashMap<(usize, usize), Arc<[PortChange]>> = AHashMap::new();
        for (n, (from, old_from, new_from)) in both.iter().enumerate() {
            progress(n, both.len());
            for (to, old_to, new_to) in &both {
                let sides = old
                    .sides_between(*old_from, *old_to)
                    .zip(new.sides_between(*new_from, *new_to));
                if sides.is_some_and(|(before, after)| unchanged(before, after)) {
                    compared += 1;
                    continue;
                }
                let before = old.connection(*old_from, *old_to);
                let after = new.connection(*new_from, *new_to);
                let (Some(before), Some(after)) = (before, after) else {
                    continue;
                };
                compared += 1;
                let key = (Arc::as_ptr(&before) as usize, Arc::as_ptr(&after) as usize);
                let ports = known
                    .entry(key)
                    .or_insert_with(|| changes(&before, &after).into());
                if !ports.is_empty() {
                    pairs.push(PairChange {
                        from: (*from).to_owned(),
                        to: (*to).to_owned(),
                        ports: Arc::clone(ports),
                        ends: [(*old_from, *old_to), (*new_from, *new_to)],
                    });
                }
            }
        }
        Self {
            pairs,
            appeared,
            disappeared,
            compared,
        }
    }

    /// True when nothing is different.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty() && self.appeared.is_empty() && self.disappeared.is_empty()
    }

    /// True when some ports came to this.
    #[must_use]
    pub fn has(&self, kind: ChangeKind) -> bool {
        let mut all = self.pairs.iter().flat_map(|p| p.ports.iter());
        all.any(|p| p.kind == kind)
    }
}

impl PairChange {
    /// Why some of its ports are as they are; `None` when nobody could ask.
    #[must_use]
    pub fn reason(
        &self,
        change: &PortChange,
        old: &Connectivity<'_>,
        new: &Connectivity<'_>,
    ) -> Option<Reason> {
        let (protocol, port) = change.ports.example()?;
        let [before, after] = self.ends;
        Some(Reason {
            protocol,
            port,
            before: answer(old, before, protocol, port)?,
            after: answer(new, after, protocol, port)?,
        })
    }
}

fn answer(
    all: &Connectivity<'_>,
    (from, to): (usize, usize),
    protocol: u8,
    port: u16,
) -> Option<FlowAnswer> {
    let named = |peer| {
        Some(Named {
            text: String::new(),
            target: all.target(peer)?,
        })
    };
    let (from, to) = (named(from)?, named(to)?);
    Some(all.cluster().flow(&Flow::new(&from, &to, protocol, port)))
}

/// What is different between two connections, by kind and terms.
fn changes(old: &Connection, new: &Connection) -> Vec<PortChange> {
    if old.ports == new.ports {
        return Vec::new();
    }
    type Became = Option<(ChangeKind, Option<Terms>, Option<Terms>)>;
    let became: PortMap<Became> = old.ports.with(&new.ports, |before, after| {
        let terms = |p: &Passage| match p {
            Passage::Open(terms) => Some(terms.clone()),
            _ => None,
        };
        let kind = match (before, after) {
            (before, after) if before == after => return None,
            (Passage::Unknown, _) | (_, Passage::Unknown) => ChangeKind::Unsettled,
            (Passage::Closed, _) => ChangeKind::Opened,
            (_, Passage::Closed) => ChangeKind::Closed,
            (Passage::Open(_), Passage::Open(_)) => ChangeKind::Changed,
        };
        Some((kind, terms(before), terms(after)))
    });
    let mut kinds: Vec<(ChangeKind, Option<Terms>, Option<Terms>)> = Vec::new();
    for value in became.stretches().filter_map(|s| s.value.as_ref()) {
        if !kinds.contains(value) {
            kinds.push(value.clone());
        }
    }
    kinds.sort();
    let ports = |wanted: &(ChangeKind, Option<Terms>, Option<Terms>)| {
        became.set(|value| value.as_ref() == Some(wanted))
    };
    kinds
        .iter()
        .map(|wanted| PortChange {
            kind: wanted.0,
            before: wanted.1.clone(),
            after: wanted.2.clone(),
            ports: ports(wanted),
        })
        .collect()
}

/// The ends that both clusters, or one of them, have.
fn ends(old: &[Peer], new: &[Peer]) -> Vec<End> {
    let mut ends = workload_ends(old, new);
    let number =
        |peers: &[Peer], name: &str| peers.binary_search_by(|p| p.name.as_str().cmp(name)).ok();
    // Entities and names are in both.
    let plain = |p: &&Peer| {
        matches!(&p.kind, PeerKind::Entity(name) if *name != "world")
            || matches!(p.kind, PeerKind::Name(_))
    };
    let names: BTreeSet<&String> = old
        .iter()
        .chain(new)
        .filter(plain)
        .map(|p| &p.name)
        .collect();
    for name in names {
        if let (Some(before), Some(after)) = (number(old, name), number(new, name)) {
            ends.push(End {
                name: name.clone(),
                old: Some(before),
                new: Some(after),
            });
        }
    }
    // Addresses fall apart into the prefixes of either.
    let world = |peers: &[Peer]| peers.iter().any(|p| p.kind == PeerKind::Entity("world"));
    let mut prefixes: BTreeSet<IpNet> = BTreeSet::new();
    for peer in old.iter().chain(new) {
        if let PeerKind::Prefix(prefix) = &peer.kind {
            prefixes.insert(*prefix);
        }
    }
    if world(old) && world(new) {
        ends.push(End {
            name: "entity:world".to_owned(),
            old: number(old, "entity:world"),
            new: number(new, "entity:world"),
        });
    }
    for prefix in prefixes {
        let at = |peers: &[Peer]| longest(peers, &prefix).and_then(|p| number(peers, &p.name));
        if let (Some(before), Some(after)) = (at(old), at(new)) {
            ends.push(End {
                name: format!("cidr:{prefix}"),
                old: Some(before),
                new: Some(after),
            });
        }
    }
    ends.sort_by(|a, b| a.name.cmp(&b.name));
    ends
}

/// Workloads go by name; where labels came to tell pods of an owner apart, or
/// no longer do, by their pods.
fn workload_ends(old: &[Peer], new: &[Peer]) -> Vec<End> {
    fn pods(peers: &[Peer]) -> BTreeMap<(&str, &str, &str), usize> {
        let all = peers.iter().enumerate();
        all.flat_map(|(n, p)| {
            let pods = p.endpoints.iter();
            pods.map(move |e| ((e.namespace.as_str(), e.name.as_str(), e.kind), n))
        })
        .collect()
    }
    let by_name = |peers: &[Peer]| -> BTreeMap<String, usize> {
        let all = peers.iter().enumerate().filter(|(_, p)| p.is_workload());
        all.map(|(n, p)| (p.name.clone(), n)).collect()
    };
    let (old_names, new_names) = (by_name(old), by_name(new));
    let (old_pods, new_pods) = (pods(old), pods(new));
    let mut ends = Vec::new();
    let others =
        |peer: Option<&Peer>, pods: &BTreeMap<(&str, &str, &str), usize>| -> BTreeSet<usize> {
            let endpoints = peer.into_iter().flat_map(|p| &p.endpoints);
            endpoints
                .filter_map(|e| pods.get(&(e.namespace.as_str(), e.name.as_str(), e.kind)))
                .copied()
                .collect()
        };
    for (name, before) in &old_names {
        if let Some(after) = new_names.get(name) {
            ends.push(End {
                name: name.clone(),
                old: Some(*before),
                new: Some(*after),
            });
            continue;
        }
        let now = others(old.get(*before), &new_pods);
        if now.is_empty() {
            ends.push(End {
                name: name.clone(),
                old: Some(*before),
                new: None,
            });
        }
        for after in now {
            ends.push(End {
                name: name.clone(),
                old: Some(*before),
                new: Some(after),
            });
        }
    }
    for (name, after) in &new_names {
        if old_names.contains_key(name) {
            continue;
        }
        let before = others(new.get(*after), &old_pods);
        if before.is_empty() {
            ends.push(End {
                name: name.clone(),
                old: None,
                new: Some(*after),
            });
        }
        for before in before {
            // A name that is gone has its pairs already.
            let gone = old
                .get(before)
                .is_some_and(|p| !new_names.contains_key(&p.name));
            if !gone {
                ends.push(End {
                    name: name.clone(),
                    old: Some(before),
                    new: Some(*after),
                });
            }
        }
    }
    ends
}

/// Gives the `toFQDNs` selectors of both clusters the same names and addresses
/// to stand for those that Cilium learns.
pub fn learn_same_names(old: &mut Cluster, new: &mut Cluster) -> [crate::peer::StandIns; 2] {
    let first = crate::peer::learn_stand_ins(old);
    let mut names = new.options().resolved_names.clone();
    names.extend(old.options().resolved_names.clone());
    new.set_resolved_names(names);
    let second = crate::peer::learn_stand_ins(new);
    let mut all = first;
    all.extend(second);
    let mut names = old.options().resolved_names.clone();
    names.extend(new.options().resolved_names.clone());
    old.set_resolved_names(names);
    [all.clone(), all]
}
