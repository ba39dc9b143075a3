//! `datapath`: tables in the kernel of this machine.

use crate::exit::{Exit, Failure};
use crate::style::clean;
use crate::world::WorldArgs;
use clap::{Args, Subcommand, ValueEnum};
use netverdict::cluster::Table;
use netverdict_datapath::{
    Addresses, Attached, Behind, Count, Endpoint, Error, Gate, Names, Totals, drop_reason, unload,
};
use netverdict_table::{Info, MatchType};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

const PRIVILEGES: &str = "\
Privileges: CAP_BPF and CAP_NET_ADMIN in the initial user namespace (root has both), Linux 6.6 or
later, and a BPF file system: `mount -t bpf bpf /sys/fs/bpf`.
The BPF programs are built by `cargo xtask bpf`; NETVERDICT_BPF names their directory, otherwise
they are looked for in `bpf` beside this program.";

/// Let packets pass by a verdict table, in the kernel of this machine.
#[derive(Args, Debug)]
#[command(after_help = PRIVILEGES)]
pub(crate) struct DatapathArgs {
    #[command(subcommand)]
    command: DatapathCommand,
}

#[derive(Debug, Subcommand)]
enum DatapathCommand {
    Load(LoadArgs),
    Attach(AttachArgs),
    Detach(DetachArgs),
    Status(StatusArgs),
    Observe(ObserveArgs),
    Unload(UnloadArgs),
}

type Endpoints = BTreeMap<u32, Endpoint>;

/// Where everything is pinned.
#[derive(Args, Debug)]
struct PinArgs {
    /// Directory of a BPF file system in which programs and maps live.
    #[arg(long, value_name = "DIR", default_value = "/sys/fs/bpf/netverdict")]
    pins: PathBuf,
}

/// Compile the policies of all workloads and load them with the programs; put
/// them in the place of those that are loaded already.
///
/// Nothing is dropped yet: `attach` closes the gate at an interface. A new table
/// takes effect by one store; when it is not accepted, the last one stays in force.
#[derive(Args, Debug)]
#[command(after_help = PRIVILEGES)]
struct LoadArgs {
    #[command(flatten)]
    pins: PinArgs,
    #[command(flatten)]
    world: WorldArgs,
}

/// Let packets to and from an endpoint pass only as its policies say.
///
/// The interface is the host's side of the endpoint's: what goes out there goes to
/// the endpoint. Replies to connections that were let pass, ARP and neighbour
/// discovery pass unasked.
#[derive(Args, Debug)]
#[command(after_help = PRIVILEGES)]
struct AttachArgs {
    /// The interface.
    interface: String,
    /// The endpoint behind it: `namespace/name`, `host`, or its number in the table.
    endpoint: String,
    #[command(flatten)]
    pins: PinArgs,
}

/// Leave an interface: everything passes there again.
#[derive(Args, Debug)]
#[command(after_help = PRIVILEGES)]
struct DetachArgs {
    /// The interface.
    interface: String,
    #[command(flatten)]
    pins: PinArgs,
}

