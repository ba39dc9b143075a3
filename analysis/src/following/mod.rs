//! All connections of a cluster that changes.
//!
//! In: a cluster, and what changes of it. Out: after each change those
//! connections that are not as they were, as JSON; together they are exactly
//! what [`json::connectivity`](crate::json::connectivity) says. What follows
//! from rules, selectors and identities that stay is kept: editors ask with
//! every keystroke.
//!
//! ```
//! use netverdict::cluster::{Change, Cluster, ObjectKey};
//! use netverdict_analysis::following::Following;
//! use serde_json::Value;
//!
//! let cluster = Cluster::read(include_str!("../../../core/examples/shop.yaml"))?;
//! let policy = cluster.objects().find(|o| o.is_policy()).map(ObjectKey::of).expect("the policy");
//! let mut following = Following::new(&cluster);
//! let first: Value = serde_json::from_str(&following.since(0).expect("JSON")).expect("JSON");
//! let revision = first["revision"].as_u64().expect("a number");
//! // Nothing changed: the revision stays. A policy goes: it does not.
//! let again: Value = serde_json::from_str(&following.since(revision).expect("JSON")).expect("JSON");
//! assert_eq!(again["revision"], revision);
//! following.apply(vec![Change::Remove(policy)], Vec::new());
//! let after: Value = serde_json::from_str(&following.since(revision).expect("JSON")).expect("JSON");
//! assert!(after["cells"].as_array().is_some_and(|cells| !cells.is_empty()));
//! # Ok::<(), Box<netverdict::diagnostic::Diagnostic>>(())
//! ```

use crate::connectivity::{Connectivity, Options, Seen};
use crate::json::JsonConnection;
use crate::peer::{Peer, StandIns, learn_stand_ins, name_patterns, stand_ins_hold};
use crate::subject::{Columns, Memory, SideId};
use ahash::AHashMap;
use netverdict::cluster::{Change, Cluster};
use netverdict::config::Config;
use netverdict::object::ObjectRef;
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What was kept is given up when so many more sides are there than were at
/// first.
const SPARE_SIDES: usize = 1 << 13;

/// The text of a connection, by its number; equal numbers are equal texts.
type Cell = u32;

/// Nothing is open, or there is nothing that a policy could see.
const NOTHING: Cell = 0;

/// The sides of two peers as one number; equal numbers are equal sides.
type Pair = u64;

/// Pods that would talk to themselves, and peers without pods.
const UNSEEN: Pair = u64::MAX;

/// Not looked at yet.
const UNKNOWN: Pair = u64::MAX - 1;

/// Pairs whose sides depend on nodes are numbered from here.
const WHEREVER: Pair = 1 << 63;

/// Connections of a cluster as they were when last asked for.
pub struct Following {
    /// A copy with addresses for names that nobody has resolved.
    cluster: Cluster,
    stand_ins: StandIns,
    patterns: BTreeSet<String>,
    kept: Kept,
    table: Table,
    texts: Texts,
    revision: u64,
    /// Something was applied since.
    stale: bool,
}

impl std::fmt::Debug for Following {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Following")
            .field("revision", &self.revision)
            .field("peers", &self.table.names.len())
            .finish_non_exhaustive()
    }
}

/// What was said last.
#[derive(Debug, Default)]
struct Table {
    names: Vec<String>,
    workloads: Vec<bool>,
    /// When the names changed last.
    named: u64,
    /// By sender, then receiver.
    cells: Vec<Cell>,
    /// When each changed last.
    changed: Vec<u64>,
}

/// What makes the next look cheap.
#[derive(Default)]
struct Kept {
    memory: Memory,
    /// How many sides there were at first.
    sides: usize,
    seen: Vec<Option<Seen>>,
    rows: AHashMap<usize, Rows>,
    pairs: Vec<Pair>,
    wherever: AHashMap<Vec<[Option<SideId>; 2]>, Pair>,
}

/// What a class of subjects says of each peer.
struct Rows {
    /// Holds the address by which it is known.
    columns: Arc<[Columns; 2]>,
    /// Of ingress and egress.
    sides: [Vec<u32>; 2],
}

