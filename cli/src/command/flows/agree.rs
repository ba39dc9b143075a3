//! `flows agree`: what the agent said, held against what netverdict says.

use super::RecordedArgs;
use crate::args::Format;
use crate::exit::{Exit, Failure};
use crate::recording::flows;
use crate::style::{self, clean};
use clap::Args;
use netverdict::rule::Direction;
use netverdict_analysis::recorded::{Agreement, agree};
use serde_json::json;
use std::io::{self, Write};

/// Compare recorded verdicts of policy, match types, policies and identities
/// with those of netverdict, given the policies of that time.
#[derive(Args, Debug)]
pub(crate) struct AgreeArgs {
    #[command(flatten)]
    recorded: RecordedArgs,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

/// Compares.
pub(crate) fn run(args: &AgreeArgs) -> Result<Exit, Failure> {
    let opened = args.recorded.open()?;
    let recording = &opened.recorded.recording;
    let agreement = agree(&opened.world.cluster, recording, &opened.placement);
    let mut out = io::BufWriter::new(anstream::stdout().lock());
    let place = |at| opened.recorded.place(at);
    match args.output {
        Format::Json => {
            let differ = agreement.disagreements.iter().map(|d| {
                json!({
                    "from": d.from,
                    "to": d.to,
                    "traffic": d.traffic.to_string(),
                    "direction": d.judgement.direction.map(Direction::as_str),
                    "flows": d.seen.flows,
                    "first": place(d.seen.first),
                    "differences": d.differences.iter().map(ToString::to_string).collect::<Vec<_>>(),
                })
            });
            let open = agreement.open.iter().map(|(why, seen)| {
                json!({ "why": why, "flows": seen.flows, "first": place(seen.first) })
            });
            let json = json!({
                "compared": agreement.compared,
                "agreed": agreement.agreed,
                "disagreements": differ.collect::<Vec<_>>(),
                "open": open.collect::<Vec<_>>(),
            });
            serde_json::to_writer_pretty(&mut out, &json)?;
            writeln!(out)?;
        }
        Format::Text => {
            for d in &agreement.disagreements {
                let (red, faint) = (style::ERROR, style::FAINT);
                let side = d.judgement.direction.map_or("", Direction::as_str);
                let (from, to, what) = (clean(&d.from), clean(&d.to), d.traffic.to_string());
                writeln!(
                    out,
                    "{red}differs{red:#}: {from} → {to} {} {side}  {faint}{}, first {}{faint:#}",
                    clean(&what),
                    flows(d.seen.flows),
                    place(d.seen.first)
                )?;
                for difference in &d.differences {
                    writeln!(out, "  {}", clean(&difference.to_string()))?;
                }
            }
            for (why, seen) in &agreement.open {
                let yellow = style::WARNING;
                let (n, first) = (flows(seen.flows), place(seen.first));
                writeln!(
                    out,
                    "{yellow}unknown{yellow:#}: {n}, first {first}: {}",
                    clean(why)
                )?;
            }
            summary(&mut out, &agreement)?;
        }
    }
    out.flush()?;
    let exit = match (&*agreement.disagreements, agreement.compared) {
        ([], 0) => Exit::Invalid,
        ([], _) => Exit::Fine,
        _ => Exit::Differs,
    };
    Ok(opened.exit(exit))
}

fn summary(out: &mut dyn Write, agreement: &Agreement) -> io::Result<()> {
    let open: u64 = agreement.open.values().map(|s| s.flows).sum();
    writeln!(
        out,
        "{} of {} with a verdict of policy agree, {open} unknown",
        agreement.agreed,
        flows(agreement.compared)
    )
}
