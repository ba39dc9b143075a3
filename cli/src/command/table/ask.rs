//! `table verdict`: what a table says of a packet, and the rules behind it.

use super::{FileArgs, SubjectArgs, dump};
use crate::args::Format;
use crate::exit::{Exit, Failure};
use crate::question;
use crate::style::{self, clean};
use clap::{ArgGroup, Args};
use netverdict::listing::{VerdictListing, direction_name};
use netverdict::object::cilium::IcmpFamily;
use netverdict_table::{Direction, OriginRecord, Question};
use serde_json::{Value, json};
use std::io::{self, Write};

/// Ask a table what happens to a packet, and which rules say so.
#[derive(Args, Debug)]
#[command(
    group = ArgGroup::new("peer").required(true).args(["from", "to"]),
    group = ArgGroup::new("what").required(true).args(["port", "icmp", "icmpv6"])
)]
pub(super) struct VerdictArgs {
    #[command(flatten)]
    file: FileArgs,
    #[command(flatten)]
    subject: SubjectArgs,
    /// Ingress, from this identity.
    #[arg(long, value_name = "IDENTITY")]
    from: Option<u32>,
    /// Egress, to this identity.
    #[arg(long, value_name = "IDENTITY")]
    to: Option<u32>,
    /// Destination port and protocol: `443`, `53/UDP`, `ESP`.
    #[arg(short, long, value_name = "PORT[/PROTOCOL]")]
    port: Option<String>,
    /// ICMP type, by number or name, and code.
    #[arg(long, value_name = "TYPE[/CODE]")]
    icmp: Option<String>,
    /// ICMPv6 type and code.
    #[arg(long, value_name = "TYPE[/CODE]")]
    icmpv6: Option<String>,
    /// It is a fragment whose first part was not seen.
    #[arg(long)]
    fragment: bool,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

/// Asks it.
pub(super) fn run(args: &VerdictArgs) -> Result<Exit, Failure> {
    let path = &args.file.table;
    let bytes = super::read(path)?;
    let view = super::view(&bytes, path)?;
    let subject = args.subject.find(&view, path)?;
    let (direction, peer) = match (args.from, args.to) {
        (Some(peer), _) => (Direction::Ingress, peer),
        (None, peer) => (Direction::Egress, peer.unwrap_or_default()),
    };
    let (protocol, port, code) = match (&args.port, &args.icmp, &args.icmpv6) {
        (Some(text), ..) => {
            let (protocol, port) = question::plain_port(text)?;
            (protocol, port, None)
        }
        (None, Some(text), _) => question::icmp(text, IcmpFamily::V4)?,
        (None, None, text) => question::icmp(text.as_deref().unwrap_or_default(), IcmpFamily::V6)?,
    };
    let mut question = Question::new(subject, direction, peer, protocol, port);
    question.icmp_code = code.unwrap_or(0);
    question.untracked_fragment = args.fragment;
    let Some(answer) = view.verdict(&question) else {
        return Err(Failure::new("there is no such subject"));
    };
    let origin = view.origin(&question);
    let winner = origin.as_ref().and_then(|o| o.winner);
    let donor = origin.as_ref().and_then(|o| o.donor);
    let verdict = VerdictListing::of(&answer);
    let mut out = io::BufWriter::new(anstream::stdout().lock());
    match args.output {
        Format::Json => {
            let json = json!({
                "subject": subject,
                "direction": direction_name(direction),
                "peer": peer,
                "protocol": protocol,
                "port": port,
                "code": answer.code(),
                "verdict": verdict,
                "entry": winner.as_ref().map(entry),
                "authenticationFrom": donor.as_ref().map(entry),
            });
            serde_json::to_writer_pretty(&mut out, &json)?;
            writeln!(out)?;
        }
        Format::Text => {
            let look = match answer.is_allowed() {
                true => style::GOOD,
                false => style::ERROR,
            };
            let preposition = match direction {
                Direction::Ingress => "from",
                Direction::Egress => "to",
            };
            writeln!(
                out,
                "{} of subject {subject} {preposition} identity {peer}: {look}{}{look:#}",
                direction_name(direction),
                dump::words(&verdict)
            )?;
            let entries = [("by", winner), ("authentication by", donor)];
            for (how, record) in entries {
                for rule in record.iter().flat_map(OriginRecord::rules) {
                    let path = if rule.path.is_empty() { "" } else { ", " };
                    let said = format!("{}{path}{}", rule.object, rule.path);
                    writeln!(out, "  {how} {}", clean(&said))?;
                    if rule.line != 0 {
                        let place = format!("{}:{}:{}", rule.file, rule.line, rule.column);
                        writeln!(out, "    {}", clean(&place))?;
                    }
                }
            }
            if origin.is_none() {
                writeln!(out, "  the table was compiled without the rules")?;
            }
        }
    }
    out.flush()?;
    Ok(match answer.is_allowed() {
        true => Exit::Fine,
        false => Exit::Denied,
    })
}

fn entry(record: &OriginRecord<'_>) -> Value {
    let rules = record.rules().map(|r| {
        json!({
            "rule": r.object,
            "path": r.path,
            "at": match r.line {
                0 => String::new(),
                line => format!("{}:{line}:{}", r.file, r.column),
            },
        })
    });
    json!({
        "identity": record.identity,
        "protocol": record.protocol,
        "port": record.port,
        "portPrefix": record.prefix_len.saturating_sub(8),
        "precedence": record.precedence(),
        "rules": rules.collect::<Vec<_>>(),
    })
}
