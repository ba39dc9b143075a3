//! `generate`: policies from recorded flows, from connections or from a wish,
//! proved.

use crate::exit::{Exit, Failure};
use crate::question;
use crate::recording::{Recorded, flows};
use crate::report;
use crate::style::{self, clean};
use crate::world::{World, WorldArgs};
use anstream::eprintln;
use clap::{Args, ValueEnum};
use netverdict_analysis::generate::{
    Generated, Kind, Need, Observed, Proof, Scope, behind_service, generate, needs_of,
    needs_of_connections, prove,
};
use netverdict_analysis::recorded::place;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Write policies that allow what was recorded or observed, or one wish, and no
/// more; then prove it.
#[derive(Args, Debug)]
pub(crate) struct GenerateArgs {
    /// Files with recorded flows; `-` is standard input.
    #[arg(
        value_name = "RECORDING",
        required_unless_present_any = ["from", "connections"],
        conflicts_with_all = ["from", "connections"]
    )]
    recordings: Vec<PathBuf>,
    /// Instead of recorded flows, connections: a file that `reach -o json`
    /// printed, or what was made of it; `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    connections: Option<PathBuf>,
    /// Instead of recorded flows, one wish: who sends.
    #[arg(long, value_name = "WHO", requires = "to", requires = "port")]
    from: Option<String>,
    /// Who receives.
    #[arg(long, value_name = "WHO", requires = "from")]
    to: Option<String>,
    /// On which port, of the service or of the pods: `443`, `53/UDP`.
    #[arg(short, long, value_name = "PORT[/PROTOCOL]", requires = "from")]
    port: Option<String>,
    /// Which kind of policy to write.
    #[arg(long, value_enum, default_value_t, value_name = "KIND")]
    kind: KindArg,
    /// Also allow what was recorded as dropped by policy.
    #[arg(long)]
    dropped: bool,
    /// Write policies for workloads of this namespace only; may be given
    /// several times. Without it, of all namespaces but `kube-system`.
    #[arg(short, long, value_name = "NAMESPACE")]
    namespace: Vec<String>,
    #[command(flatten)]
    world: WorldArgs,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum KindArg {
    /// CiliumNetworkPolicy.
    #[default]
    Cnp,
    /// NetworkPolicy.
    Np,
}

/// Writes and proves.
pub(crate) fn run(args: &GenerateArgs) -> Result<Exit, Failure> {
    let mut world = args.world.open()?;
    let mut exit = Exit::Fine;
    let asked = match (&args.from, &args.to, &args.port) {
        (Some(from), Some(to), Some(port)) => Observed {
            needs: wish(&mut world, from, to, port)?,
            ..Observed::default()
        },
        _ => match &args.connections {
            Some(path) => observed(path, &world)?,
            None => {
                let (needs, left_out, read) = recorded(args, &mut world)?;
                exit = read;
                Observed {
                    needs,
                    left_out,
                    ..Observed::default()
                }
            }
        },
    };
    let Observed {
        needs,
        left_out,
        closed,
    } = asked;
    let scope = Scope {
        kind: match args.kind {
            KindArg::Cnp => Kind::Cilium,
            KindArg::Np => Kind::Kubernetes,
        },
        namespaces: args.namespace.iter().cloned().collect::<BTreeSet<_>>(),
        closed,
    };
    let mut generated = generate(&world.cluster, &needs, &scope);
    generated.left_out.extend(left_out);
    let text = generated.yaml();
    let source = world.sources.add("<generated>", text.as_str());
    let proof = prove(&mut world.cluster, &needs, &generated, source);
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    tell(&world, &generated, &proof, needs.len());
    if exit != Exit::Fine {
        return Ok(exit);
    }
    Ok(match proof.is_complete() && generated.left_out.is_empty() {
        true => Exit::Fine,
        false => Exit::Differs,
    })
}

