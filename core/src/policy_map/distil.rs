//! Filters and identities to entries.

use super::key::{Key, L4Key};
use super::named_ports::NamedPorts;
use super::pass::Pass;
use super::precedence::Precedence;
use super::redirect::{ProxyPorts, RedirectKey};
use super::state::{Entry, MapState};
use crate::config::Config;
use crate::identity::{AGGREGATES, NumericIdentity};
use crate::label::LabelSet;
use crate::resolve::{
    DirectionPolicy, Filter, Origin, Parser, SelectorPolicy, SubjectPolicy, TierPolicy,
};
use crate::rule::{Direction, RulePort, RuleVerdict};
use crate::selector::{SelectorId, SelectorIndex};
use std::sync::Arc;

/// The policy map of one subject.
#[derive(Clone, Debug)]
pub struct PolicyMap {
    /// Entries for traffic to the subject.
    pub ingress: MapState,
    /// Entries for traffic from it.
    pub egress: MapState,
}

/// Whom selectors select, as far as entries are made for them.
pub(crate) trait Peers {
    /// The identities a selector selects, ascending.
    fn selected(&self, selector: SelectorId) -> impl Iterator<Item = NumericIdentity>;
    /// True for an identity with a `reserved:world` label.
    fn is_world(&self, identity: NumericIdentity) -> bool;
    /// The agent's options.
    fn config(&self) -> &Arc<Config>;
}

impl Peers for SelectorIndex {
    fn selected(&self, selector: SelectorId) -> impl Iterator<Item = NumericIdentity> {
        self.selections(selector)
            .into_iter()
            .flat_map(|ids| ids.iter().map(NumericIdentity))
    }

    fn is_world(&self, identity: NumericIdentity) -> bool {
        self.identities()
            .get(identity)
            .is_some_and(LabelSet::has_world)
    }

    fn config(&self) -> &Arc<Config> {
        self.shared_config()
    }
}

/// What else than rules and peers decides about entries.
pub(crate) struct Surroundings<'a> {
    /// The policy's: who the wildcard means where it is spelled out.
    pub(crate) wildcard_is_world: bool,
    /// The subject's named ports.
    pub(crate) subject_ports: &'a dyn Fn(&Arc<str>, u8) -> Option<u16>,
    /// The peers' named ports.
    pub(crate) peer_ports: &'a NamedPorts,
    /// Where redirects lead.
    pub(crate) proxy_ports: &'a mut dyn ProxyPorts,
}

impl MapState {
    /// The entries of one direction, for these peers.
    pub(crate) fn distil<'a>(
        policy: &'a DirectionPolicy,
        peers: &'a impl Peers,
        surroundings: Surroundings<'a>,
    ) -> Self {
        let mut distiller = Distiller {
            policy,
            state: Self::new(policy, peers.config()),
            peers,
            surroundings,
        };
        distiller.run();
        distiller.state
    }
}

impl PolicyMap {
    /// Puts the map of a resolved policy together.
    ///
    /// `subject_ports` resolves named ports on ingress, `peer_ports` on
    /// egress.
    #[must_use]
    pub fn new(
        policy: &SubjectPolicy,
        selectors: &SelectorIndex,
        subject_ports: &dyn Fn(&Arc<str>, u8) -> Option<u16>,
        peer_ports: &NamedPorts,
        proxy_ports: &mut dyn ProxyPorts,
    ) -> Self {
        let mut build = |direction| {
            let surroundings = Surroundings {
                wildcard_is_world: policy.wildcard_is_world,
                subject_ports,
                peer_ports,
                proxy_ports: &mut *proxy_ports,
            };
            MapState::distil(policy.direction(direction), selectors, surroundings)
        };
        Self {
            ingress: build(Direction::Ingress),
            egress: build(Direction::Egress),
        }
    }

    /// The entries of one direction.
    #[must_use]
    pub const fn direction(&self, direction: Direction) -> &MapState {
        match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        }
    }

    /// Every entry: ingress first, then by identity, protocol, port and prefix.
    #[must_use]
    pub fn entries(&self) -> Vec<(Key, &Entry)> {
        let mut all: Vec<(Key, &Entry)> = Direction::BOTH
            .into_iter()
            .flat_map(|direction| {
                self.direction(direction)
                    .iter()
                    .map(move |(identity, l4, entry)| {
                        let key = Key {
                            direction,
                            identity,
                            l4,
                        };
                        (key, entry)
                    })
            })
            .collect();
        all.sort_unstable_by_key(|(k, _)| *k);
        all
    }

    /// How many entries there are, invalid ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ingress.len() + self.egress.len()
    }

    /// True without entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

struct Distiller<'a, P> {
    policy: &'a DirectionPolicy,
    peers: &'a P,
    surroundings: Surroundings<'a>,
    state: MapState,
}