/// The texts of connections, each once.
#[derive(Default)]
struct Texts {
    numbers: AHashMap<Arc<str>, Cell>,
    all: Vec<Arc<str>>,
}

impl Texts {
    fn number(&mut self, text: String) -> Cell {
        if text.is_empty() {
            return NOTHING;
        }
        if let Some(known) = self.numbers.get(&*text) {
            return *known;
        }
        let text: Arc<str> = text.into();
        self.all.push(Arc::clone(&text));
        let number = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.numbers.insert(text, number);
        number
    }

    fn get(&self, cell: Cell) -> Option<&str> {
        let at = (cell as usize).checked_sub(1)?;
        self.all.get(at).map(|text| &**text)
    }
}

impl Following {
    /// Follows a cluster from now on.
    #[must_use]
    pub fn new(cluster: &Cluster) -> Self {
        Self {
            cluster: cluster.rebuilt(),
            stand_ins: StandIns::new(),
            patterns: BTreeSet::new(),
            kept: Kept::default(),
            table: Table::default(),
            texts: Texts::default(),
            revision: 0,
            stale: true,
        }
    }

    /// What was applied to the cluster, and the policies that variables keep
    /// out of it now.
    pub fn apply(&mut self, changes: Vec<Change>, open: Vec<ObjectRef>) {
        self.stale |= !changes.is_empty() || open != self.cluster.open_policies();
        self.cluster.apply(changes);
        self.cluster.set_open_policies(open);
    }

    /// The connections that changed after a revision, and the revision that
    /// this makes; of 0 all. `names` and `workloads` are left out while they
    /// stay; `cells` are sender, receiver, and what is open or `null`.
    ///
    /// # Errors
    /// What the serializer says.
    pub fn since(&mut self, revision: u64) -> serde_json::Result<String> {
        if std::mem::take(&mut self.stale) {
            self.learn();
            self.look()?;
        }
        self.told(revision)
    }

    /// Gives names that nobody has resolved addresses, where that is not as
    /// it was.
    fn learn(&mut self) {
        let patterns = name_patterns(&self.cluster);
        if patterns == self.patterns && stand_ins_hold(&self.cluster, &self.stand_ins) {
            return;
        }
        if !self.stand_ins.is_empty() {
            let mut names = self.cluster.options().resolved_names.clone();
            names.retain(|_, ips| !ips.iter().any(|ip| self.stand_ins.contains_key(ip)));
            self.cluster.set_resolved_names(names);
        }
        self.stand_ins = learn_stand_ins(&mut self.cluster);
        self.patterns = patterns;
    }

    fn look(&mut self) -> serde_json::Result<()> {
        self.revision += 1;
        let forgotten = self.kept.memory.len() > self.kept.sides.saturating_add(SPARE_SIDES);
        let mut before = Texts::default();
        if forgotten {
            self.kept = Kept::default();
            before = std::mem::take(&mut self.texts);
        }
        let options = Options {
            stand_ins: self.stand_ins.clone(),
            ..Options::default()
        };
        let memory = std::mem::take(&mut self.kept.memory);
        let all = Connectivity::remembering(&self.cluster, &options, memory, &mut |_, _| ());
        let count = all.peers().len();
        let named: Vec<&str> = all.peers().iter().map(|p| p.name.as_str()).collect();
        let workloads: Vec<bool> = all.peers().iter().map(Peer::is_workload).collect();
        if named != self.table.names || workloads != self.table.workloads {
            let names = named.into_iter().map(str::to_owned).collect();
            let pairs = std::mem::take(&mut self.kept.pairs);
            self.kept.pairs = self.table.rename(names, &pairs, self.revision);
            self.table.workloads = workloads;
            self.table.named = self.revision;
        }
        let pairs = self.kept.pairs(&all, self.cluster.config());
        let known = !forgotten && self.kept.pairs.len() == pairs.len();
        let mut numbers: AHashMap<Pair, Cell> = AHashMap::new();
        for (at, pair) in pairs.iter().enumerate() {
            if known && self.kept.pairs.get(at) == Some(pair) {
                continue;
            }
            let cell = match numbers.get(pair) {
                Some(cell) => *cell,
                None => {
                    let connection = all.connection(at / count, at % count);
                    let text = connection.map_or(Ok(String::new()), |c| {
                        text(&JsonConnection::new("", "", &c, false))
                    });
                    let cell = self.texts.number(text?);
                    numbers.insert(*pair, cell);
                    cell
                }
            };
            let table = &mut self.table;
            let (Some(was), Some(changed)) = (table.cells.get_mut(at), table.changed.get_mut(at))
            else {
                continue;
            };
            let same = match forgotten {
                true => before.get(*was) == self.texts.get(cell),
                false => *was == cell,
            };
            if !same {
                *changed = self.revision;
            }
            *was = cell;
        }
        self.kept.pairs = pairs;
        self.kept.memory = all.into_memory();
        if forgotten || self.kept.sides == 0 {
            self.kept.sides = self.kept.memory.len();
        }
        Ok(())
    }

