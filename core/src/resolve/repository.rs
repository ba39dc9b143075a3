//! All rules, by object and namespace, over the identities known.

use super::applying::{Applying, NamespaceRules};
use super::merge::{FilterBuilder, NumberedRule, features};
use super::priority::{LOWEST_PRIORITY, TierPriorities};
use super::{DirectionPolicy, Features, ResolveError, SubjectPolicy, TierPolicy};
use crate::config::{Config, Enforcement};
use crate::identity::{IdentityTable, NumericIdentity};
use crate::label::LabelSet;
use crate::rule::{Direction, Rule, RuleOrigin, RuleVerdict, Tier};
use crate::selector::{Selector, SelectorId, SelectorIndex, SelectorKind};
use crate::source::Span;
use ahash::AHashMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What an object is known by among rules: Cilium's short kind, namespace and
/// name (`cnp/default/web`).
pub type ResourceId = Arc<str>;

/// Rules and identities, from which policies of subjects are resolved.
#[derive(Debug)]
pub struct Repository {
    index: SelectorIndex,
    by_resource: BTreeMap<ResourceId, Vec<Arc<Rule>>>,
    by_namespace: AHashMap<Arc<str>, NamespaceRules>,
    /// The revision in which a namespace lost its last rule.
    emptied: u64,
    /// By address of a rule: its peers.
    peers_of: AHashMap<usize, Arc<[SelectorId]>>,
    wildcard: (Arc<Selector>, SelectorId),
    host: Arc<Selector>,
    synthesized: Synthesized,
    /// Peers of all rules together: no fewer than distinct selectors in use.
    peers: usize,
    revision: u64,
}

/// So many selectors that no rule names any more are kept in any case.
const SPARE_SELECTORS: usize = 64;

impl Repository {
    /// A repository without rules.
    #[must_use]
    pub fn new(config: Config, identities: IdentityTable) -> Self {
        let mut index = SelectorIndex::new(config, identities);
        let wildcard = Arc::new(Selector::wildcard(Span::default()));
        let host = Arc::new(Selector::reserved("host", Span::default()));
        let wildcard_id = index.add_selector(&wildcard);
        index.add_selector(&host);
        Self {
            index,
            by_resource: BTreeMap::new(),
            by_namespace: AHashMap::new(),
            emptied: 0,
            peers_of: AHashMap::new(),
            synthesized: Synthesized::new(&wildcard, &host),
            wildcard: (wildcard, wildcard_id),
            host,
            peers: 0,
            revision: 1,
        }
    }

    /// The configuration in force.
    #[must_use]
    pub fn config(&self) -> &Config {
        self.index.config()
    }

    /// The peer selectors with what they select.
    #[must_use]
    pub fn selectors(&self) -> &SelectorIndex {
        &self.index
    }

    /// Grows with every change.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The revisions in which the rules that may select a subject changed last:
    /// while they stay, the same rules do.
    pub(crate) fn rules_since(&self, labels: &LabelSet) -> [u64; 2] {
        ["", labels.namespace().unwrap_or("")].map(|namespace| {
            let rules = self.by_namespace.get(namespace);
            rules.map_or(self.emptied, |r| r.changed)
        })
    }

    /// Every rule, by object.
    pub fn rules(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.by_resource.values().flatten()
    }

    /// The rules of every object.
    pub(crate) fn resources(&self) -> impl Iterator<Item = (&ResourceId, &[Arc<Rule>])> {
        let all = self.by_resource.iter();
        all.map(|(resource, rules)| (resource, rules.as_slice()))
    }

    /// The rules of one object.
    #[must_use]
    pub fn rules_of(&self, resource: &ResourceId) -> &[Arc<Rule>] {
        let rules = self.by_resource.get(resource);
        rules.map_or(&[], Vec::as_slice)
    }

    /// Adds an identity or changes its labels; returns the selectors affected,
    /// of those whose identities somebody asked for.
    pub fn add_identity(&mut self, id: NumericIdentity, labels: LabelSet) -> Vec<SelectorId> {
        self.revision += 1;
        self.index.add_identity(id, labels)
    }

