//! The naive evaluator: one packet at a time, by looking at every rule.
//!
//! In: accepted rules, the identities and their named ports, a subject. Out:
//! the verdict on a packet, or why the subject has no policy. There are no
//! maps, classes or tries here, only lists that are walked, so that the code
//! can be read next to the specification:
//!
//! 1. `policy`: which rules apply to the subject, which ones Cilium adds.
//! 2. `merge`: rules that name the same selector and the same ports become
//!    one `Grant`, or contradict each other.
//! 3. `packet`: the grants that match a packet, tier by tier; the strongest
//!    one decides.
//!
//! `lookup` is something else: the datapath's own algorithm over
//! the bytes of a policy map, to check the engine's.
//!
//! # Where Cilium differs
//!
//! A verdict that follows from the rules alone is what this module gives.
//! Cilium's depends on more in these cases, where nothing should be compared:
//!
//! - Authentication on several keys under each other: which of them a narrower
//!   key inherits from depends on the order of insertion.
//! - Authentication together with Pass rules, which Cilium calls unsupported.
//! - What Pass rules leave behind as invalid entries. Lookups here know of
//!   none; an agent writes them to the map, where they deny.
//! - Match types ([`Decision::match_type`]) where an entry has the same effect
//!   as its aggregate's: Cilium drops it or keeps it by chance.
//! - More than 2^24 priority levels in a direction, which Cilium refuses.

mod lookup;
mod merge;
mod packet;
mod policy;

pub use lookup::{Found, lookup};
pub use packet::Decision;

use merge::Grant;
use netverdict::config::Config;
use netverdict::identity::{IdentityTable, NumericIdentity};
use netverdict::label::LabelSet;
use netverdict::policy_map::Question;
use netverdict::rule::{Direction, Rule, Tier};
use std::fmt;

/// Everything but the subject.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// Agent options.
    pub config: &'a Config,
    /// The identities in force.
    pub identities: &'a IdentityTable,
    /// The rules in force.
    pub rules: &'a [Rule],
    /// The port an identity means by a name, for a protocol.
    pub peer_port: &'a dyn Fn(NumericIdentity, &str, u8) -> Option<u16>,
}

/// The endpoint whose packets are judged.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// Its identity.
    pub id: NumericIdentity,
    /// Its labels.
    pub labels: &'a LabelSet,
    /// The port it means by a name, for a protocol.
    pub port: &'a dyn Fn(&str, u8) -> Option<u16>,
}

/// Two rules want different things of the same peers and port: the subject
/// has no policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict(pub String);

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Conflict {}

/// A subject with what its rules come to.
pub struct Evaluator<'a> {
    world: World<'a>,
    subject: Subject<'a>,
    ingress: DirectionGrants,
    egress: DirectionGrants,
}

/// One direction of a subject's policy.
struct DirectionGrants {
    /// Otherwise everything is allowed.
    enforced: bool,
    /// Tier and priority of the first rule: a denial of these is the strongest
    /// entry there can be.
    first: Option<(Tier, f64)>,
    grants: Vec<Grant>,
}

impl<'a> Evaluator<'a> {
    /// Collects what the rules say of a subject.
    ///
    /// # Errors
    /// When rules contradict each other.
    pub fn new(world: World<'a>, subject: Subject<'a>) -> Result<Self, Conflict> {
        let direction = |direction| -> Result<DirectionGrants, Conflict> {
            let applied = policy::rules_for(&world, &subject, direction);
            Ok(DirectionGrants {
                enforced: applied.enforced,
                first: applied.rules.first().map(|r| (r.tier, r.priority)),
                grants: merge::grants(&applied.rules, subject.labels)?,
            })
        };
        Ok(Self {
            world,
            subject,
            ingress: direction(Direction::Ingress)?,
            egress: direction(Direction::Egress)?,
        })
    }

    /// The verdict on one packet.
    #[must_use]
    pub fn decide(&self, question: &Question) -> Decision {
        let policy = match question.direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        };
        packet::decide(&self.world, &self.subject, policy, question)
    }
}
