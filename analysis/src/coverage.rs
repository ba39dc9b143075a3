//! Which rules were tried by a set of flows.
//!
//! In: a cluster, and explanations of flows between its endpoints. Out: every
//! rule with how many of them it decided or matched; those with none are rules
//! that nothing exercised.
//!
//! ```
//! use netverdict::cluster::{Cluster, Flow};
//! use netverdict_analysis::coverage::Coverage;
//!
//! let cluster = Cluster::read(include_str!("../../core/examples/shop.yaml"))?;
//! let (from, to) = (cluster.peer("shop/web")?, cluster.peer("shop/db")?);
//! let flow = Flow::new(&from, &to, 6, 5432);
//! let mut coverage = Coverage::new();
//! // Seen three times.
//! coverage.count(&cluster.explain(&flow), 3);
//! let rules = coverage.rules(&cluster);
//! assert_eq!((rules.len(), rules[0].exercise.decided), (1, 3));
//! # Ok::<(), Box<netverdict::diagnostic::Diagnostic>>(())
//! ```

use netverdict::cluster::{Cluster, FlowExplanation};
use netverdict::explain::Fate;
use netverdict::policy_map::Verdict;
use netverdict::rule::Rule;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What became of a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exercise {
    /// Flows that it decided, or that it dropped by default deny when it
    /// allows nobody.
    pub decided: u64,
    /// Flows that it matches, but other rules decided.
    pub matched: u64,
}

/// A rule and what became of it.
#[derive(Clone, Debug)]
pub struct Exercised {
    /// The rule.
    pub rule: Arc<Rule>,
    /// What became of it.
    pub exercise: Exercise,
}

/// Counts what flows exercise.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    by_rule: BTreeMap<(Arc<str>, u32), Exercise>,
}

fn key(rule: &Rule) -> (Arc<str>, u32) {
    (Arc::clone(&rule.resource), rule.index)
}

impl Coverage {
    /// Nothing is exercised yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a flow, `times` times.
    pub fn count(&mut self, explained: &FlowExplanation, times: u64) {
        for side in [&explained.egress, &explained.ingress]
            .into_iter()
            .flatten()
        {
            for candidate in &side.candidates {
                let rule = &candidate.rule;
                let closed = side.verdict == Verdict::DefaultDeny
                    && rule.default_deny
                    && rule.peers.is_none();
                let decides = matches!(candidate.fate, Fate::Decides | Fate::Authenticates);
                let matches = candidate.peer.matches() && candidate.port.matches();
                if !decides && !closed && !matches {
                    continue;
                }
                let exercise = self.by_rule.entry(key(rule)).or_default();
                if decides || closed {
                    exercise.decided += times;
                } else {
                    exercise.matched += times;
                }
            }
        }
    }

    /// Every rule that somebody wrote, in the order it is written.
    #[must_use]
    pub fn rules(&self, cluster: &Cluster) -> Vec<Exercised> {
        let rules = cluster.repository().rules();
        let own = rules.filter(|r| !r.origin.is_synthesized());
        let mut all: Vec<Exercised> = own
            .map(|rule| Exercised {
                rule: Arc::clone(rule),
                exercise: self.by_rule.get(&key(rule)).copied().unwrap_or_default(),
            })
            .collect();
        all.sort_by_key(|e| e.rule.origin.span);
        all
    }
}
