//! What Hubble recorded.
//!
//! In: the output of `hubble observe` or of Hubble's exporter, line by line.
//! Out: [`RecordedFlow`]s, gathered into the distinct connections of a
//! [`Recording`]; placed in a cluster, replayed against its policies, and
//! compared with what the agent said.
//!
//! Fields are those of Cilium 1.20.2 api/v1/flow/flow.proto, in the JSON form
//! of protocol buffers; lines of text are those of hubble/pkg/printer. What a
//! line leaves out stays unknown: nothing is taken for allowed because nobody
//! said otherwise.
//!
//! ```
//! use netverdict::cluster::Cluster;
//! use netverdict_analysis::generate::{needs_of, needs_of_connections};
//! use netverdict_analysis::recorded::{
//!     Change, LineAt, Now, Recording, Replayed, agree, now, place, question, replay, workload,
//! };
//!
//! let line = r#"{"flow": {"verdict": "FORWARDED", "traffic_direction": "INGRESS", "event_type": {"type": 5},
//!   "source": {"namespace": "shop", "pod_name": "web"}, "destination": {"namespace": "shop", "pod_name": "db"},
//!   "l4": {"TCP": {"source_port": 40000, "destination_port": 80, "flags": {"SYN": true}}}}}"#;
//! let mut recording = Recording::new();
//! recording.line(LineAt { text: 0, line: 1 }, line);
//! assert!(recording.problems().is_empty());
//!
//! // Who its ends are here, and what would happen to it now.
//! let mut cluster = Cluster::read(include_str!("../../../core/examples/shop.yaml"))?;
//! let placement = place(&mut cluster, &recording);
//! let replayed: Vec<Replayed> = replay(&cluster, &recording, &placement);
//! assert_eq!(replayed[0].change, Change::NewlyDenied);
//! assert!(!replayed[0].reasons().is_empty());
//! let ends = replayed[0].ends.as_ref().expect("both are known");
//! assert_eq!(workload(&ends.to), "shop/db");
//! assert_eq!(question(&replayed[0].traffic, ends).map(|flow| flow.port), Ok(80));
//! let answer: Now = now(&cluster, &replayed[0].traffic, &Ok(ends.clone()));
//! assert!(answer.side().is_some() && answer.rules().len() == 1);
//! // Not what the recording says: these policies are not those of then.
//! assert_eq!(agree(&cluster, &recording, &placement).compared, 1);
//! // What policies would have to let through.
//! let (needs, _) = needs_of(&cluster, &recording, &placement, true, &|seen| format!("{} times", seen.flows));
//! assert_eq!(needs.len(), 1);
//! // And for all connections that another cluster has, as it tells them.
//! let open = netverdict_analysis::json::connectivity(&cluster, false, false, false).expect("JSON");
//! let observed = needs_of_connections(&cluster, &open, &|number| format!("connection {number}"));
//! assert!(observed.is_ok_and(|observed| !observed.needs.is_empty()));
//! # Ok::<(), Box<netverdict::diagnostic::Diagnostic>>(())
//! ```

mod agree;
mod compact;
mod json;
mod place;
mod recording;
mod replay;

pub use agree::{Agreement, Difference, Disagreement, agree};
pub use place::{Placed, Placement, place};
pub use recording::{
    Connection, Judgement, LineAt, MAX_CONNECTIONS, Outcome, Problem, Recording, Seen, Sightings,
    SkippedRows, Traffic,
};
pub use replay::{Change, Now, Replayed, now, question, replay, workload};

use netverdict::policy_map::MatchType;
use netverdict::rule::Direction;
use std::net::IpAddr;

/// One flow as it was recorded. `None` and empty texts are what the line does
/// not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordedFlow {
    /// `time` as written.
    pub time: String,
    /// What became of it.
    pub verdict: Option<RecordedVerdict>,
    /// `POLICY_DENIED`, …, for drops.
    pub drop_reason: String,
    /// Who sent it.
    pub source: RecordedEnd,
    /// Who was to receive it.
    pub destination: RecordedEnd,
    /// IP protocol number.
    pub protocol: Option<u8>,
    /// Destination port, or ICMP type.
    pub port: Option<u16>,
    /// ICMP code.
    pub icmp_code: Option<u8>,
    /// Where it stands in its connection.
    pub turn: Turn,
    /// Which event it was.
    pub event: Event,
    /// Whose side saw it.
    pub direction: Option<Direction>,
    /// How much the deciding entry looked at; of policy verdicts alone.
    pub match_type: Option<MatchType>,
    /// The HTTP request or DNS query on it.
    pub sent: Option<RecordedRequest>,
    /// Addresses that a DNS answer gave, with the name.
    pub answered: Option<(String, Vec<IpAddr>)>,
    /// The policies that allowed or denied it, as `Kind/namespace/name`.
    pub policies: Vec<String>,
    /// It went to a proxy.
    pub proxied: bool,
}

/// `verdict`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordedVerdict {
    /// Passed on.
    Forwarded,
    /// Passed on to a proxy.
    Redirected,
    /// Passed on although policy would have dropped it.
    Audited,
    /// Dropped.
    Dropped,
    /// Something else: an error, a translation, a trace point.
    Other,
}

/// Which event a flow was made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// The line does not say.
    #[default]
    Unsaid,
    /// The datapath asked policy.
    PolicyVerdict,
    /// The datapath dropped it.
    Drop,
    /// It passed an observation point.
    Trace,
    /// A proxy spoke.
    Layer7,
    /// Sockets, debugging.
    Other,
}

