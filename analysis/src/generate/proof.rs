//! What generated policies do.
//!
//! In: a cluster, needs, and policies. Out: the needs they meet and those they
//! do not, with why; every connection that they open and nobody needs.

use super::{Generated, Need, Terms};
use crate::connectivity::{Connectivity, Options, longest};
use crate::peer::{PeerKind, StandIns, learn_stand_ins};
use crate::ports::PortSet;
use netverdict::cluster::{Change, Cluster, Flow, Target};
use netverdict::object::Object;
use netverdict::object::load::{LoadOptions, load};
use netverdict::rule::Rule;
use netverdict::source::SourceId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A need that is not met.
#[derive(Clone, Debug)]
pub struct Unmet {
    /// The need, in words.
    pub need: String,
    /// What happens instead.
    pub found: String,
    /// The rules that decide.
    pub rules: Vec<Arc<Rule>>,
}

/// A connection that nobody needs and that is open now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Opened {
    /// Who sends.
    pub from: String,
    /// Who receives.
    pub to: String,
    /// On which ports.
    pub ports: String,
}

/// What policies do.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    /// How many needs are met.
    pub met: usize,
    /// Those that are not.
    pub unmet: Vec<Unmet>,
    /// What else is open.
    pub opened: BTreeSet<Opened>,
    /// Complaints about the policies; none unless something is wrong here.
    pub refused: Vec<String>,
}

impl Proof {
    /// True when every need is met and nothing else opens.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.unmet.is_empty() && self.opened.is_empty() && self.refused.is_empty()
    }
}

/// Adds the policies to the cluster and looks what changes. `source` is where
/// their text is known as.
///
/// ```
/// use netverdict::{cluster::Cluster, source::SourceId};
/// use netverdict_analysis::generate::{Need, Scope, behind_service, generate, prove};
///
/// let mut cluster = Cluster::read(include_str!("../../../core/examples/shop.yaml"))?;
/// let need = Need::port(cluster.peer("shop/web")?, cluster.peer("shop/db")?, (6, 8080), "asked for".into());
/// // What is sent to a service reaches its backends; here there is none.
/// let need = behind_service(&cluster, need);
/// let scope = Scope { namespaces: ["shop".to_owned()].into(), ..Scope::default() };
/// let generated = generate(&cluster, std::slice::from_ref(&need), &scope);
/// let proof = prove(&mut cluster, &[need], &generated, SourceId(9));
/// assert!(proof.is_complete() && proof.met == 1);
/// # Ok::<(), Box<netverdict::diagnostic::Diagnostic>>(())
/// ```
pub fn prove(
    cluster: &mut Cluster,
    needs: &[Need],
    generated: &Generated,
    source: SourceId,
) -> Proof {
    let mut proof = Proof::default();
    let config = cluster.config().clone();
    let loaded = load(source, &generated.yaml(), &LoadOptions::new(&config));
    for d in &loaded.diagnostics {
        if d.severity == netverdict::diagnostic::Severity::Error {
            proof.refused.push(d.message.clone());
        }
    }
    let objects: Vec<Object> = loaded.into_objects().collect();
    let subjects: BTreeSet<String> = generated.policies.iter().map(|(n, _)| n.clone()).collect();
    let options = |cluster: &mut Cluster, stand_ins: &StandIns| {
        let mut stand_ins = stand_ins.clone();
        stand_ins.extend(learn_stand_ins(cluster));
        Options {
            stand_ins,
            ..Options::default()
        }
    };
    let first = options(cluster, &StandIns::new());
    let before = snapshot(&Connectivity::new(cluster, &first), &subjects, None);
    cluster.apply(objects.into_iter().map(|o| Change::Upsert(Box::new(o))));
    // Names that only the new policies speak of.
    let options = options(cluster, &first.stand_ins);
    let after = Connectivity::new(cluster, &options);
    for need in needs {
        match unmet(&after, need) {
            None => proof.met += 1,
            Some(why) => proof.unmet.push(why),
        }
    }
    // Who says all that is open says what is closed.
    let exactly = needs
        .iter()
        .any(|n| matches!(n.terms, Terms::Exactly { .. }));
    let before = if exactly { Open::new() } else { before };
    let needed = needed(&after, needs);
    for ((from, to), ports) in snapshot(&after, &subjects, Some(&before)) {
        // A pod's own node always reaches it.
        if exactly && from == "entity:host" {
            continue;
        }
        let wanted = needed.get(&(from.clone(), to.clone()));
        let more = wanted.map_or_else(|| ports.clone(), |w| ports.difference(w));
        if !more.is_empty() {
            proof.opened.insert(Opened {
                from,
                to,
                ports: more.to_string(),
            });
        }
    }
    proof
}