fn wish(world: &mut World, from: &str, to: &str, port: &str) -> Result<Vec<Need>, Failure> {
    let from = question::peer(world, from)?;
    let to = question::peer(world, to)?;
    let from = question::again(world, from);
    let (protocol, port) = question::port_of(port, &to)?;
    let need = Need::port(from, to, (protocol, port), String::new());
    Ok(vec![behind_service(&world.cluster, need)])
}

type Read = (Vec<Need>, Vec<String>, Exit);

/// The connections of a file.
fn observed(path: &Path, world: &World) -> Result<Observed, Failure> {
    let (name, text) = if path == Path::new("-") {
        let text = io::read_to_string(io::stdin()).map_err(|e| Failure::new(e.to_string()))?;
        ("<stdin>".to_owned(), text)
    } else {
        let text = std::fs::read_to_string(path);
        let name = path.display().to_string();
        let text = text.map_err(|e| Failure::new(format!("{name}: {e}")))?;
        (name, text)
    };
    let evidence = |number: usize| format!("connection {number} of {name}");
    let found = needs_of_connections(&world.cluster, &text, &evidence);
    found.map_err(|why| {
        Failure::new(format!("{name}: {why}")).help("`netverdict reach -o json` prints connections")
    })
}

fn recorded(args: &GenerateArgs, world: &mut World) -> Result<Read, Failure> {
    let recorded = Recorded::read(&args.recordings)?;
    recorded.tell();
    let recording = &recorded.recording;
    let placement = place(&mut world.cluster, recording);
    let evidence = |seen: netverdict_analysis::recorded::Seen| {
        format!(
            "{}, first {}",
            flows(seen.flows),
            recorded.place(seen.first)
        )
    };
    let (needs, left_out) = needs_of(
        &world.cluster,
        recording,
        &placement,
        args.dropped,
        &evidence,
    );
    if needs.is_empty() && left_out.is_empty() {
        return Err(Failure::new("no recorded flow passed")
            .help("record what is to go on working, or take `--dropped` for what policy dropped"));
    }
    let exit = match recording.malformed_rows() {
        0 => Exit::Fine,
        _ => Exit::Invalid,
    };
    Ok((needs, left_out, exit))
}

/// Says on standard error what the policies do.
fn tell(world: &World, generated: &Generated, proof: &Proof, needs: usize) {
    const LISTED: usize = 20;
    let (green, yellow, red) = (style::GOOD, style::WARNING, style::ERROR);
    for why in &proof.refused {
        eprintln!("{red}refused{red:#}: {}", clean(why));
    }
    for unmet in &proof.unmet {
        eprintln!(
            "{red}not met{red:#}: {}: {}",
            clean(&unmet.need),
            clean(&unmet.found)
        );
        for rule in &unmet.rules {
            let place = report::place(&world.sources, rule.origin.span);
            eprintln!("  {}, {}  {place}", rule.origin.object, rule.origin.path);
        }
    }
    for why in generated.left_out.iter().take(LISTED) {
        eprintln!("{yellow}left out{yellow:#}: {}", clean(why));
    }
    for opened in proof.opened.iter().take(LISTED) {
        let (from, to) = (clean(&opened.from), clean(&opened.to));
        eprintln!(
            "{yellow}also open{yellow:#}: {from} → {to} {}",
            opened.ports
        );
    }
    let more =
        proof.opened.len().saturating_sub(LISTED) + generated.left_out.len().saturating_sub(LISTED);
    if more > 0 {
        eprintln!("and {more} more");
    }
    let look = if proof.unmet.is_empty() { green } else { red };
    let opens = match proof.opened.len() {
        0 => "nothing else opens".to_owned(),
        n => format!("{} more open", style::count(n, "connection")),
    };
    eprintln!(
        "{look}{} of {} allowed{look:#} by {}; {opens}",
        proof.met,
        style::count(needs, "connection"),
        match generated.policies.len() {
            1 => "1 policy".to_owned(),
            n => format!("{n} policies"),
        }
    );
}
