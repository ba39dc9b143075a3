//! Policies compiled into a verdict table.
//!
//! In: resolved policies of subjects, the identities their selectors select,
//! named ports and proxy ports. Out: the bytes of an image
//! (`docs/table-format.md`), which `netverdict-table` reads.
//!
//! Entries are made by [`crate::policy_map`], but for one identity of each
//! class instead of all of them: what a policy cannot tell apart gets the same
//! entries. The same input gives the same bytes.
//!
//! ```
//! use netverdict::cluster::Cluster;
//! use netverdict::compile::{Classes, Compiler, IdentityChange, Publisher, Subject, SubjectChange};
//! use netverdict::identity::NumericIdentity;
//! use netverdict::{policy_map::NamedPorts, resolve::Repository};
//! use netverdict_table::{Direction, View};
//! use std::sync::Arc;
//!
//! let cluster = Cluster::read(include_str!("../../examples/shop.yaml"))?;
//! let mut repository = Repository::new(cluster.config().clone(), cluster.identities().clone());
//! for rule in cluster.repository().rules() {
//!     repository.replace(&rule.resource, vec![(**rule).clone()]);
//! }
//! let db = cluster.find_endpoint("shop/db")?;
//! let policy = Arc::new(repository.resolve(db.identity, &db.labels)?);
//! let ports = NamedPorts::new();
//!
//! // Peers that the policy cannot tell apart are one class.
//! let classes = Classes::new(&policy.ingress, false, repository.selectors(), &ports)?;
//! assert_eq!(classes.class(NumericIdentity(4711)), classes.class(NumericIdentity(4712)));
//!
//! // A table that follows its cluster: each update is a list of writes.
//! let subject = Subject { identity: db.identity, endpoints: vec![1], policy, named_ports: Vec::new(), proxy_ports: None };
//! let compiler = Compiler { selectors: repository.selectors(), named_ports: &ports, revision: 1, places: None };
//! let mut publisher = Publisher::new(&compiler, vec![subject.clone()])?;
//! let view = View::new(publisher.image()).expect("an image");
//! let ingress = view.policy(0, Direction::Ingress).expect("the first subject");
//! assert!(ingress.verdict(4711, 6, 5432).is_allowed() && !ingress.verdict(4711, 6, 80).is_allowed());
//! assert!(!publisher.entries(0).is_empty());
//!
//! let labels = cluster.find_endpoint("shop/web")?.labels.clone();
//! let selectors = repository.add_identity(NumericIdentity(4711), labels);
//! let came = IdentityChange { identity: NumericIdentity(4711), selectors, ports: false };
//! let compiler = Compiler { selectors: repository.selectors(), named_ports: &ports, revision: 2, places: None };
//! let update = publisher.update(&compiler, &[came], vec![SubjectChange::Replace(0, subject)])?;
//! assert!(!update.whole && update.added.is_empty());
//! // When no reader is left that saw the table of before, its room may be used again.
//! publisher.end_grace_period();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod class;
mod column;
mod image;
mod listed;
mod member;
mod origin;
mod peers;
mod pool;
mod ports;
mod publish;
mod refine;
#[cfg(test)]
mod tests;

pub use class::{ClassId, Classes, FIRST_LISTED, UNLISTED, unlisted_class};
pub use origin::RulePlace;
pub use publish::{IdentityChange, MapChange, MapUpdate, Publisher, SubjectChange, Update};

