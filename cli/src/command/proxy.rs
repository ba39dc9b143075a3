//! `proxy`: the policy of a workload, as Envoy would be sent it.

use crate::exit::{Exit, Failure};
use crate::world::WorldArgs;
use clap::Args;
use netverdict::l7::Secrets;
use std::io::{self, Write};

/// Print the policy that Cilium would send to Envoy for a workload: the message
/// `cilium.NetworkPolicy`, as JSON.
#[derive(Args, Debug)]
pub(crate) struct ProxyArgs {
    /// The workload: `namespace/name` of a pod, workload or app, or labels.
    workload: String,
    #[command(flatten)]
    world: WorldArgs,
}

/// Prints it.
pub(crate) fn run(args: &ProxyArgs) -> Result<Exit, Failure> {
    let mut world = args.world.open()?;
    let endpoint = world.workload(&args.workload)?;
    // Secrets are left to Envoy's discovery: it is sent their names.
    let secrets = Secrets::default();
    let policy = world
        .cluster
        .network_policy(&endpoint, &secrets)
        .map_err(|e| Failure::new(format!("`{endpoint}` has no policy of these rules: {e}")))?;
    let mut out = io::BufWriter::new(anstream::stdout().lock());
    serde_json::to_writer_pretty(&mut out, &policy.to_json(&secrets))?;
    writeln!(out)?;
    out.flush()?;
    Ok(Exit::Fine)
}
