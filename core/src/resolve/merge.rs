//! Merging rules into filters.
//!
//! Only rules of one tier with the *same* selector, port and protocol merge;
//! different selectors of one identity meet in the policy map
//! (Cilium 1.20.2 pkg/policy/rule.go mergePortProto, l4.go createL4Filter).

use super::filter::{Features, Filter, FilterKey, Origin, Parser, SelectorPolicy, Tls};
use super::{DirectionPolicy, ResolveError};
use crate::rule::{
    HttpRule, L7Rules, ListenerKind, PortProtocol, PortRule, Rule, RulePort, RuleVerdict, protocol,
};
use crate::selector::{SelectorId, SelectorIndex};
use crate::source::Span;
use ahash::{AHashMap, AHashSet};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Protocols that ANY stands for when a port is given.
const ANY_EXPANDED: [u8; 3] = [protocol::TCP, protocol::UDP, protocol::SCTP];

/// So many things are searched one by one.
const FEW: usize = 12;

/// Filters of one tier while rules are merged into them.
pub(super) struct FilterBuilder<'a> {
    index: &'a SelectorIndex,
    /// Peers by address of the rule, as far as they are known.
    peers_of: &'a AHashMap<usize, Arc<[SelectorId]>>,
    wildcard: SelectorId,
    namespace: &'a str,
    /// The direction's [`DirectionPolicy::default_deny`].
    default_deny: bool,
    filters: Vec<Filter>,
    /// Places in [`Self::filters`], once there are more than [`FEW`].
    by_key: AHashMap<FilterKey, usize>,
    /// Places in [`Filter::policies`], by filter and selector, of filters with
    /// more than [`FEW`].
    by_selector: AHashMap<(usize, SelectorId), usize>,
    /// The rules behind policies of several, ascending, by places of the filter
    /// and of the policy in it. While they are collected, the policies
    /// themselves name their first rule only.
    origins: AHashMap<(usize, usize), Vec<u32>>,
}

/// A rule with its place in the direction.
#[derive(Clone, Copy)]
pub(super) struct NumberedRule<'a> {
    pub rule: &'a Rule,
    pub number: u32,
    pub priority: u32,
}

impl<'a> FilterBuilder<'a> {
    pub(super) fn new(
        index: &'a SelectorIndex,
        peers_of: &'a AHashMap<usize, Arc<[SelectorId]>>,
        wildcard: SelectorId,
        namespace: &'a str,
        default_deny: bool,
    ) -> Self {
        Self {
            index,
            peers_of,
            wildcard,
            namespace,
            default_deny,
            filters: Vec::new(),
            by_key: AHashMap::new(),
            by_selector: AHashMap::new(),
            origins: AHashMap::new(),
        }
    }

    pub(super) fn finish(mut self) -> Vec<Filter> {
        for ((filter, place), rules) in self.origins {
            let filter = self.filters.get_mut(filter);
            if let Some((_, policy)) = filter.and_then(|f| f.policies.get_mut(place)) {
                Arc::make_mut(policy).origin = Origin::ascending(rules);
            }
        }
        self.filters
    }

    /// Merges one rule in.
    pub(super) fn add(
        &mut self,
        rule: NumberedRule<'_>,
        rules: &[Arc<Rule>],
    ) -> Result<(), ResolveError> {
        let Some(peers) = &rule.rule.peers else {
            return Ok(());
        };
        let found: Vec<SelectorId>;
        let ids = match self.peers_of.get(&(std::ptr::from_ref(rule.rule) as usize)) {
            Some(known) => &**known,
            // A rule that Cilium adds.
            None => {
                found = peers.iter().filter_map(|s| self.index.find(s)).collect();
                &found
            }
        };
        // Beside the wildcard the other selectors of a rule do not count
        // (pkg/policy/selectorcache.go AddSelectorsTxn).
        let (wildcard, distinct) = ([self.wildcard], once_each(ids));
        let selectors = match &distinct {
            _ if peers.is_empty() || ids.contains(&self.wildcard) => &wildcard,
            Some(distinct) => distinct.as_slice(),
            None => ids,
        };
        if rule.rule.ports.is_empty() && !peers.is_empty() {
            let every_port = PortProtocol {
                port: RulePort::Number(0),
                end_port: 0,
                protocol: protocol::ANY,
                span: rule.rule.origin.span,
            };
            let policy = self.policy(rule, &PortRule::default(), protocol::ANY)?;
            self.add_filter(&every_port, protocol::ANY, selectors, &policy, rules)?;
        }
        for port_rule in &rule.rule.ports {
            // What is wanted depends on the protocol beside the rule.
            let mut wanted: Option<(u8, Arc<SelectorPolicy>)> = None;
            for port in &port_rule.ports {
                let protocols: &[u8] = if port.protocol == protocol::ANY {
                    &ANY_EXPANDED
                } else {
                    std::slice::from_ref(&port.protocol)
                };
                for &p in protocols {
                    let policy = match wanted.take() {
                        Some((of, policy)) if of == p => policy,
                        _ => self.policy(rule, port_rule, p)?,
                    };
                    self.add_filter(port, p, selectors, &policy, rules)?;
                    wanted = Some((p, policy));
                }
            }
        }
        Ok(())
    }