use crate::identity::{AGGREGATES, NumericIdentity};
use crate::policy_map::{
    L4Key, MapState, NamedPorts, ProxyPorts, RedirectKey, StandInProxyPorts, Surroundings,
};
use crate::resolve::{DirectionPolicy, Parser, SubjectPolicy};
use crate::rule::{Direction, Rule, RulePort};
use crate::selector::SelectorIndex;
use ahash::AHashMap;
use column::Cells;
use image::{Compiled, Frame, Image};
use peers::{PeerSections, Plan};
use refine::SelectedPages;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// Why a policy does not fit into a table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompileError {
    /// A direction tells more than 65,536 kinds of peers apart.
    TooManyPeerClasses {
        /// How many.
        count: usize,
    },
    /// A direction tells more than 65,536 kinds of ports apart.
    TooManyPortClasses {
        /// How many.
        count: usize,
    },
    /// A direction has more than 65,536 different verdicts.
    TooManyEntries {
        /// How many.
        count: usize,
    },
    /// A direction lists identities that lie too far apart: numbers of pages
    /// have 16 bits, and a page has 64 neighbouring identities.
    TooManyPages {
        /// How many pages have listed identities.
        count: usize,
    },
    /// A key names a protocol that tables have no slot for. Rules cannot make
    /// such keys.
    NoSuchKey {
        /// Protocol and port of the key.
        key: L4Key,
    },
    /// An identity of an undefined scope (its top byte is above 2) is selected
    /// by a rule; tables cannot list it.
    UndefinedScope {
        /// Its number.
        identity: NumericIdentity,
    },
    /// The image would be 4 GiB or more.
    TooLarge {
        /// How many bytes.
        bytes: usize,
    },
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyPeerClasses { count } => write!(
                f,
                "the policy tells {count} kinds of peers apart; a table has room for 65536. \
                 Split the workload's policies, or select peers by fewer distinct labels"
            ),
            Self::TooManyPortClasses { count } => write!(
                f,
                "the policy tells {count} kinds of ports apart; a table has room for 65536"
            ),
            Self::TooManyEntries { count } => write!(
                f,
                "the policy has {count} different verdicts; a table has room for 65536"
            ),
            Self::TooManyPages { count } => write!(
                f,
                "the policy names identities in {count} pages of 64 neighbouring numbers; a table \
                 has room for 65520, or 32752 with more than 248 kinds of peers"
            ),
            Self::NoSuchKey { key } => write!(
                f,
                "protocol {} with port {}/{} has no place in a table",
                key.protocol, key.port, key.port_prefix
            ),
            Self::UndefinedScope { identity } => write!(
                f,
                "identity {identity} has an undefined scope: numbers above 50331647 are given \
                 by no allocator. Correct the object that gives it"
            ),
            Self::TooLarge { bytes } => {
                write!(f, "the table would have {bytes} bytes; offsets reach 4 GiB")
            }
        }
    }
}

impl std::error::Error for CompileError {}

/// Where a subject's redirects lead; `None` while a redirect is not realised.
pub type SubjectProxyPorts = Arc<dyn Fn(&RedirectKey) -> Option<u16> + Send + Sync>;

/// A subject of a table.
#[derive(Clone)]
pub struct Subject {
    /// Its identity.
    pub identity: NumericIdentity,
    /// The numbers of its endpoints.
    pub endpoints: Vec<u32>,
    /// Its policy, as a [`Repository`](crate::resolve::Repository) resolves it.
    /// Subjects with the same policy share what is compiled, and policies with
    /// the same rules in one direction do there.
    pub policy: Arc<SubjectPolicy>,
    /// Its named ports: name, IP protocol number, port.
    pub named_ports: Vec<(Arc<str>, u8, u16)>,
    /// Where its redirects lead; `None` for stand-ins
    /// ([`StandInProxyPorts`]).
    pub proxy_ports: Option<SubjectProxyPorts>,
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject")
            .field("identity", &self.identity)
            .field("endpoints", &self.endpoints)
            .finish_non_exhaustive()
    }
}

/// What subjects are compiled against.
#[derive(Clone, Copy)]
pub struct Compiler<'a> {
    /// The peer selectors with what they select, and the identities.
    pub selectors: &'a SelectorIndex,
    /// What each identity calls its ports.
    pub named_ports: &'a NamedPorts,
    /// Revision of the policies, for the header.
    pub revision: u64,
    /// Where each rule is written; `None` leaves origins out.
    pub places: Option<&'a dyn Fn(&Rule) -> RulePlace>,
}

impl fmt::Debug for Compiler<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compiler")
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

/// What a subject's descriptors depend on.
type SharedKey = (usize, Vec<(Arc<str>, u8, u16)>);

