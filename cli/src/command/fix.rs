//! `fix`: the smallest changes that let a flow through, and what else each
//! opens.

use crate::args::Format;
use crate::command::verdict::headline;
use crate::exit::{Exit, Failure};
use crate::question::{QuestionArgs, protocol_name};
use crate::style::{self, clean, count};
use clap::Args;
use netverdict_analysis::difference::ChangeKind;
use netverdict_analysis::json::{JsonRemedy, JsonStep};
use netverdict_analysis::remedy::{Remedy, Step, remedies};
use serde_json::json;
use std::io::{self, Write};

/// Say what to change so that a flow gets through: the changes that open the
/// least first, each tried, with everything else that it opens or closes.
#[derive(Args, Debug)]
pub(crate) struct FixArgs {
    #[command(flatten)]
    question: QuestionArgs,
    /// How many ways to show.
    #[arg(long, value_name = "NUMBER", default_value_t = 3)]
    ways: usize,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

/// Looks for changes.
pub(crate) fn run(args: &FixArgs) -> Result<Exit, Failure> {
    let (world, question) = args.question.open()?;
    let answer = world.cluster.flow(&question.flow());
    let mut found = remedies(&world.cluster, &question.flow());
    found.truncate(args.ways);
    let mut out = io::BufWriter::new(anstream::stdout().lock());
    match args.output {
        Format::Json => {
            let ways: Vec<JsonRemedy> = found.iter().map(JsonRemedy::new).collect();
            let json = json!({
                "from": question.found.from.to_string(),
                "to": question.found.to.to_string(),
                "protocol": protocol_name(question.found.protocol),
                "port": question.found.port,
                "allowed": answer.overall.is_allowed(),
                "ways": ways,
            });
            serde_json::to_writer_pretty(&mut out, &json)?;
            writeln!(out)?;
        }
        Format::Text => {
            headline(&mut out, &question, &answer.overall)?;
            if answer.overall.is_allowed() {
                writeln!(out, "there is nothing to mend")?;
            } else if found.is_empty() {
                writeln!(out, "no change of policies was found that lets it through")?;
            }
            for (n, remedy) in found.iter().enumerate() {
                writeln!(out)?;
                write(&mut out, n + 1, remedy)?;
            }
        }
    }
    out.flush()?;
    Ok(if answer.overall.is_allowed() {
        Exit::Fine
    } else if found.is_empty() {
        Exit::Invalid
    } else {
        Exit::Denied
    })
}

/// `opens nothing else`, `opens 2 connections more, closes 1`.
fn effect(remedy: &Remedy) -> String {
    let mut parts = vec![match remedy.count(ChangeKind::Opened) {
        0 => "opens nothing else".to_owned(),
        n => format!("opens {} more", count(n, "connection")),
    }];
    for kind in [
        ChangeKind::Closed,
        ChangeKind::Changed,
        ChangeKind::Unsettled,
    ] {
        match remedy.count(kind) {
            0 => {}
            n => parts.push(format!("{} {}", count(n, "connection"), kind.as_str())),
        }
    }
    parts.join(", ")
}

fn write(out: &mut dyn Write, number: usize, remedy: &Remedy) -> io::Result<()> {
    const LISTED: usize = 8;
    let (strong, faint) = (style::STRONG, style::FAINT);
    writeln!(out, "{strong}{number}. {}{strong:#}", effect(remedy))?;
    for step in &remedy.steps {
        match step {
            Step::Remove(object) => {
                writeln!(
                    out,
                    "   remove or narrow {}",
                    clean(&JsonStep::object(object))
                )?;
            }
            Step::Add(policy) => {
                writeln!(out, "   add")?;
                for line in policy.lines() {
                    writeln!(out, "     {faint}|{faint:#} {}", clean(line))?;
                }
            }
        }
    }
    for (pair, ports) in remedy.beyond.iter().take(LISTED) {
        for change in ports {
            writeln!(
                out,
                "   {} {} → {}: {}",
                change.kind.as_str(),
                clean(&pair.from),
                clean(&pair.to),
                change.ports
            )?;
        }
    }
    match remedy.beyond.len().saturating_sub(LISTED) {
        0 => Ok(()),
        more => writeln!(out, "   and {} more", count(more, "pair")),
    }
}
