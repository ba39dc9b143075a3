//! What policies say of peers, by classes of either.
//!
//! In: subjects, and the identities that ask. Out: [`Columns`]: for each
//! direction of a subject's policy and each identity the [`Side`] that holds.
//! Subjects that the same rules select and that name their ports alike are one
//! class; identities with the same entries are one column. A column asks the
//! policy map once for every row of ports that its entries tell apart, so the
//! answers are the map's own and none is missed.

use crate::connection::{Proxy, Side, Treatment};
use crate::ports::{Cuts, PortMap};
use ahash::{AHashMap, AHashSet};
use netverdict::cluster::{Cluster, Endpoint, ResolvedPolicy};
use netverdict::config::Config;
use netverdict::identity::{AGGREGATES, NumericIdentity, PodPorts};
use netverdict::policy_map::{L4Key, NamedPorts, PolicyMap, Question, StandInProxyPorts};
use netverdict::resolve::{Applying, Parser, ResolveError, SubjectPolicy};
use netverdict::rule::Direction;
use netverdict::selector::{Selector, SelectorId};
use roaring::RoaringBitmap;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The number of a [`Side`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SideId(pub u32);

/// What subjects must have in common to be treated alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ClassKey {
    Host,
    /// Its identity depends on a variable.
    Templated(String),
    Rules {
        applying: Applying,
        ports: PodPorts,
        names_ports: bool,
        /// Only what is not complete looks at more than rules.
        own: Option<(NumericIdentity, String)>,
    },
}

impl ClassKey {
    /// The rules, where nothing but these and ports decides.
    fn settled(&self) -> Option<&Applying> {
        match self {
            Self::Rules {
                applying,
                own: None,
                ..
            } => Some(applying),
            _ => None,
        }
    }
}

/// Subjects that are treated alike.
pub(crate) struct SubjectClass {
    pub(crate) key: ClassKey,
    /// One of them; `None` for the host.
    subject: Option<Arc<Endpoint>>,
}

impl SubjectClass {
    pub(crate) fn new(cluster: &Cluster, subject: Option<&Arc<Endpoint>>) -> Self {
        let key = match subject {
            None => ClassKey::Host,
            Some(e) => match &e.templated {
                Some(variable) => {
                    let why = format!(
                        "the identity of `{e}` depends on `{variable}`, which is not filled in"
                    );
                    ClassKey::Templated(why)
                }
                None => ClassKey::Rules {
                    applying: cluster.repository().applying(e.identity, &e.labels),
                    ports: e.named_ports.clone(),
                    names_ports: e.names_ports,
                    own: cluster
                        .has_open_input()
                        .then(|| (e.identity, e.namespace.clone())),
                },
            },
        };
        Self {
            key,
            subject: subject.cloned(),
        }
    }
}

/// The sides of one direction of a class, by identity.
pub(crate) struct Columns {
    enforced: bool,
    own: AHashMap<NumericIdentity, SideId>,
    /// Identities without a side of their own have that of their aggregate.
    of_aggregate: AHashMap<NumericIdentity, SideId>,
    /// For all, when there is no policy.
    constant: SideId,
    unknown: SideId,
    /// They follow from rules and what their selectors select, and proxies
    /// tell nobody apart whom the wildcard selects.
    settled: bool,
}

impl Columns {
    /// What holds for an identity.
    pub(crate) fn of(&self, identity: NumericIdentity, config: &Config) -> SideId {
        if let Some(side) = self.own.get(&identity) {
            return *side;
        }
        if self.of_aggregate.is_empty() {
            return self.constant;
        }
        let aggregate = identity.aggregate(config);
        self.of_aggregate
            .get(&aggregate)
            .copied()
            .unwrap_or(self.constant)
    }

    /// What holds for a peer of whom nobody knows the identity.
    pub(crate) fn templated(&self, _: NumericIdentity) -> SideId {
        if self.enforced {
            self.unknown
        } else {
            self.constant
        }
    }
}

