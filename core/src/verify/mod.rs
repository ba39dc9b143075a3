//! Proof that a table says what policy maps say.
//!
//! In: the bytes of an image, and per subject the policy map with every entry
//! of every identity. Out: [`Coverage`], or a [`Fault`]: the first flow whose
//! answers differ.
//!
//! Nothing is sampled. All 2^32 identities fall into groups that the map's
//! entries cannot tell apart, and all 256 protocols with 65,536 ports each
//! likewise. The image's directories, roots, blocks and pages are walked from
//! end to end, so that it is known which groups meet in which class; each
//! meeting is compared once, in every field. Nothing is shared with
//! [`crate::compile`]: grouping and deciding are written anew, from
//! `docs/table-format.md` and Cilium 1.20.2's bpf/lib/policy.h.
//!
//! ```
//! use netverdict::cluster::Cluster;
//! use netverdict::verify::{Expected, Verifier, Who};
//!
//! let cluster = Cluster::read(include_str!("../../examples/shop.yaml"))?;
//! let table = cluster.compile(None)?;
//! let mut verifier = Verifier::new(&table.image, cluster.config())?;
//! for (number, subject) in (0..).zip(&table.subjects) {
//!     let policy = cluster.policy(&*cluster.find_endpoint(&subject.endpoints[0])?)?;
//!     verifier.policy(&[number], &Expected { map: &policy.map, policy: None, sources: None })?;
//! }
//! let subjects: Vec<Who> = table
//!     .subjects
//!     .iter()
//!     .map(|s| Who { identity: s.identity, endpoints: s.endpoint_numbers.clone() })
//!     .collect();
//! let coverage = verifier.finish(&subjects, cluster.identities().iter().map(|(id, _)| id))?;
//! assert!(coverage.answers > 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod expect;
mod fault;
mod origins;
#[cfg(test)]
mod tests;
mod walk;

pub use fault::{Counterexample, Fault};

use crate::config::Config;
use crate::identity::NumericIdentity;
use crate::policy_map::PolicyMap;
use crate::resolve::SubjectPolicy;
use crate::rule::Direction;
use crate::source::Sources;
use ahash::AHashSet;
use expect::{ColumnStretch, Groups, Point};
use netverdict_table::layout::{self, Header};
use netverdict_table::{self as table, View};
use std::collections::BTreeMap;
use std::sync::Arc;
use walk::{PortStretch, Walk};

/// What a subject's policy must be.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'e> {
    /// The policy map, of all identities.
    pub map: &'e PolicyMap,
    /// The policy behind it. With it the rules behind each entry are compared,
    /// if the image has origins, and what descriptors tell people.
    pub policy: Option<&'e SubjectPolicy>,
    /// Where rules are written; with it files, lines and columns are compared.
    pub sources: Option<&'e Sources>,
}

/// Who a subject must be.
#[derive(Clone, Debug)]
pub struct Who {
    /// Its identity.
    pub identity: NumericIdentity,
    /// The numbers of its endpoints.
    pub endpoints: Vec<u32>,
}

/// How much was compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Subjects.
    pub subjects: u64,
    /// Distinct policies in one direction; subjects share them.
    pub policies: u64,
    /// Groups of identities; together all 2^32, in each policy.
    pub peer_groups: u64,
    /// Groups of protocols and ports; together all of them, in each policy.
    pub port_groups: u64,
    /// Answers compared: a group of identities and a group of ports each.
    pub answers: u64,
    /// Origin records compared.
    pub origins: u64,
}

/// Compares an image with policy maps, subject by subject.
#[derive(Debug)]
pub struct Verifier<'a> {
    view: View<'a>,
    config: &'a Config,
    walk: Walk<'a>,
    proven: Vec<bool>,
    coverage: Coverage,
}

impl<'a> Verifier<'a> {
    /// Loads an image and compares what it says of the agent.
    ///
    /// # Errors
    /// When the bytes are no table, or one for other options.
    pub fn new(image: &'a [u8], config: &'a Config) -> Result<Self, Fault> {
        let view = View::new(image).map_err(Fault::Image)?;
        let header = *view.header();
        header_agrees(&header, config)?;
        Ok(Self {
            view,
            config,
            walk: Walk::new(view.image(), header),
            proven: vec![false; header.subjects.count as usize],
            coverage: Coverage::default(),
        })
    }

    /// Shows that the policy of these subjects is this one.
    ///
    /// # Errors
    /// The first difference.
    pub fn policy(&mut self, subjects: &[u32], expected: &Expected<'_>) -> Result<(), Fault> {
        for direction in Direction::BOTH {
            let mut groups = None;
            let mut seen = AHashSet::new();
            for subject in subjects {
                let view = self.view.policy(*subject, side(direction));
                let policy = view.ok_or(Fault::NoSubject { subject: *subject })?;
                let block = origins::block(&self.view, *subject, direction);
                if !seen.insert((*policy.descriptor(), block)) {
                    continue;
                }
                let groups = groups.get_or_insert_with(|| {
                    let map = expected.map.direction(direction);
                    Groups::new(map, self.config)
                });
                let flow = Flow {
                    subject: *subject,
                    direction,
                };
                self.direction(flow, &policy, groups, expected)?;
            }
        }
        for subject in subjects {
            if let Some(proven) = self.proven.get_mut(*subject as usize) {
                *proven = true;
            }
        }
        self.coverage.subjects += subjects.len() as u64;
        Ok(())
    }