/// What is loaded, where it stands, and how often each verdict was given.
#[derive(Args, Debug)]
#[command(after_help = PRIVILEGES)]
struct StatusArgs {
    #[command(flatten)]
    pins: PinArgs,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

/// Print connections as they begin and packets as they are dropped, like
/// `hubble observe`. Times are UTC.
#[derive(Args, Debug)]
#[command(after_help = PRIVILEGES)]
struct ObserveArgs {
    #[command(flatten)]
    pins: PinArgs,
    /// How to print them: lines, or a Hubble flow in JSON on each line.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
    /// End after so many.
    #[arg(long, value_name = "NUMBER")]
    count: Option<u64>,
    /// End when none came for so many seconds; 0 prints those that wait.
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// Files and folders with the pods: addresses and identities get their names
    /// and labels.
    #[arg(short = 'f', long = "file", value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// Take everything away: programs leave their interfaces, and everything passes.
#[derive(Args, Debug)]
#[command(after_help = PRIVILEGES)]
struct UnloadArgs {
    #[command(flatten)]
    pins: PinArgs,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(error.to_string())
    }
}

/// Does it.
pub(crate) fn run(args: &DatapathArgs) -> Result<Exit, Failure> {
    match &args.command {
        DatapathCommand::Load(args) => load(args),
        DatapathCommand::Attach(args) => attach(args),
        DatapathCommand::Detach(args) => {
            Gate::open(&args.pins.pins)?.detach(&args.interface)?;
            Ok(Exit::Fine)
        }
        DatapathCommand::Status(args) => status(args),
        DatapathCommand::Observe(args) => observe(args),
        DatapathCommand::Unload(args) => {
            unload(&args.pins.pins)?;
            Ok(Exit::Fine)
        }
    }
}

fn load(args: &LoadArgs) -> Result<Exit, Failure> {
    let world = args.world.open()?;
    let table = world.cluster.compile(Some(&world.sources));
    let table = table.map_err(|e| Failure::new(e.to_string()).exit(Exit::Invalid))?;
    let addresses = Addresses::of(&world.cluster);
    let endpoints = endpoints(&table);
    let bytes = table.image.len();
    let pins = &args.pins.pins;
    let what = if Gate::is_loaded(pins) {
        let mut gate = Gate::open(pins)?;
        gate.set_addresses(&addresses)?;
        gate.replace_table(table.image, &endpoints)?;
        "replaced"
    } else {
        let gate = Gate::load(&table.image, &addresses, Some(pins))?;
        gate.set_endpoints(&endpoints)?;
        "loaded"
    };
    let mut out = anstream::stdout().lock();
    writeln!(
        out,
        "{what}: a table of {bytes} bytes for {} endpoints, {} prefixes with identities, in {}",
        endpoints.len(),
        addresses.prefixes.len(),
        pins.display()
    )?;
    for (endpoint, error) in &table.without_policy {
        writeln!(
            out,
            "no policy, all is dropped: {}: {error}",
            clean(endpoint)
        )?;
    }
    Ok(if table.without_policy.is_empty() {
        Exit::Fine
    } else {
        Exit::Invalid
    })
}

/// The endpoints of a table by their numbers.
fn endpoints(table: &Table) -> Endpoints {
    let mut endpoints = Endpoints::new();
    for subject in &table.subjects {
        for (number, name) in subject.endpoint_numbers.iter().zip(&subject.endpoints) {
            let endpoint = Endpoint {
                identity: subject.identity.0,
                name: name.clone(),
            };
            endpoints.insert(*number, endpoint);
        }
    }
    endpoints
}

fn attach(args: &AttachArgs) -> Result<Exit, Failure> {
    let mut gate = Gate::open(&args.pins.pins)?;
    let endpoints = gate.endpoints()?;
    let wanted = args.endpoint.parse().ok();
    let mut found = endpoints.iter();
    let found = found.find(|(number, e)| e.name == args.endpoint || Some(**number) == wanted);
    let (number, endpoint) = found.ok_or_else(|| {
        Failure::new(format!("the table has no endpoint `{}`", args.endpoint))
            .help("`netverdict datapath status` lists those it has")
    })?;
    let behind = Behind {
        endpoint: *number,
        identity: endpoint.identity,
    };
    gate.attach(&args.interface, behind)?;
    Ok(Exit::Fine)
}

fn status(args: &StatusArgs) -> Result<Exit, Failure> {
    let gate = Gate::open(&args.pins.pins)?;
    let image = gate.table().image()?;
    let header = Info::read(&image)
        .map_err(|e| Failure::new(e.to_string()))?
        .header;
    let names = gate.endpoints()?;
    let attached = gate.attached()?;
    let counts = gate.counts()?;
    let totals = gate.totals()?;
    let mut out = io::BufWriter::new(anstream::stdout().lock());
    if args.output == Output::Json {
        let value = json!({
            "pins": args.pins.pins.display().to_string(),
            "table": {
                "bytes": image.len(),
                "room": gate.table().room(),
                "subjects": header.subjects.count,
                "revision": header.revision,
            },
            "endpoints": names.iter().map(|(number, name)| json!({"number": number, "name": name.name, "identity": name.identity})).collect::<Vec<_>>(),
            "interfaces": attached.iter().map(|a| interface(a, &names)).collect::<Vec<_>>(),
            "verdicts": counts.iter().map(|c| count(c, &names)).collect::<Vec<_>>(),
            "replies": totals.replies,
            "otherPackets": totals.others,
            "malformed": totals.malformed,
            "eventsLost": totals.events_lost,
        });
        serde_json::to_writer_pretty(&mut out, &value)?;
        writeln!(out)?;
    } else {
        writeln!(
            out,
            "table: {} bytes of {}, {} subjects, revision {}",
            image.len(),
            gate.table().room(),
            header.subjects.count,
            header.revision
        )?;
        text(&mut out, &names, &attached, &counts, &totals)?;
    }
    out.flush()?;
    Ok(Exit::Fine)
}

fn called(number: u32, names: &Endpoints) -> String {
    let name = names.get(&number).map(|e| e.name.clone());
    name.unwrap_or_else(|| format!("endpoint {number}"))
}

fn text(
    out: &mut dyn Write,
    names: &Endpoints,
    attached: &[Attached],
    counts: &[Count],
    totals: &Totals,
) -> io::Result<()> {
    for (number, name) in names {
        let at = attached.iter().filter(|a| a.behind.endpoint == *number);
        let at: Vec<&str> = at.map(|a| a.interface.as_str()).collect();
        let at = if at.is_empty() {
            "at no interface".into()
        } else {
            at.join(", ")
        };
        writeln!(out, "  {number:>5}  {}: {at}", clean(&name.name))?;
    }
    for c in counts {
        writeln!(
            out,
            "{:>10} packets {:>12} bytes  {} {}  {} {}",
            c.packets,
            c.bytes,
            if c.egress { "egress of " } else { "ingress of" },
            clean(&called(c.endpoint, names)),
            match_type(c.match_type),
            verdict(c),
        )?;
    }
    writeln!(
        out,
        "{} replies, {} of ARP and neighbour discovery, {} malformed or for nobody; {} events lost",
        totals.replies, totals.others, totals.malformed, totals.events_lost
    )
}

fn verdict(c: &Count) -> String {
    match (c.code, c.proxy_port) {
        (0, 0) => "allowed".into(),
        (0, port) => format!("to the proxy at {port}"),
        (code, _) => format!("dropped: {}", drop_reason(-i32::from(code))),
    }
}

fn match_type(number: u8) -> &'static str {
    match number {
        n if n == MatchType::L3Only as u8 => "L3-Only",
        n if n == MatchType::L3L4 as u8 => "L3-L4",
        n if n == MatchType::L4Only as u8 => "L4-Only",
        n if n == MatchType::All as u8 => "all",
        n if n == MatchType::L3Proto as u8 => "L3-Proto",
        n if n == MatchType::ProtoOnly as u8 => "Proto-Only",
        _ => "none",
    }
}