/// What the rules' selectors select, but for the wildcard: its entries are for
/// everybody.
fn selected(cluster: &Cluster, applying: &Applying) -> Vec<(Arc<Selector>, RoaringBitmap)> {
    let index = cluster.repository().selectors();
    let mut known = AHashSet::new();
    let peers = applying.rules().flat_map(|r| r.peers.iter().flatten());
    let peers = peers.filter(|s| !s.is_wildcard() && known.insert(s.key().to_owned()));
    peers
        .map(|selector| {
            let selections = index.find(selector).and_then(|id| index.selections(id));
            (
                Arc::clone(selector),
                selections.cloned().unwrap_or_default(),
            )
        })
        .collect()
}

/// Columns, and what they follow from beside their class.
struct Remembered {
    columns: Arc<[Columns; 2]>,
    selected: Vec<(Arc<Selector>, RoaringBitmap)>,
    identities: Arc<BTreeSet<NumericIdentity>>,
}

impl Remembered {
    /// True when the same would come out again: the selectors select whom they
    /// selected, and nobody new.
    fn holds(&self, cluster: &Cluster, identities: &Arc<BTreeSet<NumericIdentity>>) -> bool {
        let index = cluster.repository().selectors();
        let nobody = RoaringBitmap::new();
        let same = self.selected.iter().all(|(selector, before)| {
            let now = index.find(selector).and_then(|id| index.selections(id));
            now.unwrap_or(&nobody) == before
        });
        let selected = |id: &NumericIdentity| {
            let mut all = self.selected.iter();
            all.any(|(_, selected)| selected.contains(id.0))
        };
        same && (Arc::ptr_eq(&self.identities, identities)
            || !identities.difference(&self.identities).any(selected))
    }
}

/// What is kept between one look at a cluster and the next.
#[derive(Default)]
pub(crate) struct Memory {
    numbers: AHashMap<Arc<Side>, SideId>,
    sides: Vec<Arc<Side>>,
    passes: Vec<bool>,
    classes: AHashMap<ClassKey, Remembered>,
    named_ports: Option<NamedPorts>,
}

impl Memory {
    pub(crate) fn sides(&self) -> &[Arc<Side>] {
        &self.sides
    }

    pub(crate) fn side(&self, id: SideId) -> Option<&Arc<Side>> {
        self.sides.get(id.0 as usize)
    }

    /// How many sides there are, with those that nothing has any more.
    pub(crate) fn len(&self) -> usize {
        self.sides.len()
    }

    /// False when a side surely lets nothing through.
    pub(crate) fn passes(&self, id: SideId) -> bool {
        self.passes.get(id.0 as usize).copied().unwrap_or(true)
    }

    fn number(&mut self, side: Side) -> SideId {
        let side = Arc::new(side);
        if let Some(known) = self.numbers.get(&side) {
            return *known;
        }
        let number = SideId(u32::try_from(self.sides.len()).unwrap_or(u32::MAX));
        self.passes.push(side.passes());
        self.sides.push(Arc::clone(&side));
        self.numbers.insert(side, number);
        number
    }
}

/// Resolved policies by the rules that apply.
type Resolved = AHashMap<Applying, Result<Arc<SubjectPolicy>, ResolveError>>;

/// Computes columns, and keeps each distinct side once.
pub(crate) struct Compiler<'c> {
    cluster: &'c Cluster,
    identities: Arc<BTreeSet<NumericIdentity>>,
    policies: Resolved,
    memory: Memory,
    /// What was looked at this time.
    classes: AHashMap<ClassKey, Remembered>,
}

impl<'c> Compiler<'c> {
    pub(crate) fn new(
        cluster: &'c Cluster,
        identities: BTreeSet<NumericIdentity>,
        mut memory: Memory,
    ) -> Self {
        let old = memory.classes.values().next().map(|r| &r.identities);
        let same = old.filter(|old| ***old == identities).cloned();
        if memory.named_ports.as_ref() != Some(cluster.named_ports()) {
            memory.classes.clear();
            memory.named_ports = Some(cluster.named_ports().clone());
        }
        Self {
            cluster,
            identities: same.unwrap_or_else(|| Arc::new(identities)),
            policies: AHashMap::new(),
            memory,
            classes: AHashMap::new(),
        }
    }