    /// What one rule wants of its peers on one protocol.
    fn policy(
        &self,
        rule: NumberedRule<'_>,
        ports: &PortRule,
        proto: u8,
    ) -> Result<Arc<SelectorPolicy>, ResolveError> {
        let l7 = ports.l7.as_ref();
        let tls = Tls {
            terminating: ports.terminating_tls.clone(),
            originating: ports.originating_tls.clone(),
        };
        let mut parser = Parser::None;
        if tls != Tls::default() || !ports.server_names.is_empty() {
            parser = Parser::Tls;
        }
        if l7.is_some_and(|l7| !l7.dns.is_empty()) {
            parser = Parser::Dns;
        } else if proto == protocol::TCP && l7.is_some_and(|l7| !l7.http.is_empty()) {
            parser = Parser::Http;
        }
        if ports.listener.is_some() {
            parser = Parser::Crd;
        }
        let mut policy = SelectorPolicy {
            origin: Origin::of(rule.number),
            ..SelectorPolicy::default()
        };
        let plain = parser == Parser::None
            && rule.rule.authentication.is_none()
            && rule.rule.verdict == RuleVerdict::Allow
            && rule.priority == 0;
        if plain {
            return Ok(Arc::new(policy));
        }
        policy.priority = rule.priority;
        policy.verdict = rule.rule.verdict;
        policy.parser = parser;
        policy.listener_priority = parser.default_priority();
        policy.tls = tls;
        policy.server_names.clone_from(&ports.server_names);
        policy.authentication.clone_from(&rule.rule.authentication);
        policy.l7 = l7.cloned().unwrap_or_default();
        if let Some(listener) = &ports.listener {
            let namespace = match listener.kind {
                ListenerKind::Clusterwide => "",
                ListenerKind::Namespaced if self.namespace.is_empty() => {
                    return Err(ResolveError::ListenerWithoutNamespace {
                        listener: listener.name.clone(),
                        rule: rule.rule.origin.span,
                    });
                }
                ListenerKind::Namespaced | ListenerKind::Unspecified => self.namespace,
            };
            policy.listener = qualified_listener(namespace, &listener.config, &listener.name);
            if listener.priority != 0 {
                policy.listener_priority = listener.priority;
            }
        }
        // Rules of policies that only add visibility must not restrict.
        if !self.default_deny && rule.rule.verdict == RuleVerdict::Allow {
            match parser {
                Parser::Dns if !policy.l7.dns.iter().any(|(_, p)| &**p == "*") => {
                    policy.l7.dns.push(dns_wildcard());
                }
                Parser::Http
                    if !policy.l7.http.is_empty()
                        && !policy.l7.http.iter().any(|r| r.is_wildcard()) =>
                {
                    policy.l7.http.push(Arc::default());
                }
                _ => {}
            }
        }
        Ok(Arc::new(policy))
    }

