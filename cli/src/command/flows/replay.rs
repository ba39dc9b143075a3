//! `flows replay`: which recorded flows these policies would treat otherwise.

use super::RecordedArgs;
use crate::args::Format;
use crate::exit::{Exit, Failure};
use crate::recording::{Recorded, flows};
use crate::report;
use crate::style::{self, clean, count};
use anstyle::Style;
use clap::Args;
use netverdict::rule::Direction;
use netverdict::source::Sources;
use netverdict_analysis::json::JsonReplay;
use netverdict_analysis::recorded::{Change, Replayed, replay};
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
    for line in one.reasons() {
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

fn json(
    out: &mut dyn Write,
    recorded: &Recorded,
    replayed: &[Replayed],
    sources: &Sources,
) -> Result<(), Failure> {
    let place = |at| recorded.place(at);
    let json = JsonReplay::new(&recorded.recording, replayed, sources, &place);
    serde_json::to_writer_pretty(&mut *out, &json)?;
    writeln!(out)?;
    Ok(())
}
