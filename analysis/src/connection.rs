//! What one peer may say to another.
//!
//! In: what the policy of the sender says of its egress, and that of the
//! receiver of its ingress. Out: a [`Connection`]: for every port of every
//! protocol what happens, both sides taken together as
//! [`Cluster::flow`](netverdict::cluster::Cluster::flow) does.
//!
//! ```
//! use netverdict::cluster::Cluster;
//! use netverdict_analysis::connection::{Connection, Proxy, Side, SideState, Terms, Treatment};
//! use netverdict_analysis::connectivity::{Connectivity, Options};
//! use netverdict_analysis::json::JsonPorts;
//!
//! let shop = include_str!("../../core/examples/shop.yaml");
//! let api = "
//! {apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: web, namespace: shop},
//!  spec: {endpointSelector: {matchLabels: {app: web}}, ingress: [{toPorts: [{
//!   ports: [{port: '80', protocol: TCP}], rules: {http: [{method: GET, path: /docs}]}}]}]}}";
//! let cluster = Cluster::read(&format!("{shop}---{api}"))?;
//! let all = Connectivity::new(&cluster, &Options::default());
//! let number = |workload| all.choose(workload)[0];
//! let (web, db) = (number("shop/web"), number("shop/db"));
//!
//! let to_db: Connection = (*all.connection(web, db).expect("two pods")).clone();
//! assert_eq!(to_db.allowed()[0].ports, [(5432, 5432)]);
//! assert!(to_db.unknown().is_empty());
//! assert_eq!((to_db.egress_state(), to_db.ingress_state()), (SideState::Default, SideState::Allowed));
//! let ingress: &Side = to_db.ingress.as_deref().expect("a pod has policies");
//! let treatment: &Treatment = ingress.ports.at(6, 80);
//! assert!(treatment.drops() && !treatment.decision().is_allowed());
//! // What a receiver without a policy says, and with it nobody is in the way.
//! assert!(Side::open().passes());
//!
//! // Where a proxy sits, and which requests it lets through.
//! let to_web = all.connection(db, web).expect("two pods");
//! let (terms, ports): (Terms, _) = to_web.by_terms().remove(0);
//! assert!(ports.contains(6, 80));
//! assert_eq!((terms.layer7(), terms.requests()), (Some("http"), vec!["GET /docs".to_owned()]));
//! let proxy: &Proxy = terms.ingress_proxy.as_deref().expect("a redirect");
//! assert_eq!(proxy.requests(), terms.requests());
//! assert_eq!(JsonPorts::all(&to_web)[0].ports, [[80, 80]]);
//! // Together they are what either of two ways lets through.
//! assert!(to_db.or(&to_web).open().contains(6, 80));
//! # Ok::<(), Box<netverdict::diagnostic::Diagnostic>>(())
//! ```

use crate::ports::{PortMap, PortSet, ports_of};
use netverdict::cluster::{Decision, ProxyRules};
use netverdict::policy_map::Verdict;
use netverdict::resolve::Parser;
use std::sync::Arc;

/// A proxy that traffic is redirected to, and what it decides by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Proxy {
    /// What it parses.
    pub parser: Parser,
    /// A custom listener; empty without one.
    pub listener: Arc<str>,
    /// What it lets through.
    pub rules: ProxyRules,
}

impl Proxy {
    /// What it lets through, a line each: `GET /docs`, `queries for
    /// *.example.com`. Empty when it restricts nothing.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.rules.lines()
    }
}

/// What the policy of one side does with a packet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Treatment {
    /// The verdict is settled.
    Settled {
        /// What happens.
        verdict: Verdict,
        /// Where it is redirected to.
        proxy: Option<Arc<Proxy>>,
        /// The authentication type required; 0 for none.
        auth: u8,
    },
    /// The input leaves it open.
    Unknown {
        /// What is missing, a sentence each.
        why: Arc<[String]>,
    },
}

impl Treatment {
    /// Traffic passes without more ado.
    pub const ALLOW: Self = Self::Settled {
        verdict: Verdict::Allow,
        proxy: None,
        auth: 0,
    };

    /// True when traffic surely does not get through, whatever the peers do.
    #[must_use]
    pub const fn drops(&self) -> bool {
        matches!(
            self,
            Self::Settled {
                verdict: Verdict::Deny | Verdict::DefaultDeny,
                ..
            }
        )
    }

