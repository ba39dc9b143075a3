//! Cases for engines that take rules, not text.
//!
//! In: a seed and a [`Profile`]. Out: a [`RuleCase`]: rules of all tiers over
//! few identities, ports and selectors, far more of them on top of each other
//! than in any cluster, and questions.

use super::Profile;
use super::dice::Dice;
use netverdict::config::{AllowLocalhost, Config, Enforcement};
use netverdict::identity::{IdentityTable, NumericIdentity};
use netverdict::label::{Label, LabelSet};
use netverdict::object::SelectorOperator;
use netverdict::policy_map::Question;
use netverdict::rule::{
    Authentication, Direction, HttpRule, L7Rules, Listener, ListenerKind, PortProtocol, PortRule,
    Rule, RuleOrigin, RulePort, RuleVerdict, Tier, protocol,
};
use netverdict::selector::{LabelQuery, Selector};
use netverdict::source::Span;
use std::sync::Arc;

/// Rules, what they apply to, and questions.
pub struct RuleCase {
    /// Agent options.
    pub config: Config,
    /// Identities, the reserved ones included.
    pub identities: IdentityTable,
    /// The rules of one subject.
    pub rules: Vec<Rule>,
    /// Named ports: identity, name, protocol, port.
    pub peer_ports: Vec<(NumericIdentity, &'static str, u8, u16)>,
    /// The subject.
    pub subject: NumericIdentity,
    /// Named ports of the subject: name, protocol, port.
    pub subject_ports: Vec<(&'static str, u8, u16)>,
    /// What to ask.
    pub questions: Vec<Question>,
}

/// Identity and labels.
const IDENTITIES: [(u32, &[&str]); 9] = [
    (
        20001,
        &["k8s:app=a", "k8s:io.kubernetes.pod.namespace=default"],
    ),
    (
        20002,
        &["k8s:app=b", "k8s:io.kubernetes.pod.namespace=default"],
    ),
    (
        20003,
        &["k8s:app=c", "k8s:io.kubernetes.pod.namespace=default"],
    ),
    (20004, &["cni:app=b", "k8s:role=x"]),
    (
        (7 << 16) | 1,
        &["k8s:app=b", "k8s:io.kubernetes.pod.namespace=default"],
    ),
    (0x0100_0001, &["cidr:10.0.0.0/8", "reserved:world-ipv4"]),
    (0x0100_0002, &["cidr:10.1.0.0/16", "reserved:world-ipv4"]),
    (0x0100_0003, &["reserved:ingress", "k8s:app=c"]),
    (0x0200_0001, &["reserved:remote-node", "node:zone=a"]),
];

const PEERS: [u32; 19] = [
    20002,
    20002,
    20002,
    20003,
    20004,
    (7 << 16) | 1,
    0x0100_0001,
    0x0100_0002,
    0x0100_0003,
    0x0200_0001,
    0,
    1,
    2,
    6,
    9,
    11,
    12,
    13,
    60000,
];

/// First and last port, 0 for none.
const PORTS: [(u16, u16); 9] = [
    (80, 0),
    (80, 0),
    (80, 95),
    (0, 0),
    (1, 1023),
    (90, 80),
    (0, 90),
    (79, 81),
    (65535, 0),
];

const NAMES: [&str; 2] = ["http", "dns"];

/// Makes the case of a seed.
#[must_use]
pub fn rule_case(seed: u64, profile: Profile) -> RuleCase {
    make(Dice::new(seed), profile)
}

/// Makes a case by the choices of a fuzzer, and by chance when they are used
/// up.
#[must_use]
pub fn rule_case_by(choices: &[u8], profile: Profile) -> RuleCase {
    make(Dice::chosen(choices, 0), profile)
}

fn make(mut dice: Dice, profile: Profile) -> RuleCase {
    let config = config(&mut dice);
    let mut identities = IdentityTable::new(&config);
    for (id, labels) in IDENTITIES {
        let labels: LabelSet = labels.iter().map(|l| Label::parse(l)).collect();
        identities.insert(NumericIdentity(id), labels);
    }
    let mut maker = Maker {
        dice,
        profile,
        config: &config,
        authenticated: Vec::new(),
        denies: false,
    };
    maker.denies = profile != Profile::Stable || maker.dice.chance(75);
    let count = maker.dice.between(1, 8);
    let rules = (0..count).map(|n| maker.rule(n)).collect();
    let mut dice = maker.dice;
    let mut peer_ports = Vec::new();
    for (id, _) in IDENTITIES {
        for name in NAMES {
            if dice.chance(50) {
                let (proto, port) = named(&mut dice);
                peer_ports.push((NumericIdentity(id), name, proto, port));
            }
        }
    }
    let subject_ports = NAMES
        .iter()
        .filter_map(|name| {
            let (proto, port) = named(&mut dice);
            dice.chance(60).then_some((*name, proto, port))
        })
        .collect();
    let questions = (0..60).map(|_| question(&mut dice)).collect();
    RuleCase {
        config,
        identities,
        rules,
        peer_ports,
        subject: NumericIdentity(dice.one(&[20001, 20001, 20001, 20001, 1, 4])),
        subject_ports,
        questions,
    }
}

fn named(dice: &mut Dice) -> (u8, u16) {
    dice.one(&[
        (protocol::TCP, 80),
        (protocol::TCP, 8080),
        (protocol::UDP, 53),
    ])
}

fn config(dice: &mut Dice) -> Config {
    Config {
        allow_localhost: dice.one(&[AllowLocalhost::Auto, AllowLocalhost::Policy]),
        enforcement: dice.one(&[
            Enforcement::Default,
            Enforcement::Default,
            Enforcement::Default,
            Enforcement::Default,
            Enforcement::Default,
            Enforcement::Default,
            Enforcement::Always,
        ]),
        cluster_id: dice.one(&[0, 0, 0, 7]),
        cidr_matches_nodes: dice.chance(5),
        cidr_matches_pods: dice.chance(5),
        host_firewall: dice.chance(50),
        icmp_rules: dice.chance(95),
        ..Config::default()
    }
}

fn question(dice: &mut Dice) -> Question {
    let proto = dice.one(&[
        protocol::TCP,
        protocol::TCP,
        protocol::TCP,
        protocol::UDP,
        protocol::SCTP,
        protocol::ICMP,
        protocol::ICMPV6,
        47,
    ]);
    let port = dice.one(&[
        80, 80, 80, 81, 82, 79, 95, 96, 90, 1, 3, 8, 0, 1023, 1024, 65535, 8080, 53,
    ]);
    Question {
        icmp_code: (proto == protocol::ICMP && dice.chance(50)).then_some(4),
        untracked_fragment: dice.chance(4),
        ..Question::new(
            dice.one(&Direction::BOTH),
            NumericIdentity(dice.one(&PEERS)),
            proto,
            port,
        )
    }
}

struct Maker<'a> {
    dice: Dice,
    profile: Profile,
    config: &'a Config,
    authenticated: Vec<Direction>,
    denies: bool,
}

impl Maker<'_> {
    fn rule(&mut self, number: u32) -> Rule {
        let direction = self.dice.one(&Direction::BOTH);
        let (tier, priority) = match self.dice.weighted(&[25, 60, 15]) {
            _ if self.profile == Profile::Simple => (Tier::NORMAL, 0.0),
            0 => (Tier::ADMIN, self.dice.one(&[0.0, 1.0, 1.01, 2.0])),
            1 => (Tier::NORMAL, 0.0),
            _ => (Tier::BASELINE, self.dice.one(&[0.0, 0.01, 3.0])),
        };
        let verdict = match self.dice.weighted(&[60, 25, 15]) {
            1 if self.denies => RuleVerdict::Deny,
            2 if tier != Tier::NORMAL && self.profile == Profile::Full => RuleVerdict::Pass,
            _ => RuleVerdict::Allow,
        };
        let ports: Vec<Arc<PortRule>> = match self.dice.weighted(&[35, 60, 5]) {
            0 => Vec::new(),
            1 => vec![self.ports(tier, verdict)],
            _ => vec![self.ports(tier, verdict), self.ports(tier, verdict)],
        };
        let peers = match self.dice.weighted(&[3, 12, 65, 20]) {
            0 => None,
            1 => Some(Vec::new()),
            2 => Some(vec![self.selector()]),
            _ => Some(vec![self.selector(), self.selector()]),
        };
        let mut rule = Rule {
            tier,
            priority,
            verdict,
            direction,
            subject: Arc::new(Selector::wildcard(Span::default())),
            selects_nodes: false,
            namespace: "".into(),
            peers,
            ports,
            default_deny: tier == Tier::NORMAL && self.dice.chance(85),
            authentication: None,
            origin: Arc::new(RuleOrigin::synthesized(&format!("rule {number}"))),
            resource: format!("cnp//{number}").into(),
            index: number,
        };
        rule.authentication = self.authentication(&rule);
        if self.dice.chance(15) {
            rule.selects_nodes = true;
        }
        rule
    }

