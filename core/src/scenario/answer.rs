//! Scenarios to answers.
//!
//! In: a [`Scenario`]. Out: the [`Answer`] this engine gives, in the same form
//! in which Cilium's own engine answers it.

use super::format::{
    Answer, EndpointAnswer, MapEntry, MapKey, PolicyAnswer, Query, QueryAnswer, Scenario,
    ScenarioEndpoint,
};
use super::world::{Group, PolicyPrefixes, Ports, World};
use crate::config::Config;
use crate::diagnostic::{Diagnostic, Severity};
use crate::explain::{Explanation, Subject};
use crate::identity::NumericIdentity;
use crate::object::Object;
use crate::object::cidr::parse_prefix;
use crate::object::load::{LoadOptions, Outcome, Strictness, load};
use crate::policy_map::{
    Entry, Key, MatchType, Outcome as Decision, PolicyMap, Question, StandInProxyPorts, Verdict,
};
use crate::resolve::{Repository, ResourceId, SubjectPolicy};
use crate::rule::{
    Direction, Rule, Translator, cilium_resource, cluster_policy_resource, network_policy_resource,
};
use crate::source::{Sources, Span};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A document in force.
enum InForce {
    Rules(ResourceId, Vec<Rule>),
    Group(ResourceId, Group),
}

impl InForce {
    fn resource(&self) -> &ResourceId {
        match self {
            Self::Rules(id, _) | Self::Group(id, _) => id,
        }
    }
}

/// A scenario with its identities and resolved policies, ready for questions.
pub struct Prepared<'s> {
    pub(super) scenario: &'s Scenario,
    pub(super) config: Config,
    pub(super) sources: Sources,
    policies: Vec<PolicyAnswer>,
    diagnostics: Vec<Vec<Diagnostic>>,
    pub(super) world: World,
    pub(super) repository: Repository,
    pub(super) resolved: Vec<Resolved>,
    /// The first of each number.
    by_id: BTreeMap<u32, usize>,
}

impl Prepared<'_> {
    /// The policies' texts, for the places of rules.
    #[must_use]
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// What there is to say about each document, in the order of
    /// [`Answer::policies`]. Cilium has no such thing, so it is no part of an
    /// answer.
    #[must_use]
    pub fn diagnostics(&self) -> &[Vec<Diagnostic>] {
        &self.diagnostics
    }

    /// What this engine makes of the scenario.
    #[must_use]
    pub fn answer(&self) -> Answer {
        Answer {
            name: self.scenario.name.clone(),
            note: self.scenario.note.clone(),
            policies: self.policies.clone(),
            identities: self.world.answers.clone(),
            endpoints: self.resolved.iter().map(Resolved::answer).collect(),
            queries: self
                .scenario
                .queries
                .iter()
                .map(|q| self.judge(q))
                .collect(),
            unstable: Vec::new(),
        }
    }

    fn endpoint(&self, id: u32) -> Option<&Resolved> {
        self.resolved.get(*self.by_id.get(&id)?)
    }

    /// Who a query is about.
    ///
    /// # Errors
    /// Why there are none, and the peer's identity.
    pub(super) fn parties(&self, query: &Query) -> Result<Parties<'_>, Nobody> {
        let peer = match query.peer {
            Some(peer) => NumericIdentity(peer),
            None => match crate::object::cidr::parse_addr(&query.peer_ip) {
                Ok(addr) => self.world.identity_of(addr, &self.config),
                Err(_) => return Err(("the peer's address cannot be read", 0)),
            },
        };
        let place = self.by_id.get(&query.endpoint).copied();
        let place = place.ok_or(("no such endpoint", peer.0))?;
        match self.resolved.get(place).map(|r| &r.result) {
            Some(Ok((_, map))) => Ok((place, map, peer)),
            Some(Err(_)) => Err(("endpoint has no policy", peer.0)),
            None => Err(("no such endpoint", peer.0)),
        }
    }

    fn judge(&self, query: &Query) -> QueryAnswer {
        let (_, map, peer) = match self.parties(query) {
            Ok(found) => found,
            Err(nobody) => return error(nobody),
        };
        let question = Question::new(query.direction, peer, query.proto.0, query.port);
        let decision = map.lookup(&question, &self.config);
        answer_of(&decision, map, peer)
    }

    /// Why a query has its verdict; `None` when its endpoint has no policy or
    /// its peer cannot be read.
    #[must_use]
    pub fn explain(&self, query: &Query) -> Option<Explanation> {
        let endpoint = self.endpoint(query.endpoint)?;
        let (policy, map) = endpoint.result.as_ref().ok()?;
        let peer = match query.peer {
            Some(peer) => NumericIdentity(peer),
            None => {
                let addr = crate::object::cidr::parse_addr(&query.peer_ip).ok()?;
                self.world.identity_of(addr, &self.config)
            }
        };
        let named_port = |name: &Arc<str>, proto: u8| match query.direction {
            Direction::Ingress => endpoint.ports.get(&(name.to_string(), proto)).copied(),
            Direction::Egress => self.world.peer_ports.get(peer, name, proto),
        };
        let subject = Subject {
            policy,
            map,
            selectors: self.repository.selectors(),
            labels: self.world.identities.get(endpoint.id)?,
            peer: self.world.identities.get(peer),
            named_port: &named_port,
        };
        let question = Question::new(query.direction, peer, query.proto.0, query.port);
        Some(Explanation::new(&subject, &question, &self.config))
    }
}