    /// As an answer for a flow has it.
    #[must_use]
    pub fn decision(&self) -> Decision {
        match self {
            Self::Settled { verdict, .. } => Decision::Verdict(*verdict),
            Self::Unknown { why } => Decision::Unknown { why: why.to_vec() },
        }
    }
}

/// What the policy of one side says of one peer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Side {
    /// Some rule selects the subject in this direction; without one everything
    /// is allowed.
    pub enforced: bool,
    /// What happens at each port.
    pub ports: PortMap<Treatment>,
}

/// One word for a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SideState {
    /// Rules select it, and something gets through.
    Allowed,
    /// No rule selects it, or it has no policy: everything gets through.
    Default,
    /// Rules select it, and nothing gets through.
    Denied,
    /// Nothing surely gets through, and something might.
    Unknown,
}

impl SideState {
    /// One word for people and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Default => "default",
            Self::Denied => "denied",
            Self::Unknown => "unknown",
        }
    }
}

impl Side {
    /// The side of something without a policy.
    #[must_use]
    pub fn open() -> Self {
        Self {
            enforced: false,
            ports: PortMap::same(Treatment::ALLOW),
        }
    }

    /// One word for it.
    #[must_use]
    pub fn state(&self) -> SideState {
        let known = |t: &Treatment| matches!(t, Treatment::Settled { .. });
        if self.ports.any(|t| known(t) && !t.drops()) {
            return if self.enforced {
                SideState::Allowed
            } else {
                SideState::Default
            };
        }
        if self.ports.any(|t| !known(t)) {
            SideState::Unknown
        } else {
            SideState::Denied
        }
    }

    /// True when something gets through, or might.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.ports.any(|t| !t.drops())
    }
}

/// What becomes of traffic, both sides taken together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Passage {
    /// It does not get through.
    Closed,
    /// It gets through, on these terms.
    Open(Terms),
    /// It might get through: the input leaves it open.
    Unknown,
}

/// What traffic has to put up with to get through.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Terms {
    /// The sender's proxy.
    pub egress_proxy: Option<Arc<Proxy>>,
    /// The receiver's proxy.
    pub ingress_proxy: Option<Arc<Proxy>>,
    /// The authentication type that the sender's policy requires; 0 for none.
    pub egress_auth: u8,
    /// The authentication type that the receiver's policy requires; 0 for none.
    pub ingress_auth: u8,
}

impl Terms {
    /// What a proxy parses on the way: the receiver's counts where both have
    /// one.
    #[must_use]
    pub fn layer7(&self) -> Option<&'static str> {
        let proxy = self.ingress_proxy.as_ref().or(self.egress_proxy.as_ref())?;
        Some(proxy.parser.as_str())
    }

    /// True when peers have to authenticate each other first.
    #[must_use]
    pub const fn authenticated(&self) -> bool {
        self.egress_auth != 0 || self.ingress_auth != 0
    }

    /// What comes of the ports: `http: GET /docs`, `authentication`. Empty
    /// when there are no terms.
    #[must_use]
    pub fn brief(&self) -> String {
        const LISTED: usize = 3;
        let mut said = Vec::new();
        if let Some(layer7) = self.layer7() {
            let requests = self.requests();
            let more = requests.len().saturating_sub(LISTED);
            let mut text = layer7.to_owned();
            for (n, line) in requests.iter().take(LISTED).enumerate() {
                text.push_str(if n == 0 { ": " } else { ", " });
                text.push_str(line);
            }
            if more > 0 {
                text.push_str(&format!(" and {more} more"));
            }
            said.push(text);
        }
        if self.authenticated() {
            said.push("authentication".to_owned());
        }
        said.join("; ")
    }

    /// What the proxies on the way let through, the sender's first.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        let mut all = Vec::new();
        for proxy in [&self.egress_proxy, &self.ingress_proxy]
            .into_iter()
            .flatten()
        {
            for line in proxy.requests() {
                if !all.contains(&line) {
                    all.push(line);
                }
            }
        }
        all
    }
}

/// Ports of one protocol that are open on like terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// The protocol; `None` stands for every one that is not listed.
    pub protocol: Option<u8>,
    /// Ranges of ports, ascending; all of a protocol without ports.
    pub ports: Vec<(u16, u16)>,
    /// The terms.
    pub terms: Terms,
}

/// What one peer may say to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// What the sender's policy says of the receiver; `None` without one.
    pub egress: Option<Arc<Side>>,
    /// What the receiver's policy says of the sender; `None` without one.
    pub ingress: Option<Arc<Side>>,
    /// Both together.
    pub ports: PortMap<Passage>,
}

