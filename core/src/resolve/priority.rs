//! Tiers and fractional priorities flattened to integers.
//!
//! Every tier gets a range of integers wide enough for its own levels and, for
//! each level that passes, a copy of everything below it: a rule reached by
//! way of a pass is lifted to right after that pass. Ranges are rounded up to
//! tens so that small changes do not renumber everything (Cilium 1.20.2
//! pkg/policy/rules.go computeTierPriorities).

use super::ResolveError;
use crate::rule::{Rule, RuleVerdict};
use std::sync::Arc;

/// The weakest priority: 24 bits are all the datapath has.
pub const LOWEST_PRIORITY: u32 = (1 << 24) - 1;

const ROUND: u64 = 10;

/// Flattened priorities of one direction's rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TierPriorities {
    /// First priority of each tier, by tier number; as long as the last used
    /// tier needs.
    pub base: Vec<u32>,
    /// Priority of each rule, in the order given.
    pub of_rule: Vec<u32>,
}

impl TierPriorities {
    /// Numbers rules that are in evaluation order.
    ///
    /// # Errors
    /// [`ResolveError::TooManyPriorities`] past 2^24.
    pub fn new(rules: &[Arc<Rule>]) -> Result<Self, ResolveError> {
        let Some(last) = rules.last() else {
            return Ok(Self::default());
        };
        let tiers = usize::from(last.tier.0) + 1;
        let mut levels = vec![0u64; tiers];
        let mut passes = vec![0u64; tiers];
        for tier in rules.chunk_by(|a, b| a.tier == b.tier) {
            let t = tier.first().map_or(0, |r| usize::from(r.tier.0));
            let (mut own, mut passing) = (0, 0);
            for level in same_priority(tier) {
                own += 1;
                passing += u64::from(has_pass(level));
            }
            if let (Some(l), Some(p)) = (levels.get_mut(t), passes.get_mut(t)) {
                (*l, *p) = (round_up(own), passing);
            }
        }
        let mut below = levels.last().copied().unwrap_or(0);
        for (l, p) in levels.iter_mut().zip(&passes).rev().skip(1) {
            if (*l, *p) == (0, 0) {
                // Most tiers are empty.
                *l = below;
                continue;
            }
            *l = round_up(l.saturating_add((p + 1).saturating_mul(below)));
            below = *l;
        }
        if below > u64::from(LOWEST_PRIORITY) {
            return Err(ResolveError::TooManyPriorities);
        }

        let mut base = Vec::with_capacity(tiers);
        base.push(0u32);
        let mut next = 0u64;
        for pair in levels.windows(2) {
            if let [here, after] = pair {
                next += here - after;
                base.push(u32::try_from(next).unwrap_or(LOWEST_PRIORITY));
            }
        }

        let mut of_rule = Vec::with_capacity(rules.len());
        for tier in rules.chunk_by(|a, b| a.tier == b.tier) {
            let t = tier.first().map_or(0, |r| usize::from(r.tier.0));
            let after_pass = levels.get(t + 1).copied().unwrap_or(0);
            let mut priority = u64::from(base.get(t).copied().unwrap_or(0));
            for (i, level) in same_priority(tier).enumerate() {
                if i > 0 && priority > u64::from(LOWEST_PRIORITY) {
                    return Err(ResolveError::TooManyPriorities);
                }
                let number = u32::try_from(priority).unwrap_or(LOWEST_PRIORITY);
                of_rule.extend(level.iter().map(|_| number));
                // The last tier has nothing to pass to.
                priority += if has_pass(level) && t + 1 < tiers {
                    after_pass + 1
                } else {
                    1
                };
            }
        }
        Ok(Self { base, of_rule })
    }
}

fn same_priority(rules: &[Arc<Rule>]) -> impl Iterator<Item = &[Arc<Rule>]> {
    rules.chunk_by(|a, b| a.priority == b.priority)
}

fn has_pass(level: &[Arc<Rule>]) -> bool {
    level.iter().any(|r| r.verdict == RuleVerdict::Pass)
}

fn round_up(n: u64) -> u64 {
    n.div_ceil(ROUND).saturating_mul(ROUND)
}