    /// In the stable profile as [`Profile::Stable`] says.
    fn authentication(&mut self, rule: &Rule) -> Option<Authentication> {
        if rule.tier != Tier::NORMAL || rule.verdict != RuleVerdict::Allow {
            return None;
        }
        let mode = match self.profile {
            Profile::Simple => return None,
            Profile::Full if self.dice.chance(12) => {
                self.dice
                    .pick(&["required", "disabled", "test-always-fail", "else"])
            }
            Profile::Stable if !self.denies && !self.authenticated.contains(&rule.direction) => {
                let one_key = rule
                    .ports
                    .iter()
                    .all(|p| p.ports.iter().all(|p| p.end_port == 0) && p.ports.len() == 1);
                let one_peer = rule.peers.as_ref().is_none_or(|p| p.len() <= 1);
                if !(one_key && one_peer && rule.ports.len() <= 1 && self.dice.chance(50)) {
                    return None;
                }
                self.authenticated.push(rule.direction);
                self.dice.pick(&["required", "test-always-fail"])
            }
            _ => return None,
        };
        Some(Authentication::new(mode))
    }

    fn ports(&mut self, tier: Tier, verdict: RuleVerdict) -> Arc<PortRule> {
        let plain = self.profile == Profile::Simple
            || verdict != RuleVerdict::Allow
            || tier != Tier::NORMAL
            || self.dice.chance(60);
        let mut rule = PortRule::default();
        for _ in 0..self.dice.one(&[1, 1, 1, 2]) {
            rule.ports.push(self.port(!plain));
        }
        if plain {
            return Arc::new(rule);
        }
        match self.dice.weighted(&[50, 15, 20, 15]) {
            0 => {
                rule.l7 = Some(L7Rules {
                    http: vec![Arc::new(HttpRule::default())],
                    dns: Vec::new(),
                });
            }
            1 => {
                rule.l7 = Some(L7Rules {
                    http: Vec::new(),
                    dns: vec![("".into(), "*".into())],
                });
            }
            2 => {
                rule.server_names
                    .insert(self.dice.pick(&["a.io", "b.io"]).into());
            }
            _ => {
                rule.listener = Some(Listener {
                    kind: self
                        .dice
                        .one(&[ListenerKind::Unspecified, ListenerKind::Clusterwide]),
                    config: "envoy".to_owned(),
                    name: self.dice.pick(&["one", "two"]).to_owned(),
                    priority: self.dice.one(&[0, 0, 1, 50, 101, 200]),
                });
            }
        }
        Arc::new(rule)
    }

