//! Prints generated scenarios, one JSON object per line.
//!
//! `netverdict-generate [--count N] [--seed S] [--profile simple|full|stable]`

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
            "--profile" => profile = value.parse()?,
            _ => return Err(format!("unknown option `{name}`")),
        }
    }
    let mut out = BufWriter::new(std::io::stdout().lock());
    for seed in seed..seed.saturating_add(count) {
        let line = serde_json::to_string(&generate(seed, profile)).map_err(|e| e.to_string())?;
        writeln!(out, "{line}").map_err(|e| e.to_string())?;
    }
    out.flush().map_err(|e| e.to_string())
}
