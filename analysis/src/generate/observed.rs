//! Needs from the connections of a cluster.
//!
//! In: what `netverdict reach -o json` printed, as it is or with lines taken
//! out or added. Out: a [`Need`] for each connection, on exactly its terms.

use super::{Need, Requests, Terms};
use crate::connectivity::{Connectivity, Options};
use crate::peer::Grouping;
use crate::ports::{PortSet, WITH_PORTS, ports_of};
use ipnet::IpNet;
use netverdict::cluster::{Cluster, Endpoint, Peer, Target};
use netverdict::identity::Reserved;
use netverdict::rule::{Direction, protocol};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    workloads: Vec<String>,
    #[serde(default)]
    peers: Vec<String>,
    #[serde(default)]
    namespaces: Option<Vec<String>>,
    connections: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    from: String,
    to: String,
    #[serde(default)]
    allowed: Vec<Open>,
}

#[derive(Deserialize)]
struct Open {
    protocol: String,
    #[serde(default)]
    ports: Vec<[u16; 2]>,
    #[serde(default)]
    l7: Option<String>,
    #[serde(default)]
    auth: bool,
    #[serde(default)]
    requests: Vec<String>,
}

/// Ports that are open on like terms.
struct Piece {
    terms: Result<Terms, String>,
    ports: PortSet,
}

/// What connections ask of policies.
#[derive(Debug, Default)]
pub struct Observed {
    /// Every connection.
    pub needs: Vec<Need>,
    /// Those that no rule can say, with why.
    pub left_out: Vec<String>,
    /// Pods without any connection in a direction.
    pub closed: Vec<(Arc<Endpoint>, Direction)>,
}

/// The connections of a text, as needs. `evidence` says how somebody knows of a connection, by its number.
///
/// # Errors
/// What is wrong with the text.
pub fn needs_of_connections(
    cluster: &Cluster,
    text: &str,
    evidence: &dyn Fn(usize) -> String,
) -> Result<Observed, String> {
    let document: Document = serde_json::from_str(text).map_err(|e| e.to_string())?;
    if document.namespaces.is_some() {
        return Err(
            "it tells namespaces apart and no workloads; print it without `--by namespace`"
                .to_owned(),
        );
    }
    let rows: Vec<(&Row, Vec<Piece>)> = document
        .connections
        .iter()
        .map(|row| Ok((row, pieces(row)?)))
        .collect::<Result<_, String>>()?;
    let open: BTreeMap<(&str, &str), PortSet> = rows
        .iter()
        .map(|(row, pieces)| {
            let none = PortSet::none();
            let all = pieces.iter().fold(none, |all, p| all.union(&p.ports));
            ((row.from.as_str(), row.to.as_str()), all)
        })
        .collect();
    let ends = Ends::new(cluster);
    let mut needs = Vec::new();
    let mut left_out = Vec::new();
    for (number, (row, pieces)) in (1..).zip(&rows) {
        let found = (ends.of(&row.from), ends.of(&row.to));
        let (senders, receivers) = match found {
            (Ok(from), Ok(to)) => (from, to),
            (Err(why), _) | (_, Err(why)) => {
                left_out.push(format!("{} → {}: {why}", row.from, row.to));
                continue;
            }
        };
        let around = Around {
            document: &document,
            open: &open,
        };
        for piece in pieces {
            let terms = match &piece.terms {
                Ok(terms) => terms,
                Err(why) => {
                    let ports = &piece.ports;
                    left_out.push(format!("{} → {} {ports}: {why}", row.from, row.to));
                    continue;
                }
            };
            let except = around.within(row, &piece.ports);
            let covered = around.covered(row, &rows, piece);
            let written = [
                !covered && !around.is_open(&row.from, true),
                !covered && !around.is_open(&row.to, false),
            ];
            for from in &senders {
                for to in &receivers {
                    needs.push(Need {
                        from: from.clone(),
                        to: to.clone(),
                        ports: piece.ports.clone(),
                        terms: terms.clone(),
                        except: except.clone(),
                        written,
                        evidence: evidence(number),
                    });
                }
            }
        }
    }
    let mut closed = Vec::new();
    let outside = |name: &str| {
        let kinds = ["entity:", "cidr:", "fqdn:"];
        kinds.iter().any(|kind| name.starts_with(kind))
    };
    let named = document.connections.iter().flat_map(|r| [&r.from, &r.to]);
    let named = named.filter(|name| !outside(name));
    let workloads: BTreeSet<&String> = document.workloads.iter().chain(named).collect();
    for name in workloads {
        // A pod's own node always reaches it.
        let some = |direction: Direction| {
            open.iter().any(|((from, to), ports)| match direction {
                Direction::Egress => from == name && !ports.is_empty(),
                Direction::Ingress => to == name && *from != "entity:host" && !ports.is_empty(),
            })
        };
        for direction in [Direction::Ingress, Direction::Egress] {
            if !some(direction)
                && let Ok(pods) = ends.of(name)
            {
                closed.extend(pods.into_iter().filter_map(|p| match p.target {
                    Target::Endpoint(e) => Some((e, direction)),
                    _ => None,
                }));
            }
        }
    }
    Ok(Observed {
        needs,
        left_out,
        closed,
    })
}

