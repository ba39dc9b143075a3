//! The commands, each its own module.

mod check;
mod completions;

use crate::exit::{Exit, Failure};
use clap::Subcommand;

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Check(check::CheckArgs),
    Completions(completions::CompletionsArgs),
}

/// Does it.
pub(crate) fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Check(args) => check::run(&args),
        Command::Completions(args) => completions::run(&args),
    }
}
