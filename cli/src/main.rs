//! The command line of netverdict.
//!
//! In: arguments, files, standard input. Out: text, JSON or annotations on
//! standard output, complaints on standard error, and one of the exit codes of
//! [`exit`]. Everything that decides anything is the library's.
#![forbid(unsafe_code)]

mod agent_config;
mod archive;
mod args;
mod columns;
mod command;
mod excerpt;
mod exit;
mod finding;
mod fix;
mod git;
mod input;
mod junit;
mod layer7;
mod patch;
mod progress;
mod question;
mod recording;
mod report;
mod rules;
mod sarif;
mod settings;
mod side;
mod style;
mod walk;
mod what_if;
mod world;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match args::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let shown = error.print();
            return match (error.use_stderr(), shown) {
                (false, Ok(())) => ExitCode::SUCCESS,
                _ => exit::Exit::Failed.into(),
            };
        }
    };
    cli.color.apply();
    match command::run(cli.command) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.print();
            failure.exit.into()
        }
    }
}
