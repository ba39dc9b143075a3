//! The commands, each its own module.

mod check;
mod compile;
mod completions;
#[cfg(all(feature = "datapath", target_os = "linux"))]
mod datapath;
mod diff;
mod dump;
mod edit;
mod explain;
mod fix;
mod flows;
mod forecast;
mod generate;
mod identities;
mod lsp;
mod manual;
mod map;
mod policies;
mod proxy;
mod reach;
mod table;
mod test;
mod verdict;

use crate::exit::{Exit, Failure};
use clap::Subcommand;

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Check(check::CheckArgs),
    Verdict(verdict::VerdictArgs),
    Explain(explain::ExplainArgs),
    Fix(fix::FixArgs),
    Flows(flows::FlowsArgs),
    Policies(policies::PoliciesArgs),
    Reach(reach::ReachArgs),
    Diff(diff::DiffArgs),
    Identities(identities::IdentitiesArgs),
    Map(map::MapArgs),
    Proxy(proxy::ProxyArgs),
    Dump(dump::DumpArgs),
    Compile(compile::CompileArgs),
    Table(table::TableArgs),
    #[cfg(all(feature = "datapath", target_os = "linux"))]
    Datapath(datapath::DatapathArgs),
    Forecast(forecast::ForecastArgs),
    Test(test::TestArgs),
    Generate(generate::GenerateArgs),
    Edit(edit::EditArgs),
    Lsp(lsp::LspArgs),
    Completions(completions::CompletionsArgs),
    Manual(manual::ManualArgs),
}

/// Does it.
pub(crate) fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Check(args) => check::run(&args),
        Command::Verdict(args) => verdict::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Fix(args) => fix::run(&args),
        Command::Flows(args) => flows::run(&args),
        Command::Policies(args) => policies::run(&args),
        Command::Reach(args) => reach::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Identities(args) => identities::run(&args),
        Command::Map(args) => map::run(&args),
        Command::Proxy(args) => proxy::run(&args),
        Command::Dump(args) => dump::run(&args),
        Command::Compile(args) => compile::run(&args),
        Command::Table(args) => table::run(&args),
        #[cfg(all(feature = "datapath", target_os = "linux"))]
        Command::Datapath(args) => datapath::run(&args),
        Command::Forecast(args) => forecast::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Generate(args) => generate::run(&args),
        Command::Edit(args) => edit::run(&args),
        Command::Lsp(args) => lsp::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Manual(args) => manual::run(&args),
    }
}
