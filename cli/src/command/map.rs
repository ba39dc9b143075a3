//! `map`: the policy map of a workload, as the kernel would hold it.

use crate::columns::{self, cell};
use crate::exit::{Exit, Failure};
use crate::question::protocol_name;
use crate::style;
use crate::world::{World, WorldArgs};
use clap::{Args, ValueEnum};
use netverdict::cluster::ResolvedPolicy;
use netverdict::policy_map::{JsonEntry, Key, L4Key, key_to_bytes, value_to_bytes};
use netverdict::rule::Direction;
use std::io::{self, Write};

/// Print the policy map of a workload, as `cilium-dbg bpf policy get` would.
#[derive(Args, Debug)]
pub(crate) struct MapArgs {
    /// The workload: `namespace/name` of a pod, workload or app, or labels.
    workload: String,
    #[command(flatten)]
    world: WorldArgs,
    /// How to print.
    #[arg(
        short,
        long,
        value_enum,
        default_value = "table",
        value_name = "FORMAT"
    )]
    output: MapFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum MapFormat {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// The bytes of keys and values.
    Hex,
}

/// Prints it.
pub(crate) fn run(args: &MapArgs) -> Result<Exit, Failure> {
    let mut world = args.world.open()?;
    let (_, policy) = world.policy(&args.workload)?;
    let mut out = io::BufWriter::new(anstream::stdout().lock());
    match args.output {
        MapFormat::Json => {
            let entries = JsonEntry::all(&policy.map, &policy.subject, &world.sources);
            serde_json::to_writer_pretty(&mut out, &entries)?;
            writeln!(out)?;
        }
        MapFormat::Hex => {
            for (key, entry) in policy.map.entries() {
                let (key, value) = (key_to_bytes(&key), value_to_bytes(&key, entry));
                writeln!(out, "{} {}", hex(&key), hex(&value))?;
            }
        }
        MapFormat::Table => table(&mut out, &world, &policy)?,
    }
    out.flush()?;
    overflow(&policy, world.cluster.config().policy_map_max as usize);
    Ok(Exit::Fine)
}

/// Warns when the map is full or nearly so.
fn overflow(policy: &ResolvedPolicy, most: usize) {
    let entries = policy.map.len();
    let (look, head, tail) = if entries > most {
        (
            style::ERROR,
            "error",
            ": Cilium cannot write them all, and drops what the missing ones allow",
        )
    } else if entries * 10 > most * 9 {
        (style::WARNING, "warning", ": over nine tenths")
    } else {
        return;
    };
    anstream::eprintln!(
        "{look}{head}{look:#}: {entries} entries of at most {most} (`bpf-policy-map-max`){tail}"
    );
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn table(out: &mut dyn Write, world: &World, policy: &ResolvedPolicy) -> io::Result<()> {
    let head = [
        "POLICY",
        "DIRECTION",
        "IDENTITY",
        "LABELS",
        "PORT/PROTO",
        "PROXY PORT",
        "AUTH TYPE",
        "PREFIX",
        "PRECEDENCE",
    ];
    let mut rows = vec![head.map(|h| (h.to_owned(), style::STRONG)).to_vec()];
    for (key, entry) in policy.map.entries() {
        let (word, look) = if entry.is_deny() {
            ("Deny", style::ERROR)
        } else {
            ("Allow", style::GOOD)
        };
        let word = match entry.invalid {
            true => format!("{word} (invalid)"),
            false => word.to_owned(),
        };
        let direction = match key.direction {
            Direction::Ingress => "Ingress",
            Direction::Egress => "Egress",
        };
        let proxy = match entry.proxy_port {
            0 => "NONE".to_owned(),
            port => port.to_string(),
        };
        let auth = match entry.auth_type() {
            0 => "disabled".to_owned(),
            1 => "spire".to_owned(),
            2 => "test-always-fail".to_owned(),
            n => n.to_string(),
        };
        rows.push(vec![
            (word, look),
            cell(direction),
            cell(key.identity.to_string()),
            cell(labels(world, key)),
            cell(port(key.l4)),
            cell(proxy),
            cell(auth),
            cell(key.l4.prefix_len().to_string()),
            cell(format!("{:#010x}", entry.precedence.0)),
        ]);
    }
    columns::write(out, &rows)?;
    let most = world.cluster.config().policy_map_max;
    writeln!(out, "{} of at most {most} entries", policy.map.len())
}

/// Who an identity is, in short.
fn labels(world: &World, key: Key) -> String {
    if key.identity.0 == 0 {
        return "ANY".to_owned();
    }
    let cluster = &world.cluster;
    if let Some(e) = cluster
        .endpoints()
        .iter()
        .find(|e| e.identity == key.identity)
    {
        return e.to_string();
    }
    match cluster.identities().get(key.identity) {
        Some(labels) => {
            let first: Vec<String> = labels.iter().take(2).map(ToString::to_string).collect();
            let more = if labels.as_slice().len() > 2 {
                ",…"
            } else {
                ""
            };
            format!("{}{more}", first.join(","))
        }
        None => "-".to_owned(),
    }
}

/// `ANY`, `TCP`, `80/TCP`, `80-95/TCP`, as Cilium prints it.
fn port(l4: L4Key) -> String {
    let protocol = protocol_name(l4.protocol);
    match (l4.port_prefix, l4.port) {
        (0, _) => protocol,
        (16, port) => format!("{port}/{protocol}"),
        (_, port) => format!("{port}-{}/{protocol}", l4.last_port()),
    }
}
