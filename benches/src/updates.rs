//! How long a change takes until every reader can see it.
//!
//! In: the cluster of 10,000 pods. Out: per kind of change a histogram, not
//! only its middle. Two levels: a repository with a [`Publisher`], which is
//! told what changed, and a
//! [`PublishedCluster`](netverdict::cluster::PublishedCluster), which finds out
//! from objects.
//! Both publish into a [`Live`] table while another thread looks verdicts up.

mod objects;
mod readers;

use crate::clock::{Sample, thread};
use crate::cluster::{self, Size};
use netverdict::compile::{Compiler, IdentityChange, Publisher, Subject, SubjectChange, Update};
use netverdict::config::Config;
use netverdict::identity::NumericIdentity;
use netverdict::label::LabelSet;
use netverdict::object::Object;
use netverdict::object::cilium::CiliumPolicy;
use netverdict::object::load::{LoadOptions, load};
use netverdict::policy_map::{NamedPorts, RedirectKey};
use netverdict::resolve::{Applying, Repository, SubjectPolicy};
use netverdict::rule::{Rule, Translator, cilium_resource};
use netverdict::selector::SelectorId;
use netverdict::source::SourceId;
use netverdict_table::{Live, Write};
use readers::Readers;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Measurements of one kind of change.
struct Kind {
    name: &'static str,
    /// Processor time of the writer.
    nanoseconds: Vec<f64>,
    /// Time on the clock on the wall.
    elapsed: Vec<f64>,
    /// Changes after which the whole image was new.
    whole: usize,
    writes: usize,
}

impl Kind {
    const fn new(name: &'static str) -> Self {
        Self {
            name,
            nanoseconds: Vec::new(),
            elapsed: Vec::new(),
            whole: 0,
            writes: 0,
        }
    }

    fn note(&mut self, start: Start, update: &Update) {
        self.nanoseconds
            .push((thread() - start.processor).as_nanos() as f64);
        self.elapsed.push(start.wall.elapsed().as_nanos() as f64);
        self.writes += update.writes.len();
        let replaced = |w: &Write| matches!(w, Write::Replace { .. });
        self.whole += usize::from(update.writes.iter().any(replaced));
    }

    fn report(self) -> Value {
        let (name, whole, count) = (self.name, self.whole, self.nanoseconds.len());
        let (sample, elapsed) = (Sample::new(self.nanoseconds), Sample::new(self.elapsed));
        json!({
            "name": name,
            "count": count,
            "whole": whole,
            "writes": self.writes as f64 / count.max(1) as f64,
            "p50": sample.quantile(0.5),
            "p90": sample.quantile(0.9),
            "p99": sample.quantile(0.99),
            "max": sample.quantile(1.0),
            "elapsed50": elapsed.quantile(0.5),
            "elapsed99": elapsed.quantile(0.99),
        })
    }
}

/// When a change began.
struct Start {
    wall: Instant,
    processor: Duration,
}

impl Start {
    fn now() -> Self {
        Self {
            wall: Instant::now(),
            processor: thread(),
        }
    }
}

/// One object's document, read.
fn object(text: &str) -> Object {
    let config = Config::default();
    let loaded = load(SourceId(0), text, &LoadOptions::new(&config));
    let mut objects = loaded.into_objects();
    objects.next().unwrap_or_else(|| panic!("refused: {text}"))
}

/// A repository with a published table, which is told what changed.
struct World {
    repository: Repository,
    ports: NamedPorts,
    publisher: Publisher,
    live: Live,
    subjects: Vec<Subject>,
    labels: Vec<LabelSet>,
    config: Config,
}

/// A policy of one namespace's app: a peer and a port that nobody else names.
fn policy(namespace: usize, app: usize, port: &str) -> Object {
    object(
        &json!({
            "apiVersion": "cilium.io/v2",
            "kind": "CiliumNetworkPolicy",
            "metadata": {"name": "new", "namespace": format!("ns-{namespace}")},
            "spec": {
                "endpointSelector": {"matchLabels": {"app": format!("app-{app}")}},
                "ingress": [{
                    "fromEndpoints": [{"matchLabels": {"app": "app-3"}}],
                    "toPorts": [{"ports": [{"port": port, "protocol": "TCP"}]}],
                }],
                "egress": [{
                    "toEndpoints": [{"matchLabels": {"app": "app-4"}}],
                    "toPorts": [{"ports": [{"port": port, "protocol": "TCP"}]}],
                }],
            },
        })
        .to_string(),
    )
}

