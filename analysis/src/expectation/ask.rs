//! Expectations held against a cluster.

use super::ends::{self, covers};
use super::read::Problem;
use super::traffic::{Packet, icmp, packet, request};
use super::{Expectation, Expectations, Kind};
use crate::connection::Passage;
use crate::connectivity::{Connectivity, Options, longest};
use crate::coverage::Coverage;
use crate::imagined;
use crate::peer::{PeerKind, learn_stand_ins};
use crate::ports::PortSet;
use netverdict::cluster::{
    Cluster, Decision, Flow, FlowAnswer, Layer7, Layer7Outcome, Peer, Target,
};
use netverdict::l7::Secrets;
use netverdict::object::cilium::IcmpFamily;
use netverdict::policy_map::Verdict;
use netverdict::rule::{Direction, Rule};
use netverdict::source::Spanned;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A flow that is not as expected.
#[derive(Clone, Debug)]
pub struct Failed {
    /// Who sends.
    pub from: String,
    /// Who receives.
    pub to: String,
    /// What: `80/TCP`.
    pub what: String,
    /// What happens instead, in words.
    pub found: String,
    /// What is missing, when that is unknown.
    pub why: Vec<String>,
    /// The rules that decide, and whose policy they are of: the one that
    /// stops it, else both.
    pub rules: Vec<(Direction, Arc<Rule>)>,
}

/// An expectation and whether it holds.
#[derive(Clone, Debug)]
pub struct Checked<'e> {
    /// The expectation.
    pub expectation: &'e Expectation,
    /// How many questions were asked.
    pub asked: usize,
    /// What is not as expected.
    pub failed: Vec<Failed>,
    /// What cannot be asked: names of nobody, ports of nothing.
    pub problems: Vec<Problem>,
}

impl Checked<'_> {
    /// True when everything is as expected.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.failed.is_empty() && self.problems.is_empty()
    }
}

/// Checks every expectation of a file in a cluster that was made ready for
/// it, and counts the rules that were exercised.
#[must_use]
pub fn check<'e>(
    cluster: &mut Cluster,
    expectations: &'e Expectations,
    coverage: &mut Coverage,
) -> Vec<Checked<'e>> {
    let sets = |e: &Expectation| {
        let sends = e.ports.is_empty() && e.icmp.is_empty() && e.icmpv6.is_empty();
        sends || e.kind == Kind::Only
    };
    // Sets of ports are asked of the cluster as a whole.
    let stand_ins = match expectations.items.iter().any(sets) {
        true => learn_stand_ins(cluster),
        false => Default::default(),
    };
    let cluster = &*cluster;
    let whole = expectations.items.iter().any(sets).then(|| {
        let options = Options {
            stand_ins,
            ..Options::default()
        };
        Connectivity::new(cluster, &options)
    });
    let all = expectations.items.iter().map(|expectation| {
        let mut asker = Asker {
            cluster,
            coverage: &mut *coverage,
            checked: Checked {
                expectation,
                asked: 0,
                failed: Vec::new(),
                problems: Vec::new(),
            },
        };
        match &whole {
            Some(whole) if expectation.kind == Kind::Only => asker.only(whole),
            Some(whole) if sets(expectation) => asker.every_port(whole),
            _ => asker.flows(),
        }
        asker.checked
    });
    all.collect()
}

struct Asker<'a, 'e> {
    cluster: &'a Cluster,
    coverage: &'a mut Coverage,
    checked: Checked<'e>,
}

impl Asker<'_, '_> {
    fn wrong(&mut self, text: &Spanned<String>, message: String) {
        self.checked.problems.push(Problem {
            span: text.span,
            message,
        });
    }

    fn find(&mut self, texts: &[Spanned<String>]) -> Vec<Peer> {
        let mut found = Vec::new();
        for text in texts {
            match ends::find(self.cluster, &text.value) {
                Ok(peers) => found.extend(peers),
                Err(message) => self.wrong(text, message),
            }
        }
        found
    }

