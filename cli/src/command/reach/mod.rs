//! `reach`: who may talk to whom, for all of a cluster.

mod graph;
mod json;
mod matrix;
mod table;

use crate::exit::{Exit, Failure};
use crate::progress::Progress;
use crate::question::plain_port;
use crate::world::{World, WorldArgs};
use clap::{Args, ValueEnum};
use netverdict::cluster::Cluster;
use netverdict_analysis::connection::{Connection, Passage, SideState};
use netverdict_analysis::connectivity::{Connectivity, Options};
use netverdict_analysis::exposure;
use netverdict_analysis::peer::{Grouping, Peer, learn_stand_ins};
use netverdict_analysis::ports::{PortSet, ports_of};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

pub(crate) use table::cell;

/// Say who may talk to whom in a whole cluster, with ports, proxies and
/// authentication, egress and ingress taken together.
#[derive(Args, Debug)]
pub(crate) struct ReachArgs {
    /// Files and folders, as with `-f`.
    #[arg(value_name = "PATH")]
    more: Vec<PathBuf>,
    /// Only what comes from here: a workload, pod, namespace, entity, address,
    /// DNS name, or labels (`namespace/app=web`).
    #[arg(long, value_name = "WHO")]
    from: Vec<String>,
    /// Only what goes there.
    #[arg(long, value_name = "WHO")]
    to: Vec<String>,
    /// Only this port: `443/TCP`, `53/UDP`, `ESP`.
    #[arg(short, long, value_name = "PORT[/PROTOCOL]")]
    port: Vec<String>,
    /// What is one line.
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    by: By,
    /// Also show pods that do not exist yet: in each namespace, in others, and
    /// with the labels that rules ask for; and only what concerns them.
    #[arg(long)]
    exposure: bool,
    /// Also list pairs between which nothing is open.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    world: WorldArgs,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

/// What is one line, or one row of a matrix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    /// Each pod.
    Pod,
    /// All pods of one owner that policies cannot tell apart.
    #[default]
    Workload,
    /// All pods of a namespace: what any of them may say to any other.
    Namespace,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    /// A line for each pair.
    #[default]
    Table,
    /// A row for each sender, a column for each receiver.
    Matrix,
    /// The matrix as a picture.
    Svg,
    /// For programs.
    Json,
    /// For spreadsheets: a line for each protocol of a pair.
    Csv,
    /// A table in Markdown.
    Markdown,
    /// A flowchart for Mermaid.
    Mermaid,
    /// A graph for Graphviz.
    Dot,
}

/// Two groups of peers, and what one may say to the other.
pub(crate) struct Line<'a> {
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
    pub(crate) connection: Arc<Connection>,
    /// Not all pairs of the groups may say it.
    pub(crate) partly: bool,
}

