//! `policies`: everything that applies to a workload.

use crate::args::Format;
use crate::columns::{self, cell};
use crate::exit::{Exit, Failure};
use crate::report;
use crate::style;
use crate::world::{World, WorldArgs};
use clap::Args;
use netverdict::cluster::ResolvedPolicy;
use netverdict::config::Config;
use netverdict::label::keys;
use netverdict::object::SelectorOperator;
use netverdict::rule::{Direction, RuleVerdict};
use netverdict::selector::Selector;
use netverdict_analysis::json::{JsonPolicies, ports_of_rule, verdict_of_rule};
use std::io::{self, Write};

/// List every rule that applies to a workload, in both directions and in the
/// order they are asked.
#[derive(Args, Debug)]
pub(crate) struct PoliciesArgs {
    /// The workload: `namespace/name` of a pod, workload or app, or labels.
    workload: String,
    #[command(flatten)]
    world: WorldArgs,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

/// Lists them.
pub(crate) fn run(args: &PoliciesArgs) -> Result<Exit, Failure> {
    let mut world = args.world.open()?;
    let (endpoint, policy) = world.policy(&args.workload)?;
    let mut out = io::BufWriter::new(anstream::stdout().lock());
    match args.output {
        Format::Json => {
            let json = JsonPolicies::new(&endpoint, &policy, &world.sources);
            serde_json::to_writer_pretty(&mut out, &json)?;
            writeln!(out)?;
        }
        Format::Text => {
            for (i, d) in Direction::BOTH.into_iter().enumerate() {
                if i > 0 {
                    writeln!(out)?;
                }
                let name = endpoint.to_string();
                write(&mut out, &world, &policy, d, &name)?;
            }
        }
    }
    out.flush()?;
    Ok(Exit::Fine)
}

/// A selector as briefly as it can be said: `shop/app=web`, `10.0.0.0/8`,
/// `[team=a]/app=web` for a namespace by its labels, `*/app=web` for any. The
/// local cluster goes without saying.
fn brief(selector: &Selector, config: &Config) -> String {
    if selector.is_wildcard() {
        return "everybody".to_owned();
    }
    if let Some(name) = selector.fqdn_label() {
        return name.to_owned();
    }
    let mut namespaces = String::new();
    let mut namespace_labels = Vec::new();
    let mut parts = Vec::new();
    for r in selector.requirements() {
        let key = &r.key;
        let values = r.values.join("|");
        let is_in = r.operator == SelectorOperator::In;
        if is_in && key.key() == keys::POD_NAMESPACE {
            namespaces = format!("{values}/");
            continue;
        }
        if r.operator == SelectorOperator::Exists && key.key() == keys::POD_NAMESPACE {
            namespaces = "*/".to_owned();
            continue;
        }
        if is_in && let Some(label) = key.key().strip_prefix(keys::NAMESPACE_LABELS) {
            let label = label.trim_start_matches('.');
            namespace_labels.push(format!("{label}={values}"));
            continue;
        }
        if is_in && key.key() == keys::CLUSTER && Some(&*values) == config.peer_cluster() {
            continue;
        }
        let name = match (key.prefix(), key.source()) {
            (Some(prefix), _) => prefix.to_string(),
            _ => key.key().to_owned(),
        };
        parts.push(match r.operator {
            SelectorOperator::In if values.is_empty() => name,
            SelectorOperator::In => format!("{name}={values}"),
            SelectorOperator::NotIn => format!("{name}!={values}"),
            SelectorOperator::Exists => name,
            SelectorOperator::DoesNotExist => format!("!{name}"),
        });
    }
    if !namespace_labels.is_empty() {
        namespaces = format!("[{}]/", namespace_labels.join(","));
    }
    if parts.is_empty() && namespaces.is_empty() {
        return "every endpoint".to_owned();
    }
    let all = if parts.is_empty() { "*" } else { "" };
    format!("{namespaces}{all}{}", parts.join(","))
}

fn write(
    out: &mut dyn Write,
    world: &World,
    policy: &ResolvedPolicy,
    direction: Direction,
    name: &str,
) -> io::Result<()> {
    let resolved = policy.subject.direction(direction);
    let config = world.cluster.config();
    let strong = style::STRONG;
    let rest = match (resolved.enforced, resolved.default_deny) {
        (false, _) => "everything is allowed",
        (true, false) => "what no rule denies is allowed",
        (true, true) => "what no rule allows is denied",
    };
    let name = style::clean(name);
    writeln!(out, "{strong}{direction} of {name}{strong:#}: {rest}")?;
    let mut rows = Vec::new();
    let authored = resolved.rules.iter().filter(|r| !r.origin.is_synthesized());
    for rule in authored {
        let look = match rule.verdict {
            RuleVerdict::Allow => style::GOOD,
            RuleVerdict::Deny => style::ERROR,
            RuleVerdict::Pass => style::INFO,
        };
        let who = match &rule.peers {
            None => "nobody".to_owned(),
            Some(peers) if peers.is_empty() && rule.ports.is_empty() => "nobody".to_owned(),
            Some(peers) if peers.is_empty() => "everybody".to_owned(),
            Some(peers) => {
                let peers: Vec<String> = peers.iter().map(|s| brief(s, config)).collect();
                short(&peers, " or ")
            }
        };
        let ports = ports_of_rule(rule);
        let what = match ports.is_empty() {
            true if who == "nobody" => String::new(),
            true => "every port".to_owned(),
            false => short(&ports, ", "),
        };
        rows.push(vec![
            cell(format!("  {}", rule.tier)),
            (verdict_of_rule(rule).to_owned(), look),
            cell(who),
            cell(what),
            cell(rule.origin.object.to_string()),
            (
                report::place(&world.sources, rule.origin.span),
                style::FAINT,
            ),
        ]);
    }
    columns::write(out, &rows)
}

fn short(texts: &[String], between: &str) -> String {
    const LISTED: usize = 3;
    let left = texts.len().saturating_sub(LISTED);
    let mut text = texts[..texts.len() - left].join(between);
    if left > 0 {
        text = format!("{text} and {left} more");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use netverdict::cluster::{Cluster, ClusterOptions};
    use netverdict::object::load::{LoadOptions, load};
    use netverdict::source::SourceId;

    #[test]
    fn selectors_are_said_briefly() {
        let text = "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: a}
spec:
  podSelector: {}
  ingress:
  - from:
    - podSelector: {matchLabels: {app: web}}
    - podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [p, q]}]}
    - podSelector: {}
    - namespaceSelector: {}
    - namespaceSelector: {matchLabels: {team: t, env: e}}
      podSelector: {matchLabels: {app: web}}
    - ipBlock: {cidr: 10.0.0.0/8}
";
        let config = Config::default();
        let loaded = load(SourceId(0), text, &LoadOptions::new(&config));
        let objects = loaded.into_objects();
        let cluster = Cluster::build(config.clone(), ClusterOptions::default(), objects);
        let mut said: Vec<String> = Vec::new();
        for rule in cluster.repository().rules() {
            said.extend(rule.peers.iter().flatten().map(|s| brief(s, &config)));
        }
        said.sort();
        assert_eq!(
            said,
            [
                "*/*",
                "10.0.0.0/8",
                "[env=e,team=t]/app=web",
                "a/*",
                "a/app!=p|q",
                "a/app=web",
            ]
        );
    }
}