    fn packets(&mut self, to: &Peer) -> Vec<Packet> {
        let expectation = self.checked.expectation;
        let endpoint = match &to.target {
            Target::Endpoint(e) => Some(&**e),
            _ => None,
        };
        let ports = expectation
            .ports
            .iter()
            .map(|t| (t, packet(&t.value, endpoint)));
        let v4 = expectation
            .icmp
            .iter()
            .map(|t| (t, icmp(&t.value, IcmpFamily::V4)));
        let v6 = expectation
            .icmpv6
            .iter()
            .map(|t| (t, icmp(&t.value, IcmpFamily::V6)));
        let mut found = Vec::new();
        for (text, read) in ports.chain(v4).chain(v6) {
            match read {
                Ok(packet) => found.push(packet),
                Err(message) => self.wrong(text, message),
            }
        }
        found
    }

    /// Asks about every sender, receiver and port.
    fn flows(&mut self) {
        let expectation = self.checked.expectation;
        let request = match (request(expectation), &expectation.http) {
            (Ok(request), _) => request,
            (Err(message), Some(text)) => return self.wrong(text, message),
            (Err(_), None) => None,
        };
        let senders = self.find(&expectation.from);
        for to in self.find(&expectation.to) {
            for packet in self.packets(&to) {
                for from in &senders {
                    let flow = Flow {
                        from,
                        to: &to,
                        protocol: packet.protocol,
                        port: packet.port,
                        icmp_code: packet.code,
                        untracked_fragment: false,
                    };
                    let sent = Layer7 {
                        server_name: expectation.sni.as_ref().map(|t| t.value.as_str()),
                        request: request.clone(),
                        query: expectation.dns.as_ref().map(|t| t.value.as_str()),
                    };
                    self.flow(&flow, &sent, &packet.to_string());
                }
            }
        }
    }

    fn flow(&mut self, flow: &Flow<'_>, sent: &Layer7<'_>, what: &str) {
        self.checked.asked += 1;
        let explained = self.cluster.explain(flow);
        self.coverage.count(&explained, 1);
        let answer = explained.answer;
        let sends = sent.request.is_some() || sent.query.is_some() || sent.server_name.is_some();
        let outcome = match sends && answer.overall.is_allowed() {
            true => {
                let secrets = Secrets::default();
                self.cluster.layer7(flow, &answer, sent, &secrets).outcome
            }
            false => None,
        };
        // Whoever has to authenticate gets through in the end.
        let passes = |v: Verdict| v.is_allowed() || v == Verdict::AuthRequired;
        let passes = answer.overall.verdict().map(passes);
        let passes = match &outcome {
            Some(Layer7Outcome::Unknown(_)) => None,
            Some(outcome) => Some(outcome.passes()),
            None => passes,
        };
        let redirected = answer.overall == Decision::Verdict(Verdict::Redirect);
        let holds = match (self.checked.expectation.kind, passes) {
            (_, None) => false,
            (Kind::Allow, Some(passes)) => passes,
            (Kind::Redirect, Some(passes)) => passes && redirected,
            (Kind::Deny | Kind::Only, Some(passes)) => !passes,
        };
        if holds {
            return;
        }
        let found = match &outcome {
            Some(outcome) => format!("what is sent is {outcome}"),
            None => said(&answer.overall).to_owned(),
        };
        let mut failed = failed(flow.from, flow.to, what, &answer);
        failed.found = found;
        self.checked.failed.push(failed);
    }

    /// Nobody but the senders reaches the receivers.
    fn only(&mut self, whole: &Connectivity<'_>) {
        let expectation = self.checked.expectation;
        for text in &expectation.from {
            let cluster = self.cluster;
            let known = whole
                .peers()
                .iter()
                .any(|p| covers(cluster, &text.value, p));
            // An address nobody mentions is part of a longer prefix, or none.
            if !known && let Err(message) = ends::find(cluster, &text.value) {
                self.wrong(text, message);
            }
        }
        for to in self.find(&expectation.to) {
            let Target::Endpoint(receiver) = &to.target else {
                let text = expectation.to.first().cloned().unwrap_or_default();
                self.wrong(
                    &text,
                    format!("`{to}` is no pod: `only` is about who reaches pods"),
                );
                continue;
            };
            let mut ports = PortSet::none();
            for packet in self.packets(&to) {
                let one = PortSet::range(packet.protocol, packet.port, packet.port);
                ports = ports.union(&one);
            }
            if expectation.ports.is_empty()
                && expectation.icmp.is_empty()
                && expectation.icmpv6.is_empty()
            {
                ports = PortSet::all();
            }
            let Some(place) = whole.peer_of(receiver) else {
                continue;
            };
            self.outsiders(whole, place, &to, &ports);
        }
    }

