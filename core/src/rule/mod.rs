//! The normal form of every policy kind.
//!
//! In: typed objects that passed validation, and the services they name.
//! Out: [`Rule`]s: one subject, one direction, peers, ports, a verdict, and
//! where it is written. Whatever kind a policy was written as, from here on
//! only tiers, priorities and verdicts tell rules apart (Cilium 1.20.2
//! pkg/policy/types/policyentry.go).
//!
//! ```
//! use netverdict::config::Config;
//! use netverdict::object::{Object, load};
//! use netverdict::rule::{Direction, Service, Services, Translator};
//! use netverdict::source::SourceId;
//!
//! let config = Config::default();
//! let loaded = load::load(SourceId(0), include_str!("../../examples/shop.yaml"), &load::LoadOptions::new(&config));
//! let policy = loaded.objects().find_map(|o| match o {
//!     Object::NetworkPolicy(policy) => Some(policy),
//!     _ => None,
//! });
//! let translator = Translator::new(&config);
//! let rules = translator.network_policy(policy.expect("there is one"));
//! assert_eq!(rules.len(), 1);
//! assert_eq!((rules[0].direction, &*rules[0].namespace), (Direction::Ingress, "shop"));
//! assert_eq!(rules[0].origin.id(), "NetworkPolicy/shop/db");
//! assert!(!rules[0].is_baseline_admin());
//! // Strongest first; a rule is as strong as itself.
//! assert!(rules[0].evaluation_order(&rules[0]).is_eq());
//!
//! // What `toServices` may name.
//! let service = |name: &str| Service { name: name.into(), namespace: "shop".into(), ..Service::default() };
//! let services = Services::new(vec![service("db"), service("api")]);
//! assert_eq!(services.in_namespace("shop").len(), 2);
//! assert!(services.has_name("db"));
//! ```

mod json;
mod l7;
mod port;
mod translate;

pub use json::JsonPlace;
pub use l7::{HeaderMatch, HttpRule, L7Rules, Listener, ListenerKind, Mismatch, Place, TlsContext};
pub use port::{PortProtocol, PortRule, RulePort, protocol};
pub use translate::{
    Service, Services, Translator, cilium_resource, cluster_policy_resource,
    network_policy_resource, resource_id,
};

use crate::object::ObjectRef;
use crate::selector::Selector;
use crate::source::Span;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// Which traffic of its subject a rule speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Traffic to the subject.
    Ingress,
    /// Traffic from the subject.
    Egress,
}

impl Direction {
    /// Both, ingress first.
    pub const BOTH: [Self; 2] = [Self::Ingress, Self::Egress];

    /// `ingress` or `egress`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a rule does with the traffic it matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleVerdict {
    /// Lets it through, perhaps by way of a proxy.
    #[default]
    Allow,
    /// Drops it.
    Deny,
    /// Leaves it to the next tier.
    Pass,
}

/// Rules of a lower tier are asked only when no higher one decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tier(pub u8);

impl Tier {
    /// ClusterNetworkPolicy of tier Admin.
    pub const ADMIN: Self = Self(100);
    /// CiliumNetworkPolicy, CiliumClusterwideNetworkPolicy, NetworkPolicy.
    pub const NORMAL: Self = Self(200);
    /// ClusterNetworkPolicy of tier Baseline.
    pub const BASELINE: Self = Self(250);
    /// What Cilium adds itself: allow-all, the local host, deny-all.
    pub const DEFAULT: Self = Self(255);
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ADMIN => f.write_str("Admin"),
            Self::NORMAL => f.write_str("Normal"),
            Self::BASELINE => f.write_str("Baseline"),
            Self::DEFAULT => f.write_str("Default"),
            Self(n) => n.fmt(f),
        }
    }
}

/// `authentication.mode`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Authentication {
    /// `disabled`: none is needed, even where a wider rule wants it.
    Disabled,
    /// `required`: mutual authentication by SPIRE.
    Required,
    /// `test-always-fail`.
    AlwaysFail,
    /// Any other text: as if absent, except that it conflicts with others.
    Other(Arc<str>),
}

