//! Prints generated scenarios, one JSON object per line.
//!
//! `netverdict-generate [--count N] [--seed S] [--profile simple|full|stable]`,
//! or questions about layer 7:
//! `netverdict-generate --l7 dns|http|sni|fqdn [--count N] [--seed S]`

use netverdict_reference::generate::layer7::{KINDS, layer7};
use netverdict_reference::generate::{Profile, generate};
use std::io::{BufWriter, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("netverdict-generate: {message}");
            ExitCode::from(1)
        }
    }
}

fn run() -> Result<(), String> {
    let (mut count, mut seed, mut profile) = (1_u64, 0_u64, Profile::Full);
    let mut kind: Option<&'static str> = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or(format!("{name} needs a value"))?;
        let number = || {
            value
                .parse()
                .map_err(|_| format!("{name}: `{value}` is no number"))
        };
        match name.as_str() {
            "--count" => count = number()?,
            "--seed" => seed = number()?,
            "--l7" => {
                let known = KINDS.into_iter().find(|k| *k == value);
                kind = Some(known.ok_or(format!("no kind `{value}`: {}", KINDS.join(", ")))?);
            }
            "--profile" => profile = value.parse()?,
            _ => return Err(format!("unknown option `{name}`")),
        }
    }
    let mut out = BufWriter::new(std::io::stdout().lock());
    for seed in seed..seed.saturating_add(count) {
        let line = match kind.and_then(|kind| layer7(kind, seed)) {
            Some(question) => Ok(question.to_string()),
            None => serde_json::to_string(&generate(seed, profile)),
        };
        let line = line.map_err(|e| e.to_string())?;
        writeln!(out, "{line}").map_err(|e| e.to_string())?;
    }
    out.flush().map_err(|e| e.to_string())
}
