//! `compile`: policies to a verdict table.

use crate::args::Format;
use crate::exit::{Exit, Failure};
use crate::fix;
use crate::style::{self, clean, count};
use crate::world::WorldArgs;
use clap::Args;
use netverdict_table::Direction;
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::PathBuf;

/// Compile the policies of all workloads into a verdict table.
#[derive(Args, Debug)]
pub(crate) struct CompileArgs {
    /// The file to write. It is replaced at once: nobody sees half of it.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Leave out the rules behind each verdict.
    #[arg(long)]
    no_origins: bool,
    #[command(flatten)]
    world: WorldArgs,
    /// How to print the summary.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    file: String,
    bytes: usize,
    subjects: usize,
    endpoints: usize,
    identities: usize,
    policies: usize,
    peer_classes: u64,
    port_classes: u64,
    without_policy: Vec<Without>,
}

#[derive(Serialize)]
struct Without {
    endpoint: String,
    why: String,
}

/// Compiles, and says what came of it.
pub(crate) fn run(args: &CompileArgs) -> Result<Exit, Failure> {
    let world = args.world.open()?;
    let sources = (!args.no_origins).then_some(&world.sources);
    let table = world.cluster.compile(sources);
    let table = table.map_err(|e| Failure::new(e.to_string()).exit(Exit::Invalid))?;
    let written = fix::replace(&args.output, &table.image);
    written.map_err(|e| Failure::file("write", args.output.display(), &e))?;
    let view = super::table::view(&table.image, &args.output)?;
    let mut policies = BTreeSet::new();
    for subject in 0..view.subjects() {
        let both = Direction::BOTH.map(|d| view.policy(subject, d));
        policies.extend(both.into_iter().flatten().map(|p| *p.descriptor()));
    }
    let summary = Summary {
        file: args.output.display().to_string(),
        bytes: table.image.len(),
        subjects: table.subjects.len(),
        endpoints: table.subjects.iter().map(|s| s.endpoints.len()).sum(),
        identities: view.identities().count(),
        policies: policies.len(),
        peer_classes: policies.iter().map(|p| u64::from(p.peer_classes)).sum(),
        port_classes: policies.iter().map(|p| u64::from(p.port_classes)).sum(),
        without_policy: table
            .without_policy
            .iter()
            .map(|(endpoint, error)| Without {
                endpoint: endpoint.clone(),
                why: error.to_string(),
            })
            .collect(),
    };
    let mut out = io::BufWriter::new(anstream::stdout().lock());
    match args.format {
        Format::Json => {
            serde_json::to_writer_pretty(&mut out, &summary)?;
            writeln!(out)?;
        }
        Format::Text => text(&mut out, &summary)?,
    }
    out.flush()?;
    Ok(match summary.without_policy.is_empty() {
        true => Exit::Fine,
        false => Exit::Invalid,
    })
}

fn text(out: &mut dyn Write, s: &Summary) -> io::Result<()> {
    let strong = style::STRONG;
    writeln!(
        out,
        "{strong}{}{strong:#}: {}, {} of {}, {} identities",
        clean(&s.file),
        count(s.bytes, "byte"),
        count(s.subjects, "subject"),
        count(s.endpoints, "endpoint"),
        s.identities
    )?;
    writeln!(
        out,
        "{} distinct policies of one direction, {} peer classes and {} port classes in all",
        s.policies, s.peer_classes, s.port_classes
    )?;
    let warning = style::WARNING;
    for without in &s.without_policy {
        writeln!(
            out,
            "{warning}no policy{warning:#}: {}: {}",
            clean(&without.endpoint),
            clean(&without.why)
        )?;
    }
    Ok(())
}
