//! `table info`: what a table says of itself, without loading it.

use super::FileArgs;
use crate::args::Format;
use crate::columns::{self, cell};
use crate::exit::{Exit, Failure};
use clap::Args;
use netverdict_table::Info;
use netverdict_table::layout::{FRAGMENTATION_NEEDED, HEADER_LEN, ICMP_TYPES};
use serde_json::json;
use std::fs::File;
use std::io::{self, Read, Write};

/// Print what a table says of itself; only its first 128 bytes are read.
#[derive(Args, Debug)]
pub(super) struct InfoArgs {
    #[command(flatten)]
    file: FileArgs,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

/// Prints it.
pub(super) fn run(args: &InfoArgs) -> Result<Exit, Failure> {
    let path = &args.file.table;
    let failed = |e: io::Error| Failure::file("read", path.display(), &e);
    let mut file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    let mut bytes = Vec::new();
    let first = Read::by_ref(&mut file).take(HEADER_LEN as u64);
    { first }.read_to_end(&mut bytes).map_err(failed)?;
    let info = Info::read(&bytes).map_err(|e| {
        let message = format!("`{}` is no verdict table: {e}", path.display());
        Failure::new(message).exit(Exit::Invalid)
    })?;
    let h = info.header;
    let (major, minor) = (h.semantics >> 16, h.semantics & 0xffff);
    let semantics = format!("Cilium {major}.{minor}");
    let whole = u64::from(h.length) <= size;
    let mut out = io::BufWriter::new(anstream::stdout().lock());
    match args.output {
        Format::Json => {
            let json = json!({
                "file": path.display().to_string(),
                "version": h.version,
                "oldestReader": h.oldest_reader,
                "semantics": semantics,
                "bytes": h.length,
                "complete": whole,
                "frozen": info.frozen,
                "hash": info.frozen.then(|| format!("{:016x}", h.hash)),
                "revision": h.revision,
                "clusterId": h.cluster_id,
                "clusterBits": h.cluster_bits,
                "icmpTypes": h.flags & ICMP_TYPES != 0,
                "fragmentationNeededPasses": h.flags & FRAGMENTATION_NEEDED != 0,
                "subjects": h.subjects.count,
                "identities": h.identities.count,
                "rules": h.rules.count,
                "origins": h.origins != 0,
            });
            serde_json::to_writer_pretty(&mut out, &json)?;
            writeln!(out)?;
        }
        Format::Text => {
            let yes = |on: bool| if on { "yes" } else { "no" }.to_owned();
            let length = match whole {
                true => h.length.to_string(),
                false => format!("{} (the file has {size}: it is cut off)", h.length),
            };
            let hash = match info.frozen {
                true => format!("{:016x}", h.hash),
                false => "none: the table may change".to_owned(),
            };
            let lines = [
                ("format", h.version.to_string()),
                ("semantics", semantics),
                ("bytes", length),
                ("hash", hash),
                ("revision", h.revision.to_string()),
                (
                    "cluster",
                    format!("{}, of {} bits", h.cluster_id, h.cluster_bits),
                ),
                ("ICMP types count", yes(h.flags & ICMP_TYPES != 0)),
                (
                    "fragmentation needed passes",
                    yes(h.flags & FRAGMENTATION_NEEDED != 0),
                ),
                ("subjects", h.subjects.count.to_string()),
                ("identities", h.identities.count.to_string()),
                (
                    "rules",
                    match h.origins {
                        0 => "left out".to_owned(),
                        _ => h.rules.count.to_string(),
                    },
                ),
            ];
            let rows: Vec<_> = lines
                .into_iter()
                .map(|(name, value)| vec![cell(name), cell(value)])
                .collect();
            columns::write(&mut out, &rows)?;
        }
    }
    out.flush()?;
    Ok(if whole { Exit::Fine } else { Exit::Invalid })
}