impl Scenario {
    /// Answers the scenario.
    #[must_use]
    pub fn answer(&self) -> Answer {
        self.prepare().answer()
    }

    /// Loads and resolves the scenario.
    #[must_use]
    pub fn prepare(&self) -> Prepared<'_> {
        let config = Config::from(&self.config);
        let mut sources = Sources::new();
        let (documents, in_force) = self.load(&config, &mut sources);
        let (policies, diagnostics) = documents.into_iter().unzip();
        let mut groups: Vec<Group> = Vec::new();
        let mut prefixes = Vec::new();
        let mut rules = Vec::new();
        for document in in_force {
            match document {
                InForce::Group(_, group) => groups.push(group),
                InForce::Rules(resource, list) => {
                    prefixes.push(PolicyPrefixes {
                        kubernetes: resource.starts_with("netpol/"),
                        resource: Arc::clone(&resource),
                        prefixes: prefixes_of(&list),
                    });
                    rules.push((resource, list));
                }
            }
        }
        groups.extend(self.cidr_groups.iter().map(|g| {
            Group {
                name: g.name.clone(),
                labels: g.labels.clone().into_iter().collect(),
                prefixes: g
                    .cidrs
                    .iter()
                    .filter_map(|c| parse_prefix(c).ok())
                    .collect(),
            }
        }));
        let world = World::new(self, &config, &prefixes, &groups);
        let mut repository = Repository::new(config.clone(), world.identities.clone());
        for (resource, list) in rules {
            repository.replace(&resource, list);
        }
        let resolved: Vec<Resolved> = self
            .endpoints
            .iter()
            .map(|e| self.resolve(e, &repository, &world))
            .collect();
        let mut by_id = BTreeMap::new();
        for (i, endpoint) in resolved.iter().enumerate() {
            by_id.entry(endpoint.id.0).or_insert(i);
        }
        Prepared {
            scenario: self,
            config,
            sources,
            policies,
            diagnostics,
            world,
            repository,
            resolved,
            by_id,
        }
    }

    /// Loads every document; of those with the same resource the last accepted
    /// one is in force.
    fn load(
        &self,
        config: &Config,
        sources: &mut Sources,
    ) -> (Vec<(PolicyAnswer, Vec<Diagnostic>)>, Vec<InForce>) {
        let mut options = LoadOptions::new(config);
        if self.config.enforce_schema {
            options.strictness = Strictness::Crds;
        }
        let translator = Translator::new(config);
        let mut answers = Vec::new();
        let mut in_force: Vec<Option<InForce>> = Vec::new();
        let mut latest: BTreeMap<ResourceId, usize> = BTreeMap::new();
        for text in &self.policies {
            let source = sources.add("policy", text.as_str());
            let loaded = load(source, text, &options);
            let told = Told::new(&loaded.diagnostics);
            for report in &loaded.documents {
                let said = told.inside(report.span);
                let mut answer = PolicyAnswer {
                    index: answers.len(),
                    kind: report.kind.clone(),
                    namespace: report.namespace.clone(),
                    name: report.name.clone(),
                    schema: report.schema_text(),
                    ..PolicyAnswer::default()
                };
                match &report.outcome {
                    Outcome::Accepted(object) => match in_force_of(object, &translator) {
                        Some(document) => {
                            answer.accepted = true;
                            let named = match &document {
                                InForce::Rules(_, rules) => {
                                    answer.entries = rules.len();
                                    prefixes_of(rules)
                                }
                                InForce::Group(_, g) => g.prefixes.iter().copied().collect(),
                            };
                            answer.prefixes = named.iter().map(IpNet::to_string).collect();
                            answer.prefixes.sort();
                            let resource = Arc::clone(document.resource());
                            if let Some(earlier) = latest.insert(resource, in_force.len())
                                && let Some(earlier) = in_force.get_mut(earlier)
                            {
                                *earlier = None;
                            }
                            in_force.push(Some(document));
                        }
                        None => "decode".clone_into(&mut answer.stage),
                    },
                    Outcome::Refused(stage) => {
                        stage.as_str().clone_into(&mut answer.stage);
                        answer.error = said
                            .iter()
                            .find(|d| d.severity == Severity::Error)
                            .map(|d| d.message.clone())
                            .unwrap_or_default();
                    }
                    Outcome::Skipped(_) => "decode".clone_into(&mut answer.stage),
                }
                answers.push((answer, said));
            }
        }
        (answers, in_force.into_iter().flatten().collect())
    }

    fn resolve(
        &self,
        endpoint: &ScenarioEndpoint,
        repository: &Repository,
        world: &World,
    ) -> Resolved {
        let id = NumericIdentity(endpoint.id);
        let result = match world.identities.get(id) {
            None => Err(format!("no identity {id}")),
            Some(labels) => repository.resolve(id, labels).map_err(|e| e.to_string()),
        };
        let ports = world.subject_ports(endpoint);
        let result = result.map(|policy| {
            let subject_port =
                |name: &Arc<str>, proto| ports.get(&(name.to_string(), proto)).copied();
            let map = PolicyMap::new(
                &policy,
                repository.selectors(),
                &subject_port,
                &world.peer_ports,
                &mut StandInProxyPorts::default(),
            );
            (Arc::new(policy), map)
        });
        Resolved { id, ports, result }
    }
}