/// Where lines go, in the order of their names.
pub(crate) trait Writer {
    /// Before the first line.
    fn begin(&mut self, out: &mut dyn Write, names: &Names) -> io::Result<()>;
    /// A line.
    fn line(&mut self, out: &mut dyn Write, line: &Line<'_>) -> io::Result<()>;
    /// After the last line.
    fn end(&mut self, out: &mut dyn Write) -> io::Result<()>;
}

/// Who is at the ends of lines.
pub(crate) struct Names {
    /// Senders, in order.
    pub(crate) from: Vec<String>,
    /// Receivers, in order.
    pub(crate) to: Vec<String>,
    /// All workloads of the cluster.
    pub(crate) workloads: Vec<String>,
    /// All other peers.
    pub(crate) others: Vec<String>,
}

/// The groups of peers that lines speak of.
struct Groups {
    names: Vec<String>,
    of_peer: Vec<usize>,
    members: Vec<Vec<usize>>,
}

impl Groups {
    fn new(all: &Connectivity<'_>, by: By) -> Self {
        let name = |n: usize| match all.peers().get(n) {
            Some(p) if by == By::Namespace && p.is_workload() && !p.imagined => {
                p.namespace().unwrap_or_default().to_owned()
            }
            Some(p) => p.name.clone(),
            None => String::new(),
        };
        let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for n in 0..all.peers().len() {
            groups.entry(name(n)).or_default().push(n);
        }
        let mut of_peer = vec![0; all.peers().len()];
        for (number, members) in groups.values().enumerate() {
            for member in members {
                of_peer[*member] = number;
            }
        }
        let (names, members) = groups.into_iter().unzip();
        Self {
            names,
            of_peer,
            members,
        }
    }
}

/// Which lines are wanted.
struct Wanted {
    from: Option<BTreeSet<usize>>,
    to: Option<BTreeSet<usize>>,
    ports: Option<PortSet>,
    exposure: bool,
    denied: bool,
}

impl Wanted {
    fn new(args: &ReachArgs, world: &World, all: &Connectivity<'_>) -> Result<Self, Failure> {
        let peers = |texts: &[String]| -> Result<Option<BTreeSet<usize>>, Failure> {
            let mut chosen = BTreeSet::new();
            for text in texts {
                let found = all.choose(text);
                if found.is_empty() {
                    return Err(match world.cluster.find_endpoint(text) {
                        Err(diagnostic) => world.not_found(&diagnostic),
                        Ok(_) => Failure::new(format!("`{text}` is nobody in the input")),
                    });
                }
                chosen.extend(found);
            }
            Ok((!texts.is_empty()).then_some(chosen))
        };
        let mut ports: Option<PortSet> = None;
        for text in &args.port {
            let (protocol, port) = plain_port(text)?;
            let (first, _) = ports_of(protocol);
            let one = PortSet::range(protocol, port.max(first), port.max(first));
            ports = Some(ports.map_or(one.clone(), |p| p.union(&one)));
        }
        Ok(Self {
            from: peers(&args.from)?,
            to: peers(&args.to)?,
            ports,
            exposure: args.exposure,
            denied: args.all,
        })
    }

    fn from(&self, peer: usize) -> bool {
        self.from.as_ref().is_none_or(|f| f.contains(&peer))
    }

    fn to(&self, peer: usize) -> bool {
        self.to.as_ref().is_none_or(|t| t.contains(&peer))
    }

    /// The connection as far as it is wanted; `None` when none of it is.
    fn cut(&self, connection: Arc<Connection>) -> Option<Arc<Connection>> {
        let Some(ports) = &self.ports else {
            return Some(connection);
        };
        let wanted = ports.marked();
        let cut = connection.ports.with(wanted, |passage, wanted| {
            if *wanted {
                passage.clone()
            } else {
                Passage::Closed
            }
        });
        let open = cut.any(|p| *p != Passage::Closed);
        (open || self.denied).then(|| {
            Arc::new(Connection {
                ports: cut,
                ..Connection::clone(&connection)
            })
        })
    }
}

/// Answers.
pub(crate) fn run(args: &ReachArgs) -> Result<Exit, Failure> {
    let mut world = args.world.open_at(&args.more)?;
    let options = options(&mut world.cluster, args);
    let all = look(&world.cluster, &options);
    let wanted = Wanted::new(args, &world, &all)?;
    let groups = Groups::new(&all, args.by);
    let mut writer: Box<dyn Writer> = match args.output {
        Output::Table => Box::new(table::Table::default()),
        Output::Markdown => Box::new(table::Markdown),
        Output::Csv => Box::new(table::Csv),
        Output::Json => Box::new(json::Json::new(args.by)),
        Output::Matrix => Box::new(matrix::Matrix::text()),
        Output::Svg => Box::new(matrix::Matrix::svg()),
        Output::Mermaid => Box::new(graph::Graph::mermaid()),
        Output::Dot => Box::new(graph::Graph::dot()),
    };
    let names = names(&all, &groups, &wanted);
    if matches!(args.output, Output::Matrix | Output::Svg) {
        matrix::fits(&names)?;
    }
    let mut out = io::BufWriter::new(anstream::stdout().lock());
    writer.begin(&mut out, &names)?;
    let progress = Progress::on_terminal("comparing", "peers", groups.names.len());
    for from in 0..groups.names.len() {
        for line in lines(&all, &groups, &wanted, from) {
            writer.line(&mut out, &line)?;
        }
        progress.step();
    }
    drop(progress);
    writer.end(&mut out)?;
    out.flush()?;
    Ok(Exit::Fine)
}

fn options(cluster: &mut Cluster, args: &ReachArgs) -> Options {
    let grouping = match args.by {
        By::Pod => Grouping::Pod,
        By::Workload | By::Namespace => Grouping::Workload,
    };
    let imagined = match args.exposure {
        true => exposure::imagine(cluster),
        false => exposure::Imagined::new(),
    };
    Options {
        grouping,
        stand_ins: learn_stand_ins(cluster),
        imagined,
        ..Options::default()
    }
}

/// Computes connections, and says how far it is when that takes long.
pub(crate) fn look<'c>(cluster: &'c Cluster, options: &Options) -> Connectivity<'c> {
    let mut bar = None;
    Connectivity::with_progress(cluster, options, &mut |_, all| {
        bar.get_or_insert_with(|| Progress::on_terminal("resolving", "policies", all))
            .step();
    })
}

