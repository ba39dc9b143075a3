//! Flows, as arguments name them.
//!
//! In: `--from`, `--to`, `--port` or `--icmp`. Out: a [`Question`], its two
//! ends found in a [`World`].

use crate::exit::Failure;
use crate::layer7::{Sent, SentArgs};
use crate::world::{World, WorldArgs};
use clap::{ArgGroup, Args};
use netverdict::cluster::{Endpoint, Flow, FoundFlow, Peer, Target};
use netverdict::object::cilium::{IcmpFamily, icmp_type_number};
use netverdict::rule::protocol;

/// A flow to ask about.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("what").required(true).args(["port", "icmp", "icmpv6"]))]
pub(crate) struct QuestionArgs {
    /// Who sends: `namespace/pod`, a workload or an app, labels
    /// (`namespace/app=web`), an address or prefix, an entity (`world`, `host`).
    #[arg(long, value_name = "WHO")]
    from: String,
    /// Who receives: the same, or a DNS name.
    #[arg(long, value_name = "WHO")]
    to: String,
    /// Destination port and protocol: `443`, `53/UDP`, `http` (as the receiver
    /// calls it), or a protocol without ports (`ESP`).
    #[arg(short, long, value_name = "PORT[/PROTOCOL]")]
    port: Option<String>,
    /// ICMP type, by number or name, and code: `8`, `EchoRequest`, `3/4`.
    #[arg(long, value_name = "TYPE[/CODE]")]
    icmp: Option<String>,
    /// ICMPv6 type and code.
    #[arg(long, value_name = "TYPE[/CODE]")]
    icmpv6: Option<String>,
    /// A fragment whose first one was not seen: nothing in it tells the port.
    #[arg(long)]
    fragment: bool,
    #[command(flatten)]
    sent: SentArgs,
    #[command(flatten)]
    world: WorldArgs,
}

/// A flow with its ends found.
#[derive(Debug)]
pub(crate) struct Question {
    /// The flow.
    pub(crate) found: FoundFlow,
    /// What is sent on it, if that is asked about.
    pub(crate) sent: Option<Sent>,
}

impl QuestionArgs {
    /// Builds the world and finds both ends in it.
    pub(crate) fn open(&self) -> Result<(World, Question), Failure> {
        let sent = self.sent.read()?;
        let mut world = self.world.open()?;
        let from = peer(&mut world, &self.from)?;
        let to = peer(&mut world, &self.to)?;
        // What was imagined for one end may have changed the other.
        let from = again(&world, from);
        let (protocol, port, icmp_code) = match (&self.port, &self.icmp, &self.icmpv6) {
            (Some(text), ..) => {
                let (protocol, port) = port_of(text, &to)?;
                (protocol, port, None)
            }
            (None, Some(text), _) => icmp(text, IcmpFamily::V4)?,
            (None, None, Some(text)) => icmp(text, IcmpFamily::V6)?,
            (None, None, None) => return Err(Failure::new("no port")),
        };
        let found = FoundFlow {
            from,
            to,
            protocol,
            port,
            icmp_code,
            untracked_fragment: self.fragment,
        };
        let question = Question { found, sent };
        Ok((world, question))
    }
}

impl Question {
    /// The flow it asks about.
    pub(crate) fn flow(&self) -> Flow<'_> {
        self.found.flow()
    }

    /// `443/TCP`, `ICMP type 8`, `443/TCP, untracked fragment`.
    pub(crate) fn what(&self) -> String {
        let name = protocol_name(self.found.protocol);
        let what = match self.found.protocol {
            protocol::ICMP | protocol::ICMPV6 => match self.found.icmp_code {
                Some(code) => format!("{name} type {} code {code}", self.found.port),
                None => format!("{name} type {}", self.found.port),
            },
            protocol::TCP | protocol::UDP | protocol::SCTP => format!("{}/{name}", self.found.port),
            _ => name,
        };
        if self.found.untracked_fragment {
            format!("{what}, untracked fragment")
        } else {
            what
        }
    }
}

/// The name of a protocol, or its number.
pub(crate) fn protocol_name(number: u8) -> String {
    protocol::name(number).map_or_else(|| number.to_string(), str::to_owned)
}

/// Finds one end of a flow; labels stand for a pod that no file mentions.
pub(crate) fn peer(world: &mut World, text: &str) -> Result<Peer, Failure> {
    let named = ["entity:", "reserved:", "cidr:", "ip:", "pod:", "fqdn:"];
    if text.contains('=') && !named.iter().any(|n| text.starts_with(n)) {
        let endpoint = world.imagine(text)?;
        return Ok(Peer {
            text: text.to_owned(),
            target: Target::Endpoint(endpoint),
        });
    }
    let found = world.cluster.peer(text);
    found.map_err(|d| world.not_found(&d))
}