    fn outsiders(&mut self, whole: &Connectivity<'_>, place: usize, to: &Peer, ports: &PortSet) {
        let expectation = self.checked.expectation;
        let mut imagined_ones = Vec::new();
        let mut existing = false;
        for (number, peer) in whole.peers().iter().enumerate() {
            let inside = |t: &Spanned<String>| covers(self.cluster, &t.value, peer);
            if expectation.from.iter().any(inside) {
                continue;
            }
            let Some(connection) = whole.connection(number, place) else {
                continue;
            };
            self.checked.asked += 1;
            let open = connection.open().intersection(ports);
            self.exercise(peer, to, &ports.difference(&open));
            let unknown = connection.unknown().intersection(ports);
            let Some((protocol, port)) = open.example().or_else(|| unknown.example()) else {
                continue;
            };
            let Some(from) = end(self.cluster, peer) else {
                continue;
            };
            let flow = Flow::new(&from, to, protocol, port);
            let answer = self.cluster.flow(&flow);
            // Nobody can keep a pod's own node from it.
            let by_itself = answer.ingress.as_ref().is_some_and(|s| {
                !s.rules.is_empty() && s.rules.iter().all(|r| r.origin.is_synthesized())
            });
            let is_host = peer.kind == PeerKind::Entity("host");
            if is_host && by_itself {
                continue;
            }
            let packet = Packet {
                protocol,
                port,
                code: None,
            };
            let mut failed = failed(&from, to, &packet.to_string(), &answer);
            failed.found = match open.is_empty() {
                true => said(&answer.overall).to_owned(),
                false => "allowed".to_owned(),
            };
            let no_pod = peer.endpoints.iter().any(|e| imagined::is_imagined(e));
            if no_pod {
                failed.from = format!("{} (no such pod yet)", failed.from);
                imagined_ones.push(failed);
            } else {
                existing |= peer.is_workload();
                self.checked.failed.push(failed);
            }
        }
        // One that exists says it better.
        if !existing {
            self.checked.failed.extend(imagined_ones);
        }
    }

    /// Counts the rules that close a set of ports, by one of them.
    fn exercise(&mut self, peer: &crate::peer::Peer, to: &Peer, closed: &PortSet) {
        let from = end(self.cluster, peer);
        if let (Some(from), Some((protocol, port))) = (from, closed.example()) {
            let flow = Flow::new(&from, to, protocol, port);
            self.coverage.count(&self.cluster.explain(&flow), 1);
        }
    }

    /// Every port of every protocol, exactly.
    fn every_port(&mut self, whole: &Connectivity<'_>) {
        let expectation = self.checked.expectation;
        let mut senders = BTreeSet::new();
        let mut receivers = BTreeSet::new();
        let sides = [
            (&expectation.from, &mut senders),
            (&expectation.to, &mut receivers),
        ];
        for (texts, numbers) in sides {
            for text in texts {
                let found = self.peers(whole, text);
                numbers.extend(found);
            }
        }
        for to in receivers {
            for from in &senders {
                let (Some(own), Some(other)) = (whole.peers().get(*from), whole.peers().get(to))
                else {
                    continue;
                };
                let Some(connection) = whole.connection(*from, to) else {
                    continue;
                };
                self.checked.asked += 1;
                if let Some(to) = end(self.cluster, other) {
                    self.exercise(own, &to, &connection.open().complement());
                }
                let passing = match expectation.kind {
                    Kind::Redirect => connection.ports.set(|p| match p {
                        Passage::Open(terms) => terms.layer7().is_some(),
                        _ => false,
                    }),
                    _ => connection.open(),
                };
                let wrong = match expectation.kind {
                    Kind::Allow | Kind::Redirect => passing.complement(),
                    Kind::Deny | Kind::Only => passing.union(&connection.unknown()),
                };
                let Some((protocol, port)) = wrong.example() else {
                    continue;
                };
                let (Some(from), Some(to)) = (end(self.cluster, own), end(self.cluster, other))
                else {
                    continue;
                };
                let packet = Packet {
                    protocol,
                    port,
                    code: None,
                };
                let flow = Flow::new(&from, &to, protocol, port);
                let answer = self.cluster.flow(&flow);
                let mut failed = failed(&from, &to, &packet.to_string(), &answer);
                failed.found = format!("{}, for instance", said(&answer.overall));
                self.checked.failed.push(failed);
            }
        }
    }