fn names(all: &Connectivity<'_>, groups: &Groups, wanted: &Wanted) -> Names {
    let group = |chosen: &dyn Fn(usize) -> bool| -> Vec<String> {
        let members = groups.names.iter().zip(&groups.members);
        members
            .filter(|(_, members)| members.iter().any(|m| chosen(*m)))
            .map(|(name, _)| name.clone())
            .collect()
    };
    let is_workload = |n: usize| all.peers().get(n).is_some_and(Peer::is_workload);
    Names {
        from: group(&|n| wanted.from(n)),
        to: group(&|n| wanted.to(n)),
        workloads: group(&is_workload),
        others: group(&|n| !is_workload(n)),
    }
}

/// The lines of one sender.
fn lines<'a>(
    all: &'a Connectivity<'_>,
    groups: &'a Groups,
    wanted: &'a Wanted,
    from: usize,
) -> Vec<Line<'a>> {
    let peers = all.peers();
    let imagined = |n: usize| peers.get(n).is_some_and(|p| p.imagined);
    let members = groups.members.get(from).map_or(&[][..], Vec::as_slice);
    let single = |n: usize| groups.members.get(n).is_none_or(|m| m.len() == 1);
    // What pairs of groups may not say matters where a group is many.
    let denied = wanted.denied || groups.names.len() < peers.len();
    let mut found: BTreeMap<usize, (Arc<Connection>, bool)> = BTreeMap::new();
    for sender in members.iter().filter(|m| wanted.from(**m)) {
        for (receiver, connection) in all.row(*sender, denied) {
            if !wanted.to(receiver) || wanted.exposure && imagined(*sender) == imagined(receiver) {
                continue;
            }
            // That a pod without policies may talk to nodes and the world tells
            // nothing of the policies.
            let workload = |n: usize| peers.get(n).is_some_and(Peer::is_workload);
            let plain = match imagined(*sender) {
                true => !workload(receiver) && connection.egress_state() == SideState::Default,
                false => !workload(*sender) && connection.ingress_state() == SideState::Default,
            };
            if wanted.exposure && plain {
                continue;
            }
            let Some(connection) = wanted.cut(connection) else {
                // Another pair of the groups may say it.
                let to = groups.of_peer[receiver];
                if let Some((_, partly)) = found.get_mut(&to) {
                    *partly = true;
                }
                continue;
            };
            let to = groups.of_peer[receiver];
            match found.get_mut(&to) {
                None => {
                    found.insert(to, (connection, false));
                }
                Some((known, partly)) => {
                    if known.ports != connection.ports {
                        *known = Arc::new(known.or(&connection));
                        *partly = true;
                    }
                }
            }
        }
    }
    let name = |n: usize| groups.names.get(n).map_or("", String::as_str);
    let lines = found.into_iter().filter(|(_, (connection, _))| {
        wanted.denied || connection.ports.any(|p| *p != Passage::Closed)
    });
    lines
        .map(|(to, (connection, partly))| Line {
            from: name(from),
            to: name(to),
            connection,
            partly: partly && !(single(from) && single(to)),
        })
        .collect()
}