/// What is open in a row, by terms.
fn pieces(row: &Row) -> Result<Vec<Piece>, String> {
    let mut all: Vec<Piece> = Vec::new();
    let mut listed = WITH_PORTS.iter().fold(PortSet::none(), |all, p| {
        let (first, last) = ports_of(*p);
        all.union(&PortSet::range(*p, first, last))
    });
    let number = |name: &str| -> Result<u8, String> {
        let bare = name.strip_prefix("protocol ").unwrap_or(name);
        protocol::number(bare)
            .or_else(|| bare.parse().ok())
            .filter(|n| *n != protocol::ANY)
            .ok_or_else(|| format!("`{name}` is no protocol"))
    };
    for open in row.allowed.iter().filter(|o| o.protocol != "other") {
        let (first, last) = ports_of(number(&open.protocol)?);
        listed = listed.union(&PortSet::range(number(&open.protocol)?, first, last));
    }
    for open in &row.allowed {
        let ports = if open.protocol == "other" {
            listed.complement()
        } else {
            let number = number(&open.protocol)?;
            let (low, high) = ports_of(number);
            let whole = vec![[low, high]];
            let ranges = match (open.ports.is_empty(), low == high) {
                (_, true) => &whole,
                (true, false) => return Err(format!("{}: ports are missing", open.protocol)),
                (false, false) => &open.ports,
            };
            let mut ports = PortSet::none();
            for [first, last] in ranges {
                if *first < low || first > last || *last > high {
                    return Err(format!("{first}-{last} are no ports of {}", open.protocol));
                }
                ports = ports.union(&PortSet::range(number, *first, *last));
            }
            ports
        };
        let requests = Requests::read(open.l7.as_deref(), &open.requests);
        let terms = requests.map(|requests| Terms::Exactly {
            requests,
            authenticated: open.auth,
        });
        match all.iter_mut().find(|p| p.terms == terms) {
            Some(known) => known.ports = known.ports.union(&ports),
            None => all.push(Piece { terms, ports }),
        }
    }
    Ok(all)
}

/// What a row's neighbours say.
struct Around<'d> {
    document: &'d Document,
    open: &'d BTreeMap<(&'d str, &'d str), PortSet>,
}

impl Around<'_> {
    /// The prefixes within one end of a row that may not say as much.
    fn within(&self, row: &Row, ports: &PortSet) -> Vec<IpNet> {
        let from = prefixes(&row.from);
        let to = prefixes(&row.to);
        if from.is_empty() == to.is_empty() {
            return Vec::new();
        }
        let outside = if from.is_empty() { &to } else { &from };
        let mut inner: Vec<IpNet> = Vec::new();
        for name in &self.document.peers {
            let Some(prefix) = name.strip_prefix("cidr:").and_then(|p| p.parse().ok()) else {
                continue;
            };
            let inside = |p: &IpNet| p.contains(&prefix) && *p != prefix;
            let pair = match from.is_empty() {
                true => (row.from.as_str(), name.as_str()),
                false => (name.as_str(), row.to.as_str()),
            };
            let as_much = self.open.get(&pair).is_some_and(|o| ports.is_subset(o));
            if outside.iter().any(inside) && !as_much {
                inner.push(prefix);
            }
        }
        let all = inner.clone();
        inner.retain(|p| !all.iter().any(|o| o != p && o.contains(p)));
        inner
    }

    /// True when what a row says of a name or a prefix is said of all the
    /// addresses around it, too.
    fn covered(&self, row: &Row, rows: &[(&Row, Vec<Piece>)], piece: &Piece) -> bool {
        let around = |inner: &str, outer: &str| {
            let outer = prefixes(outer);
            match inner.strip_prefix("cidr:") {
                Some(prefix) => {
                    let inner: Option<IpNet> = prefix.parse().ok();
                    inner.is_some_and(|i| outer.iter().any(|o| *o != i && o.contains(&i)))
                }
                None => inner.starts_with("fqdn:") && outer.iter().any(|o| o.prefix_len() == 0),
            }
        };
        rows.iter().any(|(other, theirs)| {
            let wider = (other.from == row.from && around(&row.to, &other.to))
                || (other.to == row.to && around(&row.from, &other.from));
            wider
                && theirs
                    .iter()
                    .any(|p| p.terms == piece.terms && piece.ports.is_subset(&p.ports))
        })
    }

    /// True when a workload may say everything to everybody, or hear it: then
    /// no policy has to list them.
    fn is_open(&self, own: &str, sends: bool) -> bool {
        let all = self
            .document
            .workloads
            .iter()
            .chain(&self.document.peers)
            .map(String::as_str)
            .filter(|other| *other != own);
        let mut any = false;
        let open = all.into_iter().all(|other| {
            any = true;
            let pair = if sends { (own, other) } else { (other, own) };
            self.open.get(&pair).is_some_and(PortSet::is_all)
        });
        any && open
    }
}

