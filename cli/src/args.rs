//! Arguments that belong to more than one command.

use crate::command::Command;
use crate::style::Color;
use clap::{Parser, ValueEnum};

const EXITS: &str = "\
Exit status: 0 fine or allowed, 1 wrong usage or failed input or output,
2 the flow is dropped, 3 invalid input or findings, 4 what was compared differs.";

/// Cilium and Kubernetes network policies: check them, ask what happens to a
/// flow, and why.
#[derive(Debug, Parser)]
#[command(
    name = "netverdict",
    version,
    after_help = EXITS,
    max_term_width = 100,
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    /// When to colour the output.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) color: Color,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Text for people or JSON for programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}
