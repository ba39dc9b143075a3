//! `table`: look into verdict tables, and ask them.

mod ask;
mod diff;
mod dump;
mod info;
mod verify;
mod who;

use crate::exit::{Exit, Failure};
use clap::{ArgGroup, Args, Subcommand};
use netverdict_table::{Direction, View};
use std::path::{Path, PathBuf};

/// Look into a verdict table, and ask it.
#[derive(Args, Debug)]
pub(crate) struct TableArgs {
    #[command(subcommand)]
    command: TableCommand,
}

#[derive(Debug, Subcommand)]
enum TableCommand {
    Info(info::InfoArgs),
    Dump(dump::DumpArgs),
    Verdict(ask::VerdictArgs),
    Verify(verify::VerifyArgs),
    Who(who::WhoArgs),
    Diff(diff::DiffArgs),
}

/// Does it.
pub(crate) fn run(args: &TableArgs) -> Result<Exit, Failure> {
    match &args.command {
        TableCommand::Info(args) => info::run(args),
        TableCommand::Dump(args) => dump::run(args),
        TableCommand::Verdict(args) => ask::run(args),
        TableCommand::Verify(args) => verify::run(args),
        TableCommand::Who(args) => who::run(args),
        TableCommand::Diff(args) => diff::run(args),
    }
}

/// The bytes of a file.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|e| Failure::file("read", path.display(), &e))
}

/// A table's bytes, checked.
pub(crate) fn view<'a>(bytes: &'a [u8], path: &Path) -> Result<View<'a>, Failure> {
    View::new(bytes).map_err(|e| {
        let message = format!("`{}` is no verdict table: {e}", path.display());
        Failure::new(message)
            .help("`netverdict compile -o FILE` writes one")
            .exit(Exit::Invalid)
    })
}

/// Whose policy: one of these.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("whose").required(true).args(["subject", "endpoint", "identity"]))]
struct SubjectArgs {
    /// A subject, by its number in the table.
    #[arg(long, value_name = "NUMBER")]
    subject: Option<u32>,
    /// A subject, by the number of an endpoint.
    #[arg(long, value_name = "NUMBER")]
    endpoint: Option<u32>,
    /// A subject, by its identity.
    #[arg(long, value_name = "NUMBER")]
    identity: Option<u32>,
}

impl SubjectArgs {
    /// The subject's number.
    fn find(&self, view: &View<'_>, path: &Path) -> Result<u32, Failure> {
        let found = match (self.subject, self.endpoint, self.identity) {
            (Some(subject), ..) => Some(subject),
            (_, Some(endpoint), _) => view.subject_of_endpoint(endpoint),
            (.., identity) => identity.and_then(|id| view.subject_of_identity(id)),
        };
        let there = |s: &u32| view.policy(*s, Direction::Ingress).is_some();
        found.filter(there).ok_or_else(|| {
            Failure::new(format!("`{}` has no such subject", path.display()))
                .help("`netverdict table dump` lists subjects with identities and endpoints")
        })
    }
}

/// Arguments of commands that read one table.
#[derive(Args, Debug)]
struct FileArgs {
    /// The table.
    #[arg(value_name = "TABLE")]
    table: PathBuf,
}