/// What was told of a text, by where it begins.
struct Told<'d>(BTreeMap<u32, Vec<(usize, &'d Diagnostic)>>);

impl<'d> Told<'d> {
    fn new(diagnostics: &'d [Diagnostic]) -> Self {
        let mut by_place: BTreeMap<u32, Vec<_>> = BTreeMap::new();
        for numbered in diagnostics.iter().enumerate() {
            by_place
                .entry(numbered.1.span.start)
                .or_default()
                .push(numbered);
        }
        Self(by_place)
    }

    /// The diagnostics within a document, in the order told.
    fn inside(&self, document: Span) -> Vec<Diagnostic> {
        let places = self
            .0
            .range(document.start..=document.end.max(document.start));
        let mut inside: Vec<_> = places.flat_map(|(_, here)| here).collect();
        inside.sort_by_key(|(number, _)| *number);
        inside.into_iter().map(|(_, d)| (*d).clone()).collect()
    }
}

fn in_force_of(object: &Object, translator: &Translator<'_>) -> Option<InForce> {
    Some(match object {
        Object::CiliumPolicy(p) => InForce::Rules(cilium_resource(p), translator.cilium_policy(p)),
        Object::NetworkPolicy(p) => {
            InForce::Rules(network_policy_resource(p), translator.network_policy(p))
        }
        Object::ClusterNetworkPolicy(p) => InForce::Rules(
            cluster_policy_resource(p),
            translator.cluster_network_policy(p),
        ),
        Object::CidrGroup(g) => {
            let name = g.meta.name.value.clone();
            InForce::Group(
                crate::rule::resource_id("cidrgroup", "", &name),
                Group {
                    labels: g
                        .meta
                        .labels
                        .iter()
                        .map(|(k, v)| (k.value.clone(), v.value.clone()))
                        .collect(),
                    prefixes: g
                        .external_cidrs
                        .iter()
                        .filter_map(|c| parse_prefix(c).ok())
                        .collect(),
                    name,
                },
            )
        }
        _ => return None,
    })
}

/// The prefixes rules name, exceptions included. A /0 is the world, not a
/// prefix.
fn prefixes_of(rules: &[Rule]) -> BTreeSet<IpNet> {
    rules
        .iter()
        .flat_map(|r| r.peers.iter().flatten())
        .flat_map(|s| s.prefixes())
        .copied()
        .collect()
}

