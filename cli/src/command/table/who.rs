//! `table who`: who reaches a subject, and whom it reaches.

use super::{FileArgs, SubjectArgs};
use crate::args::Format;
use crate::exit::{Exit, Failure};
use crate::question;
use crate::style;
use clap::{Args, ValueEnum};
use netverdict::listing::{direction_name, identity_ranges, port_names, unlisted_name};
use netverdict_table::layout::AGGREGATES;
use netverdict_table::{Direction, IdentitySet, Plane, View};
use serde_json::json;
use std::io::{self, Write};

/// List who reaches a subject on each port, or whom it reaches.
#[derive(Args, Debug)]
pub(super) struct WhoArgs {
    #[command(flatten)]
    file: FileArgs,
    #[command(flatten)]
    subject: SubjectArgs,
    /// Whom the subject reaches, not who reaches it.
    #[arg(long)]
    egress: bool,
    /// On this port alone: `443`, `53/UDP`, `ESP`.
    #[arg(short, long, value_name = "PORT[/PROTOCOL]")]
    port: Option<String>,
    /// Those who get one of these verdicts.
    #[arg(long, value_enum, value_name = "VERDICT", default_values = ["allow", "redirect"])]
    verdict: Vec<Wanted>,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Wanted {
    /// It passes.
    Allow,
    /// It passes by way of a proxy.
    Redirect,
    /// A rule denies it.
    Deny,
    /// Authentication comes first.
    AuthRequired,
}

impl Wanted {
    const fn plane(self) -> Plane {
        match self {
            Self::Allow => Plane::Allow,
            Self::Redirect => Plane::Redirect,
            Self::Deny => Plane::Deny,
            Self::AuthRequired => Plane::AuthRequired,
        }
    }
}

/// Lists them.
pub(super) fn run(args: &WhoArgs) -> Result<Exit, Failure> {
    let path = &args.file.table;
    let bytes = super::read(path)?;
    let view = super::view(&bytes, path)?;
    let subject = args.subject.find(&view, path)?;
    let direction = match args.egress {
        true => Direction::Egress,
        false => Direction::Ingress,
    };
    let Some(policy) = view.policy(subject, direction) else {
        return Err(Failure::new("there is no such subject"));
    };
    let planes: Vec<Plane> = args.verdict.iter().map(|w| w.plane()).collect();
    let mut found: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    match &args.port {
        Some(text) => {
            let (protocol, port) = question::plain_port(text)?;
            let peers = policy.peers(protocol, port, &planes);
            if !peers.is_empty() {
                found.push((vec![text.clone()], names(&view, &peers)));
            }
        }
        None => {
            for reach in policy.reach(&planes) {
                let ports = port_names(&reach.ports);
                found.push((ports, names(&view, &reach.peers)));
            }
        }
    }
    let mut out = io::BufWriter::new(anstream::stdout().lock());
    match args.output {
        Format::Json => {
            let reach: Vec<_> = found
                .iter()
                .map(|(ports, peers)| json!({ "ports": ports, "peers": peers }))
                .collect();
            let direction = direction_name(direction);
            let json = json!({ "subject": subject, "direction": direction, "reach": reach });
            serde_json::to_writer_pretty(&mut out, &json)?;
            writeln!(out)?;
        }
        Format::Text if found.is_empty() => writeln!(out, "nobody")?,
        Format::Text => {
            let strong = style::STRONG;
            for (ports, peers) in &found {
                writeln!(out, "{strong}{}{strong:#}", ports.join(", "))?;
                writeln!(out, "  {}", peers.join(", "))?;
            }
        }
    }
    out.flush()?;
    Ok(Exit::Fine)
}

fn names(view: &View<'_>, peers: &IdentitySet) -> Vec<String> {
    let mut names = identity_ranges(peers.identities(view));
    for (class, aggregate) in (0u8..).zip(AGGREGATES) {
        if peers.contains_unlisted(class) {
            names.push(unlisted_name(aggregate).to_owned());
        }
    }
    names
}
