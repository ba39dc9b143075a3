//! The policy of an endpoint as Cilium sends it to Envoy.
//!
//! In: the resolved policy of a subject, what its selectors select, and named
//! ports. Out: a [`NetworkPolicy`]: per direction and port the rules with their
//! precedence, peers, server names and HTTP rules. A proxy needs nothing else.
//! Follows Cilium 1.20.2 pkg/envoy/model.go.

use super::http_matcher::TranslatedRule;
use super::secret::Secrets;
use super::server_name::sent_server_name;
use crate::identity::NumericIdentity;
use crate::policy_map::{NamedPorts, Precedence};
use crate::resolve::{
    DirectionPolicy, Filter, LOWEST_PRIORITY, Origin, Parser, SelectorPolicy, SubjectPolicy,
    TierPolicy,
};
use crate::rule::{Direction, HttpRule, RulePort, RuleVerdict, TlsContext, protocol};
use crate::selector::{SelectorId, SelectorIndex};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Envoy's policy of one endpoint.
#[derive(Clone, Debug, Default)]
pub struct NetworkPolicy {
    /// Addresses of the endpoint.
    pub endpoint_ips: Vec<String>,
    /// Number of the endpoint.
    pub endpoint_id: u64,
    /// Rules for connections to it, by port.
    pub ingress: Vec<PortNetworkPolicy>,
    /// Rules for connections from it, by port.
    pub egress: Vec<PortNetworkPolicy>,
}

/// The rules of a port or a range of ports; TCP only, as Envoy knows no other.
#[derive(Clone, Debug, Default)]
pub struct PortNetworkPolicy {
    /// The port, or the first of a range; 0 is every port.
    pub port: u16,
    /// The last port of a range, as written.
    pub end_port: u16,
    /// Rules, in the order of Cilium; without any everything is allowed.
    pub rules: Vec<ProxyRule>,
}

/// What a rule of a port says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProxyVerdict {
    /// Goes on with the rules of the next tier: those below this precedence.
    Pass(u32),
    /// Allows, if its server names and HTTP rules do.
    #[default]
    Allow,
    /// Denies.
    Deny,
}

/// A rule of a port.
#[derive(Clone, Debug, Default)]
pub struct ProxyRule {
    /// Higher ones are asked first.
    pub precedence: u32,
    /// What it says.
    pub verdict: ProxyVerdict,
    /// The proxy port of the custom listener it belongs to; 0 for every one.
    pub proxy_id: u16,
    /// Identities of peers; empty is everybody.
    pub remotes: Vec<u32>,
    /// TLS towards the client.
    pub terminating_tls: Option<Arc<TlsContext>>,
    /// TLS towards the server.
    pub originating_tls: Option<Arc<TlsContext>>,
    /// Server names as written; empty does not restrict.
    pub server_names: BTreeSet<Arc<str>>,
    /// HTTP rules; `None` does not restrict.
    pub http: Option<Vec<Arc<HttpRule>>>,
    /// The rules it comes from: indices into the direction's rule list.
    pub origin: Origin,
}

impl ProxyRule {
    fn new(policy: &SelectorPolicy, tier: &TierPolicy) -> Self {
        Self {
            precedence: precedence(policy).0,
            verdict: match policy.verdict {
                RuleVerdict::Deny => ProxyVerdict::Deny,
                RuleVerdict::Allow => ProxyVerdict::Allow,
                RuleVerdict::Pass => ProxyVerdict::Pass(Precedence::pass(last_priority(tier)).0),
            },
            origin: policy.origin.clone(),
            ..Self::default()
        }
    }

    /// Nothing but a precedence: allows everybody everything.
    fn is_plain(&self) -> bool {
        self.verdict == ProxyVerdict::Allow
            && self.remotes.is_empty()
            && self.proxy_id == 0
            && self.http.is_none()
            && self.terminating_tls.is_none()
            && self.originating_tls.is_none()
            && self.server_names.is_empty()
    }