    fn port(&mut self, l7: bool) -> PortProtocol {
        let proto = match self.dice.weighted(&[60, 10, 5, 15, 5, 5]) {
            _ if l7 && self.dice.chance(80) => protocol::TCP,
            0 => protocol::TCP,
            1 => protocol::UDP,
            2 => protocol::SCTP,
            3 => protocol::ANY,
            4 => protocol::ICMP,
            _ => 47,
        };
        let (mut port, end_port) = match proto {
            47 => (RulePort::Number(0), 0),
            protocol::ICMP => (RulePort::Number(self.dice.one(&[0, 3, 8])), 0),
            _ if l7 && self.dice.chance(60) => (RulePort::Number(80), 0),
            _ => {
                let (first, last) = self.dice.one(&PORTS);
                (RulePort::Number(first), last)
            }
        };
        if self.profile != Profile::Simple
            && self.dice.chance(12)
            && !matches!(proto, 47 | protocol::ICMP)
        {
            port = RulePort::Name(self.dice.pick(&NAMES).into());
        }
        PortProtocol {
            port,
            end_port,
            protocol: proto,
            span: Span::default(),
        }
    }

    fn selector(&mut self) -> Arc<Selector> {
        let span = Span::default();
        let mut query = LabelQuery::default();
        let prefix = |text: &str| text.parse().unwrap_or_default();
        match self.dice.weighted(&[34, 12, 14, 10, 8, 4, 8, 5, 3, 2]) {
            0 => query.add_match("any:app", self.dice.pick(&["b", "b", "c", "a"])),
            1 => query.add_match("k8s:app", self.dice.pick(&["b", "c"])),
            2 => return Arc::new(Selector::wildcard(span)),
            3 => {
                let name = self.dice.pick(&[
                    "host",
                    "world",
                    "world-ipv4",
                    "remote-node",
                    "aggregate-cluster",
                    "aggregate-world",
                    "aggregate-remote-node",
                ]);
                return Arc::new(Selector::reserved(name, span));
            }
            4 => query.add_expression("any:app", SelectorOperator::Exists),
            5 => query.add_expression("any:app", SelectorOperator::DoesNotExist),
            6 => {
                let text = self.dice.pick(&["10.0.0.0/8", "10.1.0.0/16", "0.0.0.0/0"]);
                return Arc::new(Selector::cidr(text, &prefix(text), &[], self.config, span));
            }
            7 => {
                let except = [("10.1.0.0/16", prefix("10.1.0.0/16"))];
                let all = prefix("10.0.0.0/8");
                return Arc::new(Selector::cidr(
                    "10.0.0.0/8",
                    &all,
                    &except,
                    self.config,
                    span,
                ));
            }
            8 => query.add_expression("reserved:host", SelectorOperator::DoesNotExist),
            _ => return Arc::new(Selector::reserved("none", span)),
        }
        Arc::new(query.build(span))
    }
}