impl Compiler<'_> {
    /// Compiles subjects into an image; subject `i` of the image is the `i`th.
    ///
    /// # Errors
    /// When a policy does not fit, with the number of the subject.
    pub fn compile(&self, subjects: &[Subject]) -> Result<Vec<u8>, (usize, CompileError)> {
        let ids = || self.selectors.identities().iter().map(|(id, _)| id);
        let policies: BTreeSet<usize> = subjects.iter().map(|s| address(&s.policy)).collect();
        let plan = Plan::fitting(ids, self.selectors.config(), policies.len() * 2, 0);
        self.compile_planned(subjects, plan)
    }

    fn compile_planned(
        &self,
        subjects: &[Subject],
        plan: Plan,
    ) -> Result<Vec<u8>, (usize, CompileError)> {
        let config = self.selectors.config();
        let identities: Vec<u32> = self
            .selectors
            .identities()
            .iter()
            .map(|(i, _)| i.0)
            .collect();
        let mut image = Image::new(PeerSections::new(plan));
        let mut pages = SelectedPages::default();
        let mut shared: AHashMap<SharedKey, [Compiled; 2]> = AHashMap::new();
        let mut directions: AHashMap<DirectionKey, Compiled> = AHashMap::new();
        let mut compiled = Vec::with_capacity(subjects.len());
        for (i, subject) in subjects.iter().enumerate() {
            let key = shared_key(subject);
            if let Some(known) = key.as_ref().and_then(|k| shared.get(k)) {
                compiled.push(Some(*known));
                continue;
            }
            let both = self.subject(&mut image, subject, &mut pages, &mut directions);
            let both = both.map_err(|e| (i, e))?;
            if let Some(key) = key {
                shared.insert(key, both);
            }
            compiled.push(Some(both));
        }
        let mut endpoints: Vec<(u32, u32)> = Vec::new();
        let mut by_identity: Vec<(u32, u32)> = Vec::new();
        for (i, subject) in (0u32..).zip(subjects) {
            endpoints.extend(subject.endpoints.iter().map(|e| (*e, i)));
            by_identity.push((subject.identity.0, i));
        }
        // Of several the first counts.
        for pairs in [&mut endpoints, &mut by_identity] {
            pairs.sort_unstable();
            pairs.dedup_by_key(|(key, _)| *key);
        }
        let frame = Frame {
            config,
            revision: self.revision,
            subjects: &compiled,
            endpoints: &endpoints,
            identity_index: &by_identity,
            identities: &identities,
            with_origins: self.places.is_some(),
        };
        image.finish(&frame).map_err(|e| (subjects.len(), e))
    }

    fn subject(
        &self,
        image: &mut Image,
        subject: &Subject,
        pages: &mut SelectedPages,
        known: &mut AHashMap<DirectionKey, Compiled>,
    ) -> Result<[Compiled; 2], CompileError> {
        both(subject, |policy, proxy_ports| {
            let key = direction_key(subject, policy);
            if let Some(compiled) = key.as_ref().and_then(|key| known.get(key)) {
                return Ok(*compiled);
            }
            let made = self.direction(subject, policy, proxy_ports, pages)?;
            let compiled = Compiled {
                descriptor: image.put(policy, &made.classes, &made.cells)?,
                origins: self.places.map_or(0, |places| {
                    let origins = &mut image.origins;
                    origins.put(policy, &made.state, &made.classes, places)
                }),
            };
            known.extend(key.map(|key| (key, compiled)));
            Ok(compiled)
        })
    }

    /// Makes both directions of a subject.
    fn make(
        &self,
        subject: &Subject,
        pages: &mut SelectedPages,
    ) -> Result<[Made; 2], CompileError> {
        both(subject, |policy, proxy_ports| {
            self.direction(subject, policy, proxy_ports, pages)
        })
    }

    fn direction(
        &self,
        subject: &Subject,
        policy: &DirectionPolicy,
        proxy_ports: &mut dyn ProxyPorts,
        pages: &mut SelectedPages,
    ) -> Result<Made, CompileError> {
        let world = subject.policy.wildcard_is_world;
        let (selectors, ports) = (self.selectors, self.named_ports);
        let mut classes = Classes::with(policy, world, selectors, ports, pages)?;
        let pages = classes.listed.pages().iter();
        if pages.clone().any(|p| p.first().0 >> 24 > 2)
            && let Some((identity, _)) = classes.listed.iter().find(|(id, _)| id.0 >> 24 > 2)
        {
            return Err(CompileError::UndefinedScope { identity });
        }
        let own = |name: &Arc<str>, protocol: u8| own_port(&subject.named_ports, name, protocol);
        let surroundings = Surroundings {
            wildcard_is_world: world,
            subject_ports: &own,
            peer_ports: self.named_ports,
            proxy_ports,
        };
        let state = MapState::distil(policy, &classes, surroundings);
        for id in AGGREGATES {
            if state.has_identity(id) {
                classes.list_aggregate(id)?;
            }
        }
        let cells = Cells::new(&state, &classes, self.selectors.config())?;
        Ok(Made {
            classes,
            state,
            cells,
        })
    }
}