    fn is_empty(&self) -> bool {
        self.precedence == 0 && self.is_plain()
    }

    /// Server names as they are sent, ascending.
    #[must_use]
    pub fn sent_server_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .server_names
            .iter()
            .map(|n| sent_server_name(n))
            .collect();
        names.sort_unstable();
        names
    }

    /// HTTP rules as they are sent, in Cilium's order.
    #[must_use]
    pub fn translated(&self, secrets: &Secrets) -> Option<Vec<TranslatedRule>> {
        let rules = self.http.as_ref()?;
        let mut all: Vec<TranslatedRule> = rules
            .iter()
            .map(|r| TranslatedRule::new(r, secrets))
            .collect();
        all.sort_by(TranslatedRule::order);
        Some(all)
    }
}

/// What a policy is translated with.
///
/// ```
/// use netverdict::cluster::Cluster;
/// use netverdict::l7::{NetworkPolicy, Secrets, Translation};
/// use netverdict::policy_map::NamedPorts;
///
/// let web = "
/// {apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: web, namespace: shop},
///  spec: {endpointSelector: {matchLabels: {app: web}}, ingress: [{toPorts: [{
///   ports: [{port: '80', protocol: TCP}], rules: {http: [{method: GET, path: /docs}]}}]}]}}";
/// let cluster = Cluster::read(&format!("{}---{web}", include_str!("../../examples/shop.yaml")))?;
/// let policy = cluster.policy(&*cluster.find_endpoint("shop/web")?).expect("nothing contradicts");
/// let translation = Translation {
///     selectors: cluster.repository().selectors(),
///     own_port: &|_, _| None,
///     named_ports: &NamedPorts::new(),
///     listener_port: &|_| 0,
///     secrets: &Secrets::default(),
/// };
/// // What Cilium would send to Envoy.
/// let sent: NetworkPolicy = translation.policy(&policy.subject);
/// let port = sent.ingress.iter().find(|p| p.port == 80).expect("its port");
/// assert!(port.rules.iter().any(|rule| rule.http.is_some()));
/// # Ok::<(), Box<netverdict::diagnostic::Diagnostic>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Translation<'a> {
    /// What the selectors select.
    pub selectors: &'a SelectorIndex,
    /// The subject's own named ports, for ingress.
    pub own_port: &'a dyn Fn(&Arc<str>, u8) -> Option<u16>,
    /// Named ports of peers, for egress.
    pub named_ports: &'a NamedPorts,
    /// Proxy ports of custom listeners; 0 while there is none.
    pub listener_port: &'a dyn Fn(&str) -> u16,
    /// Values of header matches.
    pub secrets: &'a Secrets,
}

