//! `flows cover`: rules that no recorded flow exercised.

use super::RecordedArgs;
use crate::args::Format;
use crate::exit::{Exit, Failure};
use crate::rules;
use clap::Args;
use netverdict_analysis::coverage::Coverage;
use netverdict_analysis::recorded::question;
use std::io::{self, Write};

/// List the rules that no recorded flow exercised, and those that matched
/// flows without deciding any.
#[derive(Args, Debug)]
pub(crate) struct CoverArgs {
    #[command(flatten)]
    recorded: RecordedArgs,
    /// Show the rules that were exercised, too.
    #[arg(long)]
    all: bool,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

/// Counts.
pub(crate) fn run(args: &CoverArgs) -> Result<Exit, Failure> {
    let opened = args.recorded.open()?;
    let cluster = &opened.world.cluster;
    let mut coverage = Coverage::new();
    let recording = &opened.recorded.recording;
    let mut asked = 0;
    for ((connection, sightings), ends) in recording.connections().zip(&opened.placement.ends) {
        if let Ok(placed) = ends
            && let Ok(flow) = question(&connection.traffic, placed)
        {
            coverage.count(&cluster.explain(&flow), sightings.seen.flows);
            asked += 1;
        }
    }
    let all = recording.connections().count();
    let mut out = io::BufWriter::new(anstream::stdout().lock());
    let exercised = coverage.rules(cluster);
    match args.output {
        Format::Json => {
            let json = serde_json::json!({
                "connections": all,
                "asked": asked,
                "rules": rules::json(&exercised, &opened.world.sources),
            });
            serde_json::to_writer_pretty(&mut out, &json)?;
            writeln!(out)?;
        }
        Format::Text => {
            rules::write(&mut out, &exercised, &opened.world.sources, args.all)?;
            if asked < all {
                writeln!(
                    out,
                    "{} of {all} connections could not be asked about; `flows replay` says why",
                    all - asked
                )?;
            }
        }
    }
    out.flush()?;
    Ok(opened.exit(Exit::Fine))
}