/// The same end in the world as it is now.
pub(crate) fn again(world: &World, peer: Peer) -> Peer {
    let Target::Endpoint(old) = &peer.target else {
        return peer;
    };
    let same =
        |e: &Endpoint| (&e.namespace, &e.name, e.kind) == (&old.namespace, &old.name, old.kind);
    match world.cluster.endpoints().iter().find(|e| same(e)) {
        Some(new) => Peer {
            target: Target::Endpoint(new.clone()),
            ..peer
        },
        None => peer,
    }
}

fn no_port(text: &str) -> Failure {
    Failure::new(format!("`--port {text}` is no port"))
        .help("write a port from 1 to 65535 with its protocol: `443/TCP`, `53/UDP`")
}

/// A port by number, with its protocol; or a protocol without ports.
pub(crate) fn plain_port(text: &str) -> Result<(u8, u16), Failure> {
    port(text, None)
}

/// A port as the receiver calls it.
pub(crate) fn port_of(text: &str, to: &Peer) -> Result<(u8, u16), Failure> {
    let receiver = match &to.target {
        Target::Endpoint(e) => Some(&**e),
        _ => None,
    };
    port(text, receiver)
}

fn port(text: &str, to: Option<&Endpoint>) -> Result<(u8, u16), Failure> {
    let wrong = || no_port(text);
    let (port, name) = match text.split_once('/') {
        Some((port, name)) => (port, Some(name)),
        None => (text, None),
    };
    let by_name = |name: &str| {
        let number = protocol::number(name).or_else(|| name.parse().ok());
        number.filter(|n| *n != protocol::ANY)
    };
    let given = match name {
        None => None,
        Some(name) => Some(by_name(name).ok_or_else(|| {
            Failure::new(format!("`{name}` is no protocol")).help("TCP, UDP, SCTP, …")
        })?),
    };
    if let Ok(number) = port.parse::<u16>() {
        let protocol = given.unwrap_or(protocol::TCP);
        let with_ports = matches!(protocol, protocol::TCP | protocol::UDP | protocol::SCTP);
        return if number == 0 && with_ports {
            Err(wrong())
        } else {
            Ok((protocol, number))
        };
    }
    if let Some(e) = to {
        let declared = e
            .ports
            .iter()
            .find(|p| p.name == port && given.is_none_or(|g| g == p.protocol));
        if let Some(p) = declared {
            return Ok((p.protocol, p.port));
        }
    }
    match (given, by_name(port)) {
        (None, Some(protocol::ICMP | protocol::ICMPV6)) => {
            Err(Failure::new("ICMP has types, not ports").help("use `--icmp 8` or `--icmpv6 128`"))
        }
        (None, Some(protocol)) => Ok((protocol, 0)),
        _ => {
            let Some(e) = to else {
                return Err(wrong());
            };
            let names: Vec<String> = e
                .ports
                .iter()
                .filter(|p| !p.name.is_empty())
                .map(|p| format!("`{}`", p.name))
                .collect();
            let failure = Failure::new(format!("`{e}` has no port `{port}`"));
            Err(if names.is_empty() {
                failure.help("it names no ports; write a number: `443/TCP`")
            } else {
                failure.help(format!("it names {}", names.join(", ")))
            })
        }
    }
}

/// An ICMP type by number or name, and its code.
pub(crate) fn icmp(text: &str, family: IcmpFamily) -> Result<(u8, u16, Option<u8>), Failure> {
    let wrong = || {
        let names: Vec<&str> = family.types().iter().map(|(n, _)| *n).collect();
        Failure::new(format!("`{text}` is no ICMP type")).help(format!(
            "write a number up to 255 or one of {}",
            names.join(", ")
        ))
    };
    let (kind, code) = match text.split_once('/') {
        Some((kind, code)) => (kind, Some(code.parse::<u8>().map_err(|_| wrong())?)),
        None => (text, None),
    };
    let number = kind.parse::<u8>().ok();
    let number = number.or_else(|| icmp_type_number(family, kind));
    let protocol = match family {
        IcmpFamily::V4 => protocol::ICMP,
        IcmpFamily::V6 => protocol::ICMPV6,
    };
    Ok((protocol, u16::from(number.ok_or_else(wrong)?), code))
}
