//! `identities`: who is who.

use crate::args::Format;
use crate::columns::{self, cell};
use crate::exit::{Exit, Failure};
use crate::style;
use crate::world::{World, WorldArgs};
use clap::Args;
use netverdict::identity::{NumericIdentity, Reserved};
use serde::Serialize;
use std::io::{self, Write};

/// List identities: numbers, labels, and the endpoints and prefixes that have
/// them.
#[derive(Args, Debug)]
pub(crate) struct IdentitiesArgs {
    /// Reserved identities as well.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    world: WorldArgs,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

/// An identity with those who have it.
#[derive(Serialize)]
pub(crate) struct JsonIdentity {
    id: u32,
    labels: Vec<String>,
    endpoints: Vec<String>,
    prefixes: Vec<String>,
}

/// The identities of a world, by number.
pub(crate) fn all(world: &World, reserved: bool) -> Vec<JsonIdentity> {
    let cluster = &world.cluster;
    let one = |(id, labels): (NumericIdentity, &netverdict::label::LabelSet)| JsonIdentity {
        id: id.0,
        labels: labels.iter().map(ToString::to_string).collect(),
        endpoints: cluster
            .endpoints()
            .iter()
            .filter(|e| e.identity == id)
            .map(ToString::to_string)
            .collect(),
        prefixes: cluster
            .ipcache()
            .iter()
            .filter(|(_, e)| e.id == id)
            .map(|(p, _)| p.to_string())
            .collect(),
    };
    let mut all: Vec<JsonIdentity> = cluster
        .identities()
        .iter()
        .filter(|(id, _)| reserved || Reserved::by_id(*id).is_none())
        .map(one)
        .collect();
    all.sort_by_key(|i| i.id);
    all
}

/// Lists them.
pub(crate) fn run(args: &IdentitiesArgs) -> Result<Exit, Failure> {
    let world = args.world.open()?;
    let all = all(&world, args.all);
    let mut out = io::BufWriter::new(anstream::stdout().lock());
    match args.output {
        Format::Json => {
            serde_json::to_writer_pretty(&mut out, &all)?;
            writeln!(out)?;
        }
        Format::Text if all.is_empty() => {
            writeln!(
                out,
                "no identities: the input has no workloads and no prefixes"
            )?;
        }
        Format::Text => {
            let head = ["IDENTITY", "WHO", "LABELS"];
            let mut rows = vec![head.map(|h| (h.to_owned(), style::STRONG)).to_vec()];
            for identity in &all {
                let who = identity.endpoints.iter().chain(&identity.prefixes);
                let mut who = who.take(4).map(String::as_str);
                let mut labels = identity.labels.iter().map(String::as_str);
                let mut id = Some(identity.id.to_string());
                loop {
                    let (w, l) = (who.next(), labels.next());
                    if w.is_none() && l.is_none() && id.is_none() {
                        break;
                    }
                    let id = id.take().unwrap_or_default();
                    let texts = [&*id, w.unwrap_or_default(), l.unwrap_or_default()];
                    rows.push(texts.map(cell).to_vec());
                }
            }
            columns::write(&mut out, &rows)?;
        }
    }
    out.flush()?;
    Ok(Exit::Fine)
}
