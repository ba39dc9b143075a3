//! `explain`: why a flow passes or not, rule by rule, and what would turn it
//! round.

use crate::args::Format;
use crate::command::verdict::{exit, headline, without_policy};
use crate::exit::{Exit, Failure};
use crate::layer7;
use crate::question::{Question, QuestionArgs};
use crate::report;
use crate::side::{proxy, said};
use crate::style::{self, clean};
use crate::world::World;
use anstyle::Style;
use clap::Args;
use netverdict::cluster::{Decision, FlowExplanation, JsonFlow, SideAnswer};
use netverdict::explain::{
    Candidate, ChangeKind, Enforcement, Explanation, Fate, JsonExplanation, PeerMatch,
};
use netverdict::rule::{Direction, Rule, RuleVerdict};
use netverdict::selector::SelectorKind;
use std::io::{self, Write};
use std::sync::Arc;

/// Explain what happens to a flow: every rule that was a candidate, why it
/// lost or won, and the smallest change that turns the verdict round.
#[derive(Args, Debug)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    question: QuestionArgs,
    /// Show every rule that does not match, not only those that nearly do.
    #[arg(long)]
    all: bool,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

/// Explains.
pub(crate) fn run(args: &ExplainArgs) -> Result<Exit, Failure> {
    let (world, question) = args.question.open()?;
    let explained = world.cluster.explain(&question.flow());
    let FlowExplanation {
        answer,
        egress,
        ingress,
    } = &explained;
    let sent = question.sent.as_ref();
    let layer7 = sent.map(|sent| (sent, sent.ask(&world, &question, answer)));
    let json_layer7 = layer7
        .as_ref()
        .map(|(sent, answer)| sent.json(answer, &world.sources));
    let mut out = io::BufWriter::new(anstream::stdout().lock());
    match args.output {
        Format::Json => {
            let json = |e: &Explanation| JsonExplanation::new(e, &world.sources);
            let sides = [egress.as_ref().map(json), ingress.as_ref().map(json)];
            let json = JsonFlow::new(&question.flow(), &answer.overall, sides, json_layer7);
            serde_json::to_writer_pretty(&mut out, &json)?;
            writeln!(out)?;
        }
        Format::Text => write(&mut out, &world, &question, &explained, args.all)?,
    }
    if let (Format::Text, Some((sent, answer))) = (args.output, &layer7) {
        sent.write(&mut out, answer, &world.sources, true)?;
    }
    out.flush()?;
    let flow = exit(&answer.overall);
    Ok(layer7.map_or(flow, |(_, answer)| layer7::exit(&answer, flow)))
}

/// Writes an explanation: each side with its rules.
pub(super) fn write(
    out: &mut dyn Write,
    world: &World,
    question: &Question,
    explained: &FlowExplanation,
    all: bool,
) -> io::Result<()> {
    let FlowExplanation {
        answer,
        egress,
        ingress,
    } = explained;
    headline(out, question, &answer.overall)?;
    let sides = [
        (
            Direction::Egress,
            &answer.egress,
            egress,
            &question.found.from,
        ),
        (
            Direction::Ingress,
            &answer.ingress,
            ingress,
            &question.found.to,
        ),
    ];
    for (direction, side, explanation, own) in sides {
        writeln!(out)?;
        let Some(side) = side else {
            without_policy(out, direction, own)?;
            continue;
        };
        side_head(out, side)?;
        if let Some(e) = explanation {
            tree(out, world, e, all)?;
        }
    }
    Ok(())
}

fn side_head(out: &mut dyn Write, side: &SideAnswer) -> io::Result<()> {
    let (said, look) = said(&side.decision);
    let strong = style::STRONG;
    writeln!(
        out,
        "{strong}{} of {}{strong:#}: {look}{said}{look:#}",
        side.direction,
        clean(&side.subject)
    )?;
    if let Decision::Unknown { why } = &side.decision {
        for why in why {
            writeln!(out, "  {}", clean(why))?;
        }
    }
    proxy(out, side)
}

