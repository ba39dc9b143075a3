//! The smallest changes that let a flow through.
//!
//! In: a cluster and a flow that it drops. Out: changes of policies, each
//! tried: with it the flow passes, and what else it opens and closes is known
//! exactly. Those that open the least come first.

use crate::connectivity::{Connectivity, Options, longest};
use crate::difference::{ChangeKind, Difference, PairChange, PortChange, learn_same_names};
use crate::ports::PortSet;
use ipnet::IpNet;
use netverdict::cluster::ObjectKey;
use netverdict::cluster::{Change, Cluster, Flow, Peer, Target};
use netverdict::explain::{self, Enforcement, Explanation};
use netverdict::object::Object;
use netverdict::object::load::{LoadOptions, load};
use netverdict::policy_map::Verdict;
use netverdict::rule::{Direction, Rule};
use netverdict::source::SourceId;
use std::collections::BTreeSet;
use std::sync::Arc;

/// One change of a policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Add this policy, as YAML.
    Add(String),
    /// Remove this policy.
    Remove(ObjectKey),
}

/// Changes that together let a flow through.
///
/// ```
/// use netverdict::cluster::{Cluster, Flow};
/// use netverdict_analysis::difference::ChangeKind;
/// use netverdict_analysis::json::JsonStep;
/// use netverdict_analysis::remedy::{Remedy, Step, remedies};
///
/// let cluster = Cluster::read(include_str!("../../core/examples/shop.yaml"))?;
/// let (from, to) = (cluster.peer("shop/web")?, cluster.peer("shop/db")?);
/// let flow = Flow::new(&from, &to, 6, 8080);
/// let all: Vec<Remedy> = remedies(&cluster, &flow);
/// // One adds a rule and opens nothing else, another does without the policy.
/// assert_eq!(all[0].count(ChangeKind::Opened), 0);
/// assert!(all.iter().any(|r| r.title().starts_with("Add policy shop/")));
/// let without = all.iter().flat_map(|r| &r.steps).find_map(|step| match step {
///     Step::Remove(key) => Some(JsonStep::object(key)),
///     Step::Add(_) => None,
/// });
/// assert_eq!(without.as_deref(), Some("NetworkPolicy/shop/db"));
/// # Ok::<(), Box<netverdict::diagnostic::Diagnostic>>(())
/// ```
#[derive(Debug)]
pub struct Remedy {
    /// What to change.
    pub steps: Vec<Step>,
    /// Everything else that it opens, closes or changes.
    pub beyond: Vec<(PairChange, Vec<PortChange>)>,
}

impl Remedy {
    /// `Add policy shop/suggested-ingress-1`, `Remove NetworkPolicy/shop/web`.
    #[must_use]
    pub fn title(&self) -> String {
        let field = |policy: &str, key: &str| {
            let mut lines = policy.lines();
            let found = lines.find_map(|l| l.strip_prefix(key).map(str::to_owned));
            found.unwrap_or_default()
        };
        let steps = self.steps.iter().map(|step| match step {
            Step::Add(policy) => {
                let (namespace, name) = (field(policy, "  namespace: "), field(policy, "  name: "));
                let name = match namespace.is_empty() {
                    true => name,
                    false => format!("{namespace}/{name}"),
                };
                match without_ports(policy) == *policy {
                    true => format!("add policy {name}, for every port"),
                    false => format!("add policy {name}"),
                }
            }
            Step::Remove(key) => {
                let of = [&*key.namespace, "/"].concat();
                let of = of.trim_start_matches('/');
                format!("remove or narrow {} {of}{}", key.kind, key.name)
            }
        });
        let title = steps.collect::<Vec<_>>().join(", ");
        let first = title.get(..1).unwrap_or_default().to_uppercase();
        first + title.get(1..).unwrap_or_default()
    }

    /// How many connections beside the one that was asked for come to this.
    #[must_use]
    pub fn count(&self, kind: ChangeKind) -> usize {
        let with =
            |(_, ports): &&(PairChange, Vec<PortChange>)| ports.iter().any(|p| p.kind == kind);
        self.beyond.iter().filter(with).count()
    }
}

/// At most so many changes are tried, and so many steps make one.
const TRIED: usize = 24;
const STEPS: usize = 4;