    /// Removes an identity; returns the selectors that lost it.
    pub fn remove_identity(&mut self, id: NumericIdentity) -> Vec<SelectorId> {
        self.revision += 1;
        self.index.remove_identity(id)
    }

    /// Puts an object's rules in place of those it had.
    pub fn replace(&mut self, resource: &ResourceId, rules: Vec<Rule>) {
        self.take_out(resource);
        let rules: Vec<Arc<Rule>> = rules.into_iter().map(Arc::new).collect();
        for rule in &rules {
            let peers = rule.peers.iter().flatten();
            let peers: Arc<[SelectorId]> = peers.map(|p| self.index.add_selector(p)).collect();
            self.peers += peers.len();
            self.peers_of.insert(Arc::as_ptr(rule) as usize, peers);
            let namespace = match self.by_namespace.get_mut(&rule.namespace) {
                Some(known) => known,
                None => {
                    let name = Arc::clone(&rule.namespace);
                    self.by_namespace.entry(name).or_default()
                }
            };
            namespace.insert(resource, rule);
            namespace.changed = self.revision;
        }
        if !rules.is_empty() {
            self.by_resource.insert(Arc::clone(resource), rules);
        }
        self.forget_selectors();
    }

    /// Removes an object's rules; true if it had any.
    pub fn remove(&mut self, resource: &ResourceId) -> bool {
        let known = self.take_out(resource);
        self.forget_selectors();
        known
    }

    /// Forgets the selectors that no rule names once most are in use no more.
    /// That takes as many changes as there are selectors, so each pays a
    /// constant share.
    fn forget_selectors(&mut self) {
        if self.index.len() <= 2 * self.peers + SPARE_SELECTORS {
            return;
        }
        let peers = self.by_resource.values().flatten();
        let peers = peers.flat_map(|r| r.peers.iter().flatten());
        let own = [&self.wildcard.0, &self.host];
        self.index.keep_only(own.into_iter().chain(peers));
    }

    fn take_out(&mut self, resource: &ResourceId) -> bool {
        self.revision += 1;
        let Some(old) = self.by_resource.remove(resource) else {
            return false;
        };
        for rule in old {
            self.peers -= rule.peers.as_ref().map_or(0, Vec::len);
            self.peers_of.remove(&(Arc::as_ptr(&rule) as usize));
            if let Some(rules) = self.by_namespace.get_mut(&rule.namespace) {
                rules.remove(resource, &rule);
                rules.changed = self.revision;
                if rules.is_empty() {
                    self.by_namespace.remove(&rule.namespace);
                    self.emptied = self.revision;
                }
            }
        }
        true
    }

    /// The rules that select a subject, by direction, in evaluation order,
    /// without those Cilium adds.
    #[must_use]
    pub fn rules_for(&self, subject: NumericIdentity, labels: &LabelSet) -> [Vec<Arc<Rule>>; 2] {
        let config = self.config();
        let mut found = [Vec::new(), Vec::new()];
        let is_host = subject == NumericIdentity::HOST;
        let namespaces = [Some(""), labels.namespace()];
        for namespace in namespaces.into_iter().flatten() {
            if let Some(rules) = self.by_namespace.get(namespace) {
                rules.collect(labels, is_host, config, &mut found);
            }
        }
        for rules in &mut found {
            rules.sort_unstable_by(|a, b| a.evaluation_order(b));
        }
        found
    }

    /// The policy of a subject. `labels` are its own; they need not be those
    /// of a known identity.
    ///
    /// # Errors
    /// When rules contradict each other; Cilium then computes no policy either.
    pub fn resolve(
        &self,
        subject: NumericIdentity,
        labels: &LabelSet,
    ) -> Result<SubjectPolicy, ResolveError> {
        let applying = self.applying(subject, labels);
        self.resolve_applying(subject, applying)
    }

