//! What rules do beside each other.
//!
//! In: the endpoints of a cluster with their policies. Out: findings about
//! allow rules that a deny rule or the other side's policy undoes, and about
//! rules without which every verdict is the same. Policy maps with and without
//! a rule are compared at every port that their entries tell apart, for every
//! identity of the input that is a peer of the rule.

use super::crowd::{Crowd, Group, Selected, address, is_of_pods};
use netverdict::cluster::ResolvedPolicy;
use netverdict::diagnostic::Severity::{Info, Warning};
use netverdict::diagnostic::{Code, Diagnostic};
use netverdict::identity::NumericIdentity;
use netverdict::object::template;
use netverdict::policy_map::{Question, Verdict};
use netverdict::rule::{Direction, PortRule, Rule, RulePort, RuleVerdict, Tier, protocol};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// Deny rules deny everything that an allow rule allows.
pub const DENIED_ALLOW: Code = Code::new(701, Warning, "allowed here, denied elsewhere");
/// Without the rule every verdict on the pods of the input is the same.
pub const REDUNDANT: Code = Code::new(702, Info, "rule that changes nothing");
/// One side allows what the policy of the other side drops.
pub const ONE_SIDED: Code = Code::new(703, Warning, "allowed on one side only");

/// Entries of policy maps that are made anew without a rule, in one check.
/// What is left of very large inputs then is not looked at.
const MAX_ENTRIES: usize = 5_000_000;
/// What resolving a policy costs beside its entries.
const POLICY: usize = 50;
/// Questions asked of policy maps, in one check.
const MAX_QUESTIONS: usize = 5_000_000;

/// Ports of a protocol, the last included.
type Range = (u8, u16, u16);

/// Findings of the last check, with what they follow from.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The input is open.
    open: bool,
    population: u64,
    /// By address of a rule.
    rules: HashMap<usize, Known>,
}

/// What was found about a rule.
#[derive(Debug)]
struct Known {
    /// Holds the address.
    rule: Arc<Rule>,
    /// The groups that were looked at: while all of these are there, and the
    /// peers and their names are the same, the same would be found.
    groups: Vec<Arc<Group>>,
    selected: Selected,
    named: Vec<(NumericIdentity, String)>,
    /// Entries and questions that it took.
    cost: [usize; 2],
    finding: Option<Diagnostic>,
}

pub(super) fn check(crowd: &Crowd<'_>, memory: &mut Memory) -> Vec<Diagnostic> {
    let mut checker = Checker {
        crowd,
        entries: MAX_ENTRIES,
        questions: MAX_QUESTIONS,
        groups: Vec::new(),
        named: Vec::new(),
    };
    let open = crowd.cluster.has_open_input();
    let mut before = match open == memory.open && crowd.stays() {
        true => std::mem::take(&mut memory.rules),
        false => HashMap::new(),
    };
    let population = crowd.cluster.population();
    let same_peers = population == memory.population;
    *memory = Memory {
        open,
        population,
        rules: HashMap::with_capacity(before.len()),
    };
    let groups: HashSet<usize> = crowd
        .groups()
        .iter()
        .map(|g| Arc::as_ptr(g) as usize)
        .collect();
    let there = |group: &Arc<Group>| groups.contains(&(Arc::as_ptr(group) as usize));
    let named = |(id, name): &(NumericIdentity, String)| crowd.name(*id) == *name;
    let mut found = Vec::new();
    for rule in crowd.cluster.repository().rules() {
        let plain = rule.verdict == RuleVerdict::Allow
            && rule.tier == Tier::NORMAL
            && !rule.selects_nodes
            && rule
                .peers
                .as_ref()
                .is_some_and(|p| !p.is_empty() || !rule.ports.is_empty());
        if !plain || has_variable(rule) {
            continue;
        }
        let known = before.remove(&address(rule)).filter(|known| {
            let [entries, questions] = known.cost;
            Arc::ptr_eq(&known.rule, rule)
                && known.groups.iter().all(there)
                && (same_peers || known.selected.holds(crowd) && known.named.iter().all(named))
                && entries <= checker.entries
                && questions < checker.questions
        });
        let known = known.unwrap_or_else(|| checker.rule(rule));
        let [entries, questions] = known.cost;
        checker.entries = checker.entries.saturating_sub(entries);
        checker.questions = checker.questions.saturating_sub(questions);
        found.extend(known.finding.clone());
        memory.rules.insert(address(rule), known);
    }
    found
}