/// Why a need is not met.
fn unmet(after: &Connectivity<'_>, need: &Need) -> Option<Unmet> {
    let said = |found: String, rules: Vec<Arc<Rule>>| {
        let need = format!("{} → {} {}", need.from, need.to, need.ports);
        Some(Unmet { need, found, rules })
    };
    let asked = |(protocol, port): (u8, u16)| {
        after
            .cluster()
            .flow(&Flow::new(&need.from, &need.to, protocol, port))
    };
    let deciding = |answer: &netverdict::cluster::FlowAnswer| {
        let sides = [&answer.egress, &answer.ingress].into_iter().flatten();
        let side = sides.into_iter().find(|s| !s.decision.is_allowed());
        side.map(|s| s.rules.clone()).unwrap_or_default()
    };
    let (requests, authenticated) = match (&need.terms, need.ports.single()) {
        (Terms::Any, Some(port)) => {
            let answer = asked(port);
            return match answer.overall.is_allowed() {
                true => None,
                false => said(answer.overall.to_string(), deciding(&answer)),
            };
        }
        (Terms::Any, None) => (None, false),
        (
            Terms::Exactly {
                requests,
                authenticated,
            },
            _,
        ) => (Some(requests.lines()), *authenticated),
    };
    let number = |peer| name_of(after, peer).and_then(|n| after.find(&n));
    let (Some(from), Some(to)) = (number(&need.from), number(&need.to)) else {
        return said("no rule names it".to_owned(), Vec::new());
    };
    let connection = after.connection(from, to)?;
    let missing = need.ports.difference(&connection.open());
    if let Some(port) = missing.example() {
        let rules = deciding(&asked(port));
        return said(format!("{missing} stays closed"), rules);
    }
    let requests = requests?;
    for (terms, ports) in connection.by_terms() {
        let common = ports.intersection(&need.ports);
        let lines: BTreeSet<String> = terms.requests().into_iter().collect();
        if !common.is_empty() && (lines != requests || terms.authenticated() != authenticated) {
            let found = match terms.brief() {
                brief if brief.is_empty() => "without conditions".to_owned(),
                brief => brief,
            };
            return said(
                format!("{common} is open on other terms: {found}"),
                Vec::new(),
            );
        }
    }
    None
}

type Open = BTreeMap<(String, String), PortSet>;

/// What workloads with these names may send and get; given what was open
/// before, only what is new.
fn snapshot(all: &Connectivity<'_>, subjects: &BTreeSet<String>, before: Option<&Open>) -> Open {
    let peers = all.peers();
    let is_subject = |n: usize| {
        let peer = peers.get(n);
        peer.is_some_and(|p| {
            p.endpoints.iter().any(|e| {
                let name = e.workload().map_or(&e.name, |(_, name)| name);
                subjects.contains(&format!("{}/{name}", e.namespace))
            })
        })
    };
    let mut open = Open::new();
    for (from, sender) in peers.iter().enumerate() {
        for (to, receiver) in peers.iter().enumerate() {
            if !is_subject(from) && !is_subject(to) {
                continue;
            }
            let Some(connection) = all.connection(from, to) else {
                continue;
            };
            let mut ports = connection.open();
            if let Some(before) = before {
                let known = |name: &str| -> Vec<String> {
                    // A prefix or a name that only the new policies tell apart
                    // was part of the world.
                    let world = ["entity:world", "entity:world-ipv4", "entity:world-ipv6"];
                    let mut names = vec![name.to_owned()];
                    names.extend(world.map(str::to_owned));
                    names
                };
                let was = known(&sender.name).into_iter().find_map(|from| {
                    let mut to = known(&receiver.name).into_iter();
                    to.find_map(|to| before.get(&(from.clone(), to)))
                });
                if let Some(was) = was {
                    ports = ports.difference(was);
                }
            }
            if before.is_none() || !ports.is_empty() {
                open.insert((sender.name.clone(), receiver.name.clone()), ports);
            }
        }
    }
    open
}

/// What a peer of a need is called.
fn name_of(all: &Connectivity<'_>, peer: &netverdict::cluster::Peer) -> Option<String> {
    match &peer.target {
        Target::Endpoint(e) => {
            let number = all.peer_of(e)?;
            all.peers().get(number).map(|p| p.name.clone())
        }
        // Both families together, when no policy tells them apart.
        Target::Entity(name) => Some(format!("entity:{name}")),
        Target::Prefix(prefix) => longest(all.peers(), prefix).map(|p| p.name.clone()),
        Target::Address(ip) => {
            let names = &all.cluster().options().resolved_names;
            let name = names
                .iter()
                .find(|(_, ips)| ips.contains(ip))
                .map(|(n, _)| n);
            let peers = all.peers();
            let by_name = peers
                .iter()
                .find(|p| matches!((&p.kind, name), (PeerKind::Name(own), Some(n)) if own == n));
            let by_address = || longest(peers, &(*ip).into());
            by_name.or_else(by_address).map(|p| p.name.clone())
        }
        Target::Name(name) => Some(format!("fqdn:{name}")),
    }
}

/// The ports of every need, by the names of its ends.
fn needed(all: &Connectivity<'_>, needs: &[Need]) -> Open {
    let mut found = Open::new();
    for need in needs {
        let (Some(from), Some(to)) = (name_of(all, &need.from), name_of(all, &need.to)) else {
            continue;
        };
        let known = found.entry((from, to)).or_insert_with(PortSet::none);
        *known = known.union(&need.ports);
    }
    found
}
