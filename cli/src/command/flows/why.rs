//! `flows why`: a pasted line of Hubble, explained.

use super::Opened;
use crate::command::explain;
use crate::exit::{Exit, Failure};
use crate::question::Question;
use crate::recording::Recorded;
use crate::style::{self, clean};
use crate::world::WorldArgs;
use clap::Args;
use netverdict::cluster::FoundFlow;
use netverdict_analysis::recorded::{Outcome, question};
use std::io::{self, Write};
use std::path::PathBuf;

/// Explain a recorded flow, for instance a drop: which rule decides, and what
/// to add.
#[derive(Args, Debug)]
pub(crate) struct WhyArgs {
    /// A line as Hubble prints it, in quotes; or a file of such lines, or `-`
    /// for standard input.
    #[arg(value_name = "LINE|RECORDING", default_value = "-")]
    line: String,
    /// Show every rule that does not match, not only those that nearly do.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    world: WorldArgs,
}

/// At most so many connections are explained.
const EXPLAINED: usize = 10;

/// Explains.
pub(crate) fn run(args: &WhyArgs) -> Result<Exit, Failure> {
    let looks_like_a_line = args.line.contains([' ', '{', '\n']);
    let recorded = if looks_like_a_line {
        Recorded::of_line(&args.line)
    } else {
        Recorded::read(&[PathBuf::from(&args.line)])?
    };
    let opened = Opened::new(args.world.open()?, recorded)?;
    let recording = &opened.recorded.recording;
    let mut out = io::BufWriter::new(anstream::stdout().lock());
    let placed = recording.connections().zip(&opened.placement.ends);
    // Drops first: they are what people ask about.
    let mut asked: Vec<_> = placed.collect();
    asked.sort_by_key(|((_, sightings), _)| std::cmp::Reverse(sightings.outcome));
    let drops = asked
        .iter()
        .filter(|((_, s), _)| s.outcome >= Outcome::Refused);
    let wanted = match drops.count() {
        0 => asked.len(),
        n => n,
    };
    let mut exit = Exit::Fine;
    for (i, ((connection, sightings), ends)) in asked.iter().take(wanted.min(EXPLAINED)).enumerate()
    {
        if i > 0 {
            writeln!(out)?;
        }
        let faint = style::FAINT;
        let (place, outcome) = (
            opened.recorded.place(sightings.seen.first),
            sightings.outcome.as_str(),
        );
        writeln!(out, "{faint}{place}: recorded as {outcome}{faint:#}")?;
        let flow = match ends {
            Ok(placed) => question(&connection.traffic, placed).map_err(|why| vec![why]),
            Err(why) => Err(why.clone()),
        };
        let (Ok(flow), Ok(placed)) = (flow.as_ref(), ends) else {
            exit = Exit::Invalid;
            writeln!(
                out,
                "{} → {} {}: unknown",
                clean(&connection.source.to_string()),
                clean(&connection.destination.to_string()),
                connection.traffic
            )?;
            for why in flow.err().into_iter().flatten() {
                writeln!(out, "  {}", clean(&why))?;
            }
            continue;
        };
        let asked = Question {
            found: FoundFlow {
                from: placed.from.clone(),
                to: placed.to.clone(),
                protocol: flow.protocol,
                port: flow.port,
                icmp_code: flow.icmp_code,
                untracked_fragment: false,
            },
            sent: None,
        };
        let explained = opened.world.cluster.explain(flow);
        explain::write(&mut out, &opened.world, &asked, &explained, args.all)?;
        let own = super::super::verdict::exit(&explained.answer.overall);
        if own != Exit::Fine && exit != Exit::Invalid {
            exit = own;
        }
    }
    if wanted > EXPLAINED {
        writeln!(
            out,
            "\nand {} more; `flows replay` lists all",
            wanted - EXPLAINED
        )?;
    }
    out.flush()?;
    Ok(opened.exit(exit))
}