    fn direction(
        &mut self,
        flow: Flow,
        policy: &table::PolicyView<'a>,
        groups: &Groups<'_>,
        expected: &Expected<'_>,
    ) -> Result<(), Fault> {
        let descriptor = policy.descriptor();
        let peers = meet_peers(groups.columns(), &self.walk.peers(descriptor));
        let ports = meet_ports(groups, &self.walk.ports(descriptor));
        self.coverage.policies += 1;
        self.coverage.peer_groups += peers.len() as u64;
        self.coverage.port_groups += ports.len() as u64;
        // The reader must find the classes that the walk found.
        for peer in &peers {
            for identity in [peer.first, peer.last] {
                let found = policy.peer_class(identity);
                if found != peer.class {
                    let expected = peer.class;
                    return Err(flow.misread("peer class", identity, expected, found));
                }
            }
        }
        for port in &ports {
            let found = policy.port_class(port.protocol, port.first);
            if found != port.class {
                return Err(flow.misread("port class", port.first.into(), port.class, found));
            }
        }
        let mut of_wide = BTreeMap::new();
        for peer in &peers {
            let column = groups.column(peer.column);
            let own = groups.longest(column.own);
            let wide = of_wide
                .entry(column.wide)
                .or_insert_with(|| groups.longest(groups.set_of(column.wide)));
            let anyone = groups.longest(groups.set_of(column.anyone()));
            for port in &ports {
                let at = |longest: &[Option<u32>]| longest.get(port.point).copied().flatten();
                let outcome = groups.decide(at(&own), at(wide), at(&anyone), peer.first, column);
                let found = policy.cell(port.class, peer.class);
                self.coverage.answers += 1;
                if found != Some(outcome.answer) {
                    return Err(Fault::Verdict(Box::new(Counterexample {
                        subject: flow.subject,
                        direction: flow.direction,
                        identity: peer.first,
                        protocol: port.protocol,
                        port: port.first,
                        expected: outcome.answer,
                        found: found.unwrap_or(table::Answer::DROP),
                        winner: outcome.winner,
                    })));
                }
            }
        }
        flags_agree(flow, descriptor, expected)?;
        if self.view.header().origins != 0 {
            let meetings: Vec<_> = peers.iter().map(|p| (p.class, p.column, p.first)).collect();
            self.coverage.origins +=
                origins::compare(&self.view, flow, groups, &meetings, expected)?;
        }
        Ok(())
    }

    /// Shows that these are the subjects, in this order, that endpoints and
    /// identities find them and nothing else does, and that the image lists
    /// these identities.
    ///
    /// # Errors
    /// The first difference. A subject whose policy was not shown is one.
    pub fn finish(
        self,
        subjects: &[Who],
        identities: impl IntoIterator<Item = NumericIdentity>,
    ) -> Result<Coverage, Fault> {
        let header = self.view.header();
        same("subjects", subjects.len(), header.subjects.count)?;
        if let Some(unproven) = self.proven.iter().position(|p| !p) {
            let subject = u32::try_from(unproven).unwrap_or(u32::MAX);
            return Err(Fault::Unproven { subject });
        }
        let mut listed: Vec<u32> = identities.into_iter().map(|id| id.0).collect();
        listed.sort_unstable();
        listed.dedup();
        same("identities", listed.len(), header.identities.count)?;
        for (expected, found) in listed.iter().zip(self.view.identities()) {
            same("identity", *expected, found)?;
        }
        let mut endpoints = BTreeMap::new();
        let mut by_identity = BTreeMap::new();
        for (number, who) in (0u32..).zip(subjects) {
            by_identity.entry(who.identity.0).or_insert(number);
            for endpoint in &who.endpoints {
                endpoints.entry(*endpoint).or_insert(number);
            }
        }
        let find = |endpoint| self.view.subject_of_endpoint(endpoint);
        self.index("endpoint", header.endpoints, &endpoints, find)?;
        let find = |identity| self.view.subject_of_identity(identity);
        self.index("identity", header.identity_index, &by_identity, find)?;
        Ok(self.coverage)
    }

    /// An index finds what it should, and has nothing else in it.
    fn index(
        &self,
        index: &'static str,
        section: layout::Section,
        expected: &BTreeMap<u32, u32>,
        find: impl Fn(u32) -> Option<u32>,
    ) -> Result<(), Fault> {
        let stored = self.walk.index(section);
        for key in expected.keys().chain(&stored) {
            let (expected, found) = (expected.get(key).copied(), find(*key));
            if expected != found {
                return Err(Fault::Index {
                    index,
                    key: *key,
                    expected,
                    found,
                });
            }
        }
        Ok(())
    }
}