    fn told(&self, since: u64) -> serde_json::Result<String> {
        #[derive(Serialize)]
        struct Names<'f> {
            names: &'f [String],
            workloads: &'f [bool],
        }
        let mut told = format!("{{\"revision\":{}", self.revision);
        if self.table.named > since {
            let names = serde_json::to_string(&Names {
                names: &self.table.names,
                workloads: &self.table.workloads,
            })?;
            told += ",";
            told += names.trim_start_matches('{').trim_end_matches('}');
        }
        told += ",\"cells\":[";
        let quoted: Vec<String> = self
            .table
            .names
            .iter()
            .map(serde_json::to_string)
            .collect::<Result<_, _>>()?;
        let mut first = true;
        for (at, (cell, changed)) in self.table.cells.iter().zip(&self.table.changed).enumerate() {
            if *changed <= since || (since == 0 && *cell == NOTHING) {
                continue;
            }
            let (from, to) = (at / quoted.len(), at % quoted.len());
            if !std::mem::take(&mut first) {
                told += ",";
            }
            told += &format!("[{from},{to},");
            match (self.texts.get(*cell), quoted.get(from), quoted.get(to)) {
                (Some(text), Some(from), Some(to)) => {
                    for part in ["{\"from\":", from, ",\"to\":", to, text] {
                        told += part;
                    }
                }
                _ => told += "null",
            }
            told += "]";
        }
        told += "]}";
        Ok(told)
    }
}

impl Table {
    /// Other peers are there: what is between those that stay, stays. Gives
    /// the pairs of these.
    fn rename(&mut self, names: Vec<String>, known: &[Pair], revision: u64) -> Vec<Pair> {
        let old = (0..).zip(&self.names).map(|(n, s)| (s.as_str(), n));
        let old: AHashMap<&str, usize> = old.collect();
        let places: Vec<Option<usize>> =
            names.iter().map(|n| old.get(n.as_str()).copied()).collect();
        let (was, count) = (self.names.len(), names.len());
        let mut cells = Vec::with_capacity(count * count);
        let mut changed = Vec::with_capacity(count * count);
        let mut pairs = Vec::with_capacity(count * count);
        for from in &places {
            for to in &places {
                let old = from.zip(*to).map(|(from, to)| from * was + to);
                let cell = old.and_then(|at| self.cells.get(at));
                let since = old.and_then(|at| self.changed.get(at));
                let pair = old.and_then(|at| known.get(at));
                cells.push(cell.copied().unwrap_or(NOTHING));
                changed.push(since.copied().unwrap_or(revision));
                pairs.push(pair.copied().unwrap_or(UNKNOWN));
            }
        }
        self.cells = cells;
        self.changed = changed;
        self.names = names;
        pairs
    }
}

/// A connection after its ends; empty when there is nothing to show.
fn text(connection: &JsonConnection<'_>) -> serde_json::Result<String> {
    if connection.allowed.is_empty() && connection.unknown.is_empty() {
        return Ok(String::new());
    }
    let text = serde_json::to_string(connection)?;
    let ends = "{\"from\":\"\",\"to\":\"\"";
    Ok(text.strip_prefix(ends).unwrap_or_default().to_owned())
}

