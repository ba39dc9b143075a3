//! The cluster that questions are asked of.
//!
//! In: files, the agent's options, what DNS said, numbers saved before. Out:
//! a [`World`]: the cluster, and the sources to quote from.

use crate::agent_config::{Agent, ConfigArgs};
use crate::exit::{Exit, Failure};
use crate::fix;
use crate::input::{self, Input};
use crate::style::{self, count};
use crate::walk::places;
use crate::what_if::WhatIfArgs;
use anstream::eprintln;
use clap::Args;
use netverdict::cluster::{Change, Cluster, ClusterOptions, Endpoint, ResolvedPolicy};
use netverdict::diagnostic::Diagnostic;
use netverdict::object::Object;
use netverdict::object::load::{LoadOptions, Outcome, duplicates, load};
use netverdict::source::Sources;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// Where a cluster comes from.
#[derive(Args, Debug)]
pub(crate) struct WorldArgs {
    /// A file, folder, pattern (`'**/*.yaml'`), or `-` for standard input; may
    /// be given several times. Without it the current folder.
    #[arg(short = 'f', long = "file", value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    what_if: WhatIfArgs,
    /// The addresses a DNS name has: `api.example.com=203.0.113.7,203.0.113.8`.
    #[arg(long, value_name = "NAME=IP,…", value_parser = resolution)]
    resolve: Vec<(String, Vec<IpAddr>)>,
    /// The node whose agent answers.
    #[arg(long, value_name = "NODE")]
    local_node: Option<String>,
    /// Keep the numbers of identities in this file, so that they stay the same.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Refuse to answer when an object is refused.
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

fn resolution(text: &str) -> Result<(String, Vec<IpAddr>), String> {
    let wanted = "write NAME=IP,IP";
    let (name, addresses) = text.split_once('=').ok_or(wanted)?;
    let addresses: Result<Vec<IpAddr>, _> = addresses
        .split(',')
        .map(|ip| {
            let ip = ip.trim();
            ip.parse()
                .map_err(|_| format!("`{ip}` is no address; {wanted}"))
        })
        .collect();
    Ok((name.trim().to_owned(), addresses?))
}

/// A cluster with the texts it was read from.
#[derive(Debug)]
pub(crate) struct World {
    /// The texts.
    pub(crate) sources: Sources,
    /// The cluster.
    pub(crate) cluster: Cluster,
}

impl WorldArgs {
    /// The world of some files, with an agent's defaults.
    #[cfg(all(feature = "datapath", target_os = "linux"))]
    pub(crate) fn of(paths: Vec<PathBuf>) -> Self {
        Self {
            paths,
            what_if: WhatIfArgs::default(),
            resolve: Vec::new(),
            local_node: None,
            state: None,
            strict: false,
            config: ConfigArgs::default(),
        }
    }

    /// The paths to read.
    pub(crate) fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// Reads the input and builds the cluster. What was refused is told on
    /// standard error.
    pub(crate) fn open(&self) -> Result<World, Failure> {
        self.open_at(&[])
    }

    /// As [`Self::open`], with more paths.
    pub(crate) fn open_at(&self, more: &[PathBuf]) -> Result<World, Failure> {
        let agent = self.config.agent()?;
        let mut paths = self.paths_with(more);
        if paths.is_empty() {
            paths.push(PathBuf::from("."));
        }
        let base = places(&paths)?.len();
        paths.extend_from_slice(&self.what_if.with);
        let input = Input::read(&paths, &LoadOptions::new(&agent.config))?;
        self.world(agent, input, base, true)
    }

    /// The paths of `-f`, then others.
    pub(crate) fn paths_with(&self, more: &[PathBuf]) -> Vec<PathBuf> {
        let paths = self.paths.iter().chain(more);
        paths.cloned().collect()
    }

    /// True when something is asked for that is not so.
    pub(crate) fn asks_what_if(&self) -> bool {
        !self.what_if.is_empty()
    }

    /// The world of texts, as it is or as it would be.
    pub(crate) fn open_texts(
        &self,
        texts: Vec<(String, String)>,
        changed: bool,
    ) -> Result<World, Failure> {
        let agent = self.config.agent()?;
        let options = LoadOptions::new(&agent.config);
        let base = texts.len();
        let mut texts = texts;
        if changed {
            texts.extend(input::texts(&self.what_if.with)?);
        }
        let input = Input::of_texts(texts, &options);
        self.world(agent, input, base, changed)
    }

    fn world(
        &self,
        agent: Agent,
        input: Input,
        base: usize,
        changed: bool,
    ) -> Result<World, Failure> {
        if let Some(failure) = input.failures.into_iter().next() {
            return Err(failure);
        }
        let input = Input {
            failures: Vec::new(),
            ..input
        };
        self.tell_refused(&input, base)?;
        let mut resolved_names: BTreeMap<String, Vec<IpAddr>> = BTreeMap::new();
        for (name, addresses) in &self.resolve {
            let known = resolved_names.entry(name.clone()).or_default();
            known.extend(addresses);
        }
        let options = ClusterOptions {
            filter: agent.filter,
            local_node: self.local_node.clone(),
            resolved_names,
        };
        let mut objects: Vec<Object> = input
            .files
            .into_iter()
            .flat_map(|f| f.loaded.into_objects())
            .collect();
        if changed {
            self.what_if.remove_from(&mut objects)?;
        }
        let cluster = self.build(agent.config, options, objects)?;
        Ok(World {
            sources: input.sources,
            cluster,
        })
    }