impl<P: Peers> Distiller<'_, P> {
    fn run(&mut self) {
        if !self.policy.enforced {
            let allow = Entry {
                precedence: Precedence::allow(0, None),
                proxy_port: 0,
                auth: 0,
                invalid: false,
                redirect: 0,
                passes: None,
                origin: Origin::of(0),
            };
            for id in AGGREGATES {
                self.state.set(id, L4Key::default(), allow.clone());
            }
            return;
        }
        let policy = self.policy;
        for tier in &policy.tiers {
            // Cilium takes named ports first. Where passes lift entries to equal
            // precedence, what comes first decides which of two nested keys
            // are kept.
            let is_named = |f: &&Filter| matches!(f.key.port, RulePort::Name(_));
            let named = tier.filters.iter().filter(is_named);
            let numbered = tier.filters.iter().filter(|f| !is_named(f));
            for filter in named.chain(numbered) {
                self.filter(tier, filter);
            }
        }
    }

    fn filter(&mut self, tier: &TierPolicy, filter: &Filter) {
        let ingress = self.policy.direction == Direction::Ingress;
        let protocol = filter.key.protocol;
        let port = match &filter.key.port {
            RulePort::Number(n) => *n,
            RulePort::Name(name) if ingress => {
                match (self.surroundings.subject_ports)(name, protocol) {
                    Some(port) if port != 0 => port,
                    _ => return,
                }
            }
            RulePort::Name(name) => {
                self.named_egress(tier, filter, &Arc::clone(name));
                return;
            }
        };
        let keys: Vec<L4Key> = L4Key::range(protocol, port, filter.end_port).collect();
        for (i, (selector, policy)) in filter.policies.iter().enumerate() {
            let is_wildcard = filter.wildcard == Some(i);
            if !is_wildcard && port != 0 && covered_by_wildcard(filter, policy) {
                continue;
            }
            let Some(entry) = self.entry(tier, policy, protocol, port) else {
                continue;
            };
            if is_wildcard {
                self.insert(tier, AGGREGATES, &keys, &entry);
            } else {
                let peers = self.peers;
                self.insert(tier, peers.selected(*selector), &keys, &entry);
            }
        }
    }

    /// On egress a name means another port for every peer, so even the
    /// wildcard selector is spelled out, and there are no ranges.
    fn named_egress(&mut self, tier: &TierPolicy, filter: &Filter, name: &Arc<str>) {
        let protocol = filter.key.protocol;
        for (i, (selector, policy)) in filter.policies.iter().enumerate() {
            let is_wildcard = filter.wildcard == Some(i);
            if !is_wildcard && covered_by_wildcard(filter, policy) {
                continue;
            }
            let world_only = is_wildcard && self.surroundings.wildcard_is_world;
            let peers = self.peers;
            for id in peers.selected(*selector) {
                if world_only && !peers.is_world(id) {
                    continue;
                }
                let Some(port) = self.surroundings.peer_ports.get(id, name, protocol) else {
                    continue;
                };
                if let Some(entry) = self.entry(tier, policy, protocol, port) {
                    self.insert(tier, [id], &[L4Key::port(protocol, port)], &entry);
                }
            }
        }
    }

    fn insert(
        &mut self,
        tier: &TierPolicy,
        ids: impl IntoIterator<Item = NumericIdentity>,
        keys: &[L4Key],
        entry: &Entry,
    ) {
        let tier_max = Precedence::deny(tier.base_priority);
        for id in ids {
            for key in keys {
                self.state
                    .insert(tier_max, id, *key, entry.clone(), self.policy.features);
            }
        }
    }

    /// The entry of a selector's policy; `None` while its redirect is not
    /// realised.
    fn entry(
        &mut self,
        tier: &TierPolicy,
        policy: &SelectorPolicy,
        protocol: u8,
        port: u16,
    ) -> Option<Entry> {
        let redirect = policy.parser != Parser::None;
        let (mut proxy_port, mut redirect_number) = (0, 0);
        if redirect {
            let key = RedirectKey {
                direction: self.policy.direction,
                protocol,
                port,
                parser: policy.parser,
                listener: Arc::clone(&policy.listener),
            };
            proxy_port = self.surroundings.proxy_ports.proxy_port(&key)?;
            redirect_number = self.redirect_number(key);
        }
        if policy.verdict == RuleVerdict::Pass {
            let pass = Pass {
                precedence: Precedence::pass(policy.priority),
                tier_max: Precedence::deny(tier.base_priority),
                tier_min: Precedence(Precedence::pass(tier.next_base_priority).0 + 0x100),
            };
            return Some(Entry {
                precedence: Precedence::MAX,
                proxy_port: 0,
                auth: 0,
                invalid: true,
                redirect: 0,
                passes: Some(Arc::new([pass])),
                origin: policy.origin.clone(),
            });
        }
        let deny = policy.verdict == RuleVerdict::Deny;
        let listener = (proxy_port != 0).then_some(policy.listener_priority);
        Some(Entry {
            precedence: Precedence::of(policy.verdict, policy.priority, listener),
            proxy_port: if deny { 0 } else { proxy_port },
            auth: if deny { 0 } else { requirement(policy) },
            invalid: false,
            redirect: if deny { 0 } else { redirect_number },
            passes: None,
            origin: policy.origin.clone(),
        })
    }
}

impl<P> Distiller<'_, P> {
    fn redirect_number(&mut self, key: RedirectKey) -> u16 {
        let redirects = &mut self.state.redirects;
        let i = redirects.iter().position(|r| *r == key).unwrap_or_else(|| {
            redirects.push(key);
            redirects.len() - 1
        });
        u16::try_from(i + 1).unwrap_or(u16::MAX)
    }
}

fn requirement(policy: &SelectorPolicy) -> u8 {
    policy
        .authentication
        .as_ref()
        .map_or(0, crate::rule::Authentication::requirement)
}

/// True when the filter's wildcard already does for everybody what `policy`
/// does for some. Layer-7 rules are not compared: the proxy tells peers apart.
fn covered_by_wildcard(filter: &Filter, policy: &SelectorPolicy) -> bool {
    let precedence = |p: &SelectorPolicy| {
        let redirect = (p.parser != Parser::None).then_some(p.listener_priority);
        Precedence::of(p.verdict, p.priority, redirect)
    };
    filter.wildcard_policy().is_some_and(|w| {
        precedence(w) == precedence(policy)
            && w.parser == policy.parser
            && w.listener == policy.listener
            && requirement(w) == requirement(policy)
    })
}
