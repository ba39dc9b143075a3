//! Passes, as notes beside the entries of a key.

use super::precedence::Precedence;
use std::sync::Arc;

/// A pass verdict kept beside an entry: traffic of its key skips what is left
/// of its tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pass {
    /// Precedence of the pass itself.
    pub precedence: Precedence,
    /// The tier's first precedence, as a deny.
    pub tier_max: Precedence,
    /// The tier's last precedence.
    pub tier_min: Precedence,
}

impl Pass {
    /// True unless it is of the same tier as `precedence` and not above it.
    pub(super) fn survives(&self, precedence: Precedence) -> bool {
        let same_tier = self.tier_min <= precedence && precedence <= self.tier_max;
        !same_tier || self.precedence > precedence
    }
}

/// A precedence lifted past passes, one after the other, the lowest tier
/// first. The class byte is kept: both ends of the shift have none.
pub(super) fn lifted(precedence: Precedence, passes: &[Pass]) -> Precedence {
    passes.iter().fold(precedence, |p, pass| {
        Precedence(
            p.0.wrapping_sub(pass.tier_min.0)
                .wrapping_add(pass.precedence.0),
        )
    })
}

/// Keeps the highest pass of each tier, tiers ascending by precedence.
pub(super) fn collect(passes: &mut Vec<Pass>, pass: Pass) {
    let out_of_tier = pass.precedence < pass.tier_min || pass.precedence > pass.tier_max;
    if pass.precedence == Precedence::default() || out_of_tier {
        return;
    }
    let i = passes.partition_point(|p| p.tier_min < pass.tier_min);
    match passes.get_mut(i) {
        Some(same) if same.tier_min == pass.tier_min => {
            if pass.precedence > same.precedence {
                *same = pass;
            }
        }
        _ => passes.insert(i, pass),
    }
}

/// The passes of both entries of one key, the highest of each tier.
pub(super) fn merge_passes(
    old: Option<&Arc<[Pass]>>,
    new: Option<&Arc<[Pass]>>,
) -> Option<Arc<[Pass]>> {
    match (old, new) {
        (None, only) | (only, None) => only.cloned(),
        (Some(old), Some(new)) if old == new => Some(Arc::clone(old)),
        (Some(old), Some(new)) => {
            let mut merged = old.to_vec();
            for pass in new.iter() {
                let i = merged.partition_point(|p| p.tier_min < pass.tier_min);
                match merged.get_mut(i) {
                    Some(same) if same.tier_min == pass.tier_min => {
                        if pass.precedence > same.precedence {
                            *same = *pass;
                        }
                    }
                    _ => merged.insert(i, *pass),
                }
            }
            Some(merged.into())
        }
    }
}
