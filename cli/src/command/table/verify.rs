//! `table verify`: the proof that a table is of these policies.

use super::FileArgs;
use crate::args::Format;
use crate::exit::{Exit, Failure};
use crate::style;
use crate::world::WorldArgs;
use clap::Args;
use netverdict::verify::Fault;
use serde_json::json;
use std::io::{self, Write};

/// Prove that a table says what policies say, for every identity, protocol and
/// port.
#[derive(Args, Debug)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    file: FileArgs,
    #[command(flatten)]
    world: WorldArgs,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

/// Proves it.
pub(super) fn run(args: &VerifyArgs) -> Result<Exit, Failure> {
    let path = &args.file.table;
    let bytes = super::read(path)?;
    super::view(&bytes, path)?;
    let world = args.world.open()?;
    let result = world.cluster.verify(&bytes, Some(&world.sources));
    let mut out = io::BufWriter::new(anstream::stdout().lock());
    match (&result, args.output) {
        (Ok(c), Format::Json) => {
            let json = json!({
                "equal": true,
                "subjects": c.subjects,
                "policies": c.policies,
                "peerGroups": c.peer_groups,
                "portGroups": c.port_groups,
                "answers": c.answers,
                "origins": c.origins,
            });
            serde_json::to_writer_pretty(&mut out, &json)?;
            writeln!(out)?;
        }
        (Ok(c), Format::Text) => {
            let good = style::GOOD;
            writeln!(
                out,
                "{good}equal{good:#}: {}, for all 4294967296 identities and all ports of all 256 \
                 protocols",
                style::count(c.subjects as usize, "subject"),
            )?;
            writeln!(
                out,
                "compared: {} answers, of {} groups of identities and {} groups of ports in {} distinct \
                 policies; {} entries with their rules",
                c.answers, c.peer_groups, c.port_groups, c.policies, c.origins
            )?;
        }
        (Err(fault), Format::Json) => {
            let flow = match fault {
                Fault::Verdict(c) => json!({
                    "subject": c.subject,
                    "direction": c.direction.as_str(),
                    "identity": c.identity,
                    "protocol": c.protocol,
                    "port": c.port,
                }),
                _ => serde_json::Value::Null,
            };
            let json = json!({ "equal": false, "difference": fault.to_string(), "flow": flow });
            serde_json::to_writer_pretty(&mut out, &json)?;
            writeln!(out)?;
        }
        (Err(fault), Format::Text) => {
            let red = style::ERROR;
            writeln!(
                out,
                "{red}differs{red:#}: {}",
                style::clean(&fault.to_string())
            )?;
        }
    }
    out.flush()?;
    Ok(match result {
        Ok(_) => Exit::Fine,
        Err(_) => Exit::Differs,
    })
}