    /// What is worth knowing the next time: no class that is there no more.
    pub(crate) fn into_memory(self) -> Memory {
        Memory {
            classes: self.classes,
            ..self.memory
        }
    }

    fn number(&mut self, side: Side) -> SideId {
        self.memory.number(side)
    }

    /// The columns of ingress and egress, as they were if nothing that they
    /// follow from has changed.
    pub(crate) fn columns(&mut self, class: &SubjectClass) -> Arc<[Columns; 2]> {
        let Some(applying) = class.key.settled() else {
            return Arc::new(self.compile(class).0);
        };
        if let Some(known) = self.memory.classes.remove(&class.key)
            && known.holds(self.cluster, &self.identities)
        {
            let columns = Arc::clone(&known.columns);
            let identities = Arc::clone(&self.identities);
            let known = Remembered {
                identities,
                ..known
            };
            self.classes.insert(class.key.clone(), known);
            return columns;
        }
        let (columns, settled) = self.compile(class);
        let columns = Arc::new(columns);
        if settled {
            let remembered = Remembered {
                columns: Arc::clone(&columns),
                selected: selected(self.cluster, applying),
                identities: Arc::clone(&self.identities),
            };
            self.classes.insert(class.key.clone(), remembered);
        }
        columns
    }

    fn constant(&mut self, treatment: Treatment, enforced: bool) -> SideId {
        self.number(Side {
            enforced,
            ports: PortMap::same(treatment),
        })
    }

    /// Columns, and whether they follow from rules and selectors alone.
    fn compile(&mut self, class: &SubjectClass) -> ([Columns; 2], bool) {
        match self.policy(class) {
            Ok(policy) => {
                let columns = Direction::BOTH.map(|d| self.direction(class, &policy, d));
                let settled = columns.iter().all(|c| c.settled);
                (columns, settled)
            }
            Err(why) => {
                let unknown = Treatment::Unknown {
                    why: Arc::from([why]),
                };
                let constant = self.constant(unknown, true);
                let columns = [(); 2].map(|()| Columns {
                    enforced: true,
                    own: AHashMap::new(),
                    of_aggregate: AHashMap::new(),
                    constant,
                    unknown: constant,
                    settled: false,
                });
                (columns, false)
            }
        }
    }

    fn policy(&mut self, class: &SubjectClass) -> Result<Arc<ResolvedPolicy>, String> {
        let failed = |name: &str, error: &ResolveError| {
            format!("`{name}` has no policy of these rules, Cilium keeps the one before: {error}")
        };
        let (subject, applying, ports) = match (&class.key, &class.subject) {
            (ClassKey::Templated(why), _) => return Err(why.clone()),
            (
                ClassKey::Rules {
                    applying, ports, ..
                },
                Some(e),
            ) => (e, applying, ports),
            _ => return self.cluster.host_policy().map_err(|e| failed("host", &e)),
        };
        let repository = self.cluster.repository();
        let resolved = self.policies.entry(applying.clone()).or_insert_with(|| {
            let resolved = repository.resolve_applying(subject.identity, applying.clone());
            resolved.map(Arc::new)
        });
        let resolved = resolved
            .as_ref()
            .map_err(|e| failed(&subject.to_string(), e))?;
        let own_port = |name: &Arc<str>, protocol: u8| {
            let (own, port) = ports.get(name)?;
            (*own == protocol).then_some(*port)
        };
        let map = PolicyMap::new(
            resolved,
            repository.selectors(),
            &own_port,
            self.cluster.named_ports(),
            &mut StandInProxyPorts::default(),
        );
        Ok(Arc::new(ResolvedPolicy {
            subject: SubjectPolicy::clone(resolved),
            map,
        }))
    }