    fn add_filter(
        &mut self,
        port: &PortProtocol,
        proto: u8,
        selectors: &[SelectorId],
        policy: &Arc<SelectorPolicy>,
        rules: &[Arc<Rule>],
    ) -> Result<(), ResolveError> {
        let named = matches!(port.port, RulePort::Name(_));
        let key = FilterKey {
            port: port.port.clone(),
            end_port: if named { 0 } else { port.end_port },
            protocol: proto,
        };
        let next = self.filters.len();
        let i = if next < FEW {
            let known = self.filters.iter().position(|f| f.key == key);
            known.unwrap_or(next)
        } else {
            *self.by_key.entry(key.clone()).or_insert(next)
        };
        if i == next {
            self.filters.push(Filter {
                key,
                end_port: port.end_port,
                policies: Vec::new(),
                wildcard: None,
            });
            if self.filters.len() == FEW {
                let keys = self.filters.iter().map(|f| f.key.clone());
                self.by_key = keys.zip(0..).collect();
            }
        }
        let Some(filter) = self.filters.get_mut(i) else {
            return Ok(());
        };
        for &selector in selectors {
            let next = filter.policies.len();
            let place = if next < FEW {
                let known = filter.policies.iter().position(|(s, _)| *s == selector);
                known.unwrap_or(next)
            } else {
                *self.by_selector.entry((i, selector)).or_insert(next)
            };
            match filter.policies.get_mut(place) {
                None => {
                    if selector == self.wildcard {
                        filter.wildcard = Some(next);
                    }
                    filter.policies.push((selector, Arc::clone(policy)));
                    if filter.policies.len() == FEW {
                        let known = filter.policies.iter().map(|(s, _)| (i, *s));
                        self.by_selector.extend(known.zip(0..));
                    }
                }
                Some(_) if self.index.selector(selector).is_some_and(|s| s.is_none()) => {}
                Some((_, existing)) => {
                    let merged = merge(existing, policy, rules)?;
                    match merged {
                        Merged::Kept => {}
                        Merged::Replaced => {
                            self.origins.remove(&(i, place));
                        }
                        // Rules come in ascending order.
                        Merged::Both => {
                            let origin = self.origins.entry((i, place));
                            let origin = origin.or_insert_with(|| existing.origin.iter().collect());
                            let last = origin.last().copied();
                            let new = policy.origin.iter();
                            origin.extend(new.filter(|n| last.is_none_or(|last| last < *n)));
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

/// The selectors without those that were there before; `None` when there are
/// no such.
fn once_each(ids: &[SelectorId]) -> Option<Vec<SelectorId>> {
    let before = |i: usize| ids.get(..i).unwrap_or(&[]);
    let mut numbered = ids.iter().enumerate();
    if ids.len() <= FEW && numbered.all(|(i, id)| !before(i).contains(id)) {
        return None;
    }
    let mut seen = AHashSet::with_capacity(ids.len());
    let distinct: Vec<SelectorId> = ids.iter().copied().filter(|id| seen.insert(*id)).collect();
    (distinct.len() < ids.len()).then_some(distinct)
}

/// Features of a direction, from its finished filters.
pub(super) fn features(policy: &DirectionPolicy) -> Features {
    let mut features = Features::default();
    let all = policy.tiers.iter().flat_map(|t| &t.filters);
    for (_, p) in all.flat_map(|f| &f.policies) {
        features.precedence |=
            p.parser != Parser::None || p.priority > 0 || p.verdict == RuleVerdict::Deny;
        features.pass |= p.verdict == RuleVerdict::Pass;
        features.authentication |= p
            .authentication
            .as_ref()
            .is_some_and(|a| a.requirement() != 0);
    }
    features
}

/// `namespace/config/name`, unless the name already begins with the namespace
/// (pkg/policy/api/utils.go ResourceQualifiedName).
fn qualified_listener(namespace: &str, config: &str, name: &str) -> Arc<str> {
    if name.is_empty() || name.split_once('/').is_some_and(|(ns, _)| ns == namespace) {
        return name.into();
    }
    format!("{namespace}/{config}/{name}").into()
}

fn dns_wildcard() -> (Arc<str>, Arc<str>) {
    ("".into(), "*".into())
}

/// Deny beats allow beats pass.
fn outranks(verdict: RuleVerdict, other: RuleVerdict) -> bool {
    match verdict {
        RuleVerdict::Deny => true,
        RuleVerdict::Allow => other == RuleVerdict::Pass,
        RuleVerdict::Pass => false,
    }
}

/// Whose a merged policy is.
enum Merged {
    /// The existing one stays.
    Kept,
    /// The new one takes its place.
    Replaced,
    /// It is of both.
    Both,
}

fn merge(
    existing: &mut Arc<SelectorPolicy>,
    new: &Arc<SelectorPolicy>,
    rules: &[Arc<Rule>],
) -> Result<Merged, ResolveError> {
    if same_policy(existing, new) {
        return Ok(Merged::Both);
    }
    let equal = existing.priority == new.priority;
    if existing.priority < new.priority || (equal && outranks(existing.verdict, new.verdict)) {
        return Ok(Merged::Kept);
    }
    if existing.priority > new.priority || (equal && outranks(new.verdict, existing.verdict)) {
        *existing = Arc::clone(new);
        return Ok(Merged::Replaced);
    }
    let conflict = |what: String| {
        let span = |o: &Origin| {
            o.iter()
                .next()
                .and_then(|i| rules.get(i as usize))
                .map_or_else(Span::default, |r| r.origin.span)
        };
        ResolveError::Conflict {
            what,
            first: span(&existing.origin),
            second: span(&new.origin),
        }
    };
    let Some(parser) = existing.parser.merge(new.parser) else {
        return Err(conflict(format!(
            "parser `{}` and parser `{}` are wanted for the same peers and port",
            existing.parser.as_str(),
            new.parser.as_str()
        )));
    };
    let (mut listener, mut listener_priority) =
        (existing.listener.clone(), existing.listener_priority);
    if parser != existing.parser {
        listener_priority = new.listener_priority;
    }
    let same_listener = listener == new.listener && listener_priority == new.listener_priority;
    if !new.listener.is_empty() && !same_listener {
        // 0 is the weakest: one less wraps it past 255.
        let (old_rank, new_rank) = (
            listener_priority.wrapping_sub(1),
            new.listener_priority.wrapping_sub(1),
        );
        if old_rank >= new_rank {
            if !listener.is_empty() && old_rank == new_rank {
                return Err(conflict(format!(
                    "listeners `{listener}` and `{}` have the same priority {listener_priority}",
                    new.listener
                )));
            }
            listener = new.listener.clone();
            listener_priority = new.listener_priority;
        }
    }
    let authentication = either(
        existing.authentication.as_ref(),
        new.authentication.as_ref(),
    )
    .ok_or_else(|| conflict("authentication modes differ".to_owned()))?;
    let terminating = either(
        existing.tls.terminating.as_ref(),
        new.tls.terminating.as_ref(),
    )
    .ok_or_else(|| conflict("terminating TLS contexts differ".to_owned()))?;
    let originating = either(
        existing.tls.originating.as_ref(),
        new.tls.originating.as_ref(),
    )
    .ok_or_else(|| conflict("originating TLS contexts differ".to_owned()))?;
    let names_given = !existing.server_names.is_empty() || !new.server_names.is_empty();
    // Only the side that was there first is looked at: the order of rules
    // decides whether server names and layer-7 rules go together.
    if names_given && !existing.l7.is_empty() && terminating.is_none() {
        return Err(conflict(
            "server names cannot be combined with layer-7 rules without terminating TLS".to_owned(),
        ));
    }
    let existing = Arc::make_mut(existing);
    let mut server_names = std::mem::take(&mut existing.server_names);
    server_names.extend(new.server_names.iter().cloned());
    let l7 = merge_l7(std::mem::take(&mut existing.l7), &new.l7);
    *existing = SelectorPolicy {
        priority: existing.priority,
        verdict: existing.verdict,
        parser,
        listener_priority,
        listener,
        tls: Tls {
            terminating,
            originating,
        },
        server_names,
        l7,
        authentication,
        origin: existing.origin.clone(),
    };
    Ok(Merged::Both)
}

/// The one that is there, or both when they agree; `None` when they differ.
#[allow(clippy::option_option)] // the outer one is the disagreement
fn either<T: Clone + PartialEq>(a: Option<&T>, b: Option<&T>) -> Option<Option<T>> {
    match (a, b) {
        (Some(a), Some(b)) if a != b => None,
        (a, b) => Some(a.or(b).cloned()),
    }
}

fn same_policy(a: &SelectorPolicy, b: &SelectorPolicy) -> bool {
    let set = |l7: &L7Rules| {
        let http: BTreeSet<_> = l7.http.iter().cloned().collect();
        let dns: BTreeSet<_> = l7.dns.iter().cloned().collect();
        (http, dns)
    };
    let same_length = a.l7.http.len() == b.l7.http.len() && a.l7.dns.len() == b.l7.dns.len();
    same_length
        && a.priority == b.priority
        && a.verdict == b.verdict
        && a.parser == b.parser
        && a.listener_priority == b.listener_priority
        && a.listener == b.listener
        && a.tls == b.tls
        && a.server_names == b.server_names
        && a.authentication == b.authentication
        && (a.l7 == b.l7 || set(&a.l7) == set(&b.l7))
}

/// Rules of both; when only one side has some, the other side's freedom is
/// kept by a rule that matches everything.
fn merge_l7(a: L7Rules, b: &L7Rules) -> L7Rules {
    let one_is_empty = a.is_empty() != b.is_empty();
    let mut merged = if a.is_empty() { b.clone() } else { a };
    if one_is_empty {
        if !merged.http.is_empty() {
            push_new(&mut merged.http, Arc::new(HttpRule::default()));
        } else {
            push_new(&mut merged.dns, dns_wildcard());
        }
        return merged;
    }
    for rule in &b.http {
        push_new(&mut merged.http, Arc::clone(rule));
    }
    for rule in &b.dns {
        push_new(&mut merged.dns, rule.clone());
    }
    merged
}

fn push_new<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}