/// Does something to both directions of a subject. Ingress comes first:
/// stand-in proxy ports are counted through both.
fn both<T>(
    subject: &Subject,
    mut f: impl FnMut(&DirectionPolicy, &mut dyn ProxyPorts) -> Result<T, CompileError>,
) -> Result<[T; 2], CompileError> {
    let mut stand_in = StandInProxyPorts::default();
    let mut given = subject.proxy_ports.as_deref().map(Given);
    let proxy_ports: &mut dyn ProxyPorts = match &mut given {
        Some(given) => given,
        None => &mut stand_in,
    };
    let ingress = f(&subject.policy.ingress, proxy_ports)?;
    let egress = f(&subject.policy.egress, proxy_ports)?;
    Ok([ingress, egress])
}

/// What a direction is made of before it gets a place.
struct Made {
    classes: Classes,
    state: MapState,
    cells: Cells,
}

/// Proxy ports that a caller gives.
struct Given<'a>(&'a (dyn Fn(&RedirectKey) -> Option<u16> + Send + Sync));

impl ProxyPorts for Given<'_> {
    fn proxy_port(&mut self, redirect: &RedirectKey) -> Option<u16> {
        (self.0)(redirect)
    }
}

fn address<T>(of: &Arc<T>) -> usize {
    Arc::as_ptr(of) as usize
}

fn own_port(ports: &[(Arc<str>, u8, u16)], name: &Arc<str>, protocol: u8) -> Option<u16> {
    let found = ports.iter().find(|(n, p, _)| n == name && *p == protocol);
    found.map(|(_, _, port)| *port)
}

/// What subjects that share their descriptors have in common; `None` for a
/// subject with proxy ports of its own.
fn shared_key(subject: &Subject) -> Option<SharedKey> {
    subject.proxy_ports.is_none().then(|| {
        let used = used_ports(&subject.policy.ingress, &subject.named_ports);
        (address(&subject.policy), used)
    })
}

/// What a descriptor depends on: the direction, whether it is enforced, whether
/// it drops what nothing allows, whom its wildcard means, its rules, and the
/// subject's ports that they name.
type DirectionKey = ([bool; 4], Vec<usize>, Vec<(Arc<str>, u8, u16)>);

/// What a direction has in common with others of the same table; `None` for one
/// with redirects, whose ports depend on more than itself.
fn direction_key(subject: &Subject, policy: &DirectionPolicy) -> Option<DirectionKey> {
    let filters = policy.tiers.iter().flat_map(|t| &t.filters);
    let mut policies = filters.flat_map(|f| &f.policies);
    // Redirects are one of the reasons to look at precedences.
    if policy.features.precedence && policies.any(|(_, p)| p.parser != Parser::None) {
        return None;
    }
    let what = [
        policy.direction == Direction::Ingress,
        policy.enforced,
        policy.default_deny,
        subject.policy.wildcard_is_world,
    ];
    let rules = policy.rules.iter().map(address).collect();
    Some((what, rules, used_ports(policy, &subject.named_ports)))
}

/// The ports of a subject that its policy names.
fn used_ports(policy: &DirectionPolicy, ports: &[(Arc<str>, u8, u16)]) -> Vec<(Arc<str>, u8, u16)> {
    if ports.is_empty() {
        return Vec::new();
    }
    let filters = policy.tiers.iter().flat_map(|t| &t.filters);
    let mut used: Vec<(Arc<str>, u8, u16)> = filters
        .filter_map(|f| match (&f.key.port, policy.direction) {
            (RulePort::Name(name), Direction::Ingress) => {
                let port = own_port(ports, name, f.key.protocol)?;
                Some((Arc::clone(name), f.key.protocol, port))
            }
            _ => None,
        })
        .collect();
    used.sort();
    used.dedup();
    used
}