pub(super) struct Resolved {
    pub(super) id: NumericIdentity,
    pub(super) ports: Arc<Ports>,
    pub(super) result: Result<(Arc<SubjectPolicy>, PolicyMap), String>,
}

impl Resolved {
    fn answer(&self) -> EndpointAnswer {
        let mut answer = EndpointAnswer {
            id: self.id.0,
            ..EndpointAnswer::default()
        };
        match &self.result {
            Err(error) => answer.error.clone_from(error),
            Ok((policy, map)) => {
                answer.ingress_enabled = policy.ingress.enforced;
                answer.egress_enabled = policy.egress.enforced;
                answer.map = map_entries(policy, map);
            }
        }
        answer
    }
}

/// The entries of a policy map as answers have them.
///
/// ```
/// use netverdict::{cluster::Cluster, scenario::map_entries};
///
/// let cluster = Cluster::read(include_str!("../../examples/shop.yaml"))?;
/// let policy = cluster.policy(&*cluster.find_endpoint("shop/db")?).expect("nothing contradicts");
/// let entries = map_entries(&policy.subject, &policy.map);
/// assert!(entries.iter().any(|e| e.key.port == 5432));
/// # Ok::<(), Box<netverdict::diagnostic::Diagnostic>>(())
/// ```
#[must_use]
pub fn map_entries(policy: &SubjectPolicy, map: &PolicyMap) -> Vec<MapEntry> {
    let entry_of = |(key, entry): (Key, &Entry)| {
        let direction = policy.direction(key.direction);
        let rules = direction.rules_of(&entry.origin);
        let mut rules: Vec<String> = rules.map(|r| r.origin.id()).collect();
        rules.sort();
        rules.dedup();
        let redirect = map.direction(key.direction).redirect_of(entry);
        MapEntry {
            key: map_key(&key),
            deny: entry.is_deny(),
            precedence: entry.precedence.0,
            priority: entry.precedence.priority(),
            listener_priority: entry.precedence.listener_priority(),
            proxy_port: entry.proxy_port,
            parser: redirect.map_or("", |r| r.parser.as_str()).to_owned(),
            listener: redirect.map_or("", |r| &*r.listener).to_owned(),
            auth: entry.auth_type(),
            auth_explicit: entry.auth_explicit(),
            cookie: 0,
            invalid: entry.invalid,
            rules,
        }
    };
    map.entries().into_iter().map(entry_of).collect()
}

pub(super) fn map_key(key: &Key) -> MapKey {
    let [prefix, ..] = crate::policy_map::key_to_bytes(key);
    MapKey {
        direction: key.direction,
        id: key.identity.0,
        proto: key.l4.protocol,
        port: key.l4.port,
        port_prefix_len: key.l4.port_prefix,
        bpf_prefix_len: prefix,
    }
}

/// The place of an endpoint among those resolved, its map, and the identity of
/// the peer.
pub(super) type Parties<'r> = (usize, &'r PolicyMap, NumericIdentity);

/// Why a query has no parties, and the identity of its peer.
pub(super) type Nobody = (&'static str, u32);

pub(super) fn error((reason, peer): Nobody) -> QueryAnswer {
    QueryAnswer {
        verdict: "error".to_owned(),
        reason: reason.to_owned(),
        peer,
        ..QueryAnswer::default()
    }
}

fn answer_of(decision: &Decision<'_>, map: &PolicyMap, peer: NumericIdentity) -> QueryAnswer {
    let (verdict, reason) = match decision.verdict {
        Verdict::Allow => ("allowed", ""),
        Verdict::Redirect => ("redirect", ""),
        Verdict::AuthRequired => ("auth", ""),
        Verdict::Deny => ("denied", "deny"),
        Verdict::DefaultDeny => ("denied", "no-match"),
    };
    let redirect = decision
        .entry
        .and_then(|(key, entry)| map.direction(key.direction).redirect_of(entry));
    QueryAnswer {
        verdict: verdict.to_owned(),
        reason: reason.to_owned(),
        peer: peer.0,
        match_type: match decision.match_type {
            MatchType::All => "All".to_owned(),
            other => other.as_str().to_owned(),
        },
        key: decision.entry.map(|(key, _)| map_key(&key)),
        parser: redirect.map_or("", |r| r.parser.as_str()).to_owned(),
        listener: redirect.map_or("", |r| &*r.listener).to_owned(),
        proxy_port: decision.proxy_port,
        auth: decision.auth_type,
    }
}