/// The addresses that a peer outside of the cluster stands for.
fn prefixes(name: &str) -> Vec<IpNet> {
    let all: &[&str] = match name {
        "entity:world" => &["0.0.0.0/0", "::/0"],
        "entity:world-ipv4" => &["0.0.0.0/0"],
        "entity:world-ipv6" => &["::/0"],
        _ => {
            let own = name.strip_prefix("cidr:").and_then(|p| p.parse().ok());
            return own.into_iter().collect();
        }
    };
    all.iter().filter_map(|p| p.parse().ok()).collect()
}

/// Where the names of connections are found.
struct Ends<'c> {
    by_workload: Connectivity<'c>,
    by_pod: Connectivity<'c>,
}

impl<'c> Ends<'c> {
    fn new(cluster: &'c Cluster) -> Self {
        let by = |grouping| {
            let options = Options {
                grouping,
                ..Options::default()
            };
            Connectivity::new(cluster, &options)
        };
        Self {
            by_workload: by(Grouping::Workload),
            by_pod: by(Grouping::Pod),
        }
    }

    /// Who goes by a name: of pods, one for each identity.
    fn of(&self, name: &str) -> Result<Vec<Peer>, String> {
        let target = if let Some(entity) = name.strip_prefix("entity:") {
            let known = Reserved::by_name(entity);
            Target::Entity(known.ok_or_else(|| format!("`{name}` is no entity"))?.name)
        } else if let Some(prefix) = name.strip_prefix("cidr:") {
            let prefix = prefix
                .parse()
                .map_err(|_| format!("`{name}` is no prefix"))?;
            Target::Prefix(prefix)
        } else if let Some(fqdn) = name.strip_prefix("fqdn:") {
            let fqdn = fqdn.split_once('@').map_or(fqdn, |(name, _)| name);
            Target::Name(fqdn.to_owned())
        } else {
            return self.pods(name);
        };
        Ok(vec![Peer {
            text: name.to_owned(),
            target,
        }])
    }

    fn pods(&self, name: &str) -> Result<Vec<Peer>, String> {
        // Labels in braces tell groups apart that the policies of then did.
        let (stem, labels) = match name.split_once('{') {
            Some((stem, rest)) => {
                let (labels, kind) = rest.split_once('}').unwrap_or((rest, ""));
                (format!("{stem}{kind}"), labels)
            }
            None => (name.to_owned(), ""),
        };
        let bare = |name: &str| match (name.split_once('{'), name.rsplit_once('}')) {
            (Some((stem, _)), Some((_, kind))) => format!("{stem}{kind}"),
            _ => name.to_owned(),
        };
        let has = |e: &Endpoint| {
            e.name == labels
                || labels.split(',').filter(|l| !l.is_empty()).all(|label| {
                    let (key, value) = label.split_once('=').unwrap_or((label, ""));
                    e.labels.get(key).is_some_and(|l| l.value() == value)
                })
        };
        let mut found: Vec<Arc<Endpoint>> = Vec::new();
        for all in [&self.by_workload, &self.by_pod] {
            let exact = all.find(name);
            let peers = all.peers().iter().enumerate().filter(|(n, p)| {
                p.is_workload() && exact.map_or_else(|| bare(&p.name) == stem, |e| e == *n)
            });
            for endpoint in peers.flat_map(|(_, p)| &p.endpoints) {
                let known = found.iter().any(|e| e.identity == endpoint.identity);
                if !known && (exact.is_some() || has(endpoint)) {
                    found.push(Arc::clone(endpoint));
                }
            }
            if !found.is_empty() {
                break;
            }
        }
        if found.is_empty() {
            return Err(format!("nothing in the input is called `{name}`"));
        }
        let peer = |e: Arc<Endpoint>| Peer {
            text: e.to_string(),
            target: Target::Endpoint(e),
        };
        Ok(found.into_iter().map(peer).collect())
    }
}