fn has_variable(rule: &Rule) -> bool {
    let names = rule.ports.iter().flat_map(|p| &p.ports);
    let mut names = names.filter_map(|p| match &p.port {
        RulePort::Name(name) => template::find(name),
        RulePort::Number(_) => None,
    });
    template::find(&rule.namespace).is_some() || names.next().is_some()
}

/// A rule that says more than that traffic passes.
fn says_more(rule: &Rule) -> bool {
    let more = |p: &Arc<PortRule>| {
        p.l7.as_ref().is_some_and(|l7| !l7.is_empty())
            || p.listener.is_some()
            || p.terminating_tls.is_some()
            || p.originating_tls.is_some()
            || !p.server_names.is_empty()
    };
    rule.authentication.is_some() || !rule.origin.log.is_empty() || rule.ports.iter().any(more)
}

/// What a rule allows at a subject; `None` when names of ports leave it open.
fn ranges(rule: &Rule, group: &Group) -> Option<Vec<Range>> {
    let transports = [protocol::TCP, protocol::UDP, protocol::SCTP];
    if rule.ports.is_empty() {
        let mut all: Vec<Range> = transports.iter().map(|p| (*p, 0, u16::MAX)).collect();
        all.extend([(protocol::ICMP, 0, 255), (protocol::ICMPV6, 0, 255)]);
        return Some(all);
    }
    let mut all = Vec::new();
    for port in rule.ports.iter().flat_map(|p| &p.ports) {
        let (first, last) = match &port.port {
            RulePort::Number(0) => (0, u16::MAX),
            RulePort::Number(n) => (*n, port.end_port.max(*n)),
            RulePort::Name(name) if rule.direction == Direction::Ingress => {
                let (protocol, number) = group.one()?.named_ports.get(name)?;
                all.push((*protocol, *number, *number));
                continue;
            }
            RulePort::Name(_) => return None,
        };
        match port.protocol {
            protocol::ANY => all.extend(transports.iter().map(|p| (*p, first, last))),
            one => all.push((one, first, last)),
        }
    }
    Some(all)
}

/// The ports of ranges at which a map's verdicts may change.
fn cuts<'m>(
    ranges: &[Range],
    policies: impl IntoIterator<Item = &'m ResolvedPolicy>,
    direction: Direction,
) -> Vec<(u8, u16)> {
    let mut of_protocol: BTreeMap<u8, BTreeSet<u16>> = BTreeMap::new();
    for policy in policies {
        for (_, key, _) in policy.map.direction(direction).iter() {
            let ports = of_protocol.entry(key.protocol).or_default();
            ports.insert(key.port);
            ports.extend(key.last_port().checked_add(1));
        }
    }
    let mut points = Vec::new();
    for (protocol, first, last) in ranges {
        points.push((*protocol, *first));
        let within = of_protocol.get(protocol).into_iter().flatten();
        let within = within.filter(|p| first < *p && *p <= last);
        points.extend(within.map(|p| (*protocol, *p)));
    }
    points
}

fn at((protocol, port): (u8, u16)) -> String {
    let name = protocol::name(protocol).map_or_else(|| protocol.to_string(), str::to_owned);
    match port {
        0 => name,
        port => format!("{port}/{name}"),
    }
}

struct Checker<'c> {
    crowd: &'c Crowd<'c>,
    entries: usize,
    questions: usize,
    /// Looked at for one rule.
    groups: Vec<Arc<Group>>,
    /// Whom its finding names.
    named: Vec<(NumericIdentity, String)>,
}

/// A question whose answer speaks for a finding.
struct Witness {
    subject: String,
    peer: NumericIdentity,
    point: (u8, u16),
    rule: Option<Arc<Rule>>,
}

