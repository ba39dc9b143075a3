//! `flows`: what Hubble recorded, held against policies.

mod agree;
mod cover;
mod replay;
mod why;

use crate::exit::{Exit, Failure};
use crate::recording::Recorded;
use crate::world::{World, WorldArgs};
use clap::{Args, Subcommand};
use netverdict_analysis::recorded::{Placement, place};
use std::path::PathBuf;

/// Hold recorded flows against policies: Hubble's JSON lines, or what
/// `hubble observe` prints.
#[derive(Args, Debug)]
pub(crate) struct FlowsArgs {
    #[command(subcommand)]
    command: FlowsCommand,
}

#[derive(Debug, Subcommand)]
enum FlowsCommand {
    Replay(replay::ReplayArgs),
    Why(why::WhyArgs),
    Cover(cover::CoverArgs),
    Agree(agree::AgreeArgs),
}

/// Where flows and policies come from.
#[derive(Args, Debug)]
struct RecordedArgs {
    /// Files with recorded flows; `-` is standard input.
    #[arg(value_name = "RECORDING", default_value = "-")]
    recordings: Vec<PathBuf>,
    #[command(flatten)]
    world: WorldArgs,
}

impl RecordedArgs {
    /// Reads both, and finds the ends of the flows in the cluster.
    fn open(&self) -> Result<Opened, Failure> {
        let recorded = Recorded::read(&self.recordings)?;
        Opened::new(self.world.open()?, recorded)
    }
}

/// A recording in a cluster.
struct Opened {
    world: World,
    recorded: Recorded,
    placement: Placement,
}

impl Opened {
    fn new(mut world: World, recorded: Recorded) -> Result<Self, Failure> {
        recorded.tell();
        let recording = &recorded.recording;
        if recording.rows() == 0 && recording.malformed_rows() == 0 {
            return Err(Failure::new("the recording holds no flows").help(
                "give the output of `hubble observe -o json`, or files of Hubble's exporter",
            ));
        }
        let placement = place(&mut world.cluster, recording);
        Ok(Self {
            world,
            recorded,
            placement,
        })
    }

    /// How the command ends, but for lines that are no flows.
    fn exit(&self, otherwise: Exit) -> Exit {
        match self.recorded.recording.malformed_rows() {
            0 => otherwise,
            _ => Exit::Invalid,
        }
    }
}

/// Holds them.
pub(crate) fn run(args: &FlowsArgs) -> Result<Exit, Failure> {
    match &args.command {
        FlowsCommand::Replay(args) => replay::run(args),
        FlowsCommand::Why(args) => why::run(args),
        FlowsCommand::Cover(args) => cover::run(args),
        FlowsCommand::Agree(args) => agree::run(args),
    }
}