    fn direction(
        &mut self,
        class: &SubjectClass,
        policy: &ResolvedPolicy,
        direction: Direction,
    ) -> Columns {
        let cluster = self.cluster;
        let config = cluster.config();
        let enforced = policy.subject.direction(direction).enforced;
        let unknown = Treatment::Unknown {
            why: Arc::from(["the identity of the other side is not known".to_owned()]),
        };
        let unknown = self.constant(unknown, true);
        let asking = Asking {
            cluster,
            policy,
            direction,
            subject: class.subject.as_deref().filter(|e| !e.host_network),
            unsettled: cluster.may_be_unsettled(
                class.subject.as_deref().filter(|e| !e.host_network),
                &policy.subject,
                direction,
            ),
            redirecting: redirecting(policy, direction),
        };
        let mut entries: AHashMap<NumericIdentity, Vec<EntryKey>> = AHashMap::new();
        for (identity, l4, entry) in policy.map.direction(direction).iter() {
            if !entry.invalid {
                let key = (l4, entry.precedence.0, entry.proxy_port, entry.auth);
                entries.entry(identity).or_default().push(key);
            }
        }
        let mut known: AHashMap<ColumnKey, SideId> = AHashMap::new();
        let mut of_aggregate = AHashMap::new();
        let mut own = AHashMap::new();
        // The aggregates' own columns first: most identities have no other.
        let plain = |a: NumericIdentity| representative(a, config);
        for aggregate in AGGREGATES {
            let key = asking.column(&entries, plain(aggregate), aggregate, config);
            let side = *known
                .entry(key)
                .or_insert_with(|| self.number(asking.side(&entries, plain(aggregate), config)));
            of_aggregate.insert(aggregate, side);
        }
        // Where entries alone tell identities apart, those without any of their
        // own are as their aggregate says.
        let by_entries = !asking.unsettled && asking.redirecting.is_empty();
        let apart: BTreeSet<NumericIdentity> = match by_entries {
            true => entries.keys().copied().collect(),
            false => BTreeSet::new(),
        };
        let identities = Arc::clone(&self.identities);
        let apart = if by_entries { &apart } else { &*identities };
        for identity in apart.iter().filter(|id| identities.contains(id)) {
            let aggregate = identity.aggregate(config);
            let key = asking.column(&entries, *identity, aggregate, config);
            let side = match known.get(&key) {
                Some(side) => *side,
                None => {
                    let side = self.number(asking.side(&entries, *identity, config));
                    known.insert(key, side);
                    side
                }
            };
            if of_aggregate.get(&aggregate) != Some(&side) {
                own.insert(*identity, side);
            }
        }
        let constant = of_aggregate
            .get(&NumericIdentity::UNKNOWN)
            .copied()
            .unwrap_or(unknown);
        let wildcard = |s: &SelectorId| {
            let selectors = cluster.repository().selectors();
            selectors.selector(*s).is_none_or(|s| s.is_wildcard())
        };
        Columns {
            enforced,
            own,
            of_aggregate,
            constant,
            unknown,
            settled: !asking.unsettled && !asking.redirecting.iter().any(wildcard),
        }
    }
}

/// An identity without entries of its own whose aggregate this is. Numbers
/// near the end of a scope are given last.
fn representative(aggregate: NumericIdentity, config: &Config) -> NumericIdentity {
    let all = [
        0x00ff_fffe,
        0x01ff_fffe,
        0x02ff_fffe,
        99,
        config.cluster_id << 16 | 0xfffe,
    ];
    let found = all.into_iter().map(NumericIdentity);
    found
        .into_iter()
        .find(|id| id.aggregate(config) == aggregate && !id.is_aggregate())
        .unwrap_or(aggregate)
}

type EntryKey = (L4Key, u32, u16, u8);