impl Checker<'_> {
    /// What there is to find about a rule; what it takes is not taken yet.
    fn rule(&mut self, rule: &Arc<Rule>) -> Known {
        let left = [self.entries, self.questions];
        let finding = self.one_sided(rule);
        let finding = finding.or_else(|| self.without_effect(rule));
        let cost = [left[0] - self.entries, left[1] - self.questions];
        [self.entries, self.questions] = left;
        Known {
            rule: Arc::clone(rule),
            groups: std::mem::take(&mut self.groups),
            selected: Selected::new(self.crowd, rule),
            named: std::mem::take(&mut self.named),
            cost,
            finding,
        }
    }

    /// Who an identity is, for people.
    fn name(&mut self, id: NumericIdentity) -> String {
        let name = self.crowd.name(id);
        self.named.push((id, name.clone()));
        name
    }

    fn looks_at(&mut self, group: &Arc<Group>) {
        let known = self.groups.last().is_some_and(|g| Arc::ptr_eq(g, group));
        if !known {
            self.groups.push(Arc::clone(group));
        }
    }

    fn verdict(
        &mut self,
        policy: &ResolvedPolicy,
        direction: Direction,
        peer: NumericIdentity,
        (protocol, port): (u8, u16),
    ) -> (Verdict, u8, Option<Arc<Rule>>) {
        self.questions = self.questions.saturating_sub(1);
        let question = Question::new(direction, peer, protocol, port);
        let outcome = policy.map.lookup(&question, self.crowd.cluster.config());
        let rules = policy.subject.direction(direction);
        let rule = outcome.entry.and_then(|(_, e)| {
            let mut origins = rules.rules_of(&e.origin);
            origins.next().cloned()
        });
        (outcome.verdict, outcome.auth_type, rule)
    }

    /// A rule that changes no verdict, or none but to be overruled.
    fn without_effect(&mut self, rule: &Arc<Rule>) -> Option<Diagnostic> {
        let peers = self.crowd.peers(rule)?;
        let direction = rule.direction;
        let mut denied: Option<Witness> = None;
        let mut passed: Option<Witness> = None;
        let mut any = false;
        for group in self.crowd.subjects(rule) {
            self.looks_at(group);
            let endpoint = group.one()?;
            let ranges = ranges(rule, group)?;
            let cost = group.policy.map.len() + POLICY;
            self.entries = self.entries.checked_sub(cost)?;
            let without = self.crowd.cluster.policy_without(endpoint, rule).ok()?;
            let (new, old) = (
                without.subject.direction(direction),
                group.policy.subject.direction(direction),
            );
            if new.enforced != old.enforced || new.default_deny != old.default_deny {
                return None;
            }
            for point in cuts(&ranges, [&*group.policy, &without], direction) {
                for peer in &peers {
                    if self.questions == 0 {
                        return None;
                    }
                    let with = self.verdict(&group.policy, direction, *peer, point);
                    let than = self.verdict(&without, direction, *peer, point);
                    if (with.0, with.1) != (than.0, than.1) || than.0 == Verdict::Redirect {
                        return None;
                    }
                    any = true;
                    let witness = match than.0 {
                        Verdict::Deny => &mut denied,
                        // What a rule allows and nobody gets is another matter.
                        Verdict::DefaultDeny => return None,
                        _ => &mut passed,
                    };
                    witness.get_or_insert_with(|| Witness {
                        subject: endpoint.to_string(),
                        peer: *peer,
                        point,
                        rule: than.2,
                    });
                }
            }
        }
        if !any {
            return None;
        }
        match (passed, denied) {
            (None, Some(witness)) => Some(self.denied(rule, &witness)),
            (Some(witness), _) if !says_more(rule) => Some(self.redundant(rule, &witness)),
            _ => None,
        }
    }

    fn flow(&mut self, direction: Direction, witness: &Witness) -> String {
        let peer = self.name(witness.peer);
        let subject = format!("`{}`", witness.subject);
        let at = at(witness.point);
        match direction {
            Direction::Ingress => format!("{peer} → {subject} {at}"),
            Direction::Egress => format!("{subject} → {peer} {at}"),
        }
    }

    fn denied(&mut self, rule: &Rule, witness: &Witness) -> Diagnostic {
        let flow = self.flow(rule.direction, witness);
        let finding = finding_at(
            rule,
            DENIED_ALLOW,
            format!("nothing that this rule allows gets through; {flow}, for instance, is denied"),
        );
        let finding = match &witness.rule {
            Some(deny) => {
                let who = &deny.origin.object;
                finding.label(deny.origin.span, format!("`{who}` denies it"))
            }
            None => finding,
        };
        finding.help("deny rules come before allow rules, wherever they stand: remove the one, or narrow the other")
    }

    fn redundant(&mut self, rule: &Rule, witness: &Witness) -> Diagnostic {
        let flow = self.flow(rule.direction, witness);
        let finding = finding_at(
            rule,
            REDUNDANT,
            format!(
                "without this rule every verdict on the input's pods is the same; {flow}, for instance, is allowed anyway"
            ),
        );
        match &witness.rule {
            Some(other) => {
                let who = &other.origin.object;
                finding.label(other.origin.span, format!("by this one of `{who}`"))
            }
            None => finding,
        }
    }

    /// A rule whose traffic the policies of all its peers drop.
    fn one_sided(&mut self, rule: &Arc<Rule>) -> Option<Diagnostic> {
        let peers = rule.peers.as_ref().filter(|p| !p.is_empty())?;
        if !peers.iter().all(|p| is_of_pods(p)) || self.crowd.cluster.has_open_input() {
            return None;
        }
        let peers = self.crowd.peers(rule)?;
        let other_side = match rule.direction {
            Direction::Ingress => Direction::Egress,
            Direction::Egress => Direction::Ingress,
        };
        let mut first: Option<(String, String, Vec<Arc<Rule>>)> = None;
        for group in self.crowd.subjects(rule) {
            self.looks_at(group);
            let ranges = ranges(rule, group)?;
            let subjects: BTreeSet<NumericIdentity> =
                group.endpoints.iter().map(|e| e.identity).collect();
            for peer in &peers {
                // Of an identity without endpoints no policy is known.
                self.crowd.of_identity(*peer).next()?;
                for (of_peer, endpoint) in self.crowd.of_identity(*peer) {
                    self.looks_at(of_peer);
                    let isolating = &of_peer.policy.subject.direction(other_side);
                    if !isolating.enforced {
                        return None;
                    }
                    let points = cuts(&ranges, [&*of_peer.policy], other_side);
                    for subject in &subjects {
                        for point in &points {
                            if self.questions == 0 {
                                return None;
                            }
                            let answer =
                                self.verdict(&of_peer.policy, other_side, *subject, *point);
                            if !matches!(answer.0, Verdict::Deny | Verdict::DefaultDeny) {
                                return None;
                            }
                            if first.is_none() {
                                let own = self.name(*subject);
                                let isolates = isolating.rules.iter();
                                let isolates = isolates.filter(|r| r.default_deny).take(1);
                                let rules = match answer.2 {
                                    Some(deny) => vec![deny],
                                    None => isolates.cloned().collect(),
                                };
                                first = Some((own, format!("`{endpoint}`"), rules));
                            }
                        }
                    }
                }
            }
        }
        let (own, peer, rules) = first?;
        let message = match rule.direction {
            Direction::Ingress => format!(
                "{peer} may connect to {own} by this rule, and its own egress does not allow it"
            ),
            Direction::Egress => format!(
                "{own} may connect to {peer} by this rule, and ingress of {peer} does not allow it"
            ),
        };
        let mut finding = finding_at(rule, ONE_SIDED, message);
        for other in rules {
            let who = &other.origin.object;
            finding = finding.label(other.origin.span, format!("`{who}` drops it"));
        }
        Some(finding.help(format!(
            "a connection takes {other_side} of the other side, too: allow it there, or remove this rule"
        )))
    }
}

fn finding_at(rule: &Rule, code: Code, message: String) -> Diagnostic {
    Diagnostic::new(code, rule.origin.span, message)
        .at(rule.origin.path.as_str())
        .of(rule.origin.object.to_string())
}