impl Connection {
    /// Both sides together.
    #[must_use]
    pub fn new(egress: Option<Arc<Side>>, ingress: Option<Arc<Side>>) -> Self {
        let open = PortMap::same(Treatment::ALLOW);
        let ports = |side: &Option<Arc<Side>>| side.clone().map(|s| s.ports.clone());
        let (out, into) = (ports(&egress), ports(&ingress));
        let ports = out
            .as_ref()
            .unwrap_or(&open)
            .with(into.as_ref().unwrap_or(&open), together);
        Self {
            egress,
            ingress,
            ports,
        }
    }

    /// What the sender's side is called.
    #[must_use]
    pub fn egress_state(&self) -> SideState {
        self.egress
            .as_ref()
            .map_or(SideState::Default, |s| s.state())
    }

    /// What the receiver's side is called.
    #[must_use]
    pub fn ingress_state(&self) -> SideState {
        self.ingress
            .as_ref()
            .map_or(SideState::Default, |s| s.state())
    }

    /// The ports that are open, be it by way of a proxy or after
    /// authentication.
    #[must_use]
    pub fn open(&self) -> PortSet {
        self.ports.set(|p| matches!(p, Passage::Open(_)))
    }

    /// The ports of which the input leaves open whether they are.
    #[must_use]
    pub fn unknown(&self) -> PortSet {
        self.ports.set(|p| *p == Passage::Unknown)
    }

    /// What is open, by protocol and terms.
    #[must_use]
    pub fn allowed(&self) -> Vec<Allowed> {
        let mut all: Vec<Allowed> = Vec::new();
        for stretch in self.ports.stretches() {
            let Passage::Open(terms) = stretch.value else {
                continue;
            };
            let without_ports = stretch.protocol.is_none_or(|p| ports_of(p) == (0, 0));
            let range = (!without_ports).then_some((stretch.first, stretch.last));
            let same = |a: &&mut Allowed| a.protocol == stretch.protocol && a.terms == *terms;
            match all.iter_mut().find(same) {
                Some(known) => known.ports.extend(range),
                None => all.push(Allowed {
                    protocol: stretch.protocol,
                    ports: range.into_iter().collect(),
                    terms: terms.clone(),
                }),
            }
        }
        all
    }

    /// What is open, by terms: those without any first.
    #[must_use]
    pub fn by_terms(&self) -> Vec<(Terms, PortSet)> {
        let mut terms: Vec<Terms> = Vec::new();
        for stretch in self.ports.stretches() {
            if let Passage::Open(t) = stretch.value
                && !terms.contains(t)
            {
                terms.push(t.clone());
            }
        }
        terms.sort();
        let set = |t: &Terms| self.ports.set(|p| matches!(p, Passage::Open(o) if o == t));
        terms.into_iter().map(|t| (t.clone(), set(&t))).collect()
    }

    /// What either of two says: where they differ, the more open one holds.
    #[must_use]
    pub fn or(&self, that: &Self) -> Self {
        let ports = self.ports.with(&that.ports, |a, b| match (a, b) {
            (Passage::Open(_), _) | (_, Passage::Closed) => a.clone(),
            _ => b.clone(),
        });
        Self {
            egress: wider(&self.egress, &that.egress),
            ingress: wider(&self.ingress, &that.ingress),
            ports,
        }
    }
}

/// The side that lets more through, by its word.
fn wider(a: &Option<Arc<Side>>, b: &Option<Arc<Side>>) -> Option<Arc<Side>> {
    let openness = |side: &Arc<Side>| match side.state() {
        SideState::Default => 3,
        SideState::Allowed => 2,
        SideState::Unknown => 1,
        SideState::Denied => 0,
    };
    let (a, b) = (a.as_ref()?, b.as_ref()?);
    Some(Arc::clone(if openness(a) >= openness(b) { a } else { b }))
}

/// A packet passes when both sides let it; one that surely drops it settles the
/// matter.
fn together(egress: &Treatment, ingress: &Treatment) -> Passage {
    if egress.drops() || ingress.drops() {
        return Passage::Closed;
    }
    match (egress, ingress) {
        (
            Treatment::Settled { proxy, auth, .. },
            Treatment::Settled {
                proxy: into,
                auth: required,
                ..
            },
        ) => Passage::Open(Terms {
            egress_proxy: proxy.clone(),
            ingress_proxy: into.clone(),
            egress_auth: *auth,
            ingress_auth: *required,
        }),
        _ => Passage::Unknown,
    }
}