    /// What the policy of a subject is made of. Subjects of equal [`Applying`]
    /// have equal policies.
    #[must_use]
    pub fn applying(&self, subject: NumericIdentity, labels: &LabelSet) -> Applying {
        let config = self.config();
        let is_host = subject == NumericIdentity::HOST;
        let off = (is_host && !config.host_firewall) || config.enforcement == Enforcement::Never;
        let rules = if off {
            [Vec::new(), Vec::new()]
        } else {
            self.rules_for(subject, labels)
        };
        Applying {
            off,
            // The key alone decides, whatever its source: a pod label `init`
            // does.
            always: config.enforcement == Enforcement::Always || labels.get("init").is_some(),
            is_host,
            namespace: labels.namespace().unwrap_or("").into(),
            rules,
        }
    }

    /// The policy that [`Self::applying`] rules make.
    ///
    /// # Errors
    /// When rules contradict each other; Cilium then computes no policy either.
    pub fn resolve_applying(
        &self,
        subject: NumericIdentity,
        applying: Applying,
    ) -> Result<SubjectPolicy, ResolveError> {
        let Applying {
            off,
            always,
            is_host,
            namespace,
            rules: [ingress, egress],
        } = applying;
        if off {
            return Ok(SubjectPolicy {
                subject,
                ingress: self.unenforced(Direction::Ingress),
                egress: self.unenforced(Direction::Egress),
                wildcard_is_world: false,
            });
        }
        let resolve = |direction, rules| {
            self.resolve_direction(direction, rules, always, is_host, &namespace)
        };
        let ingress = resolve(Direction::Ingress, ingress)?;
        let egress = resolve(Direction::Egress, egress)?;
        let wildcard_is_world = [&ingress, &egress]
            .into_iter()
            .filter(|d| d.enforced)
            .flat_map(|d| &d.rules)
            .find_map(|r| group_wildcard(r))
            .unwrap_or(false);
        Ok(SubjectPolicy {
            subject,
            wildcard_is_world,
            ingress,
            egress,
        })
    }

    fn resolve_direction(
        &self,
        direction: Direction,
        mut rules: Vec<Arc<Rule>>,
        always: bool,
        is_host: bool,
        namespace: &str,
    ) -> Result<DirectionPolicy, ResolveError> {
        // A subject that other policies isolate never comes to its baseline.
        // Cilium, which does not read BaselineAdminNetworkPolicy, asks the
        // baseline of its successor all the same.
        if rules
            .iter()
            .any(|r| r.tier == Tier::NORMAL && r.default_deny)
        {
            rules.retain(|r| !r.is_baseline_admin());
        }
        if !always && rules.is_empty() {
            return Ok(self.unenforced(direction));
        }
        let mut policy = DirectionPolicy {
            direction,
            enforced: true,
            default_deny: false,
            rules: Vec::new(),
            priorities: Vec::new(),
            tiers: Vec::new(),
            features: Features::default(),
        };
        policy.default_deny = always || rules.iter().any(|r| r.default_deny);
        if !rules.is_empty() {
            self.synthesize(direction, &mut rules, policy.default_deny, is_host);
        }
        let priorities = TierPriorities::new(&rules)?;
        let mut start = 0u32;
        for tier in rules.chunk_by(|a, b| a.tier == b.tier) {
            let t = tier.first().map_or(0, |r| r.tier.0);
            let mut builder = FilterBuilder::new(
                &self.index,
                &self.peers_of,
                self.wildcard.1,
                namespace,
                policy.default_deny,
            );
            for (number, rule) in (start..).zip(tier) {
                let priority = priorities.of_rule.get(number as usize);
                let numbered = NumberedRule {
                    rule,
                    number,
                    priority: priority.copied().unwrap_or(0),
                };
                builder.add(numbered, &rules)?;
            }
            start += u32::try_from(tier.len()).unwrap_or(u32::MAX);
            let base = |t: usize| priorities.base.get(t).copied();
            policy.tiers.push(TierPolicy {
                tier: t,
                base_priority: base(usize::from(t)).unwrap_or(0),
                next_base_priority: base(usize::from(t) + 1).unwrap_or(LOWEST_PRIORITY),
                filters: builder.finish(),
            });
        }
        policy.priorities = priorities.of_rule;
        policy.rules = rules;
        policy.features = features(&policy);
        Ok(policy)
    }

