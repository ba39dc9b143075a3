//! Rules to the policy of one subject.
//!
//! In: a [`Repository`] of rules with the identities known. Out: a
//! [`SubjectPolicy`]: per direction whether it is enforced, and the rules that
//! apply merged into filters, tier by tier, with their priorities flattened to
//! integers. Identities and map keys come later ([`crate::policy_map`]).
//! Follows Cilium 1.20.2 pkg/policy/{repository,rules,rule,l4}.go.
//!
//! ```
//! use netverdict::cluster::Cluster;
//! use netverdict::resolve::{DirectionPolicy, Origin, Parser};
//!
//! let cluster = Cluster::read(include_str!("../../examples/shop.yaml"))?;
//! let repository = cluster.repository();
//! let db = cluster.find_endpoint("shop/db")?;
//! let [ingress, egress] = repository.rules_for(db.identity, &db.labels);
//! assert_eq!((ingress.len(), egress.len()), (1, 0));
//! let policy = repository.resolve(db.identity, &db.labels).expect("nothing contradicts");
//! assert!(policy.ingress.enforced && !policy.egress.enforced);
//!
//! // One filter for 5432, for whichever peer, and the rule behind it.
//! let mut filters = policy.ingress.tiers.iter().flat_map(|tier| &tier.filters);
//! let filter = filters.find(|filter| filter.wildcard_policy().is_some()).expect("5432");
//! let origin: &Origin = filter.wildcard_policy().map(|p| &p.origin).expect("found just now");
//! let ingress: &DirectionPolicy = &policy.ingress;
//! let rule = ingress.rules_of(origin).next().expect("it came of a rule");
//! assert_eq!(rule.origin.id(), "NetworkPolicy/shop/db");
//!
//! // What would be without that rule; endpoints alike in `Applying` have one policy.
//! let applying = repository.applying(db.identity, &db.labels);
//! assert_eq!(applying.rules().count(), 1);
//! let without = repository.resolve_applying(db.identity, applying.without(rule)).expect("nothing contradicts");
//! assert!(!without.ingress.enforced);
//!
//! // One proxy serves two rules when it can.
//! assert_eq!(Parser::Http.merge(Parser::None), Some(Parser::Http));
//! assert_eq!(Parser::Http.merge(Parser::Dns), None);
//! # Ok::<(), Box<netverdict::diagnostic::Diagnostic>>(())
//! ```

mod applying;
mod filter;
mod merge;
mod priority;
mod repository;

pub use applying::Applying;
pub use filter::{Features, Filter, FilterKey, Origin, Parser, SelectorPolicy, Tls};
pub use priority::{LOWEST_PRIORITY, TierPriorities};
pub use repository::{Repository, ResourceId};

use crate::identity::NumericIdentity;
use crate::rule::{Direction, Rule};
use crate::source::Span;
use std::fmt;
use std::sync::Arc;

/// The policy of one subject, before identities.
#[derive(Clone, Debug)]
pub struct SubjectPolicy {
    /// The subject's identity.
    pub subject: NumericIdentity,
    /// Traffic to it.
    pub ingress: DirectionPolicy,
    /// Traffic from it.
    pub egress: DirectionPolicy,
    /// An empty `cidrGroupSelector` was met before any other wildcard. Cilium
    /// keeps both under one key and lets the first say whom the key selects:
    /// named ports on egress to everybody then reach only the world
    /// (a bug of pkg/policy/selectorcache.go that changes verdicts).
    pub wildcard_is_world: bool,
}

impl SubjectPolicy {
    /// The policy of one direction.
    #[must_use]
    pub const fn direction(&self, direction: Direction) -> &DirectionPolicy {
        match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        }
    }
}

/// One direction of a subject's policy.
#[derive(Clone, Debug)]
pub struct DirectionPolicy {
    /// Which one.
    pub direction: Direction,
    /// False: everything is allowed, whatever the rules.
    pub enforced: bool,
    /// Nothing is allowed but what a rule allows.
    pub default_deny: bool,
    /// Every rule that selects the subject, in evaluation order, those that
    /// Cilium adds itself last. [`Origin`]s index this list.
    pub rules: Vec<Arc<Rule>>,
    /// The flattened priority of each of [`Self::rules`].
    pub priorities: Vec<u32>,
    /// Tiers that have filters, the highest first.
    pub tiers: Vec<TierPolicy>,
    /// Which features the rules use; insertion into the map depends on it.
    pub features: Features,
}

impl DirectionPolicy {
    /// The rules behind an origin.
    pub fn rules_of<'a>(&'a self, origin: &'a Origin) -> impl Iterator<Item = &'a Arc<Rule>> {
        origin.iter().filter_map(|i| self.rules.get(i as usize))
    }
}

/// The filters of one tier.
#[derive(Clone, Debug)]
pub struct TierPolicy {
    /// Tier number.
    pub tier: u8,
    /// First priority of the tier.
    pub base_priority: u32,
    /// First priority of the tier below, or the lowest there is.
    pub next_base_priority: u32,
    /// Filters in the order their first rule was met.
    pub filters: Vec<Filter>,
}

/// Why a subject has no policy. Cilium then keeps the policy it had before; a
/// new endpoint stays without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResolveError {
    /// Two rules want different things of the same peers and port.
    Conflict {
        /// What they disagree about, in words.
        what: String,
        /// The rule that was there first.
        first: Span,
        /// The rule that conflicts with it.
        second: Span,
    },
    /// More than 2^24 priority levels in one direction.
    TooManyPriorities,
    /// A `CiliumEnvoyConfig` listener is looked up in the subject's namespace,
    /// and the subject has none.
    ListenerWithoutNamespace {
        /// Name of the listener.
        listener: String,
        /// The rule that names it.
        rule: Span,
    },
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict { what, .. } => f.write_str(what),
            Self::TooManyPriorities => {
                f.write_str("more than 2^24 distinct priorities in one direction")
            }
            Self::ListenerWithoutNamespace { listener, .. } => write!(
                f,
                "listener `{listener}` of kind CiliumEnvoyConfig needs a namespaced subject"
            ),
        }
    }
}

impl std::error::Error for ResolveError {}
