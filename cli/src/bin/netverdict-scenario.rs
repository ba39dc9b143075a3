//! Answers scenarios: one JSON object in, one out; with `--lines` one per line.
//!
//! In: scenarios on standard input, or with `--l7 dns|http|sni|fqdn|proxy` questions about
//! layer 7, one per line. Out: answers on standard output, in the same order.
//! Exit status 0 when every scenario was answered, 1 when input or
//! output fails, 2 on a malformed scenario or wrong usage.
#![forbid(unsafe_code)]

use netverdict::scenario::{Layer7Kind, Scenario};
use std::io::{self, BufRead, Read, Write};
use std::process::ExitCode;

const USAGE: &str = "usage: netverdict-scenario [--lines] < scenario > answer
       netverdict-scenario --l7 dns|http|sni|fqdn|proxy [--lines] < questions > answers";

enum Failure {
    Io(io::Error),
    Malformed(String),
}

impl From<io::Error> for Failure {
    fn from(e: io::Error) -> Self {
        Self::Io(e)
    }
}

fn main() -> ExitCode {
    let mut lines = false;
    let mut layer7 = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(arg) = arguments.next() {
        match arg.as_str() {
            "--l7" => {
                layer7 = arguments.next().and_then(|kind| Layer7Kind::parse(&kind));
                if layer7.is_none() {
                    eprintln!("netverdict-scenario: `--l7` needs a kind\n{USAGE}");
                    return ExitCode::from(2);
                }
            }
            "--lines" => lines = true,
            "--help" | "-h" => {
                println!("{USAGE}");
                return ExitCode::SUCCESS;
            }
            other => {
                eprintln!("netverdict-scenario: unknown argument `{other}`\n{USAGE}");
                return ExitCode::from(2);
            }
        }
    }
    let done = match layer7 {
        Some(kind) => run_layer7(kind),
        None => run(lines),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Io(e)) => {
            eprintln!("netverdict-scenario: {e}");
            ExitCode::from(1)
        }
        Err(Failure::Malformed(what)) => {
            eprintln!("netverdict-scenario: {what}");
            ExitCode::from(2)
        }
    }
}

fn run_layer7(kind: Layer7Kind) -> Result<(), Failure> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for (i, line) in io::stdin().lock().lines().enumerate() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let answer = kind
            .answer(&line)
            .map_err(|e| Failure::Malformed(format!("line {}: {e}", i + 1)))?;
        writeln!(out, "{answer}")?;
    }
    out.flush()?;
    Ok(())
}

fn run(lines: bool) -> Result<(), Failure> {
    let stdin = io::stdin().lock();
    let mut out = io::BufWriter::new(io::stdout().lock());
    if lines {
        for (i, line) in stdin.lines().enumerate() {
            let line = line?;
            if line.trim().is_empty() {
                continue;
            }
            let scenario = Scenario::parse(&line)
                .map_err(|e| Failure::Malformed(format!("line {}: {e}", i + 1)))?;
            serde_json::to_writer(&mut out, &scenario.answer()).map_err(io::Error::from)?;
            out.write_all(b"\n")?;
        }
    } else {
        let mut text = String::new();
        stdin.take(1 << 30).read_to_string(&mut text)?;
        let scenario = Scenario::parse(&text).map_err(|e| Failure::Malformed(e.to_string()))?;
        serde_json::to_writer_pretty(&mut out, &scenario.answer()).map_err(io::Error::from)?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(())
}