/// Whose traffic.
#[derive(Clone, Copy, Debug)]
struct Flow {
    subject: u32,
    direction: Direction,
}

impl Flow {
    fn misread(self, what: &'static str, of: u32, expected: u32, found: u32) -> Fault {
        Fault::Misread {
            subject: self.subject,
            direction: self.direction,
            what,
            of,
            expected,
            found,
        }
    }
}

const fn side(direction: Direction) -> table::Direction {
    match direction {
        Direction::Ingress => table::Direction::Ingress,
        Direction::Egress => table::Direction::Egress,
    }
}

fn same(
    what: &'static str,
    expected: impl TryInto<u64>,
    found: impl TryInto<u64>,
) -> Result<(), Fault> {
    let [expected, found] = [
        expected.try_into().unwrap_or(u64::MAX),
        found.try_into().unwrap_or(u64::MAX),
    ];
    if expected == found {
        return Ok(());
    }
    Err(Fault::Header {
        what,
        expected,
        found,
    })
}

fn header_agrees(header: &Header, config: &Config) -> Result<(), Fault> {
    // 255 clusters take 8 bits of an identity, 511 take 9.
    let bits = u32::BITS - config.max_connected_clusters.leading_zeros();
    same("semantics", layout::SEMANTICS, header.semantics)?;
    same("cluster id", config.cluster_id, header.cluster_id)?;
    same("bits of cluster ids", bits, header.cluster_bits)?;
    let flag = |bit| u32::from(header.flags & bit != 0);
    let types = flag(layout::ICMP_TYPES);
    same("ICMP types count", config.icmp_rules, types)?;
    let passes = flag(layout::FRAGMENTATION_NEEDED);
    let expected = config.allow_icmp_frag_needed;
    same("fragmentation needed passes", expected, passes)
}

fn flags_agree(
    flow: Flow,
    descriptor: &layout::Descriptor,
    expected: &Expected<'_>,
) -> Result<(), Fault> {
    let flag = |bit| u32::from(descriptor.flags & bit != 0);
    let wrong = |what, expected: bool, found: u32| {
        if u32::from(expected) == found {
            return Ok(());
        }
        Err(flow.misread(what, 0, expected.into(), found))
    };
    let egress = flow.direction == Direction::Egress;
    wrong("flag `egress`", egress, flag(layout::EGRESS))?;
    if let Some(policy) = expected.policy {
        let policy = policy.direction(flow.direction);
        let (deny, enforced) = (policy.default_deny, policy.enforced);
        wrong("flag `default deny`", deny, flag(layout::DEFAULT_DENY))?;
        wrong("flag `enforced`", enforced, flag(layout::ENFORCED))?;
    }
    Ok(())
}

/// Identities that the map cannot tell apart, and that have one class.
#[derive(Clone, Copy, Debug)]
struct PeerGroup {
    column: usize,
    class: u32,
    /// The first of them.
    first: u32,
    /// The last of the first stretch of them.
    last: u32,
}

fn meet_peers(columns: &[ColumnStretch], stretches: &[walk::PeerStretch]) -> Vec<PeerGroup> {
    let mut known = AHashSet::new();
    let mut groups = Vec::new();
    let mut columns = columns.iter().peekable();
    for stretch in stretches {
        // Columns cover every identity, and so do stretches, both ascending.
        while let Some(column) = columns.peek().copied() {
            let from = column.first.max(stretch.first);
            let to = column.last.min(stretch.last);
            if from <= to {
                for (class, first, last) in stretch.classes(from, to) {
                    if known.insert((column.column, class)) {
                        groups.push(PeerGroup {
                            column: column.column,
                            class,
                            first,
                            last,
                        });
                    }
                }
            }
            if column.last > stretch.last {
                break;
            }
            columns.next();
        }
    }
    groups
}

/// Protocols and ports that the map cannot tell apart, and that have one
/// class.
#[derive(Clone, Copy, Debug)]
struct PortGroup {
    point: usize,
    class: u32,
    protocol: u8,
    first: u16,
}

fn meet_ports(groups: &Groups<'_>, classes: &[PortStretch]) -> Vec<PortGroup> {
    let mut known = AHashSet::new();
    let mut met = Vec::new();
    for class in classes {
        for Point { first, last, point } in groups.points(class.protocol) {
            if *last < class.first || *first > class.last {
                continue;
            }
            if known.insert((*point, class.class)) {
                met.push(PortGroup {
                    point: *point,
                    class: class.class,
                    protocol: class.protocol,
                    first: (*first).max(class.first),
                });
            }
        }
    }
    met
}

/// Everything about one policy's map in one list, for [`Groups::longest`].
type Longest = Arc<[Option<u32>]>;