impl World {
    fn new(objects: &[Object]) -> Self {
        let made = crate::compile::cluster(objects.to_vec());
        let config = made.config().clone();
        let translator = Translator::new(&config);
        let mut repository = Repository::new(config.clone(), made.identities().clone());
        for object in objects {
            if let Object::CiliumPolicy(p) = object {
                repository.replace(&cilium_resource(p), translator.cilium_policy(p));
            }
        }
        let mut known: HashMap<Applying, Arc<SubjectPolicy>> = HashMap::new();
        let (mut subjects, mut labels) = (Vec::new(), Vec::new());
        for (number, endpoint) in (1u32..).zip(made.endpoints()) {
            let applying = repository.applying(endpoint.identity, &endpoint.labels);
            let policy = known.entry(applying.clone()).or_insert_with(|| {
                let resolved = repository.resolve_applying(endpoint.identity, applying);
                Arc::new(resolved.expect("the workload resolves"))
            });
            subjects.push(Subject {
                identity: endpoint.identity,
                endpoints: vec![number],
                policy: Arc::clone(policy),
                named_ports: Vec::new(),
                proxy_ports: None,
            });
            labels.push(endpoint.labels.clone());
        }
        let ports = NamedPorts::new();
        let publisher = Publisher::new(&compiler(&repository, &ports), subjects.clone());
        let publisher = publisher.expect("it fits");
        let live = Live::new(publisher.image()).expect("a sound image");
        Self {
            repository,
            ports,
            publisher,
            live,
            subjects,
            labels,
            config,
        }
    }

    fn rules(&self, policy: &CiliumPolicy) -> Vec<Rule> {
        Translator::new(&self.config).cilium_policy(policy)
    }

    fn update(&mut self, identities: &[IdentityChange], subjects: Vec<SubjectChange>) -> Update {
        let compiler = compiler(&self.repository, &self.ports);
        let update = self.publisher.update(&compiler, identities, subjects);
        let update = update.expect("it fits");
        self.live.publish(&update.writes).expect("readers renew");
        update
    }

    fn changed(&mut self, id: NumericIdentity, selectors: Vec<SelectorId>) -> Update {
        let change = IdentityChange {
            identity: id,
            selectors,
            ports: false,
        };
        self.update(&[change], Vec::new())
    }

    /// Resolves subjects anew and gives them the policy.
    fn resolve(&mut self, numbers: &[usize]) -> Update {
        let mut known: HashMap<Applying, Arc<SubjectPolicy>> = HashMap::new();
        let mut changes = Vec::new();
        for number in numbers {
            let subject = &mut self.subjects[*number];
            let labels = &self.labels[*number];
            let applying = self.repository.applying(subject.identity, labels);
            let policy = known.entry(applying.clone()).or_insert_with(|| {
                let made = self.repository.resolve_applying(subject.identity, applying);
                Arc::new(made.expect("the workload resolves"))
            });
            subject.policy = Arc::clone(policy);
            let number = u32::try_from(*number).expect("few subjects");
            changes.push(SubjectChange::Replace(number, subject.clone()));
        }
        self.update(&[], changes)
    }

    /// The subjects of a namespace's app.
    fn of_app(&self, namespace: usize, app: usize) -> Vec<usize> {
        let (namespace, app) = (format!("ns-{namespace}"), format!("app-{app}"));
        let is = |labels: &LabelSet| {
            labels.namespace() == Some(&namespace)
                && labels.get("app").is_some_and(|l| l.value() == app)
        };
        let mine = self.labels.iter().enumerate().filter(|(_, l)| is(l));
        mine.map(|(i, _)| i).collect()
    }
}

fn compiler<'a>(repository: &'a Repository, ports: &'a NamedPorts) -> Compiler<'a> {
    Compiler {
        selectors: repository.selectors(),
        named_ports: ports,
        revision: repository.revision(),
        places: None,
    }
}

/// Identities that come and go, and get other labels.
fn identities(world: &mut World, count: usize) -> Vec<Kind> {
    let mut removed = Kind::new("identity removed");
    let mut added = Kind::new("identity added");
    let mut relabelled = Kind::new("identity relabelled");
    let step = world.subjects.len() / count;
    for i in 0..count {
        let (id, labels) = (
            world.subjects[i * step].identity,
            world.labels[i * step].clone(),
        );
        let start = Start::now();
        let selectors = world.repository.remove_identity(id);
        let update = world.changed(id, selectors);
        removed.note(start, &update);
        let again = labels.clone();
        let start = Start::now();
        let selectors = world.repository.add_identity(id, again);
        let update = world.changed(id, selectors);
        added.note(start, &update);
        // The labels of another, and back.
        let other = world.labels[(i * step + 4321) % world.labels.len()].clone();
        let start = Start::now();
        let selectors = world.repository.add_identity(id, other);
        let update = world.changed(id, selectors);
        relabelled.note(start, &update);
        let selectors = world.repository.add_identity(id, labels);
        world.changed(id, selectors);
    }
    vec![added, removed, relabelled]
}