/// Whether a packet opens a connection or answers on one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turn {
    /// In the direction of the connection.
    Forward,
    /// In the other direction: policy is not asked about it.
    Reply,
    /// The record does not say, and nothing else in it does.
    #[default]
    Unsaid,
}

/// One end of a recorded flow.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordedEnd {
    /// Its namespace.
    pub namespace: String,
    /// Its pod; in lines of text perhaps its service.
    pub pod: String,
    /// Kinds and names of the workloads it belongs to.
    pub workloads: Vec<(String, String)>,
    /// The labels of its identity, as `source:key=value`.
    pub labels: Vec<String>,
    /// Its identity.
    pub identity: Option<u32>,
    /// Its address.
    pub address: Option<IpAddr>,
    /// DNS names of its address.
    pub names: Vec<String>,
    /// The cluster it is in.
    pub cluster: String,
}

impl RecordedEnd {
    /// True when nothing says who it is.
    #[must_use]
    pub fn is_unsaid(&self) -> bool {
        self.pod.is_empty()
            && self.workloads.is_empty()
            && self.labels.is_empty()
            && self.identity.is_none()
            && self.address.is_none()
            && self.names.is_empty()
    }
}

impl std::fmt::Display for RecordedEnd {
    /// As people know it: a pod, a name, an address, an entity.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let reserved = self.labels.iter().find_map(|l| l.strip_prefix("reserved:"));
        match (&*self.pod, self.workloads.first(), self.names.first()) {
            ("", Some((_, name)), _) => write!(f, "{}/{name}", self.namespace),
            ("", None, Some(name)) => f.write_str(name),
            ("", None, None) => match (self.address, reserved, self.identity) {
                (Some(address), ..) => address.fmt(f),
                (None, Some(entity), _) => f.write_str(entity),
                (None, None, Some(identity)) => write!(f, "identity {identity}"),
                (None, None, None) if self.labels.is_empty() => f.write_str("nobody knows who"),
                (None, None, None) => f.write_str(&self.labels.join(",")),
            },
            (pod, ..) if self.namespace.is_empty() => f.write_str(pod),
            (pod, ..) => write!(f, "{}/{pod}", self.namespace),
        }
    }
}

/// What was sent on a flow, when a proxy read it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordedRequest {
    /// An HTTP request.
    Http {
        /// `GET`, …
        method: String,
        /// The host of the URL; empty when it has none.
        host: String,
        /// The path of the URL.
        path: String,
    },
    /// A DNS query for a name.
    Dns(String),
}

impl std::fmt::Display for RecordedRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Http { method, path, .. } => write!(f, "{method} {path}"),
            Self::Dns(name) => write!(f, "a query for {name}"),
        }
    }
}

impl RecordedRequest {
    /// Reads a URL as proxies log it: `http://host/path?query`, or a path.
    fn http(method: &str, url: &str) -> Self {
        let rest = url.split_once("://").map(|(_, rest)| rest);
        let (host, path) = match rest {
            Some(rest) => match rest.find('/') {
                Some(at) => rest.split_at(at),
                None => (rest, "/"),
            },
            None => ("", url),
        };
        Self::Http {
            method: method.to_owned(),
            host: host.to_owned(),
            path: path.to_owned(),
        }
    }

    fn dns(name: &str) -> Self {
        Self::Dns(name.trim_end_matches('.').to_lowercase())
    }
}

/// Reads one line: JSON, or text as `hubble observe` prints it. `None` for
/// lines that hold no flow: blank ones, notices of nodes and agents.
///
/// ```
/// use netverdict_analysis::recorded::read_line;
///
/// let line = r#"{"flow": {"verdict": "DROPPED", "traffic_direction": "INGRESS",
///   "source": {"namespace": "shop", "pod_name": "web"}, "destination": {"namespace": "shop", "pod_name": "db"},
///   "l4": {"TCP": {"source_port": 40000, "destination_port": 5432}}}}"#;
/// assert!(read_line(line).is_ok_and(|flow| flow.is_some()));
/// ```
///
/// # Errors
/// What is wrong with it.
pub fn read_line(line: &str) -> Result<Option<RecordedFlow>, String> {
    let line = line.trim_start_matches('\u{feff}').trim();
    if line.is_empty() {
        return Ok(None);
    }
    if line.starts_with('{') {
        json::read(line)
    } else {
        compact::read(line).map(Some)
    }
}

/// A drop by policy, and not for another reason.
fn is_policy_drop(reason: &str) -> bool {
    matches!(reason, "POLICY_DENIED" | "POLICY_DENY" | "AUTH_REQUIRED")
}

/// Where a packet stands in its connection, by all that a record says.
///
/// Policy is not asked about replies, so an event that came of asking it is
/// none; but the datapath also asks about stray packets of connections it has
/// forgotten, which TCP flags tell apart (Cilium 1.20.2
/// pkg/hubble/parser/threefour/parser.go `decodeIsReply` leaves drops open).
fn turn(said: Option<bool>, syn: Option<(bool, bool)>, asked: bool) -> Turn {
    match (said, syn) {
        (Some(true), _) | (None, Some((true, true))) => Turn::Reply,
        (Some(false), _) | (None, Some((true, false))) => Turn::Forward,
        (None, Some((false, _))) => Turn::Unsaid,
        (None, None) if asked => Turn::Forward,
        (None, None) => Turn::Unsaid,
    }
}

#[cfg(test)]
mod tests;
