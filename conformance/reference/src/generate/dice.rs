//! Chance, the same for a seed on every platform; or choices made by somebody
//! else, as long as they last.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A seeded source of choices.
pub(super) struct Dice {
    /// Bytes that decide before chance does, the next one last.
    chosen: Vec<u8>,
    chance: ChaCha8Rng,
}

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self::chosen(&[], seed)
    }

    /// Takes its choices from bytes, and from the seed once they are used up.
    pub(super) fn chosen(choices: &[u8], seed: u64) -> Self {
        Self {
            chosen: choices.iter().rev().copied().collect(),
            chance: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// A number below `n`, or 0 when `n` is.
    pub(super) fn below(&mut self, n: u32) -> u32 {
        if let Some(first) = self.chosen.pop() {
            // As many bytes as the number needs, so that each of them matters.
            let mut drawn = u32::from(first);
            for _ in 1..n.saturating_sub(1).max(1).ilog2() / 8 + 1 {
                drawn = drawn << 8 | u32::from(self.chosen.pop().unwrap_or(0));
            }
            return drawn.checked_rem(n).unwrap_or(0);
        }
        // 64 bits of chance make the bias of a product negligible.
        let wide = u128::from(self.chance.next_u64()) * u128::from(n);
        u32::try_from(wide >> 64).unwrap_or(0)
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high - low + 1)
    }

    /// True in `percent` of 100 cases.
    pub(super) fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    /// One of `all`, which has at least one.
    pub(super) fn pick<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len() as u32) as usize]
    }

    /// A copy of one of `all`, which has at least one.
    pub(super) fn one<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u32) as usize].clone()
    }

    /// An index into `weights`, each as likely as its weight.
    pub(super) fn weighted(&mut self, weights: &[u32]) -> usize {
        let mut left = self.below(weights.iter().sum());
        for (i, weight) in weights.iter().enumerate() {
            if left < *weight {
                return i;
            }
            left -= weight;
        }
        weights.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::Dice;

    /// Scenarios are named by their seed: it must mean the same everywhere.
    #[test]
    fn a_seed_gives_the_same_numbers_everywhere() {
        let mut dice = Dice::new(7);
        let drawn: Vec<u32> = (0..6).map(|_| dice.below(1000)).collect();
        assert_eq!(drawn, [157, 167, 704, 726, 601, 359]);
    }

    #[test]
    fn chosen_bytes_come_before_chance() {
        let mut dice = Dice::chosen(&[3, 1, 0, 0xff], 7);
        assert_eq!(dice.below(0), 0);
        assert_eq!(dice.below(1000), 256);
        assert_eq!(dice.below(10), 5);
        assert_eq!(dice.below(1000), 157);
    }

    #[test]
    fn draws_stay_in_their_bounds() {
        let mut dice = Dice::new(1);
        let mut seen = [0_u32; 3];
        for _ in 0..3000 {
            assert!((5..=7).contains(&dice.between(5, 7)));
            seen[dice.weighted(&[1, 0, 2])] += 1;
        }
        assert_eq!(dice.below(0), 0);
        assert_eq!(seen[1], 0);
        assert!(seen[0] > 800 && seen[2] > 1700, "{seen:?}");
    }
}