impl Translation<'_> {
    /// Translates the policy of a subject.
    #[must_use]
    pub fn policy(&self, subject: &SubjectPolicy) -> NetworkPolicy {
        NetworkPolicy {
            ingress: self.direction(&subject.ingress),
            egress: self.direction(&subject.egress),
            ..NetworkPolicy::default()
        }
    }

    /// Translates one direction.
    #[must_use]
    pub fn direction(&self, policy: &DirectionPolicy) -> Vec<PortNetworkPolicy> {
        if !policy.enforced {
            return vec![PortNetworkPolicy::default()];
        }
        let mut all = Vec::new();
        for tier in &policy.tiers {
            let (mut passes, mut wildcard) = (false, 0);
            for number in [protocol::ANY, protocol::TCP] {
                let key = |f: &&Filter| {
                    f.key.port == RulePort::Number(0)
                        && f.key.end_port == 0
                        && f.key.protocol == number
                };
                if let Some(filter) = tier.filters.iter().find(key) {
                    let found = self.every_port(filter, tier);
                    passes |= found.passes;
                    wildcard = wildcard.max(found.wildcard);
                    let mut rules = found.rules;
                    if rules.is_empty() {
                        continue;
                    }
                    if let [rule] = rules.as_slice()
                        && rule.is_empty()
                    {
                        rules.clear();
                    }
                    all.push(PortNetworkPolicy {
                        rules,
                        ..PortNetworkPolicy::default()
                    });
                }
            }
            all.extend(self.ports(policy.direction, tier, wildcard));
            if wildcard > 0 && !passes {
                break;
            }
        }
        for port in &mut all {
            port.rules.sort_by(|a, b| self.compare(a, b));
        }
        all.sort_by_key(|p| (p.port, p.rules.len()));
        all
    }

    /// Precedence first, then rules without HTTP, then by the HTTP rules and
    /// peers. What Cilium leaves open is settled by what the rule says.
    fn compare(&self, a: &ProxyRule, b: &ProxyRule) -> std::cmp::Ordering {
        let http = |r: &ProxyRule| r.http.as_ref().map(Vec::len);
        b.precedence
            .cmp(&a.precedence)
            .then_with(|| http(a).cmp(&http(b)))
            .then_with(|| a.remotes.len().cmp(&b.remotes.len()))
            .then_with(|| a.remotes.cmp(&b.remotes))
            .then_with(|| b.verdict.cmp(&a.verdict))
            .then_with(|| a.http.cmp(&b.http))
            .then_with(|| a.server_names.cmp(&b.server_names))
    }

    /// Who a selector selects; `None` is everybody.
    fn selected(&self, filter: &Filter, place: usize, id: SelectorId) -> Option<Vec<u32>> {
        if filter.wildcard == Some(place) {
            return None;
        }
        let selected = self.selectors.selections(id);
        Some(selected.map(|s| s.iter().collect()).unwrap_or_default())
    }

    /// The rule of one selector; `None` when it selects nobody. The second
    /// value tells whether the first match may end the search.
    fn rule(
        &self,
        tier: &TierPolicy,
        policy: &SelectorPolicy,
        remotes: Option<Vec<u32>>,
    ) -> Option<(ProxyRule, bool)> {
        let mut rule = ProxyRule::new(policy, tier);
        if let Some(remotes) = remotes {
            if remotes.is_empty() {
                return None;
            }
            rule.remotes = remotes;
        }
        if policy.verdict == RuleVerdict::Deny {
            return Some((rule, false));
        }
        if !policy.listener.is_empty() {
            rule.proxy_id = (self.listener_port)(&policy.listener);
        }
        rule.terminating_tls.clone_from(&policy.tls.terminating);
        rule.originating_tls.clone_from(&policy.tls.originating);
        rule.server_names.clone_from(&policy.server_names);
        let mut ends = true;
        if policy.parser == Parser::Http && !policy.l7.http.is_empty() {
            rule.http = Some(policy.l7.http.clone());
            let acts = |r: &Arc<HttpRule>| {
                let translated = TranslatedRule::new(r, self.secrets);
                !translated.actions.is_empty()
            };
            ends = !policy.l7.http.iter().any(acts);
        }
        Some((rule, ends))
    }

    /// `GetWildcardPortNetworkPolicyRules`: rules that hold for every port.
    fn every_port(&self, filter: &Filter, tier: &TierPolicy) -> EveryPort {
        let mut found = EveryPort::default();
        let all = filter.policies.iter().enumerate();
        let all: Vec<(usize, SelectorId, &SelectorPolicy)> =
            all.map(|(i, (id, policy))| (i, *id, &**policy)).collect();
        if let [(place, id, policy)] = all.as_slice() {
            let remotes = self.selected(filter, *place, *id);
            let redirects = policy.parser != Parser::None;
            let everybody = remotes.is_none();
            let rule = if redirects {
                self.rule(tier, policy, remotes).map(|(rule, _)| rule)
            } else {
                let rule = ProxyRule::new(policy, tier);
                match remotes {
                    None => Some(rule),
                    Some(remotes) if remotes.is_empty() => None,
                    Some(remotes) => Some(ProxyRule { remotes, ..rule }),
                }
            };
            if let Some(rule) = rule {
                if everybody {
                    found.passes = policy.verdict == RuleVerdict::Pass;
                    found.wildcard = suppressing(rule.precedence, redirects);
                }
                found.rules.push(rule);
            }
            return found;
        }
        let mut collected: BTreeMap<(u32, bool), (BTreeSet<u32>, Origin)> = BTreeMap::new();
        let mut redirects = Vec::new();
        let mut passes = Vec::new();
        let mut everybody: Option<&SelectorPolicy> = None;
        for (place, id, policy) in &all {
            let own = precedence(policy).0;
            let remotes = self.selected(filter, *place, *id);
            if policy.parser != Parser::None {
                if remotes.is_none() {
                    found.wildcard = found.wildcard.max(suppressing(own, true));
                }
                redirects.push((*policy, remotes));
                continue;
            }
            let Some(remotes) = remotes else {
                if own > found.wildcard {
                    found.wildcard = own;
                    everybody = Some(policy);
                }
                continue;
            };
            if remotes.is_empty() {
                continue;
            }
            if policy.verdict == RuleVerdict::Pass {
                passes.push((*policy, remotes));
                continue;
            }
            let deny = policy.verdict == RuleVerdict::Deny;
            let (ids, origin) = collected.entry((own, deny)).or_default();
            ids.extend(remotes);
            origin.extend(&policy.origin);
        }
        if let Some(policy) = everybody {
            found.rules.push(ProxyRule::new(policy, tier));
            found.passes = policy.verdict == RuleVerdict::Pass;
        }
        for ((own, deny), (remotes, origin)) in collected {
            if own > found.wildcard {
                found.rules.push(ProxyRule {
                    precedence: own,
                    verdict: if deny {
                        ProxyVerdict::Deny
                    } else {
                        ProxyVerdict::Allow
                    },
                    remotes: remotes.into_iter().collect(),
                    origin,
                    ..ProxyRule::default()
                });
            }
        }
        for (policy, remotes) in redirects {
            let rule = self.rule(tier, policy, remotes);
            found.rules.extend(
                rule.map(|(r, _)| r)
                    .filter(|r| r.precedence > found.wildcard),
            );
        }
        for (policy, remotes) in passes {
            let rule = ProxyRule::new(policy, tier);
            if rule.precedence > found.wildcard {
                found.rules.push(ProxyRule { remotes, ..rule });
                found.passes = true;
            }
        }
        found
    }

    /// Rules of numbered and named ports, of one tier.
    fn ports(
        &self,
        direction: Direction,
        tier: &TierPolicy,
        wildcard: u32,
    ) -> Vec<PortNetworkPolicy> {
        let mut by_port: BTreeMap<(u16, u16), PortRules> = BTreeMap::new();
        for filter in &tier.filters {
            if !matches!(filter.key.protocol, protocol::TCP | protocol::ANY) {
                continue;
            }
            let (port, name) = match &filter.key.port {
                RulePort::Number(n) => (*n, None),
                RulePort::Name(name) if direction == Direction::Ingress => {
                    let own = (self.own_port)(name, filter.key.protocol);
                    (own.unwrap_or(0), None)
                }
                RulePort::Name(name) => (0, Some(name)),
            };
            if port == 0 && name.is_none() {
                continue;
            }
            for (place, (id, policy)) in filter.policies.iter().enumerate() {
                let own = precedence(policy);
                let deny = Precedence(wildcard).is_deny();
                if own.0 < wildcard || (deny && own.0 == wildcard) {
                    continue;
                }
                let remotes = self.selected(filter, place, *id);
                let Some(name) = name else {
                    if let Some((rule, ends)) = self.rule(tier, policy, remotes) {
                        let list = by_port.entry((port, filter.end_port)).or_default();
                        list.add(rule, ends, true);
                    }
                    continue;
                };
                for (port, remotes) in self.named(filter, *id, name) {
                    if let Some((rule, ends)) = self.rule(tier, policy, Some(remotes)) {
                        let list = by_port.entry((port, filter.end_port)).or_default();
                        list.add(rule, ends, false);
                    }
                }
            }
        }
        let all = by_port.into_iter();
        all.filter_map(|((port, end_port), list)| {
            let mut rules = list.pruned();
            if rules.is_empty() {
                return None;
            }
            if let [rule] = rules.as_slice()
                && rule.is_empty()
            {
                rules.clear();
            }
            Some(PortNetworkPolicy {
                port,
                end_port,
                rules,
            })
        })
        .collect()
    }

    /// The ports that a name means for those a selector selects.
    fn named(&self, filter: &Filter, id: SelectorId, name: &Arc<str>) -> BTreeMap<u16, Vec<u32>> {
        let mut by_port: BTreeMap<u16, Vec<u32>> = BTreeMap::new();
        for peer in self.selectors.selections(id).into_iter().flatten() {
            let identity = NumericIdentity(peer);
            let port = self.named_ports.get(identity, name, filter.key.protocol);
            if let Some(port) = port {
                by_port.entry(port).or_default().push(peer);
            }
        }
        by_port
    }
}

