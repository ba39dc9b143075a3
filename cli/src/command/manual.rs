//! Manual pages.

use crate::args::Cli;
use crate::exit::{Exit, Failure};
use clap::{Args, CommandFactory};
use std::io::Write;
use std::path::PathBuf;

/// Print the manual page, or write one for each command.
///
/// `netverdict manual | man -l -` shows it.
#[derive(Args, Debug)]
pub(crate) struct ManualArgs {
    /// Write a page for each command into this folder, which exists, instead.
    #[arg(long, short, value_name = "FOLDER")]
    output: Option<PathBuf>,
}

/// Prints or writes.
pub(crate) fn run(args: &ManualArgs) -> Result<Exit, Failure> {
    let command = Cli::command().name("netverdict");
    if let Some(folder) = &args.output {
        clap_mangen::generate_to(command, folder)?;
        return Ok(Exit::Fine);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    std::io::stdout().lock().write_all(&page)?;
    Ok(Exit::Fine)
}