/// What identities must have in common to be one column.
#[derive(PartialEq, Eq, Hash)]
struct ColumnKey {
    own: Vec<EntryKey>,
    aggregate: NumericIdentity,
    /// Which selectors of redirects select it: proxies tell peers apart.
    redirects: Vec<bool>,
    /// Where the input is not complete, each identity is one of its own.
    identity: Option<NumericIdentity>,
}

/// Selectors of filters with a proxy.
fn redirecting(policy: &ResolvedPolicy, direction: Direction) -> Vec<SelectorId> {
    let tiers = policy.subject.direction(direction).tiers.iter();
    let filters = tiers.flat_map(|t| &t.filters).filter(|f| {
        let redirects = f.policies.iter().any(|(_, p)| p.parser != Parser::None);
        redirects && !(f.policies.len() == 1 && f.wildcard == Some(0))
    });
    let selectors: BTreeSet<SelectorId> = filters
        .flat_map(|f| f.policies.iter().map(|(s, _)| *s))
        .collect();
    selectors.into_iter().collect()
}

struct Asking<'a> {
    cluster: &'a Cluster,
    policy: &'a ResolvedPolicy,
    direction: Direction,
    subject: Option<&'a Endpoint>,
    unsettled: bool,
    redirecting: Vec<SelectorId>,
}

type Entries = AHashMap<NumericIdentity, Vec<EntryKey>>;

impl Asking<'_> {
    fn column(
        &self,
        entries: &Entries,
        identity: NumericIdentity,
        aggregate: NumericIdentity,
        _: &Config,
    ) -> ColumnKey {
        let selectors = self.cluster.repository().selectors();
        let selected = |s: &SelectorId| {
            let selected = selectors.selections(*s);
            selected.is_some_and(|all| all.contains(identity.0))
        };
        ColumnKey {
            own: entries.get(&identity).cloned().unwrap_or_default(),
            aggregate,
            redirects: self.redirecting.iter().map(selected).collect(),
            identity: self.unsettled.then_some(identity),
        }
    }

    fn side(&self, entries: &Entries, identity: NumericIdentity, config: &Config) -> Side {
        let mut cuts = Cuts::new();
        let aggregate = identity.aggregate(config);
        for id in [identity, aggregate, NumericIdentity::UNKNOWN] {
            for (l4, ..) in entries.get(&id).into_iter().flatten() {
                if l4.protocol != 0 {
                    let starts = cuts.entry(l4.protocol).or_default();
                    starts.insert(l4.port);
                    starts.extend(l4.last_port().checked_add(1));
                }
            }
        }
        if self.unsettled {
            for (protocol, first, last) in self.cluster.unsettled_ports() {
                let starts = cuts.entry(protocol).or_default();
                starts.insert(first);
                starts.extend(last.checked_add(1));
            }
        }
        Side {
            enforced: self.policy.subject.direction(self.direction).enforced,
            ports: PortMap::ask(&cuts, |protocol, port| {
                let question = Question::new(self.direction, identity, protocol, port);
                self.treatment(&question, config)
            }),
        }
    }

    fn treatment(&self, question: &Question, config: &Config) -> Treatment {
        let outcome = self.policy.map.lookup(question, config);
        if self.unsettled {
            let policy = &self.policy.subject;
            let why = self
                .cluster
                .unsettled(self.subject, policy, question, outcome.verdict);
            if !why.is_empty() {
                return Treatment::Unknown { why: why.into() };
            }
        }
        let redirected = outcome.entry.filter(|_| outcome.proxy_port != 0);
        let proxy = redirected.and_then(|(key, entry)| {
            let redirect = self
                .policy
                .map
                .direction(self.direction)
                .redirect_of(entry)?;
            let selectors = self.cluster.repository().selectors();
            let rules = self
                .policy
                .proxy_rules(&key, entry, question.peer, selectors);
            Some(Arc::new(Proxy {
                parser: redirect.parser,
                listener: Arc::clone(&redirect.listener),
                rules: rules.unwrap_or_default(),
            }))
        });
        Treatment::Settled {
            verdict: outcome.verdict,
            proxy,
            auth: outcome.auth_type,
        }
    }
}