    fn build(
        &self,
        config: netverdict::config::Config,
        options: ClusterOptions,
        objects: Vec<Object>,
    ) -> Result<Cluster, Failure> {
        let Some(path) = &self.state else {
            return Ok(Cluster::build(config, options, objects));
        };
        let before = match std::fs::read(path) {
            Ok(bytes) => Some(bytes),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
            Err(e) => return Err(Failure::file("read", path.display(), &e)),
        };
        let cluster = match &before {
            None => Cluster::build(config, options, objects),
            Some(bytes) => Cluster::restore(config, options, objects, bytes).map_err(|e| {
                let message = format!("`{}` holds no numbers of identities: {e}", path.display());
                Failure::new(message).help("name another file, or remove this one")
            })?,
        };
        let after = cluster.identity_state();
        if before.as_ref() != Some(&after) {
            fix::replace(path, &after).map_err(|e| Failure::file("write", path.display(), &e))?;
        }
        Ok(cluster)
    }

    /// Objects that do not take part, so that nobody trusts an answer blindly.
    fn tell_refused(&self, input: &Input, base: usize) -> Result<(), Failure> {
        const LISTED: usize = 3;
        let mut refused = Vec::new();
        for file in &input.files {
            for d in &file.loaded.documents {
                if matches!(d.outcome, Outcome::Refused(_)) {
                    let at = input.sources.locate(d.span);
                    refused.push(if d.name.is_empty() {
                        format!("a document ({at})")
                    } else {
                        format!("{} {} ({at})", d.kind, d.name)
                    });
                }
            }
        }
        let warning = style::WARNING;
        if !refused.is_empty() {
            let left = refused.len().saturating_sub(LISTED);
            let more = match left {
                0 => String::new(),
                _ => format!(" and {left} more"),
            };
            let shown = refused[..refused.len() - left].join(", ");
            let message = format!(
                "{} refused or undecided, as if absent: {shown}{more}",
                count(refused.len(), "object"),
            );
            let help = "`netverdict check` says why";
            if self.strict {
                return Err(Failure::new(message).help(help).exit(Exit::Invalid));
            }
            let message = style::clean(&message);
            eprintln!("{warning}warning{warning:#}: {message}; {help}");
        }
        // What `--with` adds is meant to take the place of what is there.
        let before = input.files.iter().take(base);
        for twice in duplicates(before.flat_map(|f| f.loaded.objects())) {
            let at = input.sources.locate(twice.span);
            let message = format!("{}; the last one counts ({at})", twice.message);
            eprintln!("{warning}warning{warning:#}: {}", style::clean(&message));
        }
        Ok(())
    }
}

impl World {
    /// The endpoint of a name.
    pub(crate) fn endpoint(&self, text: &str) -> Result<Arc<Endpoint>, Failure> {
        let found = self.cluster.find_endpoint(text);
        found.map_err(|d| self.not_found(&d))
    }

    /// The endpoint of a name, or a pod with labels that no file mentions.
    pub(crate) fn workload(&mut self, text: &str) -> Result<Arc<Endpoint>, Failure> {
        match text.contains('=') {
            true => self.imagine(text),
            false => self.endpoint(text),
        }
    }

    /// What [`Self::workload`] finds, and its policy.
    pub(crate) fn policy(
        &mut self,
        text: &str,
    ) -> Result<(Arc<Endpoint>, Arc<ResolvedPolicy>), Failure> {
        let endpoint = self.workload(text)?;
        let policy = self.cluster.policy(&endpoint);
        let policy =
            policy.map_err(|e| Failure::new(format!("`{endpoint}` has no policy: {e}")))?;
        Ok((endpoint, policy))
    }

    /// A diagnostic about an argument as a failure.
    pub(crate) fn not_found(&self, diagnostic: &Diagnostic) -> Failure {
        let failure = Failure::new(diagnostic.message.clone());
        if self.cluster.endpoints().is_empty() {
            return failure.help(
                "the input has no pods and no workloads; add them with -f, for instance the \
                 output of `kubectl get namespaces,pods -A -o yaml`, or name labels: `ns/app=web`",
            );
        }
        match &diagnostic.help {
            Some(help) => failure.help(help.clone()),
            None => failure.help("`netverdict identities` lists what there is"),
        }
    }

    /// A pod with these labels that no file mentions: `namespace/app=web,tier=front`.
    pub(crate) fn imagine(&mut self, text: &str) -> Result<Arc<Endpoint>, Failure> {
        let wrong = || {
            Failure::new(format!("`{text}` does not name the labels of a pod"))
                .help("write `namespace/key=value,key=value`")
        };
        let (namespace, labels) = text.split_once('/').ok_or_else(wrong)?;
        let labels: Option<BTreeMap<&str, &str>> =
            labels.split(',').map(|l| l.split_once('=')).collect();
        let pod = serde_json::json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": text.split_once('/').map_or(text, |(_, l)| l),
                "namespace": namespace,
                "labels": labels.ok_or_else(wrong)?,
            },
        });
        let pod = pod.to_string();
        let source = self.sources.add(format!("<{text}>"), pod.as_str());
        let config = self.cluster.config().clone();
        let loaded = load(source, &pod, &LoadOptions::new(&config));
        let object = loaded.into_objects().next().ok_or_else(wrong)?;
        let name = object.name().to_owned();
        self.cluster.apply([Change::Upsert(Box::new(object))]);
        let found = self
            .cluster
            .endpoints()
            .iter()
            .find(|e| e.namespace == namespace && e.name == name && e.kind == "Pod");
        found.cloned().ok_or_else(wrong)
    }
}