impl Authentication {
    /// Reads the mode.
    #[must_use]
    pub fn new(mode: &str) -> Self {
        match mode {
            "disabled" => Self::Disabled,
            "required" => Self::Required,
            "test-always-fail" => Self::AlwaysFail,
            other => Self::Other(other.into()),
        }
    }

    /// The byte of the policy map: the type, and bit 7 for "explicit"
    /// (pkg/policy/types/auth.go). 0 for an unknown mode.
    #[must_use]
    pub const fn requirement(&self) -> u8 {
        match self {
            Self::Disabled => 0x80,
            Self::Required => 0x81,
            Self::AlwaysFail => 0x82,
            Self::Other(_) => 0,
        }
    }
}

/// Where a rule comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleOrigin {
    /// The object; for rules that Cilium adds itself the kind is `reserved`
    /// and the name says which (`allow-localhost-ingress`).
    pub object: Arc<ObjectRef>,
    /// Field path of the rule member: `spec.ingress[0]`.
    pub path: String,
    /// The rule member in its source.
    pub span: Span,
    /// `log.value` of the policy.
    pub log: Arc<str>,
    /// `metadata.uid` of the object.
    pub uid: Arc<str>,
    /// User labels of the rule, as `source:key=value`.
    pub labels: Arc<[String]>,
}

impl RuleOrigin {
    /// The origin of a rule Cilium adds itself.
    #[must_use]
    pub fn synthesized(name: &str) -> Self {
        Self {
            object: Arc::new(ObjectRef {
                kind: "reserved".to_owned(),
                namespace: String::new(),
                name: name.to_owned(),
                span: Span::default(),
            }),
            path: String::new(),
            span: Span::default(),
            log: "".into(),
            uid: "".into(),
            labels: Arc::default(),
        }
    }

    /// True for a rule Cilium adds itself.
    #[must_use]
    pub fn is_synthesized(&self) -> bool {
        self.object.kind == "reserved"
    }

    /// `Kind/namespace/name`, the middle part empty for clusterwide objects.
    #[must_use]
    pub fn id(&self) -> String {
        let o = &self.object;
        format!("{}/{}/{}", o.kind, o.namespace, o.name)
    }
}

/// One rule: a subject, a direction, peers, ports and what becomes of them.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Lower tiers first.
    pub tier: Tier,
    /// Within a tier, lower first. Not a NaN.
    pub priority: f64,
    /// What becomes of matching traffic.
    pub verdict: RuleVerdict,
    /// The subject's side.
    pub direction: Direction,
    /// The endpoints or nodes it applies to.
    pub subject: Arc<Selector>,
    /// The subject is nodes (the host), not endpoints.
    pub selects_nodes: bool,
    /// The namespace outside which it is never looked at; empty for all.
    pub namespace: Arc<str>,
    /// The other side. `None` selects nothing; an empty list does not
    /// restrict, given that ports do.
    pub peers: Option<Vec<Arc<Selector>>>,
    /// The ports; empty does not restrict, given that peers do.
    pub ports: Vec<Arc<PortRule>>,
    /// Its subject drops what nothing allows in this direction.
    pub default_deny: bool,
    /// `authentication`, for allow rules.
    pub authentication: Option<Authentication>,
    /// Where it is written.
    pub origin: Arc<RuleOrigin>,
    /// Sorts rules of one priority: `kind/namespace/name` in Cilium's short
    /// kinds, then [`Self::index`].
    pub resource: Arc<str>,
    /// Position among the rules of its object.
    pub index: u32,
}

impl Rule {
    /// True for a rule of a BaselineAdminNetworkPolicy.
    #[must_use]
    pub fn is_baseline_admin(&self) -> bool {
        self.resource.starts_with("banp/")
    }

    /// The order rules are evaluated and merged in: tier, priority, object,
    /// position (pkg/policy/rules.go).
    #[must_use]
    pub fn evaluation_order(&self, other: &Self) -> Ordering {
        self.tier
            .cmp(&other.tier)
            .then(self.priority.total_cmp(&other.priority))
            .then_with(|| self.resource.cmp(&other.resource))
            .then(self.index.cmp(&other.index))
    }
}