/// Changes that let a flow through, those that open the least first. Empty
/// when it passes already, when nobody can tell, or when no change of policies
/// helps.
///
/// ```
/// use netverdict::cluster::{Cluster, Flow};
/// use netverdict_analysis::remedy::remedies;
///
/// let cluster = Cluster::read(include_str!("../../core/examples/shop.yaml"))?;
/// let (from, to) = (cluster.peer("shop/web")?, cluster.peer("shop/db")?);
/// let flow = Flow::new(&from, &to, 6, 8080);
/// let found = remedies(&cluster, &flow);
/// // The smallest comes first, each with what else it would open.
/// assert!(found.first().is_some_and(|r| !r.steps.is_empty() && r.beyond.is_empty()));
/// # Ok::<(), Box<netverdict::diagnostic::Diagnostic>>(())
/// ```
#[must_use]
pub fn remedies(cluster: &Cluster, flow: &Flow<'_>) -> Vec<Remedy> {
    let mut ways: Vec<Vec<Step>> = Vec::new();
    let mut tried = 0;
    search(cluster, flow, &mut Vec::new(), &mut ways, &mut tried);
    let mut remedies: Vec<Remedy> = Vec::new();
    for steps in ways {
        let known = |r: &Remedy| {
            let own: BTreeSet<&Step> = r.steps.iter().collect();
            own == steps.iter().collect()
        };
        if !remedies.iter().any(known) {
            let beyond = beyond(cluster, flow, &steps);
            remedies.push(Remedy { steps, beyond });
        }
    }
    remedies.sort_by_cached_key(|r| {
        let opened = r.count(ChangeKind::Opened) + r.count(ChangeKind::Unsettled);
        let other = r.count(ChangeKind::Closed) + r.count(ChangeKind::Changed);
        // What says its ports stays narrow when more pods come.
        let wide = r
            .steps
            .iter()
            .filter(|s| matches!(s, Step::Add(p) if without_ports(p) == *p));
        (opened, other, wide.count(), r.steps.len(), r.steps.clone())
    });
    remedies
}

/// Follows every way of letting the flow through the side that drops it first.
fn search(
    cluster: &Cluster,
    flow: &Flow<'_>,
    steps: &mut Vec<Step>,
    found: &mut Vec<Vec<Step>>,
    tried: &mut usize,
) {
    let trial = changed(cluster, steps);
    let (from, to) = (same(&trial, flow.from), same(&trial, flow.to));
    let flow_now = Flow {
        from: &from,
        to: &to,
        ..*flow
    };
    let explanation = trial.explain(&flow_now);
    if explanation.answer.overall.is_allowed() {
        if !steps.is_empty() {
            found.push(steps.clone());
        }
        return;
    }
    *tried += 1;
    if explanation.answer.overall.verdict().is_none() || steps.len() >= STEPS || *tried > TRIED {
        return;
    }
    let sides = [explanation.egress, explanation.ingress];
    let Some(side) = sides
        .into_iter()
        .flatten()
        .find(|e| !e.verdict.is_allowed())
    else {
        return;
    };
    for more in options(&trial, &side, steps.len()) {
        let before = steps.len();
        steps.extend(more);
        search(cluster, flow, steps, found, tried);
        steps.truncate(before);
    }
}

/// What could be done about one side.
fn options(cluster: &Cluster, side: &Explanation, number: usize) -> Vec<Vec<Step>> {
    let mut options = Vec::new();
    match side.change.as_ref().map(|c| &c.kind) {
        Some(explain::ChangeKind::Add { policy, .. }) => {
            let name = free_name(cluster, side.direction, number);
            let name = format!("  name: {name}\n");
            let policy = policy.replacen("  name: suggested\n", &name, 1);
            let everything = without_ports(&policy);
            options.push(vec![Step::Add(policy.clone())]);
            if everything != policy {
                options.push(vec![Step::Add(everything)]);
            }
        }
        Some(explain::ChangeKind::Remove(rules)) => options.extend(remove(rules)),
        None => {}
    }
    if side.verdict == Verdict::DefaultDeny
        && let Enforcement::DenyByDefault(by) = &side.enforcement
    {
        options.extend(remove(by));
    }
    options
}

/// A name that no object has: a policy that is there stays.
fn free_name(cluster: &Cluster, direction: Direction, number: usize) -> String {
    let taken: BTreeSet<&str> = cluster.objects().map(Object::name).collect();
    let names = (number + 1..).map(|n| format!("suggested-{direction}-{n}"));
    let mut free = names.filter(|name| !taken.contains(name.as_str()));
    free.next().unwrap_or_default()
}

