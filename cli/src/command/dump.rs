//! `dump`: every stage on the way from files to verdicts, as JSON.

use crate::command::identities;
use crate::exit::{Exit, Failure};
use crate::world::{World, WorldArgs};
use clap::{Args, ValueEnum};
use netverdict::policy_map::JsonEntry;
use netverdict::resolve::DirectionPolicy;
use netverdict::rule::{Direction, JsonPlace, Rule, RulePort, RuleVerdict};
use serde_json::{Value, json};
use std::io::{self, Write};

/// Print one stage on the way from files to verdicts, as JSON.
#[derive(Args, Debug)]
pub(crate) struct DumpArgs {
    /// The stage.
    stage: Stage,
    /// For `filters` and `entries`: of this workload alone.
    workload: Option<String>,
    #[command(flatten)]
    world: WorldArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Stage {
    /// What was read.
    Objects,
    /// The rules of every policy, in their normal form.
    Rules,
    /// Numbers and their labels.
    Identities,
    /// The selectors of all rules, and whom they select.
    Selectors,
    /// Per workload and direction: ports with what each selector gets there.
    Filters,
    /// Per workload: the entries of its policy map.
    Entries,
}

/// Prints it.
pub(crate) fn run(args: &DumpArgs) -> Result<Exit, Failure> {
    let world = args.world.open()?;
    let json = match args.stage {
        Stage::Objects => objects(&world),
        Stage::Rules => {
            let rules = world.cluster.repository().rules();
            rules.map(|r| rule(&world, r)).collect()
        }
        Stage::Identities => serde_json::to_value(identities::all(&world, true))?,
        Stage::Selectors => selectors(&world),
        Stage::Filters => per_workload(&world, args.workload.as_deref(), |policy| {
            let direction = |d| filters(&world, policy.subject.direction(d));
            json!({ "ingress": direction(Direction::Ingress), "egress": direction(Direction::Egress) })
        })?,
        Stage::Entries => per_workload(&world, args.workload.as_deref(), |policy| {
            json!(JsonEntry::all(&policy.map, &policy.subject, &world.sources))
        })?,
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    serde_json::to_writer_pretty(&mut out, &json)?;
    writeln!(out)?;
    out.flush()?;
    Ok(Exit::Fine)
}

fn objects(world: &World) -> Value {
    let one = |o: &netverdict::object::Object| {
        json!({
            "kind": o.kind(),
            "namespace": o.namespace(),
            "name": o.name(),
            "at": world.sources.locate(o.span()),
            "policy": o.is_policy(),
        })
    };
    world.cluster.objects().map(one).collect()
}

fn verdict(verdict: RuleVerdict) -> &'static str {
    match verdict {
        RuleVerdict::Allow => "allow",
        RuleVerdict::Deny => "deny",
        RuleVerdict::Pass => "pass",
    }
}

fn rule(world: &World, r: &Rule) -> Value {
    let peers = r.peers.as_ref().map(|peers| {
        let peers: Vec<String> = peers.iter().map(ToString::to_string).collect();
        peers
    });
    let ports = r.ports.iter().map(|p| {
        json!({
            "ports": p.ports.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "http": p.l7.as_ref().map_or(0, |l7| l7.http.len()),
            "dns": p.l7.as_ref().map_or(0, |l7| l7.dns.len()),
            "serverNames": p.server_names.iter().map(|n| &**n).collect::<Vec<_>>(),
            "listener": p.listener.as_ref().map(|l| &l.name),
        })
    });
    json!({
        "origin": JsonPlace::new(r, &world.sources),
        "tier": r.tier.to_string(),
        "priority": r.priority,
        "verdict": verdict(r.verdict),
        "direction": r.direction.as_str(),
        "subject": r.subject.to_string(),
        "selectsNodes": r.selects_nodes,
        "namespace": &*r.namespace,
        "peers": peers,
        "ports": ports.collect::<Vec<_>>(),
        "defaultDeny": r.default_deny,
        "authentication": r.authentication.as_ref().map(|a| format!("{a:?}").to_lowercase()),
    })
}

fn selectors(world: &World) -> Value {
    let index = world.cluster.repository().selectors();
    let mut seen = std::collections::BTreeMap::new();
    for rule in world.cluster.repository().rules() {
        for selector in rule.peers.iter().flatten() {
            let Some(id) = index.find(selector) else {
                continue;
            };
            let selected: Vec<u32> = index
                .selections(id)
                .map(|ids| ids.iter().collect())
                .unwrap_or_default();
            seen.insert(selector.key().to_owned(), (selector.to_string(), selected));
        }
    }
    let all = seen.into_iter();
    all.map(|(key, (selector, identities))| {
        json!({ "key": key, "selector": selector, "identities": identities })
    })
    .collect()
}

fn filters(world: &World, direction: &DirectionPolicy) -> Value {
    let index = world.cluster.repository().selectors();
    let tiers = direction.tiers.iter().map(|tier| {
        let filters = tier.filters.iter().map(|f| {
            let policies = f.policies.iter().map(|(id, p)| {
                let rules = direction.rules_of(&p.origin);
                json!({
                    "selector": index.selector(*id).map(ToString::to_string),
                    "priority": p.priority,
                    "verdict": verdict(p.verdict),
                    "parser": p.parser.as_str(),
                    "listener": &*p.listener,
                    "rules": rules.map(|r| JsonPlace::new(r, &world.sources)).collect::<Vec<_>>(),
                })
            });
            json!({
                "port": match &f.key.port {
                    RulePort::Number(n) => json!(n),
                    RulePort::Name(n) => json!(&**n),
                },
                "endPort": f.end_port,
                "protocol": crate::question::protocol_name(f.key.protocol),
                "policies": policies.collect::<Vec<_>>(),
            })
        });
        json!({ "tier": tier.tier, "filters": filters.collect::<Vec<_>>() })
    });
    json!({
        "enforced": direction.enforced,
        "defaultDeny": direction.default_deny,
        "tiers": tiers.collect::<Vec<_>>(),
    })
}

fn per_workload(
    world: &World,
    workload: Option<&str>,
    stage: impl Fn(&netverdict::cluster::ResolvedPolicy) -> Value,
) -> Result<Value, Failure> {
    let endpoints = match workload {
        Some(text) => vec![world.endpoint(text)?],
        None => world.cluster.endpoints().to_vec(),
    };
    let mut all = Vec::new();
    for endpoint in endpoints {
        let result = match world.cluster.policy(&endpoint) {
            Ok(policy) => stage(&policy),
            Err(e) => json!({ "error": e.to_string() }),
        };
        all.push(json!({
            "workload": endpoint.to_string(),
            "kind": endpoint.kind,
            "identity": endpoint.identity.0,
            "result": result,
        }));
    }
    Ok(Value::Array(all))
}