    /// The peers of a whole cluster that a text means.
    fn peers(&mut self, whole: &Connectivity<'_>, text: &Spanned<String>) -> Vec<usize> {
        let peers = whole.peers();
        let covered = |p: &crate::peer::Peer| covers(self.cluster, &text.value, p);
        let mut found: Vec<usize> = (0..)
            .zip(peers)
            .filter(|(_, p)| covered(p))
            .map(|(n, _)| n)
            .collect();
        if !found.is_empty() {
            return found;
        }
        match ends::find(self.cluster, &text.value) {
            Ok(ends) => {
                for end in ends {
                    let number = match &end.target {
                        Target::Endpoint(e) => whole.peer_of(e),
                        Target::Address(ip) => {
                            let longest = longest(peers, &(*ip).into());
                            longest.and_then(|p| whole.find(&p.name))
                        }
                        Target::Prefix(prefix) => {
                            longest(peers, prefix).and_then(|p| whole.find(&p.name))
                        }
                        _ => None,
                    };
                    match number {
                        Some(number) => found.push(number),
                        None => {
                            let message =
                                format!("`{end}` can be asked about ports alone: name one");
                            self.wrong(text, message);
                        }
                    }
                }
            }
            Err(message) => self.wrong(text, message),
        }
        found
    }
}

/// A peer as one end of a flow.
fn end(cluster: &Cluster, peer: &crate::peer::Peer) -> Option<Peer> {
    let target = match &peer.kind {
        PeerKind::Workload => Target::Endpoint(Arc::clone(peer.endpoints.first()?)),
        PeerKind::Entity("world") => Target::Entity("world"),
        PeerKind::Entity(name) => cluster.peer(&format!("entity:{name}")).ok()?.target,
        PeerKind::Prefix(prefix) => Target::Address(prefix.addr()),
        PeerKind::Name(name) => cluster.peer(&format!("fqdn:{name}")).ok()?.target,
    };
    Some(Peer {
        text: peer.name.clone(),
        target,
    })
}

fn failed(from: &Peer, to: &Peer, what: &str, answer: &FlowAnswer) -> Failed {
    let sides = [&answer.egress, &answer.ingress].into_iter().flatten();
    let stopped = sides.clone().any(|s| !s.decision.is_allowed());
    let mut rules: Vec<(Direction, Arc<Rule>)> = Vec::new();
    for side in sides.filter(|s| !stopped || !s.decision.is_allowed()) {
        let off = side.decision.verdict() == Some(Verdict::DefaultDeny);
        let own = match (&side.policy, off) {
            (Some(policy), true) => {
                let all = policy.subject.direction(side.direction).rules.iter();
                all.filter(|r| r.default_deny).cloned().collect()
            }
            _ => side.rules.clone(),
        };
        let own = own.into_iter().filter(|r| !r.origin.is_synthesized());
        rules.extend(own.map(|r| (side.direction, r)));
        if stopped {
            break;
        }
    }
    Failed {
        from: from.to_string(),
        to: to.to_string(),
        what: what.to_owned(),
        found: String::new(),
        why: match &answer.overall {
            Decision::Unknown { why } => why.clone(),
            Decision::Verdict(_) => Vec::new(),
        },
        rules,
    }
}

fn said(decision: &Decision) -> &'static str {
    match decision.verdict() {
        Some(Verdict::Allow) => "allowed",
        Some(Verdict::Redirect) => "allowed by way of a proxy",
        Some(Verdict::Deny) => "denied",
        Some(Verdict::DefaultDeny) => "denied by default",
        Some(Verdict::AuthRequired) => "dropped until authenticated",
        None => "unknown",
    }
}