/// Rules that hold for every port, and what they keep from being asked.
#[derive(Default)]
struct EveryPort {
    rules: Vec<ProxyRule>,
    passes: bool,
    /// The precedence of the strongest rule for everybody; 0 without one.
    wildcard: u32,
}

/// Rules of one port of a tier.
#[derive(Default)]
struct PortRules {
    rules: Vec<ProxyRule>,
    /// Precedences at which all rules have to be tried.
    tried_on: BTreeSet<u32>,
    deny_all: Option<usize>,
    allow_all: Option<usize>,
}

impl PortRules {
    fn add(&mut self, rule: ProxyRule, ends: bool, may_be_for_all: bool) {
        if !ends {
            self.tried_on.insert(rule.precedence);
        }
        if may_be_for_all && rule.remotes.is_empty() {
            let place = match rule.verdict {
                ProxyVerdict::Deny => Some(&mut self.deny_all),
                _ if rule.is_plain() => Some(&mut self.allow_all),
                _ => None,
            };
            if let Some(place) = place {
                let known = place
                    .and_then(|i| self.rules.get(i))
                    .map_or(0, |r| r.precedence);
                if rule.precedence > known {
                    *place = Some(self.rules.len());
                }
            }
        }
        self.rules.push(rule);
    }

    /// Without the rules that one for everybody leaves nothing to say.
    fn pruned(self) -> Vec<ProxyRule> {
        let precedence = |place: Option<usize>| {
            let rule = self.rules.get(place?)?;
            Some(rule.precedence)
        };
        let (deny, allow) = (precedence(self.deny_all), precedence(self.allow_all));
        let keep = |i: usize, rule: &ProxyRule| {
            let denied = self.deny_all != Some(i) && deny.is_some_and(|d| rule.precedence <= d);
            let ends = !self.tried_on.contains(&rule.precedence);
            let allowed = self.allow_all != Some(i)
                && allow.is_some_and(|a| rule.precedence < a || (ends && rule.precedence == a));
            !denied && !allowed
        };
        let kept: Vec<bool> = self
            .rules
            .iter()
            .enumerate()
            .map(|(i, r)| keep(i, r))
            .collect();
        let all = self.rules.into_iter().zip(kept);
        all.filter_map(|(rule, kept)| kept.then_some(rule))
            .collect()
    }
}

fn precedence(policy: &SelectorPolicy) -> Precedence {
    let redirect = (policy.parser != Parser::None).then_some(policy.listener_priority);
    Precedence::of(policy.verdict, policy.priority, redirect)
}

/// A redirect for everybody may restrict what it allows: it suppresses lower
/// priorities alone.
fn suppressing(own: u32, redirects: bool) -> u32 {
    if redirects {
        Precedence(own).as_plain_allow().0
    } else {
        own
    }
}

/// The last priority of a tier.
const fn last_priority(tier: &TierPolicy) -> u32 {
    match tier.next_base_priority {
        0 | LOWEST_PRIORITY => LOWEST_PRIORITY,
        next => next - 1,
    }
}