impl Kept {
    /// The sides of any two peers.
    fn pairs(&mut self, all: &Connectivity<'_>, config: &Config) -> Vec<Pair> {
        let count = all.peers().len();
        let seen: Vec<Option<Seen>> = (0..count).map(|n| all.seen(n)).collect();
        self.follow_rows(all, &seen, config);
        let of = |n: usize, way: usize| {
            let columns = all.columns(n)?;
            let rows = self.rows.get(&address(columns))?;
            rows.sides.get(way)
        };
        let ingress: Vec<Option<&Vec<u32>>> = (0..count).map(|n| of(n, 0)).collect();
        let visible: Vec<bool> = (0..count)
            .map(|n| all.columns(n).is_some() || all.peers().get(n).is_some_and(Peer::is_workload))
            .collect();
        let mut pairs = Vec::with_capacity(count * count);
        for (from, sender) in seen.iter().enumerate() {
            let egress = of(from, 1);
            for (to, receiver) in seen.iter().enumerate() {
                let itself = from == to && !all.peers().get(from).is_some_and(Peer::is_many);
                let unseen = visible.get(from) == Some(&false) && visible.get(to) == Some(&false);
                pairs.push(if itself || unseen {
                    UNSEEN
                } else if sender.is_some() && receiver.is_some() {
                    let side = |row: Option<&Vec<u32>>, of: usize| {
                        row.and_then(|r| r.get(of)).copied().unwrap_or(0)
                    };
                    let ingress = ingress.get(to).copied().flatten();
                    u64::from(side(egress, to)) << 32 | u64::from(side(ingress, from))
                } else {
                    let next = WHEREVER | self.wherever.len() as u64;
                    *self.wherever.entry(all.wherever(from, to)).or_insert(next)
                });
            }
        }
        pairs
    }

    /// What each class says of each peer: kept where the class stays.
    fn follow_rows(&mut self, all: &Connectivity<'_>, seen: &[Option<Seen>], config: &Config) {
        let old: AHashMap<Seen, usize> = match *seen == *self.seen {
            true => AHashMap::new(),
            false => (0..)
                .zip(&self.seen)
                .filter_map(|(n, s)| Some(((*s)?, n)))
                .collect(),
        };
        let moved: Option<Vec<Option<usize>>> = (*seen != *self.seen).then(|| {
            let place = |s: &Option<Seen>| old.get(s.as_ref()?).copied();
            seen.iter().map(place).collect()
        });
        let mut rows = AHashMap::new();
        for peer in 0..seen.len() {
            let Some(columns) = all.columns(peer) else {
                continue;
            };
            let place = address(columns);
            if rows.contains_key(&place) {
                continue;
            }
            let known = self.rows.remove(&place);
            let known = known.filter(|known| Arc::ptr_eq(&known.columns, columns));
            let [ingress, egress] = &**columns;
            let sides = match (known, &moved) {
                (Some(known), None) => known.sides,
                (known, moved) => {
                    let side = |way: usize, columns: &Columns, at: usize| {
                        let before = known.as_ref().and_then(|k| {
                            let old = (*moved.as_ref()?.get(at)?)?;
                            k.sides.get(way)?.get(old).copied()
                        });
                        before.unwrap_or_else(|| {
                            let seen = seen.get(at).copied().flatten();
                            seen.map_or(0, |s| s.side(columns, config).0 + 1)
                        })
                    };
                    [(0, ingress), (1, egress)].map(|(way, columns)| {
                        let all = 0..seen.len();
                        all.map(|at| side(way, columns, at)).collect()
                    })
                }
            };
            let columns = Arc::clone(columns);
            rows.insert(place, Rows { columns, sides });
        }
        self.rows = rows;
        self.seen = seen.to_vec();
    }
}

fn address(columns: &Arc<[Columns; 2]>) -> usize {
    Arc::as_ptr(columns).cast::<u8>() as usize
}

#[cfg(test)]
mod tests;
