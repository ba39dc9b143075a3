//! `verdict`: what happens to a flow, and which rule says so.

use crate::args::Format;
use crate::exit::{Exit, Failure};
use crate::layer7;
use crate::question::{Question, QuestionArgs};
use crate::side;
use crate::style::{self, clean};
use crate::world::World;
use clap::Args;
use netverdict::cluster::{Decision, FlowAnswer, JsonFlow, Peer};
use netverdict::policy_map::Verdict;
use netverdict::rule::Direction;
use std::io::{self, Write};

/// Say what happens to a flow: both sides, and the rule that decides.
#[derive(Args, Debug)]
pub(crate) struct VerdictArgs {
    #[command(flatten)]
    question: QuestionArgs,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

/// Answers.
pub(crate) fn run(args: &VerdictArgs) -> Result<Exit, Failure> {
    let (world, question) = args.question.open()?;
    let answer = world.cluster.flow(&question.flow());
    let sent = question.sent.as_ref();
    let layer7 = sent.map(|sent| (sent, sent.ask(&world, &question, &answer)));
    let json_layer7 = layer7
        .as_ref()
        .map(|(sent, answer)| sent.json(answer, &world.sources));
    let mut out = io::BufWriter::new(anstream::stdout().lock());
    match args.output {
        Format::Text => write(&mut out, &world, &question, &answer)?,
        Format::Json => {
            let sources = &world.sources;
            let json = JsonFlow::of_answer(&question.flow(), &answer, json_layer7, sources);
            serde_json::to_writer_pretty(&mut out, &json)?;
            writeln!(out)?;
        }
    }
    if let (Format::Text, Some((sent, answer))) = (args.output, &layer7) {
        sent.write(&mut out, answer, &world.sources, false)?;
    }
    out.flush()?;
    let flow = exit(&answer.overall);
    Ok(layer7.map_or(flow, |(_, answer)| layer7::exit(&answer, flow)))
}

/// How a command that was asked about a flow ends.
pub(crate) fn exit(overall: &Decision) -> Exit {
    match overall.verdict() {
        Some(Verdict::Allow | Verdict::Redirect) => Exit::Fine,
        Some(Verdict::Deny | Verdict::DefaultDeny | Verdict::AuthRequired) => Exit::Denied,
        None => Exit::Invalid,
    }
}

/// The first line of an answer.
pub(crate) fn headline(
    out: &mut dyn Write,
    question: &Question,
    overall: &Decision,
) -> io::Result<()> {
    let (said, look) = side::said(overall);
    let strong = style::STRONG;
    let (from, to) = (
        question.found.from.to_string(),
        question.found.to.to_string(),
    );
    let (from, to) = (clean(&from), clean(&to));
    writeln!(
        out,
        "{strong}{from} → {to} {}{strong:#}: {look}{said}{look:#}",
        question.what()
    )
}

/// What to say of a side that has no policy.
pub(crate) fn without_policy(
    out: &mut dyn Write,
    direction: Direction,
    peer: &Peer,
) -> io::Result<()> {
    let strong = style::STRONG;
    let who = peer.to_string();
    let who = clean(&who);
    writeln!(out, "{strong}{direction}{strong:#} of {who}: no policy")
}

fn write(
    out: &mut dyn Write,
    world: &World,
    question: &Question,
    answer: &FlowAnswer,
) -> io::Result<()> {
    headline(out, question, &answer.overall)?;
    let sides = [
        (Direction::Egress, &answer.egress, &question.found.from),
        (Direction::Ingress, &answer.ingress, &question.found.to),
    ];
    for (direction, side, peer) in sides {
        writeln!(out)?;
        match side {
            Some(side) => side::write(out, side, &world.sources)?,
            None => without_policy(out, direction, peer)?,
        }
    }
    Ok(())
}
