//! From rules to tables: how long it takes, and how large tables are.

use crate::clock::{Measured, Sample, cpu_of, interleaved};
use crate::memory::bytes_of;
use crate::one::{self, Loaded, Shape};
use netverdict::cluster::{Cluster, ClusterOptions};
use netverdict::compile::{Compiler, Subject};
use netverdict::config::Config;
use netverdict::object::Object;
use netverdict::policy_map::{NamedPorts, PolicyMap, StandInProxyPorts};
use netverdict::resolve::Repository;
use netverdict::source::Sources;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The subject of a repository, with its policy resolved.
///
/// # Panics
/// When rules contradict each other, which those of the workload do not.
#[must_use]
pub fn subject(loaded: &Loaded, repository: &Repository) -> Subject {
    let (identity, labels) = loaded.subject();
    let policy = repository
        .resolve(identity, &labels)
        .expect("the workload resolves");
    Subject {
        identity,
        endpoints: vec![1],
        policy: Arc::new(policy),
        named_ports: Vec::new(),
        proxy_ports: None,
    }
}

/// A table of subjects, without origins.
///
/// # Panics
/// When a policy does not fit, which those of the workload do.
#[must_use]
pub fn table(repository: &Repository, subjects: &[Subject]) -> Vec<u8> {
    let compiler = Compiler {
        selectors: repository.selectors(),
        named_ports: &NamedPorts::new(),
        revision: 1,
        places: None,
    };
    compiler.compile(subjects).expect("the workload fits")
}

/// The policy map of a subject.
#[must_use]
pub fn policy_map(repository: &Repository, subject: &Subject) -> PolicyMap {
    let none = |_: &Arc<str>, _: u8| None;
    let mut ports = StandInProxyPorts::default();
    PolicyMap::new(
        &subject.policy,
        repository.selectors(),
        &none,
        &NamedPorts::new(),
        &mut ports,
    )
}

/// Processor time of compiling one endpoint's policy, in nanoseconds: reading
/// texts (`parse`), from rules and identities on (`cold`), with both loaded
/// (`compile`), with the identities of selectors known (`recompile`), and the
/// policy map alone (`distil`); or `only` one of these. Beside it how many bytes
/// `compile` allocates (`compileBytes`).
#[must_use]
pub fn endpoint(
    shape: Shape,
    policies: usize,
    identities: usize,
    rounds: usize,
    only: Option<&str>,
) -> Value {
    let scenario = one::scenario(shape, policies, identities);
    let loaded = Loaded::new(&scenario);
    let mut full = loaded.repository();
    one::file(&mut full, loaded.policies.clone());
    let full = &full;
    let resolved = subject(&loaded, full);
    let entries = policy_map(full, &resolved).len();
    let image = table(full, std::slice::from_ref(&resolved));
    let filed = |mut repository: Repository, rules| {
        one::file(&mut repository, rules);
        repository
    };
    let compiled = |repository: &Repository| {
        let subject = subject(&loaded, repository);
        table(repository, &[subject])
    };
    let fresh = || filed(loaded.repository(), loaded.policies.clone());
    let bytes = bytes_of(|| compiled(&fresh())) - bytes_of(fresh);
    let mut things: Vec<Measured<'_>> = vec![
        (
            "parse".to_owned(),
            Box::new(|| cpu_of(|| one::parse(&scenario.policies, &loaded.config))),
        ),
        (
            "cold".to_owned(),
            Box::new(|| {
                let (config, ids) = (loaded.config.clone(), loaded.identities.clone());
                let rules = loaded.policies.clone();
                cpu_of(|| {
                    let repository = filed(Repository::new(config, ids), rules);
                    let image = compiled(&repository);
                    (repository, image)
                })
            }),
        ),
        (
            "compile".to_owned(),
            Box::new(|| {
                let repository = fresh();
                cpu_of(|| compiled(&repository))
            }),
        ),
        (
            "recompile".to_owned(),
            Box::new(|| cpu_of(|| compiled(full))),
        ),
        (
            "distil".to_owned(),
            Box::new(|| cpu_of(|| policy_map(full, &resolved))),
        ),
    ];
    things.retain(|(name, _)| only.is_none_or(|only| only == name));
    let found = interleaved(rounds, &mut things);
    let mut result = json!({
        "shape": shape.name(),
        "policies": policies,
        "identities": identities,
        "entries": entries,
        "image": image.len(),
        "compileBytes": bytes,
    });
    for (name, sample) in found {
        result[name] = json!(sample.median());
    }
    result
}

/// A cluster of a size.
#[must_use]
pub fn cluster(objects: Vec<Object>) -> Cluster {
    Cluster::build(Config::default(), ClusterOptions::default(), objects)
}

/// Compiling a whole cluster: processor time, and bytes.
///
/// # Panics
/// When it does not fit, which that of the workload does.
#[must_use]
pub fn whole_cluster(cluster: &Cluster, rounds: usize) -> Value {
    let table = cluster.compile(None).expect("it fits");
    let sources = Sources::new();
    let with_origins = cluster.compile(Some(&sources)).expect("it fits");
    let policies: BTreeSet<&str> = cluster.repository().rules().map(|r| &*r.resource).collect();
    let times: Vec<f64> = (0..rounds)
        .map(|_| cpu_of(|| cluster.compile(None)))
        .collect();
    let of_origins: Vec<f64> = (0..rounds.div_ceil(4))
        .map(|_| cpu_of(|| cluster.compile(Some(&sources))))
        .collect();
    let subjects = table.subjects.len();
    json!({
        "subjects": subjects,
        "identities": cluster.identities().len(),
        "policies": policies.len(),
        "image": table.image.len(),
        "imageWithOrigins": with_origins.image.len(),
        "bytesPerSubject": table.image.len() / subjects.max(1),
        "bytesPerSubjectWithOrigins": with_origins.image.len() / subjects.max(1),
        "compile": Sample::new(times).median(),
        "compileWithOrigins": Sample::new(of_origins).median(),
    })
}
