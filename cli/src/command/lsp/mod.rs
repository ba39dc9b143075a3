//! `lsp`: a language server on standard input and output, for editors.

mod position;
mod server;
mod wire;
mod workspace;

use crate::agent_config::ConfigArgs;
use crate::exit::{Exit, Failure};
use clap::Args;
use std::io;

/// Speak the language server protocol: findings, docs, completion and fixes in
/// editors.
#[derive(Args, Debug)]
pub(crate) struct LspArgs {
    /// Taken and passed over: some editors say which channel they use.
    #[arg(long, hide = true)]
    stdio: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Serves until the editor ends it.
pub(crate) fn run(args: &LspArgs) -> Result<Exit, Failure> {
    let agent = args.config.agent()?;
    let mut server = server::Server::new(agent);
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    loop {
        let message = wire::read(&mut input).map_err(|e| Failure::new(e.to_string()))?;
        let Some(message) = message else {
            return Ok(Exit::Fine);
        };
        for answer in server.handle(&message) {
            wire::write(&mut output, &answer)?;
        }
        if let Some(in_order) = server.ended() {
            return Ok(if in_order { Exit::Fine } else { Exit::Failed });
        }
    }
}