/// Policies that come and go, for the pods of one app.
fn policies(world: &mut World, count: usize) -> Vec<Kind> {
    let mut added = Kind::new("policy added, five subjects");
    let mut removed = Kind::new("policy removed, five subjects");
    for i in 0..count {
        let (namespace, app) = (i % 200, i / 200 % 10);
        let Object::CiliumPolicy(new) = policy(namespace, app, &(20_000 + i).to_string()) else {
            panic!("no policy");
        };
        let numbers = world.of_app(namespace, app);
        let name = cilium_resource(&new);
        let start = Start::now();
        let rules = world.rules(&new);
        world.repository.replace(&name, rules);
        let update = world.resolve(&numbers);
        added.note(start, &update);
        let start = Start::now();
        world.repository.remove(&name);
        let update = world.resolve(&numbers);
        removed.note(start, &update);
    }
    vec![added, removed]
}

/// Named ports of peers, and ports of proxies.
fn ports(world: &mut World, count: usize) -> Vec<Kind> {
    let mut named = Kind::new("named port changed");
    let mut proxied = Kind::new("proxy port assigned");
    let Object::CiliumPolicy(new) = policy(7, 2, "web") else {
        panic!("no policy");
    };
    let rules = world.rules(&new);
    world.repository.replace(&cilium_resource(&new), rules);
    // The rule's peers are pods of the policy's own namespace.
    let peers: Vec<NumericIdentity> = world
        .of_app(7, 4)
        .into_iter()
        .map(|i| world.subjects[i].identity)
        .collect();
    let named_so = |ports_of: &[u16]| {
        let mut ports = NamedPorts::new();
        for (id, port) in peers.iter().zip(ports_of) {
            ports.insert(*id, "web", 6, *port);
        }
        ports
    };
    let mut of_peer = vec![8000; peers.len()];
    world.ports = named_so(&of_peer);
    let numbers = world.of_app(7, 2);
    world.resolve(&numbers);
    for i in 0..count {
        // One pod after the other goes from one port to the other.
        let place = i % peers.len();
        let id = peers[place];
        of_peer[place] ^= 1;
        let ports = named_so(&of_peer);
        let start = Start::now();
        world.ports = ports;
        let change = IdentityChange {
            identity: id,
            selectors: Vec::new(),
            ports: true,
        };
        let update = world.update(&[change], Vec::new());
        assert!(!update.writes.is_empty(), "the port is in use");
        named.note(start, &update);
        let number = i * 13 % world.subjects.len();
        let assigned = 10_000 + u16::try_from(i % 999).unwrap_or(0);
        let mut subject = world.subjects[number].clone();
        subject.proxy_ports = Some(Arc::new(move |_: &RedirectKey| Some(assigned)));
        let number = u32::try_from(number).expect("few subjects");
        let start = Start::now();
        let update = world.update(&[], vec![SubjectChange::Replace(number, subject)]);
        proxied.note(start, &update);
    }
    vec![named, proxied]
}

/// Measures so many changes of each kind.
#[must_use]
pub fn all(count: usize) -> Value {
    let objects = cluster::objects(Size::TEN_THOUSAND);
    let mut world = World::new(&objects);
    let readers = Readers::start(&world.live, world.subjects.len());
    let without = readers.rate();
    let before = readers.asked();
    let start = Instant::now();
    let mut kinds = identities(&mut world, count);
    let during = (readers.asked() - before) as f64 / start.elapsed().as_secs_f64();
    kinds.extend(policies(&mut world, count / 4));
    kinds.extend(ports(&mut world, count / 4));
    readers.stop();
    let published: Vec<Value> = kinds.into_iter().map(Kind::report).collect();
    drop(world);
    let found = objects::all(&objects, (count / 64).max(3));
    json!({
        "published": published,
        "cluster": found.into_iter().map(Kind::report).collect::<Vec<_>>(),
        "lookupsWithoutUpdates": without,
        "lookupsDuringUpdates": during,
    })
}