fn interface(a: &Attached, names: &Endpoints) -> Value {
    json!({
        "interface": a.interface,
        "index": a.ifindex,
        "endpoint": called(a.behind.endpoint, names),
        "number": a.behind.endpoint,
        "identity": a.behind.identity,
    })
}

fn count(c: &Count, names: &Endpoints) -> Value {
    json!({
        "endpoint": called(c.endpoint, names),
        "direction": if c.egress { "egress" } else { "ingress" },
        "matchType": match_type(c.match_type),
        "code": c.code,
        "proxyPort": c.proxy_port,
        "authType": c.auth_type,
        "packets": c.packets,
        "bytes": c.bytes,
    })
}

fn observe(args: &ObserveArgs) -> Result<Exit, Failure> {
    let names = if args.paths.is_empty() {
        Names::default()
    } else {
        Names::of(&WorldArgs::of(args.paths.clone()).open()?.cluster)
    };
    let mut events = Gate::open(&args.pins.pins)?.events()?;
    let mut out = anstream::stdout().lock();
    let mut left = args.count.unwrap_or(u64::MAX);
    let patience = args.timeout.map(Duration::from_secs);
    let mut last = Instant::now();
    while left > 0 {
        let wait = match patience {
            Some(most) => most.saturating_sub(last.elapsed()),
            None => Duration::from_secs(1),
        };
        let Some(event) = events.next_within(wait)? else {
            if patience.is_some_and(|most| last.elapsed() >= most) {
                break;
            }
            continue;
        };
        match args.output {
            Output::Text => writeln!(out, "{}", clean(&event.line(&names)))?,
            Output::Json => writeln!(out, "{}", json!({ "flow": event.to_flow(&names) }))?,
        }
        out.flush()?;
        left -= 1;
        last = Instant::now();
    }
    Ok(Exit::Fine)
}