/// Writes the tree of one side.
fn tree(out: &mut dyn Write, world: &World, e: &Explanation, all: bool) -> io::Result<()> {
    match &e.enforcement {
        Enforcement::Off => writeln!(out, "├ no policy applies in this direction: all passes")?,
        Enforcement::AllowByDefault => {
            writeln!(out, "├ policies apply, but none of them denies by default")?;
        }
        Enforcement::DenyByDefault(by) if by.is_empty() => {
            writeln!(out, "├ default deny, because `enable-policy` is `always`")?;
        }
        Enforcement::DenyByDefault(by) => default_deny(out, world, by)?,
    }
    let to_pod = is_pod(world, e);
    let mut tier = None;
    let mut hidden = 0;
    for candidate in &e.candidates {
        let synthesized = candidate.rule.origin.is_synthesized();
        if !all && candidate.fate == Fate::NoMatch && !is_near(candidate, to_pod) {
            hidden += usize::from(!synthesized);
            continue;
        }
        // What Cilium adds is worth a line when it decides.
        if synthesized && candidate.fate != Fate::Decides {
            continue;
        }
        if tier != Some(candidate.rule.tier) {
            tier = Some(candidate.rule.tier);
            let strong = style::STRONG;
            writeln!(out, "├ {strong}tier {}{strong:#}", candidate.rule.tier)?;
        }
        write_candidate(out, world, candidate)?;
    }
    match hidden {
        0 => {}
        1 => writeln!(out, "├ 1 rule is about something else (`--all` shows it)")?,
        n => writeln!(
            out,
            "├ {n} rules are about something else (`--all` shows them)"
        )?,
    }
    match &e.change {
        None => writeln!(out, "└ no rule turns this round"),
        Some(change) => {
            let strong = style::STRONG;
            let summary = clean(&change.summary);
            writeln!(out, "└ {strong}to turn it round:{strong:#} {summary}")?;
            if let ChangeKind::Add {
                member,
                policy,
                beside,
                ..
            } = &change.kind
            {
                // Without a policy to add it to, it needs one of its own.
                let yaml = if beside.is_some() { member } else { policy };
                for line in yaml.lines() {
                    writeln!(out, "    {}", clean(line))?;
                }
            }
            Ok(())
        }
    }
}

fn is_pod(world: &World, e: &Explanation) -> bool {
    let labels = world.cluster.identities().get(e.question.peer);
    labels.is_some_and(|l| l.namespace().is_some())
}

/// True for a rule that little keeps from matching.
fn is_near(candidate: &Candidate, to_pod: bool) -> bool {
    match &candidate.peer {
        PeerMatch::Nobody => false,
        PeerMatch::Missed { selector, misses } => {
            let labels = selector.kind() == SelectorKind::Labels;
            candidate.port.matches() && labels == to_pod && misses.len() <= 1
        }
        _ => true,
    }
}

fn default_deny(out: &mut dyn Write, world: &World, by: &[Arc<Rule>]) -> io::Result<()> {
    const LISTED: usize = 3;
    writeln!(out, "├ default deny, switched on by")?;
    let mut named: Vec<(String, &Rule)> = Vec::new();
    for rule in by {
        let object = rule.origin.object.to_string();
        if named.iter().all(|(o, _)| *o != object) {
            named.push((object, rule));
        }
    }
    for (object, rule) in named.iter().take(LISTED) {
        let place = report::place(&world.sources, rule.origin.span);
        let faint = style::FAINT;
        writeln!(out, "│   {}  {faint}{place}{faint:#}", clean(object))?;
    }
    match named.len().saturating_sub(LISTED) {
        0 => Ok(()),
        more => writeln!(out, "│   and {more} more"),
    }
}

fn write_candidate(out: &mut dyn Write, world: &World, c: &Candidate) -> io::Result<()> {
    let (sign, look) = match c.fate {
        Fate::Decides | Fate::Authenticates => match c.rule.verdict {
            RuleVerdict::Deny => ("✗", style::ERROR),
            _ => ("✓", style::GOOD),
        },
        Fate::Passed => ("↓", style::INFO),
        _ => ("·", Style::new()),
    };
    let verb = match c.rule.verdict {
        RuleVerdict::Allow => "allow",
        RuleVerdict::Deny => "deny",
        RuleVerdict::Pass => "pass",
    };
    let object = c.rule.origin.object.to_string();
    let (object, path) = (clean(&object), clean(&c.rule.origin.path));
    let reason = c.reason();
    let reason = clean(&reason);
    if c.rule.origin.is_synthesized() {
        let name = &c.rule.origin.object.name;
        return writeln!(
            out,
            "│ {look}{sign} {verb}{look:#} by Cilium itself: {name}"
        );
    }
    let faint = style::FAINT;
    let place = report::place(&world.sources, c.rule.origin.span);
    writeln!(
        out,
        "│ {look}{sign} {verb}{look:#} {object}, {path}  {faint}{place}{faint:#}"
    )?;
    writeln!(out, "│     {look}{reason}{look:#}")
}