    /// Adds the rules Cilium adds itself, all in the last tier
    /// (pkg/policy/repository.go).
    fn synthesize(
        &self,
        direction: Direction,
        rules: &mut Vec<Arc<Rule>>,
        default_deny: bool,
        is_host: bool,
    ) {
        let ingress = direction == Direction::Ingress;
        let passes = rules.iter().any(|r| r.verdict == RuleVerdict::Pass);
        let mut add = |own: &[Arc<Rule>; 2]| {
            let [of_ingress, of_egress] = own;
            let mut rule = Arc::clone(if ingress { of_ingress } else { of_egress });
            let last = rules.last().filter(|r| r.tier == Tier::DEFAULT);
            if is_host || last.is_some() {
                let changed = Arc::make_mut(&mut rule);
                changed.selects_nodes = is_host;
                changed.priority = last.map_or(changed.priority, |last| last.priority + 1.0);
            }
            rules.push(rule);
        };
        let own = &self.synthesized;
        if !default_deny {
            add(&own.allow_any);
            return;
        }
        if ingress && !is_host && self.config().always_allows_localhost() {
            add(&own.allow_localhost);
        }
        if passes {
            add(&own.deny_any);
        }
    }

    /// A direction in which everything is allowed; its only rule says so.
    fn unenforced(&self, direction: Direction) -> DirectionPolicy {
        let [ingress, egress] = &self.synthesized.allow_any;
        let allow = match direction {
            Direction::Ingress => ingress,
            Direction::Egress => egress,
        };
        DirectionPolicy {
            direction,
            enforced: false,
            default_deny: false,
            rules: vec![Arc::clone(allow)],
            priorities: vec![0],
            tiers: Vec::new(),
            features: Features::default(),
        }
    }
}

/// Whether the wildcard a rule files is an empty group selector; `None` when
/// it files no wildcard.
fn group_wildcard(rule: &Rule) -> Option<bool> {
    let peers = rule.peers.as_ref()?;
    let every_port = rule.ports.is_empty() && !peers.is_empty();
    if !every_port && rule.ports.iter().all(|p| p.ports.is_empty()) {
        return None;
    }
    let is_group = |s: &&Arc<Selector>| s.kind() == SelectorKind::CidrGroup;
    let mut wildcards = peers.iter().filter(|s| s.is_wildcard());
    match (peers.is_empty(), wildcards.clone().next()) {
        (true, _) => Some(false),
        (false, None) => None,
        (false, Some(_)) => Some(wildcards.all(|s| is_group(&s))),
    }
}

/// The rules Cilium adds itself, for ingress and egress.
#[derive(Debug)]
struct Synthesized {
    allow_any: [Arc<Rule>; 2],
    deny_any: [Arc<Rule>; 2],
    allow_localhost: [Arc<Rule>; 2],
}

impl Synthesized {
    fn new(wildcard: &Arc<Selector>, host: &Arc<Selector>) -> Self {
        let both = |what: &str, peer: &Arc<Selector>, verdict| {
            Direction::BOTH.map(|direction| {
                let name = format!("{what}-{}", direction.as_str());
                Arc::new(Rule {
                    tier: Tier::DEFAULT,
                    priority: 0.0,
                    verdict,
                    direction,
                    subject: Arc::clone(wildcard),
                    selects_nodes: false,
                    namespace: "".into(),
                    peers: Some(vec![Arc::clone(peer)]),
                    ports: Vec::new(),
                    default_deny: false,
                    authentication: None,
                    origin: Arc::new(RuleOrigin::synthesized(&name)),
                    resource: "".into(),
                    index: 0,
                })
            })
        };
        Self {
            allow_any: both("allow-any", wildcard, RuleVerdict::Allow),
            deny_any: both("deny-any", wildcard, RuleVerdict::Deny),
            allow_localhost: both("allow-localhost", host, RuleVerdict::Allow),
        }
    }
}