/// Takes the policies of rules away.
fn remove(rules: &[Arc<Rule>]) -> Option<Vec<Step>> {
    let keys: BTreeSet<ObjectKey> = rules
        .iter()
        .filter(|r| !r.origin.is_synthesized())
        .map(|r| {
            let object = &r.origin.object;
            ObjectKey {
                kind: object.kind.clone(),
                namespace: object.namespace.clone(),
                name: object.name.clone(),
            }
        })
        .collect();
    (!keys.is_empty()).then(|| keys.into_iter().map(Step::Remove).collect())
}

/// The same policy for every port: its ports come last.
fn without_ports(policy: &str) -> String {
    let lines = policy.lines().take_while(|l| {
        let l = l.trim_start();
        !l.starts_with("toPorts:") && !l.starts_with("icmps:")
    });
    lines.fold(String::new(), |all, l| all + l + "\n")
}

/// The cluster after some changes.
fn changed(cluster: &Cluster, steps: &[Step]) -> Cluster {
    let config = cluster.config().clone();
    let mut after = cluster.rebuilt();
    let mut changes = Vec::new();
    for step in steps {
        match step {
            Step::Remove(key) => changes.push(Change::Remove(key.clone())),
            Step::Add(text) => {
                let loaded = load(SourceId(u32::MAX), text, &LoadOptions::new(&config));
                changes.extend(loaded.into_objects().map(|o| Change::Upsert(Box::new(o))));
            }
        }
    }
    after.apply(changes);
    after
}

/// The same end in a changed cluster.
fn same(cluster: &Cluster, peer: &Peer) -> Peer {
    let Target::Endpoint(old) = &peer.target else {
        return peer.clone();
    };
    let mut endpoints = cluster.endpoints().iter();
    let now = endpoints
        .find(|e| (&e.namespace, &e.name, e.kind) == (&old.namespace, &old.name, old.kind));
    Peer {
        text: peer.text.clone(),
        target: Target::Endpoint(Arc::clone(now.unwrap_or(old))),
    }
}

/// What else is different after some changes.
fn beyond(
    cluster: &Cluster,
    flow: &Flow<'_>,
    steps: &[Step],
) -> Vec<(PairChange, Vec<PortChange>)> {
    let (mut before, mut after) = (changed(cluster, &[]), changed(cluster, steps));
    let [stand_ins, _] = learn_same_names(&mut before, &mut after);
    let options = Options {
        stand_ins,
        all_entities: true,
        ..Options::default()
    };
    let old = Connectivity::new(&before, &options);
    let new = Connectivity::new(&after, &options);
    let difference = Difference::new(&old, &new);
    let (from, to) = (name(&new, flow.from), name(&new, flow.to));
    let wanted = PortSet::range(flow.protocol, flow.port, flow.port);
    let mut beyond = Vec::new();
    for pair in difference.pairs {
        let asked = Some(&pair.from) == from.as_ref() && Some(&pair.to) == to.as_ref();
        let ports = pair.ports.iter().cloned().filter_map(|mut change| {
            if asked && change.kind == ChangeKind::Opened {
                change.ports = change.ports.difference(&wanted);
            }
            (!change.ports.is_empty()).then_some(change)
        });
        let ports: Vec<PortChange> = ports.collect();
        if !ports.is_empty() {
            beyond.push((pair, ports));
        }
    }
    beyond
}

/// What a peer is called among the connections of a cluster.
fn name(all: &Connectivity<'_>, peer: &Peer) -> Option<String> {
    let named = |n: usize| all.peers().get(n).map(|p| p.name.clone());
    match &peer.target {
        Target::Endpoint(e) => named(all.peer_of(e)?),
        Target::Address(ip) => {
            let mut endpoints = all.cluster().endpoints().iter();
            match endpoints.find(|e| !e.host_network && e.addresses.contains(ip)) {
                Some(e) => named(all.peer_of(e)?),
                None => longest(all.peers(), &IpNet::from(*ip)).map(|p| p.name.clone()),
            }
        }
        Target::Prefix(prefix) => longest(all.peers(), prefix).map(|p| p.name.clone()),
        Target::Entity(entity) => Some(format!("entity:{entity}")),
        Target::Name(name) => Some(format!("fqdn:{name}")),
    }
}
