//! `flows replay`: which recorded flows these policies would treat otherwise.

use super::RecordedArgs;
use crate::args::Format;
use crate::exit::{Exit, Failure};
use crate::recording::{Recorded, flows};
use crate::report;
use crate::style::{self, clean, count};
use anstyle::Style;
use clap::Args;
use netverdict::cluster::Decision;
use netverdict::explain::JsonPlace;
use netverdict::policy_map::Verdict;
use netverdict::rule::Direction;
use netverdict::source::Sources;
use netverdict_analysis::recorded::{Change, Now, Replayed, replay};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Ask what becomes of recorded flows under these policies: which would now be
/// dropped, which pass now, which go to a proxy.
#[derive(Args, Debug)]
pub(crate) struct ReplayArgs {
    #[command(flatten)]
    recorded: RecordedArgs,
    /// Show those that stay as they were, too.
    #[arg(long)]
    all: bool,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

/// Replays.
pub(crate) fn run(args: &ReplayArgs) -> Result<Exit, Failure> {
    let opened = args.recorded.open()?;
    let recording = &opened.recorded.recording;
    let replayed = replay(&opened.world.cluster, recording, &opened.placement);
    let sources = &opened.world.sources;
    let mut out = io::BufWriter::new(anstream::stdout().lock());
    match args.output {
        Format::Json => json(&mut out, &opened.recorded, &replayed, sources)?,
        Format::Text => text(&mut out, &opened.recorded, &replayed, sources, args.all)?,
    }
    out.flush()?;
    let has = |wanted: &dyn Fn(Change) -> bool| replayed.iter().any(|r| wanted(r.change));
    let exit = if has(&|c| !matches!(c, Change::Same | Change::Unknown)) {
        Exit::Differs
    } else if has(&|c| c == Change::Unknown) || recording.skipped().unsaid.flows > 0 {
        Exit::Invalid
    } else {
        Exit::Fine
    };
    Ok(opened.exit(exit))
}

fn said(change: Change) -> (&'static str, Style) {
    match change {
        Change::NewlyDenied => ("newly denied", style::ERROR),
        Change::NewlyRefused => ("newly refused by a proxy", style::ERROR),
        Change::NeedsAuthentication => ("newly dropped until authenticated", style::ERROR),
        Change::NewlyAllowed => ("newly allowed", style::WARNING),
        Change::ToProxy => ("now by way of a proxy", style::INFO),
        Change::FromProxy => ("no longer by way of a proxy", style::INFO),
        Change::Unknown => ("unknown", style::WARNING),
        Change::Same => ("unchanged", style::GOOD),
    }
}

fn text(
    out: &mut dyn Write,
    recorded: &Recorded,
    replayed: &[Replayed],
    sources: &Sources,
    all: bool,
) -> io::Result<()> {
    for change in Change::ALL {
        let of: Vec<&Replayed> = replayed.iter().filter(|r| r.change == change).collect();
        if of.is_empty() || (change == Change::Same && !all) {
            continue;
        }
        let (said, look) = said(change);
        writeln!(
            out,
            "{look}{said}{look:#}: {}",
            count(of.len(), "connection")
        )?;
        let mut groups: BTreeMap<&str, Vec<&Replayed>> = BTreeMap::new();
        for one in of {
            groups.entry(workload(one)).or_default().push(one);
        }
        for (workload, members) in groups {
            let strong = style::STRONG;
            writeln!(out, "  {strong}{}{strong:#}", clean(workload))?;
            for one in members {
                connection(out, recorded, one, sources)?;
            }
        }
        writeln!(out)?;
    }
    summary(out, recorded, replayed)
}

/// The workload whose policy decides, else the receiver.
fn workload(one: &Replayed) -> &str {
    match one.now.side().map(|s| s.direction) {
        Some(Direction::Egress) => &one.from,
        _ => &one.to,
    }
}

fn connection(
    out: &mut dyn Write,
    recorded: &Recorded,
    one: &Replayed,
    sources: &Sources,
) -> io::Result<()> {
    let (from, to) = (clean(&one.from), clean(&one.to));
    let what = one.traffic.to_string();
    let faint = style::FAINT;
    writeln!(
        out,
        "    {from} → {to} {}  {faint}{}, first {}{faint:#}",
        clean(&what),
        flows(one.seen.flows),
        recorded.place(one.seen.first)
    )?;
    for line in reasons(one) {
        writeln!(out, "      {}", clean(&line))?;
    }
    if one.change == Change::Unknown {
        return Ok(());
    }
    rules(out, one, sources)
}

fn rules(out: &mut dyn Write, one: &Replayed, sources: &Sources) -> io::Result<()> {
    const LISTED: usize = 3;
    let rules = one.now.rules();
    let faint = style::FAINT;
    for rule in rules.iter().take(LISTED) {
        let place = report::place(sources, rule.origin.span);
        let (object, path) = (rule.origin.object.to_string(), &rule.origin.path);
        let (object, path) = (clean(&object), clean(path));
        writeln!(out, "        {object}, {path}  {faint}{place}{faint:#}")?;
    }
    match rules.len().saturating_sub(LISTED) {
        0 => Ok(()),
        more => writeln!(out, "        and {more} more"),
    }
}

/// What becomes of it, in words.
fn reasons(one: &Replayed) -> Vec<String> {
    let (flow, layer7) = match &one.now {
        Now::Open(why) => return why.clone(),
        Now::Answer { flow, layer7 } => (flow, layer7),
    };
    if let Decision::Unknown { why } = &flow.overall {
        return why.clone();
    }
    let sent = layer7.as_ref().and_then(|l| l.outcome.as_ref());
    if let (Some(sent), Change::NewlyRefused | Change::Unknown) = (sent, one.change) {
        return vec![format!("what is sent is {sent}")];
    }
    if one.outcome == netverdict_analysis::recorded::Outcome::Unsaid {
        return vec!["the record does not say what became of it".to_owned()];
    }
    let Some(side) = one.now.side() else {
        return vec!["neither end has a policy".to_owned()];
    };
    let what = match side.decision.verdict() {
        Some(Verdict::Allow) if one.now.rules().is_empty() => "allowed without a rule",
        Some(Verdict::Allow) => "allowed by",
        Some(Verdict::Deny) => "denied by",
        Some(Verdict::DefaultDeny) if one.now.rules().is_empty() => "no rule allows it",
        Some(Verdict::DefaultDeny) => "no rule allows it; default deny by",
        Some(Verdict::Redirect) => "sent to a proxy by",
        Some(Verdict::AuthRequired) => "dropped until authenticated by",
        None => "unknown",
    };
    vec![format!("{}: {what}", side.direction)]
}

fn summary(out: &mut dyn Write, recorded: &Recorded, replayed: &[Replayed]) -> io::Result<()> {
    let recording = &recorded.recording;
    let parts = Change::ALL.into_iter().filter_map(|change| {
        let n = replayed.iter().filter(|r| r.change == change).count();
        (n > 0).then(|| format!("{n} {}", said(change).0))
    });
    let parts: Vec<String> = parts.collect();
    let skipped = recording.skipped();
    let passed = [
        (skipped.replies, "replies"),
        (skipped.unsaid.flows, "perhaps replies"),
        (skipped.other_drops, "drops for other reasons than policy"),
        (skipped.others, "events without a verdict"),
        (recording.malformed_rows(), "lines that are no flows"),
    ];
    let passed = passed.into_iter().filter(|(n, _)| *n > 0);
    let passed: Vec<String> = passed.map(|(n, what)| format!("{n} {what}")).collect();
    let connections = count(replayed.len(), "connection");
    write!(out, "{}, {connections}", flows(recording.rows()))?;
    if !parts.is_empty() {
        write!(out, ": {}", parts.join(", "))?;
    }
    if !passed.is_empty() {
        write!(out, "; passed over {}", passed.join(", "))?;
    }
    writeln!(out)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonReplay {
    flows: u64,
    malformed: u64,
    replies: u64,
    perhaps_replies: u64,
    other_drops: u64,
    without_verdict: u64,
    connections: Vec<JsonConnection>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonConnection {
    change: &'static str,
    from: String,
    to: String,
    traffic: String,
    recorded: &'static str,
    flows: u64,
    first: String,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer7: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    why: Vec<String>,
    rules: Vec<JsonPlace>,
}

fn json(
    out: &mut dyn Write,
    recorded: &Recorded,
    replayed: &[Replayed],
    sources: &Sources,
) -> Result<(), Failure> {
    let recording = &recorded.recording;
    let skipped = recording.skipped();
    let connection = |one: &Replayed| {
        let (verdict, layer7) = match &one.now {
            Now::Open(_) => ("unknown", None),
            Now::Answer { flow, layer7 } => {
                let sent = layer7.as_ref().and_then(|l| l.outcome.as_ref());
                (flow.overall.as_str(), sent.map(ToString::to_string))
            }
        };
        let open = one.change == Change::Unknown;
        JsonConnection {
            change: one.change.as_str(),
            from: one.from.clone(),
            to: one.to.clone(),
            traffic: one.traffic.to_string(),
            recorded: one.outcome.as_str(),
            flows: one.seen.flows,
            first: recorded.place(one.seen.first),
            verdict,
            layer7,
            direction: one.now.side().map(|s| s.direction.as_str()),
            why: if open { reasons(one) } else { Vec::new() },
            rules: one
                .now
                .rules()
                .iter()
                .map(|r| JsonPlace::new(r, sources))
                .collect(),
        }
    };
    let json = JsonReplay {
        flows: recording.rows(),
        malformed: recording.malformed_rows(),
        replies: skipped.replies,
        perhaps_replies: skipped.unsaid.flows,
        other_drops: skipped.other_drops,
        without_verdict: skipped.others,
        connections: replayed.iter().map(connection).collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &json)?;
    writeln!(out)?;
    Ok(())
}
